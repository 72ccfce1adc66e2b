"""The essay's numbers, entered twice: the shipped CSV files against the typed entry."""

import re
from pathlib import Path

import pandas as pd
import pytest

import bayesmig as bm
from bayesmig.printed import COLUMNS

ENTRY = Path(__file__).parents[2] / "entry"
PUBLISHED = Path(__file__).parents[3] / "models" / "transnationalism" / "published"
WORDS = {"three years": "3", "another three": "3", "six years": "6", "seven-to-one": "7",
         "eighth": "8", "ninth": "9", "more than doubles": "doubles"}  # fmt: skip
HEADERS = {
    "table1": "industry number percent decimals median_income masters_percent country "
    "country_percent source",
    "coefficients": "outcome predictor estimate decimals stars source",
    "derived": "outcome predictor quantity estimate decimals source",
    "table3": "group parentage measure estimate decimals source",
    "table4": "group measure estimate decimals source",
    "prose": "name stated unit source",
    "claims": "claim quote section table groups measure reference kind stated source",
}


def text(path, **options):
    """A file as it stands: strings, so that 0.4 and 0.40 differ."""
    return pd.read_csv(path, dtype=str, keep_default_na=False, **options)


def shipped(name):
    return text(PUBLISHED / f"{name}.csv")


def typed(name):
    return text(ENTRY / f"transnationalism_{name}_typed.tsv", sep="\t")


def cells(table, key):
    """The typed cells of a table, one a row, as they are printed."""
    long = table.melt(key, var_name="column", value_name="cell")
    return long[long.cell != "--"]


def number(words):
    """A typed number as the shipped one: a zero before the point, no commas."""
    return re.sub(r"^(-?)\.", r"\g<1>0.", words.replace(",", ""))


def decimals(words):
    return str(len(words.partition(".")[2]))


@pytest.mark.parametrize("name", HEADERS)
def test_columns(name):
    assert list(shipped(name)) == HEADERS[name].split()


def test_table1():
    first, second = shipped("table1"), typed("table1")
    assert list(first.industry) == list(second.industry)
    for column in ("number", "median_income", "masters_percent", "percent"):
        assert list(first[column]) == [number(x) for x in second[column]]
    assert list(first.decimals) == [decimals(x) for x in second.percent]
    assert list(first.country + " (" + first.country_percent + ")") == list(second.country)


def test_table2():
    found = {}
    for row in cells(typed("table2"), "predictor").to_dict("records"):
        words = re.fullmatch(r"(-?[\d.]+)(\**|#)", row["cell"])
        found[row["column"], row["predictor"]] = (number(words[1]), decimals(words[1]), words[2])
    coefficients = {
        (r["outcome"], r["predictor"]): (r["estimate"], r["decimals"], r["stars"])
        for r in shipped("coefficients").to_dict("records")
    }
    columns = {"net_probability": "p", "percent_change": "percent"}
    derived = {
        (columns[r["quantity"]], r["predictor"]): (r["estimate"], r["decimals"], "")
        for r in shipped("derived").to_dict("records")
    }
    assert len(coefficients) == 26
    assert len(derived) == 13
    assert found == {**coefficients, **derived}
    by_outcome = shipped("coefficients").outcome.value_counts()
    assert dict(by_outcome) == {"economic": 9, "political": 9, "sociocultural": 8}


@pytest.mark.parametrize(
    ("name", "key"), [("table3", ["group", "parentage"]), ("table4", ["group"])]
)
def test_rates(name, key):
    first, second = shipped(name), cells(typed(name), key)
    left = {
        (*(r[k] for k in key), r["measure"]): (r["estimate"], r["decimals"])
        for r in first.to_dict("records")
    }
    right = {
        (*(r[k] for k in key), r["column"]): (r["cell"], decimals(r["cell"]))
        for r in second.to_dict("records")
    }
    assert len(left) == len(first) == {"table3": 48, "table4": 21}[name]
    assert left == right


def test_prose():
    first, second = shipped("prose"), typed("prose")
    assert list(first.name) == list(second.name)
    assert list(first.source.str.rpartition(", ")[2]) == list(second.section)
    for ours, said in zip(first.stated, second.as_said, strict=True):
        plain = WORDS.get(said, said)
        figure = re.search(r"[\d.,]+", plain)
        assert ours == (figure[0].replace(",", "") if figure else plain), said


@pytest.mark.parametrize("name", HEADERS)
def test_every_row_names_its_place(name):
    source = shipped(name).source
    assert source.str.fullmatch(
        r"Portes \(essay on migration and development\), "
        r"(Table \d|(Labor Migrants|Professional Migration|Segmented Assimilation)(, on Table \d)?)"
    ).all()


def test_claims_are_whole():
    claims = shipped("claims")
    assert not claims.duplicated(["claim", "quote", "measure"]).any()
    assert (claims.quote.str.len() > 10).all()
    known = {n: set(shipped(n).group) for n in ("table3", "table4")}
    rates = claims[claims.table.isin(["3", "4"]) & ~claims.kind.isin(["label", "wider"])]
    for row in rates.to_dict("records"):
        groups = row["groups"].split("|") + [g for g in row["reference"].split("|") if g]
        assert set(groups) <= known[f"table{row['table']}"], row


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("transnationalism", 26 + 13 + 7 * 5 + 50),
        ("transnationalism_respondents", 26 + 13 + 7 * 5 + 50),
        ("transnationalism_second_generation", 48 + 21),
    ],
)
def test_published(name, rows):
    table = bm.load_study(name).published
    assert list(table) == list(COLUMNS)
    assert len(table) == rows
    assert table.se.isna().all()  # the essay prints none
