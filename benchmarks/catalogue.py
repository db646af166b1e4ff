"""Rehearse every method of the catalogue on its own sample: what a pipeline asks and keeps, and that each runs to its end.

    python benchmarks/catalogue.py [--only NAME,NAME] [--limit N] [--thinking]

Runs `synth rehearse` for each shipped pipeline, in a process of its own and a fresh folder, and prints a table in Markdown: problems,
seconds from the start of the process to its end, calls, kept rationales and kept pairs, and the calls for each row kept.
The scripted model solves 60 % of the problems and knows nothing of their words: the figures are those of the pipeline, not of a
method with a real model. It ends with 1 where a rehearsal fails, and prints what that said.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from synth.pipeline import catalogue
from synth.store.database import open_store


class Rehearsed(NamedTuple):
    """What one rehearsal gave."""

    seconds: float
    problems: int
    calls: int
    rationales: int
    pairs: int

    @property
    def calls_per_row(self) -> str:
        """Calls for each kept rationale or pair; a dash where nothing was kept."""
        rows = self.rationales + self.pairs
        return f"{self.calls / rows:.1f}" if rows else "-"


def rehearse(name: str, folder: Path, *more: str) -> Rehearsed:
    """Rehearse one pipeline.

    Raises:
        SystemExit: it failed; with what it said.
    """
    began = time.perf_counter()
    program = "from synth.cli import main; main()"
    command = [sys.executable, "-c", program, "rehearse", name, "--run", str(folder), *more]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    seconds = time.perf_counter() - began
    if done.returncode:
        sys.stderr.write(f"synth rehearse {name}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
        raise SystemExit(1)
    counted = ("problems WHERE parent IS NULL", "calls", "kept_rationales", "kept_pairs")  # problems of the input
    with open_store(folder) as store:
        counts = [store.sql(f"SELECT count(*) FROM {table}").fetchone()[0] for table in counted]
    return Rehearsed(seconds, *counts)


def main() -> None:
    """Rehearse all of them in turn, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="names, with commas; all, if not given")
    parser.add_argument("--limit", type=int, help="only so many problems of each sample; all, if not given")
    parser.add_argument("--thinking", action="store_true", help="the scripted model thinks before it replies")
    given = parser.parse_args()
    names = {name.rsplit("/", 1)[-1]: name for name in catalogue()} | {name: name for name in catalogue()}
    wanted = given.only.split(",") if given.only else list(catalogue())
    if unknown := sorted(set(wanted) - set(names)):
        raise SystemExit(f"no pipeline {', '.join(unknown)}: there are {', '.join(catalogue())}")
    chosen = [names[name] for name in wanted]
    more = [*(("--limit", str(given.limit)) if given.limit else ()), *(("--thinking",) if given.thinking else ())]
    print("| pipeline | problems | seconds | calls | kept rationales | kept pairs | calls a kept row |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        for name in chosen:
            found = rehearse(name, Path(folder) / name.replace("/", "-"), *more)
            print(
                f"| `{name}` | {found.problems:,} | {found.seconds:.1f} | {found.calls:,} | {found.rationales:,} "
                f"| {found.pairs:,} | {found.calls_per_row} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
