"""The report's own estimator on person records, as its text has it or as its program runs it.

Weighted logits give each foreign-born person two chances of not being matched and two of
moving, one with the coefficients of either generation; published coefficients give two
chances of dying.  What the first generation loses beyond the second is emigration (eq. 11;
eq. 12 for children), person by person.  Three repairs follow, and weighted means.

Text and program disagree, and the option ``variant`` chooses:

=====================  ==================================  ====================================
step                   ``text`` (Methodology)              ``program`` (Appendices A-G)
=====================  ==================================  ====================================
mortality              Table 3, ages 18-24 ... 65-74       Appendix F, ages 18-29 ... 70-79; who
                                                           is Mexican by birthplace
ages 15-17             the youngest group's coefficient    the same (``a1`` for 15-19)
parent's age           Table 2: 15-29, 30-39, 40-49,       Appendix C: to 29, 30-34, 35-44,
(children's logit)     50-59                               45-54, 55 and over
residual of a child    its parent's, either generation     its parent's; 0 if the parent is of
                                                           the second generation
groups of the repairs  country, age (Table 6), sex         country, five years of age, sex;
                                                           children not by sex
order                  range, shift, rescale               shift, range, rescale
range repair           emigration, over all persons of     all four components, over those not
                       a group                             followed; means below 0 become 0,
                                                           above 1 become 1, and one national
                                                           ratio restores the total
scale S                not capped at 1                     not capped at 1
groups without spread  left as they are                    Stata's missing value, which is
                                                           larger than 1 and so becomes 1
return immigration     returnees leave the denominator     they stay
=====================  ==================================  ====================================

Both take internal and return migration from the records of year t, since the panel has no
others, and both tabulate the observed non-match.  The covariates are the program's
(``$variables``, ``$kvariables``) in both: Tables 1 and 2 do not print coefficients for the
Caribbean and for other countries, which the program has.  The panel has one Africa where
the program's groups keep North Africa apart, and no children aged 0, whom the program
drops after the logits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.special import expit

from bayesmig.errors import DataError, StudyError
from bayesmig.models.emigration.data import PUBLISHED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

VARIANTS = ("text", "program")
COMPONENTS = (
    "non_match",
    "internal_migration",
    "mortality",
    "non_follow_up",
    "emigration",
    "return_immigration",
    "net_emigration",
)
PRINTED_ORDER = (*COMPONENTS[4:], *COMPONENTS[:4])  # of Tables 5-13; Table 4 has COMPONENTS
# What the repairs change, under the program's names for it before any repair.
RAW = {
    "emigration": "eerb",
    "mortality": "mo1",
    "internal_migration": "aim1",
    "non_follow_up": "anf",
}
STEPS = {"text": ("range", "shift"), "program": ("shift", "range")}  # then the rescaling
B_HISPANIC = 3_700.0
AGES = "0-14 15-19 20-24 25-29 30-34 35-39 40-44 45-49 50-54 55-59 60-64 65-69 70-74 75+".split()
TEN_YEARS = "0-14 15-24 25-34 35-44 45-54 55-64 65+".split()
DURATIONS = ("0-4 yrs", "5-9 yrs", "10+ yrs")
CARIBBEAN = ("Cuba", "Dominican Republic", "Other Caribbean")
ASIA = ("China", "India", "Philippines", "Korea", "Other Asia")
COUNTRIES = (  # rows of Table 13; two of them hold the rows below
    *("Mexico", "Central America", "North America", "Caribbean", *CARIBBEAN),
    *("Europe", "Asia", *ASIA, "Africa", "Other"),
)
AGGREGATES = {"Caribbean": CARIBBEAN, "Asia": ASIA}
ORIGIN_TERMS = {  # or3-or11: all origins but Mexico and, as reference, Central America
    "Cuba": "Cuba",
    "China": "China",
    "India": "India",
    "Asia": "Other Asia",
    "Africa": "Africa",
    "Europe": "Europe",
    "North America": "N America",
    "Caribbean": "Caribbean",
    "Other": "Other",
}
LEVELS: dict[str, tuple[str, ...]] = {
    "generation": ("first", "second"),
    "sex": ("Female", "Male"),
    "origin": ("Mexico", "Central America", *ORIGIN_TERMS),
}
FIRST_LEVELS = {
    "country": tuple(c for c in COUNTRIES if c not in AGGREGATES),
    "age_group": tuple(AGES),
    "duration": DURATIONS,
}
ADULT_LEVELS = {
    "enrolment": ("High school", "College", "Not enrolled"),
    "education": ("Less than high school", "High school", "Some college", "College graduate"),
    "race": ("White", "Black", "Mexican", "Hispanic", "Other"),
    "health": ("Excellent", "Very good", "Good", "Fair", "Poor"),
}
NUMBERS = ("year", "month", "serial", "pernum", "age", "weight", "parent_pernum")
FLAGS = ("owner", "oversample", "followed", "moved", "returned")
OPTIONAL = ("parent_pernum", "moved", "returned")  # may be missing in a row
# First years of the age groups of Table 3 and of Appendix A's a1-a7; the last is the reference.
DEATH_AGES = {"text": (15, 25, 35, 45, 55, 65, 75), "program": (15, 30, 40, 50, 60, 70, 80)}
PARENT_AGES = {
    "text": ((15, 29), (30, 39), (40, 49), (50, 59)),
    "program": ((0, 29), (30, 34), (35, 44), (45, 54), (55, 999)),
}
MORTALITY_TERMS = (
    *("intercept", "male", "mexican", "hispanic", "white", "black"),
    *(f"a{k}" for k in range(1, 7)),
    *(f"h{k}" for k in range(1, 5)),
)
TIE = 1e-12  # differences below this are rounding: Stata's floats would make them 0, 1 or missing
INTERCEPT = "Intercept"
CONSTANT = "constant, or a sum of terms before it"


@dataclass(frozen=True)
class Logit:
    """One weighted logit, with Stata's treatment of columns that cannot be estimated.

    Attributes
    ----------
    sample : str
        Who it was fitted to.
    coefficients : Series (term)
        Log odds; the intercept last; 0 for dropped terms.
    notes : dict of str
        Term and why it was dropped.
    persons : int
        Used in the fit: weight positive, not in the rows that a dropped term determines.
    determined : int
        Persons whose fitted probability is 0 or 1 to eight digits: columns that together,
        but not singly, predict perfectly.
    """

    sample: str
    coefficients: pd.Series
    notes: dict[str, str]
    persons: int
    determined: int

    def predict(self, columns: pd.DataFrame) -> Array:
        """Probabilities of persons with these columns (those of the fit), in their order."""
        slopes = self.coefficients.drop(INTERCEPT)
        eta = columns[slopes.index].to_numpy() @ slopes.to_numpy()
        return expit(eta + self.coefficients[INTERCEPT])


@dataclass(frozen=True)
class Classical:
    """What the report's estimator makes of a panel.

    Attributes
    ----------
    people : DataFrame
        The foreign born, index as given; children without a parent in the panel are left
        out, as the program does, and counted in ``log``.  To the panel's columns it adds
        ``mexican`` (Mexican, Non-Mexican), ``age10`` (rows of Table 10), ``group`` (within
        which the repairs work) and, as probabilities a year,

        - ``nm1``, ``nm2``, ``im1``, ``im2``, ``mo1``, ``mo2``: not matched, moved, died, with
          first- and second-generation coefficients.  For children ``im1`` is the
          parent's, ``mo1`` and ``mo2`` are 0 and the others missing;
        - ``anf``: residual non-follow-up, a child's that of its parent;
        - ``eerb``: emigration by eq. 11 or 12; ``aim1``: internal migration m (1 - e - d);
        - ``emigration_shift``, ``mortality_range``, ...: each component after each step;
        - ``emigration``, ``mortality``, ``internal_migration``, ``non_follow_up``: after all;
        - ``non_match``: 1 if not followed up; ``return_immigration``: r (1 - e - d);
          ``net_emigration``: the difference.
    models : DataFrame
        Columns model, origin, group, generation, term, estimate (log odds), dropped (why,
        or ""), persons.  Labels are those of Tables 1 and 2 (Table 1's "Age 45+" is
        "Age 45-64", which it is in the program).
    log : DataFrame
        What each step did.  Columns: ``step`` (children, logit, residual, range, shift,
        rescale), ``component``, ``group``, ``persons``, ``below`` and ``above`` (persons
        under 0 and over 1 before the step), ``low_before``, ``high_before``,
        ``mean_before``, ``low_after``, ``high_after``, ``mean_after`` (weighted, over these
        persons), ``scale`` (S of the range repair), ``ratio`` (the shift's factor; the
        program's national ratio), ``rule`` (in words what else was done).  The persons
        of a row are all of the group, or those not followed up where only they are changed
        (the program's range repair, the rescaling).
    variant : {"text", "program"}
    """

    people: pd.DataFrame
    models: pd.DataFrame
    log: pd.DataFrame
    variant: str

    def cells(
        self, by: Sequence[str] = (), *, b: float = B_HISPANIC, ci_prob: float = 0.90
    ) -> pd.DataFrame:
        """Weighted means of the seven printed components.

        Standard errors are those of the CPS documentation for a percentage p of a base of
        x persons, se = sqrt(b / x p (100 - p)).  The report took "the b factors for
        Hispanics" (notes to Tables 4 and 5) and prints neither b nor x.  Its
        intervals imply x / b, cell by cell (`implied_base`): 4,030 for the 2000 row of Table
        5, 32,500 when the nine years are added up (Table 4's own row: 27,200-38,100, given
        its rounding), and cells of Tables 10 and 11 in proportion to weighted, not counted,
        persons.  So x is a sum of weights over the cell and years are added, not averaged.
        Which weights is unclear: the program shows the sum over its records
        (``rawsum wgt``), about half of the population, since only months 1-4 are eligible.
        With that, and the report's 29,988 thousand foreign born in March 2000, b is 3,700, the
        default; with the whole population as x it would be 7,400.  x here is the sum
        of ``weight`` over the cell's records.

        Parameters
        ----------
        by : sequence of str
            Columns of ``people``; none for the total.
        b : float
            Generalized variance factor, persons.
        ci_prob : float
            Probability of the intervals; the report's is 0.90.

        Returns
        -------
        DataFrame
            Columns ``by``, component, estimate, se, ci_low, ci_high (percent), persons
            (records) and base (x).  The net's error is that of a difference of independent
            numbers, as the notes say.  A mean below 0, possible in the text's variant, has
            no standard error (NaN), nor has a cell without weight.

        Raises
        ------
        DataError
            For a column that ``people`` does not have.
        StudyError
            For a ``b`` or ``ci_prob`` that cannot be.
        """
        by = [by] if isinstance(by, str) else list(by)
        unknown = [column for column in by if column not in self.people]
        if unknown:
            raise DataError(f"by={unknown}; columns of people: {', '.join(self.people)}")
        return _cells(self.people, by, self.variant, b, ci_prob)


def estimate(
    people: pd.DataFrame, *, variant: str = "text", mortality: pd.DataFrame | None = None
) -> Classical:
    """Estimate emigration as the report does.

    Parameters
    ----------
    people : DataFrame
        Persons eligible for follow-up, one row a person and year, with the columns of a
        panel: the foreign born of all ages and the second generation's adults.
    variant : {"text", "program"}
        Where the report's text and its program differ, which to follow; the module's
        docstring lists the differences.
    mortality : DataFrame, optional
        Coefficients of the one-year probability of dying: columns generation (first,
        second), term (intercept, male, mexican, hispanic, white, black, a1-a6, h1-h4) and
        estimate, as `mortality_coefficients` returns them.  Default: the variant's.

    Returns
    -------
    Classical

    Raises
    ------
    StudyError
        For another variant.
    DataError
        For columns or values that are missing or not valid, and for a logit that cannot be
        fitted: it names the sample.
    """
    if variant not in VARIANTS:
        raise StudyError(f"variant={variant!r}; valid: {', '.join(VARIANTS)}")
    coefficients = mortality_coefficients(variant) if mortality is None else mortality
    work = _checked(people)
    work, parent, dropped = _with_parents(work)
    predicted, logits = _predictions(work, parent, variant, _mortality_by_term(coefficients))
    first = (work.generation == "first").to_numpy()
    persons = (
        work[first]
        .drop(columns=["child", "position"])
        .assign(
            mexican=np.where(work.origin[first] == "Mexico", "Mexican", "Non-Mexican"),
            age10=_ten_years(work.age[first]),
            group=_groups(work[first], variant),
            **{name: values[first] for name, values in predicted.items()},
        )
    )
    log = [_children_row(dropped, work), _logit_rows(logits)]
    columns, repairs = repair(persons, variant)
    persons = persons.assign(**columns)
    persons = persons.assign(**_returns(persons))
    persons.index = people.index[work.position[first]]
    log = pd.concat([*log, repairs], ignore_index=True)
    return Classical(persons, _model_table(logits), log, variant)


def repair(people: pd.DataFrame, variant: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Apply the three repairs to persons' components.

    Parameters
    ----------
    people : DataFrame
        Foreign born: group, age (years), weight, followed (bool) and the unrepaired eerb,
        mo1, aim1, anf (probabilities a year).
    variant : {"text", "program"}

    Returns
    -------
    columns : DataFrame
        Index of ``people``; each component after each step and after all, named as in
        `Classical`.
    log : DataFrame
        Rows of `Classical.log`.
    """
    by_variant = _repair_text if variant == "text" else _repair_program
    adults = (people.age >= 15).to_numpy()
    columns, log = [], []
    # The program repairs adults (Appendix F) and children (Appendix G) one after the other.
    for part in (people[adults], people[~adults]):
        if len(part):
            repaired, rows = by_variant(part)
            columns.append(pd.DataFrame(repaired, index=part.index))
            log += rows
    place = np.argsort(np.r_[np.flatnonzero(adults), np.flatnonzero(~adults)])
    return pd.concat(columns).iloc[place], pd.concat(log, ignore_index=True)


def tables(classical: Classical, *, b: float = B_HISPANIC, ci_prob: float = 0.90) -> pd.DataFrame:
    """Lay out the estimates as the printed Tables 4-13.

    Parameters
    ----------
    classical : Classical
    b, ci_prob : float
        As in `Classical.cells`.

    Returns
    -------
    DataFrame
        Columns table, panel ("" where the print has none), row, component, estimate, se,
        ci_low, ci_high (percent), with the labels of ``published/cells.csv``.  Rows without
        anybody in the data are absent; years are those of the data.  Tables 14 and 15
        need the legal status, which a CPS extract does not have.
    """
    people = classical.people
    parts = [
        _table(classical, number, panel, column, rows, selected, b, ci_prob)
        for number, panel, column, rows, selected in _layout(people)
    ]
    return pd.concat(parts, ignore_index=True)


def mortality_coefficients(variant: str) -> pd.DataFrame:
    """Coefficients of dying within a year: Table 3 (text) or Appendix F (program).

    Parameters
    ----------
    variant : {"text", "program"}

    Returns
    -------
    DataFrame
        Columns generation (first: immigrants, second: natives), term, estimate (log odds).
        ``a1`` to ``a6`` are the age groups of the variant.  The two differ in rounding and
        in one number: Fair health of immigrants, -0.586 in print and -0.5822 in the program.
    """
    if variant == "program":
        return pd.read_csv(PUBLISHED / "mortality_program.csv")[["generation", "term", "estimate"]]
    printed = pd.read_csv(PUBLISHED / "coefficients.csv")
    printed = printed[(printed.table == 3) & (printed.term != "Number of person-years")]
    labels = printed.term.unique()  # the table's order is that of MORTALITY_TERMS
    return pd.DataFrame(
        {
            "generation": printed.generation.map({"immigrants": "first", "natives": "second"}),
            "term": printed.term.map(dict(zip(labels, MORTALITY_TERMS, strict=True))),
            "estimate": printed.estimate,
        }
    ).reset_index(drop=True)


def implied_base(cells: pd.DataFrame) -> float:
    """Base over generalized variance factor, x / b, that printed intervals imply.

    Parameters
    ----------
    cells : DataFrame
        Components of one cell: component, estimate, ci_low, ci_high, ci_prob, percent.

    Returns
    -------
    float
        From half the interval = z sqrt(b / x p (100 - p)), by least squares over the
        components, which averages the rounding.  Net emigration, a difference, is left out.
    """
    cells = cells[cells.component != "net_emigration"]
    z = np.array([NormalDist().inv_cdf((1 + p) / 2) for p in cells.ci_prob])
    half = (cells.ci_high - cells.ci_low).to_numpy() / 2
    spread = z * np.sqrt(cells.estimate * (100 - cells.estimate)).to_numpy()
    return float(((spread**2).sum() / (half * spread).sum()) ** 2)


def weighted_logit(columns: pd.DataFrame, outcome: Array, weight: Array, sample: str) -> Logit:
    """Fit a logit by weighted maximum likelihood, as Stata's ``logit [pw=weight]``.

    Columns that are constant or depend on those before them are dropped.  A column of
    zeros and ones one of whose values goes with one outcome only is dropped with its
    persons, until there is none.  A dropped column counts as 0 in predictions, so that its
    persons are predicted as if they were of the reference group.  Persons without weight
    are not used.

    Parameters
    ----------
    columns : DataFrame (person, term)
        Without an intercept.
    outcome, weight : ndarray (person)
        Zeros and ones; weights that are not negative.
    sample : str
        Named in errors.

    Returns
    -------
    Logit

    Raises
    ------
    DataError
        If there is nobody, the outcome does not vary, a column is the outcome, or Newton's
        method does not converge.
    """
    used = weight > 0
    x = np.column_stack([columns.to_numpy(dtype=float), np.ones(len(columns))])[used]
    y, w = np.asarray(outcome, dtype=float)[used], weight[used]
    names = [*columns, INTERCEPT]
    notes: dict[str, str] = {}
    while True:
        _must_vary(y, sample)
        kept = _independent(x, [k for k, name in enumerate(names) if name not in notes])
        for k, name in enumerate(names):
            if name not in notes and k not in kept:
                notes[name] = CONSTANT
        found = _perfect(x, y, kept, names, sample)
        if found is None:
            break
        k, value, result = found
        rows = x[:, k] == value
        notes[names[k]] = (
            f"{names[k]} = {value:.0f} goes with outcome {result:.0f} only: dropped with "
            f"its {rows.sum()} persons"
        )
        x, y, w = x[~rows], y[~rows], w[~rows]
    beta = np.zeros(len(names))
    beta[kept] = _newton(x[:, kept], y, w / w.mean(), sample)
    fitted = expit(x @ beta)
    determined = int(((fitted < 1e-8) | (fitted > 1 - 1e-8)).sum())
    return Logit(sample, pd.Series(beta, index=names), notes, len(y), determined)


def claims(classical: Classical) -> pd.DataFrame:
    """Check on the data at hand what the report says of its repairs.

    The text claims that each repair keeps the averages within country, age and sex, that
    probabilities end between 0 and 1, that emigration is never negative, that those followed
    up have zero of everything and that the components add up to the non-match (Summary,
    Consistency Checks and Adjustments).

    Parameters
    ----------
    classical : Classical

    Returns
    -------
    DataFrame
        Columns check, where (the worst group, "" if the claim holds), holds, detail (how
        many groups or persons fail, of how many, and the largest departure, as a
        probability).
    """
    people, steps = classical.people, STEPS[classical.variant]
    rows = []
    for k, step in enumerate(steps):
        for component in RAW:
            before = _step_column(component, steps, k - 1)
            after = _step_column(component, steps, k)
            if step == "range" and classical.variant == "text" and component != "emigration":
                continue  # the text pulls in emigration only
            rows.append(
                _kept(people, before, after, f"{step} keeps the group means of {component}")
            )
            if step == "range":
                name = f"{component} is between 0 and 1 after the range repair"
                rows.append(_bounded(people, after, name))
    final = "group means of emigration in the end are those before any repair"
    rows.append(_kept(people, RAW["emigration"], "emigration", final))
    final = "mean emigration of all in the end is that before any repair"
    rows.append(_kept(people.assign(group="all"), RAW["emigration"], "emigration", final))
    for component in RAW:
        rows.append(_bounded(people, component, f"{component} is between 0 and 1 in the end"))
    rows.append(_never(people, people.emigration < 0, people.emigration, "emigration >= 0"))
    rows.append(
        _never(people, people.anf < 0, people.anf, "residual non-follow-up >= 0 in eqs. 11 and 12")
    )
    followed = people[people.followed]
    largest = followed[list(RAW)].abs().max(axis=1, skipna=False)
    rows.append(_never(followed, ~(largest == 0), largest, "followed up: all components are 0"))
    gap = people[list(RAW)].sum(axis=1, skipna=False) - people.non_match
    rows.append(
        _never(people, ~(gap.abs() < 1e-9), gap, "components add up to the non-match, by person")
    )
    rows.append(
        _kept(
            people.assign(_sum=gap + people.non_match),
            "non_match",
            "_sum",
            "components add up to the non-match, by group",
        )
    )
    return pd.DataFrame(rows, columns=["check", "where", "holds", "detail"])


# Reading


def _checked(people: pd.DataFrame) -> pd.DataFrame:
    """Return the panel's columns with plain types, and ``child`` and ``position``."""
    if not isinstance(people, pd.DataFrame):
        raise DataError(f"people must be a DataFrame, got {type(people).__name__}")
    needed = [*NUMBERS, *FLAGS, *LEVELS, *FIRST_LEVELS, *ADULT_LEVELS]
    missing = [column for column in needed if column not in people]
    if missing:
        raise DataError(f"people has no column {', '.join(missing)}; has: {', '.join(people)}")
    work = people.reset_index(drop=True)
    for column in (*NUMBERS, *FLAGS):
        work[column] = _numeric(work[column], column)
    whole = [column for column in NUMBERS if column not in ("weight", "parent_pernum")]
    work = work.assign(position=np.arange(len(work)), child=work.age < 15)
    first = work.generation == "first"
    _check_levels(work, LEVELS, "")
    _check_levels(work[first], FIRST_LEVELS, ", first generation")
    _check_levels(work[~work.child], ADULT_LEVELS, ", aged 15 and over")
    _check_flags(work)
    if (negative := work.weight < 0).any():
        raise DataError(f"weight is negative in {negative.sum()} of {len(work)} rows")
    if (young := work.child & ~first).any():
        raise DataError(
            f"{young.sum()} rows of the second generation are younger than 15: only adults "
            "are compared with the foreign born"
        )
    if not first.any():
        raise DataError(f"none of {len(work)} rows is of the first generation")
    plain = dict.fromkeys(whole, int) | dict.fromkeys(("owner", "oversample", "followed"), bool)
    return work.astype(plain)


def _numeric(values: pd.Series, column: str) -> pd.Series:
    """Return a column as floats; only optional ones may have gaps."""
    try:
        numbers = values.astype(float)
    except (TypeError, ValueError) as error:
        raise DataError(f"column {column}: {error}") from None
    bad = ~np.isfinite(numbers)
    if column in OPTIONAL:
        bad &= numbers.notna()
    if bad.any():
        raise DataError(
            f"column {column}: {bad.sum()} of {len(values)} rows are not finite, the first at "
            f"index {values.index[bad][0]}"
        )
    return numbers


def _check_levels(work: pd.DataFrame, levels: dict[str, tuple[str, ...]], whom: str) -> None:
    for column, valid in levels.items():
        bad = ~work[column].isin(valid)
        if bad.any():
            found = ", ".join(sorted({repr(value) for value in work[column][bad]}))
            raise DataError(
                f"column {column}{whom}: {found} in {bad.sum()} of {len(work)} rows; "
                f"valid: {', '.join(valid)}"
            )


def _check_flags(work: pd.DataFrame) -> None:
    for column in FLAGS:
        bad = ~work[column].isin([0, 1]) & work[column].notna()
        if bad.any():
            raise DataError(
                f"column {column}: {work[column][bad].iloc[0]:g} in {bad.sum()} of {len(work)} "
                "rows; valid: 0, 1"
            )


def _with_parents(work: pd.DataFrame) -> tuple[pd.DataFrame, Array, pd.Series]:
    """Leave out children whose parent is not an adult of the panel; who is whose parent.

    Returns
    -------
    work : DataFrame
    parent : ndarray of int (person)
        Row of the parent in ``work``; -1 for adults.
    dropped : Series of bool
        Children left out, over the rows given.
    """
    keys = ["year", "month", "serial"]
    index = pd.MultiIndex.from_frame(work[[*keys, "pernum"]])
    if (again := index.duplicated()).any():
        year, month, serial, pernum = index[again][0]
        raise DataError(
            f"{again.sum()} rows repeat the year, month, serial and pernum of another, the first "
            f"{year}, {month}, {serial}, {pernum}"
        )
    wanted = pd.MultiIndex.from_frame(work[[*keys, "parent_pernum"]])
    row = np.where(work.child, index.get_indexer(wanted), -1)
    row = np.where((row >= 0) & ~work.child.to_numpy()[row], row, -1)
    dropped = work.child & (row < 0)
    kept = np.flatnonzero(~dropped)
    new = np.full(len(work) + 1, -1)  # the last entry answers for -1
    new[kept] = np.arange(len(kept))
    return work.iloc[kept].reset_index(drop=True), new[row[kept]], dropped


def _children_row(dropped: pd.Series, work: pd.DataFrame) -> pd.DataFrame:
    rule = f"left out: no parent of the first or second generation; {work.child.sum()} have one"
    return pd.DataFrame(
        [{"step": "children", "group": "children", "persons": int(dropped.sum()), "rule": rule}]
    )


def _groups(people: pd.DataFrame, variant: str) -> Array:
    """Country, age and sex within which the repairs work: ``amale rpob agegrp`` of the program."""
    age, sex = people.age_group.astype(str), people.sex.astype(str)
    if variant == "program":
        fives = pd.cut(people.age, [-1, 4, 9, 14, 999], labels=["0-4", "5-9", "10-14", ""])
        age = age.where(people.age >= 15, fives.astype(str))
        sex = sex.where(people.age >= 15, "both")
    return (people.country.astype(str) + " | " + age + " | " + sex).to_numpy()


def _ten_years(age: pd.Series) -> Array:
    return np.array(TEN_YEARS)[np.searchsorted([15, 25, 35, 45, 55, 65], age, side="right")]


# Logits


def _adult_columns(rows: pd.DataFrame, years: Array, education: bool) -> pd.DataFrame:
    """``$variables`` of Appendix B, under the labels of Tables 1 and 2."""
    columns = {"In oversample": rows.oversample, "Homeowner": rows.owner}
    columns |= {term: rows.origin == origin for origin, term in ORIGIN_TERMS.items()}
    columns["Male"] = rows.sex == "Male"
    for low, high in ((15, 24), (25, 34), (35, 44), (45, 64)):
        columns[f"Age {low}-{high}"] = rows.age.between(low, high)
    columns |= {f"{year}": rows.year == year for year in years[1:]}
    columns["Enrolled in HS"] = rows.enrolment == "High school"
    columns["Enrolled in College"] = rows.enrolment == "College"
    if education:
        columns |= _education(rows)
    return pd.DataFrame(columns).astype(float)


def _child_columns(
    rows: pd.DataFrame, parents: pd.DataFrame, years: Array, variant: str
) -> pd.DataFrame:
    """``$kvariables`` of Appendix B; ``parents`` are the parents of ``rows``, in their order."""
    columns = {"Parent was followed up": parents.followed}
    columns |= {"In oversample": rows.oversample, "Homeowner": rows.owner}
    columns["Male"] = rows.sex == "Male"
    columns |= {term: rows.origin == origin for origin, term in ORIGIN_TERMS.items()}
    columns |= {"Age 0-4": rows.age < 5, "Age 5-9": rows.age.between(5, 9)}
    for low, high in PARENT_AGES[variant]:
        columns[f"Parent Age {low}-{high}"] = parents.age.between(low, high)
    columns |= {f"{year}": rows.year == year for year in years[1:]}
    columns |= _education(parents)
    return pd.DataFrame(columns).astype(float)


def _education(rows: pd.DataFrame) -> dict[str, pd.Series]:
    return {
        "No HS degree": rows.education == "Less than high school",
        "HS diploma": rows.education == "High school",
        "Some college": rows.education == "Some college",
    }


def _must_vary(y: Array, sample: str) -> None:
    if len(y) == 0:
        raise DataError(f"{sample}: no person to fit a logit to")
    if y.min() == y.max():
        raise DataError(f"{sample}: the outcome is {y[0]:.0f} for all {len(y)} persons")


def _independent(x: Array, candidates: list[int]) -> list[int]:
    """Columns of ``candidates`` that do not depend on the intercept (the last) and those before."""
    gram = x.T @ x
    kept = [candidates[-1]]
    for k in candidates[:-1]:
        left = gram[k, k] - gram[k, kept] @ np.linalg.solve(gram[np.ix_(kept, kept)], gram[kept, k])
        if left > 1e-9 * max(gram[k, k], 1e-300):
            kept.append(k)
    return sorted(kept)


def _perfect(
    x: Array, y: Array, kept: list[int], names: list[str], sample: str
) -> tuple[int, float, float] | None:
    """First column of zeros and ones with a value that goes with one outcome only."""
    for k in kept[:-1]:
        single = {}
        for value in (1.0, 0.0):
            seen = y[x[:, k] == value]
            if len(seen) and seen.min() == seen.max():
                single[value] = seen[0]
        if len(single) == 2:
            raise DataError(f"{sample}: {names[k]} alone predicts the outcome of all {len(y)}")
        if single:
            return k, *next(iter(single.items()))
    return None


def _newton(x: Array, y: Array, w: Array, sample: str) -> Array:
    beta = np.zeros(x.shape[1])
    value = _log_likelihood(x @ beta, y, w)
    for _ in range(100):
        fitted = expit(x @ beta)
        gradient = x.T @ (w * (y - fitted))
        hessian = (x * (w * fitted * (1 - fitted))[:, None]).T @ x
        step = np.linalg.lstsq(hessian, gradient, rcond=None)[0]
        gain = gradient @ step
        while (new := _log_likelihood(x @ (beta + step), y, w)) < value - 1e-9 * abs(value):
            step = step / 2
        beta, value = beta + step, new
        # Quadratic convergence: what is left after this step is the square of this gain.
        if gain < 1e-12:
            return beta
    raise DataError(f"{sample}: Newton's method has not converged in 100 steps")


def _log_likelihood(eta: Array, y: Array, w: Array) -> float:
    return float(w @ (y * eta - np.logaddexp(0, eta)))


# Predictions


def _predictions(
    work: pd.DataFrame, parent: Array, variant: str, mortality: dict[str, pd.Series]
) -> tuple[dict[str, Array], dict[tuple[str, ...], Logit]]:
    """Predicted probabilities of all rows, eqs. 10-12, and the logits they come from."""
    years = np.unique(work.year)
    child = work.child.to_numpy()
    # Second-generation adults are predicted if they are parents: their children need it.
    needed = ((work.generation == "first").to_numpy() & ~child) | np.isin(
        np.arange(len(work)), parent[child]
    )
    p: dict[str, Array] = {
        name: np.full(len(work), np.nan) for name in ("nm1", "nm2", "im1", "im2", "mo1", "mo2")
    }
    logits: dict[tuple[str, ...], Logit] = {}
    _predict_adults(work, needed, years, p, logits)
    for name, generation in (("mo1", "first"), ("mo2", "second")):
        columns = _mortality_columns(work, variant)
        p[name] = np.where(child, 0.0, expit(columns @ mortality[generation].to_numpy()))
    anf = p["nm2"] - p["im2"] * (1 - p["mo2"]) - p["mo2"]
    if child.any():
        _predict_children(work, parent, years, variant, p, logits)
        theirs = anf[parent]
        if variant == "program":  # Appendix F computes it for the first generation only
            theirs = np.where((work.generation == "second").to_numpy()[parent], 0.0, theirs)
        anf = np.where(child, theirs, anf)
        p["im1"] = np.where(child, p["im1"][parent], p["im1"])
    m, d = p["im1"], p["mo1"]
    eerb = (p["nm1"] - m * (1 - d) - d - anf) / (1 - m)
    return {**p, "anf": anf, "eerb": eerb, "aim1": p["nm1"] - eerb - d - anf}, logits


def _predict_adults(
    work: pd.DataFrame,
    needed: Array,
    years: Array,
    p: dict[str, Array],
    logits: dict[tuple[str, ...], Logit],
) -> None:
    mexican = (work.origin == "Mexico").to_numpy()
    child = work.child.to_numpy()
    for model, name, outcome in (
        ("internal_migration", "im", "moved"),
        ("matching", "nm", "followed"),
    ):
        columns = _adult_columns(work, years, education=model == "matching")
        known = work[outcome].notna().to_numpy() & ~child
        for origin, of_origin in (("mexican", mexican), ("non_mexican", ~mexican)):
            for group, sex in (("men", "Male"), ("women", "Female")):
                sample = of_origin & (work.sex == sex).to_numpy()
                if not (wanted := sample & needed).any():
                    continue
                for k, generation in enumerate(("first", "second"), 1):
                    fit = sample & known & (work.generation == generation).to_numpy()
                    logit = _fit(columns, work, outcome, fit, (model, origin, group, generation))
                    logits[model, origin, group, generation] = logit
                    chance = logit.predict(columns[wanted])
                    p[f"{name}{k}"][wanted] = 1 - chance if name == "nm" else chance


def _predict_children(
    work: pd.DataFrame,
    parent: Array,
    years: Array,
    variant: str,
    p: dict[str, Array],
    logits: dict[tuple[str, ...], Logit],
) -> None:
    """Not matched, given whether the parent was; the sexes together."""
    child = work.child.to_numpy()
    parents = work.iloc[parent].set_axis(work.index)  # adults' "parent" is any row, never used
    columns = _child_columns(work, parents, years, variant)
    mexican = (work.origin == "Mexico").to_numpy()
    for origin, of_origin in (("mexican", mexican), ("non_mexican", ~mexican)):
        sample = child & of_origin
        if sample.any():
            key = ("matching", origin, "children", "first")
            logits[key] = _fit(columns, work, "followed", sample, key)
            p["nm1"][sample] = 1 - logits[key].predict(columns[sample])


def _fit(
    columns: pd.DataFrame, work: pd.DataFrame, outcome: str, rows: Array, key: tuple[str, ...]
) -> Logit:
    model, origin, group, generation = key
    name = f"{model}: {origin.replace('_', '-')} {group}, {generation} generation"
    y, w = work[outcome].to_numpy()[rows], work.weight.to_numpy()[rows]
    return weighted_logit(columns[rows], y, w, name)


def _model_table(logits: dict[tuple[str, ...], Logit]) -> pd.DataFrame:
    rows = [
        (*key, term, coefficient, logit.notes.get(term, ""), logit.persons)
        for key, logit in logits.items()
        for term, coefficient in logit.coefficients.items()
    ]
    names = ["model", "origin", "group", "generation", "term", "estimate", "dropped", "persons"]
    return pd.DataFrame(rows, columns=names)


def _logit_rows(logits: dict[tuple[str, ...], Logit]) -> pd.DataFrame:
    rows = []
    for key, logit in logits.items():
        constant = [term for term, note in logit.notes.items() if note == CONSTANT]
        rules = [note for note in logit.notes.values() if note != CONSTANT]
        if constant:
            rules.append(f"{CONSTANT}, dropped: {', '.join(constant)}")
        if logit.determined:
            rules.append(f"{logit.determined} persons' outcomes are completely determined")
        rows += [
            {
                "step": "logit",
                "component": key[0],
                "group": logit.sample,
                "persons": logit.persons,
                "rule": rule,
            }
            for rule in rules
        ]
    return pd.DataFrame(rows, columns=["step", "component", "group", "persons", "rule"])


def _mortality_by_term(coefficients: pd.DataFrame) -> dict[str, pd.Series]:
    by_generation = {}
    for generation in ("first", "second"):
        rows = coefficients[coefficients.generation == generation].set_index("term").estimate
        if sorted(rows.index) != sorted(MORTALITY_TERMS) or not np.isfinite(rows).all():
            raise DataError(
                f"mortality, {generation} generation: terms {', '.join(rows.index)}; needed, "
                f"each once and finite: {', '.join(MORTALITY_TERMS)}"
            )
        by_generation[generation] = rows[list(MORTALITY_TERMS)]
    return by_generation


def _mortality_columns(work: pd.DataFrame, variant: str) -> Array:
    """Ones and zeros (person, term), in the order of `MORTALITY_TERMS`."""
    mexican, hispanic = work.race == "Mexican", work.race == "Hispanic"
    if variant == "program":  # Appendix B redefines both by origin before Appendix F uses them
        mexican = work.origin == "Mexico"
        hispanic = hispanic & ~mexican
    columns = [np.ones(len(work)), work.sex == "Male", mexican, hispanic]
    columns += [work.race == "White", work.race == "Black"]
    first_years = DEATH_AGES[variant]
    for low, end in zip(first_years[:-1], first_years[1:], strict=True):
        columns.append((work.age >= low) & (work.age < end))
    columns += [work.health == level for level in ADULT_LEVELS["health"][:4]]
    return np.column_stack(columns).astype(float)


# Repairs


@dataclass(frozen=True)
class _Group:
    """Persons by group: codes into ``labels``, weights, and who was not followed up."""

    code: Array
    labels: Array
    weight: Array
    lost: Array

    @classmethod
    def of(cls, people: pd.DataFrame) -> _Group:
        code, labels = pd.factorize(people.group, sort=True)
        weight = people.weight.to_numpy()
        return cls(code, np.asarray(labels), weight, ~people.followed.to_numpy(dtype=bool))

    def total(self, values: Array, on: Array | None = None) -> Array:
        """Sum by group; missing values count as nothing, as in Stata's ``total``."""
        values = np.where(np.isnan(values) | (False if on is None else ~on), 0.0, values)
        return np.bincount(self.code, values, len(self.labels))

    def extreme(self, values: Array, on: Array, high: bool) -> Array:
        """Largest or smallest value by group, missing values aside; NaN for nobody."""
        fill = -np.inf if high else np.inf
        out = np.full(len(self.labels), fill)
        seen = on & ~np.isnan(values)
        (np.maximum if high else np.minimum).at(out, self.code[seen], values[seen])
        return np.where(np.isinf(out), np.nan, out)

    def mean(self, values: Array, on: Array) -> Array:
        """Weighted mean by group; NaN without weight."""
        return _over(self.total(values * self.weight, on), self.total(self.weight, on))


def _over(a: Array, b: Array) -> Array:
    """Quotient that is missing (NaN) where the denominator is zero, as in Stata."""
    return np.where(b == 0, np.nan, a / np.where(b == 0, 1.0, b))


def _spread(values: Array, group: _Group, on: Array) -> tuple[Array, Array]:
    """Mean x by group, and S = min[(1 - x) / (m - x), x / (x - n)].

    A quotient whose denominator is zero is missing, and S the other; NaN if both are.
    """
    mean = group.mean(values, on)
    up = group.extreme(values, on, high=True) - mean
    down = mean - group.extreme(values, on, high=False)
    tie = TIE * np.maximum(1, np.abs(mean))
    upper = _over(1 - mean, np.where(up > tie, up, 0.0))
    lower = _over(mean, np.where(down > tie, down, 0.0))
    return mean, np.fmin(upper, lower)


def _pull_in(values: Array, mean: Array, scale: Array, group: _Group) -> Array:
    """x + (e - x) S.  An extreme that this sets to 0 or 1 is that, not a rounding error of it."""
    result = mean[group.code] + (values - mean[group.code]) * scale[group.code]
    return np.where(np.abs(result) < TIE, 0.0, np.where(np.abs(result - 1) < TIE, 1.0, result))


def _repair_text(people: pd.DataFrame) -> tuple[dict[str, Array], list[pd.DataFrame]]:
    """Range, shift and rescaling as in Consistency Checks and Adjustments."""
    group = _Group.of(people)
    everyone = np.ones(len(people), dtype=bool)
    raw = {component: people[name].to_numpy() for component, name in RAW.items()}
    log = [_residual_rows(raw["non_follow_up"], group)]

    ranged = dict(raw)
    mean, scale = _spread(raw["emigration"], group, everyone)
    moved = _pull_in(raw["emigration"], mean, scale, group)
    ranged["emigration"] = np.where(np.isnan(moved), raw["emigration"], moved)
    rule = np.select(
        [np.isnan(mean), np.isnan(scale), mean < 0, mean > 1],
        ["no weight: left", "no spread: left", "mean below 0: kept", "mean above 1: kept"],
        "",
    )
    log.append(
        _rows(
            "range",
            "emigration",
            group,
            raw["emigration"],
            ranged["emigration"],
            everyone,
            scale=scale,
            rule=rule,
        )
    )
    shifted = {}
    for component, values in ranged.items():
        shifted[component], ratio, rule = _shift_text(values, group)
        log.append(
            _rows(
                "shift",
                component,
                group,
                values,
                shifted[component],
                everyone,
                ratio=ratio,
                rule=rule,
            )
        )
    final = _rescale(shifted, group.lost)
    log += [_rows("rescale", c, group, shifted[c], final[c], group.lost) for c in RAW]
    return _columns({"range": ranged, "shift": shifted}, final), log


def _shift_text(values: Array, group: _Group) -> tuple[Array, Array, Array]:
    """Give those not followed up everything; where they have nothing to scale, it is lost."""
    whole = group.total(values * group.weight)
    theirs = group.total(values * group.weight, group.lost)
    nothing = theirs == 0
    ratio = np.where(nothing, np.where(whole == 0, 1.0, 0.0), _over(whole, theirs))
    rule = np.where(nothing & (whole != 0), "nobody to shift it to: lost", "")
    return np.where(group.lost, values * ratio[group.code], 0.0), ratio, rule


def _repair_program(people: pd.DataFrame) -> tuple[dict[str, Array], list[pd.DataFrame]]:
    """``nmonly``, ``outrangenm`` and what follows them, of Appendix F or (children) G."""
    group = _Group.of(people)
    everyone = np.ones(len(people), dtype=bool)
    children = bool((people.age < 15).all())
    raw = {component: people[name].to_numpy() for component, name in RAW.items()}
    log = [_residual_rows(raw["non_follow_up"], group)]
    shifted, ranged = {}, {}
    for component, values in raw.items():
        if children and component == "mortality":  # Appendix G leaves it out: it is zero
            shifted[component] = ranged[component] = np.zeros(len(people))
            continue
        shifted[component], ratio, rule = _shift_program(values, group)
        log.append(
            _rows(
                "shift",
                component,
                group,
                values,
                shifted[component],
                everyone,
                ratio=ratio,
                rule=rule,
            )
        )
        ranged[component], scale, national, rule = _range_program(shifted[component], group)
        log.append(
            _rows(
                "range",
                component,
                group,
                shifted[component],
                ranged[component],
                group.lost,
                scale=scale,
                ratio=np.full(len(group.labels), national),
                rule=rule,
            )
        )
    final = _rescale(ranged, group.lost & (ranged["emigration"] < 1))
    if children:
        final["mortality"] = np.zeros(len(people))
    log += [_rows("rescale", c, group, ranged[c], final[c], group.lost) for c in RAW]
    return _columns({"shift": shifted, "range": ranged}, final), log


def _shift_program(values: Array, group: _Group) -> tuple[Array, Array, Array]:
    """``nmonly``: x m / mnm for those not followed up, missing where mnm is zero."""
    whole = group.total(values * group.weight)
    theirs = group.total(values * group.weight, group.lost)
    ratio = _over(whole, theirs)
    rule = np.select(
        [group.total(group.lost * 1.0) == 0, theirs == 0],
        ["nobody to shift it to: lost", "nothing to scale: missing"],
        "",
    )
    return np.where(group.lost, values * ratio[group.code], 0.0), ratio, rule


def _range_program(values: Array, group: _Group) -> tuple[Array, Array, float, Array]:
    """``outrangenm``, in which Stata's missing value (here NaN) is larger than any number."""
    on = group.lost
    mean, scale = _spread(values, group, on)
    adjusted = _pull_in(values, mean, scale, group)
    inside = (mean >= 0) & (mean <= 1)
    constant = np.where(mean < 0, 0.0, 1.0)  # also where the mean is missing
    adjusted = np.where(inside[group.code], adjusted, constant[group.code])
    adjusted = np.where(on, adjusted, 0.0)
    whole, now = np.nansum(values * group.weight), np.nansum(adjusted * group.weight)
    national = whole / now if now else np.nan
    result = np.clip(adjusted * national, 0.0, 1.0)
    missing = np.isnan(result)
    rule = np.select(
        [np.isnan(mean), mean < 0, mean > 1, group.total(missing * 1.0, on) > 0],
        [
            "no weight: set to 1",
            "mean below 0: set to 0",
            "mean above 1: set to 1",
            "no spread: missing, set to 1",
        ],
        "",
    )
    return np.where(missing, 1.0, result), scale, float(national), rule


def _rescale(values: dict[str, Array], on: Array) -> dict[str, Array]:
    """Make what is not emigration add up to 1 - e, for those not followed up (``on``).

    NaN where the three add up to zero.
    """
    others = [component for component in RAW if component != "emigration"]
    total = np.sum([values[component] for component in others], axis=0)
    left = 1 - values["emigration"]
    return {"emigration": values["emigration"]} | {
        component: np.where(on, _over(values[component], total) * left, 0.0) for component in others
    }


def _columns(steps: dict[str, dict[str, Array]], final: dict[str, Array]) -> dict[str, Array]:
    named = {
        f"{component}_{step}": values
        for step, components in steps.items()
        for component, values in components.items()
    }
    return named | final


def _returns(people: pd.DataFrame) -> dict[str, pd.Series]:
    """Return immigration r (1 - e - d), missing where r is, and the net."""
    back = people.returned * (1 - (people.mortality + people.emigration))
    return {
        "non_match": 1.0 - people.followed,
        "return_immigration": back,
        "net_emigration": people.emigration - back,
    }


def _residual_rows(values: Array, group: _Group) -> pd.DataFrame:
    everyone = np.ones(len(values), dtype=bool)
    rows = _rows("residual", "non_follow_up", group, values, values, everyone)
    return rows.assign(rule=np.where(rows.below > 0, "negative residuals enter emigration", ""))


def _rows(
    step: str,
    component: str,
    group: _Group,
    before: Array,
    after: Array,
    on: Array,
    *,
    scale: Array | None = None,
    ratio: Array | None = None,
    rule: Array | None = None,
) -> pd.DataFrame:
    """One row of the log for each group with anybody of ``on``."""
    nothing = np.full(len(group.labels), np.nan)
    rows = pd.DataFrame(
        {
            "step": step,
            "component": component,
            "group": group.labels,
            "persons": group.total(on * 1.0).astype(int),
            "below": group.total((before < 0) * 1.0, on).astype(int),
            "above": group.total((before > 1) * 1.0, on).astype(int),
            "low_before": group.extreme(before, on, high=False),
            "high_before": group.extreme(before, on, high=True),
            "mean_before": group.mean(before, on),
            "low_after": group.extreme(after, on, high=False),
            "high_after": group.extreme(after, on, high=True),
            "mean_after": group.mean(after, on),
            "scale": nothing if scale is None else scale,
            "ratio": nothing if ratio is None else ratio,
            "rule": "" if rule is None else rule,
        }
    )
    return rows[rows.persons > 0]


# Cells


def _cells(
    people: pd.DataFrame, by: list[str], variant: str, b: float, ci_prob: float
) -> pd.DataFrame:
    if not (np.isfinite(b) and b > 0):
        raise StudyError(f"b must be a positive number of persons, got {b!r}")
    if not 0 < ci_prob < 1:
        raise StudyError(f"ci_prob must be between 0 and 1, got {ci_prob!r}")
    sums = _sums(people, variant)
    if by:
        sums = sums.groupby([people[column] for column in by], sort=True, observed=True).sum()
    else:
        sums = sums.sum().to_frame().T
    wide = 100 * pd.DataFrame(
        {c: _over(sums[f"{c} total"].to_numpy(), sums[f"{c} base"].to_numpy()) for c in COMPONENTS},
        index=sums.index,
    )
    if variant == "text":
        wide["net_emigration"] = wide.emigration - wide.return_immigration
    variance = b * wide * (100 - wide) / sums.base.where(sums.base > 0).to_numpy()[:, None]
    error = np.sqrt(variance.where(variance >= 0))
    error["net_emigration"] = np.hypot(error.emigration, error.return_immigration)
    half = NormalDist().inv_cdf((1 + ci_prob) / 2) * error
    parts = []
    for component in COMPONENTS:
        part = pd.DataFrame(
            {
                "component": component,
                "estimate": wide[component],
                "se": error[component],
                "ci_low": wide[component] - half[component],
                "ci_high": wide[component] + half[component],
                "persons": sums.persons.astype(int),
                "base": sums.base,
            }
        )
        parts.append(part.reset_index() if by else part.reset_index(drop=True))
    table = pd.concat(parts)
    # Stable: cells in their order, within each the components in theirs.
    return table.sort_index(kind="stable").reset_index(drop=True)


def _sums(people: pd.DataFrame, variant: str) -> pd.DataFrame:
    """Weighted totals and bases of the components, by person; missing ones are in neither."""
    columns = {"persons": pd.Series(1.0, people.index), "base": people.weight}
    for component in COMPONENTS:
        known = people[component].notna()
        base = people.weight * known
        if component == "return_immigration" and variant == "text":
            base = base * (1 - people.returned.fillna(0))
        columns[f"{component} total"] = (people.weight * people[component]).where(known, 0.0)
        columns[f"{component} base"] = base
    return pd.DataFrame(columns)


def _layout(people: pd.DataFrame) -> list[tuple[int, str, str, Sequence[Any], pd.Series]]:
    """Table, panel, column of its rows, the rows in printed order, and whom it is about."""
    everyone = pd.Series(True, people.index)
    mexican, male = people.mexican == "Mexican", people.sex == "Male"
    years = sorted(people.year.unique())
    origins = (("Mexican", mexican), ("Non-Mexican", ~mexican))
    born, all_of = ("All Foreign-born", everyone), ("All", everyone)
    layout: list[tuple[int, str, str, Sequence[Any], pd.Series]] = [
        (4, "", "", ["Total"], everyone),
        *((5, name, "year", years, who) for name, who in (born, *origins)),
        (6, "", "age_group", AGES, everyone),
        *((7, name, "sex", ["Female", "Male"], who) for name, who in (all_of, *origins)),
        (8, "", "age_group", AGES, male),
        (9, "", "age_group", AGES, ~male),
    ]
    for number, (name, who) in zip((10, 11), origins, strict=True):
        for sexes, of_sex in (("Males", male), ("Females", ~male)):
            layout.append((number, f"{name} {sexes}", "age10", TEN_YEARS, who & of_sex))
    layout += [(12, name, "duration", DURATIONS, who) for name, who in (born, *origins)]
    return [*layout, (13, "", "country", COUNTRIES, everyone)]


def _table(
    classical: Classical,
    number: int,
    panel: str,
    column: str,
    rows: Sequence[Any],
    selected: pd.Series,
    b: float,
    ci_prob: float,
) -> pd.DataFrame:
    people = classical.people[selected.to_numpy()]
    by = [column] if column else []
    cells = _cells(people, by, classical.variant, b, ci_prob)
    cells["row"] = cells[column].astype(object) if column else "Total"
    if number == 13:
        cells = pd.concat([cells, *_aggregates(people, classical.variant, b, ci_prob)])
    order = {row: k for k, row in enumerate(rows)}
    components = COMPONENTS if number == 4 else PRINTED_ORDER
    place = cells["row"].map(order) * len(components) + cells.component.map(components.index)
    cells = cells.iloc[np.argsort(place.to_numpy(), kind="stable")]
    cells = cells.assign(table=number, panel=panel, row=cells["row"].astype(str))
    names = ["table", "panel", "row", "component", "estimate", "se", "ci_low", "ci_high"]
    return cells[names]


def _aggregates(people: pd.DataFrame, variant: str, b: float, ci_prob: float) -> list[pd.DataFrame]:
    """Rows of Table 13 that hold several countries."""
    parts = []
    for name, countries in AGGREGATES.items():
        members = people[people.country.isin(countries)]
        if len(members):
            parts.append(_cells(members, [], variant, b, ci_prob).assign(row=name))
    return parts


# Claims


def _step_column(component: str, steps: tuple[str, ...], k: int) -> str:
    return RAW[component] if k < 0 else f"{component}_{steps[k]}"


def _kept(people: pd.DataFrame, before: str, after: str, check: str) -> tuple[Any, ...]:
    """Whether weighted group means of two columns agree, in groups that have any weight."""
    group = _Group.of(people)
    everyone = np.ones(len(people), dtype=bool)
    old, new = (group.mean(people[name].to_numpy(), everyone) for name in (before, after))
    weighted = group.total(group.weight) > 0
    change = np.where(weighted, new - old, 0.0)
    bad = weighted & ~(np.abs(change) <= 1e-9)
    return _verdict(check, bad, change, group.labels, f"{weighted.sum()} groups")


def _bounded(people: pd.DataFrame, column: str, check: str) -> tuple[Any, ...]:
    """Whether a column is a probability; how far outside, if not."""
    values = people[column].to_numpy()
    outside = values - np.clip(values, 0, 1)
    return _verdict(
        check, ~(np.abs(outside) <= TIE), outside, people.group.to_numpy(), f"{len(people)} persons"
    )


def _never(people: pd.DataFrame, bad: pd.Series, size: pd.Series, check: str) -> tuple[Any, ...]:
    size = size.where(bad, 0.0)
    return _verdict(
        check, bad.to_numpy(), size.to_numpy(), people.group.to_numpy(), f"{len(people)} persons"
    )


def _verdict(
    check: str, bad: Array, size: Array, labels: Array, total: str
) -> tuple[str, str, bool, str]:
    if not bad.any():
        return check, "", True, f"0 of {total}"
    missing = np.isnan(size) & bad
    detail = f"{bad.sum()} of {total}"
    if missing.any():
        detail += f", of which {missing.sum()} missing"
    if (missing == bad).all():
        return check, str(labels[missing][0]), False, detail
    worst = int(np.nanargmax(np.where(bad, np.abs(size), np.nan)))
    return check, str(labels[worst]), False, f"{detail}; largest {size[worst]:+.4f}"
