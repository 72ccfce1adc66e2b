"""Cells: the printed ones, a user's file and every way it can be wrong, simulated ones."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import bayesmig as bm
from bayesmig.models.emigration import data as cells

PUBLISHED = Path(cells.__file__).parent / "published"
COMPONENTS = [
    "non_match",
    "internal_migration",
    "mortality",
    "non_follow_up",
    "return_immigration",
]
NUMBERS = ["estimate", "se", "ci_low", "ci_high", "ci_prob", "source", "note"]
Z90 = 1.6448536269514722


def printed(**where):
    """Rows of cells.csv as they are, those of a table, panel, row or component."""
    with (PUBLISHED / "cells.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [row for row in rows if all(row[key] == str(value) for key, value in where.items())]


def said(call, *arguments, **named):
    """What a DataError says."""
    with pytest.raises(bm.DataError) as caught:
        call(*arguments, **named)
    return str(caught.value)


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


def name(value):
    return f"table{value}".replace(" ", "") if isinstance(value, int | tuple) else None


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
    assert set(data.data_vars) == {"estimate", "ci_low", "ci_high"}
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


# Every printed number


def test_published_is_tidy(study):
    found = study.published
    assert list(found) == ["quantity", "coordinates", *NUMBERS]
    assert not found.duplicated(["quantity", "coordinates"]).any()
    assert found.estimate.notna().all()
    assert found.source.str.startswith("Van Hook & Bean").all()
    assert len(found) == 1106 + 473 + 32 + 32


def test_published_counts(study):
    count = study.published.quantity.value_counts()
    for component in [*COMPONENTS, "emigration", "net_emigration"]:
        assert count[component] == 158
    assert count.filter(regex="(migration|matching|mortality)_coefficient$").sum() == 473
    assert count["native_emigration_rate"] == count["mortality_program_coefficient"] == 32


def test_standard_errors_of_table_4(study):
    """Printed in parentheses below Table 4's estimates; no other table has them."""
    found = study.published.dropna(subset="se")
    assert set(found.coordinates) == {"Table 4, Total"}
    assert dict(zip(found.quantity, found.se, strict=True)) == {
        "non_match": 0.3,
        "internal_migration": 0.2,
        "mortality": 0.0,
        "non_follow_up": 0.2,
        "emigration": 0.1,
        "return_immigration": 0.1,
        "net_emigration": 0.1,
    }


def test_published_carries_intervals_and_places(study):
    found = study.published.set_index(["quantity", "coordinates"])
    total = found.loc[("emigration", "Table 4, Total")]
    assert (total.estimate, total.ci_low, total.ci_high, total.ci_prob) == (4.3, 4.1, 4.4, 0.9)
    assert total.source.endswith("Table 4")
    africa = found.loc[("emigration", "Table 13, Africa")]
    assert (africa.estimate, africa.ci_low, africa.ci_high) == (18.5, 16.1, 20.9)


# A user's file


HEADER = ["sex", "age", "component", "estimate", "ci_low", "ci_high", "ci_prob"]


def good():
    """The rows of a file that reads: Table 10's Mexicans aged 15-24 and 25-34."""
    rows = []
    for sex in ("Male", "Female"):
        for age in ("15-24", "25-34"):
            for component in COMPONENTS:
                where = {"panel": f"Mexican {sex}s", "row": age, "component": component}
                (row,) = printed(table=10, **where)
                rows.append([sex, age, *(row[column] for column in HEADER[2:])])
    assert len(rows) == 20
    return rows


def write(path, rows, header=None):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([HEADER if header is None else header, *rows])
    return path


SEXES = {"Males": "Male", "Females": "Female"}


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
    xr.testing.assert_equal(found, wanted)
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
        (b"sex;component\nMale;non_match\n", ["no column component, estimate", "sex;component"]),
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


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda data: {"estimate": 1}, ["Dataset", "dict"]),
        (lambda data: data.drop_vars("ci_low"), ["ci_low"]),
        (lambda data: data.drop_attrs(), ["ci_prob", "factors"]),
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


# Simulated cells


def test_simulation_is_reproducible(study):
    first = study.simulate(seed=1)
    xr.testing.assert_identical(first, study.simulate(seed=1))
    assert not first.estimate.equals(study.simulate(seed=2).estimate)


def test_simulation_says_that_it_is_one(study):
    data = study.simulate(seed=3, table=13)
    assert data.attrs["synthetic"] == 1
    assert data.attrs["title"] == "SYNTHETIC cells, laid out as Van Hook & Bean, Table 13"
    assert data.attrs["seed"] == 3
    assert "true_share" in data.attrs["truth"]
    assert set(cells.comparable(data).source) == {data.attrs["title"]}


def test_simulation_carries_its_truth(study):
    """By default the report's own shares; here Table 4: e = 34.2 - 14.8 - 0.8 - 14.4 = 4.2."""
    data = study.simulate(table=4)
    share = dict(zip(data.fate.values, data.true_share.values[0], strict=True))
    wanted = {"emigrated": 0.042, "died": 0.008, "moved": 0.148, "lost": 0.144, "followed": 0.658}
    assert share == pytest.approx(wanted)
    assert data.true_return_immigration.item() == pytest.approx(0.01)
    truth = cells.truth(data)
    assert truth["share"].equals(data.true_share)


def test_default_truth_is_proper_where_print_is_not(study):
    """Table 10 prints emigration of 0.0 and Table 13 components that add up to less."""
    for table in ((10, 11), 13):
        truth = cells.truth(study.simulate(table=table))
        assert float(truth["share"].min()) >= 0.001 - 1e-12
        np.testing.assert_allclose(truth["share"].sum("fate"), 1, rtol=1e-12)


def test_simulation_takes_another_truth(study):
    """The one cell of Table 4, with printed errors far smaller than the change."""
    shares = [0.30, 0.02, 0.10, 0.08, 0.50]
    fates = ["emigrated", "died", "moved", "lost", "followed"]
    truth = xr.Dataset(
        {"share": (("cell", "fate"), [shares]), "return_immigration": ("cell", [0.05])},
        coords={"cell": ["Total"], "fate": fates},
    )
    data = study.simulate(truth, table=4, seed=5)
    wanted = [50.0, 10.0, 2.0, 8.0, 5.0]
    np.testing.assert_allclose(data.estimate.sel(component=COMPONENTS)[0], wanted, atol=1.5)
    assert data.true_share.values.tolist() == [shares]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda truth: truth.isel(cell=slice(1, None)),
        lambda truth: truth.drop_vars("return_immigration"),
        lambda truth: truth * 2,
        lambda truth: truth.where(truth.age != "65+"),
        lambda truth: truth.rename(share="shares"),
    ],
    ids=["cell missing", "return missing", "sum of two", "NaN", "other name"],
)
def test_a_truth_that_is_none_is_refused(study, spoil):
    truth = cells.printed_shares(study.example())
    said(study.simulate, spoil(truth))


def standard_error(row):
    """Of a printed component: its interval, rounding, and the smaller second generation."""
    error = (float(row["ci_high"]) - float(row["ci_low"])) / (2 * Z90)
    if row["component"] == "non_follow_up":
        error *= math.sqrt(77_491 / 48_694)
    return math.sqrt(error**2 + 0.1**2 / 12)


def test_simulated_cells_scatter_around_the_truth(study):
    """Over 100 simulations: means within 4 standard errors, spread as printed."""
    runs = xr.concat([study.simulate(seed=s, table=14) for s in range(100)], "run", join="exact")
    rows = printed(table=14)
    means = dict.fromkeys(COMPONENTS)
    share = runs.true_share.isel(run=0)
    means["non_match"] = 1 - share.sel(fate="followed")
    means["internal_migration"] = share.sel(fate="moved")
    means["mortality"] = share.sel(fate="died")
    means["non_follow_up"] = share.sel(fate="lost")
    means["return_immigration"] = runs.true_return_immigration.isel(run=0)
    seen = 0
    for row in rows:
        cell = f"{row['panel']}, {row['row']}"
        if row["component"] not in COMPONENTS or cell not in runs.cell:
            continue
        draws = runs.estimate.sel(cell=cell, component=row["component"]).values
        error = standard_error(row)
        wanted = 100 * float(means[row["component"]].sel(cell=cell))
        assert abs(draws.mean() - wanted) < 4 * error / math.sqrt(100)
        # rounding the simulated number adds its variance once more
        spread = math.sqrt(error**2 + 0.1**2 / 12)
        assert abs(draws.std(ddof=1) / spread - 1) < 4 / math.sqrt(2 * 100)
        seen += 1
    assert seen == 8 * 5


def test_simulated_numbers_are_printed_ones(study):
    data = study.simulate(seed=6)
    numbers = data.estimate.sel(component=COMPONENTS).values
    np.testing.assert_allclose(numbers, np.round(numbers, 1), atol=1e-12)
    width = study.example().ci_high - study.example().ci_low
    np.testing.assert_allclose((data.ci_high - data.ci_low), width, atol=1e-12)
    names = ["internal_migration", "mortality", "non_follow_up"]
    parts = [data.estimate.sel(component=n, drop=True) for n in names]
    emigration = data.estimate.sel(component="non_match", drop=True) - sum(parts)
    net = emigration - data.estimate.sel(component="return_immigration", drop=True)
    np.testing.assert_allclose(data.estimate.sel(component="emigration"), emigration)
    np.testing.assert_allclose(data.estimate.sel(component="net_emigration"), net)


def test_censored_cells_print_zero_or_a_positive_number(study):
    """Children's mortality is printed 0.0 (0.0, 0.0): at least 0.05 prints, below it does not."""
    printed_as_zero = [
        f"{row['panel'].split(' ')[0]}, {SEXES[row['panel'].split(' ')[1]]}, {row['row']}"
        for table in (10, 11)
        for row in printed(table=table, component="mortality", estimate="0.0", ci_high="0.0")
    ]
    assert len(printed_as_zero) == 4
    found = set()
    for seed in range(40):
        data = study.simulate(seed=seed).sel(component="mortality")
        for cell in printed_as_zero:
            at = data.sel(cell=cell)
            assert float(at.estimate) == 0 or float(at.estimate) >= 0.1 - 1e-12
            assert float(at.ci_low) == float(at.ci_high) == float(at.estimate)
            found.add(round(float(at.estimate), 1))
    assert {0.0, 0.1} <= found  # the truth is 0.1, a few rounding errors wide


# Native rates of Appendix F


def rates(sex, *groups):
    with (PUBLISHED / "native_rates.csv").open(newline="", encoding="utf-8") as file:
        table = {(row["sex"], int(row["age_group"])): row["rate"] for row in csv.DictReader(file)}
    return [float(table[sex, group]) for group in groups]


def test_native_rates_by_sex_and_age(study):
    """Ages 15-24 are the groups 3 (15-19) and 4 (20-24); 65+ the groups 13, 14 and 15."""
    found = dict(zip(study.example().cell.values, cells.native_rates(study.example()), strict=True))
    young, old = rates("male", 3, 4), rates("female", 13, 14, 15)
    assert young == [0.0001483905, 0.0001160999]
    assert found["Mexican, Male, 15-24"] == pytest.approx(0.0001322452, abs=1e-13)
    assert found["Non-Mexican, Female, 65+"] == pytest.approx(sum(old) / 3)
    assert found["Mexican, Female, 0-14"] == pytest.approx(sum(rates("female", 0, 1, 2)) / 3)
    assert found["Mexican, Male, 65+"] != pytest.approx(found["Mexican, Female, 65+"])


def test_native_rates_of_both_sexes(study):
    """Table 6 has ages only: the mean of both sexes; 75+ is the last group alone."""
    data = study.example(table=6)
    found = dict(zip(data.cell.values, cells.native_rates(data), strict=True))
    assert found["15-19"] == pytest.approx((0.0001483905 + 0.0001266721) / 2)
    assert found["75+"] == pytest.approx((0.0002688526 + 0.0001761570) / 2)


def test_native_rates_where_one_sex_is_the_whole_table(study):
    men, women = (cells.native_rates(study.example(table=n)) for n in (8, 9))
    assert men[1] == pytest.approx(0.0001483905)
    assert women[1] == pytest.approx(0.0001266721)


@pytest.mark.parametrize("table", [4, 13], ids=name)
def test_native_rates_without_age_or_sex(study, table):
    everybody = rates("male", *range(16)) + rates("female", *range(16))
    found = cells.native_rates(study.example(table=table))
    np.testing.assert_allclose(found, sum(everybody) / 32, rtol=1e-12)


@pytest.mark.parametrize("age", ["young", "15 to 24", "24-15", "15", ""])
def test_native_rates_of_an_age_that_is_none(study, age):
    data = study.example(table=6)
    labels = [*data.age.values[:-1], age]
    spoilt = data.assign_coords(age=("cell", np.array(labels)))
    assert repr(age) in said(cells.native_rates, spoilt)


def test_native_rates_of_a_sex_that_is_none(study):
    data = study.example(table=7)
    spoilt = data.assign_coords(sex=("cell", np.array(["Men", "Women"] * 2)))
    message = said(cells.native_rates, spoilt)
    assert "valid: Male, Female" in message


# What a posterior is compared with


@pytest.mark.parametrize("table", [4, (10, 11), 15], ids=name)
def test_comparable_has_one_row_for_each_number(study, table):
    data = study.example(table=table)
    found = cells.comparable(data)
    assert list(found) == ["quantity", "cell", *NUMBERS]
    pairs = set(zip(found.quantity, found.cell, strict=True))
    components = [*COMPONENTS, "emigration", "net_emigration"]
    assert pairs == {(q, str(c)) for q in components for c in data.cell.values}
    assert len(found) == len(pairs)
    assert set(found.quantity[found.note.str.startswith("derived")]) == {
        "emigration",
        "net_emigration",
    }


def test_comparable_numbers_are_the_printed_ones(study):
    found = cells.comparable(study.example(table=4)).set_index("quantity")
    wanted = {row["component"]: float(row["estimate"]) for row in printed(table=4)}
    assert found.estimate.to_dict() == wanted
    assert found.se["emigration"] == pytest.approx((4.4 - 4.1) / (2 * Z90))
    assert set(found.ci_prob) == {0.9}


def test_comparable_says_what_is_read_as_censored(study):
    found = cells.comparable(study.example()).set_index(["quantity", "cell"]).note
    zeros = found[found.str.contains("below 0.05")]
    wanted = [
        row
        for table in (10, 11)
        for row in printed(table=table, estimate="0.0", ci_low="0.0", ci_high="0.0")
        if row["component"] in COMPONENTS
    ]
    assert len(zeros) == len(wanted) == 4
    assert set(zeros.index.get_level_values("quantity")) == {"mortality"}


@pytest.mark.parametrize(
    ("high", "censored"), [("0.0", True), ("0.3", False)], ids=["no width", "0.0-0.3"]
)
def test_only_a_zero_without_width_is_read_as_censored(study, tmp_path, high, censored):
    rows = good()
    rows[2][3:6] = ["0.0", "0.0", high]  # mortality of the first cell
    data = study.read(write(tmp_path / "mine.csv", rows))
    notes = cells.comparable(data).set_index(["quantity", "cell"]).note
    assert ("below 0.05" in notes["mortality", "Male, 15-24"]) == censored
    bound = study.build(data)["printed_as_zero_below"].get_value()
    assert bound[0, 2] == (0.05 if censored else -np.inf)
    assert np.isinf(bound).sum() == bound.size - censored


def test_comparable_leaves_out_what_a_file_does_not_give(study, tmp_path):
    found = cells.comparable(study.read(write(tmp_path / "mine.csv", good())))
    assert sorted(set(found.quantity)) == sorted(COMPONENTS)
    assert len(found) == 4 * 5
