"""`text_stats`: what can be seen of a text alone, as scores for a filter."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from importlib.util import find_spec
from typing import Annotated, ClassVar, Literal, NamedTuple

from pydantic import Field, InstanceOf
from pydantic.json_schema import SkipJsonSchema

from synth.errors import UserError
from synth.models import Model
from synth.prompts import load_prompt, shipped_prompts
from synth.reach import Reach
from synth.records import Critique, Problem, Rationale, Score, UnitRecord
from synth.steps.step import Step
from synth.steps.text import text_of
from synth.steps.unit import Unit
from synth.texts import (
    announces_answer,
    boilerplate,
    language_of,
    longest_shared_run,
    personal_data,
    refusal,
    repeated_share,
)

__all__ = ["TextStats"]

Measure = Literal[
    "language",
    "length",
    "repetition",
    "refusal",
    "boilerplate",
    "answer_in_question",
    "prompt_in_reply",
    "personal_data",
]
_TYPES: dict[str, type[UnitRecord]] = {k.alias: k for k in (Problem, Rationale, Critique)}
_LIBRARIES = {"language": ("py3langid",), "personal_data": ("phonenumbers", "stdnum")}


class _Seen(NamedTuple):
    value: float
    label: str | None = None
    reason: str | None = None


class TextStats(Step):
    """Score texts by what can be seen of them alone; a later `filter` decides. How often each errs: docs/curation.md.

    `language`: confidence, label the ISO 639-1 code (null where there are fewer than 20 letters). `length`: words.
    `repetition`: share of words in a run of 8 that the text has had before (as in arXiv:2112.11446). `refusal`: 1 where
    it refuses, in English. `boilerplate`: phrases of assistants and marks of chat templates in it, in English.
    `answer_in_question`: 1 where the question announces its gold answer; of a rationale, that of its problem.
    `prompt_in_reply`: words of the longest run it shares with the instructions of prompts. `personal_data`: mail and network
    addresses, telephone, card, account and social security numbers in it, label the kinds; not names, not addresses.
    """

    gives: ClassVar[tuple[type[UnitRecord], ...]] = (Score,)

    step: Literal["text_stats"] = "text_stats"
    target: Literal["problem", "rationale", "critique"] = "rationale"
    """What is looked at: questions with context and choices, rationales with their answers, or explanations."""
    measures: Annotated[tuple[Measure, ...], Field(min_length=1)]
    """What is measured; each gives a score of its name."""
    regions: tuple[Annotated[str, Field(pattern="^[A-Z]{2}$")], ...] = ("US",)
    """Countries (ISO 3166) whose telephone numbers count also without `+` and country code."""
    prompts: tuple[str, ...] = ()
    """Prompts of your own (`.j2`) whose words `prompt_in_reply` looks for beside those of the shipped ones."""
    folder: Annotated[SkipJsonSchema[InstanceOf[Reach] | None], Field(exclude=True, repr=False)] = None
    """Set by the loader: which files the pipeline may name, beside its file."""

    def takes_type(self) -> type[UnitRecord]:
        return _TYPES[self.target]

    def gives_scores(self) -> tuple[str, ...]:
        return self.measures

    def problems_with(
        self,
        models: Mapping[str, Sequence[Model]],  # noqa: ARG002
        authors: Sequence[Model],  # noqa: ARG002
    ) -> Iterable[tuple[str, str, str]]:
        for measure in self.measures:
            if any(find_spec(library) is None for library in _LIBRARIES.get(measure, ())):
                fix = "pip install 'synth-rationales[curate]'"
                yield "measures", f"{measure} needs {' and '.join(_LIBRARIES[measure])}, not installed", fix
        for name in self.prompts:
            try:
                load_prompt(name, reach=self.folder).check()
            except UserError as error:
                yield "prompts", f"{name}: {error.what}", error.fix or ""

    async def run(self, records: Sequence[UnitRecord], unit: Unit) -> Iterable[UnitRecord]:
        return [self._score(r, m, self._look(m)(r, unit.problem_of(r))) for r in records for m in self.measures]

    def _look(self, measure: Measure) -> Callable[[UnitRecord, Problem], _Seen]:
        looks: dict[str, Callable[[UnitRecord, Problem], _Seen]] = {
            "language": lambda r, _: _language(text_of(r)),
            "length": lambda r, _: _Seen(len(text_of(r).split())),
            "repetition": lambda r, _: _Seen(round(repeated_share(text_of(r)), 4)),
            "refusal": lambda r, _: _found(refusal(_said(r))),
            "boilerplate": lambda r, _: _phrases(boilerplate(_said(r))),
            "answer_in_question": lambda _, p: _found(_announced(p)),
            "prompt_in_reply": lambda r, _: self._prompt_in(text_of(r)),
            "personal_data": lambda r, _: self._personal(text_of(r)),
        }
        return looks[measure]

    def _prompt_in(self, text: str) -> _Seen:
        shared = longest_shared_run(text, self._instructions)
        return _Seen(len(shared.split()), reason=shared or None)

    def _personal(self, text: str) -> _Seen:
        found = personal_data(text, self.regions)
        kinds = sorted({f.kind for f in found})
        # The find itself is not repeated: a score is read, exported and shown more freely than the text it is about.
        return _Seen(len(found), ", ".join(kinds) or None, ", ".join(f"{f.kind} at {f.start}" for f in found) or None)

    @cached_property
    def _instructions(self) -> tuple[str, ...]:
        prompts = [load_prompt(n, reach=self.folder) for n in (*shipped_prompts(), *self.prompts)]
        return tuple(words for prompt in prompts for words in prompt.own_words)

    def _score(self, record: UnitRecord, measure: Measure, seen: _Seen) -> Score:
        return self.derive(
            Score,
            [record],
            target=record.id,
            name=measure,
            value=seen.value,
            label=seen.label,
            judge=f"text_stats/{self.version}",
            reason=seen.reason,
        )


def _announced(problem: Problem) -> str | None:
    shown = "\n".join(filter(None, (problem.context, problem.question)))
    said = (problem.answer, problem.answer_text) if problem.answer is not None else ()
    return next((found for answer in dict.fromkeys(said) if (found := announces_answer(shown, answer or ""))), None)


def _said(record: UnitRecord) -> str:
    """What a record says to its reader: how a model talks to itself in a thought is no refusal."""
    return record.response if isinstance(record, Rationale) else text_of(record)


def _language(text: str) -> _Seen:
    code, confidence = language_of(text)
    return _Seen(round(confidence, 4), code)


def _found(words: str | None) -> _Seen:
    return _Seen(float(words is not None), reason=words)


def _phrases(found: Sequence[str]) -> _Seen:
    return _Seen(len(found), reason=" | ".join(found) or None)
