"""`sft`: kept rationales, and critiques as feedback, for supervised fine-tuning."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar

from pydantic import BaseModel

from synth.errors import UserError
from synth.export.format import Format, LeftOut, Need, Reshaped
from synth.export.formats.sft_steps import StepWeightRow, weighted_rows
from synth.export.options import TEXT_OPTIONS, ExportOptions, flag, weights_of
from synth.export.records import (
    CHAT_TAGS,
    PROBLEM,
    SCORES,
    WRITTEN,
    as_json,
    is_plain,
    lineage,
    thoughts_of,
    two_columns,
    why_left_out,
)
from synth.export.row import Message, OpenAiChatRow, Supervised, Task
from synth.export.wording import Conversation, Thoughts, Writing, answer_alone, as_text, prompt, reply, said
from synth.store.database import Store

__all__ = [
    "AXOLOTL_CHAT",
    "LLAMA_FACTORY_CHAT",
    "RATIONALES",
    "PromptCompletionRow",
    "Sft",
    "SftRow",
    "TextRow",
    "openai_line",
]

ASKS = {"rationale": "Give your reasoning, then the answer.", "answer": "Give the answer alone."}
"""What distinguishes the tasks where both are to be learnt."""

RATIONALES = Need(
    "rationale",
    "SELECT count(*) FROM rationales",
    "SELECT count(*) FROM kept_rationales",
    "rationales",
    "a step such as 'generate' makes them",
)

AXOLOTL_CHAT = {"type": "chat_template", "field_messages": "messages", "roles_to_train": ["assistant"]}
"""How Axolotl reads conversations."""
LLAMA_FACTORY_CHAT = {"formatting": "sharegpt", "columns": {"messages": "messages"}, "tags": CHAT_TAGS}
"""How LLaMA-Factory reads conversations."""


class SftRow(Supervised):
    """Supervised fine-tuning, conversational: TRL's language-modelling format, and what most trainers take."""

    messages: list[Message]
    """The question, and the rationale as its author wrote it, with the thought in `reasoning_content`; or, for the
    task `feedback`, a wrong answer and what is wrong in it."""


class TextRow(Supervised):
    """Supervised fine-tuning, plain: TRL's language-modelling format of one text."""

    text: str
    """Question, rationale and answer."""


class PromptCompletionRow(Supervised):
    """Supervised fine-tuning in two columns, TRL's prompt-completion format: the loss is on the completion alone."""

    prompt: list[Message] | str
    """The question."""
    completion: list[Message] | str
    """The rationale with its answer."""


_SFT = f"""
SELECT r.id, r.problem, r.unit, r.model, r.call, r.hinted, {WRITTEN.format("r", "")}, {PROBLEM},
  {SCORES.format("r")}, c.label AS scheduled
FROM kept_rationales r JOIN problems p ON p.id = r.problem
LEFT JOIN current_scores c ON c.target = r.id AND c.name = 'cot_share' AND c.part IS NULL
ORDER BY {{schedule}} p.source, r.problem, r.id
"""

# In the order of a schedule rows of one probability are as good as drawn: their ids are hashes.
_SCHEDULE = "c.value NULLS LAST, r.id,"

_FEEDBACK = f"""
SELECT q.id, q.unit, q.critic, q.call, q.explanation, q.correction, {WRITTEN.format("r", "")}, r.problem, {PROBLEM}, p.answer AS gold,
  c.thought AS critic_thought, {SCORES.format("q")}
FROM kept_critiques q JOIN rationales r ON r.id = q.target JOIN problems p ON p.id = r.problem LEFT JOIN calls c ON c.id = q.call
ORDER BY p.source, r.problem, q.id
"""


def openai_line(row: Any) -> BaseModel:
    """A conversation as OpenAI takes it."""
    return OpenAiChatRow(messages=row.messages)


class Sft(Format):
    """Supervised fine-tuning, as conversations, texts, or prompt and completion."""

    name = "sft"
    about = "conversations"
    options = TEXT_OPTIONS | {"shape", "target", "ask", "stages", "weights", "step_weight"}
    trainers = frozenset({"trl", "axolotl", "llama-factory", "openai"})
    row = SftRow
    variants: ClassVar = {
        "sft.text": TextRow,
        "sft.prompt-completion": PromptCompletionRow,
        "openai.sft": OpenAiChatRow,
        "sft.step-weights": StepWeightRow,
    }
    reshaped: ClassVar = {"openai": Reshaped(OpenAiChatRow, openai_line)}
    axolotl_reads_thoughts = True

    def need(self, options: ExportOptions) -> Need:  # noqa: ARG002
        return RATIONALES

    def own_row(self, options: ExportOptions) -> type[BaseModel]:
        if options.step_weight is not None:
            return StepWeightRow
        if options.shape == "prompt-completion":
            return PromptCompletionRow
        return TextRow if is_plain(options) else SftRow

    def axolotl(self, options: ExportOptions) -> tuple[dict[str, Any], dict[str, Any]]:
        if options.shape == "prompt-completion":
            read = {"field_instruction": "prompt", "field_output": "completion", "format": "{instruction}"}
            return {"type": {**read, "no_input_format": "{instruction}"}}, {}
        if is_plain(options):
            return {"type": "completion", "field": "text"}, {}
        return AXOLOTL_CHAT, {}

    def llama_factory(self, options: ExportOptions) -> dict[str, Any]:
        if not is_plain(options):
            return LLAMA_FACTORY_CHAT
        apart = {"prompt": "prompt", "response": "completion"}
        return {
            "formatting": "alpaca",
            "columns": {"prompt": "text"} if options.shape == "language-modelling" else apart,
        }

    def check(self, options: ExportOptions) -> None:
        if options.step_weight is not None:
            _check_step_weight(options)
        if options.stages == "two" and (
            options.target != "rationale" or options.order == "answer-first" or options.as_thought
        ):
            raise UserError(
                "with --stages two rationale and answer are rows of their own, in that order",
                fix="leave out --target, --order and --as-thought, or --stages",
            )
        if options.target == "answer" and (options.order == "answer-first" or options.as_thought):
            raise UserError(
                "with --target answer no rationale is written", fix="leave out --order and --as-thought, or --target"
            )
        if options.system is not None and not options.system.strip():
            raise UserError("--system is empty", fix="leave it out")

    def rows(self, store: Store, options: ExportOptions, left_out: LeftOut) -> Iterator[BaseModel]:
        if options.step_weight is not None:
            yield from weighted_rows(store, options, left_out, thoughts_of(self, store, options))
            return
        feedback = store.sql("SELECT count(*) FROM kept_critiques").fetchall()[0][0] > 0
        (n_scheduled,) = store.sql("SELECT count(*) FROM scores WHERE name = 'cot_share'").fetchall()[0]
        scheduled = n_scheduled > 0 and options.target == "rationale"
        if scheduled and options.stages == "two":
            raise UserError(
                "--stages two makes two rows of each rationale, and the step cot_share has scheduled which have one",
                fix="leave one of them out",
            )
        rationales = options.target != "answer"
        answers = options.target != "rationale" or options.stages == "two" or scheduled
        tasks = [t for t, there in (("rationale", rationales), ("feedback", feedback), ("answer", answers)) if there]
        weights = weights_of(tasks, options.weights)
        for task in options.ask:
            if task not in tasks:
                raise UserError(
                    f"--ask {task}=…: this export has no rows of the task {task!r}",
                    fix=f"its tasks: {', '.join(tasks)}",
                )
        named = {**(ASKS if options.target == "both" else {}), **options.ask}
        asks = {task: f"\n\n{text}" for task, text in named.items() if text}

        thoughts = thoughts_of(self, store, options)

        def made(
            row: dict[str, Any], task: Task, more: str, turn: Conversation, model: str | None, hinted: bool
        ) -> BaseModel:
            columns = lineage(row) | {
                "task": task,
                "weight": weights[task],
                "model": model or "",
                "call_id": row["call"] or "",
                "answer": row["gold" if task == "feedback" else "stated"] or "",
                "hinted": hinted,
                "scores": as_json(row["scores"]),
            }
            asked = prompt(row, options, more + asks.get(task, ""))
            if options.shape == "prompt-completion":
                return PromptCompletionRow(**columns, **two_columns(asked, turn, options))
            if is_plain(options):
                return TextRow(**columns, text=as_text(asked, turn, options))
            return SftRow(**columns, messages=[*asked, *turn])

        answered: set[str] = set()
        for row in store.each(_SFT.format(schedule=_SCHEDULE if scheduled else "")):
            writing, author = Writing.of(row), (row["model"], row["hinted"])
            alone = scheduled and row["scheduled"] == "answer"
            if why := why_left_out(row, options, thoughts, *([writing] if rationales and not alone else [])):
                left_out.add(row["id"], why)
                continue
            if alone and writing.answer is None:
                left_out.add(row["id"], "it states no answer, and is scheduled to stand for the answer alone")
                continue
            if options.stages == "two" and not _shown(writing, thoughts):
                left_out.add(row["id"], "without the statement of its answer it has no text")
                continue
            if rationales and not alone:
                whole = _reasons(writing, thoughts) if options.stages == "two" else reply(writing, thoughts, options)
                yield made(row, "rationale", "", whole, *author)
            if not (answers if not scheduled else alone):
                continue
            if writing.answer is None:
                left_out.add(row["id"], "it states no answer")
                continue
            turn = said(answer_alone(writing.answer, options), None, thoughts)
            if options.stages == "two":
                yield made(row, "answer", f"\n\nReasoning:\n{_shown(writing, thoughts)}", turn, *author)
            elif scheduled or row["problem"] not in answered:  # the answer alone is the same for every model
                answered.add(row["problem"])
                yield made(row, "answer", "", turn, *author)

        for row in store.each(_FEEDBACK):
            correction = f"\nIt should have been: {row['correction']}" if row["correction"] else ""
            writing = Writing(row["explanation"] + correction, row["critic_thought"])
            if not row["explanation"].strip():
                left_out.add(row["id"], "it has no text")
            elif why := why_left_out(
                row, replace(options, style="written", order="rationale-first", as_thought=False), thoughts, writing
            ):
                left_out.add(row["id"], why)
            else:
                yield made(row, "feedback", _wrong(row), said(*writing[:2], thoughts), row["critic"], True)


def _shown(writing: Writing, thoughts: Thoughts | None = None) -> str:
    """A solution as a prompt shows it, without its answer; the thought where nothing else is left of it and thoughts are written."""
    dropped = thoughts is not None and thoughts.place == "drop"
    return writing.solution or ("" if dropped else (writing.thought or "").strip())


def _reasons(writing: Writing, thoughts: Thoughts) -> Conversation:
    """A turn that holds the reasoning without the answer. A thought that is all of it is its text: a turn is not to be empty."""
    return said(_shown(writing, thoughts), writing.thought if writing.solution else None, thoughts)


def _wrong(row: dict[str, Any]) -> str:
    """What the task `feedback` adds to the question: question, wrong answer and gold answer are its input, arXiv:2410.03663."""
    writing = Writing.of(row)
    parts = [_shown(writing), writing.statement]
    gold = f"The right answer is {row['gold']}. " if row["gold"] is not None else ""
    solution = "\n".join(part for part in parts if part)
    return f"\n\nA wrong solution:\n{solution}\n\n{gold}What is wrong in the solution?"


def _check_step_weight(options: ExportOptions) -> None:
    """Raise for options that cannot be combined with weights of steps.

    Raises:
        UserError: with what to leave out.
    """
    if options.trainer != "trl":
        raise UserError(
            f"{options.trainer} reads no weights of steps",
            fix="leave --for out: rows in TRL's columns, for a loss of your own",
        )
    default = ExportOptions()
    for name in ("style", "order", "as_thought", "target", "stages", "ask", "weights"):
        if getattr(options, name) != getattr(default, name):
            raise UserError(
                f"with --step-weight a row is a rationale as its author wrote it, and {flag(name)} changes that",
                fix=f"leave out {flag(name)}, or --step-weight",
            )
