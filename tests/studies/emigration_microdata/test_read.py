"""Reading and linking IPUMS CPS extracts: every recode, every loss, every bad file.

The extracts are written here, person by person; what they should become is stated or
recomputed in plain loops from the printed SAS and Stata programs.
"""

import gzip
import itertools
import json
import random

import numpy as np
import pandas as pd
import pytest

from bayesmig.errors import DataError, DataWarning, StudyError
from bayesmig.models.emigration.microdata import codes, extract, linking
from bayesmig.models.emigration.microdata.extract import load
from bayesmig.models.emigration.microdata.linking import COLUMNS, link, panel_of_frame

WIDTHS = {
    "YEAR": 4, "SERIAL": 5, "MONTH": 2, "CPSID": 14, "ASECFLAG": 1, "MISH": 1, "OWNERSHP": 2,
    "PERNUM": 2, "CPSIDP": 14, "ASECOVERP": 1, "ASECWT": 11, "AGE": 2, "SEX": 1, "RACE": 3,
    "BPL": 5, "YRIMMIG": 4, "CITIZEN": 1, "MBPL": 5, "FBPL": 5, "HISPAN": 3, "MOMLOC": 2,
    "POPLOC": 2, "EDUC": 3, "SCHLCOLL": 1, "MIGRATE1": 1, "HEALTH": 1,
}  # fmt: skip
MONTHLY = {
    **{n: w for n, w in WIDTHS.items() if n not in ("ASECWT", "ASECOVERP", "MIGRATE1", "HEALTH")},
    "WTFINL": 14,
}
DECIMALS = {"ASECWT": 4, "WTFINL": 4}
# As IPUMS writes them (July 2023 and later)
LABELS = {
    "SEX": {1: "Male", 2: "Female", 9: "NIU"},
    "CITIZEN": {
        1: "Born in U.S", 2: "Born in U.S. outlying", 3: "Born abroad of American parents",
        4: "Naturalized citizen", 5: "Not a citizen", 9: "NIU",
    },
    "RACE": {100: "White", 200: "Black", 651: "Asian only", 999: "Blank"},
    "BPL": {9900: "United States, n.s.", 20000: "Mexico", 52130: "Burma",
            26080: "St. Vincent and the Grenadi", 45200: "Czechoslavakia", 45770: "Montenego"},
    "MBPL": {9900: "U.S., n.s.", 30065: "Venezuala", 60035: "Sengal", 52130: "Burma (Myanmar)",
             59900: "Asia, n.e.c, /n.s."},
    "YRIMMIG": {0: "NIU", 1999: "1998-1999 (1999 CPS: 1996-1999)", 2004: "2002-2004"},
    "ASECFLAG": {1: "ASEC", 2: "March Basic"},
    "MIGRATE1": {0: "NIU", 1: "Same house", 6: "Abroad", 9: "Unknown"},
}  # fmt: skip
MAN = {
    "MONTH": 3, "CPSID": 0, "ASECFLAG": 1, "MISH": 2, "OWNERSHP": 22, "PERNUM": 1,
    "ASECOVERP": 0, "ASECWT": 1500.25, "WTFINL": 1400.5, "AGE": 30, "SEX": 1, "RACE": 100,
    "BPL": 20000, "YRIMMIG": 1989, "CITIZEN": 5, "MBPL": 20000, "FBPL": 20000, "HISPAN": 100,
    "MOMLOC": 0, "POPLOC": 0, "EDUC": 73, "SCHLCOLL": 0, "MIGRATE1": 1, "HEALTH": 3,
}  # fmt: skip
SECOND = {"BPL": 9900, "CITIZEN": 1, "YRIMMIG": 0, "SERIAL": 900}
serials = itertools.count(1000)


def person(year=2001, **changes):
    """Return a record: a Mexican man of 30, in month in sample 2."""
    serial = changes.pop("SERIAL", next(serials))
    number = {"CPSIDP": 20010100000000 + serial * 100 + changes.get("PERNUM", 1)}
    return {**MAN, "YEAR": year, "SERIAL": serial, **number, **changes}


def met(year=2001, then=None, **changes):
    """Return the two records of somebody who is found again: a year older, in month + 4."""
    first = person(year, **changes)
    later = {**first, "YEAR": year + 1, "AGE": min(first["AGE"] + 1, 85), "MISH": first["MISH"] + 4}
    return [first, {**later, **(then or {})}]


OTHERS = [*met(**SECOND), *met(SERIAL=901)]  # one of each generation: a panel needs both


def ddi(widths, labels=LABELS, collection="cps", structure="rectangular", cont="Microdata"):
    """Return a codebook as IPUMS writes it, shortened."""
    start, variables = 1, []
    for name, width in widths.items():
        categories = "".join(
            f"<catgry><catValu>{code:0{width}d}</catValu><labl>{label}</labl></catgry>"
            for code, label in labels.get(name, {}).items()
        )
        variables.append(
            f'<var ID="{name}" dcml="{DECIMALS.get(name.upper(), 0)}" files="ExtractData" '
            f'intrvl="contin" name="{name}"><location EndPos="{start + width - 1}" '
            f'StartPos="{start}" width="{width}"/><labl>{name}</labl><txt>{name}</txt>'
            f'{categories}<concept vocab="IPUMS">V</concept>'
            '<varFormat schema="other" type="numeric"/></var>'
        )
        start += width
    return (
        '<?xml version="1.0" encoding="UTF-8"?><codeBook xmlns="ddi:codebook:2_5" version="2.5">'
        f'<stdyDscr><citation><serStmt><serName abbr="{collection}">IPUMS</serName>'
        "<serInfo>DOI</serInfo></serStmt></citation><dataAccs><useStmt><citReq>Cite it.</citReq>"
        "<conditions>Use it for good.</conditions></useStmt></dataAccs></stdyDscr><fileDscr>"
        f"<fileTxt><fileName>x.dat</fileName><fileCont>{cont}</fileCont>"
        f'<fileStrc type="{structure}"/><fileType charset="ISO-8859-1">ISO</fileType>'
        "<format>fixed length fields</format><filePlac>IPUMS</filePlac></fileTxt></fileDscr>"
        f"<dataDscr>{''.join(variables)}</dataDscr></codeBook>"
    )


def field(row, name, width):
    value = row.get(name)
    if value is None:
        return " " * width
    if isinstance(value, str):
        return f"{value:>{width}}"
    return f"{round(value * 10 ** DECIMALS.get(name, 0)):0{width}d}"


def write(path, rows, widths=WIDTHS, book=None, end="\n", **about):
    """Write records as an extract, by the ending of its name."""
    path.parent.mkdir(exist_ok=True)
    opened = gzip.open if path.suffix == ".gz" else open
    if ".csv" in path.name:
        head = list(widths)
        lines = [",".join(str(row.get(n, row.get(n.upper(), ""))) for n in head) for row in rows]
        lines = [",".join(head), *lines]
    else:
        lines = ["".join(field(row, n, w) for n, w in widths.items()) for row in rows]
        book = ddi(widths, **about) if book is None else book
    with opened(path, "wt", newline="") as file:
        file.write(end.join(lines) + end)
    if book:
        path.with_name(path.name.split(".")[0] + ".xml").write_text(book)
    return path


@pytest.fixture
def panel(tmp_path):
    """Return a function from records to their panel."""

    def make(*people, others=True, month=3, widths=WIDTHS, read=None, **rules):
        rows = [row for part in people for row in (part if isinstance(part, list) else [part])]
        rows += OTHERS if others else []
        path = write(tmp_path / "cps_00001.dat", rows, widths)
        return link(load(path, month=month, **(read or {})), **rules)

    return make


def row(made, serial, pernum=1):
    """Return the panel's row of a person."""
    frame = made.frame()
    found = frame[(frame.serial == serial) & (frame.pernum == pernum)]
    assert len(found) == 1, frame
    return found.iloc[0]


def counted(made, step, year="total"):
    """Return the persons left after a step, or the number whom it lost."""
    at = made.flow[(made.flow.year == year) & (made.flow.step == step)].iloc[0]
    return int(at.persons if pd.isna(at.lost) else at.lost)


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
    base = extract.workspace()
    one = load(write(tmp_path / "a.dat", [*met(SERIAL=17), *OTHERS]), connection=base)
    two = load(write(tmp_path / "b.dat", OTHERS), connection=base)
    panels = [link(one), link(two), link(one, sex=False)]
    assert [len(p.frame()) for p in panels] == [3, 2, 3]


def test_the_temporary_file_goes_with_its_panel(tmp_path, monkeypatch):
    monkeypatch.setattr(extract.tempfile, "tempdir", str(tmp_path))
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


# The recodes against the printed programs


def sas_country(census, mexican):
    """Table 13's row of a person's country of birth, typed from Appendix A."""
    row = {
        1: "Mexico", 2: "Central America", 3: "Cuba", 4: "Dominican Republic", 5: "China",
        6: "Philippines", 7: "Korea", 8: "India", 9: "Other Asia", 10: "Africa", 11: "Africa",
        12: "Europe", 13: "North America", 14: "Other Caribbean", 15: "Other",
    }  # fmt: skip

    def rpob():
        if census == 315:
            return 1
        if census == 337:
            return 3
        if census == 339:
            return 4
        if census in (207, 238, 209):
            return 5
        if census == 231:
            return 6
        if census in (217, 218):
            return 7
        if census == 210:
            return 8
        if census in (310, 311, 312, 313, 314, 315, 316, 317, 318):
            return 2
        if census in (415, 436, 468, 252):
            return 10
        if 200 <= census <= 253:
            return 9
        if 417 <= census <= 462:
            return 11
        if 103 <= census <= 148:
            return 12
        if 300 <= census <= 304:
            return 13
        if 333 <= census <= 389:
            return 14
        if census == 555 and mexican:
            return 1
        return 15

    return row[rpob()]


def stata_origin(census, mexican):
    """The merged origin of a code of the second generation, typed from Appendix B."""
    country = sas_country(census, mexican)
    if census == 415:  # Stata's list of North Africa has 417 in its place
        country = "Other"
    return {
        "Other Asia": "Asia", "Korea": "Asia", "Philippines": "Asia",
        "Other Caribbean": "Caribbean", "Dominican Republic": "Caribbean",
    }.get(country, country)  # fmt: skip


BIRTHPLACES = codes.table("country")
BIRTHPLACES = BIRTHPLACES[BIRTHPLACES.census_code != ""]


@pytest.mark.parametrize("hispanic", [100, 200])
def test_every_birthplace_as_the_programs_have_it(panel, hispanic):
    census = dict(zip(BIRTHPLACES.code, BIRTHPLACES.census_code.astype(int), strict=True))
    own = [person(SERIAL=20000 + n, BPL=code, HISPAN=hispanic) for n, code in enumerate(census)]
    parents = [
        person(**{**SECOND, "SERIAL": 30000 + n}, MBPL=code, FBPL=20000, HISPAN=hispanic)
        for n, code in enumerate(census)
    ]
    made = panel(own, parents).frame().set_index("serial")
    for n, code in enumerate(census):
        mexican = hispanic == 100
        assert made.country[20000 + n] == sas_country(census[code], mexican), code
        # a mother from the US, Puerto Rico, ... gives way to the father, a Mexican here
        deciding = 315 if census[code] <= 72 else census[code]
        assert made.origin[30000 + n] == stata_origin(deciding, mexican), code


def test_origin_of_the_first_generation_is_merged_as_stata_does(panel):
    codes_of_both = zip(BIRTHPLACES.code, BIRTHPLACES.census_code.astype(int), strict=True)
    places = dict(enumerate(codes_of_both, 20000))
    made = panel([person(SERIAL=n, BPL=code, HISPAN=0) for n, (code, _) in places.items()])
    origin = made.frame().set_index("serial").origin
    for n, (_, census) in places.items():
        expected = "Africa" if census == 415 else stata_origin(census, False)
        assert origin[n] == expected


@pytest.mark.parametrize(
    ("choice", "changes", "expected"),
    [
        ({}, {"BPL": 50040}, "China"),
        ({}, {"BPL": 50010}, "China"),
        ({"china": "mainland"}, {"BPL": 50040}, "Other Asia"),
        ({"china": "mainland"}, {"BPL": 50010}, "Other Asia"),
        ({"china": "mainland"}, {"BPL": 50000}, "China"),
        ({}, {"BPL": 54700}, "Africa"),
        ({"middle_east": "asia"}, {"BPL": 54700}, "Other Asia"),
        ({"middle_east": "asia"}, {"BPL": 54350}, "Other Asia"),
        ({"middle_east": "asia"}, {"BPL": 60014}, "Africa"),
        ({}, {"BPL": 60012}, "Africa"),
        ({"north_africa": "sas"}, {"BPL": 60012}, "Africa"),
        ({"north_africa": "stata"}, {"BPL": 60012}, "Other"),
        ({"north_africa": "both"}, {"BPL": 60012}, "Africa"),
        ({}, {**SECOND, "MBPL": 60012}, "Other"),
        ({"north_africa": "sas"}, {**SECOND, "MBPL": 60012}, "Africa"),
        ({"north_africa": "stata"}, {**SECOND, "MBPL": 60012}, "Other"),
        ({"north_africa": "both"}, {**SECOND, "MBPL": 60012}, "Africa"),
        ({"north_africa": "stata"}, {"BPL": 60044}, "Africa"),
        ({"north_africa": "sas"}, {**SECOND, "MBPL": 60044}, "Africa"),
    ],
)
def test_the_codes_that_the_program_confuses_are_options(panel, choice, changes, expected):
    made = panel(person(**{**changes, "SERIAL": 17}), **choice)
    assert row(made, 17).country == expected
    said = json.loads(made.attrs["codes"])
    assert said == {
        "china": "program",
        "middle_east": "program",
        "north_africa": "program",
        **choice,
    }


@pytest.mark.parametrize("name", ["china", "middle_east", "north_africa"])
def test_choices_that_do_not_exist(panel, name):
    with pytest.raises(StudyError, match=f"{name}='x'; valid: program, "):
        panel([], **{name: "x"})


GENERATIONS = [
    ({"CITIZEN": 5}, "first"),
    ({"CITIZEN": 4, "MBPL": 9900, "FBPL": 9900}, "first"),
    ({"CITIZEN": 1, "MBPL": 20000, "FBPL": 9900}, "second"),
    ({"CITIZEN": 1, "MBPL": 9900, "FBPL": 20000}, "second"),
    ({"CITIZEN": 2, "MBPL": 20000, "FBPL": 9900}, "second"),
    ({"CITIZEN": 3, "MBPL": 20000, "FBPL": 9900}, "second"),
    ({"CITIZEN": 1, "MBPL": 12090, "FBPL": 9900}, "second"),  # 96 > 78
    ({"CITIZEN": 1, "MBPL": 96000, "FBPL": 9900}, "second"),  # 555 > 78
    ({"CITIZEN": 1, "MBPL": 99999, "FBPL": 20000}, "second"),
    ({"CITIZEN": 1, "MBPL": 9900, "FBPL": 9900}, "third generation"),
    ({"CITIZEN": 1, "MBPL": 11000, "FBPL": 11500}, "third generation"),
    ({"CITIZEN": 3, "MBPL": 9900, "FBPL": 9900}, "third generation"),
    ({"CITIZEN": 9}, "citizenship or parents' birthplace not given"),
    ({"CITIZEN": 1, "MBPL": 99999, "FBPL": 9900}, "citizenship or parents' birthplace not given"),
]


def test_generations(panel):
    made = panel([person(SERIAL=n, **at) for n, (at, _) in enumerate(GENERATIONS, 1)])
    for n, (changes, generation) in enumerate(GENERATIONS, 1):
        if generation not in ("first", "second"):
            assert n not in set(made.frame().serial), changes
            continue
        found = row(made, n)
        assert found.generation == generation, changes
        naturalized = {4: "Naturalized", 5: "Not a citizen"}.get(changes["CITIZEN"], "")
        assert found.citizen == naturalized
        assert (found.duration == "") == (generation == "second")
        assert np.isnan(found.years_in_us) == (generation == "second")
    assert counted(made, "third generation") == 3
    assert counted(made, "citizenship or parents' birthplace not given") == 2


def test_whose_birthplace_is_the_second_generations(panel):
    parents = [
        ({"MBPL": 15000, "FBPL": 20000}, "North America"),  # the mother's comes first
        ({"MBPL": 9900, "FBPL": 20000}, "Mexico"),
        ({"MBPL": 11000, "FBPL": 20000}, "Mexico"),  # Puerto Rico is 72
        ({"MBPL": 11500, "FBPL": 20000}, "Other"),  # the Virgin Islands are 78, above 72
        ({"MBPL": 99999, "FBPL": 15000}, "North America"),
        ({"MBPL": 15000, "FBPL": 9900}, "North America"),
    ]
    made = panel([person(**{**SECOND, "SERIAL": n}, **at) for n, (at, _) in enumerate(parents, 1)])
    for n, (at, country) in enumerate(parents, 1):
        assert row(made, n).country == country, at


ARRIVALS = [  # year of the survey, YRIMMIG, age; years, duration, returned
    (2001, 2001, 30, 0, "0-4 yrs", 0),
    (2001, 1999, 30, 2, "0-4 yrs", 1),
    (2001, 1997, 30, 4, "0-4 yrs", 1),
    (2001, 1995, 30, 6, "5-9 yrs", 1),
    (2001, 1991, 30, 10, "10+ yrs", 1),
    (2001, 1949, 80, 52, "10+ yrs", 1),
    (2001, 1995, 3, 3, "0-4 yrs", 1),  # no longer than one's age
    (2001, 1999, 1, 1, "0-4 yrs", 0),
    (2006, 2008, 30, 0, "0-4 yrs", 0),  # an interval that ends after the survey
    (2001, 1, 80, 52, "10+ yrs", 1),  # the newer list: 1949 or earlier
    (2001, 25, 30, 0, "0-4 yrs", 0),  # 1998-2001
    (2001, 19, 30, 4, "0-4 yrs", 1),  # 1996-1997
    (2001, 16, 30, 6, "5-9 yrs", 1),  # 1994-1995
    (2001, 22, 30, 3, "0-4 yrs", 1),  # 1998
]


@pytest.mark.parametrize("year", [2001, 2006])
def test_years_since_arrival(panel, year):
    others = [{**r, "YEAR": r["YEAR"] - 2001 + year} for r in OTHERS]
    cases = {n: at for n, at in enumerate(ARRIVALS, 1) if at[0] == year}
    people = [
        person(year, SERIAL=n, YRIMMIG=arrived, AGE=age, MIGRATE1=6, MOMLOC=2)
        for n, (_, arrived, age, *_) in cases.items()
    ]
    mothers = [person(year, SERIAL=n, PERNUM=2, SEX=2) for n in cases]
    made = panel(people, mothers, others, others=False)
    for n, (_, arrived, _, *expected) in cases.items():
        found = row(made, n)
        assert [found.years_in_us, found.duration, found.returned] == expected, arrived
        assert pd.isna(found.moved)
    assert counted(made, "arrival interval ends after the survey") == (year == 2006)


def test_the_last_year_of_an_interval_gives_the_same_groups_as_its_middle():
    """SAS's avgpoe may be the middle of the interval; the report's years, both lists."""
    frame = codes.table("arrival")
    for code, label in zip(frame.code, frame.label, strict=True):
        for year in range(1996, 2005):
            bounds = [int(y) for y in label.split(" ")[0].split("-") if y.isdigit()]
            if len(bounds) != 2 or bounds[1] > year or bounds[1] < 1981:
                continue
            if bounds[1] - bounds[0] > 1 and bounds[1] < year:
                continue  # an open interval of an earlier survey
            middle, last = year - sum(bounds) / 2, year - bounds[1]
            assert [middle < 5, middle < 10, middle > 1.5] == [last < 5, last < 10, last > 1.5], (
                code
            )


def test_age_groups_as_sas_makes_them():
    ages = range(1, 100)
    connection = extract.workspace()
    codes.register(connection)
    rows = pd.DataFrame([{n.lower(): v for n, v in person(AGE=age).items()} for age in ages])
    rows = rows.assign(oldest=rows.age, asked=True, line=1)
    connection.register("record", rows)
    query = codes.recoded(set(rows), "asecwt", [2001])
    found = dict(connection.execute(f"SELECT age, age_group FROM ({query})").fetchall())
    for age in ages:
        agegrp = min(age // 5, 15)  # Appendix A: 0 is 0-4, ..., 15 is 75 and over
        assert found[age] == linking.AGE_GROUPS[0 if agegrp < 3 else agegrp - 2], age


EDUCATION = {
    "Less than high school": [*range(3), *range(10, 15), *range(20, 23), *range(30, 33),
                              40, 50, 60, 70, 71],
    "High school": [72, 73],
    "Some college": [80, 81, 90, 91, 92, 100],
    "College graduate": [110, 111, *range(120, 126)],
}  # fmt: skip
RACES = [300, 650, 651, 652, 700, *range(801, 821), 830, 999]
HISPANICS = {
    "Mexican": [100, 102, 103, 104, 108, 109],
    "Hispanic": [200, 300, 400, 500, 600, 610, 611, 612],
}


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("education", {("EDUC", c): level for level, at in EDUCATION.items() for c in at}),
        ("enrolment", {("SCHLCOLL", 0): "Not enrolled", ("SCHLCOLL", 1): "High school",
                       ("SCHLCOLL", 2): "High school", ("SCHLCOLL", 3): "College",
                       ("SCHLCOLL", 4): "College", ("SCHLCOLL", 5): "Not enrolled"}),
        ("health", {("HEALTH", 1): "Excellent", ("HEALTH", 2): "Very good", ("HEALTH", 3): "Good",
                    ("HEALTH", 4): "Fair", ("HEALTH", 5): "Poor"}),
        ("owner", {("OWNERSHP", 0): False, ("OWNERSHP", 10): True, ("OWNERSHP", 21): False,
                   ("OWNERSHP", 22): False}),
        ("sex", {("SEX", 1): "Male", ("SEX", 2): "Female"}),
        ("race", {("RACE", 100): "White", ("RACE", 200): "Black",
                  **{("RACE", c): "Other" for c in RACES}}),
        ("race", {("HISPAN", c): level for level, at in HISPANICS.items() for c in at}),
        ("race", {("HISPAN", c): "White" for c in (0, 901, 902)}),
        ("moved", {("MIGRATE1", 1): 0, ("MIGRATE1", 2): 1, ("MIGRATE1", 3): 1, ("MIGRATE1", 4): 1,
                   ("MIGRATE1", 5): 1, ("MIGRATE1", 6): None, ("MIGRATE1", 0): None,
                   ("MIGRATE1", 9): None}),
        ("returned", {("MIGRATE1", 1): 0, ("MIGRATE1", 2): 0, ("MIGRATE1", 6): 1,
                      ("MIGRATE1", 0): None, ("MIGRATE1", 9): None}),
    ],
)  # fmt: skip
def test_every_level_of_the_other_recodes(panel, column, expected):
    plain = {"HISPAN": 0} if ("RACE", 100) in expected else {}
    people = [
        person(SERIAL=5000 + n, **{**plain, variable: code})
        for n, (variable, code) in enumerate(expected)
    ]
    made = panel(people).frame().set_index("serial")[column]
    for n, ((variable, code), level) in enumerate(expected.items()):
        found = made[5000 + n]
        assert pd.isna(found) if level is None else found == level, (variable, code)


def test_second_generation_moves_and_does_not_return(panel):
    made = panel(person(**{**SECOND, "SERIAL": 17}, MIGRATE1=6), person(
        **{**SECOND, "SERIAL": 18}, MIGRATE1=4))  # fmt: skip
    assert pd.isna(row(made, 17).returned)
    assert pd.isna(row(made, 17).moved)
    assert row(made, 18).moved == 1


def test_who_does_not_say_is_left_out_and_counted(panel):
    silent = {
        "education not given": {"EDUC": 999},
        "health not given": {"HEALTH": 0},
        "sex not given": {"SEX": 9},
        "year of arrival not given": {"YRIMMIG": 0},
        "birthplace not given": {"BPL": 99999},
    }
    made = panel(*(met(SERIAL=n, **at) for n, at in enumerate(silent.values(), 1)))
    for step in silent:
        assert counted(made, step) == counted(made, step, 2001) == 1, step
    assert set(made.frame().serial) == {900, 901}


def test_birthplaces_elsewhere_are_counted(panel):
    made = panel(person(BPL=96000, HISPAN=0, SERIAL=17), person(BPL=96000, SERIAL=18))
    assert row(made, 17).country == row(made, 17).origin == "Other"
    assert row(made, 18).country == row(made, 18).origin == "Mexico"
    assert counted(made, "birthplace elsewhere or unknown") == 2


def test_codes_that_no_table_has(panel):
    with pytest.raises(DataError) as error:
        panel(person(BPL=61234), person(BPL=61234), person(EDUC=74), person(2002, RACE=5))
    said = str(error.value)
    assert "BPL 61234: 2 records, first in line 1 (country.csv)" in said
    assert "EDUC 74: 1 records, first in line 3 (education.csv)" in said
    assert "RACE" not in said  # of a year that is only looked into


def test_differences_say_where_and_list_what_the_design_lists():
    found = codes.differences()
    assert list(found) == ["kind", "topic", "here", "program", "text", "place", "effect"]
    assert set(found.kind) == {"codes", "program", "choice", "estimator"}
    assert (found != "").all(axis=None)
    assert found.topic.is_unique
    assert found.place.str.contains("Appendi").all()
    said = " ".join(found.program)
    for code in ("207", "238", "209", "252", "415", "417", "333-389", "103-148", "78", "72"):
        assert code in said


# Linking


def test_who_is_found_a_year_later(panel):
    made = panel(met(SERIAL=17), person(SERIAL=18))
    assert row(made, 17).followed
    assert not row(made, 18).followed
    assert counted(made, "linked") == 3
    assert counted(made, "no id match") == 1
    assert counted(made, "panel") == counted(made, "eligible") == 4
    assert counted(made, "records") == 4  # of the year that is followed up


def test_only_months_in_sample_1_to_4_are_due(panel):
    made = panel([person(SERIAL=n, MISH=n) for n in range(1, 9)])
    assert set(made.frame().serial) == {1, 2, 3, 4, 900, 901}
    assert counted(made, "in months in sample 5-8") == 4


def test_every_loss_of_linking(panel):
    cases = [
        ({"CPSIDP": 5}, "no id match"),
        ({"YEAR": 2003}, "no id match"),
        ({"SEX": 2}, "sex differs"),
        ({"SEX": 2, "AGE": 50}, "sex differs"),  # counted once
        ({"AGE": 29}, "age differs"),
        ({"AGE": 33}, "age differs"),
        ({"AGE": 30}, "linked"),
        ({"AGE": 32}, "linked"),
        ({"MISH": 5}, "month in sample differs"),
        ({"MISH": 2}, "month in sample differs"),
    ]
    third = [{**r, "YEAR": 2003} for r in OTHERS[1::2]]  # so that there is a year 2003
    people = [met(SERIAL=n, then=then) for n, (then, _) in enumerate(cases, 1)]
    made = panel(*people, third, years=[2001])
    for n, (then, fate) in enumerate(cases, 1):
        assert row(made, n).followed == (fate == "linked"), then
    expected = dict.fromkeys(linking.FATES, 0)
    for fate in [fate for _, fate in cases] + ["linked"] * 2:
        expected[fate] += 1
    for year in (2001, "total"):
        assert {fate: counted(made, fate, year) for fate in linking.FATES} == expected
    assert sum(expected.values()) == counted(made, "panel")


@pytest.mark.parametrize(
    ("then", "rules"),
    [
        ({"SEX": 2}, {"sex": False}),
        ({"AGE": 60}, {"age_difference": None}),
        ({"AGE": 33}, {"age_difference": (0, 1, 2, 3)}),
        ({"AGE": 29}, {"age_difference": range(-1, 3)}),
        ({"MISH": 5}, {"month_in_sample": False}),
    ],
)
def test_every_rule_of_linking_can_be_lifted(panel, then, rules):
    people = met(SERIAL=17, then=then)
    assert not row(panel(people), 17).followed
    made = panel(people, **rules)
    assert row(made, 17).followed
    for name, value in rules.items():
        said = json.loads(made.attrs["rules"])[name]
        assert said == (value if value is None or value is False else list(value))


TOPCODES = {
    2001: [(90, 90, True),  # 90 and over
           (89, 90, True), (87, 90, False),
           (80, 85, False)],  # exact in these years
    2002: [(86, 80, True),  # 80 and over in 2003
           (79, 80, True), (77, 80, False), (81, 79, False)],
    2003: [(80, 85, True), (80, 80, True)],  # 80 and over, then 85 and over
    2004: [(80, 85, True), (80, 80, True),  # 80-84
           (79, 80, True), (78, 85, False), (85, 85, True), (85, 80, False)],
    2005: [(80, 85, True), (80, 87, False), (79, 85, False)],
}  # fmt: skip


@pytest.mark.parametrize("year", TOPCODES)
def test_ages_at_the_top_are_bounds(panel, year):
    others = [{**r, "YEAR": r["YEAR"] - 2001 + year} for r in OTHERS]
    cases = dict(enumerate(TOPCODES[year], 1))
    people = [met(year, SERIAL=n, AGE=age, then={"AGE": later})
              for n, (age, later, _) in cases.items()]  # fmt: skip
    made = panel(*people, others, others=False)
    for n, (age, later, linked) in cases.items():
        assert row(made, n).followed == linked, (age, later)


def test_duplicates(panel, tmp_path):
    twins = [*met(SERIAL=17, CPSIDP=8), *met(SERIAL=18, CPSIDP=8), *met(SERIAL=19, CPSIDP=9)]
    later = {**twins[-1], "SERIAL": 20}  # twice in the next year only
    made = panel(twins, later)
    assert counted(made, "identifier twice in the year") == 2
    assert counted(made, "id twice in the next year") == 1
    assert {17, 18}.isdisjoint(made.frame().serial)
    assert not row(made, 19).followed
    with pytest.raises(DataError) as error:
        panel(twins, later, duplicates="raise")
    for part in ("2001: 1 identifiers of 2 records, first in line 1", "2002: 2 identifiers of 4"):
        assert part in str(error.value)


def test_who_has_no_identifier(panel):
    made = panel(met(SERIAL=17, CPSIDP=0), met(SERIAL=18, CPSIDP=0))
    assert counted(made, "no identifier") == 2
    assert counted(made, "kept without identifier") == 0
    assert {17, 18}.isdisjoint(made.frame().serial)
    kept = panel(met(SERIAL=17, CPSIDP=0), met(SERIAL=18, CPSIDP=0), unlinkable="keep")
    assert not row(kept, 17).followed
    assert counted(kept, "kept without identifier") == 2
    assert counted(kept, "panel") == 4


def test_the_oversample(panel):
    def over(serial, first, later=0, **changes):
        people = met(SERIAL=serial, ASECOVERP=1, CPSIDP=first * 10**8 + serial, **changes)
        people[1]["MISH"] = people[0]["MISH"] + later  # means nothing in the oversample
        return people

    people = [
        over(17, 200011, MISH=5), over(18, 200005), over(19, 200004), over(20, 200104),
        met(SERIAL=21, ASECOVERP=1, CPSIDP=0),
    ]  # fmt: skip
    made = panel(*people)
    assert counted(made, "oversample") == 5
    assert set(made.frame().serial) == {900, 901}
    made = panel(*people, oversample="cpsidp")
    assert set(made.frame().serial) == {17, 18, 20, 900, 901}
    assert [row(made, n).followed for n in (17, 18, 20)] == [True] * 3
    assert [row(made, n).oversample for n in (17, 900)] == [True, False]
    assert counted(made, "in months in sample 5-8") == 1
    assert counted(made, "oversample without identifier") == 1


@pytest.mark.parametrize("weight", [0, None])
def test_weights_that_are_not_positive(panel, weight):
    people = [met(SERIAL=17, ASECWT=weight), met(SERIAL=18, then={"ASECWT": weight})]
    with pytest.raises(DataError) as error:
        panel(*people)
    assert "ASECWT is zero, negative or missing: 2001: 1 records" in str(error.value)
    assert "first in lines 1" in str(error.value)
    assert "2002: 2 records" in str(error.value)
    made = panel(*people, weights="drop")
    assert counted(made, "weight not positive") == 1
    assert row(made, 18).followed
    assert row(made, 18).weight == 1500.25


def test_negative_weights(tmp_path):
    path = write(tmp_path / "a.csv", [*met(ASECWT=-2), *OTHERS])
    with pytest.raises(DataError, match=r"2001: 1 records \(0 missing, the least -2\), first"):
        link(load(path))


@pytest.mark.parametrize(
    ("option", "value"),
    [("oversample", "x"), ("duplicates", "x"), ("unlinkable", "x"), ("weights", "x"),
     ("age_difference", ()), ("age_difference", ("0",)), ("years", 2001.5)],
)  # fmt: skip
def test_rules_that_do_not_exist(panel, option, value):
    with pytest.raises(StudyError, match=option):
        panel([], **{option: value})


def test_the_rules_on_many_persons_against_plain_loops(panel):
    chance = random.Random(1)
    people = []
    for serial in range(1, 401):
        for year in (2001, 2002, 2003):
            for pernum in (1, 2):
                if chance.random() < 0.25:
                    continue
                people.append(person(
                    year, SERIAL=serial, PERNUM=pernum,
                    CPSIDP=0 if chance.random() < 0.05
                    else 20000100000000 + chance.randint(1, 900),
                    MISH=chance.randint(1, 8), SEX=chance.randint(1, 2),
                    AGE=chance.randint(28, 31), CITIZEN=chance.choice([1, 5]),
                    MBPL=chance.choice([9900, 20000]), ASECOVERP=int(chance.random() < 0.05),
                    HEALTH=chance.choice([0, 3, 3, 3]), MIGRATE1=chance.choice([0, 1, 3, 6]),
                ))  # fmt: skip
    for at in people:  # FBPL is Mexico for all
        at["FBPL"] = at["MBPL"]
    made = panel(people, others=False)
    expected, fates = {}, dict.fromkeys(linking.FATES, 0)
    for one in people:
        if one["YEAR"] == 2003 or one["MISH"] > 4 or one["ASECOVERP"] or one["HEALTH"] == 0:
            continue
        if one["CITIZEN"] == 1 and one["MBPL"] == 9900:
            continue
        same = [o for o in people if o["YEAR"] == one["YEAR"] and o["CPSIDP"] == one["CPSIDP"]]
        if one["CPSIDP"] == 0 or len(same) > 1:
            continue
        later = [o for o in people if o["YEAR"] == one["YEAR"] + 1
                 and o["CPSIDP"] == one["CPSIDP"]]  # fmt: skip
        if not later:
            fate = "no id match"
        elif len(later) > 1:
            fate = "id twice in the next year"
        elif later[0]["MISH"] != one["MISH"] + 4:
            fate = "month in sample differs"
        elif later[0]["SEX"] != one["SEX"]:
            fate = "sex differs"
        elif later[0]["AGE"] - one["AGE"] not in (0, 1, 2):
            fate = "age differs"
        else:
            fate = "linked"
        fates[fate] += 1
        expected[one["YEAR"], one["SERIAL"], one["PERNUM"]] = fate == "linked"
    frame = made.frame()
    found = dict(zip(zip(frame.year, frame.serial, frame.pernum, strict=True), frame.followed,
                     strict=True))  # fmt: skip
    assert found == expected
    assert {fate: counted(made, fate) for fate in linking.FATES} == fates
    assert min(n for fate, n in fates.items() if fate != "kept without identifier") > 0


# Children


FAMILY = {"SERIAL": 50}
CHILD = {**FAMILY, "PERNUM": 3, "AGE": 8, "EDUC": 1, "YRIMMIG": 1997}
MOTHER = {**FAMILY, "PERNUM": 2, "SEX": 2, "EDUC": 81, "AGE": 36, "SCHLCOLL": 4, "OWNERSHP": 22}


def test_a_child_has_its_parents_covariates(panel):
    made = panel(met(**FAMILY), met(**MOTHER, BPL=25000), person(**CHILD, MOMLOC=2, POPLOC=1))
    child = row(made, 50, 3)
    assert child[[n for n in COLUMNS if n.startswith("parent_")]].to_dict() == {
        "parent_pernum": 2, "parent_generation": "first", "parent_age": 36,
        "parent_age_group": "35-39", "parent_sex": "Female", "parent_origin": "Cuba",
        "parent_enrolment": "College", "parent_education": "Some college", "parent_followed": True,
    }  # fmt: skip
    assert child.age_group == "0-14"
    assert not child.followed
    assert row(made, 50, 1)[["parent_pernum", "parent_generation"]].isna().all()
    assert counted(made, "children") == 1
    assert counted(made, "adults, first generation") == 3


def test_the_father_where_no_mother_is_there_and_not_followed(panel):
    made = panel(person(**FAMILY), person(**MOTHER), person(**CHILD, MOMLOC=0, POPLOC=1))
    child = row(made, 50, 3)
    assert (child.parent_pernum, child.parent_sex) == (1, "Male")
    assert child.parent_followed is not pd.NA
    assert not child.parent_followed


def test_a_parent_of_the_second_generation(panel):
    made = panel(person(**MOTHER, BPL=9900, CITIZEN=1, YRIMMIG=0), person(**CHILD, MOMLOC=2))
    assert row(made, 50, 3).parent_generation == "second"


def test_children_without_a_usable_parent_are_counted(panel):
    absent, third, unusable = linking.OF_CHILDREN
    cases = [
        ({}, 0, absent),
        ({"CITIZEN": 1, "MBPL": 9900, "FBPL": 9900}, 2, third),
        ({"AGE": 14}, 2, unusable),
        ({"HEALTH": 0}, 2, unusable),
        ({"CPSIDP": 0}, 2, unusable),
        ({}, 7, unusable),
    ]
    people = []
    for n, (mother, momloc, _) in enumerate(cases, 50):
        people += [person(**{**MOTHER, "SERIAL": n, **mother}),
                   person(**{**CHILD, "SERIAL": n}, MOMLOC=momloc)]  # fmt: skip
    made = panel(people)
    assert counted(made, "children") == 0
    assert counted(made, absent) == 1 + 1  # and the mother of 14 herself
    assert [counted(made, step, 2001) for step in (third, unusable)] == [1, 4]


def test_age_0_and_children_of_the_second_generation_are_left_out(panel):
    baby = {**CHILD, "AGE": 0, "MOMLOC": 2, "MIGRATE1": 0}
    native = {**CHILD, "PERNUM": 4, "CITIZEN": 1, "BPL": 9900, "MOMLOC": 2}
    made = panel(person(**MOTHER), person(**baby), person(**native))
    assert counted(made, "age 0") == 1
    assert counted(made, "second generation under 15") == 1
    assert counted(made, "children") == 0
    teenager = panel(person(**{**native, "AGE": 15}))
    assert row(teenager, 50, 4).generation == "second"


# Years, months, generations


def test_one_year_only(panel):
    with pytest.raises(DataError, match="one year only, 2001; .* needs 2002 too"):
        panel(person(), person(**SECOND), others=False)


def test_years_without_successor(panel):
    later = [[{**r, "YEAR": r["YEAR"] + 3} for r in OTHERS]]  # 2004, 2005
    with pytest.raises(DataError) as error:
        panel(*later)
    assert (
        "years 2001, 2002, 2004, 2005: no successor of 2002.  Pairs of consecutive years: "
        "2001-2002, 2004-2005; years=(2001, 2004) uses these"
    ) in str(error.value)
    made = panel(*later, years=(2001, 2004))
    assert set(made.frame().year) == {2001, 2004}
    assert json.loads(made.attrs["years"]) == [2001, 2004]
    assert list(dict.fromkeys(made.flow.year)) == [2001, 2004, "total"]
    assert set(panel(*later, years=[2004]).frame().year) == {2004}
    for years in ((2002,), (2001, 2005), ()):
        with pytest.raises(DataError, match=r"cannot be followed up; the extract has 2001, 2002"):
            panel(*later, years=years)
    with pytest.raises(DataError, match="Pairs of consecutive years: none$"):
        panel([{**r, "YEAR": 2009} for r in OTHERS[::2]], OTHERS[::2], others=False)


def test_a_middle_year_is_looked_into_and_followed_up(panel):
    made = panel(met(2001, SERIAL=17), met(2002, SERIAL=18))
    frame = made.frame()
    assert list(zip(frame.year, frame.serial, frame.followed, strict=True)) == [
        (2001, 17, True), (2001, 900, True), (2001, 901, True), (2002, 18, True)
    ]  # fmt: skip
    assert [counted(made, "records", y) for y in (2001, 2002, "total")] == [3, 4, 7]


def test_a_generation_that_lacks(panel):
    for serial, name in ((901, "second"), (900, "first")):
        rows = [r for r in OTHERS if r["SERIAL"] == serial]
        with pytest.raises(DataError) as error:
            panel(rows, person(MISH=7), others=False)
        assert f"no adult of the {name} generation among 2 records; left out: in months in " in str(
            error.value
        )
    with pytest.raises(DataError, match="no adult of the first or second generation"):
        panel([{**r, "MISH": 8} for r in OTHERS], others=False)


def test_a_basic_monthly_extract_is_refused_unless_asked_for(tmp_path):
    rows = [{**r, "MONTH": 5, "ASECFLAG": None} for r in [*met(SERIAL=17), *OTHERS]]
    path = write(tmp_path / "may.dat", rows, MONTHLY)
    with pytest.raises(DataError) as error:
        load(path)
    assert "lacks ASECWT (the weight), ASECOVERP" in str(error.value)
    assert "seems to be of the basic monthly survey" in str(error.value)
    assert "link another month by month=" in str(error.value)
    with pytest.raises(DataError, match="no records of month 6; it has 6 of month 5"):
        load(path, month=6)
    with pytest.warns(DataWarning, match="no HEALTH; the panel's owner or health is then unknown"):
        made = link(load(path, month=5))
    found = row(made, 17)
    assert found.followed
    assert found.weight == 1400.5
    assert found.month == 5
    assert pd.notna(found.owner)
    assert not found.owner
    assert found[["moved", "returned", "health"]].isna().all()
    assert made.attrs["month"] == "5"
    assert made.attrs["weight"] == "WTFINL"


def test_march_basic_records_are_no_supplement(tmp_path):
    basic = [{**r, "ASECFLAG": 2} for r in OTHERS]
    with pytest.raises(DataError, match=r"no records of the March supplement .* \(4 of month 3\)"):
        load(write(tmp_path / "a.dat", basic))
    april = [{**r, "MONTH": 4, "ASECFLAG": None, "ASECWT": None} for r in OTHERS]
    made = link(load(write(tmp_path / "a.dat", [*OTHERS, *basic, *april])))
    assert counted(made, "records") == 6
    assert counted(made, "another month or the March basic survey") == 4
    assert counted(made, "linked") == 2


def test_the_flow_adds_up_and_prints(panel):
    made = panel(met(SERIAL=17), met(2001, SERIAL=18, MISH=6, then={"MISH": 8}), person(AGE=0))
    for year in (2001, "total"):
        part = made.flow[made.flow.year == year]
        left = part.iloc[0].persons
        for _, at in part.iterrows():
            if at.step == "panel":
                break
            left -= 0 if pd.isna(at.lost) else at.lost
            assert at.persons == left
        assert left == len(made.frame())
    assert list(made.flow) == ["year", "step", "persons", "lost"]
    assert "month" in made.flow.to_string()
    assert json.loads(made.flow.to_json(orient="records"))[0]["step"] == "records"


# Panels of frames


@pytest.fixture
def frame(panel):
    people = panel(
        met(**FAMILY), met(**MOTHER), person(**CHILD, MOMLOC=2), met(SERIAL=17, MIGRATE1=6)
    )
    return people.frame()


def test_a_panel_and_its_frame_are_the_same(frame):
    again = panel_of_frame(frame, {"title": "t"})
    pd.testing.assert_frame_equal(again.frame(), frame)
    assert again.attrs == {"synthetic": "", "title": "t"}
    assert counted(again, "panel") == len(frame)
    assert counted(again, "linked", 2001) == int(frame.followed.sum())
    assert list(frame) == list(COLUMNS)
    kinds = again.connection.execute("DESCRIBE person").df()
    assert dict(zip(kinds.column_name, kinds.column_type, strict=True)) == COLUMNS


def test_categories_and_other_columns_are_taken(frame):
    odd = frame.assign(other=1).astype({"sex": "category", "parent_sex": "category"})
    pd.testing.assert_frame_equal(panel_of_frame(odd).frame(), frame)


@pytest.mark.parametrize(
    ("column", "value", "match"),
    [
        ("sex", "male", "row 0, column sex: 'male' is none of 'Male', 'Female'"),
        ("country", "Atlantis", "'Atlantis' is none of 'Mexico'"),
        ("age_group", "20-24", "'20-24' is not that of the age"),
        ("age", 0, "0 is not an age of 1-120"),
        ("age", 30.5, "column age"),
        ("weight", 0.0, "is not a positive weight"),
        ("weight", np.nan, "column weight"),
        ("moved", 2, "is neither 0 nor 1"),
        ("followed", "yes", "column followed: .* are not true or false"),
        ("followed", None, "column followed"),
        ("generation", "third", "is none of 'first', 'second'"),
        ("generation", "second", "is for the first generation, and only it"),
        ("duration", "", "is for the first generation, and only it"),
        ("citizen", "", "is for the first generation, and only it"),
        ("years_in_us", np.nan, "is for the first generation, and only it"),
        ("parent_sex", "Male", "is for children under 15, and only them"),
        ("serial", 50, "is there twice"),
    ],
)
def test_frames_that_are_no_panel(frame, column, value, match):
    at = frame.index[(frame.serial == 17)][0] if column != "sex" else 0
    bad = frame.astype({column: object})
    bad.loc[at, column] = value
    with pytest.raises(DataError, match=match):
        panel_of_frame(bad)


def test_frames_without_columns_or_persons(frame):
    with pytest.raises(DataError, match="lacks the columns owner, parent_age of a panel"):
        panel_of_frame(frame.drop(columns=["owner", "parent_age"]))
    with pytest.raises(DataError, match="no persons"):
        panel_of_frame(frame.iloc[:0])
