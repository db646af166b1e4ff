"""Which span the scripted model hides."""

import synth


@synth.simulates("propose")
def propose(request, rng):
    """A word of the passage that occurs once; now and then one that does not."""
    problem = request.task.problem
    words = (problem.context or problem.question).replace(".", " ").replace(",", " ").split()
    once = [word for word in words if len(word) > 3 and " ".join(words).casefold().count(word.casefold()) == 1]
    return {"span": rng.choice(once) if once and rng.random() < 0.9 else rng.choice(words)}
