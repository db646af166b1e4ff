"""The published schemas: JSON Schemas, written from the models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from synth.documented import json_schema
from synth.export.formats import ROWS
from synth.files import write_file
from synth.models import Profile
from synth.pipeline.spec import pipeline_schema
from synth.records import RECORD_TYPES

__all__ = ["all_schemas", "write_schemas"]


def all_schemas() -> dict[str, dict[str, Any]]:
    """Every schema by its path below `schemas/`."""
    schemas = {"pipeline.json": pipeline_schema(), "models.json": json_schema(Profile)}
    schemas |= {f"records/{kind.__name__.lower()}.json": json_schema(kind, "serialization") for kind in RECORD_TYPES}
    schemas |= {f"export/{name}.json": json_schema(row, "serialization") for name, row in ROWS.items()}
    return {name: {"$schema": "https://json-schema.org/draft/2020-12/schema", **s} for name, s in schemas.items()}


def write_schemas(folder: Path) -> list[Path]:
    """Write them; returns their paths."""
    written = []
    for name, schema in all_schemas().items():
        path = folder / name
        write_file(path, json.dumps(schema, indent=2, sort_keys=True) + "\n")
        written.append(path)
    return written
