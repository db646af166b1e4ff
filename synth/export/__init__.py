"""Exports: one row type for each training contract."""

from synth.export.contracts import CONTRACTS, DpoRow, Message, SftRow
from synth.export.write import Exported, ExportOptions, export_run

__all__ = ["CONTRACTS", "DpoRow", "ExportOptions", "Exported", "Message", "SftRow", "export_run"]
