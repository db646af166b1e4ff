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

SOURCE = ROOT / "synth"

# Each room with the rooms it may know. Arrows go one way: from the command line down to the records.
MAY_KNOW: dict[str, set[str]] = {
    "errors": set(),
    "redact": set(),
    "shipped": set(),
    "documented": set(),
    "records": set(),
    "media": {"records", "errors"},
    "verify": {"records", "texts"},
    "texts": set(),
    "prompts": {"errors"},
    "measures": set(),
    "store": {"records", "errors", "corpus", "documented"},
    "corpus": {"records", "errors", "prompts"},
    "teachers": {"records", "errors", "media", "store", "redact", "texts"},
    "sources": {"records", "errors", "media", "verify", "prompts", "texts"},
    "export": {"errors", "records", "store", "verify"},
    "rewards": {"records", "texts", "verify"},
    "audit": {"errors", "store", "corpus", "verify", "measures", "texts"},
    "view": {"records", "errors", "store", "audit", "measures", "verify"},
    "publish": {"errors", "documented", "redact", "store", "audit", "export", "view", "teachers"},
    "steps": {"records", "errors", "shipped", "teachers", "prompts", "verify", "texts", "corpus"},
    "pipeline": {"records", "errors", "shipped", "teachers", "prompts", "steps", "corpus", "export", "documented"},
    "engine": {"records", "errors", "shipped", "teachers", "prompts", "steps", "pipeline", "sources", "store", "corpus"},
    "cli": {"errors", "shipped", "sources", "teachers", "steps", "pipeline", "engine", "store", "corpus", "export", "audit",
            "view", "publish", "redact", "documented"},
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
        beyond = imports(path) - MAY_KNOW[room] - {room}
        assert not beyond, f"{path.relative_to(ROOT)} imports {sorted(beyond)}"
    for room, known in MAY_KNOW.items():
        for other in known:
            assert room not in MAY_KNOW[other], f"{room} and {other} know each other"


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


def test_lazy_names_are_there():
    assert set(synth.__all__) - {"__version__"} == set(synth._HOME)
    for name in synth.__all__:
        assert getattr(synth, name)
    with pytest.raises(AttributeError):
        synth.nothing  # noqa: B018


def test_the_documents_name_every_command_and_pipeline():
    table = (ROOT / "pipelines" / "README.md").read_text()
    for name in catalogue():
        assert f"[`{name}`]({name}.yaml)" in table
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


def test_nothing_is_left_of_a_draft():
    for path in [*SOURCE.rglob("*.py"), *SOURCE.rglob("*.j2"), *(ROOT / "pipelines").rglob("*")]:
        if path.is_file() and "_shipped" not in path.parts:
            text = path.read_text()
            for word in ("TO" + "DO", "FIX" + "ME", "XX" + "X", "NotImplemented" + "Error("):
                assert word not in text, path
