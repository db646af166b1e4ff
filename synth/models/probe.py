"""Finding out what an endpoint can do: one small question for each capability.

What an endpoint says it takes is not evidence: many pass over parameters they do not know. Each question is one whose
answer shows that the capability was used. Nor is a refusal, where the endpoint refuses the same plain question as well:
what could not be found out stays unknown.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Literal

from synth.errors import ModelError
from synth.models.base import Capability, Model
from synth.models.continuation import Restarted, strip_prefix
from synth.models.media import attach
from synth.models.request import Completion, Request, Task
from synth.models.structured import Reply
from synth.reach import Reach
from synth.records import Media, Problem

__all__ = ["PROBES", "observe", "probe", "puzzle"]

_TOKENS = 2048
"""Room for models that think first."""
_TRANSIENT = frozenset(
    {
        "truncated",
        "thought_cut",
        "only_thought",
        "empty",
        "refused",
        "rate_limit",
        "server",
        "connection",
        "timeout",
        "malformed",
    }
)
"""Ends of a call that say nothing of what an endpoint can do."""


class _Sky(Reply):
    colour: Literal["blue", "green"]


def _request(text: str, **more: object) -> Request:
    task = Task("other", Problem.root(question=text))
    return Request(({"role": "user", "content": text},), task, step="probe", **more)  # type: ignore[arg-type]


def observe(model: Model, reply: Completion) -> None:
    """Note that a model thinks, where a reply shows it and nobody has said whether it does."""
    if model.reasoning is None and reply.thought_kind is not None:
        model.reasoning = True


def puzzle() -> Request:
    """A question over which models think that think at all; easy ones get no thought from some."""
    return _request(
        "A bat and a ball cost 1.10 in total, and the bat costs 1.00 more than the ball. A second ball costs a fifth of the "
        "first and the bat together. What do the two balls cost? Reply with the number alone."
    )


def _plain() -> Request:
    return _request("Reply with the word yes.")


def _json_schema() -> Request:
    return _request("Which colour has the sky at noon? Answer in one plain sentence, without JSON.", shape=_Sky)


def _logprobs() -> Request:
    return _request("Reply with the word yes.", parameters={"logprobs": True})


# A gap that no model leaves of itself: a model that begins again counts without it.
_COUNTED = "one, two, three, four, seven,"


def _prefill() -> Request:
    return _request("Count from one to ten in words, with commas between.", continue_from=_COUNTED)


def _scores() -> Request:
    return _request("What is the capital of France?", score="The capital of France is Paris.")


def _images() -> Request:
    asked = _request("Which colour is this image? Answer with one word.")
    messages, files = attach(asked.messages, [Media(kind="image", uri="red.png")], Reach(Path(__file__).parent))
    return asked._replace(messages=messages, media=files)


def _is_exactly_json(reply: Completion) -> bool:
    try:
        return set(json.loads(reply.text)) == {"colour"}
    except (ValueError, TypeError, RecursionError):
        return False


def _goes_on(reply: Completion) -> bool:
    try:
        return strip_prefix(_COUNTED, reply.text).lstrip().startswith("eight")
    except Restarted:
        return False


PROBES: dict[Capability, tuple[Callable[[], Request], Callable[[Completion], bool]]] = {
    "json_schema": (_json_schema, _is_exactly_json),
    "logprobs": (_logprobs, lambda reply: bool(reply.token_logprobs)),
    "prefill": (_prefill, _goes_on),
    "prompt_logprobs": (_scores, lambda reply: bool(reply.token_logprobs)),
    "images": (_images, lambda reply: "red" in reply.text.lower()),
}
"""For each capability a question, and whether a reply to it shows the capability."""


async def probe(
    model: Model, wanted: frozenset[Capability], ask: Callable[[Model, Request], Awaitable[Completion]]
) -> dict[Capability, str]:
    """Move each wanted capability of a model out of `unknown`, into `capabilities` if it has it.

    Args:
        model: it is changed; also `reasoning`, where nobody has said whether it thinks and a reply shows that it does.
        wanted: what there is use for.
        ask: asks one question; its calls are calls like any other.

    Returns:
        What could not be found out, and stays unknown, with the reason.

    Raises:
        ModelError: no call to the model can succeed.
    """
    declared, open_ = model.capabilities, dict[Capability, str]()
    for capability in sorted(model.unknown & wanted):
        question, shows = PROBES[capability]
        model.capabilities = model.capabilities | {capability}  # so that it is sent
        try:
            has_it, why = await _shown(model, _roomy(question(), model), shows, ask)
            if has_it is False and why:  # it refused: that question, or all?
                model.capabilities = model.capabilities - {capability}
                why = await _refuses_all(model, ask)
                has_it = None if why else False
        except ModelError:
            model.capabilities = declared
            raise
        if not has_it:
            model.capabilities = model.capabilities - {capability}
        if has_it is None:
            open_[capability] = why
        else:
            model.unknown = model.unknown - {capability}
    return open_


def _roomy(request: Request, model: Model) -> Request:
    """With room for the reply; models that count what they think have a limit of their own in the profile."""
    if model.parameters.get("max_tokens", model.parameters.get("max_completion_tokens")) is not None:
        return request
    return request._replace(parameters={**request.parameters, "max_tokens": _TOKENS})


async def _shown(
    model: Model,
    request: Request,
    shows: Callable[[Completion], bool],
    ask: Callable[[Model, Request], Awaitable[Completion]],
) -> tuple[bool | None, str]:
    """Whether a reply shows the capability (None: that cannot be said), and what went wrong."""
    try:
        reply = await ask(model, request)
    except ModelError as error:
        no_scores = error.cause == "malformed" and request.score is not None  # a reply without what was asked for
        if error.cause == "thought_cut" and model.reasoning is None:
            model.reasoning = True
        if error.cause in _TRANSIENT and not no_scores:
            if error.fatal:
                raise
            return None, error.what
        return False, error.what
    observe(model, reply)
    if shows(reply):
        return True, ""
    return (False, "") if reply.status == "ok" else (None, f"the reply was {reply.status}")


async def _refuses_all(model: Model, ask: Callable[[Model, Request], Awaitable[Completion]]) -> str:
    """What the endpoint says to a plain question, where it does not answer that either; empty where it does.

    Raises:
        ModelError: no call to it can succeed.
    """
    try:
        await ask(model, _roomy(_plain(), model))
    except ModelError as error:
        if error.fatal:
            raise
        return f"a plain question is not answered either: {error.what}"
    return ""
