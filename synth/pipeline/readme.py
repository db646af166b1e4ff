"""The README of a pipeline: a `README.md` beside its `pipeline.yaml`, with the same sections for every method."""

from __future__ import annotations

import re
from pathlib import Path

from synth.errors import UserError
from synth.files import read_file
from synth.pipeline.catalogue import PIPELINE_FILE
from synth.reach import regular

__all__ = ["README_FILE", "SECTIONS", "readme_of", "sections_of"]

README_FILE = "README.md"

SECTIONS = ("What it makes", "Cost", "When to use it", "When not", "What came out", "Source")
"""The headings of the README of every method of the catalogue, in order, below its title."""

_MOST_BYTES = 1 << 20
"""A README is a page; a larger file is none."""


def readme_of(pipeline_file: Path) -> Path | None:
    """The README beside a pipeline file.

    Args:
        pipeline_file: path of the file, as `find_pipeline` gives it.

    Returns:
        Its path. None where there is none, where a link leads out of the folder, or where the file is not called `pipeline.yaml`:
        other files share their folder with others, and a README there is about the folder.
    """
    if pipeline_file.name != PIPELINE_FILE:
        return None
    try:
        return regular(pipeline_file.parent, README_FILE)
    except UserError:
        return None


def sections_of(readme: Path) -> dict[str, str]:
    """The text of a README by its headings of the second level, in order; what stands before the first is left out.

    Raises:
        UserError: it cannot be read, or is larger than 1 MiB.
    """
    text = read_file(readme, _MOST_BYTES).decode(errors="replace")
    _, *parts = re.split(r"^## (.*)$", text, flags=re.MULTILINE)
    return {heading.strip(): body.strip() for heading, body in zip(parts[::2], parts[1::2], strict=True)}
