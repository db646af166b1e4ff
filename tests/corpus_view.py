"""A corpus in memory, for corpus steps."""

from __future__ import annotations

from typing import ClassVar

from synth.corpus import CorpusRecord


class View:
    """What a corpus step sees, of texts and columns given; `numbers` are scores by name."""

    numbers: ClassVar[dict[str, list[float | None]]] = {}

    def __init__(self, texts: list[str], **columns: list) -> None:
        self.rows = texts
        blank = {
            "unit": "u{}",
            "table": "rationales",
            "step": "s",
            "problem": "p{}",
            "model": None,
            "source": None,
            "answer": None,
        }
        self.records = [
            CorpusRecord(
                f"r{i:05d}",
                *(columns[k][i] if k in columns else v.format(i) if v is not None else None for k, v in blank.items()),
            )
            for i in range(len(texts))
        ]

    def kept(self, _target):
        return self.records

    def texts(self, _target):
        return self.rows

    def variables(self, _target):
        scores = [{name: v[i] for name, v in self.numbers.items() if i < len(v)} for i in range(len(self.rows))]
        return ({"record": r, "rationale": r, "score": some} for r, some in zip(self.records, scores, strict=True))

    def values(self, _target, name):
        return [float(len(t)) for t in self.rows] if name == "length" else self.numbers[name]


def kept_of(step, view: View) -> list[CorpusRecord]:
    """The records that a step leaves."""
    out = {r.target for r in step.run(view) if not isinstance(r, str)}
    return [r for r in view.records if r.id not in out]
