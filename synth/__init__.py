"""Synthesise and curate reasoning corpora."""

__version__ = "0.1.0"
