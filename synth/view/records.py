"""Records as they are told: a rationale with all that was said of it, a pair with its sides, a tree."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from synth.store.database import Store
from synth.view.charts import Tree, tree_of
from synth.view.differences import Piece, differences

__all__ = ["Drawn", "Sides", "Story", "messages_of", "sides_of", "stories", "trees_of"]

Row = Mapping[str, Any]


class Story(NamedTuple):
    """A rationale with its problem and all that was said of it."""

    rationale: Row
    problem: Row | None
    scores: list[Row]
    critiques: list[Row]
    rejections: list[Row]


class Sides(NamedTuple):
    """A pair with both its sides, what differs marked."""

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


def _of(store: Store, table: str, column: str, ids: Iterable[str]) -> list[dict[str, Any]]:
    wanted = list(ids)
    if column == "id" and 0 < len(wanted) <= _FEW:
        one = f'SELECT * FROM "{table}" WHERE id = ?'
        return store.rows(f"{' UNION ALL '.join([one] * len(wanted))} ORDER BY id", wanted)
    return store.rows(f'SELECT * FROM "{table}" WHERE {column} IN (SELECT unnest($1::VARCHAR[])) ORDER BY id', [wanted])


def stories(store: Store, ids: Sequence[str]) -> list[Story]:
    """What there is to tell of some rationales, in the order given; those that are not there are left out."""
    found = {r["id"]: r for r in _of(store, "rationales", "id", ids)}
    problems = {p["id"]: p for p in _of(store, "problems", "id", {r["problem"] for r in found.values()})}
    told = [_by(_of(store, table, "target", found), "target") for table in ("scores", "critiques", "rejections")]
    return [
        Story(found[i], problems.get(found[i]["problem"]), *(table.get(i, []) for table in told))
        for i in ids
        if i in found
    ]


def sides_of(store: Store, ids: Sequence[str]) -> list[Sides]:
    """Some pairs with their sides, in the order given."""
    found = {p["id"]: p for p in _of(store, "pairs", "id", ids)}
    texts = {
        r["id"]: r
        for r in _of(store, "rationales", "id", {p[side] for p in found.values() for side in ("chosen", "rejected")})
    }
    problems = {p["id"]: p for p in _of(store, "problems", "id", {p["problem"] for p in found.values()})}
    made = []
    for i in ids:
        if i in found:
            pair = found[i]
            chosen, rejected = texts.get(pair["chosen"]), texts.get(pair["rejected"])
            marked = differences(*(_cut(side["text"]) if side else "" for side in (chosen, rejected)))
            made.append(Sides(pair, problems.get(pair["problem"]), chosen, rejected, *marked))
    return made


_LONGEST_SIDE = 12_000
"""Characters of a side that are compared."""


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_SIDE else text[:_LONGEST_SIDE] + " …"


_MOST_NODES = 400
"""Of one tree; a drawing of more tells nothing."""


def trees_of(store: Store, problems: Sequence[str]) -> list[Drawn]:
    """The trees of some problems, in the order given."""
    known = {p["id"]: p for p in _of(store, "problems", "id", problems)}
    nodes = _by(_of(store, "nodes", "problem", problems), "problem")
    told = store.sql(
        """SELECT r.node FROM rationales r WHERE r.problem IN (SELECT unnest($1::VARCHAR[])) AND r.node IS NOT NULL
        AND r.id NOT IN (SELECT target FROM rejections)""",
        [list(problems)],
    ).fetchall()
    paths = [node for (node,) in told]
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
