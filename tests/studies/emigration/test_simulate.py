"""Cells of known truth."""

import math

import numpy as np
import pytest
import xarray as xr
from studies.emigration.printed_cells import COMPONENTS, SEXES, Z90, printed, said

from bayesmig.models.emigration import recovery
from bayesmig.models.emigration.simulate import printed_shares


def test_simulation_is_reproducible(study):
    first = study.simulate(seed=1)
    xr.testing.assert_identical(first, study.simulate(seed=1))
    assert not first.estimate.equals(study.simulate(seed=2).estimate)


def test_simulation_says_that_it_is_one(study):
    data = study.simulate(seed=3, table=13)
    assert data.attrs["synthetic"] == 1
    assert data.attrs["title"] == "SYNTHETIC cells, laid out as Van Hook & Bean, Table 13"
    assert data.attrs["seed"] == 3
    truth = study.truth(data)
    assert set(study.targets(data, study.estimands(truth, data)).source) == {data.attrs["title"]}


def test_simulation_carries_its_truth(study):
    """By default the report's own shares; here Table 4: e = 34.2 - 14.8 - 0.8 - 14.4 = 4.2."""
    data = study.simulate(table=4)
    truth = study.truth(data)
    assert set(truth.data_vars) == {"share", "return_immigration"}
    share = dict(zip(truth.fate.values, truth["share"].values[0], strict=True))
    wanted = {"emigrated": 0.042, "died": 0.008, "moved": 0.148, "lost": 0.144, "followed": 0.658}
    assert share == pytest.approx(wanted)
    assert truth["return_immigration"].item() == pytest.approx(0.01)
    emigration = study.estimands(truth, data)["emigration"]
    assert emigration.item() == pytest.approx(4.2)
    assert emigration.attrs["units"] == "percent a year"


def test_cells_as_printed_have_no_truth(study):
    assert "carry no truth" in said(study.truth, study.example(table=4))


def test_default_truth_is_proper_where_print_is_not(study):
    """Table 10 prints emigration of 0.0 and Table 13 components that add up to less."""
    for table in ((10, 11), 13):
        truth = study.truth(study.simulate(table=table))
        assert float(truth["share"].min()) >= 0.001 - 1e-12
        np.testing.assert_allclose(truth["share"].sum("fate"), 1, rtol=1e-12)


def test_simulation_takes_another_truth(study):
    """The one cell of Table 4, with printed errors far smaller than the change."""
    shares = [0.30, 0.02, 0.10, 0.08, 0.50]
    fates = ["emigrated", "died", "moved", "lost", "followed"]
    truth = xr.Dataset(
        {"share": (("cell", "fate"), [shares]), "return_immigration": ("cell", [0.05])},
        coords={"cell": ["Total"], "fate": fates},
    )
    data = study.simulate(truth, table=4, seed=5)
    wanted = [50.0, 10.0, 2.0, 8.0, 5.0]
    np.testing.assert_allclose(data.estimate.sel(component=COMPONENTS)[0], wanted, atol=1.5)
    assert study.truth(data)["share"].values.tolist() == [shares]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda truth: truth.isel(cell=slice(1, None)),
        lambda truth: truth.drop_vars("return_immigration"),
        lambda truth: truth * 2,
        lambda truth: truth.where(truth.age != "65+"),
        lambda truth: truth.rename(share="shares"),
    ],
    ids=["cell missing", "return missing", "sum of two", "NaN", "other name"],
)
def test_a_truth_that_is_none_is_refused(study, spoil):
    truth = printed_shares(study.example())
    said(study.simulate, spoil(truth))


def standard_error(row, residual):
    """Of a printed component: its interval and rounding; of the share lost its own error."""
    error = (float(row["ci_high"]) - float(row["ci_low"])) / (2 * Z90)
    if row["component"] == "non_follow_up":
        error = residual
    return math.sqrt(error**2 + 0.1**2 / 12)


def test_simulated_cells_scatter_around_the_truth(study):
    """Over 100 simulations: means within 4 standard errors, spread as printed."""
    runs = xr.concat([study.simulate(seed=s, table=14) for s in range(100)], "run", join="exact")
    rows = printed(table=14)
    means = dict.fromkeys(COMPONENTS)
    truth = study.truth(runs.isel(run=0))
    share = truth["share"]
    means["non_match"] = 1 - share.sel(fate="followed")
    means["internal_migration"] = share.sel(fate="moved")
    means["mortality"] = share.sel(fate="died")
    means["non_follow_up"] = share.sel(fate="lost")
    means["return_immigration"] = truth["return_immigration"]
    seen = 0
    for row in rows:
        cell = f"{row['panel']}, {row['row']}"
        if row["component"] not in COMPONENTS or cell not in runs.cell:
            continue
        draws = runs.estimate.sel(cell=cell, component=row["component"]).values
        error = standard_error(row, float(runs.residual_error.sel(cell=cell)[0]))
        wanted = 100 * float(means[row["component"]].sel(cell=cell))
        assert abs(draws.mean() - wanted) < 4 * error / math.sqrt(100)
        # rounding the simulated number adds its variance once more
        spread = math.sqrt(error**2 + 0.1**2 / 12)
        assert abs(draws.std(ddof=1) / spread - 1) < 4 / math.sqrt(2 * 100)
        seen += 1
    assert seen == 8 * 5


def test_simulated_numbers_are_printed_ones(study):
    data = study.simulate(seed=6)
    numbers = data.estimate.sel(component=COMPONENTS).values
    np.testing.assert_allclose(numbers, np.round(numbers, 1), atol=1e-12)
    width = study.example().ci_high - study.example().ci_low
    np.testing.assert_allclose((data.ci_high - data.ci_low), width, atol=1e-12)
    names = ["internal_migration", "mortality", "non_follow_up"]
    parts = [data.estimate.sel(component=n, drop=True) for n in names]
    emigration = data.estimate.sel(component="non_match", drop=True) - sum(parts)
    net = emigration - data.estimate.sel(component="return_immigration", drop=True)
    np.testing.assert_allclose(data.estimate.sel(component="emigration"), emigration)
    np.testing.assert_allclose(data.estimate.sel(component="net_emigration"), net)


def test_censored_cells_print_zero_or_a_positive_number(study):
    """Children's mortality is printed 0.0 (0.0, 0.0): at least 0.05 prints, below it does not."""
    printed_as_zero = [
        f"{row['panel'].split(' ')[0]}, {SEXES[row['panel'].split(' ')[1]]}, {row['row']}"
        for table in (10, 11)
        for row in printed(table=table, component="mortality", estimate="0.0", ci_high="0.0")
    ]
    assert len(printed_as_zero) == 4
    found = set()
    for seed in range(40):
        data = study.simulate(seed=seed).sel(component="mortality")
        for cell in printed_as_zero:
            at = data.sel(cell=cell)
            assert float(at.estimate) == 0 or float(at.estimate) >= 0.1 - 1e-12
            assert float(at.ci_low) == float(at.ci_high) == float(at.estimate)
            found.add(round(float(at.estimate), 1))
    assert {0.0, 0.1} <= found  # the truth is 0.1, a few rounding errors wide


def test_truths_of_the_recovery_are_additive_but_for_a_scatter():
    """Emigration by origin, sex and age adds up, but for 0.7 points; nothing else moves."""
    truths = [recovery.additive(seed) for seed in range(30)]
    shares = xr.concat([truth["share"] for truth in truths], "run")
    np.testing.assert_allclose(shares.sum("fate"), 1)
    assert float(shares.min()) >= 0
    still = shares.sel(fate=["died", "moved", "lost"])
    assert float(still.std("run").max()) < 1e-12
    emigrated = 100 * shares.sel(fate="emigrated")
    high = emigrated.mean("run") > 2.5  # where nothing is cut off at 0.1 %
    assert float(emigrated.std("run").where(high).mean()) == pytest.approx(0.7, rel=0.1)
    mean = emigrated.mean("run").where(high)
    sexes = [mean.sel(cell=mean.sex == sex).values for sex in ("Male", "Female")]
    gaps = sexes[0] - sexes[1]  # the same in every origin and age
    assert np.isfinite(gaps).sum() > 5
    assert np.nanstd(gaps) < 3 * 0.7 * np.sqrt(2 / 30)
