"""Eqs. 15-30 at the printed estimates, for the argument of the lower bound."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bayesmig.audit import Claim, Verdict
from bayesmig.models.snapshot.audit.numbers import Paper
from bayesmig.printed import EPS

TINY = 1e-12  # a probability that is rounding error


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


def scaling(paper: Paper, claim: Claim) -> Verdict:
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
