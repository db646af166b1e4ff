"""Composed problems: `compose:FILE?links=2-5&size=100&seed=1`, made of the problems in a file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from synth.errors import InputError
from synth.sources.files import Row

if TYPE_CHECKING:
    from synth.generators.compose import Compose

__all__ = ["compose_rows"]


def compose_rows(name: str) -> Iterator[Row]:
    """The rows of `FILE?links=2-5&size=100&seed=1`: chains of the problems of a file that have a worked solution.

    Args:
        name: a file, or another input of problems, with options of `synth.generators.compose.Compose`.

    Raises:
        InputError: there is no such file or option, or its problems are too few.
    """
    from synth.generators import made_rows
    from synth.generators.compose import Compose
    from synth.generators.query import name_and_options
    from synth.generators.registry import checked

    head, mark, options = name.rpartition("?")
    file = head if mark else options
    where = f"compose:{name}"
    _, given = name_and_options(f"compose?{options}" if mark else "compose", where)
    generator = checked(Compose, given, where)
    stat = Path(file).stat() if Path(file).is_file() else None
    made, why = _over(generator, file, None if stat is None else (stat.st_size, stat.st_mtime_ns))
    if made.problems < made.links.high:
        reasons = "; ".join(f"{reason}: {n:,}" for reason, n in why)
        raise InputError(
            f"{made.problems:,} of its problems can be composed, and a chain is to have {made.links.high}",
            where=where,
            fix=f"give problems with worked solutions that calculate (3 * 4 = 12, or <<3*4=12>>); of the others {reasons or 'there are none'}",
        )
    yield from enumerate(made_rows(made), 1)


@lru_cache(maxsize=4)
def _over(
    generator: Compose,
    file: str,
    changed: tuple[int, int] | None,  # noqa: ARG001
) -> tuple[Compose, Sequence[tuple[str, int]]]:
    """The generator with the problems of a file, and why the others have no atom with how many; read once, until the file changes."""
    from synth.generators.atoms import Atom, Unusable, atoms_of
    from synth.sources.source import open_source

    found: list[list[Atom]] = []
    why: Counter[str] = Counter()
    for given in open_source(file).problems():
        problem = given.problem
        try:
            found.append(atoms_of(problem.id, problem.full_question, problem.answer, problem.reference_solution))
        except Unusable as reason:
            why[str(reason)] += 1
    return generator.over(found), why.most_common()
