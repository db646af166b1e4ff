"""`--json`: what a command found as one JSON value on standard output, from the object that its text is made from."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime
from typing import Any, TypeVar

import click

from synth.redact import redact

__all__ = ["json_option", "plain", "write_json"]

F = TypeVar("F", bound=Callable[..., Any])


def json_option(command: F) -> F:
    """`--json`."""
    return click.option(
        "--json", "as_json", is_flag=True, help="Write one JSON value, and nothing else (keys: docs/json.md)."
    )(command)


def write_json(found: Any) -> None:
    """Write dataclasses, or lists of them, to standard output. In a terminal all but ASCII is escaped: it acts on more."""
    text = json.dumps(plain(found), indent=2, ensure_ascii=sys.stdout.isatty(), allow_nan=False)
    click.echo(text.encode("utf-8", "replace"))


def plain(value: Any) -> Any:
    """A value as JSON has it: no secrets, times in ISO 8601 with Z, NaN and infinity as null."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {redact(str(k)): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(v) for v in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (bool, int)):
        return value
    return redact(value.isoformat() if isinstance(value, date) else str(value))
