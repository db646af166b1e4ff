"""One unit through all the steps."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from synth.calls import Caller, next_stage
from synth.engine.progress import Progress, StepCounts
from synth.engine.target import count_kept
from synth.errors import StepError, SynthError
from synth.models import Model
from synth.pipeline import Pipeline
from synth.prompts import Expression
from synth.reach import Reach
from synth.records import Failure, Rejection, UnitRecord
from synth.sources import Given
from synth.steps import Step, Unit

__all__ = ["RunStep", "StepDone", "run_step", "run_unit"]


class StepDone(NamedTuple):
    """What one step did with one unit."""

    taken: int
    """How many records it worked on."""
    made: Iterable[UnitRecord]


RunStep = Callable[[Step, Sequence[str] | None, Unit], Awaitable[StepDone]]
"""How one step is run, as `run_step` does."""


async def run_step(step: Step, sources: Sequence[str] | None, unit: Unit) -> StepDone:
    """Run one step on the records of a unit for which its `where` is true, if it runs for the problem at all.

    Args:
        step: the step.
        sources: the names of the steps whose records it works on; None for all.
        unit: the unit.
    """
    records = unit.made_by(step.takes_type(), sources) if _runs(step, unit) else []
    if step.where is not None:
        records = [r for r in records if step.is_for(r, unit)]
    if not records:
        return StepDone(0, ())
    try:
        return StepDone(len(records), _records(await step.run(records, unit)))
    except (SynthError, ExceptionGroup):
        raise
    except Exception as error:
        if type(step).__module__.startswith("synth."):
            raise
        raise _raised(error, step, unit) from error


async def run_unit(
    given: Given,
    pipeline: Pipeline,
    caller: Caller,
    models: Mapping[str, Sequence[Model]],
    progress: Progress,
    media: Reach,
    run_step: RunStep = run_step,
) -> list[UnitRecord]:
    """Everything derived from a root problem, in an order that does not depend on who answered first."""
    unit = Unit(given.problem, caller, models, media)
    unit.add(r for r in given.records if not isinstance(r, Rejection))
    counts: dict[str, StepCounts] = {}
    for index, step in enumerate(pipeline.steps):
        before = len(unit.records)
        done = await run_step(step, pipeline.sources_of(index), unit)
        unit.add(done.made)
        await next_stage()
        new = unit.records[before:]
        counts[step.name] = StepCounts(
            taken=done.taken,
            made=sum(not isinstance(r, (Rejection, Failure)) for r in new),
            rejected=sum(isinstance(r, Rejection) for r in new),
            failed=sum(isinstance(r, Failure) for r in new),
        )
    # Steps see all that the input brings, also what it says is bad: they criticise it, or pair it with what is better.
    unit.add([r for r in given.records if isinstance(r, Rejection) and unit.kept(unit.get(r.target))])
    for name, count in counts.items():
        total = progress.steps.setdefault(name, StepCounts())
        total.taken += count.taken
        total.made += count.made
        total.rejected += count.rejected
        total.failed += count.failed
    progress.kept += count_kept(unit.records)
    # Failures are noted in the order in which calls came back, which no two runs share.
    failures = sorted((r for r in unit.records if isinstance(r, Failure)), key=lambda r: r.id)
    unit.forget()
    return [*(r for r in unit.records if not isinstance(r, Failure)), *failures]


def _records(made: Iterable[Any]) -> list[UnitRecord]:
    for record in (records := list(made)):
        if not isinstance(record, UnitRecord):
            raise TypeError(f"run gave a {type(record).__name__}, and is to give records")
    return records


def _raised(error: Exception, step: Step, unit: Unit) -> StepError:
    """What a step of somebody else's raised, with the last line of its file."""
    file = sys.modules[type(step).__module__].__file__ or ""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    at = f"{file}:{lines[-1]}" if lines else file
    return StepError(
        f"it raised {type(error).__name__}: {error}"[:1000],
        where=f"step {step.name}, problem {unit.problem.source or unit.problem.id}, {at}",
        fix="correct the step and run the same command again: what was paid for is kept",
    )


def _runs(step: Step, unit: Unit) -> bool:
    """Whether a step runs at all for this problem."""
    if step.when is None and step.unless is None:
        return True
    seen, where = unit.variables(unit.problem), f"step {step.name}, {unit.problem.id}"
    if step.when is not None and not Expression(step.when).holds(seen, where):
        return False
    return step.unless is None or not Expression(step.unless).holds(seen, where)
