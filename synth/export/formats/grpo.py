"""`grpo`: kept problems with what the reward of a completion is computed from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import orjson
from pydantic import BaseModel

from synth.errors import UserError
from synth.export.format import Format, LeftOut, Need, Reshaped
from synth.export.formats.grpo_rows import (
    GrpoRow,
    NemoRlRow,
    OpenRlhfRow,
    VerlRow,
    nemo_rl,
    openrlhf,
    verl,
)
from synth.export.options import ExportOptions
from synth.export.records import PROBLEM, is_plain, lineage, why_left_out
from synth.export.row import Message
from synth.export.wording import Conversation, Thoughts, prompt, prompt_text
from synth.records import Problem
from synth.rewards.registry import check_args, entry
from synth.store.database import Store

__all__ = ["Grpo"]

REWARD = "synth.rewards.by_column"
"""The function that rewards the completions of all rows: by what each names."""
LABEL_FREE = "majority_share"
"""The reward of a problem without a gold answer that names none, where that of the export needs one."""
SINGLE = {"verifiers", "openrlhf"}
"""Trainers that show a reward one completion at a time."""

_GIVEN = {
    "question",
    "answer",
    "answer_kind",
    "choices",
    "begun",
    "stage",
    "reward",
    "meta",
    "media",
    "parent",
    "source",
}
_OF_PROBLEM = sorted(set(Problem.model_fields) - _GIVEN - {"id", "unit", "step"})
"""The fields of a problem that stand in no column, and that a reward may read: then they stand among its arguments."""


def _query(options: ExportOptions) -> str:
    fields = ", ".join(f"to_json(p.{name}) AS p_{name}" for name in _OF_PROBLEM)
    return f"""
SELECT p.id, p.unit, {PROBLEM}, p.answer, p.answer_kind, p.reward, p.begun, p.stage, {fields}, t.tried, t.good FROM kept_problems p LEFT JOIN (
  SELECT r.problem, count(s.value) AS tried, count(*) FILTER (s.value = 1) AS good
  FROM scores s JOIN rationales r ON r.id = s.target WHERE s.name = 'correct' AND s.part IS NULL GROUP BY r.problem
) t ON t.problem = p.id
WHERE {_which("p.", options)} ORDER BY p.source, p.id
"""


def _which(of: str, options: ExportOptions) -> str:
    return "true" if options.label_free else f"({of}answer IS NOT NULL OR {of}reward IS NOT NULL)"


class Grpo(Format):
    """Prompts with rewards."""

    name = "grpo"
    about = "prompts with what their reward is computed from"
    options = frozenset({"layout", "system", "reward", "reward_args", "label_free", "begun", "by_stage", "environment"})
    trainers = frozenset({"trl", "axolotl", "verl", "nemo-rl", "openrlhf", "verifiers"})
    why_not: ClassVar = {
        "llama-factory": "it has no trainer with reward functions",
        "openai": "its graders run there and cannot be given a function of ours",
    }
    row = GrpoRow
    variants: ClassVar = {"verl": VerlRow, "nemo-rl": NemoRlRow, "openrlhf": OpenRlhfRow}
    reshaped: ClassVar = {
        "verl": Reshaped(VerlRow, verl),
        "nemo-rl": Reshaped(NemoRlRow, nemo_rl),
        "openrlhf": Reshaped(OpenRlhfRow, openrlhf),
    }

    def check(self, options: ExportOptions) -> None:
        if is_plain(options) and options.trainer in {"verl", "nemo-rl", "verifiers"}:
            raise UserError(f"{options.trainer} takes conversations only", fix="leave --layout plain out")
        if options.trainer == "verifiers" and options.file_format != "jsonl":
            raise UserError("the package for verifiers reads JSONL", fix="leave --file-format out")
        if options.begun == "prefill" and not is_plain(options):
            raise UserError(
                "--begun prefill: trainers close a turn of the assistant at the end of a conversation and open another",
                fix="take --layout plain too, or leave --begun out: the beginning then stands in the question",
            )
        if options.trainer == "nemo-rl" and options.label_free:
            raise UserError("NeMo-RL has the gold answer in every row", fix="leave --label-free out")
        if options.environment is not None and options.trainer != "verifiers":
            raise UserError("--environment names a package for verifiers", fix="add --for verifiers, or leave it out")
        self._checked(options.reward, options.reward_args, "--reward")

    def need(self, options: ExportOptions) -> Need:
        which = _which("", options)
        return Need(
            "problem with a gold answer or a reward",
            f"SELECT count(*) FROM problems WHERE {which}",
            f"SELECT count(*) FROM kept_problems WHERE {which}",
            "problems",
            "the input must have a column with the answers: --map answer=COLUMN; or take --label-free",
        )

    def row_type(self, options: ExportOptions) -> type[BaseModel]:
        return self.reshaped[options.trainer].row if options.trainer in self.reshaped else self.row

    def as_read(self, row: BaseModel, options: ExportOptions) -> BaseModel:
        return self.reshaped[options.trainer].of(row) if options.trainer in self.reshaped else row

    def rows(self, store: Store, options: ExportOptions, left_out: LeftOut) -> Iterator[BaseModel]:
        for row in store.each(_query(options)):
            reward, args = self._reward(row, options)
            why = why_left_out(row, options, Thoughts("drop")) or self._why(row, reward, args, options)
            if why:
                left_out.add(row["id"], why)
                continue
            yield GrpoRow(
                **lineage(row | {"problem": row["id"]}),
                prompt=_prompt(row, options),
                answer=row["answer"] or "",
                solution=row["answer"] or "",
                answer_kind=row["answer_kind"] or ("choice" if row["choices"] else "text"),
                choices=orjson.dumps(list(row["choices"] or ())).decode(),
                reward=f"synth.rewards.{reward}",
                reward_args=orjson.dumps(args).decode(),
                begun=row["begun"] or "",
                stage=-1 if row["stage"] is None else row["stage"],
                tried=row["tried"] or 0,
                right=row["good"] or 0,
            )

    def _reward(self, row: Mapping[str, Any], options: ExportOptions) -> tuple[str, dict[str, Any]]:
        """The reward of a problem and its arguments; those named as a field of the problem have its value.

        Raises:
            UserError: there is no such reward, or its arguments do not fit.
        """
        if (own := _json(row["reward"])) is not None:
            name, args = own["name"], dict(own.get("args") or {})
        else:
            name, args = options.reward, dict(options.reward_args)
            known = self._named(name)
            if row["answer"] is None and known is not None and "answer" in known.needs:
                name, args = LABEL_FREE, {}
        named = self._named(name, f"the reward of {row['id']}")
        if named is not None:
            for field in _OF_PROBLEM:
                reads = field in named.options.model_fields or field in named.columns
                if reads and field not in args and (value := _json(row[f"p_{field}"])):
                    args[field] = value
        self._checked(name, args, f"the reward of {row['id']}")
        return name, args

    def _why(self, row: Mapping[str, Any], reward: str, args: Mapping[str, Any], options: ExportOptions) -> str | None:
        """Why a problem cannot be rewarded, if it cannot."""
        known = self._named(reward)
        for field in known.needs if known is not None else ():
            if field in Problem.model_fields and not args.get(field) and not row.get(field):
                return f"its reward {reward} reads its {field}, and it has none"
        if known is not None and known.group and options.trainer in SINGLE:
            return f"its reward {reward} compares the completions of a problem, and {options.trainer} shows it one at a time"
        if options.trainer == "nemo-rl" and row["answer"] is None:
            return "NeMo-RL has the gold answer in every row, and it has none"
        return None

    @staticmethod
    def _named(name: str, where: str | None = None) -> Any:
        from synth.rewards import all_rewards

        there = all_rewards()
        if name not in there:
            raise UserError(f"there is no reward {name!r}", where=where, fix=f"rewards: {', '.join(sorted(there))}")
        return entry(there[name])

    def _checked(self, name: str, args: Mapping[str, Any], where: str) -> None:
        known = self._named(name, where)
        if known is not None:  # else it is of another package, and its arguments are its own
            check_args(known, args, where)

    def axolotl(self, options: ExportOptions) -> tuple[dict[str, Any], dict[str, Any]]:  # noqa: ARG002
        # The type null takes the rows as they stand; a prompt needs no chat template of the configuration.
        method = {
            "rl": "grpo",
            "trl": {"reward_funcs": [REWARD]},
            "remove_unused_columns": False,
            "chat_template": None,
        }
        return {"type": None}, method


def _prompt(row: dict[str, Any], options: ExportOptions) -> Conversation | str:
    """The question; a beginning that the reply has stands in it, or in plain rows with `prefill` behind it."""
    begun, prefill = row["begun"], options.begun == "prefill"
    more = (
        ""
        if not begun or prefill
        else f"\n\nThe solution so far:\n{begun}\n\nContinue it. Do not repeat what is there."
    )
    asked: list[Message] = prompt(row, options, more)
    if not is_plain(options):
        return asked
    return prompt_text(asked, options) + (begun if begun and prefill else "")


def _json(value: Any) -> Any:
    """A JSON column, as text or as the store has read it."""
    return orjson.loads(value) if isinstance(value, (str, bytes)) else value
