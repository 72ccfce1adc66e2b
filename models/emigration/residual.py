"""How well the report knows the share lost, level by level.

The share lost is that of second-generation people with the same characteristics: what the logits
of Table 2, one for each origin and sex, leave unmatched of them, less movers and deaths.  The
error of the matching logits is not printed, but their sample sizes are, and stars: an estimate b
without one has a standard error of at least |b| / 1.96, and so few people of the second
generation can have been at that level.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bayesmig.printed import multiplier
from bayesmig.printed import read as read_published

if TYPE_CHECKING:
    import xarray as xr

MATCHING = (
    read_published(Path(__file__).parent / "published" / "coefficients.csv")
    .query("table == 2")
    .set_index(["origin", "group", "generation", "term"])[["estimate", "stars"]]
)
SEXES = {"Male": "men", "Female": "women"}
ORIGINS = {"Mexican": "mexican", "Non-Mexican": "non_mexican"}
# |b| / se is below this with so many stars: p = 0.05, 0.01, 0.001
MOST_RATIO = {"": multiplier(0.95), "*": multiplier(0.99), "**": multiplier(0.999)}
REFERENCE = "reference"
TERMS = {15: "Age 15-24", 25: "Age 25-34", 35: "Age 35-44", 45: "Age 45-64", 65: REFERENCE}
COUNTRIES = {
    **{name: name for name in ("Cuba", "China", "India", "Africa", "Europe")},
    **dict.fromkeys(("Philippines", "Korea", "Other Asia"), "Other Asia"),
    "North America": "N America",
}


def residual_error(data: xr.Dataset) -> xr.DataArray:
    """Return the standard error of the share lost of the report's cells, percent, (cell).

    A cell's foreign born stand for n = r (1 - r) / se^2 people, r being the share lost and se its
    printed error, which is computed as if they were whom r comes from.  Behind r are n N_2 / N_1
    of the second generation, N being the samples of Table 2 by origin and sex, or fewer where the
    star of the level's coefficient asks for fewer (in the sample of the other sex, too, in
    proportion).  The variance of r is then u (1 - u) over that number, u being what is not
    matched of the second generation (m + d + r); sexes and origins that a cell has together are
    averaged.  The errors of the second generation's movers and deaths are left out.

    Parameters
    ----------
    data : Dataset
        Cells as `data.example` gives them, with their factors.

    Examples
    --------
    >>> import bayesmig as bm
    >>> cells = bm.load_study("emigration").example(table=13)
    >>> cells["residual_error"].sel(cell=["Europe", "Africa"]).values.round(1).tolist()
    [0.8, 3.5]
    """
    import xarray as xr

    groups = pd.DataFrame(_groups(data))
    groups["people"] *= _kept(groups)
    variance = groups.part**2 * groups.spread / groups.people
    error = 100 * np.sqrt(variance.groupby(groups.cell).sum())
    return xr.DataArray(np.array(error), dims="cell", coords={"cell": data.cell})


def _groups(data: xr.Dataset) -> Iterator[dict[str, object]]:
    """Cut each cell by origin and sex: its part of the cell, and whom its share lost comes from."""
    z = multiplier(float(data.attrs["ci_prob"]))
    share = data["estimate"].to_pandas() / 100
    lost = share["non_follow_up"]
    width = (data["ci_high"] - data["ci_low"]).to_pandas()["non_follow_up"] / 100
    stand_for = (lost * (1 - lost) / (width / (2 * z)) ** 2).to_numpy()
    unmatched = (share["internal_migration"] + share["mortality"] + lost).to_numpy()
    factors = {str(n): c.to_numpy() for n, c in data.coords.items() if "component" not in c.dims}
    for i in range(data.sizes["cell"]):
        at = {name: str(levels[i] if levels.ndim else levels) for name, levels in factors.items()}
        origins, sexes = _origins(at), [SEXES[at["sex"]]] if "sex" in at else list(SEXES.values())
        sizes = {(o, s): _first(o, s) for o in origins for s in sexes}
        for (origin, sex), first in sizes.items():
            part = first / sum(sizes.values())
            yield {
                "cell": i,
                "origin": origin,
                "sex": sex,
                "level": _level(at),
                "part": part,
                "people": part * stand_for[i] * _size(origin, sex, "second") / first,
                "spread": unmatched[i] * (1 - unmatched[i]),
            }


def _origins(at: dict[str, str]) -> list[str]:
    """Origins of a cell in the words of Table 2."""
    if "country" in at:
        return [ORIGINS["Mexican" if at["country"] == "Mexico" else "Non-Mexican"]]
    origin = at.get("origin", "All")
    return list(ORIGINS.values()) if origin == "All" else [ORIGINS[origin]]


def _level(at: dict[str, str]) -> str:
    """Term of Table 2 that is a cell's own; empty if none is."""
    if "age" in at:
        first = int(at["age"].removesuffix("+").partition("-")[0])
        return next((TERMS[age] for age in sorted(TERMS, reverse=True) if first >= age), "")
    if "year" in at:
        return REFERENCE if at["year"] == "1996" else at["year"]
    if at.get("country", "Mexico") != "Mexico":
        return COUNTRIES.get(at["country"], REFERENCE)
    return ""


def _size(origin: str, group: str, generation: str) -> float:
    return float(MATCHING.estimate[origin, group, generation, "N"])


def _first(origin: str, sex: str) -> float:
    """Foreign born of a sex: adults, and half of the children, whom Table 2 does not tell apart."""
    return _size(origin, sex, "first") + _size(origin, "children", "first") / 2


def _kept(groups: pd.DataFrame) -> pd.Series[float]:
    """Part of the people behind a group that the stars of its level leave, 1 if all."""
    kept = pd.Series(1.0, groups.index)
    for (origin, level), rows in groups.groupby(["origin", "level"]):
        if level in ("", REFERENCE):
            continue
        reference = groups[(groups.origin == origin) & (groups.level == REFERENCE)]
        most = [
            _most(own, float(reference.people[reference.sex == sex].sum())) / own.people.sum()
            for sex, own in rows.groupby("sex")
        ]
        kept[rows.index] = min(1.0, *most)
    return kept


def _most(own: pd.DataFrame, reference: float) -> float:
    """Most people that can be at a level: se^2 = (1 / n + 1 / reference) / (u (1 - u))."""
    (origin,), (sex,), (level,) = (own[c].unique() for c in ("origin", "sex", "level"))
    estimate, stars = MATCHING.loc[(origin, sex, "second", level)]
    if stars not in MOST_RATIO or not reference:  # three stars: the error may be nothing
        return np.inf
    spread = np.average(own.spread, weights=own.people)
    inverse = spread * (float(estimate) / MOST_RATIO[stars]) ** 2 - 1 / reference
    return 1 / inverse if inverse > 0 else np.inf
