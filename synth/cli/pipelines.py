"""`synth pipelines`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from synth.cli.as_json import json_option, write_json
from synth.cli.options import code_option

if TYPE_CHECKING:
    from pydantic import BaseModel

__all__ = ["OptionFound", "PipelineFound", "StepFound", "command"]


@dataclass(frozen=True)
class PipelineFound:
    """A pipeline of the catalogue, or of a file or folder of yours."""

    pipeline: str
    """Its name, as `synth run` takes it."""
    title: str
    """What it makes, in a line."""
    about: str
    """What it does, and what to expect of it."""
    roles: dict[str, str]
    """The roles of models, and what each does."""
    cites: list[str]
    """The works it follows."""
    sample: str | None
    """The sample it runs on where no input is given."""
    file: str
    """Path of its file."""
    readme: str | None
    """Path of the README in its folder; null where there is none."""
    advice: dict[str, str]
    """What the README says on cost, on when to use it and when not, by heading; Markdown."""


@dataclass(frozen=True)
class OptionFound:
    """An option of a step."""

    option: str
    """Its name."""
    about: str
    """What it does."""
    required: bool
    """Whether it must be given."""
    default: Any
    """Its value where it is not given; null where it is required, too."""


@dataclass(frozen=True)
class StepFound:
    """A step that pipelines are made of."""

    step: str
    """Its name."""
    about: str
    """What it does."""
    options: list[OptionFound]
    """What can be set."""


@click.command("pipelines", short_help="The catalogue of pipelines, and the steps they are made of.")
@click.argument("name", required=False)
@click.option(
    "--step", metavar="STEP", help="What a step does, and its options; with NAME also a step of its own Python."
)
@click.option(
    "--steps",
    "list_steps",
    is_flag=True,
    help="The steps pipelines are made of; with NAME also those of its own Python.",
)
@json_option
@code_option
def command(name: str | None, step: str | None, list_steps: bool, as_json: bool) -> None:
    """The catalogue; or with NAME, what a pipeline does, what it costs, when to use it, the works it follows, and its files.

    NAME is a name of the catalogue (its last part is enough), or the path of a pipeline file or of a folder with a
    pipeline.yaml.
    """
    from rich.text import Text

    from synth.cli.tables import output, table_of
    from synth.corpus import all_corpus_steps
    from synth.pipeline import catalogue, load_pipeline
    from synth.render.inert import inert_lines
    from synth.steps import all_steps

    out = output()
    kinds: dict[str, type[BaseModel]] = {
        **all_steps(),
        **all_corpus_steps(),
        **(load_pipeline(name).own_steps if name is not None and (step is not None or list_steps) else {}),
    }
    if step is not None:
        _check_step(step, kinds)
        one = _step(step, kinds[step])
        write_json(one) if as_json else _show_step(one)
    elif list_steps:
        steps = [_step(n, k) for n, k in kinds.items()]
        if as_json:
            write_json(steps)
        else:
            out.print(table_of([{"step": s.step, "what it does": s.about.splitlines()[0]} for s in steps]))
    elif name is None:
        found = [_pipeline(n) for n in catalogue()]
        if as_json:
            write_json(found)
            return
        out.print(table_of([{"pipeline": p.pipeline, "what it makes": p.title} for p in found]))
        out.print(Text("\nsynth pipelines NAME shows more; synth run NAME runs it"))
    else:
        pipeline = _pipeline(name)
        if as_json:
            write_json(pipeline)
            return
        out.print(Text(pipeline.pipeline, style="bold") + Text(f": {pipeline.title}\n\n{pipeline.about}"))
        out.print(Text("roles:  ") + Text("; ".join(f"{r}: {w}" for r, w in pipeline.roles.items())))
        for work in pipeline.cites:
            out.print(Text(f"source: {work}"))
        out.print(Text(f"sample: {pipeline.sample or 'none'}\nfile:   {pipeline.file}"), soft_wrap=True)
        if pipeline.readme is not None:
            out.print(Text(f"readme: {pipeline.readme}"), soft_wrap=True)
        for heading, body in pipeline.advice.items():
            out.print(Text(f"\n{heading}\n", style="bold") + Text(inert_lines(body)))


_ADVICE = ("Cost", "When to use it", "When not")
"""The sections of a README that are shown; the others say what `about` and `cites` say, or are long."""


def _pipeline(name: str) -> PipelineFound:
    from synth.pipeline import find_pipeline, load_pipeline
    from synth.pipeline.readme import readme_of, sections_of

    p = load_pipeline(name)
    file = find_pipeline(name)
    readme = readme_of(file)
    sections = sections_of(readme) if readme is not None else {}
    return PipelineFound(
        pipeline=p.pipeline,
        title=p.title,
        about=p.about,
        roles=dict(p.roles),
        cites=list(p.cites),
        sample=p.sample,
        file=str(file),
        readme=None if readme is None else str(readme),
        advice={heading: sections[heading] for heading in _ADVICE if heading in sections},
    )


def _check_step(step: str, kinds: dict[str, type[BaseModel]]) -> None:
    from synth.bounded import nearest
    from synth.errors import UserError

    if step not in kinds:
        near = nearest(step, kinds)
        raise UserError(
            f"there is no step {step!r}",
            fix=(f"did you mean {near[0]!r}?" if near else f"steps: {', '.join(kinds)}")
            + " (a step of a pipeline's own Python: synth pipelines NAME --step STEP)",
        )


def _step(name: str, kind: type[BaseModel]) -> StepFound:
    from inspect import getdoc

    from pydantic_core import to_jsonable_python

    from synth.documented import field_docs

    docs = field_docs(kind)
    options = [
        OptionFound(
            field.alias or option,
            " ".join(docs.get(option, "").split()),
            field.is_required(),
            None
            if field.is_required()
            else to_jsonable_python(field.get_default(call_default_factory=True), fallback=str),
        )
        for option, field in kind.model_fields.items()
        if option not in {"step", "folder"}
    ]
    return StepFound(name, getdoc(kind) or "", options)


def _show_step(step: StepFound) -> None:
    from rich.text import Text

    from synth.cli.tables import output

    out = output()
    out.print(Text(step.step, style="bold") + Text(f": {step.about}\n"))
    for option in step.options:
        default = "required" if option.required else f"default {option.default!r}"
        out.print(Text(f"  {option.option}", style="bold") + Text(f" ({default})  {option.about}"))
