"""Near-duplicates by what texts mean."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from support import ask, run, write_rows, yaml_file

from synth.corpus import duplicates
from synth.corpus.coverage import meanings
from synth.corpus.meaning import near_duplicates_in_meaning, near_ones
from synth.errors import UserError
from synth.models import ScriptedModel, World
from synth.pipeline import read_pipeline


def unit_vectors(n: int, kinds: int, seed: int = 1) -> np.ndarray:
    """Of so many kinds, whose members have a cosine of about 0.95, and of different kinds about 0."""
    rng = np.random.default_rng(seed)
    made = rng.normal(size=(kinds, 64))[rng.integers(0, kinds, n)] + 0.22 * rng.normal(size=(n, 64))
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("exact", [10**6, 0])
def test_what_is_out_is_like_one_that_stays_and_what_stays_is_unlike_the_rest(exact):
    vectors = unit_vectors(1500, 300)
    vectors[7] = 0
    vectors[900:1000] = vectors[900]
    order = np.random.default_rng(2).permutation(1500)
    out = near_ones(vectors, 0.9, order=order, exact=exact)
    gone = {d.item for d in out}
    stay = [i for i in range(1500) if i not in gone]
    assert 7 in stay
    assert not gone & {d.keeper for d in out}
    place = np.argsort(order)
    assert all(place[d.keeper] < place[d.item] for d in out)
    cosine = vectors @ vectors.T
    assert all(
        d.similarity == pytest.approx(cosine[d.item, d.keeper], abs=1e-5) and d.similarity >= 0.9 - 1e-5 for d in out
    )
    left = cosine[np.ix_(stay, stay)] - np.eye(len(stay))
    missed = int((left.max(axis=1) >= 0.9).sum())
    assert missed == 0 if exact else missed <= 0.01 * len(stay)
    assert 290 <= len(stay) < 900


def test_no_chain_ties_together_what_is_unlike():
    """Each is like its neighbours alone: every third stays, not one of all."""
    angle = np.arange(30) * np.radians(25)
    ring = np.column_stack([np.cos(angle), np.sin(angle)])[:14].astype(np.float32)  # 14 * 25 < 360
    out = near_ones(ring, np.cos(np.radians(30)), order=np.arange(14))
    assert [d.item for d in out] == [1, 3, 5, 7, 9, 11, 13]
    assert [d.keeper for d in out] == [0, 2, 4, 6, 8, 10, 12]


def test_priority_decides_and_empty_texts_are_like_nothing():
    texts = ["", "The cat sat on the mat.", "On the mat the cat sat.", " ", "Interest rates rose in May.", "\ud800"]
    (first,) = near_duplicates_in_meaning(texts, threshold=0.9)
    assert (first.item, first.keeper) == (2, 1)
    (best,) = near_duplicates_in_meaning(texts, threshold=0.9, priority=[0, 1, 2, 0, 0, 0])
    assert (best.item, best.keeper) == (1, 2)


def test_of_questions_a_model_rephrased_as_many_are_found_as_is_said(data: Path):
    """The figures of docs/curation.md and of the step's own description."""
    rows = [json.loads(line) for line in (data / "contam_gsm8k_rephrased.jsonl").read_text().splitlines()]
    others = [json.loads(line)["question"] for line in (data / "gsm8k_train.jsonl").read_text().splitlines()]
    question = [r["question"] for r in rows]
    again = [re.sub(r"^Question:\s*", "", r["rephrased"]).split("\nAnswer")[0].strip() for r in rows]
    asked, said = meanings([*question, *others]).vectors, meanings(again).vectors
    cosine = (asked[: len(rows)] * said).sum(axis=1)
    assert len(rows) == 420
    assert {t: round(float((cosine >= t).mean()), 2) for t in (0.75, 0.8, 0.85, 0.9)} == {
        0.75: 0.85,
        0.8: 0.76,
        0.85: 0.6,
        0.9: 0.32,
    }
    among = (asked @ asked.T)[np.triu_indices(len(asked), 1)]
    assert len(among) == 870_540
    assert [int((among >= t).sum()) for t in (0.75, 0.8, 0.85, 0.9)] == [24, 5, 2, 1]


async def test_a_run_puts_out_what_says_the_same_in_other_words(tmp_path: Path):
    made = yaml_file(
        tmp_path / "p.yaml",
        "pipeline: my/p\nsteps: [{step: generate}]\ncorpus: [{step: near_duplicates, target: problem, similarity: embedding, keep: longest}]\n",
    )
    questions = [
        "James decides to run 3 sprints 3 times a week. He runs 60 meters each sprint. How many meters does he run a week?",
        "James chooses to do 3 sprints 3 times a week, and he runs 60 meters in each sprint. How many total meters does he run every week?",
        "A bakery sells 12 cakes and 30 rolls. What is the price of all of them, if each costs 2 dollars?",
    ]
    rows = [{"question": q, "answer": "540"} for q in questions]
    await run(made, write_rows(tmp_path / "in.jsonl", rows), tmp_path / "run", ScriptedModel(World()))
    ((rule, out, keeper, similarity),) = ask(
        tmp_path / "run",
        """SELECT r.rule, p.question, q.question, (r.observed->>'similarity')::DOUBLE FROM rejections r
           JOIN problems p ON p.id = r.target JOIN problems q ON q.id = r.observed->>'duplicate_of'""",
    )
    assert (rule, out, keeper) == ("near-duplicate in meaning, cosine >= 0.85", questions[0], questions[1])
    assert 0.85 <= similarity < 1


def test_options_that_do_not_go_together_are_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(duplicates, "find_spec", lambda _: None)
    path = yaml_file(
        tmp_path / "p.yaml",
        """
        pipeline: my/p
        steps:
          - {step: generate}
        corpus:
          - {step: near_duplicates, name: a, similarity: embedding, shingle: 3}
          - {step: near_duplicates, name: b, engine: numba}
          - {step: near_duplicates, name: c, threshold: 0}
        """,
    )
    with pytest.raises(UserError) as error:
        read_pipeline(str(path)).checked()
    told = str(error.value)
    assert "pip install 'synth-rationales[curate]'" in told
    assert "shingle is of shingles, and embeddings have none" in told
    assert "pip install 'synth-rationales[fast]'" in told
    assert f"{path}:7" in told
    assert "threshold" in told.split(f"{path}:7")[1]
