"""A model whose abilities are known numbers, for simulations and rehearsals."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from hashlib import blake2b

import orjson

from synth.models.another_answer import another_answer
from synth.models.filler import sentence
from synth.models.identity import identity_of
from synth.models.reply_forms import (
    as_fields,
    counted,
    filled,
    quote,
    set_verdicts,
    with_thought,
    written,
    yes_or_no,
)
from synth.models.request import Completion, Request, Task
from synth.models.simulators import Simulator, takes_world
from synth.models.structured import NUMBERED_BY
from synth.models.sums import CLAIM, claim, gold_of, solution
from synth.models.tokens import logprobs_of
from synth.records import Node, Problem, Rationale, canonical_json

__all__ = ["World"]

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
            reply = with_thought(request, self._reply(request, rng), ends=ends, shows=shows)
        return self._with_logprobs(request, reply, rng) if request.parameters.get("logprobs") else reply

    def _with_logprobs(self, request: Request, reply: str | Completion, rng: random.Random) -> Completion:
        """A reply with the log-probabilities of its tokens, those of a thought that is shown included, as servers send them."""
        said = reply if isinstance(reply, Completion) else counted(request, reply)
        if said.logprobs is not None or not said.text:
            return said
        text = f"<think>\n{said.thought}\n</think>\n\n{said.text}" if said.thought else said.text
        wrong = [m.span() for m in CLAIM.finditer(text) if not self.is_sound(m[0])]
        doubted = [span for span in wrong if rng.random() < self.doubt_rate]

        def probability(start: int, end: int) -> float:
            unsure = any(start < last and end > first for first, last in doubted)
            return rng.uniform(0.2, 0.6) if unsure else rng.uniform(0.8, 1)

        return said._replace(logprobs=logprobs_of(text, probability))

    def _reply(self, request: Request, rng: random.Random) -> str | Completion:
        """The reply, without a thought."""
        task = request.task
        if (simulate := self.simulators.get(request.step)) is not None:
            reply = simulate(request, rng, **({"world": self} if takes_world(simulate) else {}))
            return written(task, reply) if isinstance(reply, Mapping) else reply
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
            return as_fields(task, reasons="So it seems.", verdict="sure" if approves else "impossible")
        return orjson.dumps(filled(request, rng)).decode() if request.shape is not None else sentence(rng)

    def _solve(self, task: Task, rng: random.Random) -> str:
        problem = task.problem
        gold = gold_of(problem, rng)
        ability = self.hint_rate if task.hint is not None else self.solve_rate
        if task.kind == "revise":
            ability = self.revise_rate
        if self.difficulty is not None:
            ability *= self.difficulty(problem)
        if rng.random() < ability:
            return solution(task, [claim(rng, sound=True) for _ in range(self.steps)], gold)
        wrong = [rng.random() < self.step_error_rate for _ in range(self.steps)]
        if not any(wrong):
            wrong[rng.randrange(self.steps)] = True
        lucky = (
            self.lucky_rate if self.lucky_rate is not None else (1 / len(problem.choices) if problem.choices else 0.0)
        )
        answer = gold if rng.random() < lucky else another_answer(problem, gold, rng)
        return solution(task, [claim(rng, sound=not bad) for bad in wrong], answer)

    def _continue(self, request: Request, rng: random.Random) -> str:
        """The steps that are left and an answer, the gold one as often as the beginning allows."""
        beginning = request.continue_from or request.begun or ""
        left = max(0, self.steps - len(CLAIM.findall(beginning)))
        sound = self.is_sound(beginning)
        finishes = self.finish_rate if self.finish_rate is not None else self.solve_rate ** (left / self.steps)
        gold = gold_of(request.task.problem, rng)
        right = rng.random() < (finishes if sound else self.recover_rate)
        claims = [claim(rng, sound=True) for _ in range(left)]
        if sound and not right and claims:
            claims[rng.randrange(left)] = claim(rng, sound=False)
        return solution(request.task, claims, gold if right else another_answer(request.task.problem, gold, rng))

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
            return yes_or_no(0.9 if approves else 0.1)
        return as_fields(
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
            return yes_or_no(0.9 if approves else 0.1)
        reply = filled(request, rng)
        schema = request.shape.model_json_schema()
        set_verdicts(reply, schema["properties"], approves=approves)
        for name, of in schema["properties"].items():
            if NUMBERED_BY in of:  # one item for each step, each judged by itself
                properties = schema["$defs"][of["items"]["$ref"].rpartition("/")[2]]["properties"]
                del properties[of[NUMBERED_BY]]
                for step, item in zip(getattr(subject, "steps", ()), reply[name], strict=True):
                    set_verdicts(item, properties, approves=self._approves(rng, sound=self.is_sound(step)))
        lines = [line for line in (task.problem.context or "").splitlines() if line.strip()]
        for name in ("quote", "quotes") if lines else ():
            if isinstance(reply.get(name), list):
                reply[name] = [quote(rng.choice(lines), rng) for _ in reply[name]]
            elif name in reply:
                reply[name] = quote(rng.choice(lines), rng)
        for name in task.answers:
            if (field := name or "answer") in reply:
                reply[field] = self._answer_of(task, rng)
        return written(task, reply)

    def _approves(self, rng: random.Random, *, sound: bool) -> bool:
        """Whether it says yes to something sound, or unsound: `specificity` and `sensitivity` are the rates at which it is right."""
        return rng.random() < self.specificity if sound else rng.random() >= self.sensitivity

    def _answer_of(self, task: Task, rng: random.Random) -> str:
        """An answer to a problem: the gold one at the rate at which it solves."""
        gold = gold_of(task.problem, rng)
        ability = self.hint_rate if task.hint is not None else self.solve_rate
        if self.difficulty is not None:
            ability *= self.difficulty(task.problem)
        return gold if rng.random() < ability else another_answer(task.problem, gold, rng)

    def _compare(self, request: Request, rng: random.Random) -> str | Completion:
        """Whether two texts are one in other words: here, whether they have the same numbers."""
        task, subject = request.task, request.task.subject
        text = task.problem.question if isinstance(subject, Problem) else getattr(subject, "text", "")
        same = sorted(re.findall(r"\d+", text)) == sorted(re.findall(r"\d+", task.hint or ""))
        says = rng.random() < self.sensitivity if same else rng.random() >= self.specificity
        if request.shape is None:
            return yes_or_no(0.9 if says else 0.1)
        return as_fields(task, reason="Their numbers.", same="yes" if says else "no")

    def _propose(self, task: Task, rng: random.Random) -> str:
        depth = task.subject.depth + 1 if isinstance(task.subject, Node) else 0
        sound = rng.random() < self.solve_rate ** (1 / self.steps)
        gold = task.problem.answer_stated or "0"
        thought = claim(rng, sound=sound)
        so_far = sound and (not isinstance(task.subject, Node) or self.is_sound(task.subject.text))
        answer = "" if depth + 1 < self.steps else gold if so_far else another_answer(task.problem, gold, rng)
        return as_fields(task, thought=thought, answer=answer)

    def _critique(self, task: Task, rationale: Rationale, rng: random.Random) -> str:
        place = self.first_error(rationale.steps)
        others = [i for i in range(len(rationale.steps)) if i != place]
        found = place is not None and (rng.random() < self.locate_rate or not others)
        named = place if found and place is not None else rng.choice(others or [0])
        return as_fields(
            task,
            explanation=f"Step {named + 1} does not hold.",
            first_wrong_step=named + 1,
            kind="arithmetic" if found else "logic",
            correction="The sum should be right.",
        )

    @staticmethod
    def is_sound(text: str) -> bool:
        """Whether every sum in a text this world wrote is right."""
        return all(int(a) + int(b) == int(c) for a, b, c in CLAIM.findall(text))

    @staticmethod
    def first_error(steps: tuple[str, ...]) -> int | None:
        """Index of the first step with a wrong sum, from 0; None where all are right."""
        return next((i for i, step in enumerate(steps) if not World.is_sound(step)), None)
