"""Seven regressions on one covariate: every kind of outcome that PyMC wraps in its own way."""

from typing import Any, Literal

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import xarray as xr

from bayesmig.priors import PriorSet
from toy.data import TRIALS, outcomes

Noise = Literal["known", "learned"]
Effect = Literal["linear", "square"]


def build(
    data: xr.Dataset,
    priors: PriorSet,
    *,
    noise: Noise = "known",
    effect: Effect = "linear",
    error: float = 1.0,
    dispersion: float = 3.0,
) -> pm.Model:
    """Build the graph: slope (outcome), cut (threshold); an observed variable for each outcome."""
    known = outcomes(data)
    coords = {
        "outcome": known,
        "threshold": ["low", "high"],
        "person": data.person.values,
        "choice": ["home", "near", "far"],
    }
    with pm.Model(coords=coords) as model:
        x = pm.Data("distance", data["distance"].values, dims="person")
        slope = priors.variable("slope", "outcome")
        gap = priors.variable("gap", support="positive")
        cut = pm.Deterministic("cut", pt.stack([-gap, gap]) - 0.15, dims="threshold")
        sigma: Any = pm.Data("error", error)
        if noise == "learned":
            sigma = priors.variable("sigma", support="positive")
        eta = {name: slope[i] * (x if effect == "linear" else x**2) for i, name in enumerate(known)}

        def seen(name: str) -> dict[str, Any]:
            return {"observed": pm.Data(f"{name}_seen", data[name].values), "dims": "person"}

        zero = pt.zeros_like(x)
        make = {
            "income": lambda eta, seen: pm.Normal("income", eta, sigma, **seen),
            "moved": lambda eta, seen: pm.Bernoulli("moved", logit_p=eta, **seen),
            "letters": lambda eta, seen: pm.Binomial("letters", n=TRIALS, logit_p=eta, **seen),
            "visits": lambda eta, seen: pm.Poisson("visits", pt.exp(eta), **seen),
            "calls": lambda eta, seen: pm.NegativeBinomial(
                "calls", mu=pt.exp(eta), alpha=dispersion, **seen
            ),
            "place": lambda eta, seen: pm.Categorical(
                "place", logit_p=pt.stack([zero, zero, eta], axis=1), **seen
            ),
            "satisfaction": lambda eta, seen: pm.OrderedLogistic(
                "satisfaction", eta=eta, cutpoints=cut, compute_p=False, **seen
            ),
        }
        for name in known:
            make[name](eta[name], seen(name))
    assert np.all(np.isfinite(data["distance"].values))
    return model
