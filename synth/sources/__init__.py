"""Sources: where problems come from, and what others have written about them."""

from synth.sources.mapping_files import Declared, load_mapping, shipped_mappings
from synth.sources.source import BadRow, Given, Scan, Source, mapping_for, open_source

__all__ = [
    "BadRow",
    "Declared",
    "Given",
    "Scan",
    "Source",
    "load_mapping",
    "mapping_for",
    "open_source",
    "shipped_mappings",
]
