"""Whether extracted evidence is what people would point to: ERASER's agreement with human rationales, arXiv:1911.03429.

A rationale is a list of spans `(begin, end)` of token indices, the end not included.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple

__all__ = ["Overlap", "Span", "average_precision", "iou_overlap", "macro", "micro", "token_overlap"]

Span = tuple[int, int]


class Overlap(NamedTuple):
    """How much of a predicted rationale is in the gold one, and of the gold one in it."""

    predicted_hits: int
    predicted: int
    gold_hits: int
    gold: int

    @property
    def precision(self) -> float:
        """Share of what was predicted that is gold; of nothing predicted 1 where there was no gold either, else 0."""
        return self.predicted_hits / self.predicted if self.predicted else float(not self.gold)

    @property
    def recall(self) -> float:
        """Share of the gold that was predicted; of no gold 1 where nothing was predicted either, else 0."""
        return self.gold_hits / self.gold if self.gold else float(not self.predicted)

    @property
    def f1(self) -> float:
        """The harmonic mean of both."""
        return _f1(self.precision, self.recall)


def token_overlap(gold: Iterable[Span], predicted: Iterable[Span]) -> Overlap:
    """Token by token; its `f1` is ERASER's token F1."""
    ours = {i for begin, end in predicted for i in range(begin, end)}
    theirs = {i for begin, end in gold for i in range(begin, end)}
    both = len(ours & theirs)
    return Overlap(both, len(ours), both, len(theirs))


def iou_overlap(gold: Iterable[Span], predicted: Iterable[Span], threshold: float = 0.5) -> Overlap:
    """Span by span: a span counts as hit if its intersection over union with one of the others is at least `threshold`.

    Its `f1` is ERASER's IOU F1, but that recall counts gold spans that were hit: the authors' code divides predicted
    spans that hit by the number of gold spans, which may exceed 1 where two predicted spans hit the same one.
    """
    ours, theirs = set(predicted), set(gold)

    def hits(spans: set[Span], others: set[Span]) -> int:
        return sum(any(_iou(span, other) >= threshold for other in others) for span in spans)

    return Overlap(hits(ours, theirs), len(ours), hits(theirs, ours), len(theirs))


def _iou(a: Span, b: Span) -> float:
    shared = max(0, min(a[1], b[1]) - max(a[0], b[0]))
    union = a[1] - a[0] + b[1] - b[0] - shared
    return shared / union if union else 0.0


def micro(overlaps: Iterable[Overlap]) -> Overlap:
    """All documents taken as one."""
    return Overlap(*(sum(column) for column in zip(*overlaps, strict=True))) if (overlaps := list(overlaps)) else _NONE


_NONE = Overlap(0, 0, 0, 0)


def macro(overlaps: Sequence[Overlap]) -> tuple[float, float, float] | None:
    """Precision and recall averaged over documents, and the F1 of these averages, as ERASER reports it; None of none."""
    if not overlaps:
        return None
    precision = sum(o.precision for o in overlaps) / len(overlaps)
    recall = sum(o.recall for o in overlaps) / len(overlaps)
    return precision, recall, _f1(precision, recall)


def _f1(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def average_precision(scores: Sequence[float], gold: Sequence[bool]) -> float | None:
    """The area under the precision-recall curve of soft token scores, as the mean precision at each gold token.

    Tied tokens are taken at once; no interpolation. None where no token is gold.
    """
    total = sum(gold)
    if not total:
        return None
    seen, hits, area = 0, 0, 0.0
    for _, group in groupby(sorted(zip(scores, gold, strict=True), reverse=True), key=lambda pair: pair[0]):
        tied = [is_gold for _, is_gold in group]
        seen += len(tied)
        hits += sum(tied)
        area += sum(tied) / total * hits / seen
    return area
