"""`steps`: one row a step with its label, for judges of steps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from pydantic import BaseModel

from synth.errors import UserError
from synth.export.format import Format, LeftOut, Need
from synth.export.formats.prm import check_verdicts, verdict_of
from synth.export.options import STEP_OPTIONS, ExportOptions
from synth.export.records import lineage, two_columns
from synth.export.row import Message, OfProblem
from synth.export.stepwise import StepRow, cut_text, labelled, need_of_steps, step_spans
from synth.export.wording import prompt
from synth.store.database import Store

__all__ = ["StepJudgeRow", "Steps"]


class StepJudgeRow(OfProblem):
    """One step of a rationale with its label: TRL's prompt-completion format for a judge of steps.

    It is its prompt-only format too, in which `label` goes to the reward.
    """

    prompt: list[Message] | str
    """The question, the steps so far and the next step, with the words of the verdict."""
    completion: list[Message] | str
    """The analysis, where there is one, and in a last line the verdict, which is the label."""
    history: str
    """What stands before the step, byte for byte as its author wrote it; empty for the first one. Of rationales whose steps are no
    slices of their text, the steps before, one a line."""
    step: str
    """The step."""
    label: bool
    """Whether the step is right."""
    index: int
    """Which step, from 0."""
    value: float | None = None
    """A score of the step (`--values`); a column where it was asked for."""
    reason: str
    """Why, by a judge whose verdict is the label; empty where nobody said."""
    labelled_by: str
    """Where the label comes from: the judges of the scores, or the critic."""
    segmenter: str
    """The definition of "step" used; empty where it is not known."""
    model: str
    """Who wrote it."""


class Steps(Format):
    """Steps one by one."""

    name = "steps"
    about = "one step with its label"
    options = STEP_OPTIONS | {"layout", "system", "per_problem", "verdicts", "reasons", "balance"}
    why_not: ClassVar = dict.fromkeys(
        ("axolotl", "llama-factory", "openai"),
        "it has TRL's columns alone; --to prm --as chat has all steps of a rationale in one conversation",
    )
    row = StepJudgeRow

    def check(self, options: ExportOptions) -> None:
        check_verdicts(options)
        if options.labels == "tree":
            raise UserError("labels of a tree are those of whole paths", fix="--to prm, or --labels scores")
        if options.balance is not None and min(options.balance) < 1:
            raise UserError("--balance is a proportion of two whole numbers", fix="for example --balance 1:1")

    def absent(self, options: ExportOptions) -> frozenset[str]:
        return frozenset() if options.values is not None else frozenset({"value"})

    def need(self, options: ExportOptions) -> Need:
        return need_of_steps(options)

    def rows(self, store: Store, options: ExportOptions, left_out: LeftOut) -> Iterator[BaseModel]:
        for found in labelled(store, options, left_out):
            if found.where == "tree":
                left_out.add(found.row["id"], "its labels are those of a tree")
                continue
            for i in range(len(found.steps)):
                if i not in found.labels or (options.values is not None and i not in found.values):
                    left_out.add(found.row["id"], "a step without a label, or without the score of another column")
                    continue
                yield _row(found, i, options)


def _row(found: StepRow, i: int, options: ExportOptions) -> StepJudgeRow:
    row, step = dict(found.row), found.steps[i]
    spans = step_spans(row)
    history = cut_text(row)[: spans[i][0]] if spans is not None and i else "\n".join(found.steps[:i])
    so_far = f"Steps so far:\n{history.rstrip()}\n\n" if history.strip() else ""
    right, wrong = options.verdicts
    asked = f"Is the next step right? The last line of your reply is the verdict: {right} or {wrong}."
    task = f"\n\n{so_far}Next step:\n{step}\n\n{asked}"
    reason = found.reasons.get(i, "")
    verdict = [Message(role="assistant", content=verdict_of(found.labels[i], reason, options))]
    return StepJudgeRow(
        **lineage(row),
        **two_columns(prompt(row, options, task), verdict, options),
        value=found.values[i] if options.values is not None else None,
        history=history,
        step=step,
        label=found.labels[i],
        index=i,
        reason=reason,
        labelled_by=row["labelled_by"] or "",
        segmenter=row["segmenter"] or "",
        model=row["model"] or "",
    )
