"""DuckDB, sealed: a connection reaches its own files and nothing else, and no setting can change that, before it opens a database.

`corpus.duckdb` is derived from the journal, and it may come from a stranger, a disk that failed, or another version. So it is
opened by a sealed connection only, and used only if it holds our tables and nothing beside them: a view, a macro or a default of
somebody else's would be evaluated by our own questions.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import duckdb

from synth.store.columns import TABLES, derived_columns, stored_columns

__all__ = [
    "DATABASE",
    "Held",
    "Unusable",
    "attach",
    "connect",
    "files_of",
    "is_sound",
    "make_tables",
    "note_written",
    "quote",
    "set_aside",
]

DATABASE = "corpus.duckdb"
"""Its name in a run folder."""

_LOGS = (".wal", ".wal.checkpoint", ".wal.recovery")
"""Of changes that are not in the file yet: the last two while it takes them in."""

_HELD = re.compile(
    r"Could not set lock on file|Unique file handle conflict|is already attached by|used by another process"
)
"""What DuckDB says where another connection has the file open, here or in another process."""


class Held(Exception):  # not an error: nothing is lost, and it passes
    """Another connection has the database open."""


class Unusable(Exception):  # not shown to a user as it is
    """A database that is not ours as it stands: of another version, of somebody else, or no file at all."""


def connect(
    reach: Sequence[Path] = (), *, memory: str | None = None, settings: Mapping[str, str] | None = None
) -> duckdb.DuckDBPyConnection:
    """A sealed connection to an empty database in memory.

    Args:
        reach: files and folders that it can open; nothing else, no extension and no address.
        memory: the most it takes; None for DuckDB's own limit, most of the machine's.
        settings: more settings, as SQL.
    """
    con = duckdb.connect(":memory:")
    wanted = {
        "TimeZone": "'UTC'",  # or each machine would show times of its own
        "enable_progress_bar": "false",  # which would be drawn amid what commands write
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        # DuckDB makes it when memory does not suffice, and removes it. Its own choice is a folder in the working folder.
        "temp_directory": quote(str(Path(tempfile.gettempdir()) / f"synth-{secrets.token_hex(8)}")),
        "max_temp_directory_size": f"'{shutil.disk_usage(tempfile.gettempdir()).free // 2} bytes'",
        "allowed_directories": f"[{', '.join(quote(str(p)) for p in reach if p.is_dir())}]",
        "allowed_paths": f"[{', '.join(quote(str(p)) for p in reach if not p.is_dir())}]",
        **({"memory_limit": quote(memory)} if memory is not None else {}),
        **(settings or {}),
        "enable_external_access": "false",
        "lock_configuration": "true",
    }
    for name, value in wanted.items():
        con.execute(f"SET {name} = {value}")
    return con


def files_of(path: Path) -> tuple[Path, ...]:
    """A database as DuckDB is to be given it, and the logs that it keeps beside it."""
    whole = (
        path.parent.resolve() / path.name
    )  # a relative path, or one that begins with `~`, could be understood otherwise
    return whole, *(whole.with_name(whole.name + ending) for ending in _LOGS)


def attach(con: duckdb.DuckDBPyConnection, path: Path, name: str, *, read_only: bool) -> bool:
    """Attach a database of ours under a name. Returns whether it has our tables; False where it is empty.

    Args:
        con: a sealed connection that reaches `files_of(path)`.
        path: the file; made if absent, unless it is only read.
        name: what it is called in SQL.
        read_only: whether it is only read.

    Raises:
        Held: another connection has it open.
        Unusable: it is not ours, or not of this version.
        duckdb.Error: it is damaged, or cannot be opened.
    """
    is_new = True
    for file in files_of(path):
        try:
            mode = file.lstat().st_mode
        except FileNotFoundError:
            continue
        is_new = False
        if not stat.S_ISREG(mode):
            raise Unusable(f"{file.name} is a link, or something else than a file")
    state = _state_of(path)
    try:
        con.execute(
            f"ATTACH {quote(str(files_of(path)[0]))} AS {name} (TYPE DUCKDB{', READ_ONLY' if read_only else ''})"
        )
    except duckdb.Error as error:
        if _HELD.search(str(error)):
            raise Held from error
        raise
    if is_new:
        return False
    if state is not None and _checked.get(path) == state:
        return True
    found = _catalogue(con, name, _KINDS)
    if found == _ours(con):
        if read_only:
            _note_checked(path, state)
        return True
    if found:
        raise Unusable("it does not hold the tables of this version, or holds something beside them")
    return False


_checked: dict[Path, tuple[int, ...]] = {}
"""Databases that this process wrote or has looked at, and their state then: to look costs as much as a small `materialize`."""
_MOST_CHECKED = 100


def note_written(path: Path) -> None:
    """Note that a database is as this process has left it, after it attached it; its connection is closed."""
    _note_checked(path, _state_of(path))


def _note_checked(path: Path, state: tuple[int, ...] | None) -> None:
    if len(_checked) >= _MOST_CHECKED:
        _checked.clear()
    if state is not None:
        _checked[path] = state


def _state_of(path: Path) -> tuple[int, ...] | None:
    """What distinguishes a file from another one, and from itself when it was changed; None where there is none, or changes beside it."""
    whole, *logs = files_of(path)
    if any(map(os.path.lexists, logs)):
        return None
    try:
        found = whole.lstat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _catalogue(con: duckdb.DuckDBPyConnection, database: str, kinds: Iterable[str]) -> set[tuple[str, ...]]:
    """What a database holds of some kinds: kind, schema, name, and how it was made, defaults, checks and computed columns included."""
    found: set[tuple[str, ...]] = set()
    for kind in kinds:
        with suppress(*([duckdb.CatalogException] if kind in _LATER else [])):
            found.update((kind, *row) for row in con.execute(_KINDS[kind], [database]).fetchall())
    return found


_KINDS = {
    "tables": "SELECT schema_name, table_name, sql FROM duckdb_tables() WHERE database_name = $1",
    "views": "SELECT schema_name, view_name, '' FROM duckdb_views() WHERE database_name = $1 AND NOT internal",
    "functions": "SELECT schema_name, function_name, '' FROM duckdb_functions() WHERE database_name = $1 AND NOT internal",
    "types": "SELECT schema_name, type_name, '' FROM duckdb_types() WHERE database_name = $1 AND NOT internal",
    "sequences": "SELECT schema_name, sequence_name, '' FROM duckdb_sequences() WHERE database_name = $1",
    "indexes": "SELECT schema_name, index_name, '' FROM duckdb_indexes() WHERE database_name = $1",
    "constraints": "SELECT schema_name, table_name, '' FROM duckdb_constraints() WHERE database_name = $1",
    "triggers": "SELECT schema_name, trigger_name, '' FROM duckdb_triggers() WHERE database_name = $1",
    "schemas": """SELECT schema_name, '', '' FROM duckdb_schemas() WHERE database_name = $1
      AND schema_name NOT IN ('main', 'information_schema', 'pg_catalog')""",
}
"""What can be in a database, and how to ask for it."""
_LATER = {"triggers"}
"""Of these, what DuckDB before 2.0 does not know."""


def _ours(con: duckdb.DuckDBPyConnection) -> set[tuple[str, ...]]:
    """What a database of ours holds, in the words of this version of DuckDB."""
    if not _OURS:
        con.execute("ATTACH ':memory:' AS ours")
        make_tables(con, "ours.main")
        _OURS.update(_catalogue(con, "ours", ["tables"]))
        con.execute("DETACH ours")
    return _OURS


_OURS: set[tuple[str, ...]] = set()


def make_tables(con: duckdb.DuckDBPyConnection, schema: str) -> None:
    """Make our tables, empty."""
    for table, kind in TABLES.items():
        typed = [f'"{name}" {sql}' for name, sql in stored_columns(kind).items()]
        derived = [
            f'"{name}" VARCHAR GENERATED ALWAYS AS ({sql}) VIRTUAL' for name, sql in derived_columns(kind).items()
        ]
        con.execute(f'CREATE TABLE {schema}."{table}" (owner VARCHAR, {", ".join(typed + derived)})')
    con.execute(f"CREATE TABLE {schema}.commits (id VARCHAR)")
    con.execute(f"CREATE TABLE {schema}.folded (segment BIGINT, byte_offset BIGINT)")


def is_sound(con: duckdb.DuckDBPyConnection, database: str) -> bool:
    """Whether all rows of a database can be read: DuckDB checks a block when it reads it. Takes as long as reading all of it."""
    try:
        for table in TABLES:
            con.cursor().execute(f'SELECT bit_xor(hash(t)) FROM {database}.main."{table}" t').fetchall()
    except duckdb.InterruptException:
        return True
    except duckdb.Error:
        return False
    return True


def set_aside(path: Path) -> Path | None:
    """Move a database and its logs out of the way, under a name that is free; returns that, None where there was none."""
    number, aside = 1, path.with_name("corpus.before.duckdb")
    while any(map(os.path.lexists, files_of(aside))):
        number, aside = number + 1, path.with_name(f"corpus.before.{number + 1}.duckdb")
    moved = [(old, new) for old, new in zip(files_of(path), files_of(aside), strict=True) if os.path.lexists(old)]
    for old, new in reversed(moved):  # the database last: without its logs it could be taken for a whole one
        old.rename(new)
    return aside if moved else None


def quote(text: str) -> str:
    """A text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"
