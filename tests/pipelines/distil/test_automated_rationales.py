"""distil/automated-rationales (arXiv:1901.03729): a policy that is known, told by a template, heard by a parser."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from statistics import fmean

from methods import near, preset
from support import ROOT, ask, run, write_rows

from synth.models import ScriptedModel

NAME = "distil/automated-rationales"
SAMPLE = ROOT / "samples" / "grid.jsonl"


def test_the_answers_of_the_sample_are_what_its_rule_does():
    """Ahead if it is free; else left, else right, where the place beside and the one ahead of it are free; else wait."""
    for line in SAMPLE.read_text().splitlines():
        row = json.loads(line)
        column, near_by = int(re.search(r"column (\d)", row["context"])[1]), row["window"]
        taken = {place for part in near_by.split(": ")[1].rstrip(".").split("; ") for place in [part.split(" ", 2)[-1]]}
        left = column > 1 and not taken & {"1 to the left", "1 ahead, 1 to the left"}
        right = column < 7 and not taken & {"1 to the right", "1 ahead, 1 to the right"}
        expected = "A" if "1 ahead" not in taken else "B" if left else "C" if right else "D"
        assert row["answer"] == expected, row["id"]
        assert all(thing not in near_by for thing in row["outside"])
        assert all(thing in row["context"] for thing in row["outside"])


def told(problem, action: str) -> str:
    """A template: which action, and why."""
    words = dict(problem.lettered_choices)[action]
    return f"I {words} because of what is there ({problem.meta['window']})."


def heard(request) -> str:
    """A parser of the template; of the state alone it understands nothing."""
    said = request.messages[-1]["content"].partition("They said:")[2]
    return next((a for a, text in request.task.problem.lettered_choices if f"I {text} because" in said), "D")


def scripted(request, action: str, rates=(5, 5, 5, 5)) -> str:
    if request.step in {"listen", "alone"}:
        return json.dumps({"answer": heard(request)})
    if request.step == "rate":
        names = ("confidence", "human_likeness", "justification", "understandability")
        return json.dumps(dict(zip(names, rates, strict=True)))
    problem = request.task.problem
    return f"{told(problem, action)}\nThe answer is {problem.answer}."


async def test_the_parser_recovers_every_action_of_the_policy(tmp_path: Path):
    """All are heard, the state alone gives waiting only, and each action has as many rationales in each style."""
    model = ScriptedModel(lambda request, rng: scripted(request, request.task.problem.answer))
    await run(NAME, SAMPLE, tmp_path / "run", model)
    folder = tmp_path / "run"
    assert ask(folder, "SELECT avg(value) FROM scores WHERE name = 'heard'") == [(1,)]
    assert ask(folder, "SELECT sum(value) FROM scores WHERE name = 'alone'") == [(5,)]  # those that wait
    kept = Counter(ask(folder, "SELECT r.step, r.answer FROM kept_rationales r"))
    assert kept == {(style, action): 5 for style in ("focused", "complete") for action in "ABCD"}
    shown = [
        (step, json.loads(m) if isinstance(m, str) else m)
        for step, m in ask(folder, "SELECT step, messages FROM calls WHERE step IN ('focused', 'listen')")
    ]
    assert not any("On the road" in str(messages) for _, messages in shown)


async def test_reasons_for_another_action_pass_at_the_rate_of_the_listener(tmp_path: Path):
    """Half of the reasons are for a wrong action. A listener that guesses the logged action anyway at 0.2 lets 0.2 of them pass."""
    rows = [json.loads(line) for line in SAMPLE.read_text().splitlines()]
    rows = [
        {**row, "id": f"{row['id']}-{i}", "context": f"{row['context']} Turn {i}."} for row in rows for i in range(10)
    ]

    def script(request, rng):
        problem = request.task.problem
        if request.step == "listen" and rng.random() < 0.2:
            return json.dumps({"answer": problem.answer})
        wrong = next(a for a, _ in problem.lettered_choices if a != problem.answer)
        reply = scripted(request, wrong if rng.random() < 0.5 else problem.answer)
        # Equal requests get equal replies: each text is another one.
        return reply.replace("\n", f" Note {rng.random()}.\n")

    made = preset(tmp_path / "p.yaml", NAME, focused={"samples": 1}, complete={"samples": 1}, actions=None)
    await run(made, write_rows(tmp_path / "in.jsonl", rows), tmp_path / "run", ScriptedModel(script))
    found = ask(
        tmp_path / "run",
        "SELECT contains(r.text, 'I ' || p.choices[ascii(p.answer) - 64] || ' because'), s.value, "
        "r.id IN (SELECT id FROM kept_rationales) FROM rationales r JOIN problems p ON p.id = r.problem "
        "JOIN scores s ON s.target = r.id AND s.name = 'heard'",
    )
    wrong = [(value, kept) for true, value, kept in found if not true]
    assert all(value == 1 and kept for true, value, kept in found if true)
    assert near(fmean(value for value, _ in wrong), 0.2, len(wrong))
    assert all(kept == bool(value) for value, kept in wrong)


async def test_focused_reasons_speak_only_of_what_is_near_and_the_best_rated_is_kept(tmp_path: Path):
    """Sample 0 speaks of a thing outside the window, which only the complete view may; of the others the mean of four decides."""
    table = {0: (5, 5, 5, 5), 1: (1, 2, 3, 4), 2: (4, 4, 4, 5)}

    def script(request, rng):
        problem = request.task.problem
        if request.step == "rate":
            sample = int(request.task.subject.text.partition("Take ")[2][0])
            return scripted(request, "A", table[sample])
        reply = scripted(request, problem.answer)
        if request.step in {"focused", "complete"}:
            thing = problem.meta["outside"][0] if request.sample == 0 else "road"
            return reply.replace("\n", f" Take {request.sample}: the {thing}.\n")
        return reply

    rows = [next(r for r in map(json.loads, SAMPLE.read_text().splitlines()) if r["outside"])]
    await run(NAME, write_rows(tmp_path / "in.jsonl", rows), tmp_path / "run", ScriptedModel(script))
    folder = tmp_path / "run"
    kept = dict(ask(folder, "SELECT step, sample FROM kept_rationales"))
    assert kept == {"focused": 2, "complete": 0}
    rated = dict(
        ask(
            folder, "SELECT r.sample, s.value FROM scores s JOIN rationales r ON r.id = s.target WHERE s.name = 'rated'"
        )
    )
    assert rated == {sample: fmean(rates) for sample, rates in table.items()}


async def test_a_letter_in_the_reasons_is_not_taken_for_being_heard(tmp_path: Path):
    """Of `I chose C) step right` any listener hears the action, and it gives no reason; nor does an answer alone."""

    def script(request, rng):
        problem = request.task.problem
        if request.step in {"focused", "complete"}:
            said = f"I chose {problem.answer}) {problem.answer_text} here.\n" if request.step == "focused" else ""
            return f"{said}The answer is {problem.answer}."
        return scripted(request, problem.answer) if request.step == "rate" else json.dumps({"answer": problem.answer})

    await run(NAME, SAMPLE, tmp_path / "run", ScriptedModel(script))
    assert ask(
        tmp_path / "run",
        "SELECT min(value) FROM scores JOIN rationales r ON r.id = target WHERE name = 'heard' AND r.step = 'focused'",
    ) == [(1,)]
    assert ask(tmp_path / "run", "SELECT count(*) FROM kept_rationales") == [(0,)]
