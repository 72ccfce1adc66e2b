"""Data of the three studies: what is read, and what is refused, by row and column."""

import numpy as np
import pandas as pd
import pyreadstat
import pytest

import bayesmig as bm
from bayesmig.models.transnationalism import data as printed
from bayesmig.models.transnationalism.respondents import data as people
from bayesmig.models.transnationalism.respondents.schema import TABLE2
from bayesmig.models.transnationalism.respondents.simulate import people as persons
from bayesmig.models.transnationalism.second_generation import data as rates

PRINT = bm.load_study("transnationalism")
PEOPLE = bm.load_study("transnationalism_respondents")
RATES = bm.load_study("transnationalism_second_generation")


# Printed coefficients


def coefficients(**changes):
    table = pd.DataFrame(
        {
            "outcome": ["settled", "settled", "visits"],
            "family": ["logit", "logit", "negative_binomial"],
            "predictor": ["age", "sex", "age"],
            "estimate": ["0.050", "-.4", "0.10"],
            "stars": ["**", "", "#"],
        },
        index=[2, 3, 4],
    )
    for column, (row, value) in changes.items():
        table[column] = table[column].astype(object) if column in table else 1.0
        table.loc[row, column] = value
    return table


def test_example_of_print():
    data = PRINT.example()
    assert data.sizes["term"] == 26
    assert data.attrs["synthetic"] == 0
    one = data.sel(term="economic: married")
    assert float(one.estimate) == 0.44
    assert float(one.half_unit) == pytest.approx(0.0005)  # .440: the zero is a digit
    assert float(one.least_ratio) == pytest.approx(1.959964)
    sign = PRINT.example(unexplained="nothing").sel(term="sociocultural: us_years")
    assert float(sign.least_ratio) == 0


def test_own_coefficients():
    data = PRINT.dataset(coefficients())
    assert list(data.term.values) == ["settled: age", "settled: sex", "visits: age"]
    assert list(data.half_unit.values) == pytest.approx([0.0005, 0.05, 0.005])
    assert list(data.estimate.values) == [0.05, -0.4, 0.1]
    assert PRINT.targets(data, PRINT.estimands({
        "coefficient": np.zeros(3), "base_probability": 0.1}, data)).empty  # fmt: skip


def test_coefficients_from_a_file(tmp_path):
    path = tmp_path / "mine.csv"
    coefficients().to_csv(path, index=False)
    read = PRINT.read(path)
    assert read.equals(PRINT.dataset(coefficients()))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"stars": (3, "****")}, r"row 3, column stars: .*'\*\*\*\*'.*\*\*\*"),
        ({"stars": (3, "†")}, "row 3, column stars"),
        ({"estimate": (4, "ten")}, "row 4, column estimate: 'ten' is not a number as printed"),
        ({"estimate": (4, "0.00")}, "row 4, column estimate: '0.00' is printed as zero"),
        ({"family": (4, "probit")}, "row 4, column family: .*probit.*logit"),
        ({"family": (3, "ordered_logit")}, "row 3, column family: settled is logit further up"),
        ({"predictor": (3, "age")}, "row 3, column predictor: 'settled: age' is there twice"),
        ({"outcome": (2, " ")}, "row 2, column outcome: empty"),
        ({"difference": (3, -1.0)}, "row 3, column difference: must be a positive number"),
    ],
)
def test_bad_coefficients(changes, words):
    with pytest.raises(bm.DataError, match=words):
        PRINT.dataset(coefficients(**changes))


def test_bad_coefficient_files(tmp_path):
    path = tmp_path / "mine.csv"
    coefficients(stars=(3, "x")).to_csv(path, index=False)
    with pytest.raises(bm.DataError, match=r"mine.csv: row 3, column stars"):
        PRINT.read(path)
    coefficients().drop(columns="stars").to_csv(path, index=False)
    with pytest.raises(bm.DataError, match=r"mine.csv: .*'stars'.*is missing"):
        PRINT.read(path)
    with pytest.raises(bm.DataError, match="kind of file"):
        PRINT.read(tmp_path / "mine.xls")


# Respondents


def survey(n=60, seed=1):
    rng = np.random.default_rng(seed)
    table = persons(rng, n)
    table["economic"] = np.arange(n) % 2
    table["political"] = rng.poisson(1.0, n)
    table["sociocultural"] = np.arange(n) % 4
    return table.astype(float)


def with_value(column, row, value):
    table = survey()
    table[column] = table[column].astype(object)
    table.loc[row, column] = value
    return table


def test_survey():
    data = PEOPLE.dataset(survey())
    assert data.sizes == {"respondent": 60, "outcome": 3, "predictor": 13}
    for outcome, names in TABLE2.items():
        row = data.included.sel(outcome=outcome)
        assert set(data.predictor.values[row.values == 1]) == set(names)
    assert data.attrs["left_out"] == ""


def test_age_is_squared():
    assert PEOPLE.dataset(survey().drop(columns="age_squared")).equals(PEOPLE.dataset(survey()))


def test_missing_answers_are_counted():
    table = survey()
    table.loc[[3, 5], "political"] = np.nan
    data = PEOPLE.dataset(table)
    assert data.attrs["left_out"] == "political: 2 of 60 did not answer"
    model = PEOPLE.build(data)
    assert len(model.coords["political_respondent"]) == 58
    assert len(model.coords["economic_respondent"]) == 60


def test_missing_predictors():
    table = survey()
    table.loc[7, "children"] = np.nan
    with pytest.raises(bm.DataError, match="row 7, column children: empty.*predictor of economic"):
        people.from_frame(table)
    data = people.from_frame(table, missing="leave_out")
    assert data.attrs["left_out"] == (
        "economic: 1 lack a predictor; sociocultural: 1 lack a predictor"
    )
    assert np.isfinite(data.answer.sel(outcome="political").values).all()


def test_own_predictors():
    table = survey().assign(remits=np.arange(60) % 3)
    data = people.from_frame(table, economic=["remits", "age"])
    model = PEOPLE.build(data)
    assert [t for t in model.coords["term"] if t.startswith("economic")] == [
        "economic: remits", "economic: age",
    ]  # fmt: skip


@pytest.mark.parametrize("kind", [".csv", ".dta", ".sav"])
def test_survey_files(tmp_path, kind):
    path = tmp_path / f"survey{kind}"
    table = survey().rename(columns={"male": "SEX"})
    table.loc[4, "political"] = np.nan
    if kind == ".csv":
        table.to_csv(path, index=False)
    else:
        {".dta": pyreadstat.write_dta, ".sav": pyreadstat.write_sav}[kind](table, str(path))
    data = PEOPLE.read(path, columns={"male": "SEX"})
    expected = table.rename(columns={"SEX": "male"})
    assert np.array_equal(data.answer.values, expected[list(TABLE2)].values, equal_nan=True)
    names = list(data.predictor.values)
    assert np.array_equal(data.covariate.values, expected[names].values)


@pytest.mark.parametrize(
    ("column", "row", "value", "words"),
    [
        ("economic", 4, 2, "row 4, column economic: .*is not 0 or 1"),
        ("political", 5, -1, "row 5, column political: .*is not a count"),
        ("political", 5, 1.5, "row 5, column political: .*is not a count"),
        ("sociocultural", 6, 0.5, "row 6, column sociocultural: .*is not a level"),
        ("male", 7, 3, "row 7, column male: .*is not 0 or 1"),
        ("age", 8, 250, "row 8, column age: .*is not between 0 and 120"),
        ("downward_mobility", 9, 6, "row 9, column downward_mobility: .*between 0.2 and 5"),
        ("education", 10, "many", "row 10, column education: 'many' is not a number"),
        ("us_years", 11, np.inf, "row 11, column us_years"),
    ],
)
def test_bad_survey(column, row, value, words):
    with pytest.raises(bm.DataError, match=words):
        PEOPLE.dataset(with_value(column, row, value))


def test_bad_answers():
    with pytest.raises(bm.DataError, match="column economic: everybody's is 0, from row 0 on"):
        PEOPLE.dataset(survey().assign(economic=0.0))
    with pytest.raises(bm.DataError, match="column political: nobody answered"):
        PEOPLE.dataset(survey().assign(political=np.nan))
    table = survey()
    table.loc[12, "sociocultural"] = 6.0
    with pytest.raises(
        bm.DataError, match="column sociocultural: nobody has level 4, 5, and row 12 has level 6"
    ):
        PEOPLE.dataset(table)
    with pytest.raises(bm.DataError, match="column married: 1 from row 0 on for all.*economic"):
        PEOPLE.dataset(survey().assign(married=1.0))


def test_predictors_that_are_not_there(tmp_path):
    with pytest.raises(bm.DataError, match="column 'discrimination'.*a predictor of economic"):
        PEOPLE.dataset(survey().drop(columns="discrimination"))
    with pytest.raises(bm.DataError, match="column 'height'.*a predictor of political"):
        people.from_frame(survey(), political=["height"])
    with pytest.raises(bm.DataError, match="named twice"):
        people.from_frame(survey(), political=["age", "age"])
    with pytest.raises(bm.DataError, match="column 'sociocultural'.*an outcome"):
        PEOPLE.dataset(survey().drop(columns="sociocultural"))
    path = tmp_path / "survey.csv"
    with_value("political", 5, -1).to_csv(path, index=False)
    with pytest.raises(bm.DataError, match=r"survey.csv: row 7, column political"):
        PEOPLE.read(path)
    with pytest.raises(bm.DataError, match=r"survey.csv: .*column 'SEX'.*\(for male\)"):
        PEOPLE.read(path, columns={"male": "SEX"})
    with pytest.raises(bm.DataError, match="rows have the same label"):
        PEOPLE.dataset(pd.concat([survey(), survey()]))


def test_twin():
    data = PEOPLE.example()
    assert data.sizes["respondent"] == 1202
    assert data.attrs["synthetic"] == 1
    assert "SYNTHETIC" in data.attrs["title"]
    truth = PEOPLE.estimands(PEOPLE.truth(data), data)
    both = PEOPLE.targets(data, truth)
    coefficients = both[both.quantity == "coefficient"]
    assert len(coefficients) == 26
    assert list(truth.coefficient.sel(term=coefficients.term.to_numpy()).values) == list(
        coefficients.estimate
    )
    for n, words in ((10, "100 respondents or more"),):
        with pytest.raises(bm.DataError, match=words):
            PEOPLE.simulate(n=n)
    with pytest.raises(bm.DataError, match="a share"):
        PEOPLE.simulate(missing=1.0)


# Rates


def percentages(**changes):
    table = pd.DataFrame(
        {
            "group": ["a", "a", "b", "b", "c", "c"],
            "measure": ["left", "jailed"] * 3,
            "percent": ["12.5", "3", "20.0", "0.0", "8.1", "5.5"],
        },
        index=range(2, 8),
    )
    for column, (row, value) in changes.items():
        if column not in table:
            table[column] = 100.0
        table[column] = table[column].astype(object)
        table.loc[row, column] = value
    return table


def test_example_of_rates():
    third, fourth = RATES.example(3), RATES.example(4)
    assert third.sizes["group"] == 8
    assert third.sizes["measure"] == 6
    assert np.isnan(third.total).all()
    assert list(third.reference.values) == ["Non-Hispanic Whites", "Non-Hispanic Blacks"]
    assert list(fourth.total.values) == [20.8, 28.7, 11.9]
    assert "Totals" not in fourth.group.values
    assert (fourth.percent == 0).sum() == 2
    assert (rates.example(4, sample_size=50.0).sample_size == 50).all()


def test_own_rates(tmp_path):
    path = tmp_path / "rates.csv"
    percentages().to_csv(path, index=False)
    read = RATES.read(path, reference="b")
    assert list(read.half_unit.values.ravel()) == pytest.approx([0.05, 0.5, *[0.05] * 4])
    assert list(read.reference.values) == ["b"]
    assert (read.sample_size == rates.GUESS).all()
    assert RATES.dataset(percentages()).percent.equals(read.percent)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"percent": (5, "100.5")}, "row 5, column percent: 100.5 is not between 0 and 100"),
        ({"percent": (5, "-0.1")}, "row 5, column percent: -0.1 is not between 0 and 100"),
        ({"percent": (5, "few")}, "row 5, column percent: 'few' is not a number"),
        ({"percent": (5, "nan")}, "row 5, column percent: nan is not between"),
        ({"measure": (5, "left")}, "row 5, column measure: b, left is there twice"),
        ({"group": (7, "d")}, "column measure: c has no jailed"),
        ({"sample_size": (4, 0)}, "row 4, column sample_size: must be a number of one or more"),
        ({"sample_size": (4, "?")}, "row 4, column sample_size"),
    ],
)
def test_bad_rates(changes, words):
    with pytest.raises(bm.DataError, match=words):
        RATES.dataset(percentages(**changes))


@pytest.mark.parametrize(
    ("totals", "words"),
    [
        ({"left": "25.0", "jailed": "3"}, "Totals of left is 25, which no mean of rates from 8.1"),
        ({"left": "12.0"}, "Totals has no jailed"),
        ({"left": "20.0", "jailed": "3"}, "no group is on either side"),
    ],
)
def test_bad_totals(totals, words):
    rows = [{"group": "Totals", "measure": m, "percent": x} for m, x in totals.items()]
    table = pd.concat([percentages(), pd.DataFrame(rows, index=range(8, 8 + len(rows)))])
    with pytest.raises(bm.DataError, match=words):
        RATES.dataset(table)


def test_other_bad_rates(tmp_path):
    with pytest.raises(bm.DataError, match="'percent'.*is missing"):
        RATES.dataset(percentages().drop(columns="percent"))
    with pytest.raises(bm.DataError, match="two groups at least"):
        RATES.dataset(percentages().head(2))
    with pytest.raises(bm.DataError, match="reference 'z'|'z'"):
        rates.from_frame(percentages(), reference="z")
    path = tmp_path / "rates.csv"
    percentages(percent=(5, "120")).to_csv(path, index=False)
    with pytest.raises(bm.DataError, match=r"rates.csv: row 5, column percent"):
        RATES.read(path)


def test_names():
    assert set(printed.FAMILIES) == set(TABLE2)
