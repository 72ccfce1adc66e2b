"""Stored tables of the cards: how the graphs sample and whether they find what they should."""

import re

import pytest

import bayesmig as bm
from bayesmig.models.transnationalism import recovery, results
from bayesmig.stored import names

MADE = (
    r"python -m bayesmig\.models\.transnationalism\.(results|recovery) \w+; "
    r"seed 1; commit \w+; pymc .*"
)
FROM_PRIOR = [name for name, how in recovery.RUNS.items() if "simulate" not in how] + ["stars"]
LEVELS = {  # the data that every prior set of a study is fitted to
    "transnationalism": ["Table 2"],
    "transnationalism_respondents": ["twin"],
    "transnationalism_second_generation": ["Table 3", "Table 4"],
}
SAMPLING = dict(zip(LEVELS, [f"sampling_{name}" for name in results.MAKERS], strict=True))


TABLES = recovery.TABLES


def in_cards():
    return [name for path in TABLES.cards for name in names(path.read_text("utf-8"))]


@pytest.mark.parametrize("name", in_cards())
def test_what_made_a_table_is_said(name):
    assert re.fullmatch(MADE, TABLES.said_of(name))


@pytest.mark.parametrize("name", LEVELS)
def test_default_settings_sample_well(name):
    table = TABLES.read(f"results/{SAMPLING[name]}")
    sets = bm.load_study(name).sets
    assert list(table.index) == [f"{level}, `{one}`" for level in LEVELS[name] for one in sets]
    assert (table.divergences == 0).all()
    assert (table["R-hat"] < 1.01).all()
    assert (table["bulk ESS"] > 400).all()
    assert (table["tail ESS"] > 400).all()
    assert (table["leapfrog steps a draw"] <= 15).all()


@pytest.mark.parametrize("name", recovery.RUNS)
def test_calibrations_are_of_200_surveys(name):
    table = TABLES.read(f"calibration/{name}")
    assert (table.simulations >= 200).all()
    assert (table.divergences == 0).all()
    # the second generation is sampled in the coordinates of the print, not of what was simulated
    # in its place
    if recovery.RUNS[name]["study"] != "transnationalism_second_generation":
        assert (table.steps <= 15).all()


@pytest.mark.parametrize("name", FROM_PRIOR)
def test_truths_of_the_prior_are_covered_and_ranks_uniform(name):
    table = TABLES.read(f"calibration/{name}")
    assert (table["rank p-value"] > 0.01 / len(table)).all()
    for share in (50, 90):
        off = abs(table[f"inside {share}%"] - share / 100) / table[f"se {share}%"]
        assert (off < 4).all()
