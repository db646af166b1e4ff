"""A unit at work: one root problem and everything derived from it so far."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from synth.errors import SetupError, TeacherError
from synth.records import Failure, Node, Problem, Rejection, Score, UnitRecord
from synth.teachers import Caller, Capability, Completion, Request, Teacher, Unreadable, read_structured, repair_turn
from synth.teachers.base import THINKING_TOKENS
from synth.teachers.continuation import Restarted, strip_prefix

__all__ = ["UNIT_VARIABLES", "Unit"]

R = TypeVar("R", bound=UnitRecord)

_MENDED_BY_OTHERS = frozenset(
    {"truncated", "thought_cut", "only_thought", "connection", "auth", "not_found", "shape", "restarted"}
)
"""Causes that asking at once would not mend, and a larger limit, another model behind the address, or a mended server
may.
"""

UNIT_VARIABLES = frozenset({"problems", "rationales", "nodes", "critiques", "pairs", "rejections", "failures"})
"""What expressions see of `unit`: its live records by table."""


class Unit:
    """What a step sees: records by the step that made them, scores by name, and the teachers.

    Args:
        problem: the root problem.
        caller: asks teachers.
        teachers: the teachers that play each role.
    """

    def __init__(self, problem: Problem, caller: Caller, teachers: Mapping[str, Sequence[Teacher]]) -> None:
        self.problem = problem
        self.records: list[UnitRecord] = []
        self._by_id: dict[str, UnitRecord] = {}
        self._rejected: set[str] = set()
        self._scores: dict[str, dict[str, Score]] = {}
        self._step_scores: dict[tuple[str, str], dict[int, Score]] = {}
        self._caller = caller
        self._teachers = teachers
        self.add([problem])

    def add(self, records: Iterable[UnitRecord]) -> None:
        """Take in what a step made. A record that is there already is not added again."""
        for record in records:
            if record.id in self._by_id:
                continue
            self._by_id[record.id] = record
            self.records.append(record)
            if isinstance(record, Rejection):
                self._rejected.add(record.target)
            elif isinstance(record, Score) and record.step_index is None:
                self._scores.setdefault(record.target, {})[record.name] = record
            elif isinstance(record, Score) and record.step_index is not None:
                self._step_scores.setdefault((record.target, record.name), {})[record.step_index] = record

    def live(self, record: UnitRecord) -> bool:
        """Whether no step has rejected it."""
        return record.id not in self._rejected

    def all(self, kind: type[R]) -> list[R]:
        """Every live record of a type, in the order they were made."""
        return [r for r in self.records if isinstance(r, kind) and self.live(r)]

    def made_by(self, kind: type[UnitRecord], steps: Sequence[str] | None) -> list[UnitRecord]:
        """Live records of a type that were made by these steps; by any where `steps` is None."""
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

    def teachers(self, roles: str | Sequence[str]) -> list[Teacher]:
        """The teachers that play these roles, in order."""
        return [t for role in ([roles] if isinstance(roles, str) else roles) for t in self._teachers[role]]

    async def ask(self, teacher: Teacher, request: Request, target: UnitRecord) -> Completion | None:
        """One reply; or None, and a `Failure` on `target` that says why there is none.

        A reply that was cut off is asked for once more where the request says with which limit; one that lacks the
        shape it was to have is to be mended once, and `value` is the object.

        Raises:
            SetupError: no call to this teacher can succeed.
            Stopped: the run is being stopped.
        """
        for one in request.task.problem.media:
            kind: Capability = "images" if one.kind == "image" else "audio"
            if kind not in teacher.capabilities | teacher.unknown:
                what = f"problem {request.task.problem.id} has an {one.kind}, and teacher {teacher.name} takes none"
                raise SetupError(what, remedy=f"bind another teacher, or add {kind} to its capabilities")
        try:
            return await self._usable(teacher, request)
        except _Failed as failed:
            error, key = failed.error, teacher.key(failed.request)
            self.add(
                [
                    Failure.make(
                        unit=self.problem.id,
                        step=request.step,
                        because=[target.id, key],
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

    async def _usable(self, teacher: Teacher, request: Request) -> Completion:
        try:
            reply = await self._longer(teacher, request)
            if request.continue_from is not None:
                reply = reply._replace(text=_continuation(request.continue_from, reply.text))
            if request.shape is None:
                return reply
            try:
                return reply._replace(value=read_structured(reply.text, request.shape))
            except Unreadable as why:
                mend = request._replace(
                    messages=(*request.messages, *repair_turn(reply.text, str(why), request.shape)),
                    repairs=reply.call,
                )
        except TeacherError as error:
            raise _Failed(error, request) from error
        try:
            mended = await self._longer(teacher, mend)
            return mended._replace(value=read_structured(mended.text, request.shape))
        except TeacherError as error:
            raise _Failed(error, mend) from error
        except Unreadable as why:
            what = f"the reply does not have its shape, and could not be mended: {why}"
            raise _Failed(TeacherError("shape", what, raw=mended.text), mend) from why

    async def _longer(self, teacher: Teacher, request: Request) -> Completion:
        """The reply; where it was cut off, the longer one the request allows for.

        A thought that was cut off shows that the model thinks, where nobody has said so: it is asked once more with room
        for the thought, also where the request names no larger limit.
        """
        ask = partial(self._caller.ask, teacher, unit=self.problem.id)
        thinks = False
        limit = request.max_tokens_if_cut
        given = request.parameters.get("max_tokens")
        if limit is None and teacher.reasoning is None and isinstance(given, int):
            thinks, limit = True, given + THINKING_TOKENS
        if limit is None:
            return await ask(request)
        longer = request._replace(parameters={**request.parameters, "max_tokens": limit}, max_tokens_if_cut=None)
        ledger = self._caller.ledger
        cut: TeacherError | None = None
        if (thinks and teacher.name not in ledger.thoughts_cut) or teacher.key(longer) not in ledger:
            try:
                return await ask(request)
            except TeacherError as error:
                if error.cause not in ({"thought_cut"} if thinks else {"truncated", "thought_cut"}):
                    raise
                failed = ledger.failed_reply(teacher.key(request))
                if failed is not None and not failed[0].cut_off:  # it ended by itself, within its thought
                    raise
                cut = error
        if cut is not None and teacher.key(longer) == teacher.key(
            request
        ):  # the profile has a limit, which goes before
            raise cut
        if thinks:
            self._caller.report_once(
                teacher,
                f"it thinks, and its thought did not fit into max_tokens: {given:,}; it is asked once more with {limit:,}. "
                "reasoning: true in its profile (teachers.yaml) allows for thoughts from the start",
            )
        try:
            return await ask(longer)
        except TeacherError as error:
            if cut is not None and error.cause == "bad_request":  # so large a limit is not taken
                raise cut from error
            raise _Failed(error, longer) from error


class _Failed(Exception):
    """No usable reply, and the request of which that was found out."""

    def __init__(self, error: TeacherError, request: Request) -> None:
        super().__init__(error)
        self.error = error
        self.request = request


def _continuation(prefix: str, text: str) -> str:
    try:
        return strip_prefix(prefix, text)
    except Restarted as restarted:
        raise TeacherError("restarted", str(restarted), raw=text) from restarted


class _ByName(dict[str, Any]):
    """Scores by name; one that a record does not have is None."""

    def __missing__(self, name: str) -> None:
        return None


class _Tables:
    """Live records of a unit by table, for expressions."""

    def __init__(self, unit: Unit) -> None:
        self._unit = unit

    def __getattr__(self, table: str) -> list[UnitRecord]:
        if table not in UNIT_VARIABLES:
            raise AttributeError(table)
        return [r for r in self._unit.records if r.table == table and self._unit.live(r)]
