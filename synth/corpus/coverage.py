"""A few of many: facility location and k-centre, greedily, over sketches of texts or vectors of their meaning.

Nothing here holds a matrix of all against all: similarities are computed for some at a time, and again where needed again.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

from synth.corpus.minhash import sketch
from synth.corpus.near_duplicates import Texts, chunks, in_threads, worth_compiling
from synth.corpus.shingles import hash_shingles

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "Likeness",
    "Vectors",
    "Words",
    "covered",
    "facility_location",
    "k_centre",
    "meanings",
    "nearest_chosen",
    "word_sketches",
]

_PERMUTATIONS = 128
_AT_ONCE = 64
"""Records whose similarities to all others are in memory at once, for each thread."""
_TRIED_AT_ONCE = 16
"""Records whose gain is recomputed together: one product of matrices instead of several."""


class Likeness(Protocol):
    """Texts, and how alike any two of them are."""

    def __len__(self) -> int: ...

    def part(self, which: Sequence[int]) -> Self:
        """Some of them, in this order."""

    def between(self, rows: Sequence[int], others: Self) -> np.ndarray[Any, Any]:
        """Similarities of some of these to all the others, float32 of shape (rows, others); 1: the same."""


@dataclass(frozen=True)
class Words:
    """Texts by the words they have: similarity is the Jaccard similarity of their shingles, as sketches estimate it."""

    sketches: np.ndarray[Any, Any]
    """uint16 of shape (permutations, texts): 256 bytes a text."""

    def __len__(self) -> int:
        return int(self.sketches.shape[1])

    def part(self, which: Sequence[int]) -> Words:
        import numpy as np

        return Words(np.ascontiguousarray(self.sketches[:, np.asarray(which, dtype=np.int64)]))

    def between(self, rows: Sequence[int], others: Words) -> np.ndarray[Any, Any]:
        import numpy as np

        made = np.empty((len(rows), len(others)), dtype=np.float32)
        for line, row in zip(made, rows, strict=True):
            same = (others.sketches == self.sketches[:, row, None]).view(np.uint8)
            line[:] = np.add.reduce(same, axis=0, dtype=np.uint8)  # 128 at most, and eight times as fast as `mean`
        made /= len(self.sketches)
        return made


@dataclass(frozen=True)
class Vectors:
    """Texts by what they mean: similarity is the cosine of their embeddings."""

    vectors: np.ndarray[Any, Any]
    """float32 of shape (texts, dimensions), each of length 1, or 0 for a text without words."""

    def __len__(self) -> int:
        return len(self.vectors)

    def part(self, which: Sequence[int]) -> Vectors:
        import numpy as np

        return Vectors(self.vectors[np.asarray(which, dtype=np.int64)])

    def between(self, rows: Sequence[int], others: Vectors) -> np.ndarray[Any, Any]:
        import numpy as np

        made: np.ndarray[Any, Any] = self.vectors[np.asarray(rows, dtype=np.int64)] @ others.vectors.T
        return made


def word_sketches(texts: Texts, shingle: int) -> Words:
    """Sketches of texts by shingles of so many words; the texts are gone through once."""
    import numpy as np

    compiled = worth_compiling(len(texts))

    def made(some: Sequence[str]) -> np.ndarray[Any, Any]:
        hashed = hash_shingles(some, shingle, compiled=compiled)
        return sketch(hashed, _PERMUTATIONS, 1, compiled=compiled).astype(np.uint16)

    parts = list(in_threads(made, chunks(texts)))
    return Words(np.concatenate(parts, axis=1) if parts else np.zeros((_PERMUTATIONS, 0), dtype=np.uint16))


def meanings(texts: Texts) -> Vectors:
    """Embeddings of texts, of 256 dimensions, by the small static model that comes with the library wordllama.

    Raises:
        ImportError: it is not installed (the extra `curate`).
    """
    import numpy as np

    model = _static_model()
    parts = []
    for surely in chunks(texts):
        some = [text.encode("utf-8", "replace").decode() for text in surely]  # a lone surrogate has no tokens either
        # An empty text has no tokens, and its mean would be no number.
        made = np.asarray(model.embed([text if text.strip() else "." for text in some]), dtype=np.float32)
        made[[not text.strip() for text in some]] = 0
        length = np.linalg.norm(made, axis=1, keepdims=True)
        parts.append(np.divide(made, length, out=np.zeros_like(made), where=length > 0))
    return Vectors(np.concatenate(parts) if parts else np.zeros((0, 256), dtype=np.float32))


@cache
def _static_model() -> Any:
    import wordllama

    return wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)


def facility_location(
    likeness: Likeness,
    keep: int,
    *,
    clients: Sequence[int],
    goodness: Sequence[float],
    quality: float = 0.0,
    order: Sequence[int],
) -> list[int]:
    """Indices of `keep` texts, in the order they were chosen, that stand for all: each client is as well covered as the
    most similar of the chosen is like it.

    Greedily maximises `(1 - quality) * mean over clients of max over chosen of similarity + quality * sum of goodness of
    the chosen / keep`, which is monotone and submodular, so at least 1 - 1/e of the optimum is attained (Nemhauser, Wolsey
    and Fisher 1978). Gains only ever fall, so most need not be recomputed (lazy evaluation, Minoux 1978). Negative
    similarities count as 0.

    Args:
        likeness: the texts.
        keep: how many; not more than there are.
        clients: indices of those that are to be covered: all, or a sample of them.
        goodness: in [0, 1], of each text.
        quality: weight of goodness, in [0, 1].
        order: all indices; of equals the earlier one is taken.
    """
    import numpy as np

    theirs = likeness.part(clients)
    own = quality * np.asarray(goodness, dtype=np.float64) / max(keep, 1)
    place = np.empty(len(order), dtype=np.int64)
    place[np.asarray(order, dtype=np.int64)] = np.arange(len(order))
    cover = np.zeros(len(clients), dtype=np.float32)

    def gains(rows: Sequence[int]) -> np.ndarray[Any, Any]:
        better = likeness.between(rows, theirs)
        better -= cover
        np.maximum(better, 0, out=better)
        found = (1 - quality) * better.sum(axis=1, dtype=np.float64) / max(len(clients), 1) + own[list(rows)]
        # What differs by the rounding of a sum alone is equal.
        rounded: np.ndarray[Any, Any] = np.round(found, 9)
        return rounded

    blocks = [range(i, min(i + _AT_ONCE, len(likeness))) for i in range(0, len(likeness), _AT_ONCE)]
    bounds = np.concatenate([np.zeros(0), *in_threads(gains, blocks)])
    heap = [(-float(b), int(p), i, 0) for i, (b, p) in enumerate(zip(bounds, place, strict=True))]
    heapq.heapify(heap)
    chosen: list[int] = []
    while len(chosen) < keep and heap:
        stale: list[tuple[int, int]] = []
        while heap and heap[0][3] != len(chosen) and len(stale) < _TRIED_AT_ONCE:
            _, p, i, _ = heapq.heappop(heap)
            stale.append((p, i))
        if stale:
            for (p, i), gain in zip(stale, gains([i for _, i in stale]), strict=True):
                heapq.heappush(heap, (-float(gain), p, i, len(chosen)))
            continue
        best = heapq.heappop(heap)[2]
        chosen.append(best)
        np.maximum(cover, likeness.between([best], theirs)[0], out=cover)
    return chosen


def k_centre(
    likeness: Likeness, keep: int, *, goodness: Sequence[float], quality: float = 0.0, order: Sequence[int]
) -> list[int]:
    """Indices of `keep` texts, in the order they were chosen: the first of `order`, then always the one farthest from all
    that are chosen.

    Distance is 1 minus similarity. With `quality` 0 the farthest text is at most twice as far from a chosen one as in the
    best choice (Gonzalez 1985; of cosines, in the Euclidean distance of the vectors). Else the next is where
    `(1 - quality) * distance + quality * goodness` is largest. Arguments as in `facility_location`.
    """
    import numpy as np

    good = np.asarray(goodness, dtype=np.float64)
    place = np.empty(len(order), dtype=np.int64)
    place[np.asarray(order, dtype=np.int64)] = np.arange(len(order))
    distance = np.ones(len(likeness), dtype=np.float32) * 2
    free = np.ones(len(likeness), dtype=bool)
    chosen: list[int] = []
    while len(chosen) < min(keep, len(likeness)):
        if chosen or quality:
            worth = np.where(free, np.round((1 - quality) * distance + quality * good, 6), -np.inf)
            best = np.flatnonzero(worth == worth.max())
            one = int(best[place[best].argmin()])
        else:
            one = int(order[0])
        chosen.append(one)
        free[one] = False
        np.minimum(distance, 1 - likeness.between([one], likeness)[0], out=distance)
    return chosen


def nearest_chosen(likeness: Likeness, chosen: Sequence[int]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """For each text the position in `chosen` of the one most like it, the earliest of equals, and how alike they are."""
    import numpy as np

    theirs = likeness.part(chosen)

    def look(rows: range) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        alike = likeness.between(rows, theirs)
        at = alike.argmax(axis=1)
        return at, alike[np.arange(len(rows)), at]

    blocks = [range(i, min(i + _AT_ONCE, len(likeness))) for i in range(0, len(likeness), _AT_ONCE)]
    found = list(in_threads(look, blocks))
    return np.concatenate([at for at, _ in found]), np.concatenate([alike for _, alike in found])


def covered(likeness: Likeness, chosen: Sequence[int]) -> float:
    """The objective of facility location: the mean, over all texts, of their similarity to the most similar chosen one."""
    return float(nearest_chosen(likeness, chosen)[1].clip(min=0).mean())
