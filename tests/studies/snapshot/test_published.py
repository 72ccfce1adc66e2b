"""The paper's numbers, entered twice: the shipped CSV files against the typed entry."""

from pathlib import Path

import pandas as pd
import pytest

ENTRY = Path(__file__).parents[2] / "entry"
PUBLISHED = Path(__file__).parents[3] / "models" / "snapshot" / "published"
HEADLINES = (  # the names of the estimands
    "solitary_share",
    "mean_trips_2016",
    "circular_share_of_crossings",
    "retirement_prob",
    "retired_share",
    "circular_sojourn_within_2_years",
    "mean_solitary_sojourn",
    "mean_circular_sojourn",
    "total_crossings",
    "population_2016",
)
KEYS = {
    "quantities": ["quantity", "year"],
    "others": ["quantity"],
    "hazards": ["origin", "year_from"],
}


def text(path, **options):
    """A file as it stands: strings, so that 0.6 and 0.60 differ."""
    return pd.read_csv(path, dtype=str, keep_default_na=False, **options)


def shipped(name):
    return text(PUBLISHED / f"{name}.csv")


def typed(name):
    return text(ENTRY / f"snapshot_{name}_typed.tsv", sep="\t")


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("quantities", "quantity year estimate se ci_low ci_high ci_prob unit source note"),
        ("others", "quantity origin year estimate ci_low ci_high ci_prob unit source note"),
        ("hazards", "origin year_from year_to estimate unit source"),
        ("claims", "claim quote section quantity stated kind source"),
    ],
)
def test_columns(name, header):
    assert list(shipped(name)) == header.split()


@pytest.mark.parametrize("name", list(KEYS))
def test_entries_agree(name):
    first, second, key = shipped(name), typed(name), KEYS[name]
    assert not first.duplicated(key).any()
    both = first.merge(second, on=key, how="outer", suffixes=("", "_typed"), indicator=True)
    assert len(first) == len(second) == len(both)
    assert (both["_merge"] == "both").all(), both[both["_merge"] != "both"]
    compared = set(second) - set(key) - {"section"}
    assert compared >= {"estimate", "unit"}
    for column in compared:
        differ = both[both[column] != both[f"{column}_typed"]]
        assert differ.empty, differ
    section = both.source.str.extract(r", Section (\d+)", expand=False).fillna("")
    assert (section == both.section).all(), both[section != both.section]


def test_headlines_are_there_once():
    rows = shipped("quantities").set_index("quantity")
    assert rows.index.duplicated().sum() == 4  # the knots
    assert all(rows.year[name] == "" for name in HEADLINES)
    assert list(rows.estimate[list(HEADLINES)]) == [
        "0.63", "2.09", "0.55", "0.34", "0.63", "0.67", "18.2", "5.8", "45.43", "14.6",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["quantities", "others", "hazards"])
def test_numbers_are_numbers(name):
    table = shipped(name)
    for column in ("estimate", "se", "ci_low", "ci_high", "ci_prob"):
        if column in table:
            given = table[column][table[column] != ""]
            assert pd.to_numeric(given).notna().all()
    assert (table.estimate != "").all()
    if "ci_low" in table:
        for column in ("ci_low", "ci_high"):
            assert ((table[column] != "") == (table.ci_prob != "")).all()


@pytest.mark.parametrize("name", ["quantities", "others", "hazards", "claims"])
def test_every_row_names_its_place(name):
    source = shipped(name).source
    theirs = source.str.fullmatch(
        r"Rodilitz & Kaplan \(2020\), (Abstract|Section \d+(, eq\. \d+)?)"
    )
    # one number is the data project's, not the paper's, and says so
    assert list(source[~theirs]) == (
        ["Mexican Migration Project, Core Files, MIG"] if name == "others" else []
    )


def test_claims_stand_where_they_say():
    claims = shipped("claims")
    assert (claims.source == "Rodilitz & Kaplan (2020), " + claims.section).all()
    assert not claims.duplicated(["claim", "quote", "stated", "kind"]).any()
    assert (claims.quote.str.len() > 10).all()
