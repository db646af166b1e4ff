"""`reward`: kept pairs for a reward model."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel

from synth.errors import UserError
from synth.export.format import Reshaped
from synth.export.formats.preference import PreferenceFormat, RankingRow, ranking
from synth.export.options import TEXT_OPTIONS, ExportOptions
from synth.export.records import rest
from synth.export.row import Message, Paired

__all__ = ["Reward", "RewardRow"]


class RewardRow(Paired):
    """Preference pairs for a reward model: TRL's preference format, with the column `margin` that its trainer reads."""

    prompt: list[Message] | str
    """The question."""
    chosen: list[Message] | str
    """The preferred rationale."""
    rejected: list[Message] | str
    """The other one."""
    margin: float
    """What the reward of the chosen side should be higher by: the margin of the pair, where the export was asked for it; else 0,
    which leaves the loss as it is."""


class SystemInputRow(Paired):
    """Preference pairs as Axolotl's `bradley_terry.chat_template` reads them."""

    system: str
    """The system message; empty where there is none."""
    input: str
    """The question."""
    chosen: str
    """The preferred rationale."""
    rejected: str
    """The other one."""
    margin: float
    """By how much one is preferred, in the units of the reason; 0 where it has none."""


def _system_input(row: Any) -> BaseModel:
    *system, question = row.prompt
    said = {"system": system[0].content if system else "", "input": question.content}
    said |= {"chosen": row.chosen[0].content, "rejected": row.rejected[0].content}
    return SystemInputRow(**rest(row, "prompt", "chosen", "rejected"), **said)


class Reward(PreferenceFormat):
    """Preference pairs for a reward model."""

    name = "reward"
    about = "pairs for a reward model"
    options = TEXT_OPTIONS | {"margin"}
    trainers = frozenset({"trl", "axolotl", "llama-factory"})
    why_not: ClassVar = {"openai": "it trains no reward models; preferences are --to dpo"}
    row = RewardRow
    variants: ClassVar = {"axolotl.reward": SystemInputRow}
    reshaped: ClassVar = {
        "axolotl": Reshaped(SystemInputRow, _system_input),
        "llama-factory": Reshaped(RankingRow, ranking),
    }

    def states_margin(self, options: ExportOptions) -> bool:
        return options.margin

    def check(self, options: ExportOptions) -> None:
        if options.trainer == "axolotl" and options.layout == "plain":
            raise UserError(
                "Axolotl's reward models are trained on conversations", fix="leave --layout plain out, or --for trl"
            )
        names = {"axolotl": "Axolotl", "llama-factory": "LLaMA-Factory"}
        if options.margin and options.trainer in names:
            raise UserError(
                f"{names[options.trainer]}'s reward models know no margin", fix="leave --margin out, or --for trl"
            )

    def axolotl(self, options: ExportOptions) -> tuple[dict[str, Any], dict[str, Any]]:  # noqa: ARG002
        method = {"reward_model": True, "model_type": "AutoModelForSequenceClassification", "num_labels": 1}
        return {"type": "bradley_terry.chat_template"}, method
