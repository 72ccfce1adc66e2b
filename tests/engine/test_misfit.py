"""Where a model misses its data: sums by hand, a miss that was planted, what is refused."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from fits import small

import bayesmig as bm
from bayesmig import misfits as module


@pytest.fixture(scope="module")
def fit():
    return bm.add_groups(small(7), ["posterior_predictive"])


def test_sums_by_hand(fit):
    table = bm.misfit(fit, by="sex").set_index("group")
    men = fit["data"].sex.values == "Male"
    seen = fit["observed_data"]["components"].sel(component="mortality").values[men].sum()
    drawn = fit["posterior_predictive"]["components"].sel(component="mortality").values
    drawn = drawn[..., men].sum(-1).ravel()
    row = table.loc["Male, mortality"]
    assert row.observed == pytest.approx(seen)
    assert row.expected == pytest.approx(drawn.mean())
    assert (row.low, row.high) == pytest.approx(np.quantile(drawn, [0.05, 0.95]))
    assert row.z == pytest.approx((seen - drawn.mean()) / drawn.std(ddof=1))
    assert row.p == pytest.approx(2 * min((drawn >= seen).mean(), (drawn <= seen).mean()))


def test_the_worst_come_first_and_a_planted_miss_is_the_worst(fit):
    table = bm.misfit(fit)
    assert set(table.by) == {"sex", "origin", "cell"}
    assert (table.z.abs().diff().dropna() <= 0).all()
    assert 0 <= table.attrs["outside"] <= 0.2
    broken = fit.copy()
    observed = fit["observed_data"].to_dataset().copy(deep=True)
    sd = fit["posterior_predictive"]["components"].std(("chain", "draw"))
    observed["components"][1, 2] += 8 * float(sd[1, 2])
    broken["observed_data"] = xr.DataTree(observed)
    first = bm.misfit(broken, by="cell").iloc[0]
    cell, component = observed.cell.values[1], observed.component.values[2]
    assert first.group == f"{cell}, {component}"
    assert first.z > 5
    assert first.p == pytest.approx(2 / 600)  # of so many draws none is so far out


def test_draws_are_made_if_there_are_none(fit):
    pd.testing.assert_frame_equal(bm.misfit(small(7), by="origin"), bm.misfit(fit, by="origin"))


def test_what_is_refused(fit):
    with pytest.raises(bm.StudyError, match="unknown grouping 'Sex' .did you mean 'sex'"):
        bm.misfit(fit, by="Sex")


def test_what_was_not_observed_counts_in_neither():
    seen = xr.DataArray([1.0, np.nan, 3.0], dims="row")
    drawn = xr.DataArray(np.ones((1, 50, 3)), dims=("chain", "draw", "row"))
    (row,) = module._summed(seen, drawn, ["a", "a", "a"])
    assert (row["observed"], row["expected"]) == (4.0, 2.0)
    rows = list(module._summed(seen, drawn, ["a", "b", "c"]))
    assert [row["group"] for row in rows] == ["a", "c"]


def test_numbers_are_cut_into_quarters():
    labels = module.parts(pd.Series(np.arange(40.0)))
    assert len(set(labels)) == 4
    assert all((labels == label).sum() == 10 for label in set(labels))
    assert module.parts(pd.Series(["x", "y"])).tolist() == ["x", "y"]
