"""Labels of steps by rules over their values: golden lists, closed forms, identities by brute force, and what is refused."""

from __future__ import annotations

import itertools
import math
import random
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from support import ask, sums, write_rows, yaml_file

import synth as package
from synth.errors import PipelineError, StepError, UserError
from synth.models import ScriptedModel, World
from synth.pipeline import load_pipeline
from synth.records import Part, Problem, Rationale, Rejection, Score
from synth.steps import Unit
from synth.steps.step_labels import StepLabels
from synth.steps.step_rules import Band, Value, ratio

PROBLEM = Problem.root(question="How many?", answer="4", answer_kind="number")
GOLDEN = [0.5, 0.45, 0.2, 0.3, 0.0, 0.4]
"""Monte-Carlo values after a first value of 0.5, the worked example of relative progress."""
VALUES = st.lists(st.one_of(st.none(), st.integers(0, 8).map(lambda k: k / 8)), min_size=1, max_size=7)


def solution(steps: Sequence[str], n: int = 0) -> Rationale:
    return Rationale.make(
        unit=PROBLEM.unit,
        step="solve",
        because=[list(steps), n],
        problem=PROBLEM.id,
        author="student",
        response="\n".join(steps),
        steps=tuple(steps),
        segmenter="lines/1",
        answer="4",
        sample=n,
    )


def score(record: Any, value: float | None, name: str, index: int | None = None) -> Score:
    return Score.make(
        unit=PROBLEM.unit,
        step=f"by_{name}",
        because=[record.id, name, index],
        target=record.id,
        part=None if index is None else Part(kind="step", index=index),
        name=name,
        value=value,
        judge="j",
    )


async def labelled(step: StepLabels, solutions: Sequence[Rationale], scores: Sequence[Score]) -> tuple[Unit, list[Any]]:
    """A unit with what the step made, and that."""
    unit = Unit(PROBLEM, None, {})
    unit.add([*solutions, *scores])
    made = list(await step.run(solutions, unit))
    unit.add(made)
    return unit, made


def seen(unit: Unit, record: Rationale, name: str = "step_correct") -> list[float | None]:
    return unit.variables(record)["steps"][name]


async def labels(values: Sequence[float | None], number: str | None = None, **options: Any) -> list[float | None]:
    """The labels of one solution with these values; or the numbers behind them."""
    record = solution([f"Step {i}." for i in range(len(values))])
    step = StepLabels(name="label", number=number, **options)
    assert list(step.problems_with({}, [])) == []
    unit, _ = await labelled(step, [record], [score(record, v, "step_value", i) for i, v in enumerate(values)])
    return seen(unit, record, number or "step_correct")


async def words(values: Sequence[float | None], **options: Any) -> list[str]:
    found = {1: "right", 0: "wrong", None: "unsure"}
    return [found[label] for label in await labels(values, **options)]


async def test_the_golden_list_of_relative_progress():
    """0.45 is 0.9 of 0.5, 0.2 less than half of 0.45, 0.3 more than 0.2 (a step after a drop), and after 0 nothing is right."""
    assert await labels(GOLDEN, rule="ratio", start="0.5") == [1, 1, 0, 1, 0, 0]
    assert await labels(GOLDEN, rule="ratio", threshold=1e-9, start="0.5") == [1, 1, 1, 1, 0, 0]  # the hard label
    assert await labels(GOLDEN, "step_share", rule="ratio", start="0.5") == pytest.approx([1, 0.9, 4 / 9, 1.5, 0, 0])
    assert await labels([0.3, 0.24], rule="ratio") == [1, 1]  # exactly 0.8, which floating point does not see
    assert await labels([0.3, 0.23], rule="ratio") == [1, 0]


async def test_what_stands_before_the_first_step_of_a_ratio():
    assert await labels([0.3, 0.3], rule="ratio", start="0.5") == [0, 1]
    assert await labels([0.3, 0.3], rule="ratio") == [1, 1]
    assert await labels([0.0, 0.3], rule="ratio") == [0, 0]  # dead from the first step on
    assert await labels([0.3], rule="ratio", start="problem_score.pass_rate") == [1]  # which is missing here


@pytest.mark.parametrize(
    ("after", "expected"), [("wrong", [1, 0, 0, 0, 0]), ("unsure", [1, 0, None, 1, 0]), ("above", [1, 0, 1, 1, 0])]
)
async def test_after_a_zero_a_ratio_follows_its_option(after: str, expected: list[float | None]):
    """A value of 0 stays 0 for `wrong`; for the others the next step is compared with its own predecessor again."""
    assert await labels([0.5, 0.0, 0.4, 0.4, 0.1], rule="ratio", after_zero=after) == expected
    assert await labels([0.5, 0.0, 0.0], rule="ratio", after_zero="above") == [1, 0, 0]


def test_a_ratio_of_sampled_values_is_right_as_often_as_the_binomial_says():
    """Value 0.6 before, q after, 16 rollouts each, share 0.8 or more: the exact probabilities."""
    rng = random.Random(5)
    n, m = 16, 3000
    for q in (0.6, 0.5, 0.4, 0.2, 0.0):
        exact = 0.0
        for j, k in itertools.product(range(n + 1), repeat=2):
            chance = math.comb(n, j) * 0.6**j * 0.4 ** (n - j) * math.comb(n, k) * q**k * (1 - q) ** (n - k)
            exact += chance * ((j == 0 and k > 0) or (j > 0 and 10 * k >= 8 * j))
        pairs = [[sum(rng.random() < p for _ in range(n)) / n for p in (0.6, q)] for _ in range(m)]
        found = [ratio([*map(Value.exact, two)], 0.8, Band(), "v", after_zero="above")[1].label for two in pairs]
        share = found.count("right") / m
        assert abs(share - exact) <= 3 * math.sqrt(exact * (1 - exact) / m) + 1e-12, q


@given(VALUES, st.integers(0, 8))
@settings(max_examples=40)
async def test_above_is_the_comparison_itself(values, eighths):
    expected = [None if v is None else float(v > eighths / 8) for v in values]
    assert await labels(values, rule="above", threshold=eighths / 8) == expected


async def test_gain_is_the_closed_form():
    """Q + alpha (f(q) - f(p)) with f(q) = 1 - (1 - q)^n; at or below 0 is wrong."""
    values, alpha, n = [0.5, 0.25, 0.0], 2.0, 3
    before = [0.75, 0.5, 0.25]
    expected = [q + alpha * ((1 - p) ** n - (1 - q) ** n) for p, q in zip(before, values, strict=True)]
    given = {"rule": "gain", "alpha": alpha, "best_of": n, "start": "0.75"}
    assert await labels(values, "effective", **given) == pytest.approx(expected)
    assert await labels(values, **given) == [float(e > 0) for e in expected]
    assert {e > 0 for e in expected} == {True, False}
    assert await labels(values, "effective", rule="gain", alpha=0) == values  # without a gain it is the value
    assert await labels([0.0, 0.0], rule="gain") == [0, 0]


@given(
    st.lists(st.integers(0, 8).map(lambda k: k / 8), min_size=1, max_size=6),
    st.sampled_from(["ratio", "gain", "above"]),
)
@settings(max_examples=40)
async def test_a_band_or_an_interval_only_takes_labels_away(values, rule):
    """What is labelled with a band is labelled the same without; the more samples, the more is labelled."""
    threshold = {"ratio": 0.8, "gain": 0.0, "above": 0.25}[rule]
    plain = await labels(values, rule=rule, threshold=threshold)
    bands: list[Any] = [{"samples": 8}, {"samples": 10_000_000}, (threshold - 0.1, threshold + 0.1)]
    few, many, band = [await labels(values, rule=rule, threshold=threshold, unsure=unsure) for unsure in bands]
    for i, label in enumerate(plain):
        assert few[i] in {None, label}
        assert band[i] in {None, label}
        assert few[i] in {None, many[i]}


async def test_an_interval_says_unsure_where_rollouts_do_not_decide():
    """5 of 8 lie between 0.31 and 0.86 (Wilson): above 0.3, not below 0.9, and neither of 0.5."""
    assert await words([5 / 8] * 1, rule="above", threshold=0.3, unsure={"samples": 8}) == ["right"]
    assert await words([5 / 8] * 1, rule="above", threshold=0.9, unsure={"samples": 8}) == ["wrong"]
    assert await words([5 / 8] * 1, rule="above", threshold=0.5, unsure={"samples": 8}) == ["unsure"]
    assert await words([5 / 8] * 1, rule="above", threshold=0.5, unsure={"samples": 8, "interval": 0.2}) == ["right"]
    assert await words([0.9, 0.1], rule="ratio", unsure={"samples": 16}) == ["right", "wrong"]
    assert await words([0.6, 0.5], rule="ratio", unsure={"samples": 16}) == ["right", "unsure"]


async def test_an_outcome_at_the_last_step_is_exact():
    """One wrong solution of 1 sample is no share: with a number of samples as with a score that holds it."""
    assert await words([0.0, 0.0], rule="above", threshold=0.1, unsure={"samples": 2}) == ["unsure", "wrong"]
    assert await words([1.0, 1.0], rule="above", threshold=0.9, unsure={"samples": 2}) == ["unsure", "right"]
    assert await words([0.5], rule="above", threshold=0.4, unsure={"samples": 2}) == ["unsure"]


def test_a_value_says_its_samples_and_interval():
    assert str(Value(1.0, 0.676, 1.0, 8)) == "1.00 (8 samples, 0.68 to 1.00)"
    assert str(Value(0.0, 0.0, 0.0, 1)) == "0.00 (1 sample)"
    assert str(Value.exact(0.25)) == "0.25"


async def test_a_band_holds_its_ends():
    assert await words([0.1, 0.2, 0.3, 0.4], rule="above", threshold=0.25, unsure=(0.2, 0.3)) == [
        "wrong",
        "unsure",
        "unsure",
        "right",
    ]


async def test_the_number_of_samples_may_be_a_score_on_steps():
    record = solution(["One.", "Two.", "Three."])
    step = StepLabels(name="l", rule="above", threshold=0.5, unsure={"samples": "step_samples"})
    assert step.reads_scores() == {"values": ("step_value",), "unsure": ("step_samples",)}
    values = [score(record, 0.75, "step_value", i) for i in range(3)]
    counts = [score(record, n, "step_samples", i) for i, n in enumerate((4, 400, None))]
    unit, _ = await labelled(step, [record], [*values, *counts])
    assert seen(unit, record) == [None, 1, 1]  # what is not counted is no sample: the outcome itself
    with pytest.raises(UserError, match=r"step_samples is 2\.5"):
        await labelled(step, [record], [*values, *(score(record, 2.5, "step_samples", i) for i in range(3))])


def tree(rng: random.Random, depth: int = 3, width: int = 3) -> tuple[list[Rationale], list[Score]]:
    """Samples that share beginnings: each draws one of `width` words at each depth, and its outcome by the words."""
    made, outcomes = [], []
    for n in range(40):
        path = [f"Word {rng.randrange(width)}  of {'few' if rng.random() < 2 else ''}." for _ in range(depth)]
        record = solution(path[: rng.randint(1, depth)], n)
        made.append(record)
        outcomes.append(score(record, float(rng.random() < 0.5), "correct"))
    return made, outcomes


@pytest.mark.parametrize("seed", range(5))
async def test_the_mean_broadcast_over_shared_prefixes_is_the_monte_carlo_value_exactly(seed: int):
    """Against a recount: of all samples that begin with these steps, the share that ends right."""
    solutions, outcomes = tree(random.Random(seed))
    right = {s.target: s.value for s in outcomes}
    unit, _ = await labelled(StepLabels(name="l", rule="broadcast", broadcast="shared_prefixes"), solutions, outcomes)
    shared = 0
    for record in solutions:
        expected = []
        for i in range(len(record.steps)):
            begin = record.steps[: i + 1]
            same = [right[r.id] for r in solutions if r.steps[: i + 1] == begin]
            shared += len(same) > 1
            expected.append(sum(same) / len(same))
        assert seen(unit, record, "step_value") == pytest.approx(expected, abs=1e-15)
        assert seen(unit, record) == [float(v > 0) for v in expected]
    assert shared > 20


async def test_prefixes_differ_by_words_and_not_by_blanks_and_unknown_outcomes_are_missing():
    first, second, third = solution(["A  b.", "C."]), solution(["A b.", "D."]), solution(["A b. ", "C."], 2)
    outcomes = [score(first, 1, "correct"), score(second, 0, "correct"), score(third, None, "correct")]
    unit, made = await labelled(
        StepLabels(name="l", rule="broadcast", broadcast="shared_prefixes", unsure={"interval": 0.95}),
        [first, second, third],
        outcomes,
    )
    assert [seen(unit, r, "step_value") for r in (first, second, third)] == [[0.5, 1], [0.5, 0], [0.5, 1]]
    assert seen(unit, second) == [1, None]  # one wrong end of one does not show that none would be right
    assert any("0.50 (2 samples, " in s.reason for s in made)


async def test_the_outcome_on_each_step():
    right, wrong, unknown = solution(["A.", "B."]), solution(["C."]), solution(["D.", "E.", "F."])
    unit, made = await labelled(
        StepLabels(name="l", rule="broadcast"),
        [right, wrong, unknown],
        [score(right, 1, "correct"), score(wrong, 0, "correct")],
    )
    assert [seen(unit, r) for r in (right, wrong, unknown)] == [[1, 1], [0], [None, None, None]]
    assert {s.name for s in made} == {"step_correct"}
    assert {s.reason for s in made if s.target == unknown.id} == {"broadcast: correct is missing"}


@given(
    st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=3), min_size=1, max_size=6),
    st.sampled_from(["prefix", "depth"]),
)
@settings(max_examples=40)
async def test_siblings_are_zero_together_and_change_sign_with_the_outcomes(paths, among):
    """Over the different steps of one place; equal steps count once, and a step alone has no number."""
    solutions = [solution([f"W{w}." for w in path], n) for n, path in enumerate(paths)]
    rng = random.Random(repr(paths))
    value: dict[tuple[str, ...], float] = {}
    scores, inverted = [], []
    for record in solutions:
        for i in range(len(record.steps)):
            v = value.setdefault(record.steps[: i + 1], rng.randint(0, 4) / 4)
            scores.append(score(record, v, "step_value", i))
            inverted.append(score(record, 1 - v, "step_value", i))
    step = StepLabels(name="l", rule="siblings", siblings=among)
    unit, _ = await labelled(step, solutions, scores)
    other, _ = await labelled(step, solutions, inverted)
    places: dict[Any, dict[tuple[str, ...], float | None]] = {}
    for record in solutions:
        for i, number in enumerate(seen(unit, record, "step_advantage")):
            begin = record.steps[: i + 1]
            place = begin[:-1] if among == "prefix" else i
            places.setdefault(place, {})[begin] = number
            expected = None if number is None else pytest.approx(-number, abs=1e-12)
            assert seen(other, record, "step_advantage")[i] == expected
    for place in places.values():
        numbers = list(place.values())
        if len(numbers) == 1:
            assert numbers == [None]
        else:
            assert sum(numbers) == pytest.approx(0, abs=1e-9)
            if len({value[begin] for begin in place}) == 1:
                assert set(numbers) == {0}


async def test_siblings_by_hand():
    """After the same first step values 1, 0.5 and 0: mean 0.5. The first step is alone."""
    solutions = [solution(["A.", f"{x}."]) for x in "BCD"]
    scores = [
        score(r, v, "step_value", i)
        for r, own in zip(solutions, (1, 0.5, 0), strict=True)
        for i, v in enumerate((0.5, own))
    ]
    unit, made = await labelled(StepLabels(name="l", rule="siblings"), solutions, scores)
    assert [seen(unit, r, "step_advantage") for r in solutions] == [[None, 0.5], [None, 0], [None, -0.5]]
    assert [seen(unit, r) for r in solutions] == [[None, 1], [None, None], [None, 0]]
    assert any("+0.5 from its mean with 2 siblings" in s.reason for s in made)
    unit, _ = await labelled(StepLabels(name="l", rule="siblings", scaled=True), solutions, scores)
    deviation = statistics.pstdev([1, 0.5, 0])
    assert seen(unit, solutions[0], "step_advantage")[1] == pytest.approx(0.5 / deviation)
    unit, _ = await labelled(StepLabels(name="l", rule="siblings", siblings="depth"), solutions, scores)
    assert [seen(unit, r, "step_advantage")[0] for r in solutions] == [None] * 3  # one step, which counts once


async def agreed(
    first: Sequence[float | None], second: Sequence[float | None], **options: Any
) -> tuple[list[float | None], list[Any]]:
    record = solution([f"Step {i}." for i in range(len(first))])
    scores = [
        score(record, v, name, i) for name, values in (("one", first), ("two", second)) for i, v in enumerate(values)
    ]
    step = StepLabels(name="l", rule="consensus", values=("one", "two"), **options)
    unit, made = await labelled(step, [record], scores)
    return seen(unit, record), [r.observed for r in made if isinstance(r, Rejection)]


async def test_a_consensus_is_what_all_say():
    one, two = [1, 1, 0, 1, None, 0.5], [1, 0, 0, 1, 1, 1]
    assert await agreed(one, two) == ([1, None, 0, 1, None, 1], [])
    assert await agreed(one, two, on_disagreement="wrong") == ([1, 0, 0, 1, None, 1], [])
    assert await agreed(one, two, on_disagreement="reject") == (
        [1, None, 0, 1, None, 1],
        [{"step": 1, "one": 1, "two": 0}],
    )


async def test_a_consensus_counts_up_to_the_first_error():
    """Both call step 2 wrong; what they say of step 3 does not reject the solution, unless all steps count."""
    one, two = [1, 0, 1], [1, 0, 0]
    assert await agreed(one, two, on_disagreement="reject") == ([1, 0, None], [])
    assert await agreed(one, two, on_disagreement="reject", up_to="all") == (
        [1, 0, None],
        [{"step": 2, "one": 1, "two": 0}],
    )
    assert await agreed(one, two, on_disagreement="wrong") == ([1, 0, None], [])
    assert await agreed(one, two, on_disagreement="wrong", up_to="all") == ([1, 0, 0], [])


async def test_a_consensus_of_a_judge_with_known_errors_yields_the_closed_form():
    """A judge that errs on each step with e agrees with true labels of T right steps in (1 - e)^T."""
    rng = random.Random(2)
    e, steps, n = 0.1, 4, 300
    records = [solution([f"Step {i}." for i in range(steps)], k) for k in range(n)]
    scores = [
        s
        for r in records
        for i in range(steps)
        for s in (score(r, 1, "one", i), score(r, float(rng.random() >= e), "two", i))
    ]
    step = StepLabels(name="l", rule="consensus", values=("one", "two"), on_disagreement="reject")
    _, made = await labelled(step, records, scores)
    kept = 1 - sum(isinstance(r, Rejection) for r in made) / n
    exact = (1 - e) ** steps
    assert abs(kept - exact) <= 3 * math.sqrt(exact * (1 - exact) / n)


@pytest.mark.parametrize(
    ("after", "expected"), [("keep", [1, 0, 1, 0]), ("wrong", [1, 0, 0, 0]), ("none", [1, 0, None, None])]
)
async def test_after_the_first_error(after: str, expected: list[float | None]):
    """`none` writes no label at all, so that an export ends there."""
    assert await labels([0.5, 0, 0.5, 0], rule="above", after_first_error=after) == expected
    record = solution(["A.", "B.", "C."])
    scores = [score(record, v, "step_value", i) for i, v in enumerate((0.5, 0, 0.5))]
    _, made = await labelled(StepLabels(name="l", rule="above", after_first_error=after), [record], scores)
    assert len(made) == (2 if after == "none" else 3)


async def test_missing_values_are_unsure_and_never_wrong():
    assert await labels([0.5, None, 0.5, 0.5], rule="above") == [1, None, 1, 1]
    assert await labels([0.5, None, 0.5, 0.5], rule="ratio") == [1, None, None, 1]
    assert await labels([0.5, None, 0.5, 0.5], rule="gain") == [1, None, None, 1]
    record = solution(["A.", "B."])
    _, made = await labelled(StepLabels(name="l", rule="ratio"), [record], [score(record, 0.5, "step_value", 0)])
    assert [(s.value, s.label, s.reason) for s in made][1] == (None, "unsure", "ratio: step_value is missing")
    _none, made = await labelled(StepLabels(name="l", rule="above"), [solution([])], [])
    assert made == []


async def test_a_score_on_a_step_that_there_is_not_is_an_error():
    record = solution(["A.", "B."])
    for step in (
        StepLabels(name="label", rule="above"),
        StepLabels(name="label", rule="siblings"),
        StepLabels(name="label", rule="consensus", values=("step_value", "other")),
    ):
        with pytest.raises(
            StepError, match="the score step_value is on step 3, and the rationale has 2 steps"
        ) as caught:
            await labelled(step, [record], [score(record, 1, "step_value", 2)])
        assert record.id in str(caught.value)


async def test_raw_values_stay_and_labels_say_their_rule_with_numbers():
    record = solution(["A.", "B."])
    unit, made = await labelled(
        StepLabels(name="label", rule="ratio"),
        [record],
        [score(record, v, "step_value", i) for i, v in enumerate((0.5, 0.25))],
    )
    assert seen(unit, record, "step_value") == [0.5, 0.25]
    assert {s.judge for s in made} == {"label/1"}
    assert made[1].reason == "ratio: step_value is 0.25, 0.5 of 0.5 before it, to be 0.8 or more"
    assert made[1].label == "wrong"


@pytest.mark.parametrize(
    ("values", "options", "said"),
    [
        ([1.5], {"rule": "ratio"}, "from 0 to 1"),
        ([-0.1], {"rule": "gain"}, "from 0 to 1"),
        ([7.0], {"rule": "above", "threshold": 0.5, "unsure": {"samples": 8}}, "from 0 to 1"),
        ([0.5], {"rule": "ratio", "start": "7"}, "is to be a share"),
        ([0.5], {"rule": "ratio", "start": "problem.question"}, "is to be a share"),
    ],
)
async def test_values_that_are_no_shares_are_refused(values, options, said):
    with pytest.raises(UserError, match=said):
        await labels(values, **options)


@pytest.mark.parametrize(
    ("options", "option", "said"),
    [
        ({"rule": "above", "after_zero": "above"}, "after_zero", "the rule above has no after_zero"),
        ({"rule": "consensus", "values": ["a", "b"], "threshold": 0.5}, "threshold", "the rule consensus has no threshold"),
        ({"rule": "broadcast", "start": "0.5"}, "start", "the rule broadcast has no start"),
        ({"rule": "consensus", "values": "a"}, "values", "two or more"),
        ({"rule": "consensus", "values": ["a", "b"], "number": "n"}, "number", "no number"),
        ({"rule": "ratio", "values": ["a", "b"]}, "values", "over one score"),
        ({"rule": "ratio", "threshold": 0}, "threshold", "a step that cannot be right"),
        ({"rule": "above", "number": "step_correct"}, "number", "the name of the labels"),
        ({"rule": "above", "unsure": {"samples": 8}}, "unsure", "no step could be wrong"),
        ({"rule": "above", "unsure": [0.2, 0.4], "threshold": 0.5}, "unsure", "is not from 0.2 to 0.4"),
        ({"rule": "above", "unsure": {"interval": 0.9}}, "unsure", "how many rollouts"),
        ({"rule": "siblings", "unsure": {"samples": 8}}, "unsure", "has no interval"),
        ({"rule": "broadcast", "unsure": {"samples": 8}}, "unsure", "has no interval"),
        ({"rule": "broadcast", "broadcast": "shared_prefixes", "unsure": {"samples": 8}}, "unsure", "are counted"),
    ],
)  # fmt: skip
def test_options_that_do_not_go_together_are_named(options: dict[str, Any], option: str, said: str):
    found = [(name, what) for name, what, _ in StepLabels(name="l", **options).problems_with({}, [])]
    assert any(name == option and said in what for name, what in found), found


def pipeline(folder: Path, **options: Any) -> Path:
    words = ", ".join(f"{name}: {value}" for name, value in options.items())
    return yaml_file(
        folder / "p.yaml",
        f"""
        pipeline: my/labels
        roles: {{student: solves}}
        steps:
          - {{step: generate, name: solve, by: student}}
          - {{step: verify_answer}}
          - {{step: step_labels, name: label, {words}}}
        """,
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"rule": "above"}, "no earlier step makes the score 'step_value'"),
        ({"rule": "consensus", "values": "[step_a, step_b]"}, "no earlier step makes the score 'step_b'"),
        ({"rule": "above", "values": "correct", "threshold": 0.5, "unsure": "{samples: step_n}"}, "no earlier step makes the score 'step_n'"),
        ({"rule": "broadcast", "values": "corect"}, "correct"),
        ({"rule": "best"}, "rule"),
    ],
)  # fmt: skip
def test_scores_that_nothing_makes_are_found_before_the_run(tmp_path: Path, options: dict[str, Any], said: str):
    with pytest.raises(PipelineError, match=said):
        load_pipeline(str(pipeline(tmp_path, **options)))


def test_a_pipeline_broadcasts_the_outcome_and_filters_by_the_labels(tmp_path: Path):
    """Each step of a right solution is right and none of a wrong one is; the same twice gives the same records."""
    made = pipeline(tmp_path, rule="broadcast")
    with made.open("a") as file:
        file.write("  - {step: filter, keep: steps.step_correct | min > 0.5}\n")
    sums(tmp_path / "in.jsonl", 12)
    for name in ("a", "b"):
        package.run(str(made), tmp_path / "in.jsonl", tmp_path / name, models={"student": ScriptedModel(World())})
    query = "SELECT s.id, s.value, c.value FROM scores s JOIN scores c ON c.target = s.target AND c.name = 'correct' WHERE s.name = 'step_correct' ORDER BY 1"
    first, second = (ask(tmp_path / name, query) for name in ("a", "b"))
    assert first == second
    assert {value == outcome for _, value, outcome in first} == {True}
    assert {value for _, value, _ in first} == {0, 1}
    ((rejected, wrong),) = ask(
        tmp_path / "a",
        "SELECT (SELECT count(*) FROM rejections), (SELECT count(*) FROM scores WHERE name = 'correct' AND value = 0)",
    )
    assert rejected == wrong > 0


def test_imported_values_are_labelled_without_a_call(tmp_path: Path):
    """A mapping of one's own brings values of steps; the step needs no model."""
    mapping = yaml_file(
        tmp_path / "mine.yaml",
        """
        mapping: my/values
        problem: {question: question, answer: answer}
        rationales:
          - steps: steps
            scores:
              - {name: step_value, steps: values}
        """,
    )
    rows = [{"question": "How many?", "answer": "4", "steps": ["A.", "B.", "C.", "D.", "E.", "F."], "values": GOLDEN}]
    made = yaml_file(
        tmp_path / "p.yaml",
        """
        pipeline: my/labels
        imports: [rationale, score.step_value]
        steps:
          - {step: step_labels, rule: ratio, start: 0.5}
        """,
    )
    package.run(str(made), write_rows(tmp_path / "in.jsonl", rows), tmp_path / "run", mapping=str(mapping))
    found = ask(tmp_path / "run", "SELECT value FROM scores WHERE name = 'step_correct' ORDER BY part.index")
    assert [v for (v,) in found] == [1, 1, 0, 1, 0, 0]
