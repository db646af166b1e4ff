"""What a corpus step is: it reads kept records out of the store and gives rejections, or scores."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Protocol

from pydantic import BaseModel, ConfigDict, Field

from synth.corpus.near_duplicates import Texts
from synth.records import Rejection, Score

__all__ = ["CorpusRecord", "CorpusStep", "CorpusView", "FileStep", "Target"]

Target = Literal["problem", "rationale", "chosen", "rejected"]
"""What is looked at: questions (with context and choices), the text of rationales, or a side of pairs."""


class CorpusRecord(NamedTuple):
    """What a corpus step sees of a record, beside its text."""

    id: str
    unit: str
    table: str
    step: str
    """The step that made it."""
    problem: str
    """Id of the problem it belongs to; its own, if it is one."""
    teacher: str | None
    """Who wrote it; of a pair, who wrote the chosen side."""
    source: str | None
    """Where its problem came from: file and line."""
    answer: str | None
    """The gold answer of its problem."""

    def shared(self, by: str) -> str:
        """What it has in common with others: the value of a field, of `source` the file without the line."""
        value: str = getattr(self, by) or ""
        return value.rpartition(":")[0] if by == "source" else value


class CorpusView(Protocol):
    """What a corpus step sees of the store: what no unit step and no earlier corpus step has rejected."""

    def kept(self, target: Target) -> Sequence[CorpusRecord]:
        """The records, in order of their ids."""

    def texts(self, target: Target) -> Texts:
        """Their texts, in the same order; not all in memory."""

    def values(self, target: Target, name: str) -> Sequence[float | None]:
        """A number for each, in the same order: the score of that name, or `length` (characters), or of a problem
        `pass_rate` (share of right ones among all its judged rationales); None where there is none.
        """


class CorpusStep(BaseModel, ABC):
    """The base of corpus steps. A subclass adds `step: Literal["its_name"]`, its options, and `run`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: ClassVar[int] = 1

    step: str
    """Which step this is."""
    name: str = ""
    """What this use of it is called in the results; the step's own name if not given."""

    def problems_with(self) -> Iterable[tuple[str, str, str]]:
        """Mistakes in its options that types cannot show, as (option, what, remedy)."""
        return ()

    def described(self) -> dict[str, Any]:
        """All that decides what it does, as JSON."""
        return self.model_dump(mode="json") | {"version": self.version}

    @abstractmethod
    def run(self, view: CorpusView) -> Sequence[Rejection | Score]:
        """Rejections of records of the view, and scores on them."""

    def reject(self, record: CorpusRecord, rule: str, observed: Any) -> Rejection:
        """The record is out."""
        return Rejection.make(
            unit=record.unit,
            step=self.name,
            because=[self.version, record.id, rule],
            target=record.id,
            target_table=record.table,
            rule=rule,
            observed=observed,
        )


class FileStep(CorpusStep):
    """A corpus step that reads files beside the corpus."""

    folder: Annotated[Path | None, Field(exclude=True, repr=False)] = None
    """Set by the loader: the folder of the pipeline file, from which relative paths are read."""

    def files(self) -> Iterable[tuple[str, str]]:
        """The files it reads, as (option, path as written)."""
        return ()

    def path(self, name: str) -> Path:
        """Where a file is."""
        return (self.folder or Path()) / Path(name).expanduser()

    def problems_with(self) -> Iterable[tuple[str, str, str]]:
        for option, name in self.files():
            if not self.path(name).exists():
                yield option, f"there is no {self.path(name)}", "paths are read from beside the pipeline file"

    def described(self) -> dict[str, Any]:
        contents = {}
        for _, name in self.files():
            path = self.path(name)
            parts = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
            digest = blake2b(digest_size=16)
            for part in parts:
                digest.update(part.read_bytes())
            contents[name] = digest.hexdigest()
        return super().described() | {"contents": contents}
