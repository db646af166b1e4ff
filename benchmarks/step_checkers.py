"""How often the arithmetic of published solutions is found, decided, and decided as people label it.

Three tables:

- `claims`: arithmetic that texts claim: how many steps claim something, how many claims are decided, and how many of these hold. Human
  solutions should hold nearly always; what does not is a mistake of theirs or of ours (`--show` prints them).
- `annotations`: the calculator marks `<<a*b=c>>` alone.
- `first wrong step`: solutions whose first wrong step people marked, against the first step that arithmetic calls wrong. Steps are wrong for
  many reasons, and arithmetic sees one: precision is what counts. Chance: one step of each flagged solution drawn at random.

    python benchmarks/step_checkers.py [--only SET]... [--show N]

The data is no part of the project; `SYNTH_DATA` names its folder, `../shared/data` beside the checkout if unset.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from synth.verify import Claim, arithmetic_claims

CLAIMS = ("set", "steps", "claim something, %", "claims", "decided, %", "of these hold, %", "wrong", "M characters/s")
ANNOTATIONS = ("annotations", "marks", "decided, %", "of these hold, %")
FIRST_WRONG = (
    "first wrong step",
    "solutions",
    "with a mistake",
    "flagged",
    "precision, %",
    "at it or later, %",
    "recall, %",
    "F1, %",
    "precision by chance, %",
)
MARK = re.compile(r"<<[^<>\n]*>>")


@dataclass(frozen=True, slots=True)
class Solution:
    """A solution in steps."""

    steps: tuple[str, ...]
    labelled: bool = False
    """Whether people said which step is the first wrong one."""
    first_wrong: int | None = None
    """Its index from 0; None where every step is right."""


@dataclass(slots=True)
class Claimed:
    """What the texts of one set claim."""

    steps: int = 0
    claiming: int = 0
    """Steps with at least one decided claim."""
    claims: int = 0
    decided: int = 0
    hold: int = 0
    wrong: list[Claim] = field(default_factory=list)
    marks: int = 0
    marks_decided: int = 0
    marks_hold: int = 0
    seconds: float = 0.0
    characters: int = 0


@dataclass(slots=True)
class Found:
    """First wrong steps: of people, and ours."""

    solutions: int = 0
    with_mistake: int = 0
    flagged: int = 0
    right: int = 0
    on_wrong_step_or_later: int = 0
    """Flagged at the first wrong step or after it."""
    chance: float = 0.0
    """How many a step drawn at random from each flagged solution would hit."""
    false: list[tuple[Solution, int, str]] = field(default_factory=list)


def data_folder() -> Path | None:
    """Where the published solutions lie; None where they are absent."""
    folder = Path(os.environ.get("SYNTH_DATA", Path(__file__).parents[2] / "shared" / "data"))
    return folder if folder.is_dir() else None


def rows(folder: Path, name: str) -> Iterator[dict[str, Any]]:
    """The rows of a file."""
    with (folder / f"{name}.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def lines(text: str) -> tuple[str, ...]:
    """The lines of a text that are not empty."""
    return tuple(line.strip() for line in text.split("\n") if line.strip())


def gsm8k_train(folder: Path) -> Iterator[Solution]:
    """Human solutions with calculator marks."""
    return (Solution(lines(row["answer"].split("####")[0])) for row in rows(folder, "gsm8k_train"))


def gsm8k_model_solutions(folder: Path) -> Iterator[Solution]:
    """Solutions of four systems, whose marks a calculator filled in."""
    for row in rows(folder, "gsm8k_model_solutions"):
        for value in row.values():
            if isinstance(value, Mapping):
                yield Solution(lines(value["solution"]))


def aqua_rat(folder: Path) -> Iterator[Solution]:
    """Human solutions without a fixed notation."""
    return (Solution(lines(row["rationale"])) for row in rows(folder, "aqua_rat"))


def math500(folder: Path) -> Iterator[Solution]:
    """Human solutions in LaTeX."""
    return (Solution(lines(row["solution"])) for row in rows(folder, "math500"))


def zeroeval_gsm(folder: Path) -> Iterator[Solution]:
    """Replies of ten models, as they came."""
    for row in rows(folder, "zeroeval_gsm"):
        yield Solution(tuple(line.replace('\\"', '"') for line in lines(row["output"][0].replace("\\n", "\n"))))


def big_bench_mistake(folder: Path, task: str) -> Iterator[Solution]:
    """Traces of a model with the first mistake as people marked it."""
    for row in rows(folder, "big_bench_mistake"):
        if row["task"] == task:
            yield Solution(tuple(row["steps"]), True, row["mistake_index"])


def mr_gsm8k(folder: Path) -> Iterator[Solution]:
    """Wrong solutions of a model with the first wrong step as people marked it."""
    seen = set()
    for row in rows(folder, "mr_gsm8k"):
        steps, at = tuple(row["model_output_steps"]), row["model_output_solution_first_error_step"]
        if row["question_type"] != "POT" and isinstance(at, int) and 0 < at <= len(steps) and steps not in seen:
            seen.add(steps)
            yield Solution(tuple(re.sub(r"\AStep \d+:\s*", "", step) for step in steps), True, at - 1)


def math_step_critiques(folder: Path) -> Iterator[Solution]:
    """Wrong solutions with a model's verdict on each step."""
    for row in rows(folder, "math_step_critiques"):
        said = re.findall(r"Step sentence: (.*?)\s*\nCorrectness of the step: (\w+)", row["instruction"], re.DOTALL)
        wrong = [i for i, (_, verdict) in enumerate(said) if verdict.casefold() in {"wrong", "incorrect"}]
        if said:
            yield Solution(tuple(step for step, _ in said), True, wrong[0] if wrong else None)


SETS: dict[str, Callable[[Path], Iterable[Solution]]] = {
    "gsm8k_train": gsm8k_train,
    "gsm8k_model_solutions": gsm8k_model_solutions,
    "aqua_rat": aqua_rat,
    "math500": math500,
    "zeroeval_gsm": zeroeval_gsm,
    "multistep_arithmetic": lambda folder: big_bench_mistake(folder, "multistep_arithmetic"),
    "mr_gsm8k": mr_gsm8k,
    "math_step_critiques": math_step_critiques,
}


def claimed(solutions: Iterable[Solution]) -> Claimed:
    """What is claimed in solutions, and what holds."""
    seen = Claimed()
    for solution in solutions:
        for step in solution.steps:
            begun = time.perf_counter()
            claims = arithmetic_claims(step)
            seen.seconds += time.perf_counter() - begun
            seen.characters += len(step)
            decided = [c for c in claims if c.holds is not None]
            marks = [c for mark in MARK.findall(step) for c in arithmetic_claims(mark)]
            seen.steps += 1
            seen.claiming += bool(decided)
            seen.claims += len(claims)
            seen.decided += len(decided)
            seen.hold += sum(c.holds is True for c in decided)
            seen.wrong += [c for c in decided if c.holds is False]
            seen.marks += len(MARK.findall(step))
            seen.marks_decided += sum(c.holds is not None for c in marks)
            seen.marks_hold += sum(c.holds is True for c in marks)
    return seen


def first_wrong(solution: Solution) -> tuple[int, str] | None:
    """The first step that arithmetic calls wrong, and why."""
    for index, step in enumerate(solution.steps):
        wrong = [c for c in arithmetic_claims(step) if c.holds is False]
        if wrong:
            return index, wrong[0].reason
    return None


def found(solutions: Iterable[Solution]) -> Found:
    """How our first wrong steps compare with those of people."""
    seen = Found()
    for solution in solutions:
        seen.solutions += 1
        seen.with_mistake += solution.first_wrong is not None
        ours = first_wrong(solution)
        if ours is None:
            continue
        seen.flagged += 1
        if solution.first_wrong is not None:
            seen.chance += 1 / len(solution.steps)
            seen.on_wrong_step_or_later += ours[0] >= solution.first_wrong
        if ours[0] == solution.first_wrong:
            seen.right += 1
        else:
            seen.false.append((solution, *ours))
    return seen


def share(part: float, whole: float) -> str:
    """A share in per cent."""
    return f"{100 * part / whole:.1f}" if whole else "-"


def table(head: Sequence[str], body: Sequence[Sequence[object]]) -> str:
    """A table in Markdown."""
    listed = [head, ["---", *["---:"] * (len(head) - 1)], *body]
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in listed)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=list(SETS), help="measure this set alone; can be repeated")
    parser.add_argument("--show", type=int, default=0, metavar="N", help="print N claims called wrong of each set")
    options = parser.parse_args(arguments)
    folder = data_folder()
    if folder is None:
        print("no data: SYNTH_DATA names no folder")
        return
    claims_body: list[Sequence[object]] = []
    marks_body: list[Sequence[object]] = []
    first_body: list[Sequence[object]] = []
    for name in options.only or SETS:
        try:
            solutions = list(SETS[name](folder))
        except FileNotFoundError:
            print(f"no data: {name}")
            continue
        c = claimed(solutions)
        speed = f"{c.characters / c.seconds / 1e6:.2f}" if c.seconds else "-"
        hold = share(c.hold, c.decided)
        claims_body.append([name, c.steps, share(c.claiming, c.steps), c.claims, share(c.decided, c.claims), hold, c.decided - c.hold, speed])  # fmt: skip
        if c.marks:
            marks_body.append([name, c.marks, share(c.marks_decided, c.marks), share(c.marks_hold, c.marks_decided)])
        if any(s.labelled for s in solutions):
            f = found(solutions)
            precision, recall = f.right / max(1, f.flagged), f.right / max(1, f.with_mistake)
            f1 = 2 * precision * recall / (precision + recall) if f.right else 0.0
            later = share(f.on_wrong_step_or_later, f.flagged)
            counted = [name, f.solutions, f.with_mistake, f.flagged, share(f.right, f.flagged), later]
            first_body.append([*counted, share(f.right, f.with_mistake), f"{100 * f1:.1f}", share(f.chance, f.flagged)])
            for solution, index, why in f.false[: options.show]:
                print(
                    f"[{name}] step {index} (people: {solution.first_wrong}) {why}\n    {solution.steps[index][:300]}"
                )
        for claim in c.wrong[: options.show]:
            print(f"[{name}] {claim.reason}")
    print(table(CLAIMS, claims_body))
    if marks_body:
        print("\n" + table(ANNOTATIONS, marks_body))
    if first_body:
        print("\n" + table(FIRST_WRONG, first_body))


if __name__ == "__main__":
    main()
