"""Mean stays under the hazards that two other papers published, beside the model's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from bayesmig.audit import Claim, Verdict
from bayesmig.models.snapshot.audit.numbers import Paper

FFK, CAPPS = "Fazel-Zarandi et al. 2018", "Capps et al. 2018"


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


def closer_hazards(paper: Paper, claim: Claim) -> Verdict:
    """Judge whose stays are closer to the model's."""
    stays = _stays(paper)
    gaps = {origin: abs(stay - stays["model"]) for origin, stay in stays.items()}
    return gaps[FFK] < gaps[CAPPS], _stays_shown(paper)


def longer_stay(paper: Paper, claim: Claim) -> Verdict:
    """Judge whether the model's trips last longer than those of the higher hazards."""
    stays = _stays(paper)
    return stays["model"] > stays[CAPPS], _stays_shown(paper)
