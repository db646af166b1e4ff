"""The seam of rewards: what a reward is written as, and the functions that trainers call.

A reward is written for one completion and its row, or for a group of completions of one problem. `@reward` makes the function that
trainers call of it: over a batch, with a column for each keyword, and None where a completion has no reward.
"""

from __future__ import annotations

import inspect
import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, get_type_hints, overload

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from synth.errors import UserError
from synth.rewards.completions import texts_of

__all__ = ["BatchReward", "Entry", "check_args", "entry", "is_column", "our_rewards", "reward"]

BatchReward = Callable[..., list[float | None]]
"""What a trainer calls: `reward(completions, **columns)`, one value a completion, None where it has no reward."""

_LOG = logging.getLogger("synth.rewards")
_GROUP = ("problem_id", "problem", "prompts")
"""The columns that say which completions are of one problem; the first that is there is taken."""
_RESERVED = {"completions", "reward", "reward_args", "begun", *_GROUP}
_OF_ROWS = {
    "record_id",
    "unit",
    "source",
    "solution",
    "stage",
    "tried",
    "right",
    "prompt",
    "completion_ids",
    "trainer_state",
}
"""Arguments that trainers give with every batch of `grpo` rows: as columns they are no value of the option of that name."""


@dataclass(frozen=True)
class Entry:
    """A registered reward."""

    name: str
    """What the column `reward` and `synth.rewards.NAME` call it."""
    function: BatchReward
    """The function that trainers call."""
    needs: tuple[str, ...]
    """The columns it cannot do without."""
    takes: tuple[str, ...]
    """Columns that it reads where they are there."""
    options: type[BaseModel]
    """Its options with their types and defaults."""
    group: bool
    """Whether it sees all completions of a problem at once."""
    own: bool = False
    """Whether it sees completions without the beginning of the reply that they continue."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it reads."""
        return (*self.needs, *self.takes)


_OURS: dict[str, Entry] = {}


def our_rewards() -> Mapping[str, Entry]:
    """The rewards that this package registers, by name."""
    return _OURS


def entry(function: BatchReward) -> Entry | None:
    """What is known of a reward; None of one that was not made with `@reward`."""
    return getattr(function, "entry", None)


@overload
def reward(rule: Callable[..., Any], /) -> BatchReward: ...
@overload
def reward(*, group: bool = False, own: bool = False) -> Callable[[Callable[..., Any]], BatchReward]: ...
def reward(rule: Callable[..., Any] | None = None, /, *, group: bool = False, own: bool = False) -> Any:
    """Register a reward under the name of the function it decorates.

    The function is written for one completion: `def name(completion, COLUMNS, *, OPTIONS) -> float | None`. Its first argument is the
    text of the completion. The other positional ones are the columns of its row, by name; those without a default are needed.
    Keyword-only ones are options, checked against their types: they come from the JSON object in the column `reward_args`, or are
    given to the function for all rows (`functools.partial(name, option=1)`). Columns that the rows do not have may stand in `reward_args`
    too. None says that the reward does not apply.

    With `group=True` the function is written for the completions of one problem: it takes their texts and lists of columns, and
    gives a list of rewards. Groups are known by the column `problem_id`, `problem` or `prompts`.

    The result is what trainers call: `name(completions, **columns) -> list[float | None]`. Where the function raises an exception other
    than `UserError`, the completion (or group) has None, and a warning in the log says why; all others have their rewards.

    Args:
        rule: the function.
        group: whether it is written for a group.
        own: whether it is given what the model wrote alone, where the row has the beginning of the reply in `begun`. Else it is given both as one text.

    Raises:
        UserError: when trainers call it: a column that it needs is absent or has another length, an option is unknown or invalid.
    """
    if rule is None:
        return lambda given: _registered(given, group=group, own=own)
    return _registered(rule, group=group, own=own)


def _registered(rule: Callable[..., Any], *, group: bool, own: bool) -> BatchReward:
    name = rule.__name__
    if name in _OURS:
        raise ValueError(f"there are two rewards {name}")
    hints = get_type_hints(rule, include_extras=True)
    parameters = list(inspect.signature(rule).parameters.values())[1:]
    columns = [p for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    options = [p for p in parameters if p.kind is p.KEYWORD_ONLY]
    if len(columns) + len(options) < len(parameters) or {p.name for p in parameters} & _RESERVED:
        raise ValueError(f"the reward {name} takes columns and options by name, and none of {sorted(_RESERVED)}")
    fields: dict[str, Any] = {p.name: (hints[p.name], ... if p.default is p.empty else p.default) for p in options}

    @wraps(rule)
    def rewarded(completions: Sequence[Any], **given: Any) -> list[float | None]:
        return _rewards(_OURS[name], rule, completions, given)

    known = Entry(
        name,
        rewarded,
        tuple(p.name for p in columns if p.default is p.empty),
        tuple(p.name for p in columns if p.default is not p.empty),
        create_model(name, __config__=ConfigDict(frozen=True, extra="forbid"), **fields),
        group,
        own,
    )
    rewarded.entry = known  # type: ignore[attr-defined]
    _OURS[name] = known
    return rewarded


def check_args(known: Entry, args: Mapping[str, Any], where: str | None = None) -> BaseModel:
    """The options of a reward with these arguments; columns among them are passed over.

    Raises:
        UserError: it has no such option, or the value does not fit.
    """
    try:
        return known.options.model_validate({name: v for name, v in args.items() if name not in known.columns})
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        option = ".".join(map(str, first["loc"])) or "its options"
        has = ", ".join(known.options.model_fields) or "none"
        raise UserError(
            f"the reward {known.name}: {option}: {first['msg']}", where=where, fix=f"its options: {has}"
        ) from error


def is_column(value: Any, n: int) -> bool:
    """Whether an argument of a trainer is a column of `n` rows."""
    return isinstance(value, (list, tuple)) and len(value) == n


def _rewards(
    known: Entry, rule: Callable[..., Any], completions: Sequence[Any], given: Mapping[str, Any]
) -> list[float | None]:
    """The rewards of a batch."""
    n = len(completions)
    for name in (*known.columns, "reward_args", "begun"):
        if given.get(name) is not None:
            _check_length(known, name, given[name], n)
    texts = texts_of(completions, None if known.own else given.get("begun"))
    options, used = _arguments(known, given, n)
    for name in known.needs:
        if name not in used:
            there = ", ".join(c for c, value in given.items() if is_column(value, n)) or "none"
            raise UserError(
                f"the reward {known.name} needs the column {name!r}; the columns of these rows: {there}",
                fix=f"keep the column where rows are loaded, or give it: {known.name}(completions, {name}=[…])",
            )
    values: list[float | None] = [None] * n
    reasons: dict[str, list[int]] = {}
    for places in _groups(known, given, n):
        args = {c: [column[i] for i in places] for c, column in used.items()}
        mine = _agreed(known, options, places)
        try:
            made = (
                rule([texts[i] for i in places], **args, **mine)
                if known.group
                else [_single(known, rule, texts[places[0]], args, mine)]
            )
            found = dict(zip(places, made, strict=True))
        except UserError:
            raise
        except Exception as error:  # noqa: BLE001  # whatever a completion makes a reward raise
            reasons.setdefault(f"{type(error).__name__}: {error}", []).extend(places)
            continue
        for i, value in found.items():
            if value is not None and not math.isfinite(value):
                reasons.setdefault(f"its reward is {value}", []).append(i)
            elif value is not None:
                values[i] = float(value)
    for reason, places in reasons.items():
        where = f"completion {places[0]}" + (
            f" of problem {given['problem_id'][places[0]]}" if "problem_id" in given else ""
        )
        _LOG.warning("%s: %d of %d have no reward (such as %s): %s", known.name, len(places), n, where, reason[:500])
    return values


def _single(
    known: Entry, rule: Callable[..., Any], text: str, args: Mapping[str, Sequence[Any]], options: Mapping[str, Any]
) -> Any:
    """The reward of one completion; a value that its row does not have is as a column that is not there.

    Raises:
        ValueError: its row does not have what the reward needs.
    """
    row = {column: values[0] for column, values in args.items() if values[0] is not None}
    if missing := [column for column in known.needs if column not in row]:
        raise ValueError(f"its row has no {missing[0]}")
    return rule(text, **row, **options)


def _check_length(known: Entry, name: str, column: Any, n: int) -> None:
    if not is_column(column, n):
        has = f"{len(column)} values" if isinstance(column, (list, tuple)) else "no list of values"
        raise UserError(
            f"the reward {known.name}: the column {name!r} has {has}, and there are {n} completions",
            fix="give a list with one value for each completion",
        )


def _groups(known: Entry, given: Mapping[str, Any], n: int) -> Iterator[list[int]]:
    """The places of completions that are rewarded together."""
    if not known.group:
        yield from ([i] for i in range(n))
        return
    by = next((c for c in _GROUP if given.get(c) is not None), None)
    if by is None:
        raise UserError(
            f"the reward {known.name} compares the completions of a problem, and no column says which are of one",
            fix=f"keep one of the columns {', '.join(_GROUP)}",
        )
    _check_length(known, by, given[by], n)
    groups: dict[bytes, list[int]] = {}
    for i, key in enumerate(given[by]):
        groups.setdefault(orjson.dumps(key, option=orjson.OPT_SORT_KEYS), []).append(i)
    yield from groups.values()


def _arguments(known: Entry, given: Mapping[str, Any], n: int) -> tuple[list[BaseModel], dict[str, Sequence[Any]]]:
    """The options of each row, and the columns: those of the call, and over them what stands in the column `reward_args`."""
    names = known.options.model_fields
    for_all = {c: given[c] for c in names if c in given and not (c in _OF_ROWS and is_column(given[c], n))}
    used: dict[str, Sequence[Any]] = {c: given[c] for c in known.columns if given.get(c) is not None}
    if given.get("reward_args") is None:
        return [check_args(known, for_all)] * n, used
    named = given.get("reward") if is_column(given.get("reward"), n) else None
    rows: list[dict[str, Any]] = []
    seen: dict[str, BaseModel] = {}
    options = []
    for i, text in enumerate(given["reward_args"]):
        where = f"reward_args of completion {i}"
        # Where the row names another reward, the arguments are those of that one.
        mine = named is None or str(named[i] or "").rpartition(".")[2] == known.name
        rows.append(_object(text, where) if text and mine else {})
        key = text if isinstance(text, str) and mine else "" if not rows[i] else f"row {i}"
        if key not in seen:
            seen[key] = check_args(known, {**for_all, **rows[i]}, where)
        options.append(seen[key])
    for column in known.columns:
        if any(column in row for row in rows):
            before = used.get(column) or [None] * n
            used[column] = [row.get(column, old) for row, old in zip(rows, before, strict=True)]
    return options, used


def _object(row: Any, where: str) -> dict[str, Any]:
    """A JSON object, as such or as text."""
    try:
        value = orjson.loads(row) if isinstance(row, (str, bytes)) else row
    except orjson.JSONDecodeError as error:
        raise UserError(f"this is not JSON: {error}", where=where) from error
    if not isinstance(value, Mapping):
        raise UserError(f"a JSON object is needed, not {type(value).__name__}", where=where)
    return {str(k): v for k, v in value.items() if v is not None}  # Arrow fills the fields that other rows have


def _agreed(known: Entry, options: Sequence[BaseModel], places: Sequence[int]) -> dict[str, Any]:
    """The options of a group, which all its rows must have."""
    first = options[places[0]]
    if any(options[i] != first for i in places):
        raise UserError(
            f"the reward {known.name}: the rows of one problem have different options", fix="give them the same"
        )
    return dict(first)
