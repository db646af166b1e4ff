"""A source: rows, a mapping, and problems with every bad row reported before any call."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from synth.errors import InputError
from synth.plugins import functions
from synth.reach import Reach
from synth.records import Problem, UnitRecord
from synth.sources.compose import compose_rows
from synth.sources.declared import read_row, reference_of
from synth.sources.files import Row, read_rows
from synth.sources.gym import gym_rows
from synth.sources.hub import hub_rows
from synth.sources.make import make_rows
from synth.sources.mapping import choose_mapping, to_problem
from synth.sources.mapping_files import Declared, load_mapping, recognised_by
from synth.sources.standing import known_bad

__all__ = ["BadRow", "Given", "Scan", "Source", "open_source"]


MOST_COLUMNS = 10_000
"""Of a row."""
_LOOKED_AT = 100
"""Rows whose columns are those of the input."""
_MOST_KEPT, _MOST_LETTERS = 10_000, 16 * 2**20
"""Rows of an input that are kept from the first reading, so that they are not parsed twice, and the letters of their
questions, contexts and answers; larger inputs are read again."""


class BadRow(NamedTuple):
    """A row that is not a problem, and why."""

    line: int
    why: str


@dataclass
class Scan:
    """What a first reading of the whole source found."""

    good: int = 0
    """Rows that can be read."""
    problems: int = 0
    """Problems they are about: as many, but where rows of one problem are one unit."""
    passed_over: int = 0
    """Rows the mapping leaves aside (`where`)."""
    records: Counter[str] = field(default_factory=Counter)
    """Further records in them, by table."""
    bad: list[BadRow] = field(default_factory=list)


class Given(NamedTuple):
    """A problem, and what the source has of it beside: rationales, scores, critiques, pairs."""

    problem: Problem
    records: tuple[UnitRecord, ...] = ()


class Source:
    """Problems from a file or a generator. Reading twice gives the same problems.

    Args:
        name: the path of a file, `make:NAME?size=100&seed=1`, `gym:TASK?…`, `hub:OWNER/NAME?split=train`,
            or what a package has registered under `synth.sources`.
        mapping: the user's own mapping, field to column.
        declared: how whole rows are read; rows of one problem are then one unit. It goes before `mapping`.
        references: where no mapping is declared: whether the worked solutions of rows are records too.
        needs: fields the pipeline cannot do without.
        check_input: says why the pipeline cannot work on a problem, or None.
        media_from: folders from which images and sounds may be taken, beside the folder of the file and those below.

    Raises:
        InputError: it cannot be read, or no column gives the question.
    """

    def __init__(
        self,
        name: str,
        *,
        mapping: Mapping[str, str] | None = None,
        declared: Declared | None = None,
        references: bool = False,
        needs: frozenset[str] = frozenset(),
        check_input: Callable[[Problem], str | None] | None = None,
        media_from: Sequence[str | Path] = (),
    ) -> None:
        self.name = name
        self.declared = declared
        self.references = references
        self.needs = needs
        self._check_input = check_input
        self._label = Path(name).name
        allowed = tuple(Path(folder).expanduser() for folder in media_from)
        self.media = Reach(Path(name).parent if _made_by(name) is None else None, allowed)
        """Where images and sounds of its problems may lie."""
        self._bad: frozenset[int] | None = None
        self._last: dict[str, int] = {}
        self._kept: list[Given] | None = None
        """What the good rows give; None where they are too many."""
        self.repeated = 0
        """Records that stood in the input again, seen while problems were read; each is taken once."""
        self._notes: Counter[str] = Counter()
        self.columns, first = _beginning(self._rows, name)
        self.mapping: Mapping[str, str] = {}
        if declared is None:
            try:
                self.mapping = choose_mapping(self.columns, mapping or {})
            except InputError as error:
                known = [] if mapping else recognised_by(self.columns, first)
                if len(known) != 1:
                    meant = f", or one of --mapping {', '.join(known)}" if known else ""
                    raise InputError(error.what, where=name, fix=f"{error.fix}{meant}") from error
                # Of rows that hold more than problems the problems.
                declared = load_mapping(known[0]).model_copy(update={"rationales": (), "pairs": ()})
                self.declared = declared
        if declared is None:
            return
        if mistakes := declared.unknown_columns(self.columns):
            known = [k for k in recognised_by(self.columns, first) if k != declared.mapping]
            meant = f"; probably meant: --mapping {' or '.join(known)}" if known else ""
            what = "\n  ".join([f"the mapping {declared.mapping} does not fit:", *mistakes])
            raise InputError(what, where=name, fix=f"its columns: {', '.join(self.columns)}{meant}")

    def _rows(self) -> Iterator[Row]:
        return _rows_of(self.name, self._notes)

    def _read(self, line: int, row: Mapping[str, Any] | str) -> Given | None:
        """What a row gives; None where it is none of those that are read."""
        if isinstance(row, str):
            raise InputError(row)
        where = f"{self._label}:{line}"
        if self.declared is None:
            problem = to_problem(row, self.mapping, where, self.needs, self.media)
            given = Given(problem, reference_of(problem, row, self.mapping) if self.references else ())
        else:
            found = read_row(row, self.columns, self.declared, where, self.needs, self.media)
            if found is None:
                return None
            given = Given(found[0], tuple(found[1]))
        if self._check_input is not None and (why := self._check_input(given.problem)) is not None:
            raise InputError(why)
        return given

    def scan(self) -> Scan:
        """Read it all once and list what is wrong."""
        found = Scan()
        self._notes.clear()
        kept: list[Given] | None = []
        letters = 0
        asked: dict[int, tuple[int, int, int]] = {}
        for line, row in self._rows():
            try:
                given = self._read(line, row)
            except InputError as error:
                found.bad.append(BadRow(line, error.what))
                continue
            if given is None:
                found.passed_over += 1
                continue
            problem = given.problem
            answer, same = hash(problem.answer or ""), hash(problem.id)
            earlier, first, other = asked.setdefault(_question(problem), (line, answer, same))
            if earlier != line and (other != same or not given.records):
                more = "" if first == answer else " but another answer"
                found.bad.append(BadRow(line, f"the same question as in line {earlier}{more}"))
                continue
            found.good += 1
            found.problems += earlier == line
            if given.records:
                found.records.update(r.table for r in given.records)
                self._last[problem.id] = line
            letters += len(problem.question) + len(problem.context or "") + len(problem.answer or "")
            if kept is not None and len(kept) < _MOST_KEPT and letters < _MOST_LETTERS and not given.records:
                kept.append(given)
            else:
                kept = None
        self._kept = kept
        self._bad = frozenset(b.line for b in found.bad)
        return found

    def problems(self) -> Iterator[Given]:
        """The problems, each with all its rows give; bad rows, which `scan` has listed, are passed over.

        A problem comes when its last row is read: of a file in which the rows of a problem lie far apart, what lies between
        is held in memory.

        Raises:
            InputError: it has changed since it was scanned.
        """
        if self._bad is None:
            self.scan()
        assert self._bad is not None
        if self._kept is not None:
            yield from self._kept
            return
        self.repeated = 0
        self._notes.clear()
        waiting: dict[str, tuple[Problem, dict[str, UnitRecord]]] = {}
        for line, row in self._rows():
            if line in self._bad:
                continue
            try:
                given = self._read(line, row)
            except InputError as error:
                what = f"line {line} is not what it was a moment ago: {error.what}"
                raise InputError(what, where=self.name, fix="leave the input alone while a run reads it") from error
            if given is None:
                continue
            id_ = given.problem.id
            if not given.records and id_ not in self._last:
                yield given
                continue
            problem, records = waiting.setdefault(id_, (given.problem, {}))
            self.repeated += sum(r.id in records for r in given.records)
            records.update((r.id, r) for r in given.records if r.id not in records)
            if self._last.get(id_, line) <= line:
                known = tuple(waiting.pop(id_)[1].values())
                yield Given(problem, (*known, *known_bad(known, self._notes)))

    def nothing_fits(self, found: Scan) -> InputError:
        """The error where a scan found not one row that can be used: the first reason, the columns, and what is probably meant."""
        first = found.bad[0]
        rest = Counter(b.why for b in found.bad)
        alike = rest[first.why]
        what = f"not one of the {len(found.bad):,} rows can be used: line {first.line}: {first.why}"
        if alike > 1:
            what += f" (so say {alike:,} rows)"
        row = next((r for _, r in self._rows() if isinstance(r, dict)), {})
        known = [k for k in recognised_by(self.columns, row) if self.declared is None or k != self.declared.mapping]
        taken = ", ".join(f"{field}={column}" for field, column in self.mapping.items())
        meant = [
            *([f"--mapping {' or '.join(known)}"] if known else []),
            *([f"other columns than {taken}: --map FIELD=COLUMN"] if taken else []),
        ]
        fix = f"its columns: {', '.join(self.columns)}" + (f"; probably meant: {', or '.join(meant)}" if meant else "")
        return InputError(what, where=self.name, fix=fix)

    def notes(self) -> list[str]:
        """What was found in the last reading and has to be reported."""
        again = (
            [f"{self.repeated:,} records stood in the input more than once, and are there once"]
            if self.repeated
            else []
        )
        return [*again, *(f"{what}: {n:,}" for what, n in sorted(self._notes.items()) if n)]

    def describe(self) -> dict[str, Any]:
        """What the run folder remembers of it."""
        if self.declared is not None:
            return {"name": self.name, "declared": self.declared.model_dump(mode="json", exclude_defaults=True)}
        return {"name": self.name, "mapping": self.mapping}


def mapping_for(name: str) -> str | None:
    """The shipped mapping that recognises the rows of an input; None where they are problems, and no more.

    Raises:
        InputError: they cannot be read, or are of no known kind, or several mappings read them.
    """
    columns, first = _beginning(lambda: _rows_of(name, None), name)
    known = recognised_by(columns, first)
    if len(known) == 1:
        return known[0]
    if known:
        raise InputError(
            f"{len(known)} mappings read such rows: {', '.join(known)}", where=name, fix="name one: --mapping NAME"
        )
    try:
        choose_mapping(columns, {})
    except InputError as error:
        fix = f"{error.fix}; or how its rows are read: --mapping NAME (synth import --list)"
        raise InputError(error.what, where=name, fix=fix) from error
    return None


def _beginning(rows: Callable[[], Iterator[Row]], name: str) -> tuple[list[str], Mapping[str, Any]]:
    """The columns of the first hundred rows, for rows of JSON may leave some out; and the first row.

    Raises:
        InputError: there is none.
    """
    seen: dict[str, None] = {}
    first: Mapping[str, Any] | None = None
    why: tuple[int, str] | None = None
    for count, (line, row) in enumerate(rows()):
        if isinstance(row, str):
            why = why or (line, row)
            continue
        if count >= _LOOKED_AT and first is not None:
            break
        first = first if first is not None else row
        seen.update(dict.fromkeys(row))
    if first is not None:
        return list(seen), first
    if why is None:
        raise InputError("the input is empty", where=name, fix="give a file with one problem a line")
    fix = "correct its rows"
    if "not JSON" in why[1] and Path(name.removesuffix(".gz").removesuffix(".zst")).suffix != ".json":
        fix = "give one object a line; for one JSON text over many lines name the file .json"
    raise InputError(f"not one row of the input can be read: line {why[0]}: {why[1]}", where=name, fix=fix)


def _rows_of(name: str, notes: Counter[str] | None) -> Iterator[Row]:
    made_by = _made_by(name)
    rows = made_by(name.partition(":")[2]) if made_by is not None else read_rows(Path(name), notes)
    return ((line, _bounded(row)) for line, row in rows)


def _bounded(row: Mapping[str, Any] | str) -> Any:
    """A row, or why it is none of ours: too many columns. How deep it is its reader looks at."""
    if isinstance(row, dict) and len(row) > MOST_COLUMNS:
        return f"it has {len(row):,} columns, and at most {MOST_COLUMNS:,} are read"
    return row


def _made_by(name: str) -> Callable[[str], Iterator[Row]] | None:
    """What makes the rows where they are not those of a file."""
    return (
        {**_SOURCES, **functions("synth.sources", tuple(_SOURCES))}.get(name.partition(":")[0]) if ":" in name else None
    )


_SOURCES: Mapping[str, Callable[[str], Iterator[Row]]] = {
    "compose": compose_rows,
    "gym": gym_rows,
    "hub": hub_rows,
    "make": make_rows,
}
"""What makes rows, by the prefix of its names. Other packages register theirs under the entry point `synth.sources`."""


def _question(problem: Problem) -> int:
    """Equal for two problems that ask the same; one of 64 bits, for there is one for each row."""
    return hash((" ".join(problem.question.split()).casefold(), problem.context, problem.choices))


def open_source(
    name: str,
    *,
    mapping: Mapping[str, str] | None = None,
    declared: Declared | None = None,
    references: bool = False,
    needs: frozenset[str] = frozenset(),
    check_input: Callable[[Problem], str | None] | None = None,
    media_from: Sequence[str | Path] = (),
) -> Source:
    """The source of that name; see `Source`."""
    return Source(
        name,
        mapping=mapping,
        declared=declared,
        references=references,
        needs=needs,
        check_input=check_input,
        media_from=media_from,
    )
