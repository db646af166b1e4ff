"""How well a model finds the first wrong step of a solution: asked once a solution, once a step, or by continuations from each step.

    SYNTH_DATA=/where/the/data/lies python benchmarks/step_judges.py [--model local:qwen2.5-coder-1.5b] [--n 30] [--ways verdicts,probability]

Draws `n` solutions from each of three collections whose first wrong step is marked (MR-GSM8K and BIG-Bench Mistake: by people;
MathCritique: by a large model), of at most `--steps` steps and `--characters` characters, and asks about them without the gold answer:

    verdicts     one call a solution: right or wrong for each step
    reasons      one call a solution: a reason, and then right or wrong, for each step
    probability  one call a step: the probability of a yes to "is this step right?"; wrong below 0.5
    rollouts     four continuations of each step in turn, until none is right: that step is wrong. With the gold answer, which is
                 not shown; only of collections that have one (MR-GSM8K)

Precision: of the solutions in which the judge found a wrong step, the share in which it is the marked one. Recall: of the solutions with
a marked step, the share in which the judge's first wrong step is that one. F1: their harmonic mean. Chance is a judge that names one of
the steps of each solution at random, in expectation. A solution without a valid reply counts as one in which no step was found.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import synth
from synth.measures import NO_ERROR, area_under_curve, first_error
from synth.models import Model, load_profile, make_model

_STEP = re.compile(r"Step sentence: ([^\n]++)\nCorrectness of the step: (Correct|Wrong)")

HEAD = """{#- version: 1
    purpose: the steps of a solution are judged without the gold answer
-#}
"""
SYSTEM = """{{% call system() %}}
You check the steps of a solution. A step is right if what it says is true, its calculations hold, and it follows from the question and the steps before.
{more}{{{{ reply_format }}}}
{{% endcall %}}
{{% call user() %}}
Question:
{{{{ problem.full_question }}}}

"""
ALL = """Steps:
{% for step in rationale.steps %}
{{ loop.index }}. {{ step }}
{% endfor %}
{% endcall %}
"""
ONE = """Steps:
{{ step.before }}
{{ step.text }}

Is the last of these steps right?
{% endcall %}
"""
PIPELINE = """
pipeline: benchmarks/step-judges
imports: [rationale, score.step_correct]
roles: {judge: judges}
steps:
"""
WAYS = {
    "verdicts": (
        ALL,
        "",
        """
  - {step: ask, name: verdicts, prompt: verdicts.j2, max_tokens: 1024, reply: "per_step(one_of(right, wrong))",
     make: [{score: verdicts, for: reply, step: index, value: item.value == "right"}]}
""",
    ),
    "reasons": (
        ALL,
        "Write one short sentence as the reason, and then the verdict. ",
        """
  - {step: ask, name: reasons, prompt: reasons.j2, max_tokens: 2048, reply: {per_step: {reason: text, verdict: "one_of(right, wrong)"}},
     make: [{score: reasons, for: reply, step: index, value: item.verdict == "right"}]}
""",
    ),
    "probability": (
        ONE,
        "",
        """
  - {step: ask, name: probability, each: step of rationale, prompt: probability.j2, reply: probability,
     make: [{score: probability, value: reply}]}
""",
    ),
}
ROLLOUTS = """
pipeline: benchmarks/step-rollouts
imports: [rationale]
roles: {judge: goes on}
steps:
  - {step: rollout, name: rollouts, by: judge, samples: 4, temperature: 0.7, probe: first_zero, enough: 1, max_tokens: 300, score: rollouts}
"""
WITH_ANSWERS = """
mapping: benchmarks/answered-steps
title: solutions in steps, with the gold answer
problem: {question: prompt, answer: answer}
rationales: [{steps: completions}]
"""
FILES = {"MR-GSM8K": "mr_gsm8k", "BIG-Bench Mistake": "big_bench_mistake", "MathCritique": "math_step_critiques"}
"""Names of the collections, and of their files."""


def solutions(path: Path, n: int, most_steps: int, most_characters: int) -> list[dict[str, Any]]:
    """Rows of a collection, drawn always alike, as the mapping steps/stepwise reads them: prompt, completions, labels."""
    found: dict[str, dict[str, Any]] = {}
    for line in path.read_text().splitlines():
        row = json.loads(line)
        if "mistake_index" in row:
            asked, steps, first = row["input"], row["steps"], row["mistake_index"]
        elif "model_output_steps" in row:
            asked, steps = row["question"], row["model_output_steps"]
            said = row["model_output_solution_first_error_step"]
            first = None if said in {None, "N/A"} else int(said) - 1
        else:
            asked = row["instruction"].partition("\n\nAssistant:")[0]
            read = _STEP.findall(row["instruction"].replace("  \n", "\n"))
            steps, verdicts = [step for step, _ in read], [verdict for _, verdict in read]
            first = verdicts.index("Wrong") if "Wrong" in verdicts else None
        size = len(asked) + sum(map(len, steps))
        if 1 < len(steps) <= most_steps and size <= most_characters and (first is None or 0 <= first < len(steps)):
            labels = [True] * len(steps) if first is None else [True] * first + [False]
            read_as = {"prompt": asked, "completions": steps, "labels": labels + [None] * (len(steps) - len(labels))}
            gold = row.get("ground_truth_answer")
            found.setdefault(
                asked, read_as if gold is None else read_as | {"answer": str(gold)}
            )  # one solution a question
    rows = list(found.values())
    random.Random(1).shuffle(rows)
    return rows[:n]


def judged(
    rows: Sequence[Mapping[str, Any]], model: Model, ways: Sequence[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The scores of the steps by way and solution, and calls, seconds and failures by way."""
    values: dict[str, Any] = {}
    costs: dict[str, Any] = {}
    for way in ways:
        with tempfile.TemporaryDirectory() as made:
            folder = Path(made)
            mapping = "steps/stepwise"
            if way == "rollouts":
                (folder / "p.yaml").write_text(ROLLOUTS.lstrip())
                (folder / "m.yaml").write_text(WITH_ANSWERS.lstrip())
                mapping = str(folder / "m.yaml")
            else:
                shows, more, step = WAYS[way]
                (folder / f"{way}.j2").write_text(HEAD + SYSTEM.format(more=more) + shows)
                (folder / "p.yaml").write_text(PIPELINE.lstrip() + step.lstrip("\n"))
            given = "".join(json.dumps({**row, "number": i}) + "\n" for i, row in enumerate(rows))
            (folder / "in.jsonl").write_text(given)
            began = time.perf_counter()
            done = synth.run(
                str(folder / "p.yaml"),
                folder / "in.jsonl",
                folder / "run",
                mapping=mapping,
                models={"judge": model},
            )
            with done.open() as store:
                known = f"""SELECT p.question, s.part.index, s.value FROM scores s JOIN rationales r ON r.id = s.target
                    JOIN problems p ON p.id = r.problem WHERE s.name = '{way}'"""
                for question, index, value in store.sql(known).fetchall():
                    values.setdefault(way, {}).setdefault(question, {})[index] = value
                ((calls, read, written),) = store.sql(
                    "SELECT count(*), sum(prompt_tokens), sum(completion_tokens) FROM calls"
                ).fetchall()
                ((failures,),) = store.sql("SELECT count(*) FROM failures").fetchall()
            costs[way] = (calls, read, written, failures, time.perf_counter() - began)
    return values, costs


def shares(found: Sequence[int | None], marked: Sequence[int | None]) -> tuple[float, float, float]:
    """Precision, recall and F1 of first wrong steps, by index; None where there is none."""
    figures = first_error(*([NO_ERROR if one is None else one for one in several] for several in (found, marked)))
    return (
        (0.0, 0.0, 0.0)
        if figures is None
        else (figures.precision or 0.0, figures.on_erroneous or 0.0, figures.step_f1 or 0.0)
    )


def main() -> None:
    """Parse the words and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="local:qwen2.5-coder-1.5b")
    parser.add_argument("--n", type=int, default=30)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--characters", type=int, default=1500)
    parser.add_argument(
        "--ways", default="verdicts,reasons,probability,rollouts", help="with commas; all, if not given"
    )
    parser.add_argument(
        "--data", default=",".join(FILES.values()), help="names of files, with commas; all, if not given"
    )
    given = parser.parse_args()
    ways = given.ways.split(",")
    if unknown := sorted(set(ways) - {*WAYS, "rollouts"}):
        raise SystemExit(f"no way {', '.join(unknown)}: there are {', '.join(WAYS)}, rollouts")
    model = make_model(given.model, load_profile(None))
    print(
        "| collection | way | n | with a wrong step | precision | recall | F1 | step AUC | calls | tokens | no reply | s |"
    )
    print("|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|", flush=True)
    for name, file in FILES.items():
        path = Path(os.environ.get("SYNTH_DATA", "../shared/data")) / f"{file}.jsonl"
        if file not in given.data.split(","):
            continue
        if not path.is_file():
            print(f"| {name}: {path} is not there; set SYNTH_DATA")
            continue
        rows = solutions(path, given.n, given.steps, given.characters)
        marked = [row["labels"].index(False) if False in row["labels"] else None for row in rows]
        wrong = sum(m is not None for m in marked)
        recall = sum(1 / len(r["completions"]) for r, m in zip(rows, marked, strict=True) if m is not None) / wrong
        precision = recall * wrong / len(rows)
        f1 = 2 * precision * recall / (precision + recall)
        print(
            f"| {name} | chance | {len(rows)} | {wrong} | {precision:.2f} | {recall:.2f} | {f1:.2f} | 0.50 | – | – | – | – |",
            flush=True,
        )
        for way in ways:
            if way == "rollouts" and "answer" not in rows[0]:
                continue
            values, costs = judged(rows, model, [way])
            of = [values.get(way, {}).get(row["prompt"], {}) for row in rows]
            least = 1e-9 if way == "rollouts" else 0.5
            first = [next((i for i, v in sorted(v.items()) if v is not None and v < least), None) for v in of]
            p, r, f = shares(first, marked)
            known = [
                (v[i], label)
                for row, v in zip(rows, of, strict=True)
                for i, label in enumerate(row["labels"])
                if label is not None and v.get(i) is not None
            ]
            area = area_under_curve([v for v, _ in known], [label for _, label in known])
            calls, read, written, failures, seconds = costs[way]
            shown = "–" if area is None else f"{area:.2f}"
            figures = f"{p:.2f} | {r:.2f} | {f:.2f} | {shown} | {calls} | {read or 0:,} + {written or 0:,} | {failures} | {seconds:.0f}"
            print(f"| {name} | {way} | {len(rows)} | {wrong} | {figures} |", flush=True)


if __name__ == "__main__":
    main()
