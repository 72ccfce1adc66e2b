"""Panels of known truth, and what a counted panel says of itself."""

import json

import numpy as np
import pytest
import xarray as xr
from studies.emigration_microdata.chance import FATES, said

import bayesmig as bm
from bayesmig.models.emigration.microdata import synthetic
from bayesmig.models.emigration.microdata.counts import attributes

STUDY = bm.load_study("emigration_microdata")
SMALL = {"persons": 600, "years": range(1996, 1998), "mortality": "marginal",
         "covariates": ("owner",)}  # fmt: skip


@pytest.fixture(scope="module")
def panel():
    return STUDY.simulate(seed=2, **SMALL)


def test_a_panel_carries_the_truth_of_its_rows(panel):
    truth = STUDY.truth(panel)
    assert truth["cell_share"].dims == ("cell", "fate")
    assert list(truth.fate.values) == FATES
    np.testing.assert_allclose(truth["cell_share"].sum("fate"), 1, atol=1e-12)
    assert truth["cell_return"].dims == ("cell",)
    found = STUDY.estimands(truth, panel)
    emigrated = 100 * truth["cell_share"].sel(fate="emigrated", drop=True)
    np.testing.assert_allclose(found["emigration"], emigrated)
    assert {array.attrs["units"] for array in found.data_vars.values()} == {"percent a year"}


def test_the_truth_may_be_a_scenario_or_given_in_full(panel):
    for truth in ("assumptions_hold", synthetic.default_truth("probability")):
        xr.testing.assert_identical(STUDY.simulate(truth, seed=2, **SMALL), panel)
    harder = STUDY.simulate("first_generation_harder", seed=2, **SMALL)
    assert harder["followed"].sum() < panel["followed"].sum()
    assert harder["native_followed"].equals(panel["native_followed"])
    assert json.loads(panel.attrs["simulated_from"]) == synthetic.default_truth("probability")


def test_a_truth_that_is_none_is_refused(panel):
    assert "valid: assumptions_hold" in said(bm.StudyError, STUDY.simulate, "mine", **SMALL)
    rows = STUDY.truth(panel)  # of printed rows, from which no person can be simulated
    assert "needs" in said(bm.DataError, STUDY.simulate, rows, **SMALL)


def test_what_a_panel_says_of_itself(panel):
    assert attributes.years(panel) == [1996, 1997]
    assert sum(attributes.persons(panel).values()) == 600
    assert set(attributes.persons(panel)) == {"first", "second"}
    assert attributes.labels(panel, "sex") == ["Female", "Male"]
    assert set(attributes.decoded(panel, "owner")) == {"Owner", "Renter"}
    total = attributes.flow(panel).query("year == 'total' and step == 'panel'")
    assert total.persons.item() == 600
    assert (panel.attrs["synthetic"], panel.attrs["left_out"]) == (1, "")


@pytest.mark.parametrize("value", [None, "[1996", '{"1996": 1}'])
def test_a_panel_that_does_not_say_it_is_refused(panel, value):
    attrs = {**panel.attrs, "years": value}
    if value is None:
        del attrs["years"]
    spoilt = panel.drop_attrs(deep=False).assign_attrs(attrs)
    assert "attrs['years']" in said(bm.DataError, attributes.years, spoilt)


def test_who_was_left_out_of_an_extract_is_said(tmp_path):
    path = synthetic.write_extract(tmp_path, households=300, years=range(1996, 1998), seed=4)
    found = STUDY.read(path)
    steps = attributes.flow(found)
    lost = steps[(steps.year == "total") & (steps.lost > 0)]
    assert {"oversample", "third generation", "second generation under 15"} <= set(lost.step)
    for step, n in zip(lost.step, lost.lost, strict=True):
        assert f"{step} {int(n):,}" in found.attrs["left_out"]
