"""The embedded model: a small model on the user's own machine, started and stopped by us."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from synth.models.base import Price
from synth.models.endpoint import EndpointModel
from synth.texts.marks import Mark

if TYPE_CHECKING:
    from synth.models.local import LocalServer

__all__ = ["EmbeddedModel"]

CONTEXT_TOKENS = 4096
"""For each request; few-shot examples and a reply take some 1,200."""

_prepared: WeakSet[EmbeddedModel] = WeakSet()
"""Those that share the processors of this machine."""


class EmbeddedModel(EndpointModel):
    """A GGUF model served by llama.cpp in a child process.

    Args:
        name: how records and the ledger call it.
        spec: a name of the catalogue, a path to a GGUF file, or `hf:owner/repo/file.gguf@revision`.

    The others are as in `EndpointModel`.
    """

    def __init__(
        self,
        name: str,
        spec: str,
        *,
        parameters: dict[str, Any] | None = None,
        reasoning: bool | int | None = None,
        marks: Sequence[Mark] = (),
    ) -> None:
        super().__init__(
            name,
            base_url="http://127.0.0.1/v1",
            model=spec,
            parameters=parameters,
            price=Price(input=0, output=0),
            concurrency=8,
            capabilities=frozenset({"chat", "json_schema", "seed", "logprobs", "prefill"}),
            small=True,
            timeout=600.0,
            reasoning=reasoning,
            marks=marks,
        )
        self._spec = spec
        self._file: Any = None
        self._server: LocalServer | None = None

    def prepare(self) -> None:
        """Find the model, fetching it on first use with a progress bar.

        Raises:
            SetupError: it cannot be had.
        """
        from synth.models.local import locate

        self._file = locate(self._spec)
        self.model_id = self._file.name
        self.endpoint = self._file.identity
        _prepared.add(self)

    async def start(self) -> None:
        from synth.models.local import LocalServer

        if self._file is None:
            self.prepare()
        self._server = LocalServer(self._file, context=CONTEXT_TOKENS, patient=len(_prepared) > 1 or _busy())
        await self._server.start()
        self.concurrency = self._server.slots
        self._transport = self._connect(self._server.base_url, self._server.api_key, {})

    async def stop(self) -> None:
        await super().stop()
        if self._server is not None:
            await self._server.stop()
            self._server = None


def _busy() -> bool:
    """Whether others use half of the processors."""
    return hasattr(os, "getloadavg") and os.getloadavg()[0] > (os.cpu_count() or 1) / 2
