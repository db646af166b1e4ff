"""All formats by name: ours, a module each, and those other packages register under the entry point `synth.formats`."""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic import BaseModel

from synth.bounded import nearest
from synth.errors import UserError
from synth.export.format import Format
from synth.export.formats.contrast import Contrast
from synth.export.formats.dpo import Dpo
from synth.export.formats.grpo import Grpo
from synth.export.formats.judge import Judge
from synth.export.formats.kto import Kto
from synth.export.formats.parquet import Tables
from synth.export.formats.prm import Prm
from synth.export.formats.reward import Reward
from synth.export.formats.sft import Sft
from synth.export.formats.steps import Steps
from synth.export.formats.twins import Twins
from synth.plugins import plugins

__all__ = ["BUILT_IN", "FORMATS", "ROWS", "all_formats", "format_of"]

BUILT_IN: tuple[type[Format], ...] = (Sft, Dpo, Kto, Prm, Steps, Grpo, Reward, Judge, Contrast, Twins, Tables)
"""In the order in which people look for them."""

FORMATS: dict[str, type[BaseModel]] = {kind.name: kind.row for kind in BUILT_IN if kind is not Tables}
"""The row types of our formats by name, as TRL reads them."""

ROWS: dict[str, type[BaseModel]] = {
    **FORMATS,
    **{name: row for kind in BUILT_IN for name, row in kind.variants.items()},
}
"""Every row type of ours, by the name of its JSON Schema."""


@cache
def all_formats() -> dict[str, Format]:
    """Every format by its name."""
    formats = {kind.name: kind() for kind in BUILT_IN}
    others = plugins("synth.formats", formats, _wrong_format)
    return {**formats, **{name: kind() for name, kind in others.items()}}


def _wrong_format(name: str, thing: Any) -> str | None:
    """Why an object is not a format of that name; None where it is one."""
    if isinstance(thing, type) and issubclass(thing, Format) and getattr(thing, "name", None) == name:
        return None
    return f"it is not a class derived from Format with the name {name}"


def format_of(name: str) -> Format:
    """The format of that name.

    Raises:
        UserError: there is none.
    """
    formats = all_formats()
    if name not in formats:
        near = nearest(name, formats)
        fix = f"formats: {', '.join(formats)}"
        raise UserError(f"there is no format {name!r}", fix=f"did you mean {near[0]}? {fix}" if near else fix)
    return formats[name]
