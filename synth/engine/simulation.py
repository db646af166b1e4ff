"""A few problems through a pipeline with simulated models: what steps ask is counted, and nothing is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from synth.calls import Caller, Ledger
from synth.engine.progress import Progress
from synth.engine.units import StepDone, run_step, run_unit
from synth.errors import ModelError, PromptError, StepError, UserError
from synth.models import Completion, Model, Request, ScriptedModel, World
from synth.pipeline import Pipeline
from synth.reach import Reach
from synth.records import Problem
from synth.sources import Given
from synth.steps import Step, Unit
from synth.store.journal import Location

__all__ = ["ASSUMED_MEDIA_TOKENS", "ASSUMED_REPLY_TOKENS", "ASSUMED_THOUGHT_TOKENS", "CHARACTERS_A_TOKEN", "FEWEST_PROBLEMS",
           "MOST_PROBLEMS", "TOO_MANY_CALLS", "Asked", "Counted", "simulate", "world_of"]  # fmt: skip

FEWEST_PROBLEMS, MOST_PROBLEMS = 5, 50
"""Problems that are simulated: enough to see a step that works on some of them only, few enough for a second."""
ENOUGH_CALLS, TOO_MANY_CALLS = 300, 1500
"""Calls after which no more than the fewest problems are simulated, and after which no further one is: some tenths of a
second. A tree of thoughts makes a hundred calls a problem and more."""
MOST_CALLS = 20_000
"""Calls that one step may make for one problem; a step that makes more is not counted."""

CHARACTERS_A_TOKEN = 4
"""English text; our rule of thumb, said in the plan."""
ASSUMED_REPLY_TOKENS = 200
"""A short rationale, where nothing has been measured yet."""
ASSUMED_THOUGHT_TOKENS = 2000
"""The thought of a model that is known to think: about what R1 and its like take for a problem of school mathematics."""
ASSUMED_MEDIA_TOKENS = 1000
"""An image or a sound: providers count from some 85 to a few thousand, by size and model; said in the plan."""


@dataclass
class Asked:
    """What one step asked of one model."""

    calls: int = 0
    prompt_tokens: float = 0.0
    completion_tokens: float = 0.0
    media: bool = False

    @property
    def read(self) -> float:
        """Mean prompt tokens of a call."""
        return self.prompt_tokens / self.calls if self.calls else 0.0

    @property
    def written(self) -> float:
        """Mean completion tokens of a call."""
        return self.completion_tokens / self.calls if self.calls else 0.0


class Counted:
    """What a simulation asked."""

    def __init__(self) -> None:
        self.asked: dict[tuple[str, str], Asked] = {}
        """By step and model."""
        self.calls: Counter[str] = Counter()
        """By step."""
        self.problem_calls: Counter[str] = Counter()
        """The same, of the problem at work."""
        self.problems = 0
        """How many problems were simulated."""
        self.stopped = False
        """Whether there were more, and the calls were enough."""
        self.failed: dict[str, str] = {}
        """Why a step could not be run, by its name."""
        self.columns: set[str] = set()
        """Keys in `meta` of problems that steps made."""
        self.made_problems: set[str] = set()
        """The steps that made problems."""

    def asked_of(self, step: str) -> int:
        """How many calls a step made."""
        return self.calls[step]

    def add(self, model: Model, request: Request) -> None:
        """Take in a call.

        Raises:
            UserError: the step makes too many for one problem.
        """
        asked = self.asked.setdefault((request.step, model.name), Asked())
        self.calls[request.step] += 1
        self.problem_calls[request.step] += 1
        if self.problem_calls[request.step] > MOST_CALLS:
            raise UserError(f"it makes more than {MOST_CALLS:,} calls for one problem")
        asked.calls += 1
        asked.prompt_tokens += sum(_tokens_of(m) for m in model.wire_messages(request))
        asked.completion_tokens += _reply_tokens(model, request)
        asked.media = asked.media or bool(request.media)


class _CountedModel(ScriptedModel):
    """Simulates a model, and counts what is asked of it."""

    counted: Counted

    async def complete(self, request: Request) -> Completion:
        self.counted.add(self, request)
        try:
            return await super().complete(request)
        except ModelError as error:  # it would count as an endpoint that refuses everything
            raise StepError(error.what, where=f"step {request.step}") from error


class _InMemory:
    """A journal that is never written: the ledger of a simulation."""

    def __init__(self) -> None:
        self._rows: list[bytes] = []

    def append(self, _kind: str, body: bytes) -> Location:
        self._rows.append(body)
        return Location(1, len(self._rows) - 1, 0)

    def read(self, location: Location) -> Any:
        return orjson.loads(self._rows[location.offset])


async def simulate(
    pipeline: Pipeline,
    problems: Sequence[Given],
    models: Mapping[str, Sequence[Model]],
    media: Reach,
    world: World,
    rates: Mapping[str, Any] | None = None,
    failed: Mapping[str, str] | None = None,
) -> Counted:
    """Take problems through all unit steps as a run does, with simulated models and a ledger in memory.

    Args:
        pipeline: what to do.
        problems: the problems.
        models: the models that play each role.
        media: where images and sounds of problems lie.
        world: the abilities of the simulated models.
        rates: abilities in which all models differ from their worlds; None: in none, and no more problems are simulated than
            it takes.
        failed: steps that are left out, and why.
    """
    counted = Counted()
    counted.failed.update(failed or {})
    simulated: dict[int, Model] = {}
    for model in (m for some in models.values() for m in some):
        own = world_of(model, world)
        simulators = {**pipeline.simulators, **own.simulators}
        made = _CountedModel.instead_of(model, replace(own, simulators=simulators, **(rates or {})))
        made.counted = counted
        simulated[id(model)] = made
    playing = {role: [simulated[id(m)] for m in some] for role, some in models.items()}
    caller = Caller(Ledger(_InMemory()))  # type: ignore[arg-type]  # it has what the ledger uses

    async def guarded(step: Step, sources: Sequence[str] | None, unit: Unit) -> StepDone:
        if step.runs_code:
            counted.failed.setdefault(step.name, "it runs code, and a plan runs none")
        if step.name in counted.failed:
            return StepDone(0, ())
        try:
            done = await run_step(step, sources, unit)
            return done._replace(made=list(done.made))
        except Exception as error:  # anything that a step needs and the simulation does not have
            cause = _cause(error)
            if isinstance(cause, UserError) and not isinstance(cause, StepError) and sources == ("input",):
                raise cause from error  # a mistake that its run would meet, too
            if isinstance(cause, PromptError) and not counted.failed:
                raise cause from error  # a mistake too; behind a failed step it may lack what that would have made
            counted.failed[step.name] = _why(cause)
            return StepDone(0, ())

    for given in problems:
        counted.problem_calls.clear()
        records = await run_unit(given, pipeline, caller, playing, Progress(), media, guarded)
        counted.problems += 1
        derived = [r for r in records if isinstance(r, Problem) and r.id != given.problem.id]
        counted.columns.update(key for problem in derived for key in problem.meta)
        counted.made_problems.update(problem.step for problem in derived)
        calls = sum(counted.calls.values())
        enough = calls >= (ENOUGH_CALLS if counted.problems >= FEWEST_PROBLEMS else TOO_MANY_CALLS)
        if rates is None and enough and counted.problems < len(problems):
            counted.stopped = True
            break
    return counted


def _cause(error: Exception) -> Exception:
    """The first error of a group."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


def _why(error: Exception) -> str:
    """Why a step could not be run, in a line."""
    if isinstance(error, UserError):
        return error.what
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]


def _reply_tokens(model: Model, request: Request) -> float:
    """Tokens that a reply is assumed to take: as many as usual, and no more than the limits that go with the request."""
    if request.score is not None:
        return 0.0
    limit = request.parameters.get("max_tokens")
    reply = min(ASSUMED_REPLY_TOKENS, limit) if isinstance(limit, int) else ASSUMED_REPLY_TOKENS
    if model.reasoning:
        reply += min(ASSUMED_THOUGHT_TOKENS, model.thinking_tokens)
    sent = model.wire_parameters(request)
    limits = [sent[name] for name in ("max_tokens", "max_completion_tokens") if isinstance(sent.get(name), int)]
    return float(min([reply, *limits]))


def _tokens_of(message: Mapping[str, Any]) -> float:
    """Tokens of a message, about."""
    content = message.get("content", "")
    parts = content if isinstance(content, list) else [{"type": "text", "text": str(content)}]
    texts = [str(part["text"]) for part in parts if part["type"] == "text"]
    return sum(map(len, texts)) / CHARACTERS_A_TOKEN + ASSUMED_MEDIA_TOKENS * (len(parts) - len(texts))


def world_of(model: Model, world: World) -> World:
    """The abilities with which a model is simulated: of a scripted model in a world its own."""
    return (model.world if isinstance(model, ScriptedModel) else None) or world
