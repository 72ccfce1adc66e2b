"""What emigration becomes when the report's two assumptions are priors and not zeros."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

import pandas as pd

import bayesmig as bm
from bayesmig.attrs import unpack
from bayesmig.comparison import interval
from bayesmig.errors import StudyError, unknown
from bayesmig.models.emigration.graph import Residual

if TYPE_CHECKING:
    import xarray as xr

    from bayesmig.study import Study


def assumptions(
    study: Study,
    data: xr.Dataset,
    cell: str | None = None,
    *,
    residual: Sequence[Residual] = ("probability", "hazard"),
    gaps: Sequence[float] = (0.1, 0.3),
    ci_prob: float = 0.9,
    **settings: Any,
) -> pd.DataFrame:
    """Fit with each assumption as it is and loosened, and set the emigration side by side.

    Parameters
    ----------
    study : Study
        ``emigration`` or ``emigration_microdata``.
    data : Dataset
        Of that study.
    cell : str, optional
        Whose emigration; the first cell by default (the total, of a panel).
    residual : sequence of {"probability", "hazard"}
        What is equal in both generations.
    gaps : sequence of float
        Standard deviations of the prior of the generation gap, logit.
    ci_prob : float
        Probability of the intervals.
    **settings
        Of `bayesmig.fit`: draws, chains, seed, progress and so on.

    Returns
    -------
    DataFrame
        One row for each form of the residual and each pair of assumptions: residual,
        second_generation (emigration of the second generation: zero or native_rates),
        generation_gap (standard deviation of its prior; 0 is the report's assumption),
        emigration, low and high (percent a year), change (from the report's assumptions in
        the same form), divergences and r_hat (worst).  ``attrs``: cell, study, data_title,
        synthetic, ci_prob.

    Raises
    ------
    StudyError
        For a cell that the data do not have.
    """
    of_graph = {name: value for name, value in settings.items() if name in study.options}
    cells = list(map(str, study.build(data, **of_graph).coords["cell"]))
    cell = cells[0] if cell is None else cell
    if cell not in cells:
        raise StudyError(unknown("cell", cell, cells))
    rows = []
    options = product(residual, ("zero", "native_rates"), (0.0, *gaps))
    for form, second, gap in options:
        fitted = _fitted(study, data, form, second, gap, settings)
        values = fitted["estimands"].to_dataset()["emigration"].sel(cell=cell).values.ravel()
        low, high = interval(values, ci_prob)
        found = unpack(fitted.attrs, "diagnostics", dict)
        rows.append(
            {
                "residual": form,
                "second_generation": second,
                "generation_gap": gap,
                "emigration": float(values.mean()),
                "low": low,
                "high": high,
                "divergences": found["divergences"],
                "r_hat": found["rhat"]["worst"],
            }
        )
    table = pd.DataFrame(rows)
    base = table.groupby("residual").emigration.transform("first")
    table.insert(6, "change", table.emigration - base)
    table.attrs = {
        "cell": cell,
        "study": study.name,
        "data_title": str(data.attrs.get("title", "")),
        "synthetic": int(data.attrs.get("synthetic", 0)),
        "ci_prob": ci_prob,
    }
    return table


def _fitted(
    study: Study,
    data: xr.Dataset,
    form: Residual,
    second: str,
    gap: float,
    settings: dict[str, Any],
) -> xr.DataTree:
    """Fit one combination; other numbers of the same graph are not compiled again."""
    priors = {"generation_gap": {"dist": "Normal", "mu": 0.0, "sigma": gap}} if gap else None
    return bm.fit(
        study,
        data,
        priors,
        residual=form,
        second_generation=second,
        generation_gap="prior" if gap else "zero",
        **settings,
    )
