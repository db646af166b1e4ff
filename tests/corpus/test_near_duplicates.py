from __future__ import annotations

from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from corpora import corpus, oracle
from hypothesis import given, settings
from support import ask, run, write_rows, yaml_file

from synth.corpus.minhash import band_keys, bands_for, sketch
from synth.corpus.near_duplicates import FEW, near_duplicate_pairs, near_duplicates
from synth.corpus.shingles import Hashed, hash_shingles, normalise, shingle_set
from synth.teachers import ScriptedTeacher, World

ENGINES = ["numpy", "datasketch"]


@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_found_is_true_and_nearly_all_is_found(engine):
    texts = list(dict.fromkeys(corpus(600)))
    assert len(texts) > FEW
    expected = oracle(texts, 0.7)
    found = {(i, j): s for i, j, s in near_duplicate_pairs(texts, threshold=0.7, engine=engine)}
    assert len(expected) > 60
    assert {k: pytest.approx(v) for k, v in found.items()} == {k: expected[k] for k in found}
    assert len(found) >= 0.98 * len(expected)
    surely = {k for k, s in expected.items() if s >= 0.85}
    assert surely <= set(found)


def test_case_and_punctuation_of_any_script_do_not_count_and_signs_do():
    assert normalise("Don’t “STOP” — go!") == normalise("don't 'stop' go") == ("don", "t", "stop", "go")
    assert normalise("日本。") == ("日", "本")
    assert normalise("a ≠ b 😀") == ("a", "≠", "b", "😀")
    assert normalise("ﬁne Straße") == normalise("fine STRASSE")


def test_the_bands_find_what_they_promise():
    for threshold in (0.5, 0.7, 0.8, 0.9):
        bands, rows = bands_for(threshold, 128)
        assert bands * rows <= 128
        assert 1 - (1 - threshold**rows) ** bands >= 0.98
    assert bands_for(0.8, 128) == (18, 7)


@pytest.mark.parametrize("similarity", [0.6, 0.8, 0.9])
def test_sketches_agree_as_often_as_sets_do_and_bands_find_what_theory_says(similarity):
    """Each permutation agrees with probability J, independently: mean, spread and shared bands are the binomial ones."""
    rng, pairs, size = np.random.default_rng(7), 1500, 180
    own = round(size * (1 - similarity) / (1 + similarity))
    similarity = (size - own) / (size + own)
    sets = [rng.integers(0, 2**64, size + own, dtype=np.uint64) for _ in range(pairs)]
    hashed = Hashed(
        np.concatenate([part for s in sets for part in (s[:size], s[own:])]), np.arange(2 * pairs + 1) * size
    )
    sketches = sketch(hashed, 126, seed=3)
    agree = (sketches[:, 0::2] == sketches[:, 1::2]).mean(axis=0)
    spread = (similarity * (1 - similarity) / 126) ** 0.5
    assert agree.mean() == pytest.approx(similarity, abs=4 * spread / pairs**0.5)
    assert agree.std() == pytest.approx(spread, rel=0.1)
    keys = band_keys(sketches, 18, 7)
    found = (keys[:, 0::2] == keys[:, 1::2]).any(axis=0).mean()
    expected = 1 - (1 - similarity**7) ** 18
    assert found == pytest.approx(expected, abs=4 * (expected * (1 - expected) / pairs) ** 0.5 + 1e-3)


tricky = st.text(st.sampled_from("ab1 _.,-é日本😀ßﬁ\n\ud800‘\x00"), max_size=40) | st.text(max_size=30)


@settings(deadline=None)
@given(st.lists(tricky, max_size=12), st.integers(1, 7), st.sampled_from(["word", "char"]))
def test_hashes_stand_for_the_very_sets(texts, size, unit):
    """Two shingles have one hash when and only when they are the same, in any company."""
    hashed = hash_shingles(texts, size, unit)
    of: dict[object, int] = {}
    for i, text in enumerate(texts):
        sets = shingle_set(text, size, unit)
        hashes = {int(h) for h in hashed.hashes[hashed.starts[i] : hashed.starts[i + 1]]}
        assert len(hashes) == len(sets)
        alone = hash_shingles([text], size, unit)
        assert {int(h) for h in alone.hashes} == hashes
        for one in sets:
            if unit == "word" and len(one) == size:
                by_itself = int(hash_shingles([" ".join(one)], size).hashes[0])
                assert of.setdefault(one, by_itself) == by_itself
                assert by_itself in hashes


def test_long_words_and_giant_texts():
    long = ["x" * n for n in (7, 8, 9, 16, 17, 255, 256, 257, 5000)]
    assert len(np.unique(hash_shingles(long, 1).hashes)) == len(long)
    giant = "again " * 300_000
    (pair,) = near_duplicate_pairs([giant, giant + "and again", "something else"], threshold=0.3, shingle=1)
    assert pair[:2] == (0, 1)


words = st.lists(st.sampled_from("abcdefg"), max_size=8).map(" ".join)


@settings(deadline=None)
@given(st.lists(words, max_size=20), st.sampled_from([0.3, 0.5, 0.8, 1.0]))
def test_few_texts_are_compared_exactly(texts, threshold):
    found = {(i, j): s for i, j, s in near_duplicate_pairs(texts, threshold=threshold, shingle=2)}
    expected = oracle(texts, threshold, 2)
    assert all(expected[pair] == pytest.approx(s) for pair, s in found.items())
    # Equal texts are tied to the first of them only; apart from that nothing is missing.
    sets = [shingle_set(t, 2) for t in texts]
    firsts = [i for i, s in enumerate(sets) if s and s not in sets[:i]]
    assert {p for p in expected if set(p) <= set(firsts)} == {p for p in found if set(p) <= set(firsts)}


@settings(deadline=None)
@given(st.lists(words, max_size=20), st.sampled_from([0.5, 1.0]))
def test_each_cluster_keeps_one_and_the_rest_name_it(texts, threshold):
    out = near_duplicates(texts, threshold=threshold, shingle=2)
    gone = {d.item for d in out}
    assert len(gone) == len(out)
    assert all(d.keeper not in gone and d.keeper < d.item for d in out)
    kept = [i for i in range(len(texts)) if i not in gone]
    left = near_duplicate_pairs([texts[i] for i in kept], threshold=threshold, shingle=2)
    assert not left  # what stays is unlike all else that stays


def test_priority_decides_who_stays():
    texts = ["one two three four five six", "one two three four five six", "other words are here now too"]
    (by_place,) = near_duplicates(texts)
    (by_priority,) = near_duplicates(texts, priority=[0.0, 2.0, 1.0])
    assert (by_place.item, by_place.keeper) == (1, 0)
    assert (by_priority.item, by_priority.keeper, by_priority.similarity) == (0, 1, 1.0)


def test_a_corpus_of_equal_texts_gives_one_and_no_quadratic_list():
    out = near_duplicates(["the very same text of seven words"] * 5000)
    assert len(out) == 4999
    assert {d.keeper for d in out} == {0}


@pytest.mark.parametrize("engine", ENGINES)
def test_hard_texts(engine):
    texts = [
        "",
        "   ",
        "…!?",
        "short",
        "short",
        "日本語の文章です。",
        "日本語の文章です",
        "emoji 😀",
        "emoji 😅",
        "\ud800 lone",
    ] + [f"filler number {i} of the kind that is like no other {i * i} {i * 3} {i + 7}" for i in range(80)]
    found = near_duplicate_pairs(texts, threshold=0.9, engine=engine)
    assert [(a, b) for a, b, _ in found] == [(3, 4), (5, 6)]
    with pytest.raises(ValueError, match="not in"):
        near_duplicate_pairs(texts, threshold=0)


async def test_the_corpus_step_names_the_record_and_the_similarity(tmp_path: Path):
    question = (
        "A farmer has seven goats and buys {} more at the market in the town of Elm on a rainy day, how many goats now?"
    )
    rows = [
        {"question": question.format("two"), "answer": "9"},
        {"question": question.format("two").replace("farmer", "keeper"), "answer": "9"},
        {"question": "What is the sum of one and one, if one is one?", "answer": "2"},
    ]
    made = yaml_file(
        tmp_path / "p.yaml",
        """
        pipeline: my/near
        steps:
          - {step: rationalize}
        corpus:
          - {step: near_duplicates, name: same_question, target: problem, threshold: 0.6}
          - {step: near_duplicates, name: same_rationale, threshold: 0.8}
        """,
    )
    twin = "We know that 3 + 4 = 7, and so it goes on and on until the end.\nThe answer is 9."
    script = lambda request, rng: twin if "goats" in request.task.problem.question else World()(request, rng)  # noqa: E731
    await run(made, write_rows(tmp_path / "in.jsonl", rows), tmp_path / "run", ScriptedTeacher(script))
    (row,) = ask(
        tmp_path / "run",
        """SELECT r.step, r.target_table, r.rule, r.observed->>'duplicate_of', (r.observed->>'similarity')::DOUBLE, r.target
           FROM rejections r""",
    )
    step, table, rule, twin_of, similarity, target = row
    assert (step, table, rule) == ("same_question", "problems", "near-duplicate, Jaccard >= 0.6")
    questions = dict(ask(tmp_path / "run", "SELECT id, question FROM problems"))
    assert {questions[target], questions[twin_of]} == {rows[0]["question"], rows[1]["question"]}
    a, b = shingle_set(questions[target], 5), shingle_set(questions[twin_of], 5)
    assert similarity == pytest.approx(len(a & b) / len(a | b), abs=1e-4)
    # The rationale of the problem that is out is out with it, and not compared again.
    assert ask(tmp_path / "run", "SELECT count(*) FROM kept_rationales") == [(2,)]
    assert ask(tmp_path / "run", "SELECT count(*) FROM kept_problems") == [(2,)]


async def test_more_units_are_judged_with_those_that_were_there(tmp_path: Path):
    """A corpus step looks at everything each time: what it said before is replaced, not added to."""
    made = yaml_file(
        tmp_path / "p.yaml",
        "pipeline: my/near\nsteps:\n  - {step: rationalize}\ncorpus:\n  - {step: near_duplicates, threshold: 0.8}\n",
    )
    same = "It is the same for all of them, whatever they ask of it.\nThe answer is 9."
    rows = [{"question": f"Number {i}?", "answer": "9"} for i in range(4)]
    path = write_rows(tmp_path / "in.jsonl", rows)
    teacher = ScriptedTeacher(lambda _request, _rng: same)
    for limit in (2, 4, 4):
        await run(made, path, tmp_path / "run", teacher, limit=limit)
        assert ask(tmp_path / "run", "SELECT count(*) FROM kept_rationales") == [(1,)]
        assert ask(tmp_path / "run", "SELECT count(*) FROM rejections") == [(limit - 1,)]


@pytest.mark.parametrize("n", [70, 3000])
def test_a_crowd_of_similar_texts_is_one_cluster_without_all_its_pairs(n):
    texts = [" ".join([f"w{k}" for k in range(100)] + [f"own{i}"]) for i in range(n)]
    pairs = near_duplicate_pairs(texts, threshold=0.8)
    assert len(near_duplicates(texts, threshold=0.8)) == n - 1
    assert len(pairs) < 18 * 20 * n


def test_texts_may_stay_where_they_are():
    """Gone through twice and never held: an object with a length that opens its rows anew each time."""
    texts = corpus(300)

    class Rows:
        opened = 0

        def __len__(self):
            return len(texts)

        def __iter__(self):
            Rows.opened += 1
            return iter(texts)

    assert near_duplicate_pairs(Rows()) == near_duplicate_pairs(texts)
    assert Rows.opened == 2


def test_small_chunks_in_threads_give_the_same(monkeypatch: pytest.MonkeyPatch):
    texts = corpus(400)
    whole = near_duplicate_pairs(texts, threshold=0.6)
    monkeypatch.setattr("synth.corpus.near_duplicates.CHUNK", 500)
    assert near_duplicate_pairs(texts, threshold=0.6) == whole
