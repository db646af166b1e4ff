"""`dpo`: kept pairs with an explicit prompt, for preference optimisation."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel

from synth.export.format import Reshaped
from synth.export.formats.preference import PreferenceFormat, RankingRow, ranking
from synth.export.options import TEXT_OPTIONS, ExportOptions
from synth.export.records import is_plain
from synth.export.row import Message, Paired, Row

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


class Dpo(PreferenceFormat):
    """Preference pairs."""

    name = "dpo"
    about = "preference pairs"
    options = TEXT_OPTIONS
    trainers = frozenset({"trl", "axolotl", "llama-factory", "openai"})
    row = DpoRow
    variants: ClassVar = {"ranking": RankingRow, "openai.dpo": OpenAiPreferenceRow}
    reshaped: ClassVar = {
        "axolotl": Reshaped(RankingRow, ranking),
        "llama-factory": Reshaped(RankingRow, ranking),
        "openai": Reshaped(OpenAiPreferenceRow, _openai),
    }

    def axolotl(self, options: ExportOptions) -> tuple[dict[str, Any], dict[str, Any]]:
        read: dict[str, Any] = {"type": "chat_template.default", "field_messages": "messages"}
        if is_plain(options):
            read = {"type": {"field_prompt": "prompt", "field_chosen": "chosen", "field_rejected": "rejected"}}
        return read, {"rl": "dpo"}
