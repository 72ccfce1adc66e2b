"""The report's recodes, on the codes of IPUMS CPS.

The SAS and Stata programs (Appendices A and B) recode the Census Bureau's codes of
1996-2005.  The tables in ``codes/`` give for each code of IPUMS its label, the Census code
it stands for where that decides, and the level that the programs make of it.  A code without
a level is one that says "unknown": who has it is counted and left out.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import pandas as pd

from bayesmig.errors import StudyError

if TYPE_CHECKING:
    import duckdb

China = Literal["program", "mainland"]
MiddleEast = Literal["program", "asia"]
NorthAfrica = Literal["program", "sas", "stata", "both"]
CHOICES = {"china": China, "middle_east": MiddleEast, "north_africa": NorthAfrica}

TABLES = Path(__file__).with_name("codes")
# The table that recodes a variable; the three birthplaces share one
RECODED_BY = {
    "BPL": "country",
    "MBPL": "country",
    "FBPL": "country",
    "CITIZEN": "citizen",
    "YRIMMIG": "arrival",
    "EDUC": "education",
    "SCHLCOLL": "enrolment",
    "RACE": "race",
    "HISPAN": "hispanic",
    "HEALTH": "health",
    "OWNERSHP": "owner",
    "SEX": "sex",
    "MIGRATE1": "migration",
    "ASECOVERP": "oversample",
    "ASECFLAG": "supplement",
}
JOINS = (  # alias, table, variable
    ("own", "country", "bpl"),
    ("mother", "country", "mbpl"),
    ("father", "country", "fbpl"),
    *((name, name, variable.lower()) for variable, name in RECODED_BY.items() if name != "country"),
)
ALIKE = 0.85  # share of letters in common from which two labels are misspellings of one
EGYPT, MIDDLE_EAST, TAIWAN, HONG_KONG = 415, 252, 238, 209  # Census codes
ELSEWHERE = 555  # Mexico for those of Mexican origin (Appendix A, Appendix B)
NATIVE_PARENT = 78  # Census codes of the US and its outlying areas, but 96 (Appendix A)
MOTHER_GIVES_WAY = 72  # up to this Census code the father's birthplace counts (Appendix B)
RECENT = 1.5  # years in the US up to which who was abroad is no return immigrant (Appendix B)


@dataclass(frozen=True)
class Choices:
    """Codes that the programs treat in a way that may be doubted.

    Attributes
    ----------
    china : {"program", "mainland"}
        Taiwan and Hong Kong (238, 209) are China, as in both programs, or Other Asia.
    middle_east : {"program", "asia"}
        "Middle East, not specified" (252) is Africa, where both programs list it with North
        Africa, or Other Asia, where Iran, Iraq or Syria are.
    north_africa : {"program", "sas", "stata", "both"}
        Egypt is 415.  SAS, which makes the first generation's country, lists it with North
        Africa; Stata, which makes the second generation's origin, lists Ethiopia (417)
        instead, which is African anyhow, so that the children of Egyptians are "Other".
        ``program``: each generation by its own program.  ``sas``: both by 415.  ``stata``:
        both by 417.  ``both``: 415 and 417, which comes to the same as ``sas``.
    """

    china: China = "program"
    middle_east: MiddleEast = "program"
    north_africa: NorthAfrica = "program"

    def __post_init__(self) -> None:
        """Raise `StudyError` for a choice that does not exist."""
        for name, valid in CHOICES.items():
            if getattr(self, name) not in get_args(valid):
                raise StudyError(
                    f"{name}={getattr(self, name)!r}; valid: {', '.join(get_args(valid))} "
                    "(program is what the report does)"
                )


@dataclass(frozen=True)
class Conflict:
    """A label of a codebook that is not the one of the recodes."""

    variable: str
    code: int
    found: str
    expected: str


@cache
def table(name: str) -> pd.DataFrame:
    """Return a table of codes as it is in ``codes/``, text but for ``code``.

    Parameters
    ----------
    name : str
        One of the values of `RECODED_BY`, or ``origin`` or ``topcode``.
    """
    frame = pd.read_csv(TABLES / f"{name}.csv", dtype=str, keep_default_na=False)
    return frame.assign(code=frame["code"].astype(int)) if "code" in frame else frame


def countries(choices: Choices | None = None) -> pd.DataFrame:
    """Return the country of each birthplace, for a choice of the doubtful ones.

    Parameters
    ----------
    choices : Choices, optional

    Returns
    -------
    DataFrame
        code (BPL, MBPL, FBPL), census_code (missing for "not in universe"), ``first`` and
        ``second``: the country for persons of the first generation born there and for those
        of the second whose parent was.
    """
    choices = choices or Choices()
    frame = table("country")
    census = pd.to_numeric(frame["census_code"], errors="coerce")
    country = frame["country"].copy()
    if choices.china == "mainland":
        country[census.isin([TAIWAN, HONG_KONG])] = "Other Asia"
    if choices.middle_east == "asia":
        country[census == MIDDLE_EAST] = "Other Asia"
    left_out = {"program": ["second"], "stata": ["first", "second"]}
    parts = {}
    for generation in ("first", "second"):
        parts[generation] = country.copy()
        if generation in left_out.get(choices.north_africa, []):
            parts[generation][census == EGYPT] = "Other"
    return pd.DataFrame({"code": frame["code"], "census_code": census.astype("Int64"), **parts})


def register(connection: duckdb.DuckDBPyConnection, choices: Choices | None = None) -> None:
    """Create the tables of codes (``code_sex``, ...) as temporary tables of a connection.

    ``code_country`` is that of `countries`; a level that is empty in the file is NULL.
    """
    frames = {name: table(name) for name in {*RECODED_BY.values(), "origin", "topcode"}}
    frames["country"] = countries(choices)
    for name, frame in frames.items():
        connection.register("codes", frame)
        empty = [c for c in frame if c in ("level", "first", "second")]
        columns = ", ".join(f"nullif({c}, '') AS {c}" if c in empty else str(c) for c in frame)
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE code_{name} AS SELECT {columns} FROM codes"
        )
        connection.unregister("codes")


def recoded(variables: Collection[str], weight: str, years: Iterable[int]) -> str:
    """Return the SQL of the report's recodes: a row for each record of the years.

    Parameters
    ----------
    variables : collection of str
        Columns that the table ``record`` has, in lower case; what it lacks is NULL.
    weight : str
        Which of them is the weight.
    years : iterable of int

    Returns
    -------
    str
        A query on ``record`` and the tables of `register`.  Besides the panel's columns it
        has asked, cpsidp, mish, sex_code, oldest, parent_pernum (MOMLOC, else POPLOC), place
        (Census code of the birthplace that decides), arrives_later, and generation "third".
    """

    def column(name: str) -> str:
        return f"r.{name}" if name in variables else "CAST(NULL AS BIGINT)"

    joins = "\n".join(
        f"LEFT JOIN code_{name} AS {alias} ON {alias}.code = {column(variable)}"
        for alias, name, variable in JOINS
    )
    return f"""
    WITH
    looked_up AS (
        SELECT
            r.year, r.month, r.serial, r.pernum, r.cpsidp, r.mish, r.age, r.oldest, r.asked,
            r.sex AS sex_code, r.{weight} AS weight,
            CASE WHEN r.momloc > 0 THEN r.momloc ELSE nullif(r.poploc, 0) END AS parent_pernum,
            sex.level AS sex, citizen.level AS citizenship, own.census_code AS own_code,
            own.first AS own_country, migration.level AS migration,
            coalesce(oversample.level = 'yes', false) AS oversample,
            owner.level = 'yes' AS owner,
            enrolment.level AS enrolment, education.level AS education, health.level AS health,
            CASE WHEN hispanic.level = 'by race' THEN race.level ELSE hispanic.level END AS race,
            CAST(arrival.level AS INTEGER) AS arrived,
            mother.census_code > {NATIVE_PARENT} AS mother_foreign,
            father.census_code > {NATIVE_PARENT} AS father_foreign,
            mother.census_code IS NULL OR (mother.census_code <= {MOTHER_GIVES_WAY}
                AND father.census_code > {MOTHER_GIVES_WAY}) AS by_father,
            CASE WHEN by_father THEN father.census_code ELSE mother.census_code END AS parent_code,
            CASE WHEN by_father THEN father.second ELSE mother.second END AS parent_country
        FROM record AS r
        {joins}
        WHERE r.year IN ({", ".join(map(str, years))})
    ),
    placed AS (
        SELECT *,
            CASE
                WHEN citizenship <> 'native' THEN 'first'
                WHEN citizenship IS NULL THEN NULL
                WHEN coalesce(mother_foreign, false) OR coalesce(father_foreign, false)
                    THEN 'second'
                WHEN mother_foreign IS NULL OR father_foreign IS NULL THEN NULL
                ELSE 'third'
            END AS generation,
            CASE generation WHEN 'first' THEN own_code WHEN 'second' THEN parent_code END AS place,
            year < arrived AS arrives_later
        FROM looked_up
    ),
    named AS (
        SELECT *,
            CASE
                WHEN place = {ELSEWHERE} AND race = 'Mexican' THEN 'Mexico'
                WHEN generation = 'first' THEN own_country
                WHEN generation = 'second' THEN parent_country
            END AS country,
            -- least and greatest would pass over an unknown year of arrival
            CASE WHEN generation = 'first' AND arrived IS NOT NULL
                THEN CAST(greatest(least(year - arrived, age), 0) AS DOUBLE) END AS years_in_us,
            CASE WHEN generation = 'first' THEN citizenship ELSE '' END AS citizen
        FROM placed
    )
    SELECT named.*, origin.origin,
        CASE
            WHEN age < 15 THEN '0-14'
            WHEN age >= 75 THEN '75+'
            ELSE concat(age // 5 * 5, '-', age // 5 * 5 + 4)
        END AS age_group,
        CASE
            WHEN generation <> 'first' THEN ''
            WHEN years_in_us < 5 THEN '0-4 yrs'
            WHEN years_in_us < 10 THEN '5-9 yrs'
            WHEN years_in_us >= 10 THEN '10+ yrs'
        END AS duration,
        CASE WHEN migration <> 'abroad' THEN migration = 'moved' END AS moved,
        CASE WHEN generation = 'first' AND migration IS NOT NULL
            THEN migration = 'abroad' AND years_in_us > {RECENT} END AS returned
    FROM named LEFT JOIN code_origin AS origin ON origin.country = named.country
    """


def differences() -> pd.DataFrame:
    """Return where the recodes depart from the programs, and the programs from the text.

    Returns
    -------
    DataFrame
        topic; here, program, text: what each does; place: where in the report; effect.
        ``kind``: "codes" where IPUMS makes the difference, "program" where the programs
        depart from the text or from each other and are followed, "choice" where an option
        decides, "estimator" where it is not about persons but about what is made of them.
    """
    with (TABLES / "differences.csv").open(encoding="utf-8", newline="") as file:
        return pd.DataFrame(list(csv.DictReader(file)))


def compare(found: Mapping[str, Mapping[int, str]]) -> tuple[list[Conflict], int]:
    """Compare a codebook's labels with those of the tables.

    Case, punctuation, a qualification added or cut off, and a misspelt letter do not matter.
    A label contradicts if it is not like its own, or more like that of another code.  Codes
    that only one of the two has are not compared.

    Parameters
    ----------
    found : mapping of str to mapping of int to str
        Labels by variable (upper case) and code.

    Returns
    -------
    list of Conflict
    int
        How many labels were compared.
    """
    conflicts, compared = [], 0
    for variable, name in RECODED_BY.items():
        frame = table(name)
        known = {c: text for c, text in zip(frame["code"], frame["label"], strict=True) if text}
        for code, words in found.get(variable, {}).items():
            if code not in known:
                continue
            compared += 1
            expected = known[code]
            own = _likeness(words, expected)
            if own < 1 and (
                own < ALIKE or any(_likeness(words, known[c]) > own for c in known if c != code)
            ):
                conflicts.append(Conflict(variable, code, words, expected.split(" / ")[0]))
    return conflicts, compared


def absent(found: Mapping[str, Mapping[int, str]]) -> list[tuple[str, int, str]]:
    """Return variable, code and label of a codebook's codes that no table has."""
    return [
        (variable, code, words)
        for variable, name in RECODED_BY.items()
        for code, words in found.get(variable, {}).items()
        if code not in set(table(name)["code"])
    ]


@lru_cache(100_000)  # the labels of one codebook and of the next are mostly the same
def _likeness(words: str, expected: str) -> float:
    """How alike a label is to the most similar of the expected ones, 0 to 1."""
    return max(_alike(_plain(words), _plain(label)) for label in expected.split(" / "))


def _alike(one: str, other: str) -> float:
    if one == other:
        return 1.0
    share = SequenceMatcher(None, one, other).ratio()
    first, second = sorted((one.split(), other.split()), key=len)
    qualified = bool(first) and second[: len(first)] == first  # "Black", "Black or Negro"
    return max(share, 0.95) if qualified else share


@cache
def _plain(words: str) -> str:
    """Lower case, without punctuation; full stops and apostrophes leave no gap."""
    closed = re.sub(r"[.']", "", words.casefold().replace("&", " and "))
    return " ".join(re.sub(r"[^\w]+", " ", closed).split())


def as_words(choices: Choices) -> dict[str, str]:
    """Return the choices as they go into the attributes of a panel."""
    return {name: str(value) for name, value in asdict(choices).items()}
