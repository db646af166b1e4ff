"""Candidate pairs by MinHash and banding: two engines behind one function."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Engine", "bands_for", "candidate_pairs"]

Engine = Literal["numpy", "datasketch"]

_CHUNK = 2_000_000  # shingles hashed at once: some 16 MB a row of the working array


def bands_for(threshold: float, permutations: int) -> tuple[int, int]:
    """Bands and rows: the most rows a band with which a pair at the threshold is found with probability 0.94 or more.

    Pairs well above it are found almost surely: at 0.8 with 128 permutations this gives 16 bands of 8 rows, which find
    0.947 of the pairs at 0.80, 0.994 of those at 0.85 and all at 0.95.
    """
    best = (permutations, 1)
    for rows in range(1, permutations + 1):
        bands = permutations // rows
        if 1 - (1 - threshold**rows) ** bands >= 0.94:
            best = (bands, rows)
    return best


def candidate_pairs(
    shingles: Sequence[frozenset[Any]], *, threshold: float, permutations: int, engine: Engine, seed: int
) -> Iterator[tuple[int, int]]:
    """Pairs (i < j) of sets that share a band of their sketches; to be verified by the caller."""
    bands, rows = bands_for(threshold, permutations)
    if engine == "datasketch":
        return _by_datasketch(shingles, bands, rows, seed)
    return _by_numpy(shingles, bands, rows, seed)


def _by_datasketch(shingles: Sequence[frozenset[Any]], bands: int, rows: int, seed: int) -> Iterator[tuple[int, int]]:
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(num_perm=bands * rows, params=(bands, rows))
    for j, some in enumerate(shingles):
        if not some:
            continue
        sketch = MinHash(num_perm=bands * rows, seed=seed)
        sketch.update_batch([repr(s).encode("utf-8", "surrogatepass") for s in some])
        yield from sorted((i, j) for i in index.query(sketch))
        index.insert(j, sketch)


def _by_numpy(shingles: Sequence[frozenset[Any]], bands: int, rows: int, seed: int) -> Iterator[tuple[int, int]]:
    import numpy as np

    sketches = _sketch(shingles, bands * rows, seed)
    filled = np.flatnonzero([bool(s) for s in shingles])
    seen: set[tuple[int, int]] = set()
    for band in range(bands):
        part = np.ascontiguousarray(sketches[filled, band * rows : (band + 1) * rows])
        keys = part.view(np.dtype((np.void, part.dtype.itemsize * rows))).ravel()
        order = np.argsort(keys, kind="stable")
        same = np.flatnonzero(keys[order][1:] == keys[order][:-1])
        # Of a very large bucket only neighbours are tied: all its pairs would be quadratic.
        for start, stop in _runs(same):
            bucket = np.sort(filled[order[start : stop + 2]])
            pairs = _all_pairs(bucket) if len(bucket) <= _LARGE else pairwise(bucket)
            for i, j in pairs:
                if (pair := (int(i), int(j))) not in seen:
                    seen.add(pair)
                    yield pair


_LARGE = 512


def _all_pairs(bucket: np.ndarray[Any, Any]) -> Iterator[tuple[int, int]]:
    for a in range(len(bucket)):
        for b in range(a + 1, len(bucket)):
            yield bucket[a], bucket[b]


def _runs(same: np.ndarray[Any, Any]) -> Iterator[tuple[int, int]]:
    """Runs of consecutive positions, as (first, last)."""
    import numpy as np

    if len(same) == 0:
        return
    breaks = np.flatnonzero(np.diff(same) > 1)
    for a, b in zip(np.r_[0, breaks + 1], np.r_[breaks, len(same) - 1], strict=True):
        yield int(same[a]), int(same[b])


def _sketch(shingles: Sequence[frozenset[Any]], size: int, seed: int) -> np.ndarray[Any, Any]:
    """The MinHash sketches, (texts, size), 32 bits each."""
    import numpy as np

    rng = np.random.default_rng(seed)
    a = rng.integers(1, 2**63, size, dtype=np.uint64) | np.uint64(1)
    b = rng.integers(0, 2**63, size, dtype=np.uint64)
    sketches = np.full((len(shingles), size), np.uint32(0xFFFFFFFF), dtype=np.uint32)
    begin = 0
    while begin < len(shingles):
        end = begin
        hashes: list[int] = []
        starts: list[int] = []
        while end < len(shingles) and len(hashes) < _CHUNK:
            starts.append(len(hashes))
            hashes += [_hash(s) for s in shingles[end]]
            end += 1
        filled = [i for i in range(begin, end) if shingles[i]]
        if filled:
            at = [starts[i - begin] for i in filled]
            values = np.array(hashes, dtype=np.uint64)
            for p in range(size):
                # Multiply-shift hashing: the high half of a product modulo 2^64 is close to universal.
                high = ((values * a[p] + b[p]) >> np.uint64(32)).astype(np.uint32)
                sketches[filled, p] = np.minimum.reduceat(high, at)
        begin = end
    return sketches


def _hash(shingle: Any) -> int:
    """64 bits of a shingle, the same in every process (Python's own `hash` of text is not)."""
    from hashlib import blake2b

    return int.from_bytes(blake2b(repr(shingle).encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")
