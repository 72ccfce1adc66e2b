"""A fit of the toy study that nothing was sampled for: what a file of one looks like."""

import json

import numpy as np
import toy
import xarray as xr
from toy.simulate import SLOPES

from bayesmig.comparison import spread
from bayesmig.results import as_dataset
from bayesmig.saving import FORMAT

CHAINS, DRAWS, PEOPLE = 2, 40, 12


def fit(seed=0):
    """A DataTree that `bm.save_fit` and `bm.open_fit` take for a fit."""
    rng = np.random.default_rng(seed)
    shape = (CHAINS, DRAWS)
    where = {"chain": range(CHAINS), "draw": range(DRAWS)}
    posterior = xr.Dataset(
        {
            "slope": (("chain", "draw", "outcome"), rng.normal(size=(*shape, len(SLOPES)))),
            "gap": (("chain", "draw"), rng.lognormal(size=shape)),
            "of_person": (("chain", "draw", "person"), rng.normal(size=(*shape, PEOPLE))),
        },
        coords={**where, "outcome": list(SLOPES), "person": range(PEOPLE)},
        attrs={"derived": "of_person"},
    )
    data = toy.study.simulate(seed=seed, people=PEOPLE)
    estimands = toy.study.estimands(posterior, data)
    stats = {name: (("chain", "draw"), rng.normal(size=shape)) for name in ("energy", "logp")}
    stats["diverging"] = (("chain", "draw"), np.zeros(shape, bool))
    tree = xr.DataTree.from_dict(
        {
            "posterior": posterior,
            "estimands": estimands,
            "prior_spread": spread(estimands),
            "published": as_dataset(toy.study.targets(data, estimands)),
            "sample_stats": xr.Dataset(stats, coords=where),
            "observed_data": data[["income"]],
            "constant_data": data[["distance"]],
            "data": data,
        }
    )
    tree.attrs = {
        "format": FORMAT,
        **{"study": "toy", "title": toy.study.title, "citation": toy.study.citation},
        **{"data_title": data.attrs["title"], "synthetic": 1, "own_data": 0, "fingerprint": ""},
        **{"options": json.dumps(toy.study.options), "diagnostics": '{"divergences": 0}'},
        **{"versions": "{}", "interrupted": "", "prior_set": "default"},
        **{"priors": str(toy.study.priors()), "priors_toml": toy.study.priors().to_toml()},
        **{"seed": 1, "draws": DRAWS, "tune": DRAWS, "chains": CHAINS},
    }
    return tree
