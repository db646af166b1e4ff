"""Overlap of texts with the items of benchmarks: shared runs of words, and words in common weighted by rarity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from synth.bounded import SharedRuns
from synth.corpus.coverage import meanings
from synth.corpus.near_duplicates import Texts, chunks, in_threads
from synth.corpus.shingles import Hashed, hash_shingles, normalise, ragged

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Overlap", "common_words", "meaning_alike", "resembling", "shared_words", "sharing_runs"]

_AT_ONCE = 1024
"""Texts whose cosines with all items are in memory at once."""


class Overlap(NamedTuple):
    """A text that has much in common with an item of a benchmark."""

    text: int
    """Index of the text."""
    item: int
    """Index of the item it has most in common with."""
    share: float
    """How much: of `sharing_runs` the share of the item's runs that stand in the text too; of `resembling` the cosine."""


def sharing_runs(texts: Texts, items: Sequence[str], *, run: int, containment: float = 0.0) -> list[Overlap]:
    """The texts that share runs of `run` words with an item, each with the item it shares most of.

    An item of fewer words counts as one run, which must stand in the text as a whole.

    Args:
        texts: what is looked at; gone through once for each length of run there is.
        items: what they are compared with.
        run: words in a run.
        containment: the least share of an item's runs that must be shared, in [0, 1]; 0: one run is enough (GPT-3,
            arXiv:2005.14165).
    """
    import numpy as np

    lengths = np.array([min(run, len(normalise(i))) for i in items], dtype=np.int64)
    best: dict[int, Overlap] = {}
    for size in sorted({*lengths.tolist()} - {0}):
        mine = np.flatnonzero(lengths == size)
        hashed = hash_shingles([items[i] for i in mine.tolist()], size)
        owner = np.repeat(mine, np.diff(hashed.starts))
        known, at = np.unique(np.column_stack([hashed.hashes, owner.astype(np.uint64)]), axis=0), 0
        whole = np.bincount(known[:, 1].astype(np.int64), minlength=len(items))

        def look(some: Sequence[str], size: int = size, known: Any = known) -> tuple[int, Any]:
            return len(some), _shared(hash_shingles(some, size), known)

        for count, found in in_threads(look, chunks(texts)):
            for text, item, n in found:
                one = Overlap(at + int(text), int(item), int(n) / int(whole[item]))
                if one.share >= containment and one.share > best.get(one.text, Overlap(0, 0, 0.0)).share:
                    best[one.text] = one
            at += count
    return sorted(best.values())


def _shared(hashed: Hashed, known: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Rows (text, item, number of different runs both have)."""
    import numpy as np

    text = np.repeat(np.arange(len(hashed.starts) - 1), np.diff(hashed.starts))
    begin = np.searchsorted(known[:, 0], hashed.hashes, side="left")
    end = np.searchsorted(known[:, 0], hashed.hashes, side="right")
    hit = np.flatnonzero(end > begin)
    where, lengths = ragged(begin[hit], end[hit])
    rows = np.unique(np.column_stack([np.repeat(text[hit], lengths), known[where, 1].astype(np.int64), where]), axis=0)
    pairs, counts = np.unique(rows[:, :2], axis=0, return_counts=True)
    return np.column_stack([pairs, counts])


def shared_words(text: str, item: str, run: int) -> str:
    """The longest run of words that both have, of at least `run` words (or all of a shorter item); else nothing."""
    a, b = normalise(text), normalise(item)
    begin, size = SharedRuns(b).longest_in(a)
    return " ".join(a[begin : begin + size]) if size >= min(run, len(b)) else ""


def common_words(text: str, item: str) -> str:
    """The different words of an item that a text has too, in the item's order: all that one rephrased has left of it."""
    mine = set(normalise(text))
    return " ".join(word for word in dict.fromkeys(normalise(item)) if word in mine)


def resembling(texts: Texts, items: Sequence[str], *, cosine: float) -> list[Overlap]:
    """The texts that have so many rare words in common with an item, in any order, that they may be it rephrased.

    Cosine of vectors of the words, each weighing the logarithm of how rare it is among the items; a word that no item
    has weighs as much as the rarest.

    Args:
        texts: what is looked at; gone through once.
        items: what they are compared with.
        cosine: from which on two resemble each other, in (0, 1].
    """
    import numpy as np

    if not items:
        return []
    ours = hash_shingles(items, 1)
    words, column = np.unique(ours.hashes, return_inverse=True)
    seen = np.unique(np.column_stack([np.repeat(np.arange(len(items)), np.diff(ours.starts)), column]), axis=0)
    weights = np.log((1 + len(items)) / (np.bincount(seen[:, 1], minlength=len(words)))) + 1
    rarest = float(weights.max())
    against = _vectors(ours, words, weights, rarest)[0].T.tocsc()

    def look(some: Sequence[str]) -> tuple[int, Any]:
        vectors, _ = _vectors(hash_shingles(some, 1), words, weights, rarest)
        alike = (vectors @ against).tocsr()
        return len(some), alike

    found, at = [], 0
    for count, alike in in_threads(look, chunks(texts)):
        for row in range(count):
            begin, end = alike.indptr[row], alike.indptr[row + 1]
            if end > begin:
                best = begin + int(np.argmax(alike.data[begin:end]))
                if alike.data[best] >= cosine - 1e-9:
                    found.append(Overlap(at + row, int(alike.indices[best]), min(1.0, float(alike.data[best]))))
        at += count
    return found


def meaning_alike(texts: Texts, items: Sequence[str], *, cosine: float) -> list[Overlap]:
    """The texts that mean nearly what an item means, by embeddings, each with the item nearest to it.

    Args:
        texts: what is looked at; gone through once.
        items: what they are compared with: 1 kB of memory each.
        cosine: from which on two are alike, in (0, 1].

    Raises:
        ImportError: the model is not installed (the extra `curate`).
    """
    import numpy as np

    if not items:
        return []
    against = meanings(items).vectors.T
    found, at = [], 0
    for some in chunks(texts):
        vectors = meanings(some).vectors
        for begin in range(0, len(vectors), _AT_ONCE):
            alike = vectors[begin : begin + _AT_ONCE] @ against
            best = alike.argmax(axis=1)
            value = alike[np.arange(len(alike)), best]
            found += [
                Overlap(at + begin + row, int(best[row]), min(1.0, float(value[row])))
                for row in np.flatnonzero(value >= cosine - 1e-6).tolist()
            ]
        at += len(some)
    return found


def _vectors(hashed: Hashed, words: Any, weights: Any, rarest: float) -> tuple[Any, Any]:
    """Rows of length 1: weight times one plus the logarithm of how often."""
    import numpy as np
    from scipy.sparse import csr_matrix

    n = len(hashed.starts) - 1
    row = np.repeat(np.arange(n), np.diff(hashed.starts))
    column = np.searchsorted(words, hashed.hashes)
    column[column == len(words)] = 0
    known = words[column] == hashed.hashes
    counted = csr_matrix((np.ones(int(known.sum())), (row[known], column[known])), shape=(n, len(words)))
    counted.data = (1 + np.log(counted.data)) * weights[counted.indices]
    strange = np.zeros(n)
    if (~known).any():
        other, counts = np.unique(
            np.column_stack([row[~known].astype(np.uint64), hashed.hashes[~known]]), axis=0, return_counts=True
        )
        np.add.at(strange, other[:, 0].astype(np.int64), ((1 + np.log(counts)) * rarest) ** 2)
    length = np.sqrt(np.asarray(counted.multiply(counted).sum(axis=1)).ravel() + strange)
    scale = csr_matrix((1 / np.maximum(length, 1e-12), (np.arange(n), np.arange(n))), shape=(n, n))
    return scale @ counted, length
