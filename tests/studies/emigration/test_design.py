"""What the graph looks up: native rates of Appendix F."""

import csv

import numpy as np
import pytest
from studies.emigration.printed_cells import name, said

from bayesmig.models.emigration.data import PUBLISHED
from bayesmig.models.emigration.design import native_rates


def rates(sex, *groups):
    with (PUBLISHED / "native_rates.csv").open(newline="", encoding="utf-8") as file:
        table = {(row["sex"], int(row["age_group"])): row["rate"] for row in csv.DictReader(file)}
    return [float(table[sex, group]) for group in groups]


def test_native_rates_by_sex_and_age(study):
    """Ages 15-24 are the groups 3 (15-19) and 4 (20-24); 65+ the groups 13, 14 and 15."""
    found = dict(zip(study.example().cell.values, native_rates(study.example()), strict=True))
    young, old = rates("male", 3, 4), rates("female", 13, 14, 15)
    assert young == [0.0001483905, 0.0001160999]
    assert found["Mexican, Male, 15-24"] == pytest.approx(0.0001322452, abs=1e-13)
    assert found["Non-Mexican, Female, 65+"] == pytest.approx(sum(old) / 3)
    assert found["Mexican, Female, 0-14"] == pytest.approx(sum(rates("female", 0, 1, 2)) / 3)
    assert found["Mexican, Male, 65+"] != pytest.approx(found["Mexican, Female, 65+"])


def test_native_rates_of_both_sexes(study):
    """Table 6 has ages only: the mean of both sexes; 75+ is the last group alone."""
    data = study.example(table=6)
    found = dict(zip(data.cell.values, native_rates(data), strict=True))
    assert found["15-19"] == pytest.approx((0.0001483905 + 0.0001266721) / 2)
    assert found["75+"] == pytest.approx((0.0002688526 + 0.0001761570) / 2)


def test_native_rates_where_one_sex_is_the_whole_table(study):
    men, women = (native_rates(study.example(table=n)) for n in (8, 9))
    assert men[1] == pytest.approx(0.0001483905)
    assert women[1] == pytest.approx(0.0001266721)


@pytest.mark.parametrize("table", [4, 13], ids=name)
def test_native_rates_without_age_or_sex(study, table):
    everybody = rates("male", *range(16)) + rates("female", *range(16))
    found = native_rates(study.example(table=table))
    np.testing.assert_allclose(found, sum(everybody) / 32, rtol=1e-12)


@pytest.mark.parametrize("age", ["young", "15 to 24", "24-15", "15", ""])
def test_native_rates_of_an_age_that_is_none(study, age):
    data = study.example(table=6)
    labels = [*data.age.values[:-1], age]
    spoilt = data.assign_coords(age=("cell", np.array(labels)))
    assert repr(age) in said(native_rates, spoilt)


def test_native_rates_of_a_sex_that_is_none(study):
    data = study.example(table=7)
    spoilt = data.assign_coords(sex=("cell", np.array(["Men", "Women"] * 2)))
    message = said(native_rates, spoilt)
    assert "valid: Male, Female" in message
