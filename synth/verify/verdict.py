"""What a comparison says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Label", "Verdict"]

Label = Literal["right", "wrong", "unparsed", "timeout"]
"""`unparsed`: no answer could be read; `timeout`: the comparison took too long. Neither counts as right."""


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
