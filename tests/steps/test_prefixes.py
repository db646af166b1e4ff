"""`prefixes`: problems that begin with part of a solution."""

from __future__ import annotations

import json
from fractions import Fraction

import hypothesis.strategies as st
import pytest
from hypothesis import given
from support import yaml_file

from synth.models import ScriptedModel, World
from synth.pipeline import read_pipeline
from synth.records import Problem, Rationale, Score
from synth.steps import Unit
from synth.steps.prefixes import Prefixes, starts
from synth.steps.segmentation import cut
from synth.verify import find_answer

PROBLEM = Problem.root(question="How many?", answer="7", answer_kind="number", meta={"topic": "pears"})


def solution(text: str, definition: str = "lines", n: int = 0) -> Rationale:
    answer, span = find_answer(text, kind="number")
    steps, segmenter = cut(None, text, span, definition)
    return Rationale.make(
        unit=PROBLEM.unit, step="solve", because=[text, definition, n], problem=PROBLEM.id, author="teacher",
        response=text, steps=steps, segmenter=segmenter, answer=answer, answer_span=span,
    )  # fmt: skip


async def made(*solutions: Rationale, **options) -> tuple[list[Problem], list[Score]]:
    unit = Unit(PROBLEM, None, {})
    unit.add(solutions)
    records = list(await Prefixes(name="prefixes", **options).run(solutions, unit))
    return [r for r in records if isinstance(r, Problem)], [r for r in records if isinstance(r, Score)]


LINES = st.lists(st.text(st.sampled_from("ab .,é"), min_size=1).filter(str.strip), min_size=1, max_size=9)


@given(LINES, st.sampled_from(["\n", "\n\n", " \n"]), st.sampled_from(["lines", "sentences", "pieces:3"]))
async def test_prefix_and_rest_are_the_solution(lines, gap, definition):
    """Byte for byte; each start holds whole steps, and never the last one."""
    rationale = solution(gap.join([*lines, "The answer is 7."]), definition)
    problems, (score,) = await made(rationale)
    total = len(rationale.steps)
    assert len(problems) == score.value == (total if total > 1 else 0)
    for stage, problem in enumerate(reversed(problems)):
        begun = problem.begun or ""
        given = problem.meta["prefix"]["given"]
        assert rationale.response.startswith(begun)
        assert [s for s in rationale.steps[:given] if s not in begun] == []
        assert begun.rstrip() == rationale.response[: rationale.step_spans[given - 1][1] if given else 0]
        assert rationale.response[len(begun) :].lstrip().startswith(rationale.steps[given])
        assert (problem.stage, problem.answer, problem.parent) == (stage, "7", PROBLEM.id)
        assert problem.reference_solution == rationale.response
        assert (problem.meta["topic"], problem.meta["prefix"]["solution"]) == ("pears", rationale.id)
    if total > 1:
        assert problems[0].begun is None
        assert problems[0].stage == total - 1


@given(st.integers(1, 40), st.integers(1, 40))
def test_stages_have_the_steps_of_the_formula(steps, stages):
    """round(j T / M), each once, at the last stage of those that share it; never all steps."""
    found = starts(steps, stages)
    if steps == 1:
        assert found == []
        return
    wanted = {round(Fraction(j * steps, stages)) for j in range(stages)} - {steps}
    assert [count for _, count in found] == sorted(wanted)
    for stage, count in found:
        assert stage == min(j for j in range(stages) if round(Fraction(j * steps, stages)) == count)
    assert starts(steps, stages, whole=True) == [*found, (stages, steps)]


async def test_five_stages_of_a_solution_of_seven_steps():
    text = "\n".join(f"Step {i} is done." for i in range(7)) + "\nThe answer is 7."
    problems, _ = await made(solution(text), stages=5)
    assert [(p.meta["prefix"]["given"], p.stage) for p in problems] == [(0, 4), (1, 3), (3, 2), (4, 1), (6, 0)]
    mixed, _ = await made(solution(text), stages=5, curriculum="mixed")
    assert [(p.meta["prefix"]["given"], p.stage) for p in mixed] == [(1, None), (3, None), (4, None), (6, None)]


@pytest.mark.parametrize(
    ("text", "reason"),
    [("We add.\nThe answer is 7.", "one step: nothing to begin with"), ("The answer is 7.", "no steps")],
)
async def test_a_solution_without_a_middle_gives_none_and_says_so(text, reason):
    problems, (score,) = await made(solution(text))
    assert (problems, score.value, score.reason, score.name) == ([], 0, reason, "starts")


async def test_foreign_steps_give_none_and_say_so():
    foreign = solution("One.\nTwo.").model_copy(update={"steps": ("1.", "2.")})
    problems, (score,) = await made(foreign)
    assert (problems, score.reason) == ([], "its steps are no slices of its text")


async def test_no_start_states_the_answer():
    """Also where the solution goes on after its answer."""
    text = "We add.\nThe answer is 7.\nLet me check.\nIt is right."
    problems, (score,) = await made(solution(text))
    assert [p.begun for p in problems] == [None, "We add.\n"]
    assert score.reason == "3 steps, 1 starts state the answer"


async def test_equal_starts_are_there_once():
    one, other = solution("We add.\nSo 7.\nThe answer is 7."), solution("We add.\nThat is 7.\nThe answer is 7.")
    problems, scores = await made(one, other)
    assert [p.begun for p in problems] == [None, "We add.\n"]
    assert [s.reason for s in scores] == ["2 steps", "2 steps, 2 as an earlier solution begins"]
    assert scores[1].value == 0


@given(st.lists(LINES, min_size=1, max_size=4))
async def test_a_next_step_is_a_problem_for_each_step_after_the_first(several):
    """Sum of N - 1; the beginning and the step that is wanted stand in the solution one after the other."""
    solutions = [solution("\n".join([f"Way {i}.", *lines]), n=i) for i, lines in enumerate(several)]
    problems, _ = await made(*solutions, target="next_step", curriculum="mixed")
    assert len(problems) == sum(len(s.steps) - 1 for s in solutions)
    for problem in problems:
        assert problem.reward.name == "step_similarity"
        step = problem.reward.args["step"]
        assert problem.reference_solution[len(problem.begun) :].lstrip().startswith(step)
        json.dumps(problem.reward.args)


async def test_the_whole_solution_is_a_start_on_request():
    problems, _ = await made(solution("We add.\nSo 7.\nThe answer is 7."), stages=2, whole=True)
    assert [(p.begun, p.stage) for p in problems] == [(None, 2), ("We add.\n", 1), ("We add.\nSo 7.\n", 0)]


def test_a_whole_solution_has_no_next_step(tmp_path):
    text = "pipeline: my/p\ntitle: t\nsample: arithmetic.jsonl\nroles: {student: s}\nsteps:\n  - {step: generate, by: student}\n"
    path = yaml_file(tmp_path / "p.yaml", text + "  - {step: prefixes, target: next_step, whole: true}\n")
    draft = read_pipeline(str(path))
    draft.check_models({"student": [ScriptedModel(World(), name="student")]})
    assert any("after all steps there is no next one" in f.what for f in draft.findings), draft.findings
