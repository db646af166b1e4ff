"""The examples of docs/rlvr.md on derived problems run, and do what the page says."""

from __future__ import annotations

import re
from pathlib import Path

from methods import choices
from support import ROOT, ask, run, yaml_file

from synth.models import ScriptedModel, World
from synth.records import Problem

SECTION = (ROOT / "docs" / "rlvr.md").read_text().split("## Derived problems")[1].split("\n## ")[0]
OPEN = "{#- version: 1 -#}\n{% call user() %}{{ problem.full_question }}\nWrite the question without its options.\n{{ reply_format }}{% endcall %}\n"
HEAD = "pipeline: my/open\ntitle: t\nsample: choice.jsonl\nroles: {author: writes, solver: solves}\nsteps:\n"


async def test_mirrored_questions_have_the_same_answer_in_words(tmp_path: Path):
    text = re.findall(r"```yaml\n# mirror.yaml\n(.*?)```", SECTION, re.DOTALL)[0]
    rows = choices(tmp_path / "in.jsonl", 10)
    await run(yaml_file(tmp_path / "p.yaml", text), rows, tmp_path / "run", ScriptedModel(World(solve_rate=1)))
    found = ask(
        tmp_path / "run",
        "SELECT d.choices, p.choices, d.answer, p.answer FROM problems d JOIN problems p ON p.id = d.parent",
    )
    assert len(found) == 10
    for mirrored, before, answer, gold in found:
        assert mirrored == before[::-1]
        assert mirrored["ABCDE".index(answer)] == before["ABCDE".index(gold)]
    assert ask(tmp_path / "run", "SELECT count(*) FROM scores WHERE name = 'correct' AND value = 1") == [(20,)]


async def test_open_questions_point_to_no_options_and_can_be_answered(tmp_path: Path):
    """A question that still speaks of options is not made; of the others those stay that the solver answers."""
    (tmp_path / "open.j2").write_text(OPEN)
    steps = SECTION.split("```\n  - {step: ask, name: opened")[1].split("```")[0]
    steps = f"  - {{step: ask, name: opened{steps}"
    said = ["Which of these is it?", "What is option B about?", "What is the word?", "What is the name, in vain?"]

    def opened(request, rng):
        question = request.task.problem.question
        case = int(re.findall(r"case (\d+)", question)[0])
        return {"question": f"{said[case % 4]} {question}".replace("Which of those", "What")}

    def able(problem: Problem) -> float:
        return 0.0 if "vain" in problem.question else 1.0

    world = World(solve_rate=1, lucky_rate=0, difficulty=able, simulators={"opened": opened})
    rows = choices(tmp_path / "in.jsonl", 12)
    await run(yaml_file(tmp_path / "p.yaml", HEAD + steps), rows, tmp_path / "run", ScriptedModel(world))
    found = ask(
        tmp_path / "run",
        "SELECT d.question, d.answer, d.choices, p.answer, p.choices, d.id IN (SELECT id FROM kept_problems) "
        "FROM problems d JOIN problems p ON p.id = d.parent",
    )
    assert len(found) == 6
    for question, answer, options, gold, before, kept in found:
        assert not re.search(r"(?i)which of|option", question)
        assert (options, answer) == ([], before["ABCDE".index(gold)])
        assert kept == ("vain" not in question)
