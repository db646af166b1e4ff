"""What stands in the messages, for any text that a model may have written."""

from __future__ import annotations

import json
import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, example, given, settings
from support import ask, stored

from synth.export import ExportOptions, Message, export_run
from synth.export.row import Task
from synth.export.wording import (
    Conversation,
    Thoughts,
    Writing,
    as_text,
    completion_text,
    prompt,
    prompt_text,
    reply,
    said,
)
from synth.records import Part, Problem, Rationale, Score

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
    style=st.sampled_from(["written", "natural", "boxed"]),
    order=st.sampled_from(["rationale-first", "answer-first"]),
)


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


THOUGHT = st.none() | SAID
THOUGHTS = st.builds(
    Thoughts,
    place=st.sampled_from(["reasoning_content", "thinking", "tags", "drop"]),
    tags=st.just(("<think>", "</think>")),
    everywhere=st.booleans(),
)
STATEMENTS = ["The answer is {}.", "**Answer:** {}", "\\boxed{{{}}}", "#### {}", "The answer is {}. Hope this helps!"]


@st.composite
def writings(draw: st.DrawFn) -> Writing:
    """What a model may write: with or without a thought, a line of reasoning and a statement of the answer."""
    answer, reasons = draw(st.integers(-(10**6), 10**6)), draw(SAID)
    statement = draw(st.sampled_from(STATEMENTS)).format(answer)
    span = (len(reasons) + 1, len(reasons) + 1 + len(statement.removesuffix(" Hope this helps!")))
    stated = draw(st.booleans())
    response = f"{reasons}\n{statement}" if stated else reasons
    return Writing(response, draw(THOUGHT), str(answer), span if stated else None)


def followed_by(text: str, statement: str) -> str:
    """A text, and a statement on a line of its own."""
    return text + statement if text.endswith("\n") else f"{text}\n{statement}"


def parts_of(turn: Conversation, thoughts: Thoughts) -> tuple[str | None, str]:
    """Thought and response as a reader finds them in a turn."""
    (message,) = turn
    if thoughts.place == "tags" and (
        found := re.fullmatch(r"<think>\n(.*?)\n</think>(\n\n.*)", message.content, re.DOTALL)
    ):
        return found[1], found[2]
    return message.reasoning_content or message.thinking or None, message.content


@given(writings(), THOUGHTS, st.sampled_from(["written", "natural"]))
@example(Writing("It is so.\n", None, "5", None), Thoughts("drop"), "natural")
@example(Writing("\nIt is so.", "Let me see.", "5", None), Thoughts("tags", ("<think>", "</think>")), "written")
def test_a_row_says_what_its_author_said(writing: Writing, thoughts: Thoughts, style: Any):
    """Thought and response stand in the row byte for byte, unless the user asked for a change."""
    thought, response = parts_of(reply(writing, thoughts, ExportOptions(style=style)), thoughts)
    assert thought == (None if thoughts.place == "drop" else writing.thought)
    wanted = writing.response
    if style == "natural" and writing.span is None:
        wanted = followed_by(wanted, f"The answer is {writing.answer}.")
    if thoughts.place == "tags" and thought:  # an empty line stands between, of which the response may bring its part
        assert response.endswith(wanted)
        response, wanted = response.lstrip("\n"), wanted.lstrip("\n")
    assert response == wanted


@given(ROW, writings(), OPTIONS)
def test_turns_alternate_and_hold_every_part_word_for_word(row, writing: Writing, options: ExportOptions):
    asked, turn = prompt(row, options), reply(writing, Thoughts("drop"), options)
    roles = [m.role for m in (*asked, *turn)]
    assert roles == [*(["system"] if options.system else []), "user", "assistant"]
    for part in (row["question"], row["context"] or "", *row["choices"]):
        assert part in asked[-1].content
    assert all(line in turn[0].content for line in writing.solution.split("\n"))
    assert as_text(asked, turn, options) == prompt_text(asked, options) + completion_text(turn, options)
    assert as_text(asked, turn, options).endswith(turn[0].content)


@given(writings(), st.sampled_from(["natural", "boxed"]), st.booleans())
@example(Writing("It is so.\n", None, "5", None), "natural", False)
def test_an_answer_is_stated_once(writing: Writing, style: Any, first: bool):
    """Whatever the author wrote and the style asks for, the row states the answer, and not twice."""
    order: Any = "answer-first" if first else "rationale-first"
    (turn,) = reply(writing, Thoughts("drop"), ExportOptions(style=style, order=order))
    boxed = rf"The answer is \boxed{{{writing.answer}}}."
    if style == "boxed":
        statement = writing.statement if "\\boxed" in writing.statement else boxed
    else:
        statement = writing.statement
    if first:
        assert turn.content == f"{statement}\n{writing.solution}"
    elif style == "boxed" and "\\boxed" not in writing.response:
        assert turn.content == f"{writing.solution}\n{statement}"
    elif writing.span is not None or "\\boxed" in writing.response:
        assert turn.content == writing.response  # stated by its author
    else:
        assert turn.content == followed_by(writing.response, statement)


@given(writings().filter(lambda w: w.thought is None))
def test_reasoning_becomes_a_thought_where_that_is_asked_for(writing: Writing):
    """`as_thought` writes the reasoning in the tags, and after them the statement of the answer."""
    thoughts = Thoughts("tags")
    thought, response = parts_of(reply(writing, thoughts, ExportOptions(as_thought=True)), thoughts)
    assert thought == writing.solution
    assert response == f"\n\n{writing.statement}"
    assert writing.statement


def test_a_reply_that_begins_with_line_breaks_keeps_them():
    """What some servers leave before the response is the author's, and no second gap is made."""
    (turn,) = said("\n\nFour.", "2 and 2", Thoughts("tags"))
    assert turn.content == "<think>\n2 and 2\n</think>\n\nFour."


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(TEXT, st.booleans()), min_size=1, max_size=6))
def test_steps_are_kept_exactly(steps: list[tuple[str, bool]]):
    """Whatever stands in them: line breaks, separators, spaces at their ends."""
    problem = Problem.root(question="What?", answer="5", answer_kind="number")
    given_steps = tuple(text for text, _ in steps)
    made = Rationale.make(
        unit=problem.id,
        step="s",
        because=0,
        problem=problem.id,
        author="teacher",
        response="\n".join(given_steps),
        steps=given_steps,
        segmenter="given/1",
    )
    scores = [
        Score.make(
            unit=problem.id,
            step="l",
            because=i,
            target=made.id,
            part=Part(kind="step", index=i),
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
            assert row["completions"] == list(given_steps)
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
        assert row["prompt"][0] == Message(role="system", content="Think.").model_dump(exclude_none=True)
        assert [m["role"] for m in row["prompt"]] == ["system", "user"]


def test_margins_are_stated_only_where_they_are_asked_for(cot: Path, tmp_path: Path):
    """TRL's reward trainer puts a column `margin` into its loss."""
    without = rows(export_run(cot, "reward", tmp_path / "a").path)
    stated = rows(export_run(cot, "reward", tmp_path / "a", ExportOptions(margin=True)).path)
    assert {row["margin"] for row in without} == {0.0}
    assert {row["margin"] for row in stated} == {1.0}
    assert [{**row, "margin": 1.0} for row in without] == stated


def test_no_row_is_given_the_gold_answer(tmp_path: Path):
    """A row states the answer its author stated, or none: also where it was found right, or nobody compared it."""
    problem = Problem.root(question="What?", answer="5", answer_kind="number")

    def made(i: int, answer: str | None, response: str, span: tuple[int, int] | None = None) -> Rationale:
        fields = {"problem": problem.id, "author": "teacher", "response": response, "answer_span": span}
        return Rationale.make(unit=problem.id, step="s", because=i, answer=answer, **fields)

    other = made(0, "7", "Way 0.\nThe answer is 7.", (7, 23))
    same, silent = made(1, "$5.00", "Way 1: so $5.00"), made(2, None, "I would rather talk about something else.")
    found = Score.make(
        unit=problem.id, step="v", because=0, target=same.id, name="correct", value=1, label="right", judge="number/1"
    )
    run = stored(tmp_path / "run", problem, other, same, silent, found)
    for style, added in (("written", ""), ("natural", "\nThe answer is $5.00.")):
        got = {r["record_id"]: r for r in rows(export_run(run, "sft", tmp_path / "o", ExportOptions(style=style)).path)}
        assert {i: r["messages"][-1]["content"] for i, r in got.items()} == {
            other.id: other.response,
            same.id: same.response + added,
            silent.id: silent.response,
        }
        assert {i: r["answer"] for i, r in got.items()} == {other.id: "7", same.id: "$5.00", silent.id: ""}


def thinker(
    problem: Problem,
    i: int,
    thought: str | None,
    reasons: str,
    steps: tuple[str, ...] = (),
    segmenter: str | None = None,
) -> Rationale:
    """A rationale that states 5 behind its reasons."""
    response = f"{reasons}The answer is 5."
    fields = {"problem": problem.id, "author": "teacher", "thought": thought, "steps": steps, "segmenter": segmenter}
    span = (len(reasons), len(response))
    return Rationale.make(
        unit=problem.id, step="s", because=i, response=response, answer="5", answer_span=span, **fields
    )


@pytest.mark.parametrize("thinking", ["auto", "tags", "drop"])
def test_neither_of_two_stages_is_empty(tmp_path: Path, thinking: str):
    """Where the response only states the answer the thought is the reasoning, or there is no row."""
    problem = Problem.root(question="What?", answer="5", answer_kind="number")
    alone, both, bare = (
        thinker(problem, i, thought, reasons)
        for i, (thought, reasons) in enumerate([("2 and 3.", ""), ("2 and 3.", "Add them.\n"), (None, "")])
    )
    run = stored(tmp_path / "run", problem, alone, both, bare)
    made = export_run(run, "sft", tmp_path / "o", ExportOptions(stages="two", thinking=thinking))  # type: ignore[arg-type]
    got = {(r["record_id"], r["task"]): r["messages"] for r in rows(made.path)}
    assert all(turn["content"].strip() for turns in got.values() for turn in turns)
    assert {i for i, _ in got} == ({both.id} if thinking == "drop" else {alone.id, both.id})
    assert all("2 and 3" not in json.dumps(turns) for turns in got.values()) == (thinking == "drop")
    if thinking != "drop":
        assert got[alone.id, "rationale"][-1]["content"] == "2 and 3."
        assert got[alone.id, "answer"][0]["content"] == "What?\n\nReasoning:\n2 and 3."
    out = sum(int(line.split()[0]) for line in made.left_out if "without the statement of its answer" in line)
    assert out == (2 if thinking == "drop" else 1)


def test_steps_of_a_thought_are_left_out_with_it_and_tags_within_it_break_no_row(tmp_path: Path):
    problem = Problem.root(question="What?", answer="5", answer_kind="number")
    of_thought = thinker(problem, 0, "2 and 3.", "", ("2 and 3.",), "thought lines/1")
    within = thinker(problem, 1, "It is `</think>` that ends it.", "Add.\n", ("Add.",), "lines/1")
    plain = thinker(problem, 2, "2 and 3.", "Add.\n", ("Add.",), "lines/1")
    labels = [
        Score.make(
            unit=problem.id,
            step="l",
            because=r.id,
            target=r.id,
            part=Part(kind="step", index=0),
            name="step_correct",
            value=1,
            judge="j",
        )
        for r in (of_thought, within, plain)
    ]
    run = stored(tmp_path / "run", problem, of_thought, within, plain, *labels)
    tagged = export_run(run, "prm", tmp_path / "o")
    assert {r["record_id"]: r["prompt"].count("think>") for r in rows(tagged.path)} == {of_thought.id: 0, plain.id: 2}
    assert list(tagged.left_out) == [f"1 left out: its text holds the tag </think> (such as {within.id})"]
    dropped = export_run(run, "prm", tmp_path / "o", ExportOptions(thinking="drop"))
    assert {r["record_id"] for r in rows(dropped.path)} == {within.id, plain.id}
    assert [line[:50] for line in dropped.left_out] == ["1 left out: its steps are those of its thought, wh"]
