"""Every generator of the package: gold answers are verified as right and others as wrong; the same rows in every process."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from support import ROOT

from synth.generators import Generator, Values, generator_of, made_rows
from synth.generators.registry import BUILT_IN
from synth.sources import open_source
from synth.verify import verify_answer

NAMES = sorted(kind.name for kind in BUILT_IN)


def rows(name: str, **options) -> list[dict]:
    return list(made_rows(generator_of(name, options)))


def label(reply: str, row: dict) -> str:
    return verify_answer(reply, row["answer"], kind=row["answer_kind"], choices=row["choices"] or ()).label


@pytest.mark.parametrize("name", NAMES)
def test_gold_answers_are_right_and_others_wrong(name: str):
    """The answer alone and the worked solution are verified as right; the answer of the twin that must differ is wrong, and so is none."""
    twins = "both" if generator_of(name, {}).__class__.twin is not Generator.twin else "none"
    made = rows(name, size=60, twins=twins)
    originals = [row for row in made if "twin" not in row]
    changed = {row["twin_of"]: row for row in made if row.get("twin") == "changed"}
    same = {row["twin_of"]: row for row in made if row.get("twin") == "same"}
    for row in originals:
        stated = f"The answer is {row['answer']}."
        assert label(stated, row) == "right", row
        assert label(row["reference_solution"], row) == "right", row
        assert label("I do not know.", row) != "right"
        assert row["difficulty"] > 0
        if twins == "both":
            assert label(changed[row["item"]]["reference_solution"], row) == "wrong", (row, changed[row["item"]])
            assert label(same[row["item"]]["reference_solution"], row) == "right"


@pytest.mark.parametrize("name", NAMES)
def test_rows_are_problems(name: str):
    """Every row is read as a problem, with the answer and the kind as the generator gave them."""
    source = open_source(f"make:{name}?size=30")
    assert source.scan().bad == []
    problems = [given.problem for given in source.problems()]
    for problem, row in zip(problems, rows(name, size=30), strict=True):
        assert (problem.question, problem.answer, problem.answer_kind) == (
            row["question"],
            row["answer"],
            row["answer_kind"],
        )
        assert problem.choices == tuple(row["choices"] or ())
        assert problem.meta["item"] == row["item"]
        assert all("\n" not in step for step in row["reference_solution"].split("\n"))


def test_the_same_rows_in_every_process():
    """Neither the order of sets nor the hashes of a process have an influence."""
    code = (
        "import json, sys; from synth.generators import *\n"
        "for name in sys.argv[1:]:\n"
        "    options = {'size': 12, 'twins': 'both'} if generator_of(name, {}).__class__.twin is not Generator.twin else {'size': 12}\n"
        "    print(json.dumps(list(made_rows(generator_of(name, options)))))"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", code, *NAMES],
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(printed) == 1
    assert len(json.loads(printed.pop().splitlines()[0])) >= 12


def test_every_generator_is_in_the_documents():
    """With its name and what its ranges are."""
    page = (ROOT / "docs" / "rlvr.md").read_text()
    for kind in BUILT_IN:
        (row,) = [
            line for line in page.splitlines() if line.startswith("| `") and f"`{kind.name}`" in line.split(" | ")[0]
        ]
        ranges = [name for name, field in kind.model_fields.items() if isinstance(field.default, Values)]
        assert all(f"`{name}`" in row for name in ranges), (kind.name, ranges)
