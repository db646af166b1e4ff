"""The named audits of a run, where this installation has them."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

__all__ = ["Verdict", "verdicts"]


class Verdict(Protocol):
    """How one audit ended, as far as pages show it."""

    name: str
    severity: str
    status: str
    value: Any
    threshold: Any
    meaning: str
    remedy: str
    examples: Sequence[Any]


def verdicts(run: Path) -> list[Verdict]:
    """What the audits say of a run; nothing where there are none."""
    run_audits = getattr(import_module("synth.audit"), "run_audits", None)
    return list(run_audits(run)) if run_audits is not None else []
