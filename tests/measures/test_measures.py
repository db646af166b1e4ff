"""Measures against their closed forms, their properties, and other people's implementations where one is installed."""

from __future__ import annotations

import gzip
import math
import random
import warnings
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synth.measures import (
    Overlap,
    area_under_curve,
    average_precision,
    brier_score,
    cohen_kappa,
    comprehensiveness,
    compression_ratio,
    distinct_n,
    embedding_spread,
    expected_calibration_error,
    faithfulness,
    fleiss_kappa,
    iou_overlap,
    krippendorff_alpha,
    macro,
    micro,
    purity,
    quadratic_weighted_kappa,
    reliability,
    sufficiency,
    token_overlap,
    trace_error,
    vendi_score,
)


def other(name: str) -> ModuleType:
    """Somebody else's implementation."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name)


MARKS = st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=2, max_size=40)
ITEMS = st.lists(st.lists(st.integers(1, 5), max_size=4), min_size=1, max_size=20)

# Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), section C: four observers, twelve units.
PUBLISHED = [
    [1, 1, 1],
    [2, 2, 3, 2],
    [3, 3, 3, 3],
    [3, 3, 3, 3],
    [2, 2, 2, 2],
    [1, 2, 3, 4],
    [4, 4, 4, 4],
    [1, 1, 2, 1],
    [2, 2, 2, 2],
    [5, 5, 5],
    [1, 1],
    [3],
]
# Fleiss (1971): five psychiatric categories are long; this is the table of ten subjects and fourteen raters of its textbook example.
RATINGS = [
    [0, 0, 0, 0, 14],
    [0, 2, 6, 4, 2],
    [0, 0, 3, 5, 6],
    [0, 3, 9, 2, 0],
    [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0],
    [3, 2, 6, 3, 0],
    [2, 5, 3, 2, 2],
    [6, 5, 2, 1, 0],
    [0, 2, 2, 3, 7],
]


def test_alpha_is_as_published_on_every_level():
    assert krippendorff_alpha(PUBLISHED, "nominal") == pytest.approx(0.743, abs=5e-4)
    assert krippendorff_alpha(PUBLISHED, "ordinal") == pytest.approx(0.815, abs=5e-4)
    assert krippendorff_alpha(PUBLISHED, "interval") == pytest.approx(0.849, abs=5e-4)


@pytest.mark.parametrize("level", ["nominal", "ordinal", "interval"])
@settings(deadline=None)
@given(items=ITEMS)
def test_alpha_is_that_of_another_implementation(items: list[list[int]], level: str):
    library = other("krippendorff")
    ours = krippendorff_alpha(items, level)
    pairable = [v for i in items if len(i) > 1 for v in i]
    if len(set(pairable)) < 2:
        assert ours is None
        return
    width = max(map(len, items))
    table = [[i[k] if k < len(i) else np.nan for i in items] for k in range(width)]
    theirs = library.alpha(reliability_data=table, level_of_measurement=level)
    assert ours == pytest.approx(theirs, abs=1e-9)


@settings(deadline=None)
@given(MARKS)
def test_kappas_are_those_of_another_implementation(marks: list[tuple[int, int]]):
    metrics = other("sklearn.metrics")
    a, b = zip(*marks, strict=True)
    for weights, ours in ((None, cohen_kappa(a, b)), ("quadratic", quadratic_weighted_kappa(a, b))):
        if ours is None:
            continue
        assert ours == pytest.approx(metrics.cohen_kappa_score(a, b, weights=weights, labels=range(1, 6)), abs=1e-9)


def test_fleiss_kappa_of_the_textbook():
    items = [[c for c, n in enumerate(row) for _ in range(n)] for row in RATINGS]
    assert fleiss_kappa(items) == pytest.approx(0.210, abs=5e-4)
    assert fleiss_kappa([["a", "a"], ["b", "b"]]) == 1
    assert fleiss_kappa([["a", "a"]]) is None
    assert fleiss_kappa([]) is None
    with pytest.raises(ValueError, match="same number"):
        fleiss_kappa([["a", "b"], ["a"]])


@given(MARKS)
def test_agreement_is_one_with_itself_and_blind_to_order(marks: list[tuple[int, int]]):
    a, b = zip(*marks, strict=True)
    for measure in (cohen_kappa, quadratic_weighted_kappa):
        assert measure(a, b) == pytest.approx(measure(b, a))
        assert measure(a, a) in (None, pytest.approx(1))
    pairs = [list(m) for m in marks]
    again = [list(reversed(m)) for m in reversed(marks)]
    for level in ("nominal", "ordinal", "interval"):
        found = krippendorff_alpha(pairs, level)
        assert krippendorff_alpha(again, level) == (None if found is None else pytest.approx(found))
        assert found is None or found <= 1 + 1e-12
    # Ranks do not change where the scale is stretched, distances do.
    stretched = [[v**3 for v in m] for m in pairs]
    found = krippendorff_alpha(pairs, "ordinal")
    assert krippendorff_alpha(stretched, "ordinal") == (None if found is None else pytest.approx(found))


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 5)), min_size=1, max_size=12))
def test_counts_stand_for_items_that_are_alike(drawn: list[tuple[int, int, int]]):
    a, b, counts = zip(*drawn, strict=True)
    every_a = [x for x, n in zip(a, counts, strict=True) for _ in range(n)]
    every_b = [y for y, n in zip(b, counts, strict=True) for _ in range(n)]

    def same(found: float | None, whole: float | None) -> bool:
        return found == (None if whole is None else pytest.approx(whole))

    assert same(cohen_kappa(a, b, counts), cohen_kappa(every_a, every_b))
    truth, every_truth = [y > 2 for y in b], [y > 2 for y in every_b]
    assert same(area_under_curve(a, truth, counts), area_under_curve(every_a, every_truth))
    items, every = list(zip(a, b, strict=True)), list(zip(every_a, every_b, strict=True))
    for level in ("nominal", "ordinal", "interval"):
        assert same(krippendorff_alpha(items, level, counts), krippendorff_alpha(every, level))


def test_calibration_in_closed_form():
    confidences, right = [0.9] * 10 + [0.6] * 10, [True] * 9 + [False] + [True] * 3 + [False] * 7
    assert [(round(b.low, 9), round(b.high, 9), b.n) for b in reliability(confidences, right)] == [
        (0.5, 0.6, 10),
        (0.8, 0.9, 10),
    ]
    assert [b.accuracy for b in reliability(confidences, right)] == [0.3, 0.9]
    assert expected_calibration_error(confidences, right) == pytest.approx(0.5 * 0.3)
    assert brier_score(confidences, right) == pytest.approx((9 * 0.01 + 0.81 + 3 * 0.16 + 7 * 0.36) / 20)
    assert brier_score([0.5, 0.5], [True, False]) == 0.25
    assert reliability([0.0, 1.0], [False, True])[0].low == 0
    assert expected_calibration_error([], []) is brier_score([], []) is None
    for measure in (expected_calibration_error, brier_score):
        with pytest.raises(ValueError, match="no probability"):
            measure([1.2], [True])
        with pytest.raises(ValueError, match="no probability"):
            measure([math.nan], [True])


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60))
def test_calibration_has_its_bounds(said: list[tuple[float, bool]]):
    confidences, right = zip(*said, strict=True)
    table = reliability(confidences, right)
    assert sum(b.n for b in table) == len(said)
    assert all(b.low - 1e-9 <= b.confidence <= b.high + 1e-9 for b in table)
    error = expected_calibration_error(confidences, right)
    assert error is not None
    # Of one bin it is the distance of the means, which more bins can only see better.
    assert abs(np.mean(confidences) - np.mean(right)) - 1e-9 <= error <= 1
    score = brier_score(confidences, right)
    assert score == pytest.approx(np.mean((np.array(confidences) - np.array(right)) ** 2))


def test_plausibility_of_the_toy_example():
    gold, predicted = [(2, 5), (7, 9)], [(3, 6), (7, 8)]
    tokens = token_overlap(gold, predicted)
    assert (tokens.precision, tokens.recall, tokens.f1) == pytest.approx((0.75, 0.6, 2 / 3))
    assert iou_overlap(gold, predicted).f1 == 1  # both overlap by exactly a half
    assert iou_overlap(gold, predicted, 0.51).f1 == 0


def test_two_spans_on_the_same_gold_span_do_not_recall_more_than_there_is():
    found = iou_overlap([(0, 10), (50, 60)], [(0, 6), (4, 10)])
    assert (found.precision, found.recall) == (1, 0.5)


def test_nothing_predicted_and_nothing_gold():
    assert token_overlap([], []).f1 == 1
    assert token_overlap([(0, 1)], []) == Overlap(0, 0, 0, 1)
    assert token_overlap([(0, 1)], []).f1 == token_overlap([], [(0, 1)]).f1 == 0


def test_micro_adds_and_macro_averages():
    one, two = token_overlap([(0, 4)], [(0, 1)]), token_overlap([(0, 1)], [(0, 4)])
    whole = micro([one, two])
    assert (whole.precision, whole.recall) == (2 / 5, 2 / 5)
    assert macro([one, two]) == pytest.approx((0.625, 0.625, 0.625))
    assert macro([]) is None
    assert micro([]) == Overlap(0, 0, 0, 0)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=1, max_size=40))
def test_average_precision_is_that_of_another_implementation(drawn: list[tuple[int, bool]]):
    metrics = other("sklearn.metrics")
    scores, gold = zip(*drawn, strict=True)
    found = average_precision(scores, gold)
    assert found == (pytest.approx(metrics.average_precision_score(gold, scores)) if any(gold) else None)


def additive(weights: Sequence[float]):
    """Whoever answers by the sum of known weights."""
    return lambda stays: 1 / (1 + math.exp(-sum(w for w, s in zip(weights, stays, strict=True) if s)))


def test_faithfulness_of_an_additive_answerer_is_analytic():
    weights = [3.0, -0.5, 0.25, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    p = additive(weights)
    full = 1 / (1 + math.exp(-4.75))
    found = faithfulness(p, weights, bins=(0.1, 0.2))
    without = [1 / (1 + math.exp(-1.75)), 1 / (1 + math.exp(0.25))]
    alone = [1 / (1 + math.exp(-3)), 1 / (1 + math.exp(-5))]
    assert found.comprehensiveness == pytest.approx(sum(full - w for w in without) / 2)
    assert found.sufficiency == pytest.approx(sum(full - a for a in alone) / 2)
    assert comprehensiveness(0.9, 0.9) == 0  # nothing was taken out
    assert sufficiency(0.9, 0.9) == 0  # everything was left
    assert faithfulness(p, weights, bins=(1.0,)).sufficiency == 0
    assert faithfulness(p, weights, bins=(1.0,)).comprehensiveness == pytest.approx(full - 0.5)
    with pytest.raises(ValueError, match="token"):
        faithfulness(p, [])


def test_faithfulness_takes_the_share_that_is_meant():
    seen: list[int] = []

    def probability(stays: Sequence[bool]) -> float:
        seen.append(sum(stays))
        return 0.5

    faithfulness(probability, [1.0] * 30)
    assert seen == [30, 29, 1, 28, 2, 27, 3, 24, 6, 15, 15]
    seen.clear()
    faithfulness(probability, [1.0] * 100, bins=(0.07,))  # a little more than 7 in floating point
    assert seen == [100, 93, 7]


def test_scores_that_point_at_what_counts_are_more_faithful():
    rng = random.Random(1)
    for _ in range(20):
        weights = [rng.random() * 2 for _ in range(40)]
        right, turned = faithfulness(additive(weights), weights), faithfulness(additive(weights), [-w for w in weights])
        assert right.comprehensiveness > turned.comprehensiveness
        assert right.sufficiency < turned.sufficiency


def test_diversity_in_closed_form():
    assert distinct_n(["a b a b a"], 2) == 2 / 4
    assert distinct_n(["a b", "a b", "c"], 2) == 1 / 2  # no n-gram runs over two texts
    assert distinct_n(["a b c", "a b c"], 1) == 3 / 6
    assert distinct_n(["a"], 2) is distinct_n([], 2) is None
    assert embedding_spread([[1, 0], [0, 1], [0, 5]]) == pytest.approx(2 / 3)
    assert embedding_spread([[1, 0], [-2, 0]]) == pytest.approx(2)
    assert embedding_spread([[1, 1], [2, 2]]) == pytest.approx(0)
    assert embedding_spread([[1, 0]]) is embedding_spread([]) is vendi_score([]) is None
    assert vendi_score(np.eye(4)) == pytest.approx(4)
    assert vendi_score([[1, 0], [1, 0], [3, 0]]) == pytest.approx(1)
    assert vendi_score([[1, 0], [1, 0], [0, 1], [0, 1]]) == pytest.approx(2)
    assert vendi_score([[1, 0], [1, 0], [0, 1]]) == pytest.approx(
        math.exp(-(2 / 3 * math.log(2 / 3) + 1 / 3 * math.log(1 / 3)))
    )
    with pytest.raises(ValueError, match="zero"):
        embedding_spread([[0, 0], [1, 0]])
    assert compression_ratio([]) is None
    assert compression_ratio(["x"]) == len(b"x") / len(gzip.compress(b"x", mtime=0))


def test_spread_is_the_mean_over_all_pairs():
    rows = np.random.default_rng(1).normal(size=(30, 7))
    units = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    by_definition = [1 - units[i] @ units[j] for i in range(30) for j in range(i)]
    assert embedding_spread(rows) == pytest.approx(np.mean(by_definition))
    assert vendi_score(rows) == pytest.approx(vendi_score(np.pad(rows, ((0, 0), (0, 60)))))


def test_repetition_is_seen():
    words = [f"w{i}" for i in range(500)]
    rng = random.Random(1)
    various = [" ".join(rng.choices(words, k=30)) for _ in range(50)]
    alike = [f"{various[0]} {i}" for i in range(50)]
    assert compression_ratio(alike) > 5 * compression_ratio(various)
    assert distinct_n(alike) < 0.2
    assert distinct_n(various) > 0.9


def test_trace_error_of_solvers_with_known_error_rates():
    """T steps, each wrong with e; a wrong trace ends right with l: of right answers (1-(1-e)^T) l / right are lucky."""
    steps, wrong, lucky = 5, 0.05, 0.2
    rng = random.Random(7)
    traces = [[rng.random() >= wrong for _ in range(steps)] for _ in range(40_000)]
    ends = [all(t) or rng.random() < lucky for t in traces]
    spoilt = 1 - (1 - wrong) ** steps
    right = 1 - spoilt + spoilt * lucky
    assert right == pytest.approx(0.8190, abs=5e-5)
    assert spoilt * lucky / right == pytest.approx(0.0552, abs=5e-5)
    assert trace_error(ends, traces) == pytest.approx(0.0552, abs=0.005)
    assert trace_error([True, True, False], [[True], [False], [False]]) == 0.5
    assert trace_error([False], [[False]]) is None


def test_purity_and_its_interval():
    found = purity([True] * 10 + [False] * 10, [True] * 8 + [False] * 2 + [True] * 2 + [False] * 8)
    assert (found.kept, found.purity, found.recall) == (10, 0.8, 0.8)
    assert (found.low, found.high) == pytest.approx((0.4902, 0.9433), abs=1e-4)  # Wilson's, for 8 of 10
    assert purity([False], [True]) is None
    assert purity([True], [False]).recall is None
    assert purity([True] * 5, [True] * 5).high == 1


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


@pytest.mark.data
def test_judges_of_published_verdicts(data: Path):
    """On real verdicts the measures agree with what is known of them: people agree with themselves, chance does not."""
    rows = rows_of(data / "big_bench_mistake.jsonl")
    ends = [str(r["answer"]).strip() == str(r["target"]).strip() for r in rows]
    steps = [[r["mistake_index"] is None or i < r["mistake_index"] for i in range(len(r["steps"]))] for r in rows]
    share = trace_error(ends, steps)
    by_hand = sum(e and r["mistake_index"] is not None for e, r in zip(ends, rows, strict=True)) / sum(ends)
    assert share == pytest.approx(by_hand)
    assert 0 < share < 0.5
    marks = [[0 if r["mistake_index"] is None else 1, int(not e)] for r, e in zip(rows, ends, strict=True)]
    a, b = zip(*marks, strict=True)
    assert cohen_kappa(a, b) > 0.3
    shuffled = random.Random(1).sample(b, len(b))
    assert abs(cohen_kappa(a, shuffled)) < 0.15
    # Two judges, two labels: alpha is kappa with pooled margins, n/(n-1) apart.
    assert krippendorff_alpha(marks, "nominal") == pytest.approx(
        fleiss_kappa(marks) + (1 - fleiss_kappa(marks)) / (2 * len(marks))
    )


@pytest.mark.data
def test_human_rationales_are_less_repetitive_than_samples_of_one_problem(data: Path):
    human = [r["answer"] for r in rows_of(data / "gsm8k_train.jsonl")[:40]]
    samples = rows_of(data / "date_40_samples.jsonl")[0]["completions"]
    assert compression_ratio(samples) > 2 * compression_ratio(human)
    assert distinct_n(samples) < distinct_n(human)


def test_quadratic_weighted_kappa_has_its_closed_forms():
    assert quadratic_weighted_kappa([0, 1, 2, 3], [0, 1, 2, 3]) == 1
    assert quadratic_weighted_kappa([0, 1, 2, 3], [3, 2, 1, 0]) == -1
    assert quadratic_weighted_kappa([0, 0, 1, 1], [0, 1, 0, 1]) == 0
    assert quadratic_weighted_kappa([0, 0, 3, 3], [0, 1, 2, 3]) == pytest.approx(1 - 2 / 4 / ((2 * 14 + 2 * 14) / 16))
    assert quadratic_weighted_kappa([1, 1], [1, 1]) is None
