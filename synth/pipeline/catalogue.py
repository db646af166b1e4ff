"""The catalogue: the pipelines that come with the package, by name. Each is a folder `family/name` with a `pipeline.yaml`."""

from __future__ import annotations

from pathlib import Path

from synth.bounded import nearest
from synth.errors import PipelineError
from synth.reach import Reach
from synth.shipped import shipped

__all__ = ["PIPELINE_FILE", "catalogue", "find_pipeline"]

PIPELINE_FILE = "pipeline.yaml"
"""The file that makes a folder a pipeline."""


def catalogue() -> dict[str, Path]:
    """The file of every shipped pipeline by its name (`family/name`)."""
    root = shipped("pipelines")
    return {p.parent.relative_to(root).as_posix(): p for p in sorted(root.rglob(PIPELINE_FILE))}


def find_pipeline(name: str, *, reach: Reach | None = None) -> Path:
    """The file of a pipeline.

    Args:
        name: of the catalogue, whole or its last part where that is unambiguous; or the path of a file; or the path of a
            folder that holds a `pipeline.yaml`. A name of the catalogue goes before a folder of that name (write `./NAME`).
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
            "there is no such pipeline file", where=name, fix="see synth pipelines for those that are shipped"
        )
    short = [n for n in known if n.rsplit("/", 1)[-1] == name]
    if len(short) == 1:
        return known[short[0]]
    if short:
        raise PipelineError(f"{name!r} could be {' or '.join(short)}", fix="give its whole name")
    if name and (inside := _in_folder(name, reach)) is not None:
        return inside
    near = nearest(name, [*known, *(n.rsplit("/", 1)[-1] for n in known)])
    fix = (f"did you mean {near[0]!r}? " if near else "") + (
        f"synth pipelines lists them; a file of yours ends in .yaml, a folder of yours holds a {PIPELINE_FILE}"
    )
    raise PipelineError(f"there is no pipeline {name!r}", fix=fix)


def _in_folder(name: str, reach: Reach | None) -> Path | None:
    """The pipeline file in a folder; None where there is no such folder."""
    inside = Path(name) / PIPELINE_FILE
    path = reach.find(inside) if reach is not None else inside  # the file, not the folder: it could be a link
    try:
        if path.is_file():
            return path
        is_folder = path.parent.is_dir()
    except (OSError, ValueError):  # a name that no file can have
        return None
    if is_folder:
        raise PipelineError(f"this folder holds no {PIPELINE_FILE}", where=name, fix="name the pipeline file in it")
    return None
