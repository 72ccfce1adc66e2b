"""Weighted means of the seven printed components, with the generalized variances."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bayesmig.errors import StudyError
from bayesmig.models.emigration.microdata.classical.people import Variant
from bayesmig.models.emigration.microdata.classical.repairs import over
from bayesmig.printed import multiplier

COMPONENTS = (
    "non_match",
    "internal_migration",
    "mortality",
    "non_follow_up",
    "emigration",
    "return_immigration",
    "net_emigration",
)
B_HISPANIC = 3_700.0


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
    z = np.array([multiplier(p) for p in cells.ci_prob])
    half = (cells.ci_high - cells.ci_low).to_numpy() / 2
    spread = z * np.sqrt(cells.estimate * (100 - cells.estimate)).to_numpy()
    return float(((spread**2).sum() / (half * spread).sum()) ** 2)


def cells_of(
    people: pd.DataFrame, by: list[str], variant: Variant, b: float, ci_prob: float
) -> pd.DataFrame:
    """Weighted means and intervals of the components; see `estimator.Classical.cells`."""
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
        {c: over(sums[f"{c} total"].to_numpy(), sums[f"{c} base"].to_numpy()) for c in COMPONENTS},
        index=sums.index,
    )
    if variant == "text":
        wide["net_emigration"] = wide.emigration - wide.return_immigration
    variance = b * wide * (100 - wide) / sums.base.where(sums.base > 0).to_numpy()[:, None]
    error = np.sqrt(variance.where(variance >= 0))
    error["net_emigration"] = np.hypot(error.emigration, error.return_immigration)
    half = multiplier(ci_prob) * error
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


def _sums(people: pd.DataFrame, variant: Variant) -> pd.DataFrame:
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
