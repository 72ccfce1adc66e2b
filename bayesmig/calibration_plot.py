"""Whether the ranks of a calibration are uniform, drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bayesmig.calibration import ranks
from bayesmig.drawing import INK, POSTERIOR, PRIOR, blank, broken, styled, titled
from bayesmig.errors import StudyError, unknown

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

BAND = 0.9  # holds the whole line of uniform ranks in so many of all calibrations
SIMULATIONS = 2000  # behind the band
COLUMNS, WIDTH, LETTERS = 3, 2.6, 30


@styled
def plot_calibration(found: xr.Dataset, quantity: str | Sequence[str] | None = None) -> Figure:
    """Draw the distribution of ranks less the uniform one, with a simultaneous band.

    A line for each quantity, of one rank from each data set as `bayesmig.coverage` picks it.
    Above zero on the left and below on the right: the truth is in the tails too often, the
    posterior too narrow; the other way round: too wide.  Above zero everywhere: the draws lie too
    high; below: too low.

    Parameters
    ----------
    found : Dataset
        Of `bayesmig.calibrate`.
    quantity : str or sequence of str, optional
        All by default.

    Returns
    -------
    matplotlib.figure.Figure
        The band holds the whole of a line of uniform ranks in 90 % of calibrations (Säilynoja,
        Bürkner and Vehtari 2022).

    Raises
    ------
    StudyError
        For an unknown quantity, or a calibration of fewer than two data sets.

    Examples
    --------
    >>> import bayesmig as bm
    >>> study = bm.load_study("emigration")
    >>> found = bm.calibrate(
    ...     study, study.example(table=7), "calibration", n=2, draws=50, tune=50, progress=False
    ... )
    >>> figure = bm.plot_calibration(found, "emigration")
    """
    from arviz_stats import ecdf_utils

    one_each = ranks(found)
    asked = [quantity] if isinstance(quantity, str) else list(quantity or one_each)
    for name in asked:
        if name not in one_each:
            raise StudyError(unknown("quantity", name, list(one_each)))
    if min(len(one_each[name]) for name in asked) < 2:
        raise StudyError("ranks of two data sets at least are needed for a picture")
    columns = min(COLUMNS, len(asked))
    rows = -(-len(asked) // columns)
    figure = blank(0.6 + WIDTH * columns, 0.9 + 1.9 * rows)
    axes = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel()
    for axis, name in zip(axes, asked, strict=False):
        bands: Any = ecdf_utils.ecdf_pit  # without types
        at, ecdf, low, high = bands(one_each[name], BAND, SIMULATIONS)
        axis.fill_between(at, low - at, high - at, color=PRIOR, alpha=0.25, lw=0, step="mid")
        axis.axhline(0, color=INK, lw=0.6)
        axis.plot(at, ecdf - at, color=POSTERIOR, lw=1.4, drawstyle="steps-mid")
        words = broken(name.replace("_", " "), LETTERS)
        axis.set_title(words, fontsize=9, loc="left", parse_math=False)
    for axis in axes[len(asked) :]:
        axis.set_visible(False)
    figure.supxlabel(f"rank of the truth; the band holds uniform ranks {BAND:.0%} of times",
                     fontsize=8.5)  # fmt: skip
    figure.supylabel("share of ranks below, less the uniform one", fontsize=8.5)
    return titled(figure, found, f"{found.attrs['study']}, truth {found.attrs['truth']}")
