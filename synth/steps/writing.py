"""What the steps that have models write rationales share: the form of the reply, worked examples, and the reading."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, create_model

from synth.errors import UserError
from synth.files import read_file
from synth.models import Capability, Completion, Model, Reply, Request, Task
from synth.models.tokens import LOGPROBS
from synth.reach import Reach
from synth.records import AnswerKind, Author, Problem, Rationale
from synth.shipped import shipped
from synth.steps.segmentation import Segmenter, cut
from synth.steps.step import ModelStep
from synth.verify import find_answer, infer_kind, kind_of, state_answer

__all__ = ["WritingStep"]

_EXAMPLES = {"number": "arithmetic", "math": "arithmetic", "choice": "choice", "text": "logic", "boolean": "logic"}
"""The shipped file of examples for a kind of answer; for others `kinds`, of which those of the same kind are shown."""

Form = Literal["json", "text"]


class WritingStep(ModelStep):
    """A step whose replies are rationales."""

    author: Literal["teacher", "student"] = "teacher"
    """What the writer is to the corpus: a teacher, or the student whose mistakes are studied."""
    format: Literal["auto", "text", "json"] = "auto"
    """How the reply is written: text with a last line that states the answer, or a JSON object held to a schema.
    An endpoint that cannot be held to one is asked for JSON all the same, and what it writes is read with tolerance.
    `auto`: JSON for small models that can be held to a schema, text for all others."""
    examples: str = "auto"
    """Worked examples shown first: `none`, a JSONL file (question, steps, answer, choices), or `auto`: the shipped
    ones for small models, none for others."""
    segment: Segmenter = "steps"
    """The definition of "step" by which a reply in text is cut: its response, or where that holds no reasoning its thought."""
    thought: Literal["keep", "only", "drop"] = "keep"
    """What becomes of the thought of a reasoning model. `keep`: it stands beside the response. `only`: of the response no more
    is kept than the statement of its answer (all of it, where it states none in a place of its own). `drop`: the response alone is
    kept; the ledger has the thought."""

    logprobs: bool = False
    """Whether the log-probability of each token is asked for and kept with the call; `token_confidence` makes scores of them. It is part
    of the request: switched on later, the same is asked again."""

    def needs_of_models(self) -> frozenset[Capability]:
        return super().needs_of_models() | ({"logprobs"} if self.logprobs else frozenset())

    def uses_of(self, model: Model) -> frozenset[Capability]:
        wants_json = self.format == "json" or (self.format == "auto" and model.small)
        return frozenset({"json_schema"}) if wants_json else frozenset()

    def problems_with(
        self, models: Mapping[str, Sequence[Model]], authors: Sequence[Model]
    ) -> Iterable[tuple[str, str, str]]:
        yield from super().problems_with(models, authors)
        if self.examples not in {"auto", "none"}:
            try:
                _load_examples(str(_example_path(self.examples, self.folder)))
            except UserError as error:
                yield "examples", error.what, error.fix or "give a JSONL file with question, steps and answer"

    def form_for(self, model: Model) -> Form:
        """The form in which a model is asked to reply."""
        small = self.format == "auto" and model.small and "json_schema" in model.capabilities
        return "json" if small or self.format == "json" else "text"

    def writing(
        self, problem: Problem, model: Model, task: Task, variables: Mapping[str, Any], option: str = "prompt"
    ) -> Request:
        """The request for a rationale; `variables` go to the prompt that an option names, beside `problem`, `format` and `examples`."""
        form = task.format
        shown = {"problem": problem, "format": form, "examples": self._examples(problem, model, form), **variables}
        shape = _schema_for(problem) if form == "json" else None
        asked = LOGPROBS if self.logprobs else None
        return self.request(self.load(option), shown, task, shape=shape, parameters=asked)

    def read(
        self,
        problem: Problem,
        model: Model,
        request: Request,
        reply: Completion,
        *,
        parent: str | None = None,
        **fields: Any,
    ) -> Rationale:
        """The rationale a reply holds.

        Args:
            problem: what was asked.
            model: who was asked.
            request: how.
            reply: what came back.
            parent: the rationale it was made from.
            fields: fields of the rationale in place of those that the reply gives.
        """
        thought = reply.thought if self.thought != "drop" else None
        answer: str | None
        span: tuple[int, int] | None
        if reply.value is not None:
            steps, answer = tuple(s.strip() for s in reply.value.steps if s.strip()), str(reply.value.answer)
            response, span = state_answer("\n".join(steps), answer, kind=problem.compared_as, choices=problem.choices)
            segmenter = "given/1"
        else:
            response, steps, segmenter = reply.text, (), ""
            answer, span = find_answer(response, kind=problem.compared_as, choices=problem.choices)
        if self.thought == "only" and thought and span is not None:
            response, span, steps = response[slice(*span)], (0, span[1] - span[0]), ()
        if not steps:
            steps, segmenter = cut(thought, response, span, self.segment)
        author: Author = self.author
        read: dict[str, Any] = {
            "problem": problem.id,
            "author": author,
            "model": model.name,
            "style": request.task.format,
            "thought": thought,
            "thought_kind": reply.thought_kind if self.thought != "drop" else None,
            "response": response,
            "answer": answer,
            "answer_span": span,
            "steps": steps,
            "segmenter": segmenter,
            "hinted": request.task.hint is not None,
            "sample": request.sample,
            "tokens": reply.completion_tokens,
            "parent": parent,
            "call": reply.call,
        }
        parents: list[Problem | str] = [problem, *([parent] if parent else [])]
        return self.derive(Rationale, parents, replies=[reply.key], key=self._part_kept(), **(read | fields))

    def _part_kept(self) -> list[str]:
        """What the option `thought` adds to an id: other options leave the same reply the same record."""
        return [] if self.thought == "keep" else [f"thought: {self.thought}"]

    def _examples(self, problem: Problem, model: Model, form: Form) -> list[_Shown]:
        if self.examples == "none" or (self.examples == "auto" and not model.small):
            return []
        if self.examples == "auto":
            kind = problem.compared_as
            path = shipped("samples") / f"{_EXAMPLES.get(kind, 'kinds')}_examples.jsonl"
            loaded = _load_examples(str(path))
            shown = loaded if kind in _EXAMPLES else [e for e in loaded if e.problem.answer_kind == kind]
        else:
            shown = _load_examples(str(_example_path(self.examples, self.folder)))
        return [_Shown(e.problem, _write(e, form), e.problem.answer_stated) for e in shown]


class _ExampleRow(BaseModel):
    """A line of a file of examples."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    question: str
    steps: tuple[str, ...]
    answer: str
    choices: tuple[str, ...] = ()
    answer_kind: AnswerKind | None = None


class _Example(NamedTuple):
    problem: Problem
    steps: tuple[str, ...]


class _Shown(NamedTuple):
    """A worked example as a prompt sees it."""

    problem: Problem
    reply: str
    hint: str | None


def _example_path(name: str, reach: Reach | None) -> Path:
    """A shipped file of examples by its name, or one that the pipeline names."""
    known = shipped("samples") / name
    own = reach.find(name) if reach is not None else Path(name)
    return known if not own.is_file() and Path(name).name == name and known.is_file() else own


_MOST_BYTES = 2**22
"""Of a file of examples; each stands in every prompt."""


@lru_cache(maxsize=32)
def _load_examples(path: str) -> tuple[_Example, ...]:
    file = Path(path)
    if not file.is_file():
        raise UserError(f"there is no such file of examples: {path}")
    examples = []
    for number, line in enumerate(read_file(file, _MOST_BYTES).splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = _ExampleRow.model_validate_json(line)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            why = f"{'.'.join(map(str, first['loc'])) or 'the line'}: {first['msg']}"
            raise UserError(
                f"line {number} of {path} is not a worked example (question, steps, answer): {why}"
            ) from error
        kind = row.answer_kind or infer_kind(row.answer, row.choices)
        problem = Problem.root(question=row.question, choices=row.choices, answer=row.answer, answer_kind=kind)
        examples.append(_Example(problem, row.steps))
    return tuple(examples)


def _write(example: _Example, form: str) -> str:
    if form == "json":
        return orjson.dumps({"steps": list(example.steps), "answer": example.problem.answer_stated}).decode()
    return state_answer("\n".join(example.steps), str(example.problem.answer_stated), kind="text").response


def _as_text(answer: Any) -> Any:
    return orjson.dumps(answer).decode() if isinstance(answer, (list, dict, int, float)) else answer


class _Written(Reply):
    """What a model that writes JSON is to write."""

    steps: list[str]
    answer: str


class _WrittenValues(_Written):
    """The same where an answer is a list or an object: models write it as one, and not as a text that holds one."""

    answer: Annotated[str, BeforeValidator(_as_text)]


@cache
def _shape(answers: tuple[str, ...]) -> type[_Written]:
    """The response schema with the answers that there can be; held to them by the endpoint's grammar, not when it is read."""
    if not answers:
        return _Written
    answer = (str, Field(json_schema_extra={"enum": list(answers)}))
    return create_model("Written", __base__=_Written, answer=answer)


def _schema_for(problem: Problem) -> type[_Written]:
    if not problem.choices and not kind_of(problem.compared_as).inferred:
        return _WrittenValues
    if problem.choices:
        return _shape(tuple(letter for letter, _ in problem.lettered_choices))
    return _shape(("yes", "no") if problem.answer_kind == "boolean" else ())
