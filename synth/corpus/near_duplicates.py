"""Near-duplicates: candidates by MinHash, a verdict by exact Jaccard similarity, clusters, and who stays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any, NamedTuple

from synth.corpus.minhash import Engine, candidate_pairs
from synth.corpus.shingles import Unit, shingle_set

__all__ = ["NearDuplicate", "near_duplicate_pairs", "near_duplicates"]

FEW = 64
"""Up to so many different texts all pairs are compared outright: no sketch, and nothing is missed."""


class NearDuplicate(NamedTuple):
    """A text that repeats another."""

    item: int
    """Index of the text that is out."""
    keeper: int
    """Index of the one that stays in its stead."""
    similarity: float
    """Jaccard similarity of their shingle sets, exact."""


def near_duplicate_pairs(
    texts: Sequence[str],
    *,
    threshold: float = 0.8,
    shingle: int = 5,
    unit: Unit = "word",
    permutations: int = 128,
    engine: Engine = "numpy",
    seed: int = 1,
) -> list[tuple[int, int, float]]:
    """Pairs (i < j, similarity) whose shingle sets have a Jaccard similarity of at least `threshold`.

    Texts with equal shingle sets are tied to the first of them only, so that a corpus of equal texts gives n - 1
    pairs. An empty text (nothing but white space and punctuation) is like no other.

    Args:
        texts: what is compared.
        threshold: in (0, 1].
        shingle: words (or characters) in a shingle.
        unit: what a shingle is made of.
        permutations: hash functions of the sketch.
        engine: `numpy`, or `datasketch` (slower, the reference).
        seed: of the hash functions.

    Raises:
        ValueError: the threshold is out of range.
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold is {threshold}, not in (0, 1]")
    sets = [shingle_set(t, shingle, unit) for t in texts]
    first: dict[frozenset[Any], int] = {}
    pairs = []
    for j, some in enumerate(sets):
        if not some:
            continue
        i = first.setdefault(some, j)
        if i != j:
            pairs.append((i, j, 1.0))
    if threshold < 1:
        different = list(first.values())
        found = (
            combinations(range(len(different)), 2)
            if len(different) <= FEW
            else candidate_pairs(
                [sets[i] for i in different], threshold=threshold, permutations=permutations, engine=engine, seed=seed
            )
        )
        for a, b in found:
            i, j = different[a], different[b]
            if (similarity := _jaccard(sets[i], sets[j])) >= threshold:
                pairs.append((min(i, j), max(i, j), similarity))
    return sorted(pairs)


def near_duplicates(
    texts: Sequence[str],
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
    pairs = near_duplicate_pairs(
        texts, threshold=threshold, shingle=shingle, unit=unit, permutations=permutations, engine=engine, seed=seed
    )
    out = []
    for cluster in _clusters(pairs):
        keeper = min(cluster, key=lambda i: (-(priority[i] if priority is not None else 0.0), i))
        kept = shingle_set(texts[keeper], shingle, unit)
        out += [
            NearDuplicate(i, keeper, _jaccard(shingle_set(texts[i], shingle, unit), kept))
            for i in cluster
            if i != keeper
        ]
    return sorted(out)


def _jaccard(a: frozenset[Any], b: frozenset[Any]) -> float:
    shared = len(a & b)
    return shared / (len(a) + len(b) - shared) if shared else 0.0


def _clusters(pairs: Sequence[tuple[int, int, float]]) -> Iterator[list[int]]:
    parent: dict[int, int] = {}

    def root(i: int) -> int:
        while parent.setdefault(i, i) != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for i, j, _ in pairs:
        parent[root(j)] = root(i)
    groups: dict[int, list[int]] = {}
    for i in sorted(parent):
        groups.setdefault(root(i), []).append(i)
    yield from groups.values()
