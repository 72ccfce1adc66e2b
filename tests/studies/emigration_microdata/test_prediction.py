"""Persons of any profile: changes of covariates, fates drawn, and what is refused."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from microdata_fits import as_fit

import bayesmig as bm
from bayesmig import evaluate
from bayesmig.contract import Predicts
from bayesmig.models.emigration.microdata.counts.attributes import labels

STUDY = bm.load_study("emigration_microdata")
ADULT = {
    "country": "Mexico", "age_group": "25-29", "sex": "Male", "duration": "0-4 yrs", "year": 1996,
    "owner": "Renter", "oversample": "Main sample", "race": "Mexican", "health": "Good",
    "enrolment": "Not enrolled", "education": "High school",
}  # fmt: skip
CHILD = {**ADULT, "age_group": "0-14", "parent_generation": "first", "parent_origin": "Mexico",
         "parent_age_group": "30-34", "parent_sex": "Female"}  # fmt: skip


def prior(data, **options):
    """Draws of the prior in the place of the posterior's."""
    model = STUDY.build(data, **options)
    drawn = evaluate.prior_draws(model, 60, 1, observed=False)
    drawn |= evaluate.derived(model, {v.name: drawn[v.name] for v in model.free_RVs})
    return as_fit(data, model, drawn, **options)


@pytest.fixture(scope="module")
def fit():
    return prior(STUDY.example(persons=3000, years=2), residual="hazard")


def test_an_average_is_the_weighted_mean_of_the_foreign_born(fit):
    found = bm.comparisons(fit, "sex", average_by="country", draws=10)
    assert found["change"].values.tolist() == ["sex: Female to Male"]
    own, weight = STUDY.ability(Predicts).people(fit)
    here = (own.country == "India").to_numpy()
    ends = [bm.predict(fit, own.assign(sex=sex), draws=10) for sex in ("Female", "Male")]
    mean = (ends[1] - ends[0]).values[:, here].transpose(0, 2, 1) @ weight[here]
    at = found.sel(change="sex: Female to Male", at="country=India")
    np.testing.assert_allclose(at, mean / weight[here].sum(), rtol=1e-9)
    assert found.units == "difference of percent a year"


def test_a_child_shares_with_its_parent_what_a_household_does(fit):
    other = {**CHILD, "parent_sex": "Male"}
    child, of_father = (bm.predict(fit, pd.DataFrame([c]), draws=20) for c in (CHILD, other))
    assert (child.sel(outcome="mortality") == 0).all()
    for name in ("emigration", "return_immigration"):
        np.testing.assert_array_equal(child.sel(outcome=name), of_father.sel(outcome=name))
    for name in ("internal_migration", "non_follow_up"):
        assert (child.sel(outcome=name) != of_father.sel(outcome=name)).all()
    with_columns = bm.predict(fit, pd.DataFrame([{**CHILD, "age_group": "25-29"}]), draws=20)
    grown = bm.predict(fit, pd.DataFrame([ADULT]), draws=20)
    np.testing.assert_array_equal(with_columns, grown)  # an adult has no parent here


def test_fates_are_drawn_with_their_shares(fit):
    many = pd.DataFrame([ADULT] * 4000)
    fates = bm.predict(fit, many, kind="drawn", draws=8, seed=3)
    share = bm.predict(fit, many.iloc[:1], draws=8)[:, 0]
    assert fates.dims == ("draw", "person")
    names = {"emigrated": "emigration", "died": "mortality", "moved": "internal_migration",
             "lost": "non_follow_up"}  # fmt: skip
    for fate, outcome in names.items():
        p = share.sel(outcome=outcome).values / 100
        seen = (fates == fate).mean("person").values
        assert (abs(seen - p) < 4.5 * np.sqrt(p * (1 - p) / 4000) + 1e-12).all(), fate


def test_formulas_say_which_columns_are_needed():
    options = {"emigrated": "sex:duration", "returned": "sex", "moved": "sex", "lost": "owner"}
    panel = STUDY.example(persons=1500, years=1)
    fit = prior(panel, **options)
    person = {name: ADULT[name] for name in ("age_group", "sex", "duration", "owner", "race",
                                             "health")}  # fmt: skip
    assert bm.predict(fit, pd.DataFrame([person]), draws=5).sizes["person"] == 1
    with pytest.raises(bm.DataError, match="lack the column 'duration'; they need age_group, sex"):
        bm.predict(fit, pd.DataFrame([{**person, "duration": "0"}]).drop(columns="duration"))


def test_what_was_not_kept_is_not_asked_for():
    """Without countries there are Mexicans and others; without race, their mean mortality."""
    panel = STUDY.simulate(persons=1500, years=[1996], covariates=("owner",), mortality="marginal")
    fit = prior(panel, emigrated="mexican + sex", returned="sex", moved="mexican", lost="owner")
    own, _ = STUDY.ability(Predicts).people(fit)
    assert list(own) == ["mexican", "age_group", "sex", "owner", "parent_generation",
                         "parent_mexican", "parent_age_group", "parent_sex"]  # fmt: skip
    person = {"mexican": "Mexican", "age_group": "25-29", "sex": "Male", "owner": "Renter"}
    assert bm.predict(fit, pd.DataFrame([person]), draws=5).sizes["person"] == 1
    data = fit["data"].to_dataset()
    nobody = data.isel(health_pattern=data.health_sex != data.health_sex[-1])
    sex = labels(data, "health_sex")[-1]
    fit["data"] = xr.DataTree(nobody)
    with pytest.raises(bm.DataError, match=f"row 0: nobody of the fit is .*{sex}.*mean chance"):
        bm.predict(fit, pd.DataFrame([{**person, "sex": sex}]))


@pytest.mark.parametrize(
    ("change", "group", "words"),
    [
        ({"sex": None}, "average", "lack the column 'sex'"),
        ({"sex": "male"}, "average", "row 1, column sex: unknown level 'male'"),
        ({"country": "Mexcio"}, "average", "did you mean 'Mexico'"),
        ({"year": 2031}, "average", "row 1, column year: unknown level '2031'"),
        ({"age_group": "0-14"}, "average", "row 1: a child moves and is lost with its parent"),
        ({"parent_sex": "X"}, "average", "row 1, column parent_sex: unknown level 'X'"),
        ({}, "own", "in no groups: group='average', not 'own'"),
    ],
)
def test_what_cannot_be_asked(fit, change, group, words):
    table = pd.DataFrame([{**ADULT, "parent_sex": "own"}, {**ADULT, "parent_sex": "own", **change}])
    with pytest.raises(bm.BayesmigError) as caught:
        bm.predict(fit, table.dropna(axis=1), group=group)
    assert words in str(caught.value)


def test_more_lost_than_there_are_is_said():
    """Draws of the prior, unlike the posterior's, may lose more than everybody."""
    fit = prior(STUDY.example(persons=1500, years=1))
    with pytest.warns(
        bm.DataWarning, match=r"1 of 1 people are lost more often than they are .*60"
    ):
        found = bm.predict(fit, pd.DataFrame([ADULT]), draws=60)
    assert found.sel(outcome="non_match").max() > 100


def test_a_combination_that_no_person_has():
    fit = prior(STUDY.example(persons=1500, years=1), emigrated="country:age_group:sex:duration")
    own, _ = STUDY.ability(Predicts).people(fit)
    there = set(own[["country", "age_group", "sex", "duration"]].itertuples(index=False, name=None))
    levels = [own[name].cat.categories for name in ("country", "age_group", "sex", "duration")]
    new = next(x for x in pd.MultiIndex.from_product(levels) if x not in there and x[1] != "0-14")
    person = {**ADULT, **dict(zip(("country", "age_group", "sex", "duration"), new, strict=True))}
    with pytest.raises(bm.DataError, match=r"emigrated: nobody of the fit is 'country:age_group"):
        bm.predict(fit, pd.DataFrame([person]))
