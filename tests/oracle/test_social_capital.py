"""The graph against a likelihood written out person by person, and against MNLogit."""

import math

import numpy as np
import pandas as pd
import pytest
from lazily import lazily
from oracle import social_capital as oracle

import bayesmig as bm
from bayesmig import evaluate
from bayesmig.models.social_capital import design, estimands
from bayesmig.models.social_capital.paper import OUTCOMES
from bayesmig.ready import compile

optimize = lazily("scipy.optimize")
pm = lazily("pymc")
pytensor = lazily("pytensor")
special = lazily("scipy.special")
stats = lazily("scipy.stats")
pm = lazily("pymc")
contrasts = lazily("bayesmig.models.social_capital.contrasts")
kernel = lazily("bayesmig.models.social_capital.kernel")
likelihood = lazily("bayesmig.models.social_capital.likelihood")

STUDY = bm.load_study("social_capital")
N, PLACES = 700, 12
STRUCTURES = ("independent", "correlated", "independent_contrasts", "shared")
POSITIVE = ("group_scale", "group_shape_diagonal", "slope_scale", "stratum_scale")
# a scale of e^-20 is none, a prior of standard deviation 10,000 is flat
NOTHING = {"dist": "LogNormal", "mu": -20, "sigma": 0.01}
FLAT = {"coefficient": {"dist": "Normal", "mu": 0, "sigma": 1e4}, "group_scale": NOTHING}
SHORT = "network + age + age_squared + male"


@pytest.fixture(scope="module")
def twin():
    """Few people, with outcomes common enough for every category to occur."""
    data = STUDY.simulate(seed=4, n=N, municipalities=PLACES)
    rng = np.random.default_rng(1)
    outcome = np.array(OUTCOMES)[rng.choice(3, p=[0.5, 0.2, 0.3], size=N)]
    return data.assign(
        outcome=data["outcome"].copy(data=outcome), weight=("row", rng.uniform(0.5, 2, N))
    )


@pytest.fixture(scope="module")
def x(twin):
    return oracle.columns(twin)


def random_point(model, seed, lead=()):
    """Free variables on their natural scale, around what is likely."""
    rng = np.random.default_rng(seed)
    point = {}
    for rv in model.free_RVs:
        dims = model.named_vars_to_dims.get(rv.name) or ()
        shape = (*lead, *(len(model.coords[dim]) for dim in dims))
        values = rng.normal(0, 0.5, shape)
        point[rv.name] = np.exp(values) if rv.name in POSITIVE else values
    return point


def group_numbers(data, groups, strata=None):
    labels = data["municipality"].values.astype(str)
    if strata is not None:
        labels = [f"{s}, {g}" for s, g in zip(data[strata].values, labels, strict=True)]
    return [list(groups).index(label) for label in labels]


# The likelihood


@pytest.mark.parametrize("intercepts", STRUCTURES)
@pytest.mark.parametrize("reference", ["no_aspirations", "migrated"])
def test_likelihood_of_each_person(twin, x, intercepts, reference):
    options = {"intercepts": intercepts, "reference": reference, "collapse": False}
    model = STUDY.build(twin, **options)
    point = random_point(model, 3)
    derived = evaluate.derived(model, point, strict=True)
    outcomes = tuple(model.coords["outcome"])
    assert outcomes[0] == reference
    expected = oracle.log_likelihood(
        x,
        twin["outcome"].values,
        group_numbers(twin, model.coords["group"]),
        derived["intercept"],
        derived["log_odds"],
        derived["group_effect"],
        outcomes,
    )
    found = STUDY.log_likelihood(twin, point, **options)
    assert found.dims == ("row",)
    np.testing.assert_allclose(found.values, expected, rtol=0, atol=1e-10)


def test_four_outcomes_of_a_table_of_ones_own():
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(
        {
            "fate": rng.choice(["w", "x", "y", "z"], 300),
            "age": rng.normal(40, 9, size=300),
            "village": rng.choice(list("abcdefg"), 300),
        }
    )
    options = {
        "formula": "age", "group": "village", "outcome": "fate", "reference": "y",
        "intercepts": "correlated", "collapse": False,
    }  # fmt: skip
    model = STUDY.build(frame, **options)
    assert list(model.coords["outcome"]) == ["y", "w", "x", "z"]
    point = random_point(model, 6)
    derived = evaluate.derived(model, point, strict=True)
    expected = oracle.log_likelihood(
        frame[["age"]].to_numpy(),
        frame["fate"].to_numpy(),
        [list(model.coords["group"]).index(v) for v in frame["village"]],
        derived["intercept"],
        derived["log_odds"],
        derived["group_effect"],
        ("y", "w", "x", "z"),
    )
    found = STUDY.log_likelihood(frame, point, **options)
    np.testing.assert_allclose(found.values, expected, rtol=0, atol=1e-10)


def test_weights_multiply_each_person(twin, x):
    options = {"weights": "weight", "collapse": False}
    model = STUDY.build(twin, **options)
    point = random_point(model, 5)
    derived = evaluate.derived(model, point, strict=True)
    weight = twin["weight"].values / twin["weight"].values.mean()
    expected = oracle.log_likelihood(
        x,
        twin["outcome"].values,
        group_numbers(twin, model.coords["group"]),
        derived["intercept"],
        derived["log_odds"],
        derived["group_effect"],
        weight=weight,
    )
    found = STUDY.log_likelihood(twin, point, **options)
    np.testing.assert_allclose(found.values, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("pooling", ["partial", "complete", "none"])
def test_likelihood_with_strata(twin, pooling):
    options = {"strata": "network", "pooling": pooling, "collapse": False}
    with pytest.warns(bm.DataWarning):
        model = STUDY.build(twin, **options)
    point = random_point(model, 7)
    derived = evaluate.derived(model, point, strict=True)
    whole = oracle.columns(twin, without=("network",))
    group = np.array(group_numbers(twin, model.coords["group"], "network"))
    expected = np.empty(N)
    for s, stratum in enumerate(("none", "extended", "close")):
        # the oracle centres on the columns it is given: all people's, then these rows
        every = oracle.log_likelihood(
            whole,
            twin["outcome"].values,
            group,
            derived["intercept"][s],
            derived["log_odds"][s],
            derived["group_effect"],
        )
        rows = twin["network"].values == stratum
        expected[rows] = every[rows]
    with pytest.warns(bm.DataWarning):
        found = STUDY.log_likelihood(twin, point, **options)
    np.testing.assert_allclose(found.values, expected, rtol=0, atol=1e-10)


def test_several_draws_at_once_are_each_alone(twin):
    model = STUDY.build(twin, formula=SHORT)
    many = random_point(model, 9, lead=(2, 3))
    together = evaluate.log_likelihood(model, many)["outcomes"]
    alone = evaluate.log_likelihood(model, {k: v[1, 2] for k, v in many.items()})["outcomes"]
    np.testing.assert_allclose(together[1, 2], alone, atol=1e-12)


def random_inputs(rng, size=1.0):
    """Inputs of the likelihood: 60 rows, 7 groups in 2 strata, 4 outcomes, 3 columns."""
    group = rng.integers(0, 7, 60)
    return [
        rng.normal(0, size, (2, 3, 3)), rng.normal(0, size, (7, 3)), rng.normal(size=(60, 3)),
        group, np.arange(7) % 2, rng.integers(0, 3, (60, 4)).astype(np.int32),
        rng.uniform(0.5, 2, 60),
    ]  # fmt: skip


def in_blocks(inputs):
    """Inputs with the columns as the loop takes them."""
    slope, intercept, column, *rest = inputs
    return [slope, intercept, kernel.in_blocks(column), *rest]


def by_hand(slope, intercept, column, group, stratum, count, weight):
    """Weighted log-likelihood of each row, outcome by outcome."""
    found = np.zeros(len(column))
    for r, g in enumerate(group):
        logit = [0.0]
        for k in range(intercept.shape[1]):
            logit.append(intercept[g, k] + sum(slope[stratum[g], k] * column[r]))
        highest = max(logit)
        total = highest + math.log(sum(math.exp(x - highest) for x in logit))
        found[r] = weight[r] * sum(n * (x - total) for n, x in zip(count[r], logit, strict=True))
    return found


@pytest.mark.parametrize("mode", ["FAST_COMPILE", "NUMBA"])
@pytest.mark.parametrize("size", [1.0, 300.0])  # logits whose odds overflow, too
def test_the_loop_is_the_likelihood_and_its_score(mode, size):
    inputs = random_inputs(np.random.default_rng(5), size)
    variables = [pytensor.tensor.as_tensor_variable(value).type() for value in in_blocks(inputs)]
    operation = likelihood.MultinomialLogit(3)
    run = pytensor.function(variables, operation.make_node(*variables).outputs, mode=mode)
    value, by_slope, by_intercept, _ = run(*in_blocks(inputs))
    np.testing.assert_allclose(value, by_hand(*inputs), rtol=1e-12, atol=1e-10)
    for at, score in ((0, by_slope), (1, by_intercept)):
        for where in np.ndindex(score.shape):
            ends = []
            for step in (1e-6, -1e-6):
                moved = [v.copy() for v in inputs]
                moved[at][where] += step
                ends.append(by_hand(*moved).sum())
            assert score[where] == pytest.approx((ends[0] - ends[1]) / 2e-6, abs=1e-4 * size)


@pytest.mark.parametrize("rows", [1, 63, 64, 65, 200])  # blocks of 64
@pytest.mark.parametrize("strata", [1, 3])  # of one stratum and of several in a block
@pytest.mark.parametrize("ordered", [True, False])
def test_the_loop_is_numpy_s_for_every_number_of_rows(rows, strata, ordered):
    rng = np.random.default_rng(8)
    group = rng.integers(0, 5, rows)
    inputs = [
        rng.normal(0, 1, (strata, 3, 6)), rng.normal(-2, 1, (5, 3)), rng.normal(size=(rows, 6)),
        np.sort(group) if ordered else group, np.arange(5) % strata,
        rng.integers(0, 3, (rows, 4)).astype(np.int32), rng.uniform(0.5, 2, rows),
    ]  # fmt: skip
    inputs[2][0] *= 1e-3
    inputs[0][:, :, 0] *= 40.0  # logits of some hundreds, on both sides
    variables = [pytensor.tensor.as_tensor_variable(value).type() for value in in_blocks(inputs)]
    outputs = likelihood.MultinomialLogit(3).make_node(*variables).outputs
    compiled, plain = (
        pytensor.function(variables, outputs, mode=mode)(*in_blocks(inputs))
        for mode in ("NUMBA", "FAST_COMPILE")
    )
    for found, expected in zip(compiled[:3], plain[:3], strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-13 * abs(expected).max())


def test_exponentials_and_logarithms_to_the_last_bits():
    numba = pytest.importorskip("numba")
    exponentials, logarithms = kernel.exponentials, kernel.logarithms

    @numba.njit
    def run(x, out, bits, total, total_bits, log, log_bits):
        exponentials(x, out, bits)
        logarithms(total, total_bits, log, log_bits)

    lanes = kernel.LANES
    rng = np.random.default_rng(9)
    special_ones = [0.0, -0.0, 1e-300, -1e-17, 599.99, -707.9, np.log(2) / 2, -np.log(2) / 2, 1.0]
    x = np.concatenate([special_ones, rng.uniform(-700, 600, lanes - len(special_ones))])
    total = np.concatenate(
        [[1.0, 1 + 2**-52, np.sqrt(2), 2.0, np.e, 1e300], np.exp(rng.uniform(0, 690, lanes - 6))]
    )
    out, log, given = np.empty(lanes), np.empty(lanes), total.copy()
    bits = [v.view(np.int64) for v in (out, total, log)]
    run(x, out, bits[0], total, bits[1], log, bits[2])
    np.testing.assert_allclose(out, np.exp(x), rtol=5e-16)
    np.testing.assert_allclose(log, np.log(given), rtol=5e-16)
    x[:] = -1e5
    run(x, out, bits[0], total, bits[1], log, bits[2])
    assert (out < 1e-300).all()


def test_no_number_stays_no_number():
    """A NaN among the rows is not lost among blocks, clamps and bits."""
    for size in (1.0, 300.0):
        inputs = random_inputs(np.random.default_rng(5), size)
        inputs[2][7, 1] = np.nan
        variables = [pytensor.tensor.as_tensor_variable(v).type() for v in in_blocks(inputs)]
        outputs = likelihood.MultinomialLogit(3).make_node(*variables).outputs
        value, by_slope, _, _ = pytensor.function(variables, outputs, mode="NUMBA")(
            *in_blocks(inputs)
        )
        assert np.isnan(value[7])
        assert np.isnan(by_slope).any()
        if size == 1:
            assert np.isfinite(np.delete(value, 7)).all()


def test_rows_without_columns_have_no_density():
    """Data whose parts are of other lengths are not fitted in silence."""
    *inputs, weight = random_inputs(np.random.default_rng(5))
    inputs = in_blocks([*inputs, weight])
    inputs[3:4] = [np.tile(inputs[3], 2)]
    inputs[5:] = [np.tile(inputs[5], (2, 1)), np.tile(weight, 2)]
    variables = [pytensor.tensor.as_tensor_variable(value).type() for value in inputs]
    outputs = likelihood.MultinomialLogit(3).make_node(*variables).outputs
    value = pytensor.function(variables, outputs, mode="NUMBA")(*inputs)[0]
    np.testing.assert_array_equal(np.isnan(value), np.arange(120) >= 64)


def test_gradient_of_rows_that_count_differently():
    """The score at hand is that of the plain sum; any other gradient weights the rows."""
    inputs = random_inputs(np.random.default_rng(6))
    of_row = np.random.default_rng(7).normal(size=60)
    variables = [pytensor.tensor.as_tensor_variable(value).type() for value in in_blocks(inputs)]
    value = likelihood.MultinomialLogit(3).make_node(*variables).outputs[0]
    gradient = pytensor.tensor.grad((value * of_row).sum(), variables[:2])
    found = pytensor.function(variables, gradient, mode="FAST_COMPILE")(*in_blocks(inputs))
    for at, score in enumerate(found):
        where = (1,) * score.ndim
        ends = []
        for step in (1e-6, -1e-6):
            moved = [v.copy() for v in inputs]
            moved[at][where] += step
            ends.append((by_hand(*moved) * of_row).sum())
        assert score[where] == pytest.approx((ends[0] - ends[1]) / 2e-6, abs=1e-5)


STRUCTURED = pytest.mark.parametrize(
    "options",
    [
        {"weights": "weight"}, {"intercepts": "correlated"}, {"intercepts": "shared"},
        {"strata": "network", "formula": SHORT.removeprefix("network + ")},
    ],
    ids=str,
)  # fmt: skip


def assert_gradient(density, size):
    """The second of what ``density`` returns is the slope of the first."""
    rng = np.random.default_rng(4)
    flat = rng.normal(0, 0.5, size)
    gradient = density(flat)[1]
    for way in rng.normal(size=(5, size)):
        step = 1e-5
        slope = (density(flat + step * way)[0] - density(flat - step * way)[0]) / (2 * step)
        assert gradient @ way == pytest.approx(slope, rel=1e-6, abs=1e-5)


@STRUCTURED
def test_gradients_are_finite_differences(twin, options):
    """Coordinates and priors included; by PyTensor's interpreter."""
    model = STUDY.build(twin, **{"formula": SHORT, **options})
    both = model.logp_dlogp_function(mode="FAST_COMPILE", ravel_inputs=True)
    both.set_extra_values({})
    start = pm.blocking.DictToArrayBijection.map(model.initial_point(random_seed=0))
    assert_gradient(
        lambda flat: both(pm.blocking.RaveledVars(flat, start.point_map_info)), start.data.size
    )


@pytest.mark.slow  # machine code of four graphs more
@STRUCTURED
def test_compiled_gradients_are_finite_differences(twin, options):
    ready = compile(STUDY, twin, **{"formula": SHORT, **options})
    bound = ready.graph.bind(ready.model, 0)
    assert_gradient(bound, bound.size)


# The prior of the effects does not depend on the coordinates they are sampled in


@pytest.mark.parametrize("intercepts", STRUCTURES)
def test_effects_have_the_stated_covariance_a_priori(twin, intercepts):
    model = STUDY.build(twin, formula="male", intercepts=intercepts)
    values = evaluate.prior_draws(model, 1500, seed=2)
    scores = values["group_effect"][..., 1:]
    covariance = values["group_covariance"][:, 1:, 1:]
    root = np.linalg.cholesky(covariance + 1e-9 * np.eye(2))
    if intercepts == "shared":  # one factor: both effects are multiples of one normal
        standard = scores[..., 0] / np.sqrt(covariance[:, None, 0, 0])
        ratio = covariance[:, 0, 1] / covariance[:, 0, 0]
        np.testing.assert_allclose(scores[..., 1], ratio[:, None] * scores[..., 0], atol=1e-8)
        assert standard.std() == pytest.approx(1, abs=0.03)
        return
    standard = np.linalg.solve(root[:, None], scores[..., None])[..., 0]
    # 1,500 draws of 12 groups, two effects each
    assert abs(standard.mean()) < 0.03
    np.testing.assert_allclose(np.cov(standard.reshape(-1, 2).T), np.eye(2), atol=0.05)


def test_density_is_that_of_the_model_whatever_the_coordinates(twin, x):
    """Log density of parameters and effects: priors, standard normals and likelihood.

    The graph's own differs by the Jacobian of its coordinates, which depends on the
    scales only; so differences at fixed scales must agree.
    """
    options = {"collapse": False, "intercepts": "independent_contrasts"}
    model = STUDY.build(twin, "fixed", **options)
    priors = STUDY.priors("fixed").specs["coefficient"].numbers
    scale = np.array([0.4, 0.8])
    density = model.compile_logp(mode="FAST_COMPILE")
    rng = np.random.default_rng(3)
    values = []
    for _ in range(2):
        at = {k: rng.normal(0, 0.3, np.shape(v)) for k, v in model.initial_point().items()}
        at["group_scale_log__"][:] = np.log(scale)
        parts = [at[v.name][None, None] for v in model.value_vars]
        point = evaluate.parameters(model, parts)
        here = {k: v[0, 0] for k, v in point.items()}
        expected = 0.0
        for j, column in enumerate(model.coords["column"]):
            mu = priors["mu"]["by_label"].get(column, priors["mu"]["default"])
            sd = priors["sigma"]["by_label"].get(column, priors["sigma"]["default"])
            for k in range(2):
                expected += oracle.normal_log_density(here["coefficient"][k, j], mu, sd)
        for effect in here["group_effect"]:
            for k in range(2):
                expected += oracle.normal_log_density(effect[k + 1], 0.0, scale[k])
        expected += oracle.log_likelihood(
            x,
            twin["outcome"].values,
            group_numbers(twin, model.coords["group"]),
            here["intercept"],
            here["log_odds"],
            here["group_effect"],
        ).sum()
        values.append((float(density(at)), expected))
    found = values[0][0] - values[1][0]
    assert found == pytest.approx(values[0][1] - values[1][1], rel=1e-10, abs=1e-7)


# The default is the same model for every reference


def test_contrasts_are_differences_of_independent_normals():
    """Against the normal density with the covariance of differences, and draws against both."""
    rng = np.random.default_rng(4)
    scale = rng.uniform(0.3, 2, (4, 3))
    value = rng.normal(size=(3, 3))
    expected, covariances = 0.0, []
    for j in range(3):
        covariance = np.array(
            [[scale[0, j] ** 2 + (scale[a, j] ** 2 if a == b else 0) for b in (1, 2, 3)]
             for a in (1, 2, 3)]
        )  # fmt: skip
        covariances.append(covariance)
        expected += stats.multivariate_normal(np.zeros(3), covariance).logpdf(value[:, j])
    variable = contrasts.Contrasts.dist(scale)
    found = pm.logp(variable, value).eval(mode="FAST_COMPILE")
    assert found == pytest.approx(expected, rel=1e-12)
    drawn = contrasts.Contrasts.rv_op.rng_fn(rng, np.broadcast_to(scale, (20_000, 4, 3)), None)
    for j in range(3):
        np.testing.assert_allclose(np.cov(drawn[:, :, j].T), covariances[j], rtol=0.06)


@pytest.mark.parametrize("outcomes", [("stays", "goes"), ("stays", "goes", "returns")])
def test_the_prior_of_the_null_model_is_that_of_its_intercepts(outcomes):
    """No slopes: a pair of outcomes differs with standard deviation 4; and it is compiled."""
    rng = np.random.default_rng(6)
    table = pd.DataFrame(
        {"fate": rng.choice(outcomes, 200), "village": rng.choice(list("abcd"), 200)}
    )
    options = {"formula": "1", "group": "village", "outcome": "fate", "reference": "stays"}
    model = STUDY.build(table, **options)
    free = len(outcomes) - 1
    point = random_point(model, 5)
    assert point["coefficient"].shape == (free, 1)
    covariance = 4.0**2 / 2 * (np.eye(free) + 1)
    expected = stats.multivariate_normal(np.zeros(free), covariance).logpdf(
        point["coefficient"][:, 0]
    )
    assert float(evaluate.log_prior(model, point)["coefficient"]) == pytest.approx(expected)
    value = evaluate.log_likelihood(model, point)["outcomes"]
    assert np.isfinite(value).all()


def hyperprior(model, point):
    """Log prior of coefficients, scales and covariance, as a density of the covariance itself."""
    densities = evaluate.log_prior(model, point)
    names = [n for n in densities if not n.endswith("_raw")]
    found = sum(float(np.sum(densities[n])) for n in names)
    if "group_shape_diagonal" in point:
        # W = TT', of the lower root T: |dW / dT| = 2^m prod t_i^(m - i), t_i^2 the variable
        root = np.sqrt(point["group_shape_diagonal"])
        size = len(root)
        for i in range(size):
            found -= math.log(2) + (size - i) * math.log(root[i])
            found += math.log(2 * root[i])  # from t_i to its square
    return found


@pytest.mark.parametrize("intercepts", ["correlated", "independent"])
@pytest.mark.parametrize("reference", ["aspires", "migrated"])
def test_the_prior_is_the_same_for_every_reference(twin, intercepts, reference):
    """Its density at parameters that say the same against another reference.

    Differences against another outcome are a linear map of determinant one (or minus one).
    """
    options = {"formula": SHORT, "intercepts": intercepts}
    one = STUDY.build(twin, **options)
    other = STUDY.build(twin, reference=reference, **options)
    first, second = list(one.coords["outcome"]), list(other.coords["outcome"])
    here = random_point(one, 21)
    there = random_point(other, 22)
    against = np.array(
        [[float(o == k) - float(second[0] == k) for k in first[1:]] for o in second[1:]]
    )
    order = [first.index(o) for o in second]
    there["coefficient"] = against @ here["coefficient"]
    there["slope_scale"] = here["slope_scale"][order]
    if intercepts == "independent":
        there["group_scale"] = here["group_scale"][order]
    else:
        there["group_scale"] = here["group_scale"]
        alike = np.linalg.cholesky(np.eye(2) + 1)
        root = np.diag(np.sqrt(here["group_shape_diagonal"]))
        root[1, 0] = here["group_shape_below"][0]
        turned = np.linalg.solve(alike, against @ alike @ root)
        root = np.linalg.cholesky(turned @ turned.T)
        there["group_shape_diagonal"] = np.diag(root) ** 2
        there["group_shape_below"] = root[1:, 0]
    covariance = evaluate.derived(one, here)["group_covariance"][1:, 1:]
    found = evaluate.derived(other, there)["group_covariance"][1:, 1:]
    np.testing.assert_allclose(found, against @ covariance @ against.T, atol=1e-10)
    assert hyperprior(other, there) == pytest.approx(hyperprior(one, here), abs=1e-8)


@pytest.mark.parametrize("intercepts", STRUCTURES[1:])
def test_two_outcomes_are_the_same_model_in_every_structure(twin, intercepts):
    people = twin.assign(
        outcome=twin["outcome"].copy(
            data=np.where(twin["outcome"].values == "migrated", "migrated", "no_aspirations")
        )
    )
    people["outcome"].attrs.pop("levels", None)
    one = STUDY.build(people, formula=SHORT)
    other = STUDY.build(people, formula=SHORT, intercepts=intercepts)
    point = random_point(one, 8)
    densities = [
        {**evaluate.log_prior(model, point), **evaluate.log_likelihood(model, point)}
        for model in (one, other)
    ]
    assert {v.name for v in one.free_RVs} == {v.name for v in other.free_RVs}
    for name, value in densities[0].items():
        np.testing.assert_allclose(densities[1][name], value, atol=1e-12)


# Modes


def mode(data, priors, **options):
    """The posterior mode: paper's scale, against the reference, by outcome."""
    ready = compile(STUDY, data, priors, **options)
    bound = ready.graph.bind(ready.model, 0)

    def downhill(flat):
        value, gradient = bound(flat)
        return -value, -gradient

    found = np.zeros(bound.size)
    for _ in range(3):  # restarted, since its memory of curvature gets stale
        result = optimize.minimize(
            downhill, found, jac=True, method="L-BFGS-B",
            options={"maxiter": 5000, "maxfun": 20000, "ftol": 1e-15, "gtol": 1e-8, "maxcor": 50},
        )  # fmt: skip
        found = result.x
    values = evaluate.parameters(ready.model, bound.split(found[None, None]))
    return evaluate.dataset(ready.model, values, ("chain", "draw")).isel(chain=0, draw=0)


def test_without_groups_and_priors_it_is_mnlogit(twin, x):
    statsmodels = pytest.importorskip(
        "statsmodels.api", reason="MNLogit is statsmodels', which is in the extra dev"
    )
    codes = np.array([OUTCOMES.index(o) for o in twin["outcome"].values])
    z = x.copy()  # well scaled for its Newton steps; the tests scales back
    mean, scale = x.mean(0), x.std(0)
    z = (x - mean) / scale
    fitted = statsmodels.MNLogit(codes, statsmodels.add_constant(z)).fit(
        method="newton", maxiter=100, disp=False, tol=1e-12
    )
    params = np.asarray(fitted.params)
    ours = mode(twin, FLAT)
    np.testing.assert_allclose(ours["log_odds"].values[1:] * scale, params[1:].T, rtol=0, atol=1e-4)
    np.testing.assert_allclose(ours["intercept"].values[1:], params[0], rtol=0, atol=1e-4)


def test_rebasing_is_refitting_with_another_reference(twin):
    first = mode(twin, FLAT, formula=SHORT)
    again = mode(twin, FLAT, formula=SHORT, reference="aspires")
    based = estimands.rebase(first, "aspires")
    other = estimands.estimands(again, twin)
    assert list(based.contrast.values) == list(other.contrast.values)
    for name in ("coefficient", "intercept"):
        np.testing.assert_allclose(based[name].values, other[name].values, atol=1e-4)


def test_likelihood_is_the_same_for_every_reference(twin):
    options = {"formula": SHORT, "collapse": False, "intercepts": "independent_contrasts"}
    one = STUDY.build(twin, **options)
    other = STUDY.build(twin, reference="migrated", **options)
    here = random_point(one, 11)
    derived = evaluate.derived(one, here, strict=True)
    order = [list(one.coords["outcome"]).index(o) for o in other.coords["outcome"]]
    wanted = {
        name: np.take(derived[name], order, axis) - np.take(derived[name], order[:1], axis)
        for name, axis in (("log_odds", 0), ("intercept", 0), ("group_effect", 1))
    }
    own = np.column_stack([wanted["intercept"], wanted["log_odds"]])[1:]
    matrix = other["to_terms"].get_value()
    own[:, 1:] = own[:, 1:] @ np.linalg.inv(matrix).T
    there = {"coefficient": own, "group_scale": np.ones(2), "slope_scale": np.ones(3)}
    # effects are linear in their coordinates: find those that give the effects wanted
    ends = [
        evaluate.derived(other, {**there, "group_raw": np.full((PLACES, 2), float(v))})[
            "group_effect"
        ][:, 1:]
        for v in (0, 1)
    ]
    there["group_raw"] = (wanted["group_effect"][:, 1:] - ends[0]) / (ends[1] - ends[0])
    found = evaluate.log_likelihood(other, there)["outcomes"]
    expected = evaluate.log_likelihood(one, here)["outcomes"]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10)


# Rows alike


def test_collapsing_changes_nothing(twin):
    options = {"formula": "network + male + urban"}
    few = compile(STUDY, twin, **options)
    all_ = compile(STUDY, twin, collapse=False, **options)
    assert len(few.model.coords["row"]) < N / 2
    assert len(all_.model.coords["row"]) == N
    one, other = few.graph.bind(few.model, 0), all_.graph.bind(all_.model, 0)
    rng = np.random.default_rng(8)
    for _ in range(3):
        flat = rng.normal(0, 0.5, one.size)
        value, gradient = one(flat)
        expected, by_parameter = other(flat)
        assert value == pytest.approx(expected, abs=1e-8)
        np.testing.assert_allclose(gradient, by_parameter, rtol=1e-9, atol=1e-8)


def test_collapsed_rows_are_sums_of_people(twin):
    options = {"formula": "network + male + urban"}
    model = STUDY.build(twin, **options)
    point = random_point(model, 2)
    rows = STUDY.log_likelihood(twin, point, **options)
    each = STUDY.log_likelihood(twin, point, collapse=False, **options)
    of_person = design.design(twin, **options).row_of
    sums = pd.Series(each.values).groupby(of_person).sum()
    np.testing.assert_allclose(rows.values, sums.values, atol=1e-10)


def test_odds_that_overflow_are_taken_relative_to_the_highest():
    """The compiled loop where e^logit is infinite, against a sum in logs."""
    slope = np.array([[[800.0, 0.5], [790.0, -1.0]]])
    column = np.array([[1.0, 0.3], [-1.0, 0.2], [0.01, 1.0], [1.0, -4.0]])
    count = np.array([[1, 0, 2], [0, 1, 1], [3, 0, 0], [0, 1, 0]])
    group, stratum, intercept = np.zeros(4, int), np.zeros(1, int), np.array([[0.1, -0.2]])
    weight = np.array([1.0, 0.5, 2.0, 1.0])
    free = column @ slope[0].T + intercept[0]
    logit = np.concatenate([np.zeros((4, 1)), free], axis=1)
    expected = weight * ((count * logit).sum(1) - count.sum(1) * special.logsumexp(logit, axis=1))
    residual = weight[:, None] * (
        count[:, 1:] - count.sum(1)[:, None] * special.softmax(logit, axis=1)[:, 1:]
    )
    inputs = [pytensor.tensor.as_tensor_variable(v) for v in
              in_blocks((slope, intercept, column, group, stratum, count, weight))]  # fmt: skip
    function = pytensor.function(
        [], likelihood.MultinomialLogit(2).make_node(*inputs).outputs, mode="NUMBA"
    )
    value, by_slope, by_intercept, _ = function()
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    np.testing.assert_allclose(by_slope[0], residual.T @ column, rtol=1e-12)
    np.testing.assert_allclose(by_intercept[0], residual.sum(0), rtol=1e-12)
