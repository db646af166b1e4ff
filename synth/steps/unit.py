"""A unit at work: one root problem and everything derived from it so far."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TypeVar

from synth.calls import Caller, Executions
from synth.errors import InputError, ModelError, SetupError, StepError
from synth.models import Capability, Completion, Model, Request, Unreadable, attach, read_structured, repair_turn
from synth.models.base import THINKING_TOKENS
from synth.models.continuation import Restarted, strip_prefix
from synth.prompts import Lazy
from synth.reach import Reach
from synth.records import Critique, Failure, Node, Part, Problem, Rejection, Score, UnitRecord, derive, is_kept
from synth.steps.sight import Sight, Verdict, about
from synth.texts import repeated_share

__all__ = ["Unit"]

R = TypeVar("R", bound=UnitRecord)

_MENDED_BY_OTHERS = frozenset(
    {
        "truncated",
        "thought_cut",
        "only_thought",
        "connection",
        "auth",
        "not_found",
        "raised",
        "shape",
        "restarted",
        "repeated",
    }
)
"""Failures that an immediate retry cannot fix, but a higher token limit, another model or a repaired server or function
might."""


class Unit:
    """What a step sees: records by the step that made them, scores by name, and the models.

    Args:
        problem: the root problem.
        caller: asks models.
        models: the models that play each role.
        media: where images and sounds of problems lie.
    """

    def __init__(
        self,
        problem: Problem,
        caller: Caller,
        models: Mapping[str, Sequence[Model]],
        media: Reach = Reach(None),  # noqa: B008  # it cannot be changed
    ) -> None:
        self.problem = problem
        self.records: list[UnitRecord] = []
        self._by_id: dict[str, UnitRecord] = {}
        self._rejected: set[str] = set()
        self._parents: dict[str, str | None] = {}
        """The problem that each problem was derived from."""
        self._scores: dict[str, dict[Part | None, dict[str, list[Score]]]] = {}
        """By target, part and name: those that the latest step gave."""
        self._sights: dict[str, Sight] = {}
        self._made_sights: list[Sight] = []
        self._groups: dict[tuple[type[UnitRecord], str, str | None], list[UnitRecord]] = {}
        self._keys: dict[str, str] = {}
        """The replay key of each reply that has log-probabilities, by its ledger row."""
        self._critiques: dict[str, list[Critique]] | None = None
        """Kept critiques by target; None until somebody asks."""
        self._caller = caller
        self._models = models
        self._media = media
        self.add([problem])

    def add(self, records: Iterable[UnitRecord]) -> None:
        """Take in what a step made. A record that is there already is not added again.

        Raises:
            StepError: it has the id of a record with other content.
        """
        if self._sights or self._groups:
            self._sights.clear()
            self._groups.clear()
        self._critiques = None
        for record in records:
            known = self._by_id.get(record.id)
            if known is not None:
                if _differences(known, record):
                    raise _two_with_one_id(known, record)
                continue
            self._by_id[record.id] = record
            self.records.append(record)
            if isinstance(record, Rejection):
                self._rejected.add(record.target)
            elif isinstance(record, Problem):
                self._parents[record.id] = record.parent
            elif isinstance(record, Score):
                scores = self._scores.setdefault(record.target, {}).setdefault(record.part, {})
                earlier = scores.setdefault(record.name, [])
                if earlier and earlier[0].step != record.step:
                    earlier.clear()
                earlier.append(record)

    def kept(self, record: UnitRecord) -> bool:
        """Whether no step has rejected it, nor its problem, nor a problem that this was derived from."""
        if not self._rejected:
            return True
        return is_kept((record.id, self.problem_of(record).id), self._rejected, self._parents)

    def all(self, kind: type[R]) -> list[R]:
        """Every kept record of a type, in the order they were made."""
        return [r for r in self.records if isinstance(r, kind) and self.kept(r)]

    def critiques_of(self, record: UnitRecord) -> list[Critique]:
        """Kept critiques of a record, in the order they were made."""
        if self._critiques is None:
            self._critiques = {}
            for critique in self.all(Critique):
                self._critiques.setdefault(critique.target, []).append(critique)
        return list(self._critiques.get(record.id, ()))

    def made_by(self, kind: type[UnitRecord], steps: Sequence[str] | None) -> list[UnitRecord]:
        """Kept records of a type that were made by these steps; by any where `steps` is None."""
        return [r for r in self.all(kind) if steps is None or r.step in steps]

    def problem_of(self, record: UnitRecord) -> Problem:
        """The problem a record is about."""
        while not isinstance(record, Problem):
            about = getattr(record, "problem", None) or getattr(record, "target", None)
            record = self._by_id[about or self.problem.id]
        return record

    def get(self, id_: str) -> UnitRecord:
        """The record of this unit with that id."""
        return self._by_id[id_]

    def path_to(self, node: Node) -> list[Node]:
        """The nodes from the root of its tree down to a node, both included."""
        path = [node]
        while path[-1].parent is not None:
            above = self._by_id[path[-1].parent]
            assert isinstance(above, Node)
            path.append(above)
        return path[::-1]

    def judgements(self, record: UnitRecord, name: str, part: Part | None = None) -> Sequence[Score]:
        """The scores of that name on a record, or on a part of it, that the latest step gave: one for each judge."""
        return self._scores.get(record.id, {}).get(part, {}).get(name, ())

    def score(self, record: UnitRecord, name: str, part: Part | None = None) -> Verdict | None:
        """What the scores of that name on a record, or on a part of it, come to; None where there are none.

        The view `current_scores` says the same in SQL.
        """
        judgements = self.judgements(record, name, part)
        return Verdict.of(judgements) if judgements else None

    def step_scores(self, record: UnitRecord, name: str) -> Mapping[int, Verdict]:
        """What the scores of that name on the steps of a record come to, by index from 0."""
        return {
            part.index: Verdict.of(scores[name])
            for part, scores in self._scores.get(record.id, {}).items()
            if part is not None and part.kind == "step" and part.index is not None and name in scores
        }

    def variables(self, record: UnitRecord) -> Lazy:
        """What an expression sees of a record; see docs/expressions.md. What takes work is made when it is asked for."""
        return self.sight(record)

    def sight(self, record: UnitRecord) -> Sight:
        """What an expression sees of a record, made once until something is added."""
        sight = self._sights.get(record.id)
        if sight is None:
            sight = self._sights[record.id] = Sight(self, record)
            self._made_sights.append(sight)
        return sight

    def forget(self) -> None:
        """Let go of what expressions have seen: these know each other and the unit, and would wait for the garbage collector."""
        for sight in self._made_sights:
            sight.clear()
        self._made_sights.clear()
        self._sights.clear()
        self._groups.clear()

    def group(self, record: UnitRecord) -> Sequence[UnitRecord]:
        """A record and its siblings: kept records that the same step made, for the same problem (of critiques: rationale)."""
        key = (type(record), record.step, about(record))
        alike = self._groups.get(key)
        if alike is None:
            alike = [r for r in self.all(key[0]) if r.step == record.step and about(r) == key[2]]
            self._groups[key] = alike
        return alike if any(r.id == record.id for r in alike) else [*alike, record]

    def scores_of(self, record: UnitRecord, part: Part | None = None) -> Mapping[str, Sequence[Score]]:
        """All current scores of a record, or of a part of it, by name."""
        return self._scores.get(record.id, {}).get(part, {})

    def models(self, roles: str | Sequence[str]) -> list[Model]:
        """The models that play these roles, in order."""
        return [t for role in ([roles] if isinstance(roles, str) else roles) for t in self._models[role]]

    async def ask(self, model: Model, request: Request, target: UnitRecord) -> Completion | None:
        """One reply; or None, and a `Failure` on `target` that says why there is none.

        A reply that was cut off is asked for once more where the request says with which limit; one that
        does not fit its response schema is sent back once for repair, and `value` is the object.

        Raises:
            SetupError: no call to this model can succeed.
            Stopped: the run is being stopped.
        """
        for one in request.task.problem.media:
            kind: Capability = "images" if one.kind == "image" else "audio"
            if kind not in model.capabilities | model.unknown:
                what = f"problem {request.task.problem.id} has an {one.kind}, and model {model.name} takes none"
                raise SetupError(what, fix=f"bind another model, or add {kind} to its capabilities")
        try:
            return self._noted(await self._usable(model, self._with_media(request)))
        except _Failed as failed:
            error, key = failed.error, model.key(failed.request)
            self.add(
                [
                    derive(
                        Failure,
                        step=request.step,
                        version=1,
                        parents=[target],
                        key=key,
                        unit=self.problem.id,
                        target=target.id,
                        cause=error.cause,
                        message=f"{error.what} → {error.fix}" if error.fix else error.what,
                        raw=error.raw,
                        attempts=self._caller.ledger.next_attempt(key) - 1,
                        retriable=error.retriable or error.cause in _MENDED_BY_OTHERS,
                        call=self._caller.ledger.last_attempt(key),
                    )
                ]
            )
            return None

    @property
    def executions(self) -> Executions | None:
        """Runs programs; None where nothing is run, as in a plan."""
        return self._caller.executions

    def _noted(self, reply: Completion) -> Completion:
        if reply.logprobs is not None:
            self._keys[reply.call] = reply.key
        return reply

    def reply_of(self, call: str | None) -> Completion | None:
        """The reply that came in a call of this unit, as it came; None where no reply with log-probabilities did."""
        key = self._keys.get(call or "")
        return None if key is None else self._caller.ledger.replay(key)

    def _with_media(self, request: Request) -> Request:
        if not request.task.problem.media:
            return request
        try:
            messages, files = attach(request.messages, request.task.problem.media, self._media)
        except InputError as error:
            raise _Failed(ModelError("bad_request", error.what, fix=error.fix), request) from error
        return request._replace(messages=messages, media=files)

    async def _usable(self, model: Model, request: Request) -> Completion:
        try:
            reply = await self._longer(model, request)
            if (beginning := request.continue_from or request.begun) is not None:
                reply = reply._replace(text=_continuation(beginning, reply.text))
            if request.shape is None:
                return reply
            try:
                return reply._replace(value=read_structured(reply.text, request.shape))
            except Unreadable as why:
                repair = request._replace(
                    messages=(*request.messages, *repair_turn(reply.text, str(why), request.shape)),
                    repairs=reply.call,
                )
        except ModelError as error:
            raise _Failed(error, request) from error
        try:
            repaired = await self._longer(model, repair)
            return repaired._replace(value=read_structured(repaired.text, request.shape))
        except ModelError as error:
            raise _Failed(error, repair) from error
        except Unreadable as why:
            what = f"the reply does not fit its response schema, and could not be repaired: {why}"
            raise _Failed(ModelError("shape", what, raw=repaired.text), repair) from why

    async def _longer(self, model: Model, request: Request) -> Completion:
        """The reply; where it was cut off, the longer one the request allows for.

        A thought that was cut off shows that the model thinks, where nobody has said so: it is asked once more with room
        for the thought, also where the request names no larger limit.
        """
        ask = partial(self._caller.ask, model, unit=self.problem.id)
        thinks = False
        limit = request.max_tokens_on_truncation
        given = request.parameters.get("max_tokens")
        if limit is None and model.reasoning is None and isinstance(given, int):
            thinks, limit = True, given + THINKING_TOKENS
        if limit is None:
            return await ask(request)
        longer = request._replace(parameters={**request.parameters, "max_tokens": limit}, max_tokens_on_truncation=None)
        ledger = self._caller.ledger
        cut: ModelError | None = None
        if (thinks and model.name not in ledger.thoughts_cut) or model.key(longer) not in ledger:
            try:
                return await ask(request)
            except ModelError as error:
                if error.cause not in ({"thought_cut"} if thinks else {"truncated", "thought_cut"}):
                    raise
                failed = ledger.failed_reply(model.key(request))
                if failed is not None and not failed[0].cut_off:  # it ended by itself, within its thought
                    raise
                cut = error
        if cut is not None and model.key(longer) == model.key(request):  # the profile has a limit, which goes before
            raise cut
        if thinks:
            self._caller.report_once(
                model,
                f"it thinks, and its thought did not fit into max_tokens: {given:,}; it is asked once more with {limit:,}. "
                "reasoning: true in its profile (models.yaml) allows for thoughts from the start",
            )
        try:
            return await ask(longer)
        except ModelError as error:
            if cut is not None and error.cause == "bad_request":  # so large a limit is not taken
                raise cut from error
            raise _Failed(error, longer) from error


class _Failed(Exception):
    """No usable reply, and the request of which that was found out."""

    def __init__(self, error: ModelError, request: Request) -> None:
        super().__init__(error)
        self.error = error
        self.request = request


_LOOPS = 0.5
"""Share of the words of a continuation that are repetitions, from which on it is a loop; our choice."""


def _continuation(prefix: str, text: str) -> str:
    try:
        added = strip_prefix(prefix, text)
    except Restarted as restarted:
        raise ModelError("restarted", str(restarted), raw=text) from restarted
    if repeated_share(added) >= _LOOPS:
        raise ModelError("repeated", "the continuation repeats itself", raw=text)
    return added


_ASKED = frozenset({"model", "critic", "judge"})
"""Fields that name who was asked: one reply is one record, also where a role has one model under two names."""


def _differences(known: UnitRecord, record: UnitRecord) -> list[str]:
    """What differs between two records of one id; empty where they are the same."""
    if known == record:
        return []
    if type(known) is not type(record):
        return ["their types"]
    names = set(type(record).model_fields) - _ASKED
    return sorted(name for name in names if getattr(known, name) != getattr(record, name))


def _two_with_one_id(known: UnitRecord, record: UnitRecord) -> StepError:
    differ = f"two records that differ in {', '.join(_differences(known, record))}"
    return StepError(
        f"{differ} have the id {record.id}",
        where=f"step {record.step}",
        fix="a step that makes several records from the same replies distinguishes them by `key` (Step.derive)",
    )
