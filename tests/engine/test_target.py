"""`--until`: what is counted is what is kept in the end."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import Counting, ask, run, stored, sums, yaml_file

from synth.engine import Target, run_pipeline
from synth.engine.run import UNITS_AHEAD
from synth.errors import Stopped
from synth.pipeline import load_pipeline
from synth.records import Pair, Problem, Rationale, Rejection, UnitRecord
from synth.sources import open_source
from synth.teachers import Budget, ScriptedTeacher, World

PIPELINE = """
    pipeline: my/target
    steps:
      - {step: rationalize, samples: 2, temperature: 0.7}
      - {step: verify_answer}
      - {step: filter, name: right, keep: score.correct}
    corpus:
      - {step: cap, per: problem, at_most: 1}
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
    teacher = ScriptedTeacher(script, concurrency=2)
    summary = await run(made, rows, folder, teacher, until=Target.parse("20 kept"), on_note=notes.append)
    assert 20 <= kept(folder) <= 20 + 2 * UNITS_AHEAD
    assert len(script.asked) == 2 * kept(folder)
    assert "of the 20 rationales are kept after the corpus steps: more problems are begun" in notes[0]
    assert f"{kept(folder)} rationales kept in the end, after the corpus steps, of the 20 asked for" in summary.notes[0]
    assert f"{60 - kept(folder)} problems were not begun" in summary.notes[0]
    assert summary.not_begun == 60 - kept(folder)
    before = len(script.asked)
    again = await run(made, rows, folder, teacher, until=Target.parse("20 kept"))
    assert len(script.asked) == before
    assert again.notes == summary.notes
    more = await run(made, rows, folder, teacher, until=Target(100, "kept"))
    assert kept(folder) == 60
    assert (
        "60 rationales kept in the end, after the corpus steps, of the 100 asked for, and no problem is left"
        in (more.notes[0])
    )


@pytest.mark.parametrize("concurrency", [1, 8, 64])
async def test_few_units_are_begun_in_vain(made: Path, tmp_path: Path, concurrency: int):
    """However many calls may be in flight, hardly more are made than the yield takes."""
    script, folder = Counting(), tmp_path / "run"
    teacher = ScriptedTeacher(script, concurrency=concurrency, latency=0.002)
    await run(made, sums(tmp_path / "in.jsonl", 200), folder, teacher, until=Target(30, "kept"))
    assert 30 <= kept(folder) <= 34
    assert len(script.asked) <= 2 * 34


async def test_stopped_and_taken_up_it_reaches_the_same(made: Path, tmp_path: Path):
    """A run stopped at any call, and taken up, pays for nothing twice and keeps as many in the end."""
    rows = sums(tmp_path / "in.jsonl", 60)
    for most in (7, 20, 21, 39, 41):
        script, folder = Counting(), tmp_path / f"run{most}"
        teacher = ScriptedTeacher(script, concurrency=2)
        stopped = await run(made, rows, folder, teacher, until=Target(20, "kept"), budget=Budget(max_calls=most))
        if stopped.stopped is not None:
            assert len(script.asked) == most
        summary = await run(made, rows, folder, teacher, until=Target(20, "kept"))
        assert summary.stopped is None
        assert 20 <= kept(folder) <= 25
        assert ask(folder, "SELECT count(*), count(DISTINCT key) FROM calls") == [(len(script.asked),) * 2]
        assert len(script.asked) <= 2 * 25


def test_killed_and_taken_up_it_reaches_the_same(made: Path, tmp_path: Path):
    """Killed again and again, also while corpus steps run, the same command reaches the yield."""
    folder, rows = tmp_path / "run", sums(tmp_path / "in.jsonl", 60)
    program = f"""
import asyncio, sys
sys.path.insert(0, {str(Path(__file__).parent.parent)!r})
from pathlib import Path
from support import run
from synth.engine import Target
from synth.teachers import ScriptedTeacher, World
teacher = ScriptedTeacher(World(solve_rate=1), concurrency=2, latency=0.05)
asyncio.run(run(Path({str(made)!r}), Path({str(rows)!r}), Path({str(folder)!r}), teacher, until=Target(20, "kept")))
"""
    rng, killed, most = random.Random(3), 0, 0
    while True:
        most += rng.randint(3, 15)
        with subprocess.Popen([sys.executable, "-c", program]) as process:
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
    teachers = {"teacher": [ScriptedTeacher(script, concurrency=2)]}
    engine = sys.modules["synth.engine.run"]  # the name in the package is the function

    def slow(*given):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.1)
        return judge(*given)

    judge = engine.judge
    monkeypatch.setattr(engine, "judge", slow)
    summary = await run_pipeline(pipeline, source, folder, teachers, until=Target(20, "kept"))
    assert isinstance(summary.stopped, Stopped)
    assert len(script.asked) <= 24
    monkeypatch.undo()
    await asyncio.sleep(0)
    await run_pipeline(pipeline, source, folder, teachers, until=Target(20, "kept"))
    assert 20 <= kept(folder) <= 25


async def test_pairs_are_counted_as_they_are_kept(tmp_path: Path):
    """A pair that a corpus step rejects does not count."""
    made = yaml_file(
        tmp_path / "p.yaml",
        """
        pipeline: my/pairs
        steps:
          - {step: rationalize, samples: 4, temperature: 0.7}
          - {step: verify_answer}
          - {step: pair}
        corpus:
          - {step: cap, target: chosen, per: problem, at_most: 1}
        """,
    )
    folder = tmp_path / "run"
    teacher = ScriptedTeacher(World(solve_rate=0.5), concurrency=2)
    await run(made, sums(tmp_path / "in.jsonl", 60), folder, teacher, until=Target(12, "pairs"))
    assert 12 <= ask(folder, "SELECT count(*) FROM kept_pairs")[0][0] <= 16


async def test_what_can_never_be_reached_is_not_paid_for(tmp_path: Path):
    """A cap that is full keeps none of what is made then: the run ends, says so, and does not try again."""
    made = yaml_file(tmp_path / "p.yaml", PIPELINE.replace("per: problem, at_most: 1", "per: teacher, at_most: 10"))
    script, folder, rows = Counting(), tmp_path / "run", sums(tmp_path / "in.jsonl", 200)
    teacher = ScriptedTeacher(script, concurrency=2)
    summary = await run(made, rows, folder, teacher, until=Target(20, "kept"))
    assert kept(folder) == 10
    before = len(script.asked)
    assert before <= 20 + 50 + 20 + 4
    assert "the corpus steps kept none of the last ones" in summary.notes[0]
    again = await run(made, rows, folder, teacher, until=Target(20, "kept"))
    assert len(script.asked) == before
    assert again.notes == summary.notes
    loose = yaml_file(
        tmp_path / "loose.yaml", PIPELINE.replace("per: problem, at_most: 1", "per: teacher, at_most: 20")
    )
    await run(loose, rows, folder, teacher, until=Target(20, "kept"))
    assert kept(folder) == 20
    assert len(script.asked) == before


# -- one definition of kept --


@st.composite
def units(draw: st.DrawFn) -> list[UnitRecord]:
    """A root problem, problems derived from it, rationales and pairs of any, and rejections of any of them."""
    root = Problem.root(question=f"Q{draw(st.integers(0, 9**9))}")
    derived = [
        Problem.make(unit=root.id, step="d", because=[root.id, i], question=f"D{i}", parent=root.id)
        for i in range(draw(st.integers(0, 2)))
    ]
    problems = [root, *derived]
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
    every = [*problems, *rationales, *pairs]
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
def test_the_engine_counts_what_sql_counts(tmp_path_factory: pytest.TempPathFactory, corpus: list[list[UnitRecord]]):
    """Before corpus steps, units, journal and store agree on what is kept: the record, its problem and its unit are not rejected."""
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
