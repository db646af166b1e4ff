"""process/step-judge (arXiv:2411.16579, arXiv:2504.00891): verdicts of all steps in one call, kept where they agree with the answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from methods import near
from support import ask, run, sums, yaml_file

from synth.export import ExportOptions, export_group
from synth.models import ScriptedModel, World


async def test_what_is_kept_is_what_the_rates_say(tmp_path: Path):
    """A sound solution of n steps is kept at `specificity ** n`; one with k wrong steps where a step is said to be wrong."""
    world = World(solve_rate=0.5, step_error_rate=0.3, lucky_rate=0, sensitivity=0.6, specificity=0.9)
    await run("process/step-judge", sums(tmp_path / "in.jsonl", 150), tmp_path / "run", ScriptedModel(world))
    assert ask(tmp_path / "run", "SELECT step, count(*) FROM calls GROUP BY 1 ORDER BY 1") == [
        ("judge", 600),
        ("solve", 600),
    ]
    rows = ask(
        tmp_path / "run",
        "SELECT r.steps, r.id IN (SELECT id FROM kept_rationales) FROM rationales r",
    )
    kept: dict[int, list[bool]] = {}
    for steps, is_kept in rows:
        kept.setdefault(sum(not world.is_sound(s) for s in steps), []).append(is_kept)
    n = world.steps
    for k, verdicts in kept.items():
        passes = 0.9 ** (n - k) * 0.4**k
        assert near(sum(verdicts) / len(verdicts), passes if k == 0 else 1 - passes, len(verdicts)), k
    assert set(kept) == {0, 1, 2, 3}


async def test_the_labels_of_what_is_kept_never_contradict_the_answer(tmp_path: Path):
    """By all verdicts, and by the critique of the first wrong step; what is not kept has no label."""
    await run(
        "process/step-judge", sums(tmp_path / "in.jsonl", 40), tmp_path / "run", ScriptedModel(World(solve_rate=0.5))
    )
    right = dict(ask(tmp_path / "run", "SELECT target, value = 1 FROM scores WHERE name = 'correct'"))
    query = "SELECT count(*), count(*) FILTER (s.value = 0) FROM kept_rationales k JOIN scores s ON s.target = k.id AND s.name = 'correct'"
    ((kept, wrong),) = ask(tmp_path / "run", query)
    for name, options in (
        ("all", ExportOptions()),
        ("first", ExportOptions(labels="critiques")),
    ):
        made = export_group(tmp_path / "run", {"prm": options}, tmp_path / name)
        rows = [json.loads(line) for line in made["prm"].path.read_text().splitlines()]
        assert all(all(row["labels"]) == right[row["record_id"]] for row in rows)
        assert len(rows) == (kept if name == "all" else wrong) > 20
        if name == "first":
            assert all(row["labels"][-1] is False and all(row["labels"][:-1]) for row in rows)


CHECKED = """
pipeline: my/checked
extends: process/step-judge
insert:
  - after: judge
    steps:
      - step: score
        each: step of rationale
        of: solve
        score: merged
        value: >-
          (words | sum == step.text.strip(".").split()[7] | int) if words[0] % 10 < TENTHS else step.score.step_judged
"""


@pytest.mark.parametrize(("tenths", "accuracy"), [(0, 0.7), (4, 0.7), (7, 0.5), (10, 0.5)])
async def test_labels_of_a_checker_and_a_judge(tmp_path: Path, tenths: int, accuracy: float):
    """A checker that decides a share `c` of the steps exactly, and a judge that is right at `a` about the others: `c + (1 - c) a`."""
    text = CHECKED.replace("words", "[step.text.split()[3] | int, step.text.split()[5] | int]").replace(
        "TENTHS", str(tenths)
    )
    world = World(solve_rate=0.3, step_error_rate=0.5, sensitivity=accuracy, specificity=accuracy)
    await run(
        yaml_file(tmp_path / "p.yaml", text), sums(tmp_path / "in.jsonl", 100), tmp_path / "run", ScriptedModel(world)
    )
    rows = ask(
        tmp_path / "run",
        "SELECT r.steps[s.part.index + 1], s.value FROM scores s JOIN rationales r ON r.id = s.target WHERE s.name = 'merged'",
    )
    covered = sum(int(step.split()[3]) % 10 < tenths for step, _ in rows) / len(rows)
    agree = sum((value == 1) == world.is_sound(step) for step, value in rows) / len(rows)
    assert len(rows) == 400 * world.steps
    assert near(covered, tenths / 10, len(rows))
    assert near(agree, covered + (1 - covered) * accuracy, len(rows))
