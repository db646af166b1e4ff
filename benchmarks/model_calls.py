"""What a call costs on top of the call: synth beside raw aiohttp and the official client, on one loopback server.

    python benchmarks/model_calls.py zero            orchestration cost: no latency, 256 in flight, marginal CPU, memory
    python benchmarks/model_calls.py fixed           200 ms a call, 256 in flight
    python benchmarks/model_calls.py lognormal       median 1 s, sigma 0.6, 256 in flight
    python benchmarks/model_calls.py memory          10,000 and 100,000 problems through synth

Clients take turns within one run, each in a process of its own; CPU is that of the client's whole process tree, the
server's not counted; medians over the rounds. Each does one row before the clock starts, so that what is loaded once is
told apart: `start` is the time until then. synth reads its rows from a file, keeps its ledger, validates every record and
folds all into DuckDB; the others make their prompts as they go and write one line a reply. `raw aiohttp` is the yardstick:
`ratio` is rows/s against it in the same run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
IN_FLIGHT = 256

PIPELINE = """
pipeline: bench/calls
roles: {teacher: writes}
steps:
  - {step: generate, examples: none}
"""


def question(i: int) -> str:
    """A prompt of some 90 words."""
    return (
        f"Case {i}: " + " ".join(f"box {i * j % 97} holds {j} apples and" for j in range(1, 15)) + " how many in all?"
    )


async def raw_aiohttp(url: str, n: int, out: Path) -> None:
    """The least a Python client can do with a well-kept library."""
    import aiohttp

    numbers = iter(range(n))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        with out.open("w") as file:

            async def work() -> None:
                for i in numbers:
                    body = {"model": "mock", "messages": [{"role": "user", "content": question(i)}]}
                    async with session.post(f"{url}/chat/completions", json=body) as reply:
                        got = await reply.json()
                    row = {"i": i, "text": got["choices"][0]["message"]["content"]}
                    file.write(json.dumps(row) + "\n")

            await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))


async def official(url: str, n: int, out: Path, *, over_aiohttp: bool) -> None:
    """The official client."""
    import openai

    numbers = iter(range(n))
    http = openai.DefaultAioHttpClient() if over_aiohttp else None
    async with openai.AsyncOpenAI(api_key="none", base_url=url, max_retries=0, http_client=http) as client:
        with out.open("w") as file:

            async def work() -> None:
                for i in numbers:
                    got = await client.chat.completions.create(
                        model="mock", messages=[{"role": "user", "content": question(i)}]
                    )
                    file.write(json.dumps({"i": i, "text": got.choices[0].message.content}) + "\n")

            await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))


def synth(url: str, folder: Path) -> None:
    """The whole of a run: check, read, ask, validate, ledger, fold, and what came of it."""
    import synth
    from synth.models.endpoint import EndpointModel

    model = EndpointModel("mock", base_url=url, model="mock", concurrency=IN_FLIGHT)
    synth.run(folder / "bench.yaml", folder / "in.jsonl", folder / "run", models=model)


def give(n: int, folder: Path) -> None:
    """The files that a run of synth is given."""
    (folder / "bench.yaml").write_text(PIPELINE)
    with (folder / "in.jsonl").open("w") as file:
        for i in range(n):
            file.write(json.dumps({"question": question(i), "answer": "5"}) + "\n")


def check(n: int, folder: Path) -> None:
    """All rows are there."""
    import synth

    with synth.open_store(folder / "run") as store:
        assert store.sql("SELECT count(*) FROM rationales").fetchall() == [(n,)]


CLIENTS = ("raw aiohttp", "synth", "openai")
"""And `openai[aiohttp]`, where that extra of the official client is installed."""


class Cost(NamedTuple):
    """What one client took for one round."""

    seconds: float
    cpu: float
    peak_mb: float
    start: float
    """Seconds until the first row was done: imports, mostly."""


def child(client: str, url: str, n: int) -> None:
    """Do one round in this process and print what it took, after one row that is not counted."""
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        start, _ = once(client, url, 1, folder / "first")
        seconds, cpu = once(client, url, n, folder / "all")
        peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        print(json.dumps([seconds, cpu, peak / 1024, start]))
    finally:
        shutil.rmtree(folder)


def once(client: str, url: str, n: int, folder: Path) -> tuple[float, float]:
    """So many rows through a client; what it took, in seconds and in seconds of CPU."""
    folder.mkdir()
    if client == "synth":
        give(n, folder)
    begun, cpu = time.perf_counter(), cpu_so_far()
    if client == "raw aiohttp":
        asyncio.run(raw_aiohttp(url, n, folder / "out.jsonl"))
    elif client == "synth":
        synth(url, folder)
    else:
        asyncio.run(official(url, n, folder / "out.jsonl", over_aiohttp="aiohttp" in client))
    took = time.perf_counter() - begun, cpu_so_far() - cpu
    if client == "synth":
        check(n, folder)
    return took


def cpu_so_far() -> float:
    """Seconds of this process and those below it."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def measure(client: str, url: str, n: int) -> Cost:
    """One round in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, "child", "--client", client, "--url", url, "--n", str(n)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return Cost(*json.loads(done.stdout.splitlines()[-1]))


@contextmanager
def server(latency: float = 0.0, sigma: float = 0.0, *faults: str) -> Iterator[str]:
    """The server, in a process of its own; gives its base URL. Faults are options of `mock_server.py`."""
    words = [sys.executable, str(HERE / "mock_server.py"), "--latency", str(latency), "--sigma", str(sigma), *faults]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.wait()


def table(rows: dict[str, list[Cost]], n: int, marginal: dict[str, float] | None = None) -> None:
    """Print medians, and the ratio to raw aiohttp."""
    base = n / statistics.median(c.seconds for c in rows["raw aiohttp"])
    print(
        f"{'client':<16} {'rows/s':>8} {'ratio':>7} {'CPU s/1k':>9} {'marginal':>9} {'peak MB':>8} {'start s':>8}   min-max rows/s"
    )
    for client, costs in rows.items():
        rates = sorted(n / c.seconds for c in costs)
        rate = statistics.median(rates)
        cpu = statistics.median(c.cpu for c in costs) / n * 1000
        more = f"{marginal[client]:9.3f}" if marginal else f"{'':>9}"
        peak, start = max(c.peak_mb for c in costs), statistics.median(c.start for c in costs)
        figures = f"{rate:8,.0f} {rate / base:7.3f} {cpu:9.3f} {more} {peak:8.0f} {start:8.2f}"
        print(f"{client:<16} {figures}   {rates[0]:,.0f}-{rates[-1]:,.0f}")


def rounds(clients: tuple[str, ...], url: str, n: int, times: int) -> dict[str, list[Cost]]:
    """Every client in turn, so many times over."""
    costs: dict[str, list[Cost]] = {client: [] for client in clients}
    for _ in range(times):
        for client in clients:
            costs[client].append(measure(client, url, n))
    return costs


def main() -> None:
    """Parse the words and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["zero", "fixed", "lognormal", "memory", "child"])
    parser.add_argument("--n", type=int)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", default=",".join(CLIENTS))
    parser.add_argument("--client", help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    given = parser.parse_args()
    clients = tuple(given.clients.split(","))
    if given.what == "child":
        child(given.client, given.url, given.n)
    elif given.what == "zero":
        n = given.n or 10_000
        with server() as url:
            few = rounds(clients, url, n // 5, given.rounds)
            many = rounds(clients, url, n, given.rounds)
        cpu = {c: [statistics.median(cost.cpu for cost in costs[c]) for costs in (few, many)] for c in clients}
        print(f"no latency, {IN_FLIGHT} in flight, n = {n:,}; marginal: CPU s a further 1,000 rows beyond {n // 5:,}")
        table(many, n, {c: (b - a) / (n - n // 5) * 1000 for c, (a, b) in cpu.items()})
    elif given.what in {"fixed", "lognormal"}:
        latency, sigma, n = (0.2, 0.0, given.n or 10_240) if given.what == "fixed" else (1.0, 0.6, given.n or 2560)
        with server(latency, sigma) as url:
            print(f"{latency} s a call (sigma {sigma}), {IN_FLIGHT} in flight, n = {n:,}")
            table(rounds(clients, url, n, given.rounds), n)
    else:
        with server() as url:
            for n in (10_000, 100_000):
                cost = measure("synth", url, n)
                print(f"{n:>8,} problems: {n / cost.seconds:,.0f} rows/s, peak {cost.peak_mb:.0f} MB")


if __name__ == "__main__":
    main()
