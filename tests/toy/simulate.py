"""People of known truth, by NumPy's generators."""

import numpy as np
import xarray as xr

from bayesmig import truth as truths
from bayesmig.errors import DataError

FEW = ("income", "moved", "visits")  # what most tests need: seven kinds take long to compile
CUTS = np.array([-0.7, 0.4])
SLOPES = {
    "income": 1.2,
    "moved": 0.8,
    "letters": -0.5,
    "visits": 0.3,
    "calls": 0.4,
    "place": 0.9,
    "satisfaction": -0.6,
}


def simulate(
    truth: xr.Dataset | None = None, *, seed: int = 0, people: int = 80, every: bool = False
) -> xr.Dataset:
    """Simulate people with three outcomes, or every one of the seven.

    ``truth`` has ``slope`` (outcome) and ``cut`` (threshold).
    """
    asked = list(SLOPES) if every else list(FEW)
    if truth is None:
        truth = xr.Dataset(
            {"slope": ("outcome", list(SLOPES.values())), "cut": ("threshold", CUTS)},
            coords={"outcome": list(SLOPES), "threshold": ["low", "high"]},
        )
    if set(truth) != {"slope", "cut"}:
        raise DataError(f"the truth has {list(truth)}, not slope and cut")
    rng = np.random.default_rng(seed)
    x = rng.normal(size=people)
    slopes = SLOPES | dict(zip(truth.outcome.values, truth.slope.values, strict=True))
    eta = {name: slope * x for name, slope in slopes.items()}

    def chance(name):
        return 1 / (1 + np.exp(-eta[name]))

    near, far = np.ones(people), np.exp(eta["place"])
    place = rng.uniform(size=people) * (1 + near + far)
    latent = eta["satisfaction"] + rng.logistic(size=people)
    calls = rng.gamma(3.0, np.exp(eta["calls"]) / 3.0)
    columns = {
        "distance": x,
        "income": eta["income"] + rng.normal(size=people),
        "moved": rng.binomial(1, chance("moved")),
        "letters": rng.binomial(12, chance("letters")),
        "visits": rng.poisson(np.exp(eta["visits"])),
        "calls": rng.poisson(calls),
        "place": (place > 1).astype(int) + (place > 2),
        "satisfaction": (latent[:, None] > truth.cut.values).sum(1),
    }
    data = xr.Dataset(
        {name: ("person", columns[name]) for name in ("distance", *asked)},
        coords={"person": np.arange(people)},
        attrs={"title": f"SYNTHETIC people, seed {seed}", "synthetic": 1, "left_out": ""},
    )
    return truths.attach(data, truth.sel(outcome=asked))
