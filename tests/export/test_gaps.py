"""Rationales of which something is missing: no format stops at one, and none is lost without a reason."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from stepped_records import GOOD, GOOD_STEPS, on_steps, preferred, solved
from support import stored

from synth.export import ExportOptions, export_run
from synth.records import Critique, Node, Part, Problem, Rationale, Score


def question() -> Problem:
    return Problem.root(question="What is 2 + 2 + 1?", answer="5", answer_kind="number")


def correct(rationale: Rationale, value: float) -> Score:
    return Score.make(
        unit=rationale.unit,
        step="v",
        because=[rationale.id, "correct"],
        target=rationale.id,
        name="correct",
        value=value,
        label="right" if value else "wrong",
        judge="number/1",
    )


def rows_and_reasons(run: Path, to: str, out: Path, **options: Any) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """The rows of an export, and how many records were left out by reason."""
    made = export_run(run, to, out / "out", ExportOptions(**options))
    found = [re.match(r"(\d+) left out: (.*) \(such as ", line) for line in made.left_out]
    reasons = {match[2]: int(match[1]) for match in found if match}
    return [json.loads(line) for line in made.path.read_text().splitlines()], reasons


def test_a_path_of_a_tree_that_states_no_answer_is_left_out(tmp_path: Path):
    """The last step of such a row is the statement of its answer."""
    problem = question()
    records: list[Any] = [problem]
    for name, answer in (("a", "5"), ("b", None), ("c", " ")):
        node = Node.make(
            unit=problem.id, step="t", because=name, problem=problem.id, text=f"Thought {name}", terminal=True
        )
        made = solved(problem, name, node.text, (node.text,), node=node.id, answer=answer)
        records += [node, made, correct(made, float(answer == "5"))]
    run = stored(tmp_path / "run", *records)
    (row,), reasons = rows_and_reasons(run, "prm", tmp_path, labels="tree")
    assert row["completions"] == ["Thought a", "The answer is 5."]
    assert reasons == {"it states no answer": 2}


@pytest.mark.parametrize("unsure", ["drop", "cut"])
def test_a_rationale_whose_steps_are_all_unsure_is_counted(tmp_path: Path, unsure: str):
    problem = question()
    good, other = solved(problem, "good", GOOD, GOOD_STEPS), solved(problem, "other", GOOD, GOOD_STEPS)
    run = stored(
        tmp_path / "run",
        problem,
        good,
        other,
        *on_steps(good, "step_correct", [1, 1, 1]),
        *on_steps(other, "step_correct", [None, None, None]),
    )
    (_,), reasons = rows_and_reasons(run, "prm", tmp_path / "prm", unsure=unsure)
    assert reasons == {"all its steps are unsure": 1}
    steps, reasons = rows_and_reasons(run, "steps", tmp_path / "steps")
    assert (len(steps), list(reasons.values())) == (3, [3])


@pytest.fixture(scope="module")
def poor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole solution, and six of which something is missing; each judged and criticised, and in a pair with the whole one."""
    problem = question()
    good = solved(problem, "good", GOOD, GOOD_STEPS)
    others = [
        solved(problem, "no answer", "One.\nTwo.", ("One.", "Two.")),
        solved(problem, "no steps", "One. The answer is 5.", ()),
        solved(problem, "an answer alone", "The answer is 5.", ()),
        solved(problem, "nothing", "", ()),
        solved(problem, "blanks", " \n", ()),
        solved(problem, "a thought alone", "", ("One.",), thought="One.", segmenter="thought lines/1"),
    ]
    records: list[Any] = [problem, good, *others, correct(good, 1), *on_steps(good, "step_correct", [1, 1, 1])]
    records += on_steps(good, "step_gain", [1, 1, 1])
    for one in others:
        records += [correct(one, 0), preferred(good, one, 0), *on_steps(one, "step_correct", [0] * len(one.steps))]
        records.append(
            Critique.make(
                unit=problem.id,
                step="c",
                because=one.id,
                target=one.id,
                part=Part(kind="step", index=0) if one.steps else None,
                explanation="It is wrong.",
                critic="z",
            )
        )
    folder = tmp_path_factory.mktemp("poor") / "run"
    stored(folder, *records)
    return folder


def test_no_rationale_is_missing_from_kto_without_a_reason(poor: Path, tmp_path: Path):
    """One that states an answer and gives no reasoning has a row, as it has one for `sft`; those without a text are counted."""
    rows, reasons = rows_and_reasons(poor, "kto", tmp_path)
    assert len(rows) + sum(reasons.values()) == 7
    assert "The answer is 5." in [row["completion"][0]["content"] for row in rows]
    assert reasons["it has no text"] == 2


WORDS: Sequence[dict[str, Any]] = (
    {},
    {"layout": "plain"},
    {"style": "delimiter"},
    {"style": "boxed"},
    {"style": "natural"},
    {"order": "answer-first"},
    {"as_thought": True},
    {"thinking": "tags"},
    {"thinking": "drop"},
)
GAPS: list[tuple[str, dict[str, Any]]] = [
    *(("sft", words) for words in WORDS),
    ("sft", {"target": "both"}),
    ("sft", {"target": "answer"}),
    ("sft", {"stages": "two"}),
    ("sft", {"step_weight": "step_gain"}),
    *((to, words) for to in ("kto", "dpo", "reward") for words in WORDS),
    ("dpo", {"prefix": "prompt"}),
    ("dpo", {"prefix": "assistant", "rejected": "step"}),
    ("prm", {}),
    ("prm", {"unsure": "cut"}),
    ("prm", {"steps_as": "chat"}),
    ("prm", {"labels": "critiques"}),
    ("steps", {}),
    ("steps", {"labels": "critiques"}),
    ("grpo", {}),
]


@pytest.mark.parametrize(("to", "options"), GAPS, ids=str)
def test_no_format_stops_at_a_rationale_of_which_something_is_missing(
    poor: Path, tmp_path: Path, to: str, options: dict[str, Any]
):
    """Rows come of the others, and no row has an empty text or the word None."""
    made, _ = rows_and_reasons(poor, to, tmp_path, **options)
    assert made
    for row in made:
        texts = [row[name] for name in ("text", "completion", "chosen", "rejected") if name in row]
        texts += row.get("completions", [])
        for text in texts:
            said = (
                text
                if isinstance(text, str)
                else "".join(m["content"] + (m.get("reasoning_content") or "") for m in text)
            )
            assert said.strip()
            assert "None" not in said
