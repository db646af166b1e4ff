"""`synth export`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from synth.cli.export_options import export_options, license_options, models_named, options_from
from synth.cli.options import run_argument

__all__ = ["command"]


@click.command("export", short_help="Write what was kept as training rows.")
@run_argument
@export_options
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), required=True, metavar="DIR", help="Where the files go."
)
@click.option(
    "--file-format",
    "file_format",
    type=click.Choice(["jsonl", "parquet"]),
    default="jsonl",
    show_default=True,
    help="Kind of file.",
)
@click.option("--card", is_flag=True, help="Write DIR/README.md too: what lies there, how it was made and checked.")
@license_options
@click.option("--replace", is_flag=True, help="Replace files in DIR that are no earlier export of this run.")
def command(
    run: Path,
    formats: Sequence[str],
    out: Path,
    card: bool,
    license: str | None,  # noqa: A002 - the word of the Hub
    input_license: str | None,
    model_licenses: Sequence[str],
    replace: bool,
    **chosen: Any,
) -> None:
    """Write what RUN has kept as rows a trainer reads: DIR/FORMAT.jsonl (or .parquet); where its pipeline has a step
    `split`, DIR/FORMAT.SPLIT.jsonl for each.

    Each row carries its lineage (ids of record, problem and call, model, scores) in columns trainers pass over; for OpenAI,
    which takes no others, it lies in DIR/lineage. docs/export.md has a table of formats, trainers, columns and options.

    Several --to are checked before the first file is written: where one of them cannot be exported, none is.

    \b
      synth export runs/first --to sft --out data
      synth export runs/first --to sft --to dpo --out data --card --license cc-by-4.0
      synth export runs/first --to sft --thinking tags --system "Think first." --out data
      synth export runs/first --to dpo --for llama-factory --out LLaMA-Factory/data
      python -c "from datasets import load_dataset; print(load_dataset('json', data_files='data/sft.jsonl'))"
    """
    from synth.errors import UserError
    from synth.export import export_group
    from synth.export.check import options_of

    if not card and (license or input_license or model_licenses):
        raise UserError("--license only affects the dataset card", fix="add --card to write one")
    options = options_of(formats, options_from(replace=replace, **chosen))
    if card:
        from synth.publish import check_card_place, write_card

        check_card_place(run, out, replace=replace)
    shown: dict[str, None] = {}
    for made in export_group(run, options, out).values():
        click.echo(f"{made.rows:,} rows in {', '.join(map(str, made.files))}")
        for path in made.beside:
            click.echo(f"beside: {path}")
        for line in (*made.left_out, *made.notes):
            if line not in shown:  # what holds of the run is the same for every format
                click.echo(f"note: {line}", err=True)
        shown.update(dict.fromkeys(made.notes))
    if card:
        named = models_named(model_licenses)
        path = write_card(run, out, license=license, input_license=input_license, model_licenses=named, replace=replace)
        click.echo(f"card: {path}")
