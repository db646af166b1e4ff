"""Lists of records: searched, filtered by facets and by a condition in SQL, a page at a time."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import duckdb
import orjson

from synth.errors import UserError
from synth.store.apart import Asker, QuestionError, TooLong
from synth.store.database import Store

__all__ = ["LISTS", "PAGE", "Asked", "Facet", "Found", "Listing", "facets", "find", "where_of"]

PAGE = 50
"""Rows of a page."""

_OUT = "SELECT id FROM excluded"

_LONGEST_THOUGHT = 1_200
"""Characters of a thought that a row of a list shows."""


class Listing(NamedTuple):
    """How a table is listed."""

    head: str
    """What a row shows first, in SQL over `t`."""
    facets: Mapping[str, str]
    """Name and SQL of what can be chosen by clicking."""
    search: tuple[str, ...]
    """Columns in which words are sought."""
    beside: str = ""
    """More columns of a row, in SQL over `t`, after a comma."""


def _state(*owners: str) -> str:
    out = " OR ".join(f"t.{o} IN ({_OUT})" for o in ("id", *owners))
    return f"CASE WHEN {out} THEN 'out' ELSE 'kept' END"


LISTS: Mapping[str, Listing] = {
    "rationales": Listing(
        "t.response",
        {
            "state": _state("problem", "unit"),
            "step": "t.step",
            "model": "coalesce(t.model, t.author)",
            # Of the kind alone: to see whether there is a text, DuckDB would read all thoughts.
            "thought": "CASE WHEN t.thought_kind IN ('raw', 'summary') THEN 'with a thought' ELSE 'without' END",
            "thought_kind": "t.thought_kind",
            "rule": "(SELECT any_value(j.step || ': ' || j.rule) FROM rejections j WHERE j.target = t.id)",
        },
        # Not the column `reasoning`, which takes six times as long and lacks the statement of the answer.
        ("thought", "response", "answer"),
        f", left(t.thought, {_LONGEST_THOUGHT}) AS thought_text, coalesce(length(t.thought), 0) AS thought_length",
    ),
    "problems": Listing(
        "t.question", {"state": _state("unit"), "step": "t.step", "kind": "t.answer_kind"}, ("question", "context")
    ),
    "pairs": Listing(
        "(SELECT any_value(p.question) FROM problems p WHERE p.id = t.problem)",
        {"state": _state("problem", "unit"), "step": "t.step", "reason": "t.reason"},
        (),
    ),
    "nodes": Listing("t.text", {"step": "t.step", "model": "t.model", "depth": "t.depth::VARCHAR"}, ("text", "reason")),
    "critiques": Listing(
        "t.explanation",
        {"state": _state("unit"), "critic": "t.critic", "mistake": "t.mistake"},
        ("explanation", "correction"),
    ),
    "scores": Listing(
        "concat_ws(' ', t.name, coalesce(t.label, t.value::VARCHAR), t.reason)",
        {"name": "t.name", "label": "t.label", "judge": "t.judge"},
        ("reason",),
    ),
    "rejections": Listing("t.rule", {"step": "t.step", "rule": "t.rule", "of": "t.target_table"}, ("rule",)),
    "failures": Listing("t.message", {"step": "t.step", "cause": "t.cause"}, ("message", "raw")),
    "calls": Listing(
        "coalesce(t.reply, t.error)",
        {"step": "t.step", "model": "t.model", "status": "t.status"},
        ("reply", "thought"),
    ),
}
"""The tables with pages, and how each is listed."""

# The length of `reasoning` but for a few blanks, in a fifteenth of the time that the column takes where thoughts are long.
_LENGTH = "(coalesce(length(t.thought), 0) + length(t.response) - coalesce(t.answer_span[2] - t.answer_span[1], 0))"

_SORTS = {
    "": ("", ""),
    "problem": ("t.problem", ">"),
    "longest": (_LENGTH, "<"),
    "shortest": (_LENGTH, ">"),
}


class Asked(NamedTuple):
    """What a list is asked for."""

    table: str
    words: str = ""
    where: str = ""
    """A condition in DuckDB's SQL."""
    chosen: tuple[tuple[str, str], ...] = ()
    """Facets with the value chosen."""
    sort: str = ""
    """Of rationales: `problem`, or by the length of the reasoning (thought and response) `longest`, `shortest`; else by id,
    which is random and stays so."""
    after: str = ""
    """Where the page before ended."""


class Found(NamedTuple):
    """A page of rows: `id`, `head`, a column for each facet, and what stands `beside` in the listing."""

    rows: list[dict[str, Any]]
    after: str | None
    """Where the next page begins; None on the last."""


class Facet(NamedTuple):
    """What can be chosen, and how many rows have it."""

    name: str
    values: list[tuple[str, int]]


def find(store: Store, asked: Asked, asker: Asker) -> Found:
    """A page of a list; `asker` answers where there is a condition.

    Raises:
        UserError: the condition is none DuckDB understands.
    """
    listing = LISTS[asked.table]
    conditions, given = where_of(asked)
    by, sign = _SORTS[asked.sort if asked.table == "rationales" and asked.sort in _SORTS else ""]
    if asked.after:
        conditions, given = _beyond(asked.after, by, sign, conditions, given)
    order = f"{by} {'DESC' if sign == '<' else 'ASC'}, t.id" if by else "t.id"
    # First which rows, from narrow columns; then their texts, which DuckDB skips outside of the range of a page's ids.
    source = _source(store, asked)
    found: list[str] = []
    for bound in (None,) if by else (_next_part(given[-1] if asked.after else ""), None):
        among = conditions if bound is None else f"t.id < ${len(given) + 1} AND {conditions}"
        ids = f"SELECT t.id FROM {source} t WHERE {among} ORDER BY {order} LIMIT {PAGE + 1}"
        asking = given if bound is None else [*given, bound]
        found = [i for (i,) in _ask(store, asker, ids, asking, asked.where)]
        if len(found) > PAGE:
            break
    facets_ = "".join(f', {sql} AS "{name}"' for name, sql in listing.facets.items())
    key = f", {by} AS sort_key" if by else ", NULL AS sort_key"
    rows = {
        row["id"]: row
        for row in store.rows(
            f"""SELECT t.id, substr({listing.head}, 1, 400) AS head{facets_}{listing.beside}{key} FROM "{asked.table}" t
            WHERE t.id BETWEEN $2 AND $3 AND t.id IN (SELECT unnest($1::VARCHAR[]))""",
            [found[:PAGE], min(found, default=""), max(found, default="")],
        )
    }
    page = [rows[i] for i in found[:PAGE] if i in rows]  # of a run at work the one that answers may have seen more
    more = len(found) > PAGE and bool(page)
    after = orjson.dumps([page[-1]["sort_key"], page[-1]["id"]]).decode() if more else None
    return Found(page, after)


_PARTS = 32
"""Of all ids; where a page is found in one of them, the others are not looked at."""


def _next_part(after: str) -> str | None:
    """Where the part of the ids ends that begins after one of them: ids are hashes, so every part has as many."""
    found = re.match(r"b2:([0-9a-f]{4})", after)
    end = (int(found[1], 16) if found else 0) + 0x10000 // _PARTS
    return f"b2:{end:04x}" if end < 0x10000 else None


def _beyond(after: str, by: str, sign: str, conditions: str, given: list[Any]) -> tuple[str, list[Any]]:
    try:
        key, last = orjson.loads(after)
    except (ValueError, TypeError) as error:
        raise UserError("this page begins nowhere", fix="go back to the first page") from error
    if not by:
        return f"{conditions} AND t.id > ${len(given) + 1}", [*given, last]
    n = len(given)
    return f"{conditions} AND ({by} {sign} ${n + 1} OR ({by} = ${n + 1} AND t.id > ${n + 2}))", [*given, key, last]


def facets(store: Store, asked: Asked, asker: Asker) -> tuple[int, list[Facet]]:
    """How many rows a list has, and how many each value of each facet.

    Raises:
        UserError: the condition is none DuckDB understands.
    """
    listing = LISTS[asked.table]
    conditions, given = where_of(asked)
    names = list(listing.facets)
    columns = ", ".join(f'{sql} AS "{name}"' for name, sql in listing.facets.items())
    quoted = ", ".join(f'"{name}"' for name in names)
    sets = ", ".join(f'("{name}")' for name in names)
    query = f"""SELECT GROUPING({quoted}) AS which, {quoted}, count(*) AS n
    FROM (SELECT {columns} FROM {_source(store, asked)} t WHERE {conditions}) GROUP BY GROUPING SETS ((), {sets}) ORDER BY n DESC"""
    everything = 2 ** len(names) - 1
    total, counted = 0, {name: list[tuple[str, int]]() for name in names}
    for which, *values, n in _ask(store, asker, query, given, asked.where):
        if which == everything:
            total = n
            continue
        i = next(i for i in range(len(names)) if not which >> (len(names) - 1 - i) & 1)
        if values[i] is not None and len(counted[names[i]]) < 12:
            counted[names[i]].append((str(values[i]), n))
    return total, [Facet(name, values) for name, values in counted.items() if values]


def where_of(asked: Asked) -> tuple[str, list[Any]]:
    """What a list is asked for as a condition over `t`, and its parameters.

    Raises:
        UserError: the condition is more than a condition.
    """
    listing = LISTS[asked.table]
    conditions, given = ["true"], list[Any]()
    if asked.words.startswith("b2:"):
        given.append(asked.words)
        conditions.append(f"starts_with(t.id, ${len(given)})")
    elif asked.words and listing.search:
        given.append(asked.words.lower())
        conditions.append("(" + " OR ".join(f"contains(lower(t.{c}), ${len(given)})" for c in listing.search) + ")")
    for name, value in asked.chosen:
        if name in listing.facets:
            given.append(value)
            conditions.append(f"({listing.facets[name]}) = ${len(given)}")
    if asked.where.strip():
        _one_condition(asked.where)
        conditions.append(f"(\n{asked.where}\n)")
    return " AND ".join(conditions), given


def _one_condition(where: str) -> None:
    """Only a part of one question is a condition: no second statement, nothing but asking, and no bracket that closes ours
    (which would not stand alone).
    """
    try:
        statements = duckdb.extract_statements(f"SELECT 1 WHERE\n{where}\n")
        expression_alone = duckdb.extract_statements(f"SELECT (\n{where}\n)")
    except duckdb.Error as error:
        raise UserError(
            f"DuckDB says: {error}", fix="write a condition, such as length(response) > 500 AND score_correct = 1"
        ) from error
    if any(len(s) != 1 or s[0].type != duckdb.StatementType.SELECT for s in (statements, expression_alone)):
        raise UserError("this is more than a condition", fix="write one condition, such as length(response) > 500")


_DERIVED = {
    "kept": f"(NOT ({' OR '.join(f't.{o} IN ({_OUT})' for o in ('id', 'problem', 'unit'))})) AS kept",
    "rejected_by": "(SELECT any_value(j.step || ': ' || j.rule) FROM rejections j WHERE j.target = t.id) AS rejected_by",
    "question": "(SELECT any_value(p.question) FROM problems p WHERE p.id = t.problem) AS question",
    "gold": "(SELECT any_value(p.answer) FROM problems p WHERE p.id = t.problem) AS gold",
}


def _source(store: Store, asked: Asked) -> str:
    """What a condition is asked of: the table, and of rationales the columns of `wide_rationales` it names."""
    table = f'"{asked.table}"'
    if asked.table != "rationales":
        return table
    words = set(re.findall(r"\w+", asked.where))
    columns = [sql for name, sql in _DERIVED.items() if name in words]
    if any(w.startswith(("score_", "label_")) for w in words):
        for (name,) in store.sql("SELECT DISTINCT name FROM scores WHERE part IS NULL").fetchall():
            safe, quoted = re.sub(r"\W", "_", name), name.replace("'", "''")
            columns += [
                f"""(SELECT s.{what} FROM current_scores s WHERE s.target = t.id AND s.part IS NULL AND s.name = '{quoted}') AS "{kind}_{safe}" """
                for kind, what in (("score", "value"), ("label", "label"))
                if f"{kind}_{safe}" in words
            ]
    return f"(SELECT t.*, {', '.join(columns)} FROM {table} t)" if columns else table


def _ask(store: Store, asker: Asker, query: str, given: list[Any], where: str) -> Sequence[Sequence[Any]]:
    narrow = "narrow it: a facet, or another condition"
    try:
        return list(asker.ask(query, given)) if where.strip() else store.sql(query, given).fetchall()
    except (duckdb.InterruptException, TooLong) as error:
        raise UserError("this took too long and was stopped", fix=narrow) from error
    except QuestionError as error:
        fix = narrow if error.fix else "see the columns in synth sql RUN --schema"
        raise UserError(f"DuckDB says: {error.what}", fix=fix) from error
