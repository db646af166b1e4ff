"""Facility location and k-centre: against the optimum found by trying all, and as the corpus step `select_diverse`."""

from __future__ import annotations

import itertools
import random
import tracemalloc
from math import e
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from corpus_view import View
from hypothesis import given, settings
from support import ask, run, sums, yaml_file

from synth.corpus import choose
from synth.corpus.choose import SelectDiverse
from synth.corpus.coverage import (
    Vectors,
    Words,
    covered,
    facility_location,
    k_centre,
    meanings,
    nearest_chosen,
    word_sketches,
)
from synth.errors import UserError
from synth.models import ScriptedModel, World
from synth.pipeline import read_pipeline

points = st.lists(st.tuples(st.floats(-1, 1), st.floats(-1, 1)), min_size=2, max_size=9)


def vectors(given_points) -> Vectors:
    made = np.array([[x, y, 0.3] for x, y in given_points], dtype=np.float32)
    return Vectors(made / np.linalg.norm(made, axis=1, keepdims=True))


def matrix(likeness) -> np.ndarray:
    return likeness.between(range(len(likeness)), likeness)


@settings(deadline=None)
@given(points, st.integers(1, 5), st.sampled_from([0.0, 0.4, 1.0]), st.randoms(use_true_random=False))
def test_coverage_is_within_its_bound_of_the_optimum(given_points, keep, quality, rng):
    likeness = vectors(given_points)
    n = len(likeness)
    keep = min(keep, n)
    good = [rng.random() for _ in range(n)]
    alike = matrix(likeness).clip(0)

    def objective(chosen) -> float:
        chosen = list(chosen)
        return (1 - quality) * alike[:, chosen].max(axis=1).mean() + quality * sum(good[i] for i in chosen) / keep

    chosen = facility_location(likeness, keep, clients=range(n), goodness=good, quality=quality, order=range(n))
    assert len(set(chosen)) == keep
    best = max(map(objective, itertools.combinations(range(n), keep)))
    assert objective(chosen) >= (1 - 1 / e) * best - 1e-6
    # And it is what greedy choice without laziness gives, but for what is equal by rounding.
    greedy: list[int] = []
    for one in chosen:
        most = max(objective([*greedy, i]) for i in range(n) if i not in greedy) if greedy or n else 0
        assert objective([*greedy, one]) >= most - 1e-6
        greedy.append(one)


@settings(deadline=None)
@given(points, st.integers(1, 5))
def test_the_radius_of_a_spread_is_at_most_twice_the_least(given_points, keep):
    likeness = vectors(given_points)
    n = len(likeness)
    keep = min(keep, n)
    apart = np.sqrt((2 - 2 * matrix(likeness)).clip(0))  # of vectors of length 1, Euclidean

    def radius(chosen) -> float:
        return apart[:, list(chosen)].min(axis=1).max()

    chosen = k_centre(likeness, keep, goodness=[0] * n, order=range(n))
    assert chosen[0] == 0
    assert len(set(chosen)) == keep
    assert radius(chosen) <= 2 * min(map(radius, itertools.combinations(range(n), keep))) + 2e-3


def kinds(n: int, seed: int = 1) -> list[str]:
    """Texts of which the k-th kind has about a half of what is left, of words of its own."""
    rng = random.Random(seed)
    made = []
    for _ in range(n):
        k = min(int(rng.expovariate(0.7)), 5)
        made.append(" ".join(f"k{k}w{rng.randrange(30)}" for _ in range(25)))
    return made


@pytest.mark.parametrize("like", ["words", "meaning"])
def test_what_is_chosen_covers_better_and_spreads_wider_than_chance(like: str):
    texts = kinds(400)
    likeness = word_sketches(texts, 1) if like == "words" else meanings(texts)
    n, rng = len(texts), random.Random(2)
    order, good = list(range(n)), [0.0] * n
    at_random = [rng.sample(order, 12) for _ in range(20)]
    most = facility_location(likeness, 12, clients=order, goodness=good, order=order)
    widest = k_centre(likeness, 12, goodness=good, order=order)

    def radius(chosen) -> float:
        return 1 - nearest_chosen(likeness, chosen)[1].min()

    assert covered(likeness, most) > max(covered(likeness, c) for c in at_random)
    assert covered(likeness, most) > covered(likeness, widest)
    assert radius(widest) <= min(radius(c) for c in at_random)


def test_similarity_of_sketches_is_that_of_their_words():
    texts = ["a b c d e f", "a b c d e f", "g h i j k l", "", "a b c x y z"]
    alike = matrix(word_sketches(texts, 1))
    assert alike[0, 1] == 1
    assert alike[0, 2] == 0
    assert alike[0, 4] == pytest.approx(3 / 9, abs=0.15)
    assert alike[3, 0] == 0


def test_meanings_are_alike_where_words_are_not():
    texts = [
        "How many goats does she own?",
        "What is the number of goats she has?",
        "The train leaves at noon.",
        "",
        "\ud800",
    ]
    alike = matrix(meanings(texts))
    assert alike[0, 1] > 0.5 > alike[0, 2]
    assert not alike[3].any()
    assert np.isfinite(alike).all()
    assert len(meanings([])) == len(word_sketches([], 2)) == 0


def test_no_more_than_some_rows_of_similarities_are_in_memory():
    rng = np.random.default_rng(1)
    n = 6000
    likeness = Words(rng.integers(0, 6, (128, n)).astype(np.uint16))
    tracemalloc.start()
    facility_location(likeness, 5, clients=range(0, n, 3), goodness=[0.0] * n, order=range(n))
    nearest_chosen(likeness, range(50))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < n * n  # a quarter of what all against all would take


def out_of(step: SelectDiverse, view: View) -> set[str]:
    return {r.target for r in step.run(view)}


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.text("ab ", max_size=12), min_size=4, max_size=80),
    st.integers(1, 4),
    st.sampled_from(["k_center", "facility_location"]),
    st.sampled_from([0.0, 0.5]),
    st.integers(0, 3),
)
def test_so_many_are_kept_whatever_their_order(texts, keep, aim, quality, seed):
    step = SelectDiverse(name="d", keep=keep, objective=aim, shingle=1, seed=seed, best="length", quality=quality)
    view = View(texts)
    out = out_of(step, view)
    assert len(out) == max(len(texts) - keep, 0)
    view.records.reverse()
    view.rows = view.rows[::-1]
    assert out_of(step, view) == out  # equals are told apart by their ids, not by where they stand


def test_equal_texts_of_equal_worth_are_chosen_by_seed_and_id():
    view = View(["the same words"] * 30)
    chosen = set()
    for seed in range(12):
        for aim in ("k_center", "facility_location"):
            step = SelectDiverse(name="d", keep=1, objective=aim, seed=seed)
            (one,) = {r.id for r in view.records} - out_of(step, view)
            chosen.add(one)
    assert 6 < len(chosen) <= 12


def test_a_sample_is_covered_where_there_are_many(monkeypatch: pytest.MonkeyPatch):
    texts = kinds(900)
    view = View(texts)
    likeness = word_sketches(texts, 1)

    def coverage() -> float:
        out = out_of(SelectDiverse(name="d", keep=10, objective="facility_location", shingle=1), view)
        return covered(likeness, [i for i, r in enumerate(view.records) if r.id not in out])

    whole = coverage()
    seen = []
    real = choose.facility_location
    monkeypatch.setattr(choose, "TO_COVER", 200)
    monkeypatch.setattr(choose, "facility_location", lambda *a, **k: seen.append(len(k["clients"])) or real(*a, **k))
    assert coverage() > 0.93 * whole
    assert seen == [200]


def test_a_rejection_names_who_stands_for_it():
    texts = ["red apples are sweet", "red apples are sweet today", "the moon is far away", "the moon is far"]
    (a, b) = SelectDiverse(name="d", keep=2, objective="facility_location", shingle=1, best="length").run(View(texts))
    assert a.rule == "not among the 2 chosen for facility location"
    assert {a.target, b.target, a.observed["nearest"], b.observed["nearest"]} == {f"r0000{i}" for i in range(4)}
    assert 0.5 < a.observed["similarity"] < 1
    assert a.observed["length"] == len(texts[int(a.target[1:])])
    assert SelectDiverse(name="d", keep=5).run(View(texts)) == ["5 asked for, and there are 4: all of them stay"]
    assert SelectDiverse(name="d", keep=4).run(View(texts)) == []
    assert SelectDiverse(name="d", keep=4, objective="facility_location").run(View([])) == [
        "4 asked for, and there are 0: all of them stay"
    ]


def test_scores_that_are_equal_or_missing_weigh_the_same():
    """The quality of a record is its rank; equals share theirs, and no score is the least."""
    ranks = [(False, -2.0, "x"), (False, -1.0, "b"), (False, -1.0, "a"), (True, 0.0, "c"), (False, -1.0, "d")]
    assert choose._goodness(ranks) == [1.0, 0.5, 0.5, 0.0, 0.5]


async def test_a_run_keeps_what_covers_it_by_meaning(tmp_path: Path):
    made = yaml_file(
        tmp_path / "p.yaml",
        """
        pipeline: my/p
        steps:
          - {step: generate}
        corpus:
          - {step: select_diverse, target: problem, keep: 7, objective: facility_location, similarity: embedding, best: problem.question | length, quality: 0.2}
        """,
    )
    await run(made, sums(tmp_path / "in.jsonl", 20), tmp_path / "run", ScriptedModel(World()))
    assert ask(tmp_path / "run", "SELECT count(*) FROM kept_problems") == [(7,)]
    assert ask(tmp_path / "run", "SELECT count(DISTINCT observed->>'nearest') <= 7, count(*) FROM rejections") == [
        (True, 13)
    ]


def test_what_is_not_installed_is_reported_with_its_fix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(choose, "find_spec", lambda _: None)
    path = yaml_file(
        tmp_path / "p.yaml",
        "pipeline: my/p\nsteps:\n  - {step: generate}\ncorpus:\n  - {step: select_diverse, keep: 3, similarity: embedding, shingle: 3}\n",
    )
    with pytest.raises(UserError) as error:
        read_pipeline(str(path)).checked()
    assert "pip install 'synth-rationales[curate]'" in str(error.value)
    assert "embeddings have no shingles" in str(error.value)
