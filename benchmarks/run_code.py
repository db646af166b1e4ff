"""Programs that models wrote, in each sandbox of this machine, against what is known of them.

    python benchmarks/run_code.py DATA [--limit N]

DATA is a folder with `code_outputs.jsonl` (GPT-4 on HumanEval and MBPP; truth: `is_solved`) and `program_outputs.jsonl` (programs of
thought; truth: `executed`, the result that their authors got). Prints agreement, the classes of difference, and runs per second and core.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

from synth.sandbox import Limits, Program, Result, Sandbox, choose
from synth.sources.program_tests import read_tests
from synth.verify import compare_answers, continued

CORES = len(__import__("os").sched_getaffinity(0))
LIMITS = Limits(seconds=5.0)


def rows(path: Path, limit: int | None) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()][:limit]


async def in_first(program: Program, sandboxes: list[Sandbox]) -> Result:
    """What comes of a program, in the first sandbox that supports it."""
    for sandbox in sandboxes:
        result = await sandbox.run(program, LIMITS)
        if result.status != "unsupported":
            break
    return result


async def measure(name: str, sandboxes: list[Sandbox], asked: list[tuple[Program, Any]], judge: Any) -> None:
    begin, cpu = time.perf_counter(), time.process_time()
    results = await asyncio.gather(*(in_first(program, sandboxes) for program, _ in asked))
    seconds = time.perf_counter() - begin
    outcomes: Counter[tuple[bool | None, Any]] = Counter()
    classes: Counter[str] = Counter()
    for (_, truth), result in zip(asked, results, strict=True):
        said = judge(result, truth)
        outcomes[said] += 1
        if said != "agrees":
            classes[f"{said}: {result.status} {(result.error or '')[:70]}"] += 1
    rate = len(asked) / seconds / CORES
    print(
        f"{name}: {dict(outcomes)}; {len(asked)} runs in {seconds:.1f} s, {rate:.0f} a second and core (own CPU {time.process_time() - cpu:.1f} s)"
    )
    for what, n in classes.most_common(12):
        print(f"    {n:4} {what}")


def solved(result: Result, truth: bool) -> str:
    if result.status == "unsupported":
        return "undecided"
    return "agrees" if (result.status == "ok") == truth else f"said {result.status == 'ok'}, truth {truth}"


def executed(result: Result, truth: Any) -> str:
    if result.status == "unsupported":
        return "undecided"
    if result.status != "ok":
        return "agrees" if truth is None else "failed"
    lines = result.stdout.split("\n")
    said = next((line for line in reversed(lines) if line.strip()), "")
    if said.strip() in {"", "None"} and truth is None:
        return "agrees"
    verdict = compare_answers(said, str(truth), kind="number", tolerance=1e-6)
    return "agrees" if verdict.label == "right" or said.strip() == str(truth) else f"another value ({verdict.label})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--limit", type=int)
    given = parser.parse_args()
    tested, thought = [], []
    for row in rows(given.data / "code_outputs.jsonl", given.limit):
        (test,) = read_tests(row["test"], row["entry_point"])
        code = continued(row["solution"], row["prompt"], row["entry_point"])
        tested.append((Program(code, then=test.code), row["is_solved"]))
    for row in rows(given.data / "program_outputs.jsonl", None):
        if row["run"] in {"codex_gsm8k_zero_shot_program", "codex_svamp_program"}:
            code = row["generated"] if isinstance(row["generated"], str) else row["generated"][0]
            thought.append((Program(code, then="print(ans)"), row["executed"]))

    async def all_of_it() -> None:
        found = list(choose())
        for names in [[one] for one in found] + ([found] if len(found) > 1 else []):
            name = " then ".join(f"{one.name}/{one.version}" for one in names)
            await measure(f"code_outputs, {name}", names, tested, solved)
            await measure(f"program_outputs, {name}", names, thought, executed)
        for one in found:
            await one.close()

    asyncio.run(all_of_it())


if __name__ == "__main__":
    main()
