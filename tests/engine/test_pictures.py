"""Pictures of several fits, of draws and of data; what they show, and that all can see it."""

import io
import itertools
import re

import numpy as np
import pytest
import xarray as xr
from lazily import lazily
from toy.fits import toy_fit

import bayesmig as bm
from bayesmig import drawing, panels
from bayesmig.groups import replicated

colors = lazily("matplotlib.colors")
# Machado, Oliveira and Fernandes (2009), Table 1, severity 1.0: linear RGB as it is seen
SEEN = {
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def lab(color, matrix):
    """CIE L*a*b* of a colour as it is seen."""
    rgb = np.array(colors.to_rgb(color))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(np.array(matrix) @ linear, 0, 1)
    xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    ) @ linear / [0.9505, 1.0, 1.089]  # fmt: skip
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("eyes", ["all", *SEEN])
def test_series_are_told_apart_by_colour_and_by_marker(eyes):
    matrix = SEEN.get(eyes, np.eye(3))
    for one, other in itertools.combinations(drawing.SERIES, 2):
        away = np.linalg.norm(lab(one.color, matrix) - lab(other.color, matrix))
        assert away > 15, (one, other, away)
        assert one.marker != other.marker != "D"
        assert one.line != other.line


def test_several_fits_are_drawn_beside_each_other():
    one, other = toy_fit(), toy_fit().copy(deep=True)
    other["estimands"]["slope"] = other["estimands"]["slope"] + 1.0
    other["estimands"]["slope"].attrs = one["estimands"]["slope"].attrs
    figure = bm.plot_fits({"one": one, "shifted": other}, "slope")
    (axis,) = figure.axes
    lines = {line.get_label(): line for line in axis.get_lines()}
    means = bm.compare(one, quantity="slope")["mean"]
    np.testing.assert_allclose(lines["one, 95% interval"].get_xdata(), means)
    np.testing.assert_allclose(lines["shifted, 95% interval"].get_xdata(), means + 1.0)
    assert any(label.startswith("printed") for label in lines)
    rows = [lines[name].get_ydata() for name in ("one, 95% interval", "shifted, 95% interval")]
    assert np.all(np.round(rows[0]) == np.round(rows[1]))
    assert np.all(rows[0] > rows[1])
    assert {text.get_text() for text in figure.legends[0].get_texts()} >= {"one, 95% interval"}


def test_numbers_without_coordinates_have_a_scale_each():
    figure = bm.plot_fits({"a": toy_fit(), "b": toy_fit(own_data=1)}, "odds_ratio")
    assert len(figure.axes) == 1
    assert len([li for li in figure.axes[0].get_lines() if "interval" in li.get_label()]) == 3


def test_fits_that_cannot_be_drawn_together():
    with pytest.raises(bm.StudyError, match="takes one fit to 6 by name, got 0"):
        bm.plot_fits({})
    other = toy_fit().copy(deep=True)
    other["estimands"]["odds_ratio"].attrs["units"] = "percent"
    with pytest.raises(bm.StudyError, match="odds_ratio is in ratio .* 'a', in percent in 'b'"):
        bm.plot_fits({"a": toy_fit(), "b": other}, "odds_ratio")


def test_a_tall_plot_has_its_axis_at_the_top_too():
    labels = xr.DataArray([f"place {i}" for i in range(40)], dims="outcome")
    fitted = toy_fit(own_data=1).copy()
    estimands = fitted["estimands"].to_dataset()[["slope"]].isel(outcome=[0] * 40)
    fitted["estimands"] = xr.DataTree(estimands.assign_coords(outcome=labels))
    fitted["published"] = fitted["published"].isel(row=slice(0))
    del fitted["prior_spread"]

    def labelled(axis):
        return axis.xaxis.get_major_ticks()[0].label2.get_visible()  # above

    assert labelled(bm.plot_compare(fitted, "slope").axes[0])
    assert not labelled(bm.plot_compare(toy_fit(), "slope").axes[0])
    fitted["estimands"] = fitted["estimands"].isel(outcome=slice(15))
    for fits, said in (({"a": fitted}, False), ({"a": fitted, "b": fitted, "c": fitted}, True)):
        (axis,) = bm.plot_fits(fits, "slope").axes
        assert labelled(axis) == said


def test_prior_and_posterior_are_the_draws():
    fitted = bm.add_groups(toy_fit(), ["prior"], seed=3)
    figure = bm.plot_prior_posterior(fitted, "slope")
    assert len(figure.axes) == 2  # of three slopes two are printed
    assert all(axis.get_title(loc="left").startswith("slope: ") for axis in figure.axes)
    drawn = {patch.get_label(): patch for patch in figure.axes[0].patches}
    row = bm.compare(fitted, quantity="slope").iloc[0]
    posterior = fitted["estimands"]["slope"].sel(outcome=row.coordinates).values
    prior = fitted["prior_estimands"]["slope"].sel(outcome=row.coordinates).values
    for name, draws in (("prior", prior), ("posterior", posterior)):
        edges = drawn[name].get_data().edges
        assert draws.min() <= edges[0] + 1e-12
        assert edges[-1] <= draws.max() + 1e-12
    assert drawn["posterior"].get_data().values.max() == 1


def test_prior_estimands_are_those_of_the_prior_draws():
    fitted = bm.add_groups(toy_fit(), ["prior"], seed=3)
    slope = fitted["prior"]["slope"].sel(outcome="moved", drop=True)
    np.testing.assert_allclose(fitted["prior_estimands"]["odds_ratio"], np.exp(slope))


def test_what_a_report_draws_from_the_prior_is_what_prior_spread_is_of():
    again = replicated(toy_fit())
    for name, spread in toy_fit()["prior_spread"].to_dataset().data_vars.items():
        drawn = again.prior[name].stack(all=("chain", "draw")).transpose("all", ...).values
        ends = np.percentile(drawn, [15.865525393, 84.134474607], axis=0)  # a normal's one sd
        np.testing.assert_allclose((ends[1] - ends[0]) / 2, spread)


def test_ranks_of_a_chain_apart_are_not_even():
    def worst(fitted):
        axis = panels.ranks(fitted).figure.axes[0]
        return max(np.abs(patch.get_data().values - 1).max() for patch in axis.patches)

    apart = toy_fit().copy(deep=True)
    apart["estimands"]["odds_ratio"][{"chain": 1}] += 100.0
    assert worst(apart) == pytest.approx(1)  # twice as many as there should be, or none
    assert worst(toy_fit()) < worst(apart)


RNG = np.random.default_rng(1)


def test_observed_values_are_counted_against_the_predicted():
    drawn = xr.DataArray(RNG.normal(size=(1, 400, 30)), dims=("chain", "draw", "cell"), name="y")
    observed = RNG.normal(size=30)
    far = observed.copy()
    far[:15] = 99.0

    def inside(values):
        words = panels.predictive(values, drawn, False, 0).words
        return int(re.fullmatch(r"(\d+) of 30 observed values lie within the 90% .*", words)[1])

    low, high = np.quantile(drawn.values[0], [0.05, 0.95], axis=0)
    assert inside(observed) == np.sum((low <= observed) & (observed <= high)) > 20
    assert inside(far) == np.sum((low <= far) & (far <= high)) < 16


def test_of_people_no_value_is_shown_by_itself():
    drawn = xr.DataArray(
        RNG.poisson(2.0, size=(1, 400, 30)), dims=("chain", "draw", "person"), name="trips"
    )
    observed = np.repeat([0, 1, 2, 9], [10, 10, 9, 1])
    cells = panels.predictive(observed, drawn, False, 0).figure.axes[0]
    people = panels.predictive(observed, drawn, True, 5)
    axis = people.figure.axes[0]
    assert len(cells.get_yticks()) == 30
    (seen,) = [line.get_xdata() for line in axis.get_lines() if line.get_label() == "observed"]
    words = [text.get_text() for text in axis.get_yticklabels()]
    shown = dict(zip(words, seen, strict=True))
    assert (shown["0"], shown["1"], shown["2"]) == (10, 10, 9)
    assert np.isnan(shown["9"])
    assert "Of 1 groups of fewer than 5 nothing is shown." in people.words


def test_rare_counts_are_told_apart_also_as_numbers_with_a_point():
    drawn = xr.DataArray(
        RNG.binomial(1, 0.02, size=(1, 300, 700)), dims=("chain", "draw", "cell"), name="returned"
    )
    observed = np.repeat([0.0, 1.0], [685, 15])
    axis = panels.predictive(observed, drawn, False, 0).figure.axes[0]
    (seen,) = [line.get_xdata() for line in axis.get_lines() if line.get_label() == "observed"]
    assert [text.get_text() for text in axis.get_yticklabels()] == ["0", "1"]
    assert list(seen) == [685, 15]


def test_counts_with_labels_are_totals_by_label():
    chances = [0.7, 0.2, 0.1]
    drawn = xr.DataArray(
        RNG.multinomial(1, chances, size=(1, 300, 500)),
        dims=("chain", "draw", "person", "outcome"),
        coords={"outcome": ["stayed", "moved", "died"]},
        name="fates",
    )
    observed = np.eye(3, dtype=int)[np.repeat([0, 1, 2], [350, 100, 50])]
    panel = panels.predictive(observed, drawn, True, 5)
    assert panel.words.startswith("3 of 3 totals by outcome lie within")
    lines = {line.get_label(): line.get_xdata() for line in panel.figure.axes[0].get_lines()}
    assert list(lines["observed"]) == [350, 100, 50]
    np.testing.assert_allclose(
        lines["predicted, 90% interval"], drawn.values[0].sum(1).mean(0), rtol=1e-12
    )
    other = np.eye(3, dtype=int)[np.repeat([0, 1, 2], [250, 200, 50])]
    assert panels.predictive(other, drawn, True, 5).words.startswith("1 of 3 totals")


def test_a_figure_within_a_page_has_its_colours_and_its_own_names():
    one, other = (drawing.svg(bm.plot_compare(toy_fit(), "slope"), name) for name in ("a", "b"))
    assert "var(--post)" in one
    assert drawing.POSTERIOR not in one
    ids = [set(re.findall(r'id="([^"]+)"', text)) for text in (one, other)]
    assert ids[0]
    assert not ids[0] & ids[1]
    for name in re.findall(r"url\(#([^)]+)\)|href=\"#([^\"]+)\"", one):
        assert set(filter(None, name)) <= ids[0]
    assert one == drawing.svg(bm.plot_compare(toy_fit(), "slope"), "a")


def test_every_picture_can_be_saved():
    for figure in (bm.plot_compare(toy_fit()), bm.plot_prior_posterior(toy_fit(), most=1)):
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=40)
        assert buffer.getvalue().startswith(b"\x89PNG")
