"""The reward of answers in tags (arXiv:2502.14768): four values, and the form that counts."""

from __future__ import annotations

from synth.rewards import tags

ANSWER = '{"Zoey": "knight", "Oliver": "knave"}'
RIGHT = "<answer>(1) Zoey is a knight\n(2) Oliver is a knave</answer>"


def rewarded(*completions: str, **options) -> list[float | None]:
    return tags(
        list(completions), answer=[ANSWER] * len(completions), answer_kind=["assignment"] * len(completions), **options
    )


def test_the_four_rewards_of_the_paper():
    """Right, wrong, no answer in the tags, no form."""
    wrong, none = RIGHT.replace("Zoey is a knight", "Zoey is a knave"), "<answer>I cannot say.</answer>"
    found = rewarded(*(f"<think>Hm.</think>{said}" for said in (RIGHT, wrong, none)), f"Hm.{RIGHT}")
    assert found == [3.0, -0.5, -1.0, -3.0]


def test_the_form_is_each_tag_once_and_in_order():
    """Tags twice, absent or in another order have no form, and what is outside of them is no answer."""
    assert (
        rewarded(
            f"<think>a</think>{RIGHT}{RIGHT}",
            f"<think>a<think></think>{RIGHT}",
            f"{RIGHT}<think>a</think>",
            f"<think>{RIGHT}</think>",
            "<think>a</think>Zoey is a knight, Oliver is a knave.",
            f"a</think>{RIGHT}",
        )
        == [-3.0] * 6
    )


def test_a_prompt_that_ends_in_the_opening_tag():
    """Then completions begin within the thought; another opening tag is one too many."""
    assert rewarded(f"a</think>{RIGHT}", f"<think>a</think>{RIGHT}", prefilled=True) == [3.0, -3.0]


def test_values_can_be_set():
    """As options of all rows, or of each in `reward_args`."""
    assert rewarded(f"<think>a</think>{RIGHT}", full=4.0, form=0.5) == [4.5]
    assert tags(
        [f"<think>a</think>{RIGHT}"], answer=[ANSWER], answer_kind=["assignment"], reward_args=['{"full": 0}']
    ) == [1.0]
