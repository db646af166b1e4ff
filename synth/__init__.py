"""Synthesise and curate reasoning corpora you can defend.

    import synth

    done = synth.run("fine-tune-cot", problems, "runs/mine", models="gpt")
    with done.open() as store:
        for rationale in store.records(Rationale, kept=True):
            print(rationale.text)
    synth.push("runs/mine", "me/mine", "sft")

Everything below is loaded when it is used, so that importing this package is quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from synth.audit import run_audits
    from synth.engine.from_python import run
    from synth.export import ExportOptions, export_dataset, export_run
    from synth.models import Completion, FunctionModel, Price, Reply, ScriptedModel, World, simulates
    from synth.pipeline import allow_code, load_pipeline
    from synth.publish import push, write_card
    from synth.records import Call, Critique, Failure, Node, Pair, Problem, Rationale, Rejection, Score
    from synth.steps import ModelStep, Step, Unit
    from synth.store.database import open_store
    from synth.verify import verifies, verify_answer

__version__ = "0.1.0"

__all__ = [
    "Call",
    "Completion",
    "Critique",
    "ExportOptions",
    "Failure",
    "FunctionModel",
    "ModelStep",
    "Node",
    "Pair",
    "Price",
    "Problem",
    "Rationale",
    "Rejection",
    "Reply",
    "Score",
    "ScriptedModel",
    "Step",
    "Unit",
    "World",
    "__version__",
    "allow_code",
    "export_dataset",
    "export_run",
    "load_pipeline",
    "open_store",
    "push",
    "run",
    "run_audits",
    "simulates",
    "verifies",
    "verify_answer",
    "write_card",
]

_HOME = {
    "run": "synth.engine.from_python",
    "ExportOptions": "synth.export",
    "export_dataset": "synth.export",
    "export_run": "synth.export",
    **dict.fromkeys(("allow_code", "load_pipeline"), "synth.pipeline"),
    **dict.fromkeys(("ModelStep", "Step", "Unit"), "synth.steps"),
    "push": "synth.publish",
    "write_card": "synth.publish",
    "open_store": "synth.store.database",
    "run_audits": "synth.audit",
    **dict.fromkeys(
        ("Completion", "FunctionModel", "Price", "Reply", "ScriptedModel", "World", "simulates"), "synth.models"
    ),
    **dict.fromkeys(("verifies", "verify_answer"), "synth.verify"),
    **dict.fromkeys(
        ("Call", "Critique", "Failure", "Node", "Pair", "Problem", "Rationale", "Rejection", "Score"), "synth.records"
    ),
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'synth' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
