"""What formats of preference pairs have in common: `dpo` and `reward`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from pydantic import BaseModel

from synth.export.format import Format, LeftOut, Need
from synth.export.options import ExportOptions
from synth.export.records import CHAT_TAGS, PROBLEM, WRITTEN, is_plain, lineage, rest, thoughts_of, why_left_out
from synth.export.row import Message, Paired
from synth.export.wording import Conversation, Thoughts, Writing, completion_text, prompt, prompt_text, reply
from synth.store.database import Store

__all__ = ["PAIRS", "SIDES", "PreferenceFormat", "RankingRow", "Turns", "lineage_of_pair", "ranking", "same_words"]

PAIRS = Need(
    "pair",
    "SELECT count(*) FROM pairs",
    "SELECT count(*) FROM kept_pairs",
    "pairs",
    "a step 'pair' makes them, of rationales that were scored (such as by 'verify_answer') and before the losers are rejected",
)
SIDES = ("chosen", "rejected")

QUERY = f"""
WITH repeated AS (
  SELECT j.target, any_value(j.rule) AS rule FROM rejections j JOIN pipeline_steps s ON s.name = j.step
  WHERE s.step IN ('deduplicate', 'near_duplicates', 'decontaminate') GROUP BY j.target)
SELECT a.*, {PROBLEM}, {WRITTEN.format("c", "chosen_")}, c.model AS chosen_model,
  {WRITTEN.format("d", "rejected_")}, d.model AS rejected_model, x.rule AS chosen_out, y.rule AS rejected_out,
  c.steps AS chosen_steps, c.segmenter AS chosen_segmenter, d.steps AS rejected_steps, d.segmenter AS rejected_segmenter
FROM kept_pairs a JOIN problems p ON p.id = a.problem JOIN rationales c ON c.id = a.chosen JOIN rationales d ON d.id = a.rejected
LEFT JOIN repeated x ON x.target = c.id LEFT JOIN repeated y ON y.target = d.id
ORDER BY p.source, a.problem, a.id
"""


class RankingRow(Paired):
    """Preference pairs as LLaMA-Factory (`sharegpt`, `ranking`) and Axolotl (`chat_template.default`) read them."""

    messages: list[Message]
    """The question."""
    chosen: Message
    """The preferred rationale."""
    rejected: Message
    """The other one."""
    margin: float
    """By how much one is preferred, in the units of the reason; 0 where it has none."""
    prefix: str | None = None
    """The steps that both sides share, as they stand in the prompt or at the beginning of both sides (`--prefix`); a column where
    it was asked for."""


def ranking(row: Any) -> BaseModel:
    """A pair in the columns of `RankingRow`."""
    said = {"messages": row.prompt, "chosen": row.chosen[0], "rejected": row.rejected[0]}
    return RankingRow(**rest(row, "prompt", "chosen", "rejected"), **said)


class Turns(NamedTuple):
    """The texts of a pair."""

    asked: Conversation
    chosen: Conversation
    rejected: Conversation
    prefix: str | None = None
    """What both sides share; in plain rows it is the end of the prompt."""


class PreferenceFormat(Format):
    """A format whose rows are kept pairs, whole."""

    def need(self, options: ExportOptions) -> Need:  # noqa: ARG002
        return PAIRS

    def states_margin(self, options: ExportOptions) -> bool:  # noqa: ARG002
        """Whether the column `margin` has the margin of the pair."""
        return True

    def absent(self, options: ExportOptions) -> frozenset[str]:
        return frozenset({"prefix"} if options.prefix == "none" else ())

    def turns(
        self, row: dict[str, Any], sides: Sequence[Writing], thoughts: Thoughts, options: ExportOptions
    ) -> Turns | str:
        """The texts of a row; or why there is none."""
        chosen, rejected = (reply(side, thoughts, options) for side in sides)
        return Turns(prompt(row, options), chosen, rejected)

    def llama_factory(self, options: ExportOptions) -> dict[str, Any]:
        plain = is_plain(options)
        columns = {"prompt": "prompt"} if plain else {"messages": "messages"}
        columns |= {"chosen": "chosen", "rejected": "rejected"}
        entry = {"formatting": "alpaca" if plain else "sharegpt", "ranking": True, "columns": columns}
        return entry if plain else {**entry, "tags": CHAT_TAGS}

    def rows(self, store: Store, options: ExportOptions, left_out: LeftOut) -> Iterator[BaseModel]:
        thoughts = thoughts_of(self, store, options)
        plain = is_plain(options)
        for row in store.each(QUERY):
            # Both sides state their own answer: the loser must be seen to lose.
            sides = [Writing.of(row, "chosen_"), Writing.of(row, "rejected_")]
            out = [f"its {side} side was rejected: {row[f'{side}_out']}" for side in SIDES if row[f"{side}_out"]]
            if why := (out[0] if out else why_left_out(row, options, thoughts, *sides)):
                left_out.add(row["id"], why)
                continue
            turns = self.turns(row, sides, thoughts, options)
            if isinstance(turns, str):
                left_out.add(row["id"], turns)
                continue
            asked, chosen, rejected, prefix = turns
            if same_words(chosen, rejected):
                left_out.add(row["id"], "its chosen and rejected sides are equal")
                continue
            yield self.row(
                **lineage_of_pair(row),
                **({} if prefix is None else {"prefix": prefix}),
                prompt=prompt_text(asked, options) + (prefix or "") if plain else asked,
                chosen=completion_text(chosen, options) if plain else chosen,
                rejected=completion_text(rejected, options) if plain else rejected,
                margin=(row["margin"] or 0.0) if self.states_margin(options) else 0.0,
            )


def lineage_of_pair(row: dict[str, Any]) -> dict[str, Any]:
    """The columns of `Paired`."""
    first = row["first_differing_step"]
    return {
        **lineage(row),
        "chosen_id": row["chosen"],
        "rejected_id": row["rejected"],
        "reason": row["reason"],
        "first_differing_step": -1 if first is None else first,
        "length_difference": row["length_difference"],
        "chosen_model": row["chosen_model"] or "",
        "rejected_model": row["rejected_model"] or "",
    }


def same_words(chosen: Conversation, rejected: Conversation) -> bool:
    """Whether a trainer sees no difference between two turns but white space."""
    return _words(chosen) == _words(rejected)


def _words(turn: Conversation) -> list[list[str]]:
    return [(text or "").split() for text in (turn[0].content, turn[0].reasoning_content, turn[0].thinking)]
