"""The estimator: persons to components, repaired."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
import pandas as pd

from bayesmig.errors import DataError, check_option
from bayesmig.models.emigration.microdata.classical.cells import B_HISPANIC, cells_of
from bayesmig.models.emigration.microdata.classical.people import (
    Variant,
    checked,
    children_row,
    ten_years,
    with_parents,
)
from bayesmig.models.emigration.microdata.classical.predict import (
    logit_rows,
    model_table,
    mortality_by_term,
    mortality_coefficients,
    predictions,
)
from bayesmig.models.emigration.microdata.classical.repairs import groups, repair


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
    variant: Variant

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
        return cells_of(self.people, by, self.variant, b, ci_prob)


def estimate(
    people: pd.DataFrame, *, variant: Variant = "text", mortality: pd.DataFrame | None = None
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
    check_option("variant", variant, get_args(Variant))
    coefficients = mortality_coefficients(variant) if mortality is None else mortality
    work = checked(people)
    work, parent, dropped = with_parents(work)
    predicted, logits = predictions(work, parent, variant, mortality_by_term(coefficients))
    first = (work.generation == "first").to_numpy()
    persons = (
        work[first]
        .drop(columns=["child", "position"])
        .assign(
            mexican=np.where(work.origin[first] == "Mexico", "Mexican", "Non-Mexican"),
            age10=ten_years(work.age[first]),
            group=groups(work[first], variant),
            **{name: values[first] for name, values in predicted.items()},
        )
    )
    log = [children_row(dropped, work), logit_rows(logits)]
    columns, repairs = repair(persons, variant)
    persons = persons.assign(**columns)
    persons = persons.assign(**_returns(persons))
    persons.index = people.index[work.position[first]]
    log = pd.concat([*log, repairs], ignore_index=True)
    return Classical(persons, model_table(logits), log, variant)


def _returns(people: pd.DataFrame) -> dict[str, pd.Series]:
    """Return immigration r (1 - e - d), missing where r is, and the net."""
    back = people.returned * (1 - (people.mortality + people.emigration))
    return {
        "non_match": 1.0 - people.followed,
        "return_immigration": back,
        "net_emigration": people.emigration - back,
    }
