"""What is wrong with a file is said in one sentence; nothing wrong is read as something else."""

import gzip
import os
import resource
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from entry import snapshot_mig
from fuzz import doors
from studies.emigration_microdata import extracts

import bayesmig as bm
from bayesmig import readers
from bayesmig.models.emigration.microdata.ipums import database
from bayesmig.models.emigration.microdata.ipums.extract import load
from bayesmig.models.emigration.microdata.ipums.linking import link
from bayesmig.models.snapshot import mig

CELLS, MIG, PEOPLE = (bm.load_study(n) for n in ("emigration", "snapshot", "social_capital"))


def refused(verb, path, words):
    with pytest.raises(bm.BayesmigError, match=words) as found:
        verb(path)
    assert str(path) in str(found.value)


# Any file


@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
@pytest.mark.parametrize(
    ("verb", "name"),
    [
        (CELLS.read, "a.csv"),
        (MIG.read, "a.csv"),
        (MIG.read, "a.dta"),
        (PEOPLE.read, "a.parquet"),
        (load, "a.csv"),
        (load, "a.dat.gz"),
        (CELLS.priors, "a.toml"),
        (bm.open_fit, "a.nc"),
    ],
)
def test_what_has_no_end_is_not_read(tmp_path, verb, name, kind):
    path = tmp_path / name
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()
    refused(verb, path, "a pipe or a device|a folder|no fit at")


def test_other_separators_are_named(tmp_path):
    doors.write_cells(tmp_path)
    path = tmp_path / "cells.csv"
    path.write_text(path.read_text().replace(",", ";"))
    refused(CELLS.read, path, "separated by semicolons; save the file with commas")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("1_000", "row 3, column estimate: '1_000' is not a number"),
        ("0x1F", "'0x1F' is not a number"),
        ("NaN", "'NaN' is not a number: a missing value is an empty cell"),
        (".", "'.' is not a number: a missing value is an empty cell"),
        ("inf", "row 3, column estimate: inf is not a percentage"),
        ('"13,25"', "'13,25' is not a number: a decimal comma"),
        ("High", "'High' is not a number: a value label in the place of a code"),
        ("1e308", "is not a percentage"),
        ("9" * 5000, "is not a percentage|is not a number"),
        ("١٢", "is not a number"),
    ],
)
def test_what_is_no_number_is_named_by_row_and_value(tmp_path, value, words):
    doors.write_cells(tmp_path)
    path = tmp_path / "cells.csv"
    path.write_text(path.read_text().replace(",13.25,", f",{value},", 1), encoding="utf-8")
    refused(CELLS.read, path, words)


@pytest.mark.parametrize("name", ["people.dta", "people.sav", "people.parquet"])
def test_damaged_binary_files_are_refused(tmp_path, name):
    doors.write_people(name)(tmp_path)
    path = tmp_path / name
    path.write_bytes(path.read_bytes()[:-200])
    refused(PEOPLE.read, path, f"not a.* {'Parquet' if 'parquet' in name else 'S'}|no rows|columns")


def test_text_of_stata_that_is_not_utf_8_is_named(tmp_path):
    doors.write_people("people.dta")(tmp_path)
    path = tmp_path / "people.dta"
    content = path.read_bytes()
    at = content.rfind(b"close") if b"close" in content else content.rfind(b"none")
    path.write_bytes(content[:at] + b"\xff\xfe" + content[at + 2 :])
    refused(PEOPLE.read, path, "text that is not UTF-8")


def test_a_column_without_a_name_is_refused():
    with pytest.raises(bm.DataError, match="mig.dta: a column is named None, which is no text"):
        readers.check_columns(["commun", None], "mig.dta")


@pytest.mark.parametrize("value", ["9" * 5000, "x " * 5000])
def test_a_message_is_no_longer_than_a_page(tmp_path, value):
    path = tmp_path / "mine.csv"
    with pytest.raises(bm.DataError) as found:
        raise bm.DataError(f"{path}: row 2, column a: {value!r} is not a number")
    words = str(found.value)
    assert len(words) < 3100
    assert words.startswith(f"{path}: row 2, column a: '")
    assert words.endswith("' is not a number")


# People


@pytest.mark.parametrize("name", ["person", "household", "municipality"])
@pytest.mark.parametrize("value", ["NA", "nan", ".", "m001 ", " m001", "N/A"])
def test_no_mark_of_a_missing_value_is_an_identifier(tmp_path, name, value):
    table = doors.analysis()
    table.loc[4, name] = value
    table.to_csv(tmp_path / "a.csv", index=False)
    stripped = value == " m001"  # blanks after a comma belong to the file's layout
    if stripped:
        PEOPLE.read(tmp_path / "a.csv")
    else:
        refused(PEOPLE.read, tmp_path / "a.csv", f"row 6, column {name}: '{value}'")


@pytest.mark.parametrize("value", [1e19, 1e308, -1e19, "1_000", "1e400"])
def test_no_household_spends_that(tmp_path, value):
    table = doors.analysis().astype({"log_expenditure": object})
    table.loc[4, "log_expenditure"] = value
    table.to_csv(tmp_path / "a.csv", index=False)
    refused(PEOPLE.read, tmp_path / "a.csv", "row 6, column log_expenditure")


# The Mexican Migration Project


def test_a_file_joined_to_itself_is_refused(tmp_path):
    table = snapshot_mig.answers()
    path = snapshot_mig.write(pd.concat([table, table]), tmp_path / "mig.csv")
    refused(MIG.read, path, f"row {len(table) + 1} of the data: the household is there already")


def test_several_countries_are_counted(tmp_path):
    table = snapshot_mig.answers()
    table["COUNTRY"] = ["1"] * (len(table) - 3) + ["5"] * 3
    path = snapshot_mig.write(table, tmp_path / "mig.csv")
    refused(MIG.read, path, rf"other countries \(1: {len(table) - 3}, 5: 3\)")
    table["COUNTRY"] = "1"
    one = MIG.read(snapshot_mig.write(table, tmp_path / "mig.csv"))
    assert one.attrs["country"] == "1"
    assert one.attrs["title"].endswith(", COUNTRY 1")  # on all that is made of it
    steps = dict(mig.flow(one)[["reason", "count"]].itertuples(index=False))
    assert steps["of these, with COUNTRY 1"] == one.sizes["respondent"]
    table["COUNTRY"] = "Guatemala"
    path = snapshot_mig.write(table, tmp_path / "mig.csv")
    refused(MIG.read, path, rf"other countries \(Guatemala: {len(table)}\)")
    table["COUNTRY"] = "México"
    assert MIG.read(snapshot_mig.write(table, tmp_path / "mig.csv")).sizes == one.sizes


@pytest.mark.parametrize("column", ["USTRIPS", "USDURL"])
@pytest.mark.parametrize("value", ["1e308", "99999999999999999999", "1_000", "-3"])
def test_no_number_is_wrapped_round(tmp_path, column, value):
    table = snapshot_mig.answers()
    table.loc[2, column] = value
    path = snapshot_mig.write(table, tmp_path / "mig.csv")
    refused(MIG.read, path, f"row 3 of the data, column {column}: ")


# IPUMS


def pairs(n, first=2001, found=True):
    """Persons of both generations of two Marches."""
    rows = []
    for k in range(n):
        for other in ({}, extracts.SECOND):
            serial = 100 + 2 * k + bool(other)
            two = extracts.met(first, **{**other, "SERIAL": serial, "AGE": 20 + k % 40})
            if not found:
                two[1]["CPSIDP"] += 50_000_000
            rows += two
    return rows


def test_years_that_cannot_be_linked_are_named(tmp_path):
    path = extracts.write(tmp_path / "a.csv", pairs(40, found=False))
    with pytest.raises(bm.DataError, match="0 of 80 persons of 2001 are found in 2002"):
        link(load(path))
    assert len(link(load(extracts.write(tmp_path / "b.csv", pairs(40)))).frame()) == 80


def test_a_year_that_is_there_twice_is_named(tmp_path):
    rows = pairs(40)
    again = [{**r, "SERIAL": r["SERIAL"] + 5000} for r in rows if r["YEAR"] == 2002]
    path = extracts.write(tmp_path / "a.csv", [*rows, *again])
    with pytest.raises(bm.DataError, match="of 2002 have the CPSIDP of another record"):
        link(load(path))


@pytest.mark.parametrize("kind", ["written so", "kept so"])
def test_identifiers_of_a_spreadsheet_are_named(tmp_path, kind):
    rows = pairs(40)
    for row in rows:
        cut = row["CPSIDP"] // 10**8 * 10**8
        row["CPSIDP"] = "2.0010E+13" if kind == "written so" else cut
    path = extracts.write(tmp_path / "a.csv", rows)
    with pytest.raises(bm.DataError, match="spreadsheet"):
        link(load(path))


def test_a_gzip_bomb_is_refused_in_bounded_memory(tmp_path):
    path = extracts.write(tmp_path / "a.csv.gz", pairs(2))
    content = gzip.decompress(path.read_bytes())
    with gzip.open(path, "wb", compresslevel=9) as file:
        file.write(content)
        block = b"0" * (1 << 24)
        for _ in range(30):
            file.write(block)
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    refused(load, path, "longer than 1048576 bytes, and no record")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000
    assert time.process_time() - started < 20


def test_persons_of_dead_processes_are_swept(tmp_path, monkeypatch):
    monkeypatch.setattr(database.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(database.tempfile, "tempdir", str(tmp_path))
    dead, alive = (
        tmp_path / "bayesmig-persons-999999999-x",
        tmp_path / (f"bayesmig-persons-{os.getppid()}-y"),
    )
    for folder in (dead, alive, tmp_path / "bayesmig-persons-of mine"):
        folder.mkdir()
    connection = database.workspace()
    (own,) = [p for p in tmp_path.iterdir() if str(os.getpid()) in p.name]
    assert own.stat().st_mode & 0o077 == 0
    assert not dead.exists()
    assert alive.exists()
    connection.close()
    del connection


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_persons_go_when_a_signal_ends_the_process(tmp_path, name):
    code = f"""
import os, signal, sys
from bayesmig import signals
from bayesmig.models.emigration.microdata.ipums.database import workspace
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup has it ignored
connection = workspace()
print(os.listdir({str(tmp_path)!r}), flush=True)
try:
    with signals.stopping():
        os.kill(os.getpid(), signal.{name})
        signal.pause()
except KeyboardInterrupt:
    sys.exit(3)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "TMPDIR": str(tmp_path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 3, done.stderr
    assert "bayesmig-persons-" in done.stdout
    assert list(tmp_path.iterdir()) == []


# Priors


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("given = 1", "given must be a list of names"),
        ("given = [1]", "given must be a list of names"),
        ("name = 3", "name must be text"),
        ("about = []", "about must be text"),
        ("base = 3", "base must be text"),
        ("base = 'other.toml'", "unknown base 'other.toml'"),
        (f"[priors.intercept]\ndist = 'Normal'\nmu = {'9' * 5000}", "not TOML|not a number|finite"),
        ("a = " + "[" * 5000, "not TOML"),
        ("a = " + "{a=" * 5000, "not TOML"),
        ("priors = 3", "must be a table"),
        ("[priors.intercept]\ndist = 3", "dist must name"),
        ("[priors.intercept]\ndist = 'Normal'\ndims = 3", "dims are names"),
        ("x" * 1_000_001, "longer than"),
    ],
)
def test_a_file_of_priors_that_is_none_is_named(tmp_path, text, words):
    path = tmp_path / "p.toml"
    path.write_text(text)
    with pytest.raises(bm.PriorError, match=words) as found:
        CELLS.priors(path).table()
    assert len(str(found.value)) < 1000


def test_a_byte_order_mark_is_no_part_of_toml(tmp_path):
    path = tmp_path / "p.toml"
    path.write_text("\ufeff[priors.intercept]\ndist = 'Normal'\nmu = -3\nsigma = 1\n", "utf-8")
    assert str(CELLS.priors(path).specs["intercept"]) == "Normal(mu=-3, sigma=1)"


def test_marks_and_numbers_of_readers():
    table = pd.DataFrame({"a": ["1", "2.5", "-3e2", "", ".5", "+7."], "b": list("uvwxyz")})
    readers.check_numbers(table, ["a"], "here")
    readers.check_names(table, ["b"], "here")
    readers.check_numbers(table.assign(a=np.arange(6.0)), ["a"], "here")
