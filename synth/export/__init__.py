"""Exports: one row type for each format of training."""

from synth.export.check import TRAINERS
from synth.export.format import Format
from synth.export.formats import FORMATS, ROWS, all_formats
from synth.export.formats.dpo import DpoRow
from synth.export.formats.sft import SftRow
from synth.export.options import ExportOptions
from synth.export.row import Message
from synth.export.write import Exported, export_dataset, export_group, export_run

__all__ = [
    "FORMATS",
    "ROWS",
    "TRAINERS",
    "DpoRow",
    "ExportOptions",
    "Exported",
    "Format",
    "Message",
    "SftRow",
    "all_formats",
    "export_dataset",
    "export_group",
    "export_run",
]
