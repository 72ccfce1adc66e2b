"""The synthetic twin."""

import numpy as np
import pytest
import xarray as xr
from said import said

import bayesmig as bm
from bayesmig.models.social_capital import people, simulate
from bayesmig.models.social_capital.design import design
from bayesmig.models.social_capital.geometry import geometry

STUDY = bm.load_study("social_capital")


def test_the_twin_has_the_papers_size_and_truth():
    data = STUDY.example()
    assert data.sizes["row"] == 10_012
    assert len(np.unique(data["municipality"])) == 80
    assert data.attrs["synthetic"] == 1
    assert data.attrs["title"].startswith("SYNTHETIC")
    truth = STUDY.truth(data)
    row = truth["log_odds"].sel(term="baseline_aspirations")
    assert list(row.values) == [0.0, 1.641, 1.413]  # A, and C as A + B of Table 1
    assert float(truth["log_odds"].sel(outcome="migrated", term="network: close")) == 1.419
    assert data.equals(STUDY.example())


def test_the_twin_of_tables_2_is_separated_as_printed():
    data = STUDY.example(tables=2)
    cell = (data["network"] == "extended") & (data["employment"] == "self_employed")
    assert int(cell.sum()) > 50
    assert not bool((data["outcome"][cell.values] == "aspires").any())
    sizes = data["network"].to_series().value_counts()
    for stratum, printed in simulate.STRATUM_SIZES.items():
        assert sizes[stratum] == pytest.approx(printed * 10_012 / 10_212, rel=0.06)


def test_urban_is_a_property_of_places_and_ties_of_households(few):
    frame = people.frame(few)
    assert (frame.groupby("municipality", observed=True).urban.nunique() == 1).all()
    for name in ("network", "household_migrations", "log_expenditure", "robbery"):
        assert (frame.groupby("household", observed=True)[name].nunique() == 1).all()


def test_truth_follows_the_outcomes():
    """Coefficients of a large few, by a graph-free Newton step, are near their truth."""
    data = STUDY.simulate(seed=8, n=60_000)
    found = design(data)
    near = geometry(found)
    slopes = near.centre[0, :, 1:] @ found.to_terms.T
    spread = near.root[0] @ near.root[0].T
    size = len(found.terms) + 1
    blocks = [spread[k * size + 1 : (k + 1) * size, k * size + 1 : (k + 1) * size] for k in (0, 1)]
    error = np.array(
        [np.sqrt(np.diag(found.to_terms @ block @ found.to_terms.T)) for block in blocks]
    )
    z = (slopes - STUDY.truth(data)["log_odds"].values[1:]) / error
    assert np.abs(z).max() < 4  # 42 coefficients
    assert np.sqrt((z**2).mean()) == pytest.approx(1, abs=0.35)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"tables": 3}, "valid: 1 (Table 1), 2"),
        ({"stratum": "far"}, "valid: all, none"),
        ({"n": 2.5}, "n must be a whole number from 1 on, got 2.5"),
        ({"municipalities": 1}, "municipalities must be a whole number from 2 on, got 1"),
        ({"n": 5, "municipalities": 9}, "5 people in 3 households are too few for 9 places"),
        ({"truth": xr.Dataset()}, "truth must be a Dataset with log_odds"),
        (
            {"truth": simulate.printed_truth(1).isel(term=slice(2, None))},
            "truth: log_odds has no term network: extended, network: close",
        ),
    ],
)
def test_no_such_twin(how, words):
    assert words in said(bm.DataError, STUDY.simulate, **how)


def test_data_without_truth(few):
    with pytest.raises(bm.DataError, match="they were not simulated"):
        STUDY.truth(people.from_frame(people.frame(few)))


@pytest.mark.parametrize("tables", [1, 2])
def test_a_truth_that_people_carry_makes_the_same_people(tables):
    data = STUDY.simulate(seed=3, n=1500, municipalities=15, tables=tables)
    again = STUDY.simulate(STUDY.truth(data), seed=3, n=1500, municipalities=15, tables=tables)
    assert again.attrs["title"] == "SYNTHETIC people, truth as given"
    xr.testing.assert_identical(again.assign_attrs(title=data.attrs["title"]), data)
