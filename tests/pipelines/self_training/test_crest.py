"""self_training/crest (arXiv:2411.06387): follow-up questions, and pools of pairs."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from methods import choices, near, preset
from support import ask, run, sums, synth

from synth.models import ScriptedModel, World
from synth.pipeline import load_pipeline


async def test_follow_up_questions_find_out_lucky_guesses_at_a_known_rate(tmp_path: Path):
    """Accepted 0.60, of it 0.8333 sound; with follow-ups right at 0.95 and 0.60, one miss of five allowed, 0.9774 and 0.3370
    of the sound and the lucky pass, and 0.9355 of what passes is sound.
    """
    n, k = 150, 4
    made = preset(
        tmp_path / "p.yaml", "self_training/crest",
        solve={"samples": k}, deduplicate=None, consistent={"keep": "score.correct and score.follow_up_misses <= 1"},
    )  # fmt: skip
    model = ScriptedModel(World(solve_rate=0.5)).knowing(load_pipeline(made).simulators)
    await run(made, choices(tmp_path / "in.jsonl", n), tmp_path / "run", model)
    folder = tmp_path / "run"
    rows = ask(
        folder,
        "SELECT r.text, r.id IN (SELECT id FROM kept_rationales) FROM rationales r JOIN scores s ON s.target = r.id "
        "WHERE s.name = 'correct' AND s.value = 1",
    )
    assert near(len(rows) / (n * k), 0.60, n * k)
    sound = [(World.is_sound(text), kept) for text, kept in rows]
    assert near(sum(s for s, _ in sound) / len(sound), 0.8333, len(sound))
    passes = {rate: rate**5 + 5 * rate**4 * (1 - rate) for rate in (0.95, 0.6)}
    assert [round(v, 4) for v in passes.values()] == [0.9774, 0.337]
    for is_sound, rate in ((True, 0.95), (False, 0.6)):
        mine = [kept for s, kept in sound if s == is_sound]
        assert near(sum(mine) / len(mine), passes[rate], len(mine))
    kept = [s for s, kept in sound if kept]
    purity = 0.8333 * passes[0.95] / (0.8333 * passes[0.95] + 0.1667 * passes[0.6])
    assert round(purity, 4) == 0.9355
    assert near(sum(kept) / len(kept), purity, len(kept))
    # Only right answers are questioned, and of each every option once.
    asked = ask(folder, "SELECT count(*), count(DISTINCT key) FROM calls WHERE step = 'follow_up'")
    assert asked == [(5 * len(rows), 5 * len(rows))]


@pytest.mark.parametrize(
    ("says", "share", "misses", "balanced"),
    [
        (lambda gold, option: "Yes" if option == gold else "No", 1.0, 0, 1.0),
        (lambda gold, option: "No", 0.75, 1, 0.5),  # always no
        (lambda gold, option: "Yes.", 0.25, 3, 0.5),
        (lambda gold, option: "It is notable" if option == gold else "cannot be ruled out", 0.0, 4, None),
        (lambda gold, option: "No" if option == gold else "Yes", 0.0, 4, 0.0),
    ],
)
async def test_follow_ups_are_counted_by_option(tmp_path: Path, says, share, misses, balanced):
    def script(request, rng):
        task = request.task
        return (
            says(task.problem.answer, task.problem.lettered_choices[task.part.index][0])
            if request.step == "follow_up"
            else f"So.\nThe answer is {task.problem.answer}."
        )

    model = ScriptedModel(script, capabilities=frozenset({"chat"}))
    made = preset(tmp_path / "p.yaml", "self_training/crest", solve={"samples": 1})
    await run(made, choices(tmp_path / "in.jsonl", 1, 4), tmp_path / "run", model)
    scores = dict(ask(tmp_path / "run", "SELECT name, value FROM scores WHERE name LIKE 'follow_up%'"))
    assert scores == {"follow_up": share, "follow_up_misses": misses, "follow_up_balanced": balanced}
    assert ask(tmp_path / "run", "SELECT count(*) FROM kept_rationales") == [(int((balanced or 0) > 0.5),)]


async def test_pools_of_pairs_have_their_sizes_and_are_mixed_exactly(tmp_path: Path):
    made = preset(
        tmp_path / "p.yaml", "self_training/crest",
        solve={"samples": 6}, by_outcome={"limit": 99}, by_consistency={"limit": 99}, mixed_pairs=None,
    )  # fmt: skip
    model = ScriptedModel(World(solve_rate=0.5)).knowing(load_pipeline(made).simulators)
    rows = choices(tmp_path / "in.jsonl", 60)
    await run(made, rows, tmp_path / "run", model)
    found = ask(
        tmp_path / "run",
        "SELECT r.problem, r.text, s.value, f.value FROM rationales r JOIN scores s ON s.target = r.id AND s.name = 'correct' "
        "LEFT JOIN scores f ON f.target = r.id AND f.name = 'follow_up'",
    )
    # Z has c (k - c) pairs a problem, the other pool the sum over a > b of n_a n_b.
    by_problem: dict[str, list] = {}
    for problem, text, right, share in found:
        by_problem.setdefault(problem, []).append((text, right, share))
    outcome = sum(len({t for t, r, _ in rs if r}) * len({t for t, r, _ in rs if not r}) for rs in by_problem.values())
    consistency = 0
    for rs in by_problem.values():
        levels = Counter(share for _, share in {(t, s) for t, r, s in rs if r})
        consistency += sum(levels[a] * levels[b] for a in levels for b in levels if a > b)
    assert dict(ask(tmp_path / "run", "SELECT step, count(*) FROM pairs GROUP BY 1")) == {
        "by_outcome": outcome,
        "by_consistency": consistency,
    }
    assert ask(tmp_path / "run", "SELECT DISTINCT reason, margin > 0 FROM pairs ORDER BY 1") == [
        ("correctness", True),
        ("score follow_up", True),
    ]

    mixed = preset(
        tmp_path / "p.yaml",
        "self_training/crest",
        solve={"samples": 6},
        by_outcome={"limit": 99},
        by_consistency={"limit": 99},
    )
    await run(mixed, rows, tmp_path / "run", model)
    kept = dict(ask(tmp_path / "run", "SELECT step, count(*) FROM kept_pairs GROUP BY 1"))
    whole = min(consistency / 0.6, outcome / 0.4)
    assert kept == {"by_consistency": round(whole * 0.6), "by_outcome": round(whole * 0.4)}
    out = dict(ask(tmp_path / "run", "SELECT rule, count(*) FROM rejections WHERE step = 'mixed_pairs' GROUP BY 1"))
    assert sum(out.values()) == outcome + consistency - sum(kept.values())


async def test_a_pool_without_pairs_is_left_out_of_the_mix(tmp_path: Path):
    """The follow-ups of a student that always says no tell nothing: no pairs by consistency, and nothing to fine-tune on."""
    world = World(solve_rate=0.5)

    def always_no(request, rng):
        return "No" if request.step == "follow_up" else world(request, rng)

    model = ScriptedModel(always_no, capabilities=frozenset({"chat", "seed"}))
    made = preset(tmp_path / "p.yaml", "self_training/crest", solve={"samples": 4})
    await run(made, choices(tmp_path / "in.jsonl", 10), tmp_path / "run", model)
    pairs = dict(ask(tmp_path / "run", "SELECT step, count(*) FROM pairs GROUP BY 1"))
    assert set(pairs) == {"by_outcome"}
    assert dict(ask(tmp_path / "run", "SELECT step, count(*) FROM kept_pairs GROUP BY 1")) == pairs
    assert ask(tmp_path / "run", "SELECT count(*) FROM kept_rationales") == [(0,)]


def test_a_method_for_options_is_refused_without(tmp_path: Path):
    done = synth(
        "run",
        "crest",
        "--input",
        sums(tmp_path / "in.jsonl", 2),
        "--run",
        tmp_path / "run",
        "--model",
        "scripted",
        check=2,
    )
    assert "choices" in done.stderr
