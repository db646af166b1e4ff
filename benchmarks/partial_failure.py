"""What failures of some calls cost a run, as ratios to the same run without failures.

    python benchmarks/partial_failure.py

Runs 400 problems with 32 in flight and half a second a call through synth against a server on loopback (`mock_server.py`) that
fails in a known way. Takes a minute and a half. The aims stand beside what was measured; where prompts fail for ever, the waits
of one call between its attempts are taken off first.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from model_calls import give, server

N, IN_FLIGHT, LATENCY = 400, 32, 0.5
SCHEDULE = 23.25
"""Seconds that a call waits between its six attempts, in the mean."""


class Case(NamedTuple):
    """One way to fail."""

    faults: tuple[str, ...]
    aim: float
    lasting: float = 0.0
    """Seconds that no client can do without."""


CASES = {
    "without failures": Case((), 1.0),
    "2 % refused, Retry-After 1": Case(("--refused", "0.02", "--retry-after", "1"), 1.15),
    "6 % refused, Retry-After 1": Case(("--refused", "0.06", "--retry-after", "1"), 1.4),
    "20 % refused, Retry-After 1": Case(("--refused", "0.2", "--retry-after", "1"), 2.5),
    "10 % of prompts fail for ever": Case(("--poisoned", "0.1"), 1.3, SCHEDULE),
    "down for 15 s": Case(("--outage", "5", "15"), 1.5, 15.0),
}


def measure(n: int, faults: tuple[str, ...]) -> tuple[float, int]:
    """Seconds of one run of so many problems, and how many calls failed for good."""
    import synth
    from synth.models.endpoint import EndpointModel

    with tempfile.TemporaryDirectory(prefix="bench-") as name, server(LATENCY, 0.0, *faults) as url:
        folder = Path(name)
        give(n, folder)
        model = EndpointModel("mock", base_url=url, model="mock", concurrency=IN_FLIGHT)
        begun = time.perf_counter()
        summary = synth.run(folder / "bench.yaml", folder / "in.jsonl", folder / "run", models=model, progress=False)
        return time.perf_counter() - begun, sum(summary.failures.values())


def main() -> None:
    """Measure each case once."""
    print(f"{N} problems, {IN_FLIGHT} in flight, {LATENCY} s a call")
    print(f"{'case':<32} {'seconds':>8} {'taken off':>9} {'ratio':>6} {'aim':>5} {'failed':>7}")
    measure(IN_FLIGHT, ())  # imports, and pages of the libraries
    free = 0.0
    for name, case in CASES.items():
        seconds, failed = measure(N, case.faults)
        free = free or seconds
        ratio = (seconds - case.lasting) / free
        print(f"{name:<32} {seconds:>8.1f} {case.lasting:>9.1f} {ratio:>6.2f} {case.aim:>5.2f} {failed:>7}", flush=True)


if __name__ == "__main__":
    main()
