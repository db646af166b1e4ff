from __future__ import annotations

import random
import unicodedata
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
from synth.models import ScriptedModel, World

ENGINES = ["numpy", "numba", "datasketch"]


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


@pytest.mark.parametrize(
    "unseen", ["\u200b", "\u200d", "\u2060", "\ufeff", "\u00ad", "\u200f", "\u202e", "\ufe0f", "\U000e0041"]
)
def test_a_copy_cannot_hide_behind_what_nobody_sees(unseen: str):
    """Texts that look the same have the same words: composed or not, and with characters without width in them."""
    text = "Le caf\u00e9 co\u00fbte 3 \u20ac; how much are 4 caf\u00e9s?"
    hidden = unicodedata.normalize("NFD", text).replace("o", f"o{unseen}").replace(" ", f"{unseen} ")
    assert hidden != text
    assert normalise(hidden) == normalise(unicodedata.normalize("NFD", text)) == normalise(text)
    assert shingle_set(hidden, 2) == shingle_set(text, 2)


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


SIGNS = "+-*/^_=<>%$!|()[]&~.:#'"
tricky = (
    st.text(st.sampled_from("ab1 _.,-é日本😀ßﬁ\n\ud800‘\x00"), max_size=40)
    | st.text(st.sampled_from("x12 aπ²−½" + SIGNS), max_size=40)
    | st.text(max_size=30)
)


@settings(deadline=None)
@given(st.lists(tricky, max_size=12), st.integers(1, 7), st.sampled_from(["word", "char"]))
def test_hashes_stand_for_the_very_sets(texts, size, unit):
    """Two shingles have one hash when and only when they are the same, in any company."""
    hashed = hash_shingles(texts, size, unit)
    of: dict[object, int] = {}
    twice = hash_shingles(texts, size, unit, compiled=True)
    assert np.array_equal(twice.hashes, hashed.hashes)
    assert np.array_equal(twice.starts, hashed.starts)
    assert np.array_equal(sketch(twice, 20, 1, compiled=True), sketch(hashed, 20, 1))
    for i, text in enumerate(texts):
        sets = shingle_set(text, size, unit)
        hashes = {int(h) for h in hashed.hashes[hashed.starts[i] : hashed.starts[i + 1]]}
        assert len(hashes) == len(sets)
        alone = hash_shingles([text], size, unit)
        assert {int(h) for h in alone.hashes} == hashes
        if unit == "word":
            words = normalise(text)
            in_order = [words[k : k + size] for k in range(max(1, len(words) - size + 1))] if words else []
            own = hashed.hashes[hashed.starts[i] : hashed.starts[i + 1]].tolist()
            for one, digest in zip(in_order, own, strict=True):
                assert of.setdefault(one, digest) == digest
    assert len(set(of.values())) == len(of)


def test_long_words():
    long = ["x" * n for n in (7, 8, 9, 16, 17, 255, 256, 257, 5000)]
    hashed = hash_shingles(long, 1)
    assert len(np.unique(hashed.hashes)) == len(long)
    assert np.array_equal(hash_shingles(long, 1, compiled=True).hashes, hashed.hashes)


FILLER = [f"filler number {i} of the kind that is like no other {i * i} {i * 3} {i + 7}" for i in range(80)]


@pytest.mark.parametrize("engine", ["numpy", "numba"])
def test_one_giant_document_beside_small_ones(engine):
    numbers = list(map(str, range(300_000)))
    large, most = " ".join(numbers), " ".join(numbers[:-30_000])
    giant = "\n".join([large] * 11)
    assert len(giant) > 20_000_000
    found = near_duplicate_pairs([*FILLER, giant, "", large, most], engine=engine)
    # The repetition adds the four shingles across its seam.
    n = 300_000 - 4
    assert found == [(80, 82, n / (n + 4)), (80, 83, (n - 30_000) / (n + 4)), (82, 83, (n - 30_000) / n)]


@pytest.mark.parametrize("engine", ["numpy", "numba"])
def test_a_shingle_repeated_a_million_times_is_one(engine):
    giant = "again " * 1_000_004
    found = near_duplicate_pairs([*FILLER, giant, giant + "and", "again " * 9 + "and"], threshold=0.4, engine=engine)
    # {aaaaa} is half of {aaaaa, aaaa+and}, which the third has too.
    assert found == [(80, 81, 0.5), (80, 82, 0.5), (81, 82, 1.0)]


def test_threshold_one_is_the_same_words_in_the_same_order():
    texts = ["a b a", "A, b… a!", "a b", "b a a", "", "a b a b a"]
    assert near_duplicate_pairs(texts, threshold=1, shingle=2) == [(0, 1, 1.0)]
    rng = random.Random(3)
    texts = [" ".join(rng.choices("abc", k=rng.randrange(5))) for _ in range(500)]
    found = {(i, j) for i, j, _ in near_duplicate_pairs(texts, threshold=1, shingle=2)}
    firsts = [texts.index(t) for t in texts]
    assert found == {(first, i) for i, first in enumerate(firsts) if first != i and texts[i]}


@pytest.mark.parametrize("engine", ["numpy", "numba"])
def test_other_scripts_and_broken_unicode_are_texts_like_others(engine):
    """Of each kind a text, a copy with one sign changed, and another; nothing of one kind is taken for another."""
    base = {
        "chinese": "小明有五个苹果他又买了三个苹果现在一共有几个苹果呢请你算一算再回答这个问题好不好",
        "arabic": "كان لدى أحمد خمس تفاحات ثم اشترى ثلاث تفاحات أخرى فكم تفاحة لديه الآن يا ترى في المجموع كله",
        "emoji": "🍎 🍎 🍌 🍇 🍉 🍓 🍒 🍑 🥭 🍍 🥥 🥝 🍅 🥑 🍆 🥔 🥕 🌽 🌶 🥒 🥬 🥦 🧄 🧅",
        "combining": " ".join(f"e\u0301tude{i} cafe\u0301{i}" for i in range(14)),
        "surrogate": " ".join(f"broken\ud800{i} text\udfff{i}" for i in range(14)),
    }
    texts = [*FILLER]
    for one in base.values():
        texts += [one, one[:-1] + "9"]
    found = near_duplicate_pairs(texts, threshold=0.6, shingle=2, engine=engine)
    assert [(i, j) for i, j, _ in found] == [(80, 81), (82, 83), (84, 85), (86, 87), (88, 89)]
    composed = base["combining"].replace("e\u0301", "é")
    assert near_duplicate_pairs([base["combining"], composed], threshold=1) == [(0, 1, 1.0)]


def test_texts_in_pieces_of_any_size_are_the_same_compiled():
    rng = random.Random(5)
    texts = [
        "".join(rng.choices("ab  \n.é日x" + "z" * rng.choice([0, 9, 40]), k=rng.randrange(700))) for _ in range(300)
    ]
    for size in (1, 2, 5):
        plain, fast = hash_shingles(texts, size), hash_shingles(texts, size, compiled=True)
        assert np.array_equal(plain.hashes, fast.hashes)
        assert np.array_equal(plain.starts, fast.starts)
        assert len(plain.hashes) > 1000
        assert np.array_equal(sketch(plain, 30, 2), sketch(fast, 30, 2, compiled=True))


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
    texts = ["the very same text of seven words"] * 100_000
    pairs = near_duplicate_pairs(texts)
    assert len(pairs) == 99_999
    out = near_duplicates(texts, priority=[0.0] * 7 + [1.0] + [0.0] * 99_992)
    assert len(out) == 99_999
    assert {(d.keeper, d.similarity) for d in out} == {(7, 1.0)}


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
        *FILLER,
    ]
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
          - {step: generate}
        corpus:
          - {step: near_duplicates, name: same_question, target: problem, threshold: 0.6}
          - {step: near_duplicates, name: same_rationale, threshold: 0.8}
        """,
    )
    twin = "We know that 3 + 4 = 7, and so it goes on and on until the end.\nThe answer is 9."
    script = lambda request, rng: twin if "goats" in request.task.problem.question else World()(request, rng)  # noqa: E731
    await run(made, write_rows(tmp_path / "in.jsonl", rows), tmp_path / "run", ScriptedModel(script))
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
        "pipeline: my/near\nsteps:\n  - {step: generate}\ncorpus:\n  - {step: near_duplicates, threshold: 0.8}\n",
    )
    same = "It is the same for all of them, whatever they ask of it.\nThe answer is 9."
    rows = [{"question": f"Number {i}?", "answer": "9"} for i in range(4)]
    path = write_rows(tmp_path / "in.jsonl", rows)
    model = ScriptedModel(lambda _request, _rng: same)
    for limit in (2, 4, 4):
        await run(made, path, tmp_path / "run", model, limit=limit)
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


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Compute 12 + 7.", "Compute 12 * 7."),
        ("Compute 12 + 7.", "Compute 12 - 7."),
        ("Compute 12 / 7.", "Compute 12 - 7."),
        ("Compute 12/7.", "Compute 12 7."),
        ("Compute 2**3.", "Compute 2*3."),
        ("Compute 7 % 2.", "Compute 7 // 2."),
        ("Is 3 < 5? Answer yes or no.", "Is 3 > 5? Answer yes or no."),
        ("Is 3 <= 5?", "Is 3 < 5?"),
        ("Expand (x+1)^2.", "Expand (x-1)^2."),
        ("Expand (a+b)*c.", "Expand a+(b*c)."),
        ("Take the root of n-1.", "Take the root of n+1."),
        ("Compute -12 / 4.", "Compute 12 / 4."),
        ("Compute (-12) / 4.", "Compute (12) / 4."),
        ("Simplify -x.", "Simplify x."),
        ("Simplify |x|.", "Simplify x."),
        ("Compute 5!", "Compute 5"),
        ("Compute n! for n = 4", "Compute n for n = 4"),
        ("What is 1.5 times 2?", "What is 15 times 2?"),
        ("What is .5 times 2?", "What is 5 times 2?"),
        ("Add 5% to 7.", "Add 5 to 7."),
        ("He has $5.", "He has 5."),
        ("What is x_1 + x_2?", "What is x1 + x2?"),
        ("Is p & q true?", "Is p | q true?"),
        ("Is ~p true?", "Is p true?"),
        ("Is it in [0, 1)?", "Is it in [0, 1]?"),
        ("Where is f'(x) zero?", "Where is f(x) zero?"),
        ("Divide it 3:4.", "Divide it 3 4."),
        ("Is C# older?", "Is C older?"),
        ("Is C++ older?", "Is C older?"),
        ("What is 10² times 2?", "What is 102 times 2?"),
        ("What is 2½ times 2?", "What is 21/2 times 2?"),
        ("What is π-1?", "What is π+1?"),
        ("小明有12-7个苹果", "小明有12+7个苹果"),
        ("Compute x−1.", "Compute x+1."),
    ],
)
def test_signs_that_say_something_are_words(one, other):
    assert normalise(one) != normalise(other)
    assert shingle_set(one, 3) != shingle_set(other, 3)
    for engine in ENGINES:
        assert near_duplicate_pairs([one, other, *FILLER], threshold=1, shingle=3, engine=engine) == []
    assert not np.array_equal(hash_shingles([one], 3).hashes, hash_shingles([other], 3).hashes)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("In New-York, covid-19 and x-rays.", "in new york covid 19 and x rays"),
        ("A well-known - and old - idea.", "a well known and old idea"),
        ("- 5 apples\n- 7 pears", "5 apples\n7 pears"),
        ("* 5 apples\n* 7 pears", "5 apples, 7 pears"),
        ("**Answer:** _red_ and *blue*", "Answer: red and blue"),
        ("Title\n=====\n---\nIs it?", "Title. Is it?"),
        ("Go!!! It is so: 'yes', \"no\".", "go it is so yes no"),
        ("He and/or she (see above) left.", "he and or she see above left"),
        ("a) Paris b) Rome", "a Paris b Rome"),
        ("Compute $12 + 7$.", "Compute 12+7"),
        ("Compute \\(12 + 7\\).", "Compute 12 + 7."),
        ("> He said so.", "He said so."),
        ("It is 5 − 3.", "It is 5 - 3."),
        ("It is 5–3.", "It is 5-3."),
        ("It is x².", "It is x^2."),
        ("What? No! I! Yes…", "what no i yes"),
    ],
)
def test_hyphens_punctuation_quotes_and_markup_are_none(one, other):
    assert normalise(one) == normalise(other)


def test_arithmetic_is_not_a_copy_of_other_arithmetic():
    """Fourteen questions that differ in a sign only are as many questions, to each engine."""
    texts = [f"What is {a} {sign} {b}?" for a, b in ((12, 7), (30, 4)) for sign in "+-*/%<>"]
    for engine in ENGINES:
        assert near_duplicate_pairs([*texts, *FILLER], threshold=0.7, shingle=3, engine=engine) == []
