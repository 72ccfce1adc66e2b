"""Fits: what they hold, what they say of themselves, and that nothing is lost of them."""

import errno
import json
import math
import os
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from importlib.metadata import version

import numpy as np
import pytest
import xarray as xr
from fits import GROUPS, SMALL, STUDY, TINY, default, small, too_short
from lazily import lazily

import bayesmig as bm
from bayesmig.ready import built_from, fingerprint
from bayesmig.results import LIBRARIES, finished

az = lazily("arviz")
stats = lazily("scipy.stats")

CELLS = STUDY.example(table=7)
FREE = ["intercept", "factor_scale", "effect_raw", "cell_scale", "cell_logit_raw"]
DERIVED = ["level_effect", "cell_logit", "share", "return_immigration"]
SLOW = [5, 6, 7, 8, 9, 12, 13, 14, 15]


def watched(fitted, free):
    """Free parameters and estimands: all that must have converged."""
    return [fitted["posterior"].to_dataset()[free], fitted["estimands"].to_dataset()]


def labelled(datasets):
    """Every single number of some Datasets, by the label a reader would give it."""
    found = {}
    for array in (a for ds in datasets for a in ds.data_vars.values()):
        for index in np.ndindex(array.shape):
            labels = [str(array[d].values[i]) for d, i in zip(array.dims, index, strict=True)]
            name = f"{array.name}[{', '.join(labels)}]" if labels else array.name
            found[name] = float(array.values[index])
    return found


# Default settings


@pytest.mark.parametrize(
    "tables", [(10, 11), *(pytest.param(t, marks=pytest.mark.slow) for t in SLOW)]
)
def test_default_settings_converge(tables):
    fitted = default(tables)  # a warning would be an error
    free = [rv.name for rv in STUDY.build(STUDY.example(table=tables)).free_RVs]
    assert fitted["posterior"].sizes["chain"] == 4
    assert fitted["posterior"].sizes["draw"] == 1000
    assert int(fitted["sample_stats"]["diverging"].sum()) == 0
    for draws in watched(fitted, free):
        rhat = np.array(list(labelled([az.rhat(draws)]).values()))
        assert np.all(rhat < 1.01)  # false for NaN too
        for method in ("bulk", "tail"):
            ess = np.array(list(labelled([az.ess(draws, method=method)]).values()))
            assert np.all(ess > 400), method


# What a fit is


def test_groups_and_variables():
    fitted = small()
    assert list(fitted.children) == [
        "posterior",
        "estimands",
        "prior_spread",
        "published",
        "sample_stats",
        "observed_data",
        "constant_data",
        "data",
    ]
    assert list(fitted["posterior"].data_vars) == FREE + DERIVED
    assert dict(fitted["estimands"].sizes) == {"chain": 2, "draw": 300, "cell": 4}
    for group in ("estimands", "sample_stats"):
        assert fitted[group]["draw"].equals(fitted["posterior"]["draw"])
    assert list(fitted["posterior"]["cell"].values) == list(CELLS.cell.values)
    assert fitted["data"].to_dataset().identical(CELLS)


def test_observed_data_are_the_printed_percentages():
    observed = small()["observed_data"]["components"]
    printed = CELLS.estimate.sel(component=observed.component)
    assert observed.dims == ("cell", "component")
    np.testing.assert_array_equal(observed, printed.transpose("cell", "component"))


def test_estimands_are_percentages_of_the_draws():
    fitted = small()
    share = fitted["posterior"]["share"].sel(cell="Mexican, Male")
    estimands = fitted["estimands"].to_dataset().sel(cell="Mexican, Male")
    emigrated = 100 * share.sel(fate="emigrated").values
    returned = 100 * fitted["posterior"]["return_immigration"].sel(cell="Mexican, Male").values
    np.testing.assert_allclose(estimands["emigration"], emigrated)
    np.testing.assert_allclose(estimands["net_emigration"], emigrated - returned)
    np.testing.assert_allclose(estimands["non_match"], 100 - 100 * share.sel(fate="followed"))


def test_attributes_say_what_was_done():
    said = small().attrs
    assert said["study"] == "emigration"
    units = {array.attrs["units"] for array in small()["estimands"].data_vars.values()}
    assert units == {"percent a year"}
    assert said["data_title"] == "Van Hook & Bean, Table 7"
    assert said["synthetic"] == 0
    assert (said["seed"], said["draws"], said["tune"], said["chains"]) == (1, 300, 300, 2)
    assert json.loads(said["options"]) == STUDY.options
    assert said["prior_set"] == "default"
    assert said["priors"] == str(STUDY.priors())
    assert said["priors_toml"] == STUDY.priors().to_toml()
    assert said["fingerprint"] == fingerprint(CELLS)
    assert said["sampler"].startswith("nutpie")
    assert json.loads(said["sampler_settings"]) == {"target_accept": 0.9}
    assert said["interrupted"] == ""
    assert said["compiled"] in ("in this run", "reused")


def test_attributes_name_the_versions():
    named = json.loads(small().attrs["versions"])
    assert set(named) == set(LIBRARIES)
    assert {"pymc", "pytensor", "nutpie", "numba", "numpy", "arviz", "xarray"} <= set(named)
    assert named == {library: version(library) for library in named}


def test_seconds_add_up():
    said = small().attrs
    parts = [said[f"seconds_{name}"] for name in ("build", "compile", "sample")]
    assert min(parts) > 0
    assert said["seconds_build"] + said["seconds_compile"] <= said["seconds_to_first_draw"]
    assert said["seconds_to_first_draw"] + said["seconds_sample"] <= said["seconds_total"]


def test_options_and_priors_are_those_that_were_asked_for():
    with too_short():
        fitted = bm.fit(
            STUDY, CELLS, {"intercept": {"dist": "Normal", "mu": -3, "sigma": 2}},
            residual_inflation=2.5, sampling={"target_accept": 0.85}, **TINY,
        )  # fmt: skip
    assert json.loads(fitted.attrs["options"]) == {**STUDY.options, "residual_inflation": 2.5}
    assert fitted.attrs["prior_set"] == "default with intercept"
    assert "Normal(mu=-3, sigma=2)" in fitted.attrs["priors"]
    assert json.loads(fitted.attrs["sampler_settings"]) == {"target_accept": 0.85}
    np.testing.assert_array_equal(fitted["constant_data"]["intercept_mu"], np.full(5, -3.0))
    np.testing.assert_array_equal(fitted["constant_data"]["intercept_sigma"], np.full(5, 2.0))


@pytest.mark.parametrize("number", [np.float32(1.5), np.int64(2)])
def test_an_option_may_be_a_number_of_numpy(number):
    with too_short():
        fitted = bm.fit(STUDY, CELLS, residual_inflation=number, **TINY)
    assert json.loads(fitted.attrs["options"])["residual_inflation"] == float(number)


def test_a_study_may_be_named():
    with too_short():
        fitted = bm.fit("emigration", CELLS, **SMALL)
    assert fitted["posterior"].identical(small()["posterior"])


# Seeds


def test_the_same_seed_gives_the_same_draws_and_another_others():
    with too_short():
        how = {"seed": 5, "groups": ("prior", "posterior_predictive"), **TINY}
        first, again = (bm.fit(STUDY, CELLS, **how) for _ in range(2))
        other = bm.fit(STUDY, CELLS, seed=6, **TINY)
    for group in ("posterior", "estimands", "sample_stats", "prior", "posterior_predictive"):
        assert first[group].identical(again[group]), group
    for name in FREE:
        a, b = (fitted["posterior"][name].values for fitted in (first, other))
        assert not np.any(a == b), name


def test_chains_are_not_copies_of_each_other():
    one, two = small()["posterior"]["intercept"].values
    assert not np.any(one == two)


# What is refused


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"residuel": "hazard"}, "unknown option 'residuel' (did you mean 'residual'?); valid: "),
        ({"residual": "share"}, "residual='share'; valid: probability, hazard"),
        ({"residual_inflation": 0}, "residual_inflation must be a positive number, got 0"),
        ({"random_seed": 3}, "random_seed= is seed= here"),
        ({"target_accept": 0.99}, "target_accept= is sampling={'target_accept': ...} here"),
        ({"cores": 2}, "cores= is sampling={'cores': ...} here"),
        ({"groups": "log_lik"}, "valid: log_likelihood, log_prior, prior, posterior_predictive"),
    ],
)
def test_wrong_settings_are_named(settings, words):
    with pytest.raises(bm.StudyError) as caught:
        bm.fit(STUDY, CELLS, **TINY, **settings)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("setting", "value"), [("draws", 0), ("draws", -1), ("chains", 0), ("tune", -1)]
)
def test_numbers_of_draws_that_make_no_sense_are_refused(setting, value):
    settings = {**TINY, setting: value}
    with too_short(), pytest.raises(bm.StudyError, match=f"{setting}.*{value}"):
        bm.fit(STUDY, CELLS, **settings)


def test_a_setting_that_the_sampler_does_not_have_is_refused():
    with pytest.raises(bm.StudyError, match="target_acept"):
        bm.fit(STUDY, CELLS, sampling={"target_acept": 0.9}, **TINY)


# Warnings


def test_a_short_run_warns_of_the_worst_and_gives_its_figure():
    with pytest.warns(bm.ConvergenceWarning) as caught:
        fitted = bm.fit(STUDY, CELLS, draws=20, tune=20, chains=2, progress=False)
    (warning,) = caught
    assert warning.filename == __file__
    said = str(warning.message)
    draws = watched(fitted, FREE)
    rhat = labelled(map(az.rhat, draws))
    worst = max(rhat, key=rhat.get)
    beyond = sum(value > 1.01 for value in rhat.values())
    assert f"R-hat above 1.01 in {beyond} quantities, worst {worst} ({rhat[worst]:.4g})" in said
    for method in ("bulk", "tail"):
        ess = labelled(az.ess(ds, method=method) for ds in draws)
        worst = min(ess, key=ess.get)
        beyond = sum(value < 400 for value in ess.values())
        assert (
            f"{method} ESS below 400 in {beyond} quantities, worst {worst} ({ess[worst]:.4g})"
            in said
        )


def test_divergences_are_counted_in_the_warning():
    with pytest.warns(bm.ConvergenceWarning) as caught:
        fitted = bm.fit(
            STUDY, CELLS, draws=100, tune=60, chains=2, progress=False,
            sampling={"target_accept": 0.2},
        )  # fmt: skip
    diverging = int(fitted["sample_stats"]["diverging"].sum())
    assert diverging > 0
    assert f"{diverging} divergences" in str(caught[0].message)
    assert json.loads(fitted.attrs["diagnostics"])["divergences"] == diverging


def test_one_chain_is_not_enough():
    with pytest.warns(bm.ConvergenceWarning, match="one chain: R-hat cannot be computed"):
        fitted = bm.fit(STUDY, CELLS, draws=600, tune=300, chains=1, progress=False)
    assert "rhat" not in json.loads(fitted.attrs["diagnostics"])


def test_draws_too_few_for_any_diagnostic_warn_too():
    with pytest.warns(bm.ConvergenceWarning):
        fitted = bm.fit(STUDY, CELLS, draws=3, tune=60, chains=2, progress=False)

    def no_number(word):
        raise AssertionError(f"{word} is not JSON")

    json.loads(fitted.attrs["diagnostics"], parse_constant=no_number)


# Files and other processes

COMPARE = """
import sys
for name in ("pymc", "pytensor", "nutpie", "numba", "matplotlib"):
    sys.modules[name] = None
import bayesmig as bm
sys.stdout.write(bm.compare(bm.open_fit(sys.argv[1])).to_csv())
"""


def test_a_saved_fit_compares_in_a_process_without_pymc(tmp_path):
    fitted, path = small(), tmp_path / "fit.nc"
    assert bm.save_fit(fitted, path, digits=None) == path
    child = subprocess.run(
        [sys.executable, "-c", COMPARE, str(path)], capture_output=True, text=True, timeout=120
    )
    assert child.returncode == 0, child.stderr
    assert child.stdout == bm.compare(fitted).to_csv()
    assert child.stdout.count("\n") == 1 + 28


@pytest.mark.parametrize("sealed", [True, False])
def test_a_saved_fit_is_the_fit(tmp_path, sealed):
    fitted, path = small(), tmp_path / "fit.nc"
    bm.save_fit(fitted, path, digits=None) if sealed else fitted.to_netcdf(path)
    with nullcontext() if sealed else pytest.warns(bm.DataWarning, match="checksum"):
        opened = bm.open_fit(path)
    assert list(opened.children) == list(fitted.children)
    for group in fitted.children:
        assert opened[group].identical(fitted[group]), group
    assert dict(opened.attrs) == dict(fitted.attrs)
    assert fingerprint(opened["data"].to_dataset()) == fitted.attrs["fingerprint"]
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_save_leaves_nothing(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "disk full")

    old, fitted = tmp_path / "old.nc", small()
    old.write_bytes(b"what was there")
    monkeypatch.setattr(os, "fsync", full)
    for name in ("old.nc", "new.nc"):
        with pytest.raises(OSError, match="disk full"):
            bm.save_fit(fitted, tmp_path / name)
    assert list(tmp_path.iterdir()) == [old]
    assert old.read_bytes() == b"what was there"


@pytest.mark.parametrize("kind", ["missing", "folder", "text", "empty", "half", "of another kind"])
def test_what_is_no_fit_is_refused(tmp_path, kind):
    path = tmp_path / "fit.nc"
    if kind == "folder":
        path.mkdir()
    elif kind == "text":
        path.write_text("study,emigration\n")
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "half":
        whole = bm.save_fit(small(), tmp_path / "whole.nc").read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
    elif kind == "of another kind":
        xr.Dataset({"a": 1.0}).to_netcdf(path, engine="h5netcdf")
    with pytest.raises(bm.StudyError, match="fit.nc"):
        bm.open_fit(path)


@pytest.mark.parametrize("what", ["estimate", "ci_low", "label", "factor", "probability"])
def test_the_fingerprint_changes_with_the_data(what):
    other = CELLS.copy(deep=True)
    if what in ("estimate", "ci_low"):
        other[what][0, 0] += 1e-12
    elif what == "label":
        other = other.assign_coords(cell=["Mexicans, Female", *CELLS.cell.values[1:]])
    elif what == "factor":
        other = other.assign_coords(sex=("cell", ["Female", "Male", "Female", "Female"]))
    else:
        other.attrs["ci_prob"] = 0.95  # another standard error for every number
    assert fingerprint(CELLS) == fingerprint(CELLS.copy(deep=True))
    assert fingerprint(other) != fingerprint(CELLS)


# Interrupts

INTERRUPTED = """
import json, signal, warnings
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's "&" ignores it
import bayesmig as bm

study = bm.load_study("emigration")
data = study.example(table=7)
with warnings.catch_warnings(record=True):  # so that nothing is left to compile or import
    bm.compare(bm.fit(study, data, draws=5, tune=10, chains=2, progress=False))
print("sampling", flush=True)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    fitted = bm.fit(study, data, draws=200_000, tune=50, chains=2, progress=False)
print(json.dumps({
    "interrupted": fitted.attrs["interrupted"],
    "sizes": dict(fitted["posterior"].sizes),
    "draws": fitted["posterior"]["share"].size,
    "finite": bool(fitted["posterior"]["share"].notnull().all()),
    "estimands": dict(fitted["estimands"].sizes),
    "rows": len(bm.compare(fitted)),
    "warned": [[w.category.__name__, str(w.message)] for w in caught],
}))
"""


def interrupted_after(seconds):
    """Output and exit status of a fit interrupted so long after it began to sample."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", INTERRUPTED], **pipes) as child:
        assert child.stdout.readline() == "sampling\n", child.stderr.read()
        time.sleep(seconds)
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=120)
    return child.returncode, out, err


def test_an_interrupted_fit_keeps_its_draws():
    for seconds in (1, 4, 15):  # a busy machine may not have drawn anything at first
        status, out, err = interrupted_after(seconds)
        if status == 0:
            break
        assert "KeyboardInterrupt" in err
    assert status == 0, err
    said = json.loads(out)
    kept, chains = said["sizes"]["draw"], said["sizes"]["chain"]
    assert 0 < kept < 200_000
    assert chains in (1, 2)
    assert said["draws"] == kept * chains * 4 * 5
    assert said["finite"]
    assert (said["estimands"]["draw"], said["estimands"]["chain"]) == (kept, chains)
    assert said["rows"] == 28
    assert said["interrupted"].startswith(
        f"interrupted: kept {kept} draws of {chains} chains, asked for 200000 of 2"
    )
    ((category, words),) = said["warned"]
    assert category == "ConvergenceWarning"
    assert words.startswith(said["interrupted"])


@pytest.mark.parametrize(
    ("counts", "chains", "draws"),
    [
        ((6, 6, 1, 0), [0, 1], 6),  # two finished chains are worth more than a draw of three
        ((4, 5, 4, 5), [0, 1, 2, 3], 4),
        ((0, 6, 0, 2), [1], 6),
        ((6, 6, 6, 6), [0, 1, 2, 3], 6),
    ],
)
def test_as_many_draws_are_kept_as_chains_have_in_common(counts, chains, draws):
    asked = 6
    drawn = np.arange(4 * asked * 2, dtype=float).reshape(4, asked, 2)
    for chain, count in enumerate(counts):
        drawn[chain, count:] = np.nan
    dims = ("chain", "draw", "parameter")
    raw = {
        "posterior": xr.Dataset({"unconstrained": (dims, drawn)}),
        "sample_stats": xr.Dataset({"energy": (dims[:2], drawn[:, :, 0])}),
    }
    kept, said = finished(xr.DataTree.from_dict(raw), asked, 4)
    np.testing.assert_array_equal(kept["posterior"]["unconstrained"], drawn[chains, :draws])
    np.testing.assert_array_equal(kept["sample_stats"]["energy"], drawn[chains, :draws, 0])
    assert bool(said) == (min(counts) < asked)


# Groups


@pytest.fixture(scope="module")
def full():
    return bm.add_groups(small(), GROUPS)


def expected(draws):
    """The five printed percentages as the report composes them, from shares."""
    share = 100 * draws["share"]
    return np.stack(
        [
            100 - share.sel(fate="followed"),
            share.sel(fate="moved"),
            share.sel(fate="died"),
            share.sel(fate="lost"),
            100 * draws["return_immigration"],
        ],
        axis=-1,
    )


def standard_error(order):
    """Errors of the printed percentages: from the interval, with rounding, in quadrature."""
    printed = CELLS.sel(component=order).transpose("cell", "component", ...)
    error = (printed.ci_high - printed.ci_low).values / (2 * 1.6448536269514722)
    error[:, list(order.values).index("non_follow_up")] = CELLS["residual_error"]
    return np.sqrt(error**2 + 0.1**2 / 12)


def test_log_likelihood(full):
    found = full["log_likelihood"]["components"]
    assert found.dims == ("chain", "draw", "cell", "component")
    draws, order = full["posterior"].to_dataset(), found.component
    printed = CELLS.estimate.sel(component=order).transpose("cell", "component")
    by_hand = stats.norm.logpdf(printed, expected(draws), standard_error(order))
    np.testing.assert_allclose(found, by_hand, rtol=1e-9, atol=1e-9)
    of_study = STUDY.log_likelihood(
        CELLS, {name: draws[name].values for name in ("share", "return_immigration")}
    )
    np.testing.assert_allclose(found, of_study, rtol=1e-9, atol=1e-9)


def with_constants(change):
    """The small fit with other numbers of its graph."""
    fitted = small().copy()
    fitted["constant_data"] = xr.DataTree(change(fitted["constant_data"].to_dataset()))
    return fitted


def test_a_graph_is_built_again_with_the_numbers_it_was_sampled_with():
    """The draws are in their terms: effects that were centred to another degree, say."""
    other = with_constants(lambda data: data.assign(cell_information=data.cell_information / 2))
    now = small()["constant_data"]["cell_information"].values
    assert (now > 0).any()
    np.testing.assert_array_equal(built_from(other).model["cell_information"].get_value(), now / 2)


def test_groups_of_a_fit_whose_graph_is_another_by_now_are_refused():
    other = with_constants(lambda data: data.rename(cell_contrast="contrast_of_old"))
    with pytest.raises(bm.StudyError, match="another one .*.cell_contrast, contrast_of_old.*again"):
        bm.add_groups(other, ("log_likelihood",))
    longer = with_constants(lambda data: data.drop_vars("cell_scale_mu").assign(cell_scale_mu=0.0))
    with pytest.raises(bm.StudyError, match="another one .*cell_scale_mu"):
        bm.add_groups(longer, ("log_likelihood",))


def test_log_prior(full):
    found = full["log_prior"].to_dataset()
    draws = full["posterior"].to_dataset()
    assert list(found.data_vars) == FREE
    for name in FREE:
        assert found[name].dims == draws[name].dims
    by_hand = stats.norm.logpdf(
        draws["intercept"], [-3.4, -5.0, -1.8, -1.6, -4.6], [1, 1.5, 1, 1, 1]
    )
    np.testing.assert_allclose(found["intercept"], by_hand, rtol=1e-9)
    # of the coordinates: that of the cell's own error, and how much of it a unit of them is
    levels = [f"{name} {CELLS[name].values[0]}" for name in ("origin", "sex")]
    pooled = draws["intercept"] + draws["level_effect"].sel(level=levels).sum("level")
    error = draws["cell_logit"].isel(cell=0) - pooled
    told = full["constant_data"]["cell_information"].isel(cell=0)
    width = draws["cell_scale"] / np.sqrt(1 + draws["cell_scale"] ** 2 * told)
    by_hand = stats.norm.logpdf(error, 0, draws["cell_scale"]) + np.log(width)
    np.testing.assert_allclose(found["cell_logit_raw"].isel(cell=0), by_hand, rtol=1e-9)


def test_prior_and_prior_predictive(full):
    prior, predictive = full["prior"].to_dataset(), full["prior_predictive"]["components"]
    assert list(prior.data_vars) == FREE + DERIVED
    assert prior["share"].dims == ("chain", "draw", "cell", "fate")
    assert predictive.dims == ("chain", "draw", "cell", "component")
    assert (prior.sizes["chain"], prior.sizes["draw"]) == (1, 300)
    z = (predictive.values - expected(prior)) / standard_error(predictive.component)
    assert stats.kstest(z.ravel(), "norm").pvalue > 0.001
    z = (prior["intercept"].sel(outcome="died") + 5) / 1.5
    assert stats.kstest(z.values.ravel(), "norm").pvalue > 0.001


def test_posterior_predictive(full):
    predictive = full["posterior_predictive"]["components"]
    assert predictive.dims == ("chain", "draw", "cell", "component")
    draws = full["posterior"].to_dataset()
    z = (predictive.values - expected(draws)) / standard_error(predictive.component)
    assert z.shape == (2, 300, 4, 5)
    assert stats.kstest(z.ravel(), "norm").pvalue > 0.001


def test_groups_are_the_same_from_the_start_or_later(full):
    with too_short():
        at_once = bm.fit(STUDY, CELLS, groups=GROUPS, **SMALL)
    assert set(at_once.children) == set(full.children)
    for group in full.children:
        assert at_once[group].identical(full[group]), group


def test_adding_groups_leaves_the_fit_as_it_was(full):
    assert "log_likelihood" not in small().children
    assert "log_likelihood" in full.children
    assert full.attrs == small().attrs


def test_groups_of_a_fit_from_a_file(full, tmp_path):
    opened = bm.open_fit(bm.save_fit(small(), tmp_path / "fit.nc", digits=None))
    again = bm.add_groups(opened, "log_likelihood")
    assert again["log_likelihood"].identical(full["log_likelihood"])
    saved = bm.open_fit(bm.save_fit(full, tmp_path / "full.nc", digits=None))
    for group in full.children:
        assert saved[group].identical(full[group]), group


def test_prior_predictive_without_a_fit():
    found = bm.prior_predictive(STUDY, CELLS, "wide", draws=200, seed=4)
    assert list(found.children) == ["prior", "prior_predictive", "estimands"]
    assert dict(found["estimands"].sizes) == {"chain": 1, "draw": 200, "cell": 4}
    np.testing.assert_allclose(
        found["estimands"]["emigration"], 100 * found["prior"]["share"].sel(fate="emigrated")
    )
    z = (found["prior"]["intercept"].sel(outcome="died") + 5) / 3  # twice the default's 1.5
    assert stats.kstest(z.values.ravel(), "norm").pvalue > 0.001
    again = bm.prior_predictive(STUDY, CELLS, "wide", draws=200, seed=4)
    assert again["prior"].identical(found["prior"])


# ArviZ takes it


def test_arviz_takes_the_fit(full):
    with pytest.warns(UserWarning, match="Pareto"):
        loo = az.loo(full, var_name="components")
    lpd = full["log_likelihood"]["components"].stack(sample=("chain", "draw"))
    in_sample = float(np.log(np.exp(lpd).mean("sample")).sum())
    assert loo.elpd < in_sample  # left out, a number is harder to foresee
    assert loo.n_data_points == 20
    summary = az.summary(full, var_names=["intercept"])
    assert list(summary.index) == [f"intercept[{o}]" for o in full["posterior"].outcome.values]
    for measure in (az.rhat, az.ess):
        values = measure(full)["intercept"]
        assert values.dims == ("outcome",)
        assert values.notnull().all()
    az.plot_forest(full, var_names=["intercept"], backend="none")


# The compiled density


def assert_same_density(density, model, points=3):
    """At random unconstrained points, against PyMC's own log density and gradient."""
    logp = model.compile_logp(mode="FAST_COMPILE")
    dlogp = model.compile_dlogp(mode="FAST_COMPILE")
    rng = np.random.default_rng(density.size)
    start = model.initial_point(0)
    for _ in range(points):
        point = {name: value + rng.normal(0, 0.7, value.shape) for name, value in start.items()}
        value, gradient = density(np.concatenate([v.ravel() for v in point.values()]))
        assert math.isclose(value, logp(point), rel_tol=1e-9)
        wanted = dlogp(point)
        np.testing.assert_allclose(gradient, wanted, rtol=1e-9, atol=1e-9 * np.abs(wanted).max())


@pytest.mark.parametrize(
    ("table", "priors", "options"),
    [
        (7, None, {}),
        pytest.param(  # another graph to compile, as is the last
            7,
            "native_rates",
            {"residual": "hazard", "generation_gap": "prior"},
            marks=pytest.mark.slow,
        ),
        (13, None, {}),  # one factor
        pytest.param(4, None, {}, marks=pytest.mark.slow),  # none
    ],
)
def test_the_compiled_density_is_pymc_s(table, priors, options):
    ready = bm.compile(STUDY, STUDY.example(table=table), priors, **options)
    assert_same_density(ready.graph.bind(ready.model, seed=0), ready.model)


def test_a_compiled_graph_takes_data_of_another_length():
    ready = bm.compile(STUDY, CELLS)
    other = STUDY.build(STUDY.example(table=(10, 11)), "wide")
    density = ready.graph.bind(other, seed=0)
    assert density.size > ready.graph.bind(ready.model, seed=0).size
    assert_same_density(density, other)


def test_a_compiled_graph_takes_other_numbers_in_the_place_of_its_data():
    ready = bm.compile(STUDY, CELLS)
    changed = CELLS.assign(estimate=CELLS.estimate + 0.7)  # intervals, and so errors, stay
    other = STUDY.build(changed)
    held = {name: other[name].get_value() for name in ready.graph.names if name in other.named_vars}
    assert_same_density(ready.graph.bind(ready.model, 0, held), other)


def test_a_density_that_is_zero_everywhere_is_refused():
    """Before the sampler starts, which would end in its own words or worse."""
    import pymc as pm

    from bayesmig import compiled

    with pm.Model() as model:
        x = pm.Normal("x")
        pm.Potential("never", pm.math.switch(x * x < 0, 0.0, -np.inf))
    ready, _ = compiled.compile_graph(model)
    with pytest.raises(bm.StudyError, match="density is zero wherever sampling could start"):
        ready.bind(model, 1).sample(seed=1, progress=False, draws=10, tune=10, chains=2)


def test_a_graph_is_compiled_without_pytensor_s_cache():
    """It has no name there then, and is not kept."""
    import pymc as pm
    from pytensor import config

    from bayesmig import compiled

    with pm.Model() as model:
        x = pm.Normal("x", shape=3)
        pm.Normal("y", x.sum(), observed=pm.Data("seen", 1.5))
    with config.change_flags(numba__cache=False):
        ready, reused = compiled.compile_graph(model)
    assert not reused
    assert_same_density(ready.bind(model, seed=0), model)


def test_what_nutpie_calls_is_kept_for_the_next_process():
    """The source and the types of what it calls tell one from another."""
    import uuid

    from numba import types

    from bayesmig._numba import c_function, key

    def made(source, *more):
        kept = key(source, more)
        function = c_function("double", source, {}, types.int64(types.int64), kept)
        return function.ctypes(4), function.cache_hits

    source = f"def double(x):\n    return 2 * x  # {uuid.uuid4()}\n"
    assert made(source) == (8, 0)
    assert made(source) == (8, 1)
    assert made(source, "another type") == (8, 0)
    assert made(source.replace("2 * x", "3 * x")) == (12, 0)
