"""What is made of a reply: entries of `make`, each a record whose fields are expressions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator

from synth.steps.make.entry import Answer, Expr, Make, Source, Unmakeable, part_key
from synth.steps.make.judgements import MakeCritique, MakeReject, MakeScore
from synth.steps.make.problem import MakeProblem
from synth.steps.make.texts import MakeNode, MakeRationale

__all__ = ["Answer", "Expr", "Make", "MakeCritique", "MakeScore", "Makes", "Source", "Unmakeable", "part_key"]

_KINDS: tuple[type[Make], ...] = (MakeScore, MakeCritique, MakeRationale, MakeProblem, MakeNode, MakeReject)


def _one_kind(value: Any) -> Any:
    """Which kind of entry a mapping is, by the key that only that one has."""
    if not isinstance(value, Mapping):
        return value
    found = [kind for kind in _KINDS if kind.one in value]
    # `step` and `option` of a score are parts; `problem` and so on are never beside another first key.
    if len(found) != 1:
        raise ValueError(
            f"an entry of make has one of the keys {', '.join(kind.one for kind in _KINDS)}, and this has {', '.join(map(str, value)) or 'none'}"
        )
    return found[0].model_validate(dict(value))


Makes = Annotated[
    MakeScore | MakeCritique | MakeRationale | MakeProblem | MakeNode | MakeReject, BeforeValidator(_one_kind)
]
"""An entry of `make`."""
