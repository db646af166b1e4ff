"""`synth rounds`."""

from __future__ import annotations

from pathlib import Path

import click

from synth.cli.approving import asking, yes_option
from synth.cli.options import input_options, mapping_of, model_options, replace_input_option

__all__ = ["command"]


@click.command(
    "rounds", short_help="Repeat: run a pipeline, train with a command of yours, continue with the new student."
)
@click.argument("pipeline")
@input_options
@click.option(
    "--run", "run_path", type=click.Path(path_type=Path), required=True, metavar="DIR", help="Folder of the rounds."
)
@model_options
@click.option("--rounds", type=click.IntRange(min=1), required=True, metavar="N", help="How many.")
@click.option("--train", "training", required=True, metavar="COMMAND", help="What makes a new student of the rows.")
@click.option("--role", default="student", show_default=True, metavar="ROLE", help="The role that is trained.")
@click.option(
    "--to",
    "formats",
    multiple=True,
    default=("sft",),
    show_default=True,
    metavar="FORMAT",
    help="Which rows; may be given again.",
)
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N problems.")
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
    run_path: Path,
    given: tuple[str, ...],
    profile: Path | None,
    rounds: int,
    training: str,
    role: str,
    formats: tuple[str, ...],
    limit: int | None,
    replace_input: bool,
    skip_invalid: bool,
    yes: bool,
) -> None:
    """Do PIPELINE, write its rows, run COMMAND, and begin again with the student it made; so N times.

    COMMAND is run by the shell. It finds the rows in $SYNTH_DATA (sft.jsonl and so on), the number of the round in
    $SYNTH_ROUND, the student of the round in $SYNTH_STUDENT, and a folder for what it makes in $SYNTH_OUT. It must write
    one line to $SYNTH_OUT/student.txt: the new student, as --model takes it. docs/rounds.md has one with TRL and vLLM.

    Each round is a run folder of its own, DIR/round-K/run, and its trained student is remembered: however it is stopped, the
    same command resumes. Train from the original base model each time, as arXiv:2203.14465 does.

    \b
      synth rounds star --input gsm8k.jsonl --run runs/star --rounds 3 --train ./train.sh \\
        --model student=http://localhost:8000/v1#base
    """
    from rich.text import Text

    from synth.approvals import COMMAND_LINE, NamedIn
    from synth.cli.panel import show
    from synth.cli.tables import output, table_of
    from synth.engine import open_session, train, walk_rounds
    from synth.errors import UserError
    from synth.export import ExportOptions, export_group
    from synth.export.formats import format_of
    from synth.pipeline import load_pipeline
    from synth.render.inert import inert
    from synth.store.database import open_store

    names = load_pipeline(pipeline, media_from=media_from).role_names
    if input_name == "-":
        raise UserError("each round reads the input, and standard input can be read once", fix="give a file: --input")
    if role not in names:
        raise UserError(f"the pipeline has no role {role!r}", fix=f"--role is one of: {', '.join(names)}")
    for name in formats:
        if name == "parquet":
            raise UserError("the tables of a run are no training rows", fix="name another format: --to sft")
        format_of(name)
    first = next((g.partition("=")[2] for g in given if g.startswith(f"{role}=")), None)
    others = [g for g in given if not g.startswith(f"{role}=")]
    out, rows = output(), []
    for this in walk_rounds(run_path, rounds, first):
        out.print(
            Text(f"round {this.number} of {rounds}, {role}: {this.student or 'as the profile says'}", style="bold")
        )
        bound = [*others, *([f"{role}={this.student}"] if this.student else [])]
        if not this.trained:
            session = open_session(
                pipeline,
                input_name=input_name,
                maps=mapping_of(maps),
                mapping=mapping,
                given=bound,
                profile_path=profile,
                approve=asking(yes=yes),
                named_in=COMMAND_LINE if this.made_by is None else NamedIn(str(this.made_by), own=False),
                media_from=media_from,
            )
            show(session, this.run, limit=limit, skip_invalid=skip_invalid, replace_input=replace_input)
            for made in export_group(this.run, dict.fromkeys(formats, ExportOptions()), this.data).values():
                out.print(f"{made.rows:,} rows in {', '.join(map(str, made.files))}")
        trained = train(this, training, formats, on_line=lambda line: out.print(Text(f"  {inert(line)}", style="dim")))
        with open_store(this.run) as store:
            funnel = dict(store.sql("SELECT stage, n FROM funnel").fetchall())
        rows.append(
            {
                "round": this.number,
                "problems": funnel["problems"],
                "with a kept rationale": funnel["problems with a kept rationale"],
                "kept": funnel["kept"],
                "pairs": funnel["pairs"],
                "student made": trained.student,
            }
        )
    out.print(table_of(rows))
