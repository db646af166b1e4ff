"""Two processes that write one output: each ends with one whole result, never with a mix."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
from collections.abc import Sequence
from pathlib import Path

import orjson
import pyarrow.parquet as pq
import pytest
from forks import python
from support import StandIn, run, sums, yaml_file

from synth.engine import add_by_hand
from synth.errors import RunFolderError, UserError
from synth.export import ExportOptions, export_run
from synth.locks import locked
from synth.models import World
from synth.publish import write_card
from synth.store.manifest import Manifest, read_manifest
from synth.store.run_folder import RunFolder

PIPELINE = """
    pipeline: my/two
    steps:
      - {step: generate, samples: 2, temperature: 0.7}
      - {step: verify_answer}
    corpus:
      - {step: split, shares: {train: 0.5, validation: 0.5}, threshold: null}
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs `one` and `two` of other problems, in one folder."""
    folder = tmp_path_factory.mktemp("two")
    file = yaml_file(folder / "p.yaml", PIPELINE)
    for name, n in (("one", 4), ("two", 9)):
        asyncio.run(run(file, sums(folder / f"{name}.jsonl", n), folder / name, StandIn(World())))
    return folder


def together(*commands: Sequence[str | Path]) -> list[int]:
    """Commands at the same moment; their exit codes. None may end in a traceback."""
    code = "import sys; from synth.cli.main import main; sys.stdin.read(1); main()"
    some = [
        python(code, *words, stdin=subprocess.PIPE, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
        for words in commands
    ]
    for process in some:
        assert process.stdin is not None
        process.stdin.write(b"x")
        process.stdin.flush()
    told = [process.communicate(timeout=120)[1].decode() for process in some]
    assert not any("Traceback" in text for text in told), told
    return [process.returncode for process in some]


def rows(folder: Path, suffix: str) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.glob(f"*.{suffix}") if not p.name.startswith(".")}


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_exports_of_two_runs(runs: Path, tmp_path: Path, suffix: str):
    """Two exports into one folder leave the files of one run, and a note of that run."""
    options = ExportOptions(file_format=suffix)
    whole = {}
    for name in ("one", "two"):
        export_run(runs / name, "sft", tmp_path / name, options)
        whole[name] = rows(tmp_path / name, suffix)
    out = tmp_path / "out"
    words = ["export", "--to", "sft", "--file-format", suffix, "--replace", "--card", "--out", out]
    codes = together(*([words[0], runs / name, *words[1:]] for name in ("one", "two", "one", "two")))
    assert set(codes) <= {0, 2}  # a card whose rows were replaced before it was written says so
    assert 0 in codes
    noted = orjson.loads((out / ".synth-export.json").read_bytes())["exports"][f"sft.{suffix}"]
    name = Path(noted["run"]).name
    assert rows(out, suffix) == whole[name]
    assert not [p for p in out.iterdir() if p.name.endswith((".draft", ".lock"))]


def test_exports_and_cards_wait_for_the_folder(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """While another process replaces files in a folder, nothing is replaced there; who waits too long is told so."""
    out = tmp_path / "out"
    export_run(runs / "one", "sft", out)
    before = {p.name: p.read_bytes() for p in out.iterdir()}
    monkeypatch.setattr("synth.export.write.PATIENCE_SECONDS", 0.1)
    monkeypatch.setattr("synth.publish.card.PATIENCE_SECONDS", 0.1)
    with locked(out, 1):
        with pytest.raises(UserError, match="another process"):
            export_run(runs / "two", "sft", out, ExportOptions(replace=True))
        with pytest.raises(UserError, match="another process"):
            write_card(runs / "one", out)
        assert {p.name: p.read_bytes() for p in out.iterdir()} == before
    export_run(runs / "two", "sft", out, ExportOptions(replace=True))
    assert {p.name: p.read_bytes() for p in out.iterdir()} != before


def test_one_output_of_two_commands(runs: Path, tmp_path: Path):
    """Reports, tables and indexes: the file of one of them, whole."""
    single = {}
    for name in ("one", "two"):
        together(["sql", runs / name, "FROM kept_rationales ORDER BY id", "--out", tmp_path / f"{name}.csv"])
        single[name] = (tmp_path / f"{name}.csv").read_bytes()
    queries = [
        ["sql", runs / name, "FROM kept_rationales ORDER BY id", "--out", tmp_path / "a.csv"] for name in ("one", "two")
    ]
    reports = [["report", runs / name, "--out", tmp_path / "r.html"] for name in ("one", "two")]
    assert together(*queries, *reports) == [0] * 4
    assert (tmp_path / "a.csv").read_bytes() in single.values()
    report = (tmp_path / "r.html").read_text()
    assert report.startswith("<!") and report.rstrip().endswith("</html>")  # noqa: PT018
    assert together(*(["index", runs / name, tmp_path / "index"] for name in ("one", "two", "two"))) == [0] * 3
    parts = sorted((tmp_path / "index").glob("*.parquet"))
    ids = [i for part in parts for i in pq.read_table(part)["id"].to_pylist()]
    assert len(ids) == len(set(ids)) == 9  # the problems of `one` are among those of `two`
    assert {p.name for p in (tmp_path / "index").iterdir()} == {"index.json", *(p.name for p in parts)}


def test_two_that_curate(runs: Path, tmp_path: Path):
    """What one process has noted in a manifest is not lost to another one that began earlier."""
    import shutil

    folder = tmp_path / "run"
    shutil.copytree(runs / "one", folder)
    words = ["curate", folder, "limit_per_group", "--set", "per=problem", "--set"]
    codes = together([*words, "at_most=2"], [*words, "at_most=1"])
    assert sorted(codes) in ([0, 0], [0, 2])
    assert len(read_manifest(folder).curated) == codes.count(0)


def test_a_manifest_is_read_under_the_lock(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A step that is added between the first look at a folder and its lock stays in the manifest."""
    import shutil

    from synth.store import run_folder

    folder = tmp_path / "run"
    shutil.copytree(runs / "one", folder)
    hold = run_folder.hold

    def later(path: Path):
        monkeypatch.setattr(run_folder, "hold", hold)
        add_by_hand(path, {"step": "limit_per_group", "at_most": 1, "per": "problem"}, print)
        return hold(path)

    monkeypatch.setattr(run_folder, "hold", later)
    noted = read_manifest(folder).model_dump(exclude_unset=True)
    held = RunFolder(folder, Manifest.of(**{k: v for k, v in noted.items() if k != "curated"}))
    assert [s.step for s in held.manifest.curated] == ["limit_per_group"]
    with pytest.raises(RunFolderError, match="another process"):
        RunFolder(folder)
    held.close()


def test_a_card_of_nothing(runs: Path, tmp_path: Path):
    """A folder that is not there has no export."""
    with pytest.raises(UserError, match="no export of this run"):
        write_card(runs / "one", tmp_path / "none")
    assert not (tmp_path / "none").exists()


@pytest.mark.skipif(os.name == "nt", reason="modes are POSIX's")
def test_run_folders_are_private(runs: Path):
    """Nobody else of this machine can look into a run folder that we made, nor read what lies in it."""
    for name in ("one", "two"):
        folder = runs / name
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE((folder / "journal").stat().st_mode) == 0o700
        for path in (folder / "run.json", folder / "corpus.duckdb", *(folder / "journal").iterdir()):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
