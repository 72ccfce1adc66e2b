"""What do the priors decide: power-scaling sensitivity."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from bayesmig.errors import PriorWarning, StudyError, warn
from bayesmig.groups import log_likelihood, with_groups
from bayesmig.ready import built_from
from bayesmig.study import load_study

if TYPE_CHECKING:
    import pandas as pd


def sensitivity(fitted: xr.DataTree, quantity: str | None = None) -> pd.DataFrame:
    """Power-scaling sensitivity of the estimands to the priors and to the likelihood.

    Only the priors of the study's own parameters are scaled, not the density of the
    effects that they govern, which ArviZ would scale too.  A flat density to any power is
    itself: what such a prior decides is not seen, and only a fit with another prior tells.

    Parameters
    ----------
    fitted : DataTree
    quantity : str, optional
        One of the estimands; all of them by default.

    Raises
    ------
    StudyError
        For an unknown quantity.

    Warns
    -----
    PriorWarning
        Naming the priors that power scaling cannot see; they are in ``attrs["unseen"]``, too.

    Returns
    -------
    DataFrame
        ``prior`` and ``likelihood`` sensitivity and ArviZ's ``diagnosis`` per quantity;
        ``attrs["scaled"]`` names the densities that were scaled as the prior.

    Examples
    --------
    >>> import bayesmig as bm
    >>> list(bm.sensitivity(fit, "emigration").columns)
    ['prior', 'likelihood', 'diagnosis']
    """
    import arviz as az

    built = built_from(fitted)
    whole = with_groups(fitted.copy(), built, ("log_prior",), seed=1)
    population = set(load_study(fitted.attrs["study"]).priors().specs)
    log_prior = whole["log_prior"].to_dataset()
    names = [name for name in map(str, log_prior) if _of_parameters(name, population)]
    estimands = whole["estimands"].to_dataset()
    if quantity is not None:
        if quantity not in estimands:
            raise StudyError(f"no quantity {quantity!r}; it has {', '.join(map(str, estimands))}")
        estimands = estimands[[quantity]]
    tree = xr.DataTree.from_dict(
        {
            "posterior": estimands,
            "log_prior": log_prior,
            "log_likelihood": log_likelihood(fitted, built),
        }
    )
    unseen = [name for name in names if _flat(log_prior[name])]
    if unseen:
        warn(
            f"power scaling cannot see what flat priors decide, here of {', '.join(unseen)}: "
            "refit with others",
            PriorWarning,
        )
    with np.errstate(invalid="ignore"):  # a constant has no density to compare
        table = az.psense_summary(tree, prior_var_names=names, round_to=12)
    table.attrs |= {"unseen": unseen, "scaled": names}
    return table


def _flat(density: xr.DataArray) -> bool:
    """Whether a log density is the same in all draws."""
    return bool((density.std(("chain", "draw")) < 1e-9).all())


def _of_parameters(name: str, priors: set[str]) -> bool:
    """Whether a density is of parameters: a prior's own, or part of one, called PRIOR_part."""
    prior, _, part = name.rpartition("_")
    return name in priors or (prior in priors and part != "raw")
