"""`ask`: a question to models about records or their parts, a typed reply, and what is made of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self

import orjson
from pydantic import Field, InstanceOf, JsonValue, ValidationInfo, field_validator, model_validator
from pydantic.json_schema import SkipJsonSchema

from synth.errors import UserError
from synth.files import read_file
from synth.models import Capability, Completion, Model, Reply, Request, Task, TaskKind
from synth.nesting import too_deep
from synth.prompts import Expression
from synth.reach import Reach
from synth.records import Failure, Pair, Problem, Rationale, UnitRecord, record_fields
from synth.steps.make import Answer, Makes, Source, Unmakeable, part_key
from synth.steps.reply_types import ReplyType, parse_reply, reply_of_class
from synth.steps.sight import UNIT_VARIABLES
from synth.steps.step import ModelStep
from synth.steps.subject import PartStep, Subject
from synth.steps.unit import Unit
from synth.steps.yes_or_no import YES_OR_NO, probability_of_yes
from synth.verify import compare_answers, find_answer

__all__ = ["Ask"]

_GOLD = frozenset({"answer", "answer_stated", "answer_text", "answer_shown", "reference_solution"})
"""Fields of a problem that say its answer."""
_MOST_BYTES = 2**18
"""Of a file with a JSON Schema."""


class _Question(NamedTuple):
    """One request, to a model, about a record or a part of it."""

    model: Model
    request: Request
    subject: Subject


class Ask(PartStep, ModelStep):
    """Ask models a question about each record, or about each of its parts, and make records of the replies.

    `reply` says what is asked for: `text` (the reply as it comes), `yes_no`, `number`, `int(1, 5)`, `one_of(a, b)`, `answer` (an answer to
    the problem), `list(text)`, an object of named fields of these, `{schema: FILE.json}`, or the name of a class in the
    pipeline's `code`; a `?` behind a type allows for nothing.
    Models that can be held to a schema are; others write lines `Name: value`, or JSON where fields have fields. A reply that cannot be
    read is sent back once, and is a failure then. `probability` is how probable a yes is, by the log-probabilities.

    `per_step(TYPE)` is a list with exactly one item for each step of the rationale, so that one question judges all steps.

    `make` says what becomes of a reply: a `score`, a `critique`, a `rationale`, a `problem`, a `node`, or the rejection of the record
    (`reject`). Values are expressions; they see `reply`, `model`, and all that expressions about the record see.

    The prompt (`.j2`) sees `problem`, the record by its type, `step` or `option`, `gold` and `solution` with `show_gold`, `critiques` of
    the record, `unit`, `score`, and `reply_format`: how the reply is to be written, in words.
    """

    kind: ClassVar[TaskKind] = "ask"
    """What the scripted model takes its questions for."""

    step: Literal["ask"] = "ask"
    by: str | tuple[str, ...] = "judge"
    """The role, or roles, that answer."""
    prompt: str
    """Path of a prompt of your own (`.j2`), read from beside the pipeline file, or name of a shipped one."""
    classes: Annotated[SkipJsonSchema[InstanceOf[dict] | None], Field(exclude=True, repr=False)] = None  # type: ignore[type-arg]
    """Set by the loader: classes of replies of the pipeline's own Python, by name."""
    reply: JsonValue = "text"
    """The type of the reply."""
    make: Annotated[tuple[Makes, ...], Field(min_length=1)]
    """What is made of each reply."""
    until: str | None = None
    """With parts: ask about the parts of a record in their order, and not about those after the first whose reply makes this expression
    true. It sees what `make` sees. A question without a usable reply ends the order too: `synth retry` asks it again."""
    samples: Annotated[int, Field(ge=1, le=1024)] = 1
    """Replies to ask of each model for each question."""
    show_gold: bool = False
    """Whether the prompt sees the gold answer (`gold`) and the reference solution (`solution`)."""
    exclude_author: bool = False
    """Whether a model is not asked about what it wrote itself."""
    author: Literal["teacher", "student", "perturbed"] = "teacher"
    """What the writer of rationales is to the corpus."""

    @field_validator("reply")
    @classmethod
    def _reply_is_a_type(cls, written: JsonValue, known: ValidationInfo) -> JsonValue:
        _type_of(written, known.data.get("folder"), known.data.get("classes"))
        return written

    @model_validator(mode="after")
    def _parts_are_there(self) -> Self:
        if self.until is not None and self.part_kind is None:
            raise ValueError(
                f"until needs parts in an order, and each: {self.each} has none; each: step of rationale has"
            )
        if self.reply_type.per_step and self.each != "rationale":
            raise ValueError(f"per_step asks about all steps of a rationale at once: each: rationale, not {self.each}")
        return self

    @cached_property
    def _types_by_steps(self) -> dict[int, ReplyType]:
        return {}

    def _type_for(self, record: UnitRecord) -> ReplyType:
        """The type of a reply about a record: `per_step` lists have as many items as it has steps."""
        if not self.reply_type.per_step:
            return self.reply_type
        assert isinstance(record, Rationale)
        steps = len(record.steps)
        if (known := self._types_by_steps.get(steps)) is None:
            known = self._types_by_steps[steps] = _type_of(self.reply, self.folder, self.classes, steps)
        return known

    @cached_property
    def reply_type(self) -> ReplyType:
        """The type of the reply.

        Raises:
            ValueError: it is none.
        """
        return _type_of(self.reply, self.folder, self.classes)

    def described(self) -> dict[str, Any]:
        shape = self.reply_type.shape
        return super().described() | ({} if shape is None else {"reply_schema": shape.model_json_schema()})

    def gives_types(self) -> tuple[type[UnitRecord], ...]:
        return tuple(dict.fromkeys(entry.makes for entry in self.make))

    def gives_scores(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for entry in self.make for name in entry.scores()))

    def judges(self) -> bool:
        return bool(self.gives_scores())

    def expressions(self) -> Mapping[str, str]:
        made = {
            f"make[{i}].{name}": source
            for i, entry in enumerate(self.make)
            for name, source in entry.expressions().items()
        }
        return made if self.until is None else {"until": self.until, **made}

    def sees(self) -> Mapping[str, frozenset[str] | None]:
        kind = self.reply_type
        fields = {"object": frozenset(kind.fields), "value": frozenset[str]()}.get(kind.kind, frozenset[str]())
        if kind.answers == {""}:
            fields = frozenset(Answer._fields)
        return {**super().sees(), "reply": fields or None, "model": None, "item": None, "index": None, "value": None}

    def prompt_variables(self) -> Mapping[str, frozenset[str] | None]:
        kind = self.takes_type()
        shown: dict[str, frozenset[str] | None] = {"problem": record_fields(Problem), kind.alias: record_fields(kind)}
        if kind is Pair:
            shown |= dict.fromkeys(("chosen", "rejected"), record_fields(Rationale))
        if kind is Rationale:
            shown |= dict.fromkeys(("steps", "options"))
        return {
            **shown,
            **super(PartStep, self).sees(),
            **PartStep.sees(self),
            "unit": UNIT_VARIABLES,
            **dict.fromkeys(("score", "label", "gold", "solution", "critiques", "format", "reply_format", "parent")),
        }

    def needs_of_models(self) -> frozenset[Capability]:
        return frozenset({"logprobs"}) if self.reply_type.kind == "probability" else frozenset()

    def uses_of(self, model: Model) -> frozenset[Capability]:  # noqa: ARG002
        return frozenset({"json_schema"}) if self.reply_type.shape is not None else frozenset()

    def problems_with(
        self, models: Mapping[str, Sequence[Model]], authors: Sequence[Model]
    ) -> Iterable[tuple[str, str, str]]:
        yield from super().problems_with(models, authors)
        yield from self.equal_samples(self.samples, models)
        if not self.show_gold and (self.reply_type.answers or Rationale in self.gives_types()):
            seen = {**self.prompt_variables(), "problem": record_fields(Problem) - _GOLD}
            for name, line in _unknown(self, seen):
                what = f"line {line} of the prompt shows the gold answer ({name}), and who answers is not to see it"
                yield "prompt", what, "leave it out; or set show_gold: true, and write {{ gold }} or {{ solution }}"
        asked = {t.name for role in self.roles() for t in models.get(role, ())}
        for author in authors if self.exclude_author else ():
            if asked and not asked - {author.name}:
                what = f"{author.name} is the only model, and may not be asked about what is its own"
                yield (
                    "by",
                    what,
                    f"bind a second model: --model {self.roles()[0]}={author.name},NAME; or exclude_author: false",
                )

    async def run(self, records: Sequence[UnitRecord], unit: Unit) -> Iterable[UnitRecord]:
        asked: list[_Question] = []
        several = unit.models(self.by)
        for subject in self.subjects(records, unit):
            if self.reply_type.per_step and not getattr(subject.record, "steps", ()):
                continue
            asked_here = set[str]()
            for model in several:
                if self.exclude_author and model.name == getattr(subject.record, "model", None):
                    continue
                first = self._request(subject, model, unit)
                if len(several) > 1:  # one model under two names says one thing
                    key = model.key(first)
                    if key in asked_here:
                        continue
                    asked_here.add(key)
                asked += [_Question(model, request, subject) for request in self.samples_of(first, self.samples)]
        if self.until is None:
            replies = await self.ask_all([(q.model, q.request, q.subject.record) for q in asked], unit)
        else:
            replies = await self._in_order(asked, self.until, unit)
        made: list[UnitRecord] = []
        for question, reply in zip(asked, replies, strict=True):
            if reply is not None:
                made += await self._made(question, reply, unit)
        return made

    async def _in_order(self, asked: Sequence[_Question], until: str, unit: Unit) -> list[Completion | None]:
        """The replies to questions about parts, each after the one before it; None from where `until` ends the order."""
        replies: list[Completion | None] = [None] * len(asked)
        orders: dict[tuple[str, str, int], list[int]] = {}
        for place, question in enumerate(asked):
            key = (question.subject.record.id, question.model.name, question.request.sample)
            orders.setdefault(key, []).append(place)

        async def ask(order: Sequence[int]) -> None:
            for place in order:
                model, request, subject = asked[place]
                reply = replies[place] = await unit.ask(model, request, subject.record)
                if reply is None:
                    return
                try:
                    names = {"reply": await self._value(subject, reply), "model": model.name}
                except Unmakeable:  # `_made` says so
                    return
                seen = unit.variables(subject.record).beside({**subject.variables(unit), **names})
                if Expression(until).holds(seen, f"step {self.name}, {subject}, until"):
                    return

        async with asyncio.TaskGroup() as group:
            for order in orders.values():
                group.create_task(ask(order))
        return replies

    def _request(self, subject: Subject, model: Model, unit: Unit) -> Request:
        kind, record, problem = self._type_for(subject.record), subject.record, subject.problem
        form = self.form_of_fields(model) if kind.flat else "json"
        seen = unit.variables(record)
        gold, solution = (problem.answer_shown, problem.reference_solution) if self.show_gold else (None, None)
        shown = {
            "problem": problem,
            record.alias: record,
            **subject.variables(unit),
            **{name: seen[name] for name in ("unit", "score", "label", "parent")},
            **({name: seen[name] for name in ("chosen", "rejected")} if isinstance(record, Pair) else {}),
            **({name: seen[name] for name in ("steps", "options")} if isinstance(record, Rationale) else {}),
            "gold": gold,
            "solution": solution,
            "critiques": unit.critiques_of(record),
            "format": form,
            "reply_format": kind.instructions(form),
        }
        answers = kind.answers or ({""} if any(entry.makes is Rationale for entry in self.make) else ())
        task = Task(
            self.kind,
            problem,
            subject=record,
            hint=problem.answer_stated if self.show_gold else None,
            format=form,
            part=subject.part,
            answers=tuple(sorted(answers)),
        )
        parameters = YES_OR_NO if kind.kind == "probability" else None
        return self.request(self.load(), shown, task, shape=kind.shape, parameters=parameters)

    async def _made(self, question: _Question, reply: Completion, unit: Unit) -> list[UnitRecord]:
        """The records that a reply makes; or a failure where it has not what they need."""
        model, request, subject = question
        source = Source(
            step=self,
            subject=subject,
            unit=unit,
            judge=model.name,
            replies=(reply.key,),
            call=reply.call,
            model=model.name,
            author=self.author,
            hinted=self.show_gold,
            thought=reply.thought,
            thought_kind=reply.thought_kind,
            sample=request.sample,
            tokens=reply.completion_tokens,
        )
        made: list[UnitRecord] = []
        try:
            names = {"reply": await self._value(subject, reply), "model": model.name}
            for number, entry in enumerate(self.make):
                made += entry.of(source, names, number)
        except Unmakeable as why:
            failure = self.derive(
                Failure,
                [subject.record],
                replies=[reply.key],
                key=["make", part_key(subject.part)],
                target=subject.record.id,
                cause="shape",
                message=f"nothing can be made of the reply: {why}",
                raw=reply.text,
                attempts=1,
                retriable=True,
                call=reply.call,
            )
            return [failure]
        return made

    async def _value(self, subject: Subject, reply: Completion) -> Any:
        """The reply as expressions see it."""
        kind, problem = self._type_for(subject.record), subject.problem
        if kind.kind == "probability":
            if (probability := probability_of_yes(reply)) is None:
                raise Unmakeable("neither yes nor no is among its most probable tokens")
            return probability
        if kind.kind == "text":
            return reply.text
        if not kind.answers:
            return reply.value.answer if kind.kind == "value" else reply.value
        texts = {name: getattr(reply.value, name or "answer") for name in kind.answers}
        answers = await asyncio.to_thread(lambda: {name: _answer(text, problem) for name, text in texts.items()})
        if kind.kind == "value":
            return answers[""]
        return {name: answers.get(name, getattr(reply.value, name)) for name in kind.fields}


def _type_of(
    written: JsonValue, folder: Reach | None, classes: Mapping[str, type[Reply]] | None, steps: int | None = None
) -> ReplyType:
    """The type that `reply` writes; about a rationale of so many steps, where that is known.

    Raises:
        ValueError: it is none.
    """
    if isinstance(written, dict) and set(written) == {"schema"} and isinstance(written["schema"], str):
        written = {"schema": _schema_file(written["schema"], folder)}
    if isinstance(written, str) and classes and written in classes:
        return reply_of_class(classes[written])
    return _parsed(json.dumps(written), steps)


@lru_cache(maxsize=256)
def _parsed(written: str, steps: int | None) -> ReplyType:
    """A type of reply, made once for all uses that write it alike: each is a class, and pydantic takes 20 ms for one."""
    return parse_reply(json.loads(written), steps)


def _schema_file(name: str, folder: Reach | None) -> JsonValue:
    if folder is None:
        raise ValueError(f"the schema {name} is read from beside a pipeline file, and there is none")
    try:
        content: JsonValue = orjson.loads(read_file(folder.find(name), _MOST_BYTES))
    except (UserError, OSError, orjson.JSONDecodeError) as error:
        raise ValueError(f"the schema {name} cannot be read: {error}") from error
    if too_deep(content):
        raise ValueError(f"the schema {name} has too many levels")
    return content


def _unknown(step: Ask, seen: Mapping[str, frozenset[str] | None]) -> list[tuple[str, int]]:
    """What a prompt uses that is not on offer; nothing where it cannot be read, which the static check reports."""
    try:
        return step.load().unknown_variables(seen)
    except UserError:
        return []


def _answer(text: str | None, problem: Problem) -> Answer | None:
    """An answer that a model wrote, alone or in a sentence."""
    if text is None:
        return None
    found, _ = find_answer(text, kind=problem.compared_as, choices=problem.choices)
    if problem.answer is None:
        return Answer(found, None)
    verdict = compare_answers(found, problem.answer, kind=problem.compared_as, choices=problem.choices)
    return Answer(found, verdict.label == "right")
