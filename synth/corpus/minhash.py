"""MinHash: sketches, bands, and candidate pairs of texts that share one; and exact Jaccard similarity, many pairs at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from synth.corpus.shingles import Hashed, mixed, ragged

if TYPE_CHECKING:
    import numpy as np

__all__ = ["band_keys", "bands_for", "datasketch_pairs", "jaccard", "pairs_between", "pairs_in_bands", "sketch"]

NEIGHBOURS = 16
"""Of those that share a band, each is tied to so many that come after it, and to the first: all pairs of up to 17 texts,
and of a larger crowd enough that it holds together, without a quadratic number of pairs."""


def bands_for(threshold: float, permutations: int) -> tuple[int, int]:
    """Bands and rows: the most rows a band with which a pair at the threshold is found with probability 0.98 or more.

    Pairs above it are found almost surely: at 0.8 with 128 permutations this gives 18 bands of 7 rows, which find 0.986 of
    the pairs at 0.80, 0.998 of those at 0.85 and all at 0.95.
    """
    best = (permutations, 1)
    for rows in range(1, permutations + 1):
        bands = permutations // rows
        if 1 - (1 - threshold**rows) ** bands >= 0.98:
            best = (bands, rows)
    return best


def sketch(hashed: Hashed, permutations: int, seed: int, *, compiled: bool = False) -> np.ndarray[Any, Any]:
    """The sketches, uint32 of shape (permutations, texts): the smallest of the hashes under each permutation.

    A permutation is a·x modulo 2^32 on the upper half of a hash, with a odd. A text without shingles has a sketch of all
    ones, which is nothing to go by. `compiled` or not, the sketches are the same.
    """
    import numpy as np

    factors = np.random.default_rng(seed).integers(0, 2**32, permutations, dtype=np.uint32) | np.uint32(1)
    half = (hashed.hashes >> np.uint64(32)).astype(np.uint32)
    made = np.full((permutations, len(hashed.starts) - 1), 0xFFFFFFFF, dtype=np.uint32)
    if compiled:
        from synth.corpus.compiled import passes

        passes().minima(half, hashed.starts, factors, made)
        return made
    filled = np.flatnonzero(np.diff(hashed.starts))
    if len(filled):
        at, turned = hashed.starts[filled], np.empty_like(half)
        for line, factor in zip(made, factors, strict=True):
            np.multiply(half, factor, out=turned)
            line[filled] = np.minimum.reduceat(turned, at)
    return made


def band_keys(sketches: np.ndarray[Any, Any], bands: int, rows: int) -> np.ndarray[Any, Any]:
    """One 64-bit hash a band, uint64 of shape (bands, texts)."""
    import numpy as np

    keys = np.zeros((bands, sketches.shape[1]), dtype=np.uint64)
    for row in range(rows):
        keys = mixed(keys * np.uint64(0x9E3779B97F4A7C15) + sketches[row : bands * rows : rows])
    return keys


def pairs_in_bands(keys: np.ndarray[Any, Any], among: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Pairs (i < j) that share a band, each once, as int64 of shape (pairs, 2).

    Args:
        keys: uint64 of shape (bands, texts).
        among: indices of the texts that are looked at; i and j count in these. At most 2^32.
    """
    import numpy as np

    n = len(among)
    bits = np.uint64(max(1, (n - 1).bit_length()))
    low = (np.uint64(1) << bits) - np.uint64(1)
    found: list[np.ndarray[Any, Any]] = []
    for band in keys:
        # Key and index in one number, which sorts several times as fast as an argsort. Keys that differ in the bits cut
        # off make a few false candidates; a verdict comes later.
        line = (band[among] & ~low) | np.arange(n, dtype=np.uint64)
        line.sort()
        of, who = line >> bits, line & low
        for lag in range(1, NEIGHBOURS + 1):
            same = np.flatnonzero(of[lag:] == of[:-lag])
            if not len(same):
                break
            found.append((who[same] << np.uint64(32)) | who[same + lag])
        else:
            begins = np.flatnonzero(np.r_[True, of[1:] != of[:-1]])
            sizes = np.diff(np.r_[begins, n])
            large = sizes > NEIGHBOURS + 1
            rest, lengths = ragged(begins[large] + NEIGHBOURS + 1, (begins + sizes)[large])
            found.append((np.repeat(who[begins[large]], lengths) << np.uint64(32)) | who[rest])
        if sum(map(len, found)) > 2 * n:  # the same pairs come up in band after band
            found = [np.unique(np.concatenate(found))]
    pairs = np.unique(np.concatenate(found)) if found else np.zeros(0, dtype=np.uint64)
    return np.stack([pairs >> np.uint64(32), pairs & np.uint64(0xFFFFFFFF)], axis=1).astype(np.int64)


def pairs_between(ours: np.ndarray[Any, Any], theirs: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Pairs (ours, theirs) that share a band, each once, as int64 of shape (pairs, 2); of a crowd of theirs a few.

    Args:
        ours: uint64 of shape (bands, texts).
        theirs: likewise, with as many bands.
    """
    import numpy as np

    found = [np.zeros((0, 2), dtype=np.int64)]
    for mine, other in zip(ours, theirs, strict=True):
        order = np.argsort(other, kind="stable")
        begin = np.searchsorted(other, mine, side="left", sorter=order)
        end = np.minimum(np.searchsorted(other, mine, side="right", sorter=order), begin + NEIGHBOURS)
        where, lengths = ragged(begin, end)
        found.append(np.column_stack([np.repeat(np.arange(len(mine)), lengths), order[where]]))
    return np.unique(np.concatenate(found), axis=0)


def datasketch_pairs(shingles: Sequence[frozenset[Any]], bands: int, rows: int, seed: int) -> Iterator[tuple[int, int]]:
    """Candidate pairs (i < j) as the library datasketch finds them, with its own hashes and permutations."""
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(num_perm=bands * rows, params=(bands, rows))
    for j, some in enumerate(shingles):
        if not some:
            continue
        one = MinHash(num_perm=bands * rows, seed=seed)
        one.update_batch([repr(s).encode("utf-8", "surrogatepass") for s in some])
        yield from sorted((i, j) for i in index.query(one))
        index.insert(j, one)


_PAIRS_AT_ONCE = 2048


def jaccard(pairs: np.ndarray[Any, Any], hashed: Hashed) -> np.ndarray[Any, Any]:
    """The Jaccard similarity of each pair of texts, from their sets of hashes; 0 where both are empty."""
    import numpy as np

    made = np.zeros(len(pairs))
    for begin in range(0, len(pairs), _PAIRS_AT_ONCE):
        some = pairs[begin : begin + _PAIRS_AT_ONCE]
        made[begin : begin + len(some)] = _jaccard_of_few(some, hashed)
    return made


def _jaccard_of_few(pairs: np.ndarray[Any, Any], hashed: Hashed) -> np.ndarray[Any, Any]:
    import numpy as np

    # The number of the pair (11 bits), a hash (52) and whose it is (1) in one number: sorted, what both have stands side
    # by side. One hash in 10^15 is cut to another's.
    sides = []
    for side in (0, 1):
        texts = pairs[:, side]
        where, lengths = ragged(hashed.starts[texts], hashed.starts[texts + 1])
        number = np.repeat(np.arange(len(pairs), dtype=np.uint64), lengths) << np.uint64(53)
        sides.append(number | ((hashed.hashes[where] >> np.uint64(11)) & ~np.uint64(1)) | np.uint64(side))
    line = np.concatenate(sides)
    line.sort()
    if not len(line):
        return np.zeros(len(pairs))
    line = line[np.r_[True, line[1:] != line[:-1]]]
    shared = np.flatnonzero((line[1:] ^ line[:-1]) == np.uint64(1))
    both = np.bincount((line[shared] >> np.uint64(53)).astype(np.int64), minlength=len(pairs))
    either = np.bincount((line >> np.uint64(53)).astype(np.int64), minlength=len(pairs)) - both
    similarity: np.ndarray[Any, Any] = both / np.maximum(either, 1)
    return similarity
