"""The row types of `grpo`: as TRL reads them, and as other trainers do."""

from __future__ import annotations

from typing import Literal

import orjson

from synth.export.row import Message, OfProblem, Row
from synth.records import AnswerKind

__all__ = ["GrpoRow", "NemoRlRow", "OpenRlhfRow", "VerlRow", "nemo_rl", "openrlhf", "verl"]


class Tried(OfProblem):
    """What a curriculum is made of, besides the lineage."""

    stage: int
    """Position in a curriculum, from 0; -1 where there is none."""
    tried: int
    """How many rationales of this run were compared with the gold answer."""
    right: int
    """How many of them had it: right / tried says how hard the problem was for their authors."""


class GrpoRow(Tried):
    """Prompts with what their reward is computed from: TRL's prompt-only format, whose other columns go to the reward function."""

    prompt: list[Message] | str
    """The question."""
    answer: str
    """The gold answer; for choices the letter. Empty where there is none."""
    solution: str
    """The same: where TRL's own `accuracy_reward` looks for it."""
    answer_kind: AnswerKind
    """How answers are compared."""
    choices: str
    """The options as a JSON list; `[]` where there are none."""
    reward: str
    """The function that gives the reward, as `module.function`; `synth.rewards.by_column` calls it."""
    reward_args: str
    """Its options, as a JSON object; `{}` for its defaults."""
    begun: str
    """The beginning of a reply from which the model continues; empty where it begins itself."""


class GroundTruth(Row):
    """What verl compares with."""

    style: Literal["rule"]
    """That a function rewards, and no model."""
    ground_truth: str
    """The gold answer."""


class ExtraInfo(Tried):
    """What verl hands to the function that rewards, besides the answer."""

    index: str
    """Id of the problem."""
    answer_kind: AnswerKind
    """As in rows for TRL, and so are the others."""
    choices: str
    reward: str
    reward_args: str
    begun: str


class VerlRow(Row):
    """A row of verl's RL data; `synth.rewards.verl` has the function that rewards."""

    data_source: str
    """`synth/` and the name of the reward: a name that none of verl's own rewards takes."""
    prompt: list[Message]
    """The question."""
    ability: str
    """How answers are compared."""
    reward_model: GroundTruth
    """The gold answer."""
    extra_info: ExtraInfo
    """What else the reward reads, and the lineage."""


class NemoRlRow(Tried):
    """A row of NeMo-RL for GRPO: the question, and the gold answer as the turn of the assistant. Its environments have rewards of their own."""

    messages: list[Message]
    """The question and the gold answer."""
    task_name: str
    """How answers are compared: which of its environments rewards is set by this name."""


class OpenRlhfRow(Tried):
    """A row of OpenRLHF for RL with verifiable rewards; `synth.rewards.openrlhf` has the function that rewards."""

    input: list[Message] | str
    """The question."""
    label: str
    """What the reward reads, as a JSON object: `answer`, `answer_kind`, `choices`, `reward`, `reward_args` and `begun` as in rows for TRL."""
    datasource: str
    """`synth/` and the name of the reward."""


_LINEAGE = ("record_id", "problem_id", "unit", "source", "stage", "tried", "right")


def _kept(row: GrpoRow, *names: str) -> dict[str, object]:
    return {name: getattr(row, name) for name in (*_LINEAGE, *names)}


def _data_source(row: GrpoRow) -> str:
    return f"synth/{row.reward.rpartition('.')[2]}"


def verl(row: GrpoRow) -> VerlRow:
    """A row as verl reads it."""
    more = _kept(row, "answer_kind", "choices", "reward", "reward_args", "begun")
    return VerlRow.model_validate(
        {
            "data_source": _data_source(row),
            "prompt": row.prompt,
            "ability": row.answer_kind,
            "reward_model": {"style": "rule", "ground_truth": row.answer},
            "extra_info": {**more, "index": row.problem_id},
        }
    )


def nemo_rl(row: GrpoRow) -> NemoRlRow:
    """A row as NeMo-RL reads it."""
    answer = Message(role="assistant", content=row.answer)
    return NemoRlRow.model_validate({**_kept(row), "messages": [*row.prompt, answer], "task_name": row.answer_kind})


def openrlhf(row: GrpoRow) -> OpenRlhfRow:
    """A row as OpenRLHF reads it."""
    names = ("answer", "answer_kind", "choices", "reward", "reward_args", "begun")
    label = orjson.dumps({name: getattr(row, name) for name in names}).decode()
    return OpenRlhfRow.model_validate(
        {**_kept(row), "input": row.prompt, "label": label, "datasource": _data_source(row)}
    )
