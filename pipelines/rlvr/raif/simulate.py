"""How the scripted model replies to instructions with constraints: at the rate at which it solves problems it complies with all of them."""

import synth
from synth.constraints import satisfying_text


@synth.simulates("direct", "reasoned")
def reply(request, rng, world):
    """A text that complies with all constraints, or one that does not."""
    constraints = request.task.problem.constraints
    text = satisfying_text(constraints) if rng.random() < world.solve_rate else None
    text = text or f"Well, number {rng.randrange(1000)}, I do not know!"
    if request.step == "direct":
        return text
    thought = f"It asks for {len(constraints)} things, in case {rng.randrange(10**6)}."
    return synth.Completion(text=text, finish="stop", thought=thought, thought_kind="raw", thought_from="tags")
