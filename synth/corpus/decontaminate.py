"""`decontaminate`: no record that gives away an item of a benchmark."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import orjson
from pydantic import Field

from synth.corpus.overlap import Overlap, resembling, shared_words, sharing_runs
from synth.corpus.step import CorpusView, FileStep
from synth.records import Rejection

__all__ = ["Decontaminate"]


class _Item(NamedTuple):
    file: str
    row: int
    text: str


class Decontaminate(FileStep):
    """Put out what shares a run of words with an item of a benchmark, or is one of them rephrased.

    Runs of 13 words find copies, as in GPT-3 (arXiv:2005.14165, appendix C); they find next to none that a model has
    rephrased (arXiv:2311.04850), which `rephrased` is for: rare words in common, in whatever order. On 420 questions of
    GSM8K rephrased by a model, runs of 13 find none; a cosine of 0.5 finds 75 % and takes 3 of 900 other questions for
    one of them, 0.45 finds 83 % and takes 12.
    """

    step: Literal["decontaminate"] = "decontaminate"
    target: Literal["problem", "rationale"] = "problem"
    """What is looked at: questions, or the text of rationales."""
    against: Annotated[tuple[str, ...], Field(min_length=1)]
    """Files of benchmark items (JSONL, Parquet, CSV), read from beside the pipeline file."""
    columns: Annotated[tuple[str, ...], Field(min_length=1)] = ("question",)
    """The columns an item's text is made of."""
    words: Annotated[int, Field(ge=1, le=64)] | None = 13
    """Words in a run; an item of fewer words counts as one run. Null: runs are not looked at."""
    containment: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of an item's runs that must be in the record; 0: one is enough. For runs of 4 to 8 words."""
    rephrased: Annotated[float, Field(gt=0, le=1)] | None = None
    """Cosine of words weighted by rarity from which on a record counts as an item rephrased; 0.45 to 0.55 are usual."""
    shortest: Annotated[int, Field(ge=1)] = 5
    """Words below which an item is passed over: "Who is he?" is no benchmark's own."""

    def files(self) -> Iterable[tuple[str, str]]:
        return [("against", name) for name in self.against]

    def problems_with(self) -> Iterable[tuple[str, str, str]]:
        if self.words is None and self.rephrased is None:
            yield "words", "nothing is looked for", "give words, or rephrased"
        missing = list(super().problems_with())
        yield from missing
        if not missing:
            try:
                if not self._items():
                    yield "against", f"no item has {self.shortest} words or more", "lower shortest, or look at columns"
            except (ValueError, OSError) as error:
                yield "against", str(error), "name the columns that hold the items' text: columns: [question]"

    def run(self, view: CorpusView) -> list[Rejection]:
        records, texts = view.kept(self.target), view.texts(self.target)
        items = self._items()
        wanted = [item.text for item in items]
        found: dict[int, tuple[str, Overlap]] = {}
        if self.words is not None:
            for one in sharing_runs(texts, wanted, run=self.words, containment=self.containment):
                found[one.text] = (f"shares {self.words} words in a row with a benchmark", one)
        if self.rephrased is not None:
            for one in resembling(texts, wanted, cosine=self.rephrased):
                found.setdefault(one.text, ("may be an item of a benchmark, rephrased", one))
        rejections = []
        for i, text in enumerate(texts):
            if i in found:
                rule, one = found[i]
                item = items[one.item]
                observed = {
                    "benchmark": item.file,
                    "row": item.row,
                    "item": item.text[:500],
                    "words": shared_words(text, item.text, 1),
                    "share": round(one.share, 4),
                }
                rejections.append(self.reject(records[i], rule, observed))
        return rejections

    def _items(self) -> list[_Item]:
        from synth.corpus.shingles import normalise

        items = []
        for name in self.against:
            for number, row in enumerate(_rows(self.path(name)), 1):
                absent = [c for c in self.columns if c not in row]
                if absent:
                    raise ValueError(f"row {number} of {name} has no column {absent[0]!r} (it has {', '.join(row)})")
                text = "\n".join(str(row[c]) for c in self.columns if row[c] is not None)
                if len(normalise(text)) >= self.shortest:
                    items.append(_Item(name, number, text))
        return items


def _rows(path: Path) -> Iterable[dict[str, Any]]:
    if path.suffix in {".parquet", ".csv"}:
        import polars as pl

        frame = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path, infer_schema=False)
        yield from frame.iter_rows(named=True)
        return
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                try:
                    row = orjson.loads(line)
                except orjson.JSONDecodeError as error:
                    raise ValueError(f"line {number} of {path.name} is no JSON: {error}") from error
                if not isinstance(row, dict):
                    raise ValueError(f"line {number} of {path.name} is no JSON object")
                yield row
