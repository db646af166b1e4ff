"""Made-up corpora with copies in them, and all pairs by definition."""

from __future__ import annotations

import random
from itertools import combinations

from synth.corpus.shingles import shingle_set

__all__ = ["corpus", "oracle"]


def corpus(n: int, seed: int = 1) -> list[str]:
    """Texts of 60 words; a third are copies of an earlier one with some words changed."""
    rng = random.Random(seed)
    vocabulary = [f"w{i}" for i in range(3000)]
    texts: list[list[str]] = []
    for i in range(n):
        if i % 3 == 2:
            words = list(rng.choice(texts))
            for _ in range(rng.choice([0, 1, 1, 2, 3, 8])):
                words[rng.randrange(len(words))] = rng.choice(vocabulary)
        else:
            words = [rng.choice(vocabulary) for _ in range(60)]
        texts.append(words)
    return [" ".join(t) for t in texts]


def oracle(texts: list[str], threshold: float, shingle: int = 5) -> dict[tuple[int, int], float]:
    """All pairs by definition."""
    sets = [shingle_set(t, shingle) for t in texts]
    found = {}
    for i, j in combinations(range(len(texts)), 2):
        if sets[i] and sets[j]:
            similarity = len(sets[i] & sets[j]) / len(sets[i] | sets[j])
            if similarity >= threshold:
                found[i, j] = similarity
    return found
