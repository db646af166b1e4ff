"""Which of the rows a format could have are written: at most so many of a problem, and labels in a proportion."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from hashlib import sha256

from pydantic import BaseModel

from synth.errors import UserError
from synth.export.format import Format, LeftOut
from synth.export.options import ExportOptions
from synth.store.database import Store

__all__ = ["rows_of"]


def rows_of(format_: Format, store: Store, options: ExportOptions, left_out: LeftOut) -> Iterator[BaseModel]:
    """The rows of a format, in order of source, problem and record.

    Raises:
        UserError: labels are to be in a proportion, and all are the same.
    """

    def made(out: LeftOut) -> Iterator[BaseModel]:
        rows = format_.rows(store, options, out)
        return rows if options.per_problem is None else _capped(rows, options.per_problem, out)

    return made(left_out) if options.balance is None else _balanced(options.balance, made, left_out)


def _capped(rows: Iterator[BaseModel], limit: int, left_out: LeftOut) -> Iterator[BaseModel]:
    """Rows of one problem stand in the order of their ids, which are hashes: the first ones are as good as drawn."""
    have: Counter[tuple[str, str]] = Counter()
    for row in rows:
        group = (getattr(row, "problem_id", None) or row.unit, getattr(row, "task", ""))  # type: ignore[attr-defined]
        if have[group] >= limit:
            left_out.add(row.record_id, f"more than {limit} of its problem")  # type: ignore[attr-defined]
            continue
        have[group] += 1
        yield row


def _balanced(
    proportion: tuple[int, int], made: Callable[[LeftOut], Iterator[BaseModel]], left_out: LeftOut
) -> Iterator[BaseModel]:
    """Rows whose labels are in a proportion of right to wrong, as many as there can be. Which ones is drawn by a hash."""
    places: dict[bool, list[bytes]] = {True: [], False: []}
    for row in made(LeftOut()):
        places[row.label].append(_place(row))  # type: ignore[attr-defined]
    of_right, of_wrong = proportion
    times = min(len(places[True]) // of_right, len(places[False]) // of_wrong)
    if not times and any(places.values()):
        there = f"{len(places[True]):,} right and {len(places[False]):,} wrong ones"
        raise UserError(f"--balance {of_right}:{of_wrong} leaves nothing of {there}", fix="leave --balance out")
    wanted = {True: times * of_right, False: times * of_wrong}
    kept = {place for label, found in places.items() for place in sorted(found)[: wanted[label]]}
    for row in made(left_out):
        if _place(row) in kept:
            yield row
        else:
            left_out.add(row.record_id, f"more than --balance {of_right}:{of_wrong} takes")  # type: ignore[attr-defined]


def _place(row: BaseModel) -> bytes:
    """A hash of the place of a step, by which it is drawn."""
    return sha256(f"{row.record_id} {row.index}".encode()).digest()  # type: ignore[attr-defined]
