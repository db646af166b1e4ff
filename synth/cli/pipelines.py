"""`synth pipelines`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pydantic import BaseModel

__all__ = ["command"]


@click.command("pipelines", short_help="The catalogue of pipelines, and the steps they are made of.")
@click.argument("name", required=False)
@click.option("--step", metavar="STEP", help="What a step does, and its options.")
@click.option("--steps", "list_steps", is_flag=True, help="The steps pipelines are made of.")
def command(name: str | None, step: str | None, list_steps: bool) -> None:
    """The catalogue; or with NAME, what a pipeline does, the works it follows, and its file."""
    from rich.text import Text

    from synth.cli.tables import output, table_of
    from synth.corpus import CORPUS_STEPS
    from synth.pipeline import catalogue, find_pipeline, load_pipeline
    from synth.steps import all_steps

    out = output()
    kinds: dict[str, type[BaseModel]] = {
        **all_steps(),
        **{c.model_fields["step"].default: c for c in CORPUS_STEPS},
    }
    if step is not None:
        _show_step(step, kinds)
    elif list_steps:
        out.print(
            table_of([{"step": n, "what it does": (k.__doc__ or "").strip().splitlines()[0]} for n, k in kinds.items()])
        )
    elif name is None:
        out.print(table_of([{"pipeline": n, "what it makes": load_pipeline(n).title} for n in catalogue()]))
        out.print(Text("\nsynth pipelines NAME tells more; synth run NAME does it"))
    else:
        pipeline = load_pipeline(name)
        out.print(Text(pipeline.pipeline, style="bold") + Text(f": {pipeline.title}\n\n{pipeline.about}"))
        out.print(Text("roles:  ") + Text("; ".join(f"{r}: {w}" for r, w in pipeline.roles.items())))
        for work in pipeline.cites:
            out.print(Text(f"source: {work}"))
        out.print(Text(f"sample: {pipeline.sample}\nfile:   {find_pipeline(name)}"), soft_wrap=True)


def _show_step(step: str, kinds: Mapping[str, type[BaseModel]]) -> None:
    from difflib import get_close_matches
    from inspect import getdoc

    from rich.text import Text

    from synth.cli.tables import output
    from synth.documented import field_docs
    from synth.errors import UserError

    if step not in kinds:
        near = get_close_matches(step, kinds, n=1)
        raise UserError(
            f"there is no step {step!r}", remedy=f"did you mean {near[0]!r}?" if near else f"steps: {', '.join(kinds)}"
        )
    kind = kinds[step]
    out = output()
    out.print(Text(step, style="bold") + Text(f": {getdoc(kind)}\n"))
    for name, field in kind.model_fields.items():
        if name not in {"step", "folder"}:
            default = "required" if field.is_required() else f"default {field.get_default(call_default_factory=True)!r}"
            out.print(
                Text(f"  {name}", style="bold")
                + Text(f" ({default})  {' '.join(field_docs(kind).get(name, '').split())}")
            )
