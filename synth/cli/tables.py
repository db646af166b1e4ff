"""Rows as a table in the terminal. What models wrote is shown inert: no control characters, no markup."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

__all__ = ["inert", "inert_lines", "output", "record_of", "table_of"]

_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # what a terminal acts on
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # turns the direction of writing
    "\u00ad\u180e\u200b\u2028\u2029\u2060-\u2064\u206a-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"  # is not seen
    "\ud800-\udfff]"  # cannot be written
)


def output() -> Console:
    """The standard output; wide where nobody looks on and no terminal sets a width."""
    return Console(width=None if sys.stdout.isatty() else 200)


def inert(value: Any, width: int | None = None) -> str:
    """`value` as text without anything a terminal would act on; at most `width` characters."""
    text = "" if value is None else str(value)
    text = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n").replace("\n", " ⏎ "))
    return text if width is None or len(text) <= width else text[: width - 1] + "…"


def inert_lines(text: str) -> str:
    """`text` inert, with its lines as they are."""
    return "\n".join(inert(line) for line in text.split("\n"))


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


def table_of(rows: Sequence[Mapping[str, Any]], width: int = 120) -> Table:
    """A table of rows that have the same columns."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in rows[0] if rows else ():
        numbers = all(isinstance(r[column], (int, float)) and not isinstance(r[column], bool) for r in rows)
        short = numbers or all(len(str(r[column])) <= 12 for r in rows)
        table.add_column(Text(inert(column)), justify="right" if numbers else "left", overflow="fold", no_wrap=short)
    for row in rows:
        table.add_row(*(Text(inert(v, width)) for v in row.values()))
    return table
