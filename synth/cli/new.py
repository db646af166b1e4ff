"""`synth new`."""

from __future__ import annotations

import re
from pathlib import Path
from shlex import quote

import click

__all__ = ["command"]

_TEMPLATE = """\
# yaml-language-server: $schema={schema}
pipeline: my/{name}
title: What it makes, in one line
sample: arithmetic.jsonl # used where no --input is given
roles:
  teacher: writes the rationales
steps: # synth pipelines --steps lists them; synth pipelines --step NAME tells the options
  - step: generate
    by: teacher
    samples: 4
    temperature: 0.7
  - step: verify_answer
  - step: filter
    keep: score.correct
corpus:
  - step: near_duplicates
    target: rationale
    threshold: 0.8
"""


@click.command("new", short_help="Begin a pipeline file of your own.")
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--extends", metavar="PIPELINE", help="Make it a preset of this one.")
def command(path: Path, extends: str | None) -> None:
    """Write a pipeline file to start from at PATH (ends in .yaml); with --extends a preset of another pipeline.

    \b
      synth new mine.yaml && synth plan mine.yaml
    """
    from synth.errors import UserError
    from synth.files import write_file
    from synth.pipeline import load_pipeline
    from synth.pipeline.catalogue import PIPELINE_FILE
    from synth.shipped import shipped

    if path.suffix not in {".yaml", ".yml"}:
        raise UserError("the file must end in .yaml", where=str(path), remedy=f"synth new {quote(f'{path}.yaml')}")
    if path.exists():
        raise UserError("there is such a file already", where=str(path), remedy="give another name")
    called = path.resolve().parent.name if path.name == PIPELINE_FILE else path.stem
    name = re.sub(r"[^a-z0-9_-]+", "-", called.lower()).strip("-") or "mine"
    schema = shipped("schemas").resolve() / "pipeline.json"
    text = _TEMPLATE.format(name=name, schema=schema.as_posix())
    if extends is not None:
        base = load_pipeline(extends)
        first = base.steps[0]
        text = (
            f"# yaml-language-server: $schema={schema.as_posix()}\n"
            f"pipeline: my/{name}\nextends: {_as_named(extends, path)}\n"
            f"override: # options by step name; its steps: {', '.join(s.name for s in base.steps)}\n  {first.name}:\n    samples: 2\n"
        )
    write_file(path, text)
    click.echo(f"{path} written; next: synth plan {quote(str(path))}")


def _as_named(base: str, path: Path) -> str:
    """How the file at `path` names a pipeline that it extends: by name, or a file of the user's by its place."""
    import json
    import os

    from synth.pipeline import catalogue, find_pipeline

    found = find_pipeline(base)
    names = {file: name for name, file in catalogue().items()}
    if found in names:
        return names[found]
    return json.dumps(Path(os.path.relpath(found, path.parent)).as_posix())  # quoted: a path may hold any sign
