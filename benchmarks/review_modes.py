"""How informative a reviewer is, by mode: spoken score, probability of a yes, and solving the problem anew.

    SYNTH_DATA=/where/gsm8k_model_solutions.jsonl/lies python benchmarks/review_modes.py [--model local:qwen2.5-coder-1.5b] [--n 24] [--modes "solved anew"]

Reviews `n` right and `n` wrong solutions that systems wrote to GSM8K questions (labels are the publisher's), in each mode
of the step `review`, without the gold answer, and prints the area under the curve: the chance that a right solution is
scored above a wrong one. 0.5 tells nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import time
from pathlib import Path

from synth.calls import Caller, Ledger
from synth.measures import area_under_curve
from synth.models import load_profile, make_model
from synth.records import Problem, Rationale, Score
from synth.steps import Unit
from synth.steps.review import Review
from synth.steps.segmentation import cut
from synth.store.journal import Journal
from synth.verify import find_answer

MODES = {
    "spoken score": Review(name="r", show_gold=False, max_tokens=256),
    "probability of yes": Review(name="r", show_gold=False, mode="probability"),
    "solved anew": Review(name="r", mode="resolve", samples=1, temperature=0.0, max_tokens=512),
    "solved anew four times": Review(name="r", mode="resolve", samples=4, temperature=0.8, max_tokens=512),
}


def solutions(path: Path, n: int) -> list[tuple[Problem, Rationale, bool]]:
    """So many right and so many wrong ones, of different problems where possible."""
    wanted = {True: n, False: n}
    found = []
    for line in path.read_text().splitlines():
        row = json.loads(line)
        gold = row["ground_truth"].rpartition("A:")[2].rpartition("####")[2].strip()
        problem = Problem.root(question=row["question"], answer=gold, answer_kind="number")
        for system in ("6b_finetuning", "175b_verification", "175b_finetuning"):
            text, label = row[system]["solution"], bool(row[system]["is_correct"])
            if wanted[label]:
                wanted[label] -= 1
                answer, span = find_answer(text, kind="number")
                steps, segmenter = cut(None, text, span)
                rationale = Rationale.make(
                    unit=problem.id, step="given", because=[problem.id, system], problem=problem.id, author="teacher",
                    model=system, response=text, answer_span=span, steps=steps, segmenter=segmenter, answer=answer,
                )  # fmt: skip
                found.append((problem, rationale, label))
                break
    return found


async def main() -> None:
    """Parse the words and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="local:qwen2.5-coder-1.5b")
    parser.add_argument("--n", type=int, default=24)
    parser.add_argument("--modes", default=",".join(MODES), help="with commas; all, if not given")
    given = parser.parse_args()
    if unknown := sorted(set(given.modes.split(",")) - set(MODES)):
        raise SystemExit(f"no mode {', '.join(unknown)}: there are {', '.join(MODES)}")
    path = Path(os.environ.get("SYNTH_DATA", "../shared/data")) / "gsm8k_model_solutions.jsonl"
    if not path.is_file():
        raise SystemExit(f"{path} is not there: set SYNTH_DATA")
    items = solutions(path, given.n)
    model = make_model(given.model, load_profile(None))
    print(f"{given.model}, {sum(t for *_, t in items)} right and {sum(not t for *_, t in items)} wrong solutions")
    with tempfile.TemporaryDirectory() as folder:
        caller = Caller(Ledger(Journal(Path(folder))))
        async with model:
            for name in given.modes.split(","):
                step = MODES[name]
                began, before = time.perf_counter(), caller.counts.sent

                async def judge(problem: Problem, rationale: Rationale, step: Review = step) -> float | None:
                    unit = Unit(problem, caller, {"reviewers": [model]})
                    unit.add([rationale])
                    unit.add(await step.run([rationale], unit))
                    return next((s.value for s in unit.all(Score) if s.name == "review_single"), None)

                values = await asyncio.gather(*(judge(p, r) for p, r, _ in items))
                valid = [(v, t) for v, (*_, t) in zip(values, items, strict=True) if v is not None]
                area = area_under_curve([v for v, _ in valid], [t for _, t in valid])
                calls, seconds = caller.counts.sent - before, time.perf_counter() - began
                shown = "-" if area is None else f"{area:.2f}"
                print(f"{name:<24} AUC {shown}  {len(valid)} valid, {calls} calls, {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
