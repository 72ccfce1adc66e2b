"""Reading IPUMS CPS extracts: every format, and every bad file."""

import pandas as pd
import pytest
from studies.emigration_microdata.extracts import LABELS, OTHERS, WIDTHS, ddi, met, write

from bayesmig.errors import DataError, DataWarning, StudyError
from bayesmig.models.emigration.microdata.ipums import codes, database
from bayesmig.models.emigration.microdata.ipums.extract import load
from bayesmig.models.emigration.microdata.ipums.linking import link

# The file


@pytest.mark.parametrize("name", ["a.dat", "a.dat.gz", "a.csv", "a.csv.gz"])
@pytest.mark.parametrize("chunk", [1, 2, 1000])
def test_every_format_reads_the_same(tmp_path, name, chunk):
    rows = [*met(SERIAL=17, ASECWT=0.5), *OTHERS]
    made = load(write(tmp_path / name, rows), chunk=chunk)
    table = made.connection.execute("SELECT * FROM record ORDER BY line").df()
    assert list(table.line) == [n + (2 if ".csv" in name else 1) for n in range(6)]
    for at, typed in enumerate(rows):
        for variable in made.variables:
            assert table[variable][at] == typed[variable.upper()], variable
    assert table.asked.all()
    assert made.years == (2001, 2002)
    assert made.weight == "asecwt"
    assert made.attrs["title"] == f"IPUMS CPS, {name}"


def test_names_of_columns_in_any_case_order_and_company(tmp_path):
    names = {n.capitalize() if i % 2 else n.lower(): w for i, (n, w) in enumerate(WIDTHS.items())}
    names = {"Extra": 1, **dict(reversed(names.items()))}
    rows = [{**r, "Extra": "x"} for r in [*met(SERIAL=17), *OTHERS]]
    plain = link(load(write(tmp_path / "plain.dat", rows))).frame()
    mixed = write(tmp_path / "mixed.csv", rows, names)
    pd.testing.assert_frame_equal(link(load(mixed)).frame(), plain)


def test_windows_line_ends_byte_order_mark_and_blank_end(tmp_path):
    rows = [*met(SERIAL=17), *OTHERS]
    for name in ("a.dat", "a.csv"):
        path = write(tmp_path / name, rows, end="\r\n")
        mark = "\ufeff" if name == "a.csv" else ""
        path.write_text(mark + path.read_text() + "\r\n\r\n", newline="")
        assert len(link(load(path)).frame()) == 3


def test_the_codebook_may_lie_elsewhere(tmp_path):
    path = write(tmp_path / "a.dat", OTHERS, book="")
    (tmp_path / "codebook.xml").write_text(ddi(WIDTHS))
    made = load(path, tmp_path / "codebook.xml")
    assert made.attrs["codebook"] == "codebook.xml"
    assert made.attrs["citation"] == "Cite it."
    with pytest.raises(DataError, match=r"no codebook .*a\.xml; a fixed-width extract is read by"):
        load(path)
    with pytest.raises(DataError, match=r"no codebook .*absent\.xml"):
        load(path, tmp_path / "absent.xml")


def test_a_comma_separated_file_can_do_without_labels_and_says_so(tmp_path):
    path = write(tmp_path / "a.csv", OTHERS)
    assert load(path).attrs["labels"] == "not compared: no codebook"
    write(tmp_path / "a.csv", OTHERS, book=ddi(WIDTHS))
    assert load(path).attrs["labels"] == f"compared: {sum(map(len, LABELS.values()))} labels"


def test_a_codebook_that_says_synthetic_is_believed(tmp_path):
    assert load(write(tmp_path / "a.dat", OTHERS)).attrs["synthetic"] == ""
    path = write(tmp_path / "b.dat", OTHERS, cont="SYNTHETIC persons")
    assert load(path).attrs["synthetic"] == "SYNTHETIC persons"


def test_two_extracts_and_two_panels_in_one_database(tmp_path):
    base = database.workspace()
    one = load(write(tmp_path / "a.dat", [*met(SERIAL=17), *OTHERS]), connection=base)
    two = load(write(tmp_path / "b.dat", OTHERS), connection=base)
    panels = [link(one), link(two), link(one, sex=False)]
    assert [len(p.frame()) for p in panels] == [3, 2, 3]


def test_the_temporary_file_goes_with_its_panel(tmp_path, monkeypatch):
    monkeypatch.setattr(database.tempfile, "tempdir", str(tmp_path))
    made = link(load(write(tmp_path / "x" / "a.dat", OTHERS)))
    assert len(list(tmp_path.glob("bayesmig-*"))) == 1
    assert len(made.frame()) == 2
    del made
    assert not list(tmp_path.glob("bayesmig-*"))


def test_progress_is_shown_when_asked_for(tmp_path, capsys):
    load(write(tmp_path / "a.dat", OTHERS), progress=True)
    assert "reading records" in capsys.readouterr().out


# Bad files


def test_no_file_a_folder_another_kind_an_empty_one(tmp_path):
    with pytest.raises(DataError, match=r"absent\.dat: no such file"):
        load(tmp_path / "absent.dat")
    with pytest.raises(DataError, match="a folder; give the data file"):
        load(tmp_path)
    for name in ("a.dta", "a.xlsx", "a.DAT", "a.dat.zip"):
        (tmp_path / name).write_text("x")
        with pytest.raises(DataError, match=r"valid: \.dat or \.dat\.gz"):
            load(tmp_path / name)
    for name in ("b.dat", "b.csv"):
        (tmp_path / name).write_text("")
        with pytest.raises(DataError, match="empty"):
            load(tmp_path / name)


def test_only_a_header_or_only_blank_lines(tmp_path):
    with pytest.raises(DataError, match="no records"):
        load(write(tmp_path / "a.csv", []))
    with pytest.raises(DataError, match="no records"):
        load(write(tmp_path / "a.dat", []))
    with pytest.raises(DataError, match="no records"):
        load(write(tmp_path / "a.dat.gz", []))


@pytest.mark.parametrize("name", ["a.dat.gz", "a.csv.gz"])
def test_a_truncated_or_false_gzip_file(tmp_path, name):
    rows = [r for n in range(300) for r in met(SERIAL=n + 1)]
    path = write(tmp_path / name, rows)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="truncated or damaged"):
        load(path)
    path.write_bytes(b"no gzip at all")
    with pytest.raises(DataError, match="no gzip file, in spite of its name"):
        load(path)


def test_what_is_no_table_of_text(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"\x00\x01\x02\x03\xff\n")
    with pytest.raises(DataError, match="no names of columns"):
        load(tmp_path / "a.csv")
    path = write(tmp_path / "b.csv", OTHERS)
    path.write_bytes(path.read_bytes() + b"\xff" * 30 + b"\n")
    with pytest.raises(DataError, match="not a CSV file of text"):
        load(path)


def test_a_codebook_that_is_none_or_of_another_collection(tmp_path):
    path = write(tmp_path / "a.dat", OTHERS, book="no xml")
    with pytest.raises(DataError, match=r"a\.xml: no DDI codebook of IPUMS"):
        load(path)
    path = write(tmp_path / "a.dat", OTHERS, book="<codeBook/>")
    with pytest.raises(DataError, match=r"a\.xml: no DDI codebook of IPUMS"):
        load(path)
    with pytest.raises(DataError, match="an extract from IPUMS USA; codes differ"):
        load(write(tmp_path / "a.dat", OTHERS, collection="usa"))
    with pytest.raises(DataError, match="a hierarchical extract; ask IPUMS for a rectangular"):
        load(write(tmp_path / "a.dat", OTHERS, structure="hierarchical"))


def test_variables_that_lack_are_named_at_once_with_their_use(tmp_path):
    widths = {n: w for n, w in WIDTHS.items() if n not in ("MISH", "CPSIDP", "HEALTH")}
    for name in ("a.dat", "a.csv"):
        with pytest.raises(DataError) as error:
            load(write(tmp_path / name, OTHERS, widths))
        assert (
            "the extract lacks CPSIDP (to find a person again a year later), MISH (who is due for "
            "an interview a year later (months in sample 1-4)), HEALTH (mortality); it has YEAR"
        ) in str(error.value)


@pytest.mark.parametrize("name", ["a.dat", "a.csv"])
def test_a_column_that_is_there_twice(tmp_path, name):
    widths = {**WIDTHS, "sex": 1}
    with pytest.raises(DataError, match="SEX is there twice"):
        load(write(tmp_path / name, OTHERS, widths))


def test_lines_that_do_not_fit_the_codebook(tmp_path):
    path = write(tmp_path / "a.dat", OTHERS)
    lines = path.read_text().splitlines()
    width = sum(WIDTHS.values())
    for change, match in (
        (lines[2][:-1], f"line 3: {width - 1} characters, but by the codebook {width}"),
        (lines[2] + "0", f"line 3: {width + 1} characters"),
        ("", "line 3: blank, with records below it"),
        ("\n", "line 3: blank, with records below it"),
    ):
        path.write_text("\n".join([*lines[:2], change, lines[3]]) + "\n")
        with pytest.raises(DataError, match=match):
            load(path)


def test_a_comma_separated_line_that_does_not_fit(tmp_path):
    path = write(tmp_path / "a.csv", OTHERS, book=ddi({**WIDTHS, "INCTOT": 3}))
    with pytest.raises(DataError, match="does not fit: it has INCTOT, which the file has not"):
        load(path)
    path = write(tmp_path / "b.csv", OTHERS)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:3], lines[3] + ",1", lines[4]]) + "\n")
    with pytest.raises(DataError, match="line 4: 27 values for 26 columns"):
        load(path)


@pytest.mark.parametrize("name", ["a.dat", "a.csv"])
@pytest.mark.parametrize(
    ("variable", "value", "kind"),
    [("AGE", "4x", "a whole number"), ("ASECWT", "12..5", "a number"), ("SEX", "M", "a whole n"),
     ("RACE", "1.5", "a whole number"), ("ASECWT", "inf", "a number")],
)  # fmt: skip
def test_what_is_no_number(tmp_path, name, variable, value, kind):
    rows = [dict(r) for r in OTHERS]
    rows[2][variable] = value
    line = 4 if name == "a.csv" else 3
    with pytest.raises(DataError, match=f"line {line}, {variable}: '{value}' is not {kind}"):
        load(write(tmp_path / name, rows), chunk=2)


def test_a_codebook_of_other_columns_is_noticed(tmp_path):
    swapped = dict(WIDTHS)
    order = list(swapped)
    order[0], order[10] = order[10], order[0]
    book = ddi({n: swapped[n] for n in order})
    with pytest.raises(DataError, match=r"no records of the March supplement|is not a"):
        load(write(tmp_path / "a.dat", OTHERS, book=book))


def test_values_that_lack(panel):
    with pytest.raises(DataError, match="BPL is missing in 1 records, first in line 1"):
        panel(met(BPL=None))
    with pytest.raises(DataError, match="MISH is missing in 1 records, first in line 2"):
        panel(met(then={"MISH": None}))


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"MISH": 9}, "MISH is not 1-8 in 1 records, first in line 3"),
        ({"AGE": 121}, "AGE is not 0-120 in 1 records, first in line 3"),
        ({"CPSIDP": -1}, "CPSIDP is negative in 1 records, first in line 3"),
    ],
)
def test_values_that_cannot_be(tmp_path, changes, match):
    made = load(write(tmp_path / "a.csv", [OTHERS[0], {**OTHERS[1], **changes}, *OTHERS[2:]]))
    with pytest.raises(DataError, match=match):
        link(made)


def test_a_person_who_is_there_twice(tmp_path):
    with pytest.raises(DataError, match=r"lines 1 and 5 are the same person \(YEAR 2001, SERIAL"):
        load(write(tmp_path / "a.dat", [*OTHERS, *OTHERS]))


@pytest.mark.parametrize(
    ("option", "value"),
    [("labels", "maybe"), ("month", 13), ("chunk", 0)],
)
def test_options_of_reading_that_do_not_exist(tmp_path, option, value):
    with pytest.raises(StudyError, match=f"{option}={value!r}"):
        load(write(tmp_path / "a.dat", OTHERS), **{option: value})


# Labels


def test_labels_that_contradict_are_listed(tmp_path):
    older = {  # the list of citizenship that IPUMS had some years ago
        0: "NIU", 1: "Born abroad of American parents", 2: "Naturalized citizen", 3: "Not a citizen"
    }  # fmt: skip
    labels = {**LABELS, "CITIZEN": older, "BPL": {51100: "Philippines", 20000: "Mexico"}}
    path = write(tmp_path / "a.dat", OTHERS, labels=labels)
    with pytest.raises(DataError) as error:
        load(path)
    for part in (
        "a.xml contradicts the recodes: BPL 51100 is 'Philippines' there and 'Cambodia' for",
        "CITIZEN 1 is 'Born abroad of American parents' there and 'Born in U.S' for the recodes",
        "CITIZEN 2 is 'Naturalized citizen' there and 'Born in U.S. outlying'",
        "CITIZEN 3 is 'Not a citizen' there and 'Born abroad of American parents'",
    ):
        assert part in str(error.value)
    assert load(path, labels="ignore").attrs["labels"] == "not compared: labels='ignore'"


def test_codes_of_the_codebook_that_no_table_has_are_named_before_any_record(tmp_path):
    labels = {**LABELS, "BPL": {**LABELS["BPL"], 98765: "Atlantis"}, "RACE": {777: "Martian"}}
    path = write(tmp_path / "a.dat", OTHERS, labels=labels)
    path.write_bytes(path.read_bytes()[:-40])  # so that no record can be read
    with pytest.warns(DataWarning) as caught, pytest.raises(DataError, match="line"):
        load(path)
    (said,) = {str(w.message) for w in caught}
    assert "a.xml has codes that the recodes do not have" in said
    assert "BPL 98765 (Atlantis)" in said
    assert "RACE 777 (Martian)" in said


@pytest.mark.parametrize(
    ("variable", "code", "label", "fits"),
    [
        ("RACE", 200, "Black/Negro", True),
        ("RACE", 200, "BLACK ", True),
        ("RACE", 200, "Black-Asian", False),
        ("RACE", 999, "NIU", True),
        ("BPL", 45000, "Australia", False),
        ("BPL", 45000, "Austria", True),
        ("BPL", 60031, "Niger", False),
        ("BPL", 26054, "Dominican Republic", False),
        ("FBPL", 9900, "U.S., n.s.", True),
        ("EDUC", 73, "High school diploma or equivalent", True),
        ("EDUC", 73, "12th grade, no diploma", False),
        ("EDUC", 111, "Bachelors degree", True),
        ("EDUC", 111, "Master's degree", False),
        ("MIGRATE1", 6, "Abroad one year ago", True),
        ("MIGRATE1", 4, "Abroad one year ago", False),
        ("YRIMMIG", 19, "1996-1997", True),
        ("YRIMMIG", 19, "1996-1998", False),
        ("HEALTH", 2, "very good", True),
        ("HEALTH", 2, "Good", False),
        ("OWNERSHP", 10, "Owned or being bought (loan)", True),
        ("OWNERSHP", 10, "", False),
        ("HISPAN", 500, "Salvadoran", True),
        ("SCHLCOLL", 1, "Not enrolled", False),
        ("ASECOVERP", 1, "anything, as its labels are not known", True),
        ("BPL", 12345, "a code that only the codebook has", True),
        ("INCTOT", 1, "another variable", True),
    ],
)
def test_labels_one_by_one(variable, code, label, fits):
    conflicts, compared = codes.compare({variable: {code: label}})
    assert (not conflicts) == fits
    if conflicts:
        assert (conflicts[0].variable, conflicts[0].code) == (variable, code)
        assert compared == 1


def test_the_tables_agree_with_their_own_labels():
    for variable, name in codes.RECODED_BY.items():
        frame = codes.table(name)
        for part in range(3):
            labels = [words.split(" / ") for words in frame.label]
            found = {c: w[part] for c, w in zip(frame.code, labels, strict=True) if part < len(w)}
            assert codes.compare({variable: found})[0] == [], (variable, part)
