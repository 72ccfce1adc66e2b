"""The graph: priors, structures and their coordinates; nothing is sampled."""

import numpy as np
import pandas as pd
import pytest
from said import said
from social_capital_fits import STUDY

import bayesmig as bm
from bayesmig import evaluate
from bayesmig.models.social_capital import people

A = "aspires:no_aspirations"
SHORT = "network + male + age + age_squared + urban"


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
    loading = {"loading": {"dist": "Normal", "mu": 0, "sigma": 1}}
    assert "which this graph does not have" in said(bm.PriorError, STUDY.build, twin, loading)
    STUDY.build(twin, loading, formula=SHORT, intercepts="shared")
    for wrong in ({"dist": "Beta", "alpha": 1, "beta": 1}, {"dist": "Wishart", "beyond": -1}):
        words = said(
            bm.PriorError, STUDY.build, twin, {"group_shape": wrong}, intercepts="correlated"
        )
        assert "prior of 'group_shape'" in words
    words = said(bm.PriorError, STUDY.build, twin, {"coefficient": {"dist": "Contrasts", "mu": 1}})
    assert "Contrasts has one number, intercept" in words
    learned = {"slope_scale": {"dist": "LogNormal", "mu": -1, "sigma": 0.5}}
    STUDY.build(twin, learned, formula=SHORT)
    fixed = STUDY.priors("fixed").override(**learned)
    assert "priors given for slope_scale" in said(bm.PriorError, STUDY.build, twin, fixed)


def test_the_shape_of_correlated_effects_is_a_wishart():
    """Of four outcomes: W = TT' has mean I and, with n degrees of freedom, variance 2 / n."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "outcome": rng.choice(["w", "x", "y", "z"], 400),
            "age": rng.normal(size=400),
            "municipality": rng.choice(list("abc"), 400),
        }
    )
    model = STUDY.build(frame, formula="age", reference="w", intercepts="correlated")
    drawn = evaluate.prior_draws(model, 4000, seed=1)
    covariance = drawn["group_covariance"] / drawn["group_scale"][:, None, None] ** 2
    for one, other in ((0, 1), (1, 2), (2, 3), (0, 3)):
        variance = (
            covariance[:, one, one] + covariance[:, other, other] - 2 * covariance[:, one, other]
        )
        # three free outcomes and three beyond: a chi-squared of 6 degrees of freedom over 6
        assert variance.mean() == pytest.approx(1, abs=0.04)
        assert variance.var() == pytest.approx(2 / 6, abs=0.04)


def test_prior_predictive_is_on_the_papers_scale(twin):
    prior = bm.prior_predictive(STUDY, twin, "fixed", draws=400)
    found = prior["estimands"]["coefficient"].sel(contrast=A)
    sd = found.std(("chain", "draw"))
    assert float(sd.sel(term="male")) == pytest.approx(2.0, rel=0.15)
    years = people.frame(twin)["log_expenditure"].std()
    assert float(sd.sel(term="log_expenditure")) == pytest.approx(2.0 / years, rel=0.15)


@pytest.mark.filterwarnings("ignore::bayesmig.DataWarning")
def test_no_pooling_is_separate_models():
    """The likelihood over strata is the sum of those of each stratum alone."""
    data = STUDY.simulate(seed=9, n=3000, municipalities=10)
    formula = "male + urban"
    options = {"formula": formula, "intercepts": "independent_contrasts"}
    whole = STUDY.build(data, "fixed", strata="network", pooling="none", **options)
    slope = np.random.default_rng(2).normal(0, 0.3, (3, 2, 3))
    overall = np.array([data["male"].values.mean(), data["urban"].values.mean()])
    alone = []
    for s, stratum in enumerate(("none", "extended", "close")):
        part = people.select(data, stratum)
        model = STUDY.build(part, "fixed", **options)
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
