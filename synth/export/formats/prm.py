"""`prm`: rationales with a label for each step, for process reward models; or as a conversation, for generative ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar, NamedTuple

from pydantic import BaseModel, model_validator

from synth.errors import UserError
from synth.export.format import Format, LeftOut, Need, Reshaped
from synth.export.formats.sft import AXOLOTL_CHAT, LLAMA_FACTORY_CHAT, openai_line
from synth.export.options import STEP_OPTIONS, THOUGHT_OPTIONS, ExportOptions
from synth.export.records import lineage, tag_within, thoughts_of
from synth.export.row import Message, OfProblem, OpenAiChatRow
from synth.export.stepwise import CUT, StepRow, labelled, need_of_steps
from synth.export.wording import Thoughts, Writing, answer_alone, prompt, prompt_text
from synth.store.database import Store

__all__ = ["Prm", "PrmChatRow", "PrmRow", "verdict_of"]


class _Stepwise(OfProblem):
    """What rows with labels of steps carry besides their text."""

    values: list[float] | None = None
    """A score of each step (`--values`), such as the share of right continuations; a column where it was asked for."""
    weights: list[float] | None = None
    """The weight of each step (`--step-weight`), at least 0; a column where it was asked for. No trainer here reads it."""
    labelled_by: str
    """Where the labels come from: the judges of the scores, `tree`, or the critic."""
    segmenter: str
    """The definition of "step" used; empty where it is not known."""
    model: str
    """Who wrote it."""
    answer: str
    """The answer it states; empty where it states none."""


class PrmRow(_Stepwise):
    """Rationales with a label for each step: TRL's stepwise-supervision format, for process reward models.

    The steps are those of the record, one by one; nothing is joined and cut again. Labels from a tree come with a last step that
    states the answer.
    """

    prompt: str
    """The question."""
    completions: list[str]
    """The steps in order."""
    labels: list[bool]
    """Whether each step is right; as many as there are steps."""

    @model_validator(mode="after")
    def _one_label_each(self) -> PrmRow:
        if len(self.completions) != len(self.labels):
            raise ValueError(f"{len(self.labels)} labels for {len(self.completions)} steps")
        return self


class PrmChatRow(_Stepwise):
    """Rationales as conversations, for generative process reward models: each step is a turn of the user, its verdict the reply."""

    messages: list[Message]
    """The question with the first step, its analysis and verdict, the second step, and so on. The last line of each reply is the
    verdict, and that is its label."""
    step_labels: list[bool]
    """Whether each step is right. Not `labels`, which TRL's trainer takes for tokens."""


class Prm(Format):
    """Labels of steps."""

    name = "prm"
    about = "a label for each step"
    options = (
        THOUGHT_OPTIONS
        | STEP_OPTIONS
        | {"layout", "system", "per_problem", "unsure", "steps_as", "step_weight", "verdicts", "reasons"}
    )
    trainers = frozenset({"trl", "axolotl", "llama-factory", "openai"})
    thoughts_in_prompt = True
    row = PrmRow
    variants: ClassVar = {"prm.chat": PrmChatRow}
    reshaped: ClassVar = {"openai": Reshaped(OpenAiChatRow, openai_line)}

    def check(self, options: ExportOptions) -> None:
        chat = options.steps_as == "chat"
        if options.layout == "conversational" and not chat:
            raise UserError(
                "trainers of process reward models read strings, not conversations",
                fix="leave --layout out; or --as chat, a conversation for a generative one",
            )
        if options.layout == "plain" and chat:
            raise UserError("--as chat is a conversation", fix="leave --layout plain out, or --as chat")
        if options.trainer in {"llama-factory", "openai"} and not chat:
            raise UserError(
                f"{options.trainer} cannot be given prm: it has no stepwise format",
                fix="--for trl or axolotl; or --as chat, a conversation for a generative process reward model",
            )
        for flag, given in (("--reasons", options.reasons is not None), ("--verdicts", options.verdicts != _VERDICTS)):
            if given and not chat:
                raise UserError(f"{flag} is for --as chat", fix=f"leave {flag} out, or add --as chat")
        check_verdicts(options)

    def settled(self, options: ExportOptions) -> ExportOptions:
        return options if options.steps_as == "chat" else replace(options, layout="plain")

    def conversational(self, options: ExportOptions) -> bool:
        return options.steps_as == "chat"

    def own_row(self, options: ExportOptions) -> type[BaseModel]:
        return PrmChatRow if options.steps_as == "chat" else PrmRow

    def absent(self, options: ExportOptions) -> frozenset[str]:
        given = {"values": options.values, "weights": options.step_weight}
        return frozenset(column for column, score in given.items() if score is None)

    def need(self, options: ExportOptions) -> Need:
        return need_of_steps(options)

    def axolotl(self, options: ExportOptions) -> tuple[dict[str, Any], dict[str, Any]]:
        if options.steps_as == "chat":
            return AXOLOTL_CHAT, {}
        method = {"process_reward_model": True, "model_type": "AutoModelForTokenClassification", "num_labels": 2}
        return {"type": "stepwise_supervised", "step_separator": "\n"}, method

    def llama_factory(self, options: ExportOptions) -> dict[str, Any]:  # noqa: ARG002
        return LLAMA_FACTORY_CHAT

    def rows(self, store: Store, options: ExportOptions, left_out: LeftOut) -> Iterator[BaseModel]:
        thoughts = thoughts_of(self, store, options)
        for found in labelled(store, options, left_out):
            row = found.row
            end, cut, why = _end(found, options)
            if why is not None:
                left_out.add(row["id"], why)
                continue
            before, why = _thought_before(found, thoughts, end)
            if why is not None:
                left_out.add(row["id"], why)
                continue
            steps, labels = list(found.steps[:end]), [found.labels[i] for i in range(end)]
            if (
                found.where == "tree"
            ):  # a path ends right or wrong by its answer, which does not stand in its last thought
                steps, labels = [*steps, answer_alone(row["stated"], options)], [*labels, row["right"]]
            left_out.changed[CUT] += cut
            columns = {
                **lineage(row),
                "values": [found.values[i] for i in range(end)] if options.values is not None else None,
                "weights": [found.weights[i] for i in range(end)] if options.step_weight is not None else None,
                "labelled_by": row["labelled_by"] or "",
                "segmenter": row["segmenter"] or "",
                "model": row["model"] or "",
                "answer": row["stated"] or "",
            }
            asked = prompt(dict(row), options)
            if options.steps_as == "chat":
                yield PrmChatRow(
                    **columns, step_labels=labels, messages=_chat(asked, before, steps, labels, found.reasons, options)
                )
            else:
                yield PrmRow(**columns, prompt=prompt_text(asked, options) + before, completions=steps, labels=labels)


_VERDICTS = ExportOptions().verdicts


def check_verdicts(options: ExportOptions) -> None:
    """Raise for words of a verdict that a reader could not distinguish.

    Raises:
        UserError: one is empty or of several lines, or both are the same.
    """
    right, wrong = options.verdicts
    if right == wrong or any(not word.strip() or len(word.splitlines()) != 1 for word in (right, wrong)):
        raise UserError(
            f"--verdicts {right},{wrong} does not name two different words", fix="for example --verdicts right,wrong"
        )


def verdict_of(label: bool, reason: str | None, options: ExportOptions) -> str:
    """The analysis of a step, and its verdict in a last line."""
    word = options.verdicts[0 if label else 1]
    return f"{reason}\n\n{word}" if reason and reason.strip() else word


def _chat(
    asked: list[Message],
    before: str,
    steps: list[str],
    labels: list[bool],
    reasons: Any,
    options: ExportOptions,
) -> list[Message]:
    *system, question = asked
    messages = list(system)
    for i, (step, label) in enumerate(zip(steps, labels, strict=True)):
        shown = f"{question.content}\n\n{before}{step}" if i == 0 else step
        messages.append(Message(role="user", content=shown))
        messages.append(Message(role="assistant", content=verdict_of(label, reasons.get(i), options)))
    return messages


class _End(NamedTuple):
    steps: int
    """How many steps a row has."""
    cut: bool = False
    """Whether it was cut before a step of which something is missing."""
    why: str | None = None
    """Why there is no row."""


def _end(found: StepRow, options: ExportOptions) -> _End:
    """Where a row ends; or why there is none.

    Labels may end at the first wrong step; the row then ends there too. No step before its end may be without a label.
    """
    labels, n = found.labels, len(found.steps)
    first = found.first_missing(labels)
    ends_wrong = (
        0 < first < n and len(labels) == first and not labels[first - 1] and all(labels[i] for i in range(first - 1))
    )
    end = first if ends_wrong else n
    columns: list[Mapping[int, Any]] = [labels]
    if options.values is not None:
        columns.append(found.values)
    if options.step_weight is not None:
        columns.append(found.weights)
    missing = found.first_missing(*columns)
    if missing >= end:
        return _End(end)
    if options.unsure == "cut":
        return _End(missing, cut=True, why=None if missing else "nothing is known of its first step")
    unlike = "its labels are not one for each step"
    return _End(0, why=unlike if missing == first else "a step has a label, and no score for another column")


def _thought_before(found: StepRow, thoughts: Thoughts, end: int) -> tuple[str, str | None]:
    """The thought as it stands at the end of the prompt, before the steps that are judged; or why there is no row."""
    row = found.row
    if found.of_thought:
        dropped = thoughts.place == "drop"
        return "", "its steps are those of its thought, which --thinking drop leaves out" if dropped else None
    if not row["thought"] or thoughts.place == "drop":
        return "", None
    if why := tag_within(thoughts, Writing("\n".join(found.steps[:end]), row["thought"])):
        return "", why
    return f"{thoughts.tagged(row['thought'])}\n\n", None
