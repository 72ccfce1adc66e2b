"""How well a fit predicts what it has not seen: leave-one-out, and whole groups left out."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from bayesmig import attrs, contract
from bayesmig.errors import StudyError, unknown
from bayesmig.fitting import refit
from bayesmig.groups import add_groups
from bayesmig.ready import compiled_from
from bayesmig.study import load_study

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from arviz_stats import ELPDData

DIMS = ("chain", "draw")
DRAWS = 200  # of each refit, for the density of what was left out


def loo(fitted: xr.DataTree) -> ELPDData:
    """Return leave-one-out predictive density by Pareto-smoothed importance sampling.

    Of a graph that counts units alike together, one unit is left out at a time, as if none
    had been counted: what is the same for many of them is computed once.  Of a graph with
    several observed variables, one observation of any of them is.

    Parameters
    ----------
    fitted : DataTree

    Returns
    -------
    ELPDData
        ArviZ's, with ``elpd_i`` and ``pareto_k`` of each unit; ``az.compare`` takes a dict
        of them, of fits of the same units.

    Raises
    ------
    StudyError
        If the fit was saved without its data.

    Examples
    --------
    >>> import warnings
    >>> import bayesmig as bm
    >>> with warnings.catch_warnings():  # ArviZ: few cells, each with a term of its own
    ...     warnings.simplefilter("ignore")
    ...     found = bm.loo(fit)
    >>> found.n_data_points, found.elpd_i.dims
    (20, ('unit',))
    """
    part = load_study(fitted.attrs["study"]).ability(contract.Pointwise)
    if part is not None:
        return _weighted(fitted, *part.pointwise(fitted))
    group = add_groups(fitted, ("log_likelihood",))["log_likelihood"].to_dataset()
    size = [group.sizes[d] for d in DIMS]
    flat = [a.transpose(*DIMS, ...).values.reshape(*size, -1) for a in group.values()]
    labels = [
        f"{name}[{i}]" for name, a in zip(group, flat, strict=True) for i in range(a.shape[-1])
    ]
    coords = {d: group[d].values for d in DIMS}
    whole = xr.DataArray(np.concatenate(flat, -1), coords, (*DIMS, "cell"))
    return _weighted(
        fitted, whole, xr.DataArray(np.arange(len(labels)), {"unit": labels}, ("unit",))
    )


def _weighted(fitted: xr.DataTree, likelihood: xr.DataArray, cell: xr.DataArray) -> ELPDData:
    """Leave-one-out of units, from the log-likelihood of cells of units alike."""
    import arviz as az
    from scipy.special import logsumexp

    tree = xr.DataTree.from_dict(
        {
            "posterior": fitted["posterior"].to_dataset(),
            "log_likelihood": likelihood.transpose(*DIMS, "cell").to_dataset(name="unit"),
        }
    )
    with warnings.catch_warnings():  # of units that predict alike: said for cells, not for units
        warnings.filterwarnings("ignore", message="The point-wise LOO is the same")
        of_cell = az.loo(tree, pointwise=True, var_name="unit")
    each = of_cell.elpd_i.values[cell.values]
    samples = likelihood.sizes["chain"] * likelihood.sizes["draw"]
    axes = tuple(likelihood.get_axis_num(d) for d in DIMS)
    fitted_density = logsumexp(likelihood.values, axis=axes) - np.log(samples)
    units = len(each)
    found: ELPDData = replace(
        of_cell,
        elpd=float(each.sum()),
        se=float(np.sqrt(units * each.var(ddof=1))),
        p=float((fitted_density[cell.values] - each).sum()),
        n_data_points=units,
        elpd_i=cell.copy(data=each),
        pareto_k=cell.copy(data=of_cell.pareto_k.values[cell.values]),
        log_weights=None,
    )
    return found


def kfold(
    fitted: xr.DataTree,
    groups: Sequence[str] | None = None,
    *,
    folds: int | None = None,
    seed: int = 1,
    executor: Executor | None = None,
    **settings: Any,
) -> ELPDData:
    """Return the predictive density of whole groups, left out and predicted from the others.

    The graph is compiled once.  A group left out is a new one: its effects are drawn from
    the population of groups that the others tell of.

    Parameters
    ----------
    fitted : DataTree
    groups : sequence of str, optional
        Groups to leave out; all by default.
    folds : int, optional
        How many groups of groups are left out together, drawn at random; each group alone
        by default.
    seed : int
    executor : concurrent.futures.Executor, optional
        Where to run the refits.
    **settings
        Of `bayesmig.refit`: ``draws``, ``tune``, ``chains``, ``progress``, ``sampling``; by
        default the fit's own.

    Returns
    -------
    ELPDData
        ``elpd_i`` (group): log density of all answers of each group together.

    Raises
    ------
    StudyError
        If the study has no groups to leave out, or for an unknown one.

    Examples
    --------
    >>> import bayesmig as bm
    >>> bm.kfold(fit, folds=10)
    Traceback (most recent call last):
        ...
    bayesmig.errors.StudyError: folds must be 2 to 4 of these groups, got 10
    """
    from arviz_stats import ELPDDataLOOKFold

    study = load_study(fitted.attrs["study"])
    part = study.ability(contract.HoldsOut)
    if part is None:
        raise StudyError(f"study {study.name!r} has no groups to leave out")
    known = list(part.groups(fitted))
    chosen = known if groups is None else list(dict.fromkeys(groups))
    for label in chosen:
        if label not in known:
            raise StudyError(unknown("group", label, known))
    number = len(chosen) if folds is None else folds
    least = 1 if len(chosen) < len(known) - 1 else 2
    if not least <= number <= len(chosen):
        raise StudyError(f"folds must be {least} to {len(chosen)} of these groups, got {number}")
    mixed = [chosen[i] for i in np.random.default_rng(seed).permutation(len(chosen))]
    said: dict[str, Any] = {n: int(fitted.attrs[n]) for n in ("draws", "tune", "chains")}
    said |= {"sampling": attrs.unpack(fitted.attrs, "sampler_settings", dict)}
    said |= {"progress": False, "seed": seed, **settings}
    ready = compiled_from(fitted)

    split = [part.split(fitted, mixed[i::number]) for i in range(number)]
    fits = refit(ready, data=[kept for kept, _ in split], executor=executor, **said)
    densities = [
        part.held_out(fit, left, draws=DRAWS, seed=seed)
        for fit, (_, left) in zip(fits, split, strict=True)
    ]
    each = xr.concat(densities, "group")
    each = each.sel(group=chosen)
    return ELPDDataLOOKFold(
        elpd=float(each.sum()),
        se=float(np.sqrt(len(chosen) * each.values.var())),
        p=float("nan"),
        n_samples=fitted["posterior"].sizes["chain"] * fitted["posterior"].sizes["draw"],
        n_data_points=len(chosen),
        scale="log",
        warning=False,
        good_k=float("nan"),
        elpd_i=each,
        n_folds=number,
    )
