"""What households do to the printed standard errors: people who share effects, fitted as if not.

    python -m bayesmig.models.social_capital.households

The paper's respondents live in households, and its logit does not know it.  Two answers, both of
synthetic twins of the paper's size in whose households people share effects: ``results/households``
has the posterior of one twin as the paper fits it, with municipalities alone, and with households,
too; ``results/household_errors`` how far the paper's estimates scatter over many twins, beside the
standard errors that they come with.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

import bayesmig as bm
from bayesmig.diagnostics import table_of
from bayesmig.models.social_capital.design import design
from bayesmig.models.social_capital.geometry import geometry
from bayesmig.models.social_capital.paper import CONTRASTS
from bayesmig.stored import Stored

TABLES, SEED, TWINS = Stored(Path(__file__).parent), 1, 100
SPREADS = (0.0, 0.5, 1.0)  # of the households' effects, on the logit
FITS = {
    "municipalities": "municipality",
    "households, too": ["household", "municipality"],
}
OF_HOUSEHOLDS = ("network", "household_migrations", "log_expenditure", "robbery")
OF_MUNICIPALITIES = ("urban",)


def kind(term: str) -> str:
    """Say what shares a column's values: households, municipalities or nobody.

    Examples
    --------
    >>> kind("network: close"), kind("urban"), kind("male")
    ('households', 'municipalities', 'persons')
    """
    name = term.split(":")[0]
    if name in OF_HOUSEHOLDS:
        return "households"
    return "municipalities" if name in OF_MUNICIPALITIES else "persons"


def fits() -> dict[str, xr.DataTree]:
    """Fit one twin with municipalities, and with households, too."""
    study = bm.load_study("social_capital")
    data = study.simulate(seed=SEED, household_sd=SPREADS[-1])
    return {
        label: bm.fit(study, data, group=group, seed=SEED, progress=False)
        for label, group in FITS.items()
    }


def beside(fitted: dict[str, xr.DataTree]) -> pd.DataFrame:
    """Return means and standard deviations of the printed coefficients, either way.

    Returns
    -------
    DataFrame
        By contrast and term: of each fit ``mean`` and ``sd``, the ratio of the two standard
        deviations, and that of means over standard deviations.
    """
    found = []
    for letter, pair in CONTRASTS.items():
        draws = [
            fit["estimands"].to_dataset()["coefficient"].sel(contrast=":".join(pair))
            for fit in fitted.values()
        ]
        alone, both = (
            pd.DataFrame(
                {
                    "mean": one.mean(("chain", "draw")).to_series(),
                    "sd": one.std(("chain", "draw"), ddof=1).to_series(),
                }
            )
            for one in draws
        )
        table = alone.join(both, lsuffix=", municipalities", rsuffix=", households, too")
        table["ratio of sd"] = both["sd"] / alone["sd"]
        table["ratio of mean / sd"] = (both["mean"] / both["sd"]) / (alone["mean"] / alone["sd"])
        found.append(table.rename_axis("term").reset_index().assign(contrast=letter))
    return pd.concat(found).set_index(["contrast", "term"])


def scatter(household_sd: float, twins: int = TWINS) -> pd.DataFrame:
    """Compare the scatter of the paper's estimates over twins with their standard errors.

    Parameters
    ----------
    household_sd : float
        Of the effects that people of a household share, on the logit.
    twins : int
        Of the paper's size, other people in each.

    Returns
    -------
    DataFrame
        By contrast (A and C) and kind of column: root mean square over columns of the ratio,
        and its standard error by the jackknife over twins.
    """
    estimates, errors = [], []
    study = bm.load_study("social_capital")
    for seed in range(twins):
        table = design(study.simulate(seed=seed, household_sd=household_sd))
        near = geometry(table)
        shape = near.centre[0].shape
        estimates.append(near.centre[0, :, 1:])
        errors.append(np.sqrt((near.root[0] ** 2).sum(1)).reshape(shape)[:, 1:])
    of_term = np.array([kind(term) for term in table.terms])
    found = []
    for k, letter in enumerate("AC"):
        for what in ("households", "municipalities", "persons"):
            own = np.ix_(range(twins), [k], np.flatnonzero(of_term == what))
            e, s = np.array(estimates)[own][:, 0], np.array(errors)[own][:, 0]
            left_out = [_ratio(np.delete(e, i, 0), np.delete(s, i, 0)) for i in range(twins)]
            spread = np.sqrt((twins - 1) * np.var(left_out))
            found.append(
                {
                    "household_sd": household_sd,
                    "contrast": letter,
                    "columns of": what,
                    "scatter / standard error": _ratio(e, s),
                    "se": spread,
                }
            )
    return pd.DataFrame(found)


def _ratio(estimates: NDArray[np.float64], errors: NDArray[np.float64]) -> float:
    """Root mean square, over columns, of sd over the root mean square of standard errors."""
    return float(np.sqrt((estimates.var(0, ddof=1) / (errors**2).mean(0)).mean()))


if __name__ == "__main__":
    of = TABLES.origin(__spec__.name, [], SEED)
    every = pd.concat([scatter(sd) for sd in SPREADS])
    print(TABLES.write("results/household_errors", every, of), flush=True)
    made = fits()
    print(TABLES.write("results/households", beside(made), of))
    print(TABLES.write("results/household_sampling", table_of(made, "groups"), of))
