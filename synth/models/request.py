"""What is asked of a model and what comes back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from synth.models.tokens import raw_bytes
from synth.records import CallStatus, Part, Problem, ThoughtKind, UnitRecord, content_id

if TYPE_CHECKING:
    from synth.models.structured import Reply

__all__ = [
    "CHAT",
    "COMPLETIONS",
    "KEY_VERSION",
    "Completion",
    "Message",
    "Request",
    "Task",
    "TaskKind",
    "TokenLogprob",
    "replay_key",
]

Message = dict[str, Any]
"""One chat message: `role` (system, user, assistant) and `content`."""

CHAT = "/chat/completions"
COMPLETIONS = "/completions"

KEY_VERSION = 1
"""Version of the replay key. Raised when what goes into the key changes; older replies are then asked again."""

# The exclusion list: what is sent, or decides about it, and is not in the key.
#   API key and other headers   who pays does not change what is asked
#   port of the embedded server chosen at each start; the model's content hash stands in its place
#   time-out, concurrency, price  how we wait and what it costs, not what is asked


TaskKind = Literal[
    "solve",
    "review",
    "judge",
    "critique",
    "revise",
    "propose",
    "evaluate",
    "same",
    "segment",
    "ask",
    "continue",
    "other",
]
"""What a request may be for."""


@dataclass(frozen=True, slots=True)
class Task:
    """What a request is for. It is not sent: it is for the scripted model, the ledger and error messages."""

    kind: TaskKind
    """`solve`: write a rationale for `problem`. Of the rationale `subject`, `review`: rate it from 1 to 5; `judge`: say
    yes or no to its being right; `critique`: explain its mistake; `revise`: write it again without the mistake. Of a
    tree, `propose`: a next step after the node `subject`; `evaluate`: that node. `same`: whether the
    record `subject` is the item `hint` of a benchmark, in other words. Of a problem, `judge` is yes or no to a question about it. `segment`: say where
    the steps of the text `hint` begin, which is of the rationale `subject`. `ask`:
    any question of a step `ask`, or of a step of a method's own. `continue`: continue from the beginning of a solution, which the request
    names."""
    problem: Problem
    subject: UnitRecord | None = None
    """The record the step works on, where that is not the problem."""
    hint: str | None = None
    """The gold answer, where the model was shown it."""
    format: Literal["text", "json"] = "text"
    """How the reply is to be written."""
    part: Part | None = None
    """The part of the subject that is asked about, where it is not the whole."""
    answers: tuple[str, ...] = ()
    """Of `ask`: the fields of the reply that answer the problem; `("",)` where all of the reply does."""


_NOTHING: Mapping[str, Any] = {}


class Request(NamedTuple):
    """One question to a model."""

    messages: tuple[Message, ...]
    task: Task
    parameters: Mapping[str, Any] = _NOTHING
    """Sampling parameters by their names in the OpenAI API; they go over the profile's."""
    sample: int = 0
    """Which of several samples of the same question, from 0."""
    step: str = ""
    """The step that asks."""
    prompt: str | None = None
    """Name, version and content hash of the template that made the messages."""
    shape: type[Reply] | None = None
    """What the reply is held to; see `structured.py`."""
    repairs: str | None = None
    """Ledger row of the reply this request asks to repair."""
    max_tokens_on_truncation: int | None = None
    """With this limit the same is asked once more where the reply was cut off."""
    continue_from: str | None = None
    """The beginning of the reply; what comes continues from there."""
    begun: str | None = None
    """The same, where the messages show the beginning in words; not sent."""
    score: str | None = None
    """A given reply (after `continue_from`, if that is given) whose tokens are to be scored; nothing is written."""
    media: Mapping[str, Path] = _NOTHING
    """Files behind the media parts of the messages, by what stands for them there; see `media.py`."""


class TokenLogprob(NamedTuple):
    """A token and its log-probability (natural logarithm, at most 0)."""

    token: str
    logprob: float
    raw: bytes | None = None
    """Its bytes, where they are not those of `token`: a token may be a part of a character."""

    @property
    def spelled(self) -> bytes:
        """What it adds to the text, in UTF-8."""
        return self.token.encode(errors="replace") if self.raw is None else self.raw


class Completion(NamedTuple):
    """One reply."""

    text: str
    """The visible reply, without the thought."""
    finish: str | None = None
    thought: str | None = None
    """The reasoning trace, wherever in the endpoint's reply it stood."""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    """Tokens written, those of the thought included."""
    logprobs: Any = None
    served_model: str | None = None
    refusal: str | None = None
    thought_kind: ThoughtKind | None = None
    """What is known of the thought; None where there is no sign of one."""
    thought_from: str | None = None
    """Where the thought stood: a field of the message, `parts` of its content, or the family of its tags."""
    finished: bool = True
    """False where a thought within the content begins and does not end: all that follows is the thought."""
    reasoning_tokens: int | None = None
    """Of the tokens written, those of the thought, where the endpoint counts them apart."""
    pause: float | None = None
    """Seconds the endpoint wants everybody to wait, because no quota remains."""
    notes: tuple[str, ...] = ()
    """What of the endpoint's reply was passed over or taken off; reported once a model."""
    value: Any = None
    """The reply as an object of the response schema; filled in by the unit."""
    key: str = ""
    """The replay key; filled in by the caller. What is made of a reply is identified by it: how many attempts it took
    differs from run to run."""
    call: str = ""
    """Id of the ledger row; filled in by the caller."""

    @property
    def token_logprobs(self) -> tuple[TokenLogprob, ...]:
        """Log-probability of each token of the text, in order; empty where none were asked for."""
        found = self.logprobs or {}
        if found.get("content"):
            return tuple(TokenLogprob(t["token"], t["logprob"], raw_bytes(t)) for t in found["content"])
        tokens, values = found.get("tokens") or (), found.get("token_logprobs") or ()
        return tuple(TokenLogprob(t, v) for t, v in zip(tokens, values, strict=True) if v is not None)

    @property
    def cut_off(self) -> bool:
        """Whether the endpoint says that the limit of tokens was reached."""
        return self.finish is not None and _end_of(self.finish) == "truncated"

    @property
    def status(self) -> CallStatus:
        """Whether the reply is usable as it stands; a truncated or an empty one never is."""
        finish = self.finish
        end: CallStatus = "ok" if finish is None or finish in _WHOLE else _end_of(finish)
        if end == "server":  # what it says of a refusal is then why it broke off
            return end
        if self.refusal:
            return "refused"
        empty = not self.text or self.text.isspace()
        if end == "truncated" and empty and (self.thought or self.thought_kind is not None):
            return "thought_cut"
        if not self.finished and end in {"ok", "truncated"}:
            return "thought_cut"
        if end != "ok" or not empty:
            return end
        return "only_thought" if self.thought else "empty"


_WHOLE = frozenset({"", "stop", "eos", "eos_token", "stop_sequence", "end_turn", "complete", "completed", "scored"})
"""Words for a reply that is whole, as endpoints and gateways say it; `scored` is ours."""
_CUT = frozenset(
    {"length", "max_tokens", "model_length", "max_output_tokens", "max_length", "model_context_window_exceeded"}
)
_REFUSED = frozenset(
    {"content_filter", "safety", "refusal", "recitation", "blocklist", "prohibited_content", "spii", "sensitive"}
)


def _end_of(finish: str) -> CallStatus:
    """What a `finish_reason` says of a reply. A word nobody knows (`error`, `abort`, `insufficient_system_resource`, …)
    is never taken for a whole one.
    """
    word = finish.lower().split(":")[0].strip().replace("-", "_")
    if word in _WHOLE:
        return "ok"
    if word in _CUT:
        return "truncated"
    if word in _REFUSED:
        return "refused"
    # No tools were offered: what calls one is not what was asked for.
    return "malformed" if word in {"tool_calls", "tool_use", "function_call"} else "server"


def replay_key(
    endpoint: str,
    model: str,
    messages: tuple[Message, ...],
    parameters: Mapping[str, Any],
    sample: int,
    path: str = CHAT,
) -> str:
    """The key under which a reply is found again: everything that is sent, less the exclusion list above, and the sample."""
    sent: list[Any] = [KEY_VERSION, endpoint, model, list(messages), dict(parameters), sample]
    return content_id(sent if path == CHAT else [*sent, path])
