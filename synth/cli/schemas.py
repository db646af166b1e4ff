"""`synth schemas`."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["command"]


@click.command("schemas", short_help="Write the JSON Schemas of records, pipeline files and exports.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("schemas"),
    show_default=True,
    metavar="DIR",
    help="Where they go.",
)
def command(out: Path) -> None:
    """Write the published schemas: the JSON Schema of every record, of the pipeline file and of each export row."""
    from synth.pipeline.schemas import write_schemas

    for path in write_schemas(out):
        click.echo(path)
