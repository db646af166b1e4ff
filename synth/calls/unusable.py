"""Why a reply is of no use, and what to do about it."""

from __future__ import annotations

from synth.errors import ModelError
from synth.models.base import Model
from synth.models.request import Completion, Request
from synth.models.thought import FIELDS
from synth.records import CallStatus

__all__ = ["unusable"]


def unusable(status: CallStatus, completion: Completion, model: Model, request: Request) -> ModelError:
    """The error for a reply that came, and is of no use.

    Args:
        status: how the call ended; not "ok".
        completion: the reply.
        model: who wrote it.
        request: what was asked.
    """
    what, fix = {
        "truncated": (
            f"the reply was cut off at the token limit{_limit_of(model, request)}",
            "raise max_tokens of the step",
        ),
        "thought_cut": _thought_cut(completion, model, request),
        "only_thought": _only_thought(completion),
        "empty": ("the reply was empty", None),
        "refused": ("the model refused", None),
        "server": (f"the reply broke off (finish_reason {completion.finish})", None),
        "malformed": (f"the reply is no text, but the call of a tool (finish_reason {completion.finish})", None),
    }[status]
    return ModelError(
        status,
        what,
        # A hiccup of a server as often as a habit of a model: worth another attempt.
        retriable=status in {"empty", "server", "malformed"},
        raw=completion.text
        or completion.refusal
        or (completion.thought if status in {"thought_cut", "only_thought"} else None),
        fix=fix,
    )


def _limit_of(model: Model, request: Request) -> str:
    """The limit that was sent, in words."""
    sent = model.wire_parameters(request)
    found = next(((n, sent[n]) for n in ("max_tokens", "max_completion_tokens") if isinstance(sent.get(n), int)), None)
    return f" ({found[0]}: {found[1]:,})" if found is not None else ""


def _thought_cut(completion: Completion, model: Model, request: Request) -> tuple[str, str]:
    fix = (
        "reasoning: N in the profile of this model (models.yaml) allows N tokens for its thought beside max_tokens of the "
        "step; or raise max_tokens, or set max_tokens_on_truncation, with which it is asked once more"
    )
    if "max_completion_tokens" in model.parameters:
        fix = "raise max_completion_tokens in the profile of this model (models.yaml)"
    if not completion.cut_off:
        return "the thought does not end: the reply broke off while the model was still thinking", fix
    return f"the thought was cut off at the token limit{_limit_of(model, request)}: there is no response", fix


def _only_thought(completion: Completion) -> tuple[str, str]:
    if completion.thought_from in {*FIELDS, "reasoning_details", "parts"}:
        what = f"the text came as reasoning ({completion.thought_from}), and the content is empty"
        fix = (
            "a server's reasoning parser does that where the model does not think, or never ends its thought: start the "
            "server without it (vLLM, SGLang: --reasoning-parser; llama.cpp: --reasoning-format none), or switch thinking off "
            "in the profile of this model (such as parameters: {chat_template_kwargs: {enable_thinking: false}})"
        )
        return what, fix
    what = f"the reply is a thought ({completion.thought_from}) and no response"
    return what, "ask for a response in the prompt; synth calls RUN CALL shows what the model wrote"
