"""A source: rows, a mapping, and problems with every bad row told before anything is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from synth.errors import InputError
from synth.records import Problem, content_id
from synth.sources.files import Row, read_rows
from synth.sources.gym import gym_rows
from synth.sources.mapping import choose_mapping, to_problem

__all__ = ["BadRow", "Scan", "Source", "open_source"]


class BadRow(NamedTuple):
    """A row that is not a problem, and why."""

    line: int
    why: str


@dataclass
class Scan:
    """What a first reading of the whole source found."""

    good: int = 0
    bad: list[BadRow] = field(default_factory=list)


class Source:
    """Problems from a file or a generator. Reading twice gives the same problems.

    Args:
        name: the path of a file, or `gym:TASK?size=100&seed=1`.
        mapping: the user's own mapping, field to column.
        needs: fields the pipeline cannot do without.
        unfit: says why the pipeline cannot work on a problem, or None.

    Raises:
        InputError: it cannot be read, or no column gives the question.
    """

    def __init__(
        self,
        name: str,
        *,
        mapping: Mapping[str, str] | None = None,
        needs: frozenset[str] = frozenset(),
        unfit: Callable[[Problem], str | None] | None = None,
    ) -> None:
        self.name = name
        self.needs = needs
        self._unfit = unfit
        self._label = Path(name).name
        self._folder = Path(name).parent
        self._bad: frozenset[int] | None = None
        first = next((row for _, row in self._rows() if isinstance(row, dict)), None)
        if first is None:
            if next(self._rows(), None) is None:
                raise InputError("the input is empty", where=name, remedy="give a file with one problem a line")
            raise InputError(
                "not one row of the input can be read", where=name, remedy="see --help for the kinds of input"
            )
        try:
            self.mapping = choose_mapping(self._columns(), mapping or {})
        except InputError as error:
            raise InputError(error.what, where=name, remedy=error.remedy) from error

    def _rows(self) -> Iterator[Row]:
        return gym_rows(self.name[4:]) if self.name.startswith("gym:") else read_rows(Path(self.name))

    def _columns(self) -> list[str]:
        """Columns of the first hundred rows: JSONL rows may leave some out."""
        seen: dict[str, None] = {}
        for count, (_, row) in enumerate(self._rows()):
            if count >= 100:
                break
            if isinstance(row, dict):
                seen.update(dict.fromkeys(row))
        return list(seen)

    def _problem(self, line: int, row: Mapping[str, Any] | str) -> Problem:
        if isinstance(row, str):
            raise InputError(row)
        problem = to_problem(row, self.mapping, f"{self._label}:{line}", self.needs, self._folder)
        if self._unfit is not None and (why := self._unfit(problem)) is not None:
            raise InputError(why)
        return problem

    def scan(self) -> Scan:
        """Read it all once and list what is wrong."""
        found = Scan()
        first_line: dict[str, tuple[int, str]] = {}
        for line, row in self._rows():
            try:
                problem = self._problem(line, row)
            except InputError as error:
                found.bad.append(BadRow(line, error.what))
                continue
            asked = content_id([" ".join(problem.question.split()).casefold(), problem.context, problem.choices])
            earlier, answer = first_line.setdefault(asked, (line, problem.answer or ""))
            if earlier != line:
                more = "" if answer == (problem.answer or "") else " but another answer"
                found.bad.append(BadRow(line, f"the same question as in line {earlier}{more}"))
            else:
                found.good += 1
        self._bad = frozenset(b.line for b in found.bad)
        return found

    def problems(self) -> Iterator[Problem]:
        """The problems, in order; bad rows, which `scan` has listed, are passed over.

        Raises:
            InputError: it has changed since it was scanned.
        """
        if self._bad is None:
            self.scan()
        assert self._bad is not None
        for line, row in self._rows():
            if line in self._bad:
                continue
            try:
                yield self._problem(line, row)
            except InputError as error:
                what = f"line {line} is not what it was a moment ago: {error.what}"
                raise InputError(what, where=self.name, remedy="leave the input alone while a run reads it") from error

    def describe(self) -> dict[str, Any]:
        """What the run folder remembers of it."""
        return {"name": self.name, "mapping": self.mapping}


def open_source(
    name: str,
    *,
    mapping: Mapping[str, str] | None = None,
    needs: frozenset[str] = frozenset(),
    unfit: Callable[[Problem], str | None] | None = None,
) -> Source:
    """The source of that name; see `Source`."""
    return Source(name, mapping=mapping, needs=needs, unfit=unfit)
