"""The CPS Matching Method as one graph: who is not followed up, who moves, who returns.

A foreign-born person met one March emigrates, or dies, or moves, or is lost to follow-up
otherwise, or is followed up the next March.  Somebody of the second generation does the
same but, by the report's assumption, does not emigrate.  Both generations are as hard to
follow up as their covariates make them (``lost``); what the first generation loses beyond
that is emigration.  Persons come as counts of those with the same covariates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from bayesmig.coordinates import effects
from bayesmig.errors import DataError
from bayesmig.models.emigration.design import FATES
from bayesmig.models.emigration.graph import ZERO, GenerationGap, Residual, SecondGeneration
from bayesmig.models.emigration.microdata import geometry
from bayesmig.models.emigration.microdata.counts import design as designs
from bayesmig.models.emigration.microdata.counts.design import OUTCOMES
from bayesmig.models.emigration.microdata.counts.lookup import lookup, scatter

if TYPE_CHECKING:
    import pymc as pm
    import xarray as xr

    from bayesmig.models.emigration.microdata.counts.design import Design
    from bayesmig.priors import PriorSet

Clustering = Literal["household", "none"]
LEAST = 1e-9  # probability of being followed up below which the two residual forms end


def build(
    data: xr.Dataset,
    priors: PriorSet,
    *,
    residual: Residual = "probability",
    second_generation: SecondGeneration = "zero",
    generation_gap: GenerationGap = "zero",
    clustering: Clustering = "household",
    emigrated: str = "country + age_group + sex + duration + year",
    returned: str = "country + age_group + sex + duration + year",
    moved: str = "origin + age_group + sex + year + owner + oversample + enrolment",
    lost: str = "origin + age_group + sex + year + owner + oversample + enrolment + education",
) -> pm.Model:
    """Build the graph of a collapsed panel.

    Parameters
    ----------
    data : Dataset
        From `collapse.collapse`: counts by pattern of covariates.
    priors : PriorSet
    residual : {"probability", "hazard"}
        What is equal in both generations at the same covariates.  ``probability``: the
        share lost of all (r^f = r^s, eq. 2), the report's identity
        u = e + d + m (1 - e - d) + r.  ``hazard``: the chance of being lost for those who
        are still there to be lost.
    second_generation : {"zero", "native_rates"}
        Emigration of the second generation, e^s: none, as the report assumes, or the native
        rates of Appendix F by sex and age times a factor with a prior.
    generation_gap : {"zero", "prior"}
        logit of the chance to be lost, first less second generation: none, as the report
        assumes, or a parameter.
    clustering : {"household", "none"}
        Persons of one household share fates.  ``household``: the log-likelihood of each
        outcome is divided by its design effect, as that of the effective number of persons;
        ``none``: every person is independent of all others.
    emigrated, returned, moved, lost : str
        Factors of each fate, joined by ``+``; ``sex:age_group`` is an interaction.
        ``moved`` is fitted to each generation separately (mu^f and mu^s).

    Returns
    -------
    pm.Model
        Free variables on the logit scale: ``intercept`` (outcome: emigrated, returned,
        moved, moved_second, lost; drawn as ``intercept_sum``), ``mortality``
        (mortality_term) and for each outcome ``OUTCOME_scale`` (OUTCOME_factor) and
        ``OUTCOME_contrasts_raw``.  Deterministics: ``OUTCOME_effect`` (OUTCOME_level),
        each factor's summing to zero; ``cell_share`` (cell, fate) and ``cell_return``
        (cell), weighted means over the foreign born of each printed cell.  Observed, with
        pointwise log-likelihoods: ``followed`` (pattern), ``native_followed``
        (native_pattern), ``moved`` (moved_pattern), ``returned`` (returned_pattern).

    Raises
    ------
    DataError, StudyError
    """
    import pymc as pm

    design = designs.design(
        data, {"emigrated": emigrated, "returned": returned, "moved": moved, "lost": lost}
    )
    with pm.Model(coords={"fate": FATES, **design.coords}) as model:
        number = _numbers(priors, data, design)
        dying = _chances_to_die(priors.variable("mortality", "mortality_term"), design)
        native = ZERO
        if second_generation == "native_rates":
            native = pm.math.exp(priors.variable("native_rate_log_ratio"))
        gap = priors.variable("generation_gap") if generation_gap == "prior" else 0.0

        second = _second(design, number, dying, native)
        first = _first(design, number, dying, native, gap, residual)
        chance = {
            "native_followed": second["followed"],
            "followed": first["followed"],
            "moved": _chance(number, design, "moved_pattern", "moved"),
            "returned": _chance(number, design, "returned_pattern", "returned"),
        }
        for name, probability in chance.items():
            _observe(name, probability, data, design, _design_effect(data, name, clustering))
        _poststratify(first, design)
    return model


def _numbers(priors: PriorSet, data: xr.Dataset, design: Design) -> Any:
    """Intercepts and level effects of all outcomes in one vector, for rows to look up.

    Each factor's effects sum to zero.  They are written on an orthonormal basis of the vectors
    that do, the density of a ZeroSumNormal, so that one variable serves all factors; the
    sampler sees an intercept together with the effects of the mean person.
    """
    import pymc as pm
    import pytensor.tensor as pt

    levels, of_the_mean = [], []
    for outcome in OUTCOMES:
        contrast, level = f"{outcome}_contrast", f"{outcome}_level"
        effect = _contrasts(priors, design, outcome)
        middle = pm.Data(f"{contrast}_mean", geometry.middle(data, design, outcome), dims=contrast)
        of_the_mean.append((middle * effect).sum())
        basis = design.terms[outcome].level_contrast
        basis = pm.Data(f"{level}_contrast", basis, dims=(level, contrast))
        levels.append(pm.Deterministic(f"{outcome}_effect", (basis * effect).sum(1), dims=level))
    intercept = priors.variable("intercept", "outcome", beside=pt.stack(of_the_mean))
    return pt.concatenate([intercept, *levels])


def _contrasts(priors: PriorSet, design: Design, outcome: str) -> Any:
    """Effects of an outcome's factors on their bases (contrast), each factor with its scale."""
    import pymc as pm

    factor, contrast = f"{outcome}_factor", f"{outcome}_contrast"
    scale = priors.variable(f"{outcome}_scale", factor, support="positive")
    centered = priors.centering(f"{outcome}_scale", factor)
    which = pm.Data(f"{contrast}_factor", design.terms[outcome].contrast_factor, dims=contrast)
    return effects(f"{outcome}_contrasts", scale[which], centered[which], contrast)


def _chance(number: Any, design: Design, dim: str, outcome: str, add: Any = 0.0) -> Any:
    """Probability (row): the inverse logit of an intercept and the levels' effects."""
    import pymc as pm

    index = pm.Data(f"{dim}_{outcome}_index", design.index[dim, outcome])
    return pm.math.invlogit(lookup(number, index) + add)


def _chances_to_die(mortality: Any, design: Design) -> Any:
    """Probability of dying (group) with the coefficients of Table 3."""
    import pymc as pm
    import pytensor.tensor as pt

    index = pm.Data("death_index", design.death_index)
    each = pm.math.invlogit(lookup(pt.concatenate([mortality, [0.0]]), index))
    weight, group = pm.Data("death_weight", design.death_weight), design.death_group
    return scatter(
        weight * each, pm.Data("death_group", group), pm.Data("death_groups", design.death_groups)
    )


def _death(dying: Any, design: Design, dim: str, whose: str) -> Any:
    """Probability of dying (row) of the foreign born or of natives; children do not."""
    import pymc as pm

    group = pm.Data(f"{dim}_died_{whose}", design.index[dim, f"died_{whose}"])
    return pm.Data(f"{dim}_adult_{whose}", design.adult[dim]) * lookup(dying, group)


def _native_emigration(native: Any, design: Design, dim: str) -> Any:
    """e^s (row): the native rates of Appendix F times a factor, or nothing."""
    import pymc as pm

    if native is ZERO:
        return 0.0
    return native * pm.Data(f"{dim}_native_rate", design.native_rate[dim])


def _second(design: Design, number: Any, dying: Any, native: Any) -> dict[str, Any]:
    """Fates of the second generation (native_pattern): emigrate, die, move, be lost."""
    dim = "native_pattern"
    emigrated = _native_emigration(native, design, dim)
    died = _death(dying, design, dim, "second")
    moved = _chance(number, design, dim, "moved")
    lost = _chance(number, design, dim, "lost")
    return {"followed": (1 - emigrated - died) * (1 - moved) * (1 - lost)}


def _first(
    design: Design, number: Any, dying: Any, native: Any, gap: Any, residual: Residual
) -> dict[str, Any]:
    """Fates of the foreign born (pattern), shares that add up to one."""
    dim = "pattern"
    emigrated = _chance(number, design, dim, "emigrated")
    died = _death(dying, design, dim, "first")
    moving = _chance(number, design, dim, "moved")
    losing = _chance(number, design, dim, "lost", gap)
    if residual == "hazard":
        died = (1 - emigrated) * died
        still = (1 - emigrated - died) * (1 - moving)
        lost = still * losing
    else:
        # r^s: what somebody of the second generation with these covariates is lost by
        e, d = _native_emigration(native, design, dim), _death(dying, design, dim, "second")
        lost = (1 - e - d) * (1 - _chance(number, design, dim, "moved_second")) * losing
        still = (1 - emigrated - died) * (1 - moving)
    return {
        "emigrated": emigrated,
        "died": died,
        "moved": (1 - emigrated - died) * moving,
        "lost": lost,
        "followed": still - lost,
        "returned": _chance(number, design, dim, "returned") * (1 - emigrated - died),
    }


def _design_effect(data: xr.Dataset, name: str, clustering: Clustering) -> float:
    if clustering == "none":
        return 1.0
    if "design_effect" not in data:
        raise DataError(
            "these persons were counted without the design effects of their households: count "
            "them again, or clustering='none'"
        )
    return float(data["design_effect"].sel(observed=name))


def _observe(
    name: str, probability: Any, data: xr.Dataset, design: Design, design_effect: float
) -> None:
    """Persons with an outcome, of all with the same covariates: their outcomes in their order.

    Without the binomial coefficient the density is that of the persons' rows, so that
    counting them changes nothing; and it takes weighted counts.
    """
    import pymc as pm
    import pytensor.tensor as pt

    dim, people = design.rows[name]
    pm.CustomDist(
        name,
        pt.clip(probability, LEAST, 1 - LEAST),
        pm.Data(f"{name}_of", data[people].values, dims=dim),
        pm.Data(f"{name}_design_effect", design_effect),
        logp=lambda events, p, n, d: (events * pt.log(p) + (n - events) * pt.log1p(-p)) / d,
        random=draw_events,
        observed=pm.Data(f"{name}_events", data[name].values, dims=dim),
        dims=dim,
        dtype="float64",
    )


def draw_events(p: Any, n: Any, design_effect: Any, rng: Any = None, size: Any = None) -> Any:
    """Draw counts (..., row) of clusters whose size is the design effect.

    Effective persons are rounded to whole ones.
    """
    n = np.rint(n).astype(int)
    if np.all(np.asarray(design_effect) == 1):
        return rng.binomial(n, p, size=size).astype(float)
    p, n = np.broadcast_arrays(p, n)
    d = float(np.asarray(design_effect).ravel()[0])
    if size is not None:
        p, n = np.broadcast_to(p, size), np.broadcast_to(n, size)
    rows = zip(p.reshape(-1, p.shape[-1]), n.reshape(-1, n.shape[-1]), strict=True)
    return np.stack([_together(*row, d, rng) for row in rows]).reshape(p.shape)


def _together(p: Any, n: Any, design_effect: float, rng: Any) -> np.ndarray:
    """Draw counts (row) of persons who share a lot with as many others, of their row or the next.

    Of persons in clusters of k and k + 1, a share d - k in the latter, the sum of squared
    sizes over that of sizes is d.
    """
    least = int(design_effect)
    more = design_effect - least
    each = least + (rng.random(len(n)) < more)
    whole, rest = np.divmod(n, each)
    events = each * rng.binomial(whole, p)
    person = np.repeat(np.arange(len(n)), rest)
    of_more = more / (least + 1) / (more / (least + 1) + (1 - more) / least)  # of clusters
    sizes = least + (rng.random(len(person)) < of_more)
    cluster = np.repeat(np.arange(len(person)), sizes)[: len(person)]
    lot = rng.random(len(person))[cluster]
    return events + np.bincount(person, lot < p[person], minlength=len(n))


def _poststratify(first: dict[str, Any], design: Design) -> None:
    """Weighted means over the foreign born of each printed cell."""
    import pymc as pm
    import pytensor.tensor as pt

    weight = pm.Data("pattern_weight", design.weight)
    cell = pm.Data("pattern_cell", design.cell_index)
    total = pm.Data("cell_weight", design.cell_weight)  # one more: those in no such cell

    def mean(share: Any) -> Any:
        return (scatter(weight * share, cell, total) / total)[:-1]

    pm.Deterministic(
        "cell_share", pt.stack([mean(first[fate]) for fate in FATES], axis=1), dims=("cell", "fate")
    )
    pm.Deterministic("cell_return", mean(first["returned"]), dims="cell")
