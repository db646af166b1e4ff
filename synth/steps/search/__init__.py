"""Search for solutions: what grows a tree, what its nodes are worth, and which are expanded next."""

from synth.steps.search.omega import exploration, quality
from synth.steps.search.policy import (
    POLICIES,
    BestFirst,
    BreadthFirst,
    DepthFirst,
    Policy,
    Scored,
    Uct,
    upper_confidence,
)
from synth.steps.search.step import Search
from synth.steps.search.tree import Branch, Budget

__all__ = [
    "POLICIES",
    "BestFirst",
    "Branch",
    "BreadthFirst",
    "Budget",
    "DepthFirst",
    "Policy",
    "Scored",
    "Search",
    "Uct",
    "exploration",
    "quality",
    "upper_confidence",
]
