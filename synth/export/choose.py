"""Which of the rows a format could have are written: at most so many of a problem."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from pydantic import BaseModel

from synth.export.format import Format, LeftOut
from synth.export.options import ExportOptions
from synth.store.database import Store

__all__ = ["rows_of"]


def rows_of(format_: Format, store: Store, options: ExportOptions, left_out: LeftOut) -> Iterator[BaseModel]:
    """The rows of a format, in order of source, problem and record."""
    made = format_.rows(store, options, left_out)
    return made if options.per_problem is None else _capped(made, options.per_problem, left_out)


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
