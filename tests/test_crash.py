"""Killed, or out of room, at every call that changes a file: nothing is lost, nothing is mixed, and the same command heals it.

`SYNTH_KILLS=1000000 pytest tests/test_crash.py -n 0 -s` tries every point of every command, and prints how many these are.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from disk import COUNT, FULL, KILL, Disk, Ended
from hub_server import TOKEN, FakeHub, fake_hub
from support import contents, endpoint, reply, sums, write_rows, yaml_file

from synth.store.journal import read_entries

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux") or shutil.which("cc") is None, reason="needs Linux and a C compiler"
)

FAULTS = int(os.environ.get("SYNTH_KILLS", "1"))
"""How many faults of each command are tried, at most: others each time."""
WORDS = {KILL: "kills", FULL: "full disks"}

PIPELINE = """
    pipeline: my/crash
    roles: {teacher: writes}
    steps:
      - {step: generate, samples: 2, temperature: 0.7, examples: none}
      - {step: verify_answer}
      - {step: pair}
      - {step: filter, keep: score.correct}
    corpus:
      - {step: split, shares: {train: 0.5, validation: 0.5}, threshold: null}
"""
REVIEWED = """
    pipeline: my/reviewed
    roles: {teacher: writes, judge: judges}
    steps:
      - {step: generate, samples: 2, temperature: 0.7}
      - {step: review, by: judge, exclude_author: false}
"""
ROWS = "import synth; synth.run('p.yaml', [{'question': f'What is {i} + 1?', 'answer': str(i + 1)} for i in range(3)], 'rows', models='scripted')"
VERDICT = """
from pathlib import Path
from synth.store.database import open_store
from synth.view.review import records_of_verdict, write
with open_store("made") as store:
    target = store.sql("SELECT min(id) FROM rationales").fetchone()[0]
    made = records_of_verdict(store, target, "human:me", "reject", "no")
write(Path("made"), "human:me", target, made)
"""
ENDPOINT = ("--profile", "models.yaml", "--model", "t")


@dataclass
class Model:
    """A model that is right half of the time, by what it was asked, and notes what that was."""

    silent: bool = False
    """Whether it says nothing to the third problem."""
    asked: Counter[str] = field(default_factory=Counter)

    async def __call__(self, request: Any, body: Any) -> Any:
        """One reply."""
        question = body["messages"][-1]["content"]
        key = json.dumps([body["messages"], body["seed"]])
        self.asked[key] += 1
        case = int(question.split("Case ")[1].split(":")[0])
        digest = hashlib.sha256(key.encode()).digest()
        answer = case * 10 + 5 if body["seed"] % 2 else digest[1]
        silent = self.silent and case == 2
        return reply("" if silent else f"Let us see, {digest.hex()[:24]}.\nThe answer is {answer}.")


@dataclass(frozen=True)
class Whole:
    """What a command changes when nothing disturbs it."""

    before: dict[str, Any]
    after: dict[str, Any]
    asked: Counter[str]
    done: Ended


@dataclass
class Setting:
    """The disk, and what stands around it."""

    disk: Disk
    model: Model
    hub: FakeHub
    base: Path
    """What `work` holds before each command."""
    known: dict[str, Whole] = field(default_factory=dict)

    def begin(self) -> Path:
        """All as it was before a command; returns the folder in which it will run."""
        for folder in (self.disk.work, self.disk.temporary):
            shutil.rmtree(folder)
        shutil.copytree(self.base, self.disk.work, symlinks=True)
        self.disk.temporary.mkdir()
        self.model.asked.clear()
        self.hub.repos.clear()
        return self.disk.work

    def whole(self, name: str) -> Whole:
        """A command that nothing disturbs."""
        if name not in self.known:
            command, work = COMMANDS[name], self.begin()
            before = command.read_at(work)
            done = self.disk.run(list(command.words), COUNT, given=command.given_at(work))
            assert done.code == 0, done.told
            self.known[name] = Whole(before, command.read_at(work), Counter(self.model.asked), done)
            assert self.known[name].after != before
        return self.known[name]

    def run(self, *words: str, given: str = "") -> Ended:
        """A command that must end well."""
        done = self.disk.run(list(words), given=given)
        assert done.code == 0, done.told
        return done


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    """Two runs, and outputs of an earlier state of the first one."""
    folder = tmp_path_factory.mktemp("crash")
    model = Model()
    with endpoint(model) as (url, _), fake_hub() as hub:
        profile = folder / "none.yaml"
        profile.write_text("models: {}\n")
        env = {"HF_TOKEN": TOKEN, "HF_HOME": str(folder / "hf"), "HF_HUB_DISABLE_XET": "1", "HF_ENDPOINT": hub.url}
        env |= {"SYNTH_MODELS": str(profile), "HF_HUB_DISABLE_PROGRESS_BARS": "1", "COLUMNS": "160"}
        with Disk(folder / "disk", folder, env) as disk:
            work, base = disk.work, folder / "base"
            setting = Setting(disk, model, hub, base)
            yaml_file(work / "p.yaml", PIPELINE)
            yaml_file(work / "reviewed.yaml", REVIEWED)
            sums(work / "few.jsonl", 3)
            sums(work / "in.jsonl", 5)
            solved = [
                {"question": f"What is {i} + 1?", "answer": str(i + 1), "reference_solution": "One more."}
                for i in range(4)
            ]
            write_rows(work / "solved.jsonl", solved)
            known = f"base_url: '{url}', model: m, capabilities: [seed], concurrency: 1"
            (work / "models.yaml").write_text(f"models: {{t: {{{known}}}}}\n")
            setting.run("run", "p.yaml", "--input", "few.jsonl", *ENDPOINT, "--run", "made")
            shutil.copytree(work / "made", work / "begun")
            for command in OUTPUTS.values():
                setting.run(*command.words)
            model.silent = True
            setting.run("run", "p.yaml", "--input", "in.jsonl", *ENDPOINT, "--run", "failed")
            model.silent = False
            setting.run("run", "p.yaml", "--input", "in.jsonl", *ENDPOINT, "--run", "made")
            setting.run("run", "reviewed.yaml", "--input", "few.jsonl", "--model", "scripted", "--run", "reviewed")
            write_rows(work / "lenient.json", [{}])
            setting.run("-c", ROWS.replace("+ 1", "+ 2"))
            shutil.copytree(work, base, symlinks=True)
            yield setting


def files_of(folder: Path) -> dict[str, bytes]:
    """All files below a folder that do not begin with a dot, or the one file."""
    if not folder.exists():
        return {}
    if folder.is_file():
        return {folder.name: folder.read_bytes()}
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name[0] != "."}


def run_of(folder: Path) -> dict[str, Any]:
    """What a run made, and what was forgotten in it; what calls cost is left aside."""
    if not (folder / "run.json").is_file():
        return {}
    entries = [json.loads(line) for _, line in read_entries(folder / "journal")]
    forgotten = sorted({e["body"]["key"] for e in entries if e["kind"] == "forget"})
    manifest = json.loads((folder / "run.json").read_bytes())
    beside = {
        name: files_of(folder / name)
        for name in ("stdin", "input.jsonl", "input.jsonl.before")
        if (folder / name).exists()
    }
    return {**contents(folder), "forgotten": forgotten, "manifest": manifest, "beside": beside}


@dataclass(frozen=True)
class Command:
    """A command, and what it changes."""

    words: tuple[str, ...]
    changes: str
    """The run folder, or the output."""
    read: Callable[[Path], dict[str, Any]]
    given: str = ""

    def read_at(self, work: Path) -> dict[str, Any]:
        """The state of what it changes."""
        return self.read(work / self.changes)

    def given_at(self, work: Path) -> str:
        """The path of its standard input, if it has one."""
        return str(work / self.given) if self.given else ""


def _output(*words: str, changes: str) -> Command:
    return Command(words, changes, files_of)


def _run(*words: str, changes: str, given: str = "") -> Command:
    return Command(words, changes, run_of, given)


OUTPUTS = {
    "export jsonl": _output("export", "made", "--to", "sft", "--for", "axolotl", "--out", "jsonl", changes="jsonl"),
    "export parquet": _output(
        "export", "made", "--to", "sft", "--file-format", "parquet", "--out", "parquet", changes="parquet"
    ),
    "export tables": _output("export", "made", "--to", "parquet", "--out", "tables", changes="tables"),
    "export lineage": _output(
        "export", "made", "--to", "sft", "--for", "openai", "--out", "lineage", changes="lineage"
    ),
    "export shared": _output(
        "export", "made", "--to", "sft", "--for", "llama-factory", "--out", "shared", changes="shared"
    ),
    "report": _output("report", "made", "--out", "report.html", changes="report.html"),
    "sql csv": _output("sql", "made", "FROM kept_rationales ORDER BY id", "--out", "a.csv", changes="a.csv"),
    "sql jsonl": _output("sql", "made", "FROM kept_rationales ORDER BY id", "--out", "a.jsonl", changes="a.jsonl"),
    "sql parquet": _output(
        "sql", "made", "FROM kept_rationales ORDER BY id", "--out", "a.parquet", changes="a.parquet"
    ),
    "index": _output("index", "made", "index", changes="index"),
}
"""Commands that write an output, which an earlier state of the same run has made before."""

COMMANDS = OUTPUTS | {
    "leniency": _output("audit", "reviewed", "--save-calibration", "lenient.json", changes="lenient.json"),
    "index of nothing": _output("index", "made", "new", changes="new"),
    "new": _output("new", "mine.yaml", changes="mine.yaml"),
    "run": _run("run", "p.yaml", "--input", "in.jsonl", *ENDPOINT, "--run", "fresh", changes="fresh"),
    "run on": _run("run", "p.yaml", "--input", "in.jsonl", *ENDPOINT, "--run", "begun", changes="begun"),
    "run stdin": _run(
        "run", "p.yaml", "--input", "-", "--model", "scripted", "--run", "piped", changes="piped", given="in.jsonl"
    ),
    "run rows": _run("-c", ROWS.replace("range(3)", "range(4)").replace("+ 1", "+ 2"), changes="rows"),
    "retry": _run("retry", "failed", "--all", changes="failed"),
    "forget": _run("calls", "made", "--step", "generate", "--forget", "--yes", changes="made"),
    "curate": _run(
        "curate", "made", "near_duplicates", "--set", "target=rationale", "--set", "threshold=0.1", changes="made"
    ),
    "import": _run("import", "solved.jsonl", "--run", "imported", changes="imported"),
    "verdict": _run("-c", VERDICT, changes="made"),
}


def _faults(points: int) -> list[tuple[int, int]]:
    """Some of the ways in which a command can fail, at a point each; or all."""
    every = [(mode, at) for mode in WORDS for at in range(1, points + 1)]
    return sorted(random.sample(every, FAULTS)) if len(every) > FAULTS else every


def _is_whole(command: Command, now: dict[str, Any], before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Whether an output is at this moment the old one or the new one; of several files some may be missing."""
    if command.changes == "index":  # new files are added to it, each whole
        return before.items() <= now.items() and now.items() <= after.items()
    if len(after) == 1:
        return now in (before, after)
    return now.items() <= before.items() or now.items() <= after.items()


def _drafts(folder: Path) -> list[Path]:
    return [p for p in folder.rglob("*") if p.name.endswith((".draft", ".new", ".tmp"))]


TRIED: Counter[str] = Counter()


@pytest.fixture(scope="module", autouse=True)
def _told() -> Iterator[None]:
    yield
    print("tried: " + ", ".join(f"{n} {what}" for what, n in TRIED.items()))


@pytest.mark.parametrize("name", COMMANDS)
def test_faults_anywhere(setting: Setting, name: str):
    """After a kill or on a full disk at any point, readers read and outputs are whole; the same command then ends as if nothing had been."""
    command, whole = COMMANDS[name], setting.whole(name)
    for mode, at in _faults(len(whole.done.trace)):
        work = setting.begin()
        ended = setting.disk.run(list(command.words), mode, at, given=command.given_at(work))
        now = command.read_at(work)
        TRIED[WORDS[mode]] += 1
        (_check_killed if mode == KILL else _check_full)(setting, command, whole, now, ended, at)
        if name == "new" and now:
            continue  # it never replaces a file
        again = setting.disk.run(list(command.words), given=command.given_at(work))
        assert again.code == 0, (WORDS[mode], at, again.told)
        assert command.read_at(work) == whole.after, (WORDS[mode], at)
        assert not _drafts(work), (WORDS[mode], at)
        if mode == KILL:
            twice = sum((setting.model.asked - whole.asked).values())
            assert twice <= 2, (at, "asked twice")  # one reply that is being written, and the call that left meanwhile
        assert not whole.asked - setting.model.asked, (WORDS[mode], at)


def _check_killed(setting: Setting, command: Command, whole: Whole, now: dict[str, Any], ended: Ended, at: int) -> None:
    assert ended.code in {-signal.SIGKILL, 0}, (at, ended.told)  # 0: the threads had less to write this time
    if command.read is files_of:
        assert _is_whole(command, now, whole.before, whole.after), (at, sorted(now))
    elif now and FAULTS > 1:
        setting.run("status", command.changes)  # `run_of` has read it too


def _check_full(setting: Setting, command: Command, whole: Whole, now: dict[str, Any], ended: Ended, at: int) -> None:
    """It is reported with what to do, old outputs stay, and nothing is left behind."""
    assert ended.code in {0, 2, 3}, (at, ended.told)
    assert "Traceback" not in ended.told, (at, ended.told)
    assert "Exception ignored" not in ended.told, (at, ended.told)
    assert not _drafts(setting.disk.work), at
    assert not list(setting.disk.temporary.iterdir()), (at, ended.told)
    if ended.code:
        assert re.search(r"No space left|No room|full", ended.told), (at, ended.told)
        assert "make room" in ended.told, (at, ended.told)
        if command.read is files_of and command.changes != "index":
            assert now == whole.before, (at, sorted(now), ended.told)
        elif command.changes == "index":
            assert _is_whole(command, now, whole.before, whole.after), (at, sorted(now))


def test_push_anywhere(setting: Setting):
    """A push that is killed, or has no room for its files, leaves the repository as it was, and is done by the same command."""
    words = ["push", "made", "me/made", "--to", "sft"]

    def there() -> dict[str, bytes]:
        repo = setting.hub.repos.get("me/made")
        at = repo.at("main") if repo is not None else None
        return {path: content for path, content in at[1].items() if path != ".gitattributes"} if at is not None else {}

    setting.begin()
    whole = setting.disk.run(words, COUNT)
    assert whole.code == 0, whole.told
    data = {path: content for path, content in there().items() if path.startswith("data/")}
    assert data
    for how, at in _faults(len(whole.trace)):
        setting.begin()
        ended = setting.disk.run(words, how, at)
        TRIED[WORDS[how]] += 1
        now = {path: content for path, content in there().items() if path.startswith("data/")}
        assert now in ({}, data), at
        if how == FULL:
            assert (ended.code in {2, 3} and "make room" in ended.told and not now) or ended.code == 0, (at, ended.told)
            assert "Traceback" not in ended.told
            assert not list(setting.disk.temporary.iterdir()), at
        else:
            assert ended.code == -signal.SIGKILL, (at, ended.told)
        setting.run(*words)
        assert {path: content for path, content in there().items() if path.startswith("data/")} == data, at


@pytest.mark.parametrize("name", COMMANDS)
def test_names_follow_contents(setting: Setting, name: str):
    """Every file is synced before it takes its name, and every folder after the last change of its names: a power cut loses
    nothing that a command has reported.
    """
    done = setting.whole(name).done
    unsynced: set[str] = set()
    folders: set[str] = set()
    for what, path, to in done.trace:
        if str(setting.disk.temporary) in path or ".duckdb" in path or path.endswith("/.lock"):
            continue  # temporary, derived from the journal, or empty
        if what in {"write", "cut"}:
            unsynced.add(path)
        elif what == "sync":
            unsynced.discard(path)
            folders.discard(path)
        elif what == "rename":
            assert path not in unsynced, path
            folders.add(str(Path(to).parent))
        elif what in {"create", "folder"}:
            folders.add(str(Path(path).parent))
        elif what == "remove":
            unsynced.discard(path)
    assert not unsynced
    assert not folders
