from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from random import Random

import duckdb
import orjson
import polars as pl
import pytest
from forks import python
from support import ask, manifest, run, sums, yaml_file

from synth.errors import RunFolderError
from synth.models import ScriptedModel, World
from synth.records import RECORD_TYPES
from synth.store import journal as journal_module
from synth.store import materialize as materializing
from synth.store.columns import TABLES, columns
from synth.store.database import open_store
from synth.store.journal import Journal
from synth.store.materialize import materialize

PIPELINE = """
    pipeline: my/small
    steps:
      - {step: generate, samples: 4, temperature: 0.7}
      - {step: verify_answer}
      - {step: pair}
      - {step: filter, name: right, keep: score.correct}
      - {step: select, keep: 2}
"""


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    model = ScriptedModel(World(solve_rate=0.6, malformed_rate=0.1))
    await run(yaml_file(tmp_path / "p.yaml", PIPELINE), sums(tmp_path / "in.jsonl", 25), tmp_path / "run", model)
    return tmp_path / "run"


def test_every_field_has_a_typed_column():
    assert set(TABLES) == {kind.table for kind in RECORD_TYPES}
    types = columns(TABLES["rationales"])
    assert types["id"] == types["parent"] == types["author"] == "VARCHAR"
    assert types["steps"] == "VARCHAR[]"
    assert types["sample"] == types["tokens"] == "BIGINT"
    assert types["hinted"] == "BOOLEAN"
    assert columns(TABLES["scores"])["value"] == "DOUBLE"
    assert columns(TABLES["calls"])["messages"] == "JSON"
    assert columns(TABLES["problems"])["media"] == "JSON"


def test_the_journal_alone_answers_as_its_fold_does(folder: Path):
    tables = [*TABLES, "funnel", "wide_rationales", "models", "lineage", "rejection_reasons", "kept_rationales"]
    materialized = {t: sorted(map(repr, ask(folder, f"SELECT * FROM {t}"))) for t in tables}
    (folder / "corpus.duckdb").unlink()
    assert {t: sorted(map(repr, ask(folder, f"SELECT * FROM {t}"))) for t in tables} == materialized
    assert materialize(folder)
    assert {t: sorted(map(repr, ask(folder, f"SELECT * FROM {t}"))) for t in tables} == materialized
    assert materialize(folder)  # nothing new
    assert len(ask(folder, "SELECT * FROM calls")) == 100


def test_the_funnel_counts_what_the_tables_hold(folder: Path):
    funnel = dict(ask(folder, "SELECT stage, n FROM funnel"))
    right = ask(folder, "SELECT count(*) FROM scores WHERE label = 'right'")[0][0]
    unread = ask(folder, "SELECT count(*) FROM rationales WHERE answer IS NULL")[0][0]
    out = ask(folder, "SELECT count(*) FROM rejections WHERE step = 'select'")[0][0]
    assert 0 < unread < 30
    assert out > 0
    assert funnel == {
        "problems": 25,
        "asked": 100,
        "answered": 100,
        "parsed": 100 - unread,
        "verified": right,
        "kept": right - out,
        "problems with a kept rationale": ask(folder, "SELECT count(DISTINCT problem) FROM kept_rationales")[0][0],
        "pairs": ask(folder, "SELECT count(*) FROM pairs")[0][0],
    }


def test_every_record_is_kept_or_says_why_not(folder: Path):
    assert ask(
        folder,
        """SELECT count(*) FROM wide_rationales WHERE kept = (rejected_by IS NOT NULL)""",
    ) == [(0,)]
    rules = ask(folder, "SELECT DISTINCT rejected_by FROM wide_rationales WHERE NOT kept ORDER BY 1")
    assert rules == [("right: score.correct",), ("select: at most 2 a problem",)]
    assert ask(
        folder, "SELECT count(*) FROM wide_rationales WHERE (label_correct = 'right') <> (score_correct = 1)"
    ) == [(0,)]


def test_one_join_tells_what_made_a_sentence(folder: Path):
    rows = ask(
        folder,
        """SELECT c.reply, r.text, c.prompt, c.model, p.source FROM kept_rationales r
           JOIN calls c ON c.id = r.call JOIN problems p ON p.id = r.problem""",
    )
    assert rows
    for reply, text, prompt, model, source in rows:
        assert text in reply
        assert prompt.startswith("rationale/solve/2#")
        assert model == "scripted"
        assert source.startswith("in.jsonl:")
    parents = ask(folder, "SELECT DISTINCT parent_table FROM lineage WHERE \"table\" = 'rationales' ORDER BY 1")
    assert parents == [("calls",), ("problems",)]


def test_frames_and_parquet(folder: Path, tmp_path: Path):
    with open_store(folder) as store:
        frame = store.frame("SELECT * FROM rationales ORDER BY id")
    assert frame.schema["steps"] == pl.List(pl.String)
    frame.write_parquet(tmp_path / "r.parquet")
    again = duckdb.sql(f"SELECT count(*), sum(len(steps)) FROM '{tmp_path / 'r.parquet'}'").fetchall()
    assert again == [(100, frame["steps"].list.len().sum())]


@pytest.mark.parametrize(
    "query",
    [
        "COPY problems TO 'out.csv'",
        "SELECT * FROM read_csv('/etc/passwd')",
        "ATTACH 'other.duckdb'",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "INSERT INTO folded.main.problems (id) VALUES ('x')",
        "DROP TABLE folded.main.problems",
    ],
)
def test_questions_cannot_reach_files_or_change_a_run(folder: Path, query: str):
    with open_store(folder) as store, pytest.raises(duckdb.Error):
        store.sql(query)
    assert ask(folder, "SELECT count(*) FROM problems") == [(25,)]


def test_reading_works_while_the_file_is_held(folder: Path):
    with duckdb.connect(str(folder / "corpus.duckdb")):  # as `materialize` does
        assert ask(folder, "SELECT count(*) FROM problems") == [(25,)]
    hold = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print(1, flush=True); sys.stdin.read()"
    with python(hold, folder / "corpus.duckdb", stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        assert ask(folder, "SELECT count(*) FROM problems") == [(25,)]
        assert not materialize(folder)
        other.stdin.close()
    assert materialize(folder)


def test_a_folder_without_a_run_is_reported(tmp_path: Path):
    with pytest.raises(RunFolderError, match="no run in this folder"):
        open_store(tmp_path)


def test_a_fold_that_was_killed_is_read_and_taken_up(folder: Path):
    """A write-ahead log is left behind; DuckDB takes it up again."""
    tables = [*TABLES, "funnel"]
    whole = {t: sorted(map(repr, ask(folder, f"SELECT * FROM {t}"))) for t in tables}
    (folder / "corpus.duckdb").unlink()
    kill = (
        "import os, sys, duckdb; from pathlib import Path; import synth.store.materialize as d\n"
        "real = duckdb.connect\n"
        "class C:\n"
        "    def __init__(self, c): self.c = c\n"
        "    def __getattr__(self, n): return getattr(self.c, n)\n"
        "    def __enter__(self): return self\n"
        "    def __exit__(self, *a): pass\n"
        "    def commit(self):\n"
        "        if sys.argv[2] == 'after': self.c.commit()\n"
        "        os._exit(9)\n"
        "d.duckdb.connect = lambda p: C(real(p))\n"
        "d.materialize(Path(sys.argv[1]))\n"
    )
    for when in ("before", "after"):
        with python(kill, folder, when) as process:
            assert process.wait(60) == 9
        assert {t: sorted(map(repr, ask(folder, f"SELECT * FROM {t}"))) for t in tables} == whole
    assert materialize(folder)
    assert {t: sorted(map(repr, ask(folder, f"SELECT * FROM {t}"))) for t in tables} == whole


def test_a_database_of_another_version_is_made_again_from_the_journal(folder: Path):
    materialize(folder)
    with open_store(folder) as store:
        before = store.sql("SELECT count(*) FROM problems").fetchall()
    with duckdb.connect(str(folder / "corpus.duckdb")) as con:
        con.execute("ALTER TABLE calls DROP COLUMN shape")
        con.execute("DELETE FROM problems")
    with open_store(folder) as store:  # read straight from the journal
        assert store.sql("SELECT count(*) FROM problems").fetchall() == before
        store.sql("SELECT shape FROM calls").fetchall()
    materialize(folder)
    with duckdb.connect(str(folder / "corpus.duckdb"), read_only=True) as con:
        assert con.execute("SELECT count(*) FROM problems").fetchall() == before
        con.execute("SELECT shape FROM calls")


def test_a_unit_far_larger_than_usual_is_folded_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(materializing, "_MEMORY", ("8MB",))
    rows = [
        {"id": f"r{i}", "unit": "p", "step": "s", "problem": "p", "author": "human", "response": "word " * 400}
        for i in range(3000)
    ]
    problem = {"id": "p", "unit": "p", "step": "input", "question": "?"}
    journal = Journal(tmp_path / "journal")
    body = {"owner": "p", "fingerprint": "f", "records": {"problems": [problem], "rationales": rows}}
    journal.append("commit", orjson.dumps(body))
    journal.close()
    materialize(tmp_path)
    with duckdb.connect(str(tmp_path / "corpus.duckdb")) as con:
        assert con.execute("SELECT count(*), min(length(response)) FROM rationales").fetchall() == [(3000, 2000)]


def test_long_texts_are_folded_though_a_checkpoint_of_them_takes_more_memory_than_usual(tmp_path: Path):
    """Such as transcripts of reasoning models."""
    random = Random(1)
    words = ["".join(random.choices("abcdefghij", k=random.randint(2, 9))) for _ in range(5000)]
    texts = [" ".join(random.choices(words, k=20_480)) for _ in range(400)]
    journal = Journal(tmp_path / "journal")
    for i, text in enumerate(texts):
        unit = f"p{i:03}"
        problem = {"id": unit, "unit": unit, "step": "input", "question": "?"}
        row = {"id": f"r{i:03}", "unit": unit, "step": "s", "problem": unit, "author": "human", "response": text}
        body = {"owner": unit, "fingerprint": "f", "records": {"problems": [problem], "rationales": [row]}}
        journal.append("commit", orjson.dumps(body))
    journal.close()
    assert materialize(tmp_path)
    with duckdb.connect(str(tmp_path / "corpus.duckdb")) as con:
        assert con.execute("SELECT text FROM rationales ORDER BY id").fetchall() == [(text,) for text in texts]


def _noted(folder: Path, *units: str) -> None:
    journal = Journal(folder / "journal")
    for unit in units:
        problem = {"id": unit, "unit": unit, "step": "input", "question": f"{unit}?"}
        body = {"owner": unit, "fingerprint": "f", "records": {"problems": [problem]}}
        journal.append("commit", orjson.dumps(body))
    journal.close()


def test_what_is_folded_is_safe_in_the_journal_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Else a power cut could leave rows that the journal has lost, and hide those that come after."""
    _noted(tmp_path, "a", "b")
    safe: dict[int, int] = {}
    plain = journal_module._sync

    def sync(descriptor: int) -> None:
        plain(descriptor)
        found = os.fstat(descriptor)
        safe[found.st_ino] = found.st_size

    monkeypatch.setattr(journal_module, "_sync", sync)
    assert materialize(tmp_path)
    file = (tmp_path / "journal/000001.jsonl").stat()
    assert safe == {file.st_ino: file.st_size}


def test_a_journal_that_lost_its_end_is_materialized_again(tmp_path: Path):
    manifest(tmp_path)
    _noted(tmp_path, "a", "b", "c")
    assert materialize(tmp_path)
    path = tmp_path / "journal/000001.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:1]))
    assert ask(tmp_path, "SELECT id FROM problems") == [("a",)]
    _noted(tmp_path, "d")
    assert ask(tmp_path, "SELECT id FROM problems ORDER BY id") == [("a",), ("d",)]
    assert materialize(tmp_path)
    assert ask(tmp_path, "SELECT id FROM problems ORDER BY id") == [("a",), ("d",)]
    with duckdb.connect(str(tmp_path / "corpus.before.duckdb"), read_only=True) as con:  # nothing is thrown away
        assert con.execute("SELECT id FROM problems ORDER BY id").fetchall() == [("a",), ("b",), ("c",)]


def test_a_database_whose_journal_was_taken_away_is_read_and_left(tmp_path: Path):
    manifest(tmp_path)
    _noted(tmp_path, "a", "b")
    materialize(tmp_path)
    shutil.rmtree(tmp_path / "journal")
    assert materialize(tmp_path)
    assert ask(tmp_path, "SELECT id FROM problems ORDER BY id") == [("a",), ("b",)]


def test_what_is_committed_again_replaces_what_was_there_before(tmp_path: Path):
    """Within one batch of `materialize`, and over two."""

    def commit(journal: Journal, *questions: str) -> None:
        rows = [{"id": q, "unit": "p", "step": "input", "question": q} for q in questions]
        journal.append("commit", orjson.dumps({"owner": "p", "fingerprint": "f", "records": {"problems": rows}}))

    journal = Journal(tmp_path / "journal")
    manifest(tmp_path)
    commit(journal, "first", "and more")
    commit(journal, "second")
    assert ask(tmp_path, "SELECT question FROM problems") == [("second",)]
    materialize(tmp_path)
    assert ask(tmp_path, "SELECT question FROM problems") == [("second",)]
    commit(journal, "third")
    materialize(tmp_path)
    assert ask(tmp_path, "SELECT question FROM problems") == [("third",)]
    commit(journal)
    journal.close()
    assert ask(tmp_path, "SELECT question FROM problems") == []


@pytest.mark.parametrize(
    "text", ["nul \0 here", "a lone \\ud800 is none", "\u2028 line\u0085ends\r\n", "'quoted\" \\n", "{}"]
)
def test_every_text_comes_back_as_it_was(tmp_path: Path, text: str):
    journal = Journal(tmp_path / "journal")
    manifest(tmp_path)
    row = {"id": text, "unit": "p", "step": "input", "question": text, "choices": [text], "meta": {"x": text}}
    journal.append("commit", orjson.dumps({"owner": "p", "fingerprint": "f", "records": {"problems": [row]}}))
    journal.close()
    materialize(tmp_path)
    [(question, choices, meta)] = ask(tmp_path, "SELECT question, choices, meta FROM problems")
    assert (question, choices, orjson.loads(meta)) == (text, [text], {"x": text})


def test_times_of_calls_are_times_in_utc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Seconds since the epoch in the journal and in records, TIMESTAMPTZ in UTC in the tables, materialized or not, wherever the machine is."""
    from datetime import UTC, datetime

    from synth.records import Call

    monkeypatch.setenv("TZ", "Asia/Tokyo")
    manifest(tmp_path)
    journal = Journal(tmp_path / "journal")
    call = {"key": "k", "attempt": 1, "model": "t", "endpoint": "e", "model_id": "m", "messages": [], "status": "ok"}
    moments = {"a": 1795988583.78, "b": 0, "c": 1e300, "d": -5.0}
    for name, started in moments.items():
        journal.append("call", orjson.dumps({"id": name, **call, "started": started, "latency": 0.5}))
    journal.close()
    for _ in range(2):  # from the journal, then from the tables
        with open_store(tmp_path) as store:
            rows = store.sql(
                "SELECT id, started, started::VARCHAR, strftime(started, '%H:%M') FROM calls ORDER BY id"
            ).fetchall()
            assert rows[0] == (
                "a",
                datetime(2026, 11, 29, 21, 43, 3, 780000, UTC),
                "2026-11-29 21:43:03.78+00",
                "21:43",
            )
            assert [row[1] for row in rows[1:]] == [datetime(1970, 1, 1, tzinfo=UTC), None, None]
            kind = store.sql("SELECT column_type FROM (DESCRIBE calls) WHERE column_name = 'started'").fetchall()
            assert kind == [("TIMESTAMP WITH TIME ZONE",)]
            assert [c.started for c in store.records(Call, where="id < 'c' AND started < '2027-01-01'")] == [
                1795988583.78,
                0,
            ]
            with pytest.raises(RunFolderError, match="a row of calls cannot be read: started"):
                list(store.records(Call))
        assert materialize(tmp_path)
