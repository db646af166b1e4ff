"""For each registered reward, completions that it must tell apart; `test_rewards_rules.py` holds all rewards to the same rules.

Whoever registers a reward adds its example here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson


@dataclass(frozen=True)
class Example:
    """One problem, and completions of it."""

    row: Mapping[str, Any]
    """The columns of its row, the same for every completion."""
    good: Sequence[str]
    """Completions that fulfil what the reward is for, in every shape that it distinguishes: the worst of them must be worth more than
    the best one of the others."""
    bad: Sequence[str]
    """Completions that do not, in the most pleasing shapes."""
    each: Mapping[str, Callable[[str], Any]] = field(default_factory=dict)
    """Columns whose value depends on the completion, such as scores of its steps."""
    padding: float = 0.0
    """By how much it is known to pay for an answer that is repeated; of no reward that is new."""
    form_only: bool = False
    """Whether it looks at the form alone: then it is at most 1, so that with a weight below 1 it is less than the answer."""

    def columns(self, completions: Sequence[str]) -> dict[str, list[Any]]:
        """The columns of these completions."""
        row = {"problem_id": "b2:1", "prompts": "How many?", **self.row}
        same = {name: [value] * len(completions) for name, value in row.items()}
        return {**same, **{name: [of(said) for said in completions] for name, of in self.each.items()}}


CHOICE = {"answer": "B", "answer_kind": "choice", "choices": orjson.dumps(["red", "blue", "green"]).decode()}
TESTS = [{"code": "assert add(1, 2) == 3"}, {"call": "add(2, 2)", "expected": 4}, {"call": "add(0, 0)", "expected": 0}]
RIGHT, PARTLY = "def add(a, b):\n    return a + b", "def add(a, b):\n    return a + b if a else None"
LONG = "Let us see. " * 40

NETWORK = {
    "Red Line": ["Old Gate", "Elm Hill", "Mill Park"],
    "Blue Line": ["Elm Road", "Mill Park", "Elm Hill", "Swan Quay"],
}
LEGS = [["Red Line", "Old Gate", "Mill Park"], ["Blue Line", "Mill Park", "Swan Quay"]]

EXAMPLES: dict[str, Example] = {
    "constraints": Example(
        {"constraints": orjson.dumps([{"id": "punctuation:no_comma"}, {"id": "detectable_format:title"}]).decode()},
        ["<<Joy>> The answer is B.", "<think>Well, yes.</think>\n<<Joy>> It is so.", f"{LONG}\n<<Joy>>"],
        ["<<Joy>> Well, yes.", "It is so.", "<think><<Joy>></think>\nIt is so.", LONG],
    ),
    "correct": Example(
        CHOICE,
        ["The answer is B.", f"{LONG}\nThe answer is B.", "<think>Hm.</think>\n\\boxed{B}"],
        ["The answer is A.", "<think>It is B.</think>\nThe answer is A.", "I do not know.", LONG],
    ),
    "numeric_smooth": Example(
        {"answer": "100", "answer_kind": "number"},
        ["The answer is 100.", "The answer is 104.", f"{LONG}\nThe answer is 112.5."],
        [
            "The answer is 121.",
            "<think>It is 100.</think>\nThe answer is 3.",
            "I do not know.",
            LONG,
            "The answer is -100.",
        ],
    ),
    "set_match": Example(
        {"answer": '["move(cube, left)", "red", 3]', "answer_kind": "set"},
        ['The answer is [3, "red", "move(cube, left)"].', 'The answer is [3, "red", "move(cube, right)"].'],
        [
            'The answer is ["red", "red", "red"].',
            "The answer is [1, 2].",
            'The answer is ["move(ball, right)"].',
            "I do not know.",
            LONG,
        ],
    ),
    "ranking": Example(
        {"answer": '["B", "A", "C"]', "answer_kind": "ranking"},
        ['The answer is ["B", "A", "C"].', "The answer is [B] > [C] > [A].", f"{LONG}\nThe answer is A, B, C."],
        ["The answer is C, A, B.", "The answer is B, A.", "The answer is B, A, C, B.", "I do not know.", LONG],
    ),
    "action": Example(
        {
            "answer": '{"type": "click", "name": "Add to cart", "$compare": {"name": {"rouge_l": 0.75}}}',
            "answer_kind": "action",
        },
        [
            '{"type": "click", "name": "Add to cart"}',
            f'{LONG}\n{{"action": {{"type": "click", "name": "Add it to cart"}}}}',
        ],
        [
            '{"type": "terminate"}',
            '{"type": "click", "name": "Checkout"}',
            '{"name": "Add to cart"}',
            "click Add to cart",
            LONG,
        ],
    ),
    "partial": Example(
        CHOICE,
        ["The answer is B.", f"{LONG}\nThe answer is B.", "\\boxed{B}"],
        ["The answer is A.", "<think>It is B.</think>\nThe answer is A.", "I do not know.", LONG],
    ),
    "step_similarity": Example(
        {"reward_args": orjson.dumps({"step": "So 3 + 4 = 7 apples.", "thought": False}).decode()},
        ["So 3 + 4 = 7 apples.", f"<think>{LONG}</think>\nSo 3 + 4 is 7 apples."],
        ["<think>So 3 + 4 = 7 apples.</think>", "<think>Hm.</think>\nNext we count pears.", LONG],
    ),
    "tags": Example(
        {"answer": '{"Ann": "knight", "Bob": "knave"}', "answer_kind": "assignment", "choices": "[]"},
        [
            "<think>Hm.</think><answer>Ann is a knight, and Bob is a knave.</answer>",
            f"<think>{LONG}</think>\n<answer>(1) Ann is a knight\n(2) Bob is a knave</answer>",
            '<think></think> So: <answer>{"Bob": "knave", "Ann": "knight"}</answer>',
        ],
        [
            "<think>Hm.</think><answer>Ann is a knave, and Bob is a knave.</answer>",
            "Ann is a knight, and Bob is a knave.",
            "<think><answer>Ann is a knight, and Bob is a knave.</answer></think>",
            "<think>Hm.</think><answer>Ann is a knight, and Bob is a knave.</answer><answer></answer>",
            "<think>Hm.</think><answer>Ann is a knight or a knave, and Bob is a knight or a knave.</answer>",
            "<think>Hm.</think><answer>Ann is a knight.</answer>",
        ],
    ),
    "route": Example(
        {
            "answer": "Red Line: Old Gate to Mill Park; Blue Line: Mill Park to Swan Quay",
            "answer_kind": "text",
            "choices": "[]",
            "reward_args": orjson.dumps({"network": NETWORK, "legs": LEGS, "weight": 1.2}).decode(),
        },
        [
            "The answer is Red Line: Old Gate to Mill Park; Blue Line: Mill Park to Swan Quay.",
            "<think>Hm.</think>\nThe answer is: Red: Old Gate - Mill Park; Blue: Mill Park - Swan Quay",
        ],
        [
            "The answer is Red Line: Old Gate to Elm Hill; Blue Line: Elm Hill to Swan Quay.",
            "The answer is Blue Line: Old Gate to Swan Quay.",
            "The answer is Red Line: Mill Park to Swan Quay.",
            "The answer is Red Line: Old Gate to Mill Park; Blue Line: Mill Park to Elm Hill; Blue Line: Elm Hill to Swan Quay.",
            "<think>Red Line: Old Gate to Mill Park; Blue Line: Mill Park to Swan Quay</think>",
        ],
    ),
    "tests_passed": Example(
        {"tests": orjson.dumps(TESTS).decode()},
        [
            f"```python\n{RIGHT}\n```\n",
            f"{LONG}\n```\n{RIGHT}\n```\n",
            f"<think>Hm.</think>\n```python\n{RIGHT}\n```\n",
        ],
        [
            f"```python\n{PARTLY}\n```",
            f"<think>```python\n{RIGHT}\n```</think>",
            "return a + b",
            "```python\nimport os\nos._exit(0)\n```",
            LONG,
        ],
    ),
    "think_format": Example(
        {},
        ["<think>Hm.</think> Five.", f"<think>{LONG}</think>\nFive."],
        ["Five.", "<think>Hm.", "<think></think>Five.", "Hm.</think> Five."],
        form_only=True,
    ),
    "length_band": Example(
        {**CHOICE, "reward_args": '{"low": 5, "high": 10}'},
        ["The answer is B.", "Blue is seen at once. The answer is B.", f"{LONG * 9}\nThe answer is B."],
        ["Blue is seen at once. The answer is A.", "It is one of these, I do not know.", LONG],
    ),
    "segments_penalty": Example(
        CHOICE,
        [
            "The answer is B.",
            "Wait. But wait. Hmm.\n" * 30 + "The answer is B.",
            "It is blue. However, see.\nThe answer is B.",
        ],
        ["The answer is A.", "It is red.", LONG, "Wait.\nThe answer is C."],
        padding=0.1,  # a long segment costs less than a short one: arXiv:2510.09535
    ),
    "majority": Example(
        {key: CHOICE[key] for key in ("answer_kind", "choices")},
        ["The answer is B.", "It is seen at once. The answer is B.", "\\boxed{B}"],
        ["The answer is A.", "The answer is C.", "I do not know.", LONG],
    ),
    "majority_share": Example(
        {key: CHOICE[key] for key in ("answer_kind", "choices")},
        ["The answer is B.", "It is seen at once. The answer is B.", "\\boxed{B}"],
        ["The answer is A.", "The answer is C.", "I do not know.", LONG],
    ),
    "step_aggregate": Example(
        {**CHOICE, "reward_args": '{"how": "min"}'},
        ["The answer is B.", "One.\nTwo.\nThe answer is B."],
        ["The answer is A.", "One.\nTwo.\nThe answer is A.", LONG],
        each={"step_scores": lambda said: [0.5] * len(said.splitlines()) if "is B" in said else "[1.0]"},
    ),
    "length_shape": Example(
        CHOICE,
        ["The answer is B.", "One.\nTwo.\nThree.\nThe answer is B.", "Step.\n" * 20 + "The answer is B."],
        ["The answer is A.", "One.\nTwo.\nThree.\nThe answer is A.", LONG],
        each={"step_scores": lambda said: [0.5 if "is B" in said else 1.0] * len(said.splitlines())},
    ),
}
