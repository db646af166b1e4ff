"""What is made of a reply: entries of `make`, each a record whose fields are expressions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from typing import Annotated, Any, ClassVar, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema

from synth.models import Reply
from synth.prompts import Expression, Lazy
from synth.records import (
    AnswerKind,
    Author,
    Critique,
    Node,
    Part,
    Problem,
    Rationale,
    Rejection,
    Score,
    ThoughtKind,
    UnitRecord,
)
from synth.steps.segmentation import Segmenter, cut
from synth.steps.step import ScoreName, Step
from synth.steps.subject import Subject
from synth.steps.unit import Unit
from synth.verify import find_answer, infer_kind, kind_of

__all__ = ["Answer", "Make", "Makes", "Source", "Unmakeable", "part_key"]


class Unmakeable(ValueError):
    """A record cannot be made of a reply; the message says why."""


def part_key(part: Part | None) -> dict[str, Any] | None:
    """What a part adds to the ids of what is made of it."""
    return None if part is None else part.model_dump(exclude_none=True)


class Answer(NamedTuple):
    """An answer to the problem, as expressions see a reply of the type `answer`."""

    text: str | None
    """The answer that the reply states; None where none could be read."""
    right: bool | None
    """Whether it is the gold answer; None where the problem has none."""


class Source(NamedTuple):
    """Where records come from."""

    step: Step
    subject: Subject
    unit: Unit
    judge: str
    """Who says so: the model, or the name and version of a program."""
    replies: tuple[str, ...] = ()
    """Replay keys of the reply; none where it was computed."""
    call: str | None = None
    model: str | None = None
    author: Author = "program"
    hinted: bool = False
    thought: str | None = None
    thought_kind: ThoughtKind | None = None
    sample: int = 0
    tokens: int | None = None


def _written(value: Any) -> Any:
    """An expression as YAML may write it: `1`, `true` and `null` are constants."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, (int, float)) else value


Expr = Annotated[
    str,
    BeforeValidator(_written),
    WithJsonSchema({"type": ["string", "number", "boolean"], "description": "An expression."}),
]
"""An expression; see docs/expressions.md."""


class Make(BaseModel, ABC):
    """The base of the entries of `make`."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    makes: ClassVar[type[UnitRecord]]
    """The type of record."""
    one: ClassVar[str]
    """The key by which an entry is known."""

    when: Expr | None = None
    """Only where this is true."""
    each: Expr | None = Field(None, alias="for")
    """A list: one record for each of its items, which the other expressions see as `item`, with its `index` from 0."""

    def scores(self) -> tuple[str, ...]:
        """Names of the scores it makes."""
        return ()

    def expressions(self) -> dict[str, str]:
        """Its expressions, by field."""
        found = {}
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if isinstance(value, str) and name not in _PLAIN_FIELDS:
                found[field.alias or name] = value
            elif isinstance(value, dict):
                found |= {f"{name}.{key}": source for key, source in value.items()}
        return found

    def of(self, source: Source, names: Mapping[str, Any], number: int) -> Iterable[UnitRecord]:
        """The records that it makes of a reply.

        Args:
            source: where they come from.
            names: what its expressions see beside what those about the record see: `reply`, `model`…
            number: which entry of `make` it is, from 0.

        Raises:
            Unmakeable: a value is not what the field holds, such as a text where a number is to be.
            UserError: an expression cannot be evaluated.
        """
        seen = source.unit.variables(source.subject.record).beside({**source.subject.variables(source.unit), **names})
        items: Sequence[tuple[int | None, Any]] = [(None, None)]
        if self.each is not None:
            listed = self._value(self.each, source, seen)
            if listed is None:
                return
            if not isinstance(listed, (list, tuple, range)):
                raise Unmakeable(f"for: {self.each} is a {type(listed).__name__}, not a list")
            items = list(enumerate(listed))
        for index, item in items:
            inner = seen if index is None else seen.beside({"item": item, "index": index})
            if self.when is None or self._value(self.when, source, inner):
                try:
                    yield from self.records(source, inner, [number, *([] if index is None else [index])])
                except ValidationError as error:
                    first = error.errors(include_input=False, include_url=False)[0]
                    field = ".".join(map(str, first["loc"]))
                    raise Unmakeable(f"{field} of a {self.one}: {first['msg']}") from error

    @abstractmethod
    def records(self, source: Source, seen: Lazy, key: list[Any]) -> Iterable[UnitRecord]:
        """The records, in front of a set of variables; `key` distinguishes them from others of the same reply."""

    def _value(self, expression: str, source: Source, seen: Lazy) -> Any:
        return _compiled(expression).value(seen, f"step {source.step.name}, {source.subject}")

    def _text(self, name: str, source: Source, seen: Lazy) -> str | None:
        """A field as text: the value of its expression."""
        expression = getattr(self, name)
        value = None if expression is None else self._value(expression, source, seen)
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, (int, float)):
            if isinstance(value, float) and not isfinite(value):
                raise Unmakeable(f"{name} is {value}")
            whole = isinstance(value, float) and value.is_integer() and abs(value) < _PLAIN_UP_TO
            return str(int(value)) if whole else repr(value)
        raise Unmakeable(f"{name} is to be a text, and {getattr(self, name)} is a {type(value).__name__}")

    def _needed(self, name: str, source: Source, seen: Lazy) -> str:
        value = self._text(name, source, seen)
        if value is None or not value.strip():
            raise Unmakeable(f"{name} is empty")
        return value

    def _list(self, name: str, source: Source, seen: Lazy) -> tuple[str, ...] | None:
        expression = getattr(self, name)
        value = None if expression is None else self._value(expression, source, seen)
        if value is None:
            return None
        if not isinstance(value, (list, tuple)) or not all(isinstance(v, str) for v in value):
            raise Unmakeable(f"{name} is to be a list of texts")
        return tuple(value)


def _kind_of(answer: str, choices: Sequence[str], old: Problem) -> AnswerKind:
    """The kind of the answer of a new problem: by its form; where that of the old problem is one that no form shows, the same if it fits."""
    if not choices and old.answer_kind is not None and not kind_of(old.answer_kind).inferred:
        return old.answer_kind if kind_of(old.answer_kind).unfit(answer, ()) is None else infer_kind(answer)
    return infer_kind(answer, choices)


def _data(value: Any, name: str) -> Any:
    """A value as JSON has it.

    Raises:
        Unmakeable: it is none, such as a record.
    """
    if isinstance(value, Reply):
        return value.model_dump(mode="json")
    if isinstance(value, Answer):
        return value._asdict()
    if isinstance(value, Lazy):
        raise Unmakeable(f"meta.{name} is what is known of a record; name one of its fields")
    if isinstance(value, dict):
        return {str(key): _data(inner, name) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_data(inner, name) for inner in value]
    if value is None or isinstance(value, (str, bool, int)) or (isinstance(value, float) and isfinite(value)):
        return value
    raise Unmakeable(f"meta.{name} is to be data, and a {type(value).__name__} is none")


_compiled = Expression
_PLAIN_UP_TO = 1e15
_PLAIN_FIELDS = frozenset({"name", "segment", "author"})


class _OnPart(Make):
    """An entry that may be about a part."""

    step: Expr | None = None
    """The step it is about, from 0; of a rationale. If not given, the part over which the step runs."""
    option: Expr | None = None
    """The option it is about, by letter or from 0."""

    def _part(self, source: Source, seen: Lazy) -> Part | None:
        record, problem = source.subject.record, source.subject.problem
        for kind, expression in (("step", self.step), ("option", self.option)):
            if expression is None:
                continue
            value = self._value(expression, source, seen)
            letters = [letter for letter, _ in problem.lettered_choices]
            if kind == "option" and isinstance(value, str) and value.strip().upper() in letters:
                value = letters.index(value.strip().upper())
            count = len(problem.choices) if kind == "option" else len(getattr(record, "steps", ()))
            if (
                value is None
                or not isinstance(value, (int, float))
                or isinstance(value, bool)
                or not 0 <= value < count
                or value != int(value)
            ):
                raise Unmakeable(f"there is no {kind} {value!r}: the record has {count}, counted from 0")
            return Part(kind="step" if kind == "step" else "option", index=int(value))
        return source.subject.part


class MakeScore(_OnPart):
    """A score of the record, or of a part of it."""

    makes: ClassVar[type[UnitRecord]] = Score
    one: ClassVar[str] = "score"

    score: ScoreName
    """Its name."""
    value: Expr | None = None
    """Its value: a number, or yes and no as 1 and 0. No value where the expression has none."""
    label: Expr | None = None
    """Its label, a word; it sees `value`."""
    reason: Expr | None = None
    """Why, in words; it sees `value`."""

    def scores(self) -> tuple[str, ...]:
        return (self.score,)

    def expressions(self) -> dict[str, str]:
        return {name: source for name, source in super().expressions().items() if name != "score"}

    def records(self, source: Source, seen: Lazy, key: list[Any]) -> Iterable[UnitRecord]:
        part = self._part(source, seen)
        value = None if self.value is None else self._value(self.value, source, seen)
        if value is not None and not isinstance(value, (int, float)):
            raise Unmakeable(f"the score {self.score} is to be a number, and {self.value} is a {type(value).__name__}")
        try:
            value = None if value is None else float(value)
        except OverflowError as error:
            raise Unmakeable(f"the score {self.score} is too large a number") from error
        if value is not None and not isfinite(value):
            raise Unmakeable(f"the score {self.score} is {value}")
        seen = seen.beside({"value": value})
        yield source.step.derive(
            Score,
            [source.subject.record],
            replies=source.replies,
            key=[*key, self.score, part_key(part)],
            target=source.subject.record.id,
            part=part,
            name=self.score,
            value=value,
            label=self._text("label", source, seen),
            judge=source.judge,
            reason=self._text("reason", source, seen),
            call=source.call,
        )


class MakeCritique(_OnPart):
    """A critique of the record; of a step of it where `step` says which. A step that there is not is passed over."""

    makes: ClassVar[type[UnitRecord]] = Critique
    one: ClassVar[str] = "critique"

    critique: Expr
    """What is wrong and why."""
    mistake: Expr | None = None
    """The kind of mistake."""
    correction: Expr | None = None
    """How it should have been."""

    def records(self, source: Source, seen: Lazy, key: list[Any]) -> Iterable[UnitRecord]:
        try:
            part = self._part(source, seen)
        except Unmakeable:
            part = None
        yield source.step.derive(
            Critique,
            [source.subject.record],
            replies=source.replies,
            key=[*key, part_key(source.subject.part)],
            target=source.subject.record.id,
            part=part,
            mistake=self._text("mistake", source, seen) or None,
            explanation=self._needed("critique", source, seen),
            correction=self._text("correction", source, seen) or None,
            critic=source.judge,
            call=source.call,
        )


class MakeRationale(Make):
    """A rationale of the problem. Its parent is the rationale over which the step runs, if it runs over one."""

    makes: ClassVar[type[UnitRecord]] = Rationale
    one: ClassVar[str] = "rationale"

    rationale: Expr
    """The response, with the statement of its answer."""
    answer: Expr | None = None
    """Its answer; read from the response if not given."""
    steps: Expr | None = None
    """Its steps, a list of texts; cut by `segment` if not given."""
    segment: Segmenter = "steps"
    """The definition of "step"."""

    def records(self, source: Source, seen: Lazy, key: list[Any]) -> Iterable[UnitRecord]:
        record, problem = source.subject.record, source.subject.problem
        response = self._needed("rationale", source, seen)
        answer, span = find_answer(response, kind=problem.compared_as, choices=problem.choices)
        if self.answer is not None:
            given = self._text("answer", source, seen)
            answer, span = given, span if given == answer else None
        steps, segmenter = self._list("steps", source, seen), "given/1"
        if steps is None:
            steps, segmenter = cut(source.thought, response, span, self.segment)
        part = source.subject.part
        yield source.step.derive(
            Rationale,
            [record],
            replies=source.replies,
            key=[*key, part_key(part)],
            problem=problem.id,
            author=source.author,
            model=source.model,
            thought=source.thought,
            thought_kind=source.thought_kind,
            response=response,
            answer=answer,
            answer_span=span,
            steps=steps,
            segmenter=segmenter,
            hinted=source.hinted,
            sample=source.sample,
            tokens=source.tokens,
            parent=record.id if isinstance(record, Rationale) else None,
            call=source.call,
        )


class MakeProblem(Make):
    """A problem derived from the problem of the record. Context, choices, rubric, media and further columns are as in that one where they are
    not given; answer, solution and evidence are not, for the question is another.
    """

    makes: ClassVar[type[UnitRecord]] = Problem
    one: ClassVar[str] = "problem"

    problem: Expr
    """The question."""
    context: Expr | None = None
    """The passage."""
    choices: Expr | None = None
    """The options, a list of texts."""
    answer: Expr | None = None
    """The gold answer; for choices the letter, or the text of the option. None if not given: `problem.answer` takes that of the original."""
    reference_solution: Expr | None = None
    """A worked solution."""
    begun: Expr | None = None
    """The beginning of a reply, from which a solver continues."""
    stage: Expr | None = None
    """Its position in a curriculum, a whole number from 0."""
    meta: Annotated[dict[str, Expr], Field(default_factory=dict)]
    """Further columns, by name."""

    def records(self, source: Source, seen: Lazy, key: list[Any]) -> Iterable[UnitRecord]:
        old, part = source.subject.problem, source.subject.part
        choices = self._list("choices", source, seen) if self.choices is not None else old.choices
        choices = choices or ()
        answer = self._text("answer", source, seen)
        kind = old.answer_kind if self.choices is None and answer == old.answer else None
        if answer is not None and choices:
            letters = [chr(ord("A") + i) for i in range(len(choices))]
            texts = [choice.strip().casefold() for choice in choices]
            if answer.strip().upper() in letters:
                answer = answer.strip().upper()
            elif texts.count(answer.strip().casefold()) == 1:
                answer = letters[texts.index(answer.strip().casefold())]
            else:
                raise Unmakeable(f"the answer {answer[:60]!r} is none of the options {', '.join(letters)}")
        if kind is None and answer is not None:
            kind = _kind_of(answer, choices, old)
        if choices and (len(choices) < 2 or len(set(choices)) < len(choices)):
            raise Unmakeable("choices are two or more different texts")
        if answer is not None and not answer.strip():
            raise Unmakeable("answer is empty")
        meta = {name: _data(self._value(expression, source, seen), name) for name, expression in self.meta.items()}
        yield source.step.derive(
            Problem,
            [source.subject.record],
            replies=source.replies,
            key=[*key, part_key(part)],
            question=self._needed("problem", source, seen),
            context=self._text("context", source, seen) if self.context is not None else old.context,
            choices=choices,
            answer=answer,
            answer_kind=kind,
            reference_solution=self._text("reference_solution", source, seen),
            rubric=old.rubric,
            media=old.media,
            begun=self._text("begun", source, seen) or None,
            stage=None if self.stage is None else self._value(self.stage, source, seen),
            meta={**old.meta, **meta},
            parent=old.id,
            source=old.source,
        )


class MakeNode(Make):
    """A node of a thought tree, below the node over which the step runs, if it runs over one."""

    makes: ClassVar[type[UnitRecord]] = Node
    one: ClassVar[str] = "node"

    node: Expr
    """The thought."""
    answer: Expr | None = None
    """The answer reached; the tree then ends here."""
    decision: Expr | None = None
    """What is decided here."""
    reason: Expr | None = None
    """Why it is decided so."""

    def records(self, source: Source, seen: Lazy, key: list[Any]) -> Iterable[UnitRecord]:
        above = source.subject.record if isinstance(source.subject.record, Node) else None
        answer = self._text("answer", source, seen)
        part = source.subject.part
        yield source.step.derive(
            Node,
            [source.subject.record],
            replies=source.replies,
            key=[*key, part_key(part)],
            problem=source.subject.problem.id,
            parent=None if above is None else above.id,
            depth=0 if above is None else above.depth + 1,
            text=self._needed("node", source, seen),
            decision=self._text("decision", source, seen),
            reason=self._text("reason", source, seen),
            terminal=answer is not None,
            answer=answer,
            model=source.model,
            call=source.call,
        )


class MakeReject(Make):
    """The rejection of the record, where an expression is true."""

    makes: ClassVar[type[UnitRecord]] = Rejection
    one: ClassVar[str] = "reject"

    reject: Expr
    """The record is rejected where this is true."""

    def records(self, source: Source, seen: Lazy, key: list[Any]) -> Iterable[UnitRecord]:  # noqa: ARG002
        if self._value(self.reject, source, seen):
            yield source.step.reject(source.subject.record, self.reject, source.judge)


_KINDS: tuple[type[Make], ...] = (MakeScore, MakeCritique, MakeRationale, MakeProblem, MakeNode, MakeReject)


def _one_kind(value: Any) -> Any:
    """Which kind of entry a mapping is, by the key that only that one has."""
    if not isinstance(value, Mapping):
        return value
    found = [kind for kind in _KINDS if kind.one in value]
    # `step` and `option` of a score are parts; `problem` and so on are never beside another first key.
    if len(found) != 1:
        raise ValueError(
            f"an entry of make has one of the keys {', '.join(kind.one for kind in _KINDS)}, and this has {', '.join(map(str, value)) or 'none'}"
        )
    return found[0].model_validate(dict(value))


Makes = Annotated[
    MakeScore | MakeCritique | MakeRationale | MakeProblem | MakeNode | MakeReject, BeforeValidator(_one_kind)
]
"""An entry of `make`."""
