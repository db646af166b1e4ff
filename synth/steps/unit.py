"""A unit at work: one root problem and everything derived from it so far."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from synth.calls import Caller
from synth.errors import InputError, ModelError, SetupError, StepError
from synth.files import Reach
from synth.models import Capability, Completion, Model, Request, Unreadable, attach, read_structured, repair_turn
from synth.models.base import THINKING_TOKENS
from synth.models.continuation import Restarted, strip_prefix
from synth.records import Failure, Node, Problem, Rejection, Score, UnitRecord, derive, is_kept

__all__ = ["UNIT_VARIABLES", "Unit"]

R = TypeVar("R", bound=UnitRecord)

_MENDED_BY_OTHERS = frozenset(
    {"truncated", "thought_cut", "only_thought", "connection", "auth", "not_found", "raised", "shape", "restarted"}
)
"""Causes that asking at once would not mend, and a larger limit, another model behind the address, or a mended server
or function may.
"""

UNIT_VARIABLES = frozenset({"problems", "rationales", "nodes", "critiques", "pairs", "rejections", "failures"})
"""What expressions see of `unit`: its kept records by table."""


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
        self._scores: dict[str, dict[str, Score]] = {}
        self._step_scores: dict[tuple[str, str], dict[int, Score]] = {}
        self._caller = caller
        self._models = models
        self._media = media
        self.add([problem])

    def add(self, records: Iterable[UnitRecord]) -> None:
        """Take in what a step made. A record that is there already is not added again.

        Raises:
            StepError: it has the id of a record with other content.
        """
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
            elif isinstance(record, Score) and record.step_index is None:
                self._scores.setdefault(record.target, {})[record.name] = record
            elif isinstance(record, Score) and record.step_index is not None:
                self._step_scores.setdefault((record.target, record.name), {})[record.step_index] = record

    def kept(self, record: UnitRecord) -> bool:
        """Whether no step has rejected it, nor its problem, nor a problem that this was derived from."""
        if not self._rejected:
            return True
        return is_kept((record.id, self.problem_of(record).id), self._rejected, self._parents)

    def all(self, kind: type[R]) -> list[R]:
        """Every kept record of a type, in the order they were made."""
        return [r for r in self.records if isinstance(r, kind) and self.kept(r)]

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

    def score(self, record: UnitRecord, name: str) -> Score | None:
        """The latest score of that name on a record."""
        return self._scores.get(record.id, {}).get(name)

    def step_scores(self, record: UnitRecord, name: str) -> Mapping[int, Score]:
        """The latest scores of that name on the steps of a record, by index from 0."""
        return self._step_scores.get((record.id, name), {})

    def variables(self, record: UnitRecord) -> dict[str, Any]:
        """What an expression sees of a record: itself, its problem, its scores (values) and labels by name, the unit."""
        scores = self._scores.get(record.id, {})
        return {
            "record": record,
            record.alias: record,
            "problem": self.problem_of(record),
            "score": _ByName({name: s.value for name, s in scores.items()}),
            "label": _ByName({name: s.label for name, s in scores.items()}),
            "unit": _Tables(self),
        }

    def models(self, roles: str | Sequence[str]) -> list[Model]:
        """The models that play these roles, in order."""
        return [t for role in ([roles] if isinstance(roles, str) else roles) for t in self._models[role]]

    async def ask(self, model: Model, request: Request, target: UnitRecord) -> Completion | None:
        """One reply; or None, and a `Failure` on `target` that says why there is none.

        A reply that was cut off is asked for once more where the request says with which limit; one that lacks the
        shape it was to have is to be mended once, and `value` is the object.

        Raises:
            SetupError: no call to this model can succeed.
            Stopped: the run is being stopped.
        """
        for one in request.task.problem.media:
            kind: Capability = "images" if one.kind == "image" else "audio"
            if kind not in model.capabilities | model.unknown:
                what = f"problem {request.task.problem.id} has an {one.kind}, and model {model.name} takes none"
                raise SetupError(what, remedy=f"bind another model, or add {kind} to its capabilities")
        try:
            return await self._usable(model, self._with_media(request))
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
                        message=f"{error.what} → {error.remedy}" if error.remedy else error.what,
                        raw=error.raw,
                        attempts=self._caller.ledger.next_attempt(key) - 1,
                        retriable=error.retriable or error.cause in _MENDED_BY_OTHERS,
                        call=self._caller.ledger.last_attempt(key),
                    )
                ]
            )
            return None

    def _with_media(self, request: Request) -> Request:
        if not request.task.problem.media:
            return request
        try:
            messages, files = attach(request.messages, request.task.problem.media, self._media)
        except InputError as error:
            raise _Failed(ModelError("bad_request", error.what, remedy=error.remedy), request) from error
        return request._replace(messages=messages, media=files)

    async def _usable(self, model: Model, request: Request) -> Completion:
        try:
            reply = await self._longer(model, request)
            if request.continue_from is not None:
                reply = reply._replace(text=_continuation(request.continue_from, reply.text))
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
            what = f"the reply does not have its shape, and could not be mended: {why}"
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


def _continuation(prefix: str, text: str) -> str:
    try:
        return strip_prefix(prefix, text)
    except Restarted as restarted:
        raise ModelError("restarted", str(restarted), raw=text) from restarted


class _ByName(dict[str, Any]):
    """Scores by name; one that a record does not have is None."""

    def __missing__(self, name: str) -> None:
        return None


class _Tables(dict[str, list[UnitRecord]]):
    """Kept records of a unit by table, for expressions; gathered when one asks."""

    def __init__(self, unit: Unit) -> None:
        super().__init__()
        self._unit = unit

    def __missing__(self, table: str) -> list[UnitRecord]:
        if table not in UNIT_VARIABLES:
            raise KeyError(table)
        return [r for r in self._unit.records if r.table == table and self._unit.kept(r)]


_ASKED = frozenset({"model", "critic"})
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
        remedy="a step that makes several records from the same replies tells them apart by `key` (Step.derive)",
    )
