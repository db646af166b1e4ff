"""What models wrote is shown inert in the terminal, and questions only read."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import unicodedata
from pathlib import Path

import orjson
import pytest
from forks import MAIN, python
from hypothesis import given
from hypothesis import strategies as st
from support import synth

from synth.audit import FUNCTIONS
from synth.publish.markdown import escaped
from synth.render.inert import inert, plain
from synth.render.pages import as_html
from synth.store import database
from synth.store.columns import TABLES, column_docs
from synth.store.database import open_store
from synth.store.journal import Journal
from synth.store.views import view_docs

HOSTILE = "\x1b]0;title\x07\x1b[2Jgone \x9b31m \u202eright to left\u2066 zero\u200bwidth \U000e0041 [bold]markup[/bold] \u2028 \x08\x0d"
ACTED_ON = {*map(chr, range(32)), *map(chr, range(127, 160)), *"\u202e\u2066\u200b\U000e0041\u2028"} - {"\n"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run whose every text is hostile."""
    (tmp_path / "run").mkdir()
    told = {"pipeline": "my/p", "synth": "0", "format": 2, "source": {"name": HOSTILE}}
    (tmp_path / "run" / "run.json").write_bytes(orjson.dumps(told))
    journal = Journal(tmp_path / "run" / "journal")
    call = {"id": "c", "key": "k", "attempt": 1, "model": HOSTILE, "endpoint": "e", "model_id": HOSTILE, "unit": "p"}
    call |= {"step": "s", "messages": [{"role": "user", "content": HOSTILE}], "parameters": {}, "status": "ok"}
    journal.append("call", orjson.dumps(call | {"reply": HOSTILE, "started": 0.0, "latency": 1.0, "error": HOSTILE}))
    own = {"unit": "p", "step": "s"}
    records = {
        "problems": [{"id": "p", **own, "question": HOSTILE, "answer": "1", "meta": {HOSTILE: HOSTILE}}],
        "rationales": [{"id": "r", **own, "problem": "p", "author": "teacher", "response": HOSTILE, "call": "c"}],
        "scores": [{"id": "s", **own, "target": "r", "name": HOSTILE, "judge": HOSTILE, "label": HOSTILE}],
        "rejections": [{"id": "x", **own, "target": "r", "target_table": "rationales", "rule": HOSTILE}],
        "failures": [{"id": "f", **own, "target": "p", "cause": "shape", "message": HOSTILE, "raw": HOSTILE}],
    }
    journal.append("commit", orjson.dumps({"owner": "p", "fingerprint": "f", "records": records}))
    journal.close()
    return tmp_path / "run"


@pytest.mark.parametrize(
    "words",
    [
        ["sql", "RUN", "SELECT * FROM rationales"],
        ["sql", "RUN", "SELECT text FROM rationales"],
        ["sql", "RUN", 'SELECT 1 AS "a\x1b[31m"'],
        ["sql", "RUN", "--schema"],
        ["sql", "RUN", "SELECT text::INT FROM rationales"],  # the error repeats what stood there
        ["sql", "RUN", "SELECT error(text) FROM rationales"],
        ["status", "RUN"],
        ["calls", "RUN"],
        ["calls", "RUN", "c"],
        ["calls", "RUN", "--by", "model"],
        ["audit", "RUN"],
        ["audit", "RUN", "--look"],
    ],
    ids=lambda words: " ".join(words[:3])[:40],
)
def test_nothing_a_model_wrote_acts_on_the_terminal(folder: Path, words: list[str]):
    done = synth(*(folder if w == "RUN" else w for w in words))
    assert done.stdout + done.stderr
    assert not ACTED_ON & set(done.stdout + done.stderr)


def in_a_terminal(*words: str | Path) -> str:
    """What a command writes where its standard output is a terminal."""
    leader, follower = pty.openpty()
    env = {**os.environ, "TERM": "dumb"}
    with python(MAIN, *words, stdout=follower, stderr=subprocess.DEVNULL, env=env) as process:
        os.close(follower)
        read = b""
        while True:
            try:
                some = os.read(leader, 4096)
            except OSError:
                break
            if not some:
                break
            read += some
        process.wait()
    os.close(leader)
    return re.sub("\r+\n", "\n", read.decode())


def test_csv_and_json_are_exact_in_a_pipe_and_inert_in_a_terminal(folder: Path, tmp_path: Path):
    query = "SELECT response AS text FROM rationales"
    assert orjson.loads(synth("sql", folder, query, "--format", "json").stdout)["text"] == HOSTILE
    synth("sql", folder, query, "--out", tmp_path / "x.csv")
    assert HOSTILE in (tmp_path / "x.csv").read_bytes().decode()
    for form in ("json", "csv", "table"):
        shown = in_a_terminal("sql", folder, query, "--format", form)
        assert "gone" in shown
        assert not ACTED_ON & set(shown)
    assert orjson.loads(in_a_terminal("sql", folder, query, "--format", "json"))["text"] == HOSTILE


def test_pages_cards_and_the_terminal_agree_on_what_acts():
    """Every control character, surrogate and separator of lines, and every sign that hides or turns text, is shown in each of them."""
    acting = [
        c for c in map(chr, range(0x110000)) if unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} and c not in "\t\n"
    ]
    for character in [*acting, *"\u00ad\u061c\u180e\u200b\u200e\u202e\u2060\u2066\ufeff\U000e0041"]:
        text = f"a{character}b"
        assert inert(text) == "a\N{REPLACEMENT CHARACTER}b"
        assert character not in plain(text)
        assert character not in as_html(text)
        assert character not in escaped(text)
    for harmless in "a\t\u200c\u200d\u0600é":
        assert harmless in inert(harmless)
        assert harmless in plain(harmless)


@given(st.text(st.characters()))
def test_inert_text_can_be_written_and_has_one_line(text: str):
    shown = inert(text)
    shown.encode()
    assert not ACTED_ON & set(shown) - {"\t"}
    assert "\n" not in shown


@pytest.mark.parametrize(
    "query",
    [
        "COPY problems TO 'out.csv'",
        "COPY (SELECT 1) TO '/dev/stdout'",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_blob('/etc/passwd')",
        "SELECT * FROM read_json_auto('/etc/passwd')",
        "SELECT * FROM read_parquet('/etc/passwd')",
        "SELECT * FROM sniff_csv('/etc/passwd')",
        "SELECT * FROM glob('/etc/*')",
        "FROM '/etc/passwd'",
        "FROM 'https://example.org/x.csv'",
        "FROM query_table('/etc/passwd')",
        "FROM query('COPY problems TO ''out.csv''')",
        "SELECT getenv('HOME')",
        "ATTACH 'other.duckdb'",
        "ATTACH ':memory:' AS other",
        "DETACH folded",
        "INSTALL httpfs",
        "LOAD httpfs",
        "LOAD json",
        "SET enable_external_access = true",
        "RESET enable_external_access",
        "SET lock_configuration = false",
        "PRAGMA enable_external_access = true",
        "PRAGMA enable_profiling",
        "CALL enable_logging(storage = 'file', storage_config = {'path': 'log'})",
        "EXPORT DATABASE 'out'",
        "IMPORT DATABASE 'out'",
        "UPDATE EXTENSIONS",
        "FORCE INSTALL json",
        "COPY FROM DATABASE folded TO memory",
        "CREATE MACRO m(x) AS x",
        "USE tail",
        "SET VARIABLE x = 1",
        "PRAGMA database_list",
        "VACUUM",
        "COMMENT ON VIEW problems IS 'x'",
        "MERGE INTO tail.problems USING (SELECT 1 AS a) s ON false WHEN NOT MATCHED THEN INSERT (id) VALUES ('x')",
        "DESCRIBE '/etc/passwd'",
        "SUMMARIZE '/etc/passwd'",
        "FROM json_execute_serialized_sql(json_serialize_sql('FROM ''/etc/passwd'''))",
        "SELECT (SELECT content FROM read_text('/etc/passwd'))",
        "FROM 's3://bucket/x.parquet'",
        "FROM parquet_metadata('/etc/passwd')",
        "CREATE SECRET (TYPE s3)",
        "CREATE TABLE x AS SELECT 1",
        "CREATE OR REPLACE VIEW problems AS SELECT 1",
        "DROP VIEW problems",
        "INSERT INTO tail.problems (id) VALUES ('x')",
        "UPDATE tail.problems SET question = ''",
        "DELETE FROM tail.problems",
        "EXPLAIN ANALYZE COPY problems TO 'out.csv'",
        "EXPLAIN ANALYZE DELETE FROM tail.problems",
        "WITH x AS (DELETE FROM tail.problems RETURNING *) FROM x",
        "SELECT 1; COPY problems TO 'out.csv'",
        "SELECT 1; COMMIT; DELETE FROM tail.problems",
        "PREPARE q AS COPY problems TO 'out.csv'",
        "FROM store",
        "FROM query",
        "BEGIN",
        "CHECKPOINT",
        "",
        "-- nothing",
    ],
)
def test_a_question_reads_this_run_and_nothing_else(folder: Path, tmp_path: Path, query: str):
    import duckdb

    store_files = sorted(p.relative_to(tmp_path) for p in tmp_path.rglob("*"))
    with open_store(folder) as store, pytest.raises(duckdb.Error):
        store.ask(query).fetchall()
    assert sorted(p.relative_to(tmp_path) for p in tmp_path.rglob("*")) == store_files
    assert not list(Path.cwd().glob("out*"))


@pytest.mark.parametrize(
    "query",
    [
        "SELECT count(*) FROM problems",
        "FROM problems",
        "WITH x AS (FROM problems) SELECT * FROM x",
        "DESCRIBE problems",
        "SUMMARIZE problems",
        "SHOW TABLES",
        "EXPLAIN SELECT 1",
        "VALUES (1)",
        "PIVOT scores ON judge USING count(*)",
        "SELECT 1;",
        "SELECT same_answer('12', '12.0', 'number', NULL), stated_answer('The answer is 3.', 'number', NULL)",
    ],
)
def test_what_reads_is_a_question(folder: Path, query: str):
    from synth.audit import add_functions

    with open_store(folder) as store:
        add_functions(store)
        assert store.ask(query).fetchall()


def test_no_variable_of_this_program_is_a_table(folder: Path, monkeypatch: pytest.MonkeyPatch):
    import duckdb
    import polars as pl

    monkeypatch.setattr(database, "frame", pl.DataFrame({"a": [1]}), raising=False)
    with open_store(folder) as store, pytest.raises(duckdb.CatalogException):
        store.ask("FROM frame")


@pytest.mark.parametrize("setting", ["python_enable_replacements = false", "memory_limit = '1GB'", "threads = 1"])
def test_no_setting_can_be_changed(folder: Path, setting: str):
    import duckdb

    with open_store(folder) as store, pytest.raises(duckdb.Error, match="locked"):
        store.sql(f"SET {setting}")


def test_a_statement_that_writes_is_reported_in_words(folder: Path, tmp_path: Path):
    for out in ([], ["--format", "csv"], ["--out", tmp_path / "x.parquet"], ["--out", tmp_path / "x.csv"]):
        done = synth("sql", folder, "DELETE FROM rationales", *out, check=2)
        assert "a run is only read" in done.stderr


def test_every_column_of_every_table_and_view_is_documented(folder: Path):
    with open_store(folder) as store:
        there = store.sql(
            "SELECT table_name, list(column_name) FROM information_schema.columns WHERE table_schema = 'main' "
            "AND table_catalog = 'memory' GROUP BY 1"
        ).fetchall()
    views = view_docs()
    assert {name for name, _ in there} == {*TABLES, *views}
    for name, names in there:
        docs = column_docs(TABLES[name]) if name in TABLES else views[name].columns
        silent = [c for c in names if not (docs.get(c) if name in TABLES else views[name].column(c))]
        assert not silent, name
        assert name in TABLES or views[name].meaning


def test_the_schema_shows_them(folder: Path):
    shown = " ".join(synth("sql", folder, "--schema", check=0).stdout.split())
    assert "the score; NULL where it is not valid" in shown
    assert "in order of their ids" not in shown
    for table in (*TABLES, *(f"view {v}" for v in view_docs()), *(f.name for f in FUNCTIONS)):
        assert table in shown
