"""`synth index`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from synth.cli.options import run_argument

if TYPE_CHECKING:
    from synth.corpus import Target

__all__ = ["command"]


@click.command("index", short_help="Note what a run holds, so that later runs are compared with it.")
@run_argument
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--target",
    type=click.Choice(["problem", "rationale", "chosen", "rejected"]),
    default="problem",
    show_default=True,
    help="What is noted: questions, the text of rationales, or a side of pairs.",
)
@click.option("--shingle", type=click.IntRange(1, 64), default=5, show_default=True, help="Words in a shingle.")
def command(run: Path, folder: Path, target: Target, shingle: int) -> None:
    """Add the shingles of what RUN has kept to the index in FOLDER, which is made if it is not there: 4 bytes each, and no text.

    A later pipeline names it: `{step: near_duplicates, target: problem, index: FOLDER}` rejects what resembles one of
    its texts, without reading those again.
    """
    from synth.corpus.index import ShingleIndex
    from synth.corpus.view import StoreView
    from synth.errors import UserError
    from synth.store.database import open_store

    with open_store(run) as store:
        try:
            index = ShingleIndex(folder, shingle=shingle)
            view = StoreView(store)
            added = index.add([record.id for record in view.kept(target)], view.texts(target))
        except ValueError as error:
            raise UserError(str(error), fix="choose another folder, or the --shingle it was made with") from error
    click.echo(f"{added:,} texts added; {len(index):,} in {folder}")
