"""The analysis file: read from three formats, every way it can be wrong, and the twin."""

import json

import numpy as np
import pandas as pd
import pyreadstat
import pytest
import xarray as xr

import bayesmig as bm
from bayesmig.models.social_capital import data as people
from bayesmig.models.social_capital import design as arranged
from bayesmig.models.social_capital import simulation

STUDY = bm.load_study("social_capital")
OPTIONS = {
    "formula": None,
    "group": "municipality",
    "outcome": "outcome",
    "reference": "no_aspirations",
    "weights": None,
    "strata": None,
    "collapse": True,
}


@pytest.fixture(scope="module")
def twin():
    return STUDY.simulate(seed=3, n=1500, municipalities=15)


@pytest.fixture
def table(twin):
    frame = people.frame(twin).drop(columns="age_squared")
    return frame.astype({c: str for c in frame if frame[c].dtype == "category"})


def design(data, **options):
    return arranged.design(data, **{**OPTIONS, **options})


def said(kind, call, *arguments, **named):
    with pytest.raises(kind) as caught:
        call(*arguments, **named)
    return str(caught.value)


# Files


def write_dta(table, path):
    """As a survey would have it: codes with value labels."""
    coded, labels = table.copy(), {}
    for name in ("outcome", *people.LEVELS):
        levels = list(people.OUTCOMES if name == "outcome" else people.LEVELS[name])
        coded[name] = [levels.index(v) + 1 for v in table[name]]
        labels[name] = {i + 1: level for i, level in enumerate(levels)}
    labels["male"] = {0: "female", 1: "male"}
    pyreadstat.write_dta(coded, str(path), variable_value_labels=labels)


@pytest.mark.parametrize("kind", ["csv", "parquet", "dta"])
def test_a_file_is_the_table_that_was_written(tmp_path, table, twin, kind):
    path = tmp_path / f"analysis.{kind}"
    if kind == "csv":
        table.to_csv(path, index=False)
    elif kind == "parquet":
        table.to_parquet(path)
    else:
        write_dta(table, path)
    data = STUDY.read(path)
    assert data.attrs["title"] == path.name
    assert data.attrs["synthetic"] == 0
    for name in people.COLUMNS:
        values = twin[name].values
        if values.dtype.kind == "f":
            np.testing.assert_allclose(data[name].values, values, rtol=1e-12)
        else:
            assert list(data[name].values) == list(values), name
        if name in people.LEVELS:
            assert tuple(json.loads(data[name].attrs["levels"])) == people.LEVELS[name]
    one, other = design(data), design(twin)
    np.testing.assert_allclose(one.column, other.column, atol=1e-12)
    assert one.terms == other.terms


def test_value_labels_are_kept(tmp_path, table):
    write_dta(table, tmp_path / "a.dta")
    data = STUDY.read(tmp_path / "a.dta")
    assert json.loads(data["male"].attrs["value_labels"]) == {"0": "female", "1": "male"}
    assert json.loads(data["network"].attrs["value_labels"])["3"] == "close"


def test_a_code_without_a_label(tmp_path, table):
    write_dta(table, tmp_path / "a.dta")
    coded, meta = pyreadstat.read_dta(str(tmp_path / "a.dta"))
    coded.loc[7, "education"] = 9
    pyreadstat.write_dta(
        coded, str(tmp_path / "b.dta"), variable_value_labels=meta.variable_value_labels
    )
    words = said(bm.DataError, STUDY.read, tmp_path / "b.dta")
    assert words.endswith("row 8, column education: 9.0 has no value label")


def test_columns_of_another_name(tmp_path, table):
    table.rename(columns={"municipality": "mpio"}).to_csv(tmp_path / "a.csv", index=False)
    data = STUDY.read(tmp_path / "a.csv", municipality="mpio")
    assert list(data["municipality"].values) == list(table.municipality)
    words = said(bm.DataError, STUDY.read, tmp_path / "a.csv", municipality="mpo")
    assert "unknown column 'mpo' (did you mean 'mpio'?)" in words
    words = said(bm.DataError, STUDY.read, tmp_path / "a.csv", town="mpio")
    assert "unknown column of the analysis file 'town'" in words


BAD = [
    ("network", 4, "cousins", "row 6, column network: 'cousins' is none of none, extended, close"),
    ("male", 0, "2", "row 2, column male: 2.0 is neither 0 nor 1"),
    ("age", 9, "old", "row 11, column age: 'old' is not a number"),
    ("age", 9, "-3", "row 11, column age: -3.0 is no age in years between 0 and 120"),
    ("log_expenditure", 2, "inf", "row 4, column log_expenditure: inf is not finite"),
    ("outcome", 1, "moved", "row 3, column outcome: 'moved' is none of no_aspirations"),
]


@pytest.mark.parametrize(("column", "at", "value", "words"), BAD, ids=lambda v: str(v)[:12])
def test_wrong_values_are_named_by_row_and_column(tmp_path, table, column, at, value, words):
    table[column] = table[column].astype(str)
    table.loc[at, column] = value
    table.to_csv(tmp_path / "bad.csv", index=False)
    assert words in said(bm.DataError, STUDY.read, tmp_path / "bad.csv")


def test_all_wrong_rows_are_counted(tmp_path, table):
    table.loc[range(8), "network"] = "friends"
    table.to_csv(tmp_path / "bad.csv", index=False)
    assert said(bm.DataError, STUDY.read, tmp_path / "bad.csv").endswith("(and 3 more)")


def test_a_person_twice(tmp_path, table):
    table.loc[5, "person"] = table.loc[2, "person"]
    table.to_csv(tmp_path / "bad.csv", index=False)
    words = said(bm.DataError, STUDY.read, tmp_path / "bad.csv")
    assert "row 7, column person: '3' is there twice (and 0 more)" in words


def test_missing_values_raise_or_are_counted(tmp_path, table):
    table.loc[[0, 1, 2], "age"] = np.nan
    table.loc[[2, 3], "network"] = None
    table.to_csv(tmp_path / "gaps.csv", index=False)
    words = said(bm.DataError, STUDY.read, tmp_path / "gaps.csv")
    assert "4 of 1500 rows lack a value (network 2, age 3), first row 2" in words
    data = STUDY.read(tmp_path / "gaps.csv", missing="casewise")
    assert data.sizes["row"] == 1496
    left_out = "4 of 1500 rows with a missing value (network 2, age 3)"
    assert data.attrs["left_out"] == left_out
    assert list(data["person"].values) == list(table.person[4:])
    words = said(bm.DataError, STUDY.read, tmp_path / "gaps.csv", missing="impute")
    assert "valid: raise, casewise" in words


def test_rows_are_those_of_the_file_also_after_an_empty_line(tmp_path, table):
    table.loc[7, "network"] = "cousins"
    lines = table.to_csv(index=False).splitlines()
    lines[8] = lines[8].replace("cousins", "in-laws")
    (tmp_path / "bad.csv").write_text("\n".join([*lines[:4], "", *lines[4:]]))
    words = said(bm.DataError, STUDY.read, tmp_path / "bad.csv")
    assert "row 10, column network: 'in-laws' is none of" in words


def test_other_columns_of_a_text_file_are_numbers_where_all_are(tmp_path, table):
    own = table.assign(
        income=np.linspace(1, 9, len(table)), code=[f"0{i}" for i in range(len(table))]
    )
    own.to_csv(tmp_path / "a.csv", index=False)
    data = STUDY.read(tmp_path / "a.csv")
    np.testing.assert_allclose(data["income"].values, own.income)
    assert list(data["code"].values[:2]) == ["00", "01"]
    assert design(data, formula="income", weights="income").terms == ("income",)


def test_other_columns_of_a_stata_file_are_categories_where_all_have_labels(tmp_path, table):
    own = table.assign(region=[2, 1, 1] * 500, income=[1, 2, 99] * 500)
    labels = {"region": {1: "north", 2: "south"}, "income": {99: "not known"}}
    pyreadstat.write_dta(own, str(tmp_path / "a.dta"), variable_value_labels=labels)
    data = STUDY.read(tmp_path / "a.dta")
    assert json.loads(data["region"].attrs["levels"]) == ["north", "south"]
    assert list(data["region"].values[:3]) == ["south", "north", "north"]
    assert list(data["income"].values[:3]) == [1, 2, 99]  # a number with a sentinel
    assert json.loads(data["income"].attrs["value_labels"]) == {"99": "not known"}


def test_empty_text_of_a_stata_file_is_missing(tmp_path, table):
    table.loc[3, "network"] = ""
    pyreadstat.write_dta(table, str(tmp_path / "a.dta"))
    words = said(bm.DataError, STUDY.read, tmp_path / "a.dta")
    assert "1 of 1500 rows lack a value (network 1), first row 4" in words


@pytest.mark.parametrize("kind", ["csv", "parquet", "dta"])
def test_numbers_of_places_are_the_same_in_every_format(tmp_path, table, kind):
    own = table.assign(municipality=np.arange(1500) % 7.0 + 1)
    own.loc[4, "municipality"] = np.nan  # so that a whole number is stored as another
    path = tmp_path / f"a.{kind}"
    if kind == "dta":
        pyreadstat.write_dta(own, str(path))
    else:
        getattr(own, f"to_{kind}")(path, index=False)
    data = STUDY.read(path, missing="casewise")
    wanted = "1234567" if kind != "csv" else [f"{i}.0" for i in range(1, 8)]  # text as it stands
    assert sorted(set(data["municipality"].values)) == list(wanted)


def test_a_column_twice(tmp_path, table):
    table.assign(mpio="x").to_csv(tmp_path / "a.csv", index=False)
    words = said(bm.DataError, STUDY.read, tmp_path / "a.csv", municipality="mpio")
    assert words.endswith("a.csv: column 'municipality' is there twice")
    double = pd.concat([table, table[["age"]]], axis=1)
    assert "column 'age' is there twice" in said(bm.DataError, STUDY.build, double)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.xlsx", "x", "unknown kind of file '.xlsx'"),
        ("a.csv", "", "not a CSV file"),
        ("a.csv", "outcome,age\n", "no rows"),
        ("a.csv", "outcome,age\naspires,3\n", "no column network"),
        ("a.dta", "not stata", "not a Stata file"),
        ("a.parquet", "not parquet", "not a Parquet file"),
    ],
)
def test_files_that_are_none(tmp_path, name, text, words):
    (tmp_path / name).write_text(text)
    assert words in said(bm.DataError, STUDY.read, tmp_path / name)


def test_no_file(tmp_path):
    assert "no such file" in said(bm.DataError, STUDY.read, tmp_path / "none.csv")


def test_strata_of_a_file(tmp_path, table):
    table.to_csv(tmp_path / "a.csv", index=False)
    data = STUDY.read(tmp_path / "a.csv", stratum="close")
    assert set(data["network"].values) == {"close"}
    assert data.attrs["stratum"] == "close"
    assert "network: close" not in design(data).terms
    words = said(bm.DataError, STUDY.read, tmp_path / "a.csv", stratum="near")
    assert "valid: all, none, extended, close" in words


# DataFrames


def test_levels_keep_their_order():
    frame = pd.DataFrame(
        {
            "choice": ["c", "a", "b", "a"],
            "size": pd.Categorical(["s", "l", "m", "s"], categories=["s", "m", "l"]),
            "open": [True, False, True, True],
            "many": [1, 2, 3, 4],
            "place": ["x", "x", "y", "y"],
        }
    )
    back = people.frame(people.from_frame(frame))
    assert list(back["size"].cat.categories) == ["s", "m", "l"]
    assert list(back["choice"].cat.categories) == ["a", "b", "c"]
    assert list(back["open"]) == [1.0, 0.0, 1.0, 1.0]
    assert list(back["many"]) == [1.0, 2.0, 3.0, 4.0]


def test_numbers_will_do_for_labels(twin):
    """Codes of outcomes and groups have no decimals, and the reference may be a number."""
    frame = people.frame(twin)
    coded = frame.assign(outcome=frame.outcome.cat.codes, town=frame.municipality.cat.codes + 0.0)
    coded["town"] = coded.town.astype("category")
    found = design(people.from_frame(coded), reference=2, group="town", formula="male")
    assert found.outcomes == ("2", "0", "1")
    assert found.groups == tuple(map(str, range(15)))
    same = design(twin, reference="migrated", formula="male")
    np.testing.assert_array_equal(found.count, same.count)
    np.testing.assert_array_equal(found.group, same.group)


def test_text_of_a_dataset_of_ones_own_is_categories():
    text = {"fate": ("row", ["x", "y", "x"]), "place": ("row", ["a", "b", "b"])}
    frame = people.frame(xr.Dataset(text))
    assert list(frame.fate.cat.categories) == ["x", "y"]


def test_what_is_no_data():
    for wrong in (None, [1], xr.Dataset()):
        words = said(bm.DataError, STUDY.build, wrong)
        assert words.startswith("data must be a DataFrame of people or a Dataset")
    assert "no rows" in said(bm.DataError, STUDY.build, pd.DataFrame({"a": []}))


# The design


def test_terms_are_the_tables(twin):
    from oracle import social_capital as oracle

    wanted = [name if level is None else f"{name}: {level}" for name, level in oracle.COLUMNS]
    assert list(design(twin).terms) == wanted


def test_columns_are_centred_and_scaled_and_go_back(twin):
    from oracle import social_capital as oracle

    found = design(twin, collapse=False)
    x = oracle.columns(twin)
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


def test_missing_unseen_constant_collinear(twin):
    frame = people.frame(twin)
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


def test_people_whom_the_formula_does_not_fit(twin):
    frame = people.frame(twin)
    found = design(twin, formula="C(network) + bs(age, df=3)")
    strange = frame.head(3).assign(network=["none", "far", "close"])
    words = said(bm.DataError, found.columns_of, strange)
    assert "categories outside of the nominated levels" in words
    assert "'far'" in words
    words = said(bm.DataError, found.columns_of, frame.head(2).assign(age=[200.0, 30.0]))
    assert words.startswith("the fit's formula and these people: ")
    words = said(bm.DataError, found.columns_of, frame.head(2).drop(columns="network"))
    assert words == "these people lack network, which the fit's formula needs"


def test_terms_read_well(twin):
    terms = design(twin, formula="network * male + log(age) + bs(age, df=3)").terms
    assert terms[:5] == (
        "network: extended", "network: close", "male", "log(age)", "bs(age, df=3): 1",
    )  # fmt: skip
    assert terms[-2:] == ("network: extended x male", "network: close x male")
    clock = people.frame(twin).assign(hour=["10:30", "9:15", "11:00"] * 500)
    named = design(people.from_frame(clock), formula="hour + hour:male").terms
    assert named[:2] == ("hour: 11:00", "hour: 9:15")
    assert "hour: 9:15 x male" in named


def test_too_few_people_and_a_level_that_nobody_has(twin):
    frame = people.frame(twin)
    few = pd.concat([frame[frame.outcome == o].head(4) for o in people.OUTCOMES])
    words = said(bm.DataError, STUDY.build, few.assign(x=np.arange(12.0)), formula="bs(x, df=12)")
    assert words == "12 people are too few for the formula's 12 columns"
    words = said(bm.DataError, STUDY.build, frame[frame.children != "4+"])
    assert "column 'children: 4+' of the formula is constant, 0 for all" in words
    assert words.endswith("or nobody's level out of the column's categories")


def test_outcomes_that_never_occur(twin):
    frame = people.frame(twin)
    kept = frame[frame.outcome != "migrated"]
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
        ({"formula": "1"}, "no column but the intercept"),
        ({"intercepts": "random"}, "valid: independent, correlated, shared"),
        ({"pooling": "some"}, "valid: partial, complete, none"),
    ],
    ids=lambda v: str(v)[:28],
)
def test_options_that_the_data_do_not_have(twin, options, words):
    assert words in said(bm.StudyError, STUDY.build, twin, **options)


def test_weights_that_are_none(twin):
    frame = people.frame(twin).assign(w=1.0)
    frame.loc[4, "w"] = 0.0
    words = said(bm.DataError, STUDY.build, frame, weights="w")
    assert "weights 'w': 1 are not positive, first 0 of person 4" in words


def test_a_group_of_one_person_and_a_separated_column_are_named(twin):
    frame = people.frame(twin)
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


def test_a_separated_reference_level_is_named_too(twin):
    """All columns of a category are zero there, and all its coefficients separated."""
    frame = people.frame(twin)
    idle = frame.employment == "unemployed"
    frame["outcome"] = frame.outcome.where(~idle | (frame.outcome != "migrated"), "aspires")
    found = arranged.separated(design(people.from_frame(frame), formula="employment + male"))
    none = f"employment = unemployed: none of {idle.sum()} people has outcome 'migrated'"
    assert found == [none]
    frame = people.frame(twin)
    frame["outcome"] = frame.outcome.where(idle | (frame.outcome != "migrated"), "aspires")
    found = arranged.separated(design(people.from_frame(frame), formula="employment"))
    levels = [words.split(":")[0] for words in found]
    assert levels == ["employment = wage", "employment = self_employed"]


# The twin


def test_the_twin_has_the_papers_size_and_truth():
    data = STUDY.example()
    assert data.sizes["row"] == 10_012
    assert len(np.unique(data["municipality"])) == 80
    assert data.attrs["synthetic"] == 1
    assert data.attrs["title"].startswith("SYNTHETIC")
    truth = people.truth(data)
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
    for stratum, printed in simulation.STRATUM_SIZES.items():
        assert sizes[stratum] == pytest.approx(printed * 10_012 / 10_212, rel=0.06)


def test_urban_is_a_property_of_places_and_ties_of_households(twin):
    frame = people.frame(twin)
    assert (frame.groupby("municipality", observed=True).urban.nunique() == 1).all()
    for name in ("network", "household_migrations", "log_expenditure", "robbery"):
        assert (frame.groupby("household", observed=True)[name].nunique() == 1).all()


def test_truth_follows_the_outcomes():
    """Coefficients of a large twin, by a graph-free Newton step, are near their truth."""
    data = STUDY.simulate(seed=8, n=60_000)
    found = design(data)
    from bayesmig.models.social_capital.geometry import geometry

    near = geometry(found)
    slopes = near.centre[0, :, 1:] @ found.to_terms.T
    spread = near.root[0] @ near.root[0].T
    size = len(found.terms) + 1
    blocks = [spread[k * size + 1 : (k + 1) * size, k * size + 1 : (k + 1) * size] for k in (0, 1)]
    error = np.array(
        [np.sqrt(np.diag(found.to_terms @ block @ found.to_terms.T)) for block in blocks]
    )
    z = (slopes - people.truth(data)["log_odds"].values[1:]) / error
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
            {"truth": simulation.printed_truth(1).isel(term=slice(2, None))},
            "truth: log_odds has no term network: extended, network: close",
        ),
    ],
)
def test_no_such_twin(how, words):
    assert words in said(bm.DataError, STUDY.simulate, **how)


def test_data_without_truth(table):
    with pytest.raises(bm.DataError, match="they were not simulated"):
        people.truth(people.from_frame(table))
