"""Extracts written person by person, as IPUMS would write them."""

import gzip
import itertools

import pandas as pd

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
