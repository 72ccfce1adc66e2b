"""The emigration model in plain loops, cell by cell: slow, literal, no graph.

Written from the report (equations 1-6 and 11) and from the design, not from
``models/emigration``: the printed cells, Appendix F and ``priors.toml`` are read
from the files, and the only thing taken from the package is the layout of a point
(names and shapes of the parameters).
"""

import csv
import math
import tomllib
from pathlib import Path

import numpy as np
from lazily import lazily

stats = lazily("scipy.stats")


FOLDER = Path(__file__).parents[2] / "models" / "emigration"
OUTCOMES = ["emigrated", "died", "moved", "lost", "returned"]
FATES = ["emigrated", "died", "moved", "lost", "followed"]
COMPONENTS = [
    "non_match",
    "internal_migration",
    "mortality",
    "non_follow_up",
    "return_immigration",
]
Z90 = 1.6448536269514722  # half of a 90 % interval is this many standard errors
INFLATION = math.sqrt(77_491 / 48_694)  # foreign born over second-generation adults
DECIMAL = 0.1  # percent: what the tables print


def logistic(x):
    return 1 / (1 + math.exp(-x))


def logit(p):
    return math.log(p / (1 - p))


# Priors


def prior_set(name="default"):
    """The tables of a named set in ``priors.toml``, over those of the set it starts from."""
    with (FOLDER / "priors.toml").open("rb") as file:
        tables = tomllib.load(file)
    own = tables[name].get("priors", {})
    return {**prior_set(tables[name]["base"]), **own} if "base" in tables[name] else own


def number(value, *labels):
    """A number of a prior for the entry with these labels."""
    if not isinstance(value, dict):
        return float(value)
    for label in labels:
        if label in value.get("by_label", {}):
            return float(value["by_label"][label])
    return float(value["default"])


def density(prior, x, *labels):
    """Log density of one entry of a parameter on its natural scale."""
    numbers = {key: number(prior[key], *labels) for key in ("mu", "sigma")}
    if prior["dist"] == "Normal":
        return stats.norm.logpdf(x, numbers["mu"], numbers["sigma"])
    assert prior["dist"] == "LogNormal"
    return stats.lognorm.logpdf(x, numbers["sigma"], scale=math.exp(numbers["mu"]))


# The factors of a table


def factors(data):
    """The factors and their levels, in the order in which the cells have them."""
    names = [name for name in data.attrs["factors"].split(",") if name]
    levels = {}
    for name in names:
        levels[name] = []
        for value in data[name].values:
            if value not in levels[name]:
                levels[name].append(str(value))
    return levels


def weight(level, k):
    """Weight of contrast ``k`` on a level: the mean of the levels before against level k + 1.

    Both are numbered from 0; each contrast sums to zero and has length one.
    """
    length = math.sqrt((k + 1) * (k + 2))
    if level <= k:
        return 1 / length
    return -(k + 1) / length if level == k + 1 else 0.0


def contrasts(data):
    """(number of the factor, number within the factor) of each contrast of a table."""
    return [
        (f, k) for f, levels in enumerate(factors(data).values()) for k in range(len(levels) - 1)
    ]


def level_effects(data, point):
    """Effect of each factor's levels on each logit: {(factor, level): [one per outcome]}."""
    effects = {}
    for f, (factor, levels) in enumerate(factors(data).items()):
        for number_of_level, level in enumerate(levels):
            effects[factor, level] = [0.0] * 5
            for c, (owner, k) in enumerate(contrasts(data)):
                if owner != f:
                    continue
                for o in range(5):
                    effects[factor, level][o] += weight(number_of_level, k) * point["effect"][c][o]
    return effects


def pooled_logits(data, point):
    """Logits that the intercept and the factors give each cell: a list of five for each."""
    levels = level_effects(data, point) if factors(data) else {}
    found = []
    for i in range(data.sizes["cell"]):
        row = [float(point["intercept"][o]) for o in range(5)]
        for factor in factors(data):
            for o in range(5):
                row[o] += levels[factor, str(data[factor].values[i])][o]
        found.append(row)
    return found


def hazards(data, point):
    """Chance of each outcome for those whom the fates before it have left: one dict a cell.

    With two factors or more a cell departs from what they say by an error of its own.
    """
    logits = point["cell_logit"] if len(factors(data)) > 1 else pooled_logits(data, point)
    return [{outcome: logistic(row[o]) for o, outcome in enumerate(OUTCOMES)} for row in logits]


# From hazards to what is printed


def shares(hazard):
    """Emigrate, else die, else move, else be lost, else be followed up."""
    e, d, m, r = (hazard[k] for k in OUTCOMES[:4])
    return {
        "emigrated": e,
        "died": (1 - e) * d,
        "moved": (1 - e) * (1 - d) * m,
        "lost": (1 - e) * (1 - d) * (1 - m) * r,
        "followed": (1 - e) * (1 - d) * (1 - m) * (1 - r),
    }


def non_follow_up(hazard, residual, second=0.0, gap=0.0):
    """What the report prints as non-follow-up, r = u - m - d of the second generation.

    ``second`` is the second generation's emigration, which the report takes to be 0,
    ``gap`` how far its logit lies below that of the foreign born.
    """
    share = shares(hazard)
    if residual == "probability":
        # u^s - m^s (1 - d^s) - d^s, where u^s = e^s + d^s + m^s (1 - e^s - d^s) + r^s
        d, m = hazard["died"], hazard["moved"]
        r = logistic(logit(share["lost"]) - gap)
        u = second + d + m * (1 - second - d) + r
        return u - m * (1 - d) - d
    d, m = hazard["died"], hazard["moved"]
    lost = logistic(logit(hazard["lost"]) - gap)
    return (1 - d) * (1 - m) * (1 - (1 - second) * (1 - lost))


def expected(hazard, residual, second=0.0, gap=0.0):
    """Means of the five printed components, percent."""
    share = shares(hazard)
    return {
        "non_match": 100 * (1 - share["followed"]),
        "internal_migration": 100 * share["moved"],
        "mortality": 100 * share["died"],
        "non_follow_up": 100 * non_follow_up(hazard, residual, second, gap),
        "return_immigration": 100 * hazard["returned"],
    }


def native_rate(data, i):
    """Mean native rate of Appendix F over the sexes and five-year ages of cell ``i``."""
    low, high = 0, math.inf
    if "age" in data.coords:
        age = str(data["age"].values[i])
        low = int(age.rstrip("+").split("-")[0])
        high = math.inf if age.endswith("+") else int(age.split("-")[1])
    sexes = ["male", "female"]
    if "sex" in data.coords:
        sex = data["sex"].values
        sexes = [str(sex[i] if sex.ndim else sex).lower()]
    total, count = 0.0, 0
    with (FOLDER / "published" / "native_rates.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            first = 5 * int(row["age_group"])
            last = math.inf if row["age_group"] == "15" else first + 4
            if row["sex"] in sexes and first <= high and last >= low:
                total, count = total + float(row["rate"]), count + 1
    return total / count


def standard_error(low, high, component, inflation=INFLATION, own=None):
    """From the printed 90 % interval, with the rounding of the estimate in quadrature.

    ``own`` is an error of non-follow-up to take in the place of its interval.
    """
    error = (high - low) / (2 * Z90)
    if component == "non_follow_up":
        error = error * inflation if own is None else own
    return math.sqrt(error**2 + (DECIMAL / math.sqrt(12)) ** 2)


def matching_models():
    """Table 2: (sex, origin) to the sample sizes, and terms of the second generation."""
    found = {}
    with (FOLDER / "published" / "coefficients.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            if row["table"] == "2":
                place = found.setdefault((row["origin"], row["group"]), {"terms": {}})
                if row["term"] == "N":
                    place[row["generation"]] = float(row["estimate"])
                elif row["generation"] == "second":
                    place["terms"][row["term"]] = (abs(float(row["estimate"])), row["stars"])
    return found


def residual_errors(cells, term_of, reference):
    """Standard errors of the share lost, percent, for cells that make up one table.

    cells: dicts with origins ("mexican", "non_mexican"), sexes ("men", "women"), level, lost,
    moved, died (proportions) and half (half of the 90 % interval of lost).  A level's term of
    Table 2 is term_of[level]; levels in ``reference`` are the omitted ones.
    """
    models = matching_models()

    def foreign(origin, sex):
        return models[origin, sex]["first"] + models[origin, "children"]["first"] / 2

    people, unmatched = {}, {}
    for i, cell in enumerate(cells):
        p = cell["lost"] + cell["moved"] + cell["died"]
        unmatched[i] = p * (1 - p)
        kinds = [(o, s) for o in cell["origins"] for s in cell["sexes"]]
        all_foreign = sum(foreign(*kind) for kind in kinds)
        counted = cell["lost"] * (1 - cell["lost"]) / (cell["half"] / Z90) ** 2
        for kind in kinds:
            people[i, kind] = counted * models[kind]["second"] / all_foreign
    limits = {}  # (origin, term): the least share of the people that stars leave
    for kind, model in models.items():
        for term in set(term_of.values()) & set(model["terms"]):
            here = [i for i, c in enumerate(cells) if term_of.get(c["level"]) == term]
            here = [i for i in here if (i, kind) in people]
            omitted = sum(people.get((i, kind), 0) for i in range(len(cells))
                          if cells[i]["level"] in reference)  # fmt: skip
            size, stars = model["terms"][term]
            if not here or not omitted or stars == "***":
                continue
            error = size / stats.norm.isf({"": 0.05, "*": 0.01, "**": 0.001}[stars] / 2)
            n = sum(people[i, kind] for i in here)
            q = sum(people[i, kind] * unmatched[i] for i in here) / n
            if q * error**2 * omitted > 1:
                share = 1 / (q * error**2 - 1 / omitted) / n
                limits[kind[0], term] = min(limits.get((kind[0], term), 1), share)
    errors = []
    for i, cell in enumerate(cells):
        kinds = [(o, s) for o in cell["origins"] for s in cell["sexes"]]
        all_foreign = sum(foreign(*kind) for kind in kinds)
        variance = 0.0
        for origin, sex in kinds:
            n = people[i, (origin, sex)] * limits.get((origin, term_of.get(cell["level"])), 1)
            variance += (foreign(origin, sex) / all_foreign) ** 2 * unmatched[i] / n
        errors.append(100 * math.sqrt(variance))
    return errors


def log_likelihood(
    data,
    point,
    *,
    residual="probability",
    second_generation="zero",
    generation_gap="zero",
    residual_inflation=None,
):
    """Log density of every printed component: a list of five for each cell.

    Without ``residual_inflation`` the cells' own errors of the residual, or `INFLATION`.
    """
    own = [None] * data.sizes["cell"]
    if residual_inflation is None and "residual_error" in data:
        own = data["residual_error"].values
    factor = INFLATION if residual_inflation is None else residual_inflation
    where = [list(data["component"].values).index(name) for name in COMPONENTS]
    estimate, low, high = (
        data[name].transpose("cell", "component").values
        for name in ("estimate", "ci_low", "ci_high")
    )
    gap = float(point["generation_gap"]) if generation_gap == "prior" else 0.0
    terms = []
    for i, hazard in enumerate(hazards(data, point)):
        second = 0.0
        if second_generation == "native_rates":
            second = native_rate(data, i) * math.exp(float(point["native_rate_log_ratio"]))
        mean = expected(hazard, residual, second, gap)
        row = []
        for name, j in zip(COMPONENTS, where, strict=True):
            error = standard_error(low[i, j], high[i, j], name, factor, own[i])
            if estimate[i, j] == low[i, j] == high[i, j] == 0:  # printed 0.0 (0.0, 0.0)
                row.append(stats.norm.logcdf(DECIMAL / 2, mean[name], error))
            else:
                row.append(stats.norm.logpdf(estimate[i, j], mean[name], error))
        terms.append(row)
    return terms


def log_prior(data, point, priors):
    """Log densities of all parameters on their natural scale, summed.

    ``effect`` are a factor's effects along `weight`, ``cell_logit`` the logits of the cells.
    """
    total = 0.0
    pooled = pooled_logits(data, point)
    for o, outcome in enumerate(OUTCOMES):
        total += density(priors["intercept"], point["intercept"][o], outcome)
        for f, factor in enumerate(factors(data)):
            scale = point["factor_scale"][f][o]
            total += density(priors["factor_scale"], scale, factor, outcome)
            for c, (owner, _) in enumerate(contrasts(data)):
                if owner == f:
                    total += stats.norm.logpdf(point["effect"][c][o], 0, scale)
        if len(factors(data)) > 1:
            scale = point["cell_scale"][o]
            total += density(priors["cell_scale"], scale, outcome)
            for i in range(data.sizes["cell"]):
                total += stats.norm.logpdf(point["cell_logit"][i][o], pooled[i][o], scale)
    for name in ("native_rate_log_ratio", "generation_gap"):
        if name in point:
            total += density(priors[name], point[name])
    return total


def log_jacobian(point):
    """Of the positive parameters, which NUTS sees as logarithms: d exp(x) / dx = exp(x)."""
    total = 0.0
    for name in ("factor_scale", "cell_scale"):
        if name in point:
            for scale in point[name].flat:
                total += math.log(scale)
    return total


# The report's own estimator


def equation_11(u_f, m_f, d_f, u_s, m_s, d_s):
    """Emigration of adults: m is what the CPS measures, among those still in the country."""
    return (u_f - m_f + m_f * d_f - d_f - u_s + m_s - m_s * d_s + d_s) / (1 - m_f)


# A sampler that shares nothing with the package's


def differential_evolution(log_density, start, steps, rng):
    """Draws of a density by differential evolution Monte Carlo (ter Braak 2006), half a run.

    Walkers (walker, parameter) move along differences of two of the other half.
    """
    walkers = np.array(start)
    density, size = log_density(walkers), walkers.shape
    draws = []
    for step in range(steps):
        halves = np.array_split(rng.permutation(size[0]), 2)
        for moving, other in (halves, halves[::-1]):
            first, second = (walkers[rng.choice(other, len(moving))] for _ in range(2))
            length = 2.38 / math.sqrt(2 * size[1]) * rng.uniform(0.3, 1, len(moving))
            length[rng.random(len(moving)) < 0.1] = 1  # from one mode to another
            proposed = walkers[moving] + length[:, None] * (first - second)
            proposed += rng.normal(0, 1e-4, proposed.shape)
            found = log_density(proposed)
            taken = np.log(rng.random(len(moving))) < found - density[moving]
            walkers[moving[taken]], density[moving[taken]] = proposed[taken], found[taken]
        if step >= steps // 2 and step % 50 == 0:
            draws.append(walkers.copy())
    return np.concatenate(draws)
