"""The catalogue: the pipelines that come with the package, by name."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

from synth.errors import PipelineError
from synth.shipped import shipped

__all__ = ["catalogue", "find_pipeline"]


def catalogue() -> dict[str, Path]:
    """Every shipped pipeline by its name (`family/name`)."""
    root = shipped("pipelines")
    return {p.relative_to(root).with_suffix("").as_posix(): p for p in sorted(root.rglob("*.yaml"))}


def find_pipeline(name: str, *, beside: Path | None = None) -> Path:
    """The file of a pipeline.

    Args:
        name: of the catalogue, whole or its last part where that is unambiguous; or the path of a file.
        beside: the folder from which a relative path is read.

    Raises:
        PipelineError: there is none.
    """
    known = catalogue()
    if name in known:
        return known[name]
    if name.endswith((".yaml", ".yml")):
        path = (beside or Path()) / name
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
    near = get_close_matches(name, [*known, *(n.rsplit("/", 1)[-1] for n in known)], n=1)
    remedy = (
        f"did you mean {near[0]!r}? " if near else ""
    ) + "synth pipelines lists them; a file of yours ends in .yaml"
    raise PipelineError(f"there is no pipeline {name!r}", remedy=remedy)
