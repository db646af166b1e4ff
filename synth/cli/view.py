"""`synth view`."""

from __future__ import annotations

import os
import select
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from synth.cli.options import run_argument
from synth.files import temporary_folder, write_file

__all__ = ["command"]


@click.command("view", short_help="A run in the browser: search, open, compare, and review manually.")
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
    verdicts are written to the run under your name, and can be withdrawn. The server answers on this machine only, to a browser
    that opened the link it prints. A link is good once, for ten minutes; Enter prints a fresh one.

    \b
      synth view runs/first
      synth view runs/first runs/second --no-browser --port 8700
      synth sql runs/first "FROM human_verdicts" --out verdicts.csv
    """
    import getpass
    import signal
    from contextlib import ExitStack, suppress

    from synth.view.guard import LINK_SECONDS
    from synth.view.pages import Served
    from synth.view.review import reviewer_name
    from synth.view.server import serve

    served = Served(run, other, reviewer_name(name if name is not None else getpass.getuser()))
    # So that what stands below `with` is done: the server raises the signal again when it has ended.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    with suppress(KeyboardInterrupt), ExitStack() as opened:  # an interrupt is the way to end it

        def ready(link: Callable[[], str]) -> None:
            address = link()
            click.echo(
                f"{address}\n(good once, for {LINK_SECONDS / 60:.0f} minutes; Enter prints a fresh link, ctrl-c ends it)"
            )
            if not no_browser and not opened.enter_context(_open(address)):
                click.echo("no browser could be opened: open this link in one")
            threading.Thread(target=_print_links, args=(link,), daemon=True).start()

        serve(served, port, ready, opened.close)


@contextmanager
def _open(address: str) -> Iterator[bool]:
    """Open an address in the user's browser; gives whether there is one.

    Every user of this machine can read command lines, and the address lets its reader in. So the browser is given the name of a file
    that only this user can read, which leads to the address; it is gone when the block ends.
    """
    from synth.view.guard import forwarding_page

    with temporary_folder() as folder:
        file = Path(folder) / "open.html"
        write_file(file, forwarding_page(address), private=True)
        yield click.launch(file.as_uri()) == 0


def _print_links(link: Callable[[], str]) -> None:
    """Print a fresh link for each line of standard input, until it ends."""
    descriptor = 0
    while True:
        try:
            if os.name == "posix":
                select.select([descriptor], [], [])
                # A process in the background that reads its terminal is stopped by the system.
                if os.isatty(descriptor) and os.tcgetpgrp(descriptor) != os.getpgrp():
                    time.sleep(1)
                    continue
            given = os.read(descriptor, 4096)  # not sys.stdin, which would hold up the end of the program
        except OSError:
            return
        if not given:
            return
        for _ in range(given.count(b"\n")):
            click.echo(link())
