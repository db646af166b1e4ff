"""`verbalize_path`: a path of a thought tree, told as a rationale."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field, JsonValue

from synth.models import Capability, Completion, Model, Reply, Task
from synth.records import Node, Problem, Rationale, Rejection, Score, UnitRecord, record_fields
from synth.steps.rubric import read_rubric
from synth.steps.segmentation import segment
from synth.steps.step import ModelStep
from synth.steps.unit import Unit
from synth.verify import find_quote, quotes_in, state_answer

__all__ = ["VerbalizePath"]


class _Summary(Reply):
    """What the model is to write."""

    rationale: Annotated[str, Field(min_length=1)]
    mark: str
    suggestion: str = ""


class VerbalizePath(ModelStep):
    """Tell each path of a `rubric_tree` as a rationale for its mark, faithful to the decisions on it.

    A summary that states another mark than its path, or puts words in quotation marks that do not stand in the text, is
    rejected. At full mark the suggestion for improvement is left out. The rationale has the score `path_weight`.
    Source: arXiv:2406.19949, stage 2; the two checks are ours.
    """

    takes: ClassVar[type[UnitRecord]] = Node
    gives: ClassVar[tuple[type[UnitRecord], ...]] = (Rationale, Score, Rejection)

    step: Literal["verbalize_path"] = "verbalize_path"
    prompt: str = "trees/summarize"
    """Name of a shipped prompt, or path of your own (`.j2`), read from beside the pipeline file."""
    rule: str | None = None
    """The mark as an expression, as for `rubric_tree`; only the full mark is taken from it."""

    def prompt_variables(self) -> Mapping[str, frozenset[str] | None]:
        return {
            "problem": record_fields(Problem),
            "path": None,
            "mark": None,
            "marks": None,
            "full": None,
            "format": None,
        }

    def uses_of(self, model: Model) -> frozenset[Capability]:  # noqa: ARG002
        return frozenset({"json_schema"})

    def gives_scores(self) -> tuple[str, ...]:
        return ("path_weight",)

    async def run(self, records: Sequence[Node], unit: Unit) -> Iterable[UnitRecord]:
        asked = []
        for leaf in (n for n in records if n.terminal):
            problem = unit.problem_of(leaf)
            rubric = read_rubric(problem, self.rule)
            shown = {
                "problem": problem,
                "path": unit.path_to(leaf),
                "mark": leaf.answer,
                "marks": rubric.marks,
                "full": leaf.answer == rubric.best,
            }
            for model in unit.models(self.by):
                form = self.form_of_fields(model)
                task = Task("summarize", problem, subject=leaf, hint=leaf.answer, format=form)
                asked.append((model, self.request(self.load(), {**shown, "format": form}, task, shape=_Summary), leaf))
        replies = await self.ask_all(asked, unit)
        made: list[UnitRecord] = []
        for (model, request, leaf), reply in zip(asked, replies, strict=True):
            if reply is not None:
                made += self._read(leaf, model, request.task.format, reply, unit)
        return made

    def _read(self, leaf: Node, model: Model, form: str, reply: Completion, unit: Unit) -> list[UnitRecord]:
        problem, said = unit.problem_of(leaf), reply.value
        full = leaf.answer == read_rubric(problem, self.rule).best
        suggestion = "" if full else said.suggestion
        text = f"{said.rationale}\nSuggestion: {suggestion}" if suggestion else said.rationale
        steps, segmenter = segment(text)
        response, span = state_answer(text, str(leaf.answer), kind=problem.compared_as)
        rationale = self.derive(
            Rationale,
            [leaf],
            replies=[reply.key],
            problem=leaf.problem,
            author="teacher",
            model=model.name,
            style=f"path_summary/{form}",
            thought=reply.thought,
            thought_kind=reply.thought_kind,
            response=response,
            answer_span=span,
            steps=steps,
            segmenter=segmenter,
            answer=leaf.answer,
            parts={"decisions": [[n.text, n.decision] for n in unit.path_to(leaf)]},
            node=leaf.id,
            tokens=reply.completion_tokens,
            call=reply.call,
        )
        made: list[UnitRecord] = [rationale]
        made += (
            self.derive(
                Score, [rationale], target=rationale.id, name="path_weight", value=weight.value, judge=weight.judge
            )
            for weight in unit.judgements(leaf, "path_weight")
        )
        missing: list[JsonValue] = [
            q for q in quotes_in(said.rationale) if not find_quote(q, f"{problem.context} {problem.question}")
        ]
        if said.mark.strip().removesuffix(".0") != leaf.answer:
            made.append(self.reject(rationale, "states the mark of its path", {"path": leaf.answer, "said": said.mark}))
        elif missing:
            made.append(self.reject(rationale, "quotes only what is there", {"not there": missing}))
        return made
