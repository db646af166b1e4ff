"""What was sent and what was run: calls of models and executions of programs. Times and prices live here alone."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, JsonValue

from synth.records.record import Record
from synth.records.solutions import ThoughtKind

__all__ = ["Call", "CallStatus", "Execution", "ExecutionStatus"]

CallStatus = Literal[
    "ok",
    "truncated",
    "thought_cut",
    "only_thought",
    "empty",
    "refused",
    "malformed",
    "rate_limit",
    "server",
    "connection",
    "timeout",
    "auth",
    "not_found",
    "bad_request",
    "raised",
    "cancelled",
]
"""How one attempt ended. `truncated`: the response was cut off at the limit of tokens; `thought_cut`: the thought was, so
that there is no response; `only_thought`: the endpoint sent the whole reply as reasoning; `raised`: the model is a Python
function, which raised an exception; `cancelled`: we gave it up while it was under way. Only `ok` is ever served again from the ledger.
"""


ExecutionStatus = Literal["ok", "error", "timeout", "memory", "output", "unsupported", "refused"]
"""How a run of a program ended; see `synth.sandbox.Status`. `ok` says that all of it ran, not that it is right."""


class Call(Record):
    """One attempt that was sent: a row of the ledger."""

    table: ClassVar[str] = "calls"

    key: str
    """The replay key: hash of everything that is sent (less a short exclusion list) and the sample index."""
    attempt: Annotated[int, Field(ge=1)]
    """Which attempt at this key, from 1, counted over the whole life of the run folder."""
    model: str
    """Name of the model in the profile."""
    endpoint: str
    """Where it was sent: the base URL, or `local:MODEL` for the embedded model."""
    model_id: str
    """The model that was asked."""
    served_model: str | None = None
    """The model that said it answered, where the endpoint names one."""
    unit: str | None = None
    """The unit that asked first."""
    step: str | None = None
    """The step that asked first."""
    prompt: str | None = None
    """Name, version and content hash of the prompt template."""
    shape: str | None = None
    """The name of the response schema; None for free text."""
    repairs: str | None = None
    """Ledger row of the reply this call asks to repair, because it was not valid by its response schema."""
    messages: JsonValue
    """The messages as sent; for images and sounds their hashes."""
    parameters: Annotated[dict[str, JsonValue], Field(default_factory=dict)]
    """The parameters as sent."""
    sample: int = 0
    """The sample index, from 0."""
    status: CallStatus
    """How it ended."""
    reply: str | None = None
    """The visible text of the reply, without the thought."""
    thought: str | None = None
    """The reasoning trace, wherever in the endpoint's reply it stood; several parts are joined by a blank line."""
    thought_kind: ThoughtKind | None = None
    """What is known of the thought; None where there is no sign of one."""
    thought_from: str | None = None
    """Where the thought stood: the name of the field (`reasoning_content`, `reasoning`, `thinking`, `reasoning_details`),
    `parts` of the content, or the family of the tags within the content; None where no text came."""
    finish: str | None = None
    """The endpoint's `finish_reason`."""
    logprobs: JsonValue = None
    """Log-probabilities, where asked for."""
    prompt_tokens: int | None = None
    """Tokens read, as the endpoint counts them; None where it does not say."""
    completion_tokens: int | None = None
    """Tokens written, those of the thought included; None where the endpoint does not say."""
    reasoning_tokens: int | None = None
    """Of these, the tokens of the thought, where the endpoint counts them apart."""
    price: float | None = None
    """US dollars, at the price in the profile; None where the price or the tokens are unknown."""
    started: float
    """When the request left: seconds since the epoch; in SQL a TIMESTAMPTZ."""
    latency: float
    """Seconds from sending to the end of the reply, without any waiting of ours."""
    error: str | None = None
    """What went wrong, without secrets."""


class Execution(Record):
    """One run of a program in a sandbox."""

    table: ClassVar[str] = "executions"

    key: str
    """The replay key: hash of the program, its test, the limits, and the sandbox with its version."""
    unit: str | None = None
    """The unit that ran it first."""
    step: str | None = None
    """The step that ran it first."""
    rationale: str | None = None
    """Id of the rationale whose program it was first; others with the same program and test are not run again."""
    test: Annotated[int, Field(ge=0)] | None = None
    """Which test of the problem, from 0; None where a program was run for what it prints or returns."""
    program: str
    """Hash of the program."""
    sandbox: str
    """Name and version of the sandbox: `monty/1.4.0`, `bubblewrap/0.8.0 Python 3.11.7`."""
    status: ExecutionStatus
    """How it ended."""
    error: str | None = None
    """What went wrong, in one line; None where nothing did."""
    value: JsonValue = None
    """The value that was asked for, where there is one."""
    stdout: str = ""
    """What the program wrote, up to the limit of the step."""
    stderr: str = ""
    """What it wrote to standard error, with the traceback; up to the limit."""
    started: float
    """When it began: seconds since the epoch; in SQL a TIMESTAMPTZ."""
    seconds: float
    """How long it ran, the start of the sandbox included."""
