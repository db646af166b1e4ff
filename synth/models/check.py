"""Looking whether a model answers, and what it can do, before a run depends on it."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field

import orjson

from synth.errors import ModelError, SynthError
from synth.models.base import Capability, Model
from synth.models.endpoint import EndpointModel
from synth.models.probe import PROBES, probe, puzzle
from synth.models.request import Completion, Request, Task
from synth.nesting import maybe_deep, too_deep
from synth.records import Problem, ThoughtKind

__all__ = ["Report", "check_model"]

QUESTION = "What is 17 + 25? Reply with the number alone."


@dataclass
class Report:
    """What was found."""

    name: str
    model_id: str
    endpoint: str
    problem: SynthError | None = None
    """Why it cannot be used; None where it can."""
    listed: bool | None = None
    """Whether the endpoint lists the model; None where it lists none."""
    served_model: str | None = None
    reply: str = ""
    latency: float | None = None
    """Seconds the sample reply took."""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    thought_kind: ThoughtKind | None = None
    """What a reply showed of a thought; None where none did."""
    thought_from: str | None = None
    """Where the thought stood."""
    thought_tokens: int | None = None
    """The tokens of that thought, where the endpoint counts them apart."""
    capabilities: dict[Capability, bool] = field(default_factory=dict)
    """What was found out, and whether it has it."""
    open_: dict[Capability, str] = field(default_factory=dict)
    """What could not be found out, and why."""


async def check_model(model: Model) -> Report:
    """Ask for one reply, and one small question for each capability; some six calls, which no ledger records.

    Whether it thinks is seen from these; where none shows it, one question more is asked that takes a thought.
    """
    report = Report(model.name, model.model_id, model.endpoint)

    async def ask(one: Model, request: Request) -> Completion:
        reply = await one.complete(request)
        if report.thought_kind in {None, "hidden"} and reply.thought_kind is not None:
            report.thought_kind, report.thought_from = reply.thought_kind, reply.thought_from
            report.thought_tokens = reply.reasoning_tokens
        return reply

    try:
        async with model:
            report.model_id, report.endpoint = model.model_id, model.endpoint
            if isinstance(model, EndpointModel):
                report.listed = await _listed(model)
            messages = ({"role": "user", "content": QUESTION},)
            began = time.perf_counter()
            got = await ask(model, Request(messages, Task("other", Problem.root(question=QUESTION))))
            report.latency = time.perf_counter() - began
            report.reply, report.served_model = got.text.strip() or (got.refusal or ""), got.served_model
            report.prompt_tokens, report.completion_tokens = got.prompt_tokens, got.completion_tokens
            declared = model.capabilities
            model.unknown = frozenset(PROBES)  # also what the profile says: it is looked whether that is so
            model.capabilities = declared - model.unknown
            report.open_ = await probe(model, model.unknown, ask)
            if report.thought_kind is None and model.reasoning is not False:
                with suppress(ModelError):
                    await ask(model, puzzle())
            report.capabilities = {c: c in model.capabilities for c in PROBES if c not in report.open_}
    except SynthError as error:
        report.problem = error
    return report


async def _listed(model: EndpointModel) -> bool | None:
    reply = await model.get("/models")
    if reply.status != 200:
        return None
    try:
        listed = orjson.loads(reply.body)
        if maybe_deep(reply.body) and too_deep(listed):
            return None
        ids = {str(m["id"]) for m in (listed if isinstance(listed, list) else listed["data"])}  # Together: a bare list
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None
    return model.model_id in ids or f"models/{model.model_id}" in ids if ids else None
