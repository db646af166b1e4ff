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
steps: # synth pipelines --steps lists them; synth pipelines --step NAME shows the options
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


_STEP = '''"""Steps of our own."""

from typing import ClassVar, Literal

import synth


class {kind}(synth.Step):
    """Score each rationale by the share of its words that are written in capitals."""

    takes: ClassVar = synth.Rationale
    gives: ClassVar = (synth.Score,)

    step: Literal["{step}"] = "{step}"
    shortest: int = 2
    """Letters that a word needs to be looked at."""

    def gives_scores(self):
        return (self.name,)

    async def run(self, records, unit):
        return [
            self.derive(
                synth.Score,
                [rationale],
                target=rationale.id,
                name=self.name,
                value=self.share(rationale.text),
                judge=f"{{self.name}}/{{self.version}}",
            )
            for rationale in records
        ]

    def share(self, text):
        words = [word for word in text.split() if len(word) >= self.shortest]
        return sum(word.isupper() for word in words) / len(words) if words else 0.0
'''
_TEST = '''"""{kind}: its score of a text whose words are counted manually."""

import asyncio
import sys
from pathlib import Path

import synth

sys.path.insert(0, str(Path(__file__).parent))
from {module} import {kind}


def rationale(text):
    """A rationale with this response."""
    return synth.Rationale.make(unit="u", step="s", because=text, problem="p", author="human", response=text)


def test_{step}():
    """Two of four words are in capitals, and a word of one letter does not count."""
    step = {kind}(name="{step}")
    scores = asyncio.run(step.run([rationale("THIS is VERY loud I")], None))
    assert [score.value for score in scores] == [0.5]
'''


@click.command("new", short_help="Begin a pipeline file, or a step, of your own.")
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--extends", metavar="PIPELINE", help="Make it a preset of this one.")
@click.option("--step", metavar="NAME", help="Begin a step of this name, in Python, with its test.")
def command(path: Path, extends: str | None, step: str | None) -> None:
    """Write a pipeline file to start from at PATH (ends in .yaml); with --extends a preset of another pipeline; with --step a
    Python file (ends in .py) with a step, and its test beside it.

    \b
      synth new mine.yaml && synth plan mine.yaml
      synth new parts.py --step shout && pytest test_parts.py
    """
    if step is not None:
        _new_step(path, step, extends)
        return
    from synth.errors import UserError
    from synth.files import write_file
    from synth.pipeline import load_pipeline
    from synth.pipeline.catalogue import PIPELINE_FILE
    from synth.shipped import shipped

    if path.suffix not in {".yaml", ".yml"}:
        raise UserError("the file must end in .yaml", where=str(path), fix=f"synth new {quote(f'{path}.yaml')}")
    if path.exists():
        raise UserError("there is such a file already", where=str(path), fix="give another name")
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


def _new_step(path: Path, step: str, extends: str | None) -> None:
    """Write a step and its test."""
    from synth.errors import UserError
    from synth.files import write_file
    from synth.steps import all_steps

    if extends is not None:
        raise UserError("--step and --extends write different files", fix="give one of them")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", step) or step in all_steps():
        taken = "there is a step of this name" if step in all_steps() else "this is not the name of a step"
        raise UserError(
            f"{taken}: {step}", fix="small letters, digits and _, a letter first, such as share_of_capitals"
        )
    if path.suffix != ".py" or not path.stem.isidentifier():
        raise UserError("a step is written in Python", where=str(path), fix=f"synth new parts.py --step {step}")
    test = path.with_name(f"test_{path.name}")
    for file in (path, test):
        if file.exists():
            raise UserError("there is such a file already", where=str(file), fix="give another name")
    names = {"step": step, "kind": "".join(word.capitalize() for word in step.split("_")), "module": path.stem}
    write_file(path, _STEP.format(**names))
    write_file(test, _TEST.format(**names))
    click.echo(f"{path} and {test} written. In a pipeline file beside it:")
    click.echo(f"  code: [{path.name}]\n  steps:\n    - step: {step}\nnext: pytest {quote(str(test))}")


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
