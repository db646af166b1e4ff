"""`constrain`, `verify_constraints` and the verifier `constraints`."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from methods import near
from support import ask, run, write_rows

import synth
from synth.constraints import conflicts, satisfying_text
from synth.errors import InputError, PipelineError
from synth.models import ScriptedModel
from synth.pipeline import load_pipeline
from synth.records import Constraint

KINDS = ["punctuation", "keywords", "detectable_content", "detectable_format", "length_constraints"]


def _pipeline(*steps: dict[str, Any], **constrain: Any):
    first = [{"step": "constrain", "kinds": KINDS, **constrain}] if constrain else []
    head = {"pipeline": "my/p", "roles": {"teacher": "writes"}}
    return load_pipeline(
        {**head, "steps": [*first, {"step": "generate", "format": "text", "examples": "none"}, *steps]}
    )


def _rows(path: Path, n: int) -> Path:
    rows = [
        {
            "question": f"How many apples does gardener number {i} pick in {i + 2} days, with a basket each?",
            "answer": str(i),
        }
        for i in range(n)
    ]
    return write_rows(path, rows)


def _constraints(folder: Path) -> dict[str, list[Constraint]]:
    found = ask(folder, "SELECT id, constraints FROM problems WHERE parent IS NOT NULL")
    return {id_: [Constraint.model_validate(one) for one in json.loads(given)] for id_, given in found}


async def test_levels_are_nested(tmp_path: Path):
    """Three problems of each question with 1, 2 and 3 constraints, each the beginning of the next; the answer stays."""
    await run(
        _pipeline(count=3, levels="all"),
        _rows(tmp_path / "in.jsonl", 8),
        tmp_path / "run",
        ScriptedModel(lambda r, g: "x"),
    )
    given = _constraints(tmp_path / "run")
    rows = ask(
        tmp_path / "run",
        "SELECT parent, meta.level, id, question, answer FROM problems WHERE parent IS NOT NULL ORDER BY 1, 2",
    )
    roots = {
        id_: (question, answer)
        for id_, question, answer in ask(
            tmp_path / "run", "SELECT id, question, answer FROM problems WHERE parent IS NULL"
        )
    }
    assert len(rows) == 24
    for three in (rows[i : i + 3] for i in range(0, 24, 3)):
        assert [int(level) for _, level, *_ in three] == [1, 2, 3]
        last = given[three[-1][2]]
        assert ask(
            tmp_path / "run", f"SELECT list(stage ORDER BY stage) FROM problems WHERE parent = '{three[0][0]}'"
        ) == [([0, 1, 2],)]
        for n, (parent, _, id_, question, answer) in enumerate(three, 1):
            assert given[id_] == last[:n]
            assert (question.startswith(roots[parent][0]), answer) == (True, roots[parent][1])
        assert conflicts(last) == []
        assert satisfying_text(last)


async def test_the_same_seed_gives_the_same_ids(tmp_path: Path):
    """Lower levels have the ids they had where there are more levels; another seed gives other constraints."""

    async def ids(name: str, **options: Any) -> set[str]:
        rows = _rows(tmp_path / "in.jsonl", 4)
        await run(_pipeline(levels="all", **options), rows, tmp_path / name, ScriptedModel(lambda r, g: "x"))
        return set(_constraints(tmp_path / name))

    few, more, other = await ids("a", count=2), await ids("b", count=4), await ids("c", count=2, seed=1)
    assert len(few) == 8
    assert few < more
    assert not few & other


async def test_planted_rates_are_found(tmp_path: Path):
    """A model that complies at a known rate: the score of each constraint, their share, and all of them at once."""
    n, rates = 300, {"punctuation_no_comma": 0.8, "detectable_format_title": 0.4}
    constraints = [
        {"id": "punctuation:no_comma"},
        {"id": "detectable_format:title"},
        {"id": "soft:judged", "args": {"instruction": "a", "question": "b"}},
    ]
    rows = [
        {"question": f"Which is it in case {i}, number {i * i}?", "answer": "1", "constraints": constraints}
        for i in range(n)
    ]

    def model(request: Any, rng: random.Random) -> str:
        comma, title = (rng.random() < rate for rate in rates.values())
        return f"{'<<a>>' if title else 'a'}{'' if comma else ', b'}"

    await run(
        _pipeline({"step": "verify_constraints"}),
        write_rows(tmp_path / "in.jsonl", rows),
        tmp_path / "run",
        ScriptedModel(model),
    )
    found = dict(ask(tmp_path / "run", "SELECT name, avg(value) FROM scores GROUP BY name"))
    assert all(near(found[name], rate, n) for name, rate in rates.items())
    assert near(found["constraints"], sum(rates.values()) / 2, 2 * n)
    counts = dict(ask(tmp_path / "run", "SELECT value, count(*) FROM scores WHERE name = 'constraints_all' GROUP BY 1"))
    assert set(counts) == {None, 0.0}  # what a judge decides is not known, so that not all are right
    assert near(counts[None] / n, 0.8 * 0.4, n)
    assert ask(tmp_path / "run", "SELECT DISTINCT value, label, judge FROM scores WHERE name = 'soft_judged'") == [
        (None, "unknown", "soft:judged/1")
    ]


async def test_the_verifier_needs_all(tmp_path: Path):
    """`correct` by the verifier is right where all constraints are, and null where one is not known and none is broken."""
    comma = {"id": "punctuation:no_comma"}
    soft = {"id": "soft:judged", "args": {"instruction": "a", "question": "b"}}
    given = {"a": [comma], "b": [comma], "c": [comma, soft], "d": [comma, soft]}
    said = {"a": "one two", "b": "one, two", "c": "one two", "d": "one, two"}
    rows = [{"question": q, "constraints": constraints} for q, constraints in given.items()]
    made = _pipeline({"step": "verify_answer", "verifier": "constraints"})
    model = ScriptedModel(lambda request, rng: said[request.task.problem.question])
    await run(made, write_rows(tmp_path / "in.jsonl", rows), tmp_path / "run", model)
    query = "SELECT p.question, s.label, s.value FROM scores s JOIN rationales r ON r.id = s.target JOIN problems p ON p.id = r.problem ORDER BY 1"
    expected = [("a", "right", 1.0), ("b", "wrong", 0.0), ("c", "undecided", None), ("d", "wrong", 0.0)]
    assert ask(tmp_path / "run", query) == expected


@pytest.mark.parametrize("step", [{"step": "verify_constraints"}, {"step": "verify_answer", "verifier": "constraints"}])
async def test_problems_without_constraints_are_bad_rows(tmp_path: Path, step: dict[str, Any]):
    """Where a step checks them, unless an earlier step brings them."""
    rows = write_rows(tmp_path / "in.jsonl", [{"question": "Which is it?"}])
    with pytest.raises(InputError, match="no column gives the constraints"):
        await run(_pipeline(step), rows, tmp_path / "run", ScriptedModel(lambda r, g: "x"))
    await run(_pipeline(step, count=1), rows, tmp_path / "run", ScriptedModel(lambda r, g: "x"))
    assert ask(tmp_path / "run", "SELECT count(*) FROM calls") == [(1,)]


async def test_a_problem_without_an_answer_is_rewarded_by_its_constraints(tmp_path: Path):
    """One with an answer has the reward that it had."""
    rows = write_rows(tmp_path / "in.jsonl", [{"question": "Which is it?"}, {"question": "How many?", "answer": "3"}])
    await run(_pipeline(count=2), rows, tmp_path / "run", ScriptedModel(lambda r, g: "x"))
    found = ask(
        tmp_path / "run", "SELECT question, reward.name FROM problems WHERE parent IS NOT NULL ORDER BY question"
    )
    assert [(question.splitlines()[0], reward and json.loads(reward)) for question, reward in found] == [
        ("How many?", None),
        ("Which is it?", "constraints"),
    ]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"kinds": ["keyword"]}, "there is no constraint 'keyword'"),
        ({"without": ["punctuation:no_commas"]}, "did you mean punctuation:no_comma"),
        ({"count": 0}, "count"),
        ({"composition": ["or"]}, "composition"),
    ],
)
def test_options_that_name_nothing_are_mistakes(options: dict[str, Any], why: str):
    """Before anything is asked."""
    with pytest.raises(PipelineError, match=why):
        synth.load_pipeline(_given(options))


def _given(options: dict[str, Any]) -> dict[str, Any]:
    steps = [{"step": "constrain", **options}, {"step": "generate"}]
    return {"pipeline": "my/p", "roles": {"teacher": "writes"}, "steps": steps}
