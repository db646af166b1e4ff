"""`sft --step-weight`: kept rationales whose steps have weights, for losses of your own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import BaseModel, model_validator

from synth.export.format import LeftOut
from synth.export.options import ExportOptions
from synth.export.records import PROBLEM, SCORES, WRITTEN, as_json, lineage, two_columns, why_left_out
from synth.export.row import Message, Supervised
from synth.export.stepwise import CLIPPED, cut_text, pieces_of, scores_on_steps, step_spans, weights_at
from synth.export.wording import Thoughts, Writing, prompt, reply
from synth.store.database import Store

__all__ = ["StepWeightRow", "weighted_rows"]

QUERY = f"""
SELECT r.id, r.problem, r.unit, r.model, r.call, r.hinted, r.steps, r.segmenter, {WRITTEN.format("r", "")}, {PROBLEM},
  {SCORES.format("r")}, w.listed AS weights
FROM kept_rationales r JOIN problems p ON p.id = r.problem LEFT JOIN ({{weights}}) w ON w.target = r.id
ORDER BY p.source, r.problem, r.id
"""


class StepWeightRow(Supervised):
    """Supervised fine-tuning with a weight for each step: TRL's prompt-completion format, with the completion also in pieces.

    TRL trains on `prompt` and `completion` and reads no weights: multiply the loss of the tokens of each piece in a trainer of
    your own.
    """

    prompt: list[Message] | str
    """The question."""
    completion: list[Message] | str
    """The rationale with its answer."""
    pieces: list[str]
    """What was cut into steps (`part`), in a piece for each step: joined they are that text, byte for byte. The statement of the
    answer is of the last piece, unless it stands between steps."""
    step_weights: list[float]
    """The weight of each piece, at least 0."""
    part: Literal["response", "thought"]
    """What was cut into steps: the response, or the thought; the other has no weights."""

    @model_validator(mode="after")
    def _one_weight_each(self) -> StepWeightRow:
        if len(self.pieces) != len(self.step_weights):
            raise ValueError(f"{len(self.step_weights)} weights for {len(self.pieces)} pieces")
        return self


def weighted_rows(store: Store, options: ExportOptions, left_out: LeftOut, thoughts: Thoughts) -> Iterator[BaseModel]:
    """Kept rationales with a weight on each step."""
    score = str(options.step_weight)
    for row in store.each(QUERY.format(weights=scores_on_steps(score))):
        writing = Writing.of(row)
        if why := why_left_out(row, options, thoughts, writing) or _unweighted(row, thoughts):
            left_out.add(row["id"], why)
            continue
        weights, clipped = weights_at(row, score)
        spans = step_spans(row)
        if spans is None:
            left_out.add(row["id"], "its steps are no slices of its text")
            continue
        if sorted(weights) != list(range(len(spans))):
            left_out.add(row["id"], f"a step has no score {score!r}")
            continue
        left_out.changed[CLIPPED] += clipped
        yield StepWeightRow(
            **lineage(row),
            **two_columns(prompt(row, options), reply(writing, thoughts, options), options),
            pieces=pieces_of(cut_text(row), spans),
            step_weights=[weights[i] for i in range(len(spans))],
            part="thought" if _of_thought(row) else "response",
            task="rationale",
            weight=1.0,
            model=row["model"] or "",
            call_id=row["call"] or "",
            answer=row["stated"] or "",
            hinted=row["hinted"],
            scores=as_json(row["scores"]),
        )


def _unweighted(row: dict[str, Any], thoughts: Thoughts) -> str | None:
    """Why the steps cannot have weights, if they cannot."""
    if not row["steps"]:
        return "it was not cut into steps"
    if _of_thought(row) and thoughts.place == "drop":
        return "its steps are those of its thought, which --thinking drop leaves out"
    return None


def _of_thought(row: dict[str, Any]) -> bool:
    return (row["segmenter"] or "").startswith("thought ")
