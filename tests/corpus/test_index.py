"""New texts against shingles on disk."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner
from corpora import corpus, oracle
from datasketch import MinHash
from support import ask, run, sums, write_rows, yaml_file

from synth.cli.main import cli
from synth.corpus.index import ShingleIndex
from synth.corpus.minhash import sketch
from synth.corpus.near_duplicates import near_duplicate_pairs
from synth.corpus.shingles import hash_shingles
from synth.models import ScriptedModel, World


def test_new_texts_find_their_like_among_old_ones_that_are_not_read(tmp_path: Path):
    texts = corpus(900, seed=4)
    old, new = texts[:600], texts[600:]
    ids = [f"old{i}" for i in range(600)]
    index = ShingleIndex(tmp_path / "index")
    assert index.add(ids[:300], old[:300]) == 300
    assert ShingleIndex(tmp_path / "index").add(ids, old) == 300  # those it has are not added again
    again = ShingleIndex(tmp_path / "index")
    assert len(again) == 600
    assert again.ids() == ids
    found = {i: (int(one.removeprefix("old")), s) for i, one, s in again.alike(new, 0.7)}
    true = {(i, j - 600): s for (i, j), s in oracle(old + new, 0.5).items() if i < 600 <= j}
    like = {j for (_, j), s in true.items() if s >= 0.7}
    assert len(like) >= 12
    assert len(like & set(found)) >= 0.97 * len(like)
    assert {j for (_, j), s in true.items() if s >= 0.85} <= set(found)
    assert all(s == pytest.approx(true[i, j]) and s >= 0.7 for j, (i, s) in found.items())
    most = {j: max(s for (_, k), s in true.items() if k == j) for j in found}
    assert (
        sum(s == pytest.approx(most[j]) for j, (_, s) in found.items()) >= len(found) - 1
    )  # the most alike of several
    assert not list(again.alike(["", "  "], 0.7))


def test_an_index_made_otherwise_is_refused(tmp_path: Path):
    ShingleIndex(tmp_path / "index", shingle=3).add(["a"], ["some text that has words in it"])
    with pytest.raises(ValueError, match="shingles of 3 words, not 5"):
        ShingleIndex(tmp_path / "index", shingle=5)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").write_text("x")
    with pytest.raises(ValueError, match="no index, and not empty"):
        ShingleIndex(tmp_path / "other")


def test_datasketch_goes_on_with_the_same_sketches(tmp_path: Path):
    texts = corpus(200, seed=9)
    index = ShingleIndex(tmp_path / "index")
    index.add([str(i) for i in range(200)], texts)
    lsh = index.to_datasketch(0.7)
    for i, j, s in near_duplicate_pairs(texts, threshold=0.9):
        values = sketch(hash_shingles([texts[j]], 5), 128, 1)[:, 0].astype(np.uint64)
        assert str(i) in lsh.query(MinHash(num_perm=128, seed=1, hashvalues=values, scheme="affine32")), s


async def test_a_second_run_is_compared_with_the_first(tmp_path: Path):
    made = yaml_file(
        tmp_path / "p.yaml",
        "pipeline: my/p\nsteps: [{step: generate}]\ncorpus: [{step: near_duplicates, target: problem, index: seen}]\n",
    )
    plain = yaml_file(tmp_path / "q.yaml", "pipeline: my/q\nsteps: [{step: generate}]\n")
    first = sums(tmp_path / "first.jsonl", 12)
    await run(plain, first, tmp_path / "one", ScriptedModel(World()))
    rows = [json.loads(line) for line in first.read_text().splitlines()[:5]]
    fresh = {
        "question": "How many letters are there in the longest word of this very sentence, if one counts?",
        "answer": "8",
    }
    told = CliRunner().invoke(cli, ["index", str(tmp_path / "one"), str(tmp_path / "seen"), "--target", "problem"])
    assert told.exit_code == 0, told.output
    assert "12 texts added" in told.output
    await run(made, write_rows(tmp_path / "in.jsonl", [*rows, fresh]), tmp_path / "two", ScriptedModel(World()))
    out = ask(tmp_path / "two", "SELECT observed->>'duplicate_of', (observed->>'similarity')::DOUBLE FROM rejections")
    ids = {i for (i,) in ask(tmp_path / "one", "SELECT id FROM problems")}
    assert len(out) == 5
    assert all(one in ids and estimate == 1.0 for one, estimate in out)


def test_an_index_of_an_older_version_is_refused(tmp_path: Path):
    """Its shingles are of words that were cut in another way: the message says so, and what to do."""
    index = ShingleIndex(tmp_path / "seen")
    index.add(["a"], ["What is 12 + 7?"])
    about = tmp_path / "seen" / "index.json"
    about.write_text(about.read_text().replace('"format": 4', '"format": 3'))
    with pytest.raises(ValueError, match=r"another version \(3, not 4\).*make it again with synth index"):
        ShingleIndex(tmp_path / "seen")


@pytest.mark.parametrize(
    "said", ["[]", "", "{", '{"format": 4}', '{"format": 4, "shingle": "5"}', '{"format": 4, "shingle": 0}']
)
def test_an_index_of_another_shape_is_refused(said: str, tmp_path: Path):
    """What it was made with cannot be read: the message says which field, and what to do."""
    (tmp_path / "index.json").write_text(said)
    with pytest.raises(ValueError, match=r"cannot be read(.|\n)*make it again with synth index"):
        ShingleIndex(tmp_path)


def test_an_index_of_a_newer_version_is_reported_as_such(tmp_path: Path):
    """Before anything else that is wrong with it."""
    (tmp_path / "index.json").write_text('{"format": 5, "shingle": "of tomorrow"}')
    with pytest.raises(ValueError, match="newer version of synth"):
        ShingleIndex(tmp_path)


@pytest.mark.parametrize("kind", ["a link", "a pipe", "no Parquet", "other columns"])
def test_a_part_of_an_index_that_is_none_is_refused(kind: str, tmp_path: Path):
    """It is neither read through a link out of the folder nor waited for."""
    ShingleIndex(tmp_path / "seen").add(["a"], ["What is 12 + 7?"])
    part, elsewhere = tmp_path / "seen" / "000001.parquet", tmp_path / "elsewhere.parquet"
    part.rename(elsewhere)
    if kind == "a link":
        part.symlink_to(elsewhere)
    elif kind == "a pipe":
        os.mkfifo(part)
    elif kind == "no Parquet":
        part.write_bytes(elsewhere.read_bytes()[:-40])
    else:
        pl.DataFrame({"id": [1], "shingles": ["x"]}).write_parquet(part)
    with pytest.raises(ValueError, match=r"no part of an index(.|\n)*make it again with synth index"):
        ShingleIndex(tmp_path / "seen")
