"""Fits of the multinomial logit: estimands, print, other references, strata, probabilities."""

import json
import warnings
from functools import cache

import arviz
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayesmig as bm
from bayesmig import evaluate, fitting
from bayesmig.calibration import coverage
from bayesmig.models.social_capital import data as people
from bayesmig.models.social_capital import estimands, probabilities, strata

STUDY = bm.load_study("social_capital")
TINY = {"draws": 60, "tune": 150, "chains": 2, "progress": False}
A, B, C = "aspires:no_aspirations", "migrated:aspires", "migrated:no_aspirations"
SHORT = "network + male + age + age_squared + urban"
SHORT_IN = "male + age + age_squared + baseline_aspirations + urban"  # within strata


@pytest.fixture(scope="module")
def twin():
    return STUDY.simulate(seed=6, n=2500, municipalities=20)


@cache
def _small():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bm.ConvergenceWarning)
        warnings.simplefilter("ignore", bm.DataWarning)
        return bm.fit(STUDY, STUDY.simulate(seed=6, n=2500, municipalities=20), **TINY)


@pytest.fixture(scope="module")
def fit():
    return _small()


@cache
def _stratified():
    data = STUDY.simulate(seed=6, n=4000, municipalities=20, tables=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bm.ConvergenceWarning)
        warnings.simplefilter("ignore", bm.DataWarning)
        return bm.fit(STUDY, data, strata="network", **TINY)


def said(kind, call, *arguments, **named):
    with pytest.raises(kind) as caught:
        call(*arguments, **named)
    return str(caught.value)


# Estimands


def test_the_third_contrast_is_the_sum_draw_by_draw(fit):
    found = fit["estimands"].to_dataset()
    assert list(found.contrast.values) == [A, B, C]
    for name in ("coefficient", "intercept"):
        array = found[name]
        np.testing.assert_allclose(
            array.sel(contrast=C), array.sel(contrast=A) + array.sel(contrast=B), atol=1e-12
        )


def test_errors_of_the_sum_have_the_covariance_that_print_left_out(fit):
    """A and B share the people who aspire, so their errors are negatively correlated."""
    male = fit["estimands"]["coefficient"].sel(term="male")
    sd = {c: float(male.sel(contrast=c).std()) for c in (A, B, C)}
    assert sd[C] < 0.9 * np.hypot(sd[A], sd[B])


def test_spread_between_municipalities(fit):
    found, posterior = fit["estimands"].to_dataset(), fit["posterior"].to_dataset()
    scale = posterior["group_scale"]
    np.testing.assert_allclose(
        found["group_sd"].sel(contrast=A), scale.sel(alternative="aspires"), rtol=1e-10
    )
    both = np.hypot(scale.sel(alternative="aspires"), scale.sel(alternative="migrated"))
    np.testing.assert_allclose(found["group_sd"].sel(contrast=B), both, rtol=1e-10)
    variance = found["group_sd"] ** 2
    np.testing.assert_allclose(
        found["variance_share"], variance / (variance + np.pi**2 / 3), rtol=1e-10
    )


def test_the_truth_of_a_twin_gives_the_printed_coefficients(twin):
    found = STUDY.estimands(people.truth(twin), twin)
    table = people.comparable(twin)
    rows = table[(table.quantity == "coefficient") & (table.stratum == "")]
    assert len(rows) == 63
    for row in rows.to_dict("records"):
        value = float(found["coefficient"].sel(contrast=row["contrast"], term=row["term"]))
        assert value == pytest.approx(row["estimate"], abs=1e-9), row


# Beside print


def test_compare_shows_the_corrected_and_the_printed_value(fit):
    table = bm.compare(fit)
    at = table[table.coordinates == f"{C}, network: close"].set_index("quantity")
    assert at.loc["coefficient", "published"] == 1.419
    assert at.loc["coefficient", "source"].endswith("corrected")
    assert "printed -0.657 *" in at.loc["coefficient", "note"]
    assert at.loc["coefficient_as_printed", "published"] == -0.657
    assert at.loc["coefficient_as_printed", "note"] == "as printed, which is not A + B; *"
    assert not table.note.str.contains("other terms").any()
    counts = table.quantity.value_counts()
    assert counts.to_dict() == {"coefficient": 63, "coefficient_as_printed": 21}


def test_one_stratum_is_compared_with_its_own_column():
    data = STUDY.simulate(seed=6, n=6000, municipalities=20, tables=2, stratum="close")
    found = STUDY.estimands(people.truth(STUDY.simulate(seed=6, tables=2)), data)
    table = people.comparable(data)
    assert set(table.quantity) == {"coefficient"}
    assert len(table) == 57
    row = table[(table.contrast == B) & (table.term == "robbery")].iloc[0]
    assert row.estimate == 0.705
    value = found["coefficient"].sel(stratum="close", contrast=B, term="robbery")
    assert float(value) == pytest.approx(0.288 + 0.417, abs=1e-9)  # of Tables 2c and 2a


def test_other_people_have_no_print(tmp_path):
    frame = people.frame(STUDY.simulate(seed=6, n=800, municipalities=8))
    frame = frame[["outcome", "age", "male", "municipality"]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bm.ConvergenceWarning)
        warnings.simplefilter("ignore", bm.DataWarning)
        fitted = bm.fit(STUDY, frame, formula="age + male", **TINY)
    table = bm.compare(fitted)
    assert len(table) == 0
    assert "published" in table
    assert "no printed number" in said(bm.StudyError, bm.plot_compare, fitted)
    page = bm.report(fitted, tmp_path).read_text(encoding="utf-8")
    assert "a table of one&#39;s own" in page or "a table of one's own" in page
    assert set(fitted["estimands"]["coefficient"].term.values) == {"age", "male"}


def test_print_beside_another_formula_says_so(fit):
    """A coefficient given other columns is another coefficient."""
    found = fit["estimands"].to_dataset()
    table = estimands.turned(people.comparable(fit["data"].to_dataset()), found)
    assert not table.note.str.contains("other terms").any()
    fewer = estimands.turned(table, found.isel(term=slice(0, 3)))
    assert fewer.note.str.endswith("the fit has other terms than the table").all()
    assert not fewer.note.str.startswith(";").any()


def test_outcomes_of_ones_own_have_nothing_printed_wrong(fit):
    assert "coefficient_as_printed" in fit["estimands"]
    draws = (
        fit["posterior"]
        .to_dataset()
        .assign_coords(
            outcome=["stayed", "city", "abroad"], outcome_too=["stayed", "city", "abroad"]
        )
    )
    found = estimands.estimands(draws, xr.Dataset())
    assert list(found.data_vars) == ["coefficient", "intercept", "group_sd", "variance_share"]


def test_report_and_picture(tmp_path, fit):
    figure = bm.plot_compare(fit)
    assert "SYNTHETIC" in figure._suptitle.get_text()
    page = bm.report(fit, tmp_path).read_text(encoding="utf-8")
    assert "correction: A + B = +1.419; printed -0.657 *" in page
    assert '<td class="print">1.419</td>' in page
    assert "SYNTHETIC" in page


# Another reference


def test_rebase_turns_contrasts_and_printed_numbers(fit):
    based = bm.rebase(fit, "aspires")
    old, new = fit["estimands"].to_dataset(), based["estimands"].to_dataset()
    turned = "no_aspirations:aspires"
    assert list(new.contrast.values) == [turned, C, B]
    np.testing.assert_allclose(
        new["coefficient"].sel(contrast=turned), -old["coefficient"].sel(contrast=A), atol=1e-12
    )
    np.testing.assert_allclose(
        new["group_sd"].sel(contrast=turned), old["group_sd"].sel(contrast=A), atol=1e-12
    )
    table = bm.compare(based).set_index(["quantity", "coordinates"])
    row = table.loc[("coefficient", f"{turned}, male")]
    assert row.published == -0.362
    assert row.published_low < row.published < row.published_high
    assert f"printed as {A}, sign turned" in row.note
    assert table.loc[("coefficient", f"{B}, male")].published == 0.572
    assert based.attrs["reference"] == "aspires"
    assert based["posterior"].equals(fit["posterior"])
    again = bm.rebase(based, "no_aspirations")
    xr.testing.assert_allclose(again["estimands"].to_dataset(), old)


def test_rebase_to_nothing(fit):
    assert "unknown outcome 'moved'" in said(bm.StudyError, bm.rebase, fit, "moved")


def test_rebase_to_an_outcome_that_was_a_number(fit):
    draws = (
        fit["posterior"].to_dataset().assign_coords(outcome=list("012"), outcome_too=list("012"))
    )
    assert list(estimands.rebase(draws, 2).contrast.values) == ["0:2", "1:0", "1:2"]


def test_a_study_without_reference():
    other = xr.DataTree()
    other.attrs["study"] = "emigration"
    assert "has no reference to change" in said(bm.StudyError, bm.rebase, other, "x")


def test_a_study_that_takes_no_table():
    other = bm.load_study("emigration")
    words = said(bm.DataError, bm.fit, other, pd.DataFrame({"a": [1]}), **TINY)
    assert "takes no DataFrame" in words


# Groups of a fit, refits, files


def test_groups_saved_and_opened(tmp_path, fit):
    whole = bm.add_groups(fit, ("log_likelihood", "posterior_predictive", "log_prior"))
    value = whole["log_likelihood"]["outcomes"]
    rows = fit["observed_data"]["outcomes"]
    assert value.dims == ("chain", "draw", "row")
    drawn = whole["posterior_predictive"]["outcomes"]
    assert drawn.dims == ("chain", "draw", "row", "outcome")
    np.testing.assert_array_equal(drawn.sum("outcome")[0, 0], rows.sum("outcome"))
    observed = rows.sum("row") / rows.sum()
    share = drawn.sum("row") / drawn.sum(("row", "outcome"))
    spread = share.std(("chain", "draw"))
    assert (np.abs(share.mean(("chain", "draw")) - observed) < 4 * spread).all()
    opened = bm.open_fit(bm.save_fit(whole, tmp_path / "fit.nc"))
    assert bm.compare(opened).equals(bm.compare(fit))
    options = json.loads(opened.attrs["options"])
    assert options["reference"] == "no_aspirations"
    assert options["intercepts"] == "independent"
    assert list(opened["posterior"].coords["alternative"].values) == ["aspires", "migrated"]
    assert "network: close" in opened["posterior"].coords["term"].values


def test_other_data_of_other_sizes_compile_nothing(fit):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bm.ConvergenceWarning)
        warnings.simplefilter("ignore", bm.DataWarning)
        again = bm.refit(
            fit, data=STUDY.simulate(seed=7, n=1800, municipalities=14), formula=SHORT, **TINY
        )
    assert again.attrs["compiled"] == "reused"
    assert again["posterior"].sizes["group"] == 14
    assert again["posterior"].sizes["term"] == 6


def test_priors_by_label(twin):
    mine = {"default": 2.0, "by_label": {"migrated": 0.5, "intercept": 3.0}}
    spec = {"dist": "Normal", "mu": 0.0, "sigma": mine}
    model = STUDY.build(twin, {"coefficient": spec}, formula=SHORT)
    sigma = model["coefficient_sigma"].get_value()
    assert sigma.shape == (2, 7)
    assert sigma[0, 1:].tolist() == [2.0] * 6
    assert sigma[1, 1:].tolist() == [0.5] * 6
    assert sigma[:, 0].tolist() == [3.0, 3.0]
    words = said(
        bm.PriorError,
        STUDY.build,
        twin,
        {"coefficient": {**spec, "mu": {"default": 0, "by_label": {"moved": 1}}}},
    )
    assert "unknown label 'moved'" in words


@pytest.mark.filterwarnings("ignore::bayesmig.DataWarning")
def test_a_factor_has_the_sign_of_the_commonest_outcome():
    data = STUDY.simulate(seed=6, n=4000, municipalities=20, tables=2)
    assert (data["outcome"] == "migrated").sum() > 2 * (data["outcome"] == "aspires").sum()
    model = STUDY.build(
        data, formula="male + urban", strata="network", intercepts="shared", collapse=False
    )
    assert list(model.coords["first"]) == ["migrated"]
    assert list(model.coords["later"]) == ["aspires"]
    drawn = evaluate.prior_draws(model, 3, seed=1)
    root = np.concatenate([drawn["loading"], drawn["group_scale"]], axis=-1)
    covariance = drawn["group_covariance"][:, :, 1:, 1:]
    np.testing.assert_allclose(covariance, root[..., :, None] * root[..., None, :])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::bayesmig.DataWarning")
@pytest.mark.parametrize(
    ("intercepts", "pooling"),
    [
        ("independent", "partial"),
        ("independent", "complete"),
        ("independent", "none"),
        ("shared", "partial"),
    ],
)
def test_strata_converge_at_default_settings(intercepts, pooling):
    """Anchored to the few who aspire, the sign of one factor was nearly free: two modes."""
    options = {"intercepts": intercepts, "pooling": pooling, "strata": "network"}
    with warnings.catch_warnings():  # of 600 raw effects one may be beyond 1.01 by chance
        warnings.simplefilter("ignore", bm.ConvergenceWarning)
        data = STUDY.example(tables=2)
        fitted = bm.fit(STUDY, data, formula=SHORT_IN, progress=False, **options)
    assert int(fitted["sample_stats"]["diverging"].sum()) == 0
    found = json.loads(fitted.attrs["diagnostics"])
    assert found["rhat"]["worst"] < 1.02
    assert found["ess_bulk"]["beyond"] == found["ess_tail"]["beyond"] == 0
    names = ["coefficient", "intercept", "group_sd", "variance_share"]
    reported = arviz.rhat(fitted["estimands"].to_dataset()[names])
    assert max(float(array.max()) for array in reported.data_vars.values()) < 1.01


@pytest.mark.parametrize("by", [None, "place"])
def test_one_factor_of_one_contrast_is_a_scale(by):
    """With two outcomes no loading is left beside the scale."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "went": rng.choice(["no", "yes"], 400),
            "age": rng.normal(size=400),
            "village": rng.choice(list("abcd"), 400),
            "place": rng.choice(["hill", "coast"], 400),
        }
    )
    model = STUDY.build(
        frame, formula="age", group="village", outcome="went", reference="no",
        intercepts="shared", strata=by,
    )  # fmt: skip
    names = {v.name for v in model.free_RVs}
    assert "group_scale" in names
    assert "loading" not in names
    drawn = evaluate.prior_draws(model, 3, seed=1)
    variance = drawn["group_covariance"][..., 1, 1]
    np.testing.assert_allclose(variance, drawn["group_scale"][..., 0] ** 2)


def test_a_prior_of_another_family_with_bounds_of_its_own(twin):
    model = STUDY.build(twin, {"coefficient": {"dist": "HalfNormal", "sigma": 1}}, formula=SHORT)
    assert model.rvs_to_transforms[model["coefficient"]].name == "log"


def test_priors_that_the_structure_has_not(twin):
    lkj = {"correlation": {"dist": "LKJCorr", "eta": 4}}
    assert "which this graph does not have" in said(bm.PriorError, STUDY.build, twin, lkj)
    STUDY.build(twin, lkj, formula=SHORT, intercepts="correlated")
    for wrong in ({"dist": "Beta", "alpha": 1, "beta": 1}, {"dist": "LKJCorr", "eta": -1}):
        words = said(
            bm.PriorError, STUDY.build, twin, {"correlation": wrong}, intercepts="correlated"
        )
        assert "prior of 'correlation'" in words


def test_lkj_is_lkj():
    """Of a 3 x 3 matrix: under LKJ(2) each (1 + r) / 2 is Beta(eta + (k - 2) / 2)."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "outcome": rng.choice(["w", "x", "y", "z"], 400),
            "age": rng.normal(size=400),
            "municipality": rng.choice(list("abc"), 400),
        }
    )
    model = STUDY.build(frame, formula="age", reference="w", intercepts="correlated")
    covariance = evaluate.prior_draws(model, 2500, seed=1)["group_covariance"][:, 1:, 1:]
    sd = np.sqrt(np.einsum("nii->ni", covariance))
    correlation = covariance / sd[:, :, None] / sd[:, None, :]
    for i, j in ((0, 1), (0, 2), (1, 2)):
        # Beta(2.5, 2.5) on (-1, 1) has variance 1 / 6
        assert correlation[:, i, j].mean() == pytest.approx(0, abs=0.035)
        assert correlation[:, i, j].var() == pytest.approx(1 / 6, abs=0.02)


def test_prior_predictive_is_on_the_papers_scale(twin):
    prior = bm.prior_predictive(STUDY, twin, draws=400)
    found = prior["estimands"]["coefficient"].sel(contrast=A)
    sd = found.std(("chain", "draw"))
    assert float(sd.sel(term="male")) == pytest.approx(2.0, rel=0.15)
    years = people.frame(twin)["log_expenditure"].std()
    assert float(sd.sel(term="log_expenditure")) == pytest.approx(2.0 / years, rel=0.15)


def test_sensitivity_names_population_priors_only(fit, monkeypatch):
    """Scaling the density of the municipalities' effects too would be no change of priors."""
    named, summary = [], arviz.psense_summary

    def seen(tree, **how):
        named.append(sorted(how["prior_var_names"]))
        return summary(tree, **how)

    monkeypatch.setattr(arviz, "psense_summary", seen)
    table = bm.sensitivity(fit, "group_sd")
    assert named == [["coefficient", "group_scale"]]
    assert list(table.index) == [f"group_sd[{contrast}]" for contrast in (A, B, C)]
    assert {"prior", "likelihood", "diagnosis"} <= set(table.columns)


# Strata


def test_strata_have_their_own_and_differences_are_differences():
    found = _stratified()["estimands"].to_dataset()
    assert list(found.stratum.values) == ["none", "extended", "close"]
    assert list(found.pair.values) == ["extended - none", "close - none", "close - extended"]
    both = found["coefficient"].sel(stratum="close") - found["coefficient"].sel(stratum="none")
    np.testing.assert_allclose(
        found["stratum_difference"].sel(pair="close - none"),
        both.transpose(*found["stratum_difference"].sel(pair="close - none").dims),
        atol=1e-12,
    )
    table = bm.compare(_stratified())
    counts = table.quantity.value_counts()
    assert counts.to_dict() == {"coefficient": 171, "stratum_difference": 171}


def test_differences_beside_footnote_3():
    table = strata.differences(_stratified()).set_index(["pair", "contrast", "term"])
    row = table.loc[("extended - none", A, "male")]
    assert row.printed == pytest.approx(1.988 - 0.339)  # the footnote's own example
    assert row.printed_se == pytest.approx(np.hypot(0.636, 0.279))
    assert row.low < row["mean"] < row.high
    assert 0 <= row.probability <= 1


def test_separate_fits_side_by_side(fit):
    other = bm.rebase(fit, "aspires")
    joined = strata.together({"none": fit, "close": fit})
    assert joined.dims == ("stratum", "chain", "draw", "contrast", "term")
    table = strata.differences({"none": fit, "close": fit})
    assert np.abs(table["mean"]).max() == 0
    words = said(bm.StudyError, strata.together, {"none": fit, "close": other})
    assert "has another contrast" in words
    assert "two strata or more" in said(bm.StudyError, strata.together, {"none": fit})
    assert "no strata" in said(bm.StudyError, strata.differences, fit)


def test_complete_pooling_is_sampled():
    """Coefficients the same everywhere, intercepts and scales of each stratum's own."""
    data = STUDY.simulate(seed=6, n=4000, municipalities=20, tables=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bm.ConvergenceWarning)
        warnings.simplefilter("ignore", bm.DataWarning)
        fitted = bm.fit(
            STUDY, data, formula="male + urban", strata="network", pooling="complete", **TINY
        )
    assert int(fitted["sample_stats"]["diverging"].sum()) == 0
    found = fitted["estimands"].to_dataset()
    assert np.abs(found["stratum_difference"]).max() < 1e-12
    assert (found["coefficient"].std(("chain", "draw")) > 0).all()
    assert (found["intercept"].std("stratum") > 0).all()
    assert (found["group_sd"].std("stratum") > 0).all()


@pytest.mark.slow
@pytest.mark.filterwarnings("error::bayesmig.ConvergenceWarning")
@pytest.mark.parametrize("intercepts", ["independent", "correlated", "shared"])
def test_default_settings_converge_at_the_papers_size(intercepts):
    """No divergence, R-hat < 1.01, bulk and tail ESS > 400 for all that is reported."""
    fitted = bm.fit(STUDY, STUDY.example(), intercepts=intercepts, progress=False)
    assert fitting.problems(fitted) == []


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::bayesmig.DataWarning")
def test_twins_are_recovered():
    """Coefficients and spread of 20 small twins; the card has 100 of them."""

    def twin_of(seed):
        return STUDY.simulate(seed=seed, n=2500, municipalities=25)

    found = bm.calibrate(
        STUDY, twin_of(0), n=20, simulate=twin_of, draws=300, tune=300, seed=1, progress=False,
        intercepts="correlated",
    )  # fmt: skip
    table = coverage(found)
    for quantity in ("coefficient", "group_sd"):
        for probability in ("50%", "90%"):
            inside, error = table.loc[quantity, [f"inside {probability}", f"se {probability}"]]
            assert abs(inside - float(probability[:-1]) / 100) < 4 * error + 0.01, (
                quantity,
                inside,
            )


@pytest.mark.filterwarnings("ignore::bayesmig.DataWarning")
def test_no_pooling_is_separate_models():
    """The likelihood over strata is the sum of those of each stratum alone."""
    data = STUDY.simulate(seed=9, n=3000, municipalities=10)
    formula = "male + urban"
    whole = STUDY.build(data, strata="network", pooling="none", formula=formula)
    slope = np.random.default_rng(2).normal(0, 0.3, (3, 2, 3))
    overall = np.array([data["male"].values.mean(), data["urban"].values.mean()])
    alone = []
    for s, stratum in enumerate(("none", "extended", "close")):
        part = people.select(data, stratum)
        model = STUDY.build(part, formula=formula)
        # the same slopes, on columns centred on the stratum's own means
        means = np.array([part["male"].values.mean(), part["urban"].values.mean()])
        own = slope[s].copy()
        own[:, 0] += slope[s][:, 1:] @ (means - overall)
        point = {"coefficient": own, "group_scale": np.full(2, 1e-9)}
        point["group_raw"] = np.zeros((len(model.coords["group"]), 2))
        alone.append(float(evaluate.log_likelihood(model, point)["outcomes"].sum()))
    point = {"coefficient": slope, "group_scale": np.full((3, 2), 1e-9)}
    point["group_raw"] = np.zeros((len(whole.coords["group"]), 2))
    value = float(evaluate.log_likelihood(whole, point)["outcomes"].sum())
    assert value == pytest.approx(sum(alone), abs=1e-6)


# Probabilities


def test_probabilities_add_up_and_average_the_outcomes(fit, twin):
    for municipality in ("marginal", "new", "m002"):
        found = probabilities.probabilities(fit, municipality=municipality, draws=20)
        np.testing.assert_allclose(found.sum("outcome"), 1, atol=1e-12)
        assert found.dims == ("draw", "person", "outcome")
    marginal = probabilities.probabilities(fit, draws=100).mean("person")
    observed = (twin["outcome"].values[:, None] == people.OUTCOMES).mean(0)
    assert (np.abs(marginal.mean("draw") - observed) < 4 * marginal.std("draw")).all()


def test_quadrature_is_the_mean_over_new_municipalities(fit, twin):
    one = people.frame(twin).head(1)
    marginal = probabilities.probabilities(fit, one, draws=1)[0, 0]
    design = probabilities._design(fit)
    draws = probabilities._Logits(fit, design, 1)
    rng = np.random.default_rng(0)
    columns, stratum = design.columns_of(one), np.zeros(1, int)
    many = [draws.chances(0, columns, stratum, "new", rng)[0] for _ in range(20_000)]
    error = np.std(many, axis=0) / np.sqrt(len(many))
    assert (np.abs(np.mean(many, axis=0) - marginal) < 4 * error).all()


def test_a_known_municipality_is_the_graphs_own(fit, twin):
    """Against the likelihood of the graph: the probability of each person's own outcome."""
    found = probabilities.probabilities(fit, municipality="m004", draws=1).isel(draw=0)
    likelihood = bm.add_groups(fit, ("log_likelihood",))["log_likelihood"]["outcomes"][0, 0]
    rows = np.flatnonzero(twin["municipality"].values == "m004")[:40]
    design = probabilities._design(fit)
    of_row = likelihood.values[design.row_of[rows]] / design.count[design.row_of[rows]].sum(1)
    own = [float(found[i].sel(outcome=twin["outcome"].values[i])) for i in rows]
    np.testing.assert_allclose(np.log(own), of_row, atol=1e-9)


def test_marginal_effects_are_differences_of_probabilities(fit, twin):
    found = probabilities.marginal_effects(fit, draws=3)
    np.testing.assert_allclose(found.sum("outcome"), 0, atol=1e-9)
    frame = people.frame(twin)
    ends = [
        probabilities.probabilities(fit, frame.assign(male=value), draws=3).mean("person")
        for value in (0.0, 1.0)
    ]
    np.testing.assert_allclose(
        found.sel(change="male"), 100 * (ends[1] - ends[0]).transpose("draw", "outcome"), atol=1e-9
    )
    assert {"network: close", "children: 4+", "age + 1", "urban"} <= set(found.change.values)
    assert "age_squared + 1" not in found.change.values


def test_a_square_goes_with_its_column(fit, twin):
    one = people.frame(twin).head(2)
    words = said(bm.DataError, probabilities.probabilities, fit, one.assign(age=77.0))
    assert words.startswith("age_squared is not the square of age in 2 of 2 rows, as it is in")
    without = one.drop(columns="age_squared").assign(age=77.0)
    found = probabilities.probabilities(fit, without, draws=2)
    right = one.assign(age=77.0, age_squared=77.0**2)
    np.testing.assert_allclose(found, probabilities.probabilities(fit, right, draws=2))


@pytest.mark.filterwarnings("ignore::bayesmig.DataWarning")
def test_a_known_municipality_is_that_of_each_ones_stratum():
    fit = _stratified()
    data = fit["data"].to_dataset()
    found = probabilities.probabilities(fit, municipality="m004", draws=1).isel(draw=0)
    likelihood = bm.add_groups(fit, ("log_likelihood",))["log_likelihood"]["outcomes"][0, 0]
    design = probabilities._design(fit)
    of_row = likelihood.values[design.row_of] / design.count[design.row_of].sum(1)
    rows = np.flatnonzero(data["municipality"].values == "m004")
    assert set(data["network"].values[rows]) == {"none", "extended", "close"}
    own = [float(found[i].sel(outcome=data["outcome"].values[i])) for i in rows]
    np.testing.assert_allclose(np.log(own), of_row[rows], atol=1e-9)
    close = people.frame(people.select(data, "close")).head(3)
    full = probabilities.probabilities(fit, close, municipality="close, m004", draws=2)
    np.testing.assert_allclose(
        full, probabilities.probabilities(fit, close, municipality="m004", draws=2)
    )
    words = said(bm.StudyError, probabilities.probabilities, fit, municipality="close, m004")
    assert words.startswith("group 'close, m004' has nobody of stratum none, extended in the fit")
    words = said(bm.StudyError, probabilities.probabilities, fit, municipality="Oaxaca")
    assert words.startswith("unknown group 'Oaxaca'; valid: marginal, new, m001, m002")


def test_a_new_municipality_is_another_in_each_stratum():
    """The groups of strata are independent in the graph."""
    fit = _stratified()
    design = probabilities._design(fit)
    draws = probabilities._Logits(fit, design, 1)
    rng = np.random.default_rng(0)
    columns, stratum = np.zeros((2, len(design.terms))), np.array([0, 2])
    many = np.array([draws.chances(0, columns, stratum, "new", rng) for _ in range(2000)])
    odds = np.log(many[..., 2] / many[..., 0])
    assert abs(np.corrcoef(odds.T)[0, 1]) < 0.1
    scale = np.sqrt(fit["posterior"]["group_covariance"][0, 0, :, 2, 2].values[[0, 2]])
    np.testing.assert_allclose(odds.std(0), scale, rtol=0.08)


def test_people_and_places_unknown(fit, twin):
    words = said(bm.StudyError, probabilities.probabilities, fit, municipality="Oaxaca")
    assert words.startswith("unknown group 'Oaxaca'; valid: marginal, new, m001")
    strange = people.frame(twin).head(2).assign(network=pd.Categorical(["none", "far"]))
    words = said(bm.DataError, probabilities.probabilities, fit, strange)
    assert "level 'far' in 1 rows" in words


# Contrasts of any outcomes


def test_contrasts_are_in_the_papers_order():
    assert estimands.contrasts(list(people.OUTCOMES)) == [
        people.CONTRASTS[letter] for letter in "ABC"
    ]
    assert len(estimands.contrasts(list("wxyz"))) == 6


def test_a_separated_cell_has_a_finite_posterior():
    """Nobody self-employed with extended ties aspires: print has -60.81 (5517)."""
    data = STUDY.simulate(seed=6, n=4000, municipalities=20, tables=2, separated=True)
    part = people.select(data, "extended")
    cell = part["employment"].values == "self_employed"
    assert cell.sum() > 20
    assert not (part["outcome"].values[cell] == "aspires").any()
    formula = "employment + male + urban"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bm.ConvergenceWarning)
        with pytest.warns(bm.DataWarning, match="employment = self_employed: none of"):
            fitted = bm.fit(STUDY, part, formula=formula, **TINY)
    draws = fitted["estimands"]["coefficient"].sel(contrast=A, term="employment: self_employed")
    assert int(fitted["sample_stats"]["diverging"].sum()) == 0
    assert -8 < float(draws.mean()) < 0
    assert float(draws.std()) < 4
