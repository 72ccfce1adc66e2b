"""The analysis file: read from its formats, and every way it can be wrong."""

import json

import numpy as np
import pandas as pd
import pytest
from lazily import lazily
from said import said

import bayesmig as bm
from bayesmig.models.social_capital import paper, people
from bayesmig.models.social_capital.design import design

pyreadstat = lazily("pyreadstat")

STUDY = bm.load_study("social_capital")


@pytest.fixture
def table(few):
    frame = people.frame(few).drop(columns="age_squared")
    return frame.astype({c: str for c in frame if frame[c].dtype == "category"})


def write_labelled(table, path):
    """As a survey would have it: codes with value labels, in Stata's format or SPSS's."""
    coded, labels = table.copy(), {}
    for name in ("outcome", *paper.LEVELS):
        levels = list(paper.OUTCOMES if name == "outcome" else paper.LEVELS[name])
        coded[name] = [levels.index(v) + 1 for v in table[name]]
        labels[name] = {i + 1: level for i, level in enumerate(levels)}
    labels["male"] = {0: "female", 1: "male"}
    write = {".dta": pyreadstat.write_dta, ".sav": pyreadstat.write_sav}[path.suffix]
    write(coded, str(path), variable_value_labels=labels)


@pytest.mark.parametrize("kind", ["csv", "parquet", "dta", "sav"])
def test_a_file_is_the_table_that_was_written(tmp_path, table, few, kind):
    path = tmp_path / f"analysis.{kind}"
    if kind == "csv":
        table.to_csv(path, index=False)
    elif kind == "parquet":
        table.to_parquet(path)
    else:
        write_labelled(table, path)
    data = STUDY.read(path)
    assert data.attrs["title"] == path.name
    assert data.attrs["synthetic"] == 0
    for name in paper.COLUMNS:
        values = few[name].values
        if values.dtype.kind == "f":
            np.testing.assert_allclose(data[name].values, values, rtol=1e-12)
        else:
            assert list(data[name].values) == list(values), name
        if name in paper.LEVELS:
            assert tuple(json.loads(data[name].attrs["levels"])) == paper.LEVELS[name]
    one, other = design(data), design(few)
    np.testing.assert_allclose(one.column, other.column, atol=1e-12)
    assert one.terms == other.terms


def test_value_labels_are_kept(tmp_path, table):
    write_labelled(table, tmp_path / "a.dta")
    data = STUDY.read(tmp_path / "a.dta")
    assert json.loads(data["male"].attrs["value_labels"]) == {"0": "female", "1": "male"}
    assert json.loads(data["network"].attrs["value_labels"])["3"] == "close"


def test_a_code_without_a_label(tmp_path, table):
    write_labelled(table, tmp_path / "a.dta")
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
