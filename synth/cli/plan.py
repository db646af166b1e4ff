"""`synth plan`."""

from __future__ import annotations

import asyncio
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from synth.cli.options import input_options, mapping_of, teacher_options

if TYPE_CHECKING:
    from synth.pipeline.plan import Measured

__all__ = ["command"]


@click.command("plan", short_help="Check a pipeline and estimate calls, tokens and price; spends nothing.")
@click.argument("pipeline")
@input_options
@teacher_options
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N problems.")
@click.option(
    "--run",
    "run_path",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="A rehearsal or earlier run: its calls a problem and tokens a call are used.",
)
def command(
    pipeline: str,
    input_name: str | None,
    maps: tuple[str, ...],
    mapping: str | None,
    given: tuple[str, ...],
    profile: Path | None,
    limit: int | None,
    run_path: Path | None,
) -> None:
    """Check PIPELINE and its input, and estimate what a run would ask and cost. Spends nothing.

    Every mistake is told at once, with file, line and remedy. The estimate says what it assumes; a price that is not
    in the profile is unknown, not 0.
    """
    # A folder for what came by standard input, while it is planned.
    beside = Path(click.get_current_context().with_resource(TemporaryDirectory()))
    from rich.table import Table

    from synth.cli.tables import output
    from synth.engine import open_session
    from synth.pipeline.plan import make_plan

    session = open_session(
        pipeline,
        folder=beside,
        input_name=input_name,
        maps=mapping_of(maps),
        mapping=mapping,
        given=given,
        profile_path=profile,
        prepare=False,
    )
    scan = session.source.scan()
    out = output()
    if not scan.good:
        raise session.source.nothing_fits(scan)
    total = min(scan.problems, limit) if limit else scan.problems
    measured, rehearsed = _measured(run_path)
    plan = asyncio.run(
        make_plan(session.pipeline, list(islice(session.source.problems(), 20)), total, session.teachers, measured)
    )
    out.print(
        f"{session.pipeline.pipeline}: no mistakes. {total:,} problems from {session.source.name}", highlight=False
    )
    if scan.bad:
        out.print(
            f"{len(scan.bad)} rows are not usable; the first: line {scan.bad[0].line}: {scan.bad[0].why}",
            highlight=False,
            markup=False,
        )
    table = Table(box=None, pad_edge=False)
    for column in ("step", "teacher", "calls", "tokens read", "tokens written", "USD"):
        table.add_column(column, justify="left" if column in {"step", "teacher"} else "right")
    for s in plan.steps:
        table.add_row(
            s.step, s.teacher, f"{s.calls:,.0f}", f"{s.prompt_tokens:,.0f}", f"{s.completion_tokens:,.0f}", _usd(s.cost)
        )
    table.add_row("all", "", f"{plan.calls:,.0f}", "", "", _usd(plan.cost), style="bold")
    out.print(table)
    for assumption in plan.assumptions:
        out.print(f"assumed: {assumption}", highlight=False, markup=False)
    if rehearsed:
        out.print(f"{run_path} is a rehearsal: its calls and tokens are those of the scripted model", markup=False)


def _usd(cost: float | None) -> str:
    return "unknown" if cost is None else f"{cost:,.4f}"


def _measured(run: Path | None) -> tuple[list[Measured], bool]:
    """What a run folder measured, and whether that was the scripted model. A call that no reply came for took no tokens."""
    if run is None:
        return [], False
    from synth.pipeline.plan import Measured
    from synth.store.database import open_store
    from synth.store.invented import invented_in

    with open_store(run) as store:
        rehearsed = invented_in(store) is not None
        rows = store.sql(
            """
            SELECT step, teacher, count(*) / (SELECT count(*) FROM problems WHERE step = 'input'),
              avg(prompt_tokens) * avg(got_reply(status, completion_tokens, finish)::INT),
              avg(completion_tokens) * avg(got_reply(status, completion_tokens, finish)::INT)
            FROM calls WHERE unit IN (SELECT id FROM problems) GROUP BY ALL
            HAVING avg(prompt_tokens) IS NOT NULL AND avg(completion_tokens) IS NOT NULL
            """
        ).fetchall()
    return [Measured(*row) for row in rows], rehearsed
