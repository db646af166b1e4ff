"""Records as pages show them: a rationale with all that was said of it, a pair with its sides, a tree."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from synth.render.charts import Tree, tree_of
from synth.render.differences import Piece, differences, with_statement
from synth.store.database import Store

__all__ = ["Drawn", "Sides", "Story", "messages_of", "rationales_of", "sides_of", "stories", "trees_of"]

Row = Mapping[str, Any]


class Story(NamedTuple):
    """A rationale with its problem and all that was said of it."""

    rationale: Row
    """As `rationales_of` gives it."""
    problem: Row | None
    scores: list[Row]
    critiques: list[Row]
    rejections: list[Row]


class Sides(NamedTuple):
    """A pair with both its sides; what differs in their responses is marked."""

    pair: Row
    problem: Row | None
    chosen: Row | None
    rejected: Row | None
    left: list[Piece]
    right: list[Piece]


class Drawn(NamedTuple):
    """The thought tree of a problem."""

    problem: Row | None
    tree: Tree


def _by(rows: Iterable[Row], name: str) -> Mapping[str, list[Row]]:
    made: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        made[row[name]].append(row)
    return made


_FEW = 12
"""Up to so many ids are sought one by one: DuckDB then skips the texts of all other rows, which it does not for a list."""


def _of(store: Store, table: str, column: str, ids: Iterable[str], what: str = "*") -> list[dict[str, Any]]:
    wanted = list(ids)
    if column == "id" and 0 < len(wanted) <= _FEW:
        one = f'SELECT {what} FROM "{table}" WHERE id = ?'
        return store.rows(f"{' UNION ALL '.join([one] * len(wanted))} ORDER BY id", wanted)
    among = f"{column} IN (SELECT unnest($1::VARCHAR[]))"
    return store.rows(f'SELECT {what} FROM "{table}" WHERE {among} ORDER BY id', [wanted])


_MOST = 12_000
"""Characters of a thought and of a response that leave the store; pages show fewer and link to the whole."""

_CUT = f"""* EXCLUDE (text, reasoning, steps, parts) REPLACE (left(thought, {_MOST}) AS thought, left(response, {_MOST}) AS response),
  coalesce(length(thought), 0) AS thought_length, length(response) AS response_length,
  substr(response, answer_span[1] + 1, answer_span[2] - answer_span[1])[:1000] AS statement"""


def rationales_of(store: Store, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Some rationales by id, as pages show them: thoughts may have a million characters, so that only their beginnings come.

    Beside the stored columns they have `thought_length` and `response_length`, in characters, and `statement`: the
    beginning of the statement of the answer, wherever in the response it stands.
    """
    return {r["id"]: r for r in _of(store, "rationales", "id", ids, _CUT)}


def stories(store: Store, ids: Sequence[str]) -> list[Story]:
    """Some rationales with all that was said of them, in the order given; those that are not there are left out."""
    found = rationales_of(store, ids)
    problems = {p["id"]: p for p in _of(store, "problems", "id", {r["problem"] for r in found.values()})}
    by_target = [_by(_of(store, table, "target", found), "target") for table in ("scores", "critiques", "rejections")]
    return [
        Story(found[i], problems.get(found[i]["problem"]), *(table.get(i, []) for table in by_target))
        for i in ids
        if i in found
    ]


def sides_of(store: Store, ids: Sequence[str]) -> list[Sides]:
    """Some pairs with their sides, in the order given."""
    found = {p["id"]: p for p in _of(store, "pairs", "id", ids)}
    texts = rationales_of(store, {p[side] for p in found.values() for side in ("chosen", "rejected")})
    problems = {p["id"]: p for p in _of(store, "problems", "id", {p["problem"] for p in found.values()})}
    made = []
    for i in ids:
        if i in found:
            pair = found[i]
            chosen, rejected = texts.get(pair["chosen"]), texts.get(pair["rejected"])
            sides = (chosen, rejected)
            marked = differences(*(side["response"] if side else "" for side in sides))
            left, right = (
                with_statement(pieces, side["answer_span"] if side else None)
                for pieces, side in zip(marked, sides, strict=True)
            )
            made.append(Sides(pair, problems.get(pair["problem"]), chosen, rejected, left, right))
    return made


_MOST_NODES = 400
"""Of one tree; a drawing of more cannot be read."""


def trees_of(store: Store, problems: Sequence[str]) -> list[Drawn]:
    """The trees of some problems, in the order given."""
    known = {p["id"]: p for p in _of(store, "problems", "id", problems)}
    nodes = _by(_of(store, "nodes", "problem", problems), "problem")
    leaves = store.sql(
        """SELECT r.node FROM rationales r WHERE r.problem IN (SELECT unnest($1::VARCHAR[])) AND r.node IS NOT NULL
        AND r.id IN (SELECT id FROM kept_rationales)""",
        [list(problems)],
    ).fetchall()
    paths = [node for (node,) in leaves]
    made = []
    for problem in problems:
        if mine := nodes.get(problem):
            ordered = sorted(mine, key=lambda n: n["depth"])[:_MOST_NODES]
            made.append(Drawn(known.get(problem), tree_of(ordered, paths)))
    return made


def messages_of(call: Row) -> list[Row]:
    """The messages of a ledger row, each with a role and its content as text."""
    made: list[Row] = []
    for message in orjson.loads(call["messages"]):
        content = message.get("content") if isinstance(message, dict) else message
        role = message.get("role", "") if isinstance(message, dict) else ""
        text = content if isinstance(content, str) else orjson.dumps(content, option=orjson.OPT_INDENT_2).decode()
        made.append({"role": role, "text": text})
    return made
