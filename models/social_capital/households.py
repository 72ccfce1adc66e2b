"""What households do to the printed standard errors: people who share effects, fitted as if not.

    python -m bayesmig.models.social_capital.households [NAME ...]

The paper's respondents live in households, and its logit does not know it.  Two answers, both of
synthetic twins of the paper's size in whose households people share effects: how far the paper's
estimates scatter over many twins, beside the standard errors that they come with
(``results/household_errors``), and the posterior of one twin as the paper fits it, with
municipalities alone, and with households, too (``results/households``,
``results/household_sampling``).
"""

from __future__ import annotations

import sys
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
    """Compare posteriors of the printed coefficients, without and with households.

    Returns
    -------
    DataFrame
        By contrast and kind of column: how many columns, and the medians over them of the ratio of
        the two posterior standard deviations, of the two means, and of means in standard
        deviations (a household's effects given, coefficients are larger).
    """
    alone, both = (_moments(fit) for fit in fitted.values())
    ratios = pd.DataFrame(
        {
            "sd": both["sd"] / alone["sd"],
            "mean": both["mean"] / alone["mean"],
            "mean / sd": (both["mean"] / both["sd"]) / (alone["mean"] / alone["sd"]),
        }
    ).reset_index()
    ratios["columns of"] = ratios.term.map(kind)
    grouped = ratios.groupby(["contrast", "columns of"], sort=False)
    found = grouped[["sd", "mean", "mean / sd"]].median().add_prefix("ratio of ")
    found.insert(0, "columns", grouped.size())
    return found.reset_index().set_index("contrast")


def _moments(fit: xr.DataTree) -> pd.DataFrame:
    """Posterior means and standard deviations by contrast and term."""
    found = []
    for letter, pair in CONTRASTS.items():
        draws = fit["estimands"].to_dataset()["coefficient"].sel(contrast=":".join(pair))
        table = pd.DataFrame(
            {
                "mean": draws.mean(("chain", "draw")).to_series(),
                "sd": draws.std(("chain", "draw"), ddof=1).to_series(),
            }
        )
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
    return pd.DataFrame(found).set_index("household_sd")


def _ratio(estimates: NDArray[np.float64], errors: NDArray[np.float64]) -> float:
    """Root mean square, over columns, of sd over the root mean square of standard errors."""
    return float(np.sqrt((estimates.var(0, ddof=1) / (errors**2).mean(0)).mean()))


def run(name: str) -> dict[str, pd.DataFrame]:
    """Make the tables of one of the two answers: ``errors`` or ``posterior``."""
    if name == "errors":
        return {"household_errors": pd.concat([scatter(sd) for sd in SPREADS])}
    made = fits()
    return {"households": beside(made), "household_sampling": table_of(made, "groups")}


if __name__ == "__main__":
    for each in sys.argv[1:] or ("errors", "posterior"):
        of = TABLES.origin(__spec__.name, [each], SEED)
        for table_name, table in run(each).items():
            print(TABLES.write(f"results/{table_name}", table, of), flush=True)
