"""`contamination`: a judge on what lies near an item of a benchmark."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
from support import ask, run, write_rows, yaml_file

from synth.corpus.coverage import meanings
from synth.corpus.shingles import normalise
from synth.errors import ModelError, UserError
from synth.models import ScriptedModel, World
from synth.pipeline import read_pipeline
from synth.reach import Reach

THINGS = ["goats", "candles", "stamps", "bricks", "violins", "lemons", "ladders", "kites", "coins", "tents"]
PLACES = ["harbour", "castle", "school", "market", "bakery", "forest", "station", "museum", "island", "valley"]


def item(i: int) -> str:
    thing, place = THINGS[i % 10], PLACES[i // 10 % 10]
    return f"In the {place} a keeper counts {i + 11} {thing} at noon and {2 * i + 501} more {thing} at night. How many {thing} are in the {place}?"


def rephrased(i: int) -> str:
    thing, place = THINGS[i % 10], PLACES[i // 10 % 10]
    return f"How many {thing} does the {place} have, if {i + 11} {thing} are counted at noon by its keeper, and at night {2 * i + 501} others?"


def other(i: int) -> str:
    """The same but for its numbers."""
    return item(i).replace(str(i + 11), str(i + 2011))


def pipeline(folder: Path, *more: str, **options: object) -> Path:
    said = "".join(f", {k}: {json.dumps(v)}" for k, v in options.items())
    step = f"  - {{step: contamination, against: [bench.jsonl]{said}}}\n"
    return yaml_file(folder / "p.yaml", "pipeline: my/p\nsteps:\n" + step + "".join(f"  - {m}\n" for m in more))


FILTER = "{step: filter, target: problem, keep: score.contamination < 0.5}"
SCORES = "SELECT p.question, s.value, s.label, s.reason FROM scores s JOIN problems p ON p.id = s.target ORDER BY 1"


@pytest.mark.parametrize("mode", ["probability", "verdict"])
async def test_a_judge_of_known_errors_puts_out_what_the_arithmetic_says(tmp_path: Path, mode: str):
    n, sensitivity, specificity = 100, 0.8, 0.9
    write_rows(tmp_path / "bench.jsonl", [{"question": item(i)} for i in range(n)])
    rows = [{"question": q} for i in range(n) for q in (rephrased(i), other(i))]
    judge = ScriptedModel(World(sensitivity=sensitivity, specificity=specificity))
    made = pipeline(tmp_path, FILTER, mode=mode)
    await run(made, write_rows(tmp_path / "in.jsonl", rows), tmp_path / "run", judge)
    out = {
        q for (q,) in ask(tmp_path / "run", "SELECT question FROM problems WHERE id IN (SELECT target FROM rejections)")
    }
    right, wrong = sum(rephrased(i) in out for i in range(n)), sum(other(i) in out for i in range(n))
    assert right == pytest.approx(sensitivity * n, abs=4 * (n * sensitivity * (1 - sensitivity)) ** 0.5)
    assert wrong == pytest.approx((1 - specificity) * n, abs=4 * (n * specificity * (1 - specificity)) ** 0.5)
    assert ask(tmp_path / "run", "SELECT count(*) FROM calls") == [(2 * n,)]
    told = ask(
        tmp_path / "run",
        "SELECT question, benchmark, item_row, words FROM contamination c JOIN problems p ON p.id = c.record",
    )
    assert {q for q, *_ in told} == out
    for question, benchmark, row, words in told:
        assert benchmark == "bench.jsonl"
        assert question in {rephrased(row - 1), other(row - 1)} or question not in map(rephrased, range(n))
        assert set(words.split()) == {*normalise(question)} & {*normalise(item(row - 1))}


async def test_a_score_says_which_item_and_which_words_and_what_lies_far_costs_nothing(tmp_path: Path):
    write_rows(tmp_path / "bench.jsonl", [{"question": item(i)} for i in range(20)])
    far = "Prove by induction on the degree that a polynomial over a field has no more roots than its degree."
    rows = [{"question": rephrased(7)}, {"question": far}]
    await run(
        pipeline(tmp_path),
        write_rows(tmp_path / "in.jsonl", rows),
        tmp_path / "run",
        ScriptedModel(World(sensitivity=1)),
    )
    near, none = ask(tmp_path / "run", SCORES)
    assert near[1:3] == (pytest.approx(0.9, abs=0.01), "bench.jsonl:8")

    assert "both say 'the" in near[3]
    assert item(7) in near[3]
    assert none[:3] == (far, 0.0, None)
    assert ask(tmp_path / "run", "SELECT count(*) FROM calls") == [(1,)]


async def test_of_several_items_near_the_worst_counts(tmp_path: Path):
    """The nearest by embeddings is not always the one: three are asked about, and one yes is enough."""
    write_rows(
        tmp_path / "bench.jsonl", [{"question": q} for q in (other(3), rephrased(3).replace("14", "99"), item(3))]
    )
    rows = write_rows(tmp_path / "in.jsonl", [{"question": rephrased(3)}])
    judge = ScriptedModel(World(sensitivity=1, specificity=1))
    await run(pipeline(tmp_path, nearest=3), rows, tmp_path / "three", judge)
    await run(pipeline(tmp_path, nearest=1), rows, tmp_path / "one", judge)
    assert [s[1:3] for s in ask(tmp_path / "three", SCORES)] == [(pytest.approx(0.9, abs=0.01), "bench.jsonl:3")]
    assert [s[1:3] for s in ask(tmp_path / "one", SCORES)] == [(pytest.approx(0.1, abs=0.01), "bench.jsonl:2")]
    assert ask(tmp_path / "three", "SELECT count(*) FROM calls") == [(3,)]


async def test_what_a_judge_said_nothing_of_is_not_clean(tmp_path: Path):
    write_rows(tmp_path / "bench.jsonl", [{"question": q} for q in (item(3), other(3))])
    rows = write_rows(tmp_path / "in.jsonl", [{"question": rephrased(3)}])

    def script(request, rng):
        if request.task.hint == item(3):
            raise ModelError("refused", "no")
        return World(specificity=1)(request, rng)

    await run(pipeline(tmp_path, FILTER, nearest=2), rows, tmp_path / "run", ScriptedModel(script))
    assert [s[1:3] for s in ask(tmp_path / "run", SCORES)] == [(None, "bench.jsonl:1")]
    assert ask(tmp_path / "run", "SELECT count(*) FROM kept_problems") == [(0,)]
    assert ask(tmp_path / "run", "SELECT count(*) FROM failures") == [(1,)]


async def test_another_benchmark_is_looked_at_again_and_asked_only_what_was_not(tmp_path: Path):
    write_rows(tmp_path / "bench.jsonl", [{"question": item(i)} for i in range(5)])
    rows = write_rows(tmp_path / "in.jsonl", [{"question": rephrased(i)} for i in (1, 8)])
    judge = ScriptedModel(World(sensitivity=1, specificity=1))
    made = pipeline(tmp_path)
    await run(made, rows, tmp_path / "run", judge)
    assert min(s[2] for s in ask(tmp_path / "run", SCORES)) == "bench.jsonl:2"
    before = ask(tmp_path / "run", "SELECT count(*) FROM calls")[0][0]
    write_rows(tmp_path / "bench.jsonl", [{"question": item(i)} for i in range(10)])
    await run(made, rows, tmp_path / "run", judge)
    assert {s[2] for s in ask(tmp_path / "run", SCORES) if s[1] > 0.5} == {"bench.jsonl:2", "bench.jsonl:9"}
    assert ask(tmp_path / "run", "SELECT count(*) FROM calls") == [(before + 1,)]


async def test_rationales_are_looked_at_too(tmp_path: Path):
    write_rows(tmp_path / "bench.jsonl", [{"question": item(3)}])
    path = yaml_file(
        tmp_path / "p.yaml",
        """
        pipeline: my/p
        steps:
          - {step: generate}
          - {step: contamination, target: rationale, against: [bench.jsonl]}
        """,
    )

    def script(request, rng):
        return (
            f"{rephrased(3)}\nThe answer is 521."
            if request.task.kind == "solve"
            else World(sensitivity=1)(request, rng)
        )

    await run(
        path, write_rows(tmp_path / "in.jsonl", [{"question": "What now?"}]), tmp_path / "run", ScriptedModel(script)
    )
    found = ask(tmp_path / "run", "SELECT s.label FROM scores s JOIN rationales r ON r.id = s.target")
    assert found == [("bench.jsonl:1",)]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"against": ["gone.jsonl"]}, "gone.jsonl"),
        ({"columns": ["prompt"]}, "row 1 of bench.jsonl has no column 'prompt' (it has question)"),
        ({"shortest": 90}, "no item has 90 words or more"),
        ({"against": ["empty.jsonl"]}, "empty.jsonl holds no row"),
        ({"nearest": 0}, "greater than or equal to 1"),
        ({"prompt": "gone.j2"}, "gone.j2"),
        ({}, "needs logprobs, which model scripted does not have"),
    ],
)
def test_mistakes_are_reported_before_anything_is_asked(tmp_path: Path, options: dict, told: str):
    write_rows(tmp_path / "bench.jsonl", [{"question": item(3)}])
    (tmp_path / "empty.jsonl").write_text("\n")
    said = {"step": "contamination", "against": ["bench.jsonl"], **options}
    path = yaml_file(tmp_path / "p.yaml", f"pipeline: my/p\nsteps:\n  - {json.dumps(said)}\n")
    draft = read_pipeline(str(path))
    draft.check_models({"judges": [ScriptedModel(World(), capabilities=frozenset({"chat"}))]})
    with pytest.raises(UserError) as error:
        draft.checked()
    assert told in str(error.value)
    assert "p.yaml" in str(error.value)


def test_the_nearest_are_those_of_all_pairs(tmp_path: Path):
    from synth.steps.contamination import Contamination

    rng = random.Random(4)
    items = [item(i) for i in range(30)]
    write_rows(tmp_path / "bench.jsonl", [{"question": q} for q in items])
    step = Contamination(name="c", against=("bench.jsonl",), nearest=4, cosine=0.3, folder=Reach(tmp_path))
    texts = [rephrased(rng.randrange(40)) for _ in range(20)] + ["", "\ud800", "山羊は何匹ですか"]
    alike = meanings(texts).vectors @ meanings(items).vectors.T
    for row, near in zip(alike, step._near(texts), strict=True):
        cosines = [n.cosine for n in near]
        assert cosines == pytest.approx(sorted((v for v in row.tolist() if v >= 0.3), reverse=True)[:4])
        assert [row[n.item.row - 1] for n in near] == pytest.approx(cosines)
    assert not step._near([""])[0]
    assert np.isfinite(alike).all()
