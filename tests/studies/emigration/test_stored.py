"""Stored table of the card: every table and prior set that is for fitting samples well."""

import bayesmig as bm
from bayesmig.models.emigration import results


def test_default_settings_sample_well():
    table = results.TABLES.read("results/sampling")
    sets = [name for name in bm.load_study("emigration").sets if name != results.FOR_SIMULATION]
    assert len(table) == len(results.LEVELS) * len(sets)
    assert [label.split("`")[1] for label in table.index] == sets * len(results.LEVELS)
    assert (table.seeds == len(results.SEEDS)).all()
    assert (table.divergences == 0).all()
    assert (table["R-hat"] < 1.01).all()
    assert (table["bulk ESS"] > 400).all()
    assert (table["tail ESS"] > 400).all()
