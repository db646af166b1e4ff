"""Each method gives the yields its arithmetic predicts, with a model whose abilities are known numbers."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from support import ask, run, sums, write_rows, yaml_file

from synth.export import export_run
from synth.models import ScriptedModel, World

N = 400


def near(share: float, expected: float, n: int = N) -> bool:
    """Within 4 standard deviations; the seeds are fixed, so this holds always or never."""
    return abs(share - expected) <= 4 * math.sqrt(expected * (1 - expected) / n)


def choices(path: Path, n: int, c: int) -> Path:
    rows = [
        {
            "question": f"Which of those is it in case {i}, with {i * i} of one kind and {7 * i} of another (r{i}x)?",
            "choices": [f"word{j}x{i}" for j in range(c)],
            "answer": "ABCDE"[i % c],
        }
        for i in range(n)
    ]
    return write_rows(path, rows)


def preset(path: Path, base: str, **override) -> Path:
    import json

    return yaml_file(path, f"pipeline: my/preset\nextends: {base}\noverride: {json.dumps(override)}\n")


async def test_fine_tune_cot_keeps_what_k_samples_of_accuracy_p_give(tmp_path: Path):
    """arXiv:2212.10071: P(kept) = 1 - (1 - p)^k, E[rationales kept] = k p."""
    p, k = 0.42, 8
    made = preset(tmp_path / "p.yaml", "distil/fine-tune-cot", sample={"samples": k}, select=None)
    await run(made, sums(tmp_path / "in.jsonl", N), tmp_path / "run", ScriptedModel(World(solve_rate=p)))
    funnel = dict(ask(tmp_path / "run", "SELECT stage, n FROM funnel"))
    assert funnel["problems"] == N
    assert funnel["asked"] == funnel["answered"] == k * N
    assert near(funnel["problems with a kept rationale"] / N, 1 - (1 - p) ** k)
    assert near(funnel["kept"] / (k * N), p, k * N)


async def test_fine_tune_cot_caps_each_problem_and_exports_gold_answers(tmp_path: Path):
    rows = sums(tmp_path / "in.jsonl", 60)
    await run("distil/fine-tune-cot", rows, tmp_path / "run", ScriptedModel(World(solve_rate=1)))
    assert set(ask(tmp_path / "run", "SELECT count(*) FROM kept_rationales GROUP BY problem")) == {(4,)}
    made = preset(tmp_path / "p.yaml", "distil/fine-tune-cot", sample={"samples": 6})
    await run(made, rows, tmp_path / "six", ScriptedModel(World(solve_rate=1)))
    assert set(ask(tmp_path / "six", "SELECT count(*) FROM kept_rationales GROUP BY problem")) == {(4,)}
    assert ask(tmp_path / "six", "SELECT DISTINCT step, rule FROM rejections") == [("select", "at most 4 a problem")]


@pytest.mark.parametrize(("s", "c", "purity"), [(0.5, 2, 2 / 3), (0.5, 5, 5 / 6)])
async def test_of_what_a_filter_by_answer_keeps_a_known_share_is_sound(tmp_path: Path, s: float, c: int, purity: float):
    """arXiv:2212.10071: s / (s + (1 - s) / c) for c choices."""
    assert s / (s + (1 - s) / c) == pytest.approx(purity)
    made = preset(tmp_path / "p.yaml", "distil/fine-tune-cot", select=None)
    await run(made, choices(tmp_path / "in.jsonl", N, c), tmp_path / "run", ScriptedModel(World(solve_rate=s)))
    kept = [World.is_sound(t) for (t,) in ask(tmp_path / "run", "SELECT text FROM kept_rationales")]
    assert near(len(kept) / (4 * N), s + (1 - s) / c, 4 * N)
    assert near(sum(kept) / len(kept), purity, len(kept))


@pytest.mark.parametrize("p", [0.1, 0.5])
async def test_pairs_are_to_be_had_where_one_is_right_and_one_is_wrong(tmp_path: Path, p: float):
    """arXiv:2410.16198: 1 - p^k - (1 - p)^k."""
    k = 8
    made = preset(tmp_path / "p.yaml", "distil/fine-tune-cot", sample={"samples": k})
    await run(made, sums(tmp_path / "in.jsonl", N), tmp_path / "run", ScriptedModel(World(solve_rate=p)))
    share = ask(tmp_path / "run", "SELECT count(DISTINCT problem) FROM pairs")[0][0] / N
    assert near(share, 1 - p**k - (1 - p) ** k)
    assert 1 - p**k - (1 - p) ** k == pytest.approx({0.1: 0.5695, 0.5: 0.9922}[p], abs=1e-4)
    assert ask(tmp_path / "run", "SELECT max(n) FROM (SELECT count(*) n FROM pairs GROUP BY problem)") == [(3,)]
    broken = """SELECT count(*) FROM pairs p JOIN rationales c ON c.id = p.chosen JOIN rationales r ON r.id = p.rejected
        JOIN scores sc ON sc.target = c.id JOIN scores sr ON sr.target = r.id
        WHERE sc.label <> 'right' OR sr.label <> 'wrong' OR c.problem <> r.problem OR c.text = r.text"""
    assert ask(tmp_path / "run", broken) == [(0,)]


async def test_star_keeps_p_and_with_the_hint_h_of_the_rest(tmp_path: Path):
    """arXiv:2203.14465: p + (1 - p) h; 0.6 and 0.5 give 0.80."""
    p, h = 0.6, 0.5
    model = ScriptedModel(World(solve_rate=p, hint_rate=h))
    await run("self_training/star", sums(tmp_path / "in.jsonl", N), tmp_path / "run", model)
    kept = ask(
        tmp_path / "run", "SELECT step, hinted, count(*), count(DISTINCT problem) FROM kept_rationales GROUP BY ALL"
    )
    counts = {step: (hinted, n) for step, hinted, n, problems in kept if n == problems}
    assert near(counts["solve"][1] / N, p)
    assert near(sum(n for _, n in counts.values()) / N, p + (1 - p) * h)
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
    assert near(len(texts) / N, 0.60)
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
