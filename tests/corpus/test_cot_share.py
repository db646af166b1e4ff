"""The schedule of rationales: its closed form, that the export follows it, and that added rows change nothing."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import hypothesis.strategies as st
import pytest
from corpus_view import View
from hypothesis import given, settings
from support import ask, run, sums, write_rows, yaml_file

from synth.audit import run_audits
from synth.corpus.cot_share import CotShare
from synth.errors import UserError
from synth.export import ExportOptions, export_run
from synth.models import ScriptedModel, World
from synth.pipeline import read_pipeline

N = 20_000
MANY = View(["x"] * N)


@pytest.mark.parametrize(("power", "expected"), [(0, 1.0), (0.5, 2 / 3), (1, 1 / 2), (2, 1 / 3), (5, 1 / 6)])
def test_the_share_of_rationales_is_that_of_the_schedule(power: float, expected: float):
    """Over the whole stream it is the integral of x^power, 1 / (1 + power)."""
    made = CotShare(name="c", power=power).run(MANY)
    share = sum(s.label == "rationale" for s in made) / N
    assert share == pytest.approx(expected, abs=4 * (expected * (1 - expected) / N) ** 0.5 + 1e-12)
    assert sum(s.value for s in made) / N == pytest.approx(expected, abs=0.015)


@given(st.floats(0, 1), st.floats(0, 6), st.floats(0, 0.5), st.floats(0.5, 1), st.integers(0, 5))
@settings(deadline=None, max_examples=30)
def test_the_probability_begins_at_its_lowest_and_is_cut_off_at_its_highest(share, power, lowest, highest, seed):
    step = CotShare(name="c", share=share, power=power, lowest=lowest, highest=highest, seed=seed)
    made = step.run(View(["x"] * 500))
    assert all(min(lowest, highest) <= s.value <= highest for s in made)
    tenths = [sorted(s.value for s in made)[i] for i in range(0, 500, 50)]
    for i, p in enumerate(tenths):
        # A quantile of 500 places is off by 0.1 at most, all but surely.
        low, high = (min(share * max(0, min(1, i / 10 + d)) ** power + lowest, highest) for d in (-0.1, 0.1))
        assert low - 1e-9 <= p <= high + 1e-9


def test_every_tenth_of_the_stream_has_its_share():
    made = sorted(CotShare(name="c", power=2, share=0.8, lowest=0.1, highest=0.7).run(MANY), key=lambda s: s.value)
    for i in range(10):
        part = made[i * N // 10 : (i + 1) * N // 10]
        mean = sum(s.value for s in part) / len(part)
        realised = sum(s.label == "rationale" for s in part) / len(part)
        assert realised == pytest.approx(mean, abs=4 * (0.25 / len(part)) ** 0.5)


def test_added_rows_and_order_leave_the_others_as_they_are_and_a_seed_does_not():
    step = CotShare(name="c", power=1)
    before = {s.target: (s.value, s.label) for s in step.run(View(["x"] * 300))}
    view = View(["x"] * 900)
    view.records.reverse()
    after = {s.target: (s.value, s.label) for s in step.run(view)}
    assert {t: after[t] for t in before} == before
    assert {s.target: (s.value, s.label) for s in CotShare(name="c", power=1, seed=1).run(view)} != after
    assert step.run(View([])) == []


async def made_run(folder: Path, corpus: str, n: int = 60) -> Path:
    path = yaml_file(
        folder / "p.yaml",
        f"""
        pipeline: my/p
        steps:
          - {{step: generate, samples: 2, temperature: 1.0}}
          - {{step: verify_answer}}
          - {{step: filter, keep: score.correct}}
        corpus:
          {corpus}
        """,
    )
    await run(path, sums(folder / "in.jsonl", n), folder / "run", ScriptedModel(World()))
    return folder / "run"


async def test_an_export_follows_the_schedule_in_its_order(tmp_path: Path):
    folder = await made_run(tmp_path, "- {step: cot_share, power: 1}")
    made = export_run(folder, "sft", tmp_path / "out")
    rows = [json.loads(line) for line in made.path.read_text().splitlines()]
    scheduled = {
        i: (label, value, text, answer)
        for i, label, value, text, answer in ask(
            folder,
            """SELECT r.id, s.label, s.value, r.text, p.answer FROM kept_rationales r JOIN problems p ON p.id = r.problem
               JOIN scores s ON s.target = r.id AND s.name = 'cot_share'""",
        )
    }
    assert {r["record_id"] for r in rows} == set(scheduled)
    assert len(rows) == len(scheduled) > 60
    for row in rows:
        label, _, text, answer = scheduled[row["record_id"]]
        assert row["task"] == label
        said = row["messages"][-1]["content"]
        # What stands for the answer alone has no word of the reasoning.
        assert said == (f"The answer is {answer}." if label == "answer" else f"{text}\nThe answer is {answer}.")
    assert all(scheduled[a["record_id"]][1] <= scheduled[b["record_id"]][1] for a, b in pairwise(rows))
    assert {r["task"] for r in rows[:15]} != {"rationale"}
    assert sum(r["task"] == "rationale" for r in rows[: len(rows) // 2]) < sum(
        r["task"] == "rationale" for r in rows[len(rows) // 2 :]
    )
    assert "a trainer that shuffles them undoes it" in " ".join(made.notes)
    (verdict,) = run_audits(folder, only=["cot_share"])
    assert (verdict.status, verdict.n) == ("passed", len(rows))


async def test_other_targets_do_not_follow_it_and_two_stages_cannot(tmp_path: Path):
    folder = await made_run(tmp_path, "- {step: cot_share, share: 0.5}", 20)
    both = export_run(folder, "sft", tmp_path / "both", ExportOptions(target="both"))
    tasks = [json.loads(line)["task"] for line in both.path.read_text().splitlines()]
    assert tasks.count("rationale") == ask(folder, "SELECT count(*) FROM kept_rationales")[0][0]
    assert not any("shuffles" in note for note in both.notes)
    assert not any(
        "shuffles" in n for n in export_run(folder, "sft", tmp_path / "even").notes
    )  # the same throughout: order means nothing
    with pytest.raises(UserError, match="cot_share has scheduled"):
        export_run(folder, "sft", tmp_path / "two", ExportOptions(stages="two"))


async def test_what_states_no_answer_cannot_stand_for_one(tmp_path: Path):
    path = yaml_file(
        tmp_path / "p.yaml",
        "pipeline: my/p\nsteps:\n  - {step: generate}\ncorpus:\n  - {step: cot_share, share: 0.5}\n",
    )
    rows = write_rows(tmp_path / "in.jsonl", [{"question": f"What of case {i}?"} for i in range(60)])
    await run(path, rows, tmp_path / "run", ScriptedModel(lambda *_: "I think about it, and do not know"))
    made = export_run(tmp_path / "run", "sft", tmp_path / "out")
    assert made.rows < 60
    (told,) = made.left_out
    assert told.startswith(f"{60 - made.rows} left out: it states no answer, and is scheduled")
    (verdict,) = run_audits(tmp_path / "run", only=["cot_share"])
    assert verdict.status == "failed"


@pytest.mark.parametrize(
    ("corpus", "told"),
    [
        ("- {step: cot_share}", "every row would have its rationale"),
        ("- {step: cot_share, share: 1.5}", "less than or equal to 1"),
        ("- {step: cot_share, power: -1}", "greater than or equal to 0"),
        ("- {step: cot_share, power: .inf}", "finite number"),
        ("- {step: cot_share, share: 0.5, lowest: 0.9, highest: 0.1}", "lowest is above highest"),
        ("- {step: cot_share, share: 0.5}\n  - {step: cot_share, name: two, share: 0.2}", "a second cot_share"),
        ("- {step: split}\n  - {step: split, name: two}", "a second split"),
    ],
)
def test_mistakes_are_reported_before_anything_is_asked(tmp_path: Path, corpus: str, told: str):
    path = tmp_path / "p.yaml"
    path.write_text(f"pipeline: my/p\nsteps:\n  - {{step: generate}}\ncorpus:\n  {corpus}\n")
    with pytest.raises(UserError) as error:
        read_pipeline(str(path)).checked()
    assert told in str(error.value)
