"""Fits of the snapshot model: what they recover, what their figures say, what they carry."""

import warnings
from functools import cache

import numpy as np
import pandas as pd
import pytest

import bayesmig as bm
from bayesmig.models.snapshot import figures
from bayesmig.ready import build
from bayesmig.results import begun

pytestmark = pytest.mark.fits  # 40 s for the compiler

STUDY = bm.load_study("snapshot")
SMALL = {"draws": 120, "tune": 200, "chains": 2, "progress": False}
HEADLINE = (
    "solitary_share mean_trips_2016 circular_share_of_crossings retirement_prob retired_share "
    "circular_sojourn_within_2_years mean_solitary_sojourn mean_circular_sojourn "
    "total_crossings population_2016"
).split()


@cache
def small():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bm.ConvergenceWarning)
        return bm.fit(STUDY, STUDY.example(), **SMALL)


def truth_of(data):
    return STUDY.estimands(STUDY.truth(data), data)


def test_the_comparison_has_every_headline_number_with_its_contraction():
    table = bm.compare(small()).set_index("quantity")
    assert list(table.index) == HEADLINE
    assert table.published["population_2016"] == 14.6
    assert table.published_low["solitary_share"] == 0.52
    assert (table.coordinates == "").all()
    # what is left of the half width of the central 68.3 % of a uniform prior
    sd = table.sd["solitary_share"]
    assert table.contraction["solitary_share"] == pytest.approx(1 - (sd / 0.3413) ** 2, abs=0.03)
    assert table.contraction["retirement_prob"] > 0.95
    assert np.isnan(table.published_low["total_crossings"])
    assert np.isnan(table.overlap["total_crossings"])
    assert table.ci_prob["total_crossings"] == 0.95


def test_a_printed_standard_error_makes_the_interval():
    row = bm.compare(small()).set_index("quantity").loc["mean_solitary_sojourn"]
    assert row.published_low == pytest.approx(18.2 - 1.96 * 2.4)
    assert "standard error" in row.note


@pytest.mark.slow  # minutes of sampling
def test_many_respondents_bring_the_posterior_to_the_truth():
    """14,400 respondents; what they identify is within 3.5 posterior sd of what was simulated."""
    data = STUDY.simulate(surveys=480, seed=5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bm.ConvergenceWarning)
        fitted = bm.refit(small(), data=data, **SMALL)
    assert fitted.attrs["compiled"] == "reused"
    known = truth_of(data)
    table = bm.compare(fitted).set_index("quantity")
    away = {name: (table["mean"][name] - float(known[name])) / table.sd[name] for name in HEADLINE}
    assert max(map(abs, away.values())) < 3.5, away
    assert table.sd["retirement_prob"] < 0.02
    assert table.sd["mean_trips_2016"] < 0.08


def test_expected_frequencies_add_up_to_what_was_observed():
    data = STUDY.example()
    for table in (figures.departures(small()), figures.sojourns(small())):
        for kind, count in (("single", (~data["repeat"]).sum()), ("repeat", data["repeat"].sum())):
            part = table.loc[kind]
            assert part.observed.sum() == int(count)
            assert part.expected.sum() == pytest.approx(int(count), rel=1e-9)
            inside = (part.observed >= part.low) & (part.observed <= part.high)
            assert inside.mean() > 0.8


def test_the_figures_tables_agree_with_the_estimands():
    fitted = small()
    estimands = fitted["estimands"].to_dataset()
    people = figures.population(fitted)
    assert people.loc[2016, "mean"] == pytest.approx(float(estimands.population_2016.mean()))
    assert (people.low <= people["mean"]).all()
    assert (people["mean"] <= people.high).all()
    crossed = figures.crossings(fitted)["mean"].groupby("kind").sum()
    assert crossed.sum() == pytest.approx(float(estimands.total_crossings.mean()))
    since = figures.crossings(fitted)["mean"].unstack("kind").loc[1990:].to_numpy().sum()
    assert since == pytest.approx(38.8)
    means = figures.trip_means(fitted)
    data = STUDY.example()[["survey_year", "trips"]].to_dataframe()
    assert means.observed[2000] == pytest.approx(data.trips[data.survey_year == 2000].mean())


def test_both_calibrations_of_mean_trips_on_the_same_draws():
    table = figures.calibrations(small())
    fitted = small()["estimands"]["trips_at_home"]
    assert table.exact[2016] == pytest.approx(float(fitted.sel(year=2016).mean()), rel=0.01)
    assert (table.loc[:1981, "largest_difference"] < 1e-9).all()  # nobody has come home twice
    assert 0.001 < table.largest_difference.max() < 0.2
    apart = (table.exact - table.paper).abs()
    assert (apart <= table.largest_difference + 1e-12).all()


def test_hazards_stand_beside_the_sample_and_the_published_rates():
    table = figures.hazards(small())
    stays = STUDY.example()["sojourn_years"].values
    assert table["sample"][1] == pytest.approx(np.mean(stays == 1))
    assert table["sample"][2] == pytest.approx(np.sum(stays == 2) / np.sum(stays > 1))
    capps = table["Capps et al. 2018"][[1, 2, 10, 11]].tolist()
    assert capps == pytest.approx([0.502, 0.202, 0.202, 0.166])
    ffk = "Fazel-Zarandi et al. 2018"
    assert table[ffk][[1, 10, 20]].tolist() == pytest.approx([0.4, 0.04, 0.01])
    # surveys at home see short stays: the sample's hazards are far above those of all trips
    assert (table["sample"] > table.high)[:10].all()


def test_the_pictures_say_that_the_data_are_synthetic():
    drawn = figures.plots(small())
    assert [title[:8] for title in drawn] == [f"Figure {n}" for n in range(2, 8)]
    for figure in [*drawn.values(), figures.plot_populations({"default": small()})]:
        assert figure.get_suptitle().splitlines()[-1].startswith("SYNTHETIC")
    assert bm.plot_compare(small()).get_suptitle().startswith("SYNTHETIC")


@pytest.mark.slow  # another graph
def test_the_population_is_said_to_be_decided_by_the_prior():
    """Its contraction is near one and power scaling finds nothing; other sets say otherwise."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        across = bm.across_priors(small(), ["capps", "ffk"], **SMALL)
    (said,) = [str(each.message) for each in caught if each.category is bm.PriorWarning]
    assert "population_2016 (" in said
    row = bm.compare(across).set_index("quantity").loc["population_2016"]
    assert row.contraction > 0.8
    assert row.sets_high - row.sets_low > row.sd


def test_draws_that_ignore_the_barrier_are_not_shown_as_the_prior():
    data = STUDY.simulate(surveys=10, seed=1)
    with pytest.raises(bm.StudyError, match="potential barrier cannot be drawn from"):
        bm.prior_predictive(STUDY, data, parametrization="paper")
    for form, known in (("paper", False), ("flow", True)):
        built = build(STUDY, data, parametrization=form)
        start = begun(built, built.prior_estimands(seed=1), {})
        for spread in start["prior_spread"].to_dataset().data_vars.values():
            assert np.isfinite(spread).all() == known


def test_whole_survey_sets_are_drawn_from_the_posterior():
    short = small().copy()
    for name in ("posterior", "estimands", "sample_stats"):
        short[name] = short[name].to_dataset().isel(draw=slice(None, None, 25))
    with_sets = bm.add_groups(short, ("posterior_predictive", "log_likelihood"))
    counts = with_sets["posterior_predictive"]["respondents"]
    assert (counts.sum("cell") == 3480).all()
    labels = pd.Series(counts.cell.values)
    for year in ("1987", "2001", "2016"):
        assert (counts[..., labels.str.startswith(year)].sum("cell") == 116).all()
    assert not (counts[0, 0] == counts[0, 1]).all()
    single = counts[..., labels.str.endswith("single trip")].sum("cell")
    observed = int((~STUDY.example()["repeat"]).sum())
    assert abs(float(single.mean()) - observed) < 4 * float(single.std())
    seen = with_sets["observed_data"]["respondents"]
    assert list(seen.cell.values) == list(counts.cell.values)
    assert seen.sum() == 3480
    held = with_sets["log_likelihood"]["respondents"]
    assert held.sizes["cell"] == (seen > 0).sum() == small()["observed_data"].sizes["cell"]


def test_a_saved_fit_draws_its_figures_in_a_process_without_the_model(tmp_path):
    fitted = bm.open_fit(bm.save_fit(small(), tmp_path / "fit.nc"))
    pd.testing.assert_frame_equal(figures.population(fitted), figures.population(small()))
    assert bm.report(fitted, tmp_path).exists()


@pytest.mark.slow  # a second fit of the largest graph
def test_a_users_prior_on_long_stays_moves_the_population():
    """Nobody can be seen to stay for 20 years who has just left: the prior decides."""
    slopes = ("circular_leaving_slope", "solitary_leaving_slope_difference")
    prior = {name: {"dist": "Normal", "mu": -0.4, "sigma": 0.1} for name in slopes}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bm.ConvergenceWarning)
        mine = bm.refit(small(), prior, **SMALL)
    assert mine.attrs["compiled"] == "reused"
    wide, short = (bm.compare(fitted).set_index("quantity")["mean"] for fitted in (small(), mine))
    assert short["population_2016"] < wide["population_2016"] - 1


@pytest.mark.slow
@pytest.mark.parametrize("name", STUDY.prior_sets)
def test_every_prior_set_converges_at_default_settings(name):
    """A ConvergenceWarning is an error here: R-hat, ESS, divergences, energy."""
    bm.fit(STUDY, STUDY.example(), name, progress=False)


@pytest.mark.slow
def test_the_default_covers_truths_like_the_papers():
    """60 survey sets: coverage of 90 % intervals, less four binomial standard errors."""
    found = bm.calibrate(
        STUDY, STUDY.example(), n=60, simulate=lambda seed: STUDY.simulate(seed=seed),
        seed=500, progress=False,
    )  # fmt: skip
    table = bm.coverage(found)
    for name in ("solitary_share", "retirement_prob", "mean_solitary_sojourn", "population_2016"):
        assert table.loc[name, "inside 90%"] > 0.9 - 4 * np.sqrt(0.9 * 0.1 / 60)
