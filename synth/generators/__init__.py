"""Generators: endless problems with known answers, true solutions and known difficulty, made without any model.

A generator is one module with one class derived from `Generator`, registered by name: ours in `registry.py`, those of other packages under
the entry point `synth.generators`. `--input 'make:NAME?size=100&seed=1'` reads its problems.
"""

from synth.generators.generator import At, Generator, Item, NotUnique, Range, Twin, Values, within
from synth.generators.registry import all_generators, generator_of, list_generators, read_generator
from synth.generators.rows import made_rows

__all__ = [
    "At",
    "Generator",
    "Item",
    "NotUnique",
    "Range",
    "Twin",
    "Values",
    "all_generators",
    "generator_of",
    "list_generators",
    "made_rows",
    "read_generator",
    "within",
]
