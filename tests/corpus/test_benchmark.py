"""Items of benchmarks, read from files."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from synth.corpus.benchmark import read_items

ROWS = [{"question": "How many goats are there?", "code": None, "n": 3}, {"question": "Who?", "code": "f(x)", "n": 4}]


@pytest.mark.parametrize("ending", ["jsonl", "parquet", "csv", "tsv"])
def test_items_are_columns_of_rows_in_any_format(tmp_path: Path, ending: str):
    path, frame = tmp_path / f"b.{ending}", pl.DataFrame(ROWS)
    writers = {
        "jsonl": frame.write_ndjson,
        "parquet": frame.write_parquet,
        "csv": frame.write_csv,
        "tsv": lambda p: frame.write_csv(p, separator="\t"),
    }
    writers[ending](path)
    items = read_items([("b", path)], ("question", "code", "n"))
    assert [tuple(i) for i in items] == [("b", 1, "How many goats are there?\n3"), ("b", 2, "Who?\nf(x)\n4")]
    assert [i.row for i in read_items([("b", path), ("c", path)], ("question",), shortest=2)] == [1, 1]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("b.jsonl", b'{"question": "a"}\n{"question": \n', "line 2 of b.jsonl is no JSON"),
        ("b.jsonl", b'{"question": "a"}\n["a"]\n', "line 2 of b.jsonl is no JSON object"),
        ("b.jsonl", b'{"question": "\xff\xfe"}\n', "line 1 of b.jsonl is no JSON"),
        (
            "b.jsonl",
            b'{"question": "a"}\n{"prompt": "b"}\n',
            "row 2 of b.jsonl has no column 'question' (it has prompt)",
        ),
        ("b.jsonl", b"\n \n", "b.jsonl holds no row"),
        ("b.csv", b"", "b.csv holds no row"),
        ("b.csv", b"question\n", "b.csv holds no row"),
        ("b.csv", b"question,answer\n\xff\xfe\x00,2\n", "b.csv cannot be read"),
        ("b.parquet", b"no parquet", "b.parquet cannot be read"),
        ("b.tsv", b"prompt\nx\n", "row 1 of b.tsv has no column 'question' (it has prompt)"),
    ],
)
def test_what_cannot_be_read_is_reported_with_file_and_row(tmp_path: Path, name: str, content: bytes, told: str):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError) as error:
        read_items([(name, tmp_path / name)], ("question",))
    assert told in str(error.value)


def test_a_folder_is_no_file_of_items(tmp_path: Path):
    with pytest.raises(ValueError, match="b cannot be read: Is a directory"):
        read_items([("b", tmp_path)], ("question",))
