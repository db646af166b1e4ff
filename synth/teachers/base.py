"""The seam: a teacher takes a request and gives a completion. Everything else is wrapped around it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from synth.teachers.ledger import Notebook
from synth.teachers.request import CHAT, Completion, Message, Request, replay_key
from synth.teachers.structured import response_format

__all__ = ["MOST_SEED", "Capability", "Price", "Teacher"]

_SAMPLES_A_SEED = 100_000
MOST_SEED = 2**63 // _SAMPLES_A_SEED - 1
"""Above it the seeds of samples would have more than 64 bits."""

Capability = Literal["chat", "json_schema", "seed", "logprobs", "prompt_logprobs", "prefill", "images", "audio"]
"""What an endpoint can do beyond plain text; `chat` all can."""


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


class Teacher(ABC):
    """A model that answers. One abstract method; the rest has defaults.

    Attributes:
        name: how the profile calls it; stands in records and in the ledger.
        model: the model asked for.
        endpoint: where requests go, in the form that enters the replay key.
        capabilities: what it can do.
        unknown: what it may be able to do; found out by a probe where a step has use for it.
        parameters: sampling parameters sent with each request unless the step says otherwise.
        price: US dollars for a million tokens, or None where it is not known.
        concurrency: how many requests may be in flight at once; fewer are where the endpoint cannot take so many.
        requests_per_minute: how many may leave in a minute; None for no such limit.
        tokens_per_minute: how many tokens may be read and written in a minute; None for no such limit.
        small: whether few-shot examples and a JSON schema are worth more to it than instructions.
    """

    name: str
    model: str
    endpoint: str
    capabilities: frozenset[Capability] = frozenset({"chat"})
    unknown: frozenset[Capability] = frozenset()
    parameters: Mapping[str, Any] = {}
    price: Price | None = None
    concurrency: int = 32
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    small: bool = False

    @abstractmethod
    async def complete(self, request: Request) -> Completion:
        """Ask once.

        Raises:
            TeacherError: no reply came, or one that cannot be read.
        """

    async def start(self) -> None:
        """Make ready; called once before the first request."""

    async def stop(self) -> None:
        """Let go of everything `start` took; may be called more than once."""

    def keep(self, notebook: Notebook) -> None:
        """Take what outlives this process, for a teacher that must remember what is under way; before `start`."""

    def let_go(self) -> None:
        """The run is being stopped: end the calls whose replies will not come soon, with `Stopped`."""

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def wire_parameters(self, request: Request) -> dict[str, Any]:
        """The parameters as they go over the wire."""
        merged = {**self.parameters, **{k: v for k, v in request.parameters.items() if v is not None}}
        if "seed" in self.capabilities:
            # Samples of one question differ by their seed alone, so that each can be had again.
            merged["seed"] = int(merged.get("seed") or 0) * _SAMPLES_A_SEED + request.sample
        if request.shape is not None and "json_schema" in self.capabilities:
            merged["response_format"] = response_format(request.shape)
        return merged

    def path(self, request: Request) -> str:  # noqa: ARG002
        """Where below the endpoint's address a request goes."""
        return CHAT

    def key(self, request: Request) -> str:
        """The replay key of a request to this teacher."""
        return replay_key(
            self.endpoint,
            self.model,
            self.wire_messages(request),
            self.wire_parameters(request),
            request.sample,
            self.path(request),
        )

    def wire_messages(self, request: Request) -> tuple[Message, ...]:
        """The messages as they go over the wire; for media what stands for them."""
        given = (request.continue_from or "") + (request.score or "")
        return (*request.messages, {"role": "assistant", "content": given}) if given else request.messages
