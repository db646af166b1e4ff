"""What a kind of answer is: how it is read, compared, checked and graded."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from synth.records import AnswerKind
from synth.verify.latex import repair_escapes
from synth.verify.numbers import read_number
from synth.verify.reading import plain_statement
from synth.verify.verdict import Label, Verdict

__all__ = ["Comparison", "Kind", "only_line"]

_SHORT_QUESTION = 3
"""Words of an answer with a question mark behind it, at most: a longer one is the question said again."""


class Comparison(NamedTuple):
    """How two answers are compared."""

    choices: Sequence[str] = ()
    """The options, for `choice`."""
    tolerance: float | None = None
    """Relative error that still counts as right for numbers; exact if None."""
    timeout: float = 5.0
    """Seconds a mathematical comparison may take."""
    f1_threshold: float | None = None
    """Token F1 from which on words count as right; equal after normalisation if None."""


class Kind(ABC):
    """One kind of answer. Its methods take texts that models and strangers wrote, call no model, and take linear time."""

    name: ClassVar[AnswerKind]
    """What records call it."""
    version: ClassVar[int] = 1
    """Of the comparison; it stands in the verdict as `NAME/VERSION`."""
    slow: ClassVar[bool] = False
    """Whether a comparison may take as long as its time-out."""
    in_words: ClassVar[bool] = False
    """Whether an answer is words, in which an abbreviation ends no sentence and no correction is looked for."""
    verbatim: ClassVar[bool] = False
    """Whether an answer is read with the signs it has in the reply; else full-width signs are half-width ones."""
    objects: ClassVar[bool] = False
    """Whether an answer is a JSON object: a field `answer` of another type is then a field of the answer."""
    inferred: ClassVar[bool] = True
    """Whether `infer_kind` finds it in the form of a gold answer; else a problem has to name it."""
    short: ClassVar[bool] = False
    """Whether a statement of a few words with a question mark behind it states nothing."""

    @property
    def method(self) -> str:
        """Name and version of the comparison."""
        return f"{self.name}/{self.version}"

    def statement(self, said: str) -> str | None:
        """What a statement says, without the signs around it; None where it asks rather than states."""
        plain = plain_statement(repair_escapes(said).strip())
        return None if self.short and plain.endswith("?") and len(plain.split()) <= _SHORT_QUESTION else plain

    def place(self, response: str) -> tuple[str | None, tuple[int, int] | None] | None:  # noqa: ARG002
        """The answer of a reply and the characters that hold it, of a kind that stands in a place of its own; None of all other kinds."""
        return None

    @abstractmethod
    def read(self, said: str, choices: Sequence[str]) -> str | None:
        """The answer that a statement (what stands behind "The answer is", in a box, in a tag) gives; None where it gives none of this
        kind.
        """

    def extent(self, text: str, start: int) -> int | None:  # noqa: ARG002
        """Where a value that begins at `start` ends, where the kind knows better than its sentence or line; None where it does not."""
        return None

    def unstated(self, text: str, choices: Sequence[str]) -> str | None:  # noqa: ARG002
        """The answer of a text that states none in a place of its own; None if it cannot be read."""
        return only_line(text)

    def candidates(self, text: str, choices: Sequence[str]) -> list[str]:  # noqa: ARG002
        """Everything in a text that could be an answer, in order."""
        return [line.strip() for line in text.splitlines() if line.strip()]

    def contradict(self, one: str, other: str) -> bool:
        """Whether two answers that were read out of one reply cannot both be meant."""
        a, b = read_number(one), read_number(other)
        return a is not None and b is not None and a != b

    def same(self, one: str, other: str) -> bool:  # noqa: ARG002
        """Whether two answers that were read out of one reply are one answer in other words."""
        return False

    def is_all_of(self, whole: str, answer: str, choices: Sequence[str]) -> bool:  # noqa: ARG002
        """Whether a reply holds an answer and nothing else."""
        marks = "*_`$().:\"' \n"
        return whole.strip(marks) == answer.strip(marks)

    @abstractmethod
    def compare(self, found: str, gold: str, by: Comparison) -> Verdict:
        """Whether an answer is the gold one. Neither is blank."""

    def unfit(self, gold: str, choices: Sequence[str]) -> str | None:  # noqa: ARG002
        """Why a gold answer is none of this kind; None where it is one."""
        return None

    def canonical(self, gold: str) -> str:
        """A gold answer that fits, in the one form in which records hold it."""
        return gold

    def verdict(self, label: Label, found: str, gold: str, detail: str) -> Verdict:
        """A verdict by this kind."""
        return Verdict(label, found, gold, self.method, detail)

    def decide(
        self, right: bool, found: str, gold: str, detail: str | None = None, partial: float | None = None
    ) -> Verdict:
        """A verdict that says right or wrong; `partial` is how much of a wrong answer is right."""
        said = detail or f"{found[:80]} {'=' if right else '≠'} {gold[:80]}"
        return Verdict("right" if right else "wrong", found, gold, self.method, said, None if right else partial)


def only_line(text: str) -> str | None:
    """The line of a reply that is nothing but a short line."""
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) == 1 and len(text.split()) <= 5:  # nothing but the answer
        return lines[0].strip().rstrip(".").strip() or None
    return None
