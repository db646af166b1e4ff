"""`synth run`."""

from __future__ import annotations

from pathlib import Path

import click

from synth.cli.approving import asking, yes_option
from synth.cli.options import code_option, input_options, mapping_of, model_options, replace_input_option

__all__ = ["command"]


@click.command("run", short_help="Run a pipeline, or resume it.")
@click.argument("pipeline")
@input_options
@code_option
@click.option(
    "--run", "run_path", type=click.Path(path_type=Path), metavar="DIR", help="The run folder. Default: runs/PIPELINE."
)
@model_options
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N problems.")
@replace_input_option
@click.option(
    "--skip-invalid", is_flag=True, help="Where some rows are no problems, list them and continue with the others."
)
@click.option(
    "--max-calls",
    type=click.IntRange(min=1),
    metavar="N",
    help="Stop when the run folder has N calls, failed ones included.",
)
@click.option(
    "--max-cost",
    type=click.FloatRange(min=0),
    metavar="USD",
    help="Stop before the run folder has cost more, at the prices of the profile; each model needs one.",
)
@click.option(
    "--max-tokens",
    type=click.IntRange(min=1),
    metavar="N",
    help="Stop before the run folder has used more tokens, read and written.",
)
@click.option(
    "--until",
    metavar="YIELD",
    help="Stop when so many are kept in the end, corpus steps included: '2000 kept' (rationales) or '500 pairs'. Where corpus "
    "steps leave fewer, more problems are begun.",
)
@click.option(
    "--no-retry-failed",
    is_flag=True,
    help="Where problems are done again, because the pipeline has changed, do not ask again what was refused, cut off or empty.",
)
@yes_option
def command(
    pipeline: str,
    input_name: str | None,
    maps: tuple[str, ...],
    mapping: str | None,
    media_from: tuple[Path, ...],
    run_path: Path | None,
    given: tuple[str, ...],
    profile: Path | None,
    limit: int | None,
    replace_input: bool,
    skip_invalid: bool,
    max_calls: int | None,
    max_cost: float | None,
    max_tokens: int | None,
    until: str | None,
    no_retry_failed: bool,
    yes: bool,
) -> None:
    """Run PIPELINE, or resume it.

    PIPELINE is a name of the catalogue (`synth pipelines`; its last part is enough), the path of a file, or the path
    of a folder that holds a pipeline.yaml. Everything that can be seen to be wrong is reported before the first call: the
    pipeline, the models, every row of the input.

    Interrupt it or kill it at any time: the same command resumes, and nothing paid for is paid again. A finished run
    asks nothing. More rows in the input are new problems; an input (or --limit) that lacks problems of the run is refused.
    One interrupt waits for the calls in flight; a second one does not.

    \b
      synth run fine-tune-cot --run runs/first
      synth run fine-tune-cot --input gsm8k.jsonl --run runs/gsm8k --limit 100
      synth run star --input my.csv --map question=prompt --model student=http://localhost:8000/v1#my-model
    """
    from synth.calls import Budget
    from synth.cli.panel import show
    from synth.engine import Target, open_session

    target = Target.parse(until) if until is not None else None
    session = open_session(
        pipeline,
        input_name=input_name,
        maps=mapping_of(maps),
        mapping=mapping,
        folder=run_path,
        given=given,
        profile_path=profile,
        approve=asking(yes=yes),
        media_from=media_from,
    )
    folder = run_path or session.default_folder
    budget = Budget(max_calls, max_cost, max_tokens)
    show(
        session,
        folder,
        limit=limit,
        skip_invalid=skip_invalid,
        replace_input=replace_input,
        budget=budget,
        until=target,
        no_retry_failed=no_retry_failed,
    )
