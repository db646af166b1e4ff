"""Asking the audits, and what they say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import duckdb

from synth.audit.files import Audit, Severity, load_audits
from synth.audit.functions import add_functions
from synth.bounded import nearest
from synth.errors import UserError
from synth.store.apart import DEFAULT_MEMORY, DEFAULT_SECONDS, Asker, QuestionError, TooLong
from synth.store.database import Store, open_store

__all__ = ["Severity", "Verdict", "failing", "run_audits"]

_EXAMPLES = 5


@dataclass(frozen=True)
class Verdict:
    """What one audit says of a run."""

    name: str
    severity: Severity
    status: Literal["passed", "failed", "skipped"]
    value: float | None
    """What was measured, in the words of `unit`; None where it was skipped because there was nothing to measure."""
    bound: Literal["at most", "at least"]
    threshold: float
    unit: str
    n: int | None
    """Over how many it was measured."""
    meaning: str
    """What is wrong where it fails."""
    fix: str
    """What to do about it."""
    examples: tuple[str, ...]
    """Ids of a few records that do not pass."""
    note: str | None
    """What attains the value; where it was skipped, why."""


def run_audits(
    run: Store | Path | str,
    *,
    folder: Path | str | None = None,
    only: Iterable[str] = (),
    thresholds: Mapping[str, float] | None = None,
    seconds: float | None = DEFAULT_SECONDS,
    memory: str = DEFAULT_MEMORY,
) -> list[Verdict]:
    """What the audits say of a run, in the order of their names; yours take the place of those of the same name.

    Args:
        run: a run folder, or a store that is open.
        folder: audits of your own.
        only: names of the audits that are asked; all, if empty.
        thresholds: others than the files say, by name.
        seconds: that an audit of `folder` may take; None for no bound.
        memory: that its tables may take.

    Raises:
        UserError: a file is no audit, its question cannot be answered or takes too long, or there is no audit of a name given.
    """
    ours = {a.name: a for a in load_audits()}
    theirs = {a.name: a for a in load_audits(Path(folder))} if folder is not None else {}
    audits = ours | theirs
    only, thresholds = list(only), thresholds or {}
    for name in (*only, *thresholds):
        if name not in audits:
            near = nearest(name, audits)
            fix = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(audits))}"
            raise UserError(f"there is no audit {name!r}", fix=fix)
    asked = [audits[name] for name in sorted(only or audits)]
    with nullcontext(run) if isinstance(run, Store) else open_store(run) as store:
        add_functions(store)
        with Asker(store.run, seconds, memory, add_functions.__module__) as asker:
            return [
                _verdict(
                    store, asker if audit.name in theirs else None, audit, thresholds.get(audit.name, audit.threshold)
                )
                for audit in asked
            ]


def failing(verdicts: Iterable[Verdict], severity: Severity = "error") -> list[Verdict]:
    """Those that failed, of at least this severity."""
    return [v for v in verdicts if v.status == "failed" and severity in {"warning", v.severity}]


def _verdict(store: Store, asker: Asker | None, audit: Audit, threshold: float) -> Verdict:
    row = _ask(store, asker, audit)
    value = None if row["value"] is None else float(row["value"])
    n, note = row["n"], row.get("note")
    examples = tuple(str(e) for e in (row.get("examples") or ())[:_EXAMPLES])
    status: Literal["passed", "failed", "skipped"]
    if value is None:
        status, note, examples = "skipped", audit.skipped, ()
    elif n is not None and n < audit.least:
        status, note = "skipped", f"only {n} to measure it on, of at least {audit.least}"
    elif value <= threshold if audit.bound == "at most" else value >= threshold:
        status = "passed"
    else:
        status = "failed"
    return Verdict(
        name=audit.name,
        severity=audit.severity,
        status=status,
        value=value,
        bound=audit.bound,
        threshold=threshold,
        unit=audit.unit,
        n=n,
        meaning=audit.meaning,
        fix=audit.fix,
        examples=examples if status == "failed" else (),
        note=note,
    )


def _ask(store: Store, asker: Asker | None, audit: Audit) -> dict[str, Any]:
    """The one row its question gives: asked of `asker`, where there is one, else of the store."""
    names: Sequence[str]
    rows: Sequence[Sequence[Any]]
    try:
        if asker is not None:
            answer = asker.ask(audit.query)
            names, rows = answer.names, list(islice(answer, 2))
        else:
            result = store.ask(audit.query)
            names, rows = [d[0] for d in result.description or []], result.fetchmany(2)
    except duckdb.InterruptException:
        raise
    except TooLong as error:
        raise TooLong(error.what, where=f"{audit.path}:{audit.line}", fix=error.fix) from error
    except (duckdb.Error, QuestionError) as error:
        said = error.what if isinstance(error, QuestionError) else str(error)
        found = re.search(r"LINE (\d+):", said)
        line = audit.line + (int(found[1]) if found else 1) - 1
        raise UserError(
            f"DuckDB cannot answer the question of this audit: {said}",
            where=f"{audit.path}:{line}",
            fix=getattr(error, "fix", None) or "synth sql RUN --schema shows tables, columns and functions",
        ) from error
    where = f"{audit.path}:{audit.line}"
    missing = [name for name in ("value", "n") if name not in names]
    if missing or len(rows) != 1:
        given = f"no column {missing[0]!r}" if missing else "no row" if not rows else "more than one row"
        fix = "let it give one row with the columns value, n and, if you like, examples (a list) and note"
        raise UserError(f"the question of this audit gives {given}", where=where, fix=fix)
    row = dict(zip(names, rows[0], strict=True))
    for name, kinds, meant in (
        ("value", (bool, int, float, Decimal), "a number"),
        ("n", (int,), "a whole number"),
        ("examples", (list,), "a list"),
    ):
        if row.get(name) is not None and not isinstance(row[name], kinds):
            raise UserError(f"the column {name!r} of this audit is {row[name]!r}, not {meant}", where=where)
    return row
