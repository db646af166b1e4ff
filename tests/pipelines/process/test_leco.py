"""process/leco (arXiv:2403.19094): continued from before the least sure step, until two answers agree."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from methods import near
from support import ask, run, sums

from synth.models import Completion, ScriptedModel, World
from synth.models.tokens import logprobs_of

NAMES = ["problem", "id", "step", "parent", "response", "steps", "given", "answer", "sample"]


def rationales(folder: Path) -> list[dict]:
    """What was written, the latest iteration of the loop last."""
    rows = ask(folder, f"SELECT {', '.join(NAMES)} FROM rationales ORDER BY step != 'solve', step")
    return [dict(zip(NAMES, row, strict=True)) for row in rows]


def kept_answers(folder: Path) -> list[tuple]:
    return ask(folder, "SELECT DISTINCT answer FROM kept_rationales ORDER BY 1")


def saying(*answers: str) -> ScriptedModel:
    """A model of three steps and these answers in turn, sure of its first step and least sure of its second."""
    turns = ("solve", "rethink", "rethink_2", "rethink_3")

    def script(request, _rng):
        begun = request.continue_from or request.begun or ""
        sure = {"I begin.": 0.95, "I go on.": 0.2, "I end.": 0.6}
        steps = [*sure][len(begun.splitlines()) :]
        text = "\n".join([*steps, f"The answer is {answers[turns.index(request.step)]}."])
        places = [(text.find(step), text.find(step) + len(step), p) for step, p in sure.items() if step in steps]
        return Completion(
            text,
            logprobs=logprobs_of(text, lambda _, end: next((p for a, b, p in places if a < end <= b), 0.9)),
        )

    return ScriptedModel(script)


async def test_the_planted_step_is_dropped_with_all_that_follows(tmp_path: Path):
    """One wrong step of five, always doubted: it is never kept, and in half of the cases all before it are, for the other of the two
    lowest steps stands after it as often as before.
    """
    world = World(solve_rate=0, steps=5, step_error_rate=0, doubt_rate=1, finish_rate=0.5)
    await run("process/leco", sums(tmp_path / "in.jsonl", 150), tmp_path / "run", ScriptedModel(world))
    made = rationales(tmp_path / "run")
    firsts = {r["id"]: World.first_error(tuple(r["steps"])) for r in made if r["step"] == "solve"}
    assert len(firsts) == 150
    kept = [(r["given"], firsts[r["parent"]]) for r in made if r["parent"] in firsts]
    # Of the sums of a world some begin alike, and count as a reply that began again.
    assert len(kept) > 140
    assert all(given <= wrong for given, wrong in kept)
    assert near(sum(given == wrong for given, wrong in kept) / len(kept), 0.5, len(kept))


@pytest.mark.parametrize("rate", [1.0, 0.6])
async def test_the_least_sure_step_is_the_planted_one_at_the_rate_of_doubt(tmp_path: Path, rate: float):
    """Found where it was doubted; else any of five steps is as likely the lowest."""
    world = World(solve_rate=0, steps=5, step_error_rate=0, doubt_rate=rate)
    await run("process/leco", sums(tmp_path / "in.jsonl", 150), tmp_path / "run", ScriptedModel(world))
    lowest = ask(
        tmp_path / "run",
        """SELECT arg_min(s.part.index, s.value), any_value(r.steps) FROM scores s JOIN rationales r ON r.id = s.target
        WHERE s.name = 'sure' AND r.step = 'solve' GROUP BY r.id""",
    )
    found = sum(index == World.first_error(tuple(steps)) for index, steps in lowest)
    assert near(found / 150, rate + (1 - rate) / 5, 150) if rate < 1 else found == 150


async def test_the_prefix_is_kept_byte_for_byte_and_calls_end(tmp_path: Path):
    """Of each continuation; at most four generations a problem, as many calls as rationales, and none after two answers agree."""
    world = World(solve_rate=0.5, steps=4, finish_rate=0.5)
    await run("process/leco", sums(tmp_path / "in.jsonl", 80), tmp_path / "run", ScriptedModel(world))
    made = rationales(tmp_path / "run")
    by_id = {r["id"]: r for r in made}
    for one in (r for r in made if r["parent"]):
        parent, given = by_id[one["parent"]], one["given"]
        assert one["steps"][:given] == parent["steps"][:given]
        last = parent["steps"][given - 1] if given else ""
        end = parent["response"].index(last) + len(last)
        assert one["response"][:end] == parent["response"][:end]
    chains = Counter(r["problem"] for r in made)
    assert set(chains.values()) <= {1, 2, 3, 4}
    failed = [problem for (problem,) in ask(tmp_path / "run", "SELECT unit FROM failures WHERE cause = 'restarted'")]
    assert ask(tmp_path / "run", "SELECT count(*) FROM calls") == [(len(made) + len(failed),)]
    assert max(Counter([*failed, *(r["problem"] for r in made)]).values()) == 4
    for problem in set(chains) - set(failed):
        chain = [r["answer"] for r in made if r["problem"] == problem]
        agree = [a == b for a, b in pairwise(chain)]
        assert not any(agree[:-1])
        assert agree[-1] or len(chain) == 4


@pytest.mark.parametrize(
    ("answers", "calls", "kept"),
    [
        (("1", "2", "3", "4"), 4, "1"),  # none agree: the first has 1.5
        (("1", "2", "3", "3"), 4, "3"),  # two agree: 2 to 1.5
        (("1", "1", "9", "9"), 2, "1"),
        (("1", "2", "2", "9"), 3, "2"),
        (("1", "2", "1", "3"), 4, "1"),
    ],
)
async def test_who_wins_the_vote(tmp_path: Path, answers: tuple[str, ...], calls: int, kept: str):
    await run("process/leco", sums(tmp_path / "in.jsonl", 1), tmp_path / "run", saying(*answers))
    assert ask(tmp_path / "run", "SELECT count(*) FROM calls") == [(calls,)]
    assert kept_answers(tmp_path / "run") == [(kept,)]
    given = ask(tmp_path / "run", "SELECT DISTINCT given FROM rationales WHERE step != 'solve'")
    assert given == [(1,)]


async def test_a_reply_whose_tokens_do_not_spell_it_is_left_as_it_is(tmp_path: Path):
    """Nothing is guessed: one call, and the solution stands."""

    def script(request, rng):
        made = World()(request, rng)
        return made._replace(logprobs={"content": made.logprobs["content"][1:]})

    await run("process/leco", sums(tmp_path / "in.jsonl", 4), tmp_path / "run", ScriptedModel(script))
    assert ask(tmp_path / "run", "SELECT count(*) FROM calls") == [(4,)]
    assert ask(tmp_path / "run", "SELECT count(*) FROM kept_rationales WHERE step = 'solve'") == [(4,)]


async def test_a_right_continuation_is_preferred_to_the_wrong_solution(tmp_path: Path):
    await run("process/leco", sums(tmp_path / "in.jsonl", 1), tmp_path / "run", saying("1", "5", "5", "5"))
    (row,) = ask(
        tmp_path / "run",
        """SELECT c.answer, r.answer, p.reason FROM pairs p JOIN rationales c ON c.id = p.chosen
        JOIN rationales r ON r.id = p.rejected""",
    )
    assert json.dumps(row) == '["5", "1", "revision"]'
