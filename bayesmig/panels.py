"""Pictures of draws: rank plots, prior beside posterior, data beside what the model draws."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import xarray as xr

from bayesmig.comparison import compare, elements, headline, is_own
from bayesmig.drawing import (
    INK,
    PAPER,
    POSTERIOR,
    PRINTED,
    PRIOR,
    SERIES,
    blank,
    broken,
    styled,
    titled,
)
from bayesmig.errors import StudyError
from bayesmig.groups import add_groups
from bayesmig.printed import SAMPLE_DIMS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

WIDTH, LETTERS = 4.8, 26  # inches, and of a line of a label: what a phone shows
MOST = 6  # numbers in a picture with a panel for each
BINS, RANK_BINS = 24, 20
CENTRAL = 0.99  # of the draws under the prior, which may have long tails
ROWS, VALUES = 40, 15  # elements, and values of counts, that are shown one by one
PROB = 0.9  # of predictive intervals


class Panel(NamedTuple):
    """A picture, what it shows in words for those who do not see it, and what it says."""

    figure: Figure
    alt: str
    words: str


@styled
def plot_prior_posterior(
    fitted: xr.DataTree, quantity: str | list[str] | None = None, most: int = MOST
) -> Figure:
    """Draw numbers under the prior beside their posteriors, and print as a line.

    Each curve is a histogram of draws, as high as the others; of the prior, whose tails may be
    long, the central 99 %.

    Parameters
    ----------
    fitted : DataTree
        Without a group ``prior_estimands`` (from ``add_groups(fit, ["prior"])``) the graph is
        built again to draw from the prior.
    quantity : str or list of str, optional
        The headline quantities by default.
    most : int
        Panels; of more numbers those from whose prior the data have taken least away.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    StudyError
        For an unknown quantity, or a fit without its data.

    Examples
    --------
    >>> import bayesmig as bm
    >>> figure = bm.plot_prior_posterior(fit, "emigration", most=2)
    """
    if "prior_estimands" not in fitted:
        fitted = add_groups(fitted, ["prior"], int(fitted.attrs["seed"]))
    if most < 1:
        raise StudyError(f"most must be a whole number from 1 on, got {most!r}")
    prior = fitted["prior_estimands"].to_dataset()
    return titled(prior_posterior(fitted, prior, quantity, most).figure, fitted)


@styled
def prior_posterior(
    fitted: xr.DataTree,
    prior: xr.Dataset,
    quantity: str | list[str] | None = None,
    most: int = MOST,
) -> Panel:
    """Draw what `plot_prior_posterior` says of estimands under the prior."""
    table = compare(fitted, None, headline(fitted) if quantity is None else quantity)
    chosen = _least(table, "contraction", most)
    figure, axes = _grid(len(chosen))
    posterior = fitted["estimands"].to_dataset()
    kind = "given" if is_own(fitted.attrs) else "printed"
    for axis, (_, row) in zip(axes, chosen.iterrows(), strict=True):
        before, after = (_draws(group, row).ravel() for group in (prior, posterior))
        tail = (1 - CENTRAL) / 2
        low, high = np.quantile(before, [tail, 1 - tail])
        _curve(axis, before[(before >= low) & (before <= high)], PRIOR, "prior", True)
        _curve(axis, after, POSTERIOR, "posterior", False)
        if not np.isnan(row.published):
            axis.axvline(row.published, color=PRINTED, lw=1.6, ls="--", label=kind)
            axis.axvspan(row.published_low, row.published_high, color=PRINTED, alpha=0.15, lw=0)
        _panel(axis, row)
        axis.set_ylim(0, 1.08)
    _legend(figure, axes)
    which = _which(table, chosen, "from whose prior the data have taken least away")
    mean = chosen.contraction.mean()
    return Panel(
        figure,
        f"Histograms of {which} under the prior and the posterior, a panel each; "
        f"contraction {chosen.contraction.min():.2f} to {chosen.contraction.max():.2f}.",
        f"{which[0].upper()}{which[1:]}: draws under the prior (its central {CENTRAL:.0%}), draws "
        f"of the posterior, and the {kind} number with its interval where there is one.  Each is "
        "drawn as high as the others; where prior and posterior look alike, the prior decides."
        + ("" if np.isnan(mean) else f"  Mean contraction {mean:.2f}."),
    )


@styled
def ranks(fitted: xr.DataTree) -> Panel:
    """Draw how the ranks of each chain's draws lie among all draws: evenly if chains mix."""
    table = compare(fitted, None, headline(fitted))
    chosen = _least(table, "ess", MOST)
    figure, axes = _grid(len(chosen))
    estimands = fitted["estimands"].to_dataset()
    chains, draws = (estimands.sizes[dim] for dim in SAMPLE_DIMS)
    bins = int(np.clip(draws // 10, 2, RANK_BINS))
    for axis, (_, row) in zip(axes, chosen.iterrows(), strict=True):
        values = _draws(estimands, row)
        rank = np.argsort(np.argsort(values.ravel(), kind="stable")).reshape(values.shape)
        for chain, (series, own) in enumerate(zip(itertools.cycle(SERIES), rank, strict=False)):
            counts, edges = np.histogram(own, bins, (0, values.size))
            axis.stairs(
                counts * bins / draws, edges, baseline=None, color=series.color, ls=series.line,
                lw=1.2, label=f"chain {chain + 1}",
            )  # fmt: skip
        axis.axhline(1, color="0.5", lw=0.8, zorder=0)
        axis.set_ylim(0, None)
        _panel(axis, row, f"rank among {values.size:,} draws")
    _legend(figure, axes)
    which = _which(table, chosen, "with the fewest effective draws")
    return Panel(
        figure,
        f"Rank plots of {which}, a line for each of {chains} chains; worst R-hat "
        f"{chosen.r_hat.max():.4f}.",
        f"{which[0].upper()}{which[1:]}: how often the draws of each chain have a rank among all, "
        "against what an even spread would give (1).  Lines that stay near 1 say that the chains "
        "have seen the same posterior; a slope or a hump says that they have not.",
    )


@styled
def predictive(observed: np.ndarray, drawn: xr.DataArray, people: bool, fewest: int) -> Panel:
    """Draw observed values beside those that the posterior predicts.

    Parameters
    ----------
    observed : ndarray
    drawn : DataArray
        The same variable from the posterior, (chain, draw, ...).
    people : bool
        Whether values may be of single people: then none is shown by itself.
    fewest : int
        Values in the smallest group of them that is shown.
    """
    dims = [dim for dim in drawn.dims if dim not in SAMPLE_DIMS]
    values = drawn.transpose(*SAMPLE_DIMS, *dims).values
    flat, replicates = observed.ravel(), values.reshape(-1, observed.size)
    there = np.isfinite(flat)
    flat, replicates = flat[there], replicates[:, there]
    low, high = np.quantile(replicates, [(1 - PROB) / 2, (1 + PROB) / 2], axis=0)
    inside = float(np.mean((low <= flat) & (flat <= high)))
    title = str(drawn.name).replace("_", " ")
    said = (
        f"{inside:.0%} of {len(flat):,} observed values lie within the {PROB:.0%} interval of what "
        f"the posterior predicts for each"
    )
    if not people and observed.size <= ROWS:
        labels = (label for label, _ in elements(drawn.isel(chain=[0], draw=[0])))
        shown = [label.replace("_", " ") for label, kept in zip(labels, there, strict=True) if kept]
        figure = _rows(flat, low, high, replicates.mean(0), shown, title)
        words = "A row for each observed value, with the interval that the posterior predicts"
    else:
        figure, hidden = _counts(flat, replicates, title, fewest if people else 0)
        words = "How many observed values there are of each size, and how many are predicted"
        if hidden:
            words += f" ({hidden} groups of fewer than {fewest} are not shown)"
    return Panel(figure, f"{title}: observed and predicted values; {said}.", f"{words}.  {said}.")


def _draws(group: xr.Dataset, row: Any) -> np.ndarray:
    """Draws (chain, draw) of the number that a row of a comparison is about."""
    for label, values in elements(group[row.quantity]):
        if label == row.coordinates:
            return values
    raise StudyError(f"there are no draws of {row.quantity} at {row.coordinates!r}")


def _least(table: pd.DataFrame, column: str, most: int) -> pd.DataFrame:
    """Rows with the lowest values of a column, in the table's order."""
    return table.loc[table[column].sort_values(kind="stable").index[:most].sort_values()]


def _which(table: pd.DataFrame, chosen: pd.DataFrame, why: str) -> str:
    names = ", ".join(dict.fromkeys(name.replace("_", " ") for name in chosen.quantity))
    if len(chosen) == len(table):
        return names
    return f"{names}, the {len(chosen)} of {len(table)} numbers {why}"


def _grid(panels: int) -> tuple[Figure, list[Any]]:
    """Make a figure with two panels a row, readable on a phone."""
    columns = min(2, panels)
    rows = -(-panels // columns)
    figure = blank(WIDTH if columns > 1 else 3.0, 0.9 + 1.75 * rows)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis in axes[panels:]:
        axis.set_visible(False)
    return figure, list(axes[:panels])


def _panel(axis: Any, row: Any, below: str = "") -> None:
    """Title a panel by its number, in its units."""
    words = row.coordinates or row.quantity.replace("_", " ")
    axis.set_title(broken(words, LETTERS), fontsize=9, loc="left", parse_math=False)
    axis.set_xlabel(below or broken(row.units, LETTERS), fontsize=8.5)
    axis.set_yticks([])
    axis.spines["left"].set_visible(False)


def _legend(figure: Figure, axes: Sequence[Any]) -> None:
    known: dict[str, Any] = {}
    for axis in axes:
        handles, words = axis.get_legend_handles_labels()
        known |= dict(zip(words, handles, strict=True))
    figure.legend(list(known.values()), list(known), loc="outside lower left", ncols=4)


def _curve(axis: Any, draws: np.ndarray, color: str, label: str, filled: bool) -> None:
    counts, edges = np.histogram(draws, BINS)
    axis.stairs(
        counts / max(1, counts.max()), edges, color=color, label=label, fill=filled,
        alpha=0.45 if filled else None, lw=1.6,
    )  # fmt: skip


def _rows(
    observed: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    mean: np.ndarray,
    labels: Sequence[str],
    title: str,
) -> Figure:
    at = np.arange(len(observed))[::-1]
    words = [broken(label, LETTERS) for label in labels]
    lines = max(label.count("\n") + 1 for label in words)
    figure = blank(WIDTH, 1.2 + (0.07 + 0.16 * lines) * len(observed))
    axis = figure.subplots()
    axis.hlines(at, low, high, color=POSTERIOR, lw=2.4)
    axis.plot(mean, at, "o", color=POSTERIOR, ms=4, label=f"predicted, {PROB:.0%} interval")
    axis.plot(observed, at, "D", color=PRINTED, mfc=PAPER, ms=4, label="observed")
    axis.set_yticks(at, words, parse_math=False)
    axis.set_ylim(-0.7, len(observed) - 0.3)
    axis.set_xlabel(title)
    axis.spines["left"].set_visible(False)
    axis.tick_params(axis="y", length=0)
    _legend(figure, [axis])
    return figure


def _counts(observed: np.ndarray, drawn: np.ndarray, title: str, fewest: int) -> tuple[Figure, int]:
    """Numbers of observed values by size, beside those predicted; groups of a few hidden."""
    if observed.dtype.kind in "iub" and len(np.unique(observed)) <= VALUES:
        every = np.union1d(observed, np.unique(drawn))
        values = every[:VALUES]
        edges = np.append(values, np.inf).astype(float)
        words = [f"{value:g}" for value in values]
        words[-1] += " and more" if len(every) > VALUES else ""
    else:  # by what is predicted, so that the ends tell nothing of single people
        edges = np.unique(np.quantile(drawn, np.linspace(0.002, 0.998, 13)))
        if len(edges) < 2:
            edges = np.array([edges[0], edges[0] + 1])
        words = [f"{a:.3g} to {b:.3g}" for a, b in itertools.pairwise(edges)]
        words[0], words[-1] = f"up to {edges[1]:.3g}", f"from {edges[-2]:.3g}"
        edges[0], edges[-1] = -np.inf, np.inf
    seen = _binned(observed, edges).astype(float)
    each = np.array([_binned(one, edges) for one in drawn])
    low, high = np.quantile(each, [(1 - PROB) / 2, (1 + PROB) / 2], axis=0)
    few = (seen > 0) & (seen < fewest)
    seen[few] = np.nan
    at = np.arange(len(words))[::-1]
    figure = blank(WIDTH, 1.2 + 0.24 * len(words))
    axis = figure.subplots()
    axis.hlines(at, low, high, color=POSTERIOR, lw=2.4)
    axis.plot(each.mean(0), at, "o", color=POSTERIOR, ms=4, label=f"predicted, {PROB:.0%} interval")
    axis.plot(seen, at, "D", color=PRINTED, mfc=PAPER, ms=4, label="observed")
    axis.set_yticks(at, words)
    axis.set_ylim(-0.7, len(words) - 0.3)
    axis.set_xlim(0, None)
    axis.set_ylabel(title)
    axis.set_xlabel("observed values")
    axis.axvline(0, color=INK, lw=0.8)
    axis.spines["left"].set_visible(False)
    axis.tick_params(axis="y", length=0)
    _legend(figure, [axis])
    return figure, int(few.sum())


def _binned(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Count values from each edge to the next."""
    at = np.searchsorted(edges, values, side="right") - 1
    return np.bincount(at[(at >= 0) & (at < len(edges) - 1)], minlength=len(edges) - 1)
