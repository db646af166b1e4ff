"""How often the measures of `text_stats` err: personal data planted in real texts, leaks planted in real questions and replies.

    SYNTH_DATA=/where/the/data/lies python benchmarks/inspection.py [--judge local:qwen2.5-coder-1.5b --unsafe FILE --n 60]

Personal data is made by the library faker for 18 countries and put between two sentences of human solutions; telephone numbers
count where they are numbers there can be (half of what faker makes is none). False alarms are counted over strings
of all files of the data. `--unsafe` is a file of questions (JSON Lines with `prompt`) that nobody should answer, such as
Do-Not-Answer (arXiv:2308.13387): with `--judge` a pipeline with `review/safe` reads `n` of them, and `n` of StrategyQA and GSM8K.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from synth.prompts import load_prompt
from synth.texts import announces_answer, boilerplate, longest_shared_run, personal_data

LOCALES = (
    "en_US", "en_GB", "en_CA", "en_AU", "en_IN", "de_DE", "fr_FR", "es_ES", "it_IT", "nl_NL", "pl_PL", "pt_BR",
    "sv_SE", "tr_TR", "ru_RU", "ja_JP", "ko_KR", "zh_CN",
)  # fmt: skip
OWN_ACCOUNTS = {"en_GB", "de_DE", "fr_FR", "es_ES", "it_IT", "nl_NL", "pl_PL", "sv_SE", "tr_TR"}
"""Locales of which faker makes account numbers of the right length."""
CARRIERS = ("Write to {} about it.", "Contact: {}.", "(see {})", "His is {}, he says.")


def rows(data: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (data / f"{name}.jsonl").read_text().split("\n") if line]


def planted(rng: random.Random, text: str, what: str) -> tuple[str, int]:
    """The text with it between two sentences, and where it begins."""
    lines = text.replace(". ", ".\n").split("\n")
    place = rng.randrange(len(lines) + 1)
    made = " ".join([*lines[:place], rng.choice(CARRIERS).format(what), *lines[place:]])
    return made, made.index(what)


def four(number: str) -> str:
    return " ".join(number[i : i + 4] for i in range(0, len(number), 4))


def personal(texts: list[str], n: int) -> None:
    """Recall by kind, and by country for telephones."""
    import phonenumbers
    from faker import Faker

    rng, seen, found, by_country = random.Random(1), Counter(), Counter(), {}
    for locale in LOCALES:
        faker, region = Faker(locale), locale[-2:]
        faker.seed_instance(7)
        makers = {
            "email": faker.email,
            "ip_address": faker.ipv4_public,
            "credit_card": faker.credit_card_number,
            "credit_card, in groups": lambda f=faker: four(f.credit_card_number("mastercard")),
            "phone": faker.phone_number,
        }
        if locale in OWN_ACCOUNTS:
            makers |= {"iban": faker.iban, "iban, in groups": lambda f=faker: four(f.iban())}
        if locale == "en_US":
            makers["us_ssn"] = faker.ssn
        for kind, make in makers.items():
            for _ in range(n):
                what = str(make())
                if kind == "phone":
                    try:
                        real = phonenumbers.is_valid_number(phonenumbers.parse(what, region))
                    except phonenumbers.NumberParseException:
                        real = False
                    if not real:
                        continue
                text, at = planted(rng, rng.choice(texts), what)
                hit = any(
                    p.kind == kind.partition(",")[0] and p.start < at + len(what) and p.end > at
                    for p in personal_data(text, (region,))
                )
                counted = "phone, digits alone" if kind == "phone" and what.isdigit() else kind
                seen[counted] += 1
                found[counted] += hit
                if counted == "phone":
                    one = by_country.setdefault(region, [0, 0])
                    one[0] += hit
                    one[1] += 1
    print("| personal data | planted | found % |\n|---|---:|---:|")
    for kind in seen:
        print(f"| {kind} | {seen[kind]:,} | {100 * found[kind] / seen[kind]:.1f} |")
    print(
        "telephones with groups or +, by country, %:",
        ", ".join(f"{c} {100 * a / b:.0f}" for c, (a, b) in by_country.items()),
    )


def strings(value: Any) -> Iterator[str]:
    """All strings in a row of more than 40 characters."""
    if isinstance(value, str):
        if len(value) > 40:
            yield value
        return
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from strings(one)


def false_alarms(data: Path, each: int) -> None:
    """What is found in data in which next to nothing is."""
    rng, texts = random.Random(0), []
    for path in sorted(data.glob("*.jsonl")):
        some = [s for line in path.read_text().split("\n") if line for s in strings(json.loads(line))]
        texts += rng.sample(some, min(each, len(some)))
    for regions in (("US",), ("US", "GB", "DE", "FR", "IT")):
        finds = [(p.kind, text[p.start : p.end]) for text in texts for p in personal_data(text, regions)]
        print(f"{len(finds)} finds in {len(texts):,} texts, regions {regions}:", Counter(finds).most_common(12))


def leaks(data: Path) -> None:
    """Answers announced in questions, instructions of prompts in replies, and the talk of assistants, put there and not."""
    rng = random.Random(2)
    problems = [(r["question"], r["answer"].rpartition("####")[2].strip()) for r in rows(data, "gsm8k_train")]
    ways = ("{q} The answer is {a}.", "{q}\nAnswer: {a}", "{q} #### {a}", "{q} (Solution: {a})", "(The result is {a}.) {q}",
            "{q} \\boxed{{{a}}}", "{q} Hint: it is {a}.", "{q} = {a}", "{q} Show that it is {a}.")  # fmt: skip
    clean = sum(bool(announces_answer(q, a)) for q, a in problems)
    print(f"\nanswer_in_question: {clean} of {len(problems)} questions as they are;", end=" ")
    for way in ways:
        told = sum(bool(announces_answer(way.format(q=q, a=a), a)) for q, a in problems)
        print(f"{way!r} {100 * told / len(problems):.0f} %", end=", ")
    prompts = [*load_prompt("rationale/solve").own_words]
    replies = [r["answer"] for r in rows(data, "gsm8k_train")] + [r["solution"] for r in rows(data, "math500")]
    runs = [len(longest_shared_run(text, prompts).split()) for text in replies]
    sentences = [s for words in prompts for s in words.replace("\n", ". ").split(". ") if len(s.split()) >= 8]
    with_one = [len(longest_shared_run(f"{text} {rng.choice(sentences)}", prompts).split()) for text in replies]
    print(f"\nprompt_in_reply >= 8: {sum(r >= 8 for r in runs)} of {len(runs)} replies as they are (longest run {max(runs)}), "
          f"{100 * sum(r >= 8 for r in with_one) / len(with_one):.1f} % of those with a sentence of the prompt")  # fmt: skip
    talk = [
        r["chosen"] if isinstance(r.get("chosen"), str) else str(r.get("chosen", "")) for r in rows(data, "dpo_pairs")
    ]
    hits = [t for t in talk if boilerplate(t)]
    print(f"boilerplate: in {len(hits)} of {len(talk)} replies of a chat model")


def unsafe(data: Path, file: Path, judge: str, n: int) -> None:
    """What a judge with `review/safe` takes for unsafe."""
    import synth

    rng = random.Random(3)
    harmful = [json.loads(line)["prompt"] for line in file.read_text().splitlines() if line.strip()]
    texts = {
        "unsafe": rng.sample(harmful, min(n, len(harmful))),
        "StrategyQA": rng.sample([r["question"] for r in rows(data, "strategyqa")], n),
        "GSM8K": rng.sample([r["question"] for r in rows(data, "gsm8k_train")], n),
    }
    review = {
        "step": "review",
        "target": "problem",
        "mode": "probability",
        "prompt": "review/safe",
        "score": "safe",
        "show_gold": False,
    }
    with tempfile.TemporaryDirectory() as folder:
        pipeline = {"pipeline": "my/safe", "steps": [review]}
        given = [{"question": text} for some in texts.values() for text in some]
        with synth.run(pipeline, given, f"{folder}/run", models=judge, progress=False).open() as store:
            query = "SELECT p.question, s.value FROM scores s JOIN problems p ON p.id = s.target WHERE s.name = 'safe'"
            value = {question.strip(): v for question, v in store.sql(query).fetchall()}
    for name, some in texts.items():
        got = [value.get(t.strip()) for t in some]
        out = [sum(v is None or v < at for v in got) / len(got) for at in (0.1, 0.5, 0.9)]
        print(
            f"review/safe, {name}: put out at 0.1 / 0.5 / 0.9: {' / '.join(f'{100 * o:.0f} %' for o in out)} of {len(some)}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=100)
    parser.add_argument("--judge")
    parser.add_argument("--unsafe", type=Path)
    options = parser.parse_args()
    data = Path(os.environ.get("SYNTH_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not (data / "gsm8k_train.jsonl").is_file():
        raise SystemExit("no data: set SYNTH_DATA to the folder of gsm8k_train.jsonl")
    if options.judge:
        if options.unsafe is None:
            parser.error("--judge needs --unsafe FILE")
        unsafe(data, options.unsafe, options.judge, options.n)
        return
    human = [r["answer"] for r in rows(data, "gsm8k_train")] + [r["solution"] for r in rows(data, "math500")]
    personal(human, options.n)
    false_alarms(data, 150)
    leaks(data)


if __name__ == "__main__":
    main()
