"""Answers that give each of some names a value."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from synth.verify.assignments import read_assignment, resolve, statement_end
from synth.verify.items import as_json, last_object
from synth.verify.kinds.kind import Comparison, Kind
from synth.verify.kinds.listed import end_of_values
from synth.verify.reading import plain_statement
from synth.verify.text import same_text
from synth.verify.verdict import Verdict

__all__ = ["AssignmentKind"]

_OPENS = re.compile(r"[ \t]{0,20}\n?[ \t]{0,20}[{\[]")
_LAST_LINES = 40


class AssignmentKind(Kind):
    """Values of names in any order, such as who is a knight and who a knave; names are compared without case, at the borders of words. A
    wrong assignment is graded by the share of the gold names that have their value.
    """

    name = "assignment"
    inferred = False
    verbatim = True

    def read(self, said: str, choices: Sequence[str]) -> str | None:  # noqa: ARG002
        found = read_assignment(plain_statement(said.strip()))
        return None if not found else as_json(found)

    def extent(self, text: str, start: int) -> int | None:
        return end_of_values(text, start) if _OPENS.match(text, start) is not None else statement_end(text, start)

    def unstated(self, text: str, choices: Sequence[str]) -> str | None:
        """The last JSON object; else the lines at the end, or the last line, where they are nothing but an assignment."""
        if (said := last_object(text)) is not None:
            return self.read(said, choices)
        lines = [line for line in text.splitlines() if line.strip()][-_LAST_LINES:]
        end: list[str] = []
        for line in reversed(lines):
            if not read_assignment(line, strict=True):
                break
            end.append(line)
        return self.read("\n".join(reversed(end)), choices) if end else None

    def contradict(self, one: str, other: str) -> bool:
        return self.compare(one, other, Comparison()).label != "right"

    def same(self, one: str, other: str) -> bool:
        return not self.contradict(one, other)

    def compare(self, found: str, gold: str, by: Comparison) -> Verdict:  # noqa: ARG002
        said, meant = read_assignment(found), read_assignment(gold)
        if not meant:
            return self.verdict("undecided", found, gold, f"the gold answer {gold[:80]!r} gives no name a value")
        if not said:
            return self.verdict("unparsed", found, gold, f"{found[:80]!r} gives no name a value, or one name two")
        given = resolve(said, tuple(meant))
        if given is None:
            return self.verdict("unparsed", found, gold, "one name has two values")
        if not given:
            return self.verdict("unparsed", found, gold, f"{found[:80]!r} names none of {', '.join(meant)[:80]}")
        same = _same(given, meant)
        return self.decide(same == len(meant), found, gold, f"{same} of {len(meant)} names", same / len(meant))

    def unfit(self, gold: str, choices: Sequence[str]) -> str | None:  # noqa: ARG002
        if read_assignment(gold):
            return None
        return 'it gives no name a value, or one name two: give a JSON object such as {"Ann": "knight"}'

    def canonical(self, gold: str) -> str:
        found = read_assignment(gold)
        return gold if not found else as_json(found)


def _same(given: Mapping[str, str], meant: Mapping[str, str]) -> int:
    return sum(name in given and same_text(given[name], value) for name, value in meant.items())
