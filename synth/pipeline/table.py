"""The table of the catalogue in `pipelines/README.md`, written from the folders.

    python -m synth.pipeline.table

rewrites it in the checkout, between the two marker comments, and prints the path of the file.
"""

from __future__ import annotations

from synth.files import write_file
from synth.pipeline.catalogue import catalogue
from synth.pipeline.load import load_pipeline
from synth.shipped import shipped

__all__ = ["BEGIN", "END", "catalogue_table", "with_table"]

BEGIN = "<!-- begin: written by python -m synth.pipeline.table -->"
END = "<!-- end -->"


def catalogue_table() -> str:
    """The catalogue as a table in Markdown: the name of each pipeline, linked to its folder, its title, the works it cites."""
    rows = ["| pipeline | what it does | works |", "|---|---|---|"]
    for name in catalogue():
        pipeline = load_pipeline(name)
        cells = (f"[`{name}`]({name}/)", pipeline.title, "; ".join(pipeline.cites))
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows)


def with_table(text: str) -> str:
    """A text with the table between its two markers.

    Raises:
        ValueError: the text does not hold each marker once, in order.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end or BEGIN in rest or END in after:
        raise ValueError(f"the text does not hold {BEGIN} and {END}, once each, in this order")
    return f"{before}{BEGIN}\n{catalogue_table()}\n{END}{after}"


def _main() -> None:
    path = shipped("pipelines") / "README.md"
    write_file(path, with_table(path.read_text(encoding="utf-8")))
    print(path)


if __name__ == "__main__":
    _main()
