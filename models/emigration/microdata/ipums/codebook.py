"""The codebook of an extract: which variables it has, what they are for, what their labels say."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from xml.etree.ElementTree import ParseError

from bayesmig.errors import DataError, DataWarning, warn
from bayesmig.models.emigration.microdata.ipums import codes
from bayesmig.models.emigration.microdata.ipums.lines import header

if TYPE_CHECKING:
    from ipumspy.ddi import Codebook, VariableDescription

Labels = Literal["check", "ignore"]

# What ipumspy raises for a file that is not XML, or XML that is not a DDI codebook
UNREADABLE = (
    ParseError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
    OSError,
    NotImplementedError,
)
MARCH = 3  # the month of the Annual Social and Economic Supplement (ASEC)
# What every month needs, and what for
PURPOSE = {
    "YEAR": "the year of the interview",
    "MONTH": "the March supplement, or another month",
    "SERIAL": "the household",
    "PERNUM": "the person in the household",
    "CPSIDP": "to find a person again a year later",
    "MISH": "who is due for an interview a year later (months in sample 1-4)",
    "AGE": "covariate, and a rule of linking",
    "SEX": "covariate, and a rule of linking",
    "RACE": "mortality",
    "HISPAN": "mortality; Mexican origin where the birthplace is unknown",
    "BPL": "country of birth",
    "MBPL": "the second generation, and its origin",
    "FBPL": "the second generation, and its origin",
    "CITIZEN": "who is foreign born",
    "YRIMMIG": "years in the United States",
    "EDUC": "education",
    "SCHLCOLL": "school enrolment",
    "MOMLOC": "a child's parent",
    "POPLOC": "a child's parent",
}
OF_MARCH = {
    "ASECWT": "the weight",
    "ASECOVERP": "the oversample",
    "OWNERSHP": "home ownership",
    "HEALTH": "mortality",
    "MIGRATE1": "internal migration and return immigration",
}
OF_A_MONTH = {"WTFINL": "the weight"}
USED_IF_THERE = {True: ("ASECFLAG",), False: ("ASECFLAG", "ASECOVERP", "OWNERSHP", "HEALTH")}


def read_codebook(path: Path, ddi: str | Path | None, needed: bool) -> tuple[str, Codebook] | None:
    """Read the codebook given, or that of the same name."""
    beside = path.with_name(path.name.removesuffix(".gz").rsplit(".", 1)[0] + ".xml")
    where = Path(ddi) if ddi is not None else beside
    if not where.exists():
        if ddi is None and not needed:
            return None
        raise DataError(
            f"{path}: no codebook {where}; a fixed-width extract is read by its DDI (.xml, from "
            "the same page of IPUMS): put it beside the data or give ddi="
        )
    from ipumspy import readers

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # ipumspy asks to cite IPUMS; attrs["citation"] does
            book = readers.read_ipums_ddi(where)
    except UNREADABLE as error:
        raise DataError(f"{where}: no DDI codebook of IPUMS: {error!r}") from None
    if book.ipums_collection.lower() != "cps":
        raise DataError(
            f"{where}: the codebook of an extract from IPUMS {book.ipums_collection.upper()}; "
            "codes differ between the collections, and this study is of IPUMS CPS"
        )
    if book.file_description.structure != "rectangular":
        raise DataError(
            f"{where}: a {book.file_description.structure} extract; ask IPUMS for a rectangular "
            "one of persons"
        )
    return str(where), book


def columns_of(
    path: Path, book: tuple[str, Codebook] | None, fixed: bool
) -> dict[str, VariableDescription]:
    """Describe the columns of the file, by upper-case name."""
    described = {}
    if book:
        for variable in book[1].data_description:
            if variable.name.upper() in described:
                raise DataError(f"{book[0]}: variable {variable.name.upper()} is there twice")
            described[variable.name.upper()] = variable
    if fixed:
        return described
    found: dict[str, VariableDescription] = {}
    for name in header(path):
        if name.strip().upper() in found:
            raise DataError(f"{path}: line 1: column {name.strip().upper()} is there twice")
        found[name.strip().upper()] = _plain(name)
    absent = [name for name in described if name not in found]
    if absent:
        raise DataError(
            f"{path}: line 1: the codebook {book[0] if book else ''} does not fit: it has "
            f"{', '.join(absent)}, which the file has not"
        )
    return found


def _plain(name: str) -> VariableDescription:
    """Describe a column of which only the name is known."""
    from ipumspy.ddi import VariableDescription

    return VariableDescription(
        id=name, name=name, rectype="", codes={}, start=0, end=0, label="", description="",
        concept="", vartype="character", notes="", shift=None,
    )  # fmt: skip


def needed(month: int) -> dict[str, str]:
    """Variables that the survey of a month must have, and what each is for."""
    return {**PURPOSE, **(OF_MARCH if month == MARCH else OF_A_MONTH)}


def optional(month: int) -> tuple[str, ...]:
    """Variables that are used if the survey of a month has them."""
    return USED_IF_THERE[month == MARCH]


def lacking_of(found: Iterable[str], month: int) -> str:
    """Say which variables lack and what each is for; "" if none does."""
    lacking = {name: use for name, use in needed(month).items() if name not in found}
    if not lacking:
        return ""
    words = "the extract lacks " + ", ".join(f"{name} ({use})" for name, use in lacking.items())
    if month == MARCH and "WTFINL" in found and "ASECWT" in lacking:
        words += (
            ".  It seems to be of the basic monthly survey, which has no migration question; "
            "select the March supplement (ASEC) instead, or link another month by month="
        )
    return words


def synthetic_words(book: tuple[str, Codebook] | None) -> str:
    """Return the words by which a codebook says that its data are synthetic."""
    if book is None:
        return ""
    said = (book[1].file_description.description, book[1].ipums_citation)
    return next((w.strip() for w in said if w and "synthetic" in w.lower()), "")


def compare_labels(book: tuple[str, Codebook] | None, labels: str, where: str) -> str:
    """Compare the labels of a codebook with those of the recodes."""
    if book is None:
        return "not compared: no codebook"
    if labels == "ignore":
        return "not compared: labels='ignore'"
    found = {
        v.name.upper(): {c: w or "" for w, c in v.codes.items() if isinstance(c, int)}
        for v in book[1].data_description
    }
    conflicts, compared = codes.compare(found)
    if conflicts:
        shown = "; ".join(
            f"{c.variable} {c.code} is {c.found!r} there and {c.expected!r} for the recodes"
            for c in conflicts[:8]
        )
        more = f" (and {len(conflicts) - 8} more)" if len(conflicts) > 8 else ""
        raise DataError(
            f"{where}: the codebook {book[0]} contradicts the recodes: {shown}{more}.  An extract "
            "of another release of IPUMS CPS may have other codes; labels='ignore' reads it anyway"
        )
    absent = codes.absent(found)
    if absent:
        shown = "; ".join(f"{name} {code} ({words})" for name, code, words in absent[:8])
        more = f" (and {len(absent) - 8} more)" if len(absent) > 8 else ""
        warn(
            f"{where}: the codebook {book[0]} has codes that the recodes do not have: "
            f"{shown}{more}; records with one of them in a year followed up will be refused",
            DataWarning,
        )
    return f"compared: {compared} labels"
