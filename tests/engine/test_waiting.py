"""What a run shows while it waits, and units that go on while calls of others wait."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fake_endpoints import Fake, broken
from support import run, sums, yaml_file
from virtual_clock import run_virtually

from synth.calls import CallCounts, Waiting
from synth.engine.bar import Bar
from synth.engine.progress import Progress
from synth.models import Completion, Request

PIPELINE = """
    pipeline: my/waits
    roles: {teacher: writes}
    steps:
      - {step: generate, examples: none}
"""


class ByCase(Fake):
    """Fails by the number of the case that the prompt is about."""

    async def complete(self, request: Request) -> Completion:
        case = re.search(r"Case (\d+)", str(request.messages))
        assert case is not None
        return await super().complete(request._replace(sample=int(case[1])))


def test_prompts_that_fail_do_not_hold_up_the_others(tmp_path: Path):
    """Their units wait for another attempt, and other units are begun meanwhile."""
    fake = ByCase(lambda case, _: broken() if case % 10 == 3 else None, concurrency=4)
    begun_by_then: list[int] = []

    async def go() -> None:
        summary = await run(
            yaml_file(tmp_path / "p.yaml", PIPELINE), sums(tmp_path / "in.jsonl", 200), tmp_path / "run", fake
        )
        assert summary.failures == {"server": 20}
        begun_by_then.append(len({case for time, case in fake.asked if time < 25}))

    run_virtually(go())
    assert begun_by_then[0] > 150  # of 200 without failures, and some 60 where a unit that waits keeps its place
    assert len(fake.asked) == 180 + 20 * 6


def test_the_activity_says_what_is_waited_for():
    """The stage; the wait of an endpoint, and then no time left is estimated; replays; retries."""
    progress = Progress(total=10, done=5)
    assert progress.activity == "starting"
    progress.calls = CallCounts()
    progress.enter("asking", "asking")
    assert (progress.activity, progress.doing) == ("asking", "asking")
    assert progress.seconds_left() is not None
    progress.calls.replayed = 5
    assert (progress.activity, progress.doing) == ("replaying", "replaying")
    progress.calls.sent, progress.calls.retrying = 7, 3
    assert (progress.activity, progress.doing) == ("retrying", "retrying 3 calls")
    progress.waits = lambda: {"mine": Waiting("circuit open", "server", 42.4, 3.4)}
    assert progress.activity == "waiting"
    (line,) = progress.waiting_lines
    assert re.fullmatch(r"waiting for mine \(circuit open, server\) since \d\d:\d\d:\d\dZ, next try in 3 s", line)
    assert progress.seconds_left() is None
    progress.waits = lambda: {"mine": Waiting("waiting for quota", None, 61.0, 0.0)}
    assert re.fullmatch(r"waiting for mine \(waiting for quota\) since .*Z, trying now", progress.waiting_lines[0])


def test_the_bar_says_what_is_waited_for(capsys: pytest.CaptureFixture[str]):
    progress = Progress(total=10, earlier=4, done=2, kept=2, calls=CallCounts())
    progress.enter("asking", "asking")
    progress.waits = lambda: {"mine": Waiting("backing off", "rate_limit", 5.0, 2.0)}
    with Bar(progress, "my/waits", shown=True):
        pass
    line = capsys.readouterr().err
    assert "my/waits (waiting for mine (backing off, rate_limit) since " in line
    assert "6/10" in line
