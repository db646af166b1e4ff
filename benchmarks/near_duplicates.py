"""Near-duplicates: speed, memory, recall and precision, on rationales with planted copies.

    python benchmarks/near_duplicates.py [--n 200000] [--rounds 3] [--engines numpy,numba,datasketch,rensa,gaoya] [--short] [--out-of-core]

Makes a corpus of rationales of 80-250 words (`--short`: 12-30), a fifth of which are copies of another with words
exchanged, in equal parts at a Jaccard similarity (word 5-grams; `--short`: 2-grams) of about 0.95, 0.85, 0.75 and 0.60; the exact one is
computed for each. Engines take turns, each in a process of its own; one that is not installed is passed over. Time and CPU run from texts
in memory to pairs (with `--out-of-core`: from texts in a Parquet file, read as they are needed), without imports and, of numba, without
compiling (seconds the first time on a machine, half a second later). Recall: found pairs of those planted at 0.8 or more; precision:
found pairs that are at 0.8 or more, by definition.
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
from functools import partial
from importlib.util import find_spec
from itertools import accumulate
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from synth.corpus.shingles import shingle_set

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


def make(n: int, path: Path, *, short: bool) -> None:
    """Write the corpus as Parquet, and beside it the planted pairs with their levels; no more than a batch is in memory."""
    rng = random.Random(n)
    letters = "aeioubcdfglmnprst"
    vocabulary = ["".join(rng.choices(letters, k=rng.randint(3, 9))) for _ in range(30_000)]
    weights = list(accumulate(1 / (i + 10) for i in range(len(vocabulary))))
    few, many = (12, 30) if short else (80, 250)
    copies = n // 10
    originals = n - copies

    def text(i: int) -> str:
        """A text by its number: made anew for its copy."""
        own = random.Random(i % originals)
        made = words(own, vocabulary, weights, own.randint(few, many))
        if i >= originals:
            made = changed(own, made, LEVELS[i % len(LEVELS)], shingle_of(short=short))
        return " ".join(made)

    order = np.random.default_rng(n).permutation(n)
    schema = pa.schema({"text": pa.string()})
    draft = path.with_suffix(".draft")
    with pq.ParquetWriter(draft, schema, compression="zstd") as file:
        for begin in range(0, n, 20_000):
            file.write_table(pa.table({"text": [text(i) for i in order[begin : begin + 20_000].tolist()]}, schema))
    place = np.argsort(order)
    pairs = np.sort(np.column_stack([place[:copies], place[originals:]]), axis=1)
    level = np.array(LEVELS)[np.arange(originals, n) % len(LEVELS)]
    np.savez(path.with_suffix(".npz"), pairs=pairs, level=level)
    draft.replace(path)


class Rows:
    """Texts that stay in their file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __len__(self) -> int:
        return pq.ParquetFile(self.path).metadata.num_rows

    def __iter__(self) -> Iterator[str]:
        for batch in pq.ParquetFile(self.path).iter_batches(4096, columns=["text"]):
            yield from batch.column(0).to_pylist()


def child(engine: str, path: Path, *, out_of_core: bool, short: bool) -> None:
    """One engine, once; prints what it took and writes the pairs beside the corpus."""
    from synth.corpus.near_duplicates import near_duplicate_pairs

    rows = Rows(path)
    texts = rows if out_of_core else list(rows)
    size = shingle_of(short=short)
    if engine in PEERS:
        find = partial(PEERS[engine], texts, size)
    else:
        find = partial(near_duplicate_pairs, texts, threshold=THRESHOLD, shingle=size, engine=engine)
    near_duplicate_pairs(
        ["so it is loaded"] * 2 + [str(i) for i in range(70)], engine=engine if engine == "numba" else "numpy"
    )
    before, held = resource.getrusage(resource.RUSAGE_SELF), memory("VmRSS")
    began = time.perf_counter()
    pairs = find()
    took = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    peak = memory("VmHWM")
    np.save(path.with_suffix(f".{engine}.npy"), np.array(pairs).reshape(-1, 3))
    print(json.dumps([took, cpu, peak, held]))


def memory(of: str) -> float:
    """Megabytes of this process; the `ru_maxrss` of a child begins with what its parent had."""
    status = Path("/proc/self/status").read_text()
    return int(status.split(f"{of}:")[1].split()[0]) / 1024


def shingles(text: str, size: int) -> list[str]:
    """As the peers' documentation makes them."""
    w = text.lower().split()
    return [" ".join(w[i : i + size]) for i in range(max(1, len(w) - size + 1))]


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

    sketches = MinHash.bulk(([s.encode() for s in shingles(t, size)] for t in texts), num_perm=128, hashfunc=hash32)
    index = MinHashLSH(num_perm=128, params=(16, 8))
    found = []
    for j, one in enumerate(sketches):
        found += [(i, j, s) for i in index.query(one) if (s := sketches[i].jaccard(one)) >= THRESHOLD]
        index.insert(j, one)
    return found


def by_rensa(texts: list[str], size: int) -> list[tuple[int, int, float]]:
    """Rensa's R-MinHash and its index, 16 bands of 8, its own estimate."""
    from rensa import RMinHash, RMinHashLSH

    index = RMinHashLSH(threshold=THRESHOLD, num_perm=128, num_bands=16)
    sketches, found = [], []
    for j, text in enumerate(texts):
        one = RMinHash(num_perm=128, seed=42)
        one.update(shingles(text, size))
        found += [(i, j, s) for i in index.query(one) if (s := sketches[i].jaccard(one)) >= THRESHOLD]
        index.insert(j, one)
        sketches.append(one)
    return found


def by_gaoya(texts: list[str], size: int) -> list[tuple[int, int, float]]:
    """Gaoya takes the texts as they are: 16 bands of 8, its own estimate."""
    from gaoya.minhash import MinHashStringIndex

    index = MinHashStringIndex(32, THRESHOLD, 16, 8, None, "word", lowercase=True, ngram_range=(size, size))
    found = []
    for j, text in enumerate(texts):
        found += [(i, j, s) for i, s in index.query(text, return_similarity=True)]
        index.insert_document(j, text)
    return found


PEERS = {"datasketch": by_datasketch, "rensa": by_rensa, "gaoya": by_gaoya}


def main() -> None:
    """Parse the words and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--engines", default="numpy,numba,datasketch,rensa,gaoya")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--out-of-core", action="store_true")
    parser.add_argument("--corpus", type=Path, help="where to keep the corpus for another time (a file)")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        child(given.child, given.corpus, out_of_core=given.out_of_core, short=given.short)
        return
    engines = [e for e in given.engines.split(",") if find_spec(e) is not None]
    for absent in set(given.engines.split(",")) - set(engines):
        print(f"{absent} is not installed")
    with tempfile.TemporaryDirectory() as folder:
        path = given.corpus or Path(folder) / "texts.parquet"
        if not path.exists():
            make(given.n, path, short=given.short)
        took: dict[str, list[list[float]]] = {e: [] for e in engines}
        flags = [*(["--out-of-core"] * given.out_of_core), *(["--short"] * given.short)]
        for _ in range(given.rounds):
            for engine in engines:
                line = [sys.executable, __file__, "--child", engine, "--corpus", str(path), *flags]
                done = subprocess.run(line, stdout=subprocess.PIPE, text=True, check=True)
                took[engine].append(json.loads(done.stdout))
        tell(path, took, shingle_of(short=given.short))


def tell(path: Path, took: dict[str, list[list[float]]], size: int) -> None:
    """Compare what was found with what is there, by definition."""
    planted, levels = (np.load(path.with_suffix(".npz"))[name] for name in ("pairs", "level"))
    found = {e: {(int(a), int(b)) for a, b, _ in np.load(path.with_suffix(f".{e}.npy"))} for e in took}
    pairs = {(a, b) for a, b in planted.tolist()}.union(*found.values())
    concerned = {i for pair in pairs for i in pair}
    sets = {i: shingle_set(text, size) for i, text in enumerate(Rows(path)) if i in concerned}
    true = {(a, b): len(sets[a] & sets[b]) / len(sets[a] | sets[b]) for a, b in pairs}
    wanted = {(a, b) for a, b in planted.tolist() if true[a, b] >= THRESHOLD}
    n, megabytes = len(Rows(path)), sum(map(len, Rows(path))) / 2**20
    print(f"{n:,} texts, {megabytes:,.0f} MB; {len(wanted):,} planted pairs at {THRESHOLD} or more")
    print(
        f"{'engine':<11} {'texts/s':>8} {'s':>7} {'CPU s':>7} {'peak MB':>8} {'texts MB':>9} {'recall':>7} {'precision':>9}"
        "   found of those near 0.95 / 0.85 / 0.75 / 0.60"
    )
    for engine, rounds in took.items():
        seconds, cpu, peak, held = (statistics.median(column) for column in zip(*rounds, strict=True))
        right = sum(true[p] >= THRESHOLD for p in found[engine])
        shares = [
            statistics.mean((a, b) in found[engine] for a, b in planted[levels == level].tolist()) for level in LEVELS
        ]
        print(
            f"{engine:<11} {n / seconds:8,.0f} {seconds:7.2f} {cpu:7.2f} {peak:8,.0f} {held:9,.0f} "
            f"{len(wanted & found[engine]) / len(wanted):7.4f} {right / max(1, len(found[engine])):9.4f}   "
            + " / ".join(f"{s:.3f}" for s in shares)
        )


if __name__ == "__main__":
    main()
