"""self_training/star (arXiv:2203.14465): the yields that its arithmetic predicts, and a hint that is never stored."""

from __future__ import annotations

from pathlib import Path

from methods import choices, near
from support import ask, run, sums

from synth.export import export_run
from synth.models import ScriptedModel, World

N = 400


async def test_star_keeps_p_and_with_the_hint_h_of_the_rest(tmp_path: Path):
    """arXiv:2203.14465: p + (1 - p) h; 0.6 and 0.5 give 0.80."""
    p, h = 0.6, 0.5
    model = ScriptedModel(World(solve_rate=p, hint_rate=h))
    await run("self_training/star", sums(tmp_path / "in.jsonl", N), tmp_path / "run", model)
    kept = ask(
        tmp_path / "run", "SELECT step, hinted, count(*), count(DISTINCT problem) FROM kept_rationales GROUP BY ALL"
    )
    counts = {step: (hinted, n) for step, hinted, n, problems in kept if n == problems}
    assert near(counts["solve"][1] / N, p, N)
    assert near(sum(n for _, n in counts.values()) / N, p + (1 - p) * h, N)
    assert {step: hinted for step, (hinted, _) in counts.items()} == {"solve": False, "rationalization": True}
    # Only what failed is asked again; each problem is kept once.
    asked = dict(ask(tmp_path / "run", "SELECT step, count(*) FROM calls GROUP BY 1"))
    assert asked == {"solve": N, "rationalization": N - counts["solve"][1]}
    assert ask(tmp_path / "run", "SELECT max(n) FROM (SELECT count(*) n FROM kept_rationales GROUP BY problem)") == [
        (1,)
    ]


async def test_star_accepts_guesses_among_choices_at_a_known_rate(tmp_path: Path):
    """arXiv:2203.14465: r + (1 - r) / c accepted, r / that of it genuine; 0.5 and 5 give 0.60 and 0.8333."""
    r, c = 0.5, 5
    model = ScriptedModel(World(solve_rate=r, hint_rate=0))
    await run("self_training/star", choices(tmp_path / "in.jsonl", N, c), tmp_path / "run", model)
    texts = [t for (t,) in ask(tmp_path / "run", "SELECT text FROM kept_rationales WHERE step = 'solve'")]
    assert near(len(texts) / N, 0.60, N)
    assert near(sum(map(World.is_sound, texts)) / len(texts), 0.8333, len(texts))


async def test_star_never_stores_the_hint(tmp_path: Path):
    leaks = ("As given, we choose.", "The right answer: it was told.", "We are told the answer.")

    def script(request, rng):
        if request.task.hint is None:
            return "I do not know.\nThe answer is 0."
        number = int(request.task.problem.question.split("Case ")[1].split(":")[0])
        leak = leaks[number % 6] if number % 6 < 3 else f"It is {number} and {number}."
        return f"{leak}\nThe answer is {request.task.hint}."

    await run("self_training/star", sums(tmp_path / "in.jsonl", 60), tmp_path / "run", ScriptedModel(script))
    assert ask(tmp_path / "run", "SELECT count(*), count(*) FILTER (hinted) FROM kept_rationales") == [(30, 30)]
    assert ask(
        tmp_path / "run",
        "SELECT step, count(*) FROM rejections WHERE target_table = 'rationales' GROUP BY 1 ORDER BY 1",
    ) == [
        ("no_leak", 30),
        ("right", 60),
    ]
    hints = ask(tmp_path / "run", "SELECT count(*) FROM calls WHERE messages::VARCHAR LIKE '%(Right answer: %'")
    assert hints == [(60,)]
    out = export_run(tmp_path / "run", "sft", tmp_path / "out").path.read_text()
    assert len(out.splitlines()) == 30
    assert "ight answer" not in out
    assert "told" not in out
