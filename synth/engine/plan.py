"""The estimate before a run: a few problems go through the pipeline with a simulated model, and calls and prompts are counted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from synth.engine.simulation import (
    ASSUMED_MEDIA_TOKENS,
    ASSUMED_REPLY_TOKENS,
    ASSUMED_THOUGHT_TOKENS,
    CHARACTERS_A_TOKEN,
    FEWEST_PROBLEMS,
    MOST_PROBLEMS,
    TOO_MANY_CALLS,
    Asked,
    Counted,
    simulate,
    world_of,
)
from synth.models import Model, World
from synth.pipeline import Pipeline
from synth.reach import Reach
from synth.records import Problem
from synth.sources import Given
from synth.steps import ModelStep

__all__ = ["LOOKED_AT", "Measured", "NotCounted", "Plan", "PlannedStep", "make_plan", "spread"]

LOOKED_AT = 10_000
"""Problems over which these are spread, at most: reading a large file to its end a second time would take longer."""


@dataclass(frozen=True)
class Measured:
    """What one step asked of one model in a rehearsal or an earlier run."""

    step: str
    model: str
    calls: float
    """Calls for each problem that was done; repeated attempts count."""
    prompt_tokens: float
    """Mean of a call; of one that no reply came for, 0."""
    completion_tokens: float
    """The same."""


@dataclass
class PlannedStep:
    """What one step is expected to ask of one model."""

    step: str
    model: str
    calls: float
    prompt_tokens: float
    completion_tokens: float
    cost: float | None
    """US dollars; None where the price is not known."""


class NotCounted(NamedTuple):
    """A step that the simulation could not run."""

    step: str
    why: str


@dataclass
class Plan:
    """The estimate."""

    problems: int
    steps: list[PlannedStep] = field(default_factory=list)
    assumptions: list[str] = field(default_factory=list)
    not_counted: list[NotCounted] = field(default_factory=list)
    """Steps that the simulation could not run; those after them are counted as if they had made nothing."""
    partial: bool = False
    """Whether a step that asks models is among these or after them, so that calls and cost are too few."""
    columns: frozenset[str] | None = frozenset()
    """Keys in `meta` of problems that steps made; None where they are not known, because such a step made none."""
    simulated: int = 0
    """How many problems the calls of steps were counted on; 0 where all steps were measured."""

    @property
    def calls(self) -> float:
        """Calls in all, of the steps that were counted."""
        return sum(s.calls for s in self.steps)

    @property
    def cost(self) -> float | None:
        """US dollars in all; None where a price is not known, or a step is not counted."""
        known = [s.cost for s in self.steps]
        if self.partial or any(c is None for c in known):
            return None
        return sum(c for c in known if c is not None)


def spread(problems: Iterator[Given], total: int, n: int = MOST_PROBLEMS) -> list[Given]:
    """A few problems at equal distances; all where there are no more. Also the first few of them are spread over the input.

    Args:
        problems: the problems, in order.
        total: how many there are; only the first `LOOKED_AT` are read.
        n: how many are wanted.
    """
    within = min(total, LOOKED_AT)
    n = min(n, within)
    wanted = {i * within // n for i in range(n)}
    chosen = [problem for i, problem in enumerate(islice(problems, within)) if i in wanted]
    return [chosen[i] for i in sorted(range(len(chosen)), key=lambda i: f"{i:b}".zfill(n.bit_length())[::-1])]


async def make_plan(
    pipeline: Pipeline,
    problems: Sequence[Given],
    total: int,
    models: Mapping[str, Sequence[Model]],
    measured: Sequence[Measured] = (),
    media: Reach = Reach(None),  # noqa: B008  # it cannot be changed
    world: World = World(),  # noqa: B008  # the same
) -> Plan:
    """What a run is expected to ask and cost. No model is asked, and nothing is written.

    Args:
        pipeline: what to do.
        problems: a few of the problems, with what the source has of them beside; they go through all unit steps.
        total: how many there are.
        models: the models that play each role. Each is simulated; a scripted model in a world by its own world.
        measured: what a rehearsal or an earlier run asked, also of other models; it goes before what is simulated.
        media: where images and sounds of problems lie.
        world: the abilities of the simulated models.

    Raises:
        UserError: a step cannot work on the input, as its run would find out.
    """
    counted = await simulate(pipeline, problems, models, media, world)
    problems = problems[: counted.problems]
    plan = Plan(total)
    asking = [s for s in pipeline.model_steps if not any(m.step == s.name for m in measured)]
    simulations = [counted]
    if (
        asking and sum(counted.calls.values()) <= 2 * TOO_MANY_CALLS
    ):  # what the counts come to where the model is never right, and where it always is
        never = {"solve_rate": 0.0, "hint_rate": 0.0, "revise_rate": 0.0, "lucky_rate": 0.0}
        always = {"solve_rate": 1.0, "hint_rate": 1.0, "revise_rate": 1.0}
        simulations += [
            await simulate(pipeline, problems, models, media, world, rates, counted.failed) for rates in (never, always)
        ]
    _add_assumptions(plan, asking, simulations, models, world)
    for step in pipeline.model_steps:
        known = [m for m in measured if m.step == step.name]
        if not known and step.name in counted.failed:
            continue
        for model in {m.name: m for role in step.roles() for m in models.get(role, ())}.values():
            plan.steps.append(_planned(step, model, known, counted, total, plan))
    names = [s.name for s in pipeline.steps]
    plan.not_counted = [
        NotCounted(name, why) for name, why in counted.failed.items() if not _is_measured(name, measured)
    ]
    first = min((names.index(n.step) for n in plan.not_counted), default=len(names))
    plan.partial = any(names.index(s.name) >= first for s in asking)
    makers = {s.name for s in pipeline.steps if Problem in s.gives_types()}
    seen = makers <= set().union(*(s.made_problems for s in simulations))
    plan.columns = frozenset().union(*(s.columns for s in simulations)) if seen else None
    if any(s.cost is None for s in plan.steps):
        plan.assumptions.append("the price of some models is not in the profile: the cost is unknown, not 0")
    plan.assumptions = list(dict.fromkeys(plan.assumptions))
    return plan


def _is_measured(step: str, measured: Sequence[Measured]) -> bool:
    return any(m.step == step for m in measured)


def _planned(
    step: ModelStep, model: Model, known: Sequence[Measured], counted: Counted, total: int, plan: Plan
) -> PlannedStep:
    """What a step asks of a model: as measured, else as counted."""
    asked = counted.asked.get((step.name, model.name), Asked())
    own = next((m for m in known if m.model == model.name), None)
    thought = min(ASSUMED_THOUGHT_TOKENS, model.thinking_tokens) if model.reasoning else 0
    if own is not None:
        plan.assumptions += [
            "calls a problem: measured in this run folder",
            "tokens a call: measured in this run folder",
        ]
        each, read, written = own.calls, own.prompt_tokens, own.completion_tokens
    else:
        each, read, written = asked.calls / max(1, counted.problems), asked.read, asked.written
        if not asked.calls:
            written = min(ASSUMED_REPLY_TOKENS, step.max_tokens or ASSUMED_REPLY_TOKENS) + thought
        if known:
            others = ", ".join(m.model for m in known)
            each = sum(m.calls for m in known) / len(known)
            read = sum(m.prompt_tokens for m in known) / len(known)
            plan.assumptions.append("calls a problem: measured in this run folder")
            plan.assumptions.append(f"prompt tokens a call of {step.name}: as measured with {others}")
            plan.assumptions.append(f"{_REPLY}: {model.name} (it has written none here)")
        elif asked.calls:
            plan.assumptions.append(f"{_REPLY} (nothing measured yet: rehearse, or run a few with --limit)")
            if asked.media:
                plan.assumptions.append(
                    f"{ASSUMED_MEDIA_TOKENS:,} tokens an image or sound, regardless of its size: endpoints count them very "
                    "differently, so run a few with --limit and plan again with --run"
                )
        if thought and each:
            plan.assumptions.append(
                f"{thought:,} tokens a thought of {model.name} (from some hundred to many thousand)"
            )
    calls = each * total
    cost = model.price.of(round(calls * read), round(calls * written)) if model.price else None
    return PlannedStep(step.name, model.name, calls, calls * read, calls * written, cost if calls else 0.0)


_REPLY = f"{ASSUMED_REPLY_TOKENS} tokens a reply, max_tokens where that is less"


def _add_assumptions(
    plan: Plan,
    asking: Sequence[ModelStep],
    simulations: Sequence[Counted],
    models: Mapping[str, Sequence[Model]],
    world: World,
) -> None:
    """Say how the calls of steps that nothing was measured of were counted, and which of them depend on the model."""
    counted = simulations[0]
    if not asking or not counted.problems:
        return
    plan.simulated = counted.problems
    bound = [m for s in asking for role in s.roles() for m in models.get(role, ())]
    solves = " or ".join(f"{r:g}" for r in sorted({world_of(m, world).solve_rate for m in bound}))
    on = (
        f"{counted.problems:,} of the {plan.problems:,}"
        if counted.problems < plan.problems
        else f"all {plan.problems:,}"
    )
    plan.assumptions.append(
        f"calls: counted on {on} problems with a simulated model that solves {solves} of them "
        "(synth rehearse shows the rates)"
    )
    if counted.problems < FEWEST_PROBLEMS and counted.stopped:
        plan.assumptions.append(f"no more were simulated: these make {sum(counted.calls.values()):,} calls already")
    for step in asking:
        for model in (m for role in step.roles() for m in models.get(role, ())):
            if maybe := (step.needs_of_models() | step.uses_of(model)) & model.unknown:
                plan.assumptions.append(
                    f"what model {model.name} can do is not in its profile: counted without {', '.join(sorted(maybe))}, and "
                    "without the few small calls by which a run finds it out"
                )
    if len(simulations) == 1:
        plan.assumptions.append(
            "whether calls depend on how often the model is right was not simulated: they are too many"
        )
    for step in asking:
        per = [s.asked_of(step.name) / max(1, s.problems) for s in simulations]
        if max(per) > min(per) and step.name not in counted.failed:
            plan.assumptions.append(
                f"calls of {step.name} depend on how often the model is right: {per[0]:.3g} a problem here, {per[1]:.3g} "
                f"where it never is, {per[2]:.3g} where it always is"
            )
    plan.assumptions.append(
        f"prompts: those of these problems, with simulated records of earlier steps in them; {CHARACTERS_A_TOKEN} "
        "characters a token"
    )
