"""peer_review/mapd (arXiv:2410.03663): verdicts of reviewers, and what must always hold."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given
from methods import STUDENT, models, near
from support import ask, contents, run, sums, yaml_file

from synth.export import export_run
from synth.models import ScriptedModel, World
from synth.pipeline import read_pipeline
from synth.steps.review import judge_reviews


def test_yield_and_purity_of_two_reviews_are_those_of_the_closed_form():
    """(1 - e) a^2 + e b^2, of which the first part is sound; e = 0.3, a = 0.9, b = 0.2 give 0.579 and 0.9793."""
    e, a, b, n = 0.3, 0.9, 0.2, 20_000
    rng = random.Random(3)
    kept = sound = 0
    for _ in range(n):
        is_sound = rng.random() >= e
        scores = {name: 5 if rng.random() < (a if is_sound else b) else 1 for name in "xy"}
        if judge_reviews(scores, threshold=3, min_valid=2).label == "accepted":
            kept, sound = kept + 1, sound + is_sound
    expected = (1 - e) * a**2 + e * b**2
    assert (round(expected, 3), round((1 - e) * a**2 / expected, 4)) == (0.579, 0.9793)
    assert near(kept / n, expected, n)
    assert near(sound / kept, 0.9793, kept)


@given(
    st.dictionaries(st.sampled_from("abcd"), st.none() | st.integers(1, 5), min_size=1),
    st.lists(st.floats(1, 5), min_size=2),
)
def test_a_higher_threshold_never_accepts_more(scores, thresholds):
    verdicts = [judge_reviews(scores, threshold=t).label == "accepted" for t in sorted(thresholds)]
    assert verdicts == sorted(verdicts, reverse=True)
    valid = [s for s in scores.values() if s is not None]
    assert (judge_reviews(scores, threshold=3, min_valid=3).label == "too_few") == (len(valid) < 3)
    if valid:
        mean = sum(valid) / len(valid)
        assert judge_reviews(scores, threshold=mean, strict=False).label == "accepted"
        assert judge_reviews(scores, threshold=mean + 1e-9, strict=True).label == "rejected"


def test_a_lenient_reviewer_counts_for_less_when_calibrated():
    from synth.steps.review import RaterCalibration

    known = {"mild": RaterCalibration(4.5, 0.4), "strict": RaterCalibration(2.5, 0.8)}
    plain = judge_reviews({"mild": 4, "strict": 3}, threshold=3.6)
    assert (plain.value, plain.label) == (3.5, "rejected")
    same = judge_reviews({"mild": 4.5, "strict": 2.5}, threshold=3, calibration=known)
    assert same.value == pytest.approx(3.5)  # each as usual: the mean of all
    ahead = judge_reviews({"mild": 4.5, "strict": 3.5}, threshold=3.6, calibration=known)
    assert ahead.value == pytest.approx(
        3.5 + 0.6 * (0 + 1 / 0.8) / 2
    )  # its 1 point is 1.25 standard deviations, of 0.6 on the common scale
    assert ahead.label == "accepted"


async def test_what_always_holds(tmp_path: Path):
    n = 60
    three = models(x=World(solve_rate=0.7, locate_rate=0.5), y=World(solve_rate=0.7), z=World(solve_rate=0.7))
    asked = {"student": [ScriptedModel(World(solve_rate=0.4, malformed_rate=0.1), name="student")], "teachers": three}
    rows = sums(tmp_path / "in.jsonl", n)
    await run("peer_review/mapd", rows, tmp_path / "run", asked)
    folder = tmp_path / "run"

    assert ask(folder, "SELECT count(*) FROM reviews WHERE reviewer = author") == [(0,)]
    assert ask(folder, "SELECT DISTINCT n FROM (SELECT count(*) n FROM reviews GROUP BY target)") == [(2,)]
    # Right answers and replies without one buy nothing.
    bought = "SELECT s.label, count(DISTINCT c.target) FROM critiques c JOIN scores s ON s.target = c.target GROUP BY 1"
    wrongs = ask(folder, "SELECT count(*) FROM scores WHERE step = 'mark' AND label = 'wrong'")[0][0]
    assert ask(folder, bought) == [("wrong", wrongs)]
    assert ask(folder, "SELECT count(*) FROM scores WHERE step = 'mark' AND label = 'unparsed'")[0][0] > 0
    # The gate: whatever is reviewed reaches the gold answer; the reviewers' prompts never name an author.
    assert ask(folder, "SELECT DISTINCT correct FROM reviews") == [(1.0,)]
    prompts = [m for (m,) in ask(folder, "SELECT messages::VARCHAR FROM calls WHERE step = 'review'")]
    assert not any(f'"{t.name}"' in m or f"model {t.name}" in m for m in prompts for t in three)

    exported = [json.loads(line) for line in export_run(folder, "sft", tmp_path / "out").path.read_text().splitlines()]
    by_problem: dict[str, list] = {}
    for row in exported:
        by_problem.setdefault(row["problem_id"], []).append(row["task"])
    assert len(by_problem) > 10
    assert all(sorted(tasks) == ["feedback", "rationale"] for tasks in by_problem.values())
    assert {(r["task"], r["weight"]) for r in exported} == {("feedback", 0.5), ("rationale", 0.5)}
    answers = dict(ask(folder, "SELECT problem, answer FROM rationales WHERE step = 'exam'"))
    for row in exported:
        if row["task"] == "feedback":
            assert f"The answer is {answers[row['problem_id']]}.\n" in row["messages"][0]["content"]
            assert f"The right answer is {row['answer']}." in row["messages"][0]["content"]

    pairs = ask(
        folder,
        "SELECT c.step, d.step, c.model <> 'student', s.label FROM kept_pairs p JOIN rationales c ON c.id = p.chosen "
        "JOIN rationales d ON d.id = p.rejected JOIN scores s ON s.target = c.id AND s.name = 'review'",
    )
    assert set(pairs) == {("teach", "exam", True, "accepted")}
    good_and_bad = [
        json.loads(line) for line in export_run(folder, "kto", tmp_path / "out").path.read_text().splitlines()
    ]
    labels = Counter((r["model"] == "student", r["label"]) for r in good_and_bad)
    assert labels[True, True] == 0
    assert labels[True, False] >= wrongs
    assert labels[False, True] == len(by_problem)
    judged = [json.loads(line) for line in export_run(folder, "judge", tmp_path / "out").path.read_text().splitlines()]
    assert len(judged) == ask(folder, "SELECT count(*) FROM reviews WHERE value IS NOT NULL")[0][0]
    assert all([m["role"] for m in r["messages"]] == ["system", "user", "assistant"] for r in judged)

    before, calls = contents(folder), ask(folder, "SELECT count(*) FROM calls")
    await run("peer_review/mapd", rows, folder, asked)
    assert (contents(folder), ask(folder, "SELECT count(*) FROM calls")) == (before, calls)


async def test_feedback_is_reviewed_too_where_that_is_asked_for(tmp_path: Path):
    reviewed = yaml_file(
        tmp_path / "p.yaml",
        "pipeline: my/p\nextends: mapd\noverride: {feedback_review: {enabled: true}, sound_feedback: {enabled: true}}\n",
    )
    worlds = {n: World(solve_rate=0.9, locate_rate=0.5, specificity=1, sensitivity=1) for n in "xyz"}
    student = [ScriptedModel(World(solve_rate=0, step_error_rate=0, lucky_rate=0), name="student")]
    await run(
        reviewed,
        sums(tmp_path / "in.jsonl", 60),
        tmp_path / "run",
        {"student": student, "teachers": models(**worlds)},
    )
    folder = tmp_path / "run"
    # Reviewers without error reject what does not find the mistake, and all of that.
    out = "c.id IN (SELECT target FROM rejections WHERE step = 'sound_feedback')"
    assert set(ask(folder, f"SELECT c.mistake, {out} FROM critiques c")) == {("arithmetic", False), ("logic", True)}
    assert ask(folder, "SELECT count(*) FROM reviews WHERE reviewer = author") == [(0,)]
    plain = await run(
        "mapd", sums(tmp_path / "in.jsonl", 5), tmp_path / "plain", {"student": student, "teachers": models(**worlds)}
    )
    assert plain.stopped is None
    assert ask(tmp_path / "plain", "SELECT count(*) FROM calls WHERE step = 'feedback_review'") == [(0,)]


async def test_critics_name_the_injected_mistake_as_often_as_they_can(tmp_path: Path):
    c, n = 0.65, 200
    student = [ScriptedModel(World(solve_rate=0, step_error_rate=0, lucky_rate=0), name="student")]
    asked = {"student": student, "teachers": models(x=World(locate_rate=c), y=World(locate_rate=c))}
    await run("peer_review/mapd", sums(tmp_path / "in.jsonl", n), tmp_path / "run", asked)
    found = ask(tmp_path / "run", "SELECT c.part.index, r.steps FROM critiques c JOIN rationales r ON r.id = c.target")
    assert len(found) == 2 * n
    assert near(sum(i == World.first_error(tuple(steps)) for i, steps in found) / len(found), c, len(found))


async def test_reviewers_that_refuse_or_speak_no_number(tmp_path: Path):
    def of(reply):
        def script(request, rng):
            kind = request.task.kind
            if kind == "solve":
                return f"So.\nThe answer is {request.task.problem.answer}."
            if kind == "critique":
                return "Explanation: No.\nFirst wrong step: none\nKind: x\nCorrection: y"
            return reply

        return script

    from synth.models import Completion

    said = {"fine": "Reasons: good\nScore: 4/5", "wordy": "It is splendid.", "off": "Score: 83"}
    scripts = {**said, "silent": Completion(text="", finish="stop", refusal="I cannot.")}
    chat = frozenset({"chat"})
    some = [ScriptedModel(of(reply), name=name, capabilities=chat) for name, reply in scripts.items()]
    await run(
        "peer_review/mapd", sums(tmp_path / "in.jsonl", 1), tmp_path / "run", {"student": STUDENT, "teachers": some}
    )
    reviews = ask(tmp_path / "run", "SELECT DISTINCT reviewer, value, label FROM reviews ORDER BY ALL")
    assert reviews == [("fine", 4.0, None), ("off", None, "out_of_range")]
    failures = ask(
        tmp_path / "run",
        "SELECT DISTINCT c.model, f.cause FROM failures f JOIN calls c ON c.id = f.call ORDER BY ALL",
    )
    assert failures == [("silent", "refused"), ("wordy", "shape")]
    assert ask(tmp_path / "run", "SELECT DISTINCT label, reason FROM scores WHERE name = 'review' ORDER BY ALL") == [
        ("too_few", "0 of 3 reviews valid: none; accepted if mean > 3"),
        ("too_few", "1 of 3 reviews valid: 4; accepted if mean > 3"),
    ]
    assert ask(tmp_path / "run", "SELECT count(*) FROM kept_rationales") == [(0,)]


def test_one_model_cannot_review_itself_and_is_reported_before_the_run():
    draft = read_pipeline("peer_review/mapd")
    draft.check_models({"student": STUDENT, "teachers": models(x=World())})
    alone = "x is the only reviewer, and may not review what is its own"
    fix = "bind a second model: --model teachers=x,NAME; or exclude_author: false"
    assert [tuple(f)[2:] for f in draft.findings] == [(f"step review: {alone}", fix)]
