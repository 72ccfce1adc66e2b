"""The paper's own names: its outcomes, columns and levels, terms and contrasts."""

from typing import Literal, get_args

Stratum = Literal["all", "none", "extended", "close"]  # by ties to migrants: Tables 1 and 2a-c
Tables = Literal[1, 2]  # whose estimates: Table 1's, or Tables 2a-c's

TIES = ("none", "extended", "close")  # to migrants: columns (1), (2) and (3) of Tables 2a-c
OUTCOMES = ("no_aspirations", "aspires", "migrated")  # the reference first
LEVELS = {  # of the categories, the reference first
    "network": TIES,
    "household_migrations": ("0", "1", "2+"),
    "children": ("0", "1", "2", "3", "4+"),
    "education": ("primary", "lower_secondary", "upper_secondary"),
    "employment": ("unemployed", "wage", "self_employed"),
}
YES_NO = ("baseline_aspirations", "male", "married", "enrolled", "robbery", "urban")
NUMBERS = ("age", "log_expenditure")
IDENTIFIERS = ("person", "household", "municipality")
STRATA = get_args(Stratum)
TERMS = (  # in the order of the tables
    "network",
    "household_migrations",
    "baseline_aspirations",
    "male",
    "age",
    "age_squared",
    "married",
    "children",
    "enrolled",
    "education",
    "employment",
    "log_expenditure",
    "robbery",
    "urban",
)
CONTRASTS = {  # the paper's letter: outcome, against which
    "A": ("aspires", "no_aspirations"),
    "B": ("migrated", "aspires"),
    "C": ("migrated", "no_aspirations"),
}
COLUMNS = ("outcome", *LEVELS, *YES_NO, *NUMBERS, *IDENTIFIERS)


def term_label(term: str, level: str) -> str:
    """Label of a row of the tables, as the graph has it."""
    return f"{term}: {level}" if level else term


def labels(within: bool) -> list[str]:
    """Labels of the paper's terms; within a stratum of ties without these."""
    terms = [term for term in TERMS if not (within and term == "network")]
    return [term_label(t, level) for t in terms for level in LEVELS.get(t, ("", ""))[1:]]
