"""The rewards of `grpo` rows for verl (`synth export RUN --to grpo --for verl`), as its custom reward function.

    reward.custom_reward_function.path=pkg://synth.rewards.verl reward.custom_reward_function.name=compute_score

Rewards over a group need the reward manager `batch`, which hands over a whole batch, and the name `compute_scores`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from synth.rewards.columns import by_column

__all__ = ["compute_score", "compute_scores"]

_COLUMNS = ("answer_kind", "choices", "reward", "reward_args", "begun", "problem_id")


def compute_score(
    data_source: str, solution_str: str, ground_truth: str, extra_info: Mapping[str, Any] | None = None, **more: Any
) -> float:
    """The reward of one completion; 0.0 where it has none, for verl knows no other value.

    Args:
        data_source: `synth/` and the name of the reward; not read.
        solution_str: what the model wrote.
        ground_truth: the gold answer.
        extra_info: the other columns that rewards read.
        more: anything else; not read.
    """
    return compute_scores([data_source], [solution_str], [ground_truth], [extra_info or {}], **more)[0]


def compute_scores(
    data_sources: Sequence[str],  # noqa: ARG001  # the name that verl gives it
    solution_strs: Sequence[str],
    ground_truths: Sequence[str],
    extra_infos: Sequence[Mapping[str, Any]],
    **more: Any,  # noqa: ARG001
) -> list[float]:
    """The rewards of a batch; arguments as those of `compute_score`, one of each for a completion."""
    columns = {name: [info.get(name) for info in extra_infos] for name in _COLUMNS}
    rewards = by_column(list(solution_strs), answer=list(ground_truths), **columns)
    return [0.0 if value is None else value for value in rewards]
