"""process/prm800k (arXiv:2305.20050): the batch that people label."""

from __future__ import annotations

from pathlib import Path

from methods import saying
from support import ask, run, sums

from synth.models import ScriptedModel

BATCH = """SELECT r.problem, r.id, c.value, s.value, k.id IS NOT NULL FROM rationales r
    JOIN scores c ON c.target = r.id AND c.name = 'correct' JOIN scores s ON s.target = r.id AND s.name = 'convincing'
    LEFT JOIN kept_rationales k ON k.id = r.id"""


async def test_the_batch_is_the_four_most_convincing_wrong_ones_and_the_best_of_the_rest(tmp_path: Path):
    """Exactly four to one in each problem, against a choice in Python; problems with fewer than four wrong answers have none."""

    def script(request, rng):
        if request.task.kind == "ask":
            return saying(int(request.task.subject.steps[request.task.part.index].split()[2]) / 10)
        steps = [f"Step {i}: {rng.randint(1, 9)} of ten." for i in range(2)]
        hard = int(request.task.problem.answer) % 20 == 5
        right = rng.random() < (0.4 if hard else 0.95)
        return "\n".join([*steps, f"The answer is {request.task.problem.answer if right else 1}."])

    await run("process/prm800k", sums(tmp_path / "in.jsonl", 16), tmp_path / "run", ScriptedModel(script))
    found: dict[str, list[tuple[str, float, float, bool]]] = {}
    for problem, *row in ask(tmp_path / "run", BATCH):
        found.setdefault(problem, []).append(tuple(row))
    batches = 0
    for rows in found.values():
        kept = {id_ for id_, *_, is_kept in rows if is_kept}
        wrong = sorted((row for row in rows if row[1] == 0), key=lambda row: -row[2])
        if len(wrong) < 4:
            assert not kept
            continue
        batch = {row[0] for row in wrong[:4]}
        batch.add(max((row for row in rows if row[0] not in batch), key=lambda row: row[2])[0])
        assert kept == batch
        assert len(kept) == 5
        batches += 1
    assert 4 <= batches < 16


async def test_solutions_that_are_as_convincing_leave_the_composition_exact(tmp_path: Path):
    """A grader that gives one grade to all: the sample decides, and the batch is still four and one."""

    def script(request, rng):
        if request.task.kind == "ask":
            return saying(0.5)
        return f"So it is {rng.random()}.\nThe answer is {request.task.problem.answer if rng.random() < 0.3 else 1}."

    await run("process/prm800k", sums(tmp_path / "in.jsonl", 6), tmp_path / "run", ScriptedModel(script))
    sizes = {n for (n,) in ask(tmp_path / "run", "SELECT count(*) FROM kept_rationales GROUP BY problem")}
    assert sizes == {5}
