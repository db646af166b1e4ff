"""How often our verdict on a reply is that of its published label.

Reads published, labelled model outputs, judges each reply with `synth.verify` as a pipeline would, and prints for each
set the agreement in per cent and how many disagreements of each class there are. Three kinds of set, in the column
`label`:

- `given`: the label was published as such;
- `rule`: reply and gold were published, and the label is what the publisher's own rule says, restated here in a few
  lines and in its strictest form (equal strings or equal numbers, never equivalence);
- `gold`: a solution that states the gold answer, so that every row is expected to be right;
- `made`: gold answers stated in other forms and orders, which have to be right, and with one value changed, which have to be wrong.

Beside it stands the opposite failure. Each reply that both sides call right is held against gold answers that are
wrong by construction (`traps`); `accepted` counts those that were called right all the same.

    python benchmarks/verify_agreement.py [--only SET]... [--show N]

The data is no part of the project; `SYNTH_DATA` names its folder, `../shared/data` beside the checkout if unset.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from synth.models.another_answer import another_answer
from synth.records import AnswerKind, Problem
from synth.verify import Verdict, compare_answers, extract_answer, kind_of
from synth.verify.kinds.interval import read_intervals

CLASSES = {
    "we right, they wrong": lambda ours, theirs: ours == "right" and not theirs,
    "we wrong, they right": lambda ours, theirs: ours == "wrong" and theirs,
    "unparsed, they right": lambda ours, theirs: ours == "unparsed" and theirs,
    "timeout": lambda ours, _: ours == "timeout",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One reply with its published label."""

    reply: str
    gold: str
    kind: AnswerKind
    published: bool
    """Whether the reply is right, as published."""
    choices: tuple[str, ...] = ()
    source: str = ""
    """Which row and model, and what the publisher read out of the reply."""
    tolerance: float | None = None


@dataclass(slots=True)
class Outcome:
    """What was measured on one set."""

    rows: int = 0
    agreed: int = 0
    classes: Counter[str] = field(default_factory=Counter)
    disagreements: list[tuple[str, Row, Verdict]] = field(default_factory=list)
    traps: int = 0
    accepted: list[tuple[str, Row, Verdict]] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def agreement(self) -> float:
        """Share of the rows on which both sides agree, in [0, 1]."""
        return self.agreed / self.rows if self.rows else 0.0


def data_folder() -> Path | None:
    """Where the published outputs lie; None where they are absent."""
    folder = Path(os.environ.get("SYNTH_DATA", Path(__file__).parents[2] / "shared" / "data"))
    return folder if folder.is_dir() else None


def _read(folder: Path, name: str) -> Iterator[dict[str, Any]]:
    with (folder / f"{name}.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def _number(text: object) -> float | None:
    """A plain decimal, commas and dollar signs aside; the strict reading of the publishers' rules."""
    try:
        return float(str(text).replace(",", "").replace("$", "").strip())
    except ValueError:
        return None


def _json_field(reply: str) -> str | None:
    """The field `answer` of a JSON reply, whole or broken."""
    try:
        return str(json.loads(reply.replace("```json", "").replace("```", ""), strict=False)["answer"])
    except (ValueError, KeyError, TypeError):
        found = re.findall(r'"answer":\s*"?([^"\n]*)', reply)
        return found[-1] if found else None


def _plain_latex(text: str) -> str:
    """MATH's normal form in short: equal strings after it are equal answers; different strings may be too."""
    text = text.replace("\\\\", "\\").replace("$", "").replace("tfrac", "frac").replace("dfrac", "frac")
    text = re.sub(r"\\left|\\right|\\!|\\,|\\ |\^\\circ|\^\{\\circ\}|\\%|%|\s|°", "", text)
    text = re.sub(r"\\text\{([^{}]*)\}", r"\1", text)
    text = re.sub(r"(?<=\d),(?=\d{3}\b)", "", text)
    text = re.sub(r"\\frac\{([^{}]+)\}\{([^{}]+)\}", r"\1/\2", re.sub(r"\\frac(\d)(\d)", r"\1/\2", text))
    return text.rpartition("=")[2].rstrip(".")


def _gsm8k_gold(solution: str) -> str:
    return re.split(r"####|\nA:", solution)[-1].strip()


def _without_letters(options: Iterable[str]) -> tuple[str, ...]:
    return tuple(re.sub(r"\A[A-E]\s*\)\s*", "", o).strip() for o in options)


def gsm8k_model_solutions(folder: Path) -> Iterator[Row]:
    """GPT-3 fine-tuned and verified on GSM8K; the label is exact match of what follows `A:`."""
    for row in _read(folder, "gsm8k_model_solutions"):
        for system in ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification"):
            said = row[system]
            yield Row(said["solution"], _gsm8k_gold(row["ground_truth"]), "number", said["is_correct"], source=system)


def gsm8k_train(folder: Path) -> Iterator[Row]:
    """Human solutions that end in `#### x`."""
    for row in _read(folder, "gsm8k_train"):
        yield Row(row["answer"], _gsm8k_gold(row["answer"]), "number", True)


def gsm8k_train_unmarked(folder: Path) -> Iterator[Row]:
    """The same without the line `#### x`: the last number of human solutions, where nothing is stated."""
    for row in _read(folder, "gsm8k_train"):
        yield Row(row["answer"].partition("####")[0], _gsm8k_gold(row["answer"]), "number", True)


def zeroeval_gsm(folder: Path) -> Iterator[Row]:
    """Ten chat models; ZeroEval's rule: the first number of the field `answer` is the gold one."""
    for row in _read(folder, "zeroeval_gsm"):
        gold = row["answer"].lstrip("# ")
        said = _json_field(row["output"][0])
        first = re.search(r"-?\d+(?:\.\d+)?", re.sub(r"[,$]", "", said or ""))
        right = first is not None and _number(first[0]) == _number(gold)
        yield Row(row["output"][0], gold, "number", right, source=f"{row['id']} {row['generator']}: {said!r}")


def zeroeval_math_l5(folder: Path) -> Iterator[Row]:
    """Eight chat models on MATH level 5; the rule: equal strings in a normal form, of the field `answer`."""
    for row in _read(folder, "zeroeval_math_l5"):
        said = _json_field(row["output"][0])
        right = said is not None and _plain_latex(said) == _plain_latex(row["answer"])
        yield Row(row["output"][0], row["answer"], "math", right, source=f"{row['id']} {row['generator']}: {said!r}")


def math_samples_rm(folder: Path) -> Iterator[Row]:
    """Eight samples a problem; labels by the Qwen2.5-Math harness (equivalence)."""
    for row in _read(folder, "math_samples_rm"):
        for code, pred, score in zip(row["code"], row["pred"], row["score"], strict=True):
            yield Row(code, row["gt"], "math", score, source=f"{row['idx']}: {pred!r}")


def math500(folder: Path) -> Iterator[Row]:
    """Human solutions of MATH, which box the gold answer."""
    for row in _read(folder, "math500"):
        yield Row(row["solution"], row["answer"], "math", True, source=row["unique_id"])


def mmlu_pro_outputs(folder: Path) -> Iterator[Row]:
    """Nine models; the label is exact match of the letter that MMLU-Pro's patterns read."""
    for row in _read(folder, "mmlu_pro_outputs"):
        source = f"{row['question_id']} {row['model']}: {row['pred']!r}"
        right = row["pred"] == row["answer"]
        yield Row(row["model_outputs"], row["answer"], "choice", right, tuple(row["options"]), source)


def _thoughtsource(folder: Path, column: str) -> Iterator[Row]:
    for row in _read(folder, "thoughtsource_outputs"):
        source = f"{row['dataset']} {row['id']} {row['model']} {row['cot_trigger']}: {row['generated_answer']!r}"
        right = row["correct_answer"]
        # The models saw True and False as options A and B.
        yield Row(row[column] or "", row["answer"][0], "choice", right, tuple(row["choices"]), source)


def thoughtsource_answers(folder: Path) -> Iterator[Row]:
    """The short second reply, from which ThoughtSource's label was read."""
    return _thoughtsource(folder, "generated_answer")


def thoughtsource_chains(folder: Path) -> Iterator[Row]:
    """The chain itself; the label is that of the second reply, which at times says something else."""
    return _thoughtsource(folder, "generated_cot")


def aqua_rat(folder: Path) -> Iterator[Row]:
    """Rationales by crowd workers, most of which end in the letter."""
    for row in _read(folder, "aqua_rat"):
        yield Row(row["rationale"], row["correct"], "choice", True, _without_letters(row["options"]))


def gpt4_aqua(folder: Path) -> Iterator[Row]:
    """GPT-4's predictions on AQuA; the rule: the last `X)` is the gold letter."""
    for row in _read(folder, "program_outputs"):
        if row["run"] != "gpt4_aqua_rationale":
            continue
        said = row["generated_prediction"]
        letters = re.findall(r"(?<![A-Za-z(])([A-E])\)", said)
        right = letters[-1:] == [row["answer"]]
        yield Row(said, row["answer"], "choice", right, _without_letters(row["options"]), f"{letters}")


def _faithful(folder: Path, dataset: str) -> Iterator[dict[str, Any]]:
    for row in _read(folder, "faithful_cot_outputs"):
        if row["dataset"] == dataset and row["style"] in {"COT", "LtM"}:
            row["gold"] = str(row["gold"]).rpartition("####")[2].strip()
            row["source"] = f"{row['id']} {row['model']} {row['style']}: {row['pred']!r}"
            yield row


def faithful_gsm8k(folder: Path) -> Iterator[Row]:
    """Chains on GSM8K; the number read out of the reply equals the gold one."""
    for row in _faithful(folder, "GSM8K"):
        right = _number(row["pred"]) == _number(row["gold"])
        yield Row(row["completion"], row["gold"], "number", right, source=row["source"])


def faithful_aqua(folder: Path) -> Iterator[Row]:
    """Chains on AQuA; exact match of the letter."""
    for row in _faithful(folder, "AQUA"):
        choices = _without_letters(row["options"])
        yield Row(row["completion"], row["gold"], "choice", row["pred"] == row["gold"], choices, row["source"])


def faithful_strategyqa(folder: Path) -> Iterator[Row]:
    """Chains on StrategyQA; exact match of yes or no."""
    for row in _faithful(folder, "StrategyQA"):
        right = str(row["pred"]) == row["gold"]
        yield Row(row["completion"], row["gold"], "boolean", right, source=row["source"])


def faithful_date(folder: Path) -> Iterator[Row]:
    """Chains on BIG-bench's dates; exact match of mm/dd/yyyy."""
    for row in _faithful(folder, "date"):
        yield Row(row["completion"], row["gold"], "text", row["pred"] == row["gold"], source=row["source"])


def theoremqa(folder: Path) -> Iterator[Row]:
    """Base models, which run on; TheoremQA's rule: equal integers, numbers within 4 %, equal words."""
    kinds: dict[str, AnswerKind] = {"integer": "number", "float": "number", "bool": "boolean"}
    for row in _read(folder, "theoremqa_outputs"):
        kind = kinds.get(row["Answer_type"])
        if kind is None:
            continue
        gold, said = str(row["correct"][0]), row["pred"]
        if kind == "number":
            a, b = _number(said), _number(gold)
            tolerance = 0.04 if row["Answer_type"] == "float" else None
            right = a is not None and b is not None and abs(a - b) <= abs(b) * (tolerance or 0)
        else:
            tolerance = None
            right = said.lower() == gold.lower()
        source = f"{row['model']}: {said!r}"
        yield Row(row["solution"], gold, kind, right, source=source, tolerance=tolerance)


def zeroeval_crux(folder: Path) -> Iterator[Row]:
    """What a Python function returns; the rule: equal strings, quotes around them aside."""

    def plain(text: str) -> str:
        return text.strip().replace('"', "'").strip("'")

    for row in _read(folder, "zeroeval_crux"):
        said = _json_field(row["output"][0])
        right = said is not None and plain(said) == plain(row["answer"])
        yield Row(row["output"][0], row["answer"], "text", right, source=f"{row['id']} {row['generator']}: {said!r}")


def theoremqa_lists(folder: Path) -> Iterator[Row]:
    """Lists of numbers by base models, which run on; the rule: as many numbers, each within 4 %, in what follows the last "answer is"."""
    for row in _read(folder, "theoremqa_outputs"):
        if not row["Answer_type"].startswith("list"):
            continue
        said = [_number(part) for part in row["pred"].strip("[]").split(",")]
        near = [a is not None and abs(a - b) <= 0.04 * abs(b) for a, b in zip(said, row["correct"][1], strict=False)]
        right = len(said) == len(row["correct"][1]) and all(near)
        source = f"{row['model']}: {row['pred'][:60]!r}"
        yield Row(row["solution"], row["correct"][0], "list", right, source=source, tolerance=0.04)


def knights_knaves(folder: Path) -> Iterator[Row]:
    """The solutions that come with knights-and-knaves puzzles, as a sentence and as numbered lines below the reasoning."""
    for row in _read(folder, "knights_knaves"):
        gold = json.dumps({n: "knight" if k else "knave" for n, k in zip(row["names"], row["solution"], strict=True)})
        steps = row["cot_repeat_steps"]
        thought = "\n".join([row["cot_head"], *(steps if isinstance(steps, list) else [steps]), row["cot_foot"]])
        for said in (
            f"The answer is: {row['solution_text']}",
            row["solution_text_format"],
            f"<answer>{row['solution_text_format']}</answer>",
        ):
            yield Row(f"{thought}\n{said}", gold, "assignment", True, source=str(row["index"]))


def math500_intervals(folder: Path) -> Iterator[Row]:
    """The solutions of MATH whose answer is an interval; points of the plane look alike and are among them."""
    for row in math500(folder):
        if read_intervals(row.gold):
            yield replace(row, kind="interval")


def _made(kind: AnswerKind, gold: str, right: Iterable[str], wrong: Iterable[str]) -> Iterator[Row]:
    """Statements of a gold answer in other forms, and of other answers."""
    for published, forms in ((True, right), (False, wrong)):
        for said in forms:
            places = (f"I think.\nThe answer is {said}.", f"<answer>{said}</answer>", rf"So it is \boxed{{{said}}}.")
            yield from (Row(reply, gold, kind, published, source=said) for reply in places)


def _changed(kind: AnswerKind, gold: str, pick: random.Random) -> Iterator[str]:
    problem = Problem.root(question="?", answer=gold, answer_kind=kind)
    yield from {another_answer(problem, gold, pick) for _ in range(3)}


def _listed(items: Sequence[object]) -> Iterator[str]:
    """A list in the forms in which people and models write one."""
    yield json.dumps(items)
    yield ", ".join(map(str, items))
    yield repr(list(items))
    yield "(" + "; ".join(map(str, items)) + ")"
    yield "".join(f"\n{i + 1}. {item}" for i, item in enumerate(items))


def sets_made(folder: Path) -> Iterator[Row]:
    """Who of a puzzle is a knight, and the numbers of TheoremQA's lists."""
    pick = random.Random(0)
    given = [[n for n, k in zip(r["names"], r["solution"], strict=True) if k] for r in _read(folder, "knights_knaves")]
    given += [r["correct"][1] for r in _read(folder, "theoremqa_outputs") if r["Answer_type"].startswith("list")]
    for items in (one for one in given if len(set(one)) > 1):
        other = [*items, items[0]]
        pick.shuffle(other)
        right = [*_listed(items[::-1]), *_listed(other), r"\{" + ", ".join(map(str, items)) + r"\}"]
        wrong = [
            *_changed("set", json.dumps(items), pick),
            json.dumps([*items, "Zoroaster"]),
            json.dumps(sorted(set(map(str, items)))[1:]),
        ]
        yield from _made("set", json.dumps(items), right, wrong)


def lists_made(folder: Path) -> Iterator[Row]:
    """The names of a puzzle in their order."""
    pick = random.Random(0)
    for row in _read(folder, "knights_knaves"):
        names = row["names"]
        wrong = [
            *_changed("list", json.dumps(names), pick),
            json.dumps(names[::-1]),
            json.dumps([*names, names[0]]),
            json.dumps(names[1:]),
        ]
        yield from _made("list", json.dumps(names), _listed(names), wrong)


def rankings_made(folder: Path) -> Iterator[Row]:
    """The names of a puzzle as a ranking."""
    pick = random.Random(0)
    for row in _read(folder, "knights_knaves"):
        names = row["names"]
        right = [*_listed(names), " > ".join(names), " > ".join(f"[{n}]" for n in names)]
        wrong = [
            *_changed("ranking", json.dumps(names), pick),
            json.dumps([*names, names[0]]),
            " > ".join(names[1:]),
            " = ".join(names),
        ]
        yield from _made("ranking", json.dumps(names), right, wrong)


def assignments_made(folder: Path) -> Iterator[Row]:
    """Solutions of puzzles in any order and form; with one name changed, left out, or given both values."""
    pick = random.Random(0)
    for row in _read(folder, "knights_knaves"):
        pairs = [(n, "knight" if k else "knave") for n, k in zip(row["names"], row["solution"], strict=True)]
        other = pick.sample(pairs, len(pairs))
        gold = json.dumps(dict(pairs))
        lines = [f"{n} is a {v}" for n, v in other]
        right = [
            json.dumps(dict(other)),
            ", ".join(lines),
            " and ".join(lines),
            "; ".join(lines).upper(),
            "".join(f"\n- {n}: {v}" for n, v in other),
        ]
        both = {"knight": "knave", "knave": "knight"}[other[0][1]]
        wrong = [
            *_changed("assignment", gold, pick),
            ", ".join(lines[1:]),
            ", ".join([*lines, f"{other[0][0]} is a {both}"]),
        ]
        yield from _made("assignment", gold, right, wrong)


def intervals_made(folder: Path) -> Iterator[Row]:
    """Intervals between numbers of TheoremQA, with every kind of end, as brackets, LaTeX and inequalities."""
    pick = random.Random(0)
    golds = sorted(
        {r["correct"][1] for r in _read(folder, "theoremqa_outputs") if r["Answer_type"] in {"integer", "float"}}
    )
    for low, high in pairwise(golds):
        for left, right in (("[", "]"), ("[", ")"), ("(", "]"), ("(", ")")):
            gold = f"{left}{low}, {high}{right}"
            signs = {"[": r"\le", "(": "<"}[left], {"]": r"\le", ")": "<"}[right]
            chain = rf"{low} {signs[0]} x {signs[1]} {high}"
            forms = [
                gold,
                rf"x \in \left{left}{low}, {high}\right{right}",
                f"${chain}$",
                f"{left}{low}, {high}{']' if right == ']' else '['}",
            ]
            turned = {"[": "(", "(": "[", "]": ")", ")": "]"}
            wrong = [
                f"{turned[left]}{low}, {high}{right}",
                f"{left}{low}, {high}{turned[right]}",
                f"{left}{low}, {high + 1}{right}",
                f"{left}{low}, ∞)",
            ]
            yield from _made("interval", gold, forms, [*wrong, *_changed("interval", gold, pick)])


def actions_made(folder: Path) -> Iterator[Row]:  # noqa: ARG001  # of our own sample: no public data set of ours has actions
    """The actions of our own sample, in any order of fields, fenced, wrapped, with reasons beside them."""
    pick = random.Random(0)
    sample = Path(__file__).parents[1] / "samples" / "shop.jsonl"
    for row in map(json.loads, sample.read_text().splitlines()):
        whole = json.dumps(row["answer"])
        fields = {name: value for name, value in row["answer"].items() if name != "$compare"}
        stated = json.dumps(fields)
        turned = json.dumps(dict(reversed(fields.items())), indent=1)
        right = [
            stated,
            turned,
            json.dumps({"rationale": "So. It is.", "action": fields}),
            json.dumps(fields | {"note": None}),
        ]
        wrong = [*(_changed("action", stated, pick)), json.dumps(fields | {"also": "x"}), json.dumps([fields["type"]])]
        yield from _made("action", whole, right, wrong)


SETS: dict[str, tuple[str, Callable[[Path], Iterator[Row]]]] = {
    "gsm8k_model_solutions": ("given", gsm8k_model_solutions),
    "zeroeval_gsm": ("rule", zeroeval_gsm),
    "faithful_gsm8k": ("rule", faithful_gsm8k),
    "theoremqa": ("rule", theoremqa),
    "gsm8k_train": ("gold", gsm8k_train),
    "gsm8k_train_unmarked": ("gold", gsm8k_train_unmarked),
    "mmlu_pro_outputs": ("rule", mmlu_pro_outputs),
    "faithful_aqua": ("rule", faithful_aqua),
    "gpt4_aqua": ("rule", gpt4_aqua),
    "thoughtsource_answers": ("given", thoughtsource_answers),
    "thoughtsource_chains": ("given", thoughtsource_chains),
    "aqua_rat": ("gold", aqua_rat),
    "faithful_strategyqa": ("rule", faithful_strategyqa),
    "math_samples_rm": ("given", math_samples_rm),
    "zeroeval_math_l5": ("rule", zeroeval_math_l5),
    "math500": ("gold", math500),
    "faithful_date": ("rule", faithful_date),
    "zeroeval_crux": ("rule", zeroeval_crux),
    "theoremqa_lists": ("rule", theoremqa_lists),
    "knights_knaves": ("gold", knights_knaves),
    "math500_intervals": ("gold", math500_intervals),
    "sets_made": ("made", sets_made),
    "lists_made": ("made", lists_made),
    "intervals_made": ("made", intervals_made),
    "assignments_made": ("made", assignments_made),
    "actions_made": ("made", actions_made),
    "rankings_made": ("made", rankings_made),
}
"""Name, kind of label, rows."""


def _wrong_golds(row: Row, others: Sequence[str]) -> Iterator[str]:
    """Gold answers that a right reply does not give."""
    if row.kind == "number":
        value = _number(row.gold)
        if value:
            allowed = abs(value) * (row.tolerance or 0)
            wrong = (value + 1, value * 10, value / 100, -value)
            yield from (f"{w:.10g}" for w in wrong if abs(w - value) > 2 * allowed)
    elif row.kind == "boolean":
        yield "no" if row.gold.lower() in {"yes", "true"} else "yes"
    elif row.kind in {"set", "list", "interval", "assignment", "action", "ranking"}:
        problem = Problem.root(question="?", answer=row.gold, answer_kind=row.kind)
        yield another_answer(problem, kind_of(row.kind).canonical(problem.answer_stated or ""), random.Random(row.gold))
    elif row.kind == "choice":
        yield from (o for o in others[:3] if o != row.gold)
    else:
        yield from (o for o in others[:3] if _plain_latex(o).lower() != _plain_latex(row.gold).lower())


def _judge(row: Row, found: str | None, gold: str) -> Verdict:
    return compare_answers(found, gold, kind=row.kind, choices=row.choices, tolerance=row.tolerance)


def measure(rows: Sequence[Row], *, traps: bool = True) -> Outcome:
    """Judge every row. Time includes reading and comparing, and for mathematics starting the worker once."""
    outcome = Outcome()
    pick = random.Random(0)
    golds = sorted({r.gold for r in rows})
    start = time.perf_counter()
    judged = []
    for row in rows:
        found = extract_answer(row.reply, kind=row.kind, choices=row.choices)
        judged.append((row, found, _judge(row, found, row.gold)))
    outcome.seconds = time.perf_counter() - start
    for row, found, verdict in judged:
        outcome.rows += 1
        right = verdict.label == "right"
        outcome.agreed += right == row.published
        name = next((n for n, holds in CLASSES.items() if holds(verdict.label, row.published)), None)
        if name is not None:
            outcome.classes[name] += 1
            outcome.disagreements.append((name, row, verdict))
        if not (traps and right and row.published):
            continue
        if row.kind == "choice":
            letters = [chr(ord("A") + i) for i in range(len(row.choices))]
            texts = [c.casefold() for c in row.choices]
            own = row.gold.casefold()
            same = {own} | {x.casefold() for x, t in zip(letters, texts, strict=True) if own in {x.casefold(), t}}
            same |= {t for x, t in zip(letters, texts, strict=True) if x.casefold() in same}
            others = [x for x, t in zip(letters, texts, strict=True) if not {x.casefold(), t} & same]
        else:
            others = pick.sample(golds, min(len(golds), 4))
        for gold in _wrong_golds(row, others):
            outcome.traps += 1
            fooled = _judge(row, found, gold)
            if fooled.label == "right":
                outcome.accepted.append((gold, row, fooled))
    return outcome


def _shown(name: str, row: Row, verdict: Verdict) -> str:
    tail = row.reply if len(row.reply) <= 500 else f"{row.reply[:100]} […] {row.reply[-400:]}"
    return (
        f"--- {name}\n    found {verdict.found!r}, gold {row.gold!r}, {verdict.label}: {verdict.detail}\n"
        f"    {row.source}\n    {tail!r}\n"
    )


def main() -> None:
    """Print the table, and examples where asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", action="append", choices=sorted(SETS), help="only this set; may be repeated")
    parser.add_argument("--show", type=int, default=0, metavar="N", help="examples of each class of disagreement")
    chosen = parser.parse_args()
    folder = data_folder()
    if folder is None:
        print("no data: set SYNTH_DATA to the folder of the published outputs; nothing was measured")
        return
    print(
        f"{'set':<22} {'label':<6} {'rows':>5} {'agree %':>8} {'+/-':>4} {'-/+':>4} {'?/+':>4} {'time':>4} "
        f"{'traps':>6} {'accepted':>8} {'seconds':>8}"
    )
    total: Counter[str] = Counter()
    for name in chosen.only or SETS:
        label, reader = SETS[name]
        outcome = measure(list(reader(folder)))
        counts = [outcome.classes[c] for c in CLASSES]
        print(
            f"{name:<22} {label:<6} {outcome.rows:>5} {100 * outcome.agreement:>8.2f} "
            + " ".join(f"{c:>4}" for c in counts)
            + f" {outcome.traps:>6} {len(outcome.accepted):>8} {outcome.seconds:>8.2f}",
            flush=True,
        )
        total.update({"rows": outcome.rows, "agreed": outcome.agreed})
        for cls in CLASSES:
            for found in [d for d in outcome.disagreements if d[0] == cls][: chosen.show]:
                print(_shown(*found))
        for gold, row, verdict in outcome.accepted[: chosen.show]:
            print(_shown(f"wrong gold {gold!r} accepted", row, verdict))
    if total["rows"]:
        print(f"{'all':<22} {'':<6} {total['rows']:>5} {100 * total['agreed'] / total['rows']:>8.2f}")
    print("+/-: we right, they wrong; -/+: we wrong, they right; ?/+: unparsed, they right; time: timeout")


if __name__ == "__main__":
    main()
