"""What stands in the messages, for any text that a model may have written."""

from __future__ import annotations

import json
import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings
from support import ask, stored

from synth.export import ExportOptions, Message, export_run
from synth.export.contracts import Task
from synth.export.wording import as_text, completion_text, prompt, prompt_text, reply
from synth.records import Problem, Rationale, Score
from synth.verify import extract_answer

TEXT = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=60).filter(lambda t: t.strip())
SAID = TEXT.filter(lambda t: "think>" not in t)
ROW = st.fixed_dictionaries(
    {
        "question": TEXT,
        "context": st.none() | TEXT,
        "choices": st.lists(TEXT, max_size=4),
        "rubric": st.none(),
        "evidence": st.none(),
    }
)
OPTIONS = st.builds(
    ExportOptions,
    system=st.none() | TEXT,
    style=st.sampled_from(["natural", "boxed"]),
    order=st.sampled_from(["rationale-first", "answer-first"]),
)


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


@given(ROW, SAID, SAID, OPTIONS)
def test_turns_alternate_and_hold_every_part_word_for_word(row, text: str, answer: str, options: ExportOptions):
    asked, said = prompt(row, options), reply(text, answer, options)
    roles = [m.role for m in (*asked, *said)]
    assert roles == [*(["system"] if options.system else []), "user", "assistant"]
    for part in (row["question"], row["context"] or "", *row["choices"]):
        assert part in asked[-1].content
    stated = rf"The answer is \boxed{{{answer}}}." if options.style == "boxed" else f"The answer is {answer}."
    in_order = [text, stated] if options.order == "rationale-first" else [stated, text]
    assert said[0].content == "\n".join(in_order)
    assert as_text(asked, said, options) == prompt_text(asked, options) + completion_text(said, options)
    assert as_text(asked, said, options).endswith(said[0].content)


@given(SAID, SAID)
def test_a_thought_can_be_told_from_its_answer(text: str, answer: str):
    (said,) = reply(text, answer, ExportOptions(think=("<think>", "</think>")))
    found = re.fullmatch(r"<think>\n(.*)\n</think>\n\n(.*)", said.content, re.DOTALL)
    assert (found[1], found[2]) == (text, f"The answer is {answer}.")


@given(SAID, st.integers(-(10**6), 10**6), st.sampled_from(["natural", "boxed"]))
def test_the_answer_of_a_row_is_read_as_the_answer(text: str, answer: int, style: Any):
    (said,) = reply(text, str(answer), ExportOptions(style=style))
    if not re.search(r"answer|boxed|####", text, re.IGNORECASE):
        assert extract_answer(said.content, kind="number") == str(answer)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(TEXT, st.booleans()), min_size=1, max_size=6))
def test_steps_are_kept_exactly(steps: list[tuple[str, bool]]):
    """Whatever stands in them: line breaks, separators, spaces at their ends."""
    problem = Problem.root(question="What?", answer="5", answer_kind="number")
    said = tuple(text for text, _ in steps)
    made = Rationale.make(
        unit=problem.id,
        step="s",
        because=0,
        problem=problem.id,
        author="teacher",
        text="\n".join(said),
        steps=said,
        segmenter="given/1",
    )
    scores = [
        Score.make(
            unit=problem.id,
            step="l",
            because=i,
            target=made.id,
            step_index=i,
            name="step_correct",
            value=right,
            judge="j",
        )
        for i, (_, right) in enumerate(steps)
    ]
    with TemporaryDirectory() as folder:
        run = stored(Path(folder) / "run", problem, made, *scores)
        for kind in ("jsonl", "parquet"):
            path = export_run(run, "prm", Path(folder) / "out", ExportOptions(file_format=kind)).path
            if kind == "parquet":
                import polars as pl

                (row,) = pl.read_parquet(path).to_dicts()
            else:
                (row,) = rows(path)
            assert row["completions"] == list(said)
            assert row["labels"] == [right for _, right in steps]


def test_twins_ask_for_the_same_problems_and_differ_in_what_is_learnt(cot: Path, tmp_path: Path):
    got = rows(export_run(cot, "sft", tmp_path / "both", ExportOptions(target="both")).path)
    by_task: dict[str, list[Any]] = {"rationale": [], "answer": []}
    for row in got:
        by_task[row["task"]].append(row)
    assert {r["problem_id"] for r in by_task["rationale"]} == {r["problem_id"] for r in by_task["answer"]}
    assert len(by_task["answer"]) == len({r["problem_id"] for r in by_task["answer"]})
    for row in by_task["answer"]:
        assert row["messages"][0]["content"].endswith("\n\nGive the answer alone.")
        assert row["messages"][1]["content"] == f"The answer is {row['answer']}."
    assert all(
        r["messages"][0]["content"].endswith("\n\nGive your reasoning, then the answer.") for r in by_task["rationale"]
    )
    assert {r["weight"] for r in got} == {0.5}
    # Two files for a comparison: the same problems, one with and one without rationales, asked alike.
    alone = rows(export_run(cot, "sft", tmp_path / "answer", ExportOptions(target="answer")).path)
    whole = rows(export_run(cot, "sft", tmp_path / "rationale", ExportOptions(per_problem=1)).path)
    assert {r["problem_id"]: r["messages"][0] for r in alone} == {r["problem_id"]: r["messages"][0] for r in whole}
    asks: dict[Task, str] = {"answer": "[label]", "rationale": "[rationale]"}
    got = rows(export_run(cot, "sft", tmp_path / "asked", ExportOptions(target="both", ask=asks)).path)
    assert all(r["messages"][0]["content"].endswith(f"\n\n{asks[r['task']]}") for r in got)


def test_weights_are_shared_and_sum_to_one(reviewed: Path, tmp_path: Path):
    def weights(**given: float) -> dict[str, float]:
        made = export_run(reviewed, "sft", tmp_path / "o", ExportOptions(target="both", weights=given))
        return {row["task"]: row["weight"] for row in rows(made.path)}

    third = pytest.approx(1 / 3)
    assert weights() == {"rationale": third, "feedback": third, "answer": third}
    assert weights(feedback=0.5) == {"rationale": 0.25, "feedback": 0.5, "answer": 0.25}
    assert sum(weights(feedback=0.2, answer=0.1).values()) == pytest.approx(1)


def test_a_cap_is_for_each_problem_and_leaves_the_first_by_id(cot: Path, tmp_path: Path):
    every = rows(export_run(cot, "kto", tmp_path / "a").path)
    made = export_run(cot, "kto", tmp_path / "b", ExportOptions(per_problem=2))
    by_problem: dict[str, list[Any]] = {}
    for row in every:
        by_problem.setdefault(row["problem_id"], []).append(row)
    assert rows(made.path) == [row for group in by_problem.values() for row in group[:2]]
    assert all(group == sorted(group, key=lambda r: r["record_id"]) for group in by_problem.values())
    assert made.left_out[0].startswith(f"{len(every) - made.rows} left out: more than 2 of its problem")


def test_prompts_with_rewards_know_how_hard_they_were(cot: Path, tmp_path: Path):
    got = rows(export_run(cot, "grpo", tmp_path / "a", ExportOptions(system="Think.")).path)
    known = {
        problem: (tried, right)
        for problem, tried, right in ask(
            cot,
            "SELECT r.problem, count(*), sum(s.value)::INT FROM scores s JOIN rationales r ON r.id = s.target "
            "WHERE s.name = 'correct' GROUP BY 1",
        )
    }
    assert len(got) == 30
    assert len({row["right"] for row in got}) > 2
    for row in got:
        assert (row["tried"], row["right"]) == known[row["problem_id"]]
        assert row["prompt"][0] == Message(role="system", content="Think.").model_dump()
        assert [m["role"] for m in row["prompt"]] == ["system", "user"]


def test_margins_are_stated_only_where_they_are_asked_for(cot: Path, tmp_path: Path):
    """TRL's reward trainer puts a column `margin` into its loss."""
    without = rows(export_run(cot, "reward", tmp_path / "a").path)
    stated = rows(export_run(cot, "reward", tmp_path / "a", ExportOptions(margin=True)).path)
    assert {row["margin"] for row in without} == {0.0}
    assert {row["margin"] for row in stated} == {1.0}
    assert [{**row, "margin": 1.0} for row in without] == stated


def test_a_rationale_that_says_something_else_is_not_given_the_gold_answer(tmp_path: Path):
    """Where nobody compared them, as in a vote without gold answers: reasons for 7 that end in 5 would teach to contradict."""
    problem = Problem.root(question="What?", answer="5", answer_kind="number")

    def said(i: int, answer: str | None) -> Rationale:
        fields = {"problem": problem.id, "author": "teacher", "text": f"Way {i}."}
        return Rationale.make(unit=problem.id, step="s", because=i, answer=answer, **fields)

    other, same, silent = said(0, "7"), said(1, "$5.00"), said(2, None)
    found = Score.make(
        unit=problem.id, step="v", because=0, target=same.id, name="correct", value=1, label="right", judge="number/1"
    )
    run = stored(tmp_path / "run", problem, other, same, silent, found)
    got = {r["record_id"]: r for r in rows(export_run(run, "sft", tmp_path / "o").path)}
    stated = {i: r["messages"][-1]["content"].partition("\n")[2] for i, r in got.items()}
    assert stated == {other.id: "The answer is 7.", same.id: "The answer is 5.", silent.id: "The answer is 5."}
    assert {i: r["answer"] for i, r in got.items()} == {other.id: "7", same.id: "5", silent.id: "5"}
