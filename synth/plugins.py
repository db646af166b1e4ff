"""What other packages add under an entry point: steps, corpus steps, sources, rewards (docs/plugins.md)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import cache
from importlib.metadata import entry_points
from typing import Any

__all__ = ["functions", "plugins", "wrong_step"]

_LOG = logging.getLogger(__name__)


def plugins(group: str, taken: Iterable[str], wrong: Callable[[str, Any], str | None]) -> dict[str, Any]:
    """What installed packages register under an entry point, by name.

    What cannot be used is left out, with a warning in the log that names the package: a pipeline that does not use it must still run.

    Args:
        group: the entry point, such as `synth.steps`.
        taken: names that synth uses itself; no package can replace these.
        wrong: says why an object cannot be what its name says, as a clause; None where it can.
    """
    found: dict[str, Any] = {}
    for point in sorted(entry_points(group=group), key=lambda p: (p.name, p.value)):
        where = f"{point.dist.name if point.dist else point.value} ({group}: {point.name})"
        if point.name in taken or point.name in found:
            _LOG.warning("%s is not used: the name is taken", where)
            continue
        try:
            thing = point.load()
        except Exception as error:  # noqa: BLE001  # anything that the Python of another package raises
            _LOG.warning("%s is not used: it cannot be loaded: %s: %s", where, type(error).__name__, error)
            continue
        if (reason := wrong(point.name, thing)) is not None:
            _LOG.warning("%s is not used: %s", where, reason)
            continue
        found[point.name] = thing
    return found


@cache
def functions(group: str, taken: tuple[str, ...]) -> dict[str, Callable[..., Any]]:
    """The functions that installed packages register under an entry point, by name."""
    return plugins(group, taken, lambda _, thing: None if callable(thing) else "it is not a function")


def wrong_step(base: type) -> Callable[[str, Any], str | None]:
    """Says why an object is not a step of a kind under its name."""

    def wrong(name: str, thing: Any) -> str | None:
        if not (isinstance(thing, type) and issubclass(thing, base)):
            return f"it is not a class derived from {base.__name__}"
        field = thing.model_fields.get("step")  # type: ignore[attr-defined]
        if field is None or field.default != name:
            return f'its option is not step: Literal["{name}"] = "{name}"'
        return None

    return wrong
