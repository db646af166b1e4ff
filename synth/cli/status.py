"""`synth status`."""

from __future__ import annotations

from pathlib import Path

import click

from synth.cli.options import run_argument

__all__ = ["command"]


@click.command("status", short_help="Where a run stands: funnel, rejections, failures, cost.")
@run_argument
def command(run: Path) -> None:
    """Where RUN stands: the funnel, why records are out, what failed, and what it cost. Works while the run goes on.

    The teachers' table gives calls (every attempt), tokens read and written, US dollars (`?`: the price of some calls is
    not known) and the median seconds of a call.

    \b
      synth status runs/first
    """
    from rich.text import Text

    from synth.cli.panel import funnel_table
    from synth.cli.tables import inert, output, table_of
    from synth.store.database import open_store
    from synth.store.invented import invented_in
    from synth.store.run_folder import read_manifest

    manifest = read_manifest(run)
    out = output()
    out.print(Text(inert(f"{manifest['pipeline']}, input {manifest['source']['name']}")))
    with open_store(run) as store:
        if (invented := invented_in(store)) is not None:
            out.print(Text(inert(invented.sentence, 1000), style="bold yellow"))
        out.print(funnel_table(store.sql("SELECT stage, n FROM funnel ORDER BY position").fetchall()))
        for title, query in (
            ("out, by step and rule", "SELECT step, rule, target_table AS of, n FROM rejection_reasons"),
            (
                "failures",
                "SELECT step, cause, retriable, count(*) AS n, any_value(message) AS example FROM failures GROUP BY ALL ORDER BY n DESC",
            ),
            (
                "teachers",
                (
                    "SELECT teacher, model, attempts AS calls, failed, prompt_tokens AS read, completion_tokens AS written, "
                    "coalesce(format('{:.4f}', cost_usd), '') || CASE WHEN unpriced > 0 THEN ' ?' ELSE '' END AS USD, "
                    "round(median_latency_s, 2) AS seconds FROM teachers"
                ),
            ),
            (
                "replies that were to have a shape",
                "SELECT teacher, step, shape, replies, plain_json, sent_back, unreadable FROM reply_shapes WHERE step <> 'probe'",
            ),
        ):
            rows = store.rows(query)
            if rows:
                out.print(Text(f"\n{title}", style="bold"))
                out.print(table_of(rows))
