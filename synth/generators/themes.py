"""What rules are about: elements in words, each with facts from which it follows that it is true, or that it is false."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import NamedTuple

__all__ = ["THEMES", "Element", "Theme"]


class Element(NamedTuple):
    """One condition of a rule."""

    name: str
    """By which expressions call it."""
    text: str
    """The condition, as a clause."""
    fact: Callable[[Random, bool], str]
    """A sentence from which the verdict follows."""


class Theme(NamedTuple):
    """A kind of rule."""

    result: str
    """What the rule decides, as a clause."""
    question: str
    opposite: str
    """What is so where the rule is not met, as a clause."""
    elements: Sequence[Element]
    asides: Sequence[str]
    """Facts that bear on no element."""


def _either(true: Sequence[str], false: Sequence[str]) -> Callable[[Random, bool], str]:
    return lambda random, verdict: random.choice(true if verdict else false)


def _number(sentence: str, true: range, false: range) -> Callable[[Random, bool], str]:
    return lambda random, verdict: sentence.format(f"{random.choice(true if verdict else false):,}")


THEMES: Sequence[Theme] = (
    Theme(
        "the claim is covered",
        "Is the claim covered?",
        "the claim is not covered",
        (
            Element(
                "reported",
                "the loss was reported within 30 days",
                _number("The traveller reported the loss after {} days.", range(2, 30), range(32, 90)),
            ),
            Element(
                "value",
                "the item was worth more than 500 euros",
                _number("A dealer puts the value of the item at {} euros.", range(510, 3000, 10), range(60, 490, 10)),
            ),
            Element(
                "abroad",
                "the loss happened abroad",
                _either(
                    (
                        "The traveller lives in Norway, and the item was lost in Portugal.",
                        "The traveller lives in Japan and lost the item in Peru.",
                    ),
                    (
                        "The traveller lives in Norway, where the item was lost too.",
                        "The item was lost in Japan, where the traveller lives.",
                    ),
                ),
            ),
            Element(
                "receipt",
                "the receipt of the item is there",
                _either(
                    ("The shop's receipt is attached to the claim.", "The traveller kept the receipt and sent it in."),
                    ("The traveller has thrown the receipt away.", "Nobody can find the receipt any more."),
                ),
            ),
            Element(
                "police",
                "the loss was reported to the police",
                _either(
                    (
                        "A police report is attached.",
                        "The traveller went to the police on the same day and reported it.",
                    ),
                    ("The police were never informed.", "The traveller did not go to the police, and nobody else did."),
                ),
            ),
            Element(
                "left",
                "the item was left without supervision",
                _either(
                    (
                        "The item lay alone on a bench while the traveller bought coffee.",
                        "The traveller left the item at the beach and went swimming alone.",
                    ),
                    (
                        "The traveller carried the item the whole time.",
                        "The item never left the traveller's hands before it was snatched.",
                    ),
                ),
            ),
            Element(
                "paid",
                "the premium was paid before the trip",
                _either(
                    (
                        "The trip began on 10 June; the premium was paid on 2 May.",
                        "The premium was paid a week before the trip began.",
                    ),
                    (
                        "The trip began on 10 June; the premium was paid on 20 June.",
                        "The premium was paid a week after the trip had begun.",
                    ),
                ),
            ),
            Element(
                "loan",
                "the item belonged to somebody else",
                _either(
                    (
                        "The item was the property of the traveller's sister.",
                        "A friend owns the item and had lent it to the traveller.",
                    ),
                    ("The traveller had bought the item and owned it.", "The item was the traveller's own property."),
                ),
            ),
        ),
        (
            "The traveller flew with an airline of the region.",
            "The claim was sent by post.",
            "The traveller has two children.",
            "The weather was fine on that day.",
        ),
    ),
    Theme(
        "the permit is granted",
        "Is the permit granted?",
        "the permit is not granted",
        (
            Element(
                "height",
                "the building is at most 12 metres high",
                _number("The plan shows a building of {} metres.", range(4, 12), range(13, 40)),
            ),
            Element(
                "distance",
                "the building is at least 3 metres away from the boundary",
                _number("From the wall to the boundary it is {} metres.", range(4, 15), range(1, 3)),
            ),
            Element(
                "neighbours",
                "all neighbours have agreed",
                _either(
                    (
                        "Every one of the four neighbours has signed the plan.",
                        "All neighbours have given their consent in writing.",
                    ),
                    (
                        "Three neighbours have signed; the fourth has refused.",
                        "One of the neighbours objects to the plan.",
                    ),
                ),
            ),
            Element(
                "listed",
                "the house is a listed monument",
                _either(
                    (
                        "The house has been on the list of monuments since 1974.",
                        "The office keeps the house on its list of monuments.",
                    ),
                    (
                        "The house is not on the list of monuments.",
                        "The house was taken off the list of monuments years ago, and is not on it now.",
                    ),
                ),
            ),
            Element(
                "engineer",
                "an engineer has checked the plan",
                _either(
                    (
                        "The plan bears the stamp of the engineer who checked it.",
                        "An engineer went through the plan and confirmed it.",
                    ),
                    ("No engineer has looked at the plan so far.", "The plan has not been seen by any engineer."),
                ),
            ),
            Element(
                "parking",
                "there is a parking space for each flat",
                _either(
                    (
                        "There are six flats and six parking spaces.",
                        "Each of the flats has a parking space of its own.",
                    ),
                    ("There are six flats and four parking spaces.", "Two of the flats have no parking space."),
                ),
            ),
            Element(
                "flood",
                "the plot lies in a flood area",
                _either(
                    (
                        "The map of the county shows the plot inside the flood area.",
                        "The plot is within the area marked for floods.",
                    ),
                    (
                        "The map of the county shows the plot outside the flood area.",
                        "The plot lies on a hill, outside the area marked for floods.",
                    ),
                ),
            ),
            Element(
                "fee",
                "the fee has been paid",
                _either(
                    ("The cashier has received the fee.", "The fee was transferred and has arrived."),
                    ("The fee is still owed.", "The fee has not been paid yet."),
                ),
            ),
        ),
        (
            "The architect has an office in the old town.",
            "The front door will be green.",
            "The application has eleven pages.",
            "The owner moved to the town last year.",
        ),
    ),
    Theme(
        "the student receives the grant",
        "Does the student receive the grant?",
        "the student does not receive the grant",
        (
            Element(
                "age",
                "the student is younger than 30",
                _number("The student is {} years old.", range(19, 30), range(31, 50)),
            ),
            Element(
                "income",
                "the family earns less than 40,000 euros a year",
                _number("Last year the family earned {} euros.", range(18000, 39500, 500), range(41000, 90000, 500)),
            ),
            Element(
                "credits",
                "the student has earned 60 credits or more",
                _number("The transcript shows {} credits.", range(61, 180), range(5, 59)),
            ),
            Element(
                "degree",
                "the student already has a degree",
                _either(
                    ("The student finished a degree in chemistry two years ago.", "The student holds a first degree."),
                    (
                        "The student has no degree so far.",
                        "This would be the student's first degree; there is none yet.",
                    ),
                ),
            ),
            Element(
                "resident",
                "the student lives in the province",
                _either(
                    ("The student's flat is in the province.", "The student is registered as living in the province."),
                    ("The student lives in another province.", "The student's only home is outside the province."),
                ),
            ),
            Element(
                "volunteer",
                "the student has worked as a volunteer",
                _either(
                    (
                        "The student spent a summer as a volunteer in a hospital.",
                        "For a year the student was a volunteer of the fire brigade.",
                    ),
                    ("The student has never been a volunteer.", "The student has no experience as a volunteer."),
                ),
            ),
            Element(
                "late",
                "the application came after the closing date",
                _either(
                    (
                        "Applications closed on 1 March; this one came on 9 March.",
                        "The application arrived three days after the closing date.",
                    ),
                    (
                        "Applications closed on 1 March; this one came on 11 February.",
                        "The application arrived three days before the closing date.",
                    ),
                ),
            ),
            Element(
                "full_time",
                "the student studies full time",
                _either(
                    ("The student is enrolled full time.", "The student's enrolment is for full-time study."),
                    ("The student is enrolled part time.", "The student's enrolment is for part-time study."),
                ),
            ),
        ),
        (
            "The student plays the cello.",
            "The university was founded in 1831.",
            "The application was written in blue ink.",
            "The student has a brother at the same university.",
        ),
    ),
)
