"""`synth calls`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from synth.cli.options import run_argument

if TYPE_CHECKING:
    from synth.errors import UserError
    from synth.store.database import Store

__all__ = ["command"]

_GROUPS = {
    "teacher": "teacher",
    "step": "step",
    "day": "strftime(to_timestamp(started), '%Y-%m-%d')",
    "status": "status",
}


@click.command("calls", short_help="The ledger: calls, what they cost, one in full; forget some.")
@run_argument
@click.argument("call", required=False)
@click.option("--by", type=click.Choice(list(_GROUPS)), help="Calls, tokens and cost by teacher, step, day or status.")
@click.option("--teacher", metavar="NAME", help="Only calls to this teacher.")
@click.option("--step", metavar="NAME", help="Only calls of this step.")
@click.option(
    "--status",
    metavar="WORD",
    help="Only calls that ended so: ok, truncated, thought_cut, only_thought, refused, rate_limit, server, …",
)
@click.option("--forget", "forgetting", is_flag=True, help="Never serve these replies again: the next run asks anew.")
@click.option("--yes", is_flag=True, help="Do not ask before forgetting.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Most calls listed.")
def command(
    run: Path,
    call: str | None,
    by: str | None,
    teacher: str | None,
    step: str | None,
    status: str | None,
    forgetting: bool,
    yes: bool,
    limit: int,
) -> None:
    """The ledger of RUN: every attempt that reached the wire. Works while the run goes on.

    Without more the latest calls are listed; CALL (an id, or the start of one) shows one in full: the messages as sent,
    the parameters, what the model thought, where that was sent, and its reply. With --forget replies are not served again; their rows stay, and the next
    `synth run` asks anew and does their units again.

    \b
      synth calls runs/first
      synth calls runs/first --by teacher
      synth calls runs/first b2:3f6a
      synth calls runs/first --step sample --forget
    """
    from synth.cli.tables import output, table_of
    from synth.engine import forget
    from synth.store.database import open_store

    chosen = {"teacher": teacher, "step": step, "status": status}
    parameters = [value for value in chosen.values() if value is not None]
    where = "".join(f" AND {name} = ?" for name, value in chosen.items() if value is not None)
    if call is not None:
        where, parameters = where + " AND starts_with(id, ?)", [*parameters, call]
    out = output()
    with open_store(run) as store:
        if call is None and not forgetting:
            if by is None:
                rows = store.rows(_LISTED.format(where=where), [*parameters, limit])
            else:
                rows = store.rows(_GROUPED.format(group=_GROUPS[by], name=by, where=where), parameters)
            if not rows:
                raise _none(run)
            out.print(table_of(rows))
            return
        ids = [i for (i,) in store.sql(f"SELECT id FROM calls WHERE true{where}", parameters).fetchall()]
        if not ids:
            raise _none(run)
        if not forgetting:
            if len(ids) > 1:
                from synth.errors import UserError

                raise UserError(f"{len(ids)} calls begin so", where=call, remedy="give more of the id")
            _show(store, ids[0])
            return
    if not yes and not click.confirm(f"forget the replies of {len(ids):,} calls?", err=True):
        sys.exit(2)
    click.echo(f"{forget(run, ids):,} replies forgotten; the next synth run asks anew")


def _none(run: Path) -> UserError:
    from synth.errors import UserError

    return UserError("no such call", where=str(run), remedy=f"synth calls {run} lists them")


_LISTED = """
SELECT substr(id, 1, 11) AS id, teacher, step, sample, attempt, status, prompt_tokens AS read, completion_tokens AS written, price AS USD,
  round(latency, 2) AS seconds, replace(substr(coalesce(error, reply), 1, 40), chr(10), ' ') AS said
FROM calls WHERE true{where} ORDER BY started DESC LIMIT ?
"""

_GROUPED = """
SELECT {group} AS {name}, count(*) AS calls, count(*) FILTER (status <> 'ok') AS failed,
  sum(prompt_tokens)::BIGINT AS read, sum(completion_tokens)::BIGINT AS written,
  known_cost(price, status, completion_tokens, finish) AS USD, unpriced_calls(price, status, completion_tokens, finish) AS unpriced
FROM calls WHERE true{where} GROUP BY 1 ORDER BY 1
"""


def _show(store: Store, call: str) -> None:
    import json

    from rich.text import Text

    from synth.cli.tables import inert, output

    out = output()
    (row,) = store.rows("SELECT * FROM calls WHERE id = ?", [call])
    messages: list[dict[str, Any]] = json.loads(row.pop("messages"))
    said = {"thought": row.pop("thought"), "reply": row.pop("reply")}
    for name, value in row.items():
        if value is not None:
            out.print(Text(f"{name}: ", style="dim") + Text(inert(value)))
    for message in messages:
        out.print(Text(f"\n{message['role']}", style="bold"))
        _print_text(_words_of(message["content"]))
    for name, text in said.items():
        if text is not None:
            out.print(Text(f"\n{name}", style="bold"))
            _print_text(text)


def _words_of(content: Any) -> str:
    """What a message says; for each image or sound in it a line with what stands for it in the ledger."""
    if not isinstance(content, list):
        return str(content)
    lines = []
    for part in content:
        kind = part["type"]
        if kind == "text":
            lines.append(part["text"])
        else:
            held = part[kind]
            lines.append(f"[{kind}: {held.get('url') or held.get('data')}]")
    return "\n".join(lines)


def _print_text(text: str) -> None:
    """Lines of a text, as they are but inert."""
    from rich.text import Text

    from synth.cli.tables import inert, output

    out = output()
    for line in text.split("\n"):
        out.print(Text(inert(line)), soft_wrap=True)
