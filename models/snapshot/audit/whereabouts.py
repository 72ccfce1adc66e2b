"""What the numbers imply together: where everybody is, all crossings, stays, indices."""

from __future__ import annotations

from collections.abc import Iterator

from bayesmig.audit import Finding
from bayesmig.models.snapshot.audit.numbers import Paper, between, spread, words


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
        f"{between(abroad)} in the United States and {between(active)} active at home",
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
        f"{between(migrants, 1)} million migrants in all, so that the 2016 population is "
        f"{people.value / migrants.value:.2f} of them: about {circular:.1f} million circular and "
        f"{people.value - circular:.1f} million solitary ones, {between(solitary)} of all "
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
    yield Finding(  # more digits than are known, but the number that they give
        "Section 12, eq. 44",
        True,
        f"T is printed to {2 * digits:g} million, but the {scaled.value:g} million to which it is "
        f"scaled is known to {scaled.high - scaled.value:.2g}, which moves T by {half:.2f}",
        rounding=half > digits,
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
            f"{words(name)} {mean.value:g}: possible are {least:.1f} to {most:.1f} years; those "
            f"of more than {single:.0f} years are at most {share:.2f} of all",
        )


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
