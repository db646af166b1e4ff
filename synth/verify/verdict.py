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
    """Name and version of the comparison: `number/2`, `choice/2`, `math/2`, `text/2`, `boolean/2`."""
    detail: str
    """Why, in a few words."""

    @property
    def decided(self) -> bool:
        """Whether it says that the answer is right or that it is not."""
        return self.label not in {"timeout", "undecided"}
