"""The rules of linking: who is due for an interview a year later, and who counts as found."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from bayesmig.errors import StudyError, check_option
from bayesmig.models.emigration.microdata.ipums.panel import ADULT

Oversample = Literal["exclude", "cpsidp"]
Duplicates = Literal["drop", "raise"]
Unlinkable = Literal["exclude", "keep"]
Weights = Literal["raise", "drop"]
CHOICES = {
    "oversample": Oversample,
    "duplicates": Duplicates,
    "unlinkable": Unlinkable,
    "weights": Weights,
}
FIRST_SPELL = 10  # months: who was first interviewed earlier is in the second four months
LINKED = "linked"
RESULTS = (  # of looking for a person, in the order of the flow
    LINKED,
    "no id match",
    "id twice in the next year",
    "month in sample differs",
    "sex differs",
    "age differs",
    "kept without identifier",
)
PANEL, ELIGIBLE = "panel", "eligible"  # rows of the flow that say who is left
OF_CHILDREN = {
    "child without a parent in the household": "person.parent_pernum IS NULL",
    "child with a parent of the third generation": "parent.generation = 'third'",
    "child with a parent who is not in the panel": "coalesce(parent.reason, 'none') <> ''",
}


@dataclass(frozen=True)
class Rules:
    """How years are linked; see `linking.link`."""

    sex: bool
    age_difference: tuple[int, ...] | None
    month_in_sample: bool
    oversample: Oversample
    duplicates: Duplicates
    unlinkable: Unlinkable
    weights: Weights

    def __post_init__(self) -> None:
        """Raise `StudyError` for a rule that does not exist."""
        for name, valid in CHOICES.items():
            check_option(name, getattr(self, name), get_args(valid))
        if self.age_difference is not None and not self.age_difference:
            raise StudyError("age_difference=(): nobody could be linked; None lifts the rule")


def whole(option: str, numbers: Sequence[int]) -> tuple[int, ...]:
    """Return whole numbers; what is none would go into a query as it is."""
    try:
        return tuple(operator.index(number) for number in numbers)
    except TypeError:
        raise StudyError(f"{option}={numbers!r}; valid: whole numbers, like (0, 1, 2)") from None


def steps(rules: Rules) -> dict[str, str]:
    """Reasons to leave somebody out and the conditions under which, in the order they apply."""
    first_interview = "cpsidp // 100000000"  # CPSIDP begins with year and month, YYYYMM
    since = f"year * 12 + month - {first_interview} // 100 * 12 - {first_interview} % 100"
    if rules.oversample == "exclude":
        oversample = {"oversample": "oversample"}
        due = "mish <= 4"
    else:
        oversample = {"oversample without identifier": "oversample AND cpsidp = 0"}
        due = f"CASE WHEN oversample THEN {since} <= {FIRST_SPELL} ELSE mish <= 4 END"
    unlinkable = {"no identifier": "cpsidp = 0"} if rules.unlinkable == "exclude" else {}
    return {
        "another month or the March basic survey": "NOT asked",
        "weight not positive": "NOT coalesce(weight > 0, false)",
        **oversample,
        "in months in sample 5-8": f"NOT ({due})",
        ELIGIBLE: "false",
        "citizenship or parents' birthplace not given": "generation IS NULL",
        "third generation": "generation = 'third'",
        "second generation under 15": f"generation = 'second' AND age < {ADULT}",
        "age 0": "age = 0",
        "birthplace not given": "country IS NULL",
        "year of arrival not given": "duration IS NULL",
        "sex not given": "sex IS NULL",
        "education not given": "education IS NULL",
        "health not given": "health IS NULL AND health_asked",
        **unlinkable,
        "identifier twice in the year": "twice IS NOT NULL",
    }


def conditions(rules: Rules) -> dict[str, str]:
    """Results of looking for a person but `LINKED`, and when each, in the order they apply."""
    apart = " OR ".join(
        f"{years} BETWEEN later.age - person.oldest AND later.oldest - person.age"
        for years in rules.age_difference or ()
    )
    return {
        "kept without identifier": "person.cpsidp = 0",
        "no id match": "later.cpsidp IS NULL",
        "id twice in the next year": "later.n > 1",
        "month in sample differs": "NOT person.oversample AND later.mish <> person.mish + 4"
        if rules.month_in_sample
        else "false",
        "sex differs": "later.sex <> person.sex_code" if rules.sex else "false",
        "age differs": "false" if rules.age_difference is None else f"NOT ({apart})",
    }
