"""Several exports at once: all are checked before the first file is written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support import run, sums, synth, yaml_file

from synth.errors import UserError
from synth.export import ExportOptions, export_group
from synth.models import ScriptedModel, World

PIPELINE = """
    pipeline: my/group
    steps:
      - {step: generate, samples: 4, temperature: 0.7}
      - {step: verify_answer}
      - {step: pair}
      - {step: filter, name: right, keep: score.correct}
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with rationales and pairs, and without labels of steps; nobody writes to it."""
    import asyncio

    folder = tmp_path_factory.mktemp("group")
    file = yaml_file(folder / "p.yaml", PIPELINE)
    asyncio.run(run(file, sums(folder / "in.jsonl", 8), folder / "run", ScriptedModel(World())))
    return folder / "run"


def files(folder: Path) -> dict[str, bytes]:
    """All that lies in a folder, hidden files too."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_nothing_is_written_where_one_of_them_has_nothing_to_export(made: Path, tmp_path: Path):
    done = synth("export", made, "--to", "sft", "--to", "dpo", "--to", "prm", "--out", tmp_path / "a" / "data", check=2)
    assert "prm: there is nothing to export as prm: this run has no label of a step" in done.stderr
    assert "no file was written" in done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "a").exists()


def test_all_that_is_wrong_is_told_at_once(made: Path, tmp_path: Path):
    (tmp_path / "dpo.jsonl").write_text("mine\n")
    before = files(tmp_path)
    with pytest.raises(UserError) as caught:
        export_group(
            made,
            {"sft": ExportOptions(), "dpo": ExportOptions(), "prm": ExportOptions(), "kto": ExportOptions(margin=True)},
            tmp_path,
        )
    told = str(caught.value)
    for part in (
        "3 of the 4 exports cannot be written",
        "dpo.jsonl is there and was not written by an export",
        "there is nothing to export as prm",
        "--margin does not apply to kto",
    ):
        assert part in told
    assert files(tmp_path) == before


def test_an_earlier_export_stays_where_the_next_fails(made: Path, tmp_path: Path):
    synth("export", made, "--to", "sft", "--out", tmp_path, check=0)
    before = files(tmp_path)
    synth("export", made, "--to", "sft", "--to", "judge", "--out", tmp_path, "--system", "Hm.", check=2)
    assert files(tmp_path) == before


def test_a_card_that_may_not_be_replaced_is_told_before_the_rows_are_written(made: Path, tmp_path: Path):
    (tmp_path / "README.md").write_text("mine\n")
    done = synth("export", made, "--to", "sft", "--to", "dpo", "--card", "--out", tmp_path, check=2)
    assert "README.md is there and was not written by an export" in done.stderr
    assert files(tmp_path) == {"README.md": b"mine\n"}
    synth("export", made, "--to", "sft", "--card", "--replace", "--out", tmp_path, check=0)
    synth("export", made, "--to", "sft", "--card", "--out", tmp_path, check=0)  # that is the card of this run


@pytest.mark.parametrize("trainer", ["trl", "axolotl", "llama-factory"])
def test_a_group_writes_what_each_alone_writes(made: Path, tmp_path: Path, trainer: str):
    """Rows, settings, and what several exports share: dataset_info.json and the note of what lies there."""
    options = ExportOptions(trainer=trainer)
    group = export_group(made, {"sft": options, "dpo": options}, tmp_path / "group")
    for to in ("sft", "dpo"):
        alone = export_group(made, {to: options}, tmp_path / "alone")[to]
        assert alone.rows == group[to].rows
        assert [p.name for p in alone.beside] == [p.name for p in group[to].beside]
    together, apart = files(tmp_path / "group"), files(tmp_path / "alone")
    assert together.keys() == apart.keys()
    there, here = (str(tmp_path / name).encode() for name in ("group", "alone"))
    assert {k: v.replace(there, here) for k, v in together.items()} == apart
    noted = json.loads(together[".synth-export.json"])
    assert noted["format"] == 1
    assert sorted(noted["exports"]) == ["dpo.jsonl", "sft.jsonl"]


def test_tables_and_rows_in_one_group(made: Path, tmp_path: Path):
    synth("export", made, "--to", "parquet", "--to", "sft", "--out", tmp_path, check=0)
    assert {"rationales.parquet", "sft.jsonl"} <= set(files(tmp_path))
    assert not [name for name in files(tmp_path) if name.endswith(".new")]
