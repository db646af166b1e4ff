"""CSV of `synth sql`: no cell is a formula, numbers are numbers, and every text can be had back."""

from __future__ import annotations

import csv
import io
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import ROOT, synth

from synth.cli.tables import is_formula

RUN = ROOT / "samples" / "finished"
FORMULAS = [
    "=1+1",
    "=cmd|'/C calc'!A0",
    "+1+1",
    "-2+3+cmd|'/C calc'!A0",
    "@SUM(1+1)",
    "\t=1",
    "\ta",
    "\r=1",
    "\rb",
    "\n=1",
    " =1",
    "'=1",
    '"=1',
    "\uff1d1+1",
    "\uff0b1",
    "\uff0d1+1",
    "\uff20SUM(1)",
    "\ufe661",
    "\u200b=1",
    "\ufeff=1",
    "=a\nb",
    "-",
    "- a list\n- of things",
    "+49 30 1234",
]
PLAIN = [
    "",
    "a",
    "a=b",
    "a\n=1",
    "-5",
    "+5",
    "-1.5e-3",
    "-5%",
    "5-3",
    "'",
    "it's",
    "\nHere",
    "1=1",
    "e-mail@host",
    "−5",
]


@pytest.mark.parametrize("text", FORMULAS)
def test_formulas_are_seen(text: str):
    """Each may act in some spreadsheet."""
    assert is_formula(text)


@pytest.mark.parametrize("text", PLAIN)
def test_plain_texts_are_left_alone(text: str):
    """Numbers above all: an answer of `-5` is no formula."""
    assert not is_formula(text)


@given(st.text(st.sampled_from("=+-@\t\r\n '\"5.e%a\uff1d\uff20\u200b"), max_size=6) | st.text(max_size=12))
def test_a_mark_makes_any_text_inert_and_can_be_taken_away(text: str):
    """What is written begins with no sign of a formula; taking one `'` away where a formula stands behind it gives the text back."""
    written = f"'{text}" if is_formula(text) else text
    number = (
        text[:1] in ("+", "-")
        and text.lstrip("+-").replace(".", "").rstrip("%").replace("e", "").replace("E", "").strip("0123456789+-") == ""
    )
    assert number or unicodedata.normalize("NFKC", written[:1]) not in {*"=+-@\t\r"}
    back = written[1:] if written.startswith("'") and is_formula(written[1:]) else written
    assert back == text


def rows_of(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


def test_cells_and_headers_of_a_file_and_of_the_output_are_inert(tmp_path: Path):
    """Texts and names of columns are marked, also in cells of several lines; numbers, dates and lists are as they were; `--raw` is exact."""
    quoted = [t.replace("'", "''") for t in FORMULAS]
    texts = ", ".join(f"'{t}'" for t in quoted)
    query = f"""SELECT t AS "=HYPERLINK(1)", -5 AS "-n", -1.5::DECIMAL(4, 2) AS d, ['=1'] AS l FROM (SELECT unnest([{texts}]) AS t)"""
    out = tmp_path / "x.csv"
    told = synth("sql", RUN, query, "--out", out, check=0)
    with out.open(newline="", encoding="utf-8") as file:
        written = file.read()
    assert rows_of(written) == [
        ["'=HYPERLINK(1)", "'-n", "d", "l"],
        *(["'" + t, "-5", "-1.50", "['=1']"] for t in FORMULAS),
    ]
    assert f"note: {len(FORMULAS) + 2} cells begin like formulas" in told.stderr
    assert "--raw" in told.stderr
    printed = synth("sql", RUN, query, "--format", "csv", check=0)
    assert printed.stdout.replace("\r\n", "\n") == written.replace("\r\n", "\n")
    assert "note:" not in printed.stdout
    raw = synth("sql", RUN, query, "--out", out, "--raw", check=0)
    assert raw.stderr == ""
    with out.open(newline="", encoding="utf-8") as file:
        assert rows_of(file.read())[1:] == [[t, "-5", "-1.50", "['=1']"] for t in FORMULAS]


def test_other_files_have_texts_as_they_are(tmp_path: Path):
    """JSON Lines and Parquet hold no formulas, so nothing is marked."""
    import orjson
    import polars as pl

    query = "SELECT '=1+1' AS t, -5 AS n"
    synth("sql", RUN, query, "--out", tmp_path / "x.jsonl", check=0)
    synth("sql", RUN, query, "--out", tmp_path / "x.parquet", check=0)
    assert orjson.loads((tmp_path / "x.jsonl").read_bytes()) == {"t": "=1+1", "n": -5}
    assert pl.read_parquet(tmp_path / "x.parquet").rows() == [("=1+1", -5)]
    assert orjson.loads(synth("sql", RUN, query, "--format", "json", check=0).stdout) == {"t": "=1+1", "n": -5}
    assert "=1+1" in synth("sql", RUN, query, check=0).stdout


def test_a_file_stays_as_it_was_where_the_question_fails(tmp_path: Path):
    """A mistake in the middle of the rows leaves the old file whole, and no draft."""
    for name in ("x.csv", "x.jsonl", "x.parquet"):
        (tmp_path / name).write_text("old")
        failing = "SELECT CASE WHEN x = 90000 THEN error('no') ELSE x END AS x FROM range(100000) t(x)"
        assert "DuckDB says" in synth("sql", RUN, failing, "--out", tmp_path / name, check=2).stderr
        assert (tmp_path / name).read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 3
