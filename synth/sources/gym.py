"""Procedural problems of the `reasoning-gym` package."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from synth.bounded import nearest
from synth.errors import InputError, SetupError
from synth.generators.query import name_and_options
from synth.sources.files import Row

__all__ = ["gym_rows"]


def gym_rows(name: str) -> Iterator[Row]:
    """The rows of `TASK?size=100&seed=1` and further options of the task, each with the metadata of its item.

    The verifier `gym` judges answers to them by the scoring function of the task, from `gym_task`, `gym_options` and `gym_index`.

    Raises:
        SetupError: the package is not installed.
        InputError: there is no such task, or it does not know an option.
    """
    try:
        import reasoning_gym
        from reasoning_gym.factory import DATASETS
    except ImportError as error:
        raise SetupError(
            "procedural problems need an extra", where=f"gym:{name}", fix="pip install 'synth-rationales[gym]'"
        ) from error
    task, given = name_and_options(name, f"gym:{name}")
    if task not in DATASETS:
        near = nearest(task, DATASETS, n=3)
        raise InputError(
            f"reasoning-gym has no task {task!r}",
            fix=f"did you mean {' or '.join(near)}?" if near else "see its documentation",
        )
    options: dict[str, Any] = {"size": 100, "seed": 1}
    for key, value in given.items():
        options[key] = _number(value)
    try:
        dataset = reasoning_gym.create_dataset(task, **options)
    except (TypeError, ValueError, AssertionError) as error:
        raise InputError(f"reasoning-gym refuses these options: {error}", where=f"gym:{name}") from error
    for number, item in enumerate(dataset, 1):
        yield (
            number,
            {
                "question": item["question"],
                "answer": item["answer"],
                "gym_task": task,
                "gym_seed": options["seed"],
                "gym_index": number - 1,
                "gym_options": options,
                "gym_metadata": item.get("metadata", {}),
            },
        )


def _number(value: str) -> Any:
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value
