"""The catalogue: the pipelines that come with the package, by name."""

from __future__ import annotations

from pathlib import Path

from synth.bounded import nearest
from synth.errors import PipelineError
from synth.files import Reach
from synth.shipped import shipped

__all__ = ["catalogue", "find_pipeline"]


def catalogue() -> dict[str, Path]:
    """Every shipped pipeline by its name (`family/name`)."""
    root = shipped("pipelines")
    return {p.relative_to(root).with_suffix("").as_posix(): p for p in sorted(root.rglob("*.yaml"))}


def find_pipeline(name: str, *, reach: Reach | None = None) -> Path:
    """The file of a pipeline.

    Args:
        name: of the catalogue, whole or its last part where that is unambiguous; or the path of a file.
        reach: which files may be named; None: any, from the working folder.

    Raises:
        PipelineError: there is none.
        UserError: it is a file that may not be named.
    """
    known = catalogue()
    if name in known:
        return known[name]
    if name.endswith((".yaml", ".yml")):
        path = reach.find(name) if reach is not None else Path(name)
        if path.is_file():
            return path
        raise PipelineError(
            "there is no such pipeline file", where=name, remedy="see synth pipelines for those that are shipped"
        )
    short = [n for n in known if n.rsplit("/", 1)[-1] == name]
    if len(short) == 1:
        return known[short[0]]
    if short:
        raise PipelineError(f"{name!r} could be {' or '.join(short)}", remedy="give its whole name")
    near = nearest(name, [*known, *(n.rsplit("/", 1)[-1] for n in known)])
    remedy = (
        f"did you mean {near[0]!r}? " if near else ""
    ) + "synth pipelines lists them; a file of yours ends in .yaml"
    raise PipelineError(f"there is no pipeline {name!r}", remedy=remedy)
