"""`--until`: what is counted is what is kept in the end."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from pathlib import Path

import pytest
from forks import python
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import Counting, ask, run, stored, sums, yaml_file

from synth.calls import Budget
from synth.corpus.view import StoreView
from synth.engine import Target, corpus, run_pipeline
from synth.engine.workers import UNITS_AHEAD
from synth.errors import Stopped
from synth.models import ScriptedModel, World
from synth.pipeline import load_pipeline
from synth.records import Critique, Pair, Problem, Rationale, Rejection, UnitRecord
from synth.sources import open_source
from synth.steps import Unit
from synth.store.database import open_store
from synth.view.browse import Asked, find

PIPELINE = """
    pipeline: my/target
    steps:
      - {step: generate, samples: 2, temperature: 0.7}
      - {step: verify_answer}
      - {step: filter, name: right, keep: score.correct}
    corpus:
      - {step: limit_per_group, per: problem, at_most: 1}
"""


@pytest.fixture
def made(tmp_path: Path) -> Path:
    return yaml_file(tmp_path / "p.yaml", PIPELINE)


def entries(folder: Path) -> int:
    """Of the journal."""
    return sum(p.read_bytes().count(b"\n") for p in (folder / "journal").glob("*.jsonl"))


def kept(folder: Path) -> int:
    return int(ask(folder, "SELECT count(*) FROM kept_rationales")[0][0])


async def test_what_corpus_steps_reject_is_made_up_for(made: Path, tmp_path: Path):
    """Half of what the units keep is rejected by a corpus step: twice as many units are needed."""
    script, notes = Counting(), []
    folder, rows = tmp_path / "run", sums(tmp_path / "in.jsonl", 60)
    model = ScriptedModel(script, concurrency=2)
    summary = await run(made, rows, folder, model, until=Target.parse("20 kept"), on_note=notes.append)
    assert 20 <= kept(folder) <= 20 + 2 * UNITS_AHEAD
    assert len(script.asked) == 2 * kept(folder)
    assert "of the 20 rationales are kept after the corpus steps: more problems are begun" in notes[0]
    assert f"{kept(folder)} rationales kept in the end, after the corpus steps, of the 20 asked for" in summary.notes[0]
    assert f"{60 - kept(folder)} problems were not begun" in summary.notes[0]
    assert summary.not_begun == 60 - kept(folder)
    before = len(script.asked)
    again = await run(made, rows, folder, model, until=Target.parse("20 kept"))
    assert len(script.asked) == before
    assert again.notes == summary.notes
    more = await run(made, rows, folder, model, until=Target(100, "kept"))
    assert kept(folder) == 60
    assert (
        "60 rationales kept in the end, after the corpus steps, of the 100 asked for, and no problem is left"
        in (more.notes[0])
    )


@pytest.mark.parametrize("concurrency", [1, 8, 64])
async def test_few_units_are_begun_in_vain(made: Path, tmp_path: Path, concurrency: int):
    """However many calls may be in flight, hardly more are made than the yield takes."""
    script, folder = Counting(), tmp_path / "run"
    model = ScriptedModel(script, concurrency=concurrency, latency=0.002)
    await run(made, sums(tmp_path / "in.jsonl", 200), folder, model, until=Target(30, "kept"))
    assert 30 <= kept(folder) <= 34
    assert len(script.asked) <= 2 * 34


async def test_stopped_and_taken_up_it_reaches_the_same(made: Path, tmp_path: Path):
    """A run stopped at any call, and taken up, pays for nothing twice and keeps as many in the end."""
    rows = sums(tmp_path / "in.jsonl", 60)
    for most in (7, 20, 21, 39, 41):
        script, folder = Counting(), tmp_path / f"run{most}"
        model = ScriptedModel(script, concurrency=2)
        stopped = await run(made, rows, folder, model, until=Target(20, "kept"), budget=Budget(max_calls=most))
        if stopped.stopped is not None:
            assert len(script.asked) == most
        summary = await run(made, rows, folder, model, until=Target(20, "kept"))
        assert summary.stopped is None
        assert 20 <= kept(folder) <= 25
        assert ask(folder, "SELECT count(*), count(DISTINCT key) FROM calls") == [(len(script.asked),) * 2]
        assert len(script.asked) <= 2 * 25


def test_killed_and_taken_up_it_reaches_the_same(made: Path, tmp_path: Path):
    """Killed again and again, also while corpus steps run, the same command reaches the yield."""
    folder, rows = tmp_path / "run", sums(tmp_path / "in.jsonl", 60)
    program = f"""
import asyncio
from pathlib import Path
from synth.engine import Target, corpus, run_pipeline
from synth.pipeline import load_pipeline
from synth.sources import open_source
from synth.models import ScriptedModel, World
models = {{"teacher": [ScriptedModel(World(solve_rate=1), concurrency=2, latency=0.05)]}}
pipeline, source = load_pipeline({str(made)!r}), open_source({str(rows)!r})
asyncio.run(run_pipeline(pipeline, source, Path({str(folder)!r}), models, until=Target(20, "kept")))
"""
    rng, killed, most = random.Random(3), 0, 0
    while True:
        most += rng.randint(3, 15)
        with python(program) as process:
            while process.poll() is None:
                if entries(folder) >= most:
                    process.kill()
                    killed += 1
                    break
                time.sleep(0.005)
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL
    assert killed >= 4
    assert 20 <= kept(folder) <= 26
    assert ask(folder, "SELECT count(*) = count(DISTINCT key) FROM calls WHERE status = 'ok'") == [(True,)]


async def test_an_interrupt_while_corpus_steps_run_stops_before_more_is_asked(made: Path, tmp_path: Path, monkeypatch):
    """Whoever interrupts does not pay for the next units."""
    script, folder = Counting(), tmp_path / "run"
    pipeline = load_pipeline(str(made))
    source = open_source(str(sums(tmp_path / "in.jsonl", 60)))
    models = {"teacher": [ScriptedModel(script, concurrency=2)]}

    def slow(*given):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.1)
        return judge(*given)

    judge = corpus._judge
    monkeypatch.setattr(corpus, "_judge", slow)
    summary = await run_pipeline(pipeline, source, folder, models, until=Target(20, "kept"))
    assert isinstance(summary.stopped, Stopped)
    assert len(script.asked) <= 24
    monkeypatch.undo()
    await asyncio.sleep(0)
    await run_pipeline(pipeline, source, folder, models, until=Target(20, "kept"))
    assert 20 <= kept(folder) <= 25


async def test_pairs_are_counted_as_they_are_kept(tmp_path: Path):
    """A pair that a corpus step rejects does not count."""
    made = yaml_file(
        tmp_path / "p.yaml",
        """
        pipeline: my/pairs
        steps:
          - {step: generate, samples: 4, temperature: 0.7}
          - {step: verify_answer}
          - {step: pair}
        corpus:
          - {step: limit_per_group, target: chosen, per: problem, at_most: 1}
        """,
    )
    folder = tmp_path / "run"
    model = ScriptedModel(World(solve_rate=0.5), concurrency=2)
    await run(made, sums(tmp_path / "in.jsonl", 60), folder, model, until=Target(12, "pairs"))
    assert 12 <= ask(folder, "SELECT count(*) FROM kept_pairs")[0][0] <= 16


async def test_what_can_never_be_reached_is_not_paid_for(tmp_path: Path):
    """A cap that is full keeps none of what is made then: the run ends, says so, and does not try again."""
    made = yaml_file(tmp_path / "p.yaml", PIPELINE.replace("per: problem, at_most: 1", "per: model, at_most: 10"))
    script, folder, rows = Counting(), tmp_path / "run", sums(tmp_path / "in.jsonl", 200)
    model = ScriptedModel(script, concurrency=2)
    summary = await run(made, rows, folder, model, until=Target(20, "kept"))
    assert kept(folder) == 10
    before = len(script.asked)
    assert before <= 20 + 50 + 20 + 4
    assert "the corpus steps kept none of the last ones" in summary.notes[0]
    again = await run(made, rows, folder, model, until=Target(20, "kept"))
    assert len(script.asked) == before
    assert again.notes == summary.notes
    loose = yaml_file(tmp_path / "loose.yaml", PIPELINE.replace("per: problem, at_most: 1", "per: model, at_most: 20"))
    await run(loose, rows, folder, model, until=Target(20, "kept"))
    assert kept(folder) == 20
    assert len(script.asked) == before


# -- one definition of kept --


@st.composite
def units(draw: st.DrawFn) -> list[UnitRecord]:
    """A root problem, problems derived from it, rationales and pairs of any, and rejections of any of them."""
    root = Problem.root(question=f"Q{draw(st.integers(0, 9**9))}")
    problems = [root]
    for i in range(draw(st.integers(0, 3))):
        above = draw(st.sampled_from(problems))
        problems.append(Problem.make(unit=root.id, step="d", because=[root.id, i], question=f"D{i}", parent=above.id))
    rationales = [
        Rationale.make(
            unit=root.id, step="s", because=[root.id, i], problem=draw(st.sampled_from(problems)).id, author="teacher",
            response="t",
        )
        for i in range(draw(st.integers(0, 4)))
    ]  # fmt: skip
    pairs = [
        Pair.make(
            unit=root.id, step="p", because=[root.id, i], problem=rationales[0].problem, chosen=rationales[0].id,
            rejected=rationales[-1].id, reason="score", length_difference=0,
        )
        for i in range(draw(st.integers(0, 2)) if rationales else 0)
    ]  # fmt: skip
    critiques = [
        Critique.make(
            unit=root.id,
            step="c",
            because=[root.id, i],
            target=draw(st.sampled_from(rationales)).id,
            explanation="e",
            critic="x",
        )
        for i in range(draw(st.integers(0, 2)) if rationales else 0)
    ]
    every = [*problems, *rationales, *pairs, *critiques]
    out = draw(st.lists(st.sampled_from(every), max_size=3, unique_by=lambda r: r.id))
    return [
        *every,
        *(
            Rejection.make(unit=root.id, step="f", because=r.id, target=r.id, target_table=r.table, rule="r")
            for r in out
        ),
    ]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(units(), min_size=1, max_size=4, unique_by=lambda u: u[0].id))
def test_there_is_one_definition_of_kept(tmp_path_factory: pytest.TempPathFactory, corpus: list[list[UnitRecord]]):
    """Steps, targets, journal, SQL, store, corpus steps, expressions and the browser agree on what is kept."""
    folder = stored(tmp_path_factory.mktemp("u") / "run", *(r for unit in corpus for r in unit))
    for target in (Target(1, "kept"), Target(1, "pairs")):
        (n,) = ask(folder, target.query)[0]
        assert sum(map(target.count, corpus)) == n
        tables: list[dict[str, list[dict]]] = []
        for unit in corpus:
            tables.append({})
            for record in unit:
                tables[-1].setdefault(record.table, []).append(record.model_dump())
        assert sum(map(target.count_rows, tables)) == n
    for kind in (Problem, Rationale, Pair, Critique):
        kept_ids = {i for (i,) in ask(folder, f"SELECT id FROM kept_{kind.table}")}
        seen = set()
        for records in corpus:
            unit = Unit(records[0], None, {})
            unit.add(records)
            seen |= {r.id for r in unit.all(kind)}
            assert {r.id for r in unit.variables(records[0])["unit"][kind.table]} == {r.id for r in unit.all(kind)}
        assert seen == kept_ids, kind
        with open_store(folder) as store:
            assert {r.id for r in store.records(kind, kept=True)} == kept_ids
            if kind in {Problem, Rationale}:
                assert {r.id for r in StoreView(store).kept(kind.alias)} == kept_ids
                listed = find(store, Asked(kind.table, chosen=(("state", "kept"),)), None).rows
                assert {r["id"] for r in listed} == kept_ids
    with open_store(folder) as store:
        wide = {i for (i,) in store.sql("SELECT id FROM wide_rationales WHERE kept").fetchall()}
        assert wide == {i for (i,) in store.sql("SELECT id FROM kept_rationales").fetchall()}


def test_nobody_asks_about_solutions_of_a_rejected_problem(tmp_path: Path):
    """Where a filter rejects a derived problem, later steps leave its rationales alone: nothing is paid for them."""
    root = Problem.root(question="Q", answer="5", answer_kind="number")
    derived = Problem.make(
        unit=root.id, step="d", because=1, question="D", answer="5", answer_kind="number", parent=root.id
    )
    further = Problem.make(
        unit=root.id, step="d", because=2, question="E", answer="5", answer_kind="number", parent=derived.id
    )
    solutions = [
        Rationale.make(unit=root.id, step="s", because=p.id, problem=p.id, author="teacher", response="5", answer="5")
        for p in (root, derived, further)
    ]
    unit = Unit(root, None, {})
    unit.add([derived, further, *solutions])
    assert unit.made_by(Rationale, None) == solutions
    unit.add([Rejection.make(unit=root.id, step="f", because=0, target=derived.id, target_table="problems", rule="r")])
    assert unit.made_by(Rationale, None) == solutions[:1]
    assert unit.all(Problem) == [root]
