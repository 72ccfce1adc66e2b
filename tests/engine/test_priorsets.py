"""What the choice among prior sets does, kept with a fit and shown beside it."""

import warnings

import numpy as np
import pytest
import xarray as xr
from fits import small

import bayesmig as bm
from bayesmig import priorsets

SHORT = {"draws": 200, "tune": 300, "chains": 2, "progress": False}


@pytest.fixture(scope="module")
def across():
    with warnings.catch_warnings():
        warnings.simplefilter("error", bm.RecompiledWarning)  # both are the same graph
        warnings.simplefilter("ignore", bm.ConvergenceWarning)
        warnings.simplefilter("ignore", bm.PriorWarning)  # without pooling much is other
        return bm.across_priors(small(), ["wide", "no_pooling"], **SHORT)


def test_means_of_every_set_are_kept_with_the_fit(across):
    kept = across["prior_sets"].to_dataset()
    assert list(kept.prior_set.values) == ["default", "wide", "no_pooling"]
    assert set(kept.data_vars) == set(small()["estimands"].data_vars)
    own = small()["estimands"].to_dataset().mean(("chain", "draw"))
    xr.testing.assert_allclose(kept.sel(prior_set="default", drop=True), own)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bm.ConvergenceWarning)
        other = bm.refit(small(), "no_pooling", **SHORT)
    mean = other["estimands"]["emigration"].mean(("chain", "draw"))
    np.testing.assert_allclose(kept["emigration"].sel(prior_set="no_pooling"), mean)
    assert "prior_sets" not in small()


def test_comparison_has_their_ends(across):
    table = bm.compare(across, quantity="emigration")
    kept = across["prior_sets"]["emigration"].sel(cell=table.coordinates.values)
    np.testing.assert_allclose(table.sets_low, kept.min("prior_set"))
    np.testing.assert_allclose(table.sets_high, kept.max("prior_set"))
    own = table["mean"]
    assert ((table.sets_low < own + 1e-9) & (own < table.sets_high + 1e-9)).all()
    assert (table.sets_high - table.sets_low).max() > 0.2  # pooling does something
    assert "prior sets" in repr(table)
    assert "posterior (90%)" in repr(table)  # whole, in a terminal of 80 columns
    first = table.iloc[0]
    assert f"{first.sets_low:.1f} to {first.sets_high:.1f}" in repr(table)
    assert "sets_low" not in bm.compare(small())
    assert "sets_low" in bm.summary(across)


def test_a_file_keeps_them_and_a_report_shows_them(across, tmp_path):
    again = bm.open_fit(bm.save_fit(across, tmp_path / "fit.nc"))
    xr.testing.assert_equal(again["prior_sets"].to_dataset(), across["prior_sets"].to_dataset())
    page = bm.report(again, tmp_path / "page").read_text("utf-8")
    row = bm.compare(across, quantity="emigration").iloc[0]
    assert 'data-label="over prior sets"' in page
    assert f"{row.sets_low:.2f}, {row.sets_high:.2f}" in page
    assert "far apart, the prior decides" in page


def test_by_default_all_sets_but_that_for_simulation(monkeypatch):
    asked = []

    def refit(start, name, **settings):
        asked.append(name)
        return small()

    monkeypatch.setattr(priorsets, "refit", refit)
    bm.across_priors(small(), **SHORT)
    assert asked == ["no_pooling", "wide", "native_rates", "generation_gap"]


def test_what_the_choice_of_a_set_decides_is_named(monkeypatch):
    """Means a standard deviation and a half apart in one cell of four; a half in the others."""
    fit = small()
    sd = fit["estimands"]["emigration"].std(("chain", "draw"))

    def refit(start, name, **settings):
        other = fit.copy()
        estimands = fit["estimands"].to_dataset().copy()
        step = sd * xr.where(sd.cell == sd.cell[2], 1.5, 0.5)
        estimands["emigration"] = estimands["emigration"] + step
        other["estimands"] = xr.DataTree(estimands)
        return other

    monkeypatch.setattr(priorsets, "refit", refit)
    with pytest.warns(bm.PriorWarning) as caught:
        bm.across_priors(fit, ["wide"])
    assert [str(each.message) for each in caught] == [
        "the choice among prior sets moves by more than a posterior standard deviation: "
        "emigration (1 of 4)"
    ]


def test_a_set_whose_chains_are_not_to_be_trusted_is_named():
    with pytest.warns(bm.ConvergenceWarning, match="prior set 'wide': R-hat|prior set 'wide': "):
        bm.across_priors(small(), ["wide"], draws=20, tune=20, chains=2, progress=False)


@pytest.mark.parametrize(
    ("sets", "words"),
    [
        (["wid"], "'wid' (did you mean 'wide'?)"),
        (["default"], "'default'"),  # the fit's own
        ([], "there is no other prior set"),
    ],
)
def test_sets_that_there_are_not(sets, words):
    with pytest.raises(bm.StudyError) as caught:
        bm.across_priors(small(), sets)
    assert words in str(caught.value)


def test_an_estimand_that_a_set_lacks_is_missing_there():
    first = xr.Dataset({"a": ("cell", [1.0, 2.0]), "b": 3.0}, {"cell": ["x", "y"]})
    other = xr.Dataset({"a": ("cell", [5.0, 6.0])}, {"cell": ["x", "y"]})
    found = priorsets._together({"one": first, "two": other})
    assert found["a"].sel(prior_set="two").values.tolist() == [5.0, 6.0]
    assert found["b"].sel(prior_set="one").item() == 3.0
    assert np.isnan(found["b"].sel(prior_set="two").item())
    unlike = xr.Dataset({"a": ("other", [5.0])})
    with pytest.raises(bm.StudyError, match="prior set 'two': a has dims"):
        priorsets._together({"one": first, "two": unlike})
