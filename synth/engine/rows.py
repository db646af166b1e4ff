"""Problems given from Python: kept in the run folder, so that the run can be resumed without them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson

from synth.errors import InputError, RunFolderError
from synth.files import advice_for, move, writing
from synth.records import Problem
from synth.store.run_folder import INPUT, INPUT_BEFORE, hold

__all__ = ["Rows", "keep_rows", "restore_rows"]

Rows = Iterable[Mapping[str, Any] | Problem]
"""Rows of columns, or problems; a frame of polars or pandas and a `datasets.Dataset` are taken too."""


def keep_rows(folder: Path, rows: Rows) -> Path:
    """Write rows to `input.jsonl` in a run folder. Returns the file.

    What the file held before stays beside it until a run has begun with the new rows (`RunFolder.begin`); where none begins,
    `restore_rows` brings it back.

    Raises:
        InputError: a row is no mapping, or holds what JSON cannot.
        RunFolderError: another process is at work on this run, or the folder cannot be written.
    """
    lines = [_line(number, row) for number, row in enumerate(_each(rows), 1)]
    with hold(folder):
        file, before = folder / INPUT, folder / INPUT_BEFORE
        try:
            with writing(file, private=True) as new:
                new.writelines(lines)
                if file.is_file() and not before.exists():
                    move(file, before)  # killed here, `restore_rows` brings it back
        except OSError as error:
            what = f"the problems cannot be written into the run folder: {error.strerror}"
            raise RunFolderError(what, where=str(folder), fix=advice_for(error)) from error
    return file


def restore_rows(folder: Path) -> None:
    """Bring back the `input.jsonl` that rows took the place of, where no run has begun with them.

    Raises:
        RunFolderError: another process is at work on this run, or the folder cannot be written.
    """
    if (folder / INPUT_BEFORE).is_file():
        with hold(folder):
            move(folder / INPUT_BEFORE, folder / INPUT)


def _each(rows: Any) -> Iterable[Any]:
    if hasattr(rows, "iter_rows"):  # polars
        return rows.iter_rows(named=True)  # type: ignore[no-any-return]
    if hasattr(rows, "iloc"):  # pandas
        return rows.to_dict("records")  # type: ignore[no-any-return]
    if isinstance(rows, Mapping) or not isinstance(rows, Iterable):
        raise InputError(f"the problems are a {type(rows).__name__}, not rows", fix="give a list of dictionaries")
    return rows


def _line(number: int, row: Any) -> bytes:
    if isinstance(row, Problem):
        row = _columns(row, number)
    if not isinstance(row, Mapping):
        raise InputError(f"row {number} is a {type(row).__name__}", fix="give dictionaries, or Problem.root(…)")
    try:
        return orjson.dumps(dict(row), option=_OPTIONS) + b"\n"
    except (orjson.JSONEncodeError, TypeError) as error:
        raise InputError(
            f"row {number} holds what JSON cannot: {error}", fix="give texts, numbers, lists and dictionaries"
        ) from error


_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
_FIELDS = (
    "question",
    "context",
    "choices",
    "answer",
    "answer_kind",
    "reference_solution",
    "evidence",
    "rubric",
    "begun",
    "stage",
)


def _columns(problem: Problem, number: int) -> dict[str, Any]:
    """A problem as the row it would be read from."""
    if problem.parent is not None:
        raise InputError(f"row {number} is a derived problem", fix="give it as a root: Problem.root(question=…)")
    columns = {name: value for name in _FIELDS if (value := getattr(problem, name)) not in (None, ())}
    for kind, name in (("image", "images"), ("audio", "audio")):
        if some := [m.uri for m in problem.media if m.kind == kind]:
            columns[name] = some
    if problem.constraints:
        columns["constraints"] = [one.model_dump() for one in problem.constraints]
    if problem.tests:
        columns["tests"] = [test.model_dump(exclude_none=True) for test in problem.tests]
    if problem.reward is not None:
        columns["reward_function"] = problem.reward.model_dump()
    return {**problem.meta, **columns}
