"""`synth export`."""

from __future__ import annotations

from pathlib import Path

import click

from synth.cli.options import run_argument

__all__ = ["command"]


@click.command("export", short_help="Write what was kept as training rows.")
@run_argument
@click.option(
    "--to",
    "contract",
    required=True,
    metavar="CONTRACT",
    help="sft (conversations), dpo (preference pairs), kto (good and bad ones), judge (spoken reviews), contrast or twins (counterfactuals).",
)
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), required=True, metavar="DIR", help="Where the file goes."
)
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["jsonl", "parquet"]),
    default="jsonl",
    show_default=True,
    help="Kind of file.",
)
@click.option(
    "--style",
    type=click.Choice(["natural", "delimiter"]),
    default="natural",
    show_default=True,
    help="natural: 'The answer is X.'; delimiter: 'question ###' and 'rationale --> X END' (arXiv:2212.10071).",
)
@click.option("--system", metavar="TEXT", help="A system message for every row.")
@click.option(
    "--stages",
    type=click.Choice(["one", "two"]),
    default="one",
    show_default=True,
    help="sft: two writes question to rationale, and question and rationale to answer, as rows of their own.",
)
@click.option(
    "--feedback-weight",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.5,
    show_default=True,
    metavar="ALPHA",
    help="sft of a run with feedback on mistakes: weight of those rows; rationales weigh the rest.",
)
def command(
    run: Path,
    contract: str,
    out: Path,
    file_format: str,
    style: str,
    system: str | None,
    stages: str,
    feedback_weight: float,
) -> None:
    """Write what RUN has kept as rows a trainer reads: DIR/CONTRACT.jsonl (or .parquet); where its pipeline has a step
    `split`, DIR/CONTRACT.SPLIT.jsonl for each.

    Each row carries its lineage (ids of record, problem and call, teacher, scores) in columns trainers pass over.

    \b
      synth export runs/first --to sft --out data
      python -c "from datasets import load_dataset; print(load_dataset('json', data_files='data/sft.jsonl'))"
    """
    from synth.export import ExportOptions, export_run

    options = ExportOptions(
        style=style,  # type: ignore[arg-type]
        system=system,
        file_format=file_format,  # type: ignore[arg-type]
        stages=stages,  # type: ignore[arg-type]
        feedback_weight=feedback_weight,
    )
    made = export_run(run, contract, out, options)
    click.echo(f"{made.rows:,} rows in {', '.join(map(str, made.files))}")
