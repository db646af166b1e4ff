"""The house: which rooms may know which, and that every public name is meant."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import subprocess
from pathlib import Path

import pytest
from support import ROOT

import synth
from synth.cli.main import _COMMANDS
from synth.pipeline import catalogue
from synth.steps import BUILT_IN

SOURCE = ROOT / "synth"

# Small modules that every package may know; with what they know themselves.
COMMON: dict[str, set[str]] = {
    "errors": set(),
    "redact": set(),
    "shipped": set(),
    "documented": set(),
    "bounded": set(),
    "alignment": set(),
    "nesting": set(),
    "plugins": set(),
    "files": {"errors"},
    "locks": {"errors"},
    "reach": {"errors"},
    "yaml_text": {"errors", "files"},
    "notes": {"errors", "files", "nesting", "reach"},
}

# Each package with the packages it may know beside those. Arrows go one way: from the command line down to the records.
MAY_KNOW: dict[str, set[str]] = {
    "records": set(),
    "addresses": set(),
    "approvals": {"addresses"},
    "media": {"records"},
    "constraints": {"records", "texts"},
    "algorithms": {"records"},
    "verify": {"records", "texts", "constraints", "algorithms"},
    "texts": set(),
    "prompts": {"measures"},
    "measures": set(),
    "store": {"records"},
    "corpus": {"records", "prompts", "store"},
    "models": {"records", "media", "texts", "addresses", "approvals"},
    "sandbox": {"records", "verify"},
    "calls": {"records", "models", "store", "sandbox"},
    "generators": {"records", "verify", "algorithms"},
    "sources": {"records", "media", "verify", "constraints", "generators", "prompts", "texts", "approvals"},
    "export": {"records", "store", "verify", "rewards"},
    "rewards": {"records", "texts", "verify", "measures", "constraints", "sandbox"},
    "audit": {"store", "corpus", "verify", "measures", "texts"},
    "render": {"records", "store", "audit"},
    "view": {"records", "store", "audit", "verify", "render"},
    "publish": {"store", "audit", "export", "render", "models", "addresses", "approvals"},
    "steps": {"records", "models", "calls", "prompts", "verify", "texts", "corpus", "measures", "constraints", "sandbox"},
    "pipeline": {"records", "generators", "models", "prompts", "steps", "verify", "corpus", "approvals", "export"},
    "engine": {"records", "models", "calls", "prompts", "steps", "pipeline", "sources", "store", "corpus", "approvals"},
    "cli": {"sources", "models", "calls", "steps", "pipeline", "engine", "store", "corpus", "export", "audit", "render", "view", "publish",
            "addresses", "approvals"},
}  # fmt: skip


def imports(path: Path) -> set[str]:
    """The rooms a module imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        found |= {n.split(".")[1] for n in names if n.startswith("synth.")}
    return found


def test_arrows_go_one_way():
    for path in SOURCE.rglob("*.py"):
        room = path.relative_to(SOURCE).parts[0].removesuffix(".py")
        if room in {"__init__", "_shipped"}:
            continue
        beyond = imports(path) - (COMMON[room] if room in COMMON else MAY_KNOW[room] | set(COMMON)) - {room}
        assert not beyond, f"{path.relative_to(ROOT)} imports {sorted(beyond)}"
    for room, known in MAY_KNOW.items():
        for other in known:
            assert room not in MAY_KNOW[other], f"{room} and {other} know each other"


GENERAL = {
    "ask", "check_steps", "constrain", "contamination", "continue", "critique", "deduplicate", "derive", "filter", "generate", "mask", "medoid_score",
    "pair", "pass_rate", "path_to_rationale", "prefixes", "reference", "review", "revise", "rollout", "score", "search", "segment", "segment_by_model",
    "select", "step_labels", "text_stats", "token_confidence", "verify_answer", "verify_constraints", "vote",
}  # fmt: skip
"""The steps of the core: those that any method may be made of. What is of one method lies in its folder."""


def test_the_core_imports_no_method():
    """The Python of a method is data to the core: loaded by its pipeline, known by its content, and named by no import."""
    brought = {p.stem for p in (ROOT / "pipelines").rglob("*.py")}
    assert brought >= {"parts", "simulate"}
    assert not any((ROOT / "pipelines").rglob("__init__.py"))
    for path in [p for p in SOURCE.rglob("*.py") if "_shipped" not in p.parts]:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                assert name.split(".")[0] != "pipelines", f"{path.relative_to(ROOT)} imports {name}"
                assert name not in brought, f"{path.relative_to(ROOT)} imports {name}"
                assert not name.startswith("synth._shipped"), f"{path.relative_to(ROOT)} imports {name}"


def test_the_steps_of_the_core_are_general():
    """The registry names steps that any method may use, and every step of the core is named there."""
    assert {kind.model_fields["step"].default for kind in BUILT_IN} == GENERAL
    methods = {n.rsplit("/", 1)[-1] for n in catalogue()}
    for kind in BUILT_IN:
        assert kind.__module__.startswith("synth.steps.")
        assert not methods & {kind.model_fields["step"].default}


MODULES = [
    m.name for m in pkgutil.walk_packages(synth.__path__, "synth.") if not m.name.endswith((".child", ".worker"))
]


@pytest.mark.parametrize("name", MODULES)
def test_public_names_are_meant_and_described(name: str):
    module = importlib.import_module(name)
    assert module.__doc__, name
    for public in getattr(module, "__all__", ()):
        thing = getattr(module, public)
        if callable(thing) and getattr(thing, "__module__", "").startswith("synth."):
            assert thing.__doc__, f"{name}.{public}"


WRITES = {
    "synth/locks.py": {"os.open"},  # to lock, not to write
    "synth/corpus/index.py": {"write_table"},  # into a draft
    "synth/cli/sql.py": {"write_parquet"},  # into a draft, by the process that answers
    "synth/engine/rounds.py": {"open wb"},  # the log of a training command, to be read while it grows
    "synth/export/files.py": {"ParquetWriter", "write_table"},  # into a draft
    "synth/sandbox/bubblewrap.py": {"TemporaryFile"},  # files without a name, which the sandbox is given
    "synth/sandbox/monty.py": {"write_text"},  # the command of a worker, in a folder that ends with the pool
    "synth/store/child.py": {"open w", "ParquetWriter"},  # nowhere; into a draft of its parent
    "synth/store/incoming.py": {"open ab"},  # a temporary file
    "synth/store/sealed.py": {"rename"},  # a derived database is moved aside
    "synth/store/journal.py": {"open rb+", "truncate"},  # synced, and cut after its last whole line
    "synth/models/local/child.py": {"fdopen w"},  # standard output, kept for the parent
    "synth/models/local/fetch.py": {"open ab", "open wb", "copyfileobj"},  # downloads, checked before they are named
    "synth/models/local/server.py": {"TemporaryFile"},  # what the child says
}
"""Where files are written other than through `synth/files.py`, and why that is right."""

_WRITING = {"write_text", "write_bytes", "write_table", "write_parquet", "write_csv", "write_ndjson", "write_json", "write_ipc",
            "ParquetWriter", "save_to_disk", "to_parquet", "to_json_file", "to_csv", "rename", "renames", "link", "symlink",
            "symlink_to", "hardlink_to", "copy", "copy2", "copyfile", "copytree", "copyfileobj", "move", "mkstemp", "mktemp",
            "NamedTemporaryFile", "TemporaryFile", "touch", "truncate", "savez", "savetxt", "tofile"}  # fmt: skip
_OF_FILES = {"os", "shutil", "tempfile", "pq", "Path"}


def writes(path: Path) -> set[str]:
    """How a module writes files, by the names of what it calls."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, (ast.Attribute, ast.Call)):
            continue
        if isinstance(node, ast.Attribute):  # also where it is handed on, and not called
            if node.attr in _WRITING - {"copy", "move", "link", "truncate"} or (
                node.attr in _WRITING and isinstance(node.value, ast.Name) and node.value.id in _OF_FILES
            ):
                found.add(node.attr)
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        of = getattr(getattr(node.func, "value", None), "id", "")
        if name in {"open", "fdopen"} and of != "webbrowser":
            given = [*node.args, *(k.value for k in node.keywords if k.arg == "mode")]
            parts = [part for one in given for part in ast.walk(one)]
            modes = [p.value for p in parts if isinstance(p, ast.Constant) and isinstance(p.value, str)]
            if of == "os" and name == "open":
                found.add("os.open")
            found |= {f"{name} {m}" for m in modes if re.fullmatch(r"[rwaxbt+]{1,4}", m) and set(m) & set("wax+")}
        if name == "replace" and (of == "os" or (len(node.args) == 1 and not node.keywords)):  # `str.replace` takes two
            found.add("replace")
    return found


def test_files_are_written_in_one_way():
    """A kill, a full disk or a second process can hurt no file: whoever writes one goes through `synth/files.py`."""
    found = {str(p.relative_to(ROOT)): writes(p) for p in SOURCE.rglob("*.py") if "_shipped" not in p.parts}
    assert found.pop("synth/files.py") >= {"open wb", "replace", "os.open"}  # or this test sees nothing
    assert {path: how for path, how in found.items() if how} == WRITES


def test_lazy_names_are_there():
    assert set(synth.__all__) - {"__version__"} == set(synth._HOME)
    for name in synth.__all__:
        assert getattr(synth, name)
    with pytest.raises(AttributeError):
        synth.nothing  # noqa: B018


def test_the_documents_name_every_command_and_pipeline():
    table = (ROOT / "pipelines" / "README.md").read_text()
    for name in catalogue():
        assert f"[`{name}`]({name}/)" in table
    changes = (ROOT / "CHANGELOG.md").read_text()
    for command in _COMMANDS:
        assert f"`{command}`" in changes
    for document in ROOT.glob("*.md"):
        for link in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
            assert (ROOT / link).exists(), f"{document.name}: {link}"


def test_ci_runs_the_test_command_of_the_readme():
    command = (ROOT / "README.md").read_text().split("<!-- test -->")[1].split("```bash\n")[1].split("\n```")[0]
    script = (ROOT / ".ci" / "run").read_text()
    found = re.search(r"command=\$\((.*)\)", script)[1]
    assert subprocess.run(["bash", "-c", found], cwd=ROOT, capture_output=True, text=True).stdout.strip() == command
    assert "&& pytest" in command


MOST_LINES = 400


def test_files_are_short():
    """A file is one thing, of at most 400 lines."""
    long = [
        str(path.relative_to(ROOT))
        for path in SOURCE.rglob("*.py")
        if "_shipped" not in path.parts and len(path.read_text().splitlines()) > MOST_LINES
    ]
    assert not long, f"split {long}"


def test_nothing_is_left_of_a_draft():
    for path in [*SOURCE.rglob("*.py"), *SOURCE.rglob("*.j2"), *(ROOT / "pipelines").rglob("*")]:
        if path.is_file() and "_shipped" not in path.parts:
            text = path.read_text()
            for word in ("TO" + "DO", "FIX" + "ME", "XX" + "X", "NotImplemented" + "Error("):
                assert word not in text, path
