"""Problems that generators make: `make:NAME?size=100&seed=1`."""

from __future__ import annotations

from collections.abc import Iterator

from synth.sources.files import Row

__all__ = ["make_rows"]


def make_rows(name: str) -> Iterator[Row]:
    """The rows of `NAME?size=100&seed=1` and further options of the generator; see `synth.generators`.

    Raises:
        InputError: there is no such generator or option, or its world has fewer problems than were asked for.
    """
    from synth.generators import made_rows, read_generator

    yield from enumerate(made_rows(read_generator(name)), 1)
