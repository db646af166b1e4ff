"""How the scripted model answers the questions about options: more often rightly from a sound rationale."""

import synth

SOUND, UNSOUND = 0.95, 0.6
"""Rates of the right verdict on an option, from a sound rationale and from an unsound one; ours."""


@synth.simulates("follow_up")
def verdict(request, rng, sound=SOUND, unsound=UNSOUND):
    """Yes for the gold option and no for the others, at a rate that depends on the rationale."""
    task = request.task
    rate = sound if synth.World.is_sound(task.subject.text) else unsound
    is_gold = task.problem.lettered_choices[task.part.index][0] == task.problem.answer
    return {"answer": "yes" if is_gold == (rng.random() < rate) else "no"}
