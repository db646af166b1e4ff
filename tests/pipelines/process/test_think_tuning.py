"""ThinkTuning: feedback in the author's own text, and how much it makes right."""

from __future__ import annotations

from itertools import pairwise

import orjson
import pytest
from methods import near, preset
from support import ask, run, sums

from synth.models import ScriptedModel, World

A, R, SHARE = 0.4, 0.6, 0.75
FEEDBACK = "Wait, those two do not fit together. Let me go through it again."


def says(text):
    """A teacher that always says this; `GOLD` stands for the gold answer."""

    def feedback(request, rng):
        return {"manner": "self-conflict", "feedback": text.replace("GOLD", request.task.problem.answer)}

    return feedback


async def tuned(folder, n=100, text=FEEDBACK, pipeline="process/think-tuning", capabilities=frozenset()):
    world = World(solve_rate=A, lucky_rate=0, recover_rate=R, simulators={"feedback": says(text)})
    able = frozenset({"chat", "json_schema", "seed", "logprobs"}) | capabilities
    model = ScriptedModel(world, name="student", capabilities=able)
    await run(pipeline, sums(folder / "in.jsonl", n), folder / "run", model)
    return folder / "run"


RIGHT = "SELECT target FROM scores WHERE name = 'correct' AND value = 1"


async def test_what_is_right_in_the_end_is_what_arithmetic_says(tmp_path):
    """Of the attempts a + (1 - a) γ r are right, with γ = 3/4; two calls for each wrong attempt among the first three of four."""
    folder = await tuned(tmp_path)
    rows = ask(
        folder,
        f"SELECT a.sample, a.id IN ({RIGHT}), g.id IS NOT NULL, coalesce(g.id IN ({RIGHT}), false) FROM rationales a "
        "LEFT JOIN rationales g ON g.parent = a.id WHERE a.step = 'attempt'",
    )
    assert len(rows) == 400
    assert all(guided == (sample < 3 and not right) for sample, right, guided, _ in rows)
    final = sum(right or fixed for _, right, _, fixed in rows) / 400
    assert near(final, A + (1 - A) * SHARE * R, 400)
    guided = [fixed for _, _, was_guided, fixed in rows if was_guided]
    assert near(sum(guided) / len(guided), R, len(guided))
    calls = dict(ask(folder, "SELECT step, count(*) FROM calls GROUP BY 1"))
    assert calls == {"attempt": 400, "feedback": len(guided), "guided": len(guided)}


@pytest.mark.parametrize("capabilities", [frozenset(), frozenset({"prefill"})])
async def test_spans_partition_the_text_by_author(tmp_path, capabilities):
    """The attempt stands as it was, to its last byte; then the feedback; then the student again, and nothing is left over."""
    folder = await tuned(tmp_path, n=20, capabilities=capabilities)
    rows = ask(
        folder,
        "SELECT a.response, g.response, g.parts FROM rationales g JOIN rationales a ON a.id = g.parent WHERE g.step = 'guided'",
    )
    assert len(rows) > 20
    for attempt, text, parts in rows:
        spans = orjson.loads(parts)["spans"]
        assert [span["by"] for span in spans] == ["given", "inserted", "model"]
        assert (spans[0]["start"], spans[-1]["end"]) == (0, len(text))
        assert all(a["end"] == b["start"] for a, b in pairwise(spans))
        given, inserted, own = (text[span["start"] : span["end"]] for span in spans)
        assert given == attempt
        assert inserted.strip() == FEEDBACK
        assert "The answer is" in own


async def test_a_pair_prefers_the_guided_solution_to_its_own_attempt(tmp_path):
    """Right over wrong, the wrong one begins the right one, and only what is right is kept."""
    folder = await tuned(tmp_path, n=40)
    rows = ask(
        folder,
        "SELECT c.parent = r.id, c.response, r.response, k.value, s.value FROM pairs p JOIN rationales c ON c.id = p.chosen "
        "JOIN rationales r ON r.id = p.rejected JOIN scores k ON k.target = c.id AND k.name = 'correct' "
        "JOIN scores s ON s.target = r.id AND s.name = 'correct'",
    )
    fixed = ask(folder, f"SELECT count(*) FROM rationales WHERE step = 'guided' AND id IN ({RIGHT})")[0][0]
    assert len(rows) == fixed > 20
    assert all(own and chosen.startswith(rejected) for own, chosen, rejected, _, _ in rows)
    assert {(right, wrong) for *_, right, wrong in rows} == {(1.0, 0.0)}
    assert ask(folder, f"SELECT count(*) FROM kept_rationales WHERE id NOT IN ({RIGHT})") == [(0,)]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("Wait, it should be GOLD.", "no_answer"),
        ("The student should check the second line.", "own_voice"),
        ("Check your second line.", "own_voice"),
    ],
)
async def test_feedback_that_says_the_answer_or_speaks_of_a_student_is_not_inserted(tmp_path, text, rule):
    folder = await tuned(tmp_path, n=10, text=text)
    assert ask(folder, "SELECT count(*) FROM rationales WHERE step = 'guided'") == [(0,)]
    rejected = ask(folder, "SELECT DISTINCT step FROM rejections WHERE target IN (SELECT id FROM critiques)")
    assert rejected == [(rule,)]


async def test_the_share_of_guided_attempts_is_an_option(tmp_path):
    """With every wrong attempt guided, a + (1 - a) r are right."""
    every = preset(
        tmp_path / "p.yaml",
        "process/think-tuning",
        feedback={"where": "score.correct == 0 and rationale.answer != none"},
    )
    folder = await tuned(tmp_path, n=60, pipeline=every)
    right = ask(
        folder,
        f"SELECT count(*) FROM rationales a WHERE step = 'attempt' AND (id IN ({RIGHT}) OR EXISTS "
        f"(FROM rationales g WHERE g.parent = a.id AND g.id IN ({RIGHT})))",
    )[0][0]
    assert near(right / 240, A + (1 - A) * R, 240)
