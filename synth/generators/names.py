"""Names of people in generated problems: short, distinct at first sight, and no words of English."""

NAMES = (
    "Amelia", "Bruno", "Clara", "Dmitri", "Elena", "Farid", "Greta", "Hugo", "Imani", "Jonas", "Keiko", "Lorenzo", "Mireille", "Nadia", "Oskar",
    "Priya", "Quentin", "Rosa", "Samir", "Tove", "Ulrich", "Vera", "Wanda", "Xenia", "Yusuf", "Zoltan", "Aisha", "Bjorn", "Chiara", "Dalia",
    "Emeka", "Fatima", "Gustav", "Helga", "Ivan", "Jasmin", "Kofi", "Leila", "Mateo", "Noemi",
)  # fmt: skip
