"""The rules that hold for every registered reward, and for those that will be registered."""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from reward_examples import CHOICE, EXAMPLES, Example

from synth.errors import UserError
from synth.rewards import by_column
from synth.rewards.registry import Entry, our_rewards, reward

REWARDS = sorted(our_rewards())


def rewards(name: str, example: Example, completions: Sequence[str]) -> list[float | None]:
    return our_rewards()[name].function(list(completions), **example.columns(completions))


def values(name: str, example: Example, completions: Sequence[str]) -> list[float]:
    """Rewards that are numbers."""
    found = rewards(name, example, completions)
    assert all(value is not None and math.isfinite(value) for value in found), (name, found)
    return [value for value in found if value is not None]


def adversarial(example: Example) -> list[str]:
    """What a model finds that looks for a reward without solving anything."""
    gold, good = str(example.row.get("answer", "5")), example.good[0]
    options = " ".join(f"The answer is {letter}." for letter in "ABCDEFGH")
    return [
        options,
        "The answer is A, B or C.",
        "\\boxed{A} \\boxed{B} \\boxed{C}",
        f"<think>{good}</think>",
        f"<think>{good}",
        "How many?",
        "<think></think><answer></answer>",
        "<answer></answer>" * 50,
        f"{gold} " * 50 if example.form_only else "A B C " * 50,
    ]


def test_every_reward_has_an_example():
    assert set(EXAMPLES) == set(REWARDS)


@pytest.mark.parametrize("name", REWARDS)
def test_the_worst_good_completion_is_worth_more_than_the_best_bad_one(name: str):
    """So shaping never outweighs correctness; what looks at the form alone stays within [0, 1]."""
    example = EXAMPLES[name]
    found = values(name, example, [*example.good, *example.bad])
    good, bad = found[: len(example.good)], found[len(example.good) :]
    assert min(good) > max(bad), (good, bad)
    if example.form_only:
        assert 0 <= min(found) <= max(found) <= 1


@pytest.mark.parametrize("name", REWARDS)
@pytest.mark.parametrize("empty", ["", " ", "\n\t", "<think>", "<think></think>"])
def test_an_empty_completion_never_wins(name: str, empty: str):
    """In a group it is worth no more than any other completion."""
    example = EXAMPLES[name]
    found = values(name, example, [*example.good, *example.bad, empty])
    assert found[-1] <= min(found[: len(example.good)]) - 1e-9
    assert found[-1] <= min(found)


@pytest.mark.parametrize("name", REWARDS)
def test_what_solves_nothing_is_worth_less_than_any_good_completion(name: str):
    """Every option listed, the thought pasted, the prompt echoed, empty tags repeated."""
    example = EXAMPLES[name]
    for said in adversarial(example):
        found = values(name, example, [*example.good, said])
        assert found[-1] < min(found[:-1]), said


@pytest.mark.parametrize("name", REWARDS)
def test_an_answer_that_is_repeated_is_worth_no_more(name: str):
    example = EXAMPLES[name]
    best = max(values(name, example, [*example.good, *example.bad]))
    repeated = [f"{said} " + f"{said.splitlines()[-1]} " * 30 for said in example.good]
    assert max(values(name, example, [*repeated, *example.bad])[: len(repeated)]) <= best + example.padding + 1e-9


@pytest.mark.parametrize("name", REWARDS)
def test_permuting_a_group_permutes_its_rewards(name: str):
    example = EXAMPLES[name]
    completions = [*example.good, *example.bad, *example.good[:1]]
    n = len(completions)
    columns = example.columns(completions)
    function = our_rewards()[name].function
    before = function(completions, **columns)
    rng = random.Random(name)
    for _ in range(5):
        order = rng.sample(range(n), n)
        after = function([completions[i] for i in order], **{c: [v[i] for i in order] for c, v in columns.items()})
        assert after == pytest.approx([before[i] for i in order])


@pytest.mark.parametrize("name", REWARDS)
def test_another_problem_in_the_batch_changes_nothing(name: str):
    """Groups are by problem, and what a row names is its own reward; messages are worth what their text is."""
    example = EXAMPLES[name]
    completions = [*example.good, *example.bad]
    n = len(completions)
    alone = rewards(name, example, completions)
    columns = {**example.columns(completions), "reward": [name] * n}
    columns.setdefault("reward_args", ["{}"] * n)
    other = {**CHOICE, "problem_id": "b2:2", "prompts": "Which?", "reward": "correct", "reward_args": ""}
    both = {c: columns.get(c, [None] * n) + [other.get(c)] * 2 for c in {*columns, *other}}
    said: list[Any] = [[{"role": "assistant", "content": c}] for c in completions]
    assert by_column([*said, "The answer is B.", "The answer is A."], **both) == [*alone, 1.0, 0.0]


@pytest.mark.parametrize("name", [n for n in REWARDS if our_rewards()[n].needs])
def test_an_absent_column_is_named(name: str):
    known: Entry = our_rewards()[name]
    example = EXAMPLES[name]
    completions = [*example.good, *example.bad]
    for column in known.needs:
        columns = {c: v for c, v in example.columns(completions).items() if c != column}
        with pytest.raises(
            UserError, match=f"{name} needs the column '{column}'; the columns of these rows: .*prompts"
        ):
            known.function(completions, **columns)


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """`reward`, with what it registers forgotten after the test."""
    import synth.rewards.registry as module

    monkeypatch.setattr(module, "_OURS", dict(our_rewards()))
    return reward


def test_a_reward_that_raises_costs_its_completion_alone(register: Any, caplog: pytest.LogCaptureFixture):
    """The others of the batch have theirs; the log has the reason and one of the completions."""

    @register
    def fragile(completion: str, answer: str) -> float:
        return 1 / len(completion.removeprefix(answer))

    with caplog.at_level(logging.WARNING, "synth.rewards"):
        found = fragile(["ab", "5", "a", "5"], answer=["5"] * 4, problem_id=["p", "q", "r", "s"])
    assert found == [0.5, None, 1.0, None]
    assert caplog.messages == [
        "fragile: 2 of 4 have no reward (such as completion 1 of problem q): ZeroDivisionError: division by zero"
    ]


def test_a_reward_that_is_no_number_is_none(register: Any, caplog: pytest.LogCaptureFixture):
    @register
    def endless(completion: str) -> float:
        return float(completion)

    assert endless(["nan", "1", "inf"]) == [None, 1.0, None]
    assert len(caplog.messages) == 2


def test_a_group_that_raises_costs_that_group_alone(register: Any, caplog: pytest.LogCaptureFixture):
    @register(group=True)
    def spread(completions: Sequence[str], answer: Sequence[str], *, scale: float = 1.0) -> list[float]:
        if "x" in completions:
            raise ValueError("an x")
        return [scale * len(completions) for _ in completions]

    ids = ["p", "q", "p", "q", "p"]
    found = spread(["a", "x", "b", "c", "d"], answer=["5"] * 5, problem_id=ids, scale=0.5)
    assert found == [1.5, None, 1.5, None, 1.5]
    assert "2 of 5" in caplog.text
    with pytest.raises(UserError, match="different options"):
        spread(["a", "b"], answer=["5"] * 2, problem_id=["p", "p"], reward_args=['{"scale": 1}', '{"scale": 2}'])
    with pytest.raises(UserError, match="no column says which are of one"):
        spread(["a"], answer=["5"])


def test_options_come_from_the_call_and_over_them_from_the_row(register: Any):
    @register
    def scaled(completion: str, *, by: float = 1.0, at: int = 0) -> float:
        return by * len(completion) + at

    assert scaled(["ab", "a"]) == [2.0, 1.0]
    assert scaled(["ab", "a"], by=2, reward_args=['{"at": 1}', None]) == [5.0, 2.0]
    # The arguments are those of the reward that the row names.
    names = ["scaled", "correct"]
    assert scaled(["ab", "a"], reward=names, reward_args=['{"by": 3}', '{"of": 3}']) == [6.0, 1.0]
    for args, said in (
        ('{"of": 3}', "of: Extra inputs are not permitted"),
        ('{"by": "x"}', "by: Input should be a valid number"),
        ("[1]", "a JSON object is needed"),
        ("{", "not JSON"),
    ):
        with pytest.raises(UserError, match=said) as told:
            scaled(["ab", "a"], reward_args=["", args])
        assert "completion 1" in str(told.value)


def test_a_column_of_rows_is_no_value_of_an_option_of_its_name(register: Any):
    """`right` is a column of every `grpo` row, with the number of right rationales."""

    @register
    def worth(completion: str, *, right: float = 1.0) -> float:
        return right

    assert worth(["5", "6"], right=[3, 4]) == [1.0, 1.0]
    assert worth(["5", "6"], right=2) == [2.0, 2.0]
    # By column, options come from reward_args alone, whatever columns there are.
    columns = {"reward": ["length_band"], "reward_args": ['{"high": 9}'], "high": ["x"], "least": [0.1]}
    assert by_column(["The answer is 5."], answer=["5"], **columns) == [1.0]


def test_columns_that_rows_do_not_have_may_stand_in_the_arguments(register: Any, caplog: pytest.LogCaptureFixture):
    @register
    def named(completion: str, word: str, *, worth: float = 1.0) -> float:
        return worth * (word in completion)

    args = ['{"word": "a", "worth": 2}', '{"word": "b"}', "{}"]
    assert named(["a", "a", "a"], reward_args=args) == [2.0, 0.0, None]
    assert "its row has no word" in caplog.text
    assert named(["a", "a", "a"], word=["a", "a", "a"], reward_args=args) == [2.0, 0.0, 1.0]
    with pytest.raises(UserError, match="needs the column 'word'"):
        named(["a"], reward_args=["{}"])


def test_a_value_that_a_row_does_not_have_costs_that_row_alone(caplog: pytest.LogCaptureFixture):
    correct = our_rewards()["correct"].function
    assert correct(["The answer is 5."] * 3, answer=["5", None, ""]) == [1.0, None, None]
    assert "its row has no answer" in caplog.text


def test_a_row_can_name_a_registered_function_and_nothing_else():
    for name in ("os.system", "synth.rewards.by_column", "synth.rewards.registry.reward", "nonsense"):
        with pytest.raises(UserError, match=f"there is no reward '{name}'"):
            by_column(["5"], reward=[name], answer=["5"])
    assert by_column(["5", "5"], reward=["", "synth.rewards.correct"], answer=["5", "6"]) == [1.0, 0.0]
    with pytest.raises(UserError, match="reads the column 'reward'"):
        by_column(["5"], answer=["5"])


def test_a_completion_that_continues_a_beginning_is_read_with_it():
    correct = our_rewards()["correct"].function
    begun = ["<think>The answer is 6.", "The answer ", None]
    assert correct([" No.</think> The answer is 5.", "is 5.", "5"], answer=["5"] * 3, begun=begun) == [1.0, 1.0, 1.0]
    assert correct([""], answer=["5"], begun=["The answer is 5."]) == [0.0]
