"""Audits as files: what one says of itself in its header, and its question."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from synth.bounded import nearest
from synth.errors import UserError

__all__ = ["SHIPPED", "Audit", "Severity", "load_audits"]

Severity = Literal["error", "warning"]
"""Whether a run that fails the audit is not to be used, or to be looked at."""

SHIPPED = Path(__file__).parent / "checks"
"""The folder of the audits that come with the package."""

_REQUIRED = ("severity", "threshold", "unit", "meaning", "fix")
_KNOWN = (*_REQUIRED, "least", "skipped")
_HEADER = re.compile(r"-- (\w+): *(.*)")
_MORE = re.compile(r"--   +(.*)")
_THRESHOLD = re.compile(r"(at most|at least) (-?\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class Audit:
    """One audit. Its question gives one row with the columns `value` (a number; NULL where there is nothing to measure),
    `n` (over how many) and, if it likes, `examples` (ids) and `note` (what attains the value).
    """

    name: str
    """Name of its file."""
    path: Path
    severity: Severity
    bound: Literal["at most", "at least"]
    """On which side of the threshold a value passes; the threshold itself does."""
    threshold: float
    unit: str
    """What the value counts."""
    meaning: str
    """What is wrong where it fails."""
    fix: str
    """What to do about it."""
    least: int
    """Over fewer than this nothing is said: a share of five is chance."""
    skipped: str
    """What it means that there is nothing to measure."""
    query: str
    line: int
    """The line of the file at which the question begins, from 1."""


def load_audits(folder: Path = SHIPPED) -> list[Audit]:
    """The audits of a folder, one file `NAME.sql` each, in the order of their names.

    Raises:
        UserError: there is no such folder or nothing in it, or files are not right; lists all mistakes, with file and line.
    """
    if not folder.is_dir():
        raise UserError(
            "there is no such folder", where=str(folder), fix="name the folder of your audits: --folder DIR"
        )
    files = sorted(folder.glob("*.sql"))
    if not files:
        raise UserError(
            "no audit is in this folder", where=str(folder), fix="an audit is a file NAME.sql with a header"
        )
    audits, mistakes = [], []
    for path in files:
        read = list(_read(path))
        mistakes += [one for one in read if isinstance(one, str)]
        audits += [one for one in read if isinstance(one, Audit)]
    if mistakes:
        many = "is not an audit" if len(mistakes) == 1 else "are no audits"
        fix = f"the header is lines `-- NAME: text` for {', '.join(_REQUIRED)}; least and skipped if need be"
        raise UserError(f"what stands here {many}:\n  " + "\n  ".join(mistakes), where=str(folder), fix=fix)
    return audits


def _read(path: Path) -> Iterator[Audit | str]:
    """An audit, or its mistakes."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (UnicodeDecodeError, OSError) as error:
        yield f"{path.name}: cannot be read: {error}"
        return
    given: dict[str, str] = {}
    at: dict[str, int] = {}
    mistakes: list[str] = []
    begin, last = 0, ""
    for begin, line in enumerate(lines, 1):  # where the header ends, the question begins
        if not line.startswith("--"):
            break
        if found := _HEADER.fullmatch(line):
            last = found[1]
            if last not in _KNOWN:
                near = nearest(last, _KNOWN)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                mistakes.append(f"{path.name}:{begin}: an audit's header has no {last!r}{hint}")
            elif last in given:
                mistakes.append(f"{path.name}:{begin}: {last!r} is given twice")
            given[last], at[last] = found[2].strip(), begin
        elif last and (more := _MORE.fullmatch(line)):
            given[last] += f" {more[1].strip()}"
        else:
            mistakes.append(f"{path.name}:{begin}: not `-- NAME: text`, nor a line that continues one (`--   text`)")
    query = "\n".join(lines[begin - 1 :]) if lines and not lines[begin - 1].startswith("--") else ""
    mistakes += [f"{path.name}:1: no {name!r} in the header" for name in _REQUIRED if not given.get(name)]
    severity, threshold = given.get("severity", ""), _THRESHOLD.fullmatch(given.get("threshold", ""))
    if severity and severity not in {"error", "warning"}:
        mistakes.append(f"{path.name}:{at['severity']}: severity is {severity!r}, not error or warning")
    if given.get("threshold") and threshold is None:
        mistakes.append(f"{path.name}:{at['threshold']}: threshold is not `at most NUMBER` or `at least NUMBER`")
    least = given.get("least", "1")
    if not least.isdecimal():
        mistakes.append(f"{path.name}:{at['least']}: least is {least!r}, not a whole number")
    if not query.strip():
        mistakes.append(f"{path.name}:{max(begin, 1)}: no question after the header")
    if not path.stem.isidentifier():
        mistakes.append(f"{path.name}: the name of an audit is letters, digits and _")
    if mistakes or threshold is None:
        yield from mistakes
        return
    yield Audit(
        name=path.stem,
        path=path,
        severity="error" if severity == "error" else "warning",
        bound="at most" if threshold[1] == "at most" else "at least",
        threshold=float(threshold[2]),
        unit=given["unit"],
        meaning=given["meaning"],
        fix=given["fix"],
        least=int(least),
        skipped=given.get("skipped", "nothing to measure"),
        query=query,
        line=begin,
    )
