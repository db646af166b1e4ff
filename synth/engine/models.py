"""The models of a run: how they are named, what identifies them, and what they can do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from synth.calls import Caller
from synth.errors import SetupError
from synth.models import Completion, Model, Request, probe
from synth.pipeline import Pipeline

__all__ = ["by_name", "identity", "probe_models"]


def identity(model: Model) -> list[Any]:
    """What a model is, for the manifest and the fingerprint of a run: name, endpoint, id, parameters."""
    return [model.name, model.endpoint, model.model_id, dict(model.parameters)]


def by_name(models: Mapping[str, Sequence[Model]]) -> dict[str, Model]:
    """Every model by its name.

    Raises:
        SetupError: two have the same.
    """
    named: dict[str, Model] = {}
    for model in (t for some in models.values() for t in some):
        if named.setdefault(model.name, model) is not model:
            what = f"two models have the name {model.name}: what each said could not be distinguished"
            raise SetupError(what, fix="give each a name of its own")
    return named


async def probe_models(
    pipeline: Pipeline, models: Mapping[str, Sequence[Model]], caller: Caller, report: Callable[[str], None]
) -> None:
    """Find out what steps have use for and the profiles do not say.

    Args:
        pipeline: whose steps ask.
        models: the models that play each role.
        caller: asks test requests.
        report: called with what could not be found out, and is not needed.

    Raises:
        SetupError: a model lacks what a step needs.
    """

    async def ask(model: Model, request: Request) -> Completion:
        return await caller.ask(model, request, unit="probe")

    for step in pipeline.model_steps:
        for model in (t for role in step.roles() for t in models[role]):
            needs = step.needs_of_models()
            unclear = await probe(model, needs | step.uses_of(model), ask)
            for capability, why in unclear.items():
                what = f"whether model {model.name} has {capability} could not be found out: {why}"
                if capability in needs:
                    say = f"give the same command again, or say it in the profile: capabilities: [{capability}]"
                    raise SetupError(what, fix=say)
                report(f"{what} (continuing without it)")
            for lacking in sorted(needs - model.capabilities):
                what = f"step {step.name} needs {lacking}, and model {model.name} does not have it (checked with a test request)"
                raise SetupError(what, fix=f"bind another model: --model {step.roles()[0]}=NAME")
