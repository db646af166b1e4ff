"""The child process of `apart`: reads questions from standard input until it closes, and writes answers to standard output."""

from __future__ import annotations

import faulthandler
import json
import os
import queue
import re
import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import orjson

GRACE_SECONDS = 5.0
"""The parent ends a question that takes too long; this long after, the child ends itself."""
_BESIDE_BYTES = 2**30
"""What the process may take beside the tables of DuckDB: libraries, text functions, rows on their way."""
_BATCH_BYTES = 2**20
_MOST_BATCH_BYTES = 2**28
_MOST_ROWS = 2048
_UNITS = {"bytes": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}


def _limit_memory(bytes_: int) -> None:
    """DuckDB counts no texts that are being made, such as those of `repeat`; the system counts all."""
    with suppress(ImportError, AttributeError, ValueError, OSError):  # not on this system
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (bytes_, bytes_))


def _bytes_of(setting: str) -> int:
    """A size as DuckDB writes it."""
    found = re.fullmatch(r"([\d.]+) (\w+)", setting)
    assert found is not None
    return int(float(found[1]) * _UNITS[found[2]])


def _plain(value: Any) -> Any:
    """A value of DuckDB as one of JSON: what has no counterpart becomes a text."""
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, dict):
        return {k if isinstance(k, str) else str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return str(value)


def _say(**message: Any) -> None:
    # Not by orjson, which writes no integers of more than 64 bits, and NaN as null.
    line = json.dumps(message, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
    if len(line) > _MOST_BATCH_BYTES:
        raise MemoryError(f"a row of more than {_MOST_BATCH_BYTES >> 20} MiB")
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()


def _batches(result: Any) -> Iterator[list[tuple[Any, ...]]]:
    """Rows, some `_BATCH_BYTES` at once judged by the rows before."""
    n = 1
    while rows := result.fetchmany(n):
        yield rows
        size = sum(len(str(v)) for v in rows[-1]) + 1
        n = max(1, min(_MOST_ROWS, 2 * n, _BATCH_BYTES // size))


def _ask(store: Any, question: dict[str, Any], functions: str | None) -> Any:
    """Ask a question. Functions of ours are added when one is named that DuckDB does not know: with them comes NumPy."""
    import duckdb

    try:
        return store.ask(question["query"], question["parameters"])
    except duckdb.CatalogException:
        if functions is None or functions in sys.modules:
            raise
        import_module(functions).add_functions(store)
        return store.ask(question["query"], question["parameters"])


def _answer(store: Any, question: dict[str, Any], functions: str | None) -> None:
    import duckdb

    try:
        result = _ask(store, question, functions)
        if question["parquet"] is not None:
            import pyarrow as pa
            import pyarrow.parquet as pq

            try:
                reader = result.to_arrow_reader()
                with pq.ParquetWriter(question["parquet"], reader.schema) as writer:
                    for batch in reader:
                        writer.write_batch(batch)
            except pa.ArrowException as error:
                _say(error=f"these rows cannot be written as Parquet: {error}", kind="parquet")
                return
        else:
            _say(names=[d[0] for d in result.description], types=[str(d[1]) for d in result.description])
            for rows in _batches(result):
                _say(rows=[[_plain(v) for v in row] for row in rows])
        _say(done=True)
    except MemoryError as error:
        _say(error=f"it takes too much memory: {error}" if str(error) else "it takes too much memory", kind="memory")
    except duckdb.OutOfMemoryException as error:
        _say(error=f"it takes too much memory: {error}", kind="memory")
    except duckdb.Error as error:
        memory = "bad_alloc" in str(error) or "MemoryError" in str(error)
        _say(error="it takes too much memory" if memory else str(error), kind="memory" if memory else "question")
    except OSError as error:
        _say(error=error.strerror or str(error), kind="file")


def main() -> None:
    """Answer questions about the run that the first line names."""
    import duckdb

    from synth.errors import SynthError
    from synth.store.database import Store

    questions: queue.Queue[bytes] = queue.Queue()
    start = orjson.loads(sys.stdin.buffer.readline())

    def read() -> None:
        for line in sys.stdin.buffer:
            questions.put(line)
        shutil.rmtree(start["temporary"], ignore_errors=True)
        os._exit(0)  # the parent is gone; its result is of no use

    threading.Thread(target=read, daemon=True).start()
    try:
        store = Store(Path(start["run"]), memory=start["memory"])
    except SynthError as error:
        _say(error=error.what, where=error.where, fix=error.fix, kind="run")
        return
    except duckdb.Error as error:
        _say(error=str(error), kind="question")
        return
    ((limit,),) = store.sql("SELECT current_setting('memory_limit')").fetchall()
    _limit_memory(_bytes_of(limit) + _BESIDE_BYTES)
    _say(ready=True)
    while True:
        question = orjson.loads(questions.get())
        with Path(os.devnull).open("w") as nowhere:
            # One long operation of DuckDB lets neither an interrupt nor another thread in; this watchdog needs neither.
            if question["seconds"] is not None:
                faulthandler.dump_traceback_later(question["seconds"] + GRACE_SECONDS, exit=True, file=nowhere)
            _answer(store, question, start["functions"])
            faulthandler.cancel_dump_traceback_later()


if __name__ == "__main__":
    main()
