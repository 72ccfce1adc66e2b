"""The joint model of linked March supplements, person by person, in loops.

Nothing here uses the package: each person is a dict of the panel's columns, effects are
dicts by outcome, factor and level, mortality is a dict by generation and term.
"""

import math

import numpy as np

OWN = ("country", "age_group", "sex", "duration", "year")
HOUSEHOLD = ("origin", "age_group", "sex", "year", "owner", "oversample", "enrolment")
FACTORS = {
    "emigrated": OWN,
    "returned": OWN,
    "moved": HOUSEHOLD,
    "moved_second": HOUSEHOLD,
    "lost": (*HOUSEHOLD, "education"),
}
PARENTS = ("origin", "age_group", "sex", "enrolment", "education")
# mortality's groups of ages; nobody of 75 or more is in one
AGES = (("18-24", 18, 24), ("25-34", 25, 34), ("35-44", 35, 44), ("45-54", 45, 54),
        ("55-64", 55, 64), ("65-74", 65, 74))  # fmt: skip


def chance(logit):
    return 1 / (1 + math.exp(-logit))


def words(person, factor):
    if factor == "owner":
        return "Owner" if person["owner"] else "Renter"
    if factor == "oversample":
        return "Oversample" if person["oversample"] else "Main sample"
    return str(person[factor])


def household(person):
    """A child's parent, as far as moving and being lost go; an adult as it is."""
    if person["age_group"] != "0-14":
        return person
    return {**person, **{name: person[f"parent_{name}"] for name in PARENTS}}


def probability(person, outcome, effects, add=0.0):
    logit = effects[outcome]["intercept"] + add
    for factor in FACTORS[outcome]:
        logit += effects[outcome][factor].get(words(person, factor), 0.0)
    return chance(logit)


def dying(person, generation, mortality):
    if person["age_group"] == "0-14":
        return 0.0
    own = mortality[generation]
    logit = own["intercept"]
    if person["sex"] == "Male":
        logit += own["male"]
    for race in ("Mexican", "Hispanic", "White", "Black"):
        if person["race"] == race:
            logit += own[race.lower()]
    low = max(int(person["age_group"].rstrip("+").split("-")[0]), 18)
    for name, youngest, oldest in AGES:
        if youngest <= low <= oldest:
            logit += own[name]
    if person["health"] != "Poor":
        logit += own[person["health"]]
    return chance(logit)


def native_rate(person, rates, factor):
    """Emigration of natives of the same sex and age (of a child's parent)."""
    age = person["age_group"]
    return factor * rates[person["sex"].lower(), age] if factor else 0.0


def fates(person, effects, mortality, residual, gap=0.0, rates=None, factor=0.0):
    """Shares of the five fates of one person."""
    home = household(person)
    native = native_rate(home, rates, factor)
    if person["generation"] == "second":
        d = dying(person, "second", mortality)
        m = probability(person, "moved_second", effects)
        loss = probability(person, "lost", effects)
        still = (1 - native - d) * (1 - m)
        return {"emigrated": native, "died": d, "moved": (1 - native - d) * m,
                "lost": still * loss, "followed": still * (1 - loss)}  # fmt: skip
    e = probability(person, "emigrated", effects)
    d = dying(person, "first", mortality)
    parents = person.get("parent_generation") or "first"
    who_moves = "moved" if person["age_group"] != "0-14" or parents == "first" else "moved_second"
    m = probability(home, who_moves, effects)
    loss = probability(home, "lost", effects, gap)
    if residual == "hazard":
        d = (1 - e) * d
        r = (1 - e - d) * (1 - m) * loss
    else:
        d_second = dying(person, "second", mortality)
        r = (1 - native - d_second) * (1 - probability(home, "moved_second", effects)) * loss
    return {"emigrated": e, "died": d, "moved": (1 - e - d) * m, "lost": r,
            "followed": (1 - e - d) * (1 - m) - r}  # fmt: skip


def log_likelihood(people, effects, mortality, residual, **how):
    """Sum over persons of what was seen of each: followed or not, moved or not, returned or not."""
    total = {"followed": 0.0, "native_followed": 0.0, "moved": 0.0, "returned": 0.0}
    for person in people:
        followed = fates(person, effects, mortality, residual, **how)["followed"]
        name = "followed" if person["generation"] == "first" else "native_followed"
        total[name] += math.log(followed if person["followed"] else 1 - followed)
        if person["moved"] is not None and person["age_group"] != "0-14":
            outcome = "moved" if person["generation"] == "first" else "moved_second"
            p = probability(person, outcome, effects)
            total["moved"] += math.log(p if person["moved"] else 1 - p)
        if person["returned"] is not None and person["generation"] == "first":
            p = probability(person, "returned", effects)
            total["returned"] += math.log(p if person["returned"] else 1 - p)
    return total


def weighted_means(people, effects, mortality, residual, chosen, **how):
    """Weighted mean fates of the foreign born for whom ``chosen`` says yes, and their return."""
    sums, weight = {}, 0.0
    for person in people:
        if person["generation"] != "first" or not chosen(person):
            continue
        found = fates(person, effects, mortality, residual, **how)
        found["returned"] = probability(person, "returned", effects) * (
            1 - found["emigrated"] - found["died"]
        )
        for name, value in found.items():
            sums[name] = sums.get(name, 0.0) + person["weight"] * value
        weight += person["weight"]
    return {name: value / weight for name, value in sums.items()}


REGRESSION = ("country", "age_group", "sex", "duration", "year", "owner", "oversample")
SEEN = {
    "followed": lambda p: p["followed"] if p["generation"] == "first" else None,
    "native_followed": lambda p: p["followed"] if p["generation"] == "second" else None,
    "moved": lambda p: p["moved"] if p["age_group"] != "0-14" else None,
    "returned": lambda p: p["returned"] if p["generation"] == "first" else None,
}


def design_effect(people, outcome):
    """Residuals summed by household, squared, over residuals squared; at least one."""
    rows = [(p, float(SEEN[outcome](p))) for p in people if SEEN[outcome](p) is not None]
    features = []
    for person, _ in rows:
        child = person["age_group"] == "0-14"
        found = [f"{name} {person[name]}" for name in REGRESSION]
        for name in ("generation", "age_group", "enrolment", "education"):
            found.append(f"household {name} {person[f'parent_{name}'] if child else person[name]}")
        features.append(found)
    names = sorted({name for found in features for name in found})
    x = np.array([[float(name in found) for name in names] for found in features])
    y = np.array([value for _, value in rows])
    residual = y - x @ np.linalg.lstsq(x, y, rcond=1e-10)[0]
    households = {}
    for (person, _), r in zip(rows, residual, strict=True):
        key = (person["year"], person["serial"])
        households[key] = households.get(key, 0.0) + r
    return max(1.0, sum(h**2 for h in households.values()) / sum(residual**2))
