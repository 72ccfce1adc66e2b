"""Tables of one's own: nothing is made of their columns but what they are, or one sentence."""

import datetime
import decimal
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import xarray as xr
from said import said

import bayesmig as bm
from bayesmig.models.social_capital import people, values
from bayesmig.models.social_capital.design import design

STUDY = bm.load_study("social_capital")
OWN = {"group": "g", "outcome": "y", "reference": "a"}


def table(**more):
    """60 people with two outcomes in three groups; every column is free of the others."""
    rng = np.random.default_rng(4)
    base = {
        "y": rng.permutation(list("ab") * 30),
        "g": rng.permutation(list("uvw") * 20),
        "x": rng.permutation(np.arange(60.0)),
    }
    return pd.DataFrame(base | more)


def arranged(frame, **options):
    """The design of a table through the door of a fit, free of any warning."""
    options = {**OWN, **options}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _, complete = STUDY.resolve(None, options)
        data = STUDY.used(STUDY.dataset(frame), complete)
        of_effects = ("intercepts", "slopes", "pooling")
        names = {k: v for k, v in complete.items() if k not in of_effects}
        return design(data, **names), data


def test_nothing_is_derived_that_nobody_asked_for():
    frame = table(age=["15-29", "30+"] * 30)
    found, data = arranged(frame, formula="x")
    assert found.terms == ("x",)
    assert set(data.data_vars) == set(frame)
    found, _ = arranged(frame, formula="age + x")
    assert found.terms == ("age: 30+", "x")


@pytest.mark.parametrize("name", ["household", "person", "municipality"])
def test_an_identifiers_name_is_a_name(name):
    found, _ = arranged(table(**{name: np.arange(60) % 6 + 1}), formula=name)
    assert found.terms == (name,)


def test_levels_of_the_papers_names_are_the_tables_own():
    frame = table(children=["4+", "0", "2"] * 20, network=["friends", "close", "none", "none"] * 15)
    found, _ = arranged(frame, formula="children + network")
    wanted = ("children: 2", "children: 4+", "network: friends", "network: none")
    assert found.terms == wanted


def test_missing_is_missing_beside_an_empty_text():
    frame = table(c=["", None, "a"] * 20)
    words = said(bm.DataError, STUDY.build, frame, formula="c", **OWN)
    assert words == (
        "20 of 60 rows have missing values (c 20); missing='casewise' leaves them out and counts "
        "them; the first is row 1"
    )
    found, data = arranged(frame, formula="c", missing="casewise")
    assert found.terms == ("c: a",)
    assert found.count.sum() == 40
    assert data.attrs["left_out"] == "20 of 60 rows with a missing value (c 20)"
    arranged(frame, formula="x")  # a column that nobody asks for may have gaps


GAPS = {
    "None": pd.Series(["p", None, "q"], dtype=object),
    "NaN": pd.Series([1.0, np.nan, 2.0]),
    "NaN in text": pd.Series(["p", np.nan, "q"], dtype=object),
    "NaT": pd.to_datetime(pd.Series(["2020-01-01", None, "2020-01-03"])),
    "pd.NA": pd.Series([1, pd.NA, 2], dtype="Int64"),
    "boolean": pd.Series([True, pd.NA, False], dtype="boolean"),
    "object boolean": pd.Series([True, None, False], dtype=object),
    "str": pd.Series(["p", None, "q"], dtype="str"),
    "category": pd.Series(["p", None, "q"], dtype="category"),
    "whole numbers as categories": pd.Series([1, None, 2]).astype("category"),
    "pyarrow": pd.Series([1, None, 2], dtype="int64[pyarrow]"),
    "pyarrow text": pd.Series(["p", None, "q"], dtype="string[pyarrow]"),
    "pyarrow dictionary": pd.Series(
        pd.array(["p", None, "q"], dtype=pd.ArrowDtype(pa.dictionary(pa.int32(), pa.string())))
    ),
    "decimal": pd.Series([decimal.Decimal("1.5"), None, decimal.Decimal(2)], dtype=object),
    "bins": pd.Series(pd.cut([5.0, np.nan, 15.0], [0, 10, 20])),
    "date": pd.Series([datetime.date(2020, 1, 1), None, datetime.date(2020, 1, 2)], dtype=object),
    "whole numbers too long for a float": pd.Series([2**60, pd.NA, 2**60 + 1], dtype="Int64"),
}


@pytest.mark.parametrize("column", GAPS.values(), ids=GAPS)
def test_missing_is_missing_whatever_the_dtype(column):
    variable = values.encode(column.rename("c"), "row")
    assert list(values.missing(variable)) == [False, True, False]
    assert list(values.decode(variable).isna()) == [False, True, False]


@pytest.mark.parametrize("column", GAPS.values(), ids=GAPS)
def test_a_file_gives_columns_back(tmp_path, column):
    variable = values.encode(column.rename("c"), "row")
    xr.Dataset({"c": variable}).to_netcdf(tmp_path / "c.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "c.nc", engine="h5netcdf") as back:
        assert list(values.missing(back["c"])) == [False, True, False]
        pd.testing.assert_series_equal(values.decode(back["c"]), values.decode(variable))


def test_all_gaps_are_counted_in_one_message():
    frame = table(w=[1.5, None, 2.0] * 20, when=np.arange(60.0))
    frame.loc[[0, 2], "y"] = None
    frame.loc[[2, 3, 5], "g"] = np.nan
    frame.loc[8, "x"] = np.nan
    words = said(bm.DataError, STUDY.build, frame, formula="x", weights="w", **OWN)
    wrong = frame[["x", "g", "y", "w"]].isna().any(axis=1).sum()
    assert words.startswith(
        f"{wrong} of 60 rows have missing values (x 1, g 3, y 2, w 20); missing='casewise'"
    )
    found, data = arranged(frame, formula="x", weights="w", missing="casewise")
    assert found.count.sum() == 60 - wrong
    assert data.sizes["row"] == 60 - wrong


def test_nobody_is_left():
    frame = table(z=None)
    words = said(bm.DataError, STUDY.build, frame, formula="z", missing="casewise", **OWN)
    assert words == "every row has a missing value (z 60)"
    words = said(bm.StudyError, STUDY.build, frame, formula="x", missing="impute", **OWN)
    assert words == "missing='impute'; valid: raise, casewise"


NAMES = [
    "my.age",
    "my age (years)",
    "km/h",
    "row",
    "größe",
    "age[1]",
    "a:b",
    " x ",
    "2",
    "x^2",
]


@pytest.mark.parametrize(("name", "taken"), [("1", "the intercept"), (".", "all columns")])
def test_a_name_that_formulas_take_for_something_else(name, taken):
    frame = table().rename(columns={"x": name})
    words = said(bm.StudyError, STUDY.build, frame, formula=f"`{name}`", **OWN)
    assert f"a column called '{name}' is taken for {taken}; rename it" in words


@pytest.mark.parametrize("name", NAMES)
def test_any_name_of_a_column(name):
    frame = table().rename(columns={"x": name}).assign(s=["p", "q", "r"] * 20)
    found, data = arranged(frame, formula=f"`{name}`")
    assert found.terms == (name,)
    assert found.variables == (name,)
    np.testing.assert_allclose(people.frame(data)[name], frame[name])
    crossed, _ = arranged(frame, formula=f"`{name}` * s")
    assert crossed.terms[-1] == f"{name} x s: r"


def test_a_column_of_any_name_is_the_group_and_is_saved(tmp_path):
    frame = table().rename(columns={"g": "town/city", "y": "row"})
    found, data = arranged(frame, formula="x", group="town/city", outcome="row")
    assert found.groups == ("u", "v", "w")
    data.to_netcdf(tmp_path / "d.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "d.nc", engine="h5netcdf") as back:
        pd.testing.assert_frame_equal(people.frame(back), people.frame(data))


def test_names_that_are_numbers():
    frame = table().rename(columns={"x": 7, "g": 8})
    found, _ = arranged(frame, formula="`7`", group="8")
    assert found.terms == ("7",)


def test_other_people_are_asked_by_the_same_names():
    frame = table(**{"my.age": np.linspace(1, 5, 60), "s": ["p", "q"] * 30})
    found, _ = arranged(frame, formula="log(`my.age`) + s + x")
    other = frame.head(3)
    raw = found.columns_of(other) @ np.linalg.inv(found.to_terms) + found.mean
    wanted = np.column_stack([np.log(other["my.age"]), other.s == "q", other.x])
    np.testing.assert_allclose(raw, wanted, atol=1e-12)
    words = said(bm.DataError, found.columns_of, other.drop(columns="my.age"))
    assert words == "these people lack my.age, which the fit's formula needs"
    words = said(bm.DataError, found.columns_of, other.assign(x=np.nan))
    assert words == "3 of 3 rows have missing values (x 3)"


LABELS = {
    "booleans": ([True, False], False, ("False", "True")),
    "nullable booleans": (pd.array([True, False], dtype="boolean"), False, ("False", "True")),
    "whole numbers": ([3, 10], 10, ("10", "3")),
    "whole floats": ([3.0, 10.0], 3.0, ("3", "10")),
    "halves": ([0.5, 1.5], 0.5, ("0.5", "1.5")),
    "nullable": (pd.array([0, 1], dtype="Int8"), 0, ("0", "1")),
    "pyarrow": (pd.array(["n", "y"], dtype="string[pyarrow]"), "n", ("n", "y")),
    "text that is numbers": (["01", "1"], "01", ("01", "1")),
    "an empty text": (["", "a"], "", ("", "a")),
    "bins": (pd.cut([5, 15], [0, 10, 20]), "(0, 10]", ("(0, 10]", "(10, 20]")),
    "ordered": (
        pd.Categorical(["hi", "lo"], ["lo", "hi"], ordered=True),
        "lo",
        ("lo", "hi"),
    ),
    "signs": (["a, [b]", "c: d"], "a, [b]", ("a, [b]", "c: d")),
}


@pytest.mark.parametrize(("labels", "reference", "wanted"), LABELS.values(), ids=LABELS)
def test_labels_of_outcomes_come_out_as_they_went_in(labels, reference, wanted):
    column = pd.concat([pd.Series(labels)] * 30, ignore_index=True)
    frame = table().assign(y=column)
    found, _ = arranged(frame, formula="x", reference=reference)
    assert found.outcomes == wanted
    as_group, _ = arranged(frame.assign(k=frame.y), formula="x", outcome="g", group="k",
                           reference="u")  # fmt: skip
    assert set(as_group.groups) == set(wanted)


@pytest.mark.parametrize(
    ("column", "terms"),
    [
        (pd.cut(np.arange(60) % 30, [-1, 9, 19, 29]), ("c: (9, 19]", "c: (19, 29]")),
        (pd.Categorical([3, 1, 2] * 20, [3, 1, 2]), ("c: 1", "c: 2")),
        (pd.Categorical(["1.0", "2.0", "10.0"] * 20), ("c: 10.0", "c: 2.0")),
        (pd.Series([True, False, False] * 20), ("c",)),
        (pd.Series([1, 0, 0] * 20, dtype="Int64"), ("c",)),
        (pd.array([1, 0, 2] * 20, dtype="int32[pyarrow]"), ("c",)),
        (pd.array(["q", "p", "r"] * 20, dtype="string[pyarrow]"), ("c: q", "c: r")),
        (pd.arrays.SparseArray([0, 1, 2] * 20), ("c",)),
        ([decimal.Decimal("0.5"), decimal.Decimal(1), decimal.Decimal(7)] * 20, ("c",)),
    ],
    ids=[
        "bins",
        "categories",
        "text that is numbers",
        "bool",
        "Int64",
        "pyarrow",
        "text",
        "sparse",
        "decimal",
    ],
)
def test_predictors_of_any_dtype(column, terms):
    found, _ = arranged(table(c=column), formula="c")
    assert found.terms == terms


def test_whole_numbers_as_categories_read_as_they_are():
    found, _ = arranged(table(c=[1, 2, 3] * 20), formula="C(c) * x")
    assert found.terms == ("C(c): 2", "C(c): 3", "x", "C(c): 2 x x", "C(c): 3 x x")


def test_levels_that_nobody_has_are_left_out_and_said():
    frame = table(c=pd.Categorical(["lo", "hi"] * 30, ["none", "lo", "mid", "hi"], ordered=True))
    frame["y"] = pd.Categorical(frame.y, ["c", "a", "b"])
    with pytest.warns(bm.DataWarning) as caught:
        model = STUDY.build(frame, formula="c", **OWN)
    assert str(caught[0].message) == ("levels that nobody has are left out (c: none, mid; y: c)")
    assert model.coords["outcome"] == ("a", "b")
    assert model.coords["term"] == ("c: hi",)


@pytest.mark.parametrize(
    "column",
    [["p"] * 60, [["p"]] * 60, pd.Categorical(["p"] * 60)],
    ids=["text", "lists", "category"],
)
@pytest.mark.parametrize("formula", ["c", "x + c", "x:c", "C(c)"])
def test_a_column_of_one_level_is_refused_and_not_left_out(column, formula):
    words = said(bm.DataError, arranged, table(c=column), formula=formula)
    assert "has one level only" in words
    assert "for all 60 rows: leave it out" in words


def test_a_level_that_only_people_left_out_have():
    frame = table(c=pd.Categorical(["lo", "hi", "mid"] * 20))
    frame.loc[frame.c == "mid", "x"] = np.nan
    with pytest.warns(bm.DataWarning, match=r"left out \(c: mid\)"):
        model = STUDY.build(frame, formula="c + x", missing="casewise", **OWN)
    assert model.coords["term"] == ("c: lo", "x")


def test_long_whole_numbers_stay_apart():
    frame = table(g=[2**60, 2**60 + 1, 2**60 + 2] * 20)
    found, _ = arranged(frame, formula="x")
    assert found.groups == tuple(str(2**60 + i) for i in range(3))


def test_many_labels_survive_a_file(tmp_path):
    """An attribute of a file holds 64 kB."""
    many = [f"person {i:06d}" for i in range(20_000)][::-1]
    data = people.from_frame(pd.DataFrame({"id": pd.Categorical(many, many), "n": many}))
    data.to_netcdf(tmp_path / "d.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "d.nc", engine="h5netcdf") as back:
        assert list(people.frame(back)["id"].astype(str)) == many


def test_polars_and_pyarrow_frames():
    frame = table(s=["p", None, "q"] * 20, n=pd.array([1, None, 3] * 20, dtype="Int64"))
    wanted, _ = arranged(frame, formula="x + s", missing="casewise")
    enum = pl.Enum(["q", "p"])
    own = pl.DataFrame(frame).with_columns(e=pl.col("s").cast(enum), c=pl.col("s").cast(
        pl.Categorical))  # fmt: skip
    for given in (own, own.lazy(), own.to_arrow()):
        found, data = arranged(given, formula="x + s", missing="casewise")
        np.testing.assert_allclose(found.column, wanted.column)
        assert data.attrs["left_out"] == "20 of 60 rows with a missing value (s 20)"
    assert arranged(own, formula="e", missing="casewise")[0].terms == ("e: p",)
    assert arranged(own, formula="c", missing="casewise")[0].terms == ("c: q",)
    assert "(n 20)" in said(bm.DataError, STUDY.build, own, formula="n", **OWN)


@pytest.mark.parametrize("which", ["rows", "columns"])
def test_an_index_of_several_levels_is_said(which):
    frame = table()
    if which == "rows":
        frame = frame.set_index(["g", "y"])
    else:
        frame.columns = pd.MultiIndex.from_product([["p"], frame.columns])
    words = said(bm.DataError, STUDY.build, frame, formula="x", **OWN)
    assert words.startswith(f"the {which} have an index of several levels (")


def test_a_named_index_is_a_column():
    assert arranged(table().set_index("g"), formula="x")[0].groups == ("u", "v", "w")


DATES = {
    "datetime64": pd.date_range("2020-01-01", periods=60),
    "with a zone": pd.date_range("2020-01-01", periods=60, tz="UTC"),
    "dates": [datetime.date(2020, 1, 1) + datetime.timedelta(i) for i in range(60)],
    "timedelta": pd.to_timedelta(np.arange(60), unit="D"),
    "period": pd.period_range("2020-01", periods=60, freq="M"),
    "pyarrow": pd.array([datetime.date(2020, 1, 2)] * 60, dtype=pd.ArrowDtype(pa.date32())),
}


@pytest.mark.parametrize("when", DATES.values(), ids=DATES)
def test_dates_are_refused_with_words(when):
    frame = table(when=when)
    words = said(bm.StudyError, STUDY.build, frame, formula="x + when", **OWN)
    assert "column 'when' holds dates or times: make a number of it first" in words
    arranged(frame, formula="x")


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        ("x + offset(x)", "offset() has no place among outcomes"),
        ("x + (1 | g)", "`|` has no place here; groups are named beside the formula"),
        ("x | g", "`|` has no place here"),
        ("y ~ x", "give the right-hand side only, and the outcome as outcome="),
        ("x + ns(x, 3)", "ns is no transform; valid: log"),
        ("spline(x)", "spline is no transform; valid: log"),
        (".", "name the columns"),
        ("x +", "formula 'x +': "),
        ("`my.age`", "unknown column 'my.age'"),
        ("log(z)", "unknown column 'z'"),
        ("x - 1", "takes the intercept away"),
        ("lag(x)", "formula 'lag(x)': "),
        ("x + `1`", "a column called '1' is taken for the intercept"),
    ],
)
def test_formulas_that_are_refused_say_what_to_do(formula, words):
    message = said(bm.StudyError, STUDY.build, table(), formula=formula, **OWN)
    assert words in message
    assert "\n" not in message


def test_options_that_were_not_given_are_asked_for():
    frame = table()
    words = said(bm.StudyError, STUDY.build, frame, formula="x", outcome="y", group="g")
    assert words == "reference: say with which outcome others are compared, one of a, b"
    words = said(bm.StudyError, STUDY.build, frame, formula="x", outcome="y", reference="a")
    assert words == "group: say which column it is; there are y, g, x"
    words = said(bm.DataError, STUDY.build, frame, **OWN)
    assert words.startswith("give formula=, the columns that explain the outcome")


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ([1, "1"] * 30, "column 'c': the values 1 and '1' read the same as labels"),
        ([True, "True"] * 30, "column 'c': the values True and 'True' read the same"),
        ([1j, 2] * 30, "column 'c' holds complex numbers"),
    ],
    ids=["numbers and text", "booleans and text", "complex"],
)
def test_columns_that_are_nothing_are_refused_when_asked_for(column, words):
    frame = table(c=column)
    assert words in said(bm.StudyError, STUDY.build, frame, formula="c", **OWN)
    arranged(frame, formula="x")


def test_counts_are_rows_repeated():
    frame = table(n=np.arange(60) % 4)
    repeated = frame.loc[frame.index.repeat(frame.n)]
    models = [
        STUDY.build(frame, formula="x", counts="n", **OWN),
        STUDY.build(repeated, formula="x", **OWN),
    ]
    density = [model.compile_logp(mode="FAST_COMPILE") for model in models]
    rng = np.random.default_rng(0)
    for _ in range(3):
        point = {k: rng.normal(size=v.shape) for k, v in models[0].initial_point().items()}
        assert density[0](point) == pytest.approx(density[1](point), rel=1e-13)
    counted, _ = arranged(frame, formula="x", counts="n")
    assert counted.count.sum() == len(repeated)
    np.testing.assert_array_equal(counted.people, frame.n[frame.n > 0])


def test_counts_and_weights_together():
    frame = table(n=np.arange(60) % 4 + 1, w=np.linspace(0.5, 2, 60))
    repeated = frame.loc[frame.index.repeat(frame.n)]
    counted, _ = arranged(frame, formula="x", counts="n", weights="w")
    plain, _ = arranged(repeated, formula="x", weights="w")
    np.testing.assert_allclose(counted.weight, plain.weight)
    np.testing.assert_allclose(counted.column, plain.column, atol=1e-12)
    np.testing.assert_array_equal(counted.count, plain.count)


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ([1, 2, 0.5], "counts 'n': 20 are no whole numbers of people, first 0.5 in row 2"),
        ([1, 2, -1], "counts 'n': 20 are no whole numbers of people, first -1 in row 2"),
        (["1", "2", "3"], "counts 'n' are not numbers"),
        ([1, 2, None], "20 of 60 rows have missing values (n 20)"),
    ],
)
def test_counts_that_are_none(counts, words):
    frame = table(n=counts * 20)
    assert words in said(bm.DataError, STUDY.build, frame, formula="x", counts="n", **OWN)


def test_weights_that_look_like_counts():
    frame = table(n=[1, 2, 3] * 20)
    with pytest.warns(bm.DataWarning, match="whole numbers: if they count people, counts='n'"):
        STUDY.build(frame, formula="x", weights="n", **OWN)
    arranged(frame.assign(n=frame.n + 0.5), formula="x", weights="n")


def test_a_number_with_a_word_in_it_is_doubted():
    frame = table(a=[*map(str, range(58)), "?", "?"])
    with pytest.warns(bm.DataWarning) as caught:
        STUDY.build(frame, formula="a", **OWN)
    words = "column 'a' is mostly numbers, and labels because of '?'"
    assert words in [str(w.message) for w in caught]


def test_the_null_model():
    model = STUDY.build(table(), formula="1", **OWN)
    assert model.coords["term"] == ()
    found = STUDY.part("estimands").estimands(
        xr.Dataset(
            {
                "intercept": ("outcome", [0.0, 0.3]),
                "log_odds": (("outcome", "term"), np.zeros((2, 0))),
                "group_covariance": (("outcome", "outcome_too"), np.diag([0.0, 0.5])),
            },
            {"outcome": ["a", "b"], "outcome_too": ["a", "b"]},
        ),
        None,
    )
    assert set(found) == {"intercept", "group_sd", "variance_share"}
    assert found["group_sd"].item() == pytest.approx(np.sqrt(0.5))
