"""`contamination`: what is nearest to an item of a benchmark, shown to a judge."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import BeforeValidator, Field

from synth.corpus.benchmark import BenchmarkItem, read_items
from synth.corpus.coverage import meanings
from synth.corpus.overlap import common_words
from synth.corpus.step import digest_of, path_of
from synth.errors import UserError
from synth.models import Capability, Completion, Model, Reply, Request, Task
from synth.records import Problem, Rationale, Score, UnitRecord, record_fields
from synth.steps.step import ModelStep
from synth.steps.text import text_of
from synth.steps.unit import Unit
from synth.steps.yes_or_no import YES_OR_NO, probability_of_yes

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Contamination"]


class _Compared(Reply):
    """What a judge is to write."""

    reason: str = ""
    same: Annotated[Literal["yes", "no"], BeforeValidator(lambda v: v.lower() if isinstance(v, str) else v)]


class _Near(NamedTuple):
    """An item near to a record."""

    item: BenchmarkItem
    cosine: float


class _Judged(NamedTuple):
    near: _Near
    value: float | None
    call: str | None
    why: str


class Contamination(ModelStep):
    """Have a judge say whether a record is an item of a benchmark in other words; a later `filter` decides.

    The items nearest to a record by embeddings are shown to the judge with it, one at a time. The score is the highest
    verdict, its label file and row of that item, its reason the item and the words both have. A record that no item comes
    near has 0 and costs no call; one of which a judge said nothing has no value. Source: the LLM decontaminator of
    arXiv:2311.04850. How often it errs: docs/curation.md.
    """

    gives: ClassVar[tuple[type[UnitRecord], ...]] = (Score,)

    step: Literal["contamination"] = "contamination"
    by: str | tuple[str, ...] = "judges"
    """The role, or roles, that judge."""
    target: Literal["problem", "rationale"] = "problem"
    """What is looked at: questions with context and choices, or rationales with their answers."""
    against: Annotated[tuple[str, ...], Field(min_length=1)]
    """Files of benchmark items (JSONL, Parquet, CSV, TSV), read from beside the pipeline file."""
    columns: Annotated[tuple[str, ...], Field(min_length=1)] = ("question",)
    """The columns an item's text is made of."""
    shortest: Annotated[int, Field(ge=1)] = 5
    """Words below which an item is passed over."""
    nearest: Annotated[int, Field(ge=1, le=16)] = 1
    """Items a judge is asked about at most, the nearest first."""
    cosine: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """Cosine of embeddings below which nothing is asked."""
    mode: Literal["probability", "verdict"] = "probability"
    """How it is judged: by the probability of a yes, or a reason and a yes (1) or no (0)."""
    prompt: str = "review/same"
    """Name of a shipped prompt, or path of your own (`.j2`), read from beside the pipeline file."""
    temperature: Annotated[float, Field(ge=0, le=2)] | None = 0.0
    """Sampling temperature."""
    max_tokens: Annotated[int, Field(ge=1)] | None = 256
    """Most tokens of a verdict with its reason."""

    def takes_type(self) -> type[UnitRecord]:
        return Problem if self.target == "problem" else Rationale

    def gives_scores(self) -> tuple[str, ...]:
        return ("contamination",)

    def prompt_variables(self) -> Mapping[str, frozenset[str] | None]:
        return {"problem": record_fields(Problem), "text": None, "item": None, "format": None}

    def needs_of_models(self) -> frozenset[Capability]:
        return frozenset({"logprobs"}) if self.mode == "probability" else frozenset()

    def uses_of(self, model: Model) -> frozenset[Capability]:  # noqa: ARG002
        return frozenset({"json_schema"}) if self.mode == "verdict" else frozenset()

    def problems_with(
        self, models: Mapping[str, Sequence[Model]], authors: Sequence[Model]
    ) -> Iterable[tuple[str, str, str]]:
        yield from super().problems_with(models, authors)
        if find_spec("wordllama") is None:
            yield "step", "contamination needs wordllama, not installed", "pip install 'synth-rationales[curate]'"
        there = True
        for name in self.against:
            try:
                path = self._path(name)
            except UserError as error:
                there = False
                yield "against", f"{error.where}: {error.what}", error.fix or ""
                continue
            if not path.is_file():
                there = False
                yield "against", f"there is no {path}", "paths are read from beside the pipeline file"
        if there:
            try:
                if not self._items:
                    yield "against", f"no item has {self.shortest} words or more", "lower shortest, or look at columns"
            except ValueError as error:
                yield "against", str(error), "name the columns that hold the items' text: columns: [question]"

    def described(self) -> dict[str, Any]:
        contents = {name: digest_of(self._path(name)) for name in self.against}
        return super().described() | {"contents": contents}

    async def run(self, records: Sequence[UnitRecord], unit: Unit) -> Iterable[UnitRecord]:
        near = self._near([text_of(r) for r in records])
        pairs = [(record, one) for record, some in zip(records, near, strict=True) for one in some]
        judges = unit.models(self.by)
        asked = [(judge, self._request(record, one, judge, unit), record) for record, one in pairs for judge in judges]
        replies = iter(await self.ask_all(asked, unit))
        judged: dict[str, list[_Judged]] = {r.id: [] for r in records}
        for record, one in pairs:
            judged[record.id].append(self._judged(one, [next(replies) for _ in judges]))
        return [self._score(r, judged[r.id]) for r in records]

    def _request(self, record: UnitRecord, near: _Near, judge: Model, unit: Unit) -> Request:
        problem = unit.problem_of(record)
        form = self.form_of_fields(judge)
        shown = {"problem": problem, "text": text_of(record), "item": near.item.text}
        task = Task("same", problem, subject=record, hint=near.item.text, format=form)
        if self.mode == "verdict":
            return self.request(self.load(), {**shown, "format": form}, task, shape=_Compared)
        return self.request(self.load(), {**shown, "format": None}, task, parameters=YES_OR_NO)

    def _judged(self, near: _Near, replies: Sequence[Completion | None]) -> _Judged:
        values, why = [], ""
        for reply in replies:
            if reply is None:
                continue
            value = probability_of_yes(reply) if self.mode == "probability" else float(reply.value.same == "yes")
            if value is not None:
                values.append(value)
                why = why or (reply.value.reason if self.mode == "verdict" else "")
        call = next((reply.call for reply in replies if reply is not None), None)
        return _Judged(near, fmean(values) if values else None, call, why)

    def _score(self, record: UnitRecord, judged: Sequence[_Judged]) -> Score:
        unheard = next((j for j in judged if j.value is None), None)
        worst = max((j for j in judged if j.value is not None), key=lambda j: j.value or 0.0, default=None)
        if worst is None or (unheard is not None and (worst.value or 0.0) < 0.5):
            worst = unheard  # a clean verdict on one item says nothing of another
        value = 0.0 if worst is None else worst.value
        return self.derive(
            Score,
            [record],
            target=record.id,
            name="contamination",
            value=value,
            label=None if worst is None else f"{worst.near.item.file}:{worst.near.item.row}",
            judge="nearest by embeddings" if worst is None else f"{self.mode} of a judge",
            reason=f"no item has a cosine of {self.cosine:g}" if worst is None else _told(record, worst),
            call=None if worst is None else worst.call,
        )

    def _near(self, texts: Sequence[str]) -> list[list[_Near]]:
        import numpy as np

        items, against = self._index
        alike = meanings(texts).vectors @ against.T
        best = np.argsort(-alike, axis=1, kind="stable")[:, : self.nearest]
        return [
            [_Near(items[i], float(row[i])) for i in some if row[i] >= self.cosine]
            for row, some in zip(alike, best.tolist(), strict=True)
        ]

    @cached_property
    def _items(self) -> list[BenchmarkItem]:
        return read_items(((name, self._path(name)) for name in self.against), self.columns, self.shortest)

    @cached_property
    def _index(self) -> tuple[list[BenchmarkItem], np.ndarray[Any, Any]]:
        return self._items, meanings([item.text for item in self._items]).vectors

    def _path(self, name: str) -> Path:
        return path_of(name, self.folder)


def _told(record: UnitRecord, judged: _Judged) -> str:
    item, cosine = judged.near
    said = f"; the judge: {judged.why}" if judged.why else ""
    words = common_words(text_of(record), item.text)
    return f"cosine {cosine:.2f}; both say {words!r}; the item: {item.text[:500]}{said}"
