"""Proofs by cases over constraints of things that are true or false: lines that each follow from one constraint and what is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from synth.generators.logic import everywhere, holds

__all__ = ["Line", "prove"]

Known = dict[int, bool]


@dataclass(frozen=True, slots=True)
class Line:
    """One step of a proof.

    `force`: constraint `by` and what is known force `thing` to be `value`; `clash`: constraint `by` cannot hold with what is known; `suppose`: the
    case in which `thing` is `value` begins; `so`: that case is impossible, so `thing` is `value`.
    """

    kind: str
    assumed: tuple[tuple[int, bool], ...]
    """The suppositions under which it stands, outermost first; of `suppose` with its own."""
    by: int | None = None
    thing: int | None = None
    value: bool | None = None
    known: Mapping[int, bool] | None = None
    """What is known of the things of the constraint, suppositions included."""


class _Prover:
    def __init__(self, constraints: Sequence[int], about: Sequence[Sequence[int]], n: int) -> None:
        self.constraints, self.about, self.n = constraints, about, n

    def _fits(self, by: int, known: Known) -> int:
        """The worlds in which a constraint holds, with what is known of its things."""
        worlds = self.constraints[by]
        for thing in self.about[by]:
            if thing in known:
                worlds &= self._where(thing, known[thing])
        return worlds

    def _where(self, thing: int, value: bool) -> int:
        return holds(thing, self.n) if value else everywhere(self.n) & ~holds(thing, self.n)

    def _seen(self, by: int, known: Known) -> Known:
        return {thing: known[thing] for thing in self.about[by] if thing in known}

    def propagate(self, known: Known, assumed: tuple[tuple[int, bool], ...]) -> tuple[list[Line], bool]:
        """All that single constraints force; whether that ends in a contradiction. `known` grows."""
        lines: list[Line] = []
        progress = True
        while progress:
            progress = False
            for by in range(len(self.constraints)):
                worlds = self._fits(by, known)
                if not worlds:
                    return [*lines, Line("clash", assumed, by, known=self._seen(by, known))], True
                for thing in self.about[by]:
                    if thing in known:
                        continue
                    sides = [bool(worlds & self._where(thing, value)) for value in (False, True)]
                    if all(sides):
                        continue
                    lines.append(Line("force", assumed, by, thing, sides[1], self._seen(by, known)))
                    known[thing] = sides[1]
                    progress = True
                    break
        return lines, False

    def close(self, known: Known, assumed: tuple[tuple[int, bool], ...]) -> list[Line]:
        """A proof from here to a full solution, or, of an impossible case, to a contradiction. `known` grows."""
        lines, over = self.propagate(known, assumed)
        while not over and len(known) < self.n:
            thing, value, quick = self._impossible(known, assumed)
            case = (*assumed, (thing, value))
            lines.append(Line("suppose", case, thing=thing, value=value))
            lines += quick if quick is not None else self.close({**known, thing: value}, case)
            lines.append(Line("so", assumed, thing=thing, value=not value))
            known[thing] = not value
            more, over = self.propagate(known, assumed)
            lines += more
        return lines

    def _impossible(self, known: Known, assumed: tuple[tuple[int, bool], ...]) -> tuple[int, bool, list[Line] | None]:
        """A supposition that is impossible, with the shortest refutation by single constraints; None where all need further cases."""
        worlds = everywhere(self.n)
        for constraint in self.constraints:
            worlds &= constraint
        for thing, value in known.items():
            worlds &= self._where(thing, value)
        found: list[tuple[int, int, bool, list[Line]]] = []
        impossible: list[tuple[int, bool]] = []
        for thing in range(self.n):
            for value in (True, False):
                if thing in known or worlds & self._where(thing, value):
                    continue
                impossible.append((thing, value))
                lines, over = self.propagate({**known, thing: value}, (*assumed, (thing, value)))
                if over:
                    found.append((len(lines), thing, value, lines))
        if found:
            _, thing, value, lines = min(found, key=lambda one: one[0])
            return thing, value, lines
        thing, value = impossible[0]
        return thing, value, None


def prove(constraints: Sequence[int], about: Sequence[Sequence[int]], n: int) -> list[Line]:
    """A proof that constraints have exactly one solution, which it finds. Lines of an impossible case end in a `clash`.

    Args:
        constraints: the worlds in which each holds; together exactly one.
        about: the things that each is about.
        n: how many things there are.
    """
    return _Prover(constraints, about, n).close({}, ())
