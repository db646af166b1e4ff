"""Rows as a table in the terminal. What models wrote is shown inert: no control characters, no markup."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any
from unicodedata import normalize

from rich.cells import cell_len
from rich.console import Console
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from synth.render.inert import inert

__all__ = [
    "funnel_table",
    "is_formula",
    "output",
    "record_of",
    "table_of",
]

_LEAST_CUT = 12
"""Of a column that is cut off."""


def output() -> Console:
    """The standard output; wide where nobody looks on and no terminal sets a width."""
    return Console(width=None if sys.stdout.isatty() else 200)


_NUMBER = re.compile(r"[+-]?(\d++(?:\.\d*+)?|\.\d++)([eE][+-]?\d++)?%?", re.ASCII)
_BEFORE_FORMULA = re.compile("[\\s'\"\x00-\x1f\u00ad\u200b-\u200f\u2060\ufeff]*")


def is_formula(text: str) -> bool:
    """Whether a spreadsheet may take a cell of CSV with this text for a formula. A `'` before the text makes it a text.

    So it may where the first character is `=`, `+`, `-`, `@` or a wide form of one, also after blanks, quotes and characters without
    width; and where the text begins with a tab or a carriage return, which some programs drop. A number is none. What begins with
    `'` and has a formula behind it counts too, so that taking one `'` away from each such cell gives the texts back.
    """
    if _NUMBER.fullmatch(text):
        return False
    before = _BEFORE_FORMULA.match(text)
    first = text[before.end() :][:1] if before else ""
    return text.lstrip("'")[:1] in {"\t", "\r"} or normalize("NFKC", first)[:1] in {"=", "+", "-", "@"}


def record_of(row: Mapping[str, Any], width: int = 300) -> Table:
    """One row as a list of its columns, for rows too wide for a table; empty ones are left out."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in row.items():
        if value is not None:
            grid.add_row(Text(inert(name)), Text(inert(value, width)))
    grid.add_row("", "")
    return grid


def funnel_table(funnel: Sequence[tuple[str, int]]) -> Table:
    """The funnel as a table with bars."""
    table = Table(box=None, pad_edge=False, show_header=False)
    most = max((n for _, n in funnel), default=1) or 1
    table.add_column(justify="left")
    table.add_column(justify="right")
    table.add_column(width=32)
    for stage, n in funnel:
        table.add_row(stage, f"{n:,}", ProgressBar(total=most, completed=n, width=30))
    return table


def table_of(rows: Sequence[Mapping[str, Any]], width: int = 120, *, cut: str | None = None) -> Table:
    """A table of rows that have the same columns.

    Args:
        rows: the rows; times are shown to the second.
        width: most characters of a cell.
        cut: a column that is cut off where the terminal ends, so that a row is a line; the others are folded.
    """
    room = output().width if cut is not None else 0
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in rows[0] if rows else ():
        values = [r[column] for r in rows if r[column] is not None]
        numbers = bool(values) and all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values)
        short = numbers or all(len(str(r[column])) <= 12 for r in rows)
        table.add_column(
            Text(inert(column)),
            justify="right" if numbers else "left",
            overflow="ellipsis" if column == cut else "fold",
            no_wrap=short or column == cut,
        )
        if column != cut:
            room -= 2 + max(cell_len(inert(v, width)) for v in (column, *(r[column] for r in rows)))
    if cut is not None:
        next(c for c in table.columns if str(c.header) == cut).max_width = max(_LEAST_CUT, room)
    for row in rows:
        table.add_row(*(Text(inert(v, width)) for v in row.values()))
    return table
