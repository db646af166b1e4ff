"""Near-duplicates by what texts mean: embeddings, and the nearest of those that stay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from synth.corpus.coverage import meanings
from synth.corpus.near_duplicates import NearDuplicate, Texts

if TYPE_CHECKING:
    import numpy as np

__all__ = ["near_duplicates_in_meaning", "near_ones"]

_EXACT = 50_000
"""Up to so many vectors each is compared with all that stay."""
_ROWS = 256
"""Looked at together."""


def near_duplicates_in_meaning(
    texts: Texts, *, priority: Sequence[float] | None = None, threshold: float = 0.85
) -> list[NearDuplicate]:
    """The rejected texts, each with the one that stays and is most like it in meaning, and the cosine of the two.

    Unlike near-duplicates by words these are no connected components: meanings shade into one another, and a chain of
    neighbours would tie most of a corpus together. A text is rejected when it is like one that stays, the highest priority first,
    then the earliest (as in SemDeDup, arXiv:2303.09540).

    Args:
        texts: what is compared; gone through once. 1 kB of each is in memory.
        priority: of each text.
        threshold: cosine of embeddings from which on two are near-duplicates, in (0, 1].

    Raises:
        ImportError: the extra `curate` is not installed.
    """
    import numpy as np

    vectors = meanings(texts).vectors
    rank = np.zeros(len(vectors)) if priority is None else -np.asarray(priority, dtype=np.float64)
    return near_ones(vectors, threshold, order=np.lexsort((np.arange(len(vectors)), rank)))


def near_ones(
    vectors: np.ndarray[Any, Any], threshold: float, *, order: np.ndarray[Any, Any], exact: int = _EXACT
) -> list[NearDuplicate]:
    """The vectors whose cosine with one that stays reaches the threshold, each with the nearest that came before it.

    Up to `exact` vectors nothing is missed; of more the nearest is looked up in a graph of those that stay (HNSW,
    arXiv:1603.09320, by the library usearch), which misses some.

    Args:
        vectors: float32 of shape (n, dimensions), of length 1, or 0 for what is like nothing.
        threshold: in (0, 1].
        order: all indices; the first stays.
        exact: see above.
    """
    kept = _Compared(vectors) if len(vectors) <= exact else _Searched(vectors)
    out = []
    for begin in range(0, len(order), _ROWS):
        block = order[begin : begin + _ROWS]
        keeper, cosine = kept.nearest(block)
        among = vectors[block] @ vectors[block].T
        stays: list[int] = []
        for i, item in enumerate(block):
            if stays and (best := among[i, stays]).max() > cosine[i]:
                keeper[i], cosine[i] = block[stays[best.argmax()]], best.max()
            if cosine[i] >= threshold - 1e-6:  # the rounding of a sum
                out.append(NearDuplicate(int(item), int(keeper[i]), min(float(cosine[i]), 1.0)))
            else:
                stays.append(i)
        kept.add(block[stays])
    return sorted(out)


class _Compared:
    """The nearest of those that stay, by comparing with each."""

    def __init__(self, vectors: np.ndarray[Any, Any]) -> None:
        import numpy as np

        self._vectors = vectors
        self._stay, self._which, self._n = np.empty_like(vectors), np.empty(len(vectors), dtype=np.int64), 0

    def nearest(self, some: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Of each the index of the nearest one that stays, and the cosine; a cosine of -1: there is none."""
        import numpy as np

        if not self._n:
            return np.zeros(len(some), dtype=np.int64), np.full(len(some), -1.0, dtype=np.float32)
        cosines = self._vectors[some] @ self._stay[: self._n].T
        at = cosines.argmax(axis=1)
        return self._which[at], cosines[np.arange(len(some)), at]

    def add(self, some: np.ndarray[Any, Any]) -> None:
        """These stay."""
        end = self._n + len(some)
        self._stay[self._n : end], self._which[self._n : end], self._n = self._vectors[some], some, end


class _Searched:
    """The nearest of those that stay, most times, by a graph."""

    def __init__(self, vectors: np.ndarray[Any, Any]) -> None:
        from usearch.index import Index

        self._vectors = vectors
        self._index = Index(ndim=vectors.shape[1], metric="ip", dtype="f16")

    def nearest(self, some: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        import numpy as np

        if not len(self._index):
            return np.zeros(len(some), dtype=np.int64), np.full(len(some), -1.0, dtype=np.float32)
        found = self._index.search(self._vectors[some], 1).keys.ravel().astype(np.int64)
        return found, np.einsum("ij,ij->i", self._vectors[some], self._vectors[found])

    def add(self, some: np.ndarray[Any, Any]) -> None:
        self._index.add(some, self._vectors[some], threads=1)  # in several, the graph would be another each time
