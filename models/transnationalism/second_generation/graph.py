"""Rates of groups behind rounded percentages without denominators (Tables 3 and 4).

A printed percentage says that the sample's rate is within half a unit of its last digit; the
sample's rate is binomial, of an effective size that is a parameter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pymc.distributions.dist_math import normal_lcdf
from pymc.math import logdiffexp

from bayesmig.coordinates import effects
from bayesmig.models.transnationalism.second_generation.design import (
    Balanced,
    Design,
    design,
    pairs,
)

if TYPE_CHECKING:
    import xarray as xr

    from bayesmig.priors import PriorSet

Sizes = Literal["prior", "given"]
Totals = Literal["used", "ignored"]
PERCENT = 100.0


def build(
    data: xr.Dataset, priors: PriorSet, *, sizes: Sizes = "prior", totals: Totals = "used"
) -> pm.Model:
    """Build the graph of a table of rates (Table 3 or 4).

    Parameters
    ----------
    data : Dataset
        As `data.from_frame` makes it.
    priors : PriorSet
    sizes : {"prior", "given"}
        Whether effective sample sizes are parameters around those of the data, or these.
    totals : {"used", "ignored"}
        Whether the row of totals, where there is one, says what it says of the groups'
        shares.  With given sizes it says nothing and is not used.

    Returns
    -------
    pm.Model
        Free: ``measure_mean`` (measure), a logit; ``measure_scale`` (measure), of groups
        around it; ``loading`` (measure), how much a measure goes with the factor that all
        share, the correlation of two being the product of theirs; ``factor_raw`` (contrast),
        on a basis of factors that sum to zero; ``logit_raw`` (group, measure);
        ``log_size_ratio`` (group, measure), of effective size to the data's.
        Deterministic: ``factor`` (group), of variance one; ``rate`` (group, measure), a
        probability; ``sample_size`` (group, measure); ``correlation`` (pair).
        Observed: ``printed`` (group, measure) and with totals ``printed_total`` (measure),
        percent.

    Raises
    ------
    PriorError
    """
    table = design(data)
    used = sizes == "prior" and totals == "used" and table.total is not None
    each = pairs(table.coords["measure"])
    coords = {**table.coords, "pair": [f"{a}, {b}" for a, b in each]}
    with pm.Model(coords=coords) as model:
        rate = _rates(priors, each, table)
        size = _sizes(priors, table, sizes, table.total if used else None)
        both = ("group", "measure")
        half = pm.Data("half_unit", table.half_unit, dims=both)
        percent = pm.Data("percent", table.percent, dims=both)
        pm.CustomDist(
            "printed",
            rate,
            size,
            half,
            logp=rounded_logp,
            random=rounded,
            observed=percent,
            dims=both,
        )
        if used:
            _total(table, size)
    return model


def _rates(priors: PriorSet, each: list[tuple[str, str]], table: Design) -> Any:
    """Probabilities: groups vary around a measure's mean, together as far as they load."""
    both = ("group", "measure")
    mean = priors.variable("measure_mean", "measure")
    scale = priors.variable("measure_scale", "measure", support="positive")
    loading = priors.variable("loading", "measure", support="unit")
    raw = priors.variable("factor_raw", "contrast")
    basis = pm.Data("group_contrast", table.basis, dims=("group", "contrast"))
    factor = pm.Deterministic("factor", (basis * raw[None, :]).sum(1), dims="group")
    measures = table.coords["measure"]
    first, second = ([measures.index(pair[k]) for pair in each] for k in (0, 1))
    pm.Deterministic("correlation", loading[first] * loading[second], dims="pair")
    common = mean[None, :] + (scale * loading)[None, :] * factor[:, None]
    own = (scale * pt.sqrt(1 - loading**2))[None, :]
    centred = pm.Data("logit_centred", table.centred, dims=both)
    logit = effects("logit", own, centred, *both, mean=common)
    return pm.Deterministic("rate", pm.math.invlogit(logit), dims=both)


def _sizes(priors: PriorSet, table: Design, sizes: Sizes, total: Any) -> Any:
    both = ("group", "measure")
    guess = pm.Data("size_guess", table.size, dims=both)
    if sizes == "given":
        return pm.Deterministic("sample_size", 1.0 * guess, dims=both)
    near = None if total is None else Balanced(table, total)
    ratio = priors.variable("log_size_ratio", *both, transform=near)
    return pm.Deterministic("sample_size", guess * pt.exp(ratio), dims=both)


def _total(table: Design, size: Any) -> None:
    """A total is the mean of the groups' rates; both are printed rounded.

    What the mean of the printed rates and the printed total differ by is a sum of rounding
    errors, taken as normal with their variance: walls would be hard on the sampler and say
    nothing more of the sizes.  The rates that are averaged are data of their own: what is drawn
    in place of the printed ones changes what is observed, and not what the total is a mean of.
    """
    share = size / size.sum(0)[None, :]
    percent = pm.Data("averaged_percent", table.percent, dims=("group", "measure"))
    half = pm.Data("averaged_half_unit", table.half_unit, dims=("group", "measure"))
    own = pm.Data("total_half_unit", table.total_half_unit, dims="measure")
    pm.Normal(
        "printed_total",
        (share * percent).sum(0),
        pt.sqrt((own**2 + (share**2 * half**2).sum(0)) / 3),  # of numbers even within half a unit
        observed=pm.Data("total", table.total, dims="measure"),
        dims="measure",
    )


def rounded_logp(value: Any, rate: Any, size: Any, half: Any) -> Any:
    """Log probability that a sample's rate, percent, rounds to a value.

    Binomial, by Anscombe's transformation: arcsin sqrt((k + 3/8) / (n + 3/4)) is normal
    around arcsin sqrt(p) with variance 1 / (4 n + 2).  A value of zero (or 100) whose
    rounding holds the count zero (n) only is exact: (1 - p)^n.
    """
    low = pt.maximum(value - half, 0.0) / PERCENT
    high = pt.minimum(value + half, PERCENT) / PERCENT
    root = 2 * pt.sqrt(size + 0.5)
    middle = pt.arcsin(pt.sqrt(rate))
    ends = [root * (_arcsine(x, size) - middle) for x in (low, high)]
    inside = _between(*ends)
    alone = size * half / PERCENT <= 1
    none = pt.switch(alone, size * pt.log1p(-rate), normal_lcdf(0.0, 1.0, ends[1]))
    all_ = pt.switch(alone, size * pt.log(rate), normal_lcdf(0.0, 1.0, -ends[0]))
    return pt.switch(value <= half, none, pt.switch(value >= PERCENT - half, all_, inside))


def rounded(rate: Any, people: Any, half: Any, rng: Any = None, size: Any = None) -> Any:
    """Draw a sample of the nearest whole size, and print its rate rounded."""
    n = np.maximum(np.round(people), 1).astype(np.int64)
    percent = PERCENT * rng.binomial(n, rate, size=size) / n
    return 2 * half * np.round(percent / (2 * half))


def _arcsine(share: Any, size: Any) -> Any:
    return pt.arcsin(pt.sqrt((size * share + 0.375) / (size + 0.75)))


def _between(low: Any, high: Any) -> Any:
    """Log probability of a standard normal between two numbers, exact in the tails."""
    far, half = pt.abs(low + high) / 2, (high - low) / 2
    return logdiffexp(normal_lcdf(0.0, 1.0, half - far), normal_lcdf(0.0, 1.0, -half - far))
