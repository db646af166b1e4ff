"""`rationalize`: teachers write rationales."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Annotated, ClassVar, Literal, NamedTuple

import orjson
from pydantic import Field, create_model

from synth.errors import UserError
from synth.records import Problem, Rationale, UnitRecord
from synth.shipped import shipped
from synth.steps.segmentation import Segmenter, segment
from synth.steps.step import Flow, TeacherStep, record_fields
from synth.steps.unit import Unit
from synth.teachers import Capability, Completion, Reply, Request, Task, Teacher
from synth.verify import infer_kind, split_answer

__all__ = ["Rationalize"]

_EXAMPLES = {"number": "arithmetic", "math": "arithmetic", "choice": "choice", "text": "logic", "boolean": "logic"}


class Rationalize(TeacherStep):
    """Teachers solve the problem and show their work; each sample is a rationale.

    Source: zero-shot and few-shot chain of thought as in arXiv:2212.10071 (k samples of a teacher); with `hint: answer`
    the rationalization of arXiv:2203.14465 (the solver is told the gold answer; the hint never enters the record).
    """

    takes: ClassVar[type[UnitRecord]] = Problem
    gives: ClassVar[tuple[type[UnitRecord], ...]] = (Rationale,)

    step: Literal["rationalize"] = "rationalize"
    prompt: str = "rationale/solve"
    """Name of a shipped prompt, or path of your own (`.j2`), read from beside the pipeline file."""
    samples: Annotated[int, Field(ge=1, le=1024)] = 1
    """Rationales to ask of each teacher for each problem."""
    hint: Literal["none", "answer"] = "none"
    """Whether the teacher is shown the gold answer. The stored question never holds it."""
    format: Literal["auto", "text", "json"] = "auto"
    """How the reply is written: text with a last line that states the answer, or a JSON object held to a schema.
    `auto`: JSON for small models that can be held to a schema, text for all others."""
    examples: str = "auto"
    """Worked examples shown first: `none`, a JSONL file (question, steps, answer, choices), or `auto`: the shipped
    ones for small models, none for others."""
    segment: Segmenter = "steps"
    """The definition of "step" by which a reply in text is cut."""

    def prompt_variables(self) -> Mapping[str, frozenset[str] | None]:
        fields = record_fields(Problem)
        return {"problem": fields, "hint": None, "format": None, "examples": None}

    def needs_of_teachers(self) -> frozenset[Capability]:
        return frozenset({"json_schema"}) if self.format == "json" else frozenset()

    def uses_of(self, teacher: Teacher) -> frozenset[Capability]:
        return frozenset({"json_schema"}) if self.format == "auto" and teacher.small else frozenset()

    def problems_with(self, teachers: Mapping[str, Sequence[Teacher]]) -> Iterable[tuple[str, str, str]]:
        if self.samples > 1:
            for teacher in (t for role in self.roles() for t in teachers.get(role, ())):
                temperature = (
                    self.temperature if self.temperature is not None else teacher.parameters.get("temperature")
                )
                if temperature == 0:
                    yield (
                        "samples",
                        f"{self.samples} samples at temperature 0 are {self.samples} times the same reply",
                        "set temperature above 0, or samples: 1",
                    )
                    break
        if self.examples not in {"auto", "none"}:
            try:
                _load_examples(str(_example_path(self.examples, self.folder)))
            except UserError as error:
                yield "examples", error.what, error.remedy or "give a JSONL file with question, steps and answer"

    def flow(self, teachers: int) -> Flow:
        n = self.samples * teachers
        return Flow(calls=n, records=n)

    async def run(self, records: Sequence[Problem], unit: Unit) -> Iterable[UnitRecord]:
        prompt = self.load()
        asked: list[tuple[Teacher, Request, UnitRecord]] = []
        for problem in records:
            hint = problem.answer if self.hint == "answer" else None
            for teacher in unit.teachers(self.by):
                as_json = self.format == "json" or (
                    self.format == "auto" and teacher.small and "json_schema" in teacher.capabilities
                )
                form: Literal["json", "text"] = "json" if as_json else "text"
                variables = {
                    "problem": problem,
                    "hint": hint,
                    "format": form,
                    "examples": self._examples(problem, teacher, form),
                }
                task = Task("solve", problem, hint=hint, format=form)
                shape = _shape_for(problem) if as_json else None
                first = self.request(prompt, variables, task, shape=shape)
                for i in range(self.samples):
                    one = first if i == 0 else _resample(first, i)
                    asked.append((teacher, one, problem))
        replies = await self.ask_all(asked, unit)
        return [
            self._read(teacher, request, problem, reply)
            for (teacher, request, problem), reply in zip(asked, replies, strict=True)
            if reply is not None and isinstance(problem, Problem)
        ]

    def _examples(self, problem: Problem, teacher: Teacher, form: str) -> list[_Shown]:
        if self.examples == "none" or (self.examples == "auto" and not teacher.small):
            return []
        if self.examples == "auto":
            path = shipped("samples") / f"{_EXAMPLES[problem.compared_as]}_examples.jsonl"
        else:
            path = _example_path(self.examples, self.folder)
        return [_Shown(e.problem, _write(e, form), e.problem.answer) for e in _load_examples(str(path))]

    def _read(self, teacher: Teacher, request: Request, problem: Problem, reply: Completion) -> Rationale:
        answer: str | None
        if reply.value is not None:
            steps, answer = tuple(s.strip() for s in reply.value.steps if s.strip()), reply.value.answer
            text, segmenter = "\n".join(steps), "given/1"
        else:
            text, answer = split_answer(reply.text, kind=problem.compared_as, choices=problem.choices)
            steps, segmenter = segment(text, self.segment)
        return Rationale.make(
            unit=problem.unit,
            step=self.name,
            because=[self.version, problem.id, reply.key],
            problem=problem.id,
            author="teacher",
            teacher=teacher.name,
            style=request.task.format,
            text=text,
            steps=steps,
            segmenter=segmenter,
            answer=answer,
            hinted=request.task.hint is not None,
            sample=request.sample,
            tokens=reply.completion_tokens,
            call=reply.call,
        )


class _Example(NamedTuple):
    problem: Problem
    steps: tuple[str, ...]


class _Shown(NamedTuple):
    """A worked example as a prompt sees it."""

    problem: Problem
    reply: str
    hint: str | None


def _example_path(name: str, folder: Path | None) -> Path:
    beside = (folder or Path()) / name
    return beside if beside.is_file() else shipped("samples") / name


@lru_cache(maxsize=32)
def _load_examples(path: str) -> tuple[_Example, ...]:
    file = Path(path)
    if not file.is_file():
        raise UserError(f"there is no such file of examples: {path}")
    examples = []
    for number, line in enumerate(file.read_bytes().splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = orjson.loads(line)
            choices = tuple(row.get("choices", ()))
            answer = str(row["answer"])
            problem = Problem.root(
                question=row["question"], choices=choices, answer=answer, answer_kind=infer_kind(answer, choices)
            )
            examples.append(_Example(problem, tuple(row["steps"])))
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
            raise UserError(
                f"line {number} of {path} is not a worked example (question, steps, answer): {error}"
            ) from error
    return tuple(examples)


def _write(example: _Example, form: str) -> str:
    if form == "json":
        return orjson.dumps({"steps": list(example.steps), "answer": example.problem.answer}).decode()
    return "\n".join([*example.steps, f"The answer is {example.problem.answer}."])


def _resample(request: Request, sample: int) -> Request:
    from dataclasses import replace

    return replace(request, sample=sample)


class _Written(Reply):
    """What a teacher that writes JSON is to write."""

    steps: list[str]
    answer: str


@cache
def _shape(answers: tuple[str, ...]) -> type[_Written]:
    """The shape with the answers that there can be; held to them by the endpoint's grammar, not when it is read."""
    if not answers:
        return _Written
    answer = (str, Field(json_schema_extra={"enum": list(answers)}))
    return create_model("Written", __base__=_Written, answer=answer)


def _shape_for(problem: Problem) -> type[_Written]:
    if problem.choices:
        return _shape(tuple(letter for letter, _ in problem.lettered_choices))
    return _shape(("yes", "no") if problem.answer_kind == "boolean" else ())
