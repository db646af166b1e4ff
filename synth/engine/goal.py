"""How far a run is from the yield it is to stop at, and how much its units are still to keep."""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil

from synth.engine.target import Target
from synth.records import UnitRecord

__all__ = ["Goal"]

LEAST_KEPT = 0.05
"""The smallest share kept by corpus steps that is reckoned with when more units are begun: some may keep none of the first ones."""

LEAST_IN_VAIN, IN_VAIN = 50, 0.25
"""Of what units keep, so many in a row, and so large a share of all before them, that none of it is kept in the end: then corpus steps
keep no more, as a cap that is full.
"""


class Goal:
    """Counts what units keep, and says when that is enough.

    Corpus steps look at the run when the goal is reached. Where they leave less than the yield asked for, the goal is raised.

    Args:
        until: the yield to stop at; None where every problem is done.
    """

    def __init__(self, until: Target | None) -> None:
        self.until = until
        self.kept = 0
        """What is kept in the end, when corpus steps looked last."""
        self.full = False
        """Whether the corpus steps keep no more, even if more is made."""
        self._goal = until.n if until is not None else 0
        """What the units are to have kept before the corpus steps look at them."""
        self._reached = 0
        """What the units done have kept, before the corpus steps."""
        self._counted = 0
        """How many units these are."""
        self._most = 0
        """The most that was kept in the end in this session, and what the units had kept by then."""
        self._reached_then = 0

    def count_earlier(self, kept: int) -> None:
        """Count a unit of an earlier session, which has kept so many."""
        self._counted += 1
        self._reached += kept

    def count(self, records: Iterable[UnitRecord]) -> None:
        """Count a unit that is done."""
        if self.until is not None:
            self._reached += self.until.count(records)
            self._counted += 1

    @property
    def is_reached(self) -> bool:
        """Whether units have kept enough; never where there is no yield to stop at."""
        return self.until is not None and self._reached >= self._goal

    def is_expected(self, flying: int) -> bool:
        """Whether the units in flight will reach it, if they keep as much as those done did.

        Args:
            flying: how many units are in flight.
        """
        expected = flying * (self._reached + 1) / (self._counted + 1)
        return self.until is not None and self._reached + expected >= self._goal

    def look(self, kept: int) -> None:
        """Take in what is kept in the end, after the corpus steps."""
        self.kept = kept
        if kept > self._most:
            self._most, self._reached_then = kept, self._reached

    @property
    def missing(self) -> int:
        """How much of the yield is missing in the end; 0 or less where it is reached."""
        return self.until.n - self.kept if self.until is not None else 0

    @property
    def is_in_vain(self) -> bool:
        """Whether the corpus steps have kept nothing of the last ones, for so long that they are taken to keep no more."""
        return self._in_vain >= max(LEAST_IN_VAIN, IN_VAIN * self._reached_then)

    @property
    def _in_vain(self) -> int:
        return self._reached - self._reached_then

    def set_further(self) -> None:
        """Let units keep more, by what is missing in the end."""
        # Corpus steps may reject most of what is made: half of what it takes at this rate, so that little is made in vain and the
        # steps, which look at all there is each time, need not run often.
        rate = max(LEAST_KEPT, min(1.0, self.kept / self._reached)) if self._reached else 1.0
        self._goal = self._reached + max(self.missing, ceil(self.missing / rate / 2), self._in_vain)

    def note(self, not_begun: int, stale: int) -> str:
        """What the run reports of its yield when it ends.

        Args:
            not_begun: problems that were not begun.
            stale: of these, those with records of an earlier pipeline or other models.
        """
        if self.until is None:
            return ""
        more = f"; {not_begun:,} problems were not begun" if not_begun else ", and no problem is left"
        if self.full:
            more += ": the corpus steps kept none of the last ones, so that more would be made in vain"
        if stale:
            more += f", {stale:,} of them with records of an earlier pipeline or other models, which count too"
        counted = f"{self.kept:,} {self.until.words} kept in the end, after the corpus steps"
        return f"{counted}, of the {self.until.n:,} asked for{more}"
