"""The snapshot model in plain loops, year by year and migrant by migrant: slow, literal.

Written from the paper (equations 1-46; their numbers stand beside them), not from
``models/snapshot``.  Years and lengths of stay count from 1, so the lists of a
`History` have an unused element 0, which stands for the year before the first.
"""

import csv
import math
import statistics
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from lazily import lazily

statsmodels = lazily("statsmodels.api")

TRUTH = Path(__file__).parents[2] / "models" / "snapshot" / "truth.csv"
NAMES = {  # of the parameters in the graph, and here
    "solitary_share": "phi",
    "retirement_prob": "q",
    "solitary_departures": "f_s",
    "rookie_departures": "g",
    "repeat_prob": "rho",
    "solitary_sojourn": "a_s",
    "circular_sojourn": "a_c",
}


def from_one(values):
    """A list whose first element has index 1."""
    return [0.0, *(float(value) for value in values)]


def by_length(shares, years):
    """Probability of each length of stay: the last class is spread evenly (Section 11)."""
    single = len(shares) - 1
    long = float(shares[-1]) / (years - single)
    return from_one([*shares[:-1], *[long] * (years - single)])


def exceeds(a, t):
    """Pr{A > t} (eq. 16)."""
    return sum(a[j] for j in range(t + 1, len(a)))


# From parameters to flows and populations


@dataclass
class History:
    """What equations 1-21 say of each year, per migrant of either kind."""

    phi: float  # share of solitary migrants
    q: float  # retirement probability
    f_s: list  # departures of solitary migrants
    f_c: list  # all departures of circular migrants
    a_s: list  # sojourns of solitary migrants, by length
    a_c: list  # of circular migrants
    m_c: list  # mean trips to date
    n_s: list  # N_S: solitary migrants who have left
    n_c: list  # N_C: circular migrants who have left
    rookies: list  # n_C: first trips
    repeats: list  # R: repeat trips
    rho: list  # repeat probability
    p_s: list  # P_S: solitary migrants abroad
    p_c: list  # P_C: circular migrants abroad
    retired: list  # Q
    active: list  # N_C - P_C - Q: at home, may leave again
    home: list  # sigma: all at home

    @property
    def tau(self):
        return len(self.f_s) - 1

    @property
    def trips(self):
        """All circular departures, N_C h_C."""
        return [n + r for n, r in zip(self.rookies, self.repeats, strict=True)]


def paper(phi, q, f_s, f_c, a_s, a_c, m_c):
    """History from the paper's own parameters; vectors as the graph has them."""
    phi, q = float(phi), float(q)
    tau = len(f_s)
    years = range(1, tau + 1)
    f_s, f_c, m_c = from_one(f_s), from_one(f_c), from_one(m_c)
    a_s, a_c = by_length(a_s, tau), by_length(a_c, tau)

    h_s = [0.0] + [f_s[t] / sum(f_s[j] for j in range(1, t + 1)) for t in years]  # eq. 5
    h_c = [0.0] + [m_c[t] * f_c[t] / sum(f_c[j] for j in range(1, t + 1)) for t in years]  # eq. 10
    n_s = [0.0] * (tau + 1)
    n_c = [0.0] * (tau + 1)
    for t in years:
        n_s[t] = phi
        n_c[t] = (1 - phi) * m_c[tau] / m_c[t]
        for j in range(t + 1, tau + 1):
            n_s[t] *= 1 - h_s[j]  # eq. 3
            n_c[t] *= 1 - h_c[j] / m_c[j]  # eq. 8

    rookies = [0.0] + [n_c[t] - n_c[t - 1] for t in years]  # eq. 11
    repeats = [0.0] + [n_c[t] * h_c[t] - rookies[t] for t in years]  # eq. 12
    p_s = [0.0] * (tau + 1)
    p_c = [0.0] * (tau + 1)
    for t in years:
        for j in range(1, t + 1):
            p_s[t] += n_s[j] * h_s[j] * exceeds(a_s, t - j + 1)  # eq. 15
            p_c[t] += n_c[j] * h_c[j] * exceeds(a_c, t - j + 1)  # eq. 17
    retired = [0.0] + [(n_c[t] * m_c[t] - p_c[t]) * q for t in years]  # eq. 18
    active = [0.0] + [n_c[t] - p_c[t] - retired[t] for t in years]
    rho = [0.0, 0.0] + [repeats[t] / active[t - 1] for t in range(2, tau + 1)]  # eq. 19
    home = [0.0] + [n_s[t] - p_s[t] + n_c[t] - p_c[t] for t in years]  # eq. 21
    return History(
        phi, q, f_s, f_c, a_s, a_c, m_c,
        n_s, n_c, rookies, repeats, rho, p_s, p_c, retired, active, home,
    )  # fmt: skip


def flow(phi, q, f_s, g, rho, a_s, a_c):
    """History from first trips and repeat probabilities, by following the migrants.

    Some of those at home leave at a year's start; some of those abroad come home at its
    end, and retire or not.
    """
    phi, q = float(phi), float(q)
    tau = len(f_s)
    years = range(1, tau + 1)
    f_s, rho = from_one(f_s), from_one(rho)
    a_s, a_c = by_length(a_s, tau), by_length(a_c, tau)
    rookies = [(1 - phi) * share for share in from_one(g)]
    solitary_abroad = {}  # by departure year
    circular_abroad = {}
    left = {}  # circular departures by year
    n_s, n_c, p_s, p_c, retired, active, repeats, home = ([0.0] * (tau + 1) for _ in range(8))
    solitary_home = 0.0
    for t in years:
        repeats[t] = rho[t] * active[t - 1]
        left[t] = rookies[t] + repeats[t]
        circular_abroad[t] = left[t]
        solitary_abroad[t] = phi * f_s[t]
        returns = 0.0
        for d in range(1, t + 1):
            circular_abroad[d] -= left[d] * a_c[t - d + 1]
            returns += left[d] * a_c[t - d + 1]
            solitary_abroad[d] -= phi * f_s[d] * a_s[t - d + 1]
            solitary_home += phi * f_s[d] * a_s[t - d + 1]
        retired[t] = retired[t - 1] + q * returns  # eq. 34
        active[t] = active[t - 1] - repeats[t] + (1 - q) * returns
        p_s[t], p_c[t] = sum(solitary_abroad.values()), sum(circular_abroad.values())
        n_s[t] = n_s[t - 1] + phi * f_s[t]
        n_c[t] = n_c[t - 1] + rookies[t]
        home[t] = solitary_home + retired[t] + active[t]
    total = sum(left.values())
    f_c = [0.0] + [left[t] / total if total else math.nan for t in years]
    m_c = [0.0] + [
        sum(left[s] for s in range(1, t + 1)) / n_c[t] if n_c[t] else math.nan for t in years
    ]
    return History(
        phi, q, f_s, f_c, a_s, a_c, m_c,
        n_s, n_c, rookies, repeats, rho, p_s, p_c, retired, active, home,
    )  # fmt: skip


# What a survey hears (Section 9)


def refrains(history, first, t):
    """nu(first, t): no travel from one year to another (eq. 20)."""
    chance = 1.0
    for k in range(first, t + 1):
        chance *= 1 - history.rho[k]
    return chance


def solitary(history, i, j, t):
    """Solitary, left i - 1 years before the survey, stayed j years (eq. 22)."""
    h = history
    return h.phi * h.f_s[t - i + 1] * h.a_s[j] / h.home[t]


def stays(history, i, j, t):
    """Came home, and has not left since: retired, or active and did not travel."""
    return history.q + (1 - history.q) * refrains(history, t - i + j + 1, t)


def repeater(history, i, j, t):
    """Circular, on a repeat trip (eq. 26)."""
    h = history
    if i == t:  # it left in the first year
        return 0.0
    return h.repeats[t - i + 1] * h.a_c[j] * stays(h, i, j, t) / h.home[t]


def rookie(history, i, j, t):
    """Circular, on a first trip (eq. 30)."""
    h = history
    return h.rookies[t - i + 1] * h.a_c[j] * stays(h, i, j, t) / h.home[t]


def answers(t):
    """All (i, j) that a survey can hear of."""
    for i in range(1, t + 1):
        for j in range(1, i + 1):
            yield i, j


def answer(history, i, j, t, repeat):
    """Probability of what a respondent says (in eq. 32)."""
    if repeat:
        return repeater(history, i, j, t)
    return solitary(history, i, j, t) + rookie(history, i, j, t)


def total_probability(history, t):
    """Left side of eq. 31."""
    total = 0.0
    for i, j in answers(t):
        total += solitary(history, i, j, t) + repeater(history, i, j, t) + rookie(history, i, j, t)
    return total


def counts(data):
    """s_ijt and r_ijt: respondents by (i, j, t, repeat)."""
    found = {}
    for survey, departure, sojourn, repeat in zip(
        data["survey_year"].values.tolist(),
        data["departure_year"].values.tolist(),
        data["sojourn_years"].values.tolist(),
        data["repeat"].values.tolist(),
        strict=True,
    ):
        t = survey - data.attrs["first_year"] + 1
        key = survey - departure + 1, sojourn, t, bool(repeat)
        found[key] = found.get(key, 0) + 1
    return found


# Mean trips (Section 10)


def paper_trips(history):
    """m_Mexico by equations 33-38: returners drawn at random from those abroad."""
    return paper_means(history)[0]


def paper_means(history):
    """m_Mexico, and the mean of the active (eqs. 33-38)."""
    h = history
    returns = [0.0] * (h.tau + 1)
    us, quit_, active, mexico = ([0.0] * (h.tau + 1) for _ in range(4))
    for t in range(1, h.tau + 1):
        returns[t] = (h.retired[t] - h.retired[t - 1]) / h.q  # eq. 35
        carried = 0.0
        for i in range(2, t + 1):  # R(1) = 0
            carried += h.repeats[i] * active[i - 1] * exceeds(h.a_c, t - i + 1)
        us[t] = 1 + carried / h.p_c[t]  # eq. 33
        quit_[t] = sum(us[i] * returns[i] * h.q for i in range(1, t + 1)) / h.retired[t]  # eq. 36
        rest = h.m_c[t] * h.n_c[t] - us[t] * h.p_c[t] - quit_[t] * h.retired[t]
        active[t] = rest / h.active[t]  # eq. 37
        mexico[t] = (
            h.n_s[t] - h.p_s[t] + quit_[t] * h.retired[t] + active[t] * h.active[t]
        ) / h.home[t]  # eq. 38
    return mexico, active


def tables_of_trips(history):
    """Circular migrants of each year's end by trips to date: at home active, retired, abroad.

    Nothing is approximated: whoever leaves takes his number of trips with him, and
    brings it home.
    """
    h = history
    most = h.tau + 1
    left = {}  # departure year -> migrants by trips
    active = [0.0] * (most + 1)  # by trips
    retired = [0.0] * (most + 1)
    yearly = {}
    for t in range(1, h.tau + 1):
        left[t] = [0.0] * (most + 1)
        left[t][1] = h.rookies[t]
        for k in range(1, most):
            left[t][k + 1] = h.rho[t] * active[k]
            active[k] -= left[t][k + 1]
        abroad = [0.0] * (most + 1)
        for d, migrants in left.items():
            still_there = exceeds(h.a_c, t - d + 1)
            for k in range(1, d + 1):  # at most one trip a year
                home = migrants[k] * h.a_c[t - d + 1]
                retired[k] += h.q * home
                active[k] += (1 - h.q) * home
                abroad[k] += migrants[k] * still_there
        yearly[t] = {"active": list(active), "retired": list(retired), "abroad": abroad}
    return yearly


def exact_trips(history):
    """m_Mexico from the table of migrants by trips."""
    h = history
    mexico = [0.0] * (h.tau + 1)
    for t, by_trips in tables_of_trips(history).items():
        trips = h.n_s[t] - h.p_s[t]
        people = trips
        for where in ("active", "retired"):
            for k, migrants in enumerate(by_trips[where]):
                trips += k * migrants
                people += migrants
        mexico[t] = trips / people
    return mexico


TRIPS = {"exact": exact_trips, "paper": paper_trips}


def exact_active(history):
    """Mean trips of active migrants at home, from the table of migrants by trips."""
    found = [0.0] * (history.tau + 1)
    for t, by_trips in tables_of_trips(history).items():
        people = sum(by_trips["active"])
        found[t] = sum(k * n for k, n in enumerate(by_trips["active"])) / people if people else 0.0
    return found


ACTIVE = {"exact": exact_active, "paper": lambda history: paper_means(history)[1]}


def repeaters_trips(history, data, calibration="exact"):
    """Mean trips expected of each survey's repeaters, by t, given the year in which each left."""
    active = ACTIVE[calibration](history)
    expected = {}
    for survey, departure, repeat in zip(
        data["survey_year"].values.tolist(),
        data["departure_year"].values.tolist(),
        data["repeat"].values.tolist(),
        strict=True,
    ):
        if repeat:
            before = active[departure - data.attrs["first_year"]]  # at the end of the year before
            expected.setdefault(survey - data.attrs["first_year"] + 1, []).append(1 + before)
    return {t: statistics.fmean(trips) for t, trips in expected.items()}


def trips_of(data, of="repeaters"):
    """Trips of each survey's repeaters, or of all respondents, by t."""
    of_survey = {}
    for survey, repeat, trips in zip(
        data["survey_year"].values.tolist(),
        data["repeat"].values.tolist(),
        data["trips"].values.tolist(),
        strict=True,
    ):
        if repeat or of == "everybody":
            of_survey.setdefault(survey - data.attrs["first_year"] + 1, []).append(trips)
    return {t: of_survey[t] for t in sorted(of_survey)}


def sample_means(data, of="repeaters"):
    """Mean trips and its standard error of each survey that has one of its own, by t."""
    found = {}
    for t, trips in trips_of(data, of).items():
        if len(trips) > 1 and statistics.variance(trips) > 0:
            error = math.sqrt(statistics.variance(trips) / len(trips))
            found[t] = statistics.fmean(trips), error
    return found


def pooled_means(data, of="repeaters"):
    """Mean trips of each survey, by t, and its error: one variance, log-linear if three tell."""
    surveys = trips_of(data, of)
    some = {t: trips for t, trips in surveys.items() if len(trips) > 1}
    if len(some) < 3:
        squares = sum((len(trips) - 1) * statistics.variance(trips) for trips in some.values())
        error = squares / sum(len(trips) - 1 for trips in some.values())
        return {t: (statistics.fmean(x), math.sqrt(error / len(x))) for t, x in surveys.items()}
    model = statsmodels.GLM(
        np.array([statistics.variance(trips) for trips in some.values()]),
        np.array([[1.0, t] for t in some]),
        statsmodels.families.Gamma(statsmodels.families.links.Log()),
        var_weights=np.array([(len(trips) - 1) / 2 for trips in some.values()]),
    )
    level, slope = model.fit(tol=1e-14).params
    return {
        t: (statistics.fmean(trips), math.sqrt(math.exp(level + slope * t) / len(trips)))
        for t, trips in surveys.items()
    }


def normal(x, mean, error):
    """log N(x | mean, error^2)."""
    return -0.5 * ((x - mean) / error) ** 2 - math.log(error) - 0.5 * math.log(2 * math.pi)


def log_likelihood(history, data, calibration="exact", of="repeaters"):
    """The terms of eq. 41: {(i, j, t, repeat): term}, {t: term}.

    Those of mean trips are of repeaters given when they left, or of all (as eq. 39 has them).
    """
    respondents = {
        (i, j, t, repeat): count * math.log(answer(history, i, j, t, repeat))
        for (i, j, t, repeat), count in counts(data).items()
    }
    if of == "repeaters":
        expected = repeaters_trips(history, data, calibration)
    else:
        expected = TRIPS[calibration](history)
    means = {
        t: normal(mean, expected[t], error) for t, (mean, error) in pooled_means(data, of).items()
    }
    return respondents, means


# Results (Section 12)


def results(history, since, crossings=38.8, calibration="exact"):
    """Headline numbers and curves, named as the study names them.

    ``since`` is the year of the model (t) from which crossings add up to the given
    millions.
    """
    h, tau = history, history.tau
    m, years = h.m_c[tau], range(1, tau + 1)
    per_migrant = h.phi + (1 - h.phi) * m
    share = (1 - h.phi) * m / per_migrant  # eq. 43
    late = (h.n_s[tau] - h.n_s[since - 1]) + (
        h.m_c[tau] * h.n_c[tau] - (h.m_c[since - 1] * h.n_c[since - 1] if since > 1 else 0)
    )
    total = crossings * per_migrant / late  # eq. 44
    b_s = [0.0] + [total * h.phi / per_migrant * h.f_s[t] for t in years]  # eq. 45
    b_c = [0.0] + [total * (1 - h.phi) * m / per_migrant * h.f_c[t] for t in years]  # eq. 46
    population = [0.0] * (tau + 1)
    for t in years:
        for j in range(1, t + 1):  # eqs. 15 and 17
            population[t] += b_s[j] * exceeds(h.a_s, t - j + 1)
            population[t] += b_c[j] * exceeds(h.a_c, t - j + 1)
    hazard = []
    for j in years:
        leaves = (1 - share) * h.a_s[j] + share * h.a_c[j]
        there = (1 - share) * exceeds(h.a_s, j - 1) + share * exceeds(h.a_c, j - 1)
        hazard.append(leaves / there if there else math.nan)  # all have left
    return {
        "solitary_share": h.phi,
        "retirement_prob": h.q,
        "mean_trips": m,
        "circular_share_of_crossings": share,
        "retired_share": h.retired[tau] / (1 - h.phi),
        "circular_sojourn_within_2_years": h.a_c[1] + h.a_c[2],
        "mean_solitary_sojourn": sum(j * h.a_s[j] for j in years),
        "mean_circular_sojourn": sum(j * h.a_c[j] for j in years),
        "total_crossings": total,
        "population": population[1:],
        "solitary_crossings": b_s[1:],
        "circular_crossings": b_c[1:],
        "trips_at_home": TRIPS[calibration](h)[1:],
        "emigration_hazard": hazard,
    }


def shipped_truth():
    """The parameters of ``truth.csv``, as arguments of `flow`."""
    values = {}
    with TRUTH.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            values.setdefault(row["variable"], []).append(float(row["value"]))
    return {
        "phi": values["solitary_share"][0],
        "q": values["retirement_prob"][0],
        "f_s": values["solitary_departures"],
        "g": values["rookie_departures"],
        "rho": values["repeat_prob"],
        "a_s": values["solitary_sojourn"],
        "a_c": values["circular_sojourn"],
    }
