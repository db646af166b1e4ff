"""Rows that read steps: labels, values, weights and prefixes, by hand and for any text."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stepped_records import BAD, BAD_STEPS, GOOD, GOOD_STEPS, on_steps, preferred, solved
from support import run as run_pipeline
from support import stored, sums, synth, yaml_file

from synth.errors import UserError
from synth.export import ExportOptions, all_formats, export_run
from synth.export.stepwise import pieces_of
from synth.models import ScriptedModel, World
from synth.records import Problem, spans_of


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def exported(run: Path, to: str, out: Path, **options: Any) -> list[dict[str, Any]]:
    return rows(export_run(run, to, out / "out", ExportOptions(**options)).path)


def question() -> Problem:
    return Problem.root(question="What is 2 + 2 + 1?", answer="5", answer_kind="number")


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """One problem: a right solution, and one whose second step is wrong and whose last one has no label."""
    problem = question()
    good, bad = solved(problem, "good", GOOD, GOOD_STEPS), solved(problem, "bad", BAD, BAD_STEPS)
    scores = [
        *on_steps(good, "step_correct", [1, 1, 1], reasons=["Sound.", None, "Right."]),
        *on_steps(bad, "step_correct", [1, 0, 1, None], reasons=["Sound.", "2 + 2 is 4.", "Follows.", "?"]),
        *on_steps(good, "step_value", [0.75, 0.875, 1.0]),
        *on_steps(bad, "step_value", [0.75, 0.125, None, 0.0]),
        *on_steps(good, "step_gain", [-0.25, 0.5, 1.0]),
    ]
    return stored(tmp_path / "run", problem, good, bad, *scores, preferred(good, bad, 1))


def test_a_rationale_with_an_unsure_step_is_left_out_or_cut(small: Path, tmp_path: Path):
    """TRL needs a boolean for each step: a row ends before the first step without one, or is not there; both are counted."""
    made = export_run(small, "prm", tmp_path / "drop")
    assert [(r["completions"], r["labels"]) for r in rows(made.path)] == [(list(GOOD_STEPS), [True] * 3)]
    assert [line.partition(" (")[0] for line in made.left_out] == ["1 left out: its labels are not one for each step"]
    made = export_run(small, "prm", tmp_path / "cut", ExportOptions(unsure="cut"))
    assert sorted(r["labels"] for r in rows(made.path)) == [[True, False, True], [True, True, True]]
    assert made.left_out == ("1 rows end before the first step of which something is missing",)
    # The third step has a label and no value.
    made = export_run(small, "prm", tmp_path / "both", ExportOptions(unsure="cut", values="step_value"))
    by_length = sorted(rows(made.path), key=lambda r: len(r["labels"]))
    assert [(r["labels"], r["values"]) for r in by_length] == [
        ([True, False], [0.75, 0.125]),
        ([True, True, True], [0.75, 0.875, 1.0]),
    ]


def test_labels_and_values_are_two_scores_of_one_step(stepped: Path, tmp_path: Path):
    """The label of one score, the number of another (arXiv:2503.04618), and the label of the other from a limit on."""
    for row in exported(stepped, "prm", tmp_path, values="step_value", unsure="cut"):
        known = {(True, True, True): [0.75, 0.875, 1.0], (True, False, False): [0.75, 0.125, 0.0]}
        assert row["values"] == known[tuple(row["labels"])]
        assert "weights" not in row
    labels = [r["labels"] for r in exported(stepped, "prm", tmp_path, step_score="step_value", label_from=0.001)]
    assert sorted(labels) == [[True, True, False, False]] * 6 + [[True, True, True]] * 6


def test_weights_below_0_are_0_and_counted(small: Path, stepped: Path, tmp_path: Path):
    made = export_run(small, "sft", tmp_path / "a", ExportOptions(step_weight="step_gain"))
    (row,) = rows(made.path)
    assert row["step_weights"] == [0.0, 0.5, 1.0]
    assert row["pieces"] == ["  I add 2 and 2.\n\n", "That is 4. \n", "One more is 5.\n\nThe answer is 5.\n"]
    assert "".join(row["pieces"]) == row["completion"][0]["content"] == GOOD
    assert sorted(line.partition(" (")[0] for line in made.left_out) == [
        "1 left out: a step has no score 'step_gain'",
        "1 step weights below 0 are written as 0",
    ]
    made = export_run(stepped, "prm", tmp_path / "b", ExportOptions(step_weight="step_gain", unsure="cut"))
    assert {tuple(r["weights"]) for r in rows(made.path)} == {(0.0, 0.5, 1.0), (0.5, 0.0, 0.0)}
    assert "12 step weights below 0 are written as 0" in made.left_out


def test_the_last_line_of_each_reply_is_the_label(small: Path, tmp_path: Path):
    """A conversation for a generative process reward model: question and first step, analysis and verdict, second step…"""
    made = exported(small, "prm", tmp_path, steps_as="chat", unsure="cut", verdicts=("+", "-"))
    by_label = {tuple(r["step_labels"]): [m["content"] for m in r["messages"]] for r in made}
    assert by_label == {
        (True, False, True): [
            f"What is 2 + 2 + 1?\n\n{BAD_STEPS[0]}",
            "Sound.\n\n+",
            BAD_STEPS[1],
            "2 + 2 is 4.\n\n-",
            BAD_STEPS[2],
            "Follows.\n\n+",
        ],
        (True, True, True): [
            f"What is 2 + 2 + 1?\n\n{GOOD_STEPS[0]}",
            "Sound.\n\n+",
            GOOD_STEPS[1],
            "+",
            GOOD_STEPS[2],
            "Right.\n\n+",
        ],
    }


def test_the_analysis_is_that_of_a_judge_who_says_what_the_label_says(tmp_path: Path):
    problem = question()
    good = solved(problem, "good", "One.\nTwo.", ("One.", "Two."))
    spoken = [
        *on_steps(good, "step_correct", [1, 0]),
        *on_steps(good, "step_judged", [0, 0], judge="a", reasons=["Not so.", "False."]),
        *on_steps(good, "step_judged", [1, 0], judge="b", reasons=["So it is.", "No."]),
    ]
    run = stored(tmp_path / "run", problem, good, *spoken)
    (row,) = exported(run, "prm", tmp_path, steps_as="chat", reasons="step_judged")
    assert [m["content"] for m in row["messages"]][1::2] == ["So it is.\n\nright", "False.\n\nwrong"]


@pytest.mark.parametrize("to", ["prm", "steps", "sft"])
def test_a_score_on_a_step_that_is_not_there_names_the_record(tmp_path: Path, to: str):
    problem = question()
    made = solved(problem, "good", "a\nb", ("a", "b"))
    name = "step_gain" if to == "sft" else "step_correct"
    run = stored(tmp_path / "run", problem, made, *on_steps(made, name, [1, 1, 0]))
    options = ExportOptions(step_weight="step_gain") if to == "sft" else ExportOptions()
    with pytest.raises(UserError, match=f"rationale {made.id} has 2 steps, and a score '{name}' on step 3"):
        export_run(run, to, tmp_path / "out", options)
    assert not (tmp_path / "out").exists()


def test_a_row_of_a_step_has_what_stands_before_it(small: Path, tmp_path: Path):
    made = export_run(small, "steps", tmp_path / "o", ExportOptions(values="step_value"))
    got = rows(made.path)
    assert sorted((r["index"], r["label"], r["value"], r["reason"]) for r in got) == [
        (0, True, 0.75, "Sound."),
        (0, True, 0.75, "Sound."),
        (1, False, 0.125, "2 + 2 is 4."),
        (1, True, 0.875, ""),
        (2, True, 1.0, "Right."),
    ]
    assert "2 left out: a step without a label, or without the score of another column" in made.left_out[0]
    for row in got:
        assert any(text.startswith(row["history"] + row["step"]) for text in (GOOD, BAD)) or row["index"] == 0
        (asked,), (said,) = row["prompt"], row["completion"]
        assert f"Next step:\n{row['step']}\n\nIs the next step right?" in asked["content"]
        assert said["content"].splitlines()[-1] == ("right" if row["label"] else "wrong")
    (second,) = [r for r in got if r["index"] == 1 and r["label"]]
    assert second["history"] == "  I add 2 and 2.\n\n"


@pytest.mark.parametrize(("balance", "kept"), [((1, 1), (12, 12)), ((2, 1), (24, 12)), ((1, 3), (4, 12))])
def test_right_and_wrong_steps_are_balanced_by_a_hash(
    stepped: Path, tmp_path: Path, balance: tuple[int, int], kept: tuple[int, int]
):
    """24 right and 12 wrong ones."""
    made = export_run(stepped, "steps", tmp_path / "a", ExportOptions(balance=balance))
    labels = [r["label"] for r in rows(made.path)]
    assert (labels.count(True), labels.count(False)) == kept
    unlabelled, *told = sorted(made.left_out, key=lambda line: "more than" in line)
    assert unlabelled.startswith("6 left out: a step without a label")
    out = 36 - sum(kept)
    assert [line.split(" ")[0] for line in told] == ([str(out)] if out else [])
    again = export_run(stepped, "steps", tmp_path / "b", ExportOptions(balance=balance))
    assert again.path.read_bytes() == made.path.read_bytes()


def test_a_balance_that_leaves_nothing_says_what_there_is(tmp_path: Path):
    problem = question()
    good = solved(problem, "good", "One.\nTwo.", ("One.", "Two."))
    run = stored(tmp_path / "run", problem, good, *on_steps(good, "step_correct", [1, 1]))
    with pytest.raises(UserError, match="leaves nothing of 2 right and 0 wrong ones"):
        export_run(run, "steps", tmp_path / "out", ExportOptions(balance=(1, 1)))


# --- pairs of continuations ---------------------------------------------------------------------------------------------


def test_the_steps_both_sides_share_are_cut_off_byte_for_byte(small: Path, tmp_path: Path):
    shared = "  I add 2 and 2.\n\n"
    (row,) = exported(small, "dpo", tmp_path, prefix="prompt")
    assert row["prefix"] == shared
    assert row["prompt"] == [{"role": "user", "content": f"What is 2 + 2 + 1?\n\n{shared}"}]
    assert shared + row["chosen"][0]["content"] == GOOD
    assert shared + row["rejected"][0]["content"] == BAD
    (row,) = exported(small, "dpo", tmp_path, prefix="prompt", layout="plain", rejected="step")
    assert row["prompt"] == f"What is 2 + 2 + 1?\n\n{shared}"
    assert shared + row["chosen"] == GOOD
    # The prompt and the rejected step are a prefix of the rejected solution.
    assert row["rejected"] == "That is 3."
    (row,) = exported(small, "dpo", tmp_path, prefix="assistant", rejected="step")
    assert row["prompt"] == [{"role": "user", "content": "What is 2 + 2 + 1?"}]
    assert row["chosen"][0]["content"] == GOOD
    assert row["rejected"][0]["content"] == shared + "That is 3."


@pytest.mark.parametrize(
    ("chosen", "rejected", "options", "why"),
    [
        (("a\nb", ("a", "b")), ("a\n", ("a",)), {}, "nothing follows the shared steps on one side"),
        (
            ("a\nb\nc", ("a", "b", "c")),
            ("a\n\nb\nd", ("a", "b", "d")),
            {},
            "what stands before or between them differs",
        ),
        (("a\nb", ("a", "b")), ("a\nc", ("x", "c")), {}, "the steps of a side are no slices of its text"),
        (
            ("a\nThe answer is 5.", ("a",)),
            ("a\nSo 6", ("a",)),
            {"rejected": "step"},
            "its rejected side has no step after the shared ones",
        ),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_pairs_that_cannot_be_cut_are_left_out_with_the_reason(
    tmp_path: Path, chosen: Any, rejected: Any, options: dict[str, Any], why: str
):
    problem = question()
    sides = solved(problem, "good", *chosen), solved(problem, "bad", *rejected)
    run = stored(tmp_path / "run", problem, *sides, preferred(*sides))
    with pytest.raises(UserError, match=why):
        export_run(run, "dpo", tmp_path / "out", ExportOptions(prefix="prompt", **options))


def test_a_pair_that_shares_no_step_has_the_question_as_prompt(tmp_path: Path):
    problem = question()
    sides = solved(problem, "good", "a\nb", ("a", "b")), solved(problem, "bad", "c\nd", ("c", "d"))
    run = stored(tmp_path / "run", problem, *sides, preferred(*sides, 0))
    (row,) = exported(run, "dpo", tmp_path, prefix="prompt", rejected="step")
    assert (row["prefix"], row["prompt"][0]["content"]) == ("", "What is 2 + 2 + 1?")
    assert (row["chosen"][0]["content"], row["rejected"][0]["content"]) == ("a\nb", "c")


@pytest.mark.parametrize("thinking", ["tags", "drop"])
def test_steps_of_a_thought_are_cut_within_its_tags(tmp_path: Path, thinking: str):
    problem = question()
    sides = [
        solved(problem, name, "The answer is 5.", ("a", last), thought=f"a\n{last}", segmenter="thought lines/1")
        for name, last in (("good", "b"), ("bad", "c"))
    ]
    run = stored(tmp_path / "run", problem, *sides, preferred(*sides))
    if thinking == "drop":
        with pytest.raises(UserError, match="no slices of its text"):
            export_run(run, "dpo", tmp_path / "out", ExportOptions(prefix="prompt", thinking="drop"))
        return
    (row,) = exported(run, "dpo", tmp_path, prefix="prompt", rejected="step", layout="plain")
    assert row["prefix"] == "<think>\na\n"
    assert row["chosen"] == "b\n</think>\n\nThe answer is 5."
    assert row["rejected"] == "c"


BLANK = st.text("\n \t", max_size=3)
STEP = st.text("ab.é𝛑\\", min_size=1, max_size=6)


@st.composite
def cuts(draw: st.DrawFn) -> tuple[str, tuple[str, ...]]:
    """A text and its steps: any, with any white space between them."""
    steps = draw(st.lists(STEP, min_size=1, max_size=6))
    text = draw(BLANK) + "".join(step + "\n" + draw(BLANK) for step in steps[:-1]) + steps[-1] + draw(BLANK)
    return text, tuple(steps)


@given(cuts())
def test_pieces_are_the_text(made: tuple[str, tuple[str, ...]]):
    """One a step, each with its step in it; joined they are the text, byte for byte."""
    text, steps = made
    spans = spans_of(steps, text, None)
    assert spans is not None
    pieces = pieces_of(text, spans)
    assert "".join(pieces) == text
    assert [piece.strip() for piece in pieces] == list(steps)


@settings(max_examples=25, deadline=None)
@given(cuts(), cuts(), st.data())
def test_prompt_and_continuation_are_the_solution(
    tmp_path_factory: pytest.TempPathFactory, one: Any, other: Any, data: st.DataObject
):
    """Whatever two solutions share, prefix and continuation of each side are its bytes, and neither side is empty."""
    begun, steps = one
    text, more = other
    shared = data.draw(st.integers(0, len(steps)))
    head = begun[: spans_of(steps, begun, None)[shared - 1][1]] if shared else ""  # type: ignore[index]
    problem = question()
    sides = [
        solved(problem, "good", begun, steps),
        solved(problem, "bad", f"{head}\n{text}", (*steps[:shared], *more)),
    ]
    folder = tmp_path_factory.mktemp("pair")
    run = stored(folder / "run", problem, *sides, preferred(*sides))
    try:
        (row,) = exported(run, "dpo", folder, prefix="prompt", layout="plain")
    except UserError as error:
        why = str(error)
        same = next((i for i, (a, b) in enumerate(zip(*(side.steps for side in sides), strict=False)) if a != b), None)
        same = min(len(side.steps) for side in sides) if same is None else same
        begins = [side.response[: side.step_spans[same - 1][1]] for side in sides if side.step_spans]
        expected = (
            "are equal|nothing follows" if same == 0 or begins[0] == begins[1] else "before or between them differs"
        )
        if not re.search(expected, why):
            raise
        return
    asked = "What is 2 + 2 + 1?\n\n"
    assert row["prompt"] + row["chosen"] == asked + sides[0].response
    assert row["prompt"] + row["rejected"] == asked + sides[1].response
    assert row["chosen"].strip()
    assert row["rejected"].strip()


# --- judges -------------------------------------------------------------------------------------------------------------


def judged(folder: Path, steps: str) -> Path:
    made = yaml_file(folder / "p.yaml", f"pipeline: my/judged\nsteps:\n  - {{step: generate}}\n{steps}")
    asyncio.run(run_pipeline(made, sums(folder / "in.jsonl", 3), folder / "run", ScriptedModel(World())))
    return folder / "run"


def test_an_ask_that_makes_scores_is_a_judge(tmp_path: Path):
    """What was shown and said, with all scores of the reply; a question whose replies make other records is none."""
    prompt = "{% call user() %}{{ problem.question }} {{ rationale.text }} How good? {{ reply_format }}{% endcall %}"
    (tmp_path / "judge.j2").write_text("{#- version: 1\npurpose: marks -#}\n" + prompt)
    run = judged(
        tmp_path,
        """\
  - step: ask
    name: marks
    prompt: judge.j2
    reply: {mark: "int(1, 5)", why: text}
    make:
      - {score: mark, value: reply.mark, reason: reply.why}
      - {score: high, value: reply.mark > 3}
  - {step: verify_answer}
""",
    )
    got = exported(run, "judge", tmp_path)
    assert len(got) == 3
    for row in got:
        first, second = json.loads(row["verdicts"])
        assert (first["name"], second["name"]) == ("high", "mark")
        assert first["value"] == (second["value"] > 3)
        assert row["value"] == (first["value"] + second["value"]) / 2
        assert second["reason"] in row["messages"][-1]["content"]
        assert [m["role"] for m in row["messages"]][-2:] == ["user", "assistant"]
        assert "How good?" in row["messages"][-2]["content"]


def test_a_review_that_solves_again_makes_no_rows_for_judges(tmp_path: Path):
    """Its replies are solutions, not verdicts."""
    run = judged(tmp_path, "  - {step: review, mode: resolve, exclude_author: false, min_valid: 1}\n")
    with pytest.raises(UserError, match="this run has no verdict of a model with a number"):
        export_run(run, "judge", tmp_path / "out")


# --- the command line ---------------------------------------------------------------------------------------------------


def test_the_command_line_has_all_options_of_steps(stepped: Path, tmp_path: Path):
    words = [
        "--values",
        "step_value",
        "--step-weight",
        "step_gain",
        "--unsure",
        "cut",
        "--as",
        "chat",
        "--verdicts",
        "+,-",
    ]
    done = synth("export", stepped, "--to", "prm", *words, "--out", tmp_path / "a", check=0)
    assert "12 step weights below 0 are written as 0" in done.stderr
    assert "6 rows end before the first step of which something is missing" in done.stderr
    assert {m["content"].splitlines()[-1] for m in rows(tmp_path / "a" / "prm.jsonl")[0]["messages"][1::2]} <= {
        "+",
        "-",
    }
    synth("export", stepped, "--to", "steps", "--balance", "1:1", "--out", tmp_path / "b", check=0)
    synth(
        "export", stepped, "--to", "dpo", "--prefix", "prompt", "--rejected", "step", "--out", tmp_path / "c", check=0
    )
    assert (
        "--balance 1 is not RIGHT:WRONG"
        in synth("export", stepped, "--to", "steps", "--balance", "1", "--out", tmp_path / "d", check=2).stderr
    )
    told = synth("export", "--help").stdout
    assert all(name in told for name in all_formats())
