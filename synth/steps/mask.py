"""`mask`: problems from raw text, with a span hidden that the rest of the text may tell."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from random import Random
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from synth.records import Problem, UnitRecord
from synth.steps.step import Step
from synth.steps.unit import Unit

__all__ = ["MASK", "Mask", "hidden", "spans_to_hide"]

MASK = "[mask]"
"""What stands in the place of the hidden text."""

_WORD = re.compile(r"[^\W_]+(?:['’.-][^\W_]+)*")
_SENTENCE_BEGINS = re.compile(r"(?:^|[.!?:;…\n][\"'”’)\]]{0,3})\s{0,4}[\"'“‘(\[]{0,3}$")
_NEAR = 12
"""Characters before a word that say whether it begins a sentence."""
_LONGEST = 80
"""Characters of a span."""

_MOST_SPANS = 2_000
"""Each is searched for in all of the passage."""

Span = tuple[int, int]


class Mask(Step):
    """Make problems of passages: of each some spans are hidden in turn, and the answer is what stood there.

    The passage is the `context` of a problem, or where it has none its `question` (raw text: `--map question=COLUMN`). A span is hidden only if it
    occurs once in it, in capitals or not, so that nothing is copied and putting the answer in the place of `[mask]` gives the passage back byte for byte.
    `meta.mask` has the place (`start`, `end` in characters) and the rule. A passage that holds `[mask]` itself is left alone. Spans chosen by a
    model: `ask` with `make: problem`, and the same condition in `when`.

    Source: cloze problems for verifiable rewards, with random spans as baseline, arXiv:2512.03442 (PretrainZero).
    """

    takes: ClassVar[type[UnitRecord]] = Problem
    gives: ClassVar[tuple[type[UnitRecord], ...]] = (Problem,)

    step: Literal["mask"] = "mask"
    spans: Annotated[int, Field(ge=1, le=100)] = 4
    """Problems of each passage, at most."""
    hide: Literal["names", "numbers", "words"] = "names"
    """What is hidden. `names`: words with a capital letter inside a sentence, together with those that follow; `numbers`: numbers as they are
    written; `words`: any words, up to `words` in a row."""
    words: Annotated[int, Field(ge=1, le=10)] = 3
    """Most words of a span."""
    seed: Annotated[int, Field(ge=0)] = 1
    """Another number hides other spans."""
    question: str = "Which text stands in the place of [mask]? Answer with that text alone."
    """What is asked beside the passage."""

    async def run(self, records: Sequence[Problem], unit: Unit) -> Iterable[UnitRecord]:  # noqa: ARG002
        return [made for problem in records for made in self._problems(problem)]

    def _problems(self, problem: Problem) -> Iterator[Problem]:
        passage = problem.context or problem.question
        if MASK in passage:
            return
        chosen: list[Span] = []
        for span in spans_to_hide(passage, self.hide, self.words, Random(f"{self.seed}/{passage}")):
            if len(chosen) == self.spans:
                break
            if all(span[1] <= start or end <= span[0] for start, end in chosen):
                chosen.append(span)
        for start, end in sorted(chosen):
            yield self.derive(
                Problem,
                [problem],
                question=self.question,
                context=hidden(passage, (start, end)),
                answer=passage[start:end],
                answer_kind="number" if self.hide == "numbers" else "text",
                media=problem.media,
                meta={**problem.meta, "mask": {"start": start, "end": end, "by": self.hide}},
                parent=problem.id,
                source=problem.source,
            )


def hidden(passage: str, span: Span) -> str:
    """A passage with `[mask]` in the place of a span, given as (start, end) in characters."""
    return f"{passage[: span[0]]}{MASK}{passage[span[1] :]}"


def spans_to_hide(passage: str, of: Literal["names", "numbers", "words"], most: int, random: Random) -> Iterator[Span]:
    """Spans of a passage that occur in it once, as (start, end) in characters, in random order. At most 2,000 are looked at.

    Args:
        passage: the text.
        of: which: see `Mask`.
        most: most words of a span.
        random: the only source of randomness.
    """
    words = [match.span() for match in _WORD.finditer(passage)]
    counts = Counter(passage[a:b].casefold() for a, b in words)
    folded = passage.casefold()
    found = [span for span in _candidates(passage, words, of, most) if span[1] - span[0] <= _LONGEST]
    for start, end in random.sample(found, min(len(found), _MOST_SPANS)):
        text = passage[start:end]
        # A span whose words all occur elsewhere, or which is part of a longer word, could be copied.
        alone = any(counts[word.casefold()] == 1 for word in _WORD.findall(text))
        if alone and folded.count(text.casefold()) == 1:
            yield start, end


def _candidates(passage: str, words: Sequence[Span], of: str, most: int) -> Iterator[Span]:
    if of == "words":
        for first, (start, _) in enumerate(words):
            for last in range(first, min(first + most, len(words))):
                if last > first and passage[words[last - 1][1] : words[last][0]] != " ":
                    break
                yield start, words[last][1]
        return
    if of == "numbers":
        yield from (
            (a, b) for a, b in words if passage[a:b].replace(".", "", 1).isdecimal() and _is_alone(passage, a, b)
        )
        return
    run: list[Span] = []
    for start, end in (*words, (len(passage), len(passage))):
        follows = bool(run) and passage[run[-1][1] : start] == " " and len(run) < most
        name = passage[start:end][:1].isupper()
        if run and not (follows and name):
            yield run[0][0], run[-1][1]
            run = []
        if name and (run or not _SENTENCE_BEGINS.search(passage, max(0, start - _NEAR), start)):
            run.append((start, end))


def _is_alone(passage: str, start: int, end: int) -> bool:
    """Whether no sign beside a number makes it part of another, such as `1,234`, `5:30` or `50%`."""
    before, after = passage[max(0, start - 2) : start], passage[end : end + 2]
    part = {",", ".", ":", "/", "-", "–", "±", "^", "%"}
    return not (before[-1:] in part and before[:1].isalnum()) and not (
        after[:1] == "%" or (after[:1] in part and after[1:2].isalnum())
    )
