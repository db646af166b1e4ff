"""`decontaminate`: no record that gives away an item of a benchmark."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from importlib.util import find_spec
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from synth.corpus.benchmark import BenchmarkItem, read_items
from synth.corpus.overlap import Overlap, common_words, meaning_alike, resembling, shared_words, sharing_runs
from synth.corpus.step import CorpusView, FileStep
from synth.records import Rejection

__all__ = ["Decontaminate"]


class Decontaminate(FileStep):
    """Reject what shares a run of words with an item of a benchmark, or is one of them rephrased.

    Runs of 13 words find copies, as in GPT-3 (arXiv:2005.14165, appendix C); they find next to none that a model has
    rephrased (arXiv:2311.04850), which `rephrased` is for: rare words in common, in any order, or nearness in meaning. On
    420 questions of GSM8K rephrased by a model, runs of 13 find one; a cosine of words of 0.5 finds 76 % and takes 3 of
    900 other questions for one of them, 0.45 finds 84 % and takes 13; one of meaning of 0.75 finds 85 % and takes 10. Of
    code both miss most: the unit step `contamination` has a judge read what lies near.
    """

    version: ClassVar[int] = 2

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
    """Cosine from which on a record counts as an item rephrased: 0.45 to 0.55 are usual of words, 0.7 to 0.8 of embeddings."""
    similarity: Literal["tfidf", "embedding"] = "tfidf"
    """What `rephrased` is the cosine of: words weighted by rarity (`tfidf`), or embeddings of a small static model (extra `curate`)."""
    shortest: Annotated[int, Field(ge=1)] = 5
    """Words below which an item is passed over: "Who is he?" is no benchmark's own."""

    def files(self) -> Iterable[tuple[str, str]]:
        return [("against", name) for name in self.against]

    def problems_with(self) -> Iterable[tuple[str, str, str]]:
        if self.words is None and self.rephrased is None:
            yield "words", "nothing is looked for", "give words, or rephrased"
        if self.similarity == "embedding" and self.rephrased is None:
            yield (
                "similarity",
                "similarity says how rephrased looks, and that is not given",
                "rephrased: 0.75, or leave similarity out",
            )
        if self.similarity == "embedding" and find_spec("wordllama") is None:
            yield "similarity", "embedding needs what is not installed", "pip install 'synth-rationales[curate]'"
        missing = list(super().problems_with())
        yield from missing
        if not missing:
            try:
                if not self._items():
                    yield "against", f"no item has {self.shortest} words or more", "lower shortest, or look at columns"
            except ValueError as error:
                yield "against", str(error), "name the columns that hold the items' text: columns: [question]"

    def run(self, view: CorpusView) -> list[Rejection]:
        records, texts = view.kept(self.target), view.texts(self.target)
        items = self._items()
        wanted = [item.text for item in items]
        found: dict[int, tuple[str, Overlap, Callable[[str, str], str]]] = {}
        if self.words is not None:
            rule = f"shares {self.words} words in a row with a benchmark"
            for one in sharing_runs(texts, wanted, run=self.words, containment=self.containment):
                found[one.text] = (rule, one, partial(shared_words, run=1))
        if self.rephrased is not None:
            likeness = resembling if self.similarity == "tfidf" else meaning_alike
            for one in likeness(texts, wanted, cosine=self.rephrased):
                found.setdefault(one.text, ("may be an item of a benchmark, rephrased", one, common_words))
        rejections = []
        for i, text in enumerate(texts):
            if i in found:
                rule, one, words_of_both = found[i]
                item = items[one.item]
                observed = {
                    "benchmark": item.file,
                    "row": item.row,
                    "item": item.text[:500],
                    "words": words_of_both(text, item.text),
                    "share": round(one.share, 4),
                }
                rejections.append(self.reject(records[i], rule, observed))
        return rejections

    def _items(self) -> list[BenchmarkItem]:
        return read_items(((name, self.path(name)) for name in self.against), self.columns, self.shortest)
