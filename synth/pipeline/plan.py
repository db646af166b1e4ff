"""The estimate before a run: calls, tokens and price, with every assumption told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from synth.calls import Caller, Ledger
from synth.files import Reach
from synth.models import Completion, Model, Request
from synth.pipeline.spec import Pipeline
from synth.records import Problem, UnitRecord
from synth.steps import ModelStep
from synth.steps.unit import Unit

__all__ = ["Measured", "Plan", "PlannedStep", "make_plan"]

CHARACTERS_A_TOKEN = 4
"""English text; our rule of thumb, said in the plan."""
ASSUMED_REPLY_TOKENS = 200
"""A short rationale, where nothing has been measured yet."""
ASSUMED_THOUGHT_TOKENS = 2000
"""The thought of a model that is known to think: about what R1 and its like take for a problem of school mathematics."""
ASSUMED_MEDIA_TOKENS = 1000
"""An image or a sound: providers count from some 85 to a few thousand, by size and model; said in the plan."""


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


@dataclass
class Plan:
    """The estimate."""

    problems: int
    steps: list[PlannedStep] = field(default_factory=list)
    assumptions: list[str] = field(default_factory=list)

    @property
    def calls(self) -> float:
        """Calls in all."""
        return sum(s.calls for s in self.steps)

    @property
    def cost(self) -> float | None:
        """US dollars in all; None where a price is not known."""
        known = [s.cost for s in self.steps]
        return None if any(c is None for c in known) else sum(c for c in known if c is not None)


class _Probe(Caller):
    """Takes requests and sends none; for measuring what would be asked."""

    def __init__(self) -> None:
        super().__init__(Ledger(None))  # type: ignore[arg-type]  # nothing is recorded
        self.asked: list[tuple[Model, Request]] = []

    async def ask(self, model: Model, request: Request, *, unit: str) -> Completion:  # noqa: ARG002
        self.asked.append((model, request))
        return Completion(text="", call="plan")


async def make_plan(
    pipeline: Pipeline,
    problems: Sequence[tuple[Problem, Sequence[UnitRecord]]],
    total: int,
    models: Mapping[str, Sequence[Model]],
    measured: Sequence[Measured] = (),
    media: Reach = Reach(None),  # noqa: B008  # it cannot be changed
) -> Plan:
    """What a run is expected to ask and cost.

    Args:
        pipeline: what to do.
        problems: a few of the problems, with what the source has of them beside; their prompts are filled in and measured.
        total: how many there are.
        models: the models that play each role.
        measured: what a rehearsal or an earlier run asked, also of other models.
        media: where images and sounds of problems lie.
    """
    plan = Plan(total)
    reaching: dict[str, float] = {}  # records a unit, at most, by the step that makes them
    upper = False
    for index, step in enumerate(pipeline.steps):
        names = pipeline.sources_of(index)
        inputs = sum(n for name, n in reaching.items() if names is None or name in names)
        if names is None or "input" in names:
            there = sum(isinstance(r, step.takes_type()) for p, records in problems for r in (p, *records))
            inputs += there / max(1, len(problems))
        asking = len([t for r in step.roles() for t in models.get(r, ())]) if isinstance(step, ModelStep) else 1
        flow = step.flow(asking)
        reaching[step.name] = inputs * flow.records
        if not isinstance(step, ModelStep):
            continue
        known = [m for m in measured if m.step == step.name]
        each = inputs * flow.calls * total / max(1, asking)
        if known:
            each = sum(m.calls for m in known) / len(known) * total
            plan.assumptions.append("calls a problem: measured in this run folder")
        upper = upper or (not known and (step.where or step.when or step.unless) is not None)
        for model in (t for r in step.roles() for t in models.get(r, ())):
            read, written = await _tokens(step, problems, model, models, known, plan, media)
            cost = model.price.of(round(each * read), round(each * written)) if model.price else None
            cost = cost if each else 0.0
            plan.steps.append(PlannedStep(step.name, model.name, each, each * read, each * written, cost))
    if upper:
        plan.assumptions.append(
            "steps with where:, when: or repeat: are counted as if they always ran (an upper bound)"
        )
    if any(s.cost is None for s in plan.steps):
        plan.assumptions.append("the price of some models is not in the profile: the cost is unknown, not 0")
    plan.assumptions = list(dict.fromkeys(plan.assumptions))
    return plan


async def _tokens(
    step: ModelStep,
    problems: Sequence[tuple[Problem, Sequence[UnitRecord]]],
    model: Model,
    models: Mapping[str, Sequence[Model]],
    measured: Sequence[Measured],
    plan: Plan,
    media: Reach,
) -> tuple[float, float]:
    """Tokens read and written by one call."""
    for known in measured:
        if known.model == model.name:
            plan.assumptions.append("tokens a call: measured in this run folder")
            return known.prompt_tokens, known.completion_tokens
    written = min(ASSUMED_REPLY_TOKENS, step.max_tokens or ASSUMED_REPLY_TOKENS)
    if model.reasoning:
        thought = min(ASSUMED_THOUGHT_TOKENS, model.thinking_tokens)
        written += thought
        plan.assumptions.append(f"{thought:,} tokens a thought of {model.name} (from some hundred to many thousand)")
    if measured:
        others = ", ".join(m.model for m in measured)
        plan.assumptions.append(f"tokens read by a call of {step.name}: as measured with {others}")
        plan.assumptions.append(f"{ASSUMED_REPLY_TOKENS} tokens a reply of {model.name} (it has written none here)")
        return sum(m.prompt_tokens for m in measured) / len(measured), written
    probe = _Probe()
    for problem, records in problems:
        unit = Unit(problem, probe, models, media)
        unit.add(records)
        if given := unit.made_by(step.takes_type(), ("input",)):
            await step.run(given, unit)
    sizes = [[_tokens_of(m) for m in r.messages] for t, r in probe.asked if t.name == model.name]
    mean = sum(map(sum, sizes)) / len(sizes) if sizes else 500.0
    if any(r.media for _, r in probe.asked) or any(p.media for p, _ in problems):
        plan.assumptions.append(
            f"{ASSUMED_MEDIA_TOKENS:,} tokens an image or sound, whatever its size: endpoints count them very differently, "
            "so run a few with --limit and plan again with --run"
        )
    plan.assumptions.append(f"prompts of {len(problems)} problems filled in, {CHARACTERS_A_TOKEN} characters a token")
    plan.assumptions.append(
        f"{ASSUMED_REPLY_TOKENS} tokens a reply (nothing measured yet: rehearse, or run a few with --limit)"
    )
    return mean, written


def _tokens_of(message: Mapping[str, Any]) -> float:
    """Tokens of a message, about."""
    content = message.get("content", "")
    parts = content if isinstance(content, list) else [{"type": "text", "text": str(content)}]
    texts = [str(part["text"]) for part in parts if part["type"] == "text"]
    return sum(map(len, texts)) / CHARACTERS_A_TOKEN + ASSUMED_MEDIA_TOKENS * (len(parts) - len(texts))
