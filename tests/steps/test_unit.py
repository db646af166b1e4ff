"""What a unit makes of replies that are not usable as they come."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from synth.calls import Caller, Ledger
from synth.models import Completion, Reply, Request, ScriptedModel, Task
from synth.records import Failure, Problem
from synth.steps import Unit
from synth.store.journal import Journal, read_entries

PROBLEM = Problem.root(question="How many?", answer="5", answer_kind="number")


class Number(Reply):
    number: int


@pytest.fixture
def ledger(tmp_path: Path):
    journal = Journal(tmp_path / "journal")
    yield Ledger(journal)
    journal.close()


def asking(**more) -> Request:
    return Request(({"role": "user", "content": "How many?"},), Task("solve", PROBLEM), step="count", **more)


async def outcome(script, ledger: Ledger, request: Request):
    """The reply, the requests that were made, the failures."""
    asked: list[Request] = []

    def noting(one: Request, rng):
        asked.append(one)
        return script(one, rng)

    unit = Unit(PROBLEM, Caller(ledger), {})
    got = await unit.ask(ScriptedModel(noting), request, PROBLEM)
    return got, asked, [r for r in unit.records if isinstance(r, Failure)]


async def test_a_reply_without_its_shape_is_sent_back_once_with_what_is_wrong(ledger: Ledger):
    def script(request, _rng):
        return '{"number": 5}' if request.repairs else '{"number": "several"}'

    got, asked, failures = await outcome(script, ledger, asking(shape=Number))
    assert got.value == Number(number=5)
    assert not failures
    first, second = asked
    assert [m["role"] for m in second.messages] == ["user", "assistant", "user"]
    assert second.messages[1]["content"] == '{"number": "several"}'
    assert "number: Input should be a valid integer" in second.messages[2]["content"]
    ledger._journal.flush()
    rows = [orjson.loads(line)["body"] for _, line in read_entries(ledger._journal.folder)]
    row = next(r for r in rows if r["id"] == got.call)
    assert (row["repairs"], row["shape"], row["id"]) == (
        ledger.last_attempt(ScriptedModel(script).key(first)),
        "Number",
        got.call,
    )

    again, asked, _ = await outcome(script, ledger, asking(shape=Number))  # both calls are replayed
    assert again.value == got.value
    assert not asked


async def test_what_cannot_be_repaired_is_a_failure_that_keeps_the_reply(ledger: Ledger):
    got, asked, (failure,) = await outcome(lambda *_: "five or so", ledger, asking(shape=Number))
    assert got is None
    assert len(asked) == 2
    assert (failure.cause, failure.raw, failure.step) == ("shape", "five or so", "count")
    assert failure.call == ledger.last_attempt(ScriptedModel(lambda *_: "").key(asked[1]))


async def test_a_reply_that_was_cut_off_is_asked_for_once_more_with_the_larger_limit(ledger: Ledger):
    def script(request, _rng):
        enough = request.parameters["max_tokens"] == 200
        return Completion("five" if enough else "fi", finish="stop" if enough else "length")

    request = asking(parameters={"max_tokens": 10}, max_tokens_on_truncation=200)
    got, asked, failures = await outcome(script, ledger, request)
    assert (got.text, [r.parameters["max_tokens"] for r in asked], failures) == ("five", [10, 200], [])
    got, asked, _ = await outcome(script, ledger, request)
    assert (got.text, asked) == ("five", [])  # the short one is not asked for again

    short = asking(parameters={"max_tokens": 11}, max_tokens_on_truncation=50)
    got, asked, (failure,) = await outcome(script, ledger, short)
    assert (got, len(asked), failure.cause, failure.raw) == (None, 2, "truncated", "fi")
    got, asked, (failure,) = await outcome(script, ledger, asking(parameters={"max_tokens": 12}))
    assert (got, len(asked), failure.cause) == (None, 1, "truncated")


async def test_a_continuation_is_what_was_added(ledger: Ledger):
    begun = "First we count all the apples.\nThen"
    got, _, _ = await outcome(lambda *_: f"{begun} there are 5.", ledger, asking(continue_from=begun))
    assert got.text == " there are 5."
    anew = "First we count all the apples.\nNow the pears."
    got, _, (failure,) = await outcome(lambda *_: anew, ledger, asking(continue_from=begun, sample=1))
    assert (got, failure.cause, failure.raw) == (None, "restarted", anew)
