"""The SYNTHETIC survey as an IPUMS CPS extract: codes, labels, codebook, and the files.

Codes and labels are those of real IPUMS CPS codebooks; whom they belong to is invented.
"""

from __future__ import annotations

import functools
import gzip
import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, get_args
from xml.etree import ElementTree

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayesmig.errors import DataError, StudyError, check_option
from bayesmig.models.emigration.microdata.levels import COUNTRIES
from bayesmig.models.emigration.microdata.synthetic.people import arrival_interval
from bayesmig.models.emigration.microdata.synthetic.survey import NATIVE, Survey, survey
from bayesmig.models.emigration.microdata.synthetic.truth import checked, checked_years

Format = Literal["dat", "csv"]
Yrimmig = Literal["year", "interval"]

LABELS = Path(__file__).with_name("labels.csv")
NOTICE = (
    "SYNTHETIC DATA, simulated by bayesmig.  No person or household in this file was "
    "interviewed by any survey.  Layout and codes are those of an IPUMS CPS extract."
)
# Name, width, implied decimals, words
VARIABLES = (
    ("YEAR", 4, 0, "Survey year"),
    ("SERIAL", 5, 0, "Household serial number"),
    ("MONTH", 2, 0, "Month"),
    ("ASECFLAG", 1, 0, "Flag for ASEC"),
    ("MISH", 1, 0, "Month in sample, household level"),
    ("OWNERSHP", 2, 0, "Ownership of dwelling"),
    ("PERNUM", 2, 0, "Person number in sample unit"),
    ("CPSIDP", 14, 0, "CPSID, person record"),
    ("ASECWT", 11, 4, "Annual Social and Economic Supplement Weight"),
    ("ASECOVERP", 1, 0, "Identifier for ASEC oversample"),
    ("AGE", 2, 0, "Age"),
    ("SEX", 1, 0, "Sex"),
    ("RACE", 3, 0, "Race"),
    ("MOMLOC", 2, 0, "Mother's location in the household"),
    ("POPLOC", 2, 0, "Father's location in the household"),
    ("BPL", 5, 0, "Birthplace"),
    ("YRIMMIG", 4, 0, "Year of immigration"),
    ("CITIZEN", 1, 0, "Citizenship status"),
    ("MBPL", 5, 0, "Mother's birthplace"),
    ("FBPL", 5, 0, "Father's birthplace"),
    ("NATIVITY", 1, 0, "Foreign birthplace or parentage"),
    ("HISPAN", 3, 0, "Hispanic origin"),
    ("EDUC", 3, 0, "Educational attainment recode"),
    ("SCHLCOLL", 1, 0, "School or college attendance"),
    ("MIGRATE1", 1, 0, "Migration status, 1 year"),
    ("HEALTH", 1, 0, "Health status"),
)
US, PUERTO_RICO, GERMANY = 9900, 11000, 45300
BIRTHPLACES = {  # codes of a country's people, each equally often
    "Mexico": (20000,),
    "Central America": (21030, 21040, 21030, 21050, 21060, 21070, 21020, 21010),
    "North America": (15000,),
    "Cuba": (25000,),
    "Dominican Republic": (26010,),
    "Other Caribbean": (26030, 26020, 26060, 30025, 30030, 30040, 30050, 30015, 26044),
    "Europe": (45300, 41000, 41300, 43400, 45500, 43600, 41400, 43300, 42100, 45600),
    "China": (50000, 50000, 50010, 50040),
    "India": (52100,),
    "Philippines": (51500,),
    "Korea": (50200, 50220),
    "Other Asia": (51800, 51800, 50100, 53000, 52140, 51300, 51700, 51100),
    "Africa": (60031, 60044, 60023, 60094, 60033),
    "Other": (70010, 71021, 96000),
}
RACES = {"White": 100, "Black": 200, "Mexican": 100, "Hispanic": 100, "Other": 650}
ASIAN_ONLY = 651  # from 2003, when there could be more than one race
MEXICANS = (100, 102, 103, 108)
HISPANICS = {"Cuba": 300, "Dominican Republic": 610, "Central America": 610, "Other Caribbean": 610}
OTHER_HISPANIC = 600
GRADES = {
    "Less than high school": (2, 10, 20, 30, 40, 50, 60, 71),
    "High school": (73,),
    "Some college": (81, 91, 92),
    "College graduate": (111, 111, 123, 124, 125),
}
MOVES = (3, 3, 3, 4, 5)  # within the county, the state, between states
SCHOOLS = {"High school": (1, 1, 2), "College": (3, 3, 4), "Not enrolled": (5,)}


def write_extract(
    folder: str | Path,
    truth: Mapping[str, Any] | None = None,
    *,
    households: int = 2_000,
    years: Iterable[int] = range(1996, 2001),
    seed: int = 0,
    format: Format = "dat",
    compress: bool = True,
    yrimmig: Yrimmig = "year",
) -> Path:
    """Simulate a survey of addresses and write it as an IPUMS CPS extract.

    Addresses are interviewed in two consecutive years, in months-in-sample 1-4 and 5-8.
    Whoever has left is not followed; new occupants are interviewed instead.  Three files
    are written: the data, its DDI codebook (``.xml``), and beside them
    ``..._fates.csv.gz``, what became of everybody in months 1-4 (YEAR, SERIAL, PERNUM, fate,
    id_coincidence), and ``..._truth.json``.

    Foreign-born households are drawn far more often than they live in the US (40 % of
    householders first, 25 % second, 35 % third generation), so that a small file has
    enough of them.  A mover's new address is never another address of the sample.

    Parameters
    ----------
    folder : path
        Must exist.
    truth : mapping, optional
        See `truth.default_truth`; its ``survey`` holds the chance that a child draws its
        parent's lot (``child_with_parent``), an adult the householder's
        (``adult_with_householder``), and that somebody who is not followed up is replaced by
        another person of the same CPSIDP, half of them of the other sex, half of an
        impossible age (``id_coincidence``).
    households : int
        Addresses that enter the sample each year; as many again are in their second year.
    years : iterable of int
        Consecutive survey years, at least two, of those in the truth.
    seed : int
        The same seed gives the same bytes.
    format : {"dat", "csv"}
        Fixed width with implied decimals, or comma separated with decimal points.
    compress : bool
        gzip.
    yrimmig : {"year", "interval"}
        YRIMMIG as IPUMS coded it for long, the last year of the interval, or as it codes it
        now, a running number of the interval.

    Returns
    -------
    Path
        Of the data file, ``synthetic_cps_FIRST_LAST.dat.gz`` or the like.

    Raises
    ------
    DataError
        For a truth that is not one, or a folder that does not exist.
    StudyError
        For years that are not consecutive or not in the truth, too many households for the
        width of SERIAL, or another format or coding.
    """
    truth = checked(truth)
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; make it first")
    check_option("format", format, get_args(Format))
    check_option("yrimmig", yrimmig, get_args(Yrimmig))
    asked = checked_years(truth, years)
    if len(asked) < 2 or asked != list(range(asked[0], asked[-1] + 1)):
        raise StudyError(f"years={asked}: an extract needs consecutive years, at least two")
    found = survey(truth, households, asked, np.random.default_rng(seed))
    return write(folder, found, truth, format=format, compress=compress, yrimmig=yrimmig)


def write(
    folder: Path,
    found: Survey,
    truth: Mapping[str, Any],
    *,
    format: Format,
    compress: bool,
    yrimmig: Yrimmig,
) -> Path:
    """Write data, codebook, fates and truth of a survey; see `write_extract`."""
    years = found.records["year"]
    stem = f"synthetic_cps_{years.min()}_{years.max()}"
    codes = coded(found.records, yrimmig)
    content = _fixed_width(codes) if format == "dat" else _separated(codes)
    path = _put(folder / f"{stem}.{format}", content, compress)
    codebook = _codebook(f"{stem}.{format}", sorted(years.unique()), yrimmig)
    _put(folder / f"{stem}.xml", codebook, False)
    ids = {name: name.upper() for name in ("year", "serial", "pernum")}
    fates = found.fates.rename(columns=ids)
    _put(folder / f"{stem}_fates.csv", fates.to_csv(index=False, lineterminator="\n"), True)
    _put(folder / f"{stem}_truth.json", json.dumps(truth, indent=1) + "\n", False)
    return path


def coded(people: pd.DataFrame, yrimmig: Yrimmig = "year") -> pd.DataFrame:
    """Code persons as IPUMS does: integers, ASECWT in ten-thousandths; columns `VARIABLES`."""
    detail, house = people["detail"].to_numpy(), people["house"].to_numpy()
    country = people["country"].cat.codes.to_numpy()
    age, year = people["age"].to_numpy(), people["year"].to_numpy()
    generation = people["generation"].astype(str).to_numpy()
    outlying, abroad = people["outlying"].to_numpy(), people["american_abroad"].to_numpy()
    first = generation == "first"
    parents = [
        np.where(outlying, PUERTO_RICO, _birthplaces(people[f"{name}_country"].to_numpy(), house))
        for name in ("mother", "father")
    ]
    foreign = [(p != US) & ~outlying for p in parents]
    citizen = np.select(
        [outlying, abroad, ~first], [2, 3, 1], np.where(people["citizen"] == "Naturalized", 4, 5)
    )
    moved = _one_of(dict.fromkeys(["moved"], MOVES), people["residence"], detail)
    enrolment = _one_of(SCHOOLS, people["enrolment"], detail)
    race = people["race"].map(RACES).to_numpy(int)
    columns = {
        "YEAR": year,
        "SERIAL": people["serial"],
        "MONTH": 3,
        "ASECFLAG": 1,
        "MISH": people["month_in_sample"],
        "OWNERSHP": np.where(people["owner"], 10, np.where(house < 0.05, 21, 22)),
        "PERNUM": people["pernum"],
        "CPSIDP": people["cpsidp"],
        "ASECWT": np.rint(people["weight"] * 10_000),
        "ASECOVERP": people["oversample"],
        "AGE": _top_coded(age, year),
        "SEX": np.where(people["sex"] == "Male", 1, 2),
        "RACE": np.where((race == 650) & (year >= 2003), ASIAN_ONLY, race),
        "MOMLOC": people["mother"],
        "POPLOC": people["father"],
        "BPL": np.select(
            [first, outlying, abroad], [_birthplaces(country, house), PUERTO_RICO, GERMANY], US
        ),
        "YRIMMIG": _arrivals(people, citizen, yrimmig),
        "CITIZEN": citizen,
        "MBPL": parents[0],
        "FBPL": parents[1],
        "NATIVITY": np.where(first, 5, np.array([[1, 2], [3, 4]])[*(f * 1 for f in foreign)]),
        "HISPAN": _hispanic(people, detail),
        "EDUC": np.where(age < 15, 1, _one_of(GRADES, people["education"], detail)),
        "SCHLCOLL": np.where((age >= 16) & (age <= 24), enrolment, 0),
        "MIGRATE1": np.select(
            [people["residence"] == r for r in ("same", "moved", "abroad")], [1, moved, 6], 0
        ),
        "HEALTH": people["health"].cat.codes + 1,
    }
    return pd.DataFrame(columns).astype(np.int64)[[name for name, *_ in VARIABLES]]


def _top_coded(age: NDArray[np.int64], year: NDArray[np.int64]) -> NDArray[np.int64]:
    """AGE as released: in 2003 80 stands for all from 80, from 2004 80 for 80-84, 85 for more."""
    old = np.where(year >= 2004, age // 5 * 5, 80)
    return np.where((year >= 2003) & (age >= 80), np.minimum(old, 85), age)


def _one_of(codes: Mapping[str, tuple[int, ...]], labels: pd.Series, detail: Any) -> Any:
    """One of a label's codes for each person; 0 for labels that have none."""
    code = np.zeros(len(labels), int)
    for label, several in codes.items():
        here = (labels == label).to_numpy()
        code[here] = np.array(several)[(detail[here] * len(several)).astype(int)]
    return code


def _birthplaces(country: NDArray[Any], house: NDArray[Any]) -> NDArray[np.int64]:
    """Birthplaces of countries (codes): people of one country in one household share theirs."""
    code = np.full(len(country), US)
    for k, name in enumerate(COUNTRIES):
        here, several = country == k, np.array(BIRTHPLACES[name])
        code[here] = several[(house[here] * len(several)).astype(int)]
    assert (country >= NATIVE).all()
    return code


def _hispanic(people: pd.DataFrame, detail: Any) -> NDArray[np.int64]:
    mexican = np.array(MEXICANS)[(detail * len(MEXICANS)).astype(int)]
    country = people["country"].astype(str).map(HISPANICS).fillna(OTHER_HISPANIC).to_numpy(int)
    return np.select(
        [people["race"] == "Mexican", people["race"] == "Hispanic"], [mexican, country], 0
    )


def _arrivals(people: pd.DataFrame, citizen: Any, yrimmig: Yrimmig) -> NDArray[np.int64]:
    """YRIMMIG of those born outside the fifty states."""
    year = people["year"].to_numpy()
    first, last = arrival_interval(year, year - people["stay"].to_numpy())
    if yrimmig == "interval":
        numbers = {label: code for code, label in _labels("YRIMMIG", yrimmig).items()}
        words = pd.Series(first).astype(str) + "-" + pd.Series(last).astype(str)
        last = words.mask(last == 1949, "1949 or earlier").map(numbers).to_numpy(int)
    return np.where(citizen > 1, last, 0)


def _labels(variable: str, yrimmig: Yrimmig) -> dict[int, str]:
    """Return the labels of a variable's codes, if it has any."""
    table = _all_labels()
    name = f"YRIMMIG {yrimmig}" if variable == "YRIMMIG" else variable
    rows = table[table["variable"] == name]
    return dict(zip(rows["code"].astype(int), rows["label"], strict=True))


@functools.cache
def _all_labels() -> pd.DataFrame:
    return pd.read_csv(LABELS)


def _fixed_width(codes: pd.DataFrame) -> bytes:
    """Digits at fixed places, filled with zeros, a line each."""
    parts = []
    for name, width, _, _ in VARIABLES:
        value = codes[name].to_numpy()[:, None]
        assert ((value >= 0) & (value < 10**width)).all(), name
        parts.append((value // 10 ** np.arange(width - 1, -1, -1) % 10 + ord("0")).astype("u1"))
    parts.append(np.full((len(codes), 1), ord("\n"), "u1"))
    return np.hstack(parts).tobytes()


def _separated(codes: pd.DataFrame) -> str:
    """Comma separated with a header, decimal points written out."""
    table = codes.astype(object)
    for name, _, decimals, _ in VARIABLES:
        if decimals:
            whole, part = divmod(codes[name], 10**decimals)
            table[name] = whole.astype(str) + "." + part.astype(str).str.zfill(decimals)
    return table.to_csv(index=False, lineterminator="\n")


def _put(path: Path, content: str | bytes, compress: bool) -> Path:
    """Write a file, through a temporary one; gzip without a time, so that bytes repeat."""
    raw = content.encode() if isinstance(content, str) else content
    if compress:
        path, packed = path.with_name(path.name + ".gz"), io.BytesIO()
        with gzip.GzipFile(filename="", mode="wb", fileobj=packed, mtime=0) as file:
            file.write(raw)
        raw = packed.getvalue()
    temporary = path.with_name(path.name + ".part")
    temporary.write_bytes(raw)
    return temporary.replace(path)


def _codebook(filename: str, years: list[int], yrimmig: Yrimmig) -> bytes:
    """DDI 2.5 codebook with the parts that readers of IPUMS extracts want."""
    root = ElementTree.Element("codeBook", version="2.5", xmlns="ddi:codebook:2_5")
    _citation(_below(root, "docDscr"), f"Codebook for the SYNTHETIC extract {filename}")
    study = _below(root, "stdyDscr")
    citation = _citation(study, f"SYNTHETIC data in the layout of an IPUMS CPS extract: {filename}")
    series = _below(citation, "serStmt")
    _below(series, "serName", "SYNTHETIC, in the layout of IPUMS CPS", abbr="cps")
    _below(series, "serInfo", "SYNTHETIC: no DOI")
    info = _below(study, "stdyInfo")
    _below(info, "abstract", NOTICE)
    for year in years:
        note = "Additional notes on a sample that is part of this study:  IPUMS-CPS, ASEC"
        _below(info, "notes", f"{note} {year} (SYNTHETIC)")
    use = _below(_below(study, "dataAccs"), "useStmt")
    _below(use, "citReq", f"{NOTICE}  Cite it as synthetic data; never as IPUMS or the CPS.")
    _below(use, "conditions", NOTICE)
    text = _below(_below(root, "fileDscr", ID="ExtractData"), "fileTxt")
    _below(text, "fileName", filename)
    _below(text, "fileCont", "SYNTHETIC microdata records")
    _below(text, "fileStrc", type="rectangular")
    _below(text, "fileType", "ISO-8859-1 data file", charset="ISO-8859-1")
    _below(text, "format", "fixed length fields")
    _below(text, "filePlac", "simulated by bayesmig")
    data, end = _below(root, "dataDscr"), 0
    for name, width, decimals, words in VARIABLES:
        _variable(data, name, end + 1, width, decimals, words, _labels(name, yrimmig))
        end += width
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n"


def _citation(parent: Any, title: str) -> Any:
    citation = _below(parent, "citation")
    _below(_below(citation, "titlStmt"), "titl", title)
    _below(_below(citation, "prodStmt"), "producer", "bayesmig, by simulation")
    return citation


def _variable(
    parent: Any, name: str, start: int, width: int, decimals: int, words: str, labels: Any
) -> None:
    """Describe a variable: place, label, codes."""
    kind = "discrete" if labels else "contin"
    variable = _below(
        parent, "var", ID=name, dcml=str(decimals), files="ExtractData", intrvl=kind, name=name
    )
    place = {"EndPos": start + width - 1, "StartPos": start, "width": width}
    _below(variable, "location", **{key: str(value) for key, value in place.items()})
    _below(variable, "labl", words)
    implied = f"  {decimals} implied decimals in a fixed-width file." if decimals else ""
    _below(variable, "txt", f"{words} (SYNTHETIC).{implied}")
    for code, label in labels.items():
        category = _below(variable, "catgry")
        _below(category, "catValu", f"{code:0{width}d}")
        _below(category, "labl", label)
    _below(variable, "concept", "SYNTHETIC", vocab="IPUMS")
    _below(variable, "varFormat", schema="other", type="numeric")


def _below(parent: Any, tag: str, text: str | None = None, **attributes: str) -> Any:
    element = ElementTree.SubElement(parent, tag, attributes)
    element.text = text
    return element
