"""Reading the MIG file: every format, every reason to leave somebody out, every error."""

import importlib.util
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from lazily import lazily

from bayesmig import evaluate, load_study
from bayesmig.errors import DataError, DataWarning
from bayesmig.models.snapshot.mig import flow, read

pyreadstat = lazily("pyreadstat")

ENTRY = Path(__file__).parents[2] / "entry"
SPEC = importlib.util.spec_from_file_location("snapshot_mig", ENTRY / "snapshot_mig.py")
entry = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(entry)

CASES = entry.expected()
KEPT = CASES[CASES.expect == "kept"]
WRITTEN = (".csv", ".dta", ".sav", ".zsav", ".por", ".xpt")


@pytest.fixture(scope="module")
def csv(tmp_path_factory):
    return entry.write(entry.answers(), tmp_path_factory.mktemp("mig") / "mig161.csv")


@pytest.fixture(scope="module")
def data(csv):
    return read(csv)


def changed(path, *, drop=(), rows=None, **columns):
    """Write the answers with columns set to one value, or to values by row."""
    table = entry.answers().drop(columns=list(drop))
    if rows is not None:
        table = table.iloc[list(rows)].reset_index(drop=True)
    for name, value in columns.items():
        if isinstance(value, dict):
            for row, answer in value.items():
                table.loc[row, name] = answer
        else:
            table[name] = value
    return entry.write(table, path)


# Who is kept, and with which answers


def test_respondents(data):
    assert dict(data.sizes) == {"respondent": len(KEPT)}
    assert list(data.respondent.values) == list(KEPT.index + 1)
    for name, typed in (
        ("survey_year", "surveyyr"),
        ("departure_year", "usyrl"),
        ("sojourn_years", "sojourn_years"),
        ("trips", "trips"),
    ):
        assert data[name].dtype == np.int64
        assert list(data[name].values) == list(KEPT[typed].astype(int)), name
    assert data["repeat"].dtype == bool
    assert list(data["repeat"].values) == list(KEPT.trips.astype(int) > 1)


def test_attributes(data, tmp_path):
    assert data.attrs["first_year"] == 1980
    assert data.attrs["last_year"] == 2016
    assert data.attrs["synthetic"] == 0
    assert data.attrs["file"] == "mig161.csv"
    assert data.attrs["title"] == "Mexican Migration Project, mig161.csv"
    data.to_netcdf(tmp_path / "data.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "data.nc", engine="h5netcdf") as again:
        pd.testing.assert_frame_equal(flow(again), flow(data))


def test_respondents_are_what_the_model_takes(data):
    assert (data.departure_year + data.sojourn_years - 1 <= data.survey_year).all()
    assert (data.departure_year >= 1980).all()
    assert not (data["repeat"] & (data.departure_year == 1980)).any()
    assert ((data.trips > 1) == data["repeat"]).all()


def test_flow_counts_everybody_once(data):
    table = flow(data).set_index("reason")
    assert list(table) == ["count", "left"]
    typed = CASES.expect.value_counts()
    for reason, count in typed.items():
        assert table["count"][reason] == count, reason
    steps = table.loc["in the file":"kept"].iloc[1:-1]
    assert set(steps.index) == set(typed.index) - {"kept"}  # every reason has a case
    assert table["count"]["in the file"] == len(CASES)
    assert table["left"].iloc[0] == len(CASES)
    assert steps["left"].iloc[-1] == table["count"]["kept"] == len(KEPT)
    assert (table["left"].dropna().diff().dropna() == -steps["count"]).all()


def test_flow_shows_the_paper_beside(data):
    table = flow(data).set_index("reason")["count"]
    assert table["kept in the paper, from mig161"] == 3480 != table["kept"]
    first = pd.to_numeric(KEPT.usyr1).replace({9999: np.nan})
    assert table["of these, trips counted from crossings"] == (~(first >= 1980)).sum()


def test_flow_needs_data_that_were_read():
    with pytest.raises(DataError, match=r"'made up' has no attrs\['flow'\]"):
        flow(xr.Dataset(attrs={"title": "made up"}))


# Formats, cases of names, spellings of blank


@pytest.mark.parametrize("suffix", WRITTEN)
def test_formats_agree(suffix, data, tmp_path):
    found = read(entry.write(entry.answers(), tmp_path / f"mig161{suffix}"))
    assert found.attrs.pop("file") == f"mig161{suffix}"
    assert found.attrs.pop("title").endswith(suffix)
    xr.testing.assert_identical(found, data.drop_attrs().assign_attrs(found.attrs))
    assert {**found.attrs} == {k: v for k, v in data.attrs.items() if k not in ("file", "title")}


def test_sas_format_agrees(data, tmp_path):
    """SAS's own format: a file written once by the ReadStat program, not by SAS itself."""
    path = shutil.copy(ENTRY / "snapshot_mig.sas7bdat", tmp_path / "MIG161.SAS7BDAT")
    # the file has the typed answers, by pandas' own reader (which garbles the last two names)
    typed = entry.numbers(entry.answers())
    same = pd.read_sas(path, format="sas7bdat").set_axis(list(typed), axis=1)
    pd.testing.assert_frame_equal(same.astype(float), typed)
    found = read(path)
    assert found.attrs["flow"] == data.attrs["flow"]
    xr.testing.assert_equal(found, data)


@pytest.mark.parametrize("suffix", [".csv", ".dta", ".sav"])
@pytest.mark.parametrize("case", [str.lower, str.upper, str.title])
def test_any_case_of_names(case, suffix, data, tmp_path):
    table = entry.answers().rename(columns=case)
    found = read(entry.write(table, tmp_path / f"{case('mig161')}{suffix}"))
    xr.testing.assert_equal(found, data)


def test_any_case_of_extension(csv, data, tmp_path):
    xr.testing.assert_equal(read(shutil.copy(csv, tmp_path / "MIG174.CSV")), data)


@pytest.mark.parametrize("blank", ["", ".", "NA", " . "])
def test_spellings_of_blank(blank, data, tmp_path):
    path = entry.write(entry.answers().replace({"": blank}), tmp_path / "mig161.csv")
    assert read(path).attrs["flow"] == data.attrs["flow"]


def test_csv_as_windows_writes_it(csv, data, tmp_path):
    text = csv.read_text(encoding="utf-8").replace("\n", "\r\n")
    path = tmp_path / "mig161.csv"
    path.write_bytes(b"\xef\xbb\xbf" + text.encode() + b"\r\n")
    xr.testing.assert_equal(read(path), data)


def test_letters_in_an_old_encoding(data, tmp_path):
    table = entry.answers().assign(OTHER="peón")
    path = tmp_path / "mig161.csv"
    table.to_csv(path, index=False, encoding="latin-1")
    xr.testing.assert_equal(read(str(path)), data)


def test_labels_in_an_encoding_wrongly_declared(data, tmp_path):
    path = tmp_path / "mig161.sav"
    table = entry.numbers(entry.answers())
    pyreadstat.write_sav(table, path, column_labels={"USYRL": "A~O"})
    found = path.read_bytes()
    assert found.count(b"A~O") == 1
    path.write_bytes(found.replace(b"A~O", b"A\xd1O"))
    with pytest.raises(pyreadstat.ReadstatError):
        pyreadstat.read_sav(path)
    xr.testing.assert_equal(read(path), data)


def test_numbers_stored_as_text(data, tmp_path):
    path = tmp_path / "mig161.dta"
    pyreadstat.write_dta(entry.answers(), path)
    xr.testing.assert_equal(read(path), data)


def test_more_and_fewer_columns(csv, data, tmp_path):
    # 25 crossings, as the paper has them; the one case with 30 then has 24 since 1980
    extra = [f"{stem}{i}" for stem in ("CRSYR", "CRSYES") for i in range(26, 31)]
    path = changed(tmp_path / "mig161.csv", drop=[*extra, "COMMUN", "HHNUM"], WEIGHT="1.5")
    found = read(path)
    differ = found.trips != data.trips
    assert list(found.trips[differ].values) == [24]
    xr.testing.assert_equal(found.drop_vars("trips"), data.drop_vars("trips"))


def test_heads_only(data, tmp_path):
    # later releases have spouses too
    path = changed(tmp_path / "mig174.csv", RELHEAD=dict.fromkeys(range(len(CASES)), "1"))
    xr.testing.assert_equal(read(path), data)
    path = changed(
        tmp_path / "mig174.csv",
        RELHEAD={i: "2" if i == KEPT.index[0] else "1" for i in range(len(CASES))},
    )
    found = read(path)
    table = flow(found).set_index("reason")["count"]
    assert table["not the head of the household"] == 1
    assert list(found.respondent.values) == list(data.respondent.values[1:])


# Other windows


def test_all_surveys(csv, data):
    found = read(csv, first_survey=None)
    assert found.sizes["respondent"] == len(KEPT) + 1  # the one surveyed in 1982
    assert found.survey_year.values.min() == 1982
    assert not flow(found).reason.str.startswith("surveyed before").any()


def test_surveys_left_out_are_counted(csv, data):
    found = read(csv, last_survey=1990)
    table = flow(found).set_index("reason")["count"]
    assert table["surveyed after 1990"] == (CASES.surveyyr.astype(int) > 1990).sum()
    assert list(found.survey_year.values) == [y for y in data.survey_year.values if y <= 1990]


def test_another_first_year(csv):
    found = read(csv, first_year=1984)
    # row 5, first trip in 1982 and four in all, has no crossings to tell those since 1984;
    # what is unknown of row 48's crossing of 1983 does not matter any more
    since = set(KEPT.index[KEPT.usyrl.astype(int) >= 1984] + 1)
    assert set(found.respondent.values) == since - {5} | {48}
    table = flow(found).set_index("reason")["count"]
    unresolved = table[table.index.str.startswith("first trip before 1984")]
    assert list(unresolved) == [CASES.expect.str.startswith("first trip before").sum()]


def test_trips_since_another_first_year(tmp_path):
    path = changed(tmp_path / "mig.csv", rows=[3, 5, 12])  # the sixth crossed in 80, 84 and 88
    assert list(read(path, first_year=1979).trips.values) == [1, 3, 2]
    assert list(read(path, first_year=1981).trips.values) == [1, 2, 2]
    assert list(read(path, first_year=1985).trips.values) == [1, 1, 2]


# Errors


def fails(path, *words, **options):
    with pytest.raises(DataError) as error:
        read(path, **options)
    message = str(error.value)
    for word in (*words, Path(path).name):
        assert word in message
    return message


def test_no_such_file(tmp_path):
    fails(tmp_path / "mig161.csv", "no such file")


def test_folder(tmp_path):
    (tmp_path / "mig161.csv").mkdir()
    fails(tmp_path / "mig161.csv", "a folder", "Stata (.dta)")


@pytest.mark.parametrize("name", ["mig161.zip", "mig161", "mig161.xlsx", "mig161.sas7bcat"])
def test_unknown_extension(name, tmp_path):
    (tmp_path / name).write_text("x")
    fails(tmp_path / name, "extension", ".csv", ".dta", ".sav", ".por", ".sas7bdat", ".xpt")


@pytest.mark.parametrize("suffix", [*WRITTEN, ".sas7bdat"])
def test_empty_file(suffix, tmp_path):
    (tmp_path / f"mig161{suffix}").touch()
    fails(tmp_path / f"mig161{suffix}", "empty")


def test_blank_lines_only(tmp_path):
    (tmp_path / "mig161.csv").write_text("\n\n")
    fails(tmp_path / "mig161.csv", "empty")


@pytest.mark.parametrize("suffix", [".csv", ".dta", ".sav", ".xpt"])
def test_no_rows(suffix, tmp_path):
    path = tmp_path / f"mig161{suffix}"
    entry.write(entry.answers().iloc[:0], path)
    fails(path, "no rows")


@pytest.mark.parametrize("suffix", [*WRITTEN, ".sas7bdat"])
@pytest.mark.parametrize("content", [bytes(range(256)) * 20, b"garbage " * 500])
def test_garbage(content, suffix, tmp_path):
    path = tmp_path / f"mig161{suffix}"
    path.write_bytes(content)
    message = fails(path)
    assert "cannot be read as" in message or "not a CSV" in message or "no column" in message


@pytest.mark.parametrize("suffix", [".dta", ".sav", ".por"])
def test_cut_short(suffix, tmp_path):
    path = entry.write(entry.answers(), tmp_path / f"mig161{suffix}")
    path.write_bytes(path.read_bytes()[: -path.stat().st_size // 3])
    fails(path, "cannot be read as", "cut short")


def test_another_format_than_it_says(csv, tmp_path):
    fails(shutil.copy(csv, tmp_path / "mig161.dta"), "cannot be read as its extension .dta says")


def test_line_cut_short(csv, tmp_path):
    lines = csv.read_text().splitlines()
    lines[4] = lines[4].rpartition(",")[0]
    (tmp_path / "mig161.csv").write_text("\n".join(lines))
    fails(tmp_path / "mig161.csv", "row 5, column", f"{len(lines[0].split(',')) - 1} values for")


def test_unclosed_quote(csv, tmp_path):
    path = tmp_path / "mig161.csv"
    path.write_text(csv.read_text() + '"' + "x" * 200_000)
    fails(path, "not a CSV file of text")


def test_column_twice(csv, tmp_path):
    path = changed(tmp_path / "mig161.csv", usyrl="1985")
    fails(path, "USYRL is there twice")


@pytest.mark.parametrize("name", ["USDURL", "CRSYES30", "CRSYR1", "SURVEYPL"])
def test_column_lacks(name, tmp_path):
    message = fails(changed(tmp_path / "mig161.csv", drop=[name]), f"no column {name}")
    assert "seems to be" not in message


def test_list_of_crossings_ends_at_a_gap(tmp_path):
    path = changed(tmp_path / "mig161.csv", drop=["CRSYR12"])
    assert read(path).trips.values.max() == 10  # of 29, the first of eleven before 1980


PERS = (
    "commun hhnum surveyyr surveypl sex relhead yrborn age edyrs usyr1 usyrl usdur1 usdurl usdocl"
)
LIFE = "commun hhnum surveyyr surveypl year age educ occup jobdur usyrl usdurl land property"
COMMUN = "COMMUN COMPOP50 COMPOP60 AGRIM50 MINX270 MXWEIGHT USWEIGHT"


@pytest.mark.parametrize(
    ("names", "kind"),
    [(PERS, "PERS"), (LIFE, "LIFE or SPOUSE"), (COMMUN, "COMMUN"), ("a b c", "")],
)
@pytest.mark.parametrize("suffix", [".csv", ".dta", ".sav", ".xpt"])
def test_another_file_of_the_project(names, kind, suffix, tmp_path):
    path = tmp_path / f"mig161{suffix}"  # whatever it is called
    entry.write(pd.DataFrame(1, index=range(3), columns=names.split()), path)
    message = fails(path, "no column", "USCURTRP", "CRSYR1", "needs the MIG file")
    assert f"this seems to be {kind}" in message if kind else "seems" not in message


def test_migother(tmp_path):
    eleven = [f"{stem}{i}" for stem in ("CRSYR", "CRSYES") for i in range(11, 31)]
    path = changed(tmp_path / "migother161.csv", drop=eleven)
    fails(path, "seems to be MIGOTHER", "no column CRSYR11, CRSYES11;")


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("SURVEYPL", "3", ["3", "1 home country, 2 US community"]),
        ("SURVEYPL", "9999", ["9999", "1 home country"]),
        ("SURVEYPL", "", ["blank"]),
        ("SURVEYYR", "9999", ["9999", "a year from 1900"]),
        ("SURVEYYR", "", ["blank", "a year from 1900"]),
        ("USDOCL", "10", ["10", "8 undocumented", "12 DACA", "9999 unknown", "8888", "blank"]),
        ("USCURTRP", "0", ["0", "1 still on the trip, 2 returned"]),
        ("CRSYES7", "3", ["3", "1 yes, 2 no"]),
        ("CRSYR7", "85", ["85", "a year from 1900 to 2100"]),
        ("USYRL", "1985.5", ["1985.5", "a year"]),
        ("USYRL", "85", ["85", "a year from 1900 to 2100, 9999 unknown"]),
        ("USYR1", "-1", ["-1", "a year"]),
        ("USDURL", "-3", ["-3", "months from 0 on"]),
        ("USTRIPS", "1.5", ["1.5", "a number of trips"]),
        ("USDURL", "two years", ["'two years'", "a number"]),
        ("USDURL", "inf", ["'inf'", "a number"]),
        ("USDURL", "nan", ["'nan'", "a number"]),
    ],
)
def test_code_that_the_codebook_lacks(column, value, words, tmp_path):
    path = changed(tmp_path / "mig161.csv", **{column: {3: value, 8: value}})
    fails(path, "row 4 of the data", f"column {column}", "and 1 more rows", *words)


def test_unknown_code_in_a_binary_file(tmp_path):
    path = changed(tmp_path / "mig161.sav", USDOCL={6: "11"})
    fails(path, "row 7 of the data, column USDOCL: 11;", "valid: 1 legal resident")


def test_survey_outside_of_the_years(csv, tmp_path):
    path = changed(tmp_path / "mig174.csv", SURVEYYR={0: "2017", 1: "2019"})
    fails(path, "surveys of 2017, 2019 are outside", "1980-2016", "last_survey=")
    assert read(path, last_survey=2016).attrs["last_year"] == 2016
    assert read(path, last_year=2019).survey_year.values.max() == 2019
    fails(csv, "surveys of 1982 are outside", first_year=1983, first_survey=None)


def test_years_the_wrong_way_round(csv):
    with pytest.raises(DataError, match="first_year=2016 must be before last_year=2016"):
        read(csv, first_year=2016)


def test_one_survey(tmp_path):
    path = changed(tmp_path / "mig161.csv", rows=[0, 1, 2, 3])
    fails(path, "of 4 respondents one survey only, of 1990 is left", "two surveys at least")


def test_nobody_left(tmp_path):
    path = changed(tmp_path / "mig161.csv", USCURTRP="1")
    message = fails(path, "nobody is left", "still on the last trip")
    assert "left out: " in message


# Through the study


def test_the_study_reads_the_same_and_says_who_was_left_out(csv, data):
    study = load_study("snapshot")
    found = study.read(csv)
    xr.testing.assert_equal(found, data)
    steps = flow(data)
    before = list(steps.reason).index("kept")
    named = [row for row in steps.itertuples(index=False) if row[1] > 0][1:]
    for reason, count, _ in named[: [r[0] for r in named].index("kept")]:
        assert f"{count} {reason}" in found.attrs["left_out"]
    assert found.attrs["left_out"].count(";") == sum(steps["count"][1:before] > 0) - 1


def test_what_was_read_can_be_fitted(csv):
    """The graph of what was read has a likelihood, for draws from its prior."""
    study = load_study("snapshot")
    with pytest.warns(DataWarning, match="mean trips have no standard error"):
        study.build(study.read(csv), trips_error="sample")
    model = study.build(study.read(csv))
    drawn = evaluate.prior_draws(model, 3, seed=1, observed=False)
    found = evaluate.log_likelihood(model, {rv.name: drawn[rv.name] for rv in model.free_RVs})
    assert all(np.isfinite(values).all() for values in found.values())
    assert found["respondents"].shape[0] == 3
