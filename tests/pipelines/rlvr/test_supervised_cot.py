"""rlvr/supervised-cot (arXiv:2410.14198): an executor that errs at a known rate, and what the checks say of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from methods import code_of, near
from support import ROOT, ask, run

from synth.export import export_run
from synth.models import ScriptedModel

CARRY_OUT = code_of("supervised-cot", "simulate.py").carry_out
STEPS, ERROR = 6, 0.1


def solver(planted: dict[str, list[bool]]) -> ScriptedModel:
    """Misreads a step with probability ERROR in the supervised style, and says "It is so." in the others."""

    def answer(request, rng):
        if "in exactly this form, with values" not in request.messages[-1]["content"]:
            return f"It is so.\nThe answer is {request.task.problem.answer if rng.random() < 0.5 else 99}."
        lines, said, right = CARRY_OUT(request.task.problem, ERROR, rng)
        planted[request.task.problem.id] = right
        return "\n".join([*lines, f"The answer is {said}."])

    return ScriptedModel(answer)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("make:sort?numbers=6&most=1000000", (1 - ERROR) ** 6),
        ("make:parity?length=12&modulus=2", 0.5 * (1 + (1 - 2 * ERROR) ** 12)),
    ],
    ids=["errors stay", "errors cancel"],
)
async def test_an_executor_is_right_as_often_as_its_errors_allow(tmp_path: Path, source: str, expected: float):
    """(1-q)^n where errors never cancel, (1+(1-2q)^n)/2 of parities; labels of steps are exactly those that were planted."""
    n = 400
    planted: dict[str, list[bool]] = {}
    await run("rlvr/supervised-cot", f"{source}&size={n}", tmp_path / "run", {"solver": [solver(planted)]})
    right = "SELECT avg(c.value) FROM rationales r JOIN scores c ON c.target = r.id AND c.name = 'correct' WHERE r.step = 'supervised'"
    assert near(ask(tmp_path / "run", right)[0][0], expected, n)
    assert near(sum(map(sum, planted.values())) / sum(map(len, planted.values())), 1 - ERROR, n)
    labels = "SELECT r.problem, list(s.value ORDER BY s.part.index) FROM rationales r JOIN scores s ON s.target = r.id AND s.name = 'step_correct'"
    found = ask(tmp_path / "run", f"{labels} WHERE r.step = 'supervised' GROUP BY 1")
    assert {problem: [value == 1 for value in values] for problem, values in found} == planted
    true = ask(tmp_path / "run", f"{labels} WHERE r.step = 'truth' GROUP BY 1")
    assert len(true) == n
    assert {value for _, values in true for value in values} == {1.0}


async def test_what_is_learnt_is_true_and_what_is_judged_is_not_all(tmp_path: Path):
    """Sft has the true traces and those solved without a wrong step; prm has wrong ones too; grpo has every problem."""
    await run("rlvr/supervised-cot", f"make:sort?numbers={STEPS}&size=50", tmp_path / "run", {"solver": [solver({})]})
    rows = {}
    for name in ("sft", "prm", "grpo"):
        text = export_run(tmp_path / "run", name, tmp_path / name).path.read_text()
        rows[name] = [json.loads(line) for line in text.splitlines()]
    assert len(rows["grpo"]) == 50
    assert all(len(row["labels"]) == STEPS for row in rows["prm"])
    wrong = [row for row in rows["prm"] if not all(row["labels"])]
    assert len(rows["prm"]) == 100
    assert 10 < len(wrong) < 40
    assert len(rows["sft"]) == 100 - len(wrong)
    assert all(row["messages"][-1]["content"].startswith("Insert number 1, ") for row in rows["sft"])


async def test_the_table_of_styles(tmp_path: Path):
    """Of parities some right answers have a wrong step; of the true traces none."""
    await run("rlvr/supervised-cot", "make:parity?length=6&size=50", tmp_path / "run", {"solver": [solver({})]})
    found = ask(tmp_path / "run", (ROOT / "pipelines/rlvr/supervised-cot/styles.sql").read_text())
    table = {style: rest for style, *rest in found}
    assert set(table) == {"truth", "direct", "generic", "supervised", "misled"}
    assert table["truth"] == [50, 1.0, 1.0, 0.0]
    assert near(table["supervised"][2], 1 - ERROR, 50)
    assert table["supervised"][3] > 0
    assert table["direct"][2] is None
