"""evidence/longreps (arXiv:2502.20790): no misquote is kept, at the yield that its arithmetic predicts."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest
from methods import near, preset
from support import ask, run, write_rows

from synth.models import ScriptedModel

MISQUOTED, WRONG = 0.3, 0.2
PLACES = """
    SELECT p.context, r.steps, s.part.index, s.value FROM rationales r JOIN problems p ON p.id = r.problem
    JOIN scores s ON s.target = r.id AND s.name = 'quote_at'"""


def _fact(i: int, j: int) -> str:
    return f"Box {i}-{j} holds {i * 7 + j} stones and no sand."


def _documents(path: Path, n: int) -> Path:
    """Each document has twenty facts; the question is about one of them."""
    rows = [
        {
            "question": f"Which colour has the lid in case {i}, which is named r{i * i}x?",
            "context": " ".join(_fact(i, j) for j in range(10))
            + "\nLid: green.\n"
            + " ".join(_fact(i, j) for j in range(10, 20)),
            "answer": "deep green",
        }
        for i in range(n)
    ]
    return write_rows(path, rows)


def _reply(quotes: list[str], answer: str = "deep green", reasoning: str = "So it is.") -> str:
    return json.dumps({"quotes": quotes, "reasoning": reasoning, "answer": answer})


def _misquote(fact: str) -> str:
    """As a careless reader remembers it: a word is missing that turns the meaning around."""
    return fact.replace("no sand", "sand")


def _student(request, rng: random.Random) -> str:
    i = int(re.search(r"in case (\d+)", request.task.problem.question)[1])
    facts = [_fact(i, j) for j in rng.sample(range(20), 2)]
    quotes = [_misquote(f) if rng.random() < MISQUOTED else f for f in facts]
    return _reply(quotes, "green" if rng.random() < WRONG else "deep green", f"It is so, {rng.randrange(10**9)}.")


def _grades(request, rng) -> str:
    """Grades that can be computed from the text that is rated."""
    number = int(re.search(r"It is so, (\d+)", request.messages[-1]["content"])[1])
    return json.dumps({"logic": number % 100 + 1, "reliance": 50, "concision": 60})


async def test_right_answers_with_exact_quotes_pass_and_no_others(tmp_path: Path):
    """(1 - m)^2 (1 - w) of the samples pass; none of them has a misquote, and the best by the judge is kept."""
    n, k = 100, 8
    passing = (1 - MISQUOTED) ** 2 * (1 - WRONG)
    assert round(passing, 4) == 0.392
    models = {"student": [ScriptedModel(_student, name="student")], "judge": [ScriptedModel(_grades, name="judge")]}
    made = preset(tmp_path / "p.yaml", "evidence/longreps", read={"samples": k})
    await run(made, _documents(tmp_path / "in.jsonl", n), tmp_path / "run", models)
    rated = ask(
        tmp_path / "run",
        "SELECT r.problem, r.id, r.text, s.value, r.id IN (SELECT id FROM kept_rationales) FROM rationales r "
        "JOIN scores s ON s.target = r.id AND s.name = 'path_quality'",
    )
    assert near(len(rated) / (n * k), passing, n * k)
    assert not any("stones and sand" in text for _, _, text, _, _ in rated)
    by_problem: dict[str, list[tuple[float, bool]]] = {}
    for problem, _, _, value, kept in rated:
        by_problem.setdefault(problem, []).append((value, kept))
    assert near(len(by_problem) / n, 1 - (1 - passing) ** k, n)
    for rationales in by_problem.values():
        assert [value for value, kept in rationales if kept] == [max(value for value, _ in rationales)]
    # Every quote has its place in the document, or -1.
    places = ask(tmp_path / "run", PLACES)
    assert len(places) == 2 * n * k
    for context, steps, index, at in places:
        quote = steps[index]
        assert at == context.find(quote)
        assert at < 0 or context[int(at) : int(at) + len(quote)] == quote
    assert near(sum(at < 0 for *_, at in places) / len(places), MISQUOTED, len(places))


@pytest.mark.parametrize(
    ("quotes", "kept"),
    [
        ([_fact(0, 3)], 1),
        (["Lid: green. Box 0-10 holds 10 stones"], 1),  # over the end of a line
        ([], 0),  # nothing is quoted
        ([_fact(0, 3), _misquote(_fact(0, 4))], 0),
        ([_fact(0, 3).lower()], 0),  # letter for letter
        ([f"{_fact(0, 3)}\nAnd all of it is gold."], 0),  # what stands below a quote is part of it
        (["Which colour has the lid"], 0),  # the question is no evidence
    ],
)
async def test_what_counts_as_a_quote(tmp_path: Path, quotes: list[str], kept: int):
    def model(request, rng):
        return _reply(quotes) if request.step == "read" else json.dumps({"logic": 9, "reliance": 9, "concision": 9})

    made = preset(tmp_path / "p.yaml", "evidence/longreps", read={"samples": 1})
    await run(made, _documents(tmp_path / "in.jsonl", 1), tmp_path / "run", ScriptedModel(model))
    assert ask(tmp_path / "run", "SELECT count(*) FROM rationales") == [(1,)]
    assert ask(tmp_path / "run", "SELECT count(*) FROM kept_rationales") == [(kept,)]


@pytest.mark.data
async def test_evidence_of_people_stands_in_its_documents(tmp_path: Path, data: Path):
    """FEVER: all evidence that people marked is found; with two of its words swapped it is not."""
    claims = [json.loads(line) for line in (data / "eraser_fever.jsonl").read_text().splitlines()]
    evidence = {c["query"]: [e["text"] for e in c["evidences"][0]] for c in claims}
    rows = [
        {
            "question": c["query"],
            "context": "\n".join(" ".join(d.split()) for d in c["docs"].values()),
            "answer": c["classification"],
        }
        for c in claims
    ]
    rows = list({r["question"]: r for r in rows}.values())

    def swapped(quote: str) -> str:
        words = quote.split()
        return " ".join([words[1], words[0], *words[2:]])

    def model(request, rng):
        if request.step != "read":
            return json.dumps({"logic": 50, "reliance": 50, "concision": 50})
        problem = request.task.problem
        quotes = evidence[problem.question]
        return _reply(quotes if request.sample == 0 else [*quotes[1:], swapped(quotes[0])], problem.answer)

    made = preset(tmp_path / "p.yaml", "evidence/longreps", read={"samples": 2})
    await run(made, write_rows(tmp_path / "in.jsonl", rows), tmp_path / "run", ScriptedModel(model))
    kept = ask(tmp_path / "run", "SELECT sample, count(*) FROM kept_rationales GROUP BY 1")
    assert kept == [(0, len(rows))]
    for context, steps, index, at in ask(tmp_path / "run", PLACES):
        assert at == context.replace("\n", " ").find(steps[index])
