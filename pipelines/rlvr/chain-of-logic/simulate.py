"""How the scripted model takes rules of the generator apart, which say in `meta` what they are, and judges their elements."""

import synth


@synth.simulates("decompose")
def decompose(request, rng):  # noqa: ARG001  # given to every simulator
    """The elements and the expression of the problem's own rule; of other problems a rule of one element."""
    meta = request.task.problem.meta
    elements = [f"{e['name']}: {e['text']}" for e in meta.get("elements", [])] or ["met: the rule is met"]
    fields = {"elements": elements, "expression": meta.get("expression", "met")}
    return fields if request.task.format == "json" else {**fields, "elements": "\n".join(elements)}


@synth.simulates("judge")
def judge(request, rng, world):
    """The true verdict on an element at the rate at which the world solves problems, else the other one."""
    task = request.task
    name = task.subject.steps[task.part.index].partition(":")[0]
    known = {e["name"]: e["verdict"] for e in task.problem.meta.get("elements", [])}
    true = known.get(name, task.problem.answer == "yes")
    verdict = true if rng.random() < world.solve_rate else not true
    return {"reason": "The facts say so.", "verdict": str(verdict).lower()}
