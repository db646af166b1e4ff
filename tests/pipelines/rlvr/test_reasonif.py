"""rlvr/reasonif (arXiv:2510.15211): six rules for the reasoning, checked by code, at rates that are known."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from methods import near, preset
from support import ROOT, ask, run, write_rows

from synth.constraints import reasonif_constraints
from synth.errors import InputError
from synth.models import Completion, ScriptedModel

README = ROOT / "pipelines" / "rlvr" / "reasonif" / "README.md"
COMMA, WORDS, ENDS, JSON, LANGUAGE, CAPITALS = (
    "punctuation:no_comma",
    "length_constraint_checkers:number_words",
    "startend:end_checker",
    "detectable_format:json_format",
    "language:reasoning_language",
    "change_case:english_capital",
)
ARGUMENTS: dict[str, Any] = {
    COMMA: None,
    WORDS: {"num_words": 6},
    ENDS: {"end_phrase": "MADE BY A MACHINE"},
    JSON: None,
    LANGUAGE: {"language": "fr"},
    CAPITALS: None,
}
FRENCH = "Nous savons que la somme est juste et nous allons donc la retenir."
ENGLISH = "We know well that the sum is right and so we are going to keep it."
KEPT = {
    COMMA: "So it is and no more.",
    WORDS: "One two three four five.",
    ENDS: "So it is, made by a machine",
    JSON: '```json\n{"step": [1, 2]}\n```',
    LANGUAGE: FRENCH,
    CAPITALS: ENGLISH.upper(),
}
BROKEN = {
    COMMA: "So it is, and no more.",
    WORDS: "One two three four five six.",
    ENDS: "Made by a machine, so it is.",
    JSON: '{"step": [1, 2]} And so on.',
    LANGUAGE: ENGLISH,
    CAPITALS: f"{ENGLISH.upper()} a",
}


def _row(rule: str, i: int = 0, argument: Any = None) -> dict[str, Any]:
    return {
        "question": f"How many are there in case {i}, which is named r{i * i}x?",
        "answer": str(10 + i),
        "constraints": reasonif_constraints([rule], [ARGUMENTS.get(rule) if argument is None else argument]),
    }


async def _verdict(
    tmp_path: Path, rule: str, reasoning: str, *, thinks: bool = False, ends: str = ""
) -> tuple[float | None, int]:
    """The score of a trace with a right answer, and how many are kept."""

    def model(request, rng):
        stated = f"{ends}The answer is {request.task.problem.answer}."
        if thinks:
            return Completion(
                text=stated, finish="stop", thought=reasoning, thought_kind="raw", thought_from="reasoning_content"
            )
        return f"{reasoning}\n{stated}"

    made = preset(tmp_path / "p.yaml", "rlvr/reasonif", trace={"samples": 1})
    await run(made, write_rows(tmp_path / "in.jsonl", [_row(rule)]), tmp_path / "run", ScriptedModel(model))
    ((value,),) = ask(tmp_path / "run", "SELECT value FROM scores WHERE name = 'constraints'")
    return value, ask(tmp_path / "run", "SELECT count(*) FROM kept_rationales")[0][0]


@pytest.mark.parametrize("rule", list(ARGUMENTS))
async def test_a_rule_is_kept_or_broken_or_the_reasoning_is_empty(tmp_path: Path, rule: str):
    for name, text, value in (("kept", KEPT[rule], 1), ("broken", BROKEN[rule], 0), ("empty", "", 0)):
        (tmp_path / name).mkdir()
        assert await _verdict(tmp_path / name, rule, text) == (value, value), name


async def test_what_is_looked_at_is_the_thought_where_there_is_one(tmp_path: Path):
    """What a model says to the reader after it has thought is no reasoning."""
    for name, text, value in (("kept", KEPT[COMMA], 1), ("broken", BROKEN[COMMA], 0)):
        (tmp_path / name).mkdir()
        found = await _verdict(tmp_path / name, COMMA, text, thinks=True, ends="Well, well, here it is.\n")
        assert found == (value, value)


@pytest.mark.parametrize("rule", [LANGUAGE, CAPITALS])
async def test_what_cannot_be_detected_is_no_pass(tmp_path: Path, rule: str):
    """A language of too few letters has no value, neither 1 nor 0."""
    assert await _verdict(tmp_path, rule, "SO IT IS: 1 + 1 = 2") == (None, 0)


async def test_a_rule_that_is_not_known_is_a_bad_row(tmp_path: Path):
    """Reported before any call."""
    rows = write_rows(tmp_path / "in.jsonl", [_row(WORDS), _row("keywords:exist")])
    with pytest.raises(InputError, match="did you mean keywords:existence"):
        await run("rlvr/reasonif", rows, tmp_path / "run", ScriptedModel(lambda r, g: "x"))


async def test_the_rates_of_a_model_are_found_by_rule(tmp_path: Path):
    """Rates that are planted for each rule, and the accuracy; kept is what does both, one for a question."""
    n, k, accuracy = 20, 8, 0.7
    rates = dict(zip(ARGUMENTS, (0.1, 0.25, 0.4, 0.55, 0.7, 0.85), strict=True))
    rules = {
        row["question"]: rule for i, rule in enumerate(ARGUMENTS) for row in [_row(rule, i * n + j) for j in range(n)]
    }
    rows = [_row(rule, i * n + j) for i, rule in enumerate(ARGUMENTS) for j in range(n)]

    def model(request, rng: random.Random) -> str:
        rule = rules[request.task.problem.question]
        text = (KEPT if rng.random() < rates[rule] else BROKEN)[rule]
        return f"{text}\nThe answer is {request.task.problem.answer if rng.random() < accuracy else 0}."

    random.Random(1).shuffle(rows)
    await run("rlvr/reasonif", write_rows(tmp_path / "in.jsonl", rows), tmp_path / "run", ScriptedModel(model))
    question = re.search(r"```sql\n(.*?)```", README.read_text(), re.DOTALL)
    assert question
    figures = {rule: values for rule, *values in ask(tmp_path / "run", question[1])}
    rates = {reasonif_constraints([rule], [None])[0]["id"].replace(":", "_"): rate for rule, rate in rates.items()}
    assert figures.keys() == rates.keys()
    for rule, (traces, follow, correct, both) in figures.items():
        assert traces == n * k
        assert near(follow, rates[rule], n * k)
        assert near(correct, accuracy, n * k)
        assert near(both, rates[rule] * accuracy, n * k)
    expected = sum(1 - (1 - f * accuracy) ** k for f in rates.values()) / len(rates)
    kept, problems = ask(tmp_path / "run", "SELECT count(*), count(DISTINCT problem) FROM kept_rationales")[0]
    assert kept == problems
    assert near(kept / (6 * n), expected, 6 * n)


@pytest.mark.data
@pytest.mark.parametrize("texts", [KEPT, BROKEN], ids=["kept", "broken"])
async def test_published_questions_have_rules_that_are_checked(tmp_path: Path, data: Path, texts: dict[str, str]):
    """All 192: what keeps its rule passes, what breaks it does not, and no rule is unknown."""
    rows = [json.loads(line) for line in (data / "reasonif.jsonl").read_text().split("\n") if line]
    counts = Counter(row["constraint_name"][0] for row in rows)
    assert counts == {COMMA: 43, WORDS: 38, ENDS: 30, JSON: 28, LANGUAGE: 27, CAPITALS: 26}
    by_prompt = {" ".join(row["prompt"].split()): row for row in rows}

    def model(request, rng) -> str:
        row = by_prompt[" ".join(request.task.problem.question.split())]
        rule, argument = row["constraint_name"][0], row["constraint_args"][0]
        text = texts[rule]
        if rule == LANGUAGE:
            text = (
                (FRENCH if texts is KEPT else ENGLISH)
                if argument["language"] == "fr"
                else ENGLISH
                if texts is KEPT
                else FRENCH
            )
            if texts is KEPT and argument["language"] not in {"fr", "en"}:
                text = OTHERS[argument["language"]]
        if rule == ENDS and texts is KEPT:
            text = f"So it is. {argument['end_phrase']}"
        if rule == WORDS:
            text = "word " * (argument["num_words"] - (texts is KEPT))
        return f"{text}\nThe answer is {row['answer'].strip()}."

    made = preset(tmp_path / "p.yaml", "rlvr/reasonif", trace={"samples": 1})
    kept = ("answer", "source")
    given = write_rows(
        tmp_path / "in.jsonl",
        [
            {
                **{name: row[name] for name in kept},
                "question": row["prompt"],
                "constraints": reasonif_constraints(row["constraint_name"], row["constraint_args"]),
            }
            for row in rows
        ],
    )
    await run(made, given, tmp_path / "run", ScriptedModel(model))
    query = "SELECT name, value, count(*) FROM scores WHERE name NOT IN ('correct', 'constraints', 'constraints_all') GROUP BY ALL"
    named = {rule: reasonif_constraints([rule], [None])[0]["id"].replace(":", "_") for rule in counts}
    assert {(name, value): n for name, value, n in ask(tmp_path / "run", query)} == {
        (named[rule], float(texts is KEPT)): n for rule, n in counts.items()
    }


OTHERS = {
    "ru": "Мы знаем, что сумма верна, и поэтому оставляем её без изменений.",
    "hi": "हम जानते हैं कि योग सही है और इसलिए हम इसे ऐसे ही रखते हैं।",
    "ar": "نحن نعلم أن المجموع صحيح ولذلك سنبقيه كما هو دون تغيير.",
    "zh": "我们知道这个总和是正确的，因此我们保留它，不作任何改动。",
    "es": "Sabemos que la suma es correcta y por eso la dejamos tal como está.",
}
