"""Synthesise and curate reasoning corpora you can defend.

    import synth

    synth.run("fine-tune-cot", "my.jsonl", "runs/mine", teachers="gpt")
    with synth.open_store("runs/mine") as store:
        store.frame("SELECT * FROM wide_rationales WHERE kept")
    synth.export_run("runs/mine", "sft", "data")

Everything below is loaded when it is used, so that importing this package is quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from synth.engine.session import run
    from synth.export import export_run
    from synth.pipeline import load_pipeline
    from synth.store.database import open_store
    from synth.teachers import ScriptedTeacher, World
    from synth.verify import verify_answer

__version__ = "0.1.0"

__all__ = [
    "ScriptedTeacher",
    "World",
    "__version__",
    "export_run",
    "load_pipeline",
    "open_store",
    "run",
    "verify_answer",
]

_HOME = {
    "run": "synth.engine.session",
    "export_run": "synth.export",
    "load_pipeline": "synth.pipeline",
    "open_store": "synth.store.database",
    "ScriptedTeacher": "synth.teachers",
    "World": "synth.teachers",
    "verify_answer": "synth.verify",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'synth' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
