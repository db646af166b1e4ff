"""`synth view`."""

from __future__ import annotations

from pathlib import Path

import click

from synth.cli.options import run_argument

__all__ = ["command"]


@click.command("view", short_help="A run in the browser: search, open, compare, and judge by hand.")
@run_argument
@click.argument("other", metavar="[RUN2]", required=False, type=click.Path(path_type=Path, file_okay=False))
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Of this machine. Default: any that is free.")
@click.option("--no-browser", is_flag=True, help="Only print the address.")
@click.option(
    "--as", "name", metavar="NAME", help="Under which name your verdicts are written. Default: your login name."
)
def command(run: Path, other: Path | None, port: int, no_browser: bool, name: str | None) -> None:
    """Look at RUN in the browser: figures, lists with search, facets and conditions in SQL, each record with what it was
    made from, trees, pairs; with RUN2 both beside each other. Works while a run goes on.

    Under Review you accept, reject, edit or comment rationales with keys, or say which side of a pair is better;
    verdicts are written to the run under your name, and can be withdrawn. The server answers on this machine only, to the address it prints.

    \b
      synth view runs/first
      synth view runs/first runs/second --no-browser --port 8700
      synth sql runs/first "FROM human_verdicts" --out verdicts.csv
    """
    import getpass
    from contextlib import suppress

    from synth.view.review import reviewer_name
    from synth.view.server import Served, serve

    served = Served(run, other, reviewer_name(name if name is not None else getpass.getuser()))

    def ready(address: str) -> None:
        click.echo(f"{address}\n(ctrl-c ends it)")
        if not no_browser:
            click.launch(address)

    with suppress(KeyboardInterrupt):  # the way to end it
        serve(served, port, ready)
