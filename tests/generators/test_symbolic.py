"""Symbolic tasks: chains recomputed, hidden rules that examples give away, and the schedule of chains."""

from __future__ import annotations

import re
from itertools import permutations, product

import pytest
from corpus_view import View

from synth.corpus.cot_share import CotShare
from synth.errors import InputError
from synth.generators import generator_of, made_rows
from synth.generators.symbolic import chain_probability


def rows(**options) -> list[dict]:
    return list(made_rows(generator_of("symbolic", options)))


def chain_of(words: list[str], parents: list[list[int]], shift: int) -> list[str]:
    """The chain by the letters' numbers, without any of our code."""
    known = list(words)
    for numbers in parents:
        halves = "".join(known[n - 1][len(known[n - 1]) // 2 :] for n in numbers)
        known.append(
            "".join("abcdefghijklmnopqrstuvwxyz"[("abcdefghijklmnopqrstuvwxyz".index(c) + shift) % 26] for c in halves)
        )
    return known[len(words) :]


def test_every_word_of_every_chain_is_recomputed():
    """Of questions and examples; parents come before their children; with two parents and even lengths all words are of one length."""
    for row in rows(inputs="2-5", chain="1-4", shift=3, examples=2, power=1, place="1-10", size=160):
        given = row["instance"]
        chain = chain_of(given["words"], given["parents"], given["shift"])
        assert row["answer"] == chain[-1]
        assert f"chain: {', '.join(chain)}.\n" in row["reference_solution"]
        assert {len(word) for word in (*given["words"], *chain)} == {8}
        assert all(max(p) <= len(given["words"]) + i and len(set(p)) == 2 for i, p in enumerate(given["parents"]))
        for example in row["examples"]:
            assert chain_of(example["words"], given["parents"], given["shift"]) == example["chain"]


def test_examples_without_a_chain_hold_no_word_of_it():
    """But for the answer."""
    seen = 0
    for row in rows(examples=6, power=1, place="1-40", size=40):
        for example in row["examples"]:
            *between, last = example["chain"]
            block = re.search(
                rf"Words: {' '.join(example['words'])}\n(?:Chain: (.*)\n)?Answer: {last}\n", row["question"]
            )
            assert (block[1] is not None) is example["shown"]
            assert block[1] in (None, " ".join(between))
            seen += not example["shown"]
            if not example["shown"]:
                assert not [word for word in between if word in row["question"]]
    assert seen > 50


def test_a_hidden_rule_is_given_away():
    """Every graph that fits the examples gives the answer: all of them tried here by another way."""
    for row in rows(rule="hidden", inputs=3, chain=2, examples="1-2", power=2, place="1-4", letters=2, size=60):
        given = row["instance"]
        assert "word 4 of words" not in row["question"]
        answers = set()
        for parents in product(permutations(range(1, 4), 2), permutations(range(1, 5), 2)):
            chains = [chain_of(example["words"], parents, 1) for example in row["examples"]]
            if all(
                c == e["chain"] if e["shown"] else c[-1] == e["chain"][-1]
                for c, e in zip(chains, row["examples"], strict=True)
            ):
                answers.add(chain_of(given["words"], parents, 1)[-1])
        assert answers == {row["answer"]}


@pytest.mark.parametrize("power", [0, 0.5, 1, 2, 5])
def test_the_schedule_is_that_of_the_corpus_step(power: float):
    """The same numbers as `cot_share`: from `lowest`, never falling, to `highest`."""
    step = CotShare(name="c", power=power, share=0.9, lowest=0.05, highest=0.8, place="length")
    places = [i / 50 for i in range(51)]

    class Placed(View):
        def values(self, target, name):
            return places

    expected = [s.value for s in step.run(Placed(["x"] * 51))]
    made = [chain_probability(x, power=power, share=0.9, lowest=0.05, highest=0.8) for x in places]
    assert made == pytest.approx(expected)
    assert made == sorted(made)
    assert made[0] == pytest.approx(0.05 if power else 0.8)
    assert made[-1] == 0.8


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"parents": 4, "inputs": 3}, "a word cannot be made of more words than are given"),
        ({"rule": "hidden"}, "rule=hidden needs examples"),
        ({"rule": "hidden", "examples": 3, "inputs": 10}, "rule=hidden tries all graphs, 20,000 at most"),
        ({"examples": 3, "twins": "same"}, "there are no twins of problems with examples"),
        ({"lowest": 0.9, "highest": 0.1}, "lowest is above highest"),
    ],
)
def test_what_is_impossible_is_refused(options: dict, what: str):
    """Before anything is made."""
    with pytest.raises(InputError) as refused:
        rows(**options)
    assert what in refused.value.what
