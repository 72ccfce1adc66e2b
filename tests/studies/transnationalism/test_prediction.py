"""Other people than the respondents: by hand for single draws, and what is refused."""

import math

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayesmig as bm
from bayesmig.contract import Predicts
from bayesmig.prediction import grid

STUDY = bm.load_study("transnationalism_respondents")
PERSON = {
    "age": [30.0, 52.0], "male": [1.0, 0.0], "married": [0.0, 1.0], "children": [1.0, 3.0],
    "education": [12.0, 16.0], "professional": [0.0, 1.0], "us_years": [5.0, 20.0],
    "discrimination": [1.0, 0.0], "downward_mobility": [1.0, 1.5], "high_school": [1.0, 0.0],
    "college": [0.0, 1.0], "us_citizen": [0.0, 1.0],
}  # fmt: skip


@pytest.fixture(scope="module")
def fit():
    """Numbers in the place of draws: what is asked is what follows from them."""
    data = STUDY.example(n=300)
    rng = np.random.default_rng(1)
    outcome = data["included"].outcome.values
    terms = [
        f"{o}: {p}"
        for o in outcome
        for p in data.predictor.values
        if data["included"].sel(outcome=o, predictor=p)
    ]
    width = data["covariate"].std("respondent").to_series()
    scale = np.array([0.3 / width[term.split(": ")[1]] for term in terms])
    levels = int(data["answer"].sel(outcome="sociocultural").max()) + 1
    size = (2, 50)
    posterior = xr.Dataset(
        {
            "coefficient": (("chain", "draw", "term"), rng.normal(0, scale, (*size, len(terms)))),
            "base_probability": (("chain", "draw"), rng.uniform(0.05, 0.2, size)),
            "base_count": (("chain", "draw"), rng.uniform(0.5, 2, size)),
            "dispersion": (("chain", "draw"), rng.uniform(0.5, 2, size)),
            "category_probability": (
                ("chain", "draw", "level"),
                rng.dirichlet(np.full(levels, 3.0), size),
            ),
        },
        {"term": terms, "level": range(levels)},
    )
    fitted = xr.DataTree.from_dict({"posterior": posterior, "data": data})
    fitted.attrs["study"] = STUDY.name
    return fitted


def linear(fit, draw, outcome, person):
    """Sum over predictors of a coefficient times the distance from the mean respondent."""
    data, total = fit["data"].to_dataset(), 0.0
    for name in data.predictor.values:
        if not bool(data["included"].sel(outcome=outcome, predictor=name)):
            continue
        mean = float(data["covariate"].sel(predictor=name).mean())
        value = person["age"] ** 2 if name == "age_squared" else person[str(name)]
        slope = draw["coefficient"].sel(term=f"{outcome}: {name}")
        total += float(slope) * (value - mean)
    return total


def test_expectations_by_hand(fit):
    assert STUDY.ability(Predicts) is not None
    found = bm.predict(fit, PERSON, draws=100)
    assert dict(found.sizes) == {"draw": 100, "person": 2, "outcome": 3}
    for d, i in ((0, 0), (73, 1)):
        draw = fit["posterior"].to_dataset().isel(chain=d // 50, draw=d % 50)
        person = {name: values[i] for name, values in PERSON.items()}
        eta = {o: linear(fit, draw, o, person) for o in found.outcome.values}
        p = float(draw.base_probability)
        logit = math.log(p / (1 - p)) + eta["economic"]
        below, level = 0.0, 0.0
        for share in draw.category_probability.values[:-1]:
            below += share
            level += 1 - 1 / (1 + math.exp(eta["sociocultural"] - math.log(below / (1 - below))))
        wanted = {
            "economic": 1 / (1 + math.exp(-logit)),
            "political": float(draw.base_count) * math.exp(eta["political"]),
            "sociocultural": level,
        }
        assert found[d, i].to_series().to_dict() == pytest.approx(wanted, rel=1e-10)


def test_drawn_answers_have_the_expectations(fit):
    """Of one person many times over, draw by draw within 4 standard errors on average."""
    many = pd.DataFrame({name: values[:1] * 3000 for name, values in PERSON.items()})
    mean = bm.predict(fit, many.iloc[:1], draws=20)[:, 0]
    answers = bm.predict(fit, many, kind="drawn", draws=20, seed=2)
    assert set(np.unique(answers.sel(outcome="economic"))) <= {0.0, 1.0}
    assert (answers == answers.round()).all()
    apart = (answers.mean("person") - mean) / (answers.std("person") / math.sqrt(3000))
    assert abs(apart).max() < 4.5
    variance = answers.sel(outcome="political").var("person")
    mu = mean.sel(outcome="political")
    alpha = fit["posterior"]["dispersion"].values.ravel()
    at = np.unique(np.linspace(0, 99, 20).round().astype(int))
    np.testing.assert_allclose(variance, mu + mu**2 / alpha[at], rtol=0.35)


def test_a_change_of_age_changes_its_square(fit):
    found = bm.comparisons(fit, {"age": [30, 40]}, {}, draws=100)
    own, weight = STUDY.ability(Predicts).people(fit)
    assert "age_squared" not in own
    typical = grid(own, weight, {"age": [30.0, 40.0]})
    both = bm.predict(fit, typical, draws=100)
    np.testing.assert_allclose(found.squeeze(), both[:, 1] - both[:, 0], rtol=1e-9)


@pytest.mark.parametrize(
    ("change", "group", "words"),
    [
        ({"male": None}, "average", "lack the column 'male'"),
        ({"male": ["yes", "no"]}, "average", "row 0, column male: yes is no number (2 such rows)"),
        ({"age": [30.0, np.nan]}, "average", "row 1, column age: nan is no number"),
        ({}, "new", "in no groups: group='average', not 'new'"),
    ],
)
def test_what_cannot_be_asked(fit, change, group, words):
    table = {k: v for k, v in {**PERSON, **change}.items() if v is not None}
    with pytest.raises(bm.BayesmigError) as caught:
        bm.predict(fit, table, group=group)
    assert words in str(caught.value)


def test_respondents_who_lack_a_predictor_are_counted(fit):
    missing = fit.copy()
    data = fit["data"].to_dataset().copy(deep=True)
    data["covariate"][4, 2] = np.nan
    missing["data"] = xr.DataTree(data)
    with pytest.warns(bm.DataWarning, match="1 of 300 respondents lack a predictor"):
        found = bm.predict(missing, draws=5)
    assert found.sizes["person"] == 299
