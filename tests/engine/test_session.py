from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from support import ask, contents, endpoint, reply, sums, yaml_file
from support import synth as command

import synth
from synth.engine import open_session
from synth.errors import SetupError, Stopped, UserError
from synth.models import ScriptedModel, World


def test_python_does_what_the_command_does(tmp_path: Path):
    rows = sums(tmp_path / "in.jsonl", 12)
    summary = synth.run("fine-tune-cot", rows, tmp_path / "run", models=ScriptedModel(World(solve_rate=1)))
    assert dict(summary.funnel)["kept"] == 48
    with synth.open_store(tmp_path / "run") as store:
        assert store.frame("SELECT * FROM kept_rationales").height == 48
    assert synth.export_run(tmp_path / "run", "sft", str(tmp_path / "out")).rows == 48
    again = synth.run("fine-tune-cot", rows, tmp_path / "run", models=ScriptedModel(World(solve_rate=1)))
    assert again.progress.calls.sent == 0


async def test_it_works_where_a_loop_runs_already(tmp_path: Path):
    summary = synth.run("star", sums(tmp_path / "in.jsonl", 3), tmp_path / "run", models="scripted")
    assert summary.progress.done == 3


def test_roles_take_models_and_names(tmp_path: Path):
    made = yaml_file(
        tmp_path / "two.yaml",
        """
        pipeline: my/two
        steps:
          - {step: generate, name: one, by: first}
          - {step: generate, name: two, by: second}
        """,
    )
    models = {"first": ScriptedModel(World(), name="mine"), "second": "scripted"}
    synth.run(made, sums(tmp_path / "in.jsonl", 2), tmp_path / "run", models=models)
    assert ask(tmp_path / "run", "SELECT DISTINCT step, model FROM rationales ORDER BY 1") == [
        ("one", "mine"),
        ("two", "scripted"),
    ]
    with pytest.raises(SetupError, match="no role 'third'"):
        synth.run(made, sums(tmp_path / "in.jsonl", 2), tmp_path / "run", models={"third": "scripted"})
    with pytest.raises(SetupError, match="no role 'third'"):
        synth.run(made, tmp_path / "in.jsonl", tmp_path / "run", models={"third": ScriptedModel(World())})
    with pytest.raises(UserError, match="names no sample"):
        synth.run(made, models="scripted")


def test_what_stops_early_raises_and_goes_on(tmp_path: Path):
    rows = sums(tmp_path / "in.jsonl", 5)
    with pytest.raises(Stopped, match="limit of 3 calls"):
        synth.run("star", rows, tmp_path / "run", models="scripted", max_calls=3)
    progress = synth.run("star", rows, tmp_path / "run", models="scripted").progress
    assert progress.earlier + progress.done == 5


def test_two_servers_of_one_model_are_two_models(tmp_path: Path):
    async def answer(_request, _body):
        return reply("The answer is 5.")

    rows = sums(tmp_path / "in.jsonl", 3)
    with endpoint(answer) as (one, first), endpoint(answer) as (two, second):
        synth.run("fine-tune-cot", rows, tmp_path / "run", models=f"teacher={one}#m,{two}#m")
        assert len(first) == len(second) > 0
    names = ask(tmp_path / "run", "SELECT DISTINCT model FROM rationales ORDER BY model")
    assert names == sorted([(f"{one}#m",), (f"{two}#m",)])


def test_one_server_is_called_by_its_model(tmp_path: Path):
    session = open_session("fine-tune-cot", given=["http://x/v1#m"], prepare=False)
    assert {t.name for some in session.models.values() for t in some} == {"m"}


def test_models_of_one_name_are_refused(tmp_path: Path):
    made = yaml_file(
        tmp_path / "two.yaml",
        """
        pipeline: my/two
        steps:
          - {step: generate, name: one, by: first}
          - {step: generate, name: two, by: second}
        """,
    )
    twins = {role: ScriptedModel(World(), name="mine") for role in ("first", "second")}
    rows = sums(tmp_path / "in.jsonl", 2)
    with pytest.raises(SetupError, match="two models have the name mine"):
        synth.run(made, rows, tmp_path / "run", models=twins)
    synth.run(made, rows, tmp_path / "run", models=dict.fromkeys(twins, twins["first"]))


@pytest.mark.parametrize("kind", ["call", "commit"])
def test_a_damaged_journal_is_reported_by_its_line_and_repaired_as_advised(tmp_path: Path, kind: str):
    rows, folder = sums(tmp_path / "in.jsonl", 6), tmp_path / "run"
    words = ["run", "star", "--input", rows, "--model", "scripted", "--run", folder]
    command(*words, check=0)
    whole = contents(folder)
    segment = folder / "journal" / "000001.jsonl"
    lines = segment.read_bytes().splitlines(keepends=True)
    hit = [i for i, line in enumerate(lines) if line.startswith(f'{{"kind":"{kind}"'.encode())][2]
    lines[hit] = lines[hit][:60] + bytes(20) + lines[hit][80:]
    segment.write_bytes(b"".join(lines))
    (folder / "corpus.duckdb").unlink()
    for one in (words, ["status", folder], ["sql", folder, "SELECT 1"]):
        done = command(*one, check=2)
        assert f"line {hit + 1} of 000001.jsonl is damaged" in done.stderr
        assert f"sed -i {hit + 1}d {segment}" in done.stderr
    subprocess.run(["sed", "-i", f"{hit + 1}d", str(segment)], check=True)
    command(*words, check=0)
    assert contents(folder) == whole
