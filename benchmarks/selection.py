"""A few of many: seconds, peak memory and what they cover, for facility location, k-centre and chance.

    python benchmarks/selection.py [--n 5000,20000,50000] [--keep 500] [--like words,meaning]

Makes rationales of 40-120 words about 300 topics, the k-th of them as frequent as 1/k, with nouns of their own among those of
all, and a few per cent about nothing else is about. Each way runs in a process of its own, from texts in memory to the chosen.
Coverage: mean over all texts of the similarity to the most similar chosen one, what facility location maximises (it is told on a
sample of 20,000 where there are more, and measured here on all). Radius: largest distance of a text to the nearest chosen one,
what k-centre minimises. Topics: how many of those there are have a chosen text.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import time

TOPICS = 300
_VERBS = ["add", "multiply", "divide", "subtract", "compare", "count", "share", "measure", "compute", "estimate"]
_LINKS = ["so", "then", "next", "because", "therefore", "hence", "first", "finally", "now", "since"]


def corpus(n: int, seed: int = 1) -> tuple[list[str], list[int]]:
    """Texts, and the topic of each; those about nothing else have a topic of their own."""
    rng = random.Random(seed)
    syllables = ["ba", "ke", "lo", "mi", "nu", "ra", "se", "ti", "vo", "zu", "pla", "gri", "sto", "cher", "ment"]

    def nouns(some: int) -> list[str]:
        return ["".join(rng.choices(syllables, k=3)) for _ in range(some)]

    common, own = nouns(800), [nouns(30) for _ in range(TOPICS)]
    topics = rng.choices(range(TOPICS), weights=[1 / (k + 1) for k in range(TOPICS)], k=n)
    texts = []
    for i, topic in enumerate(topics):
        if rng.random() < 0.03:
            topics[i] = TOPICS + i
        about = own[topic] if topics[i] < TOPICS else nouns(30)
        made: list[str] = []
        length = rng.randint(40, 120)
        while len(made) < length:
            a, b = rng.randrange(2, 60), rng.randrange(2, 20)
            x, y, z = (rng.choice(about if rng.random() < 0.7 else common) for _ in range(3))
            made += [rng.choice(_LINKS), "we", rng.choice(_VERBS), str(a), x, "and", str(b), y, "of", "the", z]
            made += ["which", "gives", str(a * b), rng.choice(about), "."]
        texts.append(" ".join(made[:length]))
    return texts, topics


def measure(way: str, n: int, keep: int, like: str) -> dict[str, float]:
    """One way, here."""
    from synth.corpus.choose import TO_COVER
    from synth.corpus.coverage import covered, facility_location, k_centre, meanings, nearest_chosen, word_sketches

    texts, topics = corpus(n)
    before = resource.getrusage(resource.RUSAGE_SELF)
    start = time.perf_counter()
    order = random.Random(2).sample(range(n), n)
    good = [0.0] * n
    likeness = word_sketches(texts, 2) if like == "words" else meanings(texts)
    read = time.perf_counter() - start
    if way == "coverage":
        chosen = facility_location(likeness, keep, clients=sorted(order[:TO_COVER]), goodness=good, order=order)
    elif way == "spread":
        chosen = k_centre(likeness, keep, goodness=good, order=order)
    else:
        chosen = order[:keep]
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_SELF)
    of = {topics[i] for i in chosen}
    return {
        "seconds": seconds,
        "of which to read": read,
        "cpu": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "peak_mb": after.ru_maxrss / 1024,
        "more_mb": (after.ru_maxrss - before.ru_maxrss) / 1024,
        "coverage": covered(likeness, chosen),
        "radius": float(1 - nearest_chosen(likeness, chosen)[1].min()),
        "topics": len({t for t in of if t < TOPICS}),
    }


def main() -> None:
    """All ways in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", default="5000,20000,50000")
    parser.add_argument("--keep", type=int, default=500)
    parser.add_argument("--like", default="words,meaning")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        sys.stdout.write(json.dumps(measure(asked.one, int(asked.n), asked.keep, asked.like)))
        return
    print("| n | like | way | seconds | CPU | peak MB | more than the texts | coverage | radius | topics |")
    print("|---:|---|---|---:|---:|---:|---:|---:|---:|---:|")
    for n in asked.n.split(","):
        for like in asked.like.split(","):
            for way in ("coverage", "spread", "chance"):
                command = [sys.executable, __file__, "--one", way, "--n", n, "--keep", str(asked.keep), "--like", like]
                m = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
                print(
                    f"| {int(n):,} | {like} | {way} | {m['seconds']:.1f} | {m['cpu']:.1f} | {m['peak_mb']:.0f} | {m['more_mb']:.0f} "
                    f"| {m['coverage']:.3f} | {m['radius']:.2f} | {m['topics']} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
