"""Files that come with the package: pipelines, schemas and samples."""

from __future__ import annotations

from pathlib import Path

__all__ = ["shipped"]

_HERE = Path(__file__).parent


def shipped(kind: str) -> Path:
    """The folder of shipped `pipelines`, `schemas` or `samples`: inside an installed package, or in the checkout."""
    installed = _HERE / "_shipped" / kind
    return installed if installed.is_dir() else _HERE.parent / kind
