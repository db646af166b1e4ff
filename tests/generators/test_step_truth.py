"""Generated solutions are ground truth for labels of steps: what judges steps is measured on them."""

from __future__ import annotations

import re
from math import sqrt
from pathlib import Path
from random import Random

from support import ask, run, write_rows, yaml_file

from synth.generators import generator_of, made_rows

CHECKED = """
pipeline: my/checked
steps:
  - {step: reference, author: program, segment: lines}
  - {step: check_steps, with: arithmetic}
"""
SCORES = """SELECT p.meta->>'item', CAST(s.part->>'index' AS INTEGER), s.value FROM scores s JOIN rationales r ON r.id = s.target
    JOIN problems p ON p.id = r.problem WHERE s.name = 'step_check' AND s.part IS NOT NULL"""
_SUM = re.compile(r"= (\d+) (?=station|stop)")


async def test_check_steps_is_measured_on_generated_solutions(tmp_path: Path):
    """One sum of half of the solutions is made wrong: every such step is found, and no true step is called wrong."""
    random = Random(11)
    rows, broken = [], {}
    for row in made_rows(generator_of("transit", {"stage": "2-3", "lines": "4-6", "size": 120})):
        lines = row["reference_solution"].splitlines()
        sums = [i for i, line in enumerate(lines) if _SUM.search(line)]
        if sums and random.random() < 0.5:
            place = random.choice(sums)
            wrong = _SUM.sub(lambda m: f"= {int(m[1]) + random.choice([1, 2, 10])} ", lines[place])
            lines[place] = wrong
            broken[row["item"]] = place
        rows.append({**row, "reference_solution": "\n".join(lines)})
    await run(yaml_file(tmp_path / "p.yaml", CHECKED), write_rows(tmp_path / "in.jsonl", rows), tmp_path / "run")
    called_wrong = {(item, index) for item, index, value in ask(tmp_path / "run", SCORES) if value == 0}
    assert len(broken) > 30
    assert called_wrong == set(broken.items())


def test_a_labeller_with_known_error_rates_is_measured_as_what_it_is():
    """A labeller that misses a share of wrong steps and blames a share of right ones is found to do so, within three standard errors: the steps of
    a changed twin that its problem's solution does not have are wrong for that problem.
    """
    random = Random(3)
    misses, blames = 0.2, 0.1
    counted = {True: [0, 0], False: [0, 0]}
    made = list(made_rows(generator_of("rules", {"elements": "3-6", "size": 150, "twins": "changed"})))
    for row, twin in zip(made[::2], made[1::2], strict=True):
        true = set(row["reference_solution"].splitlines())
        for step in twin["reference_solution"].splitlines()[:-1]:
            right = step in true
            said_wrong = random.random() < (blames if right else 1 - misses)
            counted[right][0] += said_wrong
            counted[right][1] += 1
    for right, expected in ((True, blames), (False, 1 - misses)):
        found, n = counted[right]
        assert n > 200
        assert abs(found / n - expected) < 3 * sqrt(expected * (1 - expected) / n)
