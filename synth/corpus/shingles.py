"""What is compared: sets of shingles (runs of words) of normalised text, and their hashes, many texts at once."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from synth.bounded import nfkc
from synth.corpus.signs import spaced

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Hashed", "Unit", "hash_shingles", "mixed", "normalise", "ragged", "shingle_set"]

Unit = Literal["word", "char"]

# Scripts written without spaces: each character counts as a word.
_WIDE = re.compile(r"[\u2e80-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff66-\uff9f]+")
_OTHER = re.compile(r"[^\w\x00-\x7f]")
# NFKC would make 102 of 10² and 21⁄2 of 2½.
_RAISED = re.compile(r"([⁰¹²³⁴-⁹⁺⁻⁼⁽⁾ⁿⁱ]+)|([₀-₎]+)|([¼-¾⅐-⅞↉])")
_DASHES = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2212"), "-") | {ord("′"): "'"}
_UNSEEN = [
    0xAD,
    0x34F,
    0x61C,
    *range(0x180B, 0x1810),
    *range(0x200B, 0x2010),
    *range(0x202A, 0x202F),
    *range(0x2060, 0x2070),
]
_UNSEEN += [*range(0xFE00, 0xFE10), 0xFEFF, *range(0xE0000, 0xE0200)]
_PLAINER = {**_DASHES, **dict.fromkeys(_UNSEEN)}
"""Dashes as one; and none of what nobody sees (joiners, marks of direction, selectors), so that a copy cannot hide behind it."""


def normalise(text: str) -> tuple[str, ...]:
    """The words of a text: NFKC, case folded, without punctuation and characters that are not seen.

    Signs that are not punctuation (emoji, ≠, the operators of ASCII, decimal points, brackets of a formula) are words of
    their own; see `synth.corpus.signs` for which of the signs of ASCII count where.
    """
    line, _ = spaced(_FRONT + _plain(text) + _END)
    return tuple(word.decode("utf-8", "surrogatepass") for word in line.split())


def _plain(text: str) -> bytes:
    """A text in UTF-8; outside ASCII its words and signs stand apart, and its punctuation is gone."""
    if text.isascii():
        return text.encode()
    text = _RAISED.sub(_lowered, text.translate(_PLAINER))
    text = nfkc(text).casefold()
    text = _WIDE.sub(lambda run: f" {' '.join(run[0])} ", text)
    return _OTHER.sub(_apart, text).encode("utf-8", "surrogatepass")


def _lowered(found: re.Match[str]) -> str:
    plain = nfkc(found[0]).replace("\u2212", "-").replace("\u2044", "/")
    return f" {plain} " if found[3] else f"{'^' if found[1] else '_'}{plain}"


def _apart(found: re.Match[str]) -> str:
    sign = found[0]
    dropped = sign.isspace() or (unicodedata.category(sign)[0] == "P" and sign not in "‰‱")
    return " " if dropped else f" {sign} "


def shingle_set(text: str, size: int, unit: Unit = "word") -> frozenset[tuple[str, ...] | str]:
    """The runs of `size` words (or characters) in a text; a shorter text is one shingle, an empty one none."""
    words = normalise(text)
    if unit == "char":
        line = " ".join(words)
        return frozenset([line[i : i + size] for i in range(max(1, len(line) - size + 1))] if line else ())
    return frozenset([words[i : i + size] for i in range(max(1, len(words) - size + 1))] if words else ())


_LONG = 256
"""Bytes from which on a word is hashed by itself."""
_FRONT = b"\n" * 4
_END = b"\n" * 9
"""What stands before the first text and after the last: as much as rules for signs and words of eight bytes look beyond."""


class Hashed(NamedTuple):
    """The shingles of many texts as 64-bit hashes, equal in every process; those of a text may repeat."""

    hashes: np.ndarray[Any, Any]
    """uint64, one text after the other."""
    starts: np.ndarray[Any, Any]
    """int64, one more than there are texts: where in `hashes` each begins, and the end."""


def ragged(
    starts: np.ndarray[Any, Any], ends: np.ndarray[Any, Any]
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Every integer of the ranges [start, end), one range after the other; and their lengths."""
    import numpy as np

    lengths = ends - starts
    before = np.cumsum(lengths) - lengths
    return np.arange(int(lengths.sum())) + np.repeat(starts - before, lengths), lengths


def hash_shingles(texts: Sequence[str], size: int, unit: Unit = "word", *, compiled: bool = False) -> Hashed:
    """The shingles of `shingle_set` as hashes, by passes over all texts at once; `compiled` or not, the same ones."""
    import numpy as np

    words, first = _words(texts, compiled=compiled) if unit == "word" else _characters(texts)
    counts = np.diff(first)
    shingles = np.where(counts >= size, counts - size + 1, counts > 0)
    starts = np.r_[0, np.cumsum(shingles)]
    made = np.zeros(int(starts[-1]), dtype=np.uint64)
    if compiled:
        from synth.corpus.compiled import passes

        passes().runs(words, first, starts, size, made)
        return Hashed(made, starts)
    whole = np.flatnonzero(counts >= size)
    short = np.flatnonzero((counts > 0) & (counts < size))
    if len(whole):
        runs = _run(words, 0, len(words) - size + 1, size)
        # Runs that begin in the last words of a text reach into the next: they are none.
        across = first[1:, None] - np.minimum(counts[:, None], np.arange(1, size)[None, :])
        own = np.ones(len(words), dtype=bool)
        own[across[counts > 0].ravel()] = False
        into = np.ones(len(made), dtype=bool)
        into[starts[short]] = False
        made[into] = runs[own[: len(runs)]]
    for n in range(1, size):
        some = short[counts[short] == n]
        if len(some):
            made[starts[some]] = _run_at(words, first[some], n)
    return Hashed(mixed(made), starts)


def _run(words: np.ndarray[Any, Any], begin: int, count: int, size: int) -> np.ndarray[Any, Any]:
    import numpy as np

    made = words[begin : begin + count].copy()
    for k in range(1, size):
        np.multiply(made, _odd(0), out=made)
        np.add(made, words[begin + k : begin + k + count], out=made)
    return made


def _run_at(words: np.ndarray[Any, Any], at: np.ndarray[Any, Any], size: int) -> np.ndarray[Any, Any]:
    made: np.ndarray[Any, Any] = words[at]
    for k in range(1, size):
        made = made * _odd(0) + words[at + k]
    return made


def _words(texts: Sequence[str], *, compiled: bool) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The hashes of all words; and the index of the first word of each text, with the end."""
    import numpy as np

    parts = [_plain(t) for t in texts]
    # No rule for signs looks across the end of a line, so none looks into another text.
    lengths = np.fromiter(map(len, parts), np.int64, len(parts))
    line, stops = spaced(_FRONT + b"\n".join(parts) + _END, len(_FRONT) + np.cumsum(lengths + 1))
    # Eight bytes from every place on: a word is read in one go, and masked to its length.
    eight = np.ndarray(shape=(len(line) - 7,), dtype="<u8", buffer=line, strides=(1,))
    if compiled:
        from synth.corpus.compiled import passes

        hashes, first = np.empty(len(line) // 2, dtype=np.uint64), np.empty(len(parts) + 1, dtype=np.int64)
        of_long = np.empty((len(line) // _LONG, 3), dtype=np.int64)
        n, more = passes().words(eight, stops - 1, _LONG, hashes, first, of_long)
        hashes, of_long = hashes[:n], of_long[:more]
    else:
        is_word = np.frombuffer(b" " + line, dtype=np.uint8) != 32
        bounds = np.flatnonzero(is_word[1:] != is_word[:-1])
        begins, ends = bounds[0::2], bounds[1::2]
        first = np.asarray(np.searchsorted(begins, np.r_[0, stops]))
        long = ends - begins
        hashes = mixed(eight[begins] & _masks()[np.minimum(long, 8)])
        rest, done = np.flatnonzero((long > 8) & (long <= _LONG)), 8
        while len(rest):
            eight_more = eight[begins[rest] + done] & _masks()[np.minimum(long[rest] - done, 8)]
            hashes[rest] = mixed(hashes[rest] * _odd(1) + eight_more)
            done += 8
            rest = rest[long[rest] > done]
        which = np.flatnonzero(long > _LONG)
        of_long = np.column_stack([which, begins[which], ends[which]])
    for i, begin, end in of_long.tolist():
        hashes[i] = int.from_bytes(blake2b(line[begin:end], digest_size=8).digest(), "little")
    return hashes, first


def _characters(texts: Sequence[str]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    import numpy as np

    lines = [" ".join(normalise(t)) for t in texts]
    codes = np.frombuffer("".join(lines).encode("utf-32-le", "surrogatepass"), dtype="<u4")
    first = np.r_[0, np.cumsum(np.fromiter(map(len, lines), np.int64, len(lines)))]
    return mixed(codes.astype(np.uint64) + np.uint64(1)), first


def mixed(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The finalizer of MurmurHash3: one-to-one on 64 bits, each bit depends on all."""
    import numpy as np

    values = values ^ (values >> np.uint64(33))
    np.multiply(values, np.uint64(0xFF51AFD7ED558CCD), out=values)
    values ^= values >> np.uint64(33)
    np.multiply(values, np.uint64(0xC4CEB9FE1A85EC53), out=values)
    values ^= values >> np.uint64(33)
    return values


def _odd(which: int) -> np.uint64:
    import numpy as np

    return np.uint64((0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93)[which])


@cache
def _masks() -> np.ndarray[Any, Any]:
    import numpy as np

    return np.array([(1 << 8 * n) - 1 for n in range(9)], dtype=np.uint64)
