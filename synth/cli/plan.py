"""`synth plan`."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from synth.cli.approving import asking, yes_option
from synth.cli.as_json import json_option, write_json
from synth.cli.options import code_option, input_options, mapping_of, model_options

if TYPE_CHECKING:
    from synth.engine.plan import Measured

__all__ = ["PlanFound", "StepNotCounted", "StepPlanned", "UnusableRow", "command"]


@dataclass(frozen=True)
class StepPlanned:
    """What one step is expected to ask of one model."""

    step: str
    """Name of the step."""
    model: str
    """Name of the model in the profile."""
    calls: float
    """How many calls, as counted with a simulated model or as measured: see `assumptions`."""
    prompt_tokens: float
    """Of all these calls."""
    completion_tokens: float
    """Of all these calls."""
    cost_usd: float | None
    """US dollars; null where the price is not known."""


@dataclass(frozen=True)
class StepNotCounted:
    """A step that the simulation could not run."""

    step: str
    """Name of the step."""
    why: str
    """What it needs, or how it failed."""


@dataclass(frozen=True)
class UnusableRow:
    """A row of the input that is not usable."""

    line: int
    """Its line, from 1."""
    why: str
    """What is wrong with it."""


@dataclass(frozen=True)
class PlanFound:
    """What a run would ask and cost."""

    pipeline: str
    """Name of the pipeline."""
    input: str
    """Where the problems come from."""
    problems: int
    """How many there are."""
    unusable: list[UnusableRow]
    """Rows of the input that are not usable."""
    steps: list[StepPlanned]
    """The steps that ask models."""
    calls: float
    """Calls in all, of the steps that were counted."""
    cost_usd: float | None
    """US dollars in all; null where a price is not known, or a step is not counted."""
    not_counted: list[StepNotCounted]
    """Steps that the simulation could not run; those after them are counted as if they had made nothing."""
    warnings: list[str]
    """What would stop the run, or is probably a mistake: keys that are not set, columns that no row has."""
    assumptions: list[str]
    """What the estimate assumes, in words."""
    measured_in: str | None
    """The run folder whose calls and tokens were used (`--run`); null without one."""
    rehearsed: bool
    """Whether that is a rehearsal: its calls and tokens are those of the scripted model."""


@click.command("plan", short_help="Check a pipeline and estimate calls, tokens and price; spends nothing.")
@click.argument("pipeline")
@input_options
@code_option
@model_options
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N problems.")
@click.option(
    "--run",
    "run_path",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="A rehearsal or earlier run: its calls a problem and tokens a call are used.",
)
@yes_option
@json_option
def command(
    pipeline: str,
    input_name: str | None,
    maps: tuple[str, ...],
    mapping: str | None,
    media_from: tuple[Path, ...],
    given: tuple[str, ...],
    profile: Path | None,
    limit: int | None,
    run_path: Path | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Check PIPELINE and its input, and estimate what a run would ask and cost. Spends nothing.

    Every mistake is reported at once, with file, line and fix. Some problems go through the pipeline with a simulated model,
    and calls and prompts are counted; a rehearsal or an earlier run (--run) says what was measured instead. The estimate says
    what it assumes; a price that is not in the profile is unknown, not 0. Keys that are not set, and columns that no row of
    the input has, are warned of.
    """
    from synth.engine import open_session
    from synth.engine.before import unknown_columns, unset_keys
    from synth.engine.plan import LOOKED_AT, make_plan, spread
    from synth.errors import UserError
    from synth.files import temporary_folder

    # For what came by standard input, while it is planned.
    beside = Path(click.get_current_context().with_resource(temporary_folder()))

    session = open_session(
        pipeline,
        folder=beside,
        input_name=input_name,
        maps=mapping_of(maps),
        mapping=mapping,
        given=given,
        profile_path=profile,
        media_from=media_from,
        prepare=False,
        approve=asking(yes=yes),
    )
    scan = session.source.scan()
    if not scan.good:
        raise session.source.nothing_fits(scan)
    total = min(scan.problems, limit) if limit else scan.problems
    measured, rehearsed = _measured(run_path)

    def columns_not_there(made: frozenset[str] = frozenset()) -> list[str]:
        problems = (given.problem for given in islice(session.source.problems(), total))
        return unknown_columns(session.pipeline, problems, made, session.source.mapping)

    sample = spread(session.source.problems(), total)
    try:
        plan = asyncio.run(make_plan(session.pipeline, sample, total, session.models, measured, session.source.media))
    except UserError as error:
        if columns := columns_not_there():
            raise UserError(error.what, where=error.where, fix="\n  → ".join(columns)) from error
        raise
    if total > LOOKED_AT and plan.simulated:
        plan.assumptions.append(f"the problems that were simulated lie within the first {LOOKED_AT:,}")
    warnings = unset_keys(session.models)
    if plan.columns is not None:
        warnings += columns_not_there(plan.columns)
    found = PlanFound(
        pipeline=session.pipeline.pipeline,
        input=session.source.name,
        problems=total,
        unusable=[UnusableRow(b.line, b.why) for b in scan.bad],
        steps=[StepPlanned(s.step, s.model, s.calls, s.prompt_tokens, s.completion_tokens, s.cost) for s in plan.steps],
        calls=plan.calls,
        cost_usd=plan.cost,
        not_counted=[StepNotCounted(n.step, n.why) for n in plan.not_counted],
        warnings=warnings,
        assumptions=list(plan.assumptions),
        measured_in=str(run_path) if run_path is not None else None,
        rehearsed=rehearsed,
    )
    write_json(found) if as_json else _show(found)


def _show(plan: PlanFound) -> None:
    from rich.table import Table

    from synth.cli.tables import output

    out = output()
    out.print(f"{plan.pipeline}: no mistakes. {plan.problems:,} problems from {plan.input}", highlight=False)
    if plan.unusable:
        first = plan.unusable[0]
        out.print(
            f"{len(plan.unusable)} rows are not usable; the first: line {first.line}: {first.why}",
            highlight=False,
            markup=False,
        )
    table = Table(box=None, pad_edge=False)
    for column in ("step", "model", "calls", "prompt tokens", "completion tokens", "USD"):
        table.add_column(column, justify="left" if column in {"step", "model"} else "right")
    for s in plan.steps:
        table.add_row(
            s.step,
            s.model,
            f"{s.calls:,.0f}",
            f"{s.prompt_tokens:,.0f}",
            f"{s.completion_tokens:,.0f}",
            _usd(s.cost_usd),
        )
    table.add_row("all", "", f"{plan.calls:,.0f}", "", "", _usd(plan.cost_usd), style="bold")
    out.print(table)
    for missing in plan.not_counted:
        out.print(f"not counted: step {missing.step}: {missing.why}", highlight=False, markup=False)
    if plan.not_counted:
        out.print("steps after it are counted as if it had made nothing", highlight=False, markup=False)
    for warning in plan.warnings:
        out.print(f"warning: {warning}", highlight=False, markup=False)
    for assumption in plan.assumptions:
        out.print(f"assumed: {assumption}", highlight=False, markup=False)
    if plan.rehearsed:
        out.print(
            f"{plan.measured_in} is a rehearsal: its calls and tokens are those of the scripted model", markup=False
        )


def _usd(cost: float | None) -> str:
    return "unknown" if cost is None else f"{cost:,.4f}"


def _measured(run: Path | None) -> tuple[list[Measured], bool]:
    """What a run folder measured, and whether that was the scripted model. A call that no reply came for took no tokens."""
    if run is None:
        return [], False
    from synth.engine.plan import Measured
    from synth.store.database import open_store
    from synth.store.invented import invented_in

    with open_store(run) as store:
        rehearsed = invented_in(store) is not None
        rows = store.sql(
            """
            SELECT step, model, count(*) / (SELECT count(*) FROM problems WHERE step = 'input'),
              avg(prompt_tokens) * avg(got_reply(status, completion_tokens, finish)::INT),
              avg(completion_tokens) * avg(got_reply(status, completion_tokens, finish)::INT)
            FROM calls WHERE unit IN (SELECT id FROM problems) GROUP BY ALL
            HAVING avg(prompt_tokens) IS NOT NULL AND avg(completion_tokens) IS NOT NULL
            """
        ).fetchall()
    return [Measured(*row) for row in rows], rehearsed
