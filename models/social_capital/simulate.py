"""The synthetic twin: people like the paper's, with its estimates as the truth."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy.optimize import root

from bayesmig.errors import DataError
from bayesmig.models.social_capital import people
from bayesmig.models.social_capital.corrections import corrected
from bayesmig.models.social_capital.logit import probabilities
from bayesmig.models.social_capital.paper import (
    LEVELS,
    OUTCOMES,
    STRATA,
    TERMS,
    TIES,
    Stratum,
    Tables,
    labels,
    term_label,
)
from bayesmig.truth import attach

PEOPLE, MUNICIPALITIES = 10_012, 80
STRATUM_SIZES = {"none": 6552, "extended": 1401, "close": 2259}  # Tables 2a-c
# people who aspire and who migrated: not printed, chosen so that the standard errors of
# contrasts A and B come out near the printed ones
EVENTS = {"all": (125, 540), "none": (62, 150), "extended": (14, 45), "close": (50, 280)}
MUNICIPALITY_SD = (0.5, 0.6)  # aspires, migrated: assumed, the paper prints no variance
CORRELATION = 0.3  # assumed
COVARIANCE = np.outer(MUNICIPALITY_SD, MUNICIPALITY_SD) * np.array(
    [[1, CORRELATION], [CORRELATION, 1]]
)
SEPARATED = -60.0  # Table 2a prints -60.81 for a cell without a case: no truth is so large
LIKELY = -4.0
SOURCES = {1: "Table 1", 2: "Tables 2a-c"}


def simulate(
    truth: xr.Dataset | None = None,
    *,
    seed: int = 0,
    n: int = PEOPLE,
    municipalities: int = MUNICIPALITIES,
    stratum: Stratum = "all",
    tables: Tables = 1,
    separated: bool = False,
    household_sd: float = 0.0,
) -> xr.Dataset:
    """Simulate people whose outcomes follow the model.

    Parameters
    ----------
    truth : Dataset, optional
        ``log_odds`` (outcome, term) or (stratum, outcome, term), as simulated people carry
        them; by default the paper's estimates of contrast A and corrected C.
    seed : int
    n, municipalities : int
        People and municipalities; events scale with people.
    stratum : {"all", "none", "extended", "close"}
        Keep people with these ties only.
    tables : {1, 2}
        Whose estimates are the default truth: Table 1's, or Tables 2a-c's by stratum.
    separated : bool
        Make sure that nobody self-employed with extended ties aspires (Table 2a, column 2).
    household_sd : float
        Standard deviation of effects that the people of a household share, independent for
        the two logits; the paper has none.

    Returns
    -------
    Dataset
        The analysis file (row), ``attrs["synthetic"]`` true, with the truth as variables
        ``true_log_odds``, ``true_intercept`` (log odds of somebody at the means of the
        columns), ``true_group_covariance`` and ``true_group_effect``; with effects of
        households of both columns of groups, household and municipality.
    """
    if tables not in (1, 2):
        raise DataError(f"tables={tables!r}; valid: 1 (Table 1), 2 (Tables 2a-c)")
    if stratum not in STRATA:
        raise DataError(f"stratum={stratum!r}; valid: {', '.join(STRATA)}")
    for name, value, least in (("municipalities", municipalities, 2), ("n", n, 1)):
        if not isinstance(value, Integral) or value < least:
            raise DataError(f"{name} must be a whole number from {least} on, got {value!r}")
    if not isinstance(household_sd, Real) or not 0 <= float(household_sd) < np.inf:
        raise DataError(f"household_sd must be a number from 0 on, got {household_sd!r}")
    odds = _checked_odds(printed_truth(tables) if truth is None else truth)
    if household_sd and "stratum" in odds.dims:
        raise DataError("household_sd goes with a truth without strata (tables=1)")
    rng = np.random.default_rng(seed)
    table = _people(rng, n, municipalities)
    strata = list(odds.stratum.values) if "stratum" in odds.dims else ["all"]
    columns, terms = _columns(table, by_stratum=strata != ["all"])
    place = table.municipality.cat.codes.to_numpy()
    effect = rng.multivariate_normal(np.zeros(2), COVARIANCE, size=municipalities)
    home = table.household.cat.codes.to_numpy()
    # numbers of their own, so that without these effects everything is as it was
    shared = np.random.default_rng((seed, 1)).normal(0, household_sd, (home.max() + 1, 2))
    outcome = np.empty(len(table), dtype=int)
    intercepts = []
    for label in strata:
        rows = np.full(len(table), True) if label == "all" else table.network == label
        one = odds.sel(stratum=label) if label != "all" else odds
        slope = one.sel(outcome=list(OUTCOMES[1:]), term=terms).values
        logit = (columns[rows] - columns.mean(0)) @ slope.T + effect[place[rows]]
        logit = logit + shared[home[rows]] if household_sd else logit
        intercepts.append(_intercepts(logit, np.array(EVENTS[label]) * n / PEOPLE))
        chance = probabilities(logit + intercepts[-1])
        outcome[rows] = (rng.random((rows.sum(), 1)) > chance.cumsum(1)[:, :-1]).sum(1)
    if separated:
        cell = (table.network == "extended") & (table.employment == "self_employed")
        outcome[cell & (outcome == 1)] = 0
    table.insert(0, "outcome", pd.Categorical.from_codes(outcome, list(OUTCOMES)))
    data = people.of_paper(table)
    places = list(table.municipality.cat.categories)
    known = _truth(odds, strata, terms, np.array(intercepts), effect, places)
    if household_sd:
        homes = list(table.household.cat.categories)
        known = _with_households(known, float(household_sd), shared, homes, places)
    source = "as given" if truth is not None else f"as in {SOURCES[tables]}"
    data.attrs |= {
        "title": f"SYNTHETIC people, truth {source}",
        "seed": seed,
        "separated": int(separated),
    }
    return people.select(attach(data, known), stratum)


def printed_truth(tables: int) -> xr.Dataset:
    """Return the paper's estimates as log odds against no_aspirations, itself zero: A, and A + B.

    The separated cell of Table 2a has no estimate; its truth is put at -4 for A, and at the
    printed C for migration.
    """
    table = corrected()
    strata = ["all"] if tables == 1 else list(TIES)
    table = table[table.stratum.isin(strata)]
    table = table.assign(
        label=[term_label(t, v) for t, v in zip(table.term, table.level, strict=True)]
    )
    wide = table.pivot(index=["stratum", "label"], columns="contrast", values="corrected")
    estimable = wide["A"] > SEPARATED
    aspires = wide["A"].where(estimable, LIKELY)
    terms = list(dict.fromkeys(table.label))
    values = np.zeros((len(strata), len(OUTCOMES), len(terms)))
    for s, label in enumerate(strata):
        values[s, 1] = aspires.loc[label].reindex(terms)
        values[s, 2] = wide["C"].loc[label].reindex(terms)
    found = xr.DataArray(
        values,
        {"stratum": strata, "outcome": list(OUTCOMES), "term": terms},
        ("stratum", "outcome", "term"),
    )
    return xr.Dataset({"log_odds": found if tables == 2 else found.isel(stratum=0, drop=True)})


def _checked_odds(truth: xr.Dataset) -> xr.DataArray:
    """Log odds of every outcome and term (in every stratum), against no_aspirations."""
    if not isinstance(truth, xr.Dataset) or "log_odds" not in truth:
        raise DataError(
            "truth must be a Dataset with log_odds (outcome, term), as "
            f"simulate.printed_truth(1) gives it, got {type(truth).__name__}"
        )
    odds = truth["log_odds"]
    by_stratum = "stratum" in odds.dims
    wanted = {"outcome": OUTCOMES, "term": labels(within=by_stratum)}
    wanted |= {"stratum": TIES} if by_stratum else {}
    for dim, expected in wanted.items():
        known = list(odds[dim].values) if dim in odds.coords else []
        lacking = [label for label in expected if label not in known]
        if lacking:
            raise DataError(f"truth: log_odds has no {dim} {', '.join(lacking)}")
    return odds - odds.sel(outcome=OUTCOMES[0], drop=True)


def _people(rng: np.random.Generator, n: int, municipalities: int) -> pd.DataFrame:
    """Draw adults in households in municipalities: categories as the paper's, shares assumed."""
    size = rng.choice([1, 2, 3, 4], p=[0.25, 0.4, 0.2, 0.15], size=n)
    household = np.repeat(np.arange(n), size)[:n]
    homes = household[-1] + 1
    if homes < municipalities:
        raise DataError(f"{n} people in {homes} households are too few for {municipalities} places")
    weights = rng.dirichlet(np.full(municipalities, 6.0))
    place = np.sort(rng.choice(municipalities, p=weights, size=homes))
    place[:municipalities] = np.arange(municipalities)  # nobody's municipality is empty
    place.sort()
    rural = rng.random(municipalities) < 0.45
    sending = rng.normal(0, 0.5, municipalities)[place]  # places with and without migrants
    sizes = np.array(list(STRATUM_SIZES.values()), dtype=float)
    network = _category(rng, np.log(sizes / sizes.sum()), np.outer(sending, [0, 0.5, 1.0]))
    history = _category(rng, np.log([0.86, 0.08, 0.06]), np.outer(network - 0.5, [0, 0.8, 1.0]))
    urban = ~rural[place]
    expenditure = rng.normal(6.6, 0.95, homes) + 0.35 * urban
    robbery = rng.random(homes) < np.where(urban, 0.35, 0.15)
    male = rng.random(n) < 0.44
    age = np.clip(np.round(15 + rng.gamma(2.0, 7.5, n)), 15, 95)
    married = rng.random(n) < 1 / (1 + np.exp(-(age - 24) / 5)) * np.where(age > 65, 0.6, 0.75)
    many = np.clip(1.6 - np.abs(age - 33) / 18, -2.0, 1.6)
    children = _category(rng, np.zeros(5), np.outer(many, np.arange(5)) - [0, 1.2, 2.0, 3.4, 5.0])
    enrolled = rng.random(n) < np.where(age < 20, 0.4, np.where(age < 26, 0.1, 0.004))
    schooling = -(age - 38) / 25
    education = _category(rng, np.log([0.5, 0.28, 0.22]), np.outer(schooling, [0, 0.8, 1.0]))
    working = np.where(male, 1.6, 0.0) - 1.5 * enrolled
    employment = _category(rng, np.log([0.5, 0.35, 0.15]), np.outer(working, [0, 1, 1]))

    def named(codes: NDArray[Any], name: str) -> Any:
        return pd.Categorical.from_codes(codes, list(LEVELS[name]))

    return pd.DataFrame(
        {
            "network": named(network[household], "network"),
            "household_migrations": named(history[household], "household_migrations"),
            "baseline_aspirations": (rng.random(n) < 0.12 + 0.05 * network[household]).astype(
                float
            ),
            "male": male.astype(float),
            "age": age,
            "married": married.astype(float),
            "children": named(children, "children"),
            "enrolled": enrolled.astype(float),
            "education": named(education, "education"),
            "employment": named(employment, "employment"),
            "log_expenditure": expenditure[household].round(3),
            "robbery": robbery[household].astype(float),
            "urban": urban[household].astype(float),
            "person": np.arange(1, n + 1).astype(str),
            "household": pd.Categorical((household + 1).astype(str)),
            "municipality": pd.Categorical.from_codes(
                place[household], [f"m{i + 1:03d}" for i in range(municipalities)]
            ),
        }
    )


def _category(
    rng: np.random.Generator, base: NDArray[Any], shift: NDArray[Any]
) -> NDArray[np.int64]:
    """Draw one category for each row of ``shift``, log odds on top of ``base``."""
    chance = np.exp(base + shift)
    chance /= chance.sum(1, keepdims=True)
    return (rng.random((len(chance), 1)) > chance.cumsum(1)[:, :-1]).sum(1)


def _columns(table: pd.DataFrame, by_stratum: bool) -> tuple[NDArray[np.float64], list[str]]:
    """Columns of the paper's formula on its own scale, written out."""
    columns: dict[str, NDArray[Any]] = {}
    for term in TERMS:
        if term == "network" and by_stratum:
            continue
        if term in LEVELS:
            for level in LEVELS[term][1:]:
                columns[f"{term}: {level}"] = (table[term] == level).to_numpy(dtype=float)
        else:
            squared = term == "age_squared"
            columns[term] = table["age"].to_numpy() ** 2 if squared else table[term].to_numpy()
    return np.column_stack(list(columns.values())), list(columns)


def _intercepts(logit: NDArray[Any], events: NDArray[Any]) -> NDArray[np.float64]:
    """Solve for the intercepts that make ``events`` the expected numbers of outcomes."""

    def surplus(intercept: NDArray[Any]) -> NDArray[Any]:
        return probabilities(logit + intercept)[:, 1:].sum(0) - events

    solved = root(surplus, np.log(events / max(len(logit) - events.sum(), 1)))
    if not solved.success:
        raise DataError(f"no base rates give {events.round(1).tolist()} of {len(logit)} people")
    return solved.x


def _truth(
    odds: xr.DataArray,
    strata: list[str],
    terms: list[str],
    intercepts: NDArray[Any],
    effect: NDArray[Any],
    municipalities: list[str],
) -> xr.Dataset:
    """Name the truth as the graph names it: all outcomes, zeros for the reference."""
    outcomes = list(OUTCOMES)
    by = () if strata == ["all"] else ("stratum",)

    def padded(values: NDArray[Any], axes: tuple[int, ...], dims: tuple[str, ...]) -> xr.DataArray:
        widths = [(1, 0) if axis in axes else (0, 0) for axis in range(values.ndim)]
        coords = {"stratum": strata, "outcome": outcomes, "outcome_too": outcomes}
        return xr.DataArray(
            np.pad(values, widths), {d: coords[d] for d in dims if d in coords}, dims
        )

    first = len(by)
    spread = np.repeat(COVARIANCE[None], len(strata), 0) if by else COVARIANCE
    groups = [f"{s}, {g}" for s in strata for g in municipalities] if by else municipalities
    everywhere = np.tile(effect, (len(strata), 1))
    intercept = intercepts if by else intercepts[0]
    return xr.Dataset(
        {
            "log_odds": odds.sel(outcome=outcomes, term=terms).transpose(*by, "outcome", "term"),
            "intercept": padded(intercept, (first,), (*by, "outcome")),
            "group_covariance": padded(spread, (first, first + 1), (*by, "outcome", "outcome_too")),
            "group_effect": padded(everywhere, (1,), ("group", "outcome")),
        },
        coords={"group": groups},
    )


def _with_households(
    known: xr.Dataset, sd: float, shared: NDArray[Any], homes: list[str], places: list[str]
) -> xr.Dataset:
    """Truth of both columns of groups, as the graph of both names it."""
    own = known["group_covariance"].copy(data=np.diag([0.0, sd**2, sd**2]))
    both = xr.concat(
        [own, known["group_covariance"]], pd.Index(["household", "municipality"], name="grouping")
    )
    effect = np.concatenate([np.pad(shared, ((0, 0), (1, 0))), known["group_effect"].values])
    labels = [f"household, {home}" for home in homes]
    labels += [f"municipality, {place}" for place in places]
    return known.drop_dims("group").assign(
        group_covariance=both,
        group_effect=xr.DataArray(
            effect,
            {"member": labels, "outcome": known["outcome"].values},
            ("member", "outcome"),
        ),
    )
