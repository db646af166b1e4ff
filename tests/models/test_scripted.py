"""A world's abilities are the numbers it was given: each rate measured over many replies."""

from __future__ import annotations

import math
import random
import re
from dataclasses import fields, replace

import pytest
from pydantic import create_model

from synth.models import Completion, Profile, Reply, Request, ScriptedModel, Task, World, make_model
from synth.models.base import THINKING_TOKENS
from synth.records import Problem, Rationale
from synth.verify import verify_answer

N = 4000
NUMBER = Problem.root(question="How many?", answer="1,234", answer_kind="number")
CHOICE = Problem.root(question="Which?", choices=("red", "blue", "green"), answer="B", answer_kind="choice")


def near(count: int, rate: float, n: int = N) -> bool:
    """Within 4 standard deviations: a false alarm in some 16,000 runs, were the seed not fixed."""
    return abs(count / n - rate) <= 4 * math.sqrt(rate * (1 - rate) / n) + 1e-9


def replies(world: World, task: Task) -> list[str]:
    rng = random.Random(1)
    return [world(Request((), task), rng) for _ in range(N)]


def right(problem: Problem, texts: list[str]) -> list[bool]:
    return [
        verify_answer(t, problem.answer, kind=problem.answer_kind, choices=problem.choices).label == "right"
        for t in texts
    ]


@pytest.mark.parametrize("form", ["text", "json"])
def test_solve_and_lucky_rates(form):
    texts = replies(World(solve_rate=0.3, lucky_rate=0.2), Task("solve", NUMBER, format=form))
    sound = [World.is_sound(t) for t in texts]
    correct = right(NUMBER, texts)
    assert near(sum(sound), 0.3)
    assert near(sum(correct), 0.3 + 0.7 * 0.2)
    assert all(c for s, c in zip(sound, correct, strict=True) if s)


def test_a_guess_among_choices_is_lucky_one_time_in_c():
    texts = replies(World(solve_rate=0), Task("solve", CHOICE))
    assert near(sum(right(CHOICE, texts)), 1 / 3)
    assert not any(World.is_sound(t) for t in texts)


def test_a_problem_without_a_gold_answer_is_answered_by_any_option():
    """Each of its letters, at equal rates and never another text; without options by 0."""
    options = CHOICE.model_copy(update={"answer": None, "answer_kind": None})
    said = [text.rsplit("The answer is ")[-1] for text in replies(World(), Task("solve", options))]
    assert set(said) == {"A.", "B.", "C."}
    assert all(near(said.count(letter), 1 / 3) for letter in set(said))
    open_question = NUMBER.model_copy(update={"answer": None, "answer_kind": None})
    assert replies(World(solve_rate=1), Task("solve", open_question))[0].endswith("The answer is 0.")


def test_hint_and_malformed_rates():
    world = World(solve_rate=0, hint_rate=0.7, malformed_rate=0.25, lucky_rate=0)
    texts = replies(world, Task("solve", NUMBER, hint="1,234"))
    assert near(sum("We know" not in t for t in texts), 0.25)
    assert near(sum(right(NUMBER, texts)), 0.75 * 0.7)


def test_each_step_of_an_unsound_rationale_errs_at_its_rate_and_one_at_least():
    texts = replies(World(solve_rate=0, step_error_rate=0.3, steps=5, lucky_rate=0), Task("solve", NUMBER))
    wrong = [sum(not World.is_sound(line) for line in t.splitlines()[:-1]) for t in texts]
    assert min(wrong) >= 1
    assert near(sum(w == 1 for w in wrong), 5 * 0.3 * 0.7**4 + 0.7**5)


@pytest.mark.parametrize(("sound", "rate"), [(True, 0.85), (False, 1 - 0.65)])
@pytest.mark.parametrize("form", ["text", "json"])
def test_a_reviewer_has_its_sensitivity_and_specificity(sound: bool, rate: float, form):
    steps = ("1 + 2 = 3.", "2 + 2 = 4." if sound else "2 + 2 = 5.")
    subject = Rationale.make(
        unit="u", step="s", because=0, problem=NUMBER.id, author="teacher", response="\n".join(steps), steps=steps
    )
    texts = replies(World(sensitivity=0.65, specificity=0.85), Task("review", NUMBER, subject=subject, format=form))
    assert near(sum(re.search(r'5"?}?$', t) is not None for t in texts), rate)
    words = replies(World(sensitivity=0.65, specificity=0.85), Task("judge", NUMBER, subject=subject))
    assert near(sum(w.text == "Yes" for w in words), rate)


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_critic_names_the_first_wrong_step_at_its_rate(form):
    steps = ("1 + 2 = 3.", "2 + 2 = 5.", "2 + 2 = 6.")
    subject = Rationale.make(
        unit="u", step="s", because=0, problem=NUMBER.id, author="student", response="\n".join(steps), steps=steps
    )
    texts = replies(World(locate_rate=0.6), Task("critique", NUMBER, subject=subject, format=form))
    assert near(sum("Step 2 does" in t for t in texts), 0.6)


def test_a_reviser_solves_at_its_own_rate():
    texts = replies(World(solve_rate=0, revise_rate=0.8), Task("revise", NUMBER))
    assert near(sum(World.is_sound(t) for t in texts), 0.8)


async def test_equal_requests_get_equal_replies_and_another_seed_others():
    request = Request(({"role": "user", "content": "?"},), Task("solve", NUMBER), sample=2)

    async def said(seed: int, sample: int = 2) -> str:
        return (await ScriptedModel(World(), seed=seed).complete(request._replace(sample=sample))).text

    assert await said(0) == await said(0)
    assert await said(0) != await said(1)
    assert await said(0) != await said(0, sample=3)


def test_another_world_is_another_model():
    request = Request(({"role": "user", "content": "?"},), Task("solve", NUMBER))
    keys = {
        ScriptedModel(world, seed=seed).key(request)
        for world in (World(), World(solve_rate=0.5), World(sensitivity=0.1))
        for seed in (0, 1)
    }
    assert len(keys) == 6


def completions(world: World, task: Task) -> list[Completion]:
    rng = random.Random(1)
    made = [world(Request((), task), rng) for _ in range(N)]
    return [m if isinstance(m, Completion) else Completion(text=m, finish="stop") for m in made]


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_world_that_thinks_does_so_at_its_rates(form):
    """The working stands in the thought; the response only states the answer, and is as often right."""
    world = World(solve_rate=0.3, lucky_rate=0.2, thinks=0.8, unfinished_rate=0.1, hidden_rate=0.25)
    made = completions(world, Task("solve", NUMBER, format=form))
    thinks = [c for c in made if c.thought_kind is not None]
    assert near(len(thinks), 0.8)
    cut = [c for c in thinks if c.status == "thought_cut"]
    assert near(len(cut), 0.1, len(thinks))
    hidden = [c for c in thinks if c.thought_kind == "hidden"]
    assert near(len(hidden), 0.25, len(thinks))
    assert all(c.thought is None and c.thought_from is None and c.reasoning_tokens for c in hidden)
    whole = [c for c in thinks if c.status == "ok"]
    assert len(whole) + len(cut) == len(thinks)
    correct = right(NUMBER, [c.text for c in whole])
    assert near(sum(correct), 0.3 + 0.7 * 0.2, len(whole))
    shown = [c for c in whole if c.thought is not None]
    assert all(c.thought_from == "reasoning_content" and c.thought.count("We know that") == 3 for c in shown)
    assert near(sum(World.is_sound(c.thought) for c in shown), 0.3, len(shown))
    if form == "text":
        assert all(re.fullmatch(r"The answer is [^\n]+\.", c.text) for c in whole)


def test_other_tasks_of_a_world_that_thinks_are_answered_as_before():
    subject = Rationale.make(
        unit="u", step="s", because=1, problem="p", author="teacher", response="We know that 1 + 1 = 2."
    )
    plain = completions(World(), Task("review", NUMBER, subject))
    made = completions(World(thinks=1.0), Task("review", NUMBER, subject))
    assert all(c.thought for c in made)
    assert near(sum("5" in c.text for c in made), sum("5" in c.text for c in plain) / N)


def test_thinking_is_another_model_and_stands_in_the_replay_key():
    asked = Request(({"role": "user", "content": "1 + 1?"},), Task("solve", NUMBER), {"max_tokens": 100})
    worlds = [World(), World(thinks=1.0), World(thinks=0.5), World(thinks=1.0, hidden_rate=0.5)]
    assert len({ScriptedModel(w).key(asked) for w in worlds}) == 4
    assert ScriptedModel(worlds[1]).wire_parameters(asked)["max_tokens"] == 100 + THINKING_TOKENS
    assert ScriptedModel(worlds[0]).wire_parameters(asked)["max_tokens"] == 100


async def test_the_scripted_model_is_named_on_the_command_line():
    names = ["scripted", "scripted:thinking", "scripted:1", "scripted:thinking:1"]
    made = [make_model(name, Profile(models={}, roles={})) for name in names]
    assert len({t.endpoint for t in made}) == 4
    assert [t.reasoning for t in made] == [False, True, False, True]
    asked = Request(({"role": "user", "content": "1 + 1?"},), Task("solve", NUMBER))
    first = await made[1].complete(asked)
    assert first == await made[1].complete(asked)
    assert first.thought_kind == "raw"


def test_what_is_asked_for_as_a_quote_stands_in_the_passage():
    """Fields of a reply that are called `quote` or `quotes`; others of the same type do not."""
    passage = Problem.root(question="Who?", context="Ada has a boat of oak.\n\nBo has none at all.", answer="Ada")
    shape = create_model("Found", __base__=Reply, quote=(str, ...), quotes=(list[str], ...), other=(list[str], ...))
    request, rng = Request((), Task("ask", passage, format="json"), shape=shape), random.Random(1)
    for _ in range(50):
        reply = shape.model_validate_json(World()(request, rng))
        assert reply.quotes
        assert all(quote in passage.context for quote in [reply.quote, *reply.quotes])
        assert not any(text in passage.context for text in reply.other)


def test_another_ability_is_another_world():
    """Each number, and the function of the difficulty, stands in the replay key."""
    easy, hard = World(difficulty=lambda _: 1.0), World(difficulty=lambda _: 0.5)
    assert len({World().identity, easy.identity, hard.identity}) == 3
    assert World(difficulty=lambda _: 0.5).identity == hard.identity
    acts = (
        World(simulators={"s": lambda *_: "a"}),
        World(simulators={"s": lambda *_: "b"}),
        World(simulators={"t": lambda *_: "a"}),
    )
    assert len({World().identity, *(world.identity for world in acts)}) == 4
    numbers = {f.name for f in fields(World)} - {"difficulty", "simulators"}
    assert len({World().identity, *(replace(World(), **{n: 0.123}).identity for n in numbers)}) == 1 + len(numbers)


def test_a_simulator_with_a_third_parameter_is_given_the_world():
    """Its reply may go by the abilities of the world, as the world's own replies do."""

    def solves(request, rng, world):
        return "right" if rng.random() < world.solve_rate else "wrong"

    for rate in (0.0, 0.3, 1.0):
        world = World(solve_rate=rate, simulators={"s": solves, "t": lambda request, rng: "alone"})
        rng = random.Random(1)
        assert near([world(Request((), Task("ask", NUMBER), step="s"), rng) for _ in range(N)].count("right"), rate)
        assert world(Request((), Task("ask", NUMBER), step="t"), rng) == "alone"
