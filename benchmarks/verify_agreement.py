"""How often our verdict on a reply is that of its published label.

Reads published, labelled model outputs, judges each reply with `synth.verify` as a pipeline would, and prints for each
set the agreement in per cent and how many disagreements of each class there are. Three kinds of set, in the column
`label`:

- `given`: the label was published as such;
- `rule`: reply and gold were published, and the label is what the publisher's own rule says, restated here in a few
  lines and in its strictest form (equal strings or equal numbers, never equivalence);
- `gold`: a human solution that states the gold answer, so that every row is expected to be right.

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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from synth.records import AnswerKind
from synth.verify import Verdict, compare_answers, extract_answer

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
