"""Constraints made of constraints: parts in a sequence, and one or another (Chain and Selection of arXiv:2407.03978, as in arXiv:2506.01413); and
those that a judge decides. Several constraints on one problem are the third composition, And.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Self

from pydantic import Field

from synth.constraints.draft import Draft
from synth.constraints.kind import Claims, ConstraintKind, Finding, Phrase, Seed
from synth.records import Constraint

__all__ = ["CONDITIONS", "SEPARATOR", "Chain", "Judged", "Selection"]

SEPARATOR = "~~~~"
"""The line between the parts of a chain; no other constraint makes use of it."""
Inner = Annotated[tuple[Constraint, ...], Field(min_length=1, max_length=10)]
"""Constraints within one, each by its id and arguments."""

CONDITIONS = {
    "has_digit": "If the question above contains a digit",
    "has_question_mark": "If the question above contains a question mark",
    "many_words": "If the question above has more than 30 words",
}
"""What a selection can depend on, with the words for it."""


class Chain(ConstraintKind):
    """A text in parts, one after the other, each with constraints of its own."""

    id: ClassVar[str] = "combination:chain"
    drawn: ClassVar[bool] = False  # the step `constrain` composes it of what it draws
    parts: Annotated[tuple[Inner, ...], Field(min_length=2, max_length=10)]
    """The constraints of each part."""

    def check(self, text: str) -> Finding:
        from synth.constraints.catalogue import kind_of  # it lists this module too

        pieces = text.split(SEPARATOR)
        if len(pieces) != len(self.parts):
            return Finding("wrong", f"{len(pieces)} parts, and {len(self.parts)} are asked for")
        found = [
            (number, kind_of(one).judge(piece.strip()))
            for number, (piece, part) in enumerate(zip(pieces, self.parts, strict=True), 1)
            for one in part
        ]
        return _all(found)

    def sentence(self) -> str:
        from synth.constraints.catalogue import kind_of

        lines = [
            " ".join([f"In part {n}:", *(kind_of(one).sentence() for one in part)])
            for n, part in enumerate(self.parts, 1)
        ]
        return "\n".join([f"Write {len(self.parts)} parts, with a line {SEPARATOR} between each two.", *lines])

    def build(self, draft: Draft) -> None:
        from synth.constraints.satisfy import draft_of

        draft.parts = (SEPARATOR, [draft_of(part).text() for part in self.parts])

    @classmethod
    def draw(cls, seed: Seed) -> Self | None:  # noqa: ARG003
        return None

    def claims(self) -> Claims:
        return Claims(holds=(Phrase(SEPARATOR, len(self.parts) - 1),), parts=self.parts)


class Selection(ConstraintKind):
    """One of two constraints, by a condition on the question: which of them holds is known when it is made."""

    id: ClassVar[str] = "combination:selection"
    drawn: ClassVar[bool] = False
    condition: Annotated[str, Field(min_length=1, max_length=2_000)]
    """The condition in words, from "If"."""
    holds: bool
    """Whether the condition is true of the question."""
    then: Inner
    """What is asked for if it is."""
    otherwise: Inner
    """What is asked for if it is not."""

    @property
    def chosen(self) -> tuple[Constraint, ...]:
        """What is asked for."""
        return self.then if self.holds else self.otherwise

    def check(self, text: str) -> Finding:
        from synth.constraints.catalogue import kind_of

        return _all([(None, kind_of(one).judge(text)) for one in self.chosen])

    def sentence(self) -> str:
        from synth.constraints.catalogue import kind_of

        then, otherwise = (
            " ".join(kind_of(one).sentence() for one in branch) for branch in (self.then, self.otherwise)
        )
        return f"{self.condition}: {then}\nOtherwise: {otherwise}"

    def build(self, draft: Draft) -> None:
        from synth.constraints.catalogue import kind_of

        for one in self.chosen:
            kind_of(one).build(draft)

    @classmethod
    def draw(cls, seed: Seed) -> Self | None:  # noqa: ARG003
        return None


class Judged(ConstraintKind):
    """What no program can check, such as a style: a judge answers a question about the text. The checker says `unknown`."""

    id: ClassVar[str] = "soft:judged"
    drawn: ClassVar[bool] = False
    instruction: Annotated[str, Field(min_length=1, max_length=2_000)]
    """What is asked for, as a sentence."""
    question: Annotated[str, Field(min_length=1, max_length=2_000)]
    """What a judge is asked about the text; yes where it complies."""

    def check(self, text: str) -> Finding:  # noqa: ARG002
        return Finding("unknown", "a judge decides it")

    def sentence(self) -> str:
        return self.instruction

    def build(self, draft: Draft) -> None:
        pass

    @classmethod
    def draw(cls, seed: Seed) -> Self | None:
        used = {one.args.get("instruction") for one in seed.taken if one.id == cls.id}
        free = [pair for pair in _SOFT if pair[0] not in used]
        if not free:
            return None
        instruction, question = seed.rng.choice(free)
        return cls(instruction=instruction, question=question)


_SOFT = (
    ("Write for a reader of ten years.", "Can a child of ten years understand the text?"),
    ("Write in a formal tone.", "Is the tone of the text formal?"),
    ("Write in a warm and encouraging tone.", "Is the tone of the text warm and encouraging?"),
    ("Write as a ship's captain would speak.", "Does the text sound like a ship's captain?"),
    (
        "Explain one idea by an everyday comparison.",
        "Does the text explain an idea by a comparison with everyday life?",
    ),
    ("Mention one objection and answer it.", "Does the text mention an objection and answer it?"),
    (
        "Give a suggestion that the reader can act on today.",
        "Does the text give a suggestion that its reader can act on today?",
    ),
)
"""Sentences to a model, and questions to a judge: style, role and content, as in arXiv:2508.02150; the wording is ours."""


def _all(findings: Sequence[tuple[int | None, Finding]]) -> Finding:
    """Right where all are, wrong where one is; else unknown."""
    for label in ("wrong", "unknown"):
        for number, finding in findings:
            if finding.label == label:
                return Finding(label, f"part {number}: {finding.reason}" if number is not None else finding.reason)
    return Finding("right", "; ".join(finding.reason for _, finding in findings))
