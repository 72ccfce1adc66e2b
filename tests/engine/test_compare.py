"""The comparison with print: every number of it by hand, and the plot of it."""

import inspect
import io
import re

import numpy as np
import pandas as pd
import pytest
from fits import OWN_CELLS, OWN_ESTIMATES, OWN_NAME, STUDY, own, small, synthetic, tiny
from lazily import lazily

import bayesmig as bm
from bayesmig.comparison import spread
from bayesmig.drawing import POSTERIOR, PRINTED

az = lazily("arviz")
xr = lazily("xarray")
colors = lazily("matplotlib.colors")

COLUMNS = (
    "quantity coordinates units published published_low published_high published_prob mean sd low "
    "high ci_prob difference_se difference_sd overlap width_ratio contraction ess r_hat source "
    "note"
).split()
QUANTITIES = (
    "emigration net_emigration non_match internal_migration mortality non_follow_up "
    "return_immigration"
).split()
PRINTED_CELLS = pd.read_csv(STUDY.folder / "published" / "cells.csv", keep_default_na=False)


def row_of(table, quantity, coordinates):
    """The one row of a comparison."""
    (found,) = table[(table.quantity == quantity) & (table.coordinates == coordinates)].to_dict(
        "records"
    )
    return found


def printed_in_table_7(quantity, cell):
    panel, row = cell.split(", ")
    at = PRINTED_CELLS[PRINTED_CELLS.table == 7]
    (found,) = at[
        (at.panel == panel) & (at.row == row) & (at.component == quantity)
    ].to_dict("records")  # fmt: skip
    return found


# The table


def test_columns_are_those_of_the_docstring():
    table = bm.compare(small())
    assert list(table.columns) == COLUMNS
    listed = inspect.getdoc(bm.compare).split("DataFrame")[-1].split("Values in")[0]
    listed = re.sub(r"\([^)]*\)", "", listed)  # explanations
    assert [name.strip(" .\n-") for name in listed.split(",")] == COLUMNS


def test_one_row_for_each_printed_number_the_headline_first():
    table = bm.compare(small())
    cells = list(STUDY.example(table=7).cell.values)
    assert list(table.quantity) == [q for q in QUANTITIES for _ in cells]
    assert list(table.coordinates) == cells * len(QUANTITIES)


@pytest.mark.parametrize(
    ("quantity", "cell"),
    [
        ("emigration", "Mexican, Male"),
        ("net_emigration", "Mexican, Female"),
        ("mortality", "Non-Mexican, Female"),
        ("return_immigration", "Non-Mexican, Male"),
    ],
)
def test_a_row_by_hand(quantity, cell):
    fitted, printed = small(), printed_in_table_7(quantity, cell)
    row = row_of(bm.compare(fitted), quantity, cell)
    by_chain = fitted["estimands"][quantity].sel(cell=cell)
    draws = np.sort(by_chain.values.ravel())
    n = len(draws)

    def quantile(p):  # Hyndman and Fan's type 7
        at = p * (n - 1)
        i = int(at)
        return draws[i] + (at - i) * (draws[min(i + 1, n - 1)] - draws[i])

    mean, low, high = draws.sum() / n, quantile(0.05), quantile(0.95)
    low_printed, high_printed = printed["ci_low"], printed["ci_high"]
    se = (high_printed - low_printed) / 2 / 1.6448536269514722
    prior_spread = float(fitted["prior_spread"][quantity].sel(cell=cell))
    width = (quantile(0.841344746068543) - quantile(0.158655253931457)) / 2
    shared = max(0, min(high, high_printed) - max(low, low_printed))
    together = max(high, high_printed) - min(low, low_printed)
    expected = {
        "published": printed["estimate"],
        "published_low": low_printed,
        "published_high": high_printed,
        "published_prob": 0.9,
        "mean": mean,
        "sd": np.sqrt(((draws - mean) ** 2).sum() / (n - 1)),
        "low": low,
        "high": high,
        "ci_prob": 0.9,
        "difference_se": (mean - printed["estimate"]) / se,
        "difference_sd": (mean - printed["estimate"]) / draws.std(ddof=1),
        "overlap": shared / together,
        "width_ratio": (high - low) / (high_printed - low_printed),
        "contraction": 1 - (width / prior_spread) ** 2,
        "ess": min(float(az.ess(by_chain, method=m)) for m in ("bulk", "tail")),
        "r_hat": float(az.rhat(by_chain)),
    }
    assert {name: row[name] for name in expected} == pytest.approx(expected, rel=1e-9)
    assert row["source"] == "Van Hook & Bean, Table 7"
    assert ("not in the likelihood" in row["note"]) == (quantity.endswith("emigration"))


def test_another_probability_changes_the_posterior_s_interval_alone():
    fitted = small()
    own_prob, half = bm.compare(fitted), bm.compare(fitted, ci_prob=0.5)
    same = [c for c in COLUMNS if c not in ("low", "high", "ci_prob")]
    pd.testing.assert_frame_equal(half[same], own_prob[same])  # at the printed probability
    assert set(half.ci_prob) == {0.5}
    draws = fitted["estimands"]["emigration"].sel(cell="Mexican, Male").values
    row = row_of(half, "emigration", "Mexican, Male")
    assert row["low"] == pytest.approx(np.percentile(draws, 25))
    assert row["high"] == pytest.approx(np.percentile(draws, 75))


@pytest.mark.parametrize("ci_prob", [0, 1, -0.5, 90])
def test_a_probability_that_is_none(ci_prob):
    with pytest.raises(bm.StudyError, match=f"between 0 and 1, got {ci_prob}"):
        bm.compare(small(), ci_prob=ci_prob)


def test_intervals_printed_without_width():
    """Emigration of Mexican women of 45-54 is printed 0.0 (0.0, 0.0)."""
    fitted = tiny((10, 11))
    table = bm.compare(fitted, quantity="emigration")
    flat = table[table.published_low == table.published_high]
    assert list(flat.published) == [0.0, 0.0]
    for row in flat.to_dict("records"):
        draws = fitted["estimands"]["emigration"].sel(cell=row["coordinates"]).values
        assert np.isnan(row["difference_se"])
        assert np.isnan(row["width_ratio"])
        assert row["overlap"] == 0.0  # no posterior interval of a share reaches 0
        assert row["low"] == pytest.approx(np.percentile(draws, 5))
        assert row["low"] > 0


def test_an_interval_without_width_may_lie_within_the_posterior_s():
    fitted = small().copy(deep=True)
    cell = "Mexican, Male"
    at = (fitted["published"]["quantity"] == "emigration") & (fitted["published"]["cell"] == cell)
    inside = float(fitted["estimands"]["emigration"].sel(cell=cell).median())
    for name in ("estimate", "ci_low", "ci_high"):
        fitted["published"][name] = fitted["published"][name].where(~at, inside)
    fitted["published"]["se"] = fitted["published"]["se"].where(~at, 0.0)
    row = row_of(bm.compare(fitted), "emigration", cell)
    assert row["overlap"] == 1.0
    assert np.isnan(row["difference_se"])
    assert np.isnan(row["width_ratio"])


def test_contraction_is_from_draws_of_the_prior():
    """Two estimates of a spread, within five standard errors of the one from 500 draws."""
    prior = bm.prior_predictive(STUDY, STUDY.example(table=7), draws=2000, seed=9)
    rng = np.random.default_rng(1)

    def half(draws):
        low, high = np.percentile(draws, [15.865525393, 84.134474607], axis=-1)
        return (high - low) / 2

    for name, found in small()["prior_spread"].to_dataset().data_vars.items():
        draws = prior["estimands"][name].isel(chain=0).transpose(..., "draw").values
        fewer = np.stack([half(rng.choice(draws, 500, axis=-1)) for _ in range(200)])
        error = fewer.std(0) * np.sqrt(1 + 500 / 2000)
        assert np.all(np.abs(found - half(draws)) < 5 * error), name


def test_contraction_is_not_made_by_the_prior_s_tails():
    """A few draws of the prior far away change nothing; its standard deviation they multiply."""
    few = xr.Dataset({"rate": (("chain", "draw"), np.random.default_rng(2).normal(size=(1, 500)))})
    far = few.copy(deep=True)
    far["rate"][0, :4] = 1e6
    assert float(spread(few)["rate"]) == pytest.approx(1, abs=0.1)
    assert float(spread(far)["rate"]) == pytest.approx(float(spread(few)["rate"]), rel=0.02)


def test_a_fit_of_an_earlier_version_has_the_spread_that_it_had():
    fitted = small().copy()
    before = fitted["prior_spread"].to_dataset()
    del fitted["prior_spread"]
    fitted["prior_sd"] = xr.DataTree(before)
    pd.testing.assert_frame_equal(bm.compare(fitted), bm.compare(small()))


def test_a_fit_without_prior_spread_has_no_contraction():
    fitted = small().copy()
    del fitted["prior_spread"]
    assert bm.compare(fitted).contraction.isna().all()


# Which quantities


def test_some_quantities():
    fitted = small()
    table = bm.compare(fitted)
    for quantity in ("mortality", ["mortality", "emigration"]):
        names = [quantity] if isinstance(quantity, str) else quantity
        found = bm.compare(fitted, quantity=quantity)
        wanted = table[table.quantity.isin(names)].reset_index(drop=True)
        pd.testing.assert_frame_equal(found, wanted)


@pytest.mark.parametrize("call", [bm.compare, bm.plot_compare])
@pytest.mark.parametrize("quantity", ["emmigration", ["mortality", "emmigration"]])
def test_an_unknown_quantity_lists_the_valid_ones(call, quantity):
    with pytest.raises(bm.StudyError) as caught:
        call(small(), quantity=quantity)
    said = str(caught.value)
    assert said.startswith("unknown quantity 'emmigration' (did you mean 'emigration'?); valid: ")
    assert said.endswith(", ".join(QUANTITIES))


@pytest.mark.parametrize("call", [bm.compare, bm.plot_compare])
def test_no_quantity_at_all_is_refused(call):
    with pytest.raises(bm.StudyError, match="emigration"):
        call(small(), quantity=[])


# Other data


def test_a_user_s_file():
    table = bm.compare(own())
    given = table[table.published.notna()]
    assert set(given.source) == {OWN_NAME}
    assert set(given.published_prob) == {0.95}
    for quantity in ("non_match", "emigration", "net_emigration"):  # whether given or not
        assert list(table[table.quantity == quantity].coordinates) == OWN_CELLS
    assert list(given[given.quantity == "emigration"].coordinates) == OWN_CELLS[:2]
    assert "net_emigration" not in set(given.quantity)  # the file does not give it
    assert not [note for note in table.note if "print" in note]
    for quantity, values in OWN_ESTIMATES.items():
        there = [value for value in values if value is not None]
        assert list(given[given.quantity == quantity].published) == there
    row = row_of(table, "non_match", OWN_CELLS[1])
    draws = own()["estimands"]["non_match"].sel(cell=OWN_CELLS[1]).values
    assert row["difference_se"] == pytest.approx((draws.mean() - 37.4) / (0.3 / 1.959963984540054))
    assert row["low"] == pytest.approx(np.percentile(draws, 2.5))
    assert table.attrs["data_title"] == OWN_NAME
    assert not table.attrs["synthetic"]


def test_synthetic_data_are_marked():
    table = bm.compare(synthetic())
    assert table.attrs["synthetic"] == 1
    assert table.attrs["data_title"].startswith("SYNTHETIC")
    assert all(source.startswith("SYNTHETIC") for source in table.source)
    real = bm.compare(small()).attrs
    assert real == {
        "study": "emigration",
        "data_title": "Van Hook & Bean, Table 7",
        "synthetic": 0,
        "own_data": 0,
    }


# The plot


def rows_of(axis, color):
    """Means (x, y) and intervals (low, high, y) drawn in a colour, from top to bottom."""
    named = [li for li in axis.get_lines() if li.get_label().startswith(("post", "print", "given"))]
    (dots,) = [line for line in named if colors.same_color(line.get_color(), color)]
    (bars,) = [c for c in axis.collections if colors.same_color(c.get_color(), color)]
    ends = np.array([[s[0, 0], s[1, 0], s[0, 1]] for s in bars.get_segments() if len(s)])
    points = np.column_stack([dots.get_xdata(), dots.get_ydata()])
    return points[np.argsort(-points[:, 1])], ends[np.argsort(-ends[:, 2])]


def labels_at(axis):
    """The row's label by where it is drawn."""
    labels = [t.get_text() for t in axis.get_yticklabels()]
    return dict(zip(axis.get_yticks(), labels, strict=True))


def saved(figure):
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=60)
    return buffer.getvalue()


@pytest.mark.parametrize("tables", [7, (10, 11)])
def test_a_row_for_each_number(tables):
    fitted = tiny(tables)
    table = bm.compare(fitted, quantity="emigration")
    figure = bm.plot_compare(fitted)
    (axis,) = figure.axes
    assert len(table) == (4 if tables == 7 else 28)
    for color, columns in (
        (POSTERIOR, ("mean", "low", "high")),
        (PRINTED, ("published", "published_low", "published_high")),
    ):
        points, ends = rows_of(axis, color)
        np.testing.assert_allclose(points[:, 0], table[columns[0]])
        np.testing.assert_allclose(ends[:, :2], table[list(columns[1:])])
        rows = [labels_at(axis)[round(y)] for y in points[:, 1]]
        assert rows == list(table.coordinates)
    low, high = axis.get_ylim()
    assert low < 0
    assert high > len(table) - 1
    assert saved(figure).startswith(b"\x89PNG")


def test_the_labels_are_within_the_figure_and_apart():
    figure = bm.plot_compare(tiny((10, 11)))
    figure.draw_without_rendering()  # lays it out
    boxes = [t.get_window_extent() for t in figure.axes[0].get_yticklabels()]
    assert len(boxes) == 28
    boxes.sort(key=lambda box: box.y0)
    assert min(box.x0 for box in boxes) >= 0
    assert all(a.y1 <= b.y0 + 1 for a, b in zip(boxes, boxes[1:], strict=False))


def test_the_legend_gives_both_probabilities():
    def legend(**how):
        (found,) = bm.plot_compare(small(), **how).legends
        return [text.get_text() for text in found.get_texts()]

    assert legend() == ["posterior mean, 90% interval", "printed estimate, 90% interval"]
    assert legend(ci_prob=0.5) == ["posterior mean, 50% interval", "printed estimate, 90% interval"]


def test_the_axis_names_quantity_and_unit():
    figure = bm.plot_compare(small(), ["net_emigration", "mortality"])
    assert [axis.get_xlabel() for axis in figure.axes] == [
        "net emigration (percent a year)",
        "mortality (percent a year)",
    ]


def test_the_title_says_what_the_data_are():
    assert bm.plot_compare(small()).get_suptitle() == "Van Hook & Bean, Table 7"
    assert bm.plot_compare(synthetic()).get_suptitle().startswith("SYNTHETIC")


def test_panels_of_unequal_length_keep_their_labels():
    """The user's file gives emigration for two of its four cells."""
    fitted = own()
    figure = bm.plot_compare(fitted, ["emigration", "non_match"])
    for axis, quantity in zip(figure.axes, ("emigration", "non_match"), strict=True):
        points, _ = rows_of(axis, PRINTED)
        table = bm.compare(fitted, quantity=quantity).dropna(subset="published")
        labels = labels_at(figure.axes[0])  # shared rows
        shown = {labels[round(y)]: x for x, y in points if not np.isnan(x)}
        assert shown == dict(zip(table.coordinates, table.published, strict=True))


def test_labels_with_dollar_signs_are_no_mathematics():
    assert saved(bm.plot_compare(own(), "non_match")).startswith(b"\x89PNG")


@pytest.mark.parametrize("tables", [7, (10, 11)])
@pytest.mark.parametrize("quantity", ["emigration", ["emigration", "net_emigration"]])
def test_title_legend_and_panels_do_not_overlap(tables, quantity):
    figure = bm.plot_compare(tiny(tables), quantity)
    figure.draw_without_rendering()  # lays it out
    boxes = [axis.get_tightbbox() for axis in figure.axes]
    boxes += [figure.legends[0].get_window_extent(), figure._suptitle.get_window_extent()]
    for box in boxes:
        assert figure.bbox.padded(1).contains(box.x0, box.y0)
        assert figure.bbox.padded(1).contains(box.x1, box.y1)
    for i, box in enumerate(boxes):
        for other in boxes[:i]:
            apart = (box.x1 <= other.x0 + 1, other.x1 <= box.x0 + 1,
                     box.y1 <= other.y0 + 1, other.y1 <= box.y0 + 1)  # fmt: skip
            assert any(apart), (box, other)


def test_a_figure_shows_itself_and_pyplot_does_not_keep_it():
    import matplotlib.pyplot as plt

    assert bm.plot_compare(small())._repr_png_().startswith(b"\x89PNG")
    assert plt.get_fignums() == []
