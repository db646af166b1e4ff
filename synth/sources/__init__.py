"""Sources: where problems come from."""

from synth.sources.source import BadRow, Scan, Source, open_source

__all__ = ["BadRow", "Scan", "Source", "open_source"]
