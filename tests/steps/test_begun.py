"""A problem that gives the beginning of a reply: who solves it continues from there."""

from __future__ import annotations

import json
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given
from support import ask, run, write_rows, yaml_file

from synth.errors import UserError
from synth.models import Completion, Request, ScriptedModel, World
from synth.records import Problem
from synth.sources import open_source
from synth.steps.continuing import Beginning
from synth.steps.generate import Generate

SOLVE = """
pipeline: my/begun
title: t
sample: arithmetic.jsonl
roles: {student: solves}
steps:
  - {step: generate, name: solve, by: student, temperature: 0.7, segment: lines%s}
"""
CHAT = frozenset({"chat", "json_schema", "seed"})
BEGUN = "We know that 1 + 2 = 3.\nWe know that 2 + 2 = 4.\n"
ROWS = [
    {"question": f"How many are {i}?", "answer": str(i), "begun": BEGUN if i % 2 else None, "stage": i % 3}
    for i in range(12)
]


@pytest.mark.parametrize("capabilities", [CHAT, CHAT | {"prefill"}], ids=["in words", "prefill"])
async def test_a_solution_begins_with_what_the_problem_gives(tmp_path: Path, capabilities):
    """Byte for byte; its first steps are not the model's own, and a problem without a beginning is asked as ever."""
    asked: list[Request] = []

    def record(request, rng):
        asked.append(request)
        return World(solve_rate=1, steps=4)(request, rng)

    rows = write_rows(tmp_path / "in.jsonl", ROWS)
    model = ScriptedModel(record, name="student", capabilities=capabilities)
    await run(yaml_file(tmp_path / "p.yaml", SOLVE % ""), rows, tmp_path / "run", model)
    found = ask(
        tmp_path / "run",
        "SELECT p.begun, p.stage, r.response, r.steps, r.given, r.answer, p.answer, r.parent, r.parts "
        "FROM rationales r JOIN problems p ON p.id = r.problem",
    )
    assert sorted(row[1] for row in found) == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]
    for begun, _, response, steps, count, answer, gold, parent, parts in found:
        assert answer == gold
        assert parent is None
        assert (count, len(steps)) == ((2, 4) if begun else (0, 4))
        if begun:
            assert response.startswith(begun)
            assert [*steps[:2]] == begun.splitlines()
            assert json.loads(parts)["spans"] == [
                {"by": "given", "start": 0, "end": len(begun)},
                {"by": "model", "start": len(begun), "end": len(response)},
            ]
        else:
            assert parts is None
    given = [request for request in asked if request.task.problem.begun]
    assert len(given) == 6
    assert {r.continue_from for r in given} == ({BEGUN} if "prefill" in capabilities else {None})
    assert {r.begun for r in given} == ({None} if "prefill" in capabilities else {BEGUN})
    assert {r.task.kind for r in asked if r not in given} == {"solve"}


async def test_the_hint_is_shown_beside_the_beginning(tmp_path: Path):
    asked: list[Request] = []

    def record(request, rng):
        asked.append(request)
        return World(hint_rate=1)(request, rng)

    rows = write_rows(tmp_path / "in.jsonl", [ROWS[1] | {"answer": "7351"}])
    model = ScriptedModel(record, name="student", capabilities=CHAT)
    await run(yaml_file(tmp_path / "p.yaml", SOLVE % ", hint: answer"), rows, tmp_path / "run", model)
    (request,) = asked
    assert "(Right answer: 7351)" in str(request.messages)
    assert ask(tmp_path / "run", "SELECT hinted FROM rationales") == [(True,)]


TEXTS = st.text(st.sampled_from("ab .\n\t"), min_size=1, max_size=20).filter(str.strip)


@given(TEXTS, TEXTS)
def test_nothing_of_the_beginning_is_changed(begun, added):
    """Whatever white space it ends in: the whole begins with it, ends with what was added, and no step reaches over the place."""
    problem = Problem.root(question="?", answer="5", begun=begun)
    beginning = Beginning.of_problem(problem, "lines")
    whole, start = beginning.joined(added)
    assert beginning.sent == begun
    assert whole.startswith(begun)
    assert whole[start:].strip() == added.strip()
    assert start >= len(begun)
    step, request = Generate(name="solve", segment="lines"), Request((), None)  # type: ignore[arg-type]
    model = ScriptedModel(World(), name="m")
    request = step.going_on(problem, None, model, 1)[0]
    made = step.read_on(problem, None, model, request, Completion(text=added, finish="stop"))
    assert made.response == whole
    spans = made.step_spans
    assert spans is not None
    assert all(end <= len(begun) for _, end in spans[: made.given])
    assert all(first >= len(begun) for first, _ in spans[made.given :])


def test_indentation_after_a_whole_line_stays():
    code = Beginning.of_problem(Problem.root(question="?", begun="def f(x):\n"), "code")
    assert code.joined("    return x")[0] == "def f(x):\n    return x"
    inside = Beginning.of_problem(Problem.root(question="?", begun="def f(x):\n    "), "code")
    assert inside.joined("    return x")[0] == inside.joined("return x")[0] == "def f(x):\n    return x"
    words = Beginning.of_problem(Problem.root(question="?", begun="So it is"), "lines")
    assert words.joined("five.")[0] == words.joined(" five.")[0] == "So it is five."


def test_a_root_without_a_beginning_has_the_id_it_had():
    plain = Problem.root(question="?", answer="5")
    assert Problem.root(question="?", answer="5", begun=None, stage=None).id == plain.id
    assert Problem.root(question="?", answer="5", begun="So").id != plain.id


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"begun": 7}, "'begun' is to be the text with which a reply begins, and is 7"),
        ({"begun": "  \n"}, "'begun' is to be the text with which a reply begins"),
        ({"level": "hard"}, "'level' is to be a whole number from 0, and is 'hard'"),
    ],
)
def test_a_row_that_gives_no_beginning_or_stage_says_so(tmp_path: Path, row, why):
    rows = write_rows(tmp_path / "in.jsonl", [{"question": "?", "answer": "5", **row}])
    source = open_source(str(rows), mapping={"stage": "level"} if "level" in row else {})
    assert why in source.scan().bad[0].why


def test_a_column_that_is_only_called_stage_stays_one(tmp_path: Path):
    rows = [{"question": "a?", "answer": "5", "stage": "dev"}, {"question": "b?", "answer": "5", "stage": 2}]
    first, second = (g.problem for g in open_source(str(write_rows(tmp_path / "in.jsonl", rows))).problems())
    assert (first.stage, first.meta) == (None, {"stage": "dev"})
    assert (second.stage, second.meta) == (2, {})


async def test_a_search_does_not_begin_in_the_middle(tmp_path: Path):
    rows = write_rows(tmp_path / "in.jsonl", [ROWS[1]])
    steps = (SOLVE % "").split("  - ")[0] + "  - {step: search, by: student, policy: beam}\n"
    with pytest.raises(UserError, match="a search begins at the question"):
        await run(yaml_file(tmp_path / "p.yaml", steps), rows, tmp_path / "run", ScriptedModel(World(), name="student"))
