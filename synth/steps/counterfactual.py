"""`counterfactual`: passages under which an option that was wrong becomes right."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from synth.alignment import TooAlikeError, aligned
from synth.models import Capability, Model, Reply, Task
from synth.records import Failure, Problem, Rationale, Score, UnitRecord, record_fields
from synth.steps.analysis import Analysis, Relation, analysis_of
from synth.steps.step import ModelStep
from synth.steps.unit import Unit
from synth.verify import find_quote

__all__ = ["Counterfactual", "asks_for_exception", "organise", "share_changed"]

_EXCEPTION = re.compile(
    r"\b(?:EXCEPT|LEAST|NOT|CANNOT)\b|\bexcept\b|\bleast (?:likely|support|help|weaken|strengthen)", re.ASCII
)
_WORDS = 3
"""An option of fewer words may stand in any passage."""
_META = re.compile(r"\[[^\]\n]{3,60}\]|\{[^{}\n]*\}|^\s*(?:error|sorry|as an ai)\b|<[a-z_]+>", re.IGNORECASE)
"""Text about the text, which the released intermediates of arXiv:2409.14495 are full of."""


def organise(
    premises: int,
    gold: tuple[Relation, Collection[int]],
    option: tuple[Relation, Collection[int]],
) -> list[int]:
    """Which premises of the original may stay when a wrong option is to become right: numbers from 1, in order.

    What made the gold option right (or wrong) goes; where the option stands in another relation to the passage than the
    gold one, what it cites goes too. No citation counts as citing all. Source: the deterministic stage of arXiv:2409.14495.

    Args:
        premises: how many there are.
        gold: the gold option's relation, and the premises it cites.
        option: the same of the option that is to become right.
    """
    every = set(range(1, premises + 1))
    relation, cites = gold[0], set(gold[1]) or every
    other, cited = option[0], set(option[1]) or every
    kept = cites if relation == "unrelated" else every - cites
    if relation in {"supported", "contradicted"}:
        stays = other in {relation, "unrelated"}
    else:
        stays = other == "unrelated"
    return sorted(kept if stays else kept - cited)


def asks_for_exception(question: str) -> bool:
    """Whether the right option is the one that does *not* follow: EXCEPT, NOT, least likely."""
    return _EXCEPTION.search(question) is not None


def share_changed(before: str, after: str) -> float:
    """The share of words that differ between two passages, in [0, 1]; 0 for equal ones, 1 where nothing is shared."""
    a, b = before.split(), after.split()
    try:
        return 1 - aligned(a, b).ratio()
    except TooAlikeError:  # one word many times over: how often each stands in both, in whatever order
        return 1 - SequenceMatcher(None, a, b, autojunk=False).quick_ratio()


class _Premises(Reply):
    """New premises."""

    premises: Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1, max_length=12)]

    @classmethod
    def fields_in(cls, text: str) -> Iterable[dict[str, list[str]]]:  # type: ignore[override]
        """A list: one a line, numbered or with a dash."""
        found = re.findall(r"^[^\S\n]*(?:\d+[.)]|[-*])\s+(.+)$", text, re.MULTILINE)
        if found:
            yield {"premises": found}


class _Passage(Reply):
    """A new passage."""

    passage: Annotated[str, Field(min_length=20)]


class Counterfactual(ModelStep):
    """For each wrong option of a problem whose analysis is right, write a passage in which it is the right one.

    Premises that fit the option are invented, put beside those of the original that may stay, and told as a passage.
    Question and options stay as they are, word for word; the new answer is that option until somebody has verified it.
    The derived problem has the scores `changed` (share of words that differ) and `copied` (1 where the passage holds the
    option word for word, so that whoever looks for it need not read; only asked of options of three words or more), and
    `meta.counterfactual` says which premises were kept, removed and added. Source: arXiv:2409.14495; the scores are ours.
    """

    takes: ClassVar[type[UnitRecord]] = Rationale
    gives: ClassVar[tuple[type[UnitRecord], ...]] = (Problem, Score)
    needs: ClassVar[frozenset[str]] = frozenset({"answer", "context", "choices"})

    step: Literal["counterfactual"] = "counterfactual"
    prompt: str = "counterfactual/premises"
    """Name of a shipped prompt, or path of your own (`.j2`), that asks for new premises."""
    passage_prompt: str = "counterfactual/passage"
    """The same, that asks for the passage."""
    temperature: Annotated[float, Field(ge=0, le=2)] | None = 0.75
    """Sampling temperature; this and the next, arXiv:2409.14495, released code."""
    top_p: Annotated[float, Field(gt=0, le=1)] | None = 0.9
    """Nucleus sampling."""

    def prompts(self) -> Mapping[str, Mapping[str, frozenset[str] | None]]:
        shown = {"problem": record_fields(Problem), "target": None, "exception": None, "premises": None, "format": None}
        return {"prompt": {**shown, "gold": None, "cited": None}, "passage_prompt": {**shown, "original": None}}

    def uses_of(self, model: Model) -> frozenset[Capability]:  # noqa: ARG002
        return frozenset({"json_schema"})

    def gives_scores(self) -> tuple[str, ...]:
        return ("changed", "copied")

    async def run(self, records: Sequence[Rationale], unit: Unit) -> Iterable[UnitRecord]:
        asked = []
        for rationale in records:
            problem, analysis = unit.problem_of(rationale), analysis_of(rationale)
            if analysis is not None and rationale.answer == problem.answer:
                asked += [
                    self._derive(problem, rationale, analysis, letter, model, unit)
                    for letter, _ in problem.lettered_choices
                    if letter != problem.answer
                    for model in unit.models(self.by)
                ]
        return [record for made in await asyncio.gather(*asked) for record in made]

    async def _derive(
        self, problem: Problem, rationale: Rationale, analysis: Analysis, letter: str, model: Model, unit: Unit
    ) -> list[UnitRecord]:
        relation = {chr(ord("A") + i): (o.relation, o.premises) for i, o in enumerate(analysis.options)}
        assert problem.answer is not None
        kept = organise(len(analysis.premises), relation[problem.answer], relation[letter])
        form = self.form_of_fields(model)
        target = dict(problem.lettered_choices)[letter]
        shown = {
            "problem": problem,
            "target": target,
            "exception": asks_for_exception(problem.question),
            "format": form,
        }
        cited = relation[problem.answer][1] or range(1, len(analysis.premises) + 1)
        premises = [analysis.premises[i - 1] for i in kept]
        first = self.request(
            self.load(),
            {
                **shown,
                "premises": premises,
                "gold": problem.answer_text,
                "cited": [analysis.premises[i - 1] for i in cited],
            },
            Task("premises", problem, subject=rationale, hint=letter, format=form),
            shape=_Premises,
        )
        new = await unit.ask(model, first, rationale)
        if new is None:
            return []
        every = [*premises, *new.value.premises]
        second = self.request(
            self.load("passage_prompt"),
            {**shown, "premises": every, "original": analysis.premises},
            Task("context", problem, subject=rationale, hint=letter, format=form),
            shape=_Passage,
        )
        written = await unit.ask(model, second, rationale)
        if written is None:
            return []
        passage = written.value.passage
        if (meta := _META.search(passage)) is not None:
            what = f"the passage holds text about itself: {meta[0]!r}"
            return [
                self.derive(Failure, [rationale], replies=[written.key], target=rationale.id, cause="meta_text",
                    message=what, raw=passage, attempts=1, retriable=False, call=written.call,
                )
            ]  # fmt: skip
        derived = self.derive(
            Problem,
            [problem, rationale],
            replies=[new.key, written.key],
            key=letter,
            question=problem.question,
            context=passage,
            choices=problem.choices,
            answer=letter,
            answer_kind=problem.answer_kind,
            meta={
                "counterfactual": {
                    "kept": list(kept),
                    "removed": [i for i in range(1, len(analysis.premises) + 1) if i not in kept],
                    "added": list(new.value.premises),
                    "call": written.call,
                }
            },
            parent=problem.id,
            source=problem.source,
        )
        copied = len(target.split()) >= _WORDS and find_quote(target, passage)
        return [
            derived,
            self._score(derived, "changed", share_changed(problem.context or "", passage)),
            self._score(derived, "copied", float(copied)),
        ]

    def _score(self, problem: Problem, name: str, value: float) -> Score:
        return self.derive(Score, [problem], target=problem.id, name=name, value=value, judge="counterfactual/1")
