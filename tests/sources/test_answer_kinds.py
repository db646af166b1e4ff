"""Kinds of answers that rows name: their canonical forms, rows that do not fit, prompts and scores of such problems."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from support import ROOT, ask, run, synth, write_rows, yaml_file

from synth.models import Completion, ScriptedModel, World
from synth.records import FORMS, Problem, Rationale
from synth.sources import open_source
from synth.steps.verify_answer import VerifyAnswer
from synth.verify import KINDS, Verdict

DOCUMENT = (ROOT / "docs" / "rlvr.md").read_text().partition("## Answers")[2].partition("\n## ")[0]

ROWS = [
    ("set", [3, 1, 1.0, "1/2"], '[3, 1, "1/2"]'),
    ("set", "{1, 2}", "[1, 2]"),
    ("list", '["a", [1.50, 2]]', '["a", [1.50, 2]]'),
    ("list", "1, 2 and 3", "[1, 2, 3]"),
    ("interval", "x <= 1/2 or x > 3", "(-∞, 0.5] ∪ (3, ∞)"),
    ("interval", "(0, √2]", r"(0, \sqrt{2}]"),
    ("assignment", "Ann is a knight, and Bob is a knave.", '{"Ann": "knight", "Bob": "knave"}'),
    ("assignment", {"Ann": "knight"}, '{"Ann": "knight"}'),
    ("assignment", "(1) Ann is a knight\n(2) Bob is a knave", '{"Ann": "knight", "Bob": "knave"}'),
    ("action", {"type": "click", "at": 0.10}, '{"type": "click", "at": 0.10}'),
    ("ranking", "[3] > [1] > [2]", "[3, 1, 2]"),
    ("number", "5", "5"),
    ("text", "[1, 2]", "[1, 2]"),
]


@pytest.mark.parametrize(("kind", "given", "canonical"), ROWS)
def test_a_gold_answer_has_one_form_in_records(tmp_path: Path, kind: str, given, canonical: str):
    path = write_rows(tmp_path / "a.jsonl", [{"question": "?", "answer": given, "answer_kind": kind}])
    ((problem, *_),) = [(one.problem,) for one in open_source(str(path)).problems()]
    if kind == "action":
        assert json.loads(problem.answer) == given
    else:
        assert problem.answer == canonical
    assert problem.answer_kind == kind


def test_the_kind_may_stand_in_any_column(tmp_path: Path):
    path = write_rows(tmp_path / "a.jsonl", [{"question": "?", "answer": [1, 2], "how": "set"}])
    (one,) = open_source(str(path), mapping={"answer_kind": "how"}).problems()
    assert (one.problem.answer_kind, one.problem.answer) == ("set", "[1, 2]")


def test_a_gold_answer_that_does_not_fit_is_a_bad_row(tmp_path: Path):
    rows = [
        {"question": "a?", "answer": "[1, 2]", "answer_kind": "set"},
        {"question": "b?", "answer": "Ann is a knight, Ann is a knave", "answer_kind": "assignment"},
        {"question": "c?", "answer": "[1, 2]", "answer_kind": "action"},
        {"question": "d?", "answer": "many", "answer_kind": "number"},
        {"question": "e?", "answer": [1], "answer_kind": None},
        {"question": "f?", "answer": "[1]", "answer_kind": "tuple"},
    ]
    found = open_source(str(write_rows(tmp_path / "a.jsonl", rows))).scan().bad
    why: dict[int, str] = dict(map(tuple, found))
    assert sorted(why) == [2, 3, 4, 5, 6]
    assert "does not fit answer_kind 'assignment'" in why[2]
    assert "does not fit answer_kind 'action': it is not a JSON object" in why[3]
    assert "does not fit answer_kind 'number': it is not a number" in why[4]
    assert "is a list" in why[5]
    assert "not one of number, choice" in why[6]


def test_a_bad_gold_answer_ends_a_run_before_any_call(tmp_path: Path):
    path = write_rows(tmp_path / "a.jsonl", [{"question": "a?", "answer": "5", "answer_kind": "interval"}])
    done = synth("rehearse", "fine-tune-cot", "--input", path, "--run", tmp_path / "run")
    assert done.returncode != 0
    assert "line 1: the answer '5' does not fit answer_kind 'interval'" in " ".join(done.stderr.split())
    assert not (tmp_path / "run").exists()


def test_the_rows_of_the_document_are_problems(tmp_path: Path):
    rows = [line for block in re.findall(r"```json\n(.*?)```", DOCUMENT, re.DOTALL) for line in block.splitlines()]
    (tmp_path / "a.jsonl").write_text("\n".join(rows))
    kinds = [one.problem.answer_kind for one in open_source(str(tmp_path / "a.jsonl")).problems()]
    assert kinds == ["set", "assignment", "action"]
    for name in KINDS:
        assert f"`{name}`" in DOCUMENT


async def test_models_are_asked_for_the_form_of_a_kind(tmp_path: Path):
    """The prompt says it; small models see worked examples of the same kind; a list instead of a text is read."""
    rows = [
        {"question": f"{kind} {i}?", "answer": given, "answer_kind": kind}
        for i, (kind, given, _) in enumerate(ROWS)
        if not KINDS[kind].inferred
    ]
    asked: dict[str, str] = {}

    def script(request, rng):
        problem = request.task.problem
        asked[problem.question] = "\n".join(str(m["content"]) for m in request.messages)
        assert request.task.format == "json"
        value = (
            json.loads(problem.answer)
            if problem.answer[0] in "[{" and problem.answer_kind != "interval"
            else problem.answer
        )
        return Completion(text=json.dumps({"steps": ["So it is."], "answer": value}), finish="stop")

    pipeline = yaml_file(
        tmp_path / "p.yaml",
        "pipeline: my/p\nroles: {teacher: solves}\nsteps:\n- {step: generate}\n- {step: verify_answer, grade: grade}\n",
    )
    await run(pipeline, write_rows(tmp_path / "a.jsonl", rows), tmp_path / "run", ScriptedModel(script, small=True))
    assert ask(tmp_path / "run", "SELECT name, min(value), count(*) FROM scores GROUP BY 1 ORDER BY 1") == [
        ("correct", 1.0, len(rows)),
        ("grade", 1.0, len(rows)),
    ]
    for row in rows:
        said = asked[row["question"]]
        assert FORMS[row["answer_kind"]] in said
        assert said.count('{"steps"') == 2  # worked examples


async def test_a_grade_is_a_score_of_its_own(tmp_path: Path):
    """The share of the names that are right; without the option there is no such score, and the ids of the others are the same."""
    rows = [{"question": "Who?", "answer": {"Ann": "knight", "Bob": "knave"}, "answer_kind": "assignment"}]
    path = write_rows(tmp_path / "a.jsonl", rows)
    said = ['{"Ann": "knight", "Bob": "knave"}', "Ann is a knight and Bob is a knight", "nobody knows"]
    model = ScriptedModel(lambda request, rng: f"Hm.\nThe answer is {said[request.sample]}.")
    text = "pipeline: my/p\nroles: {teacher: solves}\nsteps:\n- {step: generate, samples: 3, temperature: 0.7}\n- {step: verify_answer%s}\n"
    for name, option in (("graded", ", grade: share"), ("plain", "")):
        pipeline = yaml_file(tmp_path / f"{name}.yaml", text % option)
        await run(pipeline, path, tmp_path / name, model)
    scores = ask(
        tmp_path / "graded",
        "SELECT r.sample, s.name, s.value, s.label FROM scores s JOIN rationales r ON r.id = s.target JOIN problems p ON p.id = r.problem "
        "WHERE p.answer IS NOT NULL ORDER BY ALL",
    )
    assert scores == [
        (0, "correct", 1.0, "right"), (0, "share", 1.0, "right"), (1, "correct", 0.0, "wrong"), (1, "share", 0.5, "wrong"),
        (2, "correct", 0.0, "unparsed"), (2, "share", 0.0, "unparsed"),
    ]  # fmt: skip
    ids = "SELECT id FROM scores WHERE name = 'correct' ORDER BY 1"
    assert ask(tmp_path / "plain", ids) == ask(tmp_path / "graded", ids)
    assert ask(tmp_path / "plain", "SELECT DISTINCT name FROM scores") == [("correct",)]


@pytest.mark.parametrize(
    ("label", "value", "grade"),
    [("right", 1, 1), ("wrong", 0, 0.25), ("unparsed", 0, 0), ("timeout", 0, None), ("undecided", None, None)],
)
def test_a_grade_is_null_where_nothing_is_decided(label: str, value: float | None, grade: float | None):
    made = Rationale(id="r", unit="u", step="s", problem="p", author="teacher", response="?")
    verdict = Verdict(label, None, "?", "set/1", "", 0.25)  # type: ignore[arg-type]
    step = VerifyAnswer(grade="share")
    assert step.verdict(made, verdict).value == value
    assert step.verdict(made, verdict, "share", graded=True).value == grade
    assert step.gives_scores() == ("correct", "share")


async def test_a_rehearsal_has_right_and_wrong_answers_of_each_kind(tmp_path: Path):
    rows = [
        {"question": f"{kind} {i}?", "answer": given, "answer_kind": kind}
        for i, (kind, given, _) in enumerate(ROWS)
        if not KINDS[kind].inferred
    ]
    path = write_rows(
        tmp_path / "a.jsonl", [row | {"question": f"{row['question']} {i}"} for i in range(6) for row in rows]
    )
    await run("fine-tune-cot", path, tmp_path / "run", ScriptedModel(World(solve_rate=0.5)))
    found = ask(
        tmp_path / "run",
        "SELECT p.answer_kind, count(*) FILTER (label = 'right') > 0, count(*) FILTER (label = 'wrong') > 0, "
        "count(*) FILTER (label IN ('unparsed', 'undecided')) FROM scores s JOIN rationales r ON r.id = s.target JOIN problems p ON p.id = r.problem "
        "WHERE s.name = 'correct' AND r.response NOT LIKE '%talk about something else%' GROUP BY 1 ORDER BY 1",
    )
    assert found == [(kind, True, True, 0) for kind in sorted({row["answer_kind"] for row in rows})]


def test_what_a_solution_states_is_without_the_comparison():
    gold = '{"type": "click", "name": "é", "$compare": {"name": {"rouge_l": 0.5}}}'
    problem = Problem.root(question="?", answer=gold, answer_kind="action")
    assert problem.answer == gold
    assert problem.answer_stated == problem.answer_shown == problem.answer_text == '{"type": "click", "name": "é"}'
    assert Problem.root(question="?", answer=gold, answer_kind="text").answer_stated == gold
