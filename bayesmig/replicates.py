"""Parameters from the prior and data from the graph, drawn together."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from bayesmig import evaluate
from bayesmig.compiled import compile_graph
from bayesmig.keeping import flat
from bayesmig.ready import Built

if TYPE_CHECKING:
    import pymc as pm

# Where a potential is a factor of the prior
CHAINS, TUNE, THIN = 4, 1000, 20


def replicates(built: Built, n: int, seed: int) -> dict[str, np.ndarray]:
    """Draw parameters, what is derived of them, and observed variables.

    A prior with a potential has no generator: NUTS samples it, on the graph without what it
    observes, and every twentieth draw is kept.

    Parameters
    ----------
    built : Built
    n, seed : int

    Returns
    -------
    dict of str to ndarray
        Free, derived and observed variables, (draw, *shape), natural scale.

    Examples
    --------
    >>> import bayesmig as bm
    >>> from bayesmig.ready import build
    >>> study = bm.load_study("emigration")
    >>> drawn = replicates(build(study, study.example(table=7)), n=3, seed=1)
    >>> drawn["components"].shape[0]
    3
    """
    if not built.potentials:
        return evaluate.prior_draws(built.model, n, seed)
    point = _by_nuts(built, n, seed)
    return {**point, **evaluate.predictive(built.model, point, seed)}


def _by_nuts(built: Built, n: int, seed: int) -> dict[str, np.ndarray]:
    """Free and derived variables under the prior, its potentials counted."""
    prior = _unobserved(built.model)
    density = compile_graph(prior)[0].bind(prior, seed)
    asked = {"chains": CHAINS, "tune": TUNE, "draws": THIN * math.ceil(n / CHAINS)}
    raw = density.sample(seed=seed, progress=False, **{**built.sampling, **asked})
    values = evaluate.parameters(prior, density.split(flat(raw)))
    kept = {name: np.concatenate(value[:, THIN - 1 :: THIN]) for name, value in values.items()}
    order = np.random.default_rng(seed).permutation(CHAINS * math.ceil(n / CHAINS))[:n]
    return {name: value[order] for name, value in kept.items()}


def _unobserved(model: pm.Model) -> pm.Model:
    """Return the model without what it observes.

    PyMC's ``do`` refuses variables that start elsewhere than at their middle: they are told
    afterwards where.
    """
    import pymc as pm

    starts = dict(model.rvs_to_initial_values)
    model.rvs_to_initial_values.update(dict.fromkeys(starts))
    try:
        seen = {rv: np.zeros_like(model.rvs_to_values[rv].eval()) for rv in model.observed_RVs}
        prior = pm.do(model, seen)
    finally:
        model.rvs_to_initial_values.update(starts)
    for rv, start in starts.items():
        if start is not None:
            prior.set_initval(prior[rv.name], start)
    return prior
