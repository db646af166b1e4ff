"""The rewards of `grpo` rows for OpenRLHF (`synth export RUN --to grpo --for openrlhf`), as the file that it loads `reward_func` from.

--reward.remote_url $(python -c "import synth.rewards.openrlhf as m; print(m.__file__)")
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from synth.errors import UserError
from synth.rewards.columns import by_column

__all__ = ["reward_func"]


def reward_func(queries: Sequence[str], prompts: Sequence[str], labels: Sequence[str], **more: Any) -> dict[str, Any]:  # noqa: ARG001
    """The rewards of completions; 0.0 where one has none, for OpenRLHF knows no other value.

    Args:
        queries: prompt and completion as one text.
        prompts: the prompts.
        labels: the column `label`: a JSON object with what the reward reads.
        more: anything else; not read.

    Raises:
        UserError: a label is no such object.
    """
    rows = [_row(label) for label in labels]
    names = sorted({name for row in rows for name in row})
    # The prompt of a chat template may lose its special tokens on the way through the tokenizer: then the completion is not cut off.
    said = [query.removeprefix(prompt) for query, prompt in zip(queries, prompts, strict=True)]
    found = by_column(said, **{name: [row.get(name) for row in rows] for name in names})
    values = [0.0 if value is None else value for value in found]
    return {"rewards": values, "scores": values, "extra_logs": {}}


def _row(label: str) -> dict[str, Any]:
    try:
        row = orjson.loads(label)
    except orjson.JSONDecodeError:
        row = None
    if not isinstance(row, dict):
        raise UserError(
            f"the label {label[:80]!r} is not a JSON object",
            fix="export with --to grpo --for openrlhf, and --data.label_key label",
        )
    return row
