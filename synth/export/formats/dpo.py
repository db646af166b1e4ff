"""`dpo`: kept pairs with an explicit prompt, for preference optimisation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

from pydantic import BaseModel

from synth.errors import UserError
from synth.export.format import Reshaped
from synth.export.formats.preference import SIDES, PreferenceFormat, RankingRow, Turns, ranking
from synth.export.options import TEXT_OPTIONS, ExportOptions
from synth.export.records import is_plain
from synth.export.row import Message, Paired, Row
from synth.export.stepwise import step_spans
from synth.export.wording import Thoughts, Writing, prompt, reply, said

__all__ = ["Dpo", "DpoRow"]


class DpoRow(Paired):
    """Preference pairs with an explicit prompt: TRL's preference format."""

    prompt: list[Message] | str
    """The question."""
    chosen: list[Message] | str
    """The preferred rationale."""
    rejected: list[Message] | str
    """The other one."""
    margin: float
    """By how much one is preferred, in the units of the reason; 0 where it has none."""
    prefix: str | None = None
    """The steps that both sides share, as they stand in the prompt or at the beginning of both sides (`--prefix`); a column where
    it was asked for."""


class OpenAiInput(Row):
    """What both outputs answer."""

    messages: list[Message]
    """The question."""


class OpenAiPreferenceRow(Row):
    """A line of an OpenAI fine-tuning file for preferences (DPO)."""

    input: OpenAiInput
    """The question."""
    preferred_output: list[Message]
    """The preferred rationale: one turn of the assistant."""
    non_preferred_output: list[Message]
    """The other one."""


def _openai(row: Any) -> BaseModel:
    return OpenAiPreferenceRow(
        input=OpenAiInput(messages=row.prompt), preferred_output=row.chosen, non_preferred_output=row.rejected
    )


class _Side(NamedTuple):
    text: str
    """The reply with its thought, as a row has it."""
    spans: list[tuple[int, int]]
    """Where each step stands in it."""


def _cut(row: dict[str, Any], side: str, writing: Writing, thoughts: Thoughts, options: ExportOptions) -> _Side | None:
    """A side with the places of its steps; None where they are no slices of its text."""
    spans = step_spans(row, f"{side}_")
    if spans is None:
        return None
    text = reply(writing, thoughts, options)[0].content
    of_thought = (row[f"{side}_segmenter"] or "").startswith("thought ")
    if of_thought and thoughts.place != "tags":
        return None
    # A thought follows its opening tag; a response stands behind the thought, if that is written.
    plain = said(writing.response, writing.thought, thoughts)[0].content
    offset = len(thoughts.tags[0]) + 1 if of_thought else len(plain) - len(writing.response)
    return _Side(text, [(start + offset, end + offset) for start, end in spans])


def _shared_steps(row: dict[str, Any]) -> int:
    """How many first steps both sides have."""
    same = 0
    for a, b in zip(row["chosen_steps"], row["rejected_steps"], strict=False):
        if a != b:
            break
        same += 1
    first = row["first_differing_step"]
    return same if first is None else min(same, first)


def _shared(chosen: _Side, rejected: _Side, steps: int) -> str | None:
    """What both sides begin with, up to the end of the shared steps, and the white space after them where it is the same."""
    if steps == 0:
        return ""
    ends = [side.spans[steps - 1][1] for side in (chosen, rejected)]
    if chosen.text[: ends[0]] != rejected.text[: ends[1]]:
        return None
    rest = chosen.text[ends[0] :], rejected.text[ends[1] :]
    blanks = [text[: len(text) - len(text.lstrip())] for text in rest]
    return chosen.text[: ends[0]] + (blanks[0] if blanks[0] == blanks[1] else "")


def _reply(text: str) -> list[Message]:
    return [Message(role="assistant", content=text)]


class Dpo(PreferenceFormat):
    """Preference pairs."""

    name = "dpo"
    about = "preference pairs"
    options = TEXT_OPTIONS | {"prefix", "rejected"}
    trainers = frozenset({"trl", "axolotl", "llama-factory", "openai"})
    row = DpoRow
    variants: ClassVar = {"ranking": RankingRow, "openai.dpo": OpenAiPreferenceRow}
    reshaped: ClassVar = {
        "axolotl": Reshaped(RankingRow, ranking),
        "llama-factory": Reshaped(RankingRow, ranking),
        "openai": Reshaped(OpenAiPreferenceRow, _openai),
    }

    def check(self, options: ExportOptions) -> None:
        if options.prefix == "none":
            if options.rejected != "rest":
                raise UserError(
                    "--rejected step cuts the rejected side behind its first differing step, which needs a prefix",
                    fix="leave it out, or add --prefix prompt or --prefix assistant",
                )
            return
        if options.style not in {"written", "natural"} or options.order != "rationale-first" or options.as_thought:
            raise UserError(
                "--prefix cuts texts as their authors wrote them",
                fix="leave out --style, --order and --as-thought, or --prefix",
            )

    def turns(
        self, row: dict[str, Any], sides: Sequence[Writing], thoughts: Thoughts, options: ExportOptions
    ) -> Turns | str:
        if options.prefix == "none":
            return super().turns(row, sides, thoughts, options)
        cuts = [_cut(row, side, writing, thoughts, options) for side, writing in zip(SIDES, sides, strict=True)]
        chosen, rejected = cuts
        if chosen is None or rejected is None:
            return "the steps of a side are no slices of its text"
        shared = _shared_steps(row)
        prefix = _shared(chosen, rejected, shared)
        if prefix is None:
            return "its sides share steps, but what stands before or between them differs"
        ends = [chosen.text, rejected.text]
        if options.rejected == "step":
            if shared >= len(rejected.spans):
                return "its rejected side has no step after the shared ones"
            ends[1] = rejected.text[: rejected.spans[shared][1]]
        texts = [end[len(prefix) :] for end in ends]
        if not all(text.strip() for text in texts):
            return "nothing follows the shared steps on one side"
        asked = prompt(row, options)
        if is_plain(options):
            return Turns(asked, _reply(texts[0]), _reply(texts[1]), prefix)
        if options.prefix == "assistant":
            return Turns(asked, _reply(prefix + texts[0]), _reply(prefix + texts[1]), prefix)
        *system, question = asked
        begun = question.model_copy(update={"content": f"{question.content}\n\n{prefix}"}) if prefix else question
        return Turns([*system, begun], _reply(texts[0]), _reply(texts[1]), prefix)

    def axolotl(self, options: ExportOptions) -> tuple[dict[str, Any], dict[str, Any]]:
        read: dict[str, Any] = {"type": "chat_template.default", "field_messages": "messages"}
        if is_plain(options):
            read = {"type": {"field_prompt": "prompt", "field_chosen": "chosen", "field_rejected": "rejected"}}
        return read, {"rl": "dpo"}
