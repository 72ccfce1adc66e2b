"""What a fit says of a survey that it has not seen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from scipy.special import logsumexp

from bayesmig import evaluate
from bayesmig.ready import built_from
from bayesmig.saving import data_of

PERSON = "respondent"
DIMS = ("chain", "draw")
WHERE = {"respondents": "cell_survey", "sampled_mean_trips": "trips_survey"}  # surveys of each


def groups(fitted: xr.DataTree) -> list[str]:
    """Return the years of the surveys, which can be left out one by one."""
    years = np.unique(data_of(fitted, "the respondents")["survey_year"].values)
    return [str(year) for year in years]


def split(fitted: xr.DataTree, groups: Sequence[str]) -> tuple[xr.Dataset, xr.Dataset]:
    """Return the respondents of other surveys, and those of the surveys named."""
    data = data_of(fitted, "the respondents")
    out = np.isin(data["survey_year"].values.astype(str), list(groups))
    title = data.attrs["title"]
    kept, left = (data.isel({PERSON: np.flatnonzero(rows)}) for rows in (~out, out))
    return (
        kept.assign_attrs(title=f"{title}, without {len(groups)} surveys"),
        left.assign_attrs(title=f"{title}, {len(groups)} surveys left out"),
    )


def held_out(fitted: xr.DataTree, data: xr.Dataset, *, draws: int, seed: int) -> xr.DataArray:
    """Return the log predictive density (group) of each of other surveys: answers and mean trips.

    The mean of the density over draws of the parameters.  Errors of mean trips are of all surveys
    together, those of the fit among them.

    Parameters
    ----------
    fitted : DataTree
    data : Dataset
        Respondents of surveys that the fit has not.
    draws : int
        Of the posterior, thinned from all.
    seed : int
        Nothing is drawn.
    """
    built = built_from(fitted)
    both = xr.concat(
        [built.data, data], PERSON,
        data_vars="minimal", coords="minimal", compat="override", combine_attrs="override",
    )  # fmt: skip
    model = built.study.model(both, built.priors, built.options)
    posterior = fitted["posterior"].to_dataset().stack(sample=DIMS, create_index=False)
    posterior = posterior.isel(sample=slice(None, None, max(1, posterior.sizes["sample"] // draws)))
    point = {rv.name: posterior[rv.name].transpose("sample", ...).values for rv in model.free_RVs}
    terms = evaluate.log_likelihood(model, point)
    first = data.attrs["first_year"]
    years = np.unique(data["survey_year"].values)
    found = []
    for year in years:
        total = np.zeros(posterior.sizes["sample"])
        for name, index in WHERE.items():
            total += terms[name][:, model[index].get_value() == year - first].sum(axis=1)
        found.append(logsumexp(total) - np.log(len(total)))
    return xr.DataArray(found, {"group": years.astype(str)}, ("group",), name="log_density")
