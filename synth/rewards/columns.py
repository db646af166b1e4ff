"""The reward that the column `reward` names, so that one run trains on problems of several kinds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from synth.errors import UserError
from synth.rewards.registry import BatchReward, entry, is_column

__all__ = ["by_column", "reward_of_row"]

_DEFAULT = "correct"


def by_column(completions: Sequence[Any], **columns: Any) -> list[float | None]:
    """Each completion's reward by the function that its row names in the column `reward`, with the arguments in `reward_args`.

    Args:
        completions: what the model wrote.
        columns: `reward`, a name of `synth.rewards` (`correct` or `synth.rewards.correct`; empty for `correct`) a row; `reward_args`, a
            JSON object a row; and all columns that these rewards need.

    Raises:
        UserError: there is no column `reward`, or no reward of a name in it; and as those rewards.
    """
    n = len(completions)
    named = columns.get("reward")
    if not is_column(named, n):
        raise UserError(
            "by_column reads the column 'reward', and these rows have none with a name for each completion",
            fix="export with --to grpo, or take a reward by its own name",
        )
    places: dict[str, list[int]] = {}
    for i, name in enumerate(named):  # type: ignore[arg-type]
        places.setdefault(name or _DEFAULT, []).append(i)
    found = {name: _named(name, f"completion {rows[0]}") for name, rows in places.items()}
    values: list[float | None] = [None] * n
    for name, rows in places.items():
        known = entry(found[name])
        # A column with the name of an option is none of it: options of a row stand in reward_args.
        options = set() if known is None else set(known.options.model_fields)
        mine = {c: [v[i] for i in rows] if is_column(v, n) else v for c, v in columns.items() if c not in options}
        for i, value in zip(rows, found[name]([completions[i] for i in rows], **mine), strict=True):
            values[i] = value
    return values


def _named(name: str, where: str) -> BatchReward:
    """The reward of a name in a row. A row is data: it can name a registered function, and no other."""
    from synth.rewards import all_rewards

    there = all_rewards()
    found = there.get(name.removeprefix("synth.rewards."))
    if found is None:
        raise UserError(f"there is no reward {name!r}", where=where, fix=f"rewards: {', '.join(sorted(there))}")
    return found


def reward_of_row(completion: Any, row: Mapping[str, Any]) -> float | None:
    """The reward of one completion by the function that its row names; a reward over a group sees this completion alone.

    Args:
        completion: what the model wrote.
        row: the columns of its row, as `grpo` rows have them.

    Raises:
        UserError: as `by_column`.
    """
    return by_column([completion], **{name: [value] for name, value in row.items()})[0]
