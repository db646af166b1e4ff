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
]

Engine = Literal["numpy", "datasketch"]
"""Which implementation finds candidates: passes over all texts at once, or the library datasketch, the reference."""

FEW = 64
"""Up to so many different texts all pairs are compared outright: no sketch, and nothing is missed."""

CHUNK = 2**20
"""Characters worked on at once by a thread: what it makes of them stays in the processor's cache."""

R = TypeVar("R")


class Texts(Protocol):
    """Texts in an order: a list, or rows that are read anew each time somebody goes through them."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[str]: ...


class NearDuplicate(NamedTuple):
    """A text that repeats another."""

    item: int
    """Index of the text that is out."""
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
    engine: Engine = "numpy",
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
    """
    import numpy as np

    if not 0 < threshold <= 1:
        raise ValueError(f"threshold is {threshold}, not in (0, 1]")
    hashing = partial(hash_shingles, size=shingle, unit=unit)
    bands, rows = bands_for(threshold, permutations)
    sketched = engine == "numpy" and threshold < 1 and len(texts) > FEW
    of_words: list[np.ndarray[Any, Any]] = []
    keys: list[np.ndarray[Any, Any]] = []

    def look(some: Sequence[str]) -> tuple[Any, Any]:
        hashed = hashing(some)
        return _sums(hashed), band_keys(sketch(hashed, bands * rows, seed), bands, rows) if sketched else None

    for total, in_bands in in_threads(look, chunks(texts)):
        of_words.append(total)
        keys.append(in_bands)
    all_words = np.concatenate(of_words) if of_words else np.zeros(0, dtype=np.uint64)
    firsts, same = _first_of_each(all_words)
    found = [np.column_stack([same, np.ones(len(same))])]
    if threshold < 1 and len(firsts) > 1:
        if len(firsts) <= FEW:
            candidates = np.column_stack(np.triu_indices(len(firsts), 1))
        elif engine == "datasketch":
            wanted = set(firsts.tolist())
            sets = [shingle_set(t, shingle, unit) for i, t in enumerate(texts) if i in wanted]
            candidates = np.array(list(datasketch_pairs(sets, bands, rows, seed)), dtype=np.int64).reshape(-1, 2)
        else:
            candidates = pairs_in_bands(np.concatenate(keys, axis=1)[:, firsts])
        keys.clear()
        pairs = firsts[candidates]
        similarity = _similarities(texts, pairs, hashing)
        alike = similarity >= threshold
        found.append(np.column_stack([pairs[alike], similarity[alike]]))
    table = np.concatenate(found)
    table = table[np.lexsort((table[:, 1], table[:, 0]))]
    return list(
        zip(table[:, 0].astype(int).tolist(), table[:, 1].astype(int).tolist(), table[:, 2].tolist(), strict=True)
    )


def near_duplicates(
    texts: Texts,
    *,
    priority: Sequence[float] | None = None,
    threshold: float = 0.8,
    shingle: int = 5,
    unit: Unit = "word",
    permutations: int = 128,
    engine: Engine = "numpy",
    seed: int = 1,
) -> list[NearDuplicate]:
    """The texts that are out, each with the one that stays: of a cluster the one of highest priority, then the earliest.

    A cluster is a connected component of near-duplicate pairs, so two of its members may be less alike than the
    threshold; the similarity told is that to the keeper. Arguments as in `near_duplicate_pairs`.
    """
    import numpy as np

    pairs = near_duplicate_pairs(
        texts, threshold=threshold, shingle=shingle, unit=unit, permutations=permutations, engine=engine, seed=seed
    )
    known = {(i, j): similarity for i, j, similarity in pairs}
    ties = []
    members: dict[int, list[int]] = {}
    heads = clusters(len(texts), ((i, j) for i, j, _ in pairs))
    for i in sorted({i for pair in pairs for i in pair[:2]}):
        members.setdefault(heads[i], []).append(i)
    for cluster in members.values():
        keeper = min(cluster, key=lambda i: (-(priority[i] if priority is not None else 0.0), i))
        ties += [(i, keeper) for i in cluster if i != keeper]
    unknown = [tie for tie in ties if (min(tie), max(tie)) not in known]
    told = _similarities(
        texts, np.array(unknown, dtype=np.int64).reshape(-1, 2), partial(hash_shingles, size=shingle, unit=unit)
    )
    known |= {(min(tie), max(tie)): float(s) for tie, s in zip(unknown, told, strict=True)}
    return sorted(NearDuplicate(i, keeper, known[min(i, keeper), max(i, keeper)]) for i, keeper in ties)


def _sums(hashed: Hashed) -> np.ndarray[Any, Any]:
    """One hash a text, over all its shingles; 0 for a text without any."""
    import numpy as np

    sums = np.zeros(len(hashed.starts) - 1, dtype=np.uint64)
    filled = np.flatnonzero(np.diff(hashed.starts))
    if len(filled):
        sums[filled] = np.add.reduceat(hashed.hashes, hashed.starts[filled])
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
    """What `work` makes of each chunk, in order; a few chunks ahead of whoever takes it, no more."""
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
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ties = np.array(list(pairs), dtype=np.int64).reshape(-1, 2).T
    _, component = connected_components(
        coo_array((np.ones(ties.shape[1]), tuple(ties)), (count, count)), directed=False
    )
    _, smallest, of = np.unique(component, return_index=True, return_inverse=True)
    heads: list[int] = smallest[of].tolist()
    return heads
