"""The command line as users meet it: real processes, what they print and how they end."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from aiohttp import web
from forks import python
from support import ROOT, ask, contents, endpoint, reply, sums, synth, write_rows, yaml_file

from synth.cli.main import _COMMANDS, cli


@pytest.fixture(scope="module")
def rehearsed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli")
    sums(folder / "in.jsonl", 30)
    done = synth("rehearse", "fine-tune-cot", "--input", "in.jsonl", "--run", "run", cwd=folder, check=0)
    assert "120 calls" in done.stderr
    assert "next: synth export run --to sft --out data" in done.stderr
    return folder


def told(done: subprocess.CompletedProcess[str], *parts: str) -> None:
    """It is one clear paragraph for the user, who made a mistake, and holds all of this."""
    assert done.returncode == 2, done.stderr
    assert "error: " in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
    for part in parts:
        assert part in done.stderr, done.stderr


# -- the walk --


def test_second_run_asks_nothing(rehearsed: Path):
    done = synth("rehearse", "fine-tune-cot", "--input", "in.jsonl", "--run", "run", cwd=rehearsed, check=0)
    assert "0 calls" in done.stderr
    assert "this run is complete" in done.stderr


def test_status_tells_the_funnel_and_why_records_are_out(rehearsed: Path):
    out = synth("status", "run", cwd=rehearsed, check=0).stdout
    for word in ("distil/fine-tune-cot", "problems", "kept", "score.correct", "scripted", "120"):
        assert word in out


def test_sql_in_every_format(rehearsed: Path):
    query = "SELECT stage, n FROM funnel ORDER BY position LIMIT 2"
    assert "problems" in synth("sql", "run", query, cwd=rehearsed, check=0).stdout
    rows = list(
        csv.DictReader(io.StringIO(synth("sql", "run", query, "--format", "csv", cwd=rehearsed, check=0).stdout))
    )
    assert rows == [{"stage": "problems", "n": "30"}, {"stage": "asked", "n": "120"}]
    lines = synth("sql", "run", query, "--format", "json", cwd=rehearsed, check=0).stdout.splitlines()
    assert [json.loads(line) for line in lines] == [{"stage": "problems", "n": 30}, {"stage": "asked", "n": 120}]
    schema = synth("sql", "run", "--schema", cwd=rehearsed, check=0).stdout
    assert "rationales" in schema
    assert "wide_rationales" in schema
    told(synth("sql", "run", "SELEC 1", cwd=rehearsed), "DuckDB says", "--schema")
    for name in ("rows.parquet", "rows.csv", "rows.jsonl"):
        done = synth("sql", "run", "FROM kept_rationales", "--out", name, cwd=rehearsed, check=0)
        assert f"{name} written" in done.stdout
        assert (rehearsed / name).stat().st_size > 500
    told(synth("sql", "run", "FROM calls", "--out", "rows.xls", cwd=rehearsed), "rows.xls", ".parquet")
    told(synth("sql", "run", "FROM nothing", "--out", "rows.csv", cwd=rehearsed), "DuckDB says")


def test_model_output_cannot_act_on_the_terminal(tmp_path: Path):
    rows = write_rows(tmp_path / "in.jsonl", [{"question": "\x1b[31mred\x1b[0m [bold]?\u202e", "answer": "1"}])
    synth("rehearse", "fine-tune-cot", "--input", rows, "--run", tmp_path / "run", check=0)
    out = synth("sql", tmp_path / "run", "SELECT question FROM problems", check=0).stdout
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert "[bold]" in out


def test_export_then_the_file_is_there(rehearsed: Path):
    out = synth(
        "export", "run", "--to", "dpo", "--out", "data", "--file-format", "parquet", cwd=rehearsed, check=0
    ).stdout
    assert "data/dpo.parquet" in out
    assert (rehearsed / "data" / "dpo.parquet").stat().st_size > 1000


def test_retry_does_again_what_failed(tmp_path: Path):
    broken = True

    async def answer(_request, body):
        if broken and "Case 3:" in body["messages"][-1]["content"]:
            return web.json_response({"error": {"message": "context too long"}}, status=400)
        return reply("It is.\nThe answer is 35.")

    made = yaml_file(tmp_path / "p.yaml", "pipeline: my/p\nsteps: [{step: generate}, {step: verify_answer}]")
    with endpoint(answer) as (url, seen):
        synth(
            "run",
            made,
            "--input",
            sums(tmp_path / "in.jsonl", 6),
            "--run",
            tmp_path / "run",
            "--model",
            f"{url}#m",
            check=0,
        )
        assert len(seen) == 6
        assert "not worth asking again" in synth("retry", tmp_path / "run", check=0).stdout
        broken = False
        done = synth("retry", tmp_path / "run", "--all", check=0)
        assert len(seen) == 7
        assert "failures" not in done.stderr
        assert "nothing to retry" in synth("retry", tmp_path / "run", check=0).stdout


def test_calls_lists_shows_counts_and_forgets(tmp_path: Path):
    rows, run = sums(tmp_path / "in.jsonl", 5), tmp_path / "run"
    words = ("rehearse", "star", "--input", rows, "--run", run)
    synth(*words, check=0)
    before = contents(run)
    n, first = ask(run, "SELECT count(*), min(id) FROM calls")[0]
    listed = synth("calls", run, "--limit", 3, check=0).stdout
    assert len(listed.splitlines()) == 4
    assert "scripted" in listed
    shown = synth("calls", run, first[:14], check=0).stdout
    ((reply_text, question),) = ask(
        run, f"SELECT c.reply, p.question FROM calls c JOIN problems p ON p.id = c.unit WHERE c.id = '{first}'"
    )
    for part in (first, question, *reply_text.splitlines(), "rationale/solve/2#"):
        assert part in shown
    assert f" {n} " in synth("calls", run, "--by", "model", check=0).stdout
    assert "solve" in synth("calls", run, "--by", "step", check=0).stdout
    assert "5 replies forgotten" in synth("calls", run, "--step", "solve", "--forget", "--yes", check=0).stdout
    assert ask(run, "SELECT count(*) FROM calls") == [(n,)]
    assert f"5 calls, {n - 5} replayed" in synth(*words, check=0).stderr
    assert ask(run, "SELECT count(*), count(DISTINCT id), max(attempt) FROM calls") == [(n + 5, n + 5, 2)]
    assert "0 calls" in synth(*words, check=0).stderr
    after = contents(run)
    assert after["problems"] == before["problems"]
    told(synth("calls", run, "b2:none"), "no such call")
    told(synth("calls", run, "b2:"), "calls begin so")
    assert synth("calls", run, "--forget").returncode == 3  # nobody there to say yes


def test_plan_counts_calls_and_does_not_invent_prices(tmp_path: Path):
    rows = sums(tmp_path / "in.jsonl", 10)
    out = synth("plan", "fine-tune-cot", "--input", rows, "--model", "http://127.0.0.1:9/v1#m", check=0).stdout
    assert "no mistakes. 10 problems" in out
    assert " 40 " in out
    assert "unknown" in out
    (tmp_path / "t.yaml").write_text(
        "models: {gpt: {base_url: 'http://x/v1', model: m, key: NOT_SET, price: {input: 1, output: 100}}}"
    )
    out = synth(
        "plan", "fine-tune-cot", "--input", rows, "--profile", tmp_path / "t.yaml", "--model", "gpt", check=0
    ).stdout
    assert "unknown" not in out
    assert "200 tokens a reply" in out
    synth("rehearse", "fine-tune-cot", "--input", rows, "--run", tmp_path / "r", check=0)
    out = synth(
        "plan", "fine-tune-cot", "--input", rows, "--model", "scripted", "--run", tmp_path / "r", check=0
    ).stdout
    assert "tokens a call: measured in this run folder" in out


def test_a_plan_after_a_rehearsal_counts_calls_as_they_were(tmp_path: Path):
    rows = sums(tmp_path / "in.jsonl", 40)
    words = ["--input", rows, "--model", "http://127.0.0.1:9/v1#m"]
    before = synth("plan", "self_training/star", *words, check=0).stdout
    assert "counted on all 40 problems with a simulated model that solves 0.6 of them" in before
    assert "calls of rationalization depend on how often the model is right" in before
    assert (
        4 < int(re.search(r"rationalization +m +(\d+) ", before)[1]) < 28
    )  # (1 - p) of 40, within four standard deviations
    synth("rehearse", "self_training/star", "--input", rows, "--run", tmp_path / "r", check=0)
    (calls,) = ask(tmp_path / "r", "SELECT count(*) FROM calls WHERE step = 'rationalization'")[0]
    assert 0 < calls < 40
    after = synth("plan", "self_training/star", *words, "--run", tmp_path / "r", check=0).stdout
    assert re.search(rf"rationalization +m +{calls} ", after)
    assert "simulated" not in after
    assert "as measured with scripted" in after
    assert "it has written none here" in after


def test_a_plan_warns_of_keys_that_are_not_set_and_of_columns_that_are_not_there(tmp_path: Path):
    """The estimate is there all the same; the value of a key is never shown."""
    rows = [{"question": f"{i} + 2?", "answer": str(i + 2), "window": "a" * (i % 3)} for i in range(8)]
    write_rows(tmp_path / "in.jsonl", rows)
    (tmp_path / "models.yaml").write_text(
        "models:\n  gpt: {base_url: 'http://x/v1', model: m, key: NOT_SET, price: {input: 1, output: 1}}\n"
        "  other: {base_url: 'http://x/v1', model: n, key: IS_SET, price: {input: 1, output: 1}}\n"
    )
    (tmp_path / "ask.j2").write_text(
        "{#- version: 1\n purpose: none -#}\n{% call user() %}\n{{ problem.question }}{{ problem.meta['windw'] | default('') }}{% endcall %}"
    )
    pipeline = yaml_file(
        tmp_path / "p.yaml",
        """
        pipeline: my/p
        roles: {teacher: writes}
        steps:
          - {step: generate, where: 'problem.meta.windos | default("-") != ""', prompt: ask.j2}
          - {step: filter, keep: problem.meta.window and problem.meta.get("nothing_like_it") is none}
        """,
    )
    words = ["plan", pipeline, "--input", "in.jsonl", "--profile", "models.yaml"]
    env = {**os.environ, "IS_SET": "sk-very-secret"}
    said = synth(*words, "--model", "teacher=gpt,other", cwd=tmp_path, env=env, check=0).stdout
    for warning in (
        "warning: model gpt: the environment variable NOT_SET is not set → export NOT_SET=",
        "step generate, where reads problem.meta.windos, and no row of the input has such a column → did you mean 'window'?",
        "ask.j2, line 4 reads problem.meta.windw",
        "step filter, keep reads problem.meta.nothing_like_it",
    ):
        assert " ".join(warning.split()) in " ".join(said.split())
    assert "IS_SET" not in said
    assert "secret" not in said
    assert "problem.meta.window," not in said
    assert "counted on all 8" in said
    assert re.search(r"generate +gpt +8 ", said)
    told(synth("run", *words[1:], "--run", "r", "--model", "gpt", cwd=tmp_path, env=env), "NOT_SET is not set")
    pipeline.write_text(pipeline.read_text().replace(' | default("-")', ""))
    told(
        synth(*words, "--model", "gpt", cwd=tmp_path, env=env),
        "has no attribute 'windos'",
        "no row of the input has such a column → did you mean 'window'?",
    )


def test_new_writes_a_pipeline_that_passes(tmp_path: Path):
    synth("new", "mine.yaml", cwd=tmp_path, check=0)
    assert "no mistakes" in synth("plan", "mine.yaml", cwd=tmp_path, check=0).stdout
    synth("new", "preset.yaml", "--extends", "star", cwd=tmp_path, check=0)
    assert "no mistakes" in synth("plan", "preset.yaml", cwd=tmp_path, check=0).stdout
    told(synth("new", "mine.yaml", cwd=tmp_path), "such a file already")
    told(synth("new", "mine.txt", cwd=tmp_path), "must end in .yaml")


def test_pipelines_and_steps_can_be_looked_up():
    assert "distil/fine-tune-cot" in synth("pipelines", check=0).stdout
    assert "arXiv:2203.14465" in synth("pipelines", "star", check=0).stdout
    shown = synth("pipelines", "star", check=0).stdout
    assert "self_training/star/README.md" in shown
    assert all(f"\n{heading}\n" in shown for heading in ("Cost", "When to use it", "When not"))
    assert "verify_answer" in synth("pipelines", "--steps", check=0).stdout
    assert "tolerance" in synth("pipelines", "--step", "verify_answer", check=0).stdout
    told(synth("pipelines", "--step", "verify_anwser"), "did you mean 'verify_answer'")


# -- help --


@pytest.mark.parametrize("name", ["", *_COMMANDS])
def test_help_reads_like_a_manual(name: str):
    out = synth(*([name] if name else []), "--help", check=0).stdout
    assert out.startswith("Usage: ")
    assert len(out.split()) > 30
    if name:
        command = cli.get_command(None, name)
        assert command.short_help == _COMMANDS[name]
        for parameter in command.params:
            assert parameter.param_type_name == "argument" or parameter.help, f"{name} {parameter.name}"


def test_a_command_misspelt():
    done = synth("rum", "x")
    assert done.returncode == 2
    assert "did you mean 'run'" in done.stderr


# -- bad input --


def test_no_such_file(tmp_path: Path):
    told(synth("run", "fine-tune-cot", "--input", "none.jsonl", cwd=tmp_path), "none.jsonl", "no such file", "--input")
    assert not (tmp_path / "runs").exists()


def test_empty_file(tmp_path: Path):
    (tmp_path / "empty.jsonl").touch()
    told(
        synth("rehearse", "fine-tune-cot", "--input", "empty.jsonl", cwd=tmp_path), "empty.jsonl", "the input is empty"
    )


def test_bad_rows_stop_before_any_call_and_can_be_skipped(tmp_path: Path):
    rows = [json.dumps({"question": f"Case {i} of it?", "answer": str(i)}) for i in range(12)]
    rows[2] = '{"answer": "3"}'
    rows[4] = rows[0].replace('"0"', '"17"')
    rows[6] = rows[6][:20]
    rows[8] = '{"question": "Case 8 of it?", "answer": ["8"]}'
    (tmp_path / "in.jsonl").write_text("\n".join(rows))
    done = synth("rehearse", "fine-tune-cot", "--input", "in.jsonl", "--run", "run", cwd=tmp_path)
    told(
        done,
        "in.jsonl: 4 of 12 rows are not usable",
        "line 3: 'question' is missing",
        "line 5: the same question as in line 1 but another answer",
        "line 7: this is not JSON",
        "line 9: the answer is a list, not text or a number",
        "--skip-invalid",
    )
    assert not (tmp_path / "run").exists()
    done = synth(
        "rehearse", "fine-tune-cot", "--input", "in.jsonl", "--run", "run", "--skip-invalid", cwd=tmp_path, check=0
    )
    assert "line 7: this is not JSON" in done.stderr
    assert "32 calls" in done.stderr


def test_missing_answers_for_a_pipeline_that_needs_them(tmp_path: Path):
    rows = write_rows(tmp_path / "in.jsonl", [{"question": "1?"}])
    told(synth("rehearse", "star", "--input", rows), "no column gives the answer", "--map answer=COLUMN")
    told(synth("rehearse", "star", "--input", rows, "--map", "question"), "is not FIELD=COLUMN")
    told(
        synth("rehearse", "star", "--input", rows, "--map", "question=ask"), "no column 'ask'", "its columns: question"
    )


def test_unknown_pipeline(tmp_path: Path):
    told(synth("run", "fine-tune-cott"), "no pipeline 'fine-tune-cott'", "did you mean")
    told(synth("run", "none.yaml", cwd=tmp_path), "no such pipeline file", "none.yaml")


def test_a_key_that_is_not_set(tmp_path: Path):
    (tmp_path / "t.yaml").write_text("models: {gpt: {base_url: 'http://x/v1', model: m, key: MY_KEY}}")
    done = synth("run", "fine-tune-cot", "--profile", "t.yaml", "--model", "gpt", cwd=tmp_path)
    told(done, "MY_KEY is not set", "model gpt", "export MY_KEY=")
    assert not (tmp_path / "runs").exists()


def test_an_endpoint_that_is_not_there_and_a_model_that_does_not_exist(tmp_path: Path):
    rows = sums(tmp_path / "in.jsonl", 50)
    words = ("run", "fine-tune-cot", "--input", rows, "--run", tmp_path / "run", "--model")
    told(synth(*words, "http://127.0.0.1:9/v1#m"), "cannot reach http://127.0.0.1:9/v1", "is the server running")

    async def unknown(_request, body):
        return web.json_response(
            {"error": {"message": f"The model `{body['model']}` does not exist", "code": "model_not_found"}}, status=404
        )

    with endpoint(unknown) as (url, seen):
        told(synth(*words, f"{url}#gtp-5"), "does not exist", "check base_url and the model's name (gtp-5)")
        assert len(seen) <= 64


def test_no_such_model_role_or_local_model(tmp_path: Path):
    told(synth("run", "star", "--model", "studnt=local"), "no role 'studnt'", "student")
    told(synth("run", "star", "--model", "loacl"), "did you mean 'local'")
    told(synth("run", "star", "--model", "local:qwen2.5-coder-0.5"), "did you mean 'qwen2.5-coder-0.5b'")
    told(synth("run", "star", "--model", "local:/none/model.gguf"), "no such model file")
    (tmp_path / "a.gguf").write_bytes(b"hello")
    told(synth("run", "star", "--model", f"local:{tmp_path / 'a.gguf'}"), "not a GGUF file")


def test_run_folders_that_cannot_be_used(tmp_path: Path):
    rows = sums(tmp_path / "in.jsonl", 3)
    run = tmp_path / "run"
    synth("rehearse", "star", "--input", rows, "--run", run, check=0)
    told(
        synth("rehearse", "fine-tune-cot", "--input", rows, "--run", run),
        "self_training/star, not of distil/fine-tune-cot",
    )
    note = run / "run.json"
    note.write_text(note.read_text().replace('"format": 2', '"format": 1'))
    told(synth("rehearse", "star", "--input", rows, "--run", run), "an older version of synth", "another folder")
    told(synth("status", run), "an older version of synth")
    note.write_text("{")
    told(synth("status", run), "run.json: this cannot be read", "give the command of the run again")
    told(synth("status", tmp_path), "no run in this folder")
    told(synth("rehearse", "star", "--input", rows, "--run", "/proc/self/run"), "cannot be written", "--run")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder(tmp_path: Path):
    (tmp_path / "ro").mkdir(mode=0o500)
    told(synth("rehearse", "star", "--run", tmp_path / "ro" / "run"), "cannot be written")


def test_a_second_process_on_the_same_run(tmp_path: Path):
    hold = (
        "import sys; from pathlib import Path; from synth.store.run_folder import RunFolder; from synth.store.manifest import Manifest\n"
        "f = RunFolder(Path(sys.argv[1]), Manifest.of(pipeline='self_training/star')); print(1, flush=True); sys.stdin.read()"
    )
    with python(hold, tmp_path / "run", stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        rows = sums(tmp_path / "in.jsonl", 3)
        told(synth("rehearse", "star", "--input", rows, "--run", tmp_path / "run"), "another process is at work")
        other.kill()
    synth("rehearse", "star", "--input", rows, "--run", tmp_path / "run", check=0)  # a dead one holds nothing


def test_secrets_reach_neither_the_screen_nor_the_folder(tmp_path: Path):
    async def refuse(request, _body):
        key = request.headers["Authorization"].removeprefix("Bearer ")
        return web.json_response({"error": {"message": f"Incorrect API key provided: {key}"}}, status=401)

    with endpoint(refuse) as (url, _):
        (tmp_path / "t.yaml").write_text(f"models: {{gpt: {{base_url: '{url}', model: m, key: MY_KEY}}}}")
        env = {**os.environ, "MY_KEY": "hushhush123"}
        done = synth(
            "run", "fine-tune-cot", "--profile", "t.yaml", "--model", "gpt", "--run", "run", "--input",
            sums(tmp_path / "in.jsonl", 3), cwd=tmp_path, env=env,
        )  # fmt: skip
    told(done, "answered 401", "check the key in MY_KEY")
    everything = done.stdout + done.stderr
    for path in (tmp_path / "run").rglob("*"):
        everything += path.read_bytes().decode(errors="replace") if path.is_file() else ""
    assert "hushhush123" not in everything
    assert "[secret]" in everything


# -- how it is put together --


def test_import_is_light():
    light = "{'polars', 'duckdb', 'openai', 'pyreqwest', 'datasets', 'pydantic', 'numpy', 'rich', 'click'}"
    code = f"import sys, synth; print([m for m in sys.modules if m.split('.')[0] in {light}])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )
    heavy = "{'polars', 'duckdb', 'openai', 'pyreqwest', 'datasets', 'numpy', 'sympy'}"
    code = (
        "import sys; from synth.cli import main; sys.argv = ['synth', '--help']\n"
        f"try: main()\nfinally: print([m for m in sys.modules if m.split('.')[0] in {heavy}])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip().endswith("[]")


def test_the_command_is_installed():
    done = subprocess.run([str(Path(sys.executable).parent / "synth"), "--version"], capture_output=True, text=True)
    assert done.stdout.startswith("synth, version ")
    assert (ROOT / "pyproject.toml").is_file()


def test_a_folder_of_ones_own_is_a_pipeline_for_every_command(tmp_path: Path):
    """new, plan, rehearse, run, retry and pipelines take the folder; the README in it is shown, and no other."""
    synth("new", "mine/pipeline.yaml", cwd=tmp_path, check=0)
    assert "pipeline: my/mine\n" in (tmp_path / "mine" / "pipeline.yaml").read_text()
    assert "no mistakes" in synth("plan", "mine", cwd=tmp_path, check=0).stdout
    synth("rehearse", "mine", "--limit", 2, cwd=tmp_path, check=0)
    assert (tmp_path / "runs" / "rehearsal-mine" / "run.json").is_file()
    synth("run", "mine/", "--limit", 2, "--model", "scripted", "--run", "run", cwd=tmp_path, check=0)
    assert json.loads((tmp_path / "run" / "run.json").read_text())["words"]["pipeline"] == "../mine/pipeline.yaml"
    assert "nothing to retry" in synth("retry", "../run", cwd=tmp_path / "mine", check=0).stdout
    assert "readme:" not in synth("pipelines", "mine", cwd=tmp_path, check=0).stdout
    (tmp_path / "mine" / "README.md").write_text(
        "# Mine\n\n## Cost\n\nOne [bold]call\x1b[31m.\n\n## Secret\n\nUnseen.\n"
    )
    shown = synth("pipelines", "mine", cwd=tmp_path, check=0).stdout
    assert "readme: mine/README.md" in shown
    assert "Cost\nOne [bold]call\ufffd[31m." in shown
    assert "Unseen" not in shown
    synth("new", "preset.yaml", "--extends", "mine", cwd=tmp_path, check=0)
    assert "no mistakes" in synth("plan", "preset.yaml", cwd=tmp_path, check=0).stdout
    told(synth("run", "runs", cwd=tmp_path), "this folder holds no pipeline.yaml", "runs")
