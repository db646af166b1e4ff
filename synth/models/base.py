"""The seam: a model takes a request and gives a completion. Everything else is wrapped around it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Protocol, Self

from pydantic import BaseModel, ConfigDict, Field

from synth.models.request import CHAT, Completion, Message, Request, replay_key
from synth.models.structured import response_format

__all__ = ["MOST_SEED", "THINKING_TOKENS", "Capability", "Model", "Price", "StateStore", "asks_to_think"]

_SAMPLES_A_SEED = 100_000
MOST_SEED = 2**63 // _SAMPLES_A_SEED - 1
"""Above it the seeds of samples would have more than 64 bits."""

Capability = Literal["chat", "json_schema", "seed", "logprobs", "prompt_logprobs", "prefill", "images", "audio"]
"""What an endpoint can do beyond plain text; `chat` all can."""


THINKING_TOKENS = 16_384
"""Tokens that a thought may take where nobody says how many: our choice. Half of what the makers of R1 and Qwen3 advise for
hard problems; a thought that is longer has mostly lost its way."""


class StateStore(Protocol):
    """What one model writes down to outlive the process, such as the batches that are under way."""

    def entries(self) -> list[dict[str, Any]]:
        """All that was written, by earlier sessions too, oldest first."""

    def write(self, body: dict[str, Any]) -> None:
        """Write one entry; when this returns, a killed process does not lose it.

        Raises:
            Stopped: it cannot be written.
        """

    def attempts(self, key: str) -> int:
        """How many attempts at a replay key have ended."""

    def report(self, line: str, /) -> None:
        """Show the user a line."""


class Price(BaseModel):
    """US dollars for a million tokens."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: Annotated[float, Field(ge=0)]
    """For a million tokens read."""
    output: Annotated[float, Field(ge=0)]
    """For a million tokens written."""

    def of(self, prompt_tokens: float | None, completion_tokens: float | None) -> float | None:
        """US dollars for one call; None where a count is not known."""
        if prompt_tokens is None or completion_tokens is None:
            return None
        return (prompt_tokens * self.input + completion_tokens * self.output) / 1e6


class Model(ABC):
    """A model that answers. One abstract method; the rest has defaults.

    Attributes:
        name: how the profile calls it; stands in records and in the ledger.
        model_id: the model asked for, as its endpoint names it.
        endpoint: where requests go, in the form that enters the replay key.
        capabilities: what it can do.
        unknown: what it may be able to do; found out by a probe where a step has use for it.
        parameters: sampling parameters sent with each request unless the step says otherwise.
        price: US dollars for a million tokens, or None where it is not known.
        concurrency: how many requests may be in flight at once; fewer are where the endpoint cannot take so many.
        requests_per_minute: how many may leave in a minute; None for no such limit.
        tokens_per_minute: how many tokens may be read and written in a minute; None for no such limit.
        reasoning: whether it thinks before it replies, or how many tokens its thought may take; None where that is not known.
        small: whether few-shot examples and a JSON schema are worth more to it than instructions.
    """

    name: str
    model_id: str
    endpoint: str
    capabilities: frozenset[Capability] = frozenset({"chat"})
    unknown: frozenset[Capability] = frozenset()
    parameters: Mapping[str, Any] = {}
    price: Price | None = None
    concurrency: int = 32
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    reasoning: bool | int | None = None
    small: bool = False

    @abstractmethod
    async def complete(self, request: Request) -> Completion:
        """Ask once.

        Raises:
            ModelError: no reply came, or one that cannot be read.
        """

    async def start(self) -> None:
        """Make ready; called once before the first request."""

    async def stop(self) -> None:
        """Let go of everything `start` took; may be called more than once."""

    def attach_state(self, state: StateStore) -> None:
        """Take what outlives this process, for a model that must remember what is under way; before `start`."""

    def release(self) -> None:
        """The run is being stopped: end the calls whose replies will not come soon, with `Stopped`."""

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def thinking_tokens(self) -> int:
        """Tokens its thought may take, beside the limit of a step, which is for the visible reply; 0 where it does not think."""
        if self.reasoning is True:
            return _budget(self.parameters) or THINKING_TOKENS
        return int(self.reasoning or 0)

    def wire_parameters(self, request: Request) -> dict[str, Any]:
        """The parameters as they are sent: its own, and over them those of the request.

        One that is None among its own is not sent, also where a step gives it. Where it has a limit under the newer name,
        `max_completion_tokens`, that of the request is not sent beside it.
        """
        own = self.parameters
        merged = {k: v for k, v in own.items() if v is not None}
        merged |= {k: v for k, v in request.parameters.items() if v is not None and own.get(k, "") is not None}
        if "max_completion_tokens" in merged and own.get("max_tokens") is None:
            merged.pop("max_tokens", None)
        if self.reasoning and (more := self.thinking_tokens):
            if "max_tokens" in request.parameters and isinstance(limit := merged.get("max_tokens"), int):
                merged["max_tokens"] = limit + more
            if "stop" in request.parameters and own.get("stop") is None:
                merged.pop("stop", None)  # it would end the thought
        if "seed" in self.capabilities and own.get("seed", "") is not None:
            # Samples of one question differ by their seed alone, so that each can be had again.
            merged["seed"] = int(merged.get("seed") or 0) * _SAMPLES_A_SEED + request.sample
        if (
            request.shape is not None
            and "json_schema" in self.capabilities
            and own.get("response_format", "") is not None
        ):
            merged["response_format"] = response_format(request.shape)
        return merged

    def path(self, request: Request) -> str:  # noqa: ARG002
        """Where below the endpoint's address a request goes."""
        return CHAT

    def key(self, request: Request) -> str:
        """The replay key of a request to this model."""
        return replay_key(
            self.endpoint,
            self.model_id,
            self.wire_messages(request),
            self.wire_parameters(request),
            request.sample,
            self.path(request),
        )

    def wire_messages(self, request: Request) -> tuple[Message, ...]:
        """The messages as they are sent; for media what stands for them."""
        given = (request.continue_from or "") + (request.score or "")
        return (*request.messages, {"role": "assistant", "content": given}) if given else request.messages


def asks_to_think(parameters: Mapping[str, Any]) -> bool | None:
    """Whether parameters switch thinking on, in the words of any endpoint, or off; None where they say nothing."""
    template = parameters.get("chat_template_kwargs")
    given = {**parameters, **(template if isinstance(template, dict) else {})}
    if _budget(parameters):
        return True
    effort = given.get("reasoning_effort")
    if isinstance(effort, str):
        return effort != "none"
    for name in ("thinking", "enable_thinking", "think", "reasoning"):
        value = given.get(name)
        if isinstance(value, bool):
            return value
        if isinstance(value, str):
            return value not in {"none", "off", "false"}
        if isinstance(value, dict):
            return (
                value.get("type") != "disabled" and value.get("enabled") is not False and value.get("effort") != "none"
            )
    return None


def _budget(parameters: Mapping[str, Any]) -> int | None:
    """The tokens that parameters allow for a thought, in the words of any endpoint."""
    for value in (
        parameters.get("thinking_budget"),  # DashScope
        parameters.get("thinking_token_budget"),  # vLLM
        *(inner.get(name) for at, name in _BUDGETS if isinstance(inner := parameters.get(at), dict)),
    ):
        if type(value) is int and value > 0:
            return value
    return None


_BUDGETS = (
    ("thinking", "budget_tokens"),  # Anthropic
    ("reasoning", "max_tokens"),  # OpenRouter
    ("chat_template_kwargs", "thinking_budget"),  # Seed-OSS
)
