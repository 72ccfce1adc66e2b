"""The report's estimator in plain loops, person by person: slow and literal.

Written from the report's text (equations 10-12, Consistency Checks and Adjustments) and,
line by line, from its Stata programs (Appendices B, C, F, G), not from
``models/emigration/microdata``.  A person is a dict; Stata's missing value is None, larger
than any number in a comparison.  The logits are statsmodels'.
"""

import csv
import math
from functools import cache
from pathlib import Path

import numpy as np
from lazily import lazily

sm = lazily("statsmodels.api")

PUBLISHED = Path(__file__).parents[2] / "models" / "emigration" / "published"


def logistic(x):
    return math.exp(x) / (1 + math.exp(x))


# Covariates


def global_variables(person, years, education):
    """``$variables``: the order of Appendix B, the intercept last."""
    origins = "Cuba,China,India,Asia,Africa,Europe,North America,Caribbean,Other".split(",")
    x = [person["oversample"], person["owner"]]
    for origin in origins:
        x.append(person["origin"] == origin)
    for low, high in ((15, 24), (25, 34), (35, 44), (45, 64)):
        x.append(low <= person["age"] <= high)
    for year in years[1:]:
        x.append(person["year"] == year)
    x.append(person["enrolment"] == "High school")
    x.append(person["enrolment"] == "College")
    if education:
        for level in ("Less than high school", "High school", "Some college"):
            x.append(person["education"] == level)
    return [float(v) for v in x] + [1.0]


def global_kvariables(child, parent, years, variant):
    """``$kvariables``: likewise; the last of the program's parental ages is left out."""
    origins = "Cuba,China,India,Asia,Africa,Europe,North America,Caribbean,Other".split(",")
    x = [parent["followed"], child["oversample"], child["owner"], child["sex"] == "Male"]
    for origin in origins:
        x.append(child["origin"] == origin)
    x.append(child["age"] <= 4)
    x.append(5 <= child["age"] <= 9)
    age = parent["age"]
    if variant == "text":
        x += [15 <= age <= 29, 30 <= age <= 39, 40 <= age <= 49, 50 <= age <= 59]
    else:
        x += [age < 30, 30 <= age < 35, 35 <= age < 45, 45 <= age < 55]
    for year in years[1:]:
        x.append(child["year"] == year)
    for level in ("Less than high school", "High school", "Some college"):
        x.append(parent["education"] == level)
    return [float(v) for v in x] + [1.0]


def logit(sample, outcome, covariates):
    """Stata's logit: columns that do not vary go, and columns that predict perfectly.

    "x != 0 predicts failure perfectly; x dropped and 12 obs not used", and so on from the
    first column until none is left.  Dropped columns count with a coefficient of 0.
    """
    rows = [(covariates(p), float(p[outcome]), p["weight"]) for p in sample if p["weight"] > 0]
    width = len(rows[0][0])
    out = set()
    again = True
    while again:
        again = False
        for k in range(width - 1):
            if k in out or len({x[k] for x, _, _ in rows}) == 1:
                continue
            for value in (1.0, 0.0):
                if len({y for x, y, _ in rows if x[k] == value}) == 1:
                    rows = [row for row in rows if row[0][k] != value]
                    out.add(k)
                    again = True
                    break
            if again:
                break
    varies = [k for k in range(width - 1) if len({x[k] for x, _, _ in rows}) > 1 and k not in out]
    varies.append(width - 1)
    x = np.array([[row[0][k] for k in varies] for row in rows])
    y, w = np.array([row[1] for row in rows]), np.array([row[2] for row in rows])
    beta = np.zeros(width)
    beta[varies] = sm.GLM(y, x, sm.families.Binomial(), freq_weights=w).fit(tol=1e-14).params
    return beta


def score(beta, covariates):
    return logistic(sum(b * x for b, x in zip(beta, covariates, strict=True)))


# Mortality


@cache
def table_3():
    """Coefficients by nativity and printed label."""
    with (PUBLISHED / "coefficients.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["table"] == "3"]
    return {(row["generation"], row["term"]): float(row["estimate"]) for row in rows}


def dying_text(person, nativity):
    b = table_3()
    x = b[nativity, "Intercept"]
    if person["sex"] == "Male":
        x += b[nativity, "Male"]
    labels = {
        "Mexican": "Mexican",
        "Hispanic": "Other Hispanic",
        "White": "NH White",
        "Black": "Black (Other)",
    }
    if person["race"] in labels:
        x += b[nativity, labels[person["race"]]]
    age = person["age"]
    if age <= 24:  # 15-17 with 18-24
        x += b[nativity, "18-24"]
    elif age <= 34:
        x += b[nativity, "25-34"]
    elif age <= 44:
        x += b[nativity, "35-44"]
    elif age <= 54:
        x += b[nativity, "45-54"]
    elif age <= 64:
        x += b[nativity, "55-64"]
    elif age <= 74:
        x += b[nativity, "65-74 (75+)"]
    health = {"Excellent": "Excellent", "Very good": "Very Good", "Good": "Good"}
    health["Fair"] = "Fair (Poor)"
    if person["health"] in health:
        x += b[nativity, health[person["health"]]]
    return logistic(x)


def dying_program(person, generation):
    """``replace mol=...`` and ``replace mo2=...`` of Appendix F, with the recodes before them."""
    age = person["age"]
    ager = None
    if age >= 18:
        ager = 1 if age <= 29 else 2 if age <= 39 else 3 if age <= 49 else 4 if age <= 59 else 5
        if age >= 70:
            ager = 6 if age <= 79 else 7
        elif age >= 60:
            ager = 5
    a = {k: int(ager == k) for k in range(1, 8)}
    if 15 <= age <= 19:
        a[1] = 1
    male = int(person["sex"] == "Male")
    mexican = int(person["origin"] == "Mexico")
    hisp = int(person["race"] == "Hispanic" and mexican == 0)
    white, black = int(person["race"] == "White"), int(person["race"] == "Black")
    levels = ("Excellent", "Very good", "Good", "Fair")
    h1, h2, h3, h4 = (int(person["health"] == level) for level in levels)
    if generation == 1:
        mo = -2.0172 + 0.5172 * male + 0.3359 * mexican + 0.0671 * hisp + 0.2304 * white
        mo += 0.1763 * black - 3.9841 * a[1] - 3.7220 * a[2] - 3.3239 * a[3] - 2.7561 * a[4]
        mo += -1.8177 * a[5] - 0.9944 * a[6] - 1.1810 * h1 - 1.1345 * h2 - 0.9374 * h3 - 0.5822 * h4
    else:
        mo = -1.7108 + 0.5314 * male + 0.0439 * mexican + 0.2039 * hisp + 0.2048 * white
        mo += 0.2967 * black - 4.0421 * a[1] - 3.7818 * a[2] - 3.1487 * a[3] - 2.3296 * a[4]
        mo += -1.5351 * a[5] - 0.8194 * a[6] - 1.7112 * h1 - 1.5010 * h2 - 1.1274 * h3 - 0.6526 * h4
    return math.exp(mo) / (1 + math.exp(mo))


# Predictions and equations 11 and 12


def predict(people, variant):
    """Give the foreign born, and parents, nm1 ... eerb; children without a parent go."""
    years = sorted({person["year"] for person in people})
    adults = [person for person in people if person["age"] >= 15]
    home = {
        (person["year"], person["month"], person["serial"], person["pernum"]): person
        for person in adults
    }
    for mexican in (True, False):
        for sex in ("Male", "Female"):
            sample = [p for p in adults if (p["origin"] == "Mexico") == mexican and p["sex"] == sex]
            for k, generation in ((1, "first"), (2, "second")):
                own = [p for p in sample if p["generation"] == generation]
                known = [p for p in own if p["moved"] is not None]
                bi = logit(known, "moved", lambda p: global_variables(p, years, False))
                bm = logit(own, "followed", lambda p: global_variables(p, years, True))
                for person in sample:
                    person[f"im{k}"] = score(bi, global_variables(person, years, False))
                    person[f"nm{k}"] = 1 - score(bm, global_variables(person, years, True))
    for person in adults:
        if variant == "text":
            person["mo1"] = dying_text(person, "immigrants")
            person["mo2"] = dying_text(person, "natives")
        else:
            person["mo1"] = dying_program(person, 1)
            person["mo2"] = dying_program(person, 2)
        nm2, im2, mo2 = person["nm2"], person["im2"], person["mo2"]
        person["anf"] = nm2 - im2 * (1 - mo2) - mo2
        if variant == "program" and person["generation"] == "second":
            person["anf"] = 0.0  # replace anf = 0; replace anf = ... if asamp

    kept = []
    for child in [person for person in people if person["age"] < 15]:
        key = (child["year"], child["month"], child["serial"], child["parent_pernum"])
        if key in home:
            child["parent"] = home[key]
            kept.append(child)
    for mexican in (True, False):
        sample = [child for child in kept if (child["origin"] == "Mexico") == mexican]
        if not sample:
            continue
        beta = logit(
            sample, "followed", lambda c: global_kvariables(c, c["parent"], years, variant)
        )
        for child in sample:
            x = global_kvariables(child, child["parent"], years, variant)
            child["nm1"] = 1 - score(beta, x)
            child["im1"] = child["parent"]["im1"]
            child["mo1"] = 0.0
            child["anf"] = child["parent"]["anf"]
    born_abroad = [p for p in people if p["generation"] == "first"]
    born_abroad = [p for p in born_abroad if p["age"] >= 15 or "parent" in p]
    for person in born_abroad:
        nm1, im1, mo1, anf = (person[name] for name in ("nm1", "im1", "mo1", "anf"))
        person["eerb"] = (nm1 - im1 * (1 - mo1) - mo1 - anf) / (1 - im1)
        person["aim1"] = nm1 - person["eerb"] - mo1 - anf
    return born_abroad


def exact(value):
    """Zeros and ones of the range repair, which pulls an extreme to them exactly."""
    for bound in (0.0, 1.0):
        if value is not None and math.isclose(value, bound, rel_tol=0, abs_tol=1e-12):
            return bound
    return value


# The text's repairs


def repair_text(people):
    """e^a1, then all a2, then all a3; groups are country, age and sex."""
    cells = {}
    for person in people:
        person["d_u"], person["m_u"], person["r_u"] = person["mo1"], person["aim1"], person["anf"]
        cells.setdefault((person["country"], person["age_group"], person["sex"]), []).append(person)
    for cell in cells.values():
        weights = sum(p["weight"] for p in cell)
        e = [p["eerb"] for p in cell]
        m, n = max(e), min(e)
        x = sum(p["weight"] * p["eerb"] for p in cell) / weights if weights else None
        for p in cell:
            p["e_a1"] = p["eerb"]
        if x is not None and not math.isclose(m, n, rel_tol=0, abs_tol=1e-12):
            ratios = []
            if not math.isclose(m, x, rel_tol=0, abs_tol=1e-12):
                ratios.append((1 - x) / (m - x))
            if not math.isclose(n, x, rel_tol=0, abs_tol=1e-12):
                ratios.append(x / (x - n))
            for p in cell:
                p["e_a1"] = exact(x + (p["eerb"] - x) * min(ratios))
        for before, after in (("e_a1", "e_a2"), ("d_u", "d_a2"), ("m_u", "m_a2"), ("r_u", "r_a2")):
            s_t = sum(p["weight"] * p[before] for p in cell)
            s_nm = sum(p["weight"] * p[before] for p in cell if not p["followed"])
            for p in cell:
                if p["followed"] or (s_nm == 0 and s_t != 0):
                    p[after] = 0.0
                elif s_nm == 0:
                    p[after] = p[before]
                else:
                    p[after] = p[before] * (s_t / s_nm)
        for p in cell:
            p["e_final"] = p["e_a2"]
            total = p["d_a2"] + p["m_a2"] + p["r_a2"]
            for name in "dmr":
                p[f"{name}_final"] = 0.0
                if not p["followed"]:
                    p[f"{name}_final"] = (
                        p[f"{name}_a2"] / total * (1 - p["e_a2"]) if total else None
                    )


# The program's repairs, line by line


def times(a, b):
    return None if a is None or b is None else a * b


def over(a, b):
    return None if a is None or b is None or b == 0 else a / b


def minus(a, b):
    return None if a is None or b is None else a - b


def plus(a, b):
    return None if a is None or b is None else a + b


def greater(a, b):
    """a > b, where missing is larger than any number."""
    return (math.inf if a is None else a) > (math.inf if b is None else b)


def stata_min(*values):
    known = [v for v in values if v is not None]
    return min(known) if known else None


def total(values):
    return sum(v for v in values if v is not None)


def by_cell(people):
    """by(amale rpob agegrp)"""
    cells = {}
    for p in people:
        amale = 2 if p["age"] < 15 else int(p["sex"] == "Male")
        agegrp = min(p["age"] // 5, 15)
        cells.setdefault((amale, p["country"], agegrp), []).append(p)
    return cells.values()


def nmonly(people, x, xnm):
    for cell in by_cell(people):
        m = total(times(p[x], p["weight"]) for p in cell)
        mnm = total(times(p[x], p["weight"]) for p in cell if not p["followed"])
        for p in cell:
            p[xnm] = 0.0
            if not p["followed"]:
                p[xnm] = over(times(p[x], m), mnm)


def equal(a, b):
    return a is not None and b is not None and math.isclose(a, b, rel_tol=0, abs_tol=1e-12)


def outrangenm(people, x):
    for p in people:
        p["adjx"] = 0.0
    for cell in by_cell(people):
        lost = [p for p in cell if not p["followed"]]
        if not lost:
            continue
        xsum = total(times(p[x], p["weight"]) for p in lost)
        xdem = total(p["weight"] for p in lost)
        xbar = over(xsum, xdem)
        known = [p[x] for p in lost if p[x] is not None]
        xmax, xmin = (max(known), min(known)) if known else (None, None)
        upper = None if equal(xmax, xbar) else over(minus(1, xbar), minus(xmax, xbar))
        lower = None if equal(xmin, xbar) else over(xbar, minus(xbar, xmin))
        minsc = stata_min(upper, lower)
        for p in lost:
            if not greater(0, xbar) and not greater(xbar, 1):
                p["adjx"] = exact(plus(xbar, times(minus(p[x], xbar), minsc)))
            if greater(0, xbar):
                p["adjx"] = 0.0
            if greater(xbar, 1):
                p["adjx"] = 1.0
    rat = total(times(p[x], p["weight"]) for p in people)
    arat = total(times(p["adjx"], p["weight"]) for p in people)
    for p in people:
        aax = over(times(p["adjx"], rat), arat)
        if greater(0, aax):
            aax = 0.0
        if greater(aax, 1):
            aax = 1.0
        p["aa" + x] = aax


def repair_program(people):
    adults = [p for p in people if p["age"] >= 15]
    children = [p for p in people if p["age"] < 15]
    for sample, names in ((adults, "aim1 mo1 anf eerb"), (children, "aim1 anf eerb")):
        for x in names.split():
            nmonly(sample, x, x + "nm")
            outrangenm(sample, x + "nm")
    for p in people:
        e = p["aaeerbnm"]
        parts = {"m": p["aaaim1nm"], "r": p["aaanfnm"]}
        if p["age"] >= 15:
            parts["d"] = p["aamo1nm"]
        sel2 = total(parts.values())
        p["e_final"] = e
        p["d_final"] = p["m_final"] = p["r_final"] = 0.0
        if not p["followed"] and not e >= 1:
            for name, value in parts.items():
                p[f"{name}_final"] = times(over(value, sel2), 1 - e)


# Weighted means


def estimate(people, variant):
    """The foreign born with all components."""
    born_abroad = predict(people, variant)
    (repair_text if variant == "text" else repair_program)(born_abroad)
    for p in born_abroad:
        r = p["returned"]
        p["ar"] = times(r, minus(1, plus(p["d_final"], p["e_final"])))
        p["anet"] = minus(p["e_final"], p["ar"])
    return born_abroad


def mean(people, name):
    """``table [aw=wgt]``: missing values are left out."""
    known = [p for p in people if p[name] is not None]
    return over(sum(p["weight"] * p[name] for p in known), sum(p["weight"] for p in known))


def cell(people, variant):
    """The seven components, percent."""
    for p in people:
        p["nonmatch"] = float(not p["followed"])
    names = {
        "non_match": "nonmatch",
        "internal_migration": "m_final",
        "mortality": "d_final",
        "non_follow_up": "r_final",
        "emigration": "e_final",
        "return_immigration": "ar",
        "net_emigration": "anet",
    }
    out = {component: mean(people, name) for component, name in names.items()}
    if variant == "text":
        known = [p for p in people if p["returned"] is not None and p["ar"] is not None]
        back = sum(p["weight"] * p["ar"] for p in known)
        out["return_immigration"] = over(back, sum(p["weight"] for p in known if not p["returned"]))
        out["net_emigration"] = minus(out["emigration"], out["return_immigration"])
    return {component: times(100, value) for component, value in out.items()}
