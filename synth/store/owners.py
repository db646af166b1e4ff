"""Whose rows are whose: the owners beside units."""

from __future__ import annotations

__all__ = ["BY_HAND", "CORPUS", "HUMAN_OWNER"]

CORPUS = "corpus"
"""Owner of the rows that corpus steps made; a unit's rows are owned by the unit, a call by nobody."""

BY_HAND = "by hand"
"""Owner of the rows that corpus steps made which were added to a run manually."""

HUMAN_OWNER = "human:"
"""How owners of what people judged begin: `human:NAME:RECORD`, one for each person and record."""
