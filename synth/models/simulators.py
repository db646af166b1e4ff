"""Functions by which the scripted model answers the questions of steps."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from functools import lru_cache
from inspect import signature
from typing import Any

from synth.models.request import Completion, Request

__all__ = ["Script", "Simulator", "simulates", "takes_world"]

Script = Callable[[Request, random.Random], str | Completion]
"""A function from a request (and a generator seeded by it) to a reply. May raise ModelError."""

Simulator = Callable[..., "str | Completion | Mapping[str, Any]"]
"""How a step's questions are answered in a world: a text, a completion, or the fields of the reply. A function of the request and
a generator seeded by it; one with a parameter `world` is given the world as well, for its abilities."""


def simulates(*steps: str) -> Callable[[Simulator], Simulator]:
    """Marks a function in the Python of a pipeline: the scripted model answers the questions of these steps by it. It gets the request
    and a generator of random numbers, and gives the fields of the reply (a value alone as `answer`), a text, or a `Completion`.

        @synth.simulates("verdict")
        def verdict(request, rng):
            return {"correct": "yes" if rng.random() < 0.9 else "no"}

    A function with a third parameter, `world`, is given the `World` as well: `world.solve_rate` and its other abilities.

    Args:
        steps: the names of the steps, as the pipeline calls them (of a step of a block with its prefix, of a later iteration with its
            number); or which steps they are (`step:`), where the pipeline's Python defines them.
    """

    def mark(function: Simulator) -> Simulator:
        function.simulates = (*getattr(function, "simulates", ()), *steps)  # type: ignore[attr-defined]
        return function

    return mark


@lru_cache(maxsize=256)
def takes_world(simulate: Simulator) -> bool:
    """Whether a simulator has a parameter `world`."""
    return "world" in signature(simulate).parameters
