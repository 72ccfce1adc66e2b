"""What the paper's printed numbers say about each other, and about the prose: no graph.

Every finding is computed from the files of ``published/``.  ``claims.csv`` holds what the
paper *says*, one statement per row; whether it holds is decided here.  A check is a function
in `CHECKS` that yields findings: one for all that holds, one for each thing that does not.

A printed number is known to half a unit of its last digit; "can be" in what follows means:
for some values within these bounds.
"""

from __future__ import annotations

import ast
import operator
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

EPS = 1e-9  # for comparisons of decimals that are not exact in binary
TINY = 1e-12  # a probability that is rounding error
Z95 = 1.960
FFK, CAPPS = "Fazel-Zarandi et al. 2018", "Capps et al. 2018"
WIDEST = 1.2  # a share "a bit over" another is at most so many times as large: our reading

Claim = Mapping[str, str]  # a row of claims.csv
Verdict = tuple[bool, str]
Judge = Callable[["Paper", Claim], Verdict]


class Finding(NamedTuple):
    """One row of the audit, less the name of its check."""

    where: str
    holds: bool
    detail: str


class Printed(NamedTuple):
    """A printed number: what it says, and the least and most that it can be."""

    value: float
    low: float
    high: float

    @property
    def ends(self) -> tuple[float, float]:
        """The least and the most."""
        return self.low, self.high


def printed(text: Any) -> Printed:
    """Read a number as printed: its last digit says how well it is known."""
    digits = text if isinstance(text, str) else f"{text:.12g}"
    half = 0.5 * 10.0 ** -len(digits.partition(".")[2])
    return Printed(float(digits), float(digits) - half, float(digits) + half)


class Paper:
    """The published files; numbers of ``quantities.csv`` and ``others.csv`` by name."""

    def __init__(self, tables: Mapping[str, pd.DataFrame]):
        self.tables = tables

    def records(self, name: str) -> list[dict[str, str]]:
        """Rows of one file as text; an empty field is empty, however it was read."""
        table = self.tables[name]
        shown = [
            ["" if _absent(v) else v if isinstance(v, str) else f"{v:.12g}" for v in row]
            for row in table.itertuples(index=False)
        ]
        return [dict(zip(table.columns, row, strict=True)) for row in shown]

    @cached_property
    def rows(self) -> dict[str, dict[str, str]]:
        """Rows of quantities and others by name; of a name with several rows, the last."""
        return {row["quantity"]: row for n in ("quantities", "others") for row in self.records(n)}

    @cached_property
    def claims(self) -> list[dict[str, str]]:
        """Rows of ``claims.csv``."""
        return self.records("claims")

    def __call__(self, name: str, field: str = "estimate") -> Printed:
        """Return a printed number; `KeyError` if the name, or the field for it, is not there."""
        text = self.rows[name][field]
        if not text:
            raise KeyError(f"{name} has no {field}")
        return printed(text)

    def value(self, name: str, field: str = "estimate") -> float:
        """Return a printed number as it stands."""
        return self(name, field).value


def _absent(value: Any) -> bool:
    return isinstance(value, float) and np.isnan(value)


def spread(f: Callable[..., float], *numbers: Printed) -> Printed:
    """Return a function of printed numbers, and the least and most that it can be.

    The extremes are those of the corners: right for functions that are monotone in each
    number, as all here are.
    """
    corners = [f(*ends) for ends in product(*(number.ends for number in numbers))]
    return Printed(f(*(number.value for number in numbers)), min(corners), max(corners))


def _between(number: Printed, digits: int = 2) -> str:
    return f"{number.value:.{digits}f} ({number.low:.{digits}f} to {number.high:.{digits}f})"


# Sums and quotients that the text does


OPERATIONS: dict[type, Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def calculate(expression: str) -> Printed:
    """Evaluate sums, differences, products and quotients of printed numbers.

    A number with a decimal point is known to half a unit of its last digit, the same number
    twice is the same quantity, and whole numbers are exact.
    """
    tree = ast.parse(expression, mode="eval").body
    names = {
        ast.unparse(node): node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, float)
    }

    def evaluate(node: ast.expr, values: Mapping[str, float]) -> float:
        if isinstance(node, ast.BinOp):
            left, right = evaluate(node.left, values), evaluate(node.right, values)
            return OPERATIONS[type(node.op)](left, right)
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
            return values.get(ast.unparse(node), node.value)
        raise ValueError(f"{expression!r}: not a sum, difference, product or quotient of numbers")

    def whole(*values: float) -> float:
        return evaluate(tree, dict(zip(names, values, strict=True)))

    return spread(whole, *(printed(name) for name in names))


def _agrees(value: float, stated: str) -> bool:
    """Whether a value rounds to what is stated."""
    low, high = printed(stated).ends
    return low - EPS <= value <= high + EPS


def _arithmetic(paper: Paper, claim: Claim) -> Verdict:
    found, stated = calculate(claim["quantity"]), printed(claim["stated"])
    shown = f"{claim['quantity']} = {found.value:.4g}, printed {claim['stated']}"
    if found.low > stated.high + EPS or found.high < stated.low - EPS:
        return False, f"{shown}; rounding does not explain it"
    return _agrees(found.value, claim["stated"]), (
        f"{shown}; the figures as rounded can give {found.low:.3f} to {found.high:.3f}, so the "
        "unrounded ones may have"
    )


def _same_number(field: str) -> Judge:
    def judge(paper: Paper, claim: Claim) -> Verdict:
        there = paper.rows[claim["quantity"]][field]
        return float(there) == float(claim["stated"]), (
            f"{claim['stated']} here, {there} in {paper.rows[claim['quantity']]['source']}"
        )

    return judge


# Intervals


def intervals(paper: Paper) -> Iterator[Finding]:
    """The paper's own intervals are estimate plus or minus the same, hence normal ones."""
    shown = []
    own = {row["quantity"]: row for row in paper.records("quantities")}
    for name, row in own.items():
        if not row["ci_low"]:
            continue
        low, high = paper(name, "ci_low"), paper(name, "ci_high")
        middle = spread(lambda a, b: (a + b) / 2, low, high)
        estimate = paper(name)
        apart = middle.low > estimate.high + EPS or middle.high < estimate.low - EPS
        if apart:
            text = f"{estimate.value:g}, middle of {low.value:g} to {high.value:g}"
            found = f"{_words(name)}: {text} is {middle.value:.4g}"
            yield Finding(_section(row), False, found)
        else:
            se = spread(lambda a, b: (b - a) / (2 * Z95), low, high)
            shown.append(f"{_words(name)} {se.value:.2g}")
    if shown:
        yield Finding(
            "Section 12",
            True,
            f"{len(shown)} intervals are symmetric; they imply standard errors of "
            f"{', '.join(shown)}",
        )
    for name, row in own.items():
        if row["se"]:
            mean, error = paper.value(name), paper.value(name, "se")
            least, most = mean - Z95 * error, mean + Z95 * error
            longest = paper.value("longest_sojourn")
            yield Finding(
                _section(row),
                least >= 1 and most <= longest,
                f"{_words(name)} {mean:g} with standard error {error:g}: 95 % interval "
                f"{least:.1f} to {most:.1f} years; 1 to {longest:.0f} are possible",
            )


def _words(name: str) -> str:
    return name.replace("_", " ")


def _section(row: Mapping[str, str]) -> str:
    return row["source"].partition(", ")[2]


# What the numbers imply together


def _migrants(total: float, solitary: float, trips: float) -> float:
    """Migrants of all years, million: crossings over crossings a migrant (eq. 43)."""
    return total / (solitary + (1 - solitary) * trips)


def whereabouts(paper: Paper) -> Iterator[Finding]:
    """Eq. 18 and eq. 44 place every migrant of 1980-2016 somewhere at the end of 2016."""
    retired, trips, q = (paper(n) for n in ("retired_share", "mean_trips_2016", "retirement_prob"))
    abroad = spread(lambda r, m, q: m - r / q, retired, trips, q)
    active = spread(lambda r, m, q: 1 - r - (m - r / q), retired, trips, q)
    yield Finding(
        "Section 12, eq. 18",
        abroad.high > 0 and active.high > 0,
        f"of circular migrants, retired {retired.value:g}; eq. 18 then leaves "
        f"{_between(abroad)} in the United States and {_between(active)} active at home",
    )
    phi, total, people = (
        paper(n) for n in ("solitary_share", "total_crossings", "population_2016")
    )
    migrants = spread(_migrants, total, phi, trips)

    def solitary_abroad(r: float, m: float, q: float, phi: float, t: float, p: float) -> float:
        return (p / _migrants(t, phi, m) - (1 - phi) * (m - r / q)) / phi

    solitary = spread(solitary_abroad, retired, trips, q, phi, total, people)
    circular = (1 - phi.value) * abroad.value * migrants.value
    yield Finding(
        "Section 12, eqs. 18 and 44",
        solitary.high >= 0 and solitary.low <= 1,
        f"{_between(migrants, 1)} million migrants in all, so that the 2016 population is "
        f"{people.value / migrants.value:.2f} of them: about {circular:.1f} million circular and "
        f"{people.value - circular:.1f} million solitary ones, {_between(solitary)} of all "
        f"solitary migrants since {paper.value('first_year'):.0f}",
    )


def total_crossings(paper: Paper) -> Iterator[Finding]:
    """T rests on numbers that are not printed; what it implies is possible."""
    total, scaled = paper("total_crossings"), paper("crossings_1990_2016")
    share = spread(lambda a, b: a / b, scaled, total)
    years = paper.value("scaled_from") - paper.value("first_year")
    before = total.value - scaled.value
    after = paper.value("last_year") - paper.value("scaled_from") + 1
    yield Finding(
        "Section 12, eq. 44",
        share.high > 0 and share.low <= 1,
        f"T cannot be recomputed: N_S(10), N_C(10) and m_C(10) are not printed.  It implies that "
        f"{100 * share.value:.1f} % ({100 * share.low:.1f} to {100 * share.high:.1f}) of all "
        f"crossings fall in 1990-2016: {scaled.value / after:.2f} million a year, after "
        f"{before / years:.2f} million a year in the {years:.0f} years before",
    )
    half = (scaled.high - scaled.value) / scaled.value * total.value
    digits = total.high - total.value
    yield Finding(
        "Section 12, eq. 44",
        half <= digits,
        f"T is printed to {2 * digits:g} million, but the {scaled.value:g} million to which it is "
        f"scaled is known to {scaled.high - scaled.value:.2g}, which moves T by {half:.2f}",
    )


def sojourns(paper: Paper) -> Iterator[Finding]:
    """Means that classes of single years and one even class beyond can have."""
    single, longest = paper.value("single_year_sojourns"), paper.value("longest_sojourn")
    beyond = (single + 1 + longest) / 2  # mean of the even class
    within = paper("circular_sojourn_within_2_years")
    for name, least, most in (
        ("mean_solitary_sojourn", 1.0, beyond),
        (
            "mean_circular_sojourn",
            1 * within.low + 3 * (1 - within.low),
            2 * within.high + beyond * (1 - within.high),
        ),
    ):
        mean = paper(name)
        share = (mean.value - 1) / (beyond - 1)
        if name == "mean_circular_sojourn":
            left = 1 - within.value
            share = min(left, (mean.value - within.value - 3 * left) / (beyond - 3))
        yield Finding(
            "Section 12, eq. 42",
            least <= mean.value <= most,
            f"{_words(name)} {mean.value:g}: possible are {least:.1f} to {most:.1f} years; those "
            f"of more than {single:.0f} years are at most {share:.2f} of all",
        )


# The order of the equations' indices


def indices(paper: Paper) -> Iterator[Finding]:
    """Ranges of indices in eqs. 20, 26, 30 and 31, gone through one by one."""
    surveys = range(int(paper.value("first_survey_index")), int(paper.value("model_years")) + 1)
    needed = [(t - i + j + 1, t) for t in surveys for i in range(1, t + 1) for j in range(1, i + 1)]
    defined = {(t - j + 1, t) for t in surveys for j in range(1, t + 1)}
    outside = [pair for pair in needed if pair not in defined]
    yield Finding(
        "Sections 8 and 9, eqs. 20 and 30",
        not outside,
        f"eq. 20 defines nu(a, t) for a = 1..t; {len(outside)} of the {len(needed)} cells of "
        f"eq. 30, home in the survey year itself, need a = t + 1"
        + (", an empty product: 1" if all(a == t + 1 for a, t in outside) else ""),
    )
    zero = [i for t in surveys for i in (t,) if t - i + 1 == 1]
    yield Finding(
        "Section 9, eqs. 26 and 31",
        len(zero) == len(surveys),
        f"eq. 26 has i to t - 1, eqs. 31 and 32 sum to t: the {len(zero)} surveys' terms at i = t "
        "depart in year 1, where R(1) = N_C(1) (m_C(1) - 1) = 0",
    )


# Statements of the prose, by kind


def _a_bit_over(paper: Paper, claim: Claim) -> Verdict:
    value, stated = paper.value(claim["quantity"]), float(claim["stated"])
    return stated < value < WIDEST * stated, f"{value:g}, against {stated:.3f}"


def _retirement_bound(paper: Paper, claim: Claim) -> Verdict:
    q, trips = (paper.value(n) for n in ("retirement_prob", claim["quantity"]))
    ends = [1 / paper.value("retirement_prob", end) for end in ("ci_high", "ci_low")]
    return trips < 1 / q, (
        f"1/q = {1 / q:.2f} ({ends[0]:.2f} to {ends[1]:.2f} over the interval of q), mean trips "
        f"{trips:g}; by eq. 18 mean trips are at most (1 - p)/q + p, p the share abroad, hence 1/q"
    )


def _multiple_visits(paper: Paper, claim: Claim) -> Verdict:
    q, low, high = (paper.value(claim["quantity"], n) for n in ("estimate", "ci_low", "ci_high"))
    return (1 - q) ** 2 > 0.5, (
        f"in the model {q:.0%} ({low:.0%} to {high:.0%}) of circular migrants retire after their "
        f"first trip; at most {1 - q:.0%} ever repeat it, and {(1 - q) ** 2:.0%} more than once: "
        "what sets them apart is that they may"
    )


def _short_spells(paper: Paper, claim: Claim) -> Verdict:
    within, mean = paper("circular_sojourn_within_2_years"), paper(claim["quantity"])
    rest = [
        spread(lambda w, m, early=early: (m - early * w) / (1 - w), within, mean)
        for early in (1, 2)
    ]
    return within.value > 0.5, (
        f"{within.value:.0%} are of two years or less; with a mean of {mean.value:g} years the "
        f"other {1 - within.value:.0%} average {rest[1].value:.1f} to {rest[0].value:.1f} years"
    )


def _majority_before(paper: Paper, claim: Claim) -> Verdict:
    share, total = (paper.value(n) for n in (claim["quantity"], "total_crossings"))
    majority = float(claim["stated"])
    # as many as possible before: all circular crossings, and they are just this majority
    before = min(total, share * total / majority)
    year, first, last = (
        int(paper.value(n)) for n in ("border_tightened", "first_year", "last_year")
    )
    earlier, later = before / (year - first), (total - before) / (last - year + 1)
    return later < earlier, (
        f"if that means {majority:.0%} or more, the circular share of {share:g} in all years "
        f"allows at most {before:.1f} of the {total:g} million crossings before {year} "
        f"({earlier:.2f} a year) and needs {total - before:.1f} in {year}-{last} ({later:.2f} a "
        f"year): {'possible with' if later < earlier else 'against'} the overall decline "
        f"to {paper.value('crossings_2016') / 1e6:g} in {last}"
    )


def mean_stay(hazards: Mapping[int, float], years: int) -> float:
    """Mean years in the country if everybody has left after ``years``.

    Parameters
    ----------
    hazards : mapping of int to float
        Chance to leave at the end of a year of the stay, from that year on.
    years : int
    """
    staying, total, hazard = 1.0, 0.0, 0.0
    for year in range(1, years + 1):
        hazard = hazards.get(year, hazard)
        total += staying
        staying *= 1 - hazard
    return total


def _stays(paper: Paper) -> dict[str, float]:
    """Mean stay under each published set of hazards, and of the model's average trip."""
    by_origin: dict[str, dict[int, float]] = defaultdict(dict)
    for row in paper.records("hazards"):
        by_origin[row["origin"]][int(row["year_from"])] = float(row["estimate"]) / 100
    longest = int(paper.value("longest_sojourn"))
    stays = {origin: mean_stay(rates, longest) for origin, rates in by_origin.items()}
    circular = paper.value("circular_share_of_crossings")
    means = [paper.value(f"mean_{kind}_sojourn") for kind in ("solitary", "circular")]
    return {**stays, "model": (1 - circular) * means[0] + circular * means[1]}


def _stays_shown(paper: Paper) -> str:
    longest = paper.value("longest_sojourn")
    stays = ", ".join(f"{origin} {stay:.1f}" for origin, stay in _stays(paper).items())
    return f"mean stay of a trip, at most {longest:.0f} years: {stays} years"


def _closer_hazards(paper: Paper, claim: Claim) -> Verdict:
    stays = _stays(paper)
    gaps = {origin: abs(stay - stays["model"]) for origin, stay in stays.items()}
    return gaps[FFK] < gaps[CAPPS], _stays_shown(paper)


def _longer_stay(paper: Paper, claim: Claim) -> Verdict:
    stays = _stays(paper)
    return stays["model"] > stays[CAPPS], _stays_shown(paper)


def _above(paper: Paper, claim: Claim) -> Verdict:
    mine, other = paper.value(claim["quantity"]), paper.value(claim["stated"])
    return mine > other, f"{mine:g} against {other:g}"


def _above_interval(paper: Paper, claim: Claim) -> Verdict:
    """Whether the other number is below the interval; that of a sum has the same width."""
    mine, other = paper.value(claim["quantity"]), paper.value(claim["stated"])
    low, high, centre = (
        paper.value("population_2016", n) for n in ("ci_low", "ci_high", "estimate")
    )
    low, high = low + mine - centre, high + mine - centre
    z = (mine - other) / ((high - low) / (2 * Z95))
    return low > other, (
        f"{mine:g} is above {other:g}; its 95 % interval is {low:.1f} to {high:.1f}"
        + ("" if mine == centre else ", as wide as that of the border crossers alone")
        + (f", and holds {other:g}, {z:.1f} standard errors away" if low <= other else "")
    )


def _interval(paper: Paper, name: str) -> tuple[float, float]:
    return paper.value(name, "ci_low"), paper.value(name, "ci_high")


def _within(paper: Paper, claim: Claim) -> Verdict:
    mine, (low, high) = paper.value(claim["quantity"]), _interval(paper, claim["stated"])
    return low <= mine <= high, f"{mine:g}, their 95 % interval {low:g} to {high:g}"


def _below_interval(paper: Paper, claim: Claim) -> Verdict:
    mine, (low, _) = paper.value(claim["quantity"]), _interval(paper, claim["stated"])
    return mine <= low, (
        f"a lower bound of {mine:g} beside a 95 % interval from {low:g}: the two are of different "
        "calculations"
    )


def _below_estimate(paper: Paper, claim: Claim) -> Verdict:
    mine, other = paper.value(claim["quantity"]), paper.value(claim["stated"])
    low = paper.value(claim["stated"], "ci_low")
    return mine <= other, (
        f"a lower bound of {mine:g} does not contradict {other:g}; by itself it is below the "
        f"whole 95 % interval, from {low:g}"
    )


def _communities_per_year(paper: Paper, claim: Claim) -> Verdict:
    communities, surveys = paper.value("communities"), paper.value("surveys")
    calendar = paper.value("last_year") + 1 - paper.value("project_began") + 1  # to June 2017
    stated = paper.rows[claim["quantity"]]["estimate"]
    return _agrees(communities / surveys, stated), (
        f"{communities:.0f} communities are {communities / surveys:.1f} for each of {surveys:.0f} "
        f"annual surveys, or {communities / calendar:.1f} for each of the {calendar:.0f} years "
        "since the first"
    )


def _households_per_community(paper: Paper, claim: Claim) -> Verdict:
    mean = paper.value("households") / paper.value("communities")
    return _agrees(mean, paper.rows[claim["quantity"]]["estimate"]), (
        f"{paper.value('households'):.0f} households in {paper.value('communities'):.0f} "
        f"communities are {mean:.1f} each: {paper.value(claim['quantity']):.0f} is the size "
        "aimed at"
    )


def _same(paper: Paper, claim: Claim) -> Verdict:
    mine, other = (paper.rows[claim[name]] for name in ("quantity", "stated"))
    return float(mine["estimate"]) == float(other["estimate"]), (
        f"{mine['estimate']} here, {other['estimate']} in {other['source']}"
    )


def _apprehensions(paper: Paper, claim: Claim) -> Verdict:
    rate, lower = paper.value(claim["quantity"]) / 100, float(claim["stated"]) / 100
    crossings, more = ((1 - p) / p for p in (rate, lower))
    return more > crossings, (
        f"successful crossings for each apprehension: {crossings:.2f} at {rate:.0%}, {more:.2f} "
        f"at {lower:.0%}, say"
    )


# Eqs. 15-30 at the printed estimates, for the argument of the lower bound


def geometric(leave: float, years: int) -> NDArray[np.float64]:
    """Distribution over 1..years of a stay that ends in each year with the same chance."""
    shares = leave * (1 - leave) ** np.arange(years)
    return shares / shares.sum()


class Sampled(NamedTuple):
    """What a survey of those at home would find (eqs. 22, 26 and 30), and who is abroad.

    Attributes
    ----------
    single, repeat : ndarray (survey year, departure year, sojourn)
        Probabilities of single-trip and of repeat-trip respondents.
    abroad : ndarray (year)
        P_S + P_C.
    """

    single: NDArray[np.float64]
    repeat: NDArray[np.float64]
    abroad: NDArray[np.float64]


def sampled(
    solitary_share: float,
    retirement_prob: float,
    mean_trips: NDArray[np.float64],
    solitary_sojourn: NDArray[np.float64],
    circular_sojourn: NDArray[np.float64],
) -> Sampled:
    """Return eqs. 22, 26 and 30 for departures spread evenly over the years.

    The sojourns may add up to less than one: the rest never returns.
    """
    years = len(mean_trips)
    even = np.full(years, 1 / years)
    solitary = solitary_share * even
    circular = (1 - solitary_share) * mean_trips[-1] * even
    people = np.cumsum(circular) / mean_trips  # N_C
    rookies = np.diff(people, prepend=0)
    repeaters = circular - rookies

    def away(departures: NDArray[np.float64], sojourn: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.convolve(departures, 1 - np.cumsum(sojourn))[:years]  # eqs. 15 and 17

    abroad_s, abroad_c = away(solitary, solitary_sojourn), away(circular, circular_sojourn)
    retired = retirement_prob * (np.cumsum(circular) - abroad_c)  # eq. 18
    active = people - abroad_c - retired
    repeat_prob = np.append(0, repeaters[1:] / active[:-1])  # eq. 19
    at_home = np.cumsum(solitary) - abroad_s + people - abroad_c  # eq. 21
    staying = np.cumprod(1 - repeat_prob)
    t, d, j = np.indices((years,) * 3)
    back = np.minimum(d + j, years - 1)
    stay = retirement_prob + (1 - retirement_prob) * staying[t] / staying[back]
    possible = (d + j <= t) / at_home[t]
    ours = circular_sojourn[j] * stay * possible
    single = solitary[d] * solitary_sojourn[j] * possible + rookies[d] * ours
    return Sampled(single, repeaters[d] * ours, abroad_s + abroad_c)


EXAMPLE = (0.01, 0.17)  # yearly chances to leave, for means not far from those printed


def _scaling(paper: Paper, claim: Claim) -> Verdict:
    """Multiply both sojourn distributions by a constant, with and without repeat trips."""
    years, constant = int(paper.value("model_years")), float(claim["stated"])
    phi, q = paper.value("solitary_share"), paper.value("retirement_prob")
    laws = [geometric(leave, years) for leave in EXAMPLE]
    means = [float(law @ np.arange(1, years + 1)) for law in laws]
    surveys = slice(int(paper.value("first_survey_index")) - 1, None)
    paths = [np.linspace(1, trips, years) for trips in (1.0, paper.value("mean_trips_2016"))]
    sides = [
        [sampled(phi, q, path, *(c * law for law in laws)) for c in (1.0, constant)]
        for path in paths
    ]
    cells = [[np.array([side.single, side.repeat])[:, surveys] for side in pair] for pair in sides]
    alone, change = (float(np.abs(new - old).max()) for old, new in cells)
    old, new = cells[1]
    loss = np.inf  # if the repeat trips need more people at home than there are
    there = old > TINY
    if new[there].min() > 0:
        loss = float(old[there] @ np.log(old[there] / new[there])) / old.shape[1]
    before, after = (side.abroad[-1] for side in sides[1])
    return change < EPS, (
        f"exact without repeat trips (probabilities move by {alone:.0e}), not with them: N_C - P_C "
        "counts people, the returns are trips, and it does not scale.  Example: the printed phi, q "
        f"and m_C(37), even departures, mean stays of {means[0]:.1f} and {means[1]:.1f} years, "
        f"times {constant:g}: single-trip respondents of the last survey go from "
        f"{old[0, -1].sum():.3f} to {new[0, -1].sum():.3f}, the expected log-likelihood of "
        f"{paper.value('respondents'):.0f} respondents falls by "
        f"{loss * paper.value('respondents'):.1f}, while the population grows "
        f"{after / before:.2f} times"
    )


KINDS: dict[str, Judge] = {
    "estimate": _same_number("estimate"),
    "ci_low": _same_number("ci_low"),
    "ci_high": _same_number("ci_high"),
    "arithmetic": _arithmetic,
    "a_bit_over": _a_bit_over,
    "retirement_bound": _retirement_bound,
    "multiple_visits": _multiple_visits,
    "short_spells": _short_spells,
    "majority_before": _majority_before,
    "closer_hazards": _closer_hazards,
    "longer_stay": _longer_stay,
    "scaling": _scaling,
    "apprehensions": _apprehensions,
    "above": _above,
    "above_interval": _above_interval,
    "within": _within,
    "below_interval": _below_interval,
    "below_estimate": _below_estimate,
    "communities_per_year": _communities_per_year,
    "households_per_community": _households_per_community,
    "same": _same,
}
NUMBERS = ("estimate", "ci_low", "ci_high")
TOGETHER = "label"  # right or wrong only beside the others of the same name


def _judged(paper: Paper, kinds: tuple[str, ...], what: str, every: bool) -> Iterator[Finding]:
    """Judge claims of some kinds: each on its own row, or what holds in one."""
    held = []
    for claim in paper.claims:
        if claim["kind"] not in kinds:
            continue
        holds, figures = KINDS[claim["kind"]](paper, claim)
        if holds and not every:
            held.append(claim["claim"])
        else:
            yield Finding(claim["section"], holds, f"{claim['quote']!r}: {figures}")
    if held:
        yield Finding("Abstract and Sections 1-13", True, f"{len(held)} {what} hold")


def repeated(paper: Paper) -> Iterator[Finding]:
    """Numbers that the text gives more than once are the same."""
    yield from _judged(paper, NUMBERS, "repetitions of a number", every=False)


def arithmetic(paper: Paper) -> Iterator[Finding]:
    """Check the text's own sums, differences, products and quotients."""
    yield from _judged(paper, ("arithmetic",), "calculations", every=False)


def labels(paper: Paper) -> Iterator[Finding]:
    """Find things that have more than one name, or rule."""
    groups: dict[str, list[dict[str, str]]] = defaultdict(list)
    for claim in paper.claims:
        if claim["kind"] == TOGETHER:
            groups[claim["claim"]].append(claim)
    for name, claims in groups.items():
        said: dict[str, list[str]] = defaultdict(list)
        for claim in claims:
            said[claim["stated"]].append(claim["section"])
        places = "; ".join(f"{what!r} in {', '.join(there)}" for what, there in said.items())
        yield Finding(
            ", ".join(dict.fromkeys(c["section"] for c in claims)),
            len(said) == 1,
            f"{name}: {places}",
        )


def prose(paper: Paper) -> Iterator[Finding]:
    """Compare what the text says of the numbers with the numbers."""
    kinds = tuple(kind for kind in KINDS if kind not in (*NUMBERS, "arithmetic"))
    yield from _judged(paper, kinds, "statements", every=True)


Check = Callable[[Paper], Iterator[Finding]]
CHECKS: tuple[tuple[str, Check], ...] = (
    ("stated twice", repeated),
    ("arithmetic", arithmetic),
    ("intervals", intervals),
    ("who is where in 2016", whereabouts),
    ("total crossings", total_crossings),
    ("sojourns", sojourns),
    ("indices", indices),
    ("labels", labels),
    ("prose", prose),
)


def audit(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return what the printed numbers say about each other and about the prose.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        The files of ``published/`` by stem: ``quantities``, ``hazards``, ``others`` and
        ``claims``.

    Returns
    -------
    DataFrame
        Columns ``check``, ``where``, ``holds`` and ``detail``.

    Raises
    ------
    KeyError
        If a file or a printed number is missing, or a claim names another.
    """
    paper = Paper(tables)
    found = [(name, *finding) for name, check in CHECKS for finding in check(paper)]
    return pd.DataFrame(found, columns=["check", *Finding._fields]).astype({"holds": bool})
