"""distil/rationale-impact-probe (arXiv:2505.24147): accuracy by votes, and calibration, in closed form."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from math import comb
from pathlib import Path

import pytest
from methods import choices, near
from support import ROOT, ask, run, write_rows

from synth.measures import expected_calibration_error
from synth.models import ScriptedModel
from synth.verify import extract_answer

README = ROOT / "pipelines" / "distil" / "rationale-impact-probe" / "README.md"


def _compared(folder: Path) -> dict[str, tuple[float, float, float]]:
    """Rows, accuracy and calibration error of each model, by the question in SQL that the README gives."""
    found = re.search(r"```sql\n(.*?)```", README.read_text(), re.DOTALL)
    assert found
    return {step: figures for step, *figures in ask(folder, found[1])}


def _answers(right: float):
    """A model of which each sample is right with this probability."""

    def script(request, rng):
        gold = request.task.problem.answer
        other = "B" if gold == "A" else "A"
        return f"So it is.\nThe answer is {gold if rng.random() < right else other}."

    return script


async def test_the_majority_is_right_at_the_rate_of_the_binomial(tmp_path: Path):
    """Ten samples, two options: more than five right votes, and half of the ties."""
    n = 150
    expected = {}
    for p in (0.7, 0.5):
        most = sum(comb(10, j) * p**j * (1 - p) ** (10 - j) for j in range(6, 11))
        expected[p] = most + comb(10, 5) * p**5 * (1 - p) ** 5 / 2
        assert p == 0.5 or round(most, 4) == 0.8497
    assert [round(e, 4) for e in expected.values()] == [0.9012, 0.5]
    models = {
        "with_rationales": [ScriptedModel(_answers(0.7), name="with")],
        "answers_alone": [ScriptedModel(_answers(0.5), name="without")],
    }
    await run("distil/rationale-impact-probe", choices(tmp_path / "in.jsonl", n, 2), tmp_path / "run", models)
    figures = _compared(tmp_path / "run")
    assert [figures[s][0] for s in ("with", "without")] == [n, n]
    assert near(figures["with"][1], expected[0.7], n)
    assert near(figures["without"][1], expected[0.5], n)


async def test_calibration_is_that_of_the_definition(tmp_path: Path):
    """Confidence that is borne out has an error of 0; constant confidence has |accuracy - confidence|."""

    def number(request):
        return int(re.search(r"in case (\d+)", request.task.problem.question)[1])

    def calibrated(request, rng):
        """Ten problems with 10 votes, all right; ten with 8, of which 8 are right; ten with 6, of which 6 are."""
        group, place = divmod(number(request), 10)
        votes = (10, 8, 6)[group]
        return _vote(request, votes, right=place < votes)

    def constant(request, rng):
        return _vote(request, 8, right=number(request) < 15)

    def _vote(request, votes: int, *, right: bool) -> str:
        gold = request.task.problem.answer
        other = "B" if gold == "A" else "A"
        return f"So.\nThe answer is {gold if (request.sample < votes) == right else other}."

    models = {
        "with_rationales": [ScriptedModel(calibrated, name="with")],
        "answers_alone": [ScriptedModel(constant, name="without")],
    }
    await run("distil/rationale-impact-probe", choices(tmp_path / "in.jsonl", 30, 2), tmp_path / "run", models)
    figures = _compared(tmp_path / "run")
    assert figures["with"] == pytest.approx([30, 0.8, 0.0])
    assert figures["without"] == pytest.approx([30, 0.5, 0.3])


@pytest.mark.data
async def test_published_answers_of_ten_models_as_votes(tmp_path: Path, data: Path):
    """ZeroEval, GSM8K: the figures of the README's question are those of votes counted apart, and of our measure."""
    replies, gold = defaultdict(list), {}
    for row in map(json.loads, (data / "zeroeval_gsm.jsonl").read_text().splitlines()):
        replies[row["question"]].append(row["output"][0])
        gold[row["question"]] = row["answer"].removeprefix("# ")

    def model(request, rng):
        return replies[request.task.problem.question][request.sample]

    rows = [{"question": q, "answer": a} for q, a in gold.items()]
    await run(
        "distil/rationale-impact-probe", write_rows(tmp_path / "in.jsonl", rows), tmp_path / "run", ScriptedModel(model)
    )
    confidences, right = [], []
    for question, texts in replies.items():
        found = [extract_answer(t, kind="number") for t in texts]
        plain = [re.findall(r"-?\d+(?:\.\d+)?", re.sub("[,$]", "", a)) for a in found if a is not None]
        (answer, votes), *_ = Counter(float(numbers[-1]) for numbers in plain if numbers).most_common(1)
        confidences.append(votes / 10)
        right.append(answer == float(gold[question].replace(",", "")))
    accuracy, error = sum(right) / len(right), expected_calibration_error(confidences, right)
    figures = _compared(tmp_path / "run")
    assert figures["with"] == figures["without"]
    assert figures["with"][:2] == pytest.approx([150, accuracy])
    assert figures["with"][2] == pytest.approx(error, abs=0.001)  # one reply ends in another number than its answer
