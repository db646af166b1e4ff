"""How the scripted model replies to instructions with constraints: at the rate at which it solves problems it complies with all of them."""

import synth
from synth.constraints import satisfying_text


@synth.simulates("reply")
def reply(request, rng, world):
    """A text that complies with all constraints, or one that does not."""
    text = satisfying_text(request.task.problem.constraints) if rng.random() < world.solve_rate else None
    return f"{text}" if text else f"Well, number {rng.randrange(1000)}, I do not know!"
