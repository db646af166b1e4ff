"""peer_review/mapd-paper (arXiv:2410.03663): released scores replayed, closed forms, and what the missing gate lets through."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from methods import STUDENT, models, near
from support import ask, run, sums, synth, yaml_file

from synth.audit import look_over
from synth.models import ScriptedModel, World
from synth.pipeline import read_pipeline
from synth.store.database import open_store

# The released reviews of SVAMP, by author: how often each pair of scores was given by the other two models.
RELEASED = {
    "gpt": (
        ("gemini", "mistral"),
        "5,5:278 5,1:70 2,1:10 1,1:10 3,1:8 4,1:3 5,3:2 5,4:2 2,5:1 5,2:1 5,0:1 4,4:1",
    ),
    "gemini": (
        ("gpt", "mistral"),
        (
            "5,5:186 1,1:61 5,1:29 2,1:28 1,5:14 2,5:11 3,1:9 4,5:7 1,2:6 3,5:6 1,4:5 4,1:4 5,4:3 2,2:3 2,4:2 5,3:2 4,4:2 "
            "3,2:2 4,3:2 83,5:1 5,2:1 3,3:1 2,3:1 1,3:1"
        ),
    ),
    "mistral": (
        ("gpt", "gemini"),
        (
            "5,5:252 1,5:21 3,5:15 4,5:14 5,2:10 2,5:10 2,2:9 1,3:7 5,4:6 2,3:5 5,3:4 3,3:4 2,4:4 3,4:4 1,1:4 1,4:3 4,3:3 "
            "4,1:3 5,1:3 3,1:2 2,1:2 4,4:1 4,2:1"
        ),
    ),
}


def expanded(author: str) -> list[dict[str, int]]:
    reviewers, table = RELEASED[author]
    pairs = [(cell.split(":")[0], int(cell.split(":")[1])) for cell in table.split()]
    return [dict(zip(reviewers, map(int, p.split(",")), strict=True)) for p, n in pairs for _ in range(n)]


def number_of(problem) -> int:
    return int(problem.question.split("Case ")[1].split(":")[0])


@pytest.mark.parametrize(("review", "accepted"), [({"threshold": 3}, 826), ({"threshold": 4, "strict": False}, 783)])
async def test_the_released_scores_are_accepted_as_released(tmp_path: Path, review, accepted):
    scores = {author: expanded(author) for author in RELEASED}
    assert {len(s) for s in scores.values()} == {387}

    def of(name: str):
        def script(request, rng):
            task = request.task
            if task.kind == "solve":
                return f"{name} counts.\nThe answer is {task.problem.answer}."
            if task.kind == "critique":
                return json.dumps({"explanation": "No.", "first_wrong_step": 1, "kind": "x", "correction": "y"})
            score = scores[task.subject.model][number_of(task.problem)][name]
            return json.dumps({"reasons": "So.", "score": score})

        return ScriptedModel(script, name=name)

    preset = yaml_file(
        tmp_path / "p.yaml",
        f"pipeline: my/p\nextends: peer_review/mapd-paper\noverride: {{review: {json.dumps({**review, 'min_valid': 1})}}}\n",
    )
    asked = {"student": STUDENT, "teachers": [of(n) for n in RELEASED]}
    await run(preset, sums(tmp_path / "in.jsonl", 387), tmp_path / "run", asked)
    count = "SELECT r.model, count(*) FROM scores s JOIN rationales r ON r.id = s.target WHERE s.label = 'accepted' GROUP BY 1"
    counts = dict(ask(tmp_path / "run", count))
    assert sum(counts.values()) == accepted
    if accepted == 826:
        assert counts == {"gpt": 286, "gemini": 221, "mistral": 319}
        means = dict(ask(tmp_path / "run", "SELECT reviewer, round(mean, 3) FROM reviewers"))
        assert means == {"gemini": 4.647, "gpt": 3.918, "mistral": 3.706}
        with open_store(tmp_path / "run") as store:
            found = {s.title: s.rows for s in look_over(store)}
        same = sum(r["exact"] * r["both"] for r in found["agreement of reviewers"])
        assert same / sum(r["both"] for r in found["agreement of reviewers"]) == pytest.approx(0.701, abs=0.002)
        assert [r["valid"] for r in found["reviewers"]] == [774, 773, 773]  # one 83 and one 0 are no scores


async def test_the_pipeline_gives_the_yields_of_the_closed_form(tmp_path: Path):
    n, errors = 300, {"x": 0.2, "y": 0.3, "z": 0.4}
    worlds = {
        name: World(solve_rate=1 - e, lucky_rate=1, specificity=0.9, sensitivity=0.8) for name, e in errors.items()
    }
    asked = {"student": STUDENT, "teachers": models(**worlds)}
    await run("peer_review/mapd-paper", sums(tmp_path / "in.jsonl", n), tmp_path / "run", asked)
    verdicts = ask(
        tmp_path / "run",
        "SELECT r.model, r.text, s.label = 'accepted', r.problem FROM rationales r JOIN scores s ON s.target = r.id "
        "AND s.name = 'review'",
    )
    for name, expected in {"x": 0.656, "y": 0.579, "z": 0.502}.items():
        mine = [accepted for model, _, accepted, _ in verdicts if model == name]
        assert len(mine) == n
        assert near(sum(mine) / n, expected, n)
    accepted = [text for _, text, yes, _ in verdicts if yes]
    written_sound = sum(World.is_sound(t) for _, t, _, _ in verdicts) / len(verdicts)
    assert near(written_sound, 0.7, len(verdicts))
    kept_sound = sum(World.is_sound(t) for t in accepted) / len(accepted)
    expected = (0.8 + 0.7 + 0.6) * 0.81 / (0.656 + 0.579 + 0.502)
    assert near(kept_sound, expected, len(accepted))
    assert near(len({p for *_, yes, p in verdicts if yes}) / n, 0.9279, n)


async def test_without_the_gate_flawed_work_that_ends_in_the_gold_answer_passes_and_the_audit_says_so(tmp_path: Path):
    def lucky(request, rng):
        if request.task.kind == "solve":
            return (
                "It is five or so.\nThe answer is 7."
                if rng.random() < 0.5
                else f"{request.task.problem.answer} it is.\nThe answer is {request.task.problem.answer}."
            )
        if request.task.kind == "critique":
            return json.dumps({"explanation": "No.", "first_wrong_step": 1, "kind": "x", "correction": "y"})
        return json.dumps({"reasons": "", "score": 5})

    asked = {"student": STUDENT, "teachers": [ScriptedModel(lucky, name=n, seed=i) for i, n in enumerate("xy")]}
    numberless = {}
    for name in ("mapd", "mapd-paper"):
        await run(f"peer_review/{name}", sums(tmp_path / "in.jsonl", 80), tmp_path / name, asked)
        with open_store(tmp_path / name) as store:
            rows = {s.title: s.rows for s in look_over(store)}["accepted without the gold number"]
        numberless[name] = sum(r["without_gold"] for r in rows) / sum(r["accepted"] for r in rows)
    assert numberless["mapd"] == 0
    assert near(numberless["mapd-paper"], 0.5, 160)


async def test_calibration_by_the_run_itself_asks_nothing_again(tmp_path: Path):
    rows = sums(tmp_path / "in.jsonl", 40)
    three = models(x=World(solve_rate=0.7, specificity=0.99, sensitivity=0.1), y=World(), z=World(specificity=0.5))
    asked = {"student": STUDENT, "teachers": three}
    preset = yaml_file(tmp_path / "p.yaml", "pipeline: my/p\nextends: peer_review/mapd-paper\n")
    await run(preset, rows, tmp_path / "run", asked)
    calls = ask(tmp_path / "run", "SELECT count(*) FROM calls")
    saved = tmp_path / "reviewers.json"
    assert "reviewers" in synth("audit", tmp_path / "run", "--save-calibration", saved, check=0).stdout
    assert set(json.loads(saved.read_bytes())) == {"x", "y", "z"}
    before = dict(ask(tmp_path / "run", "SELECT target, value FROM scores WHERE name = 'review'"))
    yaml_file(preset, f"{preset.read_text()}override: {{review: {{calibration: reviewers.json}}}}\n")
    await run(preset, rows, tmp_path / "run", asked)
    assert ask(tmp_path / "run", "SELECT count(*) FROM calls") == calls
    after = dict(ask(tmp_path / "run", "SELECT target, value FROM scores WHERE name = 'review'"))
    assert before.keys() == after.keys()
    assert before != after
    saved.unlink()
    from synth.steps import review

    review._rater_calibration.cache_clear()
    draft = read_pipeline(str(preset))
    draft.check_models(asked)
    assert "cannot be read" in draft.findings[0].what
    assert draft.findings[0].line == 3
