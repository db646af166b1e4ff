"""What a comparison says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Label", "Verdict"]

Label = Literal["right", "wrong", "unparsed", "timeout", "undecided"]
"""`unparsed`: no answer could be read; `timeout`: the comparison took too long; `undecided`: there is nothing to compare with, or the
verifier cannot say. None of them counts as right, and the last two do not count as wrong."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One comparison of an answer with the gold one."""

    label: Label
    found: str | None
    """The answer as it stood in the reply; None where none could be read."""
    expected: str
    """The gold answer."""
    method: str
    """Name and version of the comparison: `number/2`, `choice/2`, `math/2`, `text/2`, `boolean/2`, `set/1`…"""
    detail: str
    """Why, in a few words."""
    partial: float | None = None
    """How much of a wrong answer is right, in [0, 1), where its kind can say; see `grade`."""

    @property
    def decided(self) -> bool:
        """Whether it says that the answer is right or that it is not."""
        return self.label not in {"timeout", "undecided"}

    @property
    def grade(self) -> float | None:
        """How much of the answer is right, in [0, 1]: 1 where it is right, 0 where none could be read, None where it is not decided.

        A wrong answer has the share that its kind finds right in it: 0 for kinds of which an answer is right as a whole or not at all.
        """
        if not self.decided:
            return None
        return 1.0 if self.label == "right" else (self.partial or 0.0) if self.label == "wrong" else 0.0
