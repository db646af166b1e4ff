"""rlvr/cloze (arXiv:2512.03442): a hidden span, and the reward of who chose it."""

from __future__ import annotations

from math import sqrt
from pathlib import Path

from support import ask, run, write_rows, yaml_file

from synth.models import ScriptedModel, World

RATES = {"often": 0.95, "sometimes": 0.5, "never": 0.0}
ROWS = [
    {"question": f"It is {word}{i} seen in the garden of row r{3 * i + k}, they say."}
    for i in range(60)
    for k, word in enumerate(RATES)
]


def rate(problem) -> float:
    return next((share for word, share in RATES.items() if (problem.answer or "").startswith(word)), 0.0)


def propose(request, rng):
    return {"span": request.task.problem.question.split()[2]}


def model(**simulators) -> ScriptedModel:
    world = World(solve_rate=1, lucky_rate=0, difficulty=rate, simulators={"propose": propose, **simulators})
    return ScriptedModel(world, name="model")


SMALL = "pipeline: my/p\nextends: rlvr/cloze\noverride: {propose: {samples: 1, temperature: 0}, exact: null%s}\n"


async def test_the_reward_of_the_generator(tmp_path: Path):
    """0.05, 0.5 and 0 in the mean, within three standard deviations; no span that is always or never found is kept."""
    rows = write_rows(tmp_path / "in.jsonl", ROWS)
    await run(yaml_file(tmp_path / "p.yaml", SMALL % ""), rows, tmp_path / "run", model())
    found = ask(
        tmp_path / "run",
        "SELECT regexp_extract(p.answer, '[a-z]+'), count(*), avg(g.value), avg(s.value) FROM problems p "
        "JOIN scores g ON g.target = p.id AND g.name = 'r_gen' JOIN scores s ON s.target = p.id AND s.name = 'pass_rate' GROUP BY 1",
    )
    assert sorted(word for word, *_ in found) == sorted(RATES)
    for word, n, reward, share in found:
        assert n == 60
        wanted = RATES[word]
        error = 3 * sqrt(wanted * (1 - wanted) / (8 * n))
        assert abs(share - wanted) <= error
        # Where none of eight is right the reward is 0 and not 1; for 0.5 this is once in 256.
        assert abs(reward - (1 - wanted if wanted else 0)) <= error + 0.5**8
    kept = ask(
        tmp_path / "run",
        "SELECT answer, value FROM kept_problems p JOIN scores s ON s.target = p.id AND s.name = 'pass_rate'",
    )
    assert all(0 < value < 1 for _, value in kept)
    assert not any(answer.startswith("never") for answer, _ in kept)
    assert sum(answer.startswith("sometimes") for answer, _ in kept) >= 58


async def test_putting_the_answer_back_gives_the_passage(tmp_path: Path):
    rows = write_rows(tmp_path / "in.jsonl", ROWS[:9])
    await run(yaml_file(tmp_path / "p.yaml", SMALL % ""), rows, tmp_path / "run", model())
    found = ask(
        tmp_path / "run",
        "SELECT p.context, p.answer, q.question, (p.meta->'mask'->>'start')::INT FROM problems p JOIN problems q ON q.id = p.parent",
    )
    assert len(found) == 9
    for context, answer, passage, start in found:
        assert context.replace("[mask]", answer) == passage
        assert passage[start:].startswith(answer)


async def test_a_span_that_could_be_copied_is_not_hidden(tmp_path: Path):
    """It stands in the passage twice, in capitals, not at all, or the passage has a mask already."""
    said = ["The mill is a mill.", "Mill by the mill.", "No such word.", "A [mask] and a mill.", "The mill is old."]

    def chosen(request, rng):
        return {"span": "mill"}

    rows = write_rows(tmp_path / "in.jsonl", [{"question": text} for text in said])
    await run(yaml_file(tmp_path / "p.yaml", SMALL % ""), rows, tmp_path / "run", model(propose=chosen))
    assert ask(tmp_path / "run", "SELECT context FROM problems WHERE parent IS NOT NULL") == [("The [mask] is old.",)]
    assert ask(tmp_path / "run", "SELECT count(*) FROM failures") == [(0,)]


async def test_spans_by_rule_take_the_place_of_the_generator(tmp_path: Path):
    text = (
        "pipeline: my/p\nextends: rlvr/cloze\nreplace: {propose: {step: mask, hide: words, words: 1}}\n"
        "override: {exact: null}\nroles: {predictor: guesses}\n"
    )
    rows = write_rows(tmp_path / "in.jsonl", ROWS[:6])
    await run(yaml_file(tmp_path / "p.yaml", text), rows, tmp_path / "run", {"predictor": [model()]})
    assert ask(tmp_path / "run", "SELECT count(*) FROM problems WHERE parent IS NOT NULL") == [(24,)]
