"""Exports: one row type for each training contract."""

from synth.export.contracts import CONTRACTS, ROWS, DpoRow, Message, SftRow
from synth.export.options import TRAINERS, ExportOptions
from synth.export.write import Exported, export_dataset, export_group, export_run

__all__ = [
    "CONTRACTS",
    "ROWS",
    "TRAINERS",
    "DpoRow",
    "ExportOptions",
    "Exported",
    "Message",
    "SftRow",
    "export_dataset",
    "export_group",
    "export_run",
]
