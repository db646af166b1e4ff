"""One record with what it was made from and what was made of it."""

from __future__ import annotations

from typing import Any, NamedTuple

from synth.render.records import Drawn, Sides, Story, messages_of, sides_of, stories, trees_of
from synth.store.columns import TABLES, stored_columns
from synth.store.database import Store
from synth.view.browse import LISTS

__all__ = ["Asking", "Link", "Opened", "opened", "table_of"]

_MOST = 100
"""Records shown on one page that were made of one."""


class Link(NamedTuple):
    """Another record, in a line."""

    table: str
    id: str
    head: str


class Asking(NamedTuple):
    """A call: what was sent and what came."""

    call: dict[str, Any]
    """The ledger row with the beginning of its thought, and how many characters that has as `thought_length`."""
    messages: list[Any]


class Opened(NamedTuple):
    """All there is to show of a record."""

    table: str
    record: dict[str, Any]
    """Its stored columns, whole."""
    problem: dict[str, Any] | None
    story: Story | None
    sides: Sides | None
    tree: Drawn | None
    calls: list[Asking]
    """The call that made it; of a rationale also those of its reviews."""
    made_from: list[Link]
    made_of_it: list[Link]
    siblings: list[Story]
    """Of a rationale the others of its problem, of a problem all."""


def table_of(store: Store, record: str) -> str | None:
    """The table a record is in; None where there is none."""
    parts = " UNION ALL ".join(f"SELECT '{t}' AS tab FROM \"{t}\" WHERE id = $1" for t in TABLES)
    row = store.sql(f"{parts} LIMIT 1", [record]).fetchone()
    return row[0] if row else None


def opened(store: Store, table: str, record: str) -> Opened | None:
    """A record with its surroundings; None where there is none."""
    names = ", ".join(f'"{name}"' for name in stored_columns(TABLES[table]))
    found = store.rows(f'SELECT {names} FROM "{table}" WHERE id = ? LIMIT 1', [record])
    if not found:
        return None
    (row,) = found
    # Of the many parts of the view only those are gone through that can have it.
    up = store.sql(
        f"""SELECT parent, parent_table FROM lineage WHERE "table" = '{table}' AND id = ?""", [record]
    ).fetchall()
    down = store.sql(
        f"""SELECT id, "table" FROM lineage WHERE (parent_table = '{table}' OR parent_table IS NULL) AND parent = ?
        ORDER BY 2, 1 LIMIT {_MOST}""",
        [record],
    ).fetchall()
    ups = [(i, t or table_of(store, i)) for i, t in up]
    problem = row["id"] if table == "problems" else row.get("problem")
    of_problem = _ids(
        store, f"SELECT id FROM rationales WHERE problem = ? AND id <> ? ORDER BY id LIMIT {_MOST}", problem, record
    )
    rationales = (
        stories(store, [record, *of_problem])
        if table == "rationales"
        else stories(store, of_problem)
        if table == "problems"
        else []
    )
    story = rationales.pop(0) if table == "rationales" else None
    made_by = [row["call"]] if row.get("call") else []
    made_by += [s["call"] for s in (*story.scores, *story.critiques) if s["call"]] if story is not None else []
    return Opened(
        table,
        row,
        next(iter(store.rows("SELECT * FROM problems WHERE id = ? LIMIT 1", [problem])), None) if problem else None,
        story,
        next(iter(sides_of(store, [record])), None) if table == "pairs" else None,
        next(iter(trees_of(store, [problem])), None)
        if problem and table in {"problems", "nodes", "rationales"}
        else None,
        calls_of(store, [record] if table == "calls" else list(dict.fromkeys(made_by))),
        _links(store, ups),
        _links(store, down),
        rationales,
    )


def calls_of(store: Store, ids: list[str]) -> list[Asking]:
    """Some calls, in the order given."""
    query = """SELECT * REPLACE (left(thought, 12000) AS thought), coalesce(length(thought), 0) AS thought_length
    FROM calls WHERE id IN (SELECT unnest($1::VARCHAR[]))"""
    found = {c["id"]: c for c in store.rows(query, [ids])}
    return [Asking(found[i], messages_of(found[i])) for i in ids if i in found]


def _ids(store: Store, query: str, *given: str | None) -> list[str]:
    return [i for (i,) in store.sql(query, given).fetchall()] if given[0] else []


def _links(store: Store, some: list[tuple[str, str | None]]) -> list[Link]:
    """Records in a line each, in the order given."""
    heads: dict[str, str] = {}
    for table in {t for _, t in some if t is not None}:
        ids = [i for i, t in some if t == table]
        query = f'SELECT t.id, substr({LISTS[table].head}, 1, 160) FROM "{table}" t WHERE t.id IN (SELECT unnest($1::VARCHAR[]))'
        heads.update(store.sql(query, [ids]).fetchall())
    return [Link(t, i, heads.get(i) or "") for i, t in some if t is not None]
