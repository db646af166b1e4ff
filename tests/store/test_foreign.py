"""A run folder from elsewhere is input: its database is derived, its links lead nowhere, and nothing in it is evaluated."""

from __future__ import annotations

import logging
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from support import contents, manifest, run, sums, yaml_file

from synth.errors import RunFolderError
from synth.models import ScriptedModel, World
from synth.store.database import open_store
from synth.store.journal import Journal
from synth.store.materialize import materialize
from synth.store.run_folder import hold

PIPELINE = """
    pipeline: my/small
    steps:
      - {step: generate, samples: 2}
      - {step: verify_answer}
"""
SECRET = "TOP-SECRET-4711"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run, as its author left it."""
    import asyncio

    folder = tmp_path_factory.mktemp("made")
    model = ScriptedModel(World(solve_rate=0.6))
    asyncio.run(run(yaml_file(folder / "p.yaml", PIPELINE), sums(folder / "in.jsonl", 12), folder / "run", model))
    return folder / "run"


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(made, tmp_path / "run"))


def _as_before(folder: Path, made: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Reading says in one line that the database is not used, and gives the same rows; `materialize` makes it again."""
    wanted = contents(made)
    caplog.clear()
    assert contents(folder) == wanted
    assert len([r for r in caplog.records if "All is read from the journal" in r.getMessage()]) == 1
    assert materialize(folder)
    caplog.clear()
    assert contents(folder) == wanted
    assert not caplog.records
    with open_store(folder) as store:
        assert store._materialized


ADDED = {
    "view": "CREATE VIEW more AS SELECT 1 AS x",
    "view of a table's name": "ALTER TABLE folded RENAME TO other; CREATE VIEW folded AS SELECT 9 AS segment, 9 AS byte_offset",
    "macro": "CREATE MACRO regexp_replace(a, b, c) AS 'mine'",
    "table macro": "CREATE MACRO read_it() AS TABLE SELECT 1",
    "sequence": "CREATE SEQUENCE s",
    "default": "ALTER TABLE problems ALTER question SET DEFAULT 'mine'",
    "not null": "ALTER TABLE problems ALTER question SET NOT NULL",
    "index": "CREATE INDEX i ON problems (id)",
    "type": "CREATE TYPE mood AS ENUM ('a', 'b')",
    "schema": "CREATE SCHEMA s2; CREATE TABLE s2.x (i INT)",
    "table": "CREATE TABLE more (i INT)",
    "column of another type": "ALTER TABLE calls ALTER attempt TYPE INTEGER",
    "computed column": "ALTER TABLE rationales DROP COLUMN text; ALTER TABLE rationales ADD COLUMN text VARCHAR",
    "place": "UPDATE folded SET byte_offset = -1",
    "place within an entry": "UPDATE folded SET byte_offset = byte_offset - 7",
    "two places": "INSERT INTO folded VALUES (1, 2)",
}


@pytest.mark.parametrize("what", ADDED)
def test_a_database_with_anything_beside_our_tables_is_not_used(
    what: str, folder: Path, made: Path, caplog: pytest.LogCaptureFixture
):
    """It is read from the journal, set aside by the next `materialize`, and made again."""
    with duckdb.connect(str(folder / "corpus.duckdb")) as con:
        con.execute(ADDED[what])
    if what.startswith("place within"):  # as if the journal had lost its end: readers do so every day, and say nothing
        assert contents(folder) == contents(made)
        assert materialize(folder)
        assert contents(folder) == contents(made)
    else:
        _as_before(folder, made, caplog)
    assert (folder / "corpus.before.duckdb").is_file()


def test_what_a_log_adds_is_found_too(folder: Path, made: Path, caplog: pytest.LogCaptureFixture):
    """A view can come in the log of changes that are not in the file yet; it is taken in when the file is opened."""
    con = duckdb.connect(str(folder / "corpus.duckdb"))
    con.execute("PRAGMA disable_checkpoint_on_shutdown")
    con.execute("CREATE VIEW more AS SELECT 1 AS x")
    con.close()
    assert (folder / "corpus.duckdb.wal").stat().st_size
    _as_before(folder, made, caplog)


def test_a_view_reads_no_file_before_it_is_found(folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    """A view of the name of a table, that reads a file of ours: neither a question nor `materialize` evaluates it."""
    secret = tmp_path / "id_secret"
    secret.write_text(SECRET)
    with duckdb.connect(str(folder / "corpus.duckdb")) as con:
        names = [n for (n,) in con.execute("SELECT column_name FROM (DESCRIBE scores)").fetchall()]
        seen = ", ".join(f"(SELECT content FROM read_text('{secret}')) AS name" if n == "name" else n for n in names)
        con.execute(
            f"CREATE SCHEMA s2; CREATE TABLE s2.scores AS FROM scores; DROP TABLE scores; CREATE VIEW scores AS SELECT {seen} FROM s2.scores"
        )
    with open_store(folder) as store:
        assert SECRET not in str(store.rows("SELECT * FROM scores"))
        assert SECRET not in str(store.rows("SELECT sql FROM duckdb_views()"))
        for query in (f"SELECT * FROM read_text('{secret}')", "SELECT * FROM 'https://example.org/x.csv'"):
            with pytest.raises(duckdb.Error, match=r"disabled by configuration|not exist"):
                store.sql(query)
        with pytest.raises(duckdb.Error, match="locked"):
            store.sql("SET enable_external_access = true")
    assert materialize(folder)


def _cut(content: bytes) -> bytes:
    return content[: len(content) // 3]


def _blocks(content: bytes) -> bytes:
    """The head is whole; rows cannot be read."""
    bad = bytearray(content)
    for place in range(300_000, len(bad), 20_000):
        bad[place : place + 64] = b"\xff" * len(bad[place : place + 64])
    return bytes(bad)


BROKEN: dict[str, Callable[[bytes], bytes]] = {
    "cut short": _cut,
    "bad blocks": _blocks,
    "no database": lambda _: b"x" * 5000,
    "another storage version": lambda c: c[:12] + (10_000).to_bytes(8, "little") + c[20:],
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_database_is_made_again(how: str, folder: Path, made: Path, caplog: pytest.LogCaptureFixture):
    """Found when it is opened or when a question reads a bad block; every question is answered all the same."""
    path = folder / "corpus.duckdb"
    path.write_bytes(BROKEN[how](path.read_bytes()))
    _as_before(folder, made, caplog)
    assert (folder / "corpus.before.duckdb").is_file()


def test_flipped_bytes_change_no_answer(folder: Path, made: Path, caplog: pytest.LogCaptureFixture):
    """Wherever bytes of the database are flipped, cut off or overwritten: no error, and the same rows."""
    caplog.set_level(logging.CRITICAL)
    wanted, path = contents(made), folder / "corpus.duckdb"
    whole, chance = path.read_bytes(), random.Random(7)
    for _ in range(12):
        content, place = bytearray(whole), chance.randrange(len(whole))
        if chance.random() < 0.3:
            del content[place:]
        else:
            for at in range(place, min(place + chance.choice([1, 4000]), len(content))):
                content[at] ^= chance.randrange(1, 256)
        path.write_bytes(content)
        assert contents(folder) == wanted
        assert materialize(folder)
        assert contents(folder) == wanted
        path.write_bytes(whole)


def test_an_empty_file_is_filled(folder: Path, made: Path):
    """A database of no bytes is a new one."""
    (folder / "corpus.duckdb").write_bytes(b"")
    assert contents(folder) == contents(made)
    assert materialize(folder)
    assert contents(folder) == contents(made)


def test_what_was_set_aside_is_not_overwritten(folder: Path, made: Path):
    """Each database that is set aside has a name of its own."""
    for _ in range(2):
        (folder / "corpus.duckdb").write_bytes(b"x" * 5000)
        assert materialize(folder)
    assert {p.name for p in folder.glob("corpus.*")} == {
        "corpus.duckdb",
        "corpus.before.duckdb",
        "corpus.before.2.duckdb",
    }


LINKED = ["corpus.duckdb", "corpus.duckdb.wal"]


@pytest.mark.parametrize("name", LINKED)
@pytest.mark.parametrize("what", ["a file of ours", "nothing", "a pipe", "a folder"])
def test_a_database_that_is_no_file_is_made_again(
    name: str, what: str, folder: Path, made: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    """A link, a pipe or a folder in its place is neither opened nor followed, and what it leads to is as it was."""
    precious, path = tmp_path / "precious.txt", folder / name
    precious.write_text("mine")
    path.unlink(missing_ok=True)
    if what == "a pipe":
        os.mkfifo(path)
    elif what == "a folder":
        path.mkdir()
    else:
        path.symlink_to(precious if what == "a file of ours" else tmp_path / "absent")
    _as_before(folder, made, caplog)
    assert precious.read_text() == "mine"
    assert not (tmp_path / "absent").exists()


@pytest.mark.parametrize("name", ["journal", "journal/000001.jsonl", "journal/000002.jsonl"])
def test_a_journal_that_leads_out_is_not_read_nor_written(name: str, folder: Path, tmp_path: Path):
    """A link in the place of the journal or of a segment: the file it leads to is neither shown, nor cut, nor appended to."""
    outside, path = tmp_path / "outside", folder / name
    outside.mkdir()
    (outside / "000001.jsonl").write_text("mine, without a line end")
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    path.symlink_to(outside if name == "journal" else outside / "000001.jsonl")
    (folder / "corpus.duckdb").unlink()
    for use in (open_store, materialize, lambda f: Journal(f / "journal")):
        with pytest.raises(RunFolderError, match="leads out of its folder"):
            use(folder)
    assert (outside / "000001.jsonl").read_text() == "mine, without a line end"


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_a_segment_that_is_no_file_does_not_hold_up(kind: str, folder: Path):
    """To open a pipe would wait for ever, and a device may have no end."""
    path = folder / "journal" / "000002.jsonl"
    os.mkfifo(path) if kind == "pipe" else path.symlink_to("/dev/zero")
    with pytest.raises(RunFolderError, match=r"not a regular file|leads out"):
        open_store(folder)


@pytest.mark.parametrize("name", [".lock", "run.json", "input.jsonl", "stdin", "journal", "state.json"])
def test_nothing_of_ours_is_written_through_a_link(name: str, folder: Path, tmp_path: Path):
    """To hold a run folder empties its lock file, and more is written in it later: links that lead out of it are refused first."""
    precious, path = tmp_path / "precious", folder / name
    precious.write_text("mine")
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    path.symlink_to(precious)
    with pytest.raises(RunFolderError, match="leads out of the run folder"):
        hold(folder)
    assert precious.read_text() == "mine"


def test_a_link_to_a_run_folder_is_fine(folder: Path, made: Path, tmp_path: Path):
    """The folder itself is what the user named, wherever it lies."""
    (tmp_path / "link").symlink_to(folder)
    assert contents(tmp_path / "link") == contents(made)
    hold(tmp_path / "link").release()
    (tmp_path / "link/corpus.duckdb").unlink()
    assert materialize(tmp_path / "link")


def test_hostile_rows_are_reported(tmp_path: Path):
    """A row that no record of this version can be is an error in words, when it is read as a record."""
    from synth.records import Rationale

    manifest(tmp_path)
    journal = Journal(tmp_path / "journal")
    row = '{"id": "x", "unit": "u", "step": "s", "problem": "p", "author": "nobody", "response": "r"}'
    journal.append("commit", b'{"owner": "u", "fingerprint": "f", "records": {"rationales": [%b]}}' % row.encode())
    journal.close()
    with open_store(tmp_path) as store, pytest.raises(RunFolderError, match="a row of rationales cannot be read"):
        list(store.records(Rationale))
