"""Rows of others are read within bounds: what is beyond them is a bad row with its line, and not the end of the run."""

from __future__ import annotations

import csv
import gzip
import json
import os
import tracemalloc
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import ask, synth

from synth.errors import InputError
from synth.nesting import MOST_DEPTH, maybe_deep, too_deep
from synth.sources import files, open_source, source
from synth.sources.json_values import NotJson, parse_json

GOOD = {"question": "What is 2 + 3?", "answer": "5"}
MANY = MOST_DEPTH + 1


def nested(depth: int, leaf: str = "1") -> str:
    return "[" * depth + leaf + "]" * depth


def row(note: str, question: str = "What is 2 + 4?") -> str:
    return f'{{"question": "{question}", "answer": "6", "note": {note}}}'


DEEP = {
    "lists": nested(1000),
    "more than orjson takes": nested(5000),
    "more than Python takes": nested(200_000),
    "just too deep": nested(MOST_DEPTH),
    "objects": '{"a": ' * 500 + "1" + "}" * 500,
    "with a number that keeps its digits": nested(900, "0.10"),
    "with NaN, which another parser reads": nested(900, "NaN"),
    "with half a character": nested(900, '"\\ud800"'),
}


@pytest.mark.parametrize("name", DEEP)
def test_a_deep_row_is_a_bad_row(name: str, tmp_path: Path):
    """However deep, and whichever parser reads it: the row is reported with its line, the others are good."""
    path = tmp_path / "a.jsonl"
    path.write_text(f"{json.dumps(GOOD)}\n{row(DEEP[name])}\n")
    found = open_source(str(path)).scan()
    assert found.good == 1
    ((line, why),) = found.bad
    assert line == 2
    assert "nested" in why or "depth limit" in why, why


def test_what_is_not_too_deep_goes_through_a_whole_run(tmp_path: Path):
    """The deepest row that is taken comes out of the tables again; with a deeper one the run needs --skip-invalid."""
    path = tmp_path / "a.jsonl"
    path.write_text(f"{row(nested(MOST_DEPTH - 1), 'What is 2 + 3?')}\n{row(nested(MOST_DEPTH))}\n")
    words = ["rehearse", "fine-tune-cot", "--input", path, "--run", tmp_path / "run"]
    assert "line 2: it is nested more than 100 deep" in synth(*words, check=2).stderr
    synth(*words, "--skip-invalid", check=0)
    ((meta,),) = ask(tmp_path / "run", "SELECT meta::VARCHAR FROM problems WHERE step = 'input'")
    assert nested(MOST_DEPTH - 1) in str(meta).replace(" ", "")


@pytest.mark.parametrize("ending", [".json", ".csv", ".parquet", ".jsonl.gz"])
def test_every_reader_has_the_bound(ending: str, tmp_path: Path):
    """A list of rows, a cell of CSV that is JSON, a nested column and a packed file: none ends in a traceback."""
    path = tmp_path / f"a{ending}"
    if ending == ".json":
        path.write_text(f"[{json.dumps(GOOD)}, {row(nested(90))}]")
        assert open_source(str(path)).scan().good == 2
        path.write_text(f"[{json.dumps(GOOD)}, {row(nested(1000))}]")
        with pytest.raises(InputError, match=r"nested more than|depth limit"):
            open_source(str(path))
        return
    if ending == ".csv":
        path.write_text(f'question,answer,choices\nWhich?,A,"[""1"", ""2""]"\nWhat?,A,"{nested(3000)}"\n')
    elif ending == ".parquet":
        value: object = 1
        for _ in range(MANY):
            value = [value]
        table = pa.table({"question": ["What is 2 + 3?", "What is 2 + 4?"], "note": [None, value]})
        pq.write_table(table, path)
        with pytest.raises(InputError, match="too deeply nested"):  # which its own library says, at the same depth
            open_source(str(path))
        return
    else:
        path.write_bytes(gzip.compress(f"{json.dumps(GOOD)}\n{row(nested(1000))}\n".encode()))
    found = open_source(str(path)).scan()
    assert found.good == 1
    assert len(found.bad) == 1


def test_a_row_has_not_too_many_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A row of more columns than the bound is a bad row."""
    monkeypatch.setattr(source, "MOST_COLUMNS", 20)
    path = tmp_path / "a.jsonl"
    path.write_text(f"{json.dumps(GOOD)}\n{json.dumps(GOOD | {f'c{i}': 1 for i in range(20)})}\n")
    assert [tuple(b) for b in open_source(str(path)).scan().bad] == [(2, "it has 22 columns, and at most 20 are read")]


@pytest.mark.parametrize("packing", ["", ".gz", ".zst"])
@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_a_row_is_not_too_long(kind: str, packing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A row of any size is a bad row, and no more of it is in memory than the bound: a packed file may hold one."""
    monkeypatch.setattr(files, "MOST_ROW_BYTES", 2**16)
    monkeypatch.setattr(csv, "field_size_limit", lambda *_: 2**16)
    size = 64 * 2**20
    good, long = ('"Which?",5\n', '"' + "x" * size + '",5\n') if kind == "csv" else (json.dumps(GOOD) + "\n", row('"' + "x" * size + '"') + "\n")  # fmt: skip
    content = (("question,answer\n" if kind == "csv" else "") + good + long).encode()
    if kind == "jsonl":
        content += row("1").encode()
    path = tmp_path / f"a.{kind}{packing}"
    pack = {"": bytes, ".gz": gzip.compress, ".zst": lambda data: pa.Codec("zstd").compress(data, asbytes=True)}
    path.write_bytes(pack[packing](content))
    del content, long
    tracemalloc.start()
    found = open_source(str(path)).scan()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.good == (2 if kind == "jsonl" else 1)
    ((line, why),) = found.bad
    assert line == (2 if kind == "jsonl" else 3)
    assert "MiB" in why
    assert peak < size / 4


def test_a_cell_that_is_never_closed_ends_at_the_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A quotation mark that is not closed takes no more lines than a row may have."""
    monkeypatch.setattr(files, "MOST_ROW_BYTES", 10_000)
    path = tmp_path / "a.csv"
    path.write_text('question,answer\nWhich?,5\n"What?,6\n' + "Who?,7\n" * 10_000)
    found = open_source(str(path)).scan()
    assert found.good == 1
    assert "is a quotation mark not closed?" in found.bad[0].why


@pytest.mark.parametrize("ending", [".json.gz", ".parquet.zst"])
def test_what_is_read_whole_is_bounded(ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A packed file that has to be in memory as a whole is refused when it swells beyond the bound."""
    monkeypatch.setattr(files, "MOST_BYTES", 2**20)
    path = tmp_path / f"a{ending}"
    content = b" " * 2**24
    path.write_bytes(
        gzip.compress(content) if ending == ".json.gz" else pa.Codec("zstd").compress(content, asbytes=True)
    )
    with pytest.raises(InputError, match=r"has more than 1 MiB, and has to be read whole"):
        open_source(str(path))


@pytest.mark.parametrize("name", ["pipe.jsonl", "zero.jsonl"])
def test_only_regular_files_are_read(name: str, tmp_path: Path):
    """A named pipe and a device are refused, and not opened."""
    os.mkfifo(tmp_path / "pipe.jsonl")
    (tmp_path / "zero.jsonl").symlink_to("/dev/zero")
    with pytest.raises(InputError, match="not a regular file"):
        open_source(str(tmp_path / name))


@pytest.mark.parametrize(
    ("note", "good"),
    [
        ("9" * 10_000, True),
        ("-" + "9" * 10_000, True),
        ("1e999999", True),
        ("0." + "1" * 10_000, True),
        ("NaN", True),
        ("-Infinity", True),
        ('"\\ud800"', False),
        ('{"\\udfff": 1}', False),
    ],
)
def test_numbers_and_texts_without_measure(note: str, good: bool, tmp_path: Path):
    """A number of any length stays a text with all its digits; half of a character is a bad row."""
    path = tmp_path / "a.jsonl"
    path.write_text(f"{json.dumps(GOOD)}\n{row(note)}\n")
    found = open_source(str(path))
    assert found.scan().good == 1 + good
    assert len(list(found.problems())) == 1 + good


def test_parquet_that_breaks_off_is_told(tmp_path: Path):
    """Texts that are not UTF-8, and pages that are damaged, are an InputError and no traceback."""
    path = tmp_path / "a.parquet"
    texts = pa.Array.from_buffers(pa.utf8(), 1, [None, pa.py_buffer(b"\0\0\0\0\2\0\0\0"), pa.py_buffer(b"\xff\xfe")])
    pq.write_table(pa.table({"question": texts}), path)
    with pytest.raises(InputError, match="damaged after row 0"):
        open_source(str(path))


values = st.recursive(st.integers() | st.text(max_size=3), lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=3), v, max_size=3))  # fmt: skip


@given(values, st.integers(0, 8))
def test_depth_is_counted_right(value, most: int):
    """`too_deep` says what a plain recursion says, and `maybe_deep` never passes what is too deep."""

    def depth(v) -> int:
        inner = v.values() if isinstance(v, dict) else v if isinstance(v, list) else None
        return 0 if inner is None else 1 + max(map(depth, inner), default=0)

    assert too_deep(value, most) == (depth(value) > most)
    assert not too_deep(value) or maybe_deep(json.dumps(value).encode())


@given(st.integers(0, 300), st.sampled_from(["[]", "{}"]))
def test_json_is_read_up_to_the_bound(depth: int, kind: str):
    """A value is read, or refused in words, by its depth alone."""
    text = (nested(depth) if kind == "[]" else '{"a":' * depth + "1" + "}" * depth).encode()
    if depth <= MOST_DEPTH:
        assert json.dumps(parse_json(text), separators=(",", ":")).encode() == text
    else:
        with pytest.raises(NotJson, match="nested"):
            parse_json(text)
