"""Pictures of draws: rank plots, prior beside posterior, data beside what the model draws."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import xarray as xr

from bayesmig.comparison import compare, elements, headline
from bayesmig.drawing import (
    PAPER,
    POSTERIOR,
    PRINTED,
    PRIOR,
    SERIES,
    blank,
    broken,
    styled,
    tall,
    titled,
)
from bayesmig.errors import StudyError
from bayesmig.groups import add_groups
from bayesmig.printed import SAMPLE_DIMS
from bayesmig.showing import is_own

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


class Groups(NamedTuple):
    """What is observed and drawn, by group: (group,) and (draw, group)."""

    words: list[str]
    observed: np.ndarray
    drawn: np.ndarray


@styled
def predictive(observed: np.ndarray, drawn: xr.DataArray, people: bool, fewest: int) -> Panel:
    """Draw what was observed beside what the posterior predicts.

    A few values are shown one by one, if they are not of single people; counts that have a
    labelled dim of their own as totals by its labels; others as numbers of values by size.

    Parameters
    ----------
    observed : ndarray
    drawn : DataArray
        The same variable from the posterior, (chain, draw, ...).
    people : bool
        Whether values may be of single people: then none is shown by itself.
    fewest : int
        People in the smallest group that is shown.
    """
    dims = [dim for dim in drawn.dims if dim not in SAMPLE_DIMS]
    values = drawn.transpose(*SAMPLE_DIMS, *dims).values.reshape(-1, *observed.shape)
    labelled = [dim for dim in dims if dim in drawn.coords and drawn.sizes[dim] <= ROWS]
    there, title = np.isfinite(observed), str(drawn.name).replace("_", " ")
    if not people and observed.size <= ROWS:
        names = [words for words, _ in elements(drawn.isel(chain=[0], draw=[0]))]
        found = Groups(names, observed.ravel(), values.reshape(len(values), -1))
        what, below = "observed values", title
    elif len(dims) > 1 and labelled and drawn.dtype.kind in "iub":
        rest = tuple(i for i, dim in enumerate(dims) if dim != labelled[-1])
        names = [str(label) for label in drawn[labelled[-1]].values]
        totals = values.sum(tuple(i + 1 for i in rest))
        found = Groups(names, observed.sum(rest), totals)
        what, below = f"totals by {str(labelled[-1]).replace('_', ' ')}", title
    else:
        found = _by_size(observed[there], values[:, there])
        what, below = "numbers of values by size", f"how many values of {title} are so large"
    low, high = np.quantile(found.drawn, [(1 - PROB) / 2, (1 + PROB) / 2], axis=0)
    seen = found.observed.astype(float)
    few = (seen > 0) & (seen < fewest) if people else np.zeros(len(seen), dtype=bool)
    shown = np.isfinite(seen) & ~few
    inside = int(np.sum((low <= seen)[shown] & (seen <= high)[shown]))
    seen[few] = np.nan
    figure = _rows(seen, low, high, found.drawn.mean(0), found.words, below)
    said = f"{inside} of {int(shown.sum())} {what} lie within the {PROB:.0%} interval predicted"
    hidden = f" Of {few.sum()} groups of fewer than {fewest} nothing is shown." if any(few) else ""
    words = f"{said[0].upper()}{said[1:]} for each by the posterior.{hidden}"
    return Panel(figure, f"{title}: {what} as observed and as predicted; {said}.", words)


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
    words = ": ".join(filter(None, (row.quantity.replace("_", " "), row.coordinates)))
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
    below: str,
) -> Figure:
    at = np.arange(len(observed))[::-1]
    words = [broken(label.replace("_", " "), LETTERS) for label in labels]
    lines = max(label.count("\n") + 1 for label in words)
    figure = blank(WIDTH, 1.2 + (0.07 + 0.16 * lines) * len(observed))
    axis = figure.subplots()
    axis.hlines(at, low, high, color=POSTERIOR, lw=2.4)
    axis.plot(mean, at, "o", color=POSTERIOR, ms=4, label=f"predicted, {PROB:.0%} interval")
    axis.plot(observed, at, "D", color=PRINTED, mfc=PAPER, ms=4, label="observed")
    axis.set_yticks(at, words, parse_math=False)
    axis.set_ylim(-0.7, len(observed) - 0.3)
    axis.set_xlabel(below)
    axis.spines["left"].set_visible(False)
    axis.tick_params(axis="y", length=0)
    tall(axis, len(observed))
    _legend(figure, [axis])
    return figure


def _by_size(observed: np.ndarray, drawn: np.ndarray) -> Groups:
    """Count values by size: small whole numbers one by one, others by ends of what is predicted.

    So the ends tell nothing of single people.
    """
    most = np.quantile(drawn, CENTRAL) - drawn.min()
    if drawn.dtype.kind in "iub" and most < VALUES:
        every = np.union1d(observed, np.unique(drawn))
        values = every[:VALUES]
        edges = np.append(values, np.inf).astype(float)
        words = [f"{value:g}" for value in values]
        words[-1] += " and more" if len(every) > VALUES else ""
    else:
        edges = np.unique(np.quantile(drawn, np.linspace(0.002, 0.998, 13)))
        if len(edges) < 2:
            edges = np.array([edges[0], edges[0] + 1])
        words = [f"{a:.3g} to {b:.3g}" for a, b in itertools.pairwise(edges)]
        words[0], words[-1] = f"up to {edges[1]:.3g}", f"from {edges[-2]:.3g}"
        edges[0], edges[-1] = -np.inf, np.inf
    each = np.array([_binned(one, edges) for one in drawn])
    return Groups(words, _binned(observed, edges), each)


def _binned(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Count values from each edge to the next."""
    at = np.searchsorted(edges, values, side="right") - 1
    return np.bincount(at[(at >= 0) & (at < len(edges) - 1)], minlength=len(edges) - 1)
