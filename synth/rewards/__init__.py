"""Rewards that can be verified, as reinforcement learning calls them: `reward(completions, **columns) -> list[float | None]`.

They read the columns of `grpo` rows (`synth export RUN --to grpo`) and stand on `synth.verify`: what counts as right in
training is what counted as right when the corpus was made. Completions are strings, or lists of messages.

    from synth.rewards import by_column, think_format

    GRPOTrainer(model, reward_funcs=[by_column, think_format], train_dataset=rows)

`by_column` takes the reward that each row names. Rewards that other packages register under the entry point `synth.rewards` are
names of this module too. A reward of your own is written with `synth.rewards.registry.reward`.
"""

from __future__ import annotations

from synth.plugins import functions
from synth.rewards.answers import correct, think_format
from synth.rewards.columns import by_column
from synth.rewards.constrained import constraints
from synth.rewards.graded import action, numeric_smooth, ranking, set_match
from synth.rewards.groups import majority, majority_share
from synth.rewards.lengths import length_band, segments_penalty
from synth.rewards.partial import partial, step_similarity
from synth.rewards.programs import tests_passed
from synth.rewards.registry import BatchReward, our_rewards
from synth.rewards.route import route
from synth.rewards.steps import length_shape, step_aggregate
from synth.rewards.tags import tags

__all__ = [
    "action",
    "all_rewards",
    "by_column",
    "constraints",
    "correct",
    "length_band",
    "length_shape",
    "majority",
    "majority_share",
    "numeric_smooth",
    "partial",
    "ranking",
    "route",
    "segments_penalty",
    "set_match",
    "step_aggregate",
    "step_similarity",
    "tags",
    "tests_passed",
    "think_format",
]


def all_rewards() -> dict[str, BatchReward]:
    """Every reward by its name: ours, and those that other packages register under the entry point `synth.rewards`."""
    ours = {name: known.function for name, known in our_rewards().items()}
    return {**ours, **functions("synth.rewards", tuple(sorted(ours)))}


def __getattr__(name: str) -> BatchReward:
    """A reward of another package, so that `synth.rewards.NAME` is a path trainers can import."""
    if not name.startswith("_") and (found := all_rewards().get(name)) is not None:
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
