"""What the journal says, materialized into `corpus.duckdb`."""

from __future__ import annotations

import logging
from pathlib import Path

import duckdb

from synth.errors import RunFolderError
from synth.files import draft, temporary_folder
from synth.store.entries import find_damage
from synth.store.incoming import Rows, Seen
from synth.store.journal import START, Position, make_safe, reaches, read_blocks
from synth.store.sealed import (
    DATABASE,
    Held,
    Unusable,
    attach,
    connect,
    files_of,
    make_tables,
    note_written,
    set_aside,
)

__all__ = ["BATCH_BYTES", "BLOCK_BYTES", "materialize", "materialized_up_to"]

_LOG = logging.getLogger(__name__)
BLOCK_BYTES = 2**19
"""Of the journal, read at once."""
BATCH_BYTES = 4 * 2**20
"""Bytes of the journal that are materialized at once."""
_MEMORY = ("48MB", "256MB")
"""Memory for it; and where that was not enough, as for texts of 60 kB. Half of the first is what DuckDB needs at least."""


def materialize(run: Path, since: Position | None = None) -> bool:
    """Bring `corpus.duckdb` up to date with the journal.

    A database that is damaged, of another version or not ours is set aside, and made again from the journal.

    Args:
        run: the run folder.
        since: from where on this process has written the journal. Entries from there on are known to be whole, and to stand there
            once, so that they need not be parsed.

    Returns:
        False where another process reads the file and it must wait: nothing is lost, the journal has it all.

    Raises:
        RunFolderError: DuckDB cannot write it (a full disk); an entry of the journal is damaged.
    """
    path, journal = run / DATABASE, run / "journal"
    try:
        try:
            _materialize_in_memory(path, journal, since)
        except (duckdb.Error, Unusable, ValueError, OSError) as error:
            if (damage := find_damage(journal)) is not None:
                raise damage from error
            _make_again(path, journal)
    except Held:
        return False
    except (duckdb.Error, Unusable, ValueError, OSError) as error:
        fix = "make room and give the same command again: the journal has it all"
        raise RunFolderError(f"DuckDB cannot write: {error}", where=str(path), fix=fix) from error
    return True


def _make_again(path: Path, journal: Path) -> None:
    """Make a database from the journal alone, and put it in the place of the one that is there, which is set aside."""
    for left in path.parent.glob(f".{DATABASE}.*.draft*"):  # by a process that was killed; no other makes one now
        left.unlink(missing_ok=True)
    aside = None if path.is_file() and not path.is_symlink() else set_aside(path)  # a draft goes through a pipe
    with draft(path) as new:
        new.unlink()  # the name is what is wanted: DuckDB makes the file
        try:
            _materialize_in_memory(new, journal, None)
            aside = set_aside(path) or aside
        finally:
            for file in files_of(new)[1:]:
                file.unlink(missing_ok=True)
    if aside is not None:
        _LOG.warning("%s could not be used: it was moved to %s, and made again from the journal", path, aside.name)


def _materialize_in_memory(path: Path, journal: Path, since: Position | None) -> None:
    """Materialize, in as much memory as it takes: the usual, more, or DuckDB's own limit."""
    seen = Seen()
    for memory in _MEMORY:
        try:
            _materialize_within(path, journal, memory, since, seen)
        except duckdb.Error:  # out of memory: there are several that say so, and in a checkpoint it is fatal
            continue  # with what is not committed
        return
    _materialize_within(path, journal, None, since, seen)


def _materialize_within(path: Path, journal: Path, memory: str | None, since: Position | None, seen: Seen) -> None:
    """Materialize, and take so much memory; None for DuckDB's own limit, most of the machine's.

    Raises:
        Held: somebody else has the database open.
        Unusable: it is not ours, or has what the journal lost.
        duckdb.Error: memory does not suffice, the disk is full, or the database is damaged.
    """
    settings = {"threads": "1"}  # a second one costs more than it gives
    if memory != _MEMORY[0]:  # long texts: each checkpoint would write again those of some hundred MB
        settings["wal_autocheckpoint"] = "'128MB'"
    with (
        temporary_folder() as rows,
        connect((*files_of(path), Path(rows)), memory=memory, settings=settings) as con,
    ):
        if not attach(con, path, "corpus", read_only=False):
            con.begin()  # all of them, or none
            make_tables(con, "corpus.main")
            con.commit()
            path.chmod(0o600)
        if not reaches(journal, materialized_up_to(con, "corpus")):
            raise Unusable("the journal has lost its end")
        _add(con, journal, Path(rows), since, seen)
    note_written(path)


def _add(con: duckdb.DuckDBPyConnection, journal: Path, folder: Path, since: Position | None, seen: Seen) -> None:
    """Add what the tables lack of the journal."""
    begin = materialized_up_to(con, "corpus")
    blocks = read_blocks(journal, begin, BLOCK_BYTES)
    seen.begin(con, "corpus.main", begin)
    while (first := next(blocks, None)) is not None:
        con.begin()
        seen.forget()  # what an earlier attempt had taken in, and memory did not suffice for
        with Rows(con, "corpus.main", folder, seen) as rows:
            before, (position, lines), size = begin, first, 0
            while True:
                rows.take(lines, ours=since is not None and before >= since)
                size += len(lines)
                if size >= BATCH_BYTES or (more := next(blocks, None)) is None:
                    break
                before, (position, lines) = position, more
            rows.insert()
        make_safe(journal, begin, position)  # or a power cut would leave here what the journal has lost
        begin = position
        con.execute("DELETE FROM corpus.main.folded")
        con.execute("INSERT INTO corpus.main.folded VALUES (?, ?)", [position.segment, position.offset])
        con.commit()
        seen.settle(position)


def materialized_up_to(con: duckdb.DuckDBPyConnection, database: str) -> Position:
    """The place in the journal up to which a database has it all.

    Raises:
        Unusable: it does not say one.
    """
    rows = con.execute(f"SELECT segment, byte_offset FROM {database}.main.folded LIMIT 2").fetchall()
    if not rows:
        return START
    if len(rows) > 1 or any(n is None or n < 0 for n in rows[0]):
        raise Unusable("it does not say how far it goes")
    return Position(*rows[0])
