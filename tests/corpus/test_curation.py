"""Corpus steps over a run: who is out, why, and that nothing else is."""

from __future__ import annotations

import itertools
import json
import random
from collections import Counter
from pathlib import Path
from textwrap import indent

import hypothesis.strategies as st
import pytest
from corpus_view import View, kept_of
from hypothesis import given, settings
from support import ask, run, sums, write_rows, yaml_file

from synth.corpus.choose import FilterRange, LimitPerGroup, SelectDiverse
from synth.corpus.coverage import meanings
from synth.corpus.decontaminate import Decontaminate
from synth.corpus.overlap import meaning_alike, resembling, shared_words, sharing_runs
from synth.corpus.rebalance import Rebalance
from synth.corpus.shingles import normalise
from synth.corpus.split import Split
from synth.errors import UserError
from synth.export import ExportOptions, export_run
from synth.models import ScriptedModel, World
from synth.pipeline import read_pipeline
from synth.reach import Reach


def pipeline(path: Path, *corpus: str) -> Path:
    lines = indent("\n".join(f"- {c}" for c in corpus), "  ")
    return yaml_file(path, f"pipeline: my/p\nsteps:\n  - {{step: generate}}\ncorpus:\n{lines}\n")


# --- overlap -----------------------------------------------------------------------------------------------------------

few_words = st.lists(st.sampled_from("abcde"), min_size=0, max_size=12).map(" ".join)


@settings(deadline=None)
@given(
    st.lists(few_words, max_size=8),
    st.lists(few_words, max_size=5),
    st.integers(1, 4),
    st.sampled_from([0.0, 0.3, 1.0]),
)
def test_shared_runs_are_those_of_the_definition(texts, items, run, containment):
    def runs(text: str, size: int) -> set:
        words = normalise(text)
        return {words[i : i + size] for i in range(len(words) - size + 1)}

    best: dict[int, float] = {}
    for i, text in enumerate(texts):
        for item in items:
            size = min(run, len(normalise(item)))
            if size and (both := runs(text, size) & runs(item, size)):
                share = len(both) / len(runs(item, size))
                if share >= containment:
                    best[i] = max(best.get(i, 0.0), share)
    found = {o.text: o for o in sharing_runs(texts, items, run=run, containment=containment)}
    assert {i: pytest.approx(o.share) for i, o in found.items()} == best
    for o in found.values():
        assert shared_words(texts[o.text], items[o.item], min(run, len(normalise(items[o.item]))))


def test_rephrasings_resemble_by_rare_words_in_any_order():
    items = [
        "A farmer called Wendi gives her chickens fifteen cups of feed in the morning.",
        "A pool in the garden leaks water at a rate of four gallons a minute.",
        "The train leaves the station in the morning with ninety people.",
    ]
    texts = [
        "In the morning the chickens of Wendi, a farmer, are given fifteen cups of their feed.",
        "In the morning a man in the garden.",
        "",
    ]
    (one,) = resembling(texts, items, cosine=0.5)
    assert (one.text, one.item) == (0, 0)
    (same,) = resembling([items[1]], items, cosine=1.0)
    assert (same.item, same.share) == (1, pytest.approx(1.0))


@settings(deadline=None, max_examples=30)
@given(st.lists(few_words, max_size=8), st.lists(few_words, max_size=4), st.sampled_from([0.3, 0.7, 1.0]))
def test_texts_alike_in_meaning_are_those_of_all_pairs(texts, items, cosine):
    alike = meanings(texts).vectors @ meanings(items).vectors.T
    wanted = {i: float(row.max()) for i, row in enumerate(alike) if len(items) and row.max() >= cosine - 1e-6}
    found = meaning_alike(texts, items, cosine=cosine)
    assert {o.text: pytest.approx(o.share, abs=1e-5) for o in found} == wanted
    assert all(alike[o.text, o.item] == pytest.approx(wanted[o.text], abs=1e-5) for o in found)


def test_many_short_texts_are_looked_at_some_at_a_time(monkeypatch: pytest.MonkeyPatch):
    texts = [f"how many goats has farmer {i}" for i in range(50)]
    whole = meaning_alike(texts, texts[::7], cosine=0.2)
    monkeypatch.setattr("synth.corpus.overlap._AT_ONCE", 7)
    monkeypatch.setattr("synth.corpus.near_duplicates.CHUNK", 200)
    for one, same in zip(meaning_alike(texts, texts[::7], cosine=0.2), whole, strict=True):
        assert one == (*same[:2], pytest.approx(same.share, abs=1e-5))
    assert [o.text for o in whole] == list(range(50))


def test_rephrased_questions_of_a_benchmark_are_found_and_others_left(data: Path):

    def data_rows(name: str) -> list[dict]:
        return [json.loads(line) for line in (data / f"{name}.jsonl").read_text().splitlines()]

    rows = data_rows("contam_gsm8k_rephrased")
    items = [r["question"] for r in rows]
    told = [r["rephrased"].split("\nAnswer")[0].removeprefix("Question: ") for r in rows]
    others = [r["question"] for r in data_rows("gsm8k_train")]
    right = sum(o.text == o.item for o in resembling(told, items, cosine=0.5)) / len(told)
    assert right >= 0.74
    assert len(resembling(others, items, cosine=0.5)) <= 0.005 * len(others)
    nearest = meaning_alike(told, items, cosine=0.75)
    assert sum(o.text == o.item for o in nearest) / len(told) >= 0.83
    assert len(meaning_alike(others, items, cosine=0.75)) <= 0.013 * len(others)
    assert sum(o.text == o.item for o in sharing_runs(items, items, run=13)) == len(items)
    assert len(sharing_runs(told, items, run=13)) <= 0.005 * len(told)  # why runs are not enough


async def test_what_a_benchmark_holds_is_out_with_item_and_words(tmp_path: Path):
    path = sums(tmp_path / "in.jsonl", 10)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    long = "Early in the day the keeper of the lighthouse on the cliff counts seven gulls and then five more of them, how many?"
    rows += [
        {"question": f"Well: {long.upper()} Say it.", "answer": "12"},
        {"question": "How many gulls are there?", "answer": "1"},
    ]
    bench = [
        {"question": long, "answer": 1},
        {"question": "How many?", "answer": 2},
        {"question": "how many GULLS are there", "answer": 3},
    ]
    write_rows(tmp_path / "bench.jsonl", bench)
    made = pipeline(tmp_path / "p.yaml", "{step: decontaminate, against: [bench.jsonl]}")
    await run(made, write_rows(path, rows), tmp_path / "run", ScriptedModel(World()))
    out = ask(
        tmp_path / "run",
        """SELECT p.question, j.rule, j.observed->>'row', j.observed->>'words', j.observed->>'benchmark'
           FROM rejections j JOIN problems p ON p.id = j.target ORDER BY 3""",
    )
    assert [(q, row, file) for q, _, row, _, file in out] == [
        (rows[10]["question"], "1", "bench.jsonl"),
        (rows[11]["question"], "3", "bench.jsonl"),  # a short item counts as a whole; "How many?" is too short to count
    ]
    assert out[0][1] == "shares 13 words in a row with a benchmark"
    assert out[0][3] == " ".join(normalise(long))


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ("{step: decontaminate, against: [gone.jsonl]}", "there is no"),
        ("{step: decontaminate, against: [bad.jsonl]}", "line 2 of bad.jsonl is no JSON"),
        (
            "{step: decontaminate, against: [b.jsonl], columns: [prompt]}",
            "row 1 of b.jsonl has no column 'prompt' (it has question)",
        ),
        ("{step: decontaminate, against: [b.jsonl], words: null}", "nothing is looked for"),
        ("{step: decontaminate, against: [b.jsonl], shortest: 50}", "no item has 50 words or more"),
        ("{step: decontaminate, against: [empty.jsonl]}", "empty.jsonl holds no row"),
        ("{step: decontaminate, against: [b.parquet]}", "b.parquet cannot be read"),
        ("{step: decontaminate, against: [b.jsonl], similarity: embedding}", "similarity says how rephrased looks"),
        ("{step: decontaminate, against: [b.jsonl], rephrased: 1.5}", "less than or equal to 1"),
        ("{step: filter_range, of: reviw, lowest: 3}", "no step before makes the score 'reviw'"),
        ("{step: limit_per_group, per: model, at_most: 1, best: lenght}", "did you mean 'length'?"),
        ("{step: rebalance, by: label.split, shares: equal}", "no step before makes the score 'split'"),
        ("{step: select_diverse, keep: 2, best: 0 - score.reviw}", "no step before makes the score 'reviw'"),
        ("{step: near_duplicates, index: gone}", "there is no"),
        ("{step: near_duplicates, threshold: 0}", "greater than 0"),
        ("{step: near_duplicates, threshold: 1.5}", "less than or equal to 1"),
        ("{step: limit_per_group, per: model}", "either at_most or share"),
        ("{step: filter_range, lowest: 0.9, highest: 0.1}", "lowest is above highest"),
        ("{step: filter_range}", "the band has no end"),
        ("{step: select_diverse, keep: 5, quality: 0.5}", "none is named"),
        ("{step: split, shares: {train: 0.9, ../test: 0.1}}", "is not a name for a split"),
        ("{step: limit_per_group, per: model, at_most: {problem: 2}}", "at_most says of what already"),
        ("{step: limit_per_group, at_most: {modle: 2}}", "did you mean 'model'?"),
        ("{step: limit_per_group, at_most: {model: 0}}", "greater than or equal to 1"),
        ("{step: rebalance, by: models, shares: equal}", "did you mean 'model'?"),
        ("{step: rebalance, by: problem.metta.topic, shares: equal}", "uses 'problem.metta', which is not on offer"),
        ("{step: rebalance, by: 'score.correct ==', shares: equal}", "does not compile"),
        ("{step: rebalance, shares: {a: 1, b: 0}}", "greater than 0"),
        ("{step: rebalance, shares: {a: 1, b: -1}}", "greater than 0"),
        ("{step: rebalance, shares: {a: 1}}", "at least 2 items"),
        ("{step: rebalance, shares: equal, best: score.x +}", "does not compile"),
        ("{step: filter_range, of: rationale.texts | length, lowest: 1}", "uses 'rationale.texts'"),
    ],
)
def test_mistakes_are_reported_before_anything_is_asked(tmp_path: Path, step: str, told: str):
    write_rows(tmp_path / "b.jsonl", [{"question": "one two three four five six"}])
    (tmp_path / "empty.jsonl").write_text("\n")
    (tmp_path / "b.parquet").write_text("no parquet")
    (tmp_path / "bad.jsonl").write_text('{"question": "a b c d e f"}\n{"question": \n')
    with pytest.raises(UserError) as error:
        read_pipeline(str(pipeline(tmp_path / "p.yaml", step))).checked()
    assert told in str(error.value)
    assert "p.yaml" in str(error.value)


def test_scores_that_are_made_before_are_no_mistake(tmp_path: Path):
    made = yaml_file(
        tmp_path / "p.yaml",
        """
        pipeline: my/p
        imports: [rationale, score.grade]
        steps:
          - {step: verify_answer}
        corpus:
          - {step: split}
          - {step: limit_per_group, at_most: {"label.split ~ score.correct": 9}, best: grade}
          - {step: filter_range, of: pass_rate, lowest: 0.1}
          - {step: select_diverse, keep: 9, best: score.human}
        """,
    )
    assert read_pipeline(str(made)).checked()


async def test_another_benchmark_file_is_looked_at_without_a_call(tmp_path: Path):
    """Corpus steps run again when a file they read has changed; units do not."""
    path = sums(tmp_path / "in.jsonl", 6)
    question = json.loads(path.read_text().splitlines()[2])["question"]
    write_rows(tmp_path / "b.jsonl", [{"question": "nothing that is in there at all"}])
    made = pipeline(tmp_path / "p.yaml", "{step: decontaminate, against: [b.jsonl], words: 3, shortest: 1}")
    await run(made, path, tmp_path / "run", ScriptedModel(World()))
    assert ask(tmp_path / "run", "SELECT count(*) FROM rejections") == [(0,)]
    write_rows(tmp_path / "b.jsonl", [{"question": question}])
    await run(made, path, tmp_path / "run", ScriptedModel(World()))
    assert ask(tmp_path / "run", "SELECT count(*) FROM rejections WHERE step = 'decontaminate'")[0][0] >= 1
    assert ask(tmp_path / "run", "SELECT count(*) FROM calls") == [(6,)]


# --- who stays ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("keep", "stays"), [("earliest", 1), ("longest", 2), ("correct", 0)])
async def test_the_keeper_is_chosen_as_asked(tmp_path: Path, keep: str, stays: int):
    base = (
        "A farmer has seven goats and buys two more at the market in the town of Elm on a rainy day, how many goats now"
    )
    rows = [
        {"question": f"{q} filler {i}?", "answer": "9"}
        for i, q in enumerate(["Which of these is unlike any other one"] * 9)
    ]
    mine = [f"{base}?", f"Hm: {base}?", f"{base}, if you please, and thanks for it?"]
    rows = [
        rows[0],
        {"question": mine[1], "answer": "9"},
        *rows[1:8],
        {"question": mine[0], "answer": "9"},
        {"question": mine[2], "answer": "9"},
    ]
    made = yaml_file(
        tmp_path / "p.yaml",
        f"""
        pipeline: my/p
        steps:
          - {{step: generate}}
          - {{step: verify_answer}}
        corpus:
          - {{step: near_duplicates, threshold: 0.7, target: {"problem" if keep != "correct" else "rationale"}, keep: {keep}}}
        """,
    )

    def script(request, _rng):
        right = request.task.problem.question == mine[0]
        same = "It is the same for all of them, whatever they ask of it, and so it goes on."
        return (
            f"{same}\nThe answer is {9 if right else 8}."
            if "goats" in request.task.problem.question
            else f"{request.task.problem.question} I do not know.\nThe answer is 1."
        )

    await run(made, write_rows(tmp_path / "in.jsonl", rows), tmp_path / "run", ScriptedModel(script))
    table = "problems" if keep != "correct" else "rationales"
    question = "question" if keep != "correct" else "(SELECT question FROM problems p WHERE p.id = k.problem)"
    kept = {q for (q,) in ask(tmp_path / "run", f"SELECT {question} FROM kept_{table} k")}
    assert kept & set(mine) == {mine[stays]}


async def test_a_side_of_pairs_can_be_looked_at(tmp_path: Path):
    made = yaml_file(
        tmp_path / "p.yaml",
        """
        pipeline: my/p
        steps:
          - {step: generate, samples: 4, temperature: 1.0}
          - {step: verify_answer}
          - {step: pair, limit: 16}
        corpus:
          - {step: near_duplicates, target: rejected}
        """,
    )
    await run(made, sums(tmp_path / "in.jsonl", 12), tmp_path / "run", ScriptedModel(World(solve_rate=0.5)))
    losing = ask(tmp_path / "run", "SELECT r.text FROM pairs a JOIN rationales r ON r.id = a.rejected")
    kept = ask(tmp_path / "run", "SELECT r.text FROM kept_pairs a JOIN rationales r ON r.id = a.rejected")
    assert len(kept) == len(set(kept)) == len(set(losing)) < len(losing)
    assert ask(tmp_path / "run", "SELECT DISTINCT target_table FROM rejections") == [("pairs",)]


# --- splits ------------------------------------------------------------------------------------------------------------


def splits(view: View, **options) -> dict[str, str]:
    return {s.target: s.label for s in Split(name="split", **options).run(view)}


def families(n: int, seed: int = 0) -> list[str]:
    """Questions of which each fifth is nearly the one before it."""
    rng = random.Random(seed)
    made: list[str] = []
    for i in range(n):
        words = made[-1].split() if i % 5 == 4 else [f"w{rng.randrange(5000)}" for _ in range(40)]
        made.append(" ".join([*words[:-1], f"end{i}"]))
    return made


def test_shares_are_met_and_no_family_is_torn_apart():
    texts = families(3000)
    got = splits(View(texts), shares={"train": 8, "validation": 1, "test": 1})
    counts = Counter(got.values())
    for name, share in {"train": 0.8, "validation": 0.1, "test": 0.1}.items():
        assert counts[name] / 3000 == pytest.approx(share, abs=4 * (share * (1 - share) * 1.6 / 3000) ** 0.5)
    torn = [i for i in range(4, 3000, 5) if got[f"u{i}"] != got[f"u{i - 1}"]]
    assert not torn
    alone = splits(View(texts), shares={"train": 8, "validation": 1, "test": 1}, threshold=None)
    assert any(alone[f"u{i}"] != alone[f"u{i - 1}"] for i in range(4, 3000, 5))


def test_rows_that_are_added_leave_the_others_where_they_are_and_a_seed_decides():
    texts = families(1200)
    before = splits(View(texts[:800]), seed=3)
    after = splits(View(texts), seed=3)
    assert {u: after[u] for u in before} == before
    other = splits(View(texts[:800]), seed=4)
    assert other != before


words_of_a_kind = st.tuples(st.integers(0, 5), st.integers(0, 2)).map(
    lambda drawn: " ".join([*(f"k{drawn[0]}w{i}" for i in range(20)), *(f"e{drawn[1]}{i}" for i in range(drawn[1]))])
)


@settings(deadline=None)
@given(
    st.lists(words_of_a_kind, min_size=1, max_size=20),
    st.lists(words_of_a_kind, max_size=10),
    st.integers(0, 3),
    st.randoms(use_true_random=False),
)
def test_no_tie_is_torn_and_only_what_is_tied_to_new_rows_may_move(texts, more, seed, rng):
    shares = {"a": 0.5, "b": 0.3, "c": 0.2}
    before, after = (
        splits(View(texts), seed=seed, shares=shares),
        splits(View([*texts, *more]), seed=seed, shares=shares),
    )
    kinds = [t.split("w")[0] for t in [*texts, *more]]  # all of a kind are near-duplicates, and of two kinds none
    for kind in set(kinds):
        assert len({after[f"u{i}"] for i, k in enumerate(kinds) if k == kind}) == 1
    for i, kind in enumerate(kinds[: len(texts)]):
        first = min(f"u{j}" for j, k in enumerate(kinds) if k == kind)
        if int(first[1:]) < len(texts):
            assert after[f"u{i}"] == before[f"u{i}"]
    mixed = View([*texts, *more])
    order = rng.sample(range(len(mixed.rows)), len(mixed.rows))
    mixed.records, mixed.rows = [mixed.records[i] for i in order], [mixed.rows[i] for i in order]
    assert splits(mixed, seed=seed, shares=shares) == after


async def test_a_split_run_is_exported_in_parts_that_share_no_problem(tmp_path: Path):
    made = pipeline(tmp_path / "p.yaml", "{step: split, shares: {train: 0.6, test: 0.4}}")
    await run(made, sums(tmp_path / "in.jsonl", 40), tmp_path / "run", ScriptedModel(World()))
    stale = tmp_path / "out" / "sft.jsonl"
    stale.parent.mkdir()
    stale.write_text("{}\n")
    with pytest.raises(UserError, match=r"sft\.jsonl is there and was not written by an export"):
        export_run(tmp_path / "run", "sft", tmp_path / "out")
    exported = export_run(tmp_path / "run", "sft", tmp_path / "out", ExportOptions(replace=True))
    assert sorted(p.name for p in (tmp_path / "out").glob("[!.]*")) == ["sft.test.jsonl", "sft.train.jsonl"]
    units = [{json.loads(line)["unit"] for line in p.read_text().splitlines()} for p in exported.files]
    assert not units[0] & units[1]
    assert exported.rows == len(units[0] | units[1]) == 40
    assert ask(tmp_path / "run", "SELECT count(*) FROM kept_rationales") == [(40,)]


# --- fewer -------------------------------------------------------------------------------------------------------------


def test_a_cap_keeps_the_best_of_each():
    view = View(["x" * (i + 1) for i in range(30)], model=["a"] * 20 + ["b"] * 7 + ["c"] * 3)
    out = {r.target for r in LimitPerGroup(name="cap", at_most=5, best="length").run(view)}
    kept = [r for r in view.records if r.id not in out]
    assert Counter(r.model for r in kept) == {"a": 5, "b": 5, "c": 3}
    assert [r.id for r in kept if r.model == "a"] == [f"r{i:05d}" for i in range(15, 20)]


@settings(deadline=None)
@given(st.lists(st.integers(1, 40), min_size=2, max_size=6), st.floats(0.2, 0.9))
def test_no_model_has_more_than_its_share(sizes, share):
    models = [f"t{k}" for k, n in enumerate(sizes) for _ in range(n)]
    view = View(["x"] * len(models), model=models)
    out = {r.target for r in LimitPerGroup(name="cap", share=share).run(view)}
    kept = Counter(r.model for r in view.records if r.id not in out)
    cap = max(kept.values())
    if cap > 1:
        assert cap <= share * sum(kept.values()) + 1e-9
    larger = [min(cap + 1, n) for n in sizes]
    assert max(larger) > share * sum(larger) or cap >= max(sizes)  # and it is the largest such cap


async def test_problems_too_easy_or_too_hard_are_out_by_what_was_judged(tmp_path: Path):
    made = yaml_file(
        tmp_path / "p.yaml",
        """
        pipeline: my/p
        steps:
          - {step: generate, samples: 6, temperature: 1.0}
          - {step: verify_answer}
          - {step: filter, keep: score.correct}
        corpus:
          - {step: filter_range, lowest: 0.2, highest: 0.8}
        """,
    )
    await run(made, sums(tmp_path / "in.jsonl", 40), tmp_path / "run", ScriptedModel(World(solve_rate=0.5)))
    rates = ask(
        tmp_path / "run",
        """SELECT p.id IN (SELECT id FROM kept_problems), avg(s.value) FROM problems p JOIN rationales r ON r.problem = p.id
           JOIN scores s ON s.target = r.id AND s.name = 'correct' GROUP BY p.id""",
    )
    assert {kept for kept, _ in rates} == {True, False}
    assert all(kept == (0.2 <= rate <= 0.8) for kept, rate in rates)


def test_what_is_diverse_covers_all_kinds():
    rng = random.Random(1)
    kinds = [[f"k{k}w{i}" for i in range(60)] for k in range(8)]
    texts = [" ".join(rng.sample(kinds[0 if i < 400 else 1 + i % 7], 40)) for i in range(500)]
    view = View(texts)
    step = SelectDiverse(name="diverse", keep=8, shingle=1)
    out = {r.target for r in step.run(view)}
    kept = [t for r, t in zip(view.records, texts, strict=True) if r.id not in out]
    assert len(kept) == 8
    assert len({t.split("w")[0] for t in kept}) == 8  # one of each kind, though 80 % are of one
    assert len({t.split("w")[0] for t in random.Random(0).sample(texts, 8)}) < 6


def test_quality_weighs_beside_distance():
    rng = random.Random(2)
    texts = [" ".join(f"w{rng.randrange(400)}" for _ in range(rng.randint(20, 60))) for _ in range(200)]
    view = View(texts)

    def mean_length(quality: float) -> float:
        out = {r.target for r in SelectDiverse(name="d", keep=20, best="length", quality=quality).run(view)}
        return sum(len(t) for r, t in zip(view.records, texts, strict=True) if r.id not in out) / 20

    best = sum(sorted(map(len, texts))[-20:]) / 20
    assert mean_length(1.0) == pytest.approx(best)
    assert mean_length(0.0) < mean_length(0.5) <= best


kinds_of_two = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("pqrs")), max_size=10)


@settings(deadline=None)
@given(kinds_of_two, st.integers(1, 3), st.integers(1, 2))
def test_several_caps_hold_at_once_and_leave_nothing_that_had_room(kinds, of_model, of_problem):
    view = View(["x"] * len(kinds), model=[t for t, _ in kinds], problem=[p for _, p in kinds])
    step = LimitPerGroup(name="cap", at_most={"model": of_model, "problem": of_problem})
    kept = kept_of(step, view)
    models, problems = Counter(r.model for r in kept), Counter(r.problem for r in kept)
    assert all(n <= of_model for n in models.values())
    assert all(n <= of_problem for n in problems.values())
    for r in view.records:
        assert r in kept or models[r.model] == of_model or problems[r.problem] == of_problem
    best = max(
        sum(some)
        for some in itertools.product((0, 1), repeat=len(kinds))
        if all(sum(s for s, (t, _) in zip(some, kinds, strict=True) if t == k) <= of_model for k in "abc")
        and all(sum(s for s, (_, p) in zip(some, kinds, strict=True) if p == k) <= of_problem for k in "pqrs")
    )
    assert len(kept) >= best / 2
    view.records.reverse()
    assert {r.id for r in kept_of(step, view)} == {r.id for r in kept}


def test_a_rejection_by_a_cap_names_what_stays():
    view = View(["x" * n for n in (9, 7, 5, 3)], model=["a", "a", "a", "b"], problem=["p", "q", "q", "q"])
    out = LimitPerGroup(name="cap", at_most={"model": 2, "problem": 1}, best="length").run(view)
    assert [(r.target, r.rule, r.observed) for r in out] == [
        (
            "r00002",
            "at most 2 of each model",
            {"model": "a", "of": 3, "last_kept": "r00001", "length": 5.0, "length_of_last_kept": 7.0},
        ),
        (
            "r00003",
            "at most 1 of each problem",
            {"problem": "q", "of": 3, "last_kept": "r00001", "length": 3.0, "length_of_last_kept": 7.0},
        ),
    ]


def test_a_batch_to_label_is_convincing_wrong_ones_and_some_of_the_rest():
    """arXiv:2305.20050: four fifths are the wrong solutions that convince most."""
    view = View(["x"] * 300)
    rng = random.Random(5)
    numbers = {"correct": [float(i % 3 > 0) for i in range(300)], "review": [rng.random() for _ in range(300)]}
    view.numbers = numbers
    wrong = "'wrong' if score.correct == 0 else 'rest'"
    step = Rebalance(
        name="m", target="rationale", by=wrong, shares={"wrong": 0.8, "rest": 0.2}, at_most=50, best="score.review"
    )
    kept = [int(r.id[1:]) for r in kept_of(step, view)]
    for right, n in ((0.0, 40), (1.0, 10)):
        all_of = sorted((v for v, c in zip(numbers["review"], numbers["correct"], strict=True) if c == right))
        assert sorted(numbers["review"][i] for i in kept if numbers["correct"][i] == right) == all_of[-n:]
    rejection = next(r for r in step.run(view) if numbers["correct"][int(r.target[1:])] == 0)
    assert rejection.rule == "80% of wrong"
    assert rejection.observed["score.review"] == numbers["review"][int(rejection.target[1:])]


async def test_a_run_gives_the_batch_to_label_of_the_document(tmp_path: Path):
    made = yaml_file(
        tmp_path / "p.yaml",
        """
        pipeline: my/p
        steps:
          - {step: generate, samples: 4, temperature: 1.0}
          - {step: verify_answer}
          - {step: review, exclude_author: false}
        corpus:
          - step: rebalance
            target: rationale
            by: "'wrong' if score.correct == 0 else 'rest'"
            shares: {wrong: 0.8, rest: 0.2}
            at_most: 20
            best: score.review
        """,
    )
    world = World(solve_rate=0.5, sensitivity=0.7, specificity=0.8)
    await run(made, sums(tmp_path / "in.jsonl", 30), tmp_path / "run", ScriptedModel(world))
    rows = ask(
        tmp_path / "run",
        """SELECT c.value, v.value, r.id IN (SELECT id FROM kept_rationales) FROM rationales r
           JOIN scores c ON c.target = r.id AND c.name = 'correct' JOIN scores v ON v.target = r.id AND v.name = 'review'""",
    )
    assert Counter(right for right, _, kept in rows if kept) == {0.0: 16, 1.0: 4}
    for right, n in ((0.0, 16), (1.0, 4)):
        convincing = sorted((review for r, review, _ in rows if r == right), reverse=True)[:n]
        assert sorted((review for r, review, kept in rows if kept and r == right), reverse=True) == convincing
    assert {review for right, review, _ in rows if right == 0} == {1.0, 5.0}  # some wrong ones convince


def test_a_cap_for_each_source_counts_files_and_not_their_lines():
    view = View(["x"] * 9, source=[f"{'a' if i < 6 else 'b:c'}.jsonl:{i}" for i in range(9)])
    assert Counter(r.shared("source") for r in kept_of(LimitPerGroup(name="c", per="source", at_most=2), view)) == {
        "a.jsonl": 2,
        "b:c.jsonl": 2,
    }


@settings(deadline=None)
@given(
    st.lists(st.integers(1, 60), min_size=2, max_size=5),
    st.lists(st.floats(0.05, 1), min_size=5, max_size=5),
    st.one_of(st.none(), st.integers(1, 100)),
)
def test_shares_of_a_mix_hold_but_for_less_than_a_record_and_no_larger_mix_would(sizes, weights, at_most):
    kinds = [f"k{k}" for k, n in enumerate(sizes) for _ in range(n)]
    shares = {f"k{k}": weights[k] for k in range(len(sizes))}
    step = Rebalance(name="mix", target="rationale", by="model", shares=shares, at_most=at_most)
    kept = Counter(r.model for r in kept_of(step, View(["x"] * len(kinds), model=kinds)))
    whole, total = sum(shares.values()), sum(kept.values())
    assert all(abs(kept[k] - total * s / whole) < 1 for k, s in shares.items())
    assert (
        total == at_most
        or (total + 1) * max(s / whole / n for s, n in zip(shares.values(), sizes, strict=False)) > 1 - 1e-6
    )
    assert total <= (at_most or total)


def test_a_mix_that_cannot_be_had_says_what_can():
    view = View(["x"] * 70, answer=["yes"] * 60 + ["no"] * 10)

    def told(**options) -> list[str]:
        return [
            r for r in Rebalance(name="m", target="rationale", by="answer", **options).run(view) if isinstance(r, str)
        ]

    assert told(shares={True: 1, False: 1}) == []  # what YAML makes of yes and no
    assert told(shares={"yes": 1, "no": 1}, at_most=50) == [
        "20 of the 50 asked for: only 10 are no, which is to have 50%"
    ]
    (one,) = told(shares={"yes": 1, "no": 1, "maybe": 1})
    assert one == "no rationale is maybe; the shares of the others hold among them (there are yes 60, no 10)"
    assert told(shares={"ja": 1, "nein": 1}) == ["no rationale is of a kind that is named; there are yes 60, no 10"]
    empty = View([])
    assert Rebalance(name="m", target="rationale", by="answer", shares={"yes": 1, "no": 1}, at_most=5).run(empty) == []
    assert LimitPerGroup(name="c", at_most={"model": 1}).run(empty) == []


async def test_any_expression_separates_kinds_and_a_failing_one_is_reported_with_its_record(tmp_path: Path):
    rows = [
        {"question": f"How many is case {i}?", "answer": str(i), "topic": ["cats", "dogs"][i % 3 == 0]}
        for i in range(30)
    ]
    path = write_rows(tmp_path / "in.jsonl", rows)
    mix = "{step: rebalance, target: rationale, by: problem.meta.topic, shares: {cats: 1, dogs: 1}}"
    made = pipeline(tmp_path / "p.yaml", mix)
    await run(made, path, tmp_path / "run", ScriptedModel(World()))
    kept = "SELECT p.meta->>'topic', count(*) FROM kept_rationales r JOIN problems p ON p.id = r.problem GROUP BY 1 ORDER BY 1"
    assert ask(tmp_path / "run", kept) == [("cats", 10), ("dogs", 10)]
    pipeline(tmp_path / "p.yaml", mix.replace("meta.topic", "meta.topic.name.first"))
    with pytest.raises(
        UserError, match=r"corpus step rebalance, b2:\w+: the expression 'problem.meta.topic.name.first' fails"
    ):
        await run(made, path, tmp_path / "run", ScriptedModel(World()))
    pipeline(tmp_path / "p.yaml", "{step: filter_range, target: rationale, of: rationale.model + '!', lowest: 1}")
    with pytest.raises(UserError, match=r"gives '\w+!', which is no finite number"):
        await run(made, path, tmp_path / "run", ScriptedModel(World()))
    assert ask(tmp_path / "run", "SELECT count(*) FROM calls") == [(30,)]


async def test_expressions_see_the_side_of_a_pair_and_its_scores(tmp_path: Path):
    made = yaml_file(
        tmp_path / "p.yaml",
        """
        pipeline: my/p
        steps:
          - {step: generate, samples: 4, temperature: 1.0}
          - {step: verify_answer}
          - {step: pair, limit: 16}
        corpus:
          - {step: limit_per_group, target: rejected, at_most: {"rationale.answer ~ score.correct": 1}}
        """,
    )
    await run(made, sums(tmp_path / "in.jsonl", 8), tmp_path / "run", ScriptedModel(World(solve_rate=0.5)))
    answers = "SELECT r.answer FROM {} a JOIN rationales r ON r.id = a.rejected"
    every, kept = (ask(tmp_path / "run", answers.format(t)) for t in ("pairs", "kept_pairs"))
    assert sorted(set(every)) == sorted(kept)
    assert len(kept) < len(every)
    told = ask(
        tmp_path / "run", "SELECT DISTINCT right(observed->>'rationale.answer ~ score.correct', 3) FROM rejections"
    )
    assert told == [("0.0",)]


@given(st.lists(st.sampled_from("ABCD"), min_size=1, max_size=80), st.integers(0, 3))
def test_an_equal_mix_has_as_many_of_each(answers, seed):
    view = View(["x"] * len(answers), answer=answers)
    out = {
        r.target for r in Rebalance(name="mix", target="rationale", by="answer", shares="equal", seed=seed).run(view)
    }
    kept = Counter(r.answer for r in view.records if r.id not in out)
    assert set(kept.values()) == {min(Counter(answers).values())}
    assert set(kept) == set(answers)


def test_what_stands_in_a_mix_does_not_depend_on_order():
    view = View(["x"] * 60, model=["a"] * 40 + ["b"] * 20)
    mix = Rebalance(name="mix", target="rationale", by="model", shares={"a": 0.5, "b": 0.5}, at_most=20)
    first = {r.target for r in mix.run(view)}
    view.records.reverse()
    assert {r.target for r in mix.run(view)} == first
    assert len(first) == 40


def test_a_record_without_a_score_is_no_reason_to_put_it_out():
    view = View(["a", "b", "c"])
    View.numbers["fine"] = [0.1, None, 0.9]
    assert [r.target for r in FilterRange(name="b", target="rationale", of="fine", lowest=0.5).run(view)] == ["r00000"]


def test_items_and_words_are_found_in_other_scripts(tmp_path: Path):
    write_rows(tmp_path / "b.jsonl", [{"question": "太郎さんはりんごを三つ買いました。残りはいくつですか"}])
    step = Decontaminate(name="d", against=("b.jsonl",), folder=Reach(tmp_path))
    (one,) = step.run(View(["問題: 太郎さんはりんごを三つ買いました、残りはいくつですか?", "別の文章です"]))
    assert one.observed["row"] == 1


async def test_a_rephrased_item_is_out_by_its_meaning_with_item_and_words(tmp_path: Path):
    """By rare words in common these two have next to nothing, and by runs nothing at all."""
    bench = [{"prompt": "What is the capital city of France?", "answer": 1}]
    rows = [
        {"question": "Name the French capital, please, that city."},
        {"question": "How long do goats live on average?"},
    ]
    write_rows(tmp_path / "bench.jsonl", bench)
    made = pipeline(
        tmp_path / "p.yaml",
        "{step: decontaminate, against: [bench.jsonl], columns: [prompt], rephrased: 0.6, similarity: embedding}",
    )
    await run(made, write_rows(tmp_path / "in.jsonl", rows), tmp_path / "run", ScriptedModel(World()))
    query = "SELECT question, benchmark, item_row, words, item FROM contamination c JOIN problems p ON p.id = c.record"
    assert ask(tmp_path / "run", query) == [
        (rows[0]["question"], "bench.jsonl", 1, "the capital city", "What is the capital city of France?")
    ]
    assert resembling([rows[0]["question"]], [bench[0]["prompt"]], cosine=0.45) == []


@pytest.mark.parametrize("similarity", ["tfidf", "embedding"])
def test_hard_texts_are_looked_at_and_found_where_they_are_the_item(tmp_path: Path, similarity: str):
    hard = [
        "",
        " ",
        "\ud800 and more of that",
        "🐐" * 50,
        "太郎さんはりんごを三つ買いました。残りはいくつですか",
        "x" * 100_000,
    ]
    write_rows(tmp_path / "b.jsonl", [{"question": t} for t in (hard[4], "plain words that nobody else has at all")])
    step = Decontaminate(
        name="d", against=("b.jsonl",), rephrased=0.9, similarity=similarity, shortest=1, folder=Reach(tmp_path)
    )
    assert [r.target for r in step.run(View(hard))] == ["r00004"]
    assert step.run(View([])) == []
