"""distil/meteor (arXiv:2405.15574): rationales for a known answer, a judge, and triples in three layouts."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from methods import choices, near, preset
from support import ask, run, write_rows, yaml_file

import synth as package
from synth.export import ExportOptions, export_run
from synth.models import ScriptedModel, World


@pytest.mark.parametrize(("true", "false"), [(0.9, 0.2), (0.6, 0.6)])
async def test_the_judge_makes_the_purity_that_its_rates_predict(tmp_path: Path, true: float, false: float):
    """Of s sound and (1 - s) g guessed rationales with the gold answer, s t / (s t + (1 - s) g f) of what is kept is sound."""
    n, s, g = 500, 0.5, 0.5
    made = preset(tmp_path / "p.yaml", "distil/meteor")
    models = {
        "teacher": [ScriptedModel(World(hint_rate=s, lucky_rate=g), name="teacher")],
        "judge": [ScriptedModel(World(specificity=true, sensitivity=1 - false), name="judge")],
    }
    await run(made, choices(tmp_path / "in.jsonl", n), tmp_path / "run", models)
    kept = [World.is_sound(text) for (text,) in ask(tmp_path / "run", "SELECT text FROM kept_rationales")]
    purity = s * true / (s * true + (1 - s) * g * false)
    assert near(len(kept) / n, s * true + (1 - s) * g * false, n)
    assert near(sum(kept) / len(kept), purity, len(kept))
    if true == false:  # a judge that cannot tell leaves the purity as it was
        assert purity == pytest.approx(s / (s + (1 - s) * g))
    # Nobody is asked about a rationale with a wrong answer.
    right = ask(tmp_path / "run", "SELECT count(*) FROM scores WHERE name = 'correct' AND value = 1")
    assert ask(tmp_path / "run", "SELECT count(*) FROM calls WHERE step = 'judge'") == right


async def test_the_answer_is_shown_to_teacher_and_judge_and_stands_in_no_row(tmp_path: Path):
    seen = []

    def script(request, rng):
        seen.append((request.task.kind, request.messages[-1]["content"]))
        if request.task.kind == "ask":
            return json.dumps({"why": "It does.", "verdict": "fits"})
        return json.dumps({"steps": ["First.", "Second."], "answer": request.task.problem.answer})

    rows = choices(tmp_path / "in.jsonl", 4)
    await run("distil/meteor", rows, tmp_path / "run", ScriptedModel(script, small=True))
    gold = [json.loads(line) for line in rows.read_text().splitlines()]
    for kind, prompt in seen:
        (row,) = [r for r in gold if r["question"] in prompt]
        right = row["choices"]["ABCDE".index(row["answer"])]
        assert f"{row['answer']}) {right}" in prompt.replace(f"\n{row['answer']}) {right}", "", 1) or kind == "solve"
        assert kind == "ask" or f"Right answer: {row['answer']}" in prompt
    lines = export_run(tmp_path / "run", "sft", tmp_path / "out").path.read_text().splitlines()
    assert len(lines) == 4
    assert all("Right answer" not in line for line in lines)


@pytest.mark.parametrize(
    ("steps", "leak"),
    [
        (["As the answer is word1x1, we look for it.", "It is there."], 1),
        (["We look at each of them.", "Then it is word1x1."], 0),
        (["Is it word1x1?", "Nothing else fits."], 0),  # named, not announced
        (["The answer is word1x1."], 0),  # the only step has to state it
        (["Think of word1x10.", "It is not that."], 0),  # another word
    ],
)
async def test_a_first_step_that_names_the_answer_is_a_leak(tmp_path: Path, steps: list[str], leak: int):
    def script(request, rng):
        if request.task.kind == "ask":
            return json.dumps({"why": "It does.", "verdict": "fits"})
        return "\n".join([*steps, "The answer is B."])

    question = {"question": "Which?", "choices": ["word0x1", "word1x1"], "answer": "B"}
    rows = write_rows(tmp_path / "in.jsonl", [question])
    await run("distil/meteor", rows, tmp_path / "run", ScriptedModel(script))
    assert ask(tmp_path / "run", "SELECT value FROM scores WHERE name = 'leak'") == [(leak,)]
    assert ask(tmp_path / "run", "SELECT count(*) FROM kept_rationales") == [(1 - leak,)]


async def test_an_answer_without_reasoning_is_no_triple(tmp_path: Path):
    def script(request, rng):
        return json.dumps({"why": "So.", "verdict": "fits"}) if request.task.kind == "ask" else "The answer is A."

    await run("distil/meteor", choices(tmp_path / "in.jsonl", 5), tmp_path / "run", ScriptedModel(script))
    assert ask(tmp_path / "run", "SELECT count(*) FROM scores WHERE name = 'fits' AND value = 1") == [(1,)]
    assert ask(tmp_path / "run", "SELECT count(*) FROM kept_rationales") == [(0,)]


async def test_triples_have_three_layouts_and_the_gold_answer_in_each(tmp_path: Path):
    rows = choices(tmp_path / "in.jsonl", 20)
    await run("distil/meteor", rows, tmp_path / "run", ScriptedModel(World(hint_rate=1, specificity=1)))
    gold = dict(ask(tmp_path / "run", "SELECT id, answer FROM problems"))
    layouts = {
        "whole": ExportOptions(),
        "stages": ExportOptions(stages="two"),
        "alone": ExportOptions(target="answer"),
    }
    tasks = {}
    for name, options in layouts.items():
        lines = export_run(tmp_path / "run", "sft", tmp_path / name, options).path.read_text().splitlines()
        found = [json.loads(line) for line in lines]
        assert all(row["answer"] == gold[row["problem_id"]] for row in found)
        tasks[name] = Counter("We know that" in row["messages"][-1]["content"] for row in found)
    assert tasks == {"whole": {True: 20}, "stages": {True: 20, False: 20}, "alone": {False: 20}}


async def test_domains_have_equal_parts(tmp_path: Path):
    rows = [json.loads(line) for line in choices(tmp_path / "all.jsonl", 30).read_text().splitlines()]
    given = write_rows(
        tmp_path / "in.jsonl", [{**r, "domain": "math" if i < 8 else "real"} for i, r in enumerate(rows)]
    )
    await run("distil/meteor", given, tmp_path / "run", ScriptedModel(World(hint_rate=1, specificity=1)))
    kept = "SELECT json_extract_string(p.meta, '$.domain'), count(*) FROM kept_rationales r JOIN problems p ON p.id = r.problem"
    assert dict(ask(tmp_path / "run", f"{kept} GROUP BY 1")) == {"math": 8, "real": 8}


@pytest.mark.data
def test_human_rationales_seldom_begin_with_the_answer(data: Path, tmp_path: Path):
    """Of AQuA-RAT, without a call: people who explain an answer do not begin with it."""
    made = yaml_file(
        tmp_path / "p.yaml",
        "pipeline: my/replay\nimports: [rationale]\nextends: distil/meteor\n"
        "override: {hinted: null, judge: null, triples: {of: null, keep: not score.leak}}\n",
    )
    mapping = yaml_file(
        tmp_path / "aqua.yaml",
        "mapping: my/aqua\nproblem: {question: question, choices: options, answer: correct}\nrationales: [{steps: rationale.splitlines()}]\n",
    )
    rows = [json.loads(line) for line in (data / "aqua_rat.jsonl").read_text().splitlines()]
    given = write_rows(tmp_path / "in.jsonl", [{**r, "options": [o[2:] for o in r["options"]]} for r in rows])
    package.run(str(made), given, tmp_path / "run", mapping=str(mapping), skip_invalid=True)
    ((leaks, n),) = ask(tmp_path / "run", "SELECT sum(value), count(*) FROM scores WHERE name = 'leak'")
    assert n > 250
    assert leaks / n < 0.02
