"""`segment_by_model`: a model says where the steps of a rationale begin."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, WithJsonSchema, create_model

from synth.models import Capability, Completion, Model, Reply, Request, Task
from synth.records import Failure, Problem, Rationale, UnitRecord, record_fields
from synth.steps.segment import replaced, text_to_cut
from synth.steps.segmentation import Part, Segmenter, Uncut, name_of, slices, spans
from synth.steps.step import ModelStep
from synth.steps.unit import Unit

__all__ = ["SegmentByModel", "chunk_starts"]

_GOLD = frozenset({"answer", "answer_stated", "answer_text", "answer_shown", "reference_solution"})
_SHOWN = 20
"""Characters of a text and of its copy that a message shows where they differ."""
_LISTED = 100
"""A schema lists the numbers up to here, so that a grammar allows no other."""


class SegmentByModel(ModelStep):
    """Ask a model where the steps of a rationale begin: each is a chunk of the text with one purpose. The rationale it replaces is
    rejected with the rule `superseded`; where the reply cannot be used it keeps its old steps, and a failure says why.

    By `reply: numbers` the model sees the text as numbered units, and writes for each chunk its purpose and the number of its first unit:
    no reply can change a character, and a chunk takes some 25 tokens. By `reply: chunks` it copies the text with each chunk in tags, as
    arXiv:2508.19229 has it, which takes as many tokens as the text, needs a model that copies well, and can cut anywhere; the copy is compared with
    the text character by character, white space between chunks aside. A text of one unit is not asked about.
    """

    takes: ClassVar[type[UnitRecord]] = Rationale
    gives: ClassVar[tuple[type[UnitRecord], ...]] = (Rationale,)

    step: Literal["segment_by_model"] = "segment_by_model"
    by: str = "teacher"
    """The role that answers; one model."""
    prompt: str = "process/segment"
    """Name of a shipped prompt, or path of your own (`.j2`), read from beside the pipeline file. It sees `problem` without its answer,
    `rationale`, `text`, `units` (a list of texts; empty where the model copies) and `format`."""
    reply: Literal["numbers", "chunks"] = "numbers"
    """How the model says it: the purpose of each chunk and the number of the unit with which it begins, or a copy of the text in chunks."""
    units: Segmenter = "sentences"
    """The definition of the units that `numbers` counts; no chunk begins within one."""
    part: Part | None = None
    """Which part is cut; see `segment`."""

    def prompt_variables(self) -> Mapping[str, frozenset[str] | None]:
        shown = {"problem": record_fields(Problem) - _GOLD, "rationale": record_fields(Rationale)}
        return {**shown, "text": None, "units": None, "format": None}

    def uses_of(self, model: Model) -> frozenset[Capability]:  # noqa: ARG002
        return frozenset({"json_schema"}) if self.reply == "numbers" else frozenset()

    def problems_with(
        self, models: Mapping[str, Sequence[Model]], authors: Sequence[Model]
    ) -> Iterable[tuple[str, str, str]]:
        yield from super().problems_with(models, authors)
        names = [model.name for role in self.roles() for model in models.get(role, ())]
        if len(names) > 1:
            what = f"{' and '.join(names)} would cut each rationale, and it can have one list of steps"
            yield "by", what, f"bind one model: --model {self.by}={names[0]}"

    async def run(self, records: Sequence[Rationale], unit: Unit) -> Iterable[UnitRecord]:
        model = unit.models(self.by)[0]
        asked: list[tuple[Model, Request, UnitRecord]] = []
        about: list[tuple[Rationale, Uncut]] = []
        made: list[UnitRecord] = []
        for old in records:
            found = text_to_cut(old, self.part)
            if found is None:
                continue
            units = spans(found.text, self.units, apart=found.apart)
            if len(units) > 1:
                asked.append((model, self._request(old, found, units, model, unit), old))
                about.append((old, found))
            elif units:
                made += self._with_steps(old, found, (), name_of(self.units))
        for (_, request, _), (old, found), reply in zip(
            asked, about, await self.ask_all(asked, unit) if asked else (), strict=True
        ):
            if reply is not None:
                made += self._cut(old, found, request, reply, model)
        return made

    def _request(
        self, old: Rationale, found: Uncut, units: Sequence[tuple[int, int]], model: Model, unit: Unit
    ) -> Request:
        problem, by_number = unit.problem_of(old), self.reply == "numbers"
        form = self.form_of_fields(model) if by_number else "text"
        numbered = [found.text[a:b] for a, b in units] if by_number else []
        shown = {"problem": problem, "rationale": old, "text": found.text, "units": numbered, "format": form}
        task = Task("segment", problem, subject=old, hint=found.text, format=form)
        return self.request(self.load(), shown, task, shape=_purposes(len(units)) if by_number else None)

    def _cut(self, old: Rationale, found: Uncut, request: Request, reply: Completion, model: Model) -> list[UnitRecord]:
        """The rationale with its new steps, or the failure of a copy that is not exact."""
        name = f"{self.reply} of {name_of(self.units)}" if self.reply == "numbers" else self.reply
        segmenter = f"{request.prompt} {name} by {model.name}"
        if self.reply == "numbers":
            units = spans(found.text, self.units, apart=found.apart)
            starts = [units[chunk.first_line - 1][0] for chunk in reply.value.chunks]
        else:
            try:
                starts = chunk_starts(found.text, _chunks(reply.text))
            except ValueError as why:
                failure = self.derive(
                    Failure,
                    [old],
                    replies=[reply.key],
                    target=old.id,
                    cause="shape",
                    message=str(why),
                    raw=reply.text,
                    attempts=1,
                    retriable=True,
                    call=reply.call,
                )
                return [failure]
        return self._with_steps(old, found, starts, segmenter, replies=[reply.key])

    def _with_steps(
        self, old: Rationale, found: Uncut, starts: Iterable[int], name: str, *, replies: Sequence[str] = ()
    ) -> list[UnitRecord]:
        return replaced(self, old, found, slices(found.text, [*starts, *found.apart]), name, replies=replies)


def chunk_starts(text: str, chunks: Sequence[str]) -> list[int]:
    """Where each chunk begins in the text that all of them together are, white space between them aside.

    Raises:
        ValueError: they are another text; says where the first difference is.
    """
    if not any(chunk.strip() for chunk in chunks):
        raise ValueError("the reply has no chunk: each is to stand between <chunk> and </chunk>")
    starts, at = [], 0
    for number, chunk in enumerate(chunks, 1):
        copy = chunk.strip()
        while text[at : at + 1].isspace():
            at += 1
        if not text.startswith(copy, at):
            same = next((i for i, sign in enumerate(copy) if text[at + i : at + i + 1] != sign), len(copy))
            raise ValueError(_difference(at + same, text[at + same :], copy[same:], f"chunk {number}"))
        starts.append(at)
        at += len(copy)
    if rest := text[at:].strip():
        raise ValueError(_difference(text.index(rest, at), rest, "", "the copy"))
    return starts


def _difference(at: int, text: str, copy: str, where: str) -> str:
    has = [repr(part[:_SHOWN]) if part else "its end" for part in (text, copy)]
    return f"the chunks are not the text: at character {at:,} the text has {has[0]}, and {where} has {has[1]}"


def _chunks(reply: str) -> list[str]:
    """What stands between `<chunk>` and `</chunk>`, or the next `<chunk>`."""
    return [part.partition("</chunk>")[0] for part in reply.split("<chunk>")[1:]]


_LINE = re.compile(r"^[ \t>*#-]*(?:line |lines )?(\d{1,6})[ \t*]*[:.)-]([^\n]*)", re.IGNORECASE | re.MULTILINE)


class _Purposes(Reply):
    """The chunks of a text: what each is for, and where it begins."""

    @classmethod
    def fields_in(cls, text: str) -> Iterator[dict[str, Any]]:
        """The chunks in lines `4: checks the sum`."""
        found = [{"purpose": match[2], "first_line": int(match[1])} for match in _LINE.finditer(text)]
        if found:
            yield {"chunks": found}


@cache
def _purposes(n: int) -> type[Reply]:
    """The reply that names some of `n` units. The purpose comes first: a model that has named it knows where it ends."""
    number: Any = {"type": "integer"}
    number |= {"enum": list(range(1, n + 1))} if n <= _LISTED else {"minimum": 1, "maximum": n}
    first: Any = Annotated[int, Field(ge=1, le=n), WithJsonSchema(number)]
    chunk = create_model("Chunk", __base__=Reply, purpose=(str, ...), first_line=(first, ...))
    kind: Any = list[chunk]
    return create_model("Chunks", __base__=_Purposes, chunks=(kind, Field(min_length=1)))
