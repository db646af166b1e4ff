"""`synth audit` as it is used: exit codes, and what machines read."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from support import ROOT, synth

ESC = "\x1b[31mred\x1b[0m \u202eevil \x9b2J \x01"
NASTY = (
    """-- severity: warning
-- threshold: at most 0
-- unit: evils <&
-- meaning: It is <b>bad</b>.
-- fix: Mend it.
SELECT 1 AS value, 1 AS n, ['"""
    + ESC
    + """'] AS examples, '"""
    + ESC
    + """' AS note
"""
)


@pytest.fixture
def audits(tmp_path: Path) -> Path:
    (tmp_path / "audits").mkdir()
    (tmp_path / "audits" / "nasty.sql").write_text(NASTY, encoding="utf-8")
    return tmp_path / "audits"


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    import shutil

    return Path(shutil.copytree(ROOT / "samples" / "finished", tmp_path / "finished"))


def test_the_exit_code_says_whether_something_failed(finished: Path, audits: Path):
    assert "0 failed" in synth("audit", finished, check=0).stdout
    done = synth("audit", finished, "--set", "kept_rows=51", check=1)
    assert "kept_rows: 50 rationales" in done.stdout
    assert "→" in done.stdout
    synth("audit", finished, "--folder", audits, check=0)
    synth("audit", finished, "--folder", audits, "--fail-on", "warning", check=1)
    synth("audit", finished, "--folder", audits, "--fail-on", "warning", "--only", "kept_rows,orphans", check=0)


def test_nothing_of_a_record_reaches_the_terminal(finished: Path, audits: Path):
    shown = synth("audit", finished, "--folder", audits, "--only", "nasty").stdout
    assert "evil" in shown
    assert not {"\x1b", "\u202e", "\x9b"} & set(shown)


def test_json(finished: Path, audits: Path):
    told = json.loads(synth("audit", finished, "--folder", audits, "--format", "json", check=0).stdout)
    assert told["failed"] is False
    verdicts = {v["name"]: v for v in told["verdicts"]}
    assert verdicts["nasty"]["status"] == "failed"
    assert verdicts["nasty"]["examples"] == [ESC]
    assert (
        verdicts["contamination"] | {"note": "not looked for: no step `decontaminate` or `contamination` ran"}
        == verdicts["contamination"]
    )
    assert json.loads(
        synth("audit", finished, "--folder", audits, "--format", "json", "--fail-on", "warning", check=1).stdout
    )["failed"]


def test_junit(finished: Path, audits: Path):
    words = ["audit", finished, "--folder", audits, "--format", "junit", "--set", "kept_rows=51"]
    suite = ET.fromstring(synth(*words, check=1).stdout)
    cases = {c.get("name"): c for c in suite}
    assert (suite.get("tests"), suite.get("failures")) == (str(len(cases)), "1")
    assert suite.get("skipped") == str(len(suite.findall("*/skipped")))
    assert cases["kept_rows"].find("failure").get("message").startswith("50 rationales")
    assert cases["nasty"].find("failure") is None  # a warning does not fail this run
    assert "evils <&" in cases["nasty"].find("system-out").text
    assert "\x1b" not in cases["nasty"].find("system-out").text
    suite = ET.fromstring(synth(*words, "--fail-on", "warning", check=1).stdout)
    assert suite.get("failures") == "2"


@pytest.mark.parametrize("form", ["json", "junit"])
def test_what_machines_read_is_ascii(finished: Path, audits: Path, form: str):
    assert synth("audit", finished, "--folder", audits, "--format", form).stdout.isascii()


def test_the_tables_are_there_on_their_own(finished: Path):
    done = synth("audit", finished, "--look", check=0)
    assert "lengths of pairs" in done.stdout
    assert "kept_rows" not in done.stdout
    assert "at most" in synth("audit", finished, "--list", check=0).stdout


def test_a_folder_without_a_run_is_reported(tmp_path: Path):
    assert "no run in this folder" in synth("audit", tmp_path, check=2).stderr
