"""Seven regressions on one covariate: every kind of outcome that PyMC wraps in its own way."""

from typing import Any, Literal

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import xarray as xr

from bayesmig.priors import PriorSet
from toy.data import OUTCOMES, TRIALS

Noise = Literal["known", "learned"]


def build(
    data: xr.Dataset, priors: PriorSet, *, noise: Noise = "known", dispersion: float = 3.0
) -> pm.Model:
    """Build the graph: slope (outcome), cut (threshold); seven observed variables (person)."""
    coords = {
        "outcome": OUTCOMES,
        "threshold": ["low", "high"],
        "person": data.person.values,
        "choice": ["home", "near", "far"],
    }
    with pm.Model(coords=coords) as model:
        x = pm.Data("distance", data["distance"].values, dims="person")
        slope = priors.variable("slope", "outcome")
        gap = priors.variable("gap", support="positive")
        cut = pm.Deterministic("cut", pt.stack([-gap, gap]) - 0.15, dims="threshold")
        sigma: Any = 1.0
        if noise == "learned":
            sigma = priors.variable("sigma", support="positive")
        eta = {name: slope[i] * x for i, name in enumerate(OUTCOMES)}

        def seen(name: str) -> dict[str, Any]:
            return {"observed": pm.Data(f"{name}_seen", data[name].values), "dims": "person"}

        pm.Normal("income", eta["income"], sigma, **seen("income"))
        pm.Bernoulli("moved", logit_p=eta["moved"], **seen("moved"))
        pm.Binomial("letters", n=TRIALS, logit_p=eta["letters"], **seen("letters"))
        pm.Poisson("visits", pt.exp(eta["visits"]), **seen("visits"))
        pm.NegativeBinomial("calls", mu=pt.exp(eta["calls"]), alpha=dispersion, **seen("calls"))
        zero = pt.zeros_like(x)
        logits = pt.stack([zero, zero, eta["place"]], axis=1)
        pm.Categorical("place", logit_p=logits, **seen("place"))
        pm.OrderedLogistic(
            "satisfaction", eta=eta["satisfaction"], cutpoints=cut, compute_p=False,
            **seen("satisfaction"),
        )  # fmt: skip
    assert np.all(np.isfinite(data["distance"].values))
    return model
