"""Math-Shepherd: soft labels are the binomial's, hard labels miss what eight failures hide, and every step has both."""

from __future__ import annotations

from methods import near
from support import ask, run, sums

from synth.models import ScriptedModel, World

STEPS, Q, K = 4, 0.4, 8


async def test_both_labels_are_what_arithmetic_says(tmp_path):
    world = World(solve_rate=(1 - Q) ** STEPS, steps=STEPS, lucky_rate=0, step_error_rate=0.3)
    await run("process/math-shepherd", sums(tmp_path / "in.jsonl", 80), tmp_path / "run", ScriptedModel(world))
    rows = ask(
        tmp_path / "run",
        "SELECT r.steps, list(v.value ORDER BY v.part.index), list(h.value ORDER BY v.part.index), any_value(c.value) FROM rationales r "
        "JOIN scores v ON v.target = r.id AND v.name = 'step_value' JOIN scores h ON h.target = r.id AND h.name = 'step_correct' AND h.part = v.part "
        "JOIN scores c ON c.target = r.id AND c.name = 'correct' GROUP BY r.id, r.steps",
    )
    sound: dict[int, list[tuple[float, float]]] = {}
    for steps, soft, hard, outcome in rows:
        assert len(soft) == len(hard) == STEPS
        assert soft[-1] == hard[-1] == outcome
        assert hard == [float(value > 0) for value in soft]
        first = World.first_error(tuple(steps))
        for index in range(STEPS - 1):
            if first is not None and index >= first:
                assert (soft[index], hard[index]) == (0, 0)
            else:
                sound.setdefault(STEPS - 1 - index, []).append((soft[index], hard[index]))
    for left, labels in sound.items():
        p = (1 - Q) ** left
        assert near(sum(s for s, _ in labels) / len(labels), p, K * len(labels))
        assert near(sum(h for _, h in labels) / len(labels), 1 - (1 - p) ** K, len(labels))
    calls = dict(ask(tmp_path / "run", "SELECT step, count(*) FROM calls GROUP BY 1"))
    assert calls == {"solve": 80 * 4, "complete": K * (STEPS - 1) * len(rows)}
    rates = ask(tmp_path / "run", "SELECT count(*) FROM scores WHERE name = 'pass_rate' AND value > 0 AND value < 1")[
        0
    ][0]
    assert len(rows) == 4 * rates > 0
