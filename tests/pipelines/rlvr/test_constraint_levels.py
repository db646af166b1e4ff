"""rlvr/constraint-levels (arXiv:2508.02150): nested levels, pairs with and without a constraint, and rates that are found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from methods import near, preset
from support import ask, run, write_rows

from synth.models import ScriptedModel
from synth.records import Constraint

FIVE = [
    "punctuation:no_comma",
    "punctuation:no_exclamation",
    "detectable_format:title",
    "detectable_content:postscript",
    "detectable_content:number_placeholders",
]
RATES = dict(zip(FIVE, (0.5, 0.6, 0.7, 0.8, 0.9), strict=True))


def _rows(path: Path, n: int) -> Path:
    return write_rows(path, [{"question": f"Write a note about thing number {i} of the {i * i}."} for i in range(n)])


def text_with(asked: dict[str, bool]) -> str:
    """A text that complies with the constraints that are true, and breaks all others."""
    parts = [
        "<<Joy>>" if asked.get(FIVE[2]) else "Joy",
        "and so on",
        "[a] [b] [c] [d]" if asked.get(FIVE[4]) else "none",
    ]
    text = " ".join(parts) + ("" if asked.get(FIVE[0]) else ", well") + ("" if asked.get(FIVE[1]) else "!")
    return text + ("\n\nP.S. And P.P.S more" if asked.get(FIVE[3]) else "")


def follower(rates: dict[str, float]):
    """A policy that complies with each constraint that is asked for at a known rate, and with none that is not."""

    def model(request: Any, rng: Any) -> str:
        asked = {one.id: rng.random() < rates[one.id] for one in request.task.problem.constraints}
        return f"{text_with(asked)} {rng.random()}"

    return ScriptedModel(model)


async def _run(tmp_path: Path, n: int, rates: dict[str, float], **override: Any) -> Path:
    made = preset(tmp_path / "p.yaml", "rlvr/constraint-levels", levels={"kinds": FIVE, "soft": 0}, **override)
    await run(made, _rows(tmp_path / "in.jsonl", n), tmp_path / "run", follower(rates))
    return tmp_path / "run"


async def test_all_at_once_is_rarer_than_their_share(tmp_path: Path):
    """Five constraints that are each complied with at .7: all of n at .7^n, from .700 to .168; their mean stays .7."""
    n = 200
    folder = await _run(tmp_path, n, dict.fromkeys(FIVE, 0.7))
    query = """SELECT p.meta.level::INT, s.name, avg(s.value), count(*) FROM scores s JOIN rationales r ON r.id = s.target
        JOIN problems p ON p.id = r.problem WHERE s.name IN ('constraints', 'constraints_all') GROUP BY ALL ORDER BY 1"""
    found = {(level, name): (value, count) for level, name, value, count in ask(folder, query)}
    assert len(found) == 10
    for level in range(1, 6):
        share, count = found[level, "constraints"]
        assert count == n
        assert near(share, 0.7, n * level)
        assert near(found[level, "constraints_all"][0], 0.7**level, n)


async def test_the_rate_of_each_constraint_is_found(tmp_path: Path):
    """As it was planted, over all levels."""
    folder = await _run(tmp_path, 80, RATES)
    found = {
        name: (value, n)
        for name, value, n in ask(
            folder, "SELECT name, avg(value), count(*) FROM scores WHERE name LIKE '%\\_%' ESCAPE '\\' GROUP BY 1"
        )
    }
    for id_, rate in RATES.items():
        value, n = found[id_.replace(":", "_")]
        assert near(value, rate, n)


async def test_pairs_differ_in_one_constraint(tmp_path: Path):
    """Each side is the reply to the level with and to the level before; with code the first complies and the second does not. Their number is that
    of the replies that comply, since this policy never complies unasked.
    """
    n = 40
    folder = await _run(tmp_path, n, RATES)
    rows = ask(folder, """SELECT a.reason, p.constraints, q.constraints, r.id FROM pairs a JOIN rationales r ON r.id = a.chosen
        JOIN problems p ON p.id = r.problem
        JOIN rationales s ON s.id = a.rejected JOIN problems q ON q.id = s.problem""")  # fmt: skip
    complied = 0
    for reason, ours, before, id_ in rows:
        with_, without = (
            [Constraint.model_validate(one) for one in json.loads(given or "[]")] for given in (ours, before)
        )
        assert with_[:-1] == without
        assert with_[-1].id == reason
        name = reason.replace(":", "_")
        assert ask(folder, f"SELECT value FROM scores WHERE target = '{id_}' AND name = '{name}'") == [(1.0,)]
    for id_, given in ask(
        folder,
        "SELECT r.id, p.constraints FROM rationales r JOIN problems p ON p.id = r.problem WHERE p.parent IS NOT NULL",
    ):
        name = json.loads(given)[-1]["id"].replace(":", "_")
        complied += ask(folder, f"SELECT value FROM scores WHERE target = '{id_}' AND name = '{name}'")[0][0] or 0
    assert len(rows) == complied > n


async def test_soft_constraints_have_pairs_without_a_judge(tmp_path: Path):
    """What code cannot check is taken as the request has it; 6 calls an instruction."""
    made = preset(tmp_path / "p.yaml", "rlvr/constraint-levels", levels={"kinds": FIVE, "soft": 3})
    await run(made, _rows(tmp_path / "in.jsonl", 10), tmp_path / "run", follower({**RATES, "soft:judged": 1}))
    assert ask(tmp_path / "run", "SELECT count(*) FROM pairs WHERE reason = 'soft:judged'") == [(10,)]
    assert ask(tmp_path / "run", "SELECT count(*) FROM calls") == [(60,)]
    assert ask(
        tmp_path / "run", "SELECT stage, count(*) FROM problems WHERE parent IS NOT NULL GROUP BY 1 ORDER BY 1"
    ) == [(i, 10) for i in range(5)]


async def test_a_reply_that_complies_unasked_is_no_example_against(tmp_path: Path):
    """A policy that never writes a comma: there are pairs for every constraint but that one."""

    def model(request: Any, rng: Any) -> str:
        asked = {one.id: True for one in request.task.problem.constraints}
        return f"{text_with({**asked, FIVE[0]: True})} {rng.random()}"

    made = preset(tmp_path / "p.yaml", "rlvr/constraint-levels", levels={"kinds": FIVE, "soft": 0})
    await run(made, _rows(tmp_path / "in.jsonl", 10), tmp_path / "run", ScriptedModel(model))
    assert dict(ask(tmp_path / "run", "SELECT reason, count(*) FROM pairs GROUP BY 1")) == dict.fromkeys(FIVE[1:], 10)
