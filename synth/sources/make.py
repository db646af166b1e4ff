"""Problems that generators make: `make:NAME?size=100&seed=1`."""

from __future__ import annotations

from collections.abc import Iterator

from synth.sources.files import Row
from synth.sources.query import name_and_options

__all__ = ["make_rows"]


def make_rows(name: str) -> Iterator[Row]:
    """The rows of `NAME?size=100&seed=1` and further options of the generator; see `synth.generators`.

    Raises:
        InputError: there is no such generator or option, or its world has fewer problems than were asked for.
    """
    from synth.generators import generator_of, made_rows

    what, options = name_and_options(name, f"make:{name}")
    yield from enumerate(made_rows(generator_of(what, options)), 1)
