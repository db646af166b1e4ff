"""What a corpus step is: it reads kept records out of the store and gives rejections."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, NamedTuple, Protocol

from pydantic import BaseModel, ConfigDict

from synth.records import Rejection

__all__ = ["CorpusRecord", "CorpusStep", "CorpusView"]


class CorpusRecord(NamedTuple):
    """What a corpus step sees of a record."""

    id: str
    unit: str
    table: str
    text: str
    step: str = ""
    """The step that made it."""


class CorpusView(Protocol):
    """What a corpus step sees of the store."""

    def kept(self, table: str) -> Sequence[CorpusRecord]:
        """The records of a table that no unit step and no earlier corpus step has rejected, in order of their ids."""


class CorpusStep(BaseModel, ABC):
    """The base of corpus steps. A subclass adds `step: Literal["its_name"]`, its options, and `run`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: ClassVar[int] = 1

    step: str
    """Which step this is."""
    name: str = ""
    """What this use of it is called in the results; the step's own name if not given."""

    @abstractmethod
    def run(self, view: CorpusView) -> list[Rejection]:
        """The rejections, for records of the view."""
