"""An attempt as a row of the ledger."""

from __future__ import annotations

from typing import Any

from synth.calls.ledger import call_id
from synth.errors import ModelError
from synth.models.base import Model
from synth.models.request import Completion, Request
from synth.records import Call, CallStatus
from synth.redact import redact

__all__ = ["row_of", "status_of"]


def row_of(
    model: Model,
    request: Request,
    key: str,
    attempt: int,
    unit: str,
    completion: Completion | None,
    status: CallStatus,
    error: ModelError | None,
    started: float,
    latency: float,
) -> Call:
    """The row of an attempt.

    Args:
        model: who was asked.
        request: what was asked.
        key: of the request, asked of this model.
        attempt: which one under this key, from 1.
        unit: for which unit.
        completion: what came; None where nothing did.
        status: how it ended.
        error: why nothing came; None where it was cancelled.
        started: when it left, in seconds since the epoch.
        latency: seconds until it ended.
    """
    price = None
    if completion is not None and model.price is not None:
        price = model.price.of(completion.prompt_tokens, completion.completion_tokens)
    reply: dict[str, Any] = {}
    if completion is not None:
        reply = {
            "reply": completion.text,
            "thought": completion.thought,
            "thought_kind": completion.thought_kind,
            "thought_from": completion.thought_from,
            "finish": completion.finish,
            "logprobs": completion.logprobs,
            "served_model": completion.served_model,
            "prompt_tokens": completion.prompt_tokens,
            "completion_tokens": completion.completion_tokens,
            "reasoning_tokens": completion.reasoning_tokens,
            "error": completion.refusal,
        }
    elif error is not None:
        reply = {"reply": error.raw, "error": redact(error.what)}
    return Call(
        id=call_id(key, attempt),
        key=key,
        attempt=attempt,
        model=model.name,
        endpoint=model.endpoint,
        model_id=model.model_id,
        unit=unit,
        step=request.step,
        prompt=request.prompt,
        shape=request.shape.__name__.lstrip("_") if request.shape is not None else None,
        repairs=request.repairs,
        messages=list(model.wire_messages(request)),
        parameters=model.wire_parameters(request),
        sample=request.sample,
        status=status,
        price=price,
        started=started,
        latency=latency,
        **reply,
    )


def status_of(error: ModelError) -> CallStatus:
    """How an attempt ended that gave no reply."""
    return error.cause  # type: ignore[return-value]  # the causes of a ModelError are statuses, a test holds it
