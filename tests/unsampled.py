"""What looks like a fit and was not sampled: draws of the prior in the place of the posterior's.

What follows from draws can be looked at on any, and no graph is compiled for it.
"""

import numpy as np
import xarray as xr

from bayesmig import evaluate
from bayesmig.ready import build
from bayesmig.results import as_dataset, begun

CHAINS, DRAWS = 2, 50


def unsampled(study, data, priors=None, seed=1, **options):
    """Return all that a fit has, from draws of its prior."""
    built = build(study, data, priors, **options)
    values = evaluate.prior_draws(built.model, CHAINS * DRAWS, seed, observed=False)
    shaped = {name: v.reshape(CHAINS, DRAWS, *v.shape[1:]) for name, v in values.items()}
    posterior = evaluate.dataset(built.model, shaped, ("chain", "draw"))
    posterior.attrs["derived"] = ",".join(v.name for v in built.model.deterministics)
    settings = {"seed": seed, "draws": DRAWS, "tune": 0, "chains": CHAINS, "interrupted": ""}
    fitted = begun(built, built.prior_estimands(seed), settings)
    estimands = study.estimands(posterior, built.data, **options)
    fitted["posterior"], fitted["estimands"] = xr.DataTree(posterior), xr.DataTree(estimands)
    fitted["published"] = xr.DataTree(as_dataset(study.targets(built.data, estimands)))
    lead = ("chain", "draw")
    stats = {"diverging": (lead, np.zeros((CHAINS, DRAWS), bool))}
    where = {name: posterior[name] for name in lead}
    fitted["sample_stats"] = xr.DataTree(xr.Dataset(stats, coords=where))
    return fitted
