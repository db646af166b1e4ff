"""Which sandboxes this machine has."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from synth.errors import SetupError
from synth.sandbox.base import Sandbox
from synth.sandbox.bubblewrap import Bubblewrap
from synth.sandbox.monty import Monty

__all__ = ["PYTHON", "choose", "why_none"]

PYTHON = "SYNTH_SANDBOX_PYTHON"
"""The environment variable that names another Python for bubblewrap, such as that of a virtual environment with numpy."""


@cache
def _found() -> tuple[tuple[Sandbox, ...], tuple[str, ...]]:
    """The sandboxes that work here, and why the others do not. Asked once a process: finding out starts one."""
    python = os.environ.get(PYTHON)
    tried: list[Monty | Bubblewrap] = [Monty(), Bubblewrap(Path(python) if python else None)]
    reasons = [(one, one.missing()) for one in tried]
    return tuple(one for one, why in reasons if why is None), tuple(
        f"{o.name}: {w}" for o, w in reasons if w is not None
    )


def why_none(names: Sequence[str] = ()) -> str | None:
    """Why no program can be run on this machine; None where one can.

    Args:
        names: the sandboxes that may be used; any if empty.
    """
    usable, reasons = _found()
    if any(not names or one.name in names for one in usable):
        return None
    return (
        "; ".join(r for r in reasons if not names or r.partition(":")[0] in names) or f"no sandbox {', '.join(names)}"
    )


def choose(names: Sequence[str] = ()) -> tuple[Sandbox, ...]:
    """The sandboxes of this machine, the fastest first: a program is run in the next where one does not support it.

    Args:
        names: only these, in this order; all if empty.

    Raises:
        SetupError: there is none.
    """
    usable, _ = _found()
    by_name = {one.name: one for one in usable}
    chosen = tuple(by_name[name] for name in (names or by_name) if name in by_name)
    if not chosen:
        raise SetupError(
            f"there is no sandbox in which programs can be run ({why_none(names)})",
            fix="pip install 'synth-rationales[code]' (Monty), or install bubblewrap (apt install bubblewrap) on Linux",
        )
    return chosen
