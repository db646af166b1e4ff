"""What finds benchmark items again that a model has rephrased: recall and false alarms, with and without a judge.

    SYNTH_DATA=/where/the/data/lies python benchmarks/decontamination.py [--judge local:qwen2.5-coder-1.5b] [--n 40]

Rephrased items are those of arXiv:2311.04850: 420 questions of GSM8K, and HumanEval in other Python, C and JavaScript. Others,
which must not be found: training questions of GSM8K, and MBPP tasks with what the paper's judge said is no HumanEval
item though it lies near. Recall: rephrased texts of which the item they came from was found. False: others for which any
was. Precision is at as many others as rephrased, `recall / (recall + false)`. With `--judge` a pipeline with the step
`contamination` runs over `n` rephrased ones and the `n` others that lie nearest to an item, the hardest there are.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from synth.corpus.coverage import meanings
from synth.corpus.overlap import Overlap, meaning_alike, resembling, sharing_runs


class Case(NamedTuple):
    """Items, texts that are items in other words (with the item each is), and texts that are none."""

    items: list[str]
    rephrased: list[tuple[int, str]]
    others: list[str]


WAYS: list[tuple[str, Callable[[list[str], list[str]], list[Overlap]]]] = [
    ("runs of 13 words", lambda texts, items: sharing_runs(texts, items, run=13)),
    ("runs of 8 words", lambda texts, items: sharing_runs(texts, items, run=8)),
    ("runs of 5, a tenth of them", lambda texts, items: sharing_runs(texts, items, run=5, containment=0.1)),
    ("runs of 4, a fifth of them", lambda texts, items: sharing_runs(texts, items, run=4, containment=0.2)),
    *[(f"words, {c}", lambda t, i, c=c: resembling(t, i, cosine=c)) for c in (0.4, 0.45, 0.5)],
    *[(f"meaning, {c}", lambda t, i, c=c: meaning_alike(t, i, cosine=c)) for c in (0.6, 0.7, 0.75, 0.8, 0.85)],
]


def cases(data: Path) -> dict[str, Case]:
    """GSM8K, and HumanEval by the language it was rephrased in."""

    def rows(name: str) -> list[dict]:
        return [json.loads(line) for line in (data / f"{name}.jsonl").read_text().splitlines()]

    questions = rows("contam_gsm8k_rephrased")
    told = [r["rephrased"].split("\nAnswer")[0].removeprefix("Question: ") for r in questions]
    made = {
        "GSM8K": Case(
            [r["question"] for r in questions], [*enumerate(told)], [r["question"] for r in rows("gsm8k_train")]
        )
    }
    code = rows("contam_humaneval_rephrased")
    mbpp = {r["name"]: f"{r['prompt']}\n{r['solution']}" for r in rows("code_outputs") if r.get("name")}
    near = [
        text
        for r in code
        for text, same in zip(r["codealpaca_nearest"], r["codealpaca_is_rephrase"], strict=True)
        if not same
    ]
    for language in ("python", "c", "js"):
        texts = [(i, r[f"rephrased_{language}"]) for i, r in enumerate(code) if r[f"rephrased_{language}"].strip()]
        made[f"HumanEval, {language}"] = Case([r["original"] for r in code], texts, [*mbpp.values(), *near])
    return made


def shown(way: str, recall: float, false: float) -> str:
    """A line of the table."""
    precision = recall / (recall + false) if recall + false else float("nan")
    return f"| {way} | {100 * recall:.1f} | {100 * false:.2f} | {100 * precision:.1f} |"


def alone(case: Case) -> None:
    """Without a judge."""
    texts = [text for _, text in case.rephrased]
    for way, find in WAYS:
        recall = sum(o.item == case.rephrased[o.text][0] for o in find(texts, case.items)) / len(texts)
        print(shown(way, recall, len(find(case.others, case.items)) / len(case.others)), flush=True)
    alike = meanings(texts).vectors @ meanings(case.items).vectors.T
    own = alike[range(len(texts)), [i for i, _ in case.rephrased]]
    place = (alike > own[:, None]).sum(axis=1)
    print(
        f"\nits own item is the nearest of {100 * (place < 1).mean():.1f} %, among three of {100 * (place < 3).mean():.1f} %"
    )


def judged(
    case: Case, judge: str, mode: str, nearest: int, texts: Sequence[str]
) -> tuple[list[float | None], int, float]:
    """The score of each text, calls, and seconds a text."""
    import synth

    with tempfile.TemporaryDirectory() as folder:
        bench = Path(folder) / "benchmark.jsonl"
        bench.write_text("".join(json.dumps({"question": item}) + "\n" for item in case.items))
        step = {"step": "contamination", "against": [str(bench)], "nearest": nearest, "mode": mode}
        begun = time.perf_counter()
        given = [{"question": text} for text in texts]
        done = synth.run(
            {"pipeline": "my/judged", "steps": [step]}, given, f"{folder}/run", models=judge, progress=False
        )
        seconds = (time.perf_counter() - begun) / len(texts)
        with done.open() as store:
            query = "SELECT p.question, s.value FROM scores s JOIN problems p ON p.id = s.target"
            value = {question.strip(): v for question, v in store.sql(query).fetchall()}
            calls = store.sql("SELECT count(*) FROM calls").fetchone()[0]
    return [value.get(text.strip()) for text in texts], calls, seconds


def with_judge(case: Case, judge: str, n: int, mode: str, nearest: int) -> None:
    """A judge on rephrased ones, and on the others that lie nearest to an item."""
    rephrased = [text for _, text in random.Random(1).sample(case.rephrased, min(n, len(case.rephrased)))]
    others = [*dict.fromkeys(case.others)]
    closest = (meanings(others).vectors @ meanings(case.items).vectors.T).max(axis=1)
    hard = [others[i] for i in sorted(range(len(others)), key=lambda i: -closest[i])[:n]]
    texts = [*rephrased, *hard]
    values, calls, seconds = judged(case, judge, mode, nearest, texts)
    for at in (0.3, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8) if mode == "probability" else (0.5,):
        found = [value is None or value >= at for value in values]
        recall, false = sum(found[: len(rephrased)]) / len(rephrased), sum(found[len(rephrased) :]) / len(hard)
        print(shown(f"{mode} >= {at}, {nearest} nearest", recall, false), flush=True)
    for at in (0.6, 0.7, 0.75, 0.8):
        found = [bool(meaning_alike([text], case.items, cosine=at)) for text in texts]
        recall, false = sum(found[: len(rephrased)]) / len(rephrased), sum(found[len(rephrased) :]) / len(hard)
        print(shown(f"meaning, {at}, on the same", recall, false), flush=True)
    silent = sum(value is None for value in values)
    print(f"\n{calls} calls for {len(texts)} texts, {seconds:.1f} s a text, {silent} without a verdict", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--judge", help="a model; without it only what needs none")
    parser.add_argument("--n", type=int, default=40)
    parser.add_argument("--modes", default="probability,verdict")
    parser.add_argument("--nearest", default="1")
    parser.add_argument("--only", default="", help="part of the name of a case")
    options = parser.parse_args()
    data = Path(os.environ.get("SYNTH_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not (data / "contam_gsm8k_rephrased.jsonl").is_file():
        raise SystemExit("no data: set SYNTH_DATA to the folder of contam_gsm8k_rephrased.jsonl")
    for name, case in cases(data).items():
        if options.only not in name:
            continue
        print(f"\n{name}: {len(case.rephrased)} rephrased, {len(case.others)} others\n")
        print("| way | recall % | false % | precision % |\n|---|---:|---:|---:|")
        if not options.judge:
            alone(case)
        for mode in options.modes.split(",") if options.judge else ():
            for nearest in options.nearest.split(","):
                with_judge(case, options.judge, options.n, mode, int(nearest))


if __name__ == "__main__":
    main()
