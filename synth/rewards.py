"""Rewards that can be verified, as reinforcement learning calls them: `reward_func(completions, **columns) -> list[float]`.

They read the columns of `grpo` rows (`synth export RUN --to grpo`) and stand on `synth.verify`: what counts as right in
training is what counted as right when the corpus was made. Completions are strings, or lists of messages.

    from synth.rewards import correct, think_format

    GRPOTrainer(model, reward_funcs=[correct, think_format], train_dataset=rows)

Rewards that other packages register under the entry point `synth.rewards` are names of this module too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from synth.plugins import functions
from synth.records import AnswerKind
from synth.verify import verify_answer

__all__ = ["all_rewards", "correct", "think_format"]

_OURS = ("correct", "think_format")
_THOUGHT = re.compile(r"\s*<think>((?:(?!</?think>).)*)</think>((?:(?!</?think>).)*)", re.DOTALL)


def correct(
    completions: Sequence[Any],
    answer: Sequence[str],
    answer_kind: Sequence[AnswerKind] | None = None,
    choices: Sequence[str] | None = None,
    **columns: Any,  # noqa: ARG001  # trainers hand over all they have
) -> list[float]:
    """1.0 for each completion that states the gold answer, else 0.0; also where none can be read or it takes too long.

    A thought (in `<think>` tags, or those of other model families) states nothing: what is read is what follows it, and a
    thought that does not end has no answer.

    Args:
        completions: what the model wrote.
        answer: the gold answers; for choices the letters.
        answer_kind: how they are compared; by their form if not given.
        choices: the options of each as a JSON list.
        columns: anything else a trainer hands over.

    Raises:
        ValueError: the columns are not as long as there are completions.
    """
    kinds = answer_kind if answer_kind is not None else [None] * len(completions)
    options = choices if choices is not None else ["[]"] * len(completions)
    return [
        float(verify_answer(_text(said), gold, kind=kind, choices=orjson.loads(given)).label == "right")
        for said, gold, kind, given in zip(completions, answer, kinds, options, strict=True)
    ]


def think_format(completions: Sequence[Any], **columns: Any) -> list[float]:  # noqa: ARG001
    """1.0 for each completion that is one thought in `<think>` tags with something after it, else 0.0 (arXiv:2501.12948)."""
    found = (_THOUGHT.fullmatch(_text(said)) for said in completions)
    return [float(bool(m and m[1].strip() and m[2].strip())) for m in found]


def _text(completion: Any) -> str:
    """What a model wrote, however a trainer hands it over; a message that only calls a tool is empty."""
    if isinstance(completion, str):
        return completion
    said = completion[-1].get("content") if completion else ""
    if isinstance(said, list):  # in parts, as models that see images have it
        return "".join(part.get("text") or "" for part in said)
    return said or ""


def all_rewards() -> dict[str, Callable[..., list[float]]]:
    """Every reward by its name: ours, and those that other packages register under the entry point `synth.rewards`."""
    return {"correct": correct, "think_format": think_format, **functions("synth.rewards", _OURS)}


def __getattr__(name: str) -> Callable[..., list[float]]:
    """A reward of another package, so that `synth.rewards.NAME` is a path trainers can import."""
    if not name.startswith("_") and (found := functions("synth.rewards", _OURS).get(name)) is not None:
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
