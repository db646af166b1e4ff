"""What is seen of texts alone: on texts of which it is known, and on real ones."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from faker import Faker
from hypothesis import given, settings
from hypothesis import strategies as st
from phonenumbers import is_valid_number, parse

from synth.texts import (
    announces_answer,
    boilerplate,
    language_of,
    longest_shared_run,
    personal_data,
    refusal,
    repeated_share,
)

SENTENCES = {
    "en": "She has twelve apples and gives four of them to her neighbour, so eight are left.",
    "de": "Sie hat zwölf Äpfel und gibt ihrer Nachbarin vier davon, also bleiben acht übrig.",
    "fr": "Elle a douze pommes et en donne quatre à sa voisine, il lui en reste donc huit.",
    "es": "Ella tiene doce manzanas y le da cuatro a su vecina, así que le quedan ocho.",
    "it": "Lei ha dodici mele e ne dà quattro alla vicina, quindi gliene restano otto.",
    "pl": "Ona ma dwanaście jabłek i daje cztery sąsiadce, więc zostaje jej osiem.",
    "tr": "On iki elması var ve dördünü komşusuna veriyor, böylece sekiz tane kalıyor.",
    "ru": "У неё двенадцать яблок, четыре она отдаёт соседке, и остаётся восемь.",
    "ar": "لديها اثنتا عشرة تفاحة وتعطي جارتها أربعًا منها فيبقى لها ثمان.",
    "hi": "उसके पास बारह सेब हैं और वह चार अपनी पड़ोसन को देती है, इसलिए आठ बचते हैं।",
    "zh": "她有十二个苹果，给了邻居四个，所以还剩八个。",
    "ja": "彼女はりんごを十二個持っていて、隣の人に四個あげるので、八個残ります。",
    "ko": "그녀는 사과 열두 개를 가지고 있고 이웃에게 네 개를 주므로 여덟 개가 남는다.",
}


@pytest.mark.parametrize("code", SENTENCES)
def test_a_sentence_has_its_language_and_numbers_have_none(code: str):
    assert language_of(SENTENCES[code])[0] == code
    assert language_of(f"{SENTENCES[code]} $12 - 4 = 8$ \\frac{{12}}{{4}} https://example.org/page")[0] == code


@pytest.mark.parametrize(
    "text",
    ["", "12 - 4 = 8", "x = 8", "\\frac{12}{4} = 3", "\\begin \\sqrt \\mathbb \\displaystyle \\overline 8", "\ud800 8"],
)
def test_what_has_hardly_a_word_has_no_language(text: str):
    assert language_of(text) == (None, 0.0)


@settings(deadline=None)
@given(st.integers(1, 30), st.integers(8, 40))
def test_the_repeated_share_has_its_closed_form(times: int, length: int):
    """So many different words, said so many times: all but the first time is a repetition."""
    words = [f"w{i}" for i in range(length)]
    assert repeated_share(" ".join(words * times)) == pytest.approx((times - 1) / times)


def test_what_is_said_once_is_no_repetition_and_short_echoes_are_none():
    rng = random.Random(3)
    text = " ".join(f"w{rng.randrange(10**9)}" for _ in range(500))
    assert repeated_share(text) == 0.0
    assert repeated_share("the number of apples is 3. the number of pears is 4. the number of plums is 5.") == 0.0
    assert repeated_share("") == 0.0
    half = repeated_share(f"{text} {' '.join(text.split()[:100])}")
    assert half == pytest.approx(100 / 600)


REFUSALS = (
    "I'm sorry, but I can't help with that.",
    "As an AI language model, I do not have access to the figures in the table.",
    "I cannot assist with this request.",
    "Unfortunately, I am unable to answer this question.",
    "I’m sorry, I can’t comply.",
    "Answering this goes against my guidelines.",
)
ANSWERS = (
    "We cannot have half a goat, so there are 4 of them.",
    "I can't be the thief, since I was in the garden. So the cook did it.",
    "Anna says: 'I will not help you.' Bob is the knight.",
    "She is sorry that 3 of the 12 eggs broke, so 9 are left.",
    "It cannot be answered by adding, since the speeds differ; multiply them instead.",
)


@pytest.mark.parametrize("text", REFUSALS)
def test_refusals_are_known(text: str):
    assert refusal(text)


@pytest.mark.parametrize("text", ANSWERS)
def test_rationales_are_no_refusals(text: str):
    assert refusal(text) is None
    assert boilerplate(text) == []


def test_talk_is_counted():
    assert len(boilerplate("Certainly! There are 4 goats. I hope this helps! Let me know if you have doubts.")) == 3
    assert boilerplate("There are 4.<|im_end|>") == ["<|im_end|>"]
    assert boilerplate("I'm an AI. Hope these suggestions are helpful, and is there anything else I can do?") == [
        "'m an AI",
        "Hope these suggestions are helpful",
        "anything else I can do",
    ]
    assert boilerplate("They hope that it rains. So it is helpful to know if anything else is left.") == []


@pytest.mark.parametrize(
    ("question", "answer", "leaks"),
    [
        ("How many goats are there? The answer is 12.", "12", True),
        ("How many goats are there?\n#### 12", "12", True),
        ("How many? (Answer: B)", "B", True),
        ("What is it? \\boxed{12}", "12", True),
        ("There are 12 goats. How many legs have 12 goats?", "12", False),
        ("The answer is 12.5 for the first part. And the second?", "12", False),
        ("The answer is 120 for the first part. And the second?", "12", False),
        ("The answer is either north or south. Which?", "no", False),
        ("Is it the old man who lives at the harbour?", "the old man who lives at the harbour", True),
        ("Is it the old man?", "the old man", False),
    ],
)
def test_a_question_that_tells_its_answer(question: str, answer: str, leaks: bool):
    assert bool(announces_answer(question, answer)) is leaks


def test_the_longest_shared_run():
    prompts = ["Write one step of the reasoning on each line.", "You solve problems step by step."]
    assert (
        longest_shared_run("Sure. Write one step of the reasoning, he said", prompts)
        == "write one step of the reasoning"
    )
    assert longest_shared_run("", prompts) == longest_shared_run("abc", []) == ""


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Write to jane.doe+x@mail.example.org today.", "email"),
        ("Call +49 30 901820 or come.", "phone"),
        ("Call (212) 736-5000, they say.", "phone"),
        ("The host is 8.8.8.8, it says.", "ip_address"),
        ("The host is 2001:4860:4860::8888 too.", "ip_address"),
        ("Call 212.736.5000, they say.", "phone"),
        ("Call (030) 901820, they say.", "phone"),
        ("Call +49(0)30 901820 or come.", "phone"),  # in groups that nobody in Germany writes
        ("Card 4111 1111 1111 1111 was charged.", "credit_card"),
        ("Card 2223003122003222 was charged.", "credit_card"),
        ("Card 6304 is Maestro: 630499079808.", "credit_card"),
        ("Pay to ES98 6626 6620 9639 8496 3311 1200 euros.", "iban"),
        ("Pay to DE89370400440532013000 1200 euros.", "iban"),
        ("Pay to DE89 3704 0044 0532 0130 00 now.", "iban"),
        ("His number is 536-90-4399, he says.", "us_ssn"),
    ],
)
def test_personal_data_is_found_where_it_stands(text: str, kind: str):
    found = personal_data(text, ("US", "DE"))
    assert [f.kind for f in found] == [kind]
    assert text[found[0].start : found[0].end].strip(" .,") in text


@pytest.mark.parametrize(
    "text",
    [
        "4111 1111 1111 1112 is not valid.",  # the check digit
        "DE88 3704 0044 0532 0130 00 is not valid.",
        "It is 39370.07874015748 inches long, or 2125551234 nanometres.",
        "Section 1.2.3.4.5, at 127.0.0.1 or 192.168.1.7, or 300.1.2.3",
        "3 * 4 = 12, 12 - 4 = 8 and 1000 + 2000 = 3000",
        "666-12-3456 and 900-12-3456 are none.",
        "on 04-12-2003, 06-06-2005 or 04122003, 0.3558 - 0.1522, 1 030 303, (0.6667/0.3333)",
        "12 + 62426244000 = 62426244012, (0.95710678118) and 630499079809",
        "f(x) = 2 @ x, a@b",
    ],
)
def test_numbers_are_no_personal_data(text: str):
    assert personal_data(text, ("US", "DE")) == []


@pytest.mark.parametrize(
    "locale", ["en_US", "en_GB", "de_DE", "fr_FR", "es_ES", "it_IT", "pl_PL", "pt_BR", "ja_JP", "ko_KR"]
)
def test_personal_data_of_many_countries_is_found(locale: str):
    """`benchmarks/inspection.py` does the same with more; telephone numbers that are digits alone are told as figures."""
    faker, region = Faker(locale), locale[-2:]
    faker.seed_instance(11)
    makers = {"email": faker.email, "ip_address": faker.ipv4_public, "credit_card": faker.credit_card_number}
    planted = [(kind, str(make())) for kind, make in makers.items() for _ in range(20)]
    numbers = [faker.phone_number() for _ in range(80)]
    planted += [("phone", n) for n in numbers if not n.isdigit() and is_valid_number(parse(n, region))]
    found = [
        kind in {f.kind for f in personal_data(f"Nine are left. Write to {what}, he says. So 9 - 4 = 5.", (region,))}
        for kind, what in planted
    ]
    assert len(found) > 75
    assert sum(found) >= 0.95 * len(found)


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=300))
def test_nothing_that_is_text_breaks_them(text: str):
    assert 0.0 <= repeated_share(text) < 1.0
    language_of(text), refusal(text), boilerplate(text), announces_answer(text, text), longest_shared_run(text, [text])
    for one in personal_data(text, ("US",)):
        assert 0 <= one.start < one.end <= len(text)


def test_how_often_they_err_on_what_people_wrote(data: Path):
    """The figures of docs/curation.md: human solutions that nobody would want put out."""

    def column(name: str, field: str) -> list[str]:
        return [json.loads(line)[field] for line in (data / f"{name}.jsonl").read_text().splitlines()]

    human = column("gsm8k_train", "answer") + column("aqua_rat", "rationale") + column("math500", "solution")
    n = len(human)
    assert n > 1000
    assert sum(repeated_share(t) > 0.3 for t in human) <= 0.005 * n
    assert sum(bool(personal_data(t, ("US", "GB"))) for t in human) == 0
    assert sum(bool(refusal(t) or boilerplate(t)) for t in human) == 0
    assert sum(language_of(t)[0] not in {"en", None} for t in human) <= 0.01 * n
    loops = column("theoremqa_outputs", "solution")  # base models, which often run on and on
    assert sum(repeated_share(t) > 0.3 for t in loops) >= 0.4 * len(loops)
