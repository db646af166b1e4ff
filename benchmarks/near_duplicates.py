"""Near-duplicates: speed, memory, recall and precision, on rationales with planted copies.

    python benchmarks/near_duplicates.py [--n 200000] [--rounds 3] [--engines numpy,datasketch] [--short] [--out-of-core]

Makes a corpus of rationales of 80-250 words (`--short`: 12-30), a fifth of which are copies of another with words
exchanged, in equal parts at a Jaccard similarity (word 5-grams; `--short`: 2-grams) of about 0.95, 0.85, 0.75 and 0.60; the exact one is
computed for each. Engines take turns, each in a process of its own; time and CPU run from texts in memory to pairs (with
`--out-of-core`: from texts in a file, read as they are needed). Recall: found pairs of those planted at 0.8 or more;
precision: found pairs that are at 0.8 or more, by definition.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

THRESHOLD = 0.8
LEVELS = (0.95, 0.85, 0.75, 0.60)


def shingle_of(*, short: bool) -> int:
    """Words in a shingle."""
    return 2 if short else 5


_VERBS = ["add", "multiply", "divide", "subtract", "compare", "count", "share", "measure", "compute", "estimate"]
_LINKS = ["so", "then", "next", "because", "therefore", "hence", "first", "finally", "now", "since"]


def words(rng: random.Random, vocabulary: list[str], weights: list[float], n: int) -> list[str]:
    """A rationale of about n words: steps with names, numbers, and what is done with them."""
    nouns = iter(rng.choices(vocabulary, cum_weights=weights, k=n))
    made: list[str] = []
    while len(made) < n:
        a, b = rng.randrange(2, 1000), rng.randrange(2, 100)
        link, verb = rng.choice(_LINKS), rng.choice(_VERBS)
        made += [link, "we", verb, str(a), next(nouns), "and", str(b), next(nouns), "of", "the", next(nouns)]
        made += ["which", "gives", str(a * b), next(nouns), "."]
    return made[:n]


def changed(rng: random.Random, text: list[str], level: float, size: int) -> list[str]:
    """A copy with so many words exchanged, far enough apart, that the similarity comes near the level."""
    shingles = len(text) - size + 1
    m = max(1, round(shingles * (1 - level) / (size * (1 + level))))
    gap = max(size, len(text) // (m + 1))
    copy = list(text)
    for k in range(m):
        copy[min(len(copy) - 1, (k + 1) * gap - rng.randrange(2))] = f"x{rng.randrange(10**6)}"
    return copy


def make(n: int, path: Path, *, short: bool) -> list[tuple[int, int, float]]:
    """Write the corpus, a JSON string a line; returns the planted pairs with their levels."""
    rng = random.Random(n)
    letters = "aeioubcdfglmnprst"
    vocabulary = ["".join(rng.choices(letters, k=rng.randint(3, 9))) for _ in range(30_000)]
    weights = [0.0]
    for i in range(len(vocabulary)):
        weights.append(weights[-1] + 1 / (i + 10))
    few, many = (12, 30) if short else (80, 250)
    copies = n // 10
    texts = [words(rng, vocabulary, weights[1:], rng.randint(few, many)) for _ in range(n - copies)]
    places = list(range(n))
    rng.shuffle(places)
    planted = []
    for k in range(copies):
        level = LEVELS[k % len(LEVELS)]
        texts.append(changed(rng, texts[k], level, shingle_of(short=short)))
        planted.append((*sorted((places[k], places[n - copies + k])), level))
    order = sorted(range(n), key=places.__getitem__)
    with path.open("w") as file:
        for i in order:
            file.write(json.dumps(" ".join(texts[i])) + "\n")
    return planted


class Lines:
    """Texts that stay in their file."""

    def __init__(self, path: Path, n: int) -> None:
        self.path, self.n = path, n

    def __len__(self) -> int:
        return self.n

    def __iter__(self) -> Iterator[str]:
        with self.path.open() as file:
            yield from map(json.loads, file)


def child(engine: str, path: Path, n: int, *, out_of_core: bool, short: bool) -> None:
    """One engine, once; prints what it took and writes the pairs beside the corpus."""
    from synth.corpus.near_duplicates import near_duplicate_pairs

    texts = Lines(path, n) if out_of_core else list(Lines(path, n))
    before, held = resource.getrusage(resource.RUSAGE_SELF), memory("VmRSS")
    began = time.perf_counter()
    if engine.startswith("datasketch"):
        pairs = by_datasketch(texts, shingle_of(short=short))
    else:
        pairs = near_duplicate_pairs(texts, threshold=THRESHOLD, shingle=shingle_of(short=short))
    took = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    path.with_suffix(f".{engine}.json").write_text(json.dumps(pairs))
    print(json.dumps([took, cpu, memory("VmHWM"), held]))


def memory(of: str) -> float:
    """Megabytes of this process; the `ru_maxrss` of a child begins with what its parent had."""
    status = Path("/proc/self/status").read_text()
    return int(status.split(f"{of}:")[1].split()[0]) / 1024


def by_datasketch(texts: list[str], size: int) -> list[tuple[int, int, float]]:
    """The library by itself, at its fastest: bulk sketches, xxhash where installed, 16 bands of 8, its own estimate."""
    from datasketch import MinHash, MinHashLSH

    try:
        from xxhash import xxh3_64_intdigest as digest
    except ImportError:
        from hashlib import blake2b

        def digest(data: bytes) -> int:
            return int.from_bytes(blake2b(data, digest_size=8).digest(), "little")

    def hash32(data: bytes) -> int:
        return digest(data) & 0xFFFFFFFF

    sets = (
        [" ".join(w[i : i + size]).encode() for i in range(max(1, len(w) - size + 1))]
        for w in (t.lower().split() for t in texts)
    )
    sketches = MinHash.bulk(sets, num_perm=128, hashfunc=hash32)
    index = MinHashLSH(num_perm=128, params=(16, 8))
    found = []
    for j, one in enumerate(sketches):
        found += [(i, j, s) for i in index.query(one) if (s := sketches[i].jaccard(one)) >= THRESHOLD]
        index.insert(j, one)
    return found


def similarity(a: str, b: str, size: int) -> float:
    """By definition."""
    from synth.corpus.shingles import shingle_set

    x, y = shingle_set(a, size), shingle_set(b, size)
    return len(x & y) / len(x | y)


def main() -> None:
    """Parse the words and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--engines", default="numpy,datasketch")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--out-of-core", action="store_true")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--path", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        child(given.child, given.path, given.n, out_of_core=given.out_of_core, short=given.short)
        return
    engines = given.engines.split(",")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "texts.jsonl"
        planted = make(given.n, path, short=given.short)
        took: dict[str, list[list[float]]] = {e: [] for e in engines}
        flags = [*(["--out-of-core"] * given.out_of_core), *(["--short"] * given.short)]
        size = shingle_of(short=given.short)
        for _ in range(given.rounds):
            for engine in engines:
                line = [sys.executable, __file__, "--child", engine, "--path", str(path), "--n", str(given.n), *flags]
                done = subprocess.run(line, capture_output=True, text=True, check=True)
                took[engine].append(json.loads(done.stdout))
        concerned = {i for a, b, _ in planted for i in (a, b)}
        found = {e: {(a, b): s for a, b, s in json.loads(path.with_suffix(f".{e}.json").read_text())} for e in engines}
        concerned |= {i for pairs in found.values() for pair in pairs for i in pair}
        text = {i: t for i, t in enumerate(Lines(path, given.n)) if i in concerned}
        true = {(a, b): similarity(text[a], text[b], size) for a, b, _ in planted}
        size = path.stat().st_size / 2**20
        print(
            f"{given.n:,} texts, {size:,.0f} MB; {sum(s >= THRESHOLD for s in true.values()):,} planted pairs at {THRESHOLD} or more"
        )
        print(
            f"{'engine':<11} {'texts/s':>8} {'s':>7} {'CPU s':>7} {'peak MB':>8} {'texts MB':>9} {'recall':>7} {'precision':>9}"
            "   found of those near 0.95 / 0.85 / 0.75 / 0.60"
        )
        for engine in engines:
            seconds, cpu, peak, held = (statistics.median(column) for column in zip(*took[engine], strict=True))
            pairs = found[engine]
            wanted = [p for p, s in true.items() if s >= THRESHOLD]
            right = sum(
                (true[p] if p in true else similarity(text[p[0]], text[p[1]], size)) >= THRESHOLD for p in pairs
            )
            shares = [statistics.mean((a, b) in pairs for a, b, at in planted if at == level) for level in LEVELS]
            print(
                f"{engine:<11} {given.n / seconds:8,.0f} {seconds:7.2f} {cpu:7.2f} {peak:8,.0f} {held:9,.0f} "
                f"{statistics.mean(p in pairs for p in wanted):7.4f} {right / max(1, len(pairs)):9.4f}   "
                + " / ".join(f"{s:.3f}" for s in shares)
            )


if __name__ == "__main__":
    main()
