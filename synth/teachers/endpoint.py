"""Any OpenAI-compatible endpoint."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Literal

from synth.errors import SetupError
from synth.teachers.base import Capability, Price, Teacher
from synth.teachers.reading import read_reply
from synth.teachers.redact import keep_secret
from synth.teachers.request import Completion, Request
from synth.teachers.wire import LeanWire, OfficialWire, Wire

__all__ = ["Client", "EndpointTeacher"]

Client = Literal["lean", "openai"]
"""Which HTTP client carries the requests."""


class EndpointTeacher(Teacher):
    """A model behind an OpenAI-compatible chat endpoint.

    Args:
        name: how records and the ledger call it.
        base_url: up to and including the version, such as `https://api.openai.com/v1`.
        model: the model's name at that endpoint.
        key_variable: the environment variable that holds the API key; None where none is needed.
        timeout: seconds one attempt may take, from sending to the end of the reply.
        client: `lean`, our own over aiohttp; or `openai`, the official one, at five times the CPU.

    The others are as in `Teacher`.
    """

    def __init__(
        self,
        name: str,
        *,
        base_url: str,
        model: str,
        key_variable: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        price: Price | None = None,
        concurrency: int = 32,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        timeout: float = 300.0,
        capabilities: frozenset[Capability] = frozenset({"chat"}),
        small: bool = False,
        client: Client = "lean",
    ) -> None:
        self.name = name
        self.model = model
        self.base_url = base_url.rstrip("/")
        self.endpoint = self.base_url
        self.capabilities = capabilities
        self.parameters = dict(parameters or {})
        self.price = price
        self.concurrency = concurrency
        self.requests_per_minute = requests_per_minute
        self.tokens_per_minute = tokens_per_minute
        self.small = small
        self._key_variable = key_variable
        self._timeout = timeout
        self._client = client
        self._wire: Wire | None = None

    def _key(self) -> str | None:
        if self._key_variable is None:
            return None
        key = os.environ.get(self._key_variable)
        if not key:
            raise SetupError(
                f"the environment variable {self._key_variable} is not set",
                where=f"teacher {self.name}",
                remedy=f"export {self._key_variable}=… with the API key for {self.base_url}",
            )
        return key

    def check(self) -> None:
        """Find out what would make every call fail and can be seen without one.

        Raises:
            SetupError: the key's variable is not set.
        """
        self._key()

    async def start(self) -> None:
        key = self._key()
        if key is not None:
            keep_secret(key)
        self._connect(self.base_url, key)

    def _connect(self, base_url: str, key: str | None) -> None:
        wire = LeanWire if self._client == "lean" else OfficialWire
        self._wire = wire(base_url, key, timeout=self._timeout)

    async def stop(self) -> None:
        if self._wire is not None:
            await self._wire.close()
            self._wire = None

    async def complete(self, request: Request) -> Completion:
        if self._wire is None:
            raise RuntimeError(f"teacher {self.name} was asked before start()")
        body = {"model": self.model, "messages": self.wire_messages(request), **self.wire_parameters(request)}
        reply = await self._wire.post("/chat/completions", body)
        return read_reply(reply, self.base_url, model=self.model, key_variable=self._key_variable)
