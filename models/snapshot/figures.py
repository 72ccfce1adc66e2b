"""The paper's Figures 2-7 from a fit: as tables, and drawn."""

from __future__ import annotations

from functools import partial
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from bayesmig import evaluate
from bayesmig.drawing import INK, POSTERIOR, PRINTED, SERIES, Series, new_figure, styled
from bayesmig.models.snapshot import printed
from bayesmig.models.snapshot.design import mean_trips
from bayesmig.models.snapshot.estimands import by_length
from bayesmig.models.snapshot.paper import PROB
from bayesmig.ready import built_from
from bayesmig.saving import data_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.figure import Figure

DRAWS = 400  # for expected frequencies and their bands, thinned from all
MODEL, SAMPLE = POSTERIOR, INK
KINDS = ("single", "repeat")


# --- tables -----------------------------------------------------------------------------


def trip_means(fitted: xr.DataTree, ci_prob: float = PROB) -> pd.DataFrame:
    """Figure 2: mean trips to date of respondents, by survey year.

    Returns
    -------
    DataFrame
        Index survey_year; observed, expected, low, high (of a sample mean, its sampling
        error included).
    """
    data = data_of(fitted, "the figure")
    means = mean_trips(data, of="everybody")
    years = data.attrs["first_year"] + means.survey
    draws = _flat(fitted["estimands"].to_dataset()["trips_at_home"].sel(year=years))
    noise = np.random.default_rng(0).normal(0, means.error, draws.shape)
    low, high = _ends(draws + noise, ci_prob)
    return pd.DataFrame(
        {"observed": means.mean, "expected": draws.mean(0), "low": low, "high": high},
        index=pd.Index(years, name="survey_year"),
    )


def calibrations(fitted: xr.DataTree) -> pd.DataFrame:
    """Mean trips to date of migrants at home, followed exactly and as the paper approximates.

    Both at the same draws of the fit (thinned), whichever it was fitted with.

    Returns
    -------
    DataFrame
        Index year; exact and paper (posterior means, eq. 38), largest_difference (over the
        draws, in trips).
    """
    draws = fitted["posterior"].to_dataset()
    draws = draws.isel(draw=slice(None, None, max(1, draws.sizes["draw"] // DRAWS)))
    trips = {}
    for how in ("exact", "paper"):
        model = built_from(fitted, calibration=how).model
        point = {rv.name: draws[rv.name].values for rv in model.free_RVs}
        trips[how] = evaluate.derived(model, point)["trips_at_home"]
    differences = np.abs(trips["exact"] - trips["paper"]).max((0, 1))
    means = {how: found.mean((0, 1)) for how, found in trips.items()}
    years = pd.Index(draws.year.values, name="year")
    return pd.DataFrame({**means, "largest_difference": differences}, index=years)


def departures(fitted: xr.DataTree, ci_prob: float = PROB) -> pd.DataFrame:
    """Figure 3: respondents by year of departure, for single and repeat trips.

    Expected counts and bands of simulated surveys, given how many of each survey's
    respondents made one trip and how many more, as the paper has them.

    Returns
    -------
    DataFrame
        Index (kind, departure_year); observed, expected, low, high.
    """
    return _frequencies(fitted, "departure_year", ci_prob)


def sojourns(fitted: xr.DataTree, ci_prob: float = PROB) -> pd.DataFrame:
    """Figure 4: respondents by years stayed; index (kind, sojourn_years)."""
    return _frequencies(fitted, "sojourn_years", ci_prob)


def crossings(fitted: xr.DataTree, ci_prob: float = PROB) -> pd.DataFrame:
    """Figure 5: crossings of the border by kind of migrant, millions a year.

    Returns
    -------
    DataFrame
        Index (kind, year); mean, low, high.
    """
    estimands = fitted["estimands"].to_dataset()
    parts = {
        kind: _summary(estimands[f"{kind}_crossings"], ci_prob) for kind in ("solitary", "circular")
    }
    return pd.concat(parts, names=["kind"])


def hazards(fitted: xr.DataTree, ci_prob: float = PROB) -> pd.DataFrame:
    """Figure 6: chance to leave the United States in each year of a stay.

    Returns
    -------
    DataFrame
        Index stay (years); mean, low, high (a randomly chosen trip), ``sample`` (the
        respondents' stays as they are) and a column for each published set of rates.
    """
    table = _summary(fitted["estimands"].to_dataset()["emigration_hazard"], ci_prob)
    stays = data_of(fitted, "the sample's share")["sojourn_years"].values
    left = [np.sum(stays >= stay) for stay in table.index]
    table["sample"] = [
        np.sum(stays == s) / n if n else np.nan for s, n in zip(table.index, left, strict=True)
    ]
    for row in printed.hazards().itertuples():
        last = len(table) if pd.isna(row.year_to) else row.year_to
        years = (table.index >= row.year_from) & (table.index <= last)
        table.loc[years, row.origin] = row.estimate
    return table


def population(fitted: xr.DataTree, ci_prob: float = PROB) -> pd.DataFrame:
    """Figure 7: undocumented border crossers in the United States, millions, index year."""
    return _summary(fitted["estimands"].to_dataset()["population"], ci_prob)


def _flat(array: xr.DataArray) -> np.ndarray:
    """Draws in one dim, in front."""
    return array.stack(sample=("chain", "draw")).transpose("sample", ...).values


def _ends(draws: np.ndarray, ci_prob: float) -> np.ndarray:
    return np.quantile(draws, [(1 - ci_prob) / 2, (1 + ci_prob) / 2], axis=0)


def _summary(array: xr.DataArray, ci_prob: float) -> pd.DataFrame:
    draws = _flat(array)
    (dim,) = (d for d in array.dims if d not in ("chain", "draw"))
    low, high = _ends(draws, ci_prob)
    return pd.DataFrame(
        {"mean": draws.mean(0), "low": low, "high": high},
        index=pd.Index(array[dim].values, name=dim),
    )


def _frequencies(fitted: xr.DataTree, answer: str, ci_prob: float) -> pd.DataFrame:
    data = data_of(fitted, "the figure")
    first, years = data.attrs["first_year"], data.attrs["last_year"] - data.attrs["first_year"] + 1
    values = first + np.arange(years) if answer == "departure_year" else 1 + np.arange(years)
    axis = 2 if answer == "departure_year" else 1  # of (draw, departure, stay): the other one
    parts = {}
    for kind, (expected, simulated) in _expected(fitted, data).items():
        of_kind = data[answer].values[data["repeat"].values == (kind == "repeat")]
        low, high = _ends(simulated.sum(axis), ci_prob)
        parts[kind] = pd.DataFrame(
            {
                "observed": np.bincount(of_kind - values[0], minlength=years),
                "expected": expected.sum(axis).mean(0),
                "low": low,
                "high": high,
            },
            index=pd.Index(values, name=answer),
        )
    return pd.concat(parts, names=["kind"])


def _expected(fitted: xr.DataTree, data: xr.Dataset) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Expected and simulated counts (draw, departure, stay) by kind, summed over surveys."""
    draws = fitted["posterior"].to_dataset().stack(sample=("chain", "draw"), create_index=False)
    draws = draws.isel(sample=slice(None, None, max(1, draws.sizes["sample"] // DRAWS)))
    years = draws.sizes["year"]

    def array(name: str) -> np.ndarray:
        return draws[name].transpose("sample", ...).values

    phi, q = array("solitary_share")[:, None], array("retirement_prob")[:, None, None]
    a_s = by_length(draws["solitary_sojourn"].transpose("sample", ...), years).values
    a_c = by_length(draws["circular_sojourn"].transpose("sample", ...), years).values
    stayed = np.cumprod(1 - array("repeat_prob"), axis=1)
    solitary = phi * array("solitary_departures")
    rookies = (1 - phi) * array("rookie_departures")
    all_trips = (1 - phi) * array("mean_trips")[:, -1:] * array("circular_departures")
    d, j = np.indices((years, years))
    rng = np.random.default_rng(0)
    shape = (len(phi), years, years)
    found = {kind: (np.zeros(shape), np.zeros(shape)) for kind in KINDS}
    survey = data["survey_year"].values - data.attrs["first_year"]
    for t in np.unique(survey):
        over = d + j <= t  # home by the end of the survey's year
        stay = q + (1 - q) * stayed[:, [t], None] / stayed[:, np.minimum(d + j, years - 1)]
        circular = np.where(over, a_c[:, None, :] * stay, 0)
        alone = np.where(over, solitary[:, :, None] * a_s[:, None, :], 0)
        single = alone + rookies[:, :, None] * circular
        repeat = (all_trips - rookies)[:, :, None] * circular
        for kind, mass in zip(KINDS, (single, repeat), strict=True):
            n = int(np.sum((survey == t) & (data["repeat"].values == (kind == "repeat"))))
            p = np.maximum(mass, 0).reshape(len(phi), -1)
            p = p / p.sum(1, keepdims=True)
            found[kind][0][...] += n * p.reshape(shape)
            found[kind][1][...] += rng.multinomial(n, p).reshape(shape)
    return found


# --- plots ------------------------------------------------------------------------------


def plots(fitted: xr.DataTree, ci_prob: float = PROB) -> Mapping[str, Figure]:
    """Draw Figures 2-7, by title."""
    drawn = {
        "Figure 2: mean trips to date": (_draw_trip_means, 1),
        "Figure 3: departures": (partial(_draw_kinds, departures), 2),
        "Figure 4: sojourns": (partial(_draw_kinds, sojourns), 2),
        "Figure 5: crossings": (_draw_crossings, 1),
        "Figure 6: emigration hazards": (_draw_hazards, 1),
        "Figure 7: population": (_draw_population, 1),
    }
    return {
        title: _plot(fitted, title, draw, panels, ci_prob)
        for title, (draw, panels) in drawn.items()
    }


@styled
def plot_populations(fits: Mapping[str, xr.DataTree], ci_prob: float = PROB) -> Figure:
    """Draw the population in the last year under several priors, beside print.

    Parameters
    ----------
    fits : mapping of str to DataTree
        Fits of the same data, by what their priors are called.
    ci_prob : float
    """
    first = next(iter(fits.values()))
    figure, (axis,) = new_figure(first, 1, "Population by prior")
    figure.set_figheight(1.6 + 0.33 * (len(fits) + 1))
    tables = [population(fitted, ci_prob).iloc[-1] for fitted in fits.values()]
    heights = np.arange(len(fits), 0, -1)
    axis.hlines(heights, [t.low for t in tables], [t.high for t in tables], color=MODEL, lw=2.4)
    axis.plot([t["mean"] for t in tables], heights, "o", color=MODEL)
    rows = first["published"].to_dataset().to_dataframe()
    for row in rows[rows.quantity.str.startswith("population_")].itertuples():
        axis.hlines(0, row.ci_low, row.ci_high, color=PRINTED, lw=1.4)
        axis.plot(row.estimate, 0, "D", color=PRINTED, mfc="white")
        axis.axvspan(row.ci_low, row.ci_high, color=PRINTED, alpha=0.07, lw=0)
    axis.set_yticks([*heights, 0], [*fits, "printed"], parse_math=False)
    axis.set(xlabel=f"in the United States at the end of {tables[0].name}, millions")
    axis.set(
        xlim=(0, None),
        ylim=(-0.6, len(fits) + 0.6),
        title=f"posterior mean and {ci_prob:.0%} interval by prior",
    )
    return figure


@styled
def _plot(fitted: xr.DataTree, title: str, draw: Any, panels: int, ci_prob: float) -> Figure:
    figure, axes = new_figure(fitted, panels, title)
    draw(axes, fitted, ci_prob)
    for axis in axes:
        axis.legend()
    return figure


def _band(
    axis: Any, table: pd.DataFrame, middle: str, label: str, series: Series = SERIES[0]
) -> None:
    axis.fill_between(table.index, table.low, table.high, color=series.color, alpha=0.2, lw=0)
    axis.plot(table.index, table[middle], color=series.color, ls=series.line, lw=1.6, label=label)


def _draw_trip_means(axes: Any, fitted: xr.DataTree, ci_prob: float) -> None:
    table = trip_means(fitted, ci_prob)
    _band(axes[0], table, "expected", f"expected, {ci_prob:.0%} of sample means")
    axes[0].plot(table.index, table.observed, "o", color=SAMPLE, ms=4, label="observed")
    axes[0].set(xlabel="survey", ylabel="trips to date")


def _draw_kinds(make: Any, axes: Any, fitted: xr.DataTree, ci_prob: float) -> None:
    table = make(fitted, ci_prob)
    for axis, kind in zip(axes, KINDS, strict=True):
        part = table.loc[kind]
        _band(axis, part, "expected", f"expected, {ci_prob:.0%} of simulated surveys")
        axis.plot(part.index, part.observed, "o", color=SAMPLE, ms=4, label="observed")
        axis.set(title=f"{kind} trips", xlabel=part.index.name.replace("_", " "))
        axis.set_yscale("asinh", linear_width=5)  # counts of 0 and of 1,000 in one picture
        axis.set_ylim(bottom=-0.5)
    axes[0].set_ylabel("respondents")


def _draw_crossings(axes: Any, fitted: xr.DataTree, ci_prob: float) -> None:
    table = crossings(fitted, ci_prob)
    for kind, series in (("solitary", SERIES[1]), ("circular", SERIES[0])):
        _band(axes[0], table.loc[kind], "mean", f"{kind}, {ci_prob:.0%} interval", series)
    axes[0].set(xlabel="year", ylabel="crossings, millions")


def _draw_hazards(axes: Any, fitted: xr.DataTree, ci_prob: float) -> None:
    table = hazards(fitted, ci_prob)
    _band(axes[0], table, "mean", f"a random trip, {ci_prob:.0%} interval")
    axes[0].plot(table.index, table["sample"], "o", color=SAMPLE, ms=4, label="raw sample")
    published = [c for c in table if c not in ("mean", "low", "high", "sample")]
    for name, series in zip(published, cycle(SERIES[1:]), strict=False):
        axes[0].step(
            table.index, table[name], where="mid", color=series.color, ls=series.line, label=name
        )
    axes[0].set(xlabel="year of the stay", ylabel="chance to leave", ylim=(0, None))
    axes[0].set_xticks([1, *range(5, table.index[-1] + 1, 5)])


def _draw_population(axes: Any, fitted: xr.DataTree, ci_prob: float) -> None:
    table = population(fitted, ci_prob)
    _band(axes[0], table, "mean", f"posterior, {ci_prob:.0%} interval")
    rows = fitted["published"].to_dataset().to_dataframe()
    for row in rows[rows.quantity == f"population_{table.index[-1]}"].itertuples():
        error = [[row.estimate - row.ci_low], [row.ci_high - row.estimate]]
        axes[0].errorbar(
            table.index[-1], row.estimate, error, fmt="D", color=PRINTED, mfc="white",
            label="printed", capsize=3,
        )  # fmt: skip
    axes[0].set(xlabel="year", ylabel="in the United States, millions", ylim=(0, None))
