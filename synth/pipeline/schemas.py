"""The published contract: JSON Schemas, written from the models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from synth.documented import json_schema
from synth.export.contracts import ROWS
from synth.pipeline.spec import pipeline_schema
from synth.records import RECORD_TYPES
from synth.teachers import Profile

__all__ = ["all_schemas", "write_schemas"]


def all_schemas() -> dict[str, dict[str, Any]]:
    """Every schema by its path below `schemas/`."""
    schemas = {"pipeline.json": pipeline_schema(), "teachers.json": json_schema(Profile)}
    schemas |= {f"records/{kind.__name__.lower()}.json": json_schema(kind, "serialization") for kind in RECORD_TYPES}
    schemas |= {f"export/{name}.json": json_schema(row, "serialization") for name, row in ROWS.items()}
    return {name: {"$schema": "https://json-schema.org/draft/2020-12/schema", **s} for name, s in schemas.items()}


def write_schemas(folder: Path) -> list[Path]:
    """Write them; returns their paths."""
    written = []
    for name, schema in all_schemas().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(schema, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        written.append(path)
    return written
