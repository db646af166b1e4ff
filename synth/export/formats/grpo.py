"""`grpo`: kept problems with what the reward of a completion is computed from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import orjson
from pydantic import BaseModel

from synth.export.format import Format, LeftOut, Need
from synth.export.options import ExportOptions
from synth.export.records import PROBLEM, is_plain, lineage, why_left_out
from synth.export.row import Message, OfProblem
from synth.export.wording import Thoughts, prompt, prompt_text
from synth.records import AnswerKind
from synth.store.database import Store

__all__ = ["Grpo", "GrpoRow"]

REWARD = "synth.rewards.correct"
"""The function that rewards the completions of prompts."""

QUERY = f"""
SELECT p.id, p.unit, {PROBLEM}, p.answer, p.answer_kind, t.tried, t.good FROM kept_problems p LEFT JOIN (
  SELECT r.problem, count(s.value) AS tried, count(*) FILTER (s.value = 1) AS good
  FROM scores s JOIN rationales r ON r.id = s.target WHERE s.name = 'correct' AND s.part IS NULL GROUP BY r.problem
) t ON t.problem = p.id
WHERE p.answer IS NOT NULL ORDER BY p.source, p.id
"""


class GrpoRow(OfProblem):
    """Prompts with what their reward is computed from: TRL's prompt-only format, whose other columns go to the reward function."""

    prompt: list[Message] | str
    """The question."""
    answer: str
    """The gold answer; for choices the letter."""
    answer_kind: AnswerKind
    """How answers are compared."""
    choices: str
    """The options as a JSON list; `[]` where there are none."""
    reward: str
    """The function that gives the reward, as `module.function`."""
    tried: int
    """How many rationales of this run were compared with the gold answer."""
    right: int
    """How many of them had it: right / tried says how hard the problem was for their authors."""


class Grpo(Format):
    """Prompts with rewards."""

    name = "grpo"
    about = "prompts with what their reward is computed from"
    options = frozenset({"layout", "system"})
    trainers = frozenset({"trl", "axolotl"})
    why_not: ClassVar = {
        "llama-factory": "it has no trainer with reward functions",
        "openai": "its graders run there and cannot be given a function of ours",
    }
    row = GrpoRow

    def need(self, options: ExportOptions) -> Need:  # noqa: ARG002
        return Need(
            "problem with a gold answer",
            "SELECT count(*) FROM problems WHERE answer IS NOT NULL",
            "SELECT count(*) FROM kept_problems WHERE answer IS NOT NULL",
            "problems",
            "the input must have a column with the answers: --map answer=COLUMN",
        )

    def rows(self, store: Store, options: ExportOptions, left_out: LeftOut) -> Iterator[BaseModel]:
        for row in store.each(QUERY):
            if why := why_left_out(row, options, Thoughts("drop")):
                left_out.add(row["id"], why)
                continue
            asked = prompt(row, options)
            yield GrpoRow(
                **lineage(row | {"problem": row["id"]}),
                prompt=prompt_text(asked, options) if is_plain(options) else asked,
                answer=row["answer"],
                answer_kind=row["answer_kind"] or ("choice" if row["choices"] else "text"),
                choices=orjson.dumps(list(row["choices"] or ())).decode(),
                reward=REWARD,
                tried=row["tried"] or 0,
                right=row["good"] or 0,
            )

    def axolotl(self, options: ExportOptions) -> tuple[dict[str, Any], dict[str, Any]]:  # noqa: ARG002
        # The type null takes the rows as they stand; a prompt needs no chat template of the configuration.
        method = {
            "rl": "grpo",
            "trl": {"reward_funcs": [REWARD]},
            "remove_unused_columns": False,
            "chat_template": None,
        }
        return {"type": None}, method
