"""The scripted model: the test double, public so that users test the way we do.

It answers from a function of the request, or from a `World`: a model whose abilities are known numbers. A pipeline
run over a world must give the yields the arithmetic of its method predicts; that is what simulations and `rehearse` do.
"""

from __future__ import annotations

import asyncio
import math
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from hashlib import blake2b
from inspect import signature
from typing import Any, Self

import orjson

from synth.errors import ModelError
from synth.models.base import Capability, Model, Price
from synth.models.filler import UnfillableError, fill, sentence
from synth.models.identity import identity_of
from synth.models.request import Completion, Request, Task
from synth.models.structured import NUMBERED_BY
from synth.models.tokens import logprobs_of
from synth.records import Node, Problem, Rationale, canonical_json

__all__ = ["SIMULATED_FAILURE", "Script", "ScriptedModel", "Simulator", "World", "simulates"]

SIMULATED_FAILURE = "raise NotImplementedError('the scripted model means this to be wrong')"
"""The program that the scripted model writes where it is to fail. Where it is to succeed, it writes the reference solution."""

Script = Callable[[Request, random.Random], str | Completion]
"""A function from a request (and a generator seeded by it) to a reply. May raise ModelError."""

Simulator = Callable[..., "str | Completion | Mapping[str, Any]"]
"""How a step's questions are answered in a world: a text, a completion, or the fields of the reply. A function of the request and
a generator seeded by it; one with a parameter `world` is given the world as well, for its abilities."""


def simulates(*steps: str) -> Callable[[Simulator], Simulator]:
    """Marks a function in the Python of a pipeline: the scripted model answers the questions of these steps by it. It gets the request
    and a generator of random numbers, and gives the fields of the reply (a value alone as `answer`), a text, or a `Completion`.

        @synth.simulates("verdict")
        def verdict(request, rng):
            return {"correct": "yes" if rng.random() < 0.9 else "no"}

    A function with a third parameter, `world`, is given the `World` as well: `world.solve_rate` and its other abilities.

    Args:
        steps: the names of the steps, as the pipeline calls them (of a step of a block with its prefix, of a later iteration with its
            number); or which steps they are (`step:`), where the pipeline's Python defines them.
    """

    def mark(function: Simulator) -> Simulator:
        function.simulates = (*getattr(function, "simulates", ()), *steps)  # type: ignore[attr-defined]
        return function

    return mark


_CLAIM = re.compile(r"(?<!\d)(\d+) \+ (\d+) = (\d+)")


class ScriptedModel(Model):
    """Answers by a function. Equal requests get equal replies.

    Args:
        script: the function; a `World` is one.
        name: how records and the ledger call it.
        seed: another seed is another model: it also stands in the replay key.
        latency: seconds each reply takes.
        capabilities: what it says it can do.
        concurrency: requests in flight at once.

    A `World` that thinks is a model of which that is known: it gets room for its thought.
    """

    def __init__(
        self,
        script: Script,
        *,
        name: str = "scripted",
        seed: int = 0,
        latency: float = 0.0,
        capabilities: frozenset[Capability] = frozenset({"chat", "json_schema", "seed", "logprobs"}),
        concurrency: int = 64,
        price: Price | None = None,
        small: bool = False,
    ) -> None:
        self.name = name
        self.model_id = "scripted"
        self.endpoint = f"scripted:{getattr(script, 'identity', name)}:{seed}"
        self.capabilities = capabilities
        self.concurrency = concurrency
        self.price = price or Price(input=0, output=0)
        self.small = small
        if isinstance(script, World):
            self.reasoning = script.thinks > 0
        self._script = script
        self._seed = seed
        self._latency = latency

    @classmethod
    def instead_of(cls, model: Model, world: World) -> Self:
        """A scripted model that steps and requests take for another one: it has its name, address, capabilities and
        parameters, so that the same is asked of it under the same replay keys. In place of a scripted model in the same world
        it gives the same replies.

        Args:
            model: the other one; it is not asked.
            world: the abilities of the new one.
        """
        seed = model._seed if isinstance(model, ScriptedModel) else 0  # noqa: SLF001  # it is one of this class
        made = cls(
            world,
            name=model.name,
            seed=seed,
            capabilities=model.capabilities,
            concurrency=model.concurrency,
            price=model.price,
            small=model.small,
        )
        made.model_id, made.endpoint = model.model_id, model.endpoint
        made.unknown, made.parameters, made.reasoning = model.unknown, model.parameters, model.reasoning
        return made

    def knowing(self, simulators: Mapping[str, Simulator]) -> ScriptedModel:
        """This model, with the simulators of a pipeline in its world; itself where it has no world, or there are none."""
        if not simulators or not isinstance(self._script, World):
            return self
        known = {**simulators, **self._script.simulators}
        return ScriptedModel(
            replace(self._script, simulators=known),
            name=self.name,
            seed=self._seed,
            latency=self._latency,
            capabilities=self.capabilities,
            concurrency=self.concurrency,
            price=self.price,
            small=self.small,
        )

    @property
    def world(self) -> World | None:
        """The world it answers from; None where it answers from another function."""
        return self._script if isinstance(self._script, World) else None

    async def complete(self, request: Request) -> Completion:
        if self._latency:
            await asyncio.sleep(self._latency)
        rng = random.Random(f"{self._seed}:{self.key(request)}")
        reply = self._script(request, rng)
        if isinstance(reply, Completion):
            return reply
        return _counted(request, reply)


_LATER = ("finish_rate", "recover_rate", "doubt_rate")
"""Abilities that came later: at their defaults they leave simulations of before their replies."""


@dataclass(frozen=True)
class World:
    """A model whose abilities are known numbers. All rates are probabilities in [0, 1].

    A rationale is made of sums, `3 + 4 = 7`, so that its soundness can be read off it (`is_sound`) without knowing how
    it came about.
    """

    solve_rate: float = 0.6
    """Of writing sound steps that end in the gold answer."""
    hint_rate: float = 0.5
    """The same, when shown the gold answer."""
    lucky_rate: float | None = None
    """Of stating the gold answer after unsound steps; None: 1/c for c choices, 0 without choices."""
    step_error_rate: float = 0.3
    """Of each step of an unsound rationale being wrong; at least one is."""
    sensitivity: float = 0.8
    """As a reviewer, of calling an unsound rationale wrong (a score of 1, else 5); as a judge, a text the item it is."""
    specificity: float = 0.9
    """As a reviewer, of calling a sound rationale correct (a score of 5, else 1); as a judge, two texts two."""
    locate_rate: float = 0.7
    """As a critic, of naming the first wrong step of an unsound rationale."""
    agreement_rate: float = 0.9
    """As a marker, of a vote being the one most would give."""
    revise_rate: float = 0.7
    """Of writing sound steps that end in the gold answer when shown an earlier rationale."""
    malformed_rate: float = 0.0
    """Of a reply in which no answer, or no verdict, can be found."""
    finish_rate: float | None = None
    """Of coming to the gold answer from the sound beginning of a solution; None: `solve_rate` for the steps that are left."""
    recover_rate: float = 0.0
    """Of coming to the gold answer from a beginning with a wrong step."""
    steps: int = 3
    """Steps of a rationale."""
    thinks: float = 0.0
    """Of thinking before a reply is written: the steps of a rationale then stand in the thought, and the response only states
    the answer."""
    unfinished_rate: float = 0.0
    """Of a thought not coming to its end before the limit."""
    hidden_rate: float = 0.0
    """Of the text of a thought being kept back by the provider, which counts its tokens alone."""
    difficulty: Callable[[Problem], float] | None = None
    """Multiplies `solve_rate`, problem by problem; None: all are alike."""
    doubt_rate: float = 0.8
    """Of giving the words of a wrong step low probabilities (0.2 to 0.6; else, and to all other words, 0.8 to 1), where a text is asked
    for with log-probabilities."""
    simulators: Mapping[str, Simulator] = field(default_factory=dict)
    """How questions of steps are answered, by step name; they go before the rates."""

    @property
    def identity(self) -> str:
        """Stands in the replay key: other abilities, another model."""
        own = {f.name: getattr(self, f.name) for f in fields(self)}
        if self.difficulty is not None:
            own["difficulty"] = identity_of(self.difficulty).hash
        del own["simulators"]
        for name in _LATER:
            if own[name] == getattr(type(self), name):
                del own[name]
        if self.simulators:
            own["simulators"] = {step: identity_of(function).hash for step, function in self.simulators.items()}
        return "world:" + blake2b(canonical_json(own), digest_size=4).hexdigest()

    def __call__(self, request: Request, rng: random.Random) -> str | Completion:
        """The reply to a request; to a task that this world does not know, a valid one without a meaning.

        Raises:
            ModelError: the world does not know this kind of task, and no valid reply was found.
        """
        if not self.thinks or rng.random() >= self.thinks:
            reply = self._reply(request, rng)
        else:
            ends, shows = rng.random() >= self.unfinished_rate, rng.random() >= self.hidden_rate
            reply = _with_thought(request, self._reply(request, rng), ends=ends, shows=shows)
        return self._with_logprobs(request, reply, rng) if request.parameters.get("logprobs") else reply

    def _with_logprobs(self, request: Request, reply: str | Completion, rng: random.Random) -> Completion:
        """A reply with the log-probabilities of its tokens, those of a thought that is shown included, as servers send them."""
        said = reply if isinstance(reply, Completion) else _counted(request, reply)
        if said.logprobs is not None or not said.text:
            return said
        text = f"<think>\n{said.thought}\n</think>\n\n{said.text}" if said.thought else said.text
        wrong = [m.span() for m in _CLAIM.finditer(text) if not self.is_sound(m[0])]
        doubted = [span for span in wrong if rng.random() < self.doubt_rate]

        def probability(start: int, end: int) -> float:
            unsure = any(start < last and end > first for first, last in doubted)
            return rng.uniform(0.2, 0.6) if unsure else rng.uniform(0.8, 1)

        return said._replace(logprobs=logprobs_of(text, probability))

    def _reply(self, request: Request, rng: random.Random) -> str | Completion:
        """The reply, without a thought."""
        task = request.task
        if (simulate := self.simulators.get(request.step)) is not None:
            reply = simulate(request, rng, **({"world": self} if _takes_world(simulate) else {}))
            return _written(task, reply) if isinstance(reply, Mapping) else reply
        if task.kind in {"solve", "review", "critique", "revise", "continue"} and rng.random() < self.malformed_rate:
            return "I would rather talk about something else"
        if task.kind in {"solve", "revise"}:
            return self._solve(task, rng)
        if task.kind == "continue":
            return self._continue(request, rng)
        if task.kind == "critique" and isinstance(task.subject, Rationale):
            return self._critique(task, task.subject, rng)
        if task.kind in {"review", "judge"}:
            return self._review(task, rng)
        if task.kind == "same":
            return self._compare(request, rng)
        if task.kind == "ask":
            return self._ask(request, rng)
        if task.kind == "segment" and request.shape is None:
            return "\n".join(f"<chunk>{line}</chunk>" for line in (task.hint or "").splitlines())
        if task.kind == "propose":
            return self._propose(task, rng)
        if task.kind == "evaluate" and isinstance(task.subject, Node):
            approves = self._approves(rng, sound=self.is_sound(task.subject.text))
            return _fields(task, reasons="So it seems.", verdict="sure" if approves else "impossible")
        return orjson.dumps(_filled(request, rng)).decode() if request.shape is not None else sentence(rng)

    def _solve(self, task: Task, rng: random.Random) -> str:
        problem = task.problem
        gold = _gold_of(problem, rng)
        ability = self.hint_rate if task.hint is not None else self.solve_rate
        if task.kind == "revise":
            ability = self.revise_rate
        if self.difficulty is not None:
            ability *= self.difficulty(problem)
        if rng.random() < ability:
            return _write(task, [_claim(rng, sound=True) for _ in range(self.steps)], gold)
        wrong = [rng.random() < self.step_error_rate for _ in range(self.steps)]
        if not any(wrong):
            wrong[rng.randrange(self.steps)] = True
        lucky = (
            self.lucky_rate if self.lucky_rate is not None else (1 / len(problem.choices) if problem.choices else 0.0)
        )
        answer = gold if rng.random() < lucky else _another_answer(problem, gold, rng)
        return _write(task, [_claim(rng, sound=not bad) for bad in wrong], answer)

    def _continue(self, request: Request, rng: random.Random) -> str:
        """The steps that are left and an answer, the gold one as often as the beginning allows."""
        beginning = request.continue_from or request.begun or ""
        left = max(0, self.steps - len(_CLAIM.findall(beginning)))
        sound = self.is_sound(beginning)
        finishes = self.finish_rate if self.finish_rate is not None else self.solve_rate ** (left / self.steps)
        gold = _gold_of(request.task.problem, rng)
        right = rng.random() < (finishes if sound else self.recover_rate)
        claims = [_claim(rng, sound=True) for _ in range(left)]
        if sound and not right and claims:
            claims[rng.randrange(left)] = _claim(rng, sound=False)
        return _write(request.task, claims, gold if right else _another_answer(request.task.problem, gold, rng))

    def _review(self, task: Task, rng: random.Random) -> str | Completion:
        """A rating, or a yes or no with its probability; a critique is sound where it names the first wrong step."""
        subject = task.subject
        if isinstance(subject, Rationale):
            sound = self.first_error(subject.steps or (subject.text,)) is None
        elif isinstance(subject, Problem):
            sound = True
        else:
            sound = getattr(subject, "mistake", None) == "arithmetic"
        approves = self._approves(rng, sound=sound)
        if task.kind == "judge":
            return _yes_or_no(0.9 if approves else 0.1)
        return _fields(
            task, reasons="Every step holds." if approves else "It does not hold.", score=5 if approves else 1
        )

    def _ask(self, request: Request, rng: random.Random) -> str | Completion:
        """The reply that is asked for. Of a record it approves like a reviewer: yes, the first word, the highest grade; else the opposite.
        Where a reply has an item for each step, it approves each item by the soundness of its step alone.
        Fields called `quote` or `quotes` hold words of the passage.
        """
        task = request.task
        if request.shape is None and "logprobs" not in request.parameters:
            return self._solve(task, rng) if task.answers else sentence(rng)
        subject = task.subject
        steps = getattr(subject, "steps", None) or (getattr(subject, "text", ""),)
        if task.part is not None and task.part.kind == "step":
            steps = steps[task.part.index or 0 :][:1]
        approves = self._approves(rng, sound=self.first_error(tuple(steps)) is None)
        if request.shape is None:
            return _yes_or_no(0.9 if approves else 0.1)
        reply = _filled(request, rng)
        schema = request.shape.model_json_schema()
        _judge(reply, schema["properties"], approves=approves)
        for name, of in schema["properties"].items():
            if NUMBERED_BY in of:  # one item for each step, each judged by itself
                properties = schema["$defs"][of["items"]["$ref"].rpartition("/")[2]]["properties"]
                del properties[of[NUMBERED_BY]]
                for step, item in zip(getattr(subject, "steps", ()), reply[name], strict=True):
                    _judge(item, properties, approves=self._approves(rng, sound=self.is_sound(step)))
        lines = [line for line in (task.problem.context or "").splitlines() if line.strip()]
        for name in ("quote", "quotes") if lines else ():
            if isinstance(reply.get(name), list):
                reply[name] = [_quote(rng.choice(lines), rng) for _ in reply[name]]
            elif name in reply:
                reply[name] = _quote(rng.choice(lines), rng)
        for name in task.answers:
            if (field := name or "answer") in reply:
                reply[field] = self._answer_of(task, rng)
        return _written(task, reply)

    def _approves(self, rng: random.Random, *, sound: bool) -> bool:
        """Whether it says yes to something sound, or unsound: `specificity` and `sensitivity` are the rates at which it is right."""
        return rng.random() < self.specificity if sound else rng.random() >= self.sensitivity

    def _answer_of(self, task: Task, rng: random.Random) -> str:
        """An answer to a problem: the gold one at the rate at which it solves."""
        gold = _gold_of(task.problem, rng)
        ability = self.hint_rate if task.hint is not None else self.solve_rate
        if self.difficulty is not None:
            ability *= self.difficulty(task.problem)
        return gold if rng.random() < ability else _another_answer(task.problem, gold, rng)

    def _compare(self, request: Request, rng: random.Random) -> str | Completion:
        """Whether two texts are one in other words: here, whether they have the same numbers."""
        task, subject = request.task, request.task.subject
        text = task.problem.question if isinstance(subject, Problem) else getattr(subject, "text", "")
        same = sorted(re.findall(r"\d+", text)) == sorted(re.findall(r"\d+", task.hint or ""))
        says = rng.random() < self.sensitivity if same else rng.random() >= self.specificity
        if request.shape is None:
            return _yes_or_no(0.9 if says else 0.1)
        return _fields(task, reason="Their numbers.", same="yes" if says else "no")

    def _propose(self, task: Task, rng: random.Random) -> str:
        depth = task.subject.depth + 1 if isinstance(task.subject, Node) else 0
        sound = rng.random() < self.solve_rate ** (1 / self.steps)
        gold = task.problem.answer or "0"
        thought = _claim(rng, sound=sound)
        so_far = sound and (not isinstance(task.subject, Node) or self.is_sound(task.subject.text))
        answer = "" if depth + 1 < self.steps else gold if so_far else _another_answer(task.problem, gold, rng)
        return _fields(task, thought=thought, answer=answer)

    def _critique(self, task: Task, rationale: Rationale, rng: random.Random) -> str:
        place = self.first_error(rationale.steps)
        others = [i for i in range(len(rationale.steps)) if i != place]
        found = place is not None and (rng.random() < self.locate_rate or not others)
        named = place if found and place is not None else rng.choice(others or [0])
        return _fields(
            task,
            explanation=f"Step {named + 1} does not hold.",
            first_wrong_step=named + 1,
            kind="arithmetic" if found else "logic",
            correction="The sum should be right.",
        )

    @staticmethod
    def is_sound(text: str) -> bool:
        """Whether every sum in a text this world wrote is right."""
        return all(int(a) + int(b) == int(c) for a, b, c in _CLAIM.findall(text))

    @staticmethod
    def first_error(steps: tuple[str, ...]) -> int | None:
        """Index of the first step with a wrong sum, from 0; None where all are right."""
        return next((i for i, step in enumerate(steps) if not World.is_sound(step)), None)


@lru_cache(maxsize=256)
def _takes_world(simulate: Simulator) -> bool:
    """Whether a simulator has a parameter `world`."""
    return "world" in signature(simulate).parameters


def _counted(request: Request, text: str) -> Completion:
    """A text as a reply, with its tokens."""
    read = sum(len(str(m["content"])) for m in request.messages) // 4
    return Completion(text=text, finish="stop", prompt_tokens=read, completion_tokens=max(1, len(text) // 4))


def _with_thought(request: Request, reply: str | Completion, *, ends: bool, shows: bool) -> Completion:
    """A reply whose working stands in a thought, as endpoints send it: in `reasoning_content`, or with its tokens alone."""
    said = reply if isinstance(reply, Completion) else Completion(text=reply, finish="stop")
    working, _, statement = said.text.rpartition("\nThe answer is ")
    if statement and working and request.task.format == "text":
        said = said._replace(text=f"The answer is {statement}")
    thought = working or f"I am asked to {request.task.kind.replace('_', ' ')}. That I can do."
    if request.task.format == "json" and (claims := _CLAIM.findall(said.text)):
        thought = "\n".join(f"We know that {a} + {b} = {c}." for a, b, c in claims)
    if not ends:
        thought, said = thought[: max(1, len(thought) // 2)], said._replace(text="", finish="length", logprobs=None)
    tokens = max(1, len(thought) // 4)
    return said._replace(
        thought=thought if shows else None,
        thought_kind="raw" if shows else "hidden",
        thought_from="reasoning_content" if shows else None,
        prompt_tokens=sum(len(str(m["content"])) for m in request.messages) // 4,
        completion_tokens=tokens + len(said.text) // 4,
        reasoning_tokens=tokens,
    )


def _judge(reply: dict[str, Any], properties: Mapping[str, Any], *, approves: bool) -> None:
    """Set the fields that hold one of some words, or a grade, to the best of them or to the worst."""
    for name, schema in properties.items():
        if "enum" in schema:
            words = schema["enum"]
            best = words[-1] if schema.get("type") == "integer" else words[0]
            reply[name] = best if approves else next(w for w in (words[0], words[-1]) if w != best)


def _quote(passage: str, rng: random.Random) -> str:
    """Five successive words of a passage, or as many as it has."""
    words = passage.split()
    first = rng.randrange(max(1, len(words) - 4))
    return " ".join(words[first : first + 5])


def _filled(request: Request, rng: random.Random) -> dict[str, Any]:
    """Valid values for the fields that a request asks for."""
    assert request.shape is not None
    try:
        return fill(request.shape, rng)
    except UnfillableError as why:
        what = f"the scripted world does not know the task {request.task.kind!r}: {why}"
        raise ModelError("bad_request", what) from why


def _written(task: Task, reply: Mapping[str, Any]) -> str:
    """The fields of a reply as the task wants them: JSON, lines, or a value alone."""
    if task.format == "json":
        return orjson.dumps(reply).decode()
    listed = {n: "\n".join(map(_line, value)) if isinstance(value, list) else value for n, value in reply.items()}
    return str(listed["answer"]) if set(listed) == {"answer"} else _fields(task, **listed)


def _line(item: Any) -> str:
    """An item of a list as a line: of an object its values, such as the number of a step and what is said of it."""
    return ": ".join(map(str, item.values())) if isinstance(item, Mapping) else f"- {item}"


def _fields(task: Task, **fields: Any) -> str:
    if task.format == "json":
        return orjson.dumps(fields).decode()
    return "\n".join(f"{name.replace('_', ' ').capitalize()}: {value}" for name, value in fields.items())


def _yes_or_no(probability: float) -> Completion:
    """A word with the probabilities of both."""
    word = "Yes" if probability >= 0.5 else "No"
    both = [{"token": t, "logprob": math.log(p)} for t, p in (("Yes", probability), ("No", 1 - probability))]
    listed = {
        "content": [{"token": word, "logprob": math.log(max(probability, 1 - probability)), "top_logprobs": both}]
    }
    return Completion(text=word, finish="stop", prompt_tokens=100, completion_tokens=1, logprobs=listed)


def _claim(rng: random.Random, *, sound: bool) -> str:
    a, b = rng.randrange(1, 1000), rng.randrange(1, 1000)
    return f"We know that {a} + {b} = {a + b if sound else a + b + rng.choice([-10, -1, 1, 10])}"


def _gold_of(problem: Problem, rng: random.Random) -> str:
    """The gold answer; of a problem without one any of its options, or 0."""
    if problem.answer is not None:
        return problem.answer
    if problem.compared_as == "code":
        return problem.reference_solution or "pass  # the scripted model writes no programs"
    return rng.choice([letter for letter, _ in problem.lettered_choices]) if problem.choices else "0"


def _another_answer(problem: Problem, gold: str, rng: random.Random) -> str:
    if problem.compared_as == "code":
        return SIMULATED_FAILURE
    if problem.choices:
        return rng.choice([letter for letter, _ in problem.lettered_choices if letter != gold])
    if problem.answer_kind == "boolean":
        return "no" if gold.strip().lower() in {"yes", "true"} else "yes"
    try:
        return str(int(float(gold.replace(",", ""))) + rng.choice([-2, -1, 1, 2, 10]))
    except ValueError:
        return f"not {gold}"


def _write(task: Task, steps: list[str], answer: str) -> str:
    if task.format == "json":
        reply: dict[str, Any] = {"steps": steps, "answer": answer}
        return orjson.dumps(reply).decode()
    if task.problem.compared_as == "code":
        program = answer if "```" in answer else f"```python\n{answer.rstrip()}\n```"
        return "\n".join([*(f"{s}." for s in steps), "", program])
    return "\n".join([*(f"{s}." for s in steps), f"The answer is {answer}."])
