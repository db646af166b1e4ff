"""Steps are checked without a model: `check_steps` against scripted solutions whose mistakes are known."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from support import ask, run, sums, yaml_file

from synth.errors import PipelineError
from synth.models import ScriptedModel, World
from synth.pipeline import load_pipeline
from synth.records import Critique, Part, Problem, Rationale, Score
from synth.steps import Unit
from synth.steps.check_steps import CheckSteps
from synth.steps.score import Score as ScoreStep
from synth.verify import step_checkers
from synth.verify.arithmetic import Claim

PROBLEM = Problem.root(question="How many apples?", context="Ann has three red apples and four green ones.", answer="7")


def rationale(*steps: str) -> Rationale:
    return Rationale.make(
        unit=PROBLEM.id,
        step="write",
        because=steps,
        problem=PROBLEM.id,
        author="teacher",
        response="\n".join(steps),
        steps=steps,
    )


async def checked(*steps: str, **options) -> tuple[list[Score], Score, list[Critique]]:
    """The scores of the steps, that of the rationale, and critiques."""
    record = rationale(*steps)
    unit = Unit(PROBLEM, None, {})
    unit.add([record])
    made = list(await CheckSteps(**options).run([record], unit))
    unit.add(made)  # no two have one id
    of_steps = [r for r in made if isinstance(r, Score) and r.part is not None]
    (whole,) = (r for r in made if isinstance(r, Score) and r.part is None)
    return of_steps, whole, [r for r in made if isinstance(r, Critique)]


async def test_steps_are_right_wrong_or_unknown():
    """A step is wrong where one claim is, right where one was decided, else unknown; the rationale has the share and the coverage."""
    steps, whole, critiques = await checked(
        "Ann has apples.", "3 + 4 = 7, and 7 - 2 = 5", "3 + 4 = 8, and 1 + 1 = 2", "x + 3 = 10 + 1", "2 * 2 = 4"
    )
    assert [(s.name, s.value, s.label) for s in steps] == [
        ("step_check", None, "unknown"),
        ("step_check", 1, "right"),
        ("step_check", 0, "wrong"),
        ("step_check", None, "unknown"),
        ("step_check", 1, "right"),
    ]
    assert [s.part for s in steps] == [Part(kind="step", index=i) for i in range(5)]
    assert [s.reason for s in steps] == [
        "nothing that can be checked",
        "2 claims hold",
        "3 + 4 = 8: it is 7",
        "not decided: x + 3 = 10 + 1: 'x' has no value here",
        "1 claim holds",
    ]
    assert {s.judge for s in steps} == {"arithmetic/1"}
    assert (whole.name, whole.value) == ("claims_hold", 4 / 5)
    assert whole.reason == "4 of 5 claims hold; 3 of 5 steps claim something that can be checked"
    assert critiques == []


async def test_the_first_wrong_step_gets_a_critique():
    _, _, (critique,) = await checked("1 + 1 = 2", "3 + 4 = 8", "3 + 4 = 9", critique=True)
    assert critique.part == Part(kind="step", index=1)
    assert (critique.mistake, critique.explanation, critique.correction) == (
        "arithmetic",
        "3 + 4 = 8: it is 7",
        "3 + 4 = 7",
    )
    assert critique.critic == "arithmetic/1"
    assert (await checked("1 + 1 = 2", critique=True))[2] == []


async def test_quotations_are_checked_and_checkers_combine():
    """Each claim counts once, whichever checker made it; the critique has the kind of mistake of its checker."""
    said = ('As it says, "three red apples".', 'It says "three blue apples", and 3 + 4 = 7.', "3 + 4 = 8")
    steps, whole, (critique,) = await checked(*said, **{"with": ("quotes", "arithmetic")}, critique=True)
    assert [s.value for s in steps] == [1, 0, 0]
    assert whole.value == 2 / 4
    assert (critique.mistake, critique.correction) == ("quotation", None)
    steps, *_ = await checked(*said, **{"with": "quotes"})
    assert [s.value for s in steps] == [1, 0, None]
    assert steps[1].reason == "“three blue apples” does not stand in the problem"


async def test_rationales_without_steps_and_with_many():
    """No step: no share, and the reason says it. 500 steps are 500 scores and one share."""
    steps, whole, critiques = await checked(critique=True)
    assert (steps, whole.value, critiques) == ([], None, [])
    assert whole.reason == "0 of 0 steps claim something that can be checked"
    steps, whole, _ = await checked(*(f"{i} + {i} = {2 * i + (i == 321)}, as was to be shown" for i in range(500)))
    assert [s.part.index for s in steps if s.value == 0] == [321]
    assert whole.value == 499 / 500


async def test_where_is_asked_of_each_step():
    steps, whole, _ = await checked("1 + 1 = 2", "1 + 1 = 3", where="step.number == 1")
    assert [s.part.index for s in steps] == [0]
    assert whole.value == 1


@pytest.mark.parametrize(
    "text", ["10^10^10 = 1", "1e999999 = 1 + 1", "(" * 50_000 + "1 = 1", "1 / 0 = 1", "9" * 50_000 + " + 1 = 2"]
)
async def test_adversarial_steps_are_unknown(text: str):
    steps, whole, critiques = await checked(text, critique=True)
    assert (steps[0].value, whole.value, critiques) == (None, None, [])


async def test_other_packages_register_checkers(monkeypatch: pytest.MonkeyPatch):
    """One by its name, beside ours; what it says is scored as theirs are, and it sees the steps before."""
    seen = []

    def check(step, problem, before):
        seen.append((step, problem.question, tuple(before)))
        return [Claim(0, 1, step, "b" not in step, "no b")]

    mine = step_checkers.StepChecker("letters", 3, "letter", check)
    known = {**step_checkers.all_step_checkers(), "letters": mine}
    monkeypatch.setattr("synth.steps.check_steps.all_step_checkers", lambda: known)
    steps, *_ = await checked("a", "b", **{"with": "letters"})
    assert [(s.value, s.judge) for s in steps] == [(1, "letters/3"), (0, "letters/3")]
    assert seen == [("a", PROBLEM.question, ()), ("b", PROBLEM.question, ("a",))]


def test_an_unknown_checker_is_a_mistake_before_any_call(tmp_path: Path):
    head = "pipeline: my/p\nversion: 1\ntitle: t\nroles: {teacher: writes}\nsteps:\n  - {step: generate}\n"
    for options, what in [
        ("with: sums", "there is no checker of steps 'sums'"),
        ("with: arithmetic, share: step_check", "score and share have one name"),
        ("with: []", "a list without a checker of steps"),
        ("each: rationale", "each"),
        ("checkers: arithmetic", "unknown option 'checkers'"),
    ]:
        (tmp_path / "p.yaml").write_text(f"{head}  - {{step: check_steps, {options}}}\n")
        with pytest.raises(PipelineError, match=what):
            load_pipeline(str(tmp_path / "p.yaml"))


async def test_the_first_flag_is_the_first_planted_error(tmp_path: Path):
    """Of every scripted solution of sums: exactly, no flag too early and none missed. Right answers by luck are found wrong too, at the rate
    of the world: each step of an unsound rationale errs with 0.3, and one at least.
    """
    pipeline = yaml_file(
        tmp_path / "p.yaml",
        """
        pipeline: my/checked
        version: 1
        title: Checked steps
        roles: {teacher: writes}
        steps:
          - {step: generate, name: solve, samples: 8}
          - {step: check_steps, critique: true}
          - {step: filter, keep: score.claims_hold == 1}
        """,
    )
    world = World(solve_rate=0.5, steps=5, step_error_rate=0.3, lucky_rate=0.5)
    n = 60
    await run(pipeline, sums(tmp_path / "in.jsonl", n), tmp_path / "run", ScriptedModel(world))
    steps = dict(ask(tmp_path / "run", "SELECT id, steps FROM rationales"))
    flags: dict[str, list[float]] = {id_: [] for id_ in steps}
    for target, value in ask(
        tmp_path / "run", "SELECT target, value FROM scores WHERE name = 'step_check' ORDER BY part.index"
    ):
        flags[target].append(value)
    errors = {id_: World.first_error(tuple(said)) for id_, said in steps.items()}
    assert {id_: values.index(0) if 0 in values else None for id_, values in flags.items()} == errors
    critics = dict(ask(tmp_path / "run", "SELECT target, part.index FROM critiques"))
    assert critics == {id_: at for id_, at in errors.items() if at is not None}
    kept = {id_ for (id_,) in ask(tmp_path / "run", "SELECT id FROM kept_rationales")}
    assert kept == {id_ for id_, at in errors.items() if at is None}
    sound = sum(at is None for at in errors.values()) / len(errors)
    assert abs(sound - 0.5) < 3 * math.sqrt(0.25 / len(errors))


async def test_rules_are_scores():
    """A checker by an expression needs no step of its own: `score` over steps, null where it does not know."""
    record = rationale("I guess it is 7.", "So it is 7.", "")
    unit = Unit(PROBLEM, None, {})
    unit.add([record])
    value = "none if step.text == '' else 'guess' not in step.text"
    made = await ScoreStep(each="step of rationale", score="step_check", value=value).run([record], unit)
    assert [s.value for s in made] == [0, 1, None]
