"""The scripted model: the test double, public so that users test the way we do.

It answers from a function of the request, or from a `World`: a model whose abilities are known numbers. A pipeline
run over a world must give the yields the arithmetic of its method predicts; that is what simulations and `rehearse` do.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Self

from synth.models.base import Capability, Model, Price
from synth.models.reply_forms import counted
from synth.models.request import Completion, Request
from synth.models.simulators import Script, Simulator
from synth.models.world import World

__all__ = ["ScriptedModel"]


class ScriptedModel(Model):
    """Answers by a function. Equal requests get equal replies.

    Args:
        script: the function; a `World` is one.
        name: how records and the ledger call it.
        seed: another seed is another model: it also stands in the replay key.
        latency: seconds each reply takes.
        capabilities: what it says it can do.
        concurrency: requests in flight at once.

    A `World` that thinks is a model of which that is known: it gets room for its thought.
    """

    def __init__(
        self,
        script: Script,
        *,
        name: str = "scripted",
        seed: int = 0,
        latency: float = 0.0,
        capabilities: frozenset[Capability] = frozenset({"chat", "json_schema", "seed", "logprobs"}),
        concurrency: int = 64,
        price: Price | None = None,
        small: bool = False,
    ) -> None:
        self.name = name
        self.model_id = "scripted"
        self.endpoint = f"scripted:{getattr(script, 'identity', name)}:{seed}"
        self.capabilities = capabilities
        self.concurrency = concurrency
        self.price = price or Price(input=0, output=0)
        self.small = small
        if isinstance(script, World):
            self.reasoning = script.thinks > 0
        self._script = script
        self._seed = seed
        self._latency = latency

    @classmethod
    def instead_of(cls, model: Model, world: World) -> Self:
        """A scripted model that steps and requests take for another one: it has its name, address, capabilities and
        parameters, so that the same is asked of it under the same replay keys. In place of a scripted model in the same world
        it gives the same replies.

        Args:
            model: the other one; it is not asked.
            world: the abilities of the new one.
        """
        seed = model._seed if isinstance(model, ScriptedModel) else 0  # noqa: SLF001  # it is one of this class
        made = cls(
            world,
            name=model.name,
            seed=seed,
            capabilities=model.capabilities,
            concurrency=model.concurrency,
            price=model.price,
            small=model.small,
        )
        made.model_id, made.endpoint = model.model_id, model.endpoint
        made.unknown, made.parameters, made.reasoning = model.unknown, model.parameters, model.reasoning
        return made

    def knowing(self, simulators: Mapping[str, Simulator]) -> ScriptedModel:
        """This model, with the simulators of a pipeline in its world; itself where it has no world, or there are none."""
        if not simulators or not isinstance(self._script, World):
            return self
        known = {**simulators, **self._script.simulators}
        return ScriptedModel(
            replace(self._script, simulators=known),
            name=self.name,
            seed=self._seed,
            latency=self._latency,
            capabilities=self.capabilities,
            concurrency=self.concurrency,
            price=self.price,
            small=self.small,
        )

    @property
    def world(self) -> World | None:
        """The world it answers from; None where it answers from another function."""
        return self._script if isinstance(self._script, World) else None

    async def complete(self, request: Request) -> Completion:
        if self._latency:
            await asyncio.sleep(self._latency)
        rng = random.Random(f"{self._seed}:{self.key(request)}")
        reply = self._script(request, rng)
        if isinstance(reply, Completion):
            return reply
        return counted(request, reply)
