"""A source: rows, a mapping, and problems with every bad row told before anything is asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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

    Raises:
        InputError: it cannot be read, or no column gives the question.
    """

    def __init__(
        self, name: str, *, mapping: Mapping[str, str] | None = None, needs: frozenset[str] = frozenset()
    ) -> None:
        self.name = name
        self.needs = needs
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

    def _read(self) -> Iterator[tuple[int, Problem | str]]:
        first_line: dict[str, tuple[int, str]] = {}
        for line, row in self._rows():
            if isinstance(row, str):
                yield line, row
                continue
            try:
                problem = to_problem(row, self.mapping, f"{Path(self.name).name}:{line}", self.needs)
            except InputError as error:
                yield line, error.what
                continue
            asked = content_id([" ".join(problem.question.split()).casefold(), problem.context, problem.choices])
            if asked in first_line:
                earlier, answer = first_line[asked]
                more = "" if answer == (problem.answer or "") else " but another answer"
                yield line, f"the same question as in line {earlier}{more}"
                continue
            first_line[asked] = (line, problem.answer or "")
            yield line, problem

    def scan(self) -> Scan:
        """Read it all once and list what is wrong."""
        found = Scan()
        for line, item in self._read():
            if isinstance(item, str):
                found.bad.append(BadRow(line, item))
            else:
                found.good += 1
        return found

    def problems(self) -> Iterator[Problem]:
        """The problems, in order; bad rows are passed over (`scan` has listed them)."""
        for _, item in self._read():
            if isinstance(item, Problem):
                yield item

    def describe(self) -> dict[str, Any]:
        """What the run folder remembers of it."""
        return {"name": self.name, "mapping": self.mapping}


def open_source(name: str, *, mapping: Mapping[str, str] | None = None, needs: frozenset[str] = frozenset()) -> Source:
    """The source of that name."""
    return Source(name, mapping=mapping, needs=needs)
