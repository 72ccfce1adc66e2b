"""Every printed number, and those that belong to the cells of a fit."""

import numpy as np
import pytest
from studies.emigration.printed_cells import (
    COMPONENTS,
    NUMBERS,
    Z90,
    good,
    name,
    printed,
    write,
)

from bayesmig.models.emigration.simulate import printed_shares

# All of them


def test_published_is_tidy(study):
    found = study.published
    assert list(found) == ["quantity", "coordinates", *NUMBERS]
    assert not found.duplicated(["quantity", "coordinates"]).any()
    assert found.estimate.notna().all()
    assert found.source.str.startswith("Van Hook & Bean").all()
    assert len(found) == 1106 + 473 + 32 + 32


def test_published_counts(study):
    count = study.published.quantity.value_counts()
    for component in [*COMPONENTS, "emigration", "net_emigration"]:
        assert count[component] == 158
    assert count.filter(regex="(migration|matching|mortality)_coefficient$").sum() == 473
    assert count["native_emigration_rate"] == count["mortality_program_coefficient"] == 32


def test_standard_errors_of_table_4(study):
    """Printed in parentheses below Table 4's estimates; no other table has them."""
    found = study.published.dropna(subset="se")
    assert set(found.coordinates) == {"Table 4, Total"}
    assert dict(zip(found.quantity, found.se, strict=True)) == {
        "non_match": 0.3,
        "internal_migration": 0.2,
        "mortality": 0.0,
        "non_follow_up": 0.2,
        "emigration": 0.1,
        "return_immigration": 0.1,
        "net_emigration": 0.1,
    }


def test_published_carries_intervals_and_places(study):
    found = study.published.set_index(["quantity", "coordinates"])
    total = found.loc[("emigration", "Table 4, Total")]
    assert (total.estimate, total.ci_low, total.ci_high, total.ci_prob) == (4.3, 4.1, 4.4, 0.9)
    assert total.source.endswith("Table 4")
    africa = found.loc[("emigration", "Table 13, Africa")]
    assert (africa.estimate, africa.ci_low, africa.ci_high) == (18.5, 16.1, 20.9)


# Those of a fit


def targets(study, data):
    return study.targets(data, study.estimands(printed_shares(data), data))


@pytest.mark.parametrize("table", [4, (10, 11), 15], ids=name)
def test_targets_has_one_row_for_each_number(study, table):
    data = study.example(table=table)
    found = targets(study, data)
    assert list(found) == ["quantity", "cell", *NUMBERS]
    pairs = set(zip(found.quantity, found.cell, strict=True))
    components = [*COMPONENTS, "emigration", "net_emigration"]
    assert pairs == {(q, str(c)) for q in components for c in data.cell.values}
    assert len(found) == len(pairs)
    assert set(found.quantity[found.note.str.startswith("derived")]) == {
        "emigration",
        "net_emigration",
    }


def test_targets_numbers_are_the_printed_ones(study):
    found = targets(study, study.example(table=4)).set_index("quantity")
    wanted = {row["component"]: float(row["estimate"]) for row in printed(table=4)}
    assert found.estimate.to_dict() == wanted
    assert found.se["emigration"] == pytest.approx((4.4 - 4.1) / (2 * Z90))
    assert set(found.ci_prob) == {0.9}


def test_targets_says_what_is_read_as_censored(study):
    found = targets(study, study.example()).set_index(["quantity", "cell"]).note
    zeros = found[found.str.contains("below 0.05")]
    wanted = [
        row
        for table in (10, 11)
        for row in printed(table=table, estimate="0.0", ci_low="0.0", ci_high="0.0")
        if row["component"] in COMPONENTS
    ]
    assert len(zeros) == len(wanted) == 4
    assert set(zeros.index.get_level_values("quantity")) == {"mortality"}


@pytest.mark.parametrize(
    ("high", "censored"), [("0.0", True), ("0.3", False)], ids=["no width", "0.0-0.3"]
)
def test_only_a_zero_without_width_is_read_as_censored(study, tmp_path, high, censored):
    rows = good()
    rows[2][3:6] = ["0.0", "0.0", high]  # mortality of the first cell
    data = study.read(write(tmp_path / "mine.csv", rows))
    notes = targets(study, data).set_index(["quantity", "cell"]).note
    assert ("below 0.05" in notes["mortality", "Male, 15-24"]) == censored
    bound = study.build(data)["printed_as_zero_below"].get_value()
    assert bound[0, 2] == (0.05 if censored else -np.inf)
    assert np.isinf(bound).sum() == bound.size - censored


def test_targets_leaves_out_what_a_file_does_not_give(study, tmp_path):
    found = targets(study, study.read(write(tmp_path / "mine.csv", good())))
    assert sorted(set(found.quantity)) == sorted(COMPONENTS)
    assert len(found) == 4 * 5
