"""Leave-one-out of fits in general; what is left out of a multinomial logit is in its oracle."""

import numpy as np
import pytest
import xarray as xr
from lazily import lazily
from said import said
from toy.fits import toy_fit
from toy.simulate import FEW

import bayesmig as bm

az = lazily("arviz")

FEW_DRAWS = pytest.mark.filterwarnings("ignore:Estimated shape parameter")


@FEW_DRAWS
def test_one_observation_of_any_observed_variable_is_left_out():
    """Each variable alone, by ArviZ; together they are all observations."""
    found = bm.loo(toy_fit())
    people = toy_fit()["data"].sizes["person"]
    assert found.n_data_points == len(FEW) * people
    assert found.elpd_i["unit"].values[0] == "income[0]"
    whole = bm.add_groups(toy_fit(), ["log_likelihood"])
    each = [az.loo(whole, pointwise=True, var_name=name) for name in whole["log_likelihood"]]
    pointwise = np.concatenate([one.elpd_i.values for one in each])
    np.testing.assert_allclose(np.sort(found.elpd_i.values), np.sort(pointwise), atol=1e-9)
    assert found.elpd == pytest.approx(sum(one.elpd for one in each))
    assert found.p == pytest.approx(sum(one.p for one in each))
    assert found.se == pytest.approx(np.sqrt(len(pointwise) * pointwise.var(ddof=1)))


@FEW_DRAWS
def test_fits_compare():
    table = az.compare({"one": bm.loo(toy_fit()), "other": bm.loo(toy_fit(own_data=1))})
    assert set(table.index) == {"one", "other"}


def test_what_has_no_groups_or_people():
    assert said(bm.StudyError, bm.kfold, toy_fit()) == "study 'toy' has no groups to leave out"
    for verb in (bm.predict, lambda fit: bm.comparisons(fit, "x")):
        assert "predicts nobody" in said(bm.StudyError, verb, toy_fit())
    nothing = xr.DataTree()
    nothing.attrs["study"] = "toy"
    assert "predicts nobody" in said(bm.StudyError, bm.plot_effects, nothing, "x")
