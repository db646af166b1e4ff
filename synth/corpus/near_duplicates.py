"""Near-duplicates: candidates by MinHash, a verdict by exact Jaccard similarity, clusters, and who stays.

Texts are read once for their sketches, and those that are candidates once more for the verdict; they are never all in
memory unless the caller has them there.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeVar

from synth.corpus.minhash import band_keys, bands_for, datasketch_pairs, jaccard, pairs_in_bands, sketch
from synth.corpus.shingles import Hashed, Unit, hash_shingles, shingle_set

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "Engine",
    "NearDuplicate",
    "Texts",
    "chunks",
    "clusters",
    "in_threads",
    "near_duplicate_pairs",
    "near_duplicates",
    "out_of_clusters",
    "worth_compiling",
]

Engine = Literal["auto", "numpy", "numba", "datasketch"]
"""Which implementation finds candidates: passes over all texts at once, by numpy or compiled by numba, which find the very
same; or the library datasketch, the reference. `auto`: compiled, where numba is installed and there are many texts."""

MANY = 20_000
"""Texts from which on it pays to compile."""

FEW = 64
"""Up to so many different texts all pairs are compared outright: no sketch, and nothing is missed."""

CHUNK = 2**19
"""Characters worked on at once by a thread: what it makes of them stays in the processor's cache."""

R = TypeVar("R")


class Texts(Protocol):
    """Texts in an order: a list, or rows that are read again in each iteration."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[str]: ...


class NearDuplicate(NamedTuple):
    """A text that repeats another."""

    item: int
    """Index of the rejected text."""
    keeper: int
    """Index of the one that stays in its stead."""
    similarity: float
    """Jaccard similarity of their shingle sets, exact."""


def near_duplicate_pairs(
    texts: Texts,
    *,
    threshold: float = 0.8,
    shingle: int = 5,
    unit: Unit = "word",
    permutations: int = 128,
    engine: Engine = "auto",
    seed: int = 1,
) -> list[tuple[int, int, float]]:
    """Pairs (i < j, similarity) whose shingle sets have a Jaccard similarity of at least `threshold`, in order.

    Texts of the same words are tied to the first of them only, so that a corpus of equal texts gives n - 1 pairs; of a
    crowd of similar ones each is tied to some (see `pairs_in_bands`). An empty text (nothing but white space and
    punctuation) is like no other.

    Args:
        texts: what is compared; gone through twice. Anything with a length will do, such as rows read from a file.
        threshold: in (0, 1].
        shingle: words (or characters) in a shingle.
        unit: what a shingle is made of.
        permutations: hash functions of the sketch.
        engine: how candidates are found.
        seed: of the hash functions.

    Raises:
        ValueError: the threshold is out of range.
        ImportError: the engine is not installed.
    """
    pairs, similarity = _pairs(texts, _Way(threshold, shingle, unit, permutations, engine, seed))
    return list(zip(pairs[:, 0].tolist(), pairs[:, 1].tolist(), similarity.tolist(), strict=True))


def near_duplicates(
    texts: Texts,
    *,
    priority: Sequence[float] | None = None,
    threshold: float = 0.8,
    shingle: int = 5,
    unit: Unit = "word",
    permutations: int = 128,
    engine: Engine = "auto",
    seed: int = 1,
) -> list[NearDuplicate]:
    """The rejected texts, each with the one that stays: of a cluster the one of highest priority, then the earliest.

    A cluster is a connected component of near-duplicate pairs, so two of its members may be less alike than the
    threshold; the similarity given is that to the keeper. Arguments as in `near_duplicate_pairs`.
    """
    way = _Way(threshold, shingle, unit, permutations, engine, seed)
    pairs, similarity = _pairs(texts, way)
    return out_of_clusters(
        pairs, similarity, priority, lambda ties: _similarities(texts, ties, way.hashing(len(texts)))
    )


def out_of_clusters(
    pairs: np.ndarray[Any, Any],
    similarity: np.ndarray[Any, Any],
    priority: Sequence[float] | None,
    similarities: Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]],
) -> list[NearDuplicate]:
    """Of each connected component all but one: see `near_duplicates`.

    Args:
        pairs: int64 of shape (pairs, 2), i < j, in order.
        similarity: of each pair.
        priority: of every text; None: all are equal.
        similarities: gives those of other pairs.
    """
    import numpy as np

    if not len(pairs):
        return []
    items, ends = np.unique(pairs, return_inverse=True)
    component = _components(len(items), ends.reshape(-1, 2))
    rank = np.zeros(len(items)) if priority is None else -np.asarray(priority, dtype=np.float64)[items]
    order = np.lexsort((items, rank, component))
    first = np.r_[True, np.diff(component[order]) > 0]
    keeper = np.empty(len(items), dtype=np.int64)
    keeper[order] = items[order[np.flatnonzero(first)[np.cumsum(first) - 1]]]
    out = np.flatnonzero(keeper != items)
    ties = np.sort(np.column_stack([items[out], keeper[out]]), axis=1)
    number, wanted = _numbers(pairs), _numbers(ties)
    at = np.minimum(np.searchsorted(number, wanted), len(number) - 1)
    of_keeper = similarity[at]
    unknown = np.flatnonzero(number[at] != wanted)
    of_keeper[unknown] = similarities(ties[unknown])
    return list(map(NearDuplicate, items[out].tolist(), keeper[out].tolist(), of_keeper.tolist()))


def _numbers(pairs: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    import numpy as np

    numbers: np.ndarray[Any, Any] = (pairs[:, 0] << np.int64(32)) | pairs[:, 1]
    return numbers


class _Way(NamedTuple):
    """How pairs are looked for; see `near_duplicate_pairs`."""

    threshold: float
    shingle: int
    unit: Unit
    permutations: int
    engine: Engine
    seed: int

    def compiled(self, count: int) -> bool:
        return self.engine == "numba" or (self.engine == "auto" and worth_compiling(count))

    def hashing(self, count: int) -> Callable[[Sequence[str]], Hashed]:
        return partial(hash_shingles, size=self.shingle, unit=self.unit, compiled=self.compiled(count))


def worth_compiling(count: int) -> bool:
    """Whether compiled passes are to be had for so many texts, and take less time with what it takes to load them."""
    return count >= MANY and find_spec("numba") is not None


def _pairs(texts: Texts, way: _Way) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Pairs as int64 of shape (pairs, 2), in order, and their similarities."""
    import numpy as np

    if not 0 < way.threshold <= 1:
        raise ValueError(f"threshold is {way.threshold}, not in (0, 1]")
    count = len(texts)
    hashing, compiled = way.hashing(count), way.compiled(count)
    bands, rows = bands_for(way.threshold, way.permutations)
    sketched = way.engine != "datasketch" and way.threshold < 1 and count > FEW
    sums = np.zeros(count, dtype=np.uint64)
    keys = np.empty((bands if sketched else 0, count), dtype=np.uint64)

    def look(some: Sequence[str]) -> tuple[Any, Any]:
        hashed = hashing(some)
        if not sketched:
            return _sums(hashed), None
        return _sums(hashed), band_keys(sketch(hashed, bands * rows, way.seed, compiled=compiled), bands, rows)

    at = 0
    for of_words, in_bands in in_threads(look, chunks(texts)):
        sums[at : at + len(of_words)] = of_words
        if sketched:
            keys[:, at : at + len(of_words)] = in_bands
        at += len(of_words)
    firsts, pairs = _first_of_each(sums)
    similarity = np.ones(len(pairs))
    if way.threshold < 1 and len(firsts) > 1:
        if len(firsts) <= FEW:
            candidates = np.column_stack(np.triu_indices(len(firsts), 1))
        elif way.engine == "datasketch":
            wanted = set(firsts.tolist())
            sets = [shingle_set(t, way.shingle, way.unit) for i, t in enumerate(texts) if i in wanted]
            candidates = np.array(list(datasketch_pairs(sets, bands, rows, way.seed)), dtype=np.int64).reshape(-1, 2)
        else:
            candidates = pairs_in_bands(keys, firsts)
        del keys
        candidates = firsts[candidates]
        of_candidates = _similarities(texts, candidates, hashing)
        alike = of_candidates >= way.threshold
        pairs = np.concatenate([pairs, candidates[alike]])
        similarity = np.concatenate([similarity, of_candidates[alike]])
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    return pairs[order], similarity[order]


def _sums(hashed: Hashed) -> np.ndarray[Any, Any]:
    """One hash a text, over all its shingles in their order; 0 for a text without any."""
    import numpy as np

    sums = np.zeros(len(hashed.starts) - 1, dtype=np.uint64)
    filled = np.flatnonzero(np.diff(hashed.starts))
    if len(filled):
        # Each times an odd number that depends on its place: in the text, once the place of the text is taken off.
        at = hashed.starts[filled]
        place = np.arange(1, 2 * len(hashed.hashes), 2, dtype=np.uint64)
        whole = np.add.reduceat(hashed.hashes, at) * (2 * at).astype(np.uint64)
        sums[filled] = np.add.reduceat(hashed.hashes * place, at) - whole
        sums[filled] += (sums[filled] == 0).astype(np.uint64)
    return sums


def _first_of_each(sums: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The texts that are the first with their words, in order; and pairs of those with all others that have them."""
    import numpy as np

    filled = np.flatnonzero(sums)
    _, at, which = np.unique(sums[filled], return_index=True, return_inverse=True)
    first = filled[at][which]
    again = first != filled
    return np.sort(filled[at]), np.column_stack([first[again], filled[again]])


def _similarities(
    texts: Texts, pairs: np.ndarray[Any, Any], hashing: Callable[[Sequence[str]], Hashed]
) -> np.ndarray[Any, Any]:
    """Exact similarities of pairs of texts; only these texts are hashed."""
    import numpy as np

    if not len(pairs):
        return np.zeros(0)
    wanted = np.unique(pairs)
    parts = list(in_threads(hashing, chunks(_picked(texts, wanted.tolist()))))
    lengths = np.concatenate([np.diff(p.starts) for p in parts])
    hashed = Hashed(np.concatenate([p.hashes for p in parts]), np.r_[0, np.cumsum(lengths)])
    place = np.searchsorted(wanted, pairs)
    at_once = 2**14
    blocks = [place[i : i + at_once] for i in range(0, len(place), at_once)]
    return np.concatenate(list(in_threads(lambda block: jaccard(block, hashed), blocks)))


def _picked(texts: Texts, wanted: Sequence[int]) -> Iterator[str]:
    if isinstance(texts, Sequence):
        yield from (texts[i] for i in wanted)
        return
    rest = iter(wanted)
    next_one = next(rest, None)
    for i, text in enumerate(texts):
        if i == next_one:
            yield text
            next_one = next(rest, None)


def chunks(texts: Iterable[str]) -> Iterator[list[str]]:
    """Texts in lists of some `CHUNK` characters."""
    chunk: list[str] = []
    size = 0
    for text in texts:
        chunk.append(text)
        size += len(text) + 1
        if size >= CHUNK:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def in_threads(work: Callable[[Any], R], chunks: Iterable[Any]) -> Iterator[R]:
    """What `work` makes of each chunk, in order; a few chunks ahead of the consumer, no more."""
    chunks = iter(chunks)
    first, second = next(chunks, None), next(chunks, None)
    if second is None:  # nothing to share out
        if first is not None:
            yield work(first)
        return
    threads = min(os.cpu_count() or 1, 8)
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[R]] = deque([pool.submit(work, first), pool.submit(work, second)])
        for chunk in chunks:
            waiting.append(pool.submit(work, chunk))
            if len(waiting) > 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def clusters(count: int, pairs: Iterable[tuple[int, int]]) -> list[int]:
    """For each of `count` items the smallest of those it is tied to, directly or through others; itself, if to none."""
    import numpy as np

    component = _components(count, np.array(list(pairs), dtype=np.int64).reshape(-1, 2))
    _, smallest, of = np.unique(component, return_index=True, return_inverse=True)
    heads: list[int] = smallest[of].tolist()
    return heads


def _components(count: int, pairs: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A number for each item, the same for those that are tied."""
    import numpy as np
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ties = coo_array((np.ones(len(pairs), dtype=np.int8), (pairs[:, 0], pairs[:, 1])), (count, count))
    component: np.ndarray[Any, Any] = connected_components(ties, directed=False)[1]
    return component
