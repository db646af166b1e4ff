"""Algorithms whose every step is known: instances as data, states, one line a step that is read back without loss, edits that a step reads or not.

Generators make problems of them, `check_steps` with `trace` checks steps by them, and neither asks a model.
"""

from synth.algorithms.algorithm import Algorithm, Instance, Reader, Trace
from synth.algorithms.arithmetic import Calculation, Columns, in_base
from synth.algorithms.form import Form
from synth.algorithms.graphs import BellmanFord, Bfs, Dijkstra, Graph, node_name
from synth.algorithms.registry import ALGORITHMS, algorithm_in
from synth.algorithms.searching import BinarySearch, Sorted
from synth.algorithms.sequences import Automaton, Brackets, Dfa, Numbers, Parity, Permutation, Signs, Swaps
from synth.algorithms.sorting import BubbleSort, InsertionSort, MergeSort, Unsorted
from synth.algorithms.symbolic import Chain, WordChain

__all__ = [
    "ALGORITHMS",
    "Algorithm",
    "Automaton",
    "BellmanFord",
    "Bfs",
    "BinarySearch",
    "Brackets",
    "BubbleSort",
    "Calculation",
    "Chain",
    "Columns",
    "Dfa",
    "Dijkstra",
    "Form",
    "Graph",
    "InsertionSort",
    "Instance",
    "MergeSort",
    "Numbers",
    "Parity",
    "Permutation",
    "Reader",
    "Signs",
    "Sorted",
    "Swaps",
    "Trace",
    "Unsorted",
    "WordChain",
    "algorithm_in",
    "in_base",
    "node_name",
]
