"""judge/sagelm (arXiv:2508.20916): what is turned round, judges with a bias of position, labels out of ratings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from methods import near
from support import ROOT, ask, run, synth, write_rows

from synth.models import ScriptedModel

NAME = "judge/sagelm"
SWAPPED = {"A": "B", "B": "A", "C": "C"}


def compared(path: Path, rows: list[tuple[str, str, str]]) -> Path:
    """A file of (response 1, response 2, answer)."""
    return write_rows(
        path,
        [
            {
                "question": f"Which response is better in case {i} of q{i * i}?",
                "context": f"Response 1: {a}\n\nResponse 2: {b}",
                "choices": ["Response 1", "Response 2", "Tie"],
                "answer": answer,
                "response_1": a,
                "response_2": b,
                "row": i,
            }
            for i, (a, b, answer) in enumerate(rows)
        ],
    )


def shown(request) -> tuple[str, str]:
    """The two responses as a judge sees them."""
    _, _, text = request.messages[-1]["content"].partition("Response 1: ")
    first, _, second = text.partition("\n\nResponse 2: ")
    return first.strip(), second.strip()


def explained(request, text: str) -> str:
    """The reply of a teacher that says the verdict that it was given."""
    return json.dumps({"explanation": text, "verdict": request.task.problem.answer})


async def test_what_is_turned_round_is_turned_back_by_turning_again(tmp_path: Path):
    """1 and 2 change places in the responses, the verdict and the words of the explanation; a tie stays one."""

    def script(request, rng):
        if request.step != "explain":
            return '{"verdict": "tie"}'
        meta = request.task.problem.meta
        return explained(request, f"Response 1 says {meta['response_1']}; Response 2 says {meta['response_2']}.")

    await run(NAME, ROOT / "samples" / "comparisons.jsonl", tmp_path / "run", ScriptedModel(script))
    folder = tmp_path / "run"
    query = (
        "SELECT p.meta->>'id', p.context, p.answer, r.answer, r.response FROM rationales r "
        "JOIN problems p ON p.id = r.problem WHERE r.step = '{}' ORDER BY 1"
    )
    first, second = ask(folder, query.format("explain")), ask(folder, query.format("mirror"))
    assert len(first) == len(second) == 12

    def turned(text: str) -> str:
        return text.replace("Response 1", "@").replace("Response 2", "Response 1").replace("@", "Response 2")

    for (name, context, gold, answer, response), (other, context2, gold2, answer2, response2) in zip(
        first, second, strict=True
    ):
        assert (name, SWAPPED[gold], SWAPPED[answer]) == (other, gold2, answer2)
        one, two = (part.partition(": ")[2] for part in context.split("\n\n"))
        assert context2 == f"Response 1: {two}\n\nResponse 2: {one}"
        said, said2 = response.rpartition("\n")[0], response2.rpartition("\n")[0]
        assert turned(said2) == said != said2
        assert f"Response 2 says {one}" in said2
    kept = dict(ask(folder, "SELECT answer, count(*) FROM kept_rationales GROUP BY 1"))
    assert kept == {"A": 8, "B": 8, "C": 8}  # four each of A, B and C, twice
    assert synth("export", folder, "--to", "sft", "--order", "answer-first", "--out", tmp_path / "out", check=0)
    rows = [json.loads(line) for line in (tmp_path / "out" / "sft.jsonl").read_text().splitlines()]
    assert all(row["messages"][-1]["content"].startswith("The answer is ") for row in rows)


async def test_a_bias_of_position_is_seen_in_consistency(tmp_path: Path):
    """A judge says 1 at 0.3 whatever it sees, else the truth. Where there is a better response, it is consistent at 0.7."""
    n = 200

    def script(request, rng):
        if request.step == "explain":
            return explained(request, f"Response 1 and Response 2 differ, {rng.random()}.")
        truth = "1" if shown(request)[0].startswith("good") else "2"
        return json.dumps({"verdict": "1" if rng.random() < 0.3 else truth})

    rows = [(f"good {i}", f"bad {i}", "A") if i % 2 else (f"bad {i}", f"good {i}", "B") for i in range(n)]
    await run(NAME, compared(tmp_path / "in.jsonl", rows), tmp_path / "run", ScriptedModel(script))
    scores = {
        (name, answer): (mean, count)
        for name, answer, mean, count in ask(
            tmp_path / "run",
            "SELECT s.name, r.answer, avg(s.value), count(*) FROM scores s JOIN rationales r ON r.id = s.target "
            "WHERE s.name IN ('blind', 'consistent') GROUP BY ALL",
        )
    }
    assert {count for _, count in scores.values()} == {n / 2}
    assert near(scores["consistent", "A"][0], 0.7, n // 2)
    assert near(scores["consistent", "B"][0], 0.7, n // 2)
    assert scores["blind", "A"][0] == 1
    assert near(scores["blind", "B"][0], 0.7, n // 2)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Response 1 is clear, Response 2 is not.", True),
        ("First, Response 1 names the city.", True),
        ("The first response is clear.", False),
        ("Response 1 is clear, the latter is not.", False),
        ("Response B is clear.", False),
        ("The other one is clear.", False),
        ("Response 1 is better, as given.", False),
    ],
)
async def test_explanations_that_cannot_be_turned_round_are_left_out(tmp_path: Path, text: str, kept: bool):
    model = ScriptedModel(
        lambda request, rng: explained(request, text) if request.step == "explain" else '{"verdict": "1"}'
    )
    await run(NAME, compared(tmp_path / "in.jsonl", [("x", "y", "A")]), tmp_path / "run", model)
    steps = {step for (step,) in ask(tmp_path / "run", "SELECT step FROM kept_rationales")}
    assert steps == ({"explain", "mirror"} if kept else set())


async def test_an_explanation_of_another_verdict_is_left_out(tmp_path: Path):
    """It says Response 2 where Response 1 was given; a verdict in words is read as well."""
    said = ["Response 1", "B"]

    def script(request, rng):
        if request.step != "explain":
            return '{"verdict": "1"}'
        return json.dumps({"explanation": "Response 1 is short.", "verdict": said[request.task.problem.meta["row"]]})

    await run(NAME, compared(tmp_path / "in.jsonl", [("x", "y", "A")] * 2), tmp_path / "run", ScriptedModel(script))
    kept = ask(tmp_path / "run", "SELECT step, answer FROM kept_rationales ORDER BY 1")
    assert kept == [("explain", "A"), ("mirror", "B")]


def test_labels_come_of_ratings_and_a_missing_one_is_no_tie(tmp_path: Path):
    ratings = [(4, 2), (1, 5), (3, 3), (3, None), (None, 1)]
    rows = [
        {"dimension": "honesty", "instruction": f"Do {i}.", "response_1": f"a{i}", "response_2": f"b{i}", "rating_1": a, "rating_2": b}
        for i, (a, b) in enumerate(ratings)
    ]  # fmt: skip
    path = write_rows(tmp_path / "in.jsonl", rows)
    mapping = ROOT / "pipelines" / "judge" / "sagelm" / "ratings.map.yaml"
    synth("run", NAME, "--input", path, "--mapping", mapping, "--model", "scripted", "--run", tmp_path / "run", check=0)
    found = ask(tmp_path / "run", "SELECT meta->>'response_1', answer FROM problems WHERE parent IS NULL ORDER BY 1")
    assert found == [("a0", "A"), ("a1", "B"), ("a2", "C")]


@pytest.mark.data
@pytest.mark.parametrize("evaluator", ["GPT-4", "ChatGPT", "PaLM2", "LLaMA2"])
async def test_published_verdicts_in_both_orders(data: Path, tmp_path: Path, evaluator: str):
    """LLMBar: verdicts of a judge on 120 pairs, as they are and swapped; consistency and accuracy are those of the data."""

    def read(name):
        return [json.loads(line) for line in (data / name).read_text().splitlines()]

    pairs = {(r["subset"], r["idx"]): r for r in read("llmbar_pairs.jsonl")}
    said = {
        (r["subset"], r["idx"]): (r["results"][0]["swap = False"]["winner"], r["results"][0]["swap = True"]["winner"])
        for r in read("llmbar_judgements.jsonl")
        if (r["evaluator"], r["strategy"]) == (evaluator, "Vanilla")
    }
    keys = [key for key in said if key in pairs and all(w in {"1", "2"} for w in said[key])]
    rows = [(pairs[k]["output_1"], pairs[k]["output_2"], "AB"[pairs[k]["label"] - 1]) for k in keys]

    def script(request, rng):
        problem = request.task.problem
        if request.step == "explain":
            return explained(request, "Response 1 and Response 2 differ.")
        plain, swapped = said[keys[problem.meta["row"]]]  # both name a response in the order of the data
        return json.dumps({"verdict": plain if request.step == "blind" else {"1": "2", "2": "1"}[swapped]})

    await run(NAME, compared(tmp_path / "in.jsonl", rows), tmp_path / "run", ScriptedModel(script))
    scores = dict(
        ask(tmp_path / "run", "SELECT name, sum(value) FROM scores WHERE name IN ('blind', 'consistent') GROUP BY 1")
    )
    assert scores["consistent"] == sum(a == b for a, b in map(said.get, keys))
    assert scores["blind"] == sum(said[k][0] == str(pairs[k]["label"]) for k in keys)
