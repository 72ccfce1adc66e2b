"""Return within five years as a PyMC model: eq. 1 of the paper, with groups pooled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from bayesmig.coordinates import effects

if TYPE_CHECKING:
    import pymc as pm
    import xarray as xr

    from bayesmig.priors import PriorSet

Pooling = Literal["partial", "none"]


def build(data: xr.Dataset, priors: PriorSet, *, pooling: Pooling = "partial") -> pm.Model:
    """Build the graph of groups of any number.

    Parameters
    ----------
    data : Dataset
        ``people`` and ``returned``, counts, dims (group).
    priors : PriorSet
    pooling : {"partial", "none"}
        Whether groups are drawn towards each other, or each has a prior of its own.

    Returns
    -------
    pm.Model
        ``logit`` and ``rate`` (group), the probability of return (eq. 1); with partial
        pooling ``intercept`` and ``group_scale``, logits.  Observed: ``count`` (group).
    """
    import pymc as pm

    with pm.Model(coords={"group": data["group"].values.tolist()}) as model:
        if pooling == "partial":
            mean = priors.variable("intercept")
            scale = priors.variable("group_scale", support="positive")
            logit = effects("logit", scale, priors.centering("group_scale"), "group", mean=mean)
        else:
            logit = priors.variable("logit", "group")
        rate = pm.Deterministic("rate", pm.math.invlogit(logit), dims="group")
        people = pm.Data("people", data["people"].values, dims="group")
        returned = pm.Data("returned", data["returned"].values, dims="group")
        pm.Binomial("count", people, rate, observed=returned, dims="group")
    return model
