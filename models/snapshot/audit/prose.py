"""Statements of the text, by kind, and whether the numbers bear them out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator

from bayesmig.audit import Claim, Finding, Verdict
from bayesmig.models.snapshot.audit.numbers import Paper, agrees, calculate, spread
from bayesmig.models.snapshot.audit.stays import closer_hazards, longer_stay
from bayesmig.models.snapshot.audit.surveys import scaling
from bayesmig.models.snapshot.paper import Z
from bayesmig.printed import EPS, Number

WIDEST = 1.2  # a share "a bit over" another is at most so many times as large: our reading

Judge = Callable[[Paper, Claim], Verdict]


def _arithmetic(paper: Paper, claim: Claim) -> Verdict:
    """Whether the figures, rounded as they are printed, can give what is printed."""
    found, stated = calculate(claim["quantity"]), Number.of(claim["stated"])
    shown = f"{claim['quantity']} = {found.value:.4g}, printed {claim['stated']}"
    if found.low > stated.high + EPS or found.high < stated.low - EPS:
        return False, f"{shown}; rounding does not explain it"
    if agrees(found.value, claim["stated"]):
        return True, shown
    within = (
        f"{shown}; the figures as rounded can give {found.low:.3f} to {found.high:.3f}, so the "
        "unrounded ones may have"
    )
    return True, within, True


def _same_number(field: str) -> Judge:
    def judge(paper: Paper, claim: Claim) -> Verdict:
        there = paper.rows[claim["quantity"]][field]
        return float(there) == float(claim["stated"]), (
            f"{claim['stated']} here, {there} in {paper.rows[claim['quantity']]['source']}"
        )

    return judge


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
    z = (mine - other) / ((high - low) / (2 * Z))
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


def _below_estimate(paper: Paper, claim: Claim) -> Verdict:
    mine, other = paper.value(claim["quantity"]), paper.value(claim["stated"])
    low, high = _interval(paper, claim["stated"])
    return mine <= other, (
        f"a lower bound of {mine:g}, beside {other:g} with the 95 % interval {low:g} to {high:g}"
    )


def _communities_per_year(paper: Paper, claim: Claim) -> Verdict:
    communities, surveys = paper.value("communities"), paper.value("surveys")
    calendar = paper.value("last_year") + 1 - paper.value("project_began") + 1  # to June 2017
    stated = paper.rows[claim["quantity"]]["estimate"]
    a_survey, a_year = communities / surveys, communities / calendar
    return agrees(a_survey, stated) or agrees(a_year, stated), (
        f"{communities:.0f} communities are {a_survey:.2f} for each of {surveys:.0f} annual "
        f"surveys, or {a_year:.2f} for each of the {calendar:.0f} years since the first"
    )


def _households_per_community(paper: Paper, claim: Claim) -> Verdict:
    mean = paper.value("households") / paper.value("communities")
    return agrees(mean, paper.rows[claim["quantity"]]["estimate"]), (
        f"{paper.value('households'):.0f} households in {paper.value('communities'):.0f} "
        f"communities are {mean:.1f} each: {paper.value(claim['quantity']):.0f} is the size "
        "aimed at"
    )


def _listed(paper: Paper, claim: Claim) -> Verdict:
    """No more than there are in another release of the file, which may have more."""
    mine, other = (paper.rows[claim[name]] for name in ("quantity", "stated"))
    return float(mine["estimate"]) <= float(other["estimate"]), (
        f"{mine['estimate']} here, {other['estimate']} in {other['source']}, another release"
    )


def _apprehensions(paper: Paper, claim: Claim) -> Verdict:
    rate, lower = paper.value(claim["quantity"]) / 100, float(claim["stated"]) / 100
    crossings, more = ((1 - p) / p for p in (rate, lower))
    return more > crossings, (
        f"successful crossings for each apprehension: {crossings:.2f} at {rate:.0%}, {more:.2f} "
        f"at {lower:.0%}, say"
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
    "closer_hazards": closer_hazards,
    "longer_stay": longer_stay,
    "scaling": scaling,
    "apprehensions": _apprehensions,
    "above": _above,
    "above_interval": _above_interval,
    "within": _within,
    "below_estimate": _below_estimate,
    "communities_per_year": _communities_per_year,
    "households_per_community": _households_per_community,
    "listed": _listed,
}
NUMBERS = ("estimate", "ci_low", "ci_high")
TOGETHER = "label"  # right or wrong only beside the others of the same name


def _judged(paper: Paper, kinds: tuple[str, ...], what: str, every: bool) -> Iterator[Finding]:
    """Judge claims of some kinds: each on its own row, or what holds in one."""
    held = []
    for claim in paper.claims:
        if claim["kind"] not in kinds:
            continue
        holds, figures, *rounding = KINDS[claim["kind"]](paper, claim)
        if holds and not every and not any(rounding):
            held.append(claim["claim"])
        else:
            yield Finding(claim["section"], holds, f"{claim['quote']!r}: {figures}", *rounding)
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
