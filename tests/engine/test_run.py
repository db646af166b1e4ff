from __future__ import annotations

import asyncio
import gc
import random
from math import ceil
from pathlib import Path

import duckdb
import pytest
from support import ask, contents, run, sums, write_rows, yaml_file

from synth.calls import Budget
from synth.engine import Progress, Summary, Target, materializing
from synth.engine.workers import UNITS_AHEAD
from synth.errors import InputError, ModelError, RunFolderError, SetupError, UserError
from synth.models import Completion, Price, Request, ScriptedModel, World
from synth.pipeline import load_pipeline
from synth.records import Rationale, Rejection
from synth.sources import Source
from synth.store.journal import Position
from synth.store.manifest import Manifest
from synth.store.run_folder import RunFolder


class Counting:
    """A script that counts what it is asked."""

    def __init__(self, script=None) -> None:
        self.asked: list[Request] = []
        self.script = script or World()
        self.identity = "counting"

    def __call__(self, request: Request, rng: random.Random):
        self.asked.append(request)
        return self.script(request, rng)


def pipeline(path: Path, *, samples: int = 2, keep: str = "score.correct", extra: str = "") -> Path:
    return yaml_file(
        path / f"p{len(list(path.iterdir()))}.yaml",
        f"""
        pipeline: my/small
        steps:
          - {{step: generate, samples: {samples}, temperature: 0.7{extra}}}
          - {{step: verify_answer}}
          - {{step: filter, name: right, keep: "{keep}"}}
        """,
    )


async def test_second_run_of_a_finished_pipeline_asks_nothing(tmp_path: Path):
    script = Counting()
    rows, folder, made = sums(tmp_path / "in.jsonl"), tmp_path / "run", pipeline(tmp_path)
    first = await run(made, rows, folder, ScriptedModel(script))
    assert len(script.asked) == 40
    before = contents(folder)
    second = await run(made, rows, folder, ScriptedModel(script))
    assert len(script.asked) == 40
    assert (second.progress.calls.sent, second.progress.earlier, second.progress.done) == (0, 20, 0)
    assert second.funnel == first.funnel
    assert contents(folder) == before


async def test_equal_runs_give_equal_records(tmp_path: Path):
    rows, made = sums(tmp_path / "in.jsonl"), pipeline(tmp_path)
    await run(made, rows, tmp_path / "a", ScriptedModel(World(), latency=0.001, concurrency=3))
    await run(made, rows, tmp_path / "b", ScriptedModel(World(), concurrency=64))
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


async def test_more_input_asks_only_for_what_is_new(tmp_path: Path):
    script = Counting()
    rows, folder, made = sums(tmp_path / "in.jsonl"), tmp_path / "run", pipeline(tmp_path)
    await run(made, rows, folder, ScriptedModel(script), limit=5)
    assert len(script.asked) == 10
    await run(made, rows, folder, ScriptedModel(script))
    assert len(script.asked) == 40


async def test_a_step_changed_downstream_asks_nothing_and_a_prompt_changed_asks_again(tmp_path: Path):
    script = Counting()
    rows, folder = sums(tmp_path / "in.jsonl"), tmp_path / "run"
    await run(pipeline(tmp_path), rows, folder, ScriptedModel(script))
    kept = ask(folder, "SELECT count(*) FROM kept_rationales")[0][0]
    await run(pipeline(tmp_path, keep="not score.correct"), rows, folder, ScriptedModel(script))
    assert len(script.asked) == 40
    assert ask(folder, "SELECT count(*) FROM kept_rationales") == [(40 - kept,)]

    (tmp_path / "mine.j2").write_text(
        "{#- version: 1 -#}\n{% call user() %}Please solve: {{ problem.question }}{% endcall %}"
    )
    await run(pipeline(tmp_path, extra=", prompt: mine.j2"), rows, folder, ScriptedModel(script))
    assert len(script.asked) == 80
    # One more sample of each asks for that sample alone.
    await run(pipeline(tmp_path, samples=3, extra=", prompt: mine.j2"), rows, folder, ScriptedModel(script))
    assert len(script.asked) == 100


async def test_failed_replies_are_asked_again_unless_they_are_to_stand(tmp_path: Path):
    def some_fail(request: Request, rng: random.Random):
        n = int(request.task.problem.question.split("Case ")[1].split(":")[0])
        if n == 3:
            raise ModelError("refused", "I would rather not", raw="no")
        said = World()(request, rng)
        return Completion(said, finish="length") if n in {4, 5} else Completion("") if n == 6 else said

    script = Counting(some_fail)
    rows, folder = sums(tmp_path / "in.jsonl", 10), tmp_path / "run"
    await run(pipeline(tmp_path, samples=1), rows, folder, ScriptedModel(script))
    failures = ask(folder, "SELECT id, cause, message, raw, attempts FROM failures ORDER BY id")
    assert sorted(cause for _, cause, *_ in failures) == ["empty", "refused", "truncated", "truncated"]
    before = len(script.asked)
    changed = pipeline(tmp_path, samples=1, keep="score.correct and rationale.sample == 0")
    kept = await run(changed, rows, folder, ScriptedModel(script), no_retry_failed=True)
    assert len(script.asked) == before
    assert kept.progress.done == 10
    assert kept.progress.calls.replayed == 10
    assert ask(folder, "SELECT id, cause, message, raw, attempts FROM failures ORDER BY id") == failures
    await run(pipeline(tmp_path, samples=1, keep="score.correct == 1"), rows, folder, ScriptedModel(script))
    assert {r.task.problem.id for r in script.asked[before:]} == {
        t for (t,) in ask(folder, "SELECT target FROM failures")
    }
    assert len(script.asked) > before


async def test_equal_questions_asked_at_once_are_one_call(tmp_path: Path):
    script = Counting()
    made = yaml_file(
        tmp_path / "twice.yaml",
        """
        pipeline: my/twice
        steps:
          - {step: generate, name: one, temperature: 0}
          - {step: generate, name: other, temperature: 0}
        """,
    )
    await run(made, sums(tmp_path / "in.jsonl", 3), tmp_path / "run", ScriptedModel(script))
    assert len(script.asked) == 3
    assert ask(tmp_path / "run", "SELECT count(*) FROM rationales") == [(6,)]
    assert ask(tmp_path / "run", "SELECT count(*), count(DISTINCT key) FROM calls") == [(3, 3)]


async def test_units_wait_outside_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    read, most, progress = 0, 0, Progress()
    original = Source.problems

    def counted(self: Source):
        nonlocal read, most
        for problem in original(self):
            read += 1
            most = max(most, read - progress.done)
            yield problem

    monkeypatch.setattr(Source, "problems", counted)
    model = ScriptedModel(World(), concurrency=5)
    await run(pipeline(tmp_path), sums(tmp_path / "in.jsonl", 300), tmp_path / "run", model, progress=progress)
    assert progress.done == 300
    assert most <= 2 * ceil(UNITS_AHEAD * 5)  # in flight, and read ahead


async def test_a_failure_is_a_row_and_the_siblings_go_on(tmp_path: Path):
    broken = True

    def script(request: Request, rng: random.Random) -> str:
        if broken and request.sample == 1 and "Case 3" in request.task.problem.question:
            raise ModelError("refused", "I would rather not", raw="no")
        return World(solve_rate=1)(request, rng)

    rows, folder, made = sums(tmp_path / "in.jsonl"), tmp_path / "run", pipeline(tmp_path)
    summary = await run(made, rows, folder, ScriptedModel(script))
    assert summary.failures == {"refused": 1}
    assert ask(folder, "SELECT step, cause, message, raw, attempts, retriable FROM failures") == [
        ("generate", "refused", "I would rather not", "no", 1, False)
    ]
    assert ask(folder, "SELECT count(*) FROM kept_rationales") == [(39,)]
    failed = frozenset(u for (u,) in ask(folder, "SELECT unit FROM failures"))
    broken = False
    await run(made, rows, folder, ScriptedModel(script), again=failed)
    assert ask(folder, "SELECT count(*) FROM failures") == [(0,)]
    assert ask(folder, "SELECT count(*) FROM kept_rationales") == [(40,)]
    assert ask(folder, "SELECT count(*), count(*) FILTER (status = 'ok') FROM calls") == [(41, 40)]


async def test_retries_are_rows_of_the_ledger_and_do_not_change_the_records(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("synth.calls.retry._backoff", lambda _: 0.001)
    rows, made = sums(tmp_path / "in.jsonl", 5), pipeline(tmp_path)
    await run(made, rows, tmp_path / "calm", ScriptedModel(World(), name="t"))
    seen: dict[str, int] = {}

    def script(request: Request, rng: random.Random) -> str:
        name = f"{request.task.problem.id}{request.sample}"
        seen[name] = seen.get(name, 0) + 1
        if seen[name] < 3:
            raise ModelError("server", "busy", retriable=True)
        return World()(request, rng)

    script.identity = World().identity
    await run(made, rows, tmp_path / "stormy", ScriptedModel(script, name="t"))
    assert ask(tmp_path / "stormy", "SELECT attempt, status, count(*) FROM calls GROUP BY ALL ORDER BY 1") == [
        (1, "server", 10),
        (2, "server", 10),
        (3, "ok", 10),
    ]
    ids = "SELECT id, step, answer FROM rationales ORDER BY id"
    assert ask(tmp_path / "stormy", ids) == ask(tmp_path / "calm", ids)


async def test_nothing_that_can_never_succeed_is_asked_for_long(tmp_path: Path):
    asked = 0

    def script(request: Request, rng: random.Random) -> str:
        nonlocal asked
        asked += 1
        raise ModelError("auth", "wrong key", fatal=True, fix="check the key")

    with pytest.raises(SetupError, match="wrong key"):
        await run(
            pipeline(tmp_path),
            sums(tmp_path / "in.jsonl", 500),
            tmp_path / "run",
            ScriptedModel(script, concurrency=4),
        )
    assert asked <= 8


async def test_limit_of_calls_is_kept_exactly_over_sessions(tmp_path: Path):
    script = Counting()
    rows, folder, made = sums(tmp_path / "in.jsonl"), tmp_path / "run", pipeline(tmp_path)
    for most in (7, 7, 25):
        slow = ScriptedModel(script, latency=0.01)  # so that many are in flight when the limit comes near
        summary = await run(made, rows, folder, slow, budget=Budget(max_calls=most))
        assert summary.stopped is not None
        assert summary.stopped.exit_code == 3
        assert len(script.asked) == most
    assert (await run(made, rows, folder, ScriptedModel(script))).stopped is None
    assert len(script.asked) == 40
    assert ask(folder, "SELECT count(*), count(DISTINCT key) FROM calls") == [(40, 40)]


async def test_limit_of_cost_is_passed_by_no_more_than_what_is_in_flight(tmp_path: Path):
    model = ScriptedModel(World(), price=Price(input=1000, output=1000), concurrency=3)
    summary = await run(
        pipeline(tmp_path), sums(tmp_path / "in.jsonl", 50), tmp_path / "run", model, budget=Budget(max_cost=2.0)
    )
    assert summary.stopped is not None
    dearest = ask(tmp_path / "run", "SELECT max(price) FROM calls")[0][0]
    spent = ask(tmp_path / "run", "SELECT sum(price) FROM calls")[0][0]
    assert 2.0 - 4 * dearest < spent <= 2.0 + 3 * dearest
    assert summary.cost == pytest.approx(spent)


async def test_limit_of_tokens_is_passed_by_no_more_than_what_is_in_flight(tmp_path: Path):
    model = ScriptedModel(World(), concurrency=3, latency=0.002)
    rows, made = sums(tmp_path / "in.jsonl", 50), pipeline(tmp_path)
    summary = await run(made, rows, tmp_path / "run", model, budget=Budget(max_tokens=5000))
    assert summary.stopped is not None
    query = "SELECT sum(prompt_tokens + completion_tokens), max(prompt_tokens + completion_tokens) FROM calls"
    used, longest = ask(tmp_path / "run", query)[0]
    assert 5000 - 4 * longest < used <= 5000 + 3 * longest
    again = await run(made, rows, tmp_path / "run", model, budget=Budget(max_tokens=5000))
    assert again.progress.calls.sent <= 1  # what an earlier session used counts


async def test_a_yield_to_stop_at_ends_the_run_in_order(tmp_path: Path):
    script = Counting(World(solve_rate=1))
    rows, folder, made = sums(tmp_path / "in.jsonl", 60), tmp_path / "run", pipeline(tmp_path)
    model = ScriptedModel(script, concurrency=2)
    summary = await run(made, rows, folder, model, until=Target.parse("20 kept"))
    assert summary.stopped is None
    kept = dict(summary.funnel)["kept"]
    assert 20 <= kept <= 20 + 2 * UNITS_AHEAD * 2
    assert len(script.asked) == kept
    assert f"{60 - kept // 2} problems were not begun" in summary.notes[0]
    before = len(script.asked)
    await run(made, rows, folder, model, until=Target.parse("20 kept"))
    assert len(script.asked) == before
    await run(made, rows, folder, model, until=Target(30, "kept"))
    assert before < len(script.asked) <= 30 + 2 * UNITS_AHEAD * 2
    summary = await run(made, rows, folder, model, until=Target.parse("5,000 kept"))
    told = "120 rationales kept in the end, after the corpus steps, of the 5,000 asked for, and no problem is left"
    assert told in summary.notes[0]
    assert dict(summary.funnel)["problems"] == 60


@pytest.mark.parametrize("text", ["", "kept", "20", "20 good", "-3 kept", "20 kept more"])
def test_a_yield_that_is_none_is_reported(text: str):
    with pytest.raises(UserError, match="is no yield to stop at"):
        Target.parse(text)


def test_what_a_target_counts_is_what_the_journal_holds():
    some = [
        Rationale.make(unit="u", step="s", because=i, problem="u", author="teacher", response="t") for i in range(3)
    ]
    out = Rejection.make(unit="u", step="f", because=0, target=some[0].id, target_table="rationales", rule="r")
    records = [*some, out]
    tables: dict[str, list[dict]] = {}
    for record in records:
        tables.setdefault(record.table, []).append(record.model_dump())
    for target, n in ((Target(1, "kept"), 2), (Target(1, "pairs"), 0)):
        assert target.count(records) == target.count_rows(tables) == n


async def test_bad_rows_stop_the_run_before_any_call(tmp_path: Path):
    rows = write_rows(tmp_path / "in.jsonl", [{"question": "1 + 1?", "answer": "2"}, {"question": ""}])
    script = Counting()
    with pytest.raises(InputError, match="line 2: 'question' is empty") as caught:
        await run(pipeline(tmp_path), rows, tmp_path / "run", ScriptedModel(script))
    assert "--skip-invalid" in str(caught.value)
    assert not script.asked
    assert not (tmp_path / "run").exists()
    notes: list[str] = []
    await run(
        pipeline(tmp_path), rows, tmp_path / "run", ScriptedModel(script), skip_invalid=True, on_note=notes.append
    )
    assert len(script.asked) == 2
    assert "line 2" in notes[0]


async def test_of_names_the_steps_whose_records_are_meant(tmp_path: Path):
    made = yaml_file(
        tmp_path / "of.yaml",
        """
        pipeline: my/of
        steps:
          - {step: generate, name: one, samples: 2, temperature: 0.7}
          - {step: generate, name: two, samples: 3, temperature: 0.7, where: "'Case 1:' not in problem.question"}
          - {step: verify_answer, name: latest, score: latest}
          - {step: verify_answer, name: first, score: first, of: one}
          - {step: verify_answer, name: both, score: both, of: [one, two]}
          - {step: verify_answer, name: all, score: all, of: "*", where: rationale.sample == 0}
        """,
    )
    await run(made, sums(tmp_path / "in.jsonl", 2), tmp_path / "run")
    counts = dict(ask(tmp_path / "run", "SELECT name, count(*) FROM scores GROUP BY 1"))
    assert counts == {"latest": 3, "first": 4, "both": 7, "all": 3}


async def test_an_expression_that_fails_names_the_step_and_the_record(tmp_path: Path):
    made = pipeline(tmp_path, keep="rationale.text.nothing.more")
    with pytest.raises(UserError, match=r"step right, b2:[0-9a-f]{32}"):
        await run(made, sums(tmp_path / "in.jsonl", 2), tmp_path / "run")


async def test_the_folder_of_another_pipeline_or_version_or_process_is_refused(tmp_path: Path):
    rows, folder = sums(tmp_path / "in.jsonl", 2), tmp_path / "run"
    await run(pipeline(tmp_path), rows, folder)
    other = yaml_file(tmp_path / "other.yaml", "pipeline: my/other\nsteps: [{step: generate}]")
    with pytest.raises(RunFolderError, match="my/small, not of my/other"):
        await run(other, rows, folder)
    held = RunFolder(folder, Manifest.of(pipeline="my/small"))
    with pytest.raises(RunFolderError, match="another process"):
        await run(pipeline(tmp_path), rows, folder)
    held.close()
    note = folder / "run.json"
    note.write_text(note.read_text().replace('"format": 2', '"format": 1'))
    with pytest.raises(RunFolderError, match="an older version of synth"):
        await run(pipeline(tmp_path), rows, folder)
    busy = tmp_path / "mine"
    busy.mkdir()
    (busy / "thesis.txt").write_text("do not touch")
    with pytest.raises(RunFolderError, match="not empty"):
        await run(pipeline(tmp_path), rows, busy)
    assert [p.name for p in busy.iterdir()] == ["thesis.txt"]


async def test_cancelling_a_unit_leaves_its_paid_calls_in_the_ledger(tmp_path: Path):
    """One call of a unit fails for good while its sibling is still being answered: the sibling is not lost."""

    class Slow(ScriptedModel):
        async def complete(self, request):
            await asyncio.sleep(0.05)
            if request.sample == 0:
                raise ModelError("auth", "no such key", fatal=True)
            await asyncio.sleep(0.2)
            return await super().complete(request)

    with pytest.raises(SetupError):
        await run(pipeline(tmp_path), sums(tmp_path / "in.jsonl", 1), tmp_path / "run", Slow(World()))
    statuses = [s for (s,) in ask(tmp_path / "run", "SELECT status FROM calls ORDER BY status")]
    assert statuses == ["auth", "ok"]


def test_pipeline_fingerprint_changes_with_what_decides_the_records(tmp_path: Path):
    base = load_pipeline(str(pipeline(tmp_path)))
    assert base.fingerprint() == load_pipeline(str(pipeline(tmp_path))).fingerprint()
    assert base.fingerprint() != load_pipeline(str(pipeline(tmp_path, samples=3))).fingerprint()
    assert base.fingerprint() != load_pipeline(str(pipeline(tmp_path, keep="true"))).fingerprint()


async def test_a_run_is_what_its_input_says(tmp_path: Path):
    """A problem that was edited or taken out leaves the corpus; its calls stay, and serve it should it come back."""
    script = Counting()
    folder, made = tmp_path / "run", pipeline(tmp_path)
    rows = [{"question": f"Case {i} of this kind?", "answer": str(i)} for i in range(6)]
    path = write_rows(tmp_path / "in.jsonl", rows)
    await run(made, path, folder, ScriptedModel(script))
    before = contents(folder)
    notes: list[str] = []
    write_rows(path, [{**rows[0], "question": "Case zero, put better?"}, *rows[1:5]])
    await run(made, path, folder, ScriptedModel(script), replace_input=True, on_note=notes.append)
    assert any("2 problems of earlier sessions" in note for note in notes)
    questions = {q for (q,) in ask(folder, "SELECT question FROM problems")}
    assert questions == {"Case zero, put better?", *(r["question"] for r in rows[1:5])}
    assert dict(ask(folder, "SELECT stage, n FROM funnel"))["asked"] == 10
    assert len(script.asked) == 14 == ask(folder, "SELECT count(*) FROM calls")[0][0]
    write_rows(path, rows)
    await run(made, path, folder, ScriptedModel(script), replace_input=True)
    assert len(script.asked) == 14
    assert contents(folder) == before


async def test_materializing_along_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    rows = sums(tmp_path / "in.jsonl", 40)
    await run("fine-tune-cot", rows, tmp_path / "plain", ScriptedModel(World(), latency=0.02, concurrency=4))
    calls = []
    plain = materializing.materialize
    monkeypatch.setattr(materializing, "MATERIALIZE_SECONDS", 0.03)
    monkeypatch.setattr(materializing, "materialize", lambda path, since: calls.append(path) or plain(path, since))
    await run("fine-tune-cot", rows, tmp_path / "along", ScriptedModel(World(), latency=0.02, concurrency=4))
    assert len(calls) > 1  # the last is that of the end
    assert contents(tmp_path / "along") == contents(tmp_path / "plain")


async def test_the_rest_is_materialized_while_the_last_calls_are_in_flight_and_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """At the end there is the last answer to materialize, and no more; a long wait costs no more calls of it."""
    script = World()
    last = asyncio.Event()
    stored: list[int] = []
    plain = materializing.materialize

    def counted(path: Path, since: Position | None = None) -> bool:
        done = plain(path, since)
        with duckdb.connect(str(path / "corpus.duckdb"), read_only=True) as con:
            stored.append(con.execute("SELECT count(*) FROM calls").fetchall()[0][0])
        return bool(done)

    class Slow(ScriptedModel):
        async def complete(self, request: Request) -> Completion:
            if "Zoe" in str(request.messages):
                await asyncio.sleep(1.0)  # long enough for ten calls, were there anything new
                last.set()
            return await super().complete(request)

    monkeypatch.setattr(materializing, "materialize", counted)
    rows = [{"question": f"What is {i} + {i}?", "answer": str(2 * i)} for i in range(20)]
    path = write_rows(tmp_path / "in.jsonl", [*rows, {"question": "Zoe has 2 apples. How many?", "answer": "2"}])
    await run(pipeline(tmp_path, samples=1), path, tmp_path / "run", Slow(script, concurrency=4))
    assert last.is_set()
    assert stored[-2:] == [20, 21]
    assert len(stored) <= 4


async def test_where_no_corpus_step_ever_was_none_is_noted(tmp_path: Path):
    await run(pipeline(tmp_path), sums(tmp_path / "in.jsonl", 2), tmp_path / "run", ScriptedModel(World()))
    assert b'"owner":"corpus"' not in (tmp_path / "run/journal/000001.jsonl").read_bytes()


async def test_runs_that_overlap_leave_garbage_collection_as_it_was(tmp_path: Path):
    before = gc.get_threshold(), gc.get_freeze_count()

    def go(name: str) -> Summary:
        rows, model = sums(tmp_path / f"{name}.jsonl", 2), ScriptedModel(World(), latency=0.5)
        return asyncio.run(run(pipeline(tmp_path), rows, tmp_path / name, model))

    first = asyncio.create_task(asyncio.to_thread(go, "first"))
    await asyncio.sleep(0.3)  # until it is in the midst of its calls
    assert gc.get_threshold() != before[0]
    await asyncio.to_thread(go, "second")
    await first
    assert (gc.get_threshold(), gc.get_freeze_count()) == before
