"""Going on from a given beginning: what came, without what was given.

Endpoints that take a beginning answer with what follows it; models behind them at times repeat some of it, or begin
again. A repetition is cut off; a new beginning is no continuation. The lengths are our choice.
"""

from __future__ import annotations

import re
from os.path import commonprefix

__all__ = ["Restarted", "strip_prefix"]

LEAST_OVERLAP = 12
"""Characters that the end of the beginning and the start of the reply must share to count as repeated; fewer come about
by chance."""
LEAST_RESTART = 24
"""Characters that the starts of both must share for the reply to count as begun again, and all of the first sentence or line of the
beginning: steps of one solution often begin with the same few words."""
_FIRST = re.compile(r"\n|[.!?] ")


class Restarted(ValueError):
    """The reply begins as the given beginning does and then goes another way."""


def strip_prefix(prefix: str, reply: str) -> str:
    """What a reply adds to `prefix`.

    Raises:
        Restarted: it begins again instead of continuing.
    """
    given, said = prefix.strip(), reply.lstrip()
    space = prefix[len(prefix.rstrip()) :]
    if not given:
        return reply
    common = len(commonprefix([given, said]))  # noqa: RUF071 - characters are what is meant
    if common == len(given) and (common >= LEAST_OVERLAP or len(said) > common):
        return said[common:].removeprefix(space)
    if (length := _overlap(given, said)) >= LEAST_OVERLAP:
        return said[length:].removeprefix(space)
    first = _FIRST.search(given)
    if common >= max(LEAST_RESTART, first.start() if first else len(given)):
        raise Restarted("the reply begins again instead of continuing what was given")
    return reply


def _overlap(given: str, said: str) -> int:
    """How many characters the end of one text shares with the start of another (Knuth, Morris and Pratt: linear time)."""
    given, said = given[-len(said) :], said[: len(given)]
    if len(said) < LEAST_OVERLAP or said[:LEAST_OVERLAP] not in given:
        return 0
    shorter, length = [0], 0
    for sign in said[1:]:
        while length and sign != said[length]:
            length = shorter[length - 1]
        length += sign == said[length]
        shorter.append(length)
    length = 0
    for sign in given:
        while length and (length == len(said) or sign != said[length]):
            length = shorter[length - 1]
        length += sign == said[length]
    return length
