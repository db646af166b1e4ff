"""A problem: what is asked, what its answer is compared with, and what a reply must comply with."""

from __future__ import annotations

import json
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from synth.records.identity import content_id
from synth.records.kinds import COMPARE, FORMS, AnswerKind
from synth.records.program_tests import Test
from synth.records.record import UnitRecord

__all__ = ["Constraint", "Media", "Problem", "Reward"]


class Media(BaseModel):
    """An image or a sound that belongs to a problem; referred to, never copied."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["image", "audio"]
    """What it is."""
    uri: str
    """Path or URL."""
    sha256: str | None = None
    """Of the file's content, by which the problem is known wherever the file lies; None for a URL."""
    transcript: str | None = None
    """What is said or written in it, where known."""


class Constraint(BaseModel):
    """Something that a reply has to comply with, beside being right, such as a length, a language or words that it may not use."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, Field(pattern=r"^[a-z_]+:[a-z_]+$")]
    """Which constraint of the catalogue, such as `punctuation:no_comma`; those of IFEval (arXiv:2311.07911) have its ids."""
    args: Annotated[dict[str, JsonValue], Field(default_factory=dict)]
    """Its arguments by name; empty where it has none."""
    on: Literal["response", "reasoning", "both"] = "response"
    """What has to comply: the visible reply, the reasoning (a thought, or of a reply without one what it says before its answer), or
    each of them."""


class Reward(BaseModel):
    """What rewards the completions of a problem in reinforcement learning, where it is not whether their answer is right."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^\w+$")]
    """Name of a function of `synth.rewards`, such as `numeric_smooth`."""
    args: Annotated[dict[str, JsonValue], Field(default_factory=dict)]
    """Its options by name; empty for their defaults."""


class Problem(UnitRecord):
    """Something to reason about."""

    table: ClassVar[str] = "problems"
    alias: ClassVar[str] = "problem"

    question: str
    """The question as the solver sees it, without the choices."""
    context: str | None = None
    """A passage the question is about."""
    choices: tuple[str, ...] = ()
    """The options in order, without letters; the letter of the first is A. Empty where there are none."""
    answer: str | None = None
    """The gold answer; for choices the letter. None where it is not known."""
    answer_kind: AnswerKind | None = None
    """How answers to this problem are compared. None where there is no answer."""
    reference_solution: str | None = None
    """A worked solution that came with the problem."""
    evidence: tuple[str, ...] = ()
    """Sentences or passages that bear on the answer."""
    rubric: JsonValue = None
    """A rubric, where the answer is scored by one."""
    media: tuple[Media, ...] = ()
    """Images and sounds, in the order in which the question speaks of them."""
    constraints: tuple[Constraint, ...] = ()
    """What a reply has to comply with; the question says it in words."""
    begun: str | None = None
    """The beginning of a reply, verbatim, from which a solver continues; None where it begins itself."""
    stage: Annotated[int, Field(ge=0)] | None = None
    """Position in a curriculum, from 0: what a trainer sees first has the lowest. None where there is none."""
    reward: Reward | None = None
    """What rewards its completions in reinforcement learning; None: whether their answer is right."""
    tests: tuple[Test, ...] = ()
    """What a program must pass that answers the question; empty where it asks for none."""
    meta: Annotated[dict[str, JsonValue], Field(default_factory=dict)]
    """The other columns of the input row, untouched."""
    parent: str | None = None
    """The problem this one was derived from (counterfactual, follow-up…)."""
    source: str | None = None
    """Where it came from: file and line, or the generator."""

    @classmethod
    def root(cls, *, source: str | None = None, meta: dict[str, JsonValue] | None = None, **fields: Any) -> Problem:
        """A problem that came from a source. Its id depends on its content, not on where it stood."""
        made = cls(id="", unit="", step="input", source=source, meta=meta or {}, **fields)
        known = cls.__pydantic_fields__
        content = {name: value for name in fields if (value := made.__dict__[name]) != known[name].default}
        if made.media:
            content["media"] = [[m.kind, m.sha256 or m.uri, m.transcript] for m in made.media]
        if made.constraints:
            content["constraints"] = [[c.id, c.args, c.on] for c in made.constraints]
        if made.reward is not None:
            content["reward"] = [made.reward.name, made.reward.args]
        if made.tests:
            content["tests"] = [test.model_dump(exclude_none=True) for test in made.tests]
        # Its content is known only now that it is validated; nobody has seen it yet.
        made.__dict__["id"] = made.__dict__["unit"] = content_id(["problems", content])
        return made

    @property
    def lettered_choices(self) -> tuple[tuple[str, str], ...]:
        """The choices as (letter, text)."""
        return tuple((chr(ord("A") + i), text) for i, text in enumerate(self.choices))

    @property
    def full_question(self) -> str:
        """All that a solver sees of it, as text: the context, the question and the lettered choices."""
        choices = "\n".join(f"{letter}) {text}" for letter, text in self.lettered_choices)
        asked = f"{self.question}\n{choices}" if choices else self.question
        return f"{self.context}\n\n{asked}" if self.context else asked

    @property
    def compared_as(self) -> AnswerKind:
        """How answers to this problem are read and compared, also where no gold answer says it."""
        return self.answer_kind or ("choice" if self.choices else "code" if self.tests else "text")

    @property
    def checkable(self) -> bool:
        """Whether there is something to compare an answer with: a gold answer, or tests of a program."""
        return self.answer is not None or bool(self.tests)

    @property
    def answer_form(self) -> str:
        """What a solver is to write as the final answer, in the words of a prompt."""
        return FORMS["choice" if self.choices else self.compared_as]

    @property
    def answer_stated(self) -> str | None:
        """The gold answer as a solution states it: of an action without what says how its fields are compared."""
        if self.answer is None or self.answer_kind != "action" or COMPARE not in self.answer:
            return self.answer
        fields = json.loads(self.answer)
        return json.dumps({name: value for name, value in fields.items() if name != COMPARE}, ensure_ascii=False)

    @property
    def answer_text(self) -> str | None:
        """The gold answer in words: for choices the text of the right option."""
        if self.answer is not None and self.choices and self.answer_kind == "choice":
            return self.choices[ord(self.answer) - ord("A")]
        return self.answer_stated

    @property
    def answer_shown(self) -> str | None:
        """The gold answer as it is shown to a reader: a letter alone says little, so its text stands beside it."""
        if self.answer is not None and self.choices and self.answer_kind == "choice":
            return f"{self.answer}) {self.answer_text}"
        return self.answer_stated
