"""rlvr/hint-relic (arXiv:2302.10258): twins by edits that the next step reads or not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from methods import code_of, preset
from support import ROOT, ask, run

from synth.algorithms import algorithm_in
from synth.export import export_run
from synth.models import ScriptedModel

CARRY_OUT = code_of("hint-relic", "simulate.py").carry_out


def reader(error: float = 0.0) -> dict:
    """A solver that misreads steps."""

    def answer(request, rng):
        lines, said, _ = CARRY_OUT(request.task.problem, error, rng)
        return "\n".join([*lines, f"The answer is {said}."])

    return {"solver": [ScriptedModel(answer)]}


KINDS = [
    "bfs",
    "shortest_path",
    "shortest_path?method=bellman-ford",
    "sort",
    "binary_search",
    "automaton",
    "arithmetic",
    "symbolic",
]


@pytest.mark.parametrize("name", KINDS)
async def test_twins_are_what_they_say_by_execution(tmp_path: Path, name: str):
    """The next step of the one is the same, of the other not; answers and solutions are computed; the misread trace has one wrong step."""
    made = preset(tmp_path / "p.yaml", "rlvr/hint-relic", twins={"positions": 3})
    await run(made, f"make:{name}{'&' if '?' in name else '?'}size=12", tmp_path / "run", reader())
    problems = {
        id_: (json.loads(meta), answer)
        for id_, meta, answer in ask(tmp_path / "run", "SELECT id, meta, answer FROM problems")
    }
    twins = [(meta, answer) for meta, answer in problems.values() if "twin" in meta]
    assert {meta["twin"] for meta, _ in twins} == {"same", "changed"}
    for meta, answer in twins:
        algorithm, other = algorithm_in(meta)
        _, given = algorithm_in(problems[meta["twin_of"]][0])
        done = meta["twin_at"]
        before, after = algorithm.lines(given), algorithm.lines(other)
        assert before[:done] == after[:done]
        assert (before[done] == after[done]) is (meta["twin"] == "same")
        assert algorithm.solve(other) == answer
    labels = ask(
        tmp_path / "run",
        """SELECT r.author, list(s.value ORDER BY s.part.index) FROM rationales r JOIN scores s ON s.target = r.id AND s.name = 'step_correct'
        WHERE r.step = 'twins' GROUP BY r.id, r.author""",
    )
    assert {author for author, _ in labels} == {"program", "perturbed"}
    assert all(values.count(0) == (author == "perturbed") for author, values in labels)
    assert all(None not in values for _, values in labels)


async def test_a_pair_shares_its_beginning(tmp_path: Path):
    """The true trace over the one that misread a step: they differ from that step on, and the first that differs is the wrong one."""
    await run("rlvr/hint-relic", "make:sort?size=20", tmp_path / "run", reader())
    pairs = ask(
        tmp_path / "run",
        """SELECT a.steps, b.steps, p.first_differing_step, list(s.value ORDER BY s.part.index) FROM pairs p JOIN rationales a ON a.id = p.chosen
        JOIN rationales b ON b.id = p.rejected JOIN scores s ON s.target = b.id AND s.name = 'step_correct' GROUP BY ALL""",
    )
    assert len(pairs) == 20
    for chosen, rejected, at, values in pairs:
        assert chosen[:at] == rejected[:at]
        assert values.index(0) == at
    rows = export_run(tmp_path / "run", "sft", tmp_path / "out").path.read_text().splitlines()
    true = ask(tmp_path / "run", "SELECT count(*) FROM rationales WHERE author <> 'perturbed'")[0][0]
    assert len(rows) == true  # the misread traces are not learnt
    prm = [
        json.loads(row) for row in export_run(tmp_path / "run", "prm", tmp_path / "out").path.read_text().splitlines()
    ]
    assert sum(not all(row["labels"]) for row in prm) == 20


async def test_what_a_reader_reads(tmp_path: Path):
    """A perfect reader repeats the step where it must, and never where it must not; one that errs does so less often."""
    query = (ROOT / "pipelines/rlvr/hint-relic/reads.sql").read_text()
    for error in (0.0, 0.3):
        await run("rlvr/hint-relic", "make:automaton?symbols=3&size=60", tmp_path / str(error), reader(error))
    assert ask(tmp_path / "0.0", query) == [("changed", 60, 0.0, 1.0, 1.0), ("same", 60, 1.0, 1.0, 1.0)]
    (_, changed), (_, same) = [(row[0], row[2]) for row in ask(tmp_path / "0.3", query)]
    assert same < 0.9
    assert changed >= 0


async def test_problems_without_an_algorithm_have_no_twins(tmp_path: Path):
    """They go through untouched; so do algorithms that read everything in every step."""
    await run("rlvr/hint-relic", "make:sort?method=bubble&numbers=4&size=5", tmp_path / "run", reader())
    assert ask(tmp_path / "run", "SELECT count(*) FROM problems") == [(5,)]
    assert ask(tmp_path / "run", "SELECT count(*) FROM kept_rationales WHERE step = 'truth'") == [(5,)]
