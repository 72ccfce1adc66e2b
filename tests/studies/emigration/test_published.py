"""The report's numbers, entered twice: the shipped CSV files against the typed entry."""

from pathlib import Path

import pandas as pd
import pytest

ENTRY = Path(__file__).parents[2] / "entry"
PUBLISHED = Path(__file__).parents[3] / "models" / "emigration" / "published"
SHORT = {
    "non_match": "nm",
    "internal_migration": "im",
    "mortality": "mo",
    "non_follow_up": "nf",
    "emigration": "e",
    "return_immigration": "r",
    "net_emigration": "net",
}


def text(path, **options):
    """A file of the entry as it stands: strings, so that 0.0 and 0 differ."""
    return pd.read_csv(path, dtype=str, keep_default_na=False, **options)


def typed_cells():
    wide = text(ENTRY / "emigration_cells_typed.tsv", sep="\t")
    parts = []
    for component, short in SHORT.items():
        columns = ["table", "panel", "row", component, f"{short}_low", f"{short}_high"]
        part = wide[columns].set_axis(
            ["table", "panel", "row", "estimate", "ci_low", "ci_high"], axis=1
        )
        parts.append(part.assign(component=component))
    return pd.concat(parts)


def typed(name):
    return text(ENTRY / f"emigration_{name}_typed.tsv", sep="\t")


def assert_same(shipped, second, key):
    both = shipped.merge(second, on=key, how="outer", suffixes=("", "_typed"), indicator=True)
    assert len(shipped) == len(second) == len(both)
    assert (both["_merge"] == "both").all(), both[both["_merge"] != "both"]
    for column in set(second) - set(key):
        differ = both[both[column] != both[f"{column}_typed"]]
        assert differ.empty, differ


def test_cells_agree():
    shipped = text(PUBLISHED / "cells.csv")
    assert list(shipped) == (
        "table panel row component estimate ci_low ci_high ci_prob source".split()
    )
    assert_same(shipped, typed_cells(), ["table", "panel", "row", "component"])
    assert len(shipped) == 7 * 158  # 158 printed rows, Table 4's one among them


def test_table_4_standard_errors_agree():
    second = text(
        ENTRY / "emigration_table4_se.tsv", sep="\t", header=None, names=["component", "se"]
    )
    assert_same(text(PUBLISHED / "standard_errors.csv"), second, ["component"])


def test_coefficients_agree():
    shipped = text(PUBLISHED / "coefficients.csv")
    assert list(shipped) == (
        "table model origin group generation term estimate stars source".split()
    )
    key = ["table", "model", "origin", "group", "generation", "term"]
    assert_same(shipped, typed("coefficients"), key)
    assert set(shipped.model) == {"internal_migration", "matching", "mortality"}


def test_appendix_f_agrees():
    rates = text(PUBLISHED / "native_rates.csv")
    assert_same(
        rates, typed("native_rates").rename(columns={"agegrp": "age_group"}), ["sex", "age_group"]
    )
    assert len(rates) == 32
    program = text(PUBLISHED / "mortality_program.csv")
    assert_same(program, typed("mortality_program"), ["generation", "term"])


@pytest.mark.parametrize("name", sorted(p.name for p in PUBLISHED.glob("*.csv")))
def test_every_row_names_its_table(name):
    assert text(PUBLISHED / name).source.str.contains(r"Table \d+|Appendix F|p\. \d").all()
