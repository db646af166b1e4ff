"""`synth calls`."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import click

from synth.cli.as_json import json_option, write_json
from synth.cli.options import run_argument

if TYPE_CHECKING:
    from synth.errors import UserError
    from synth.store.database import Store

__all__ = ["CallFound", "CallGroup", "command"]

_GROUPS = {
    "model": "model",
    "step": "step",
    "day": "strftime(started, '%Y-%m-%d')",
    "status": "status",
}


@dataclass(frozen=True)
class CallFound:
    """An attempt, in a list."""

    id: str
    """Of the ledger row."""
    started: datetime | None
    """When the request left; null where the ledger has no moment of a calendar."""
    step: str | None
    """The step that asked first."""
    model: str
    """Name of the model in the profile."""
    model_id: str
    """The model that was asked."""
    sample: int
    """The sample index, from 0."""
    attempt: int
    """Which attempt at this request, from 1."""
    status: str
    """How it ended: `ok`, or the cause."""
    replied: bool
    """Whether a reply came, so that it is paid for; without one nothing is."""
    prompt_tokens: int | None
    """As the endpoint counts them; null where it does not."""
    completion_tokens: int | None
    """As the endpoint counts them, those of the thought included; null where it does not."""
    reasoning_tokens: int | None
    """Of these, those of the thought; null where the endpoint does not count them apart."""
    price_usd: float | None
    """US dollars; null where no reply came, and where the price or the tokens are not known."""
    latency_s: float
    """Seconds from sending to the end of the reply."""
    error: str | None
    """What went wrong."""
    reply: str | None
    """How the reply begins: its first 200 characters."""


@dataclass(frozen=True)
class CallGroup:
    """Calls with one model, step, day or status (`--by`)."""

    by: str
    """What they are grouped by."""
    value: str | None
    """The model, step, day (UTC) or status."""
    calls: int
    """How many."""
    failed: int
    """Of these, those that did not end with `ok`."""
    prompt_tokens: int | None
    """Of all; null where no endpoint counts them."""
    completion_tokens: int | None
    """Of all; null where no endpoint counts them."""
    cost_usd: float | None
    """US dollars, as far as prices are known; null where none is."""
    unpriced_calls: int
    """Calls a reply came for, and whose price is not known."""
    median_latency_s: float | None
    """Seconds, the median of calls a reply came for."""


@click.command("calls", short_help="The ledger: calls, what they cost, one in full; forget some.")
@run_argument
@click.argument("call", required=False)
@click.option("--by", type=click.Choice(list(_GROUPS)), help="Calls, tokens and cost by model, step, day or status.")
@click.option("--model", metavar="NAME", help="Only calls to this model.")
@click.option("--step", metavar="NAME", help="Only calls of this step.")
@click.option(
    "--status",
    metavar="WORD",
    help="Only calls that ended so: ok, truncated, thought_cut, only_thought, refused, rate_limit, server, …",
)
@click.option("--forget", "forgetting", is_flag=True, help="Never serve these replies again: the next run asks again.")
@click.option("--yes", is_flag=True, help="Do not ask before forgetting.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Most calls listed.")
@json_option
def command(
    run: Path,
    call: str | None,
    by: str | None,
    model: str | None,
    step: str | None,
    status: str | None,
    forgetting: bool,
    yes: bool,
    limit: int,
    as_json: bool,
) -> None:
    """The ledger of RUN: every attempt that was sent. Works while the run goes on.

    Without more the latest calls are listed, each with when it left (UTC), prompt, completion and reasoning tokens, price (`?`: not known; empty:
    nothing to pay) and latency in seconds; CALL (an id, or the start of one) shows one in full: the messages as sent,
    the parameters, what the model thought, where that was sent, and its reply. With --forget replies are not served again; their rows stay, and the next
    `synth run` asks again and does their units again.

    \b
      synth calls runs/first
      synth calls runs/first --by model
      synth calls runs/first b2:3f6a
      synth calls runs/first --step sample --forget
    """
    from synth.cli.tables import output, table_of
    from synth.engine import forget
    from synth.store.database import open_store

    chosen = {"model": model, "step": step, "status": status}
    parameters = [value for value in chosen.values() if value is not None]
    where = "".join(f" AND {name} = ?" for name, value in chosen.items() if value is not None)
    if call is not None:
        where, parameters = where + " AND starts_with(id, ?)", [*parameters, call]
    out = output()
    with open_store(run) as store:
        if call is None and not forgetting:
            found: list[Any]
            if by is None:
                found = [
                    CallFound(*row) for row in store.sql(_LISTED.format(where=where), [*parameters, limit]).fetchall()
                ]
            else:
                query = _GROUPED.format(group=_GROUPS[by], where=where)
                found = [CallGroup(by, *row) for row in store.sql(query, parameters).fetchall()]
            if not found and not as_json:
                raise _none(run)
            if as_json:
                write_json(found)
            else:
                rows = [_row(f) if by is None else _group(f) for f in found]
                if all(row.get("reasoning") is None for row in rows):
                    rows = [{k: v for k, v in row.items() if k != "reasoning"} for row in rows]
                out.print(table_of(rows, cut="said" if by is None else None))
            return
        ids = [i for (i,) in store.sql(f"SELECT id FROM calls WHERE true{where}", parameters).fetchall()]
        if not ids:
            raise _none(run)
        if not forgetting:
            if len(ids) > 1:
                from synth.errors import UserError

                raise UserError(f"{len(ids)} calls begin so", where=call, fix="give more of the id")
            _show(store, ids[0], as_json=as_json)
            return
    if not yes and not click.confirm(f"forget the replies of {len(ids):,} calls?", err=True):
        sys.exit(2)
    click.echo(f"{forget(run, ids):,} replies forgotten; the next synth run asks again")


def _none(run: Path) -> UserError:
    from synth.errors import UserError

    return UserError("no such call", where=str(run), fix=f"synth calls {quote(str(run))} lists them")


def _row(call: CallFound) -> dict[str, Any]:
    """A call as a row of the table."""
    from synth.render.numbers import time_words

    return {
        "id": call.id[:11],
        "started": time_words(call.started) if call.started is not None else "",
        "step": call.step,
        "model": call.model,
        "sample": call.sample,
        "attempt": call.attempt,
        "status": call.status,
        "prompt": call.prompt_tokens,
        "completion": call.completion_tokens,
        "reasoning": call.reasoning_tokens,
        "USD": _price(call.price_usd, unknown=call.replied),
        "latency": round(call.latency_s, 2),
        "said": " ".join((call.error or call.reply or "").split()),
    }


def _group(group: CallGroup) -> dict[str, Any]:
    """Calls of a group as a row of the table."""
    return {
        group.by: group.value,
        "calls": group.calls,
        "failed": group.failed,
        "prompt tokens": group.prompt_tokens,
        "completion tokens": group.completion_tokens,
        "USD": _price(group.cost_usd, unknown=False) + (" ?" if group.unpriced_calls else ""),
        "latency p50": None if group.median_latency_s is None else round(group.median_latency_s, 2),
    }


def _price(usd: float | None, *, unknown: bool) -> str:
    """US dollars with six decimals, for a call may cost less than a hundredth of a cent."""
    return ("?" if unknown else "") if usd is None else f"{usd:.6f}"


_LISTED = """
SELECT id, started, step, model, model_id, sample, attempt, status, got_reply(status, completion_tokens, finish), prompt_tokens,
  completion_tokens, reasoning_tokens, price, latency, error, left(reply, 200)
FROM calls WHERE true{where} ORDER BY started DESC, id LIMIT ?
"""

_GROUPED = """
SELECT {group} AS value, count(*) AS calls, count(*) FILTER (status <> 'ok') AS failed,
  sum(prompt_tokens)::BIGINT, sum(completion_tokens)::BIGINT,
  known_cost(price, status, completion_tokens, finish), unpriced_calls(price, status, completion_tokens, finish),
  median(latency) FILTER (got_reply(status, completion_tokens, finish))
FROM calls WHERE true{where} GROUP BY 1 ORDER BY 1
"""


def _show(store: Store, call: str, *, as_json: bool) -> None:
    import json

    from rich.text import Text

    from synth.cli.tables import output
    from synth.render.inert import inert
    from synth.render.numbers import time_words

    out = output()
    (row,) = store.rows("SELECT * FROM calls WHERE id = ?", [call])
    for name in ("messages", "parameters", "logprobs"):
        row[name] = json.loads(row[name]) if row[name] is not None else None
    if as_json:
        write_json(row)
        return
    messages: list[dict[str, Any]] = row.pop("messages")
    said = {"thought": row.pop("thought"), "reply": row.pop("reply")}
    for name, value in row.items():
        if value is not None:
            shown = time_words(value) if isinstance(value, datetime) else value
            shown = f"{value:.6f}" if name == "price" else json.dumps(shown) if isinstance(shown, dict) else shown
            out.print(Text(f"{name}: ", style="dim") + Text(inert(shown)))
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

    from synth.cli.tables import output
    from synth.render.inert import inert

    out = output()
    for line in text.split("\n"):
        out.print(Text(inert(line)), soft_wrap=True)
