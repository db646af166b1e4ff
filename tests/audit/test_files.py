"""Audits of one's own: the header, and what is said of a broken file."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import run as run_pipeline
from support import sums, synth, yaml_file

from synth.audit import load_audits, run_audits
from synth.errors import UserError
from synth.models import ScriptedModel, World

HEADER = """-- severity: warning
-- threshold: at least 3
-- unit: problems
-- meaning: There are few problems,
--   far too few.
-- fix: Take more.
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import asyncio

    base = tmp_path_factory.mktemp("run")
    made = yaml_file(base / "p.yaml", "pipeline: my/small\nsteps:\n  - {step: generate}\n  - {step: verify_answer}\n")
    asyncio.run(run_pipeline(made, sums(base / "in.jsonl", 5), base / "run", ScriptedModel(World())))
    return base / "run"


def own(tmp_path: Path, text: str, name: str = "few") -> Path:
    audits = tmp_path / "audits"
    audits.mkdir(exist_ok=True)
    (audits / f"{name}.sql").write_text(text)
    return audits


def test_a_header_is_read(tmp_path: Path):
    (audit,) = load_audits(own(tmp_path, HEADER + "SELECT 5 AS value, 5 AS n"))
    assert (audit.name, audit.severity, audit.bound, audit.threshold, audit.least) == (
        "few",
        "warning",
        "at least",
        3,
        1,
    )
    assert audit.meaning == "There are few problems, far too few."
    assert audit.line == 7


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            HEADER.replace("severity", "severty") + "SELECT 1",
            "few.sql:1: an audit's header has no 'severty'; did you mean 'severity'?",
        ),
        (HEADER.replace("warning", "fatal") + "SELECT 1", "few.sql:1: severity is 'fatal'"),
        (HEADER.replace("at least", "over") + "SELECT 1", "few.sql:2: threshold is not"),
        (HEADER.replace("--   far", "-- far") + "SELECT 1", "few.sql:5: not `-- NAME: text`"),
        (HEADER + "-- unit: twice\nSELECT 1", "few.sql:7: 'unit' is given twice"),
        (HEADER + "-- least: some\nSELECT 1", "few.sql:7: least is 'some'"),
        (HEADER, "no question after the header"),
        ("SELECT 1", "few.sql:1: no 'severity' in the header"),
        ("", "few.sql:1: no 'severity' in the header"),
    ],
)
def test_a_broken_header_is_reported_with_its_line(tmp_path: Path, text: str, told: str):
    with pytest.raises(UserError) as error:
        load_audits(own(tmp_path, text))
    assert told in str(error.value)


def test_all_broken_files_are_reported_at_once(tmp_path: Path):
    own(tmp_path, "SELECT 1", "one")
    with pytest.raises(UserError) as error:
        load_audits(own(tmp_path, HEADER, "two"))
    assert "one.sql" in str(error.value)
    assert "two.sql" in str(error.value)


@pytest.mark.parametrize(
    ("query", "told", "line"),
    [
        ("SELECT 1 AS value,\n  2 AS n,\n  nothing", 'Referenced column "nothing"', 9),
        ("SELECT 1 AS value,\n  FROM FROM x", "syntax error", 8),
        ("SELECT 1 AS value", "no column 'n'", 7),
        ("SELECT 1 AS value, 1 AS n WHERE false", "no row", 7),
        ("SELECT 1 AS value, 1 AS n FROM problems", "more than one row", 7),
        ("SELECT 'much' AS value, 1 AS n", "'value' of this audit is 'much', not a number", 7),
        ("SELECT 1 AS value, 1 AS n, 'x' AS examples", "'examples' of this audit is 'x', not a list", 7),
        ("COPY problems TO 'out.csv'", "not a question", 7),
        ("SELECT 1 AS value, 1 AS n; DROP VIEW problems", "not a question", 7),
        ("SELECT 1 AS value, count(*) AS n FROM read_text('/etc/passwd')", "disabled", 7),
    ],
)
def test_a_broken_question_is_reported_with_its_line(tmp_path: Path, folder: Path, query: str, told: str, line: int):
    with pytest.raises(UserError) as error:
        run_audits(folder, folder=own(tmp_path, HEADER + query), only=["few"])
    assert told in str(error.value)
    assert str(error.value.where).endswith(f"few.sql:{line}")


def test_an_audit_of_ones_own_is_asked_beside_ours_or_in_the_place_of_one(tmp_path: Path, folder: Path):
    audits = own(tmp_path, HEADER + "SELECT count(*) AS value, count(*) AS n, 'all' AS note FROM problems")
    verdicts = {v.name: v for v in run_audits(folder, folder=audits)}
    assert (verdicts["few"].status, verdicts["few"].value, verdicts["few"].note) == ("passed", 5, "all")
    assert len(verdicts) == len(load_audits()) + 1
    own(tmp_path, HEADER + "SELECT 0 AS value, 1 AS n, ['x'] AS examples", "unparsed")
    (verdict,) = run_audits(folder, folder=audits, only=["unparsed"])
    assert (verdict.status, verdict.threshold, verdict.examples) == ("failed", 3, ("x",))


def test_thresholds_can_be_others_and_pass_at_themselves(folder: Path):
    for threshold, status in ((5, "passed"), (5.1, "failed")):
        (verdict,) = run_audits(folder, only=["kept_rows"], thresholds={"kept_rows": threshold})
        assert (verdict.value, verdict.threshold, verdict.status) == (5, threshold, status)


@pytest.mark.parametrize(
    "words", [["--only", "unparsd"], ["--set", "unparsd=1"], ["--set", "unparsed=much"], ["--folder", "."]]
)
def test_mistakes_on_the_command_line_are_reported(folder: Path, tmp_path: Path, words: list[str]):
    done = synth("audit", folder, *words, cwd=tmp_path, check=2)
    assert "→" in done.stderr
    assert "did you mean 'unparsed'" in done.stderr or "unparsd" not in " ".join(words)
