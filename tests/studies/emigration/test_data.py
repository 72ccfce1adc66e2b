"""Cells: the printed ones, a user's file and every way it can be wrong."""

import numpy as np
import pytest
import xarray as xr
from studies.emigration.printed_cells import (
    COMPONENTS,
    HEADER,
    SEXES,
    good,
    name,
    printed,
    said,
    write,
)

# Printed cells

ALL = {"panel": "all"}
# table, options, cells, factors and their number of levels, constants
TABLES = [
    (4, {}, 1, {}, {}),
    (5, {}, 18, {"origin": 2, "year": 9}, {}),
    (5, ALL, 9, {"year": 9}, {"origin": "All"}),
    (6, {}, 14, {"age": 14}, {}),
    (7, {}, 4, {"origin": 2, "sex": 2}, {}),
    (7, ALL, 2, {"sex": 2}, {"origin": "All"}),
    (8, {}, 14, {"age": 14}, {"sex": "Male"}),
    (9, {}, 14, {"age": 14}, {"sex": "Female"}),
    (10, {}, 14, {"sex": 2, "age": 7}, {"origin": "Mexican"}),
    (11, {}, 14, {"sex": 2, "age": 7}, {"origin": "Non-Mexican"}),
    (12, {}, 6, {"origin": 2, "duration": 3}, {}),
    (12, ALL, 3, {"duration": 3}, {"origin": "All"}),
    (13, {}, 14, {"country": 14}, {}),
    (14, {}, 8, {"origin": 2, "status": 5}, {}),
    (14, ALL, 5, {"status": 5}, {"origin": "All"}),
    (15, {}, 16, {"origin": 2, "period": 2, "status": 5}, {}),
    ((10, 11), {}, 28, {"origin": 2, "sex": 2, "age": 7}, {}),
    ((8, 9), {}, 28, {"sex": 2, "age": 14}, {}),
]


@pytest.mark.parametrize(
    ("table", "options", "count", "factors", "constants"),
    TABLES,
    ids=[f"{name(table)}{'-all' if options else ''}" for table, options, *_ in TABLES],
)
def test_example(study, table, options, count, factors, constants):
    data = study.example(table=table, **options)
    assert data.sizes == {"cell": count, "component": 7}
    assert list(data.component.values) == [*COMPONENTS, "emigration", "net_emigration"]
    assert len(set(data.cell.values)) == count
    for factor, levels in factors.items():
        assert data[factor].dims == ("cell",)
        assert len(set(data[factor].values)) == levels
    assert {key: data[key].item() for key in constants} == constants
    assert set(data.coords) == {"cell", "component", *factors, *constants}
    numbers = table if isinstance(table, tuple) else (table,)
    assert data.attrs["factors"] == ",".join(factors)
    assert data.attrs["title"] == "Van Hook & Bean, " + ", ".join(f"Table {n}" for n in numbers)
    assert (data.attrs["ci_prob"], data.attrs["synthetic"]) == (0.9, 0)
    assert data.attrs["unit"] == "percent a year"
    assert set(data.data_vars) == {"estimate", "ci_low", "ci_high", "residual_error"}
    assert not data.isnull().any().to_array().any()


@pytest.mark.parametrize(
    ("table", "cell", "where"),
    [
        (4, "Total", {"table": 4}),
        (5, "Non-Mexican, 2003", {"table": 5, "panel": "Non-Mexican", "row": 2003}),
        (6, "75+", {"table": 6, "row": "75+"}),
        (7, "Mexican, Female", {"table": 7, "panel": "Mexican", "row": "Female"}),
        (8, "15-19", {"table": 8, "row": "15-19"}),
        (12, "Mexican, 10+ yrs", {"table": 12, "panel": "Mexican", "row": "10+ yrs"}),
        (13, "Korea", {"table": 13, "row": "Korea"}),
        (14, "Non-Mexican, Refugee", {"table": 14, "panel": "Non-Mexican", "row": "Refugee"}),
        (
            15,
            "Mexican, 2000-2004, LPR",
            {"table": 15, "panel": "Mexicans, 2000-2004", "row": "LPR"},
        ),
        (
            (10, 11),
            "Non-Mexican, Female, 65+",
            {"table": 11, "panel": "Non-Mexican Females", "row": "65+"},
        ),
        ((8, 9), "Female, 0-14", {"table": 9, "row": "0-14"}),
    ],
    ids=name,
)
def test_a_cell_has_the_numbers_of_its_row(study, table, cell, where):
    data = study.example(table=table)
    rows = printed(**where)
    assert len(rows) == 7
    for row in rows:
        found = data.sel(cell=cell, component=row["component"])
        for column in ("estimate", "ci_low", "ci_high"):
            assert float(found[column]) == float(row[column])


@pytest.mark.parametrize("table", [5, 7, 12, 14])
def test_panels_of_the_same_people_are_left_out_and_named(study, table):
    for panel in ("exclusive", "all"):
        data = study.example(table=table, panel=panel)
        panels = {row["panel"] for row in printed(table=table)}
        taken = {p for p in panels if p.startswith("All") == (panel == "all")}
        for gone in panels - taken:
            assert f"Table {table}, panel {gone!r}" in data.attrs["left_out"]
        assert data.attrs["left_out"].count("the same people") == len(panels - taken)


def test_rows_that_hold_others_are_left_out_and_named(study):
    data = study.example(table=13)
    assert not {"Caribbean", "Asia"} & set(data.country.values)
    for row in ("Caribbean", "Asia"):
        assert f"Table 13, row {row!r} (holds other rows)" in data.attrs["left_out"]


@pytest.mark.parametrize("table", [4, 6, 8, 10, (10, 11), 15], ids=name)
def test_nothing_is_left_out_elsewhere(study, table):
    assert study.example(table=table).attrs["left_out"] == ""


WRONG_TABLES = [
    ({"table": 3}, ["3", "valid: 4 (the total) to 15"]),
    ({"table": 16}, ["16", "valid: 4"]),
    ({"table": "10"}, ["10", "valid: 4"]),
    ({"table": 5.0}, ["5.0", "valid: 4"]),
    ({"table": ()}, ["valid: 4"]),
    ({"table": (6, 8)}, ["[6, 8]", "6: age", "8: sex x age", "one sample"]),
    ({"table": (14, 15)}, ["14: origin x status", "15: origin x period x status"]),
    ({"table": (10, 10)}, ["10"]),
    ({"panel": "x"}, ["panel='x'", "exclusive", "all"]),
    ({"table": 6, "panel": "all"}, ["table 6", "panel='exclusive'"]),
    ({"table": (10, 11), "panel": "all"}, ["table 10", "panel='exclusive'"]),
]


@pytest.mark.parametrize(
    ("which", "words"), WRONG_TABLES, ids=[str(which) for which, _ in WRONG_TABLES]
)
def test_tables_that_do_not_exist_or_go_together(study, which, words):
    message = said(study.example, **which)
    for word in words:
        assert word in message


def test_a_table_s_number_may_come_from_numpy(study):
    xr.testing.assert_identical(study.example(table=np.int64(4)), study.example(table=4))


# A user's file


def factors_of(row):
    """The factor columns that a user would write for a printed row."""
    table, panel = int(row["table"]), row["panel"]
    if table in (10, 11):
        origin, sex = panel.split(" ")
        return {"origin": origin, "sex": SEXES[sex], "age": row["row"]}
    if table == 13:
        return {"country": row["row"]}
    if table == 14:
        return {"origin": panel, "status": row["row"]}
    if table == 15:
        origin, period = panel.split(", ")
        return {"origin": origin.rstrip("s"), "period": period, "status": row["row"]}
    return {}


@pytest.mark.parametrize("table", [(10, 11), 13, 14, 15, 4], ids=name)
def test_a_file_reads_as_the_table_it_was_written_from(study, tmp_path, table):
    numbers = table if isinstance(table, tuple) else (table,)
    rows = [row for number in numbers for row in printed(table=number)]
    rows = [row for row in rows if row["panel"] != "All Foreign-born"]
    rows = [row for row in rows if row["row"] not in ("Caribbean", "Asia")]
    header = [*factors_of(rows[0]), *HEADER[2:], "source"]
    records = [{**row, **factors_of(row)} for row in rows]
    path = write(tmp_path / "mine.csv", [[r[c] for c in header] for r in records], header)
    found, wanted = study.read(path), study.example(table=table)
    xr.testing.assert_equal(found, wanted.drop_vars("residual_error"))  # Table 2 is the report's
    for key in ("factors", "unit", "ci_prob", "synthetic"):
        assert found.attrs[key] == wanted.attrs[key]
    assert (found.attrs["title"], found.attrs["left_out"]) == ("mine.csv", "")


def test_a_file_may_leave_the_derived_columns_out(study, tmp_path):
    data = study.read(write(tmp_path / "mine.csv", good()))
    assert data.attrs["factors"] == "sex,age"
    assert data.estimate.sel(component=["emigration", "net_emigration"]).isnull().all()
    assert float(data.estimate.sel(cell="Male, 15-24", component="non_match")) == 59.0
    assert "components" in study.build(data).named_vars


def test_a_negative_net_emigration_is_no_mistake(study, tmp_path):
    net = ["Male", "15-24", "net_emigration", "-0.3", "-1.0", "0.4", "0.9"]
    data = study.read(write(tmp_path / "mine.csv", [*good(), net]))
    assert float(data.estimate.sel(cell="Male, 15-24", component="net_emigration")) == -0.3


def change(row, column, value):
    """The good file with one field changed, given the row as a text editor counts it."""

    def rows():
        edited = good()
        edited[row - 2][HEADER.index(column)] = value
        return edited

    return rows


# name: (rows of the file, row and column that the error must name, other words)
WRONG = {
    "component missing": (
        lambda: [row for i, row in enumerate(good()) if i != 7],
        "7-10",
        "component",
        ["'Male, 25-34'", "lacks mortality"],
    ),
    "interval above its estimate": (
        change(4, "ci_low", "10"),
        4,
        "ci_low",
        ["above the estimate"],
    ),
    "interval below its estimate": (
        change(13, "ci_high", "0.1"),
        13,
        "ci_high",
        ["below the estimate"],
    ),
    "percentage above 100": (
        change(7, "ci_high", "100.5"),
        7,
        "ci_high",
        ["100.5", "percentage"],
    ),
    "infinite": (change(7, "ci_high", "inf"), 7, "ci_high", ["inf", "percentage"]),
    "repeated cell": (
        lambda: [*good(), good()[3]],
        22,
        "component",
        ["non_follow_up", "repeats"],
    ),
    "factor with one level": (
        lambda: [["Male", *row[1:]] for row in good()[:10]],
        2,
        "sex",
        ["one level", "'Male'"],
    ),
    "unknown component": (
        change(9, "component", "return"),
        9,
        "component",
        ["'return'", "return_immigration", "net_emigration"],
    ),
    "word for a number": (change(21, "estimate", "low"), 21, "estimate", ["'low'"]),
    "decimal comma": (change(3, "ci_low", "21,6"), 3, "ci_low", ["'21,6'", "number"]),
    "two numbers wrong": (
        lambda: [*change(5, "estimate", "?")()[:15], *change(19, "ci_low", "-")()[15:]],
        5,
        "estimate",
        ["'?'", "row 19, column ci_low: '-'"],
    ),
    "number empty": (change(6, "estimate", ""), 6, "estimate", ["''", "number"]),
    "number NaN": (change(6, "ci_low", "nan"), 6, "ci_low", ["nan"]),
    "factor empty": (change(12, "age", ""), 12, "age", ["empty"]),
    "factor blank": (change(12, "sex", "  "), 12, "sex", ["empty"]),
    "negative share": (
        lambda: [["Male", "15-24", "mortality", "-0.1", "-0.3", "0.1", "0.9"], *good()[:2]],
        2,
        "estimate",
        ["-0.1", "negative"],
    ),
    "negative emigration": (
        lambda: [*good(), ["Male", "15-24", "emigration", "-0.1", "-0.3", "0.1", "0.9"]],
        22,
        "estimate",
        ["-0.1", "negative"],
    ),
    "ci_prob in percent": (change(8, "ci_prob", "90"), 8, "ci_prob", ["90", "(0, 1)"]),
    "ci_prob zero": (change(8, "ci_prob", "0"), 8, "ci_prob", ["0", "(0, 1)"]),
    "ci_prob one": (change(8, "ci_prob", "1"), 8, "ci_prob", ["1", "(0, 1)"]),
    "ci_prob differs": (change(8, "ci_prob", "0.95"), 8, "ci_prob", ["0.95", "differs"]),
    "ci_prob empty": (change(8, "ci_prob", ""), 8, "ci_prob", ["number"]),
    "row too short": (
        lambda: [row[:6] if i == 9 else row for i, row in enumerate(good())],
        11,
        "ci_prob",
        [],
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_row_is_named(study, tmp_path, case):
    rows, row, column, words = WRONG[case]
    path = write(tmp_path / "mine.csv", rows())
    message = said(study.read, path)
    assert message.startswith(f"{path}: ")
    assert f"row{'s' if '-' in str(row) else ''} {row}, column {column}" in message
    for word in words:
        assert word in message
    assert "np." not in message  # a number, not its type
    assert "Error" not in message  # nor another library's complaint


def test_rows_are_counted_as_an_editor_counts_them(study, tmp_path):
    path = write(tmp_path / "mine.csv", change(15, "estimate", "low")())
    lines = path.read_text(encoding="utf-8").splitlines()
    lines.insert(4, "")  # a blank line above the mistake
    path.write_text("\n".join(lines), encoding="utf-8")
    assert lines[15].split(",")[3] == "low"  # the 16th line
    assert "row 16, column estimate: 'low'" in said(study.read, path)


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        (b"", ["header"]),
        (b"\n \n", ["header"]),
        (",".join(HEADER).encode(), ["no rows"]),
        (b"sex,component,estimate,ci_low,ci_high\nMale,non_match,1,1,1\n", ["no column ci_prob"]),
        (b"sex;component\nMale;non_match\n", ["row 1: columns are separated by semicolons"]),
        (bytes(range(256)) * 8, []),
        (b"\x89PNG\r\n\x1a\n" + bytes(1000), []),
        (b"\x00" * 100, []),
        ("sex,component\nMänner,non_match\n".encode("latin-1"), []),
        (b'sex,component\n"Male,non_match\n', []),
    ],
    ids=[
        "empty",
        "blank",
        "header only",
        "column missing",
        "semicolons",
        "binary",
        "picture",
        "zeros",
        "latin-1",
        "open quote",
    ],
)
def test_what_is_no_table_of_cells_is_refused(study, tmp_path, contents, words):
    path = tmp_path / "mine.csv"
    path.write_bytes(contents)
    message = said(study.read, path)
    for word in [str(path), *words]:
        assert word in message


@pytest.mark.parametrize("place", ["nowhere.csv", ""], ids=["no such file", "a folder"])
def test_a_path_without_a_file_is_refused(study, tmp_path, place):
    assert str(tmp_path / place) in said(study.read, tmp_path / place)


def doubled():
    return [[row[0], *row] for row in good()]


@pytest.mark.parametrize(
    ("rows", "header", "column"),
    [
        (doubled, ["sex", *HEADER], "sex"),
        (lambda: [[*row, row[3]] for row in good()], [*HEADER, "estimate"], "estimate"),
        (good, ["cell", *HEADER[1:]], "cell"),
        (good, ["sex, at birth", *HEADER[1:]], "sex, at birth"),
    ],
    ids=["factor twice", "estimate twice", "the name of a dim", "a comma in a name"],
)
def test_columns_that_cannot_be_told_apart_are_refused(study, tmp_path, rows, header, column):
    message = said(study.read, write(tmp_path / "mine.csv", rows(), header))
    assert "mine.csv" in message
    assert f"column {column}" in message


def test_rows_longer_than_the_header_are_refused(study, tmp_path):
    """Else the columns would shift by one, the first of them becoming an index."""
    path = write(tmp_path / "mine.csv", [[*row, ""] for row in good()])
    message = said(study.read, path)
    assert "column component: '59.0'" not in message
    assert "row 2" in message or "line 2" in message


def test_labels_that_join_alike_are_refused(study, tmp_path):
    """'a, b' + 'c' and 'a' + 'b, c' make the same label."""
    rows = [[*pair, *row[2:]] for pair in (("a, b", "c"), ("a", "b, c")) for row in good()[:5]]
    message = said(study.read, write(tmp_path / "mine.csv", rows))
    assert "mine.csv" in message
    assert "'a, b, c'" in message


# Datasets that are no cells


def without(data, *attributes):
    """The data less some of their attributes."""
    return data.drop_attrs().assign_attrs(
        {name: value for name, value in data.attrs.items() if name not in attributes}
    )


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda data: {"estimate": 1}, ["Dataset", "dict"]),
        (lambda data: data.drop_vars("ci_low"), ["ci_low"]),
        (lambda data: data.drop_attrs(), ["attrs['title']", "attrs['synthetic']"]),
        (lambda data: without(data, "ci_prob", "factors"), ["ci_prob", "factors"]),
        (lambda data: data.isel(component=slice(1, None)), ["non_match"]),
        (lambda data: data.assign(estimate=data.estimate.where(data.age != "65+")), ["estimate"]),
        (lambda data: data.isel(cell=[]), []),
        (lambda data: data.isel(cell=[0]), []),
        (lambda data: data.assign_attrs(ci_prob=90), ["ci_prob", "90"]),
        (lambda data: data.assign_attrs(factors="sex,age,year"), ["year"]),
    ],
    ids=[
        "no dataset",
        "variable missing",
        "no attributes",
        "attributes missing",
        "component missing",
        "NaN in an estimate",
        "no cells",
        "one level of each factor",
        "ci_prob in percent",
        "factor missing",
    ],
)
def test_what_is_no_dataset_of_cells_is_refused(study, spoil, words):
    message = said(study.build, spoil(study.example()))
    for word in words:
        assert word in message
