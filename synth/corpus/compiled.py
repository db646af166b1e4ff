"""The passes over words and shingles, compiled when first needed, for those who have the library numba.

They make the very numbers that `shingles` and `minhash` make without, in a fraction of the time; other threads go on meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np

__all__ = ["Passes", "passes"]


class Passes(NamedTuple):
    """The compiled functions."""

    words: Callable[..., tuple[int, int]]
    runs: Callable[..., None]
    minima: Callable[..., None]


@cache
def passes() -> Passes:
    """Compile them; what comes out is kept on disk for other processes.

    Raises:
        ImportError: numba is not installed.
    """
    from numba import njit

    compiled = njit(nogil=True, cache=True)
    return Passes(compiled(_words), compiled(_runs), compiled(_minima))


def _words(eight: Any, ends: Any, longest: int, made: Any, first: Any, long: Any) -> tuple[int, int]:
    """The hash of each word, into `made`, and the number of the first word of each text, into `first`.

    Args:
        eight: uint64: the eight bytes from each place of the line on; the line ends with eight spaces.
        ends: int64: where in the line each text ends.
        longest: bytes from which on a word is hashed elsewhere.
        made: uint64, with room for all words.
        first: int64, one more than there are texts.
        long: int64 of shape (…, 3), with room: number, begin and end of each word that is longer.

    Returns:
        How many words there are, and how many of them are longer.
    """
    at: Any = 0
    n, more = 0, 0
    first[0] = 0
    for text in range(len(ends)):
        while at < ends[text]:
            begin, value, whole = at, np.uint64(0), True
            while whole:
                # Of the lowest byte that is a space the highest bit; all bits below its byte are of the word.
                now = eight[at]
                other = now ^ np.uint64(0x2020202020202020)
                space = (other - np.uint64(0x0101010101010101)) & ~other & np.uint64(0x8080808080808080)
                mask = ((space & (~space + np.uint64(1))) >> np.uint64(7)) - np.uint64(1)
                whole = space == np.uint64(0)
                if mask != np.uint64(0):
                    value = value * np.uint64(0xD6E8FEB86659FD93) + (now & mask)
                    value = (value ^ (value >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
                    value = (value ^ (value >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
                    value ^= value >> np.uint64(33)
                ones = (mask & np.uint64(0x0101010101010101)) * np.uint64(0x0101010101010101)
                at += np.int64(ones >> np.uint64(56))
            if at > begin:
                made[n] = value
                if at - begin > longest:
                    long[more, 0], long[more, 1], long[more, 2] = n, begin, at
                    more += 1
                n += 1
            at += 1
        first[text + 1] = n
    return n, more


def _runs(words: Any, first: Any, starts: Any, size: int, made: Any) -> None:
    """The hash of each run of `size` words of a text, or of all its words if it has fewer, into `made`."""
    for text in range(len(first) - 1):
        length = min(size, first[text + 1] - first[text])
        for place in range(starts[text], starts[text + 1]):
            at = first[text] + place - starts[text]
            value = words[at]
            for k in range(1, length):
                value = value * np.uint64(0x9E3779B97F4A7C15) + words[at + k]
            value = (value ^ (value >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
            value = (value ^ (value >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
            made[place] = value ^ (value >> np.uint64(33))


def _minima(halves: Any, starts: Any, factors: Any, made: Any) -> None:
    """The smallest product, modulo 2^32, of a text's numbers with each factor, into `made` (factors, texts)."""
    least = np.empty(len(factors), dtype=np.uint32)
    for text in range(len(starts) - 1):
        least[:] = 0xFFFFFFFF
        for at in range(starts[text], starts[text + 1]):
            for p in range(len(factors)):
                least[p] = min(least[p], np.uint32(halves[at] * factors[p]))
        made[:, text] = least
