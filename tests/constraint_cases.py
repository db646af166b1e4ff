"""Texts that comply with each constraint, and texts that do not."""

from __future__ import annotations

from typing import Any

ENGLISH = "We know well that the sum is right and so we are going to keep it as it is."
FRENCH = "Nous savons que la somme est juste et nous allons donc la retenir sans rien changer."
CHINESE = "我们知道这个总和是正确的因此我们保留它不作任何改动"
INNER = [[{"id": "punctuation:no_comma"}], [{"id": "keywords:existence", "args": {"keywords": ["cat"]}}]]
SELECTION = {
    "condition": "If the question above contains a digit",
    "holds": True,
    "then": [{"id": "punctuation:no_comma"}],
    "otherwise": [{"id": "detectable_format:title"}],
}
CASES: dict[str, tuple[dict[str, Any], tuple[str, ...], tuple[str, ...]]] = {
    "keywords:existence": (
        {"keywords": ["cat", "red fish"]},
        ("A cat and a red fish.", "Cat; red\nfish", "RED FISH! (cat)"),
        ("A category of red fish.", "A cat.", "A red fish.", "a cat and a red dish"),
    ),
    "keywords:frequency": (
        {"keyword": "war", "frequency": 2, "relation": "at least"},
        ("War and war.", "war, war", "A war on WAR on war."),
        ("war", "war and warmth", "wars and wards, war"),
    ),
    "keywords:forbidden_words": (
        {"forbidden_words": ["rock", "new star"]},
        ("A rocket.", "A new, star", "bedrock"),
        ("A rock.", "ROCK!", "the new\nstar"),
    ),
    "keywords:letter_frequency": (
        {"letter": "o", "let_frequency": 3, "let_relation": "less than"},
        ("one", "No go", "xyz"),
        ("ooo", "OoO", "Go on, Otto"),
    ),
    "length_constraints:number_words": (
        {"num_words": 5, "relation": "less than"},
        ("One two three four.", "我们知道", "don't stop it"),
        ("One two three four five.", "a-b-c-d-e", "我 们 知 道 这"),
    ),
    "length_constraints:number_sentences": (
        {"num_sentences": 3, "relation": "at least"},
        ("One. Two! Three?", "一。二。三。", "Dr. No is 3.5 m tall. Is he? Yes."),
        ("One. Two.", "It is 3.5 m! No.", "One sentence"),
    ),
    "length_constraints:number_paragraphs": (
        {"num_paragraphs": 2},
        ("a\n***\nb", "a *** b", "***\na\n***\nb\n***"),
        ("a", "a\n\nb", "a\n***\n***\nb", "a *** b *** c"),
    ),
    "length_constraints:nth_paragraph_first_word": (
        {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "Elm"},
        ("a\n\nElm b", "a\nb\n\n\n*elm* c", 'a\n  \n"Elm," b'),
        ("Elm a", "Elm a\n\nb", "a\n\nElmer b", "a\n\nElm\n\nb"),
    ),
    "detectable_content:number_placeholders": (
        {"num_placeholders": 2},
        ("[name] and [address]", "[a][b]", "[your name], [x], [y]"),
        ("[name]", "[1] and [2]", "[a](http://b) and [c]", "[] [ ]"),
    ),
    "detectable_content:postscript": (
        {"postscript_marker": "P.S."},
        ("Bye.\n\nP.S. I am here.", "Bye. p. s. yes", "P.S.\nmore"),
        ("Bye.", "Bye. P.S.", "P.P.S. more", "the ops. are"),
    ),
    "detectable_format:number_bullet_lists": (
        {"num_bullets": 2},
        ("* a\n* b", "- a\n text\n- b", "Intro\n  * a\n  + b"),
        ("* a", "*bold* text\n*also* text", "* a\n* b\n* c", "---\n***"),
    ),
    "detectable_format:numbered_list": (
        {"num_items": 2},
        ("1. a\n2. b", "Intro\n 1) a\n 2) b", "1. a\nmore\n2. b\nend"),
        ("1. a", "2. a\n1. b", "1. a\n2. b\n3. c", "1.5 and\n2.5"),
    ),
    "detectable_format:number_highlighted_sections": (
        {"num_highlights": 2},
        ("*a b* and *c*", "**a** *b*", "x **a b** y **c**"),
        ("*a*", "* a\n* b", "2 * 3 * 4", "****"),
    ),
    "detectable_format:multiple_sections": (
        {"section_spliter": "SECTION", "num_sections": 2},
        ("SECTION 1\na\nSECTION 2\nb", "SECTION 1: a SECTION 2: b", "SECTION1 a\nSECTION 2 b"),
        ("SECTION 1 a", "Section 1 a\nSection 2 b", "SECTION 1 SECTION 2", "SUBSECTION 1 a SUBSECTION 2 b"),
    ),
    "detectable_format:title": (
        {},
        ("<<Joy>> a", "a\n<< of b >>", "<<a>>"),
        ("<Joy>", "<<>>", "<< >> a", "<<a\nb>>"),
    ),
    "detectable_format:json_format": (
        {},
        ('{"a": 1}', "```json\n[1, 2]\n```", '  ```\n{"a": {"b": []}}\n```  '),
        ('{"a": 1', '"a"', "12", '{"a": 1} more', "{}", "[]"),
    ),
    "detectable_format:constrained_response": (
        {},
        ("My answer is yes.", " My answer is no.\n", "Well: My answer is maybe."),
        ("Yes.", "my answer is yes.", "My answer is yes. My answer is no."),
    ),
    "combination:repeat_prompt": (
        {"prompt_to_repeat": "Say  it\nnow."},
        ("Say it now. It.", "say it now. Yes", "Say it\n\nnow.\nOK"),
        ("It.", "Say it now.", "First: Say it now. It.", "Say it now. !"),
    ),
    "combination:two_responses": (
        {},
        ("a ****** b", "a\n******\nb", "******\na\n******\nb\n******"),
        ("a", "a ****** a", "a ****** b ****** c", "a ******"),
    ),
    "startend:end_checker": (
        {"end_phrase": "Any other questions?"},
        ("Yes. Any other questions?", "any other  questions?", '"Yes. ANY OTHER QUESTIONS?"'),
        ("Any other questions? No.", "Any other questions", "Yes."),
    ),
    "startend:begin_checker": (
        {"begin_phrase": "Let us begin."},
        ("Let us begin. Yes", '"let us begin." Yes', "Let us\nbegin."),
        ("So let us begin.", "Let us.", "Yes"),
    ),
    "startend:quotation": (
        {},
        ('"a b"', "“a”", ' "a"\n'),
        ('"a" b', '"', 'a "b"', '""'),
    ),
    "language:response_language": (
        {"language": "fr"},
        (FRENCH, FRENCH.upper(), FRENCH + " $x^2 = 1 + 2 + 3$"),
        (ENGLISH, CHINESE, ENGLISH.upper()),
    ),
    "change_case:english_capital": (
        {},
        (ENGLISH.upper(), ENGLISH.upper() + " 12", f"«{ENGLISH.upper()}»"),
        (ENGLISH, ENGLISH.upper() + " a", FRENCH.upper(), "12 + 3"),
    ),
    "change_case:english_lowercase": (
        {},
        (ENGLISH.lower(), ENGLISH.lower() + " 12", f"({ENGLISH.lower()})"),
        (ENGLISH, ENGLISH.lower() + " A", FRENCH.lower(), "12 + 3"),
    ),
    "change_case:capital_word_frequency": (
        {"capital_frequency": 2, "capital_relation": "at least"},
        ("I AM here", "NASA and ESA", "(U.S.) A-B"),
        ("I am", "Nasa and Esa", "1 2 3"),
    ),
    "punctuation:no_comma": ({}, ("a; b", "a.b", "1000"), ("a, b", "1,000", "一，二", "あ、い", "أ، ب")),
    "punctuation:no_exclamation": ({}, ("a.", "a?", "¿a?"), ("a!", "¡a", "一！")),
    "combination:chain": (
        {"parts": INNER},
        ("a b\n~~~~\na cat", "a ~~~~ cat, dog", "x\n~~~~\nCat"),
        ("a cat", "a, b\n~~~~\na cat", "a\n~~~~\ndog", "a\n~~~~\n~~~~\ncat", "\n~~~~\ncat"),
    ),
    "combination:selection": (SELECTION, ("a b", "a; b", "<<b>>"), ("a, b", "<<a, b>>", "1,0")),
}  # fmt: skip
