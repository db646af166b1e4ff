"""`continue` after a finished solution: all of its text stays, and the statement of its answer is a step."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given
from support import ask, run, sums, yaml_file

from synth.models import ScriptedModel, World
from synth.pipeline import read_pipeline
from synth.records import Rationale, spans_of
from synth.steps.continuing import Beginning
from synth.steps.segmentation import cut
from synth.verify import find_answer

HEAD = """
pipeline: my/after
title: t
sample: arithmetic.jsonl
roles: {student: solves}
steps:
  - {step: generate, name: solve, by: student, temperature: 0.7}
  - {step: verify_answer}
"""

LINES = st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]), min_size=1), max_size=5)


def written(text: str, definition: str = "lines") -> Rationale:
    answer, span = find_answer(text, kind="number")
    steps, segmenter = cut(None, text, span, definition)
    return Rationale(
        id="r",
        unit="p",
        step="s",
        problem="p",
        author="student",
        response=text,
        steps=steps,
        segmenter=segmenter,
        answer=answer,
        answer_span=span,
    )


@given(LINES, LINES, st.sampled_from(["\n", "\n\n", " "]), st.sampled_from(["", "\n", "  \n"]))
def test_nothing_of_the_text_is_lost(before, after, gap, end):
    """Whatever stands before and after the answer: the text stays to its last character, and its steps are slices that cover it."""
    rationale = written(gap.join([*before, "The answer is 7.", *after]) + end)
    beginning = Beginning.of_all(rationale, "Wait.")
    assert beginning.text == rationale.response.rstrip()
    assert beginning.given.startswith(beginning.text)
    spans = spans_of(beginning.steps, beginning.given, None)
    assert spans is not None
    assert "".join("".join(beginning.given[a:b].split()) for a, b in spans) == "".join(beginning.given.split())
    joined, start = beginning.joined("So 8.")
    assert [s["by"] for s in beginning.spans(len(joined))] == ["given", "inserted", "model"]
    assert joined[start:] == "So 8."


def test_the_statement_of_the_answer_is_a_step():
    lines = written("We add.\nThe answer is 7.")
    assert Beginning.of_all(lines, "Wait.").steps == ("We add.", "The answer is 7.", "Wait.")
    assert Beginning.of_all(lines, "Wait.").given == "We add.\nThe answer is 7.\nWait."
    assert Beginning.of_all(written("The answer is 7."), "Wait.").given == "The answer is 7.\nWait."
    assert Beginning.of_all(written("We add. It is so. The answer is 7.", "sentences"), "Wait.").given.endswith(
        "7. Wait."
    )
    foreign = lines.model_copy(update={"steps": ("One.", "Two."), "answer_span": None})
    assert Beginning.of_all(foreign, "Wait.").given == "One.\nTwo.\nWait."


async def test_a_run_keeps_all_of_the_text(tmp_path):
    """Prefilled or in words: response and steps begin as those of the parent, and the answer is that of the continuation."""
    steps = "  - {step: continue, by: student, whole: true, insert: '\"Wait.\"'}\n"
    world = World(solve_rate=0, lucky_rate=0, recover_rate=1)
    chat = frozenset({"chat", "json_schema", "seed", "logprobs"})
    for capabilities in (chat, chat | {"prefill"}):
        folder = tmp_path / str(len(capabilities))
        model = ScriptedModel(world, name="student", capabilities=capabilities)
        await run(yaml_file(tmp_path / "p.yaml", HEAD + steps), sums(tmp_path / "in.jsonl", 8), folder, model)
        rows = ask(
            folder,
            "SELECT p.response, p.steps, c.response, c.steps, c.given, c.answer, q.answer FROM rationales c "
            "JOIN rationales p ON p.id = c.parent JOIN problems q ON q.id = c.problem",
        )
        assert len(rows) == 8
        for before, had, after, has, count, answer, gold in rows:
            assert after.startswith(before + "\nWait.\n")
            assert has[:count] == [*had, before.splitlines()[-1], "Wait."]
            assert answer == gold


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ("whole: true, at: '1', insert: '\"Wait.\"'", "whole keeps all of the text"),
        ("whole: true", "a solution that has stated its answer has nothing left to say"),
    ],
)
def test_options_that_contradict_each_other(tmp_path, options, what):
    path = yaml_file(tmp_path / "p.yaml", HEAD + f"  - {{step: continue, by: student, {options}}}\n")
    draft = read_pipeline(str(path))
    draft.check_models({"student": [ScriptedModel(World(), name="student")]})
    assert any(what in f.what for f in draft.findings), draft.findings
