"""`synth rehearse`."""

from __future__ import annotations

from pathlib import Path

import click

from synth.cli.approving import asking, yes_option
from synth.cli.options import code_option, input_options, mapping_of, replace_input_option

__all__ = ["command"]


@click.command("rehearse", short_help="Do the whole pipeline with the scripted model.")
@click.argument("pipeline")
@input_options
@code_option
@click.option(
    "--run",
    "run_path",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The run folder. Default: runs/rehearsal-PIPELINE.",
)
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N problems.")
@click.option("--thinking", is_flag=True, help="The scripted model thinks before it replies, as reasoning models do.")
@replace_input_option
@click.option(
    "--skip-invalid", is_flag=True, help="Where some rows are no problems, list them and continue with the others."
)
@yes_option
def command(
    pipeline: str,
    input_name: str | None,
    maps: tuple[str, ...],
    mapping: str | None,
    media_from: tuple[Path, ...],
    run_path: Path | None,
    limit: int | None,
    thinking: bool,
    replace_input: bool,
    skip_invalid: bool,
    yes: bool,
) -> None:
    """Do the whole of PIPELINE with the scripted model: no model, no key, no cost, some seconds.

    The scripted model solves 60 % of the problems, writes unsound steps in the others, guesses right now and then,
    and does not answer at all one time in twenty: what a real model gives, too. What you see is the structure of the result, not its quality.

    With --thinking its working stands in a thought, the response only states the answer, and one thought in twenty does not
    come to its end.
    """
    from synth.cli.panel import show
    from synth.engine import open_session
    from synth.engine.session import default_folder
    from synth.pipeline import load_pipeline

    found = load_pipeline(pipeline, media_from=media_from)
    most = {r: max(s.fewest_models() for s in found.model_steps if r in s.roles()) for r in found.role_names}
    name = "scripted:thinking" if thinking else "scripted"
    given = [f"{role}={name}" + "".join(f",{name}:{i}" for i in range(1, n)) for role, n in most.items()]
    usual = default_folder(found)
    folder = run_path or usual.with_name(f"rehearsal-{usual.name}")
    session = open_session(
        pipeline,
        input_name=input_name,
        maps=mapping_of(maps),
        mapping=mapping,
        folder=folder,
        given=given,
        approve=asking(yes=yes),
        media_from=media_from,
    )
    show(session, folder, limit=limit, skip_invalid=skip_invalid, replace_input=replace_input)
