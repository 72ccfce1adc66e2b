"""Groups of a fit that are computed from its draws: likelihood, prior, predictive."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import xarray as xr

from bayesmig import contract, evaluate, observed
from bayesmig.errors import StudyError, unknown
from bayesmig.ready import Built, build, built_from

if TYPE_CHECKING:
    from bayesmig.study import Study

GROUPS = ("log_likelihood", "log_prior", "prior", "posterior_predictive")
DIMS = ("chain", "draw")
MOST = 500_000_000  # numbers in one group: 4 GB


def add_groups(fitted: xr.DataTree, groups: Iterable[str], seed: int = 1) -> xr.DataTree:
    """Return a fit with more groups: log_likelihood, log_prior, prior, posterior_predictive.

    With ``prior`` come ``prior_predictive`` and ``prior_estimands``.  The graph is built again
    from what the fit says of itself; nothing is sampled anew.

    Parameters
    ----------
    fitted : DataTree
    groups : iterable of str
    seed : int
        Of what is drawn.

    Returns
    -------
    DataTree
        ``log_likelihood`` has a variable for each observed one, pointwise: by person where
        a graph counts people alike together.

    Raises
    ------
    StudyError
        For an unknown group, more numbers than memory should hold, or draws of a prior with a
        potential, which draws ignore.

    Examples
    --------
    >>> import bayesmig as bm
    >>> more = bm.add_groups(fit, ["posterior_predictive"])
    >>> more["posterior_predictive"]["components"].dims
    ('chain', 'draw', 'cell', 'component')
    """
    return with_groups(fitted.copy(), built_from(fitted), known(groups), seed)


def prior_predictive(
    study: Study | str,
    data: Any,
    priors: Any = None,
    *,
    draws: int = 500,
    seed: int = 1,
    **options: Any,
) -> xr.DataTree:
    """Draw parameters, estimands and data from the prior, through the graph.

    Parameters
    ----------
    study : Study or str
    data : Dataset or DataFrame
        Gives sizes and covariates.
    priors
        As for `bayesmig.fit`.
    draws, seed : int
    **options
        Of the graph.

    Returns
    -------
    DataTree
        Groups ``prior``, ``prior_predictive`` and ``estimands``, dims (chain, draw, ...)
        with one chain.

    Examples
    --------
    >>> import bayesmig as bm
    >>> study = bm.load_study("emigration")
    >>> drawn = bm.prior_predictive(study, study.example(table=7), draws=20)
    >>> dict(drawn["estimands"]["emigration"].sizes)
    {'chain': 1, 'draw': 20, 'cell': 4}
    """
    built = build(study, data, priors, **options)
    prior, predictive = _prior(built, draws, seed)
    return xr.DataTree.from_dict(
        {
            "prior": prior,
            "prior_predictive": predictive,
            "estimands": built.study.estimands(prior, built.data),
        }
    )


class Replicated(NamedTuple):
    """What a fit's graph draws: estimands under the prior, and data from its posterior.

    Attributes
    ----------
    prior : Dataset or None
        Estimands; the draws that the fit's ``prior_spread`` is of.  None of a prior with a
        potential, which draws ignore.
    observed : Dataset
        Values of the observed variables.
    drawn : Dataset
        The same from the posterior, (chain, draw, ...).
    """

    prior: xr.Dataset | None
    observed: xr.Dataset
    drawn: xr.Dataset


def replicated(fitted: xr.DataTree, draws: int = 400) -> Replicated:
    """Build a fit's graph again and draw what pictures of a fit need.

    Parameters
    ----------
    fitted : DataTree
    draws : int
        Draws of the posterior to draw data from, thinned from all.

    Raises
    ------
    StudyError
        If the fit has not all that its graph is built of.
    """
    built, seed = built_from(fitted), int(fitted.attrs["seed"])
    model = built.simulating()
    posterior = fitted["posterior"].to_dataset()
    every = max(1, posterior.sizes["chain"] * posterior.sizes["draw"] // draws)
    thin = posterior.isel(draw=slice(None, None, every))
    point = {rv.name: thin[rv.name].values for rv in built.model.free_RVs}
    values = evaluate.predictive(model, point, seed)
    return Replicated(
        None if built.potentials else built.prior_estimands(seed),
        evaluate.dataset(model, observed.values(model), ()),
        evaluate.dataset(model, values, DIMS),
    )


def known(groups: Iterable[str]) -> tuple[str, ...]:
    """Return the groups asked for, checked."""
    groups = (groups,) if isinstance(groups, str) else tuple(groups)
    for group in groups:
        if group not in GROUPS:
            raise StudyError(unknown("group", group, GROUPS))
    return groups


def with_groups(
    fitted: xr.DataTree, built: Built, groups: tuple[str, ...], seed: int
) -> xr.DataTree:
    """Put groups into a fit of a built graph."""
    posterior = fitted["posterior"].to_dataset()
    point = {rv.name: posterior[rv.name].values for rv in built.model.free_RVs}
    found: dict[str, xr.Dataset] = {}
    if "log_likelihood" in groups:
        found["log_likelihood"] = _by_unit(fitted, built)
    if "log_prior" in groups:
        values = evaluate.log_prior(built.model, point)
        found["log_prior"] = evaluate.dataset(built.model, values, DIMS)
    if {"posterior_predictive", "prior"} & set(groups):
        model = built.simulating()
        if "posterior_predictive" in groups:
            values = evaluate.predictive(model, point, seed)
            found["posterior_predictive"] = evaluate.dataset(model, values, DIMS)
            # what is drawn and what was seen, side by side: also what nobody answered
            found["observed_data"] = evaluate.dataset(model, observed.values(model), ())
        if "prior" in groups:
            prior, drawn = _prior(built, posterior.sizes["draw"], seed)
            found["prior"], found["prior_predictive"] = prior, drawn
            found["prior_estimands"] = built.study.estimands(prior, built.data)
    for name, group in found.items():
        fitted[name] = xr.DataTree(group)
    return fitted


def log_likelihood(fitted: xr.DataTree, built: Built) -> xr.Dataset:
    """Return the log-likelihood of the graph's own observations, of however many units each is."""
    posterior = fitted["posterior"].to_dataset()
    point = {rv.name: posterior[rv.name].values for rv in built.model.free_RVs}
    return evaluate.dataset(built.model, evaluate.log_likelihood(built.model, point), DIMS)


def _by_unit(fitted: xr.DataTree, built: Built) -> xr.Dataset:
    """Log-likelihood of each unit, also where the graph counts units alike together."""
    part = built.study.ability(contract.Pointwise)
    if part is None:
        return log_likelihood(fitted, built)
    likelihood, cell = part.pointwise(fitted)
    draws = likelihood.sizes["chain"] * likelihood.sizes["draw"]
    if draws * cell.size > MOST:
        raise StudyError(
            f"log_likelihood of {cell.size} units at {draws} draws is more than memory should "
            "hold; bayesmig.loo(fit) needs units alike once"
        )
    found: xr.Dataset = likelihood.isel(cell=cell).to_dataset()
    return found


def _prior(built: Built, draws: int, seed: int) -> tuple[xr.Dataset, xr.Dataset]:
    if built.potentials:
        raise StudyError(
            f"study {built.study.name!r}: a prior with the potential {built.potentials} cannot be "
            "drawn from, for no draw knows that"
        )
    model = built.simulating()
    values = {n: v[None] for n, v in evaluate.prior_draws(model, draws, seed).items()}
    seen = {rv.name for rv in model.observed_RVs}
    return (
        evaluate.dataset(model, {n: v for n, v in values.items() if n not in seen}, DIMS),
        evaluate.dataset(model, {n: v for n, v in values.items() if n in seen}, DIMS),
    )
