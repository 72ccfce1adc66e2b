"""From people and a formula to what the graph observes, and what is refused."""

import numpy as np
import pandas as pd
import pytest
from said import said

import bayesmig as bm
from bayesmig.models.social_capital import paper, people
from bayesmig.models.social_capital.design import design, separated

STUDY = bm.load_study("social_capital")


def test_terms_are_the_tables(few):
    from oracle import social_capital as oracle

    wanted = [name if level is None else f"{name}: {level}" for name, level in oracle.COLUMNS]
    assert list(design(few).terms) == wanted


def test_columns_are_centred_and_scaled_and_go_back(few):
    from oracle import social_capital as oracle

    found = design(few, collapse=False)
    x = oracle.columns(few)
    np.testing.assert_allclose(found.column.mean(0), 0, atol=1e-9)
    j = found.terms.index("log_expenditure")
    assert found.column[:, j].std() == pytest.approx(1)
    age, square = found.terms.index("age"), found.terms.index("age_squared")
    z = (x[:, age] - x[:, age].mean()) / x[:, age].std()
    np.testing.assert_allclose(found.column[:, square], z**2 - (z**2).mean(), atol=1e-9)
    slopes = np.random.default_rng(0).normal(size=x.shape[1])
    np.testing.assert_allclose(
        found.column @ slopes, (x - x.mean(0)) @ (found.to_terms @ slopes), atol=1e-9
    )


def test_missing_unseen_constant_collinear(few):
    frame = people.frame(few)
    gaps = frame.assign(age=frame.age.where(frame.index > 2))
    words = said(bm.DataError, STUDY.build, gaps)
    assert words.startswith("3 of 1500 rows have missing values (age 3);")
    words = said(bm.DataError, STUDY.build, frame.assign(male=1.0))
    assert "column 'male' of the formula is constant, 1 for all 1500 people" in words
    double = frame.assign(twice=2 * frame.age + 1)
    words = said(bm.DataError, STUDY.build, double, formula="age + male + twice")
    assert "column 'twice' of the formula follows from the columns before it" in words
    found = design(people.from_frame(frame))
    strange = frame.head(3).assign(network=pd.Categorical(["none", "far", "close"]))
    words = said(bm.DataError, found.columns_of, strange)
    assert words == (
        "network: level 'far' in 1 rows was not in the data of the fit; "
        "valid: none, extended, close"
    )


def test_people_whom_the_formula_does_not_fit(few):
    frame = people.frame(few)
    found = design(few, formula="C(network) + bs(age, df=3)")
    strange = frame.head(3).assign(network=["none", "far", "close"])
    words = said(bm.DataError, found.columns_of, strange)
    assert "categories outside of the nominated levels" in words
    assert "'far'" in words
    words = said(bm.DataError, found.columns_of, frame.head(2).assign(age=[200.0, 30.0]))
    assert words.startswith("the fit's formula and these people: ")
    words = said(bm.DataError, found.columns_of, frame.head(2).drop(columns="network"))
    assert words == "these people lack network, which the fit's formula needs"


def test_terms_read_well(few):
    terms = design(few, formula="network * male + log(age) + bs(age, df=3)").terms
    assert terms[:5] == (
        "network: extended", "network: close", "male", "log(age)", "bs(age, df=3): 1",
    )  # fmt: skip
    assert terms[-2:] == ("network: extended x male", "network: close x male")
    clock = people.frame(few).assign(hour=["10:30", "9:15", "11:00"] * 500)
    named = design(people.from_frame(clock), formula="hour + hour:male").terms
    assert named[:2] == ("hour: 11:00", "hour: 9:15")
    assert "hour: 9:15 x male" in named


def test_too_few_people_and_a_level_that_nobody_has(few):
    frame = people.frame(few)
    few = pd.concat([frame[frame.outcome == o].head(4) for o in paper.OUTCOMES])
    words = said(bm.DataError, STUDY.build, few.assign(x=np.arange(12.0)), formula="bs(x, df=12)")
    assert words == "12 people are too few for the formula's 12 columns"
    without = people.of_paper(frame[frame.children != "4+"])
    words = said(bm.DataError, STUDY.build, without)
    assert "column 'children: 4+' of the formula is constant, 0 for all" in words
    assert words.endswith("or nobody's level out of the column's categories")


def test_outcomes_that_never_occur(few):
    frame = people.frame(few)
    kept = people.of_paper(frame[frame.outcome != "migrated"])
    assert "outcome 'migrated' never occurs (" in said(bm.DataError, STUDY.build, kept)
    gone = frame[(frame.outcome != "aspires") | (frame.network != "extended")]
    words = said(bm.DataError, STUDY.build, gone, strata="network")
    assert "outcome 'aspires' never occurs in stratum 'extended'" in words
    one = frame.assign(outcome="same")
    words = said(bm.DataError, STUDY.build, one, reference="same")
    assert words.startswith("one outcome only, 'same'")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"reference": "moved"}, "reference: unknown outcome 'moved'"),
        ({"group": "town"}, "group: unknown column 'town'"),
        ({"outcome": "fate"}, "outcome: unknown column 'fate'"),
        ({"weights": "w"}, "weights: unknown column 'w'"),
        ({"strata": "ties"}, "strata: unknown column 'ties'"),
        ({"formula": "male + salary"}, "unknown column 'salary'"),
        ({"formula": "male +* age"}, "formula 'male +* age': "),
        ({"formula": "y ~ male"}, "give the right-hand side only"),
        ({"formula": "0 + male"}, "takes the intercept away"),
        ({"intercepts": "random"}, "valid: independent, correlated, independent_contrasts, shared"),
        ({"pooling": "some"}, "valid: partial, complete, none"),
    ],
    ids=lambda v: str(v)[:28],
)
def test_options_that_the_data_do_not_have(few, options, words):
    assert words in said(bm.StudyError, STUDY.build, few, **options)


def test_weights_that_are_none(few):
    frame = people.frame(few).assign(w=1.0)
    frame.loc[4, "w"] = 0.0
    words = said(bm.DataError, STUDY.build, frame, weights="w")
    assert "weights 'w': 1 are not positive, first 0 of person 4" in words


def test_a_group_of_one_person_and_a_separated_column_are_named(few):
    frame = people.frame(few)
    frame["municipality"] = frame.municipality.astype(str)
    frame.loc[0, "municipality"] = "hamlet"
    frame.loc[frame.urban == 1, "outcome"] = frame.outcome.where(
        frame.outcome != "aspires", "no_aspirations"
    )
    with pytest.warns(bm.DataWarning) as caught:
        STUDY.build(frame, formula="male + urban")
    words = [str(w.message) for w in caught]
    assert any("groups of one person: hamlet" in w for w in words)
    urban = int((frame.urban == 1).sum())
    assert any(f"urban = 1: none of {urban} people has outcome 'aspires'" in w for w in words)


def test_a_separated_reference_level_is_named_too(few):
    """All columns of a category are zero there, and all its coefficients separated."""
    frame = people.frame(few)
    idle = frame.employment == "unemployed"
    frame["outcome"] = frame.outcome.where(~idle | (frame.outcome != "migrated"), "aspires")
    found = separated(design(people.from_frame(frame), formula="employment + male"))
    none = f"employment = unemployed: none of {idle.sum()} people has outcome 'migrated'"
    assert found == [none]
    frame = people.frame(few)
    frame["outcome"] = frame.outcome.where(idle | (frame.outcome != "migrated"), "aspires")
    found = separated(design(people.from_frame(frame), formula="employment"))
    levels = [words.split(":")[0] for words in found]
    assert levels == ["employment = wage", "employment = self_employed"]
