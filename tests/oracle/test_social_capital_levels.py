"""Several columns of groups, and slopes that vary, against densities written out by hand."""

import math

import numpy as np
import pytest
from lazily import lazily
from oracle import social_capital as oracle

import bayesmig as bm
from bayesmig import evaluate
from bayesmig.models.social_capital.paper import OUTCOMES

pm = lazily("pymc")
pytensor = lazily("pytensor")
stats = lazily("scipy.stats")
kernel = lazily("bayesmig.models.social_capital.kernel")
likelihood = lazily("bayesmig.models.social_capital.likelihood")

STUDY = bm.load_study("social_capital")
N, PLACES = 300, 6
NAMES = ("age", "male", "baseline_aspirations")
FORMULA = " + ".join(NAMES)
BOTH = ["household", "municipality"]
TOGETHER = {"intercepts": "correlated", "slopes": "correlated"}
KINDS = {
    "nested": {"group": BOTH, **TOGETHER},
    "nested, slopes": {"group": BOTH, "varying": "age + male | municipality", **TOGETHER},
    "slopes of households": {"group": BOTH, "varying": "male | household", **TOGETHER},
    "slopes": {"varying": "male + age", **TOGETHER},
    "slopes apart": {"group": BOTH, "varying": "age + male | municipality",
                     "intercepts": "correlated"},
    "contrasts": {"group": BOTH, "varying": "age | municipality",
                  "intercepts": "independent_contrasts"},
    "one factor": {"group": BOTH, "intercepts": "shared"},
    "crossed": {"group": ["education", "municipality"], **TOGETHER},
    # more numbers than effects: their density is not one of the effects
    "independent": {"group": BOTH, "varying": "age | municipality"},
}  # fmt: skip
KIND = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(scope="module")
def twin():
    """Few people, with outcomes common enough for everything to be told."""
    data = STUDY.simulate(seed=4, n=N, municipalities=PLACES)
    outcome = np.array(OUTCOMES)[np.random.default_rng(1).choice(3, p=[0.5, 0.2, 0.3], size=N)]
    return data.assign(outcome=data["outcome"].copy(data=outcome))


@pytest.fixture(scope="module")
def built(twin):
    """Graphs by kind, each built once."""
    made = {}

    def build(kind):
        if kind not in made:
            with pytest.warns(bm.DataWarning) if kind == "crossed" else _quiet():
                made[kind] = STUDY.build(
                    twin, "fixed", formula=FORMULA, collapse=False, **KINDS[kind]
                )
        return made[kind]

    return build


class _quiet:
    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False


def both_of(model):
    """Log density and its gradient as a function of the sampler's coordinates, interpreted."""
    function = model.logp_dlogp_function(mode="FAST_COMPILE", ravel_inputs=True)
    function.set_extra_values({})
    start = pm.blocking.DictToArrayBijection.map(model.initial_point(random_seed=0))
    return (
        lambda flat: function(pm.blocking.RaveledVars(flat, start.point_map_info)),
        start.data.size,
        start.point_map_info,
    )


def values_at(model, info, flat):
    """Parameters and derived variables at a point of the sampler's coordinates."""
    point = pm.blocking.DictToArrayBijection.rmap(pm.blocking.RaveledVars(flat, info))
    parts = [np.asarray(point[v.name])[None, None] for v in model.value_vars]
    return {name: v[0, 0] for name, v in evaluate.parameters(model, parts).items()}


def group_numbers(twin, name):
    labels = twin[name].values.astype(str)
    levels = sorted(set(labels), key=lambda v: (len(v), v)) if name == "household" else None
    return labels, levels


def effect_of(here, model, twin, options):
    """What each person's groups add (person, outcome), and the log density of the effects.

    Taken from the reported effects and covariances by their labels alone.
    """
    named = options.get("group", "municipality")
    columns = [named] if isinstance(named, str) else named
    x = np.column_stack([twin[name].values.astype(float) for name in NAMES])
    x = x - x.mean(0)
    varying, _, sloped = options.get("varying", "").partition(" | ")
    terms = [t for t in varying.split(" + ") if t]
    added, density = np.zeros((N, 3)), 0.0
    for column in columns:
        if len(columns) > 1:
            every = list(model.coords["member"])
            at = [i for i, label in enumerate(every) if label.startswith(f"{column}, ")]
            groups = [every[i].removeprefix(f"{column}, ") for i in at]
            covariance = here["group_covariance"][columns.index(column)]
        else:
            groups, covariance = list(model.coords["group"]), here["group_covariance"]
            at = range(len(groups))
        number = {label: i for i, label in enumerate(groups)}
        of_person = [number[str(label)] for label in twin[column].values]
        effects = [here["group_effect"][list(at)]]
        parts = [covariance]
        if terms and column == (sloped or columns[0]):
            effects += [here["group_slope"][t] for t in range(len(terms))]
            if "varying_covariance" in here:
                whole = here["varying_covariance"]
                np.testing.assert_allclose(whole[0, 0], covariance, atol=1e-12)
            else:
                whole = np.zeros((len(effects), len(effects), 3, 3))
                whole[0, 0] = covariance
                for t in range(len(terms)):
                    whole[t + 1, t + 1] = here["slope_covariance"][t]
        else:
            whole = np.array(parts)[None]
        for i in range(N):
            added[i] += effects[0][of_person[i]]
            for t, term in enumerate(terms):
                if len(effects) > 1:
                    added[i] += effects[t + 1][of_person[i]] * x[i, NAMES.index(term)]
        size = 2 * len(effects)
        free = np.zeros((size, size))
        for a in range(len(effects)):
            for b in range(len(effects)):
                free[2 * a : 2 * a + 2, 2 * b : 2 * b + 2] = whole[a, b][1:, 1:]
        rank = np.linalg.matrix_rank(free, tol=1e-9)
        for g in range(len(groups)):
            vector = np.concatenate([e[g][1:] for e in effects])
            inverse = np.linalg.pinv(free, rcond=1e-9)
            density += -0.5 * vector @ inverse @ vector - 0.5 * rank * math.log(2 * math.pi)
    return added, density


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "independent"])
def test_density_is_that_of_the_model(twin, built, kind):
    """Log density of coefficients and effects at fixed covariances: normals and likelihood.

    The graph's own differs by the Jacobian of its coordinates, which depends on the
    covariances only; so differences at fixed covariances must agree.
    """
    model = built(kind)
    numbers = STUDY.priors("fixed").specs["coefficient"].numbers
    density, size, info = both_of(model)
    start = {v.name: i for i, v in enumerate(model.value_vars)}
    rng = np.random.default_rng(3)
    spread = rng.normal(0, 0.3, size)
    values = []
    for seed in (1, 2):
        flat = np.random.default_rng(seed).normal(0, 0.4, size)
        at = 0
        for name, shape, length, _ in info:  # scales and shapes of the covariances are fixed
            assert name in start, shape
            if "raw" not in name and not name.startswith("coefficient"):
                flat[at : at + length] = spread[at : at + length]
            at += length
        here = values_at(model, info, flat)
        added, expected = effect_of(here, model, twin, KINDS[kind])
        for j, column in enumerate(model.coords["column"]):
            mu = numbers["mu"]["by_label"].get(column, numbers["mu"]["default"])
            sd = numbers["sigma"]["by_label"].get(column, numbers["sigma"]["default"])
            for k in range(2):
                expected += oracle.normal_log_density(here["coefficient"][k, j], mu, sd)
        x = np.column_stack([twin[name].values.astype(float) for name in NAMES])
        expected += oracle.log_likelihood(
            x, twin["outcome"].values, range(N), here["intercept"], here["log_odds"], added
        ).sum()
        values.append((density(flat)[0], expected))
    assert values[0][0] - values[1][0] == pytest.approx(
        values[0][1] - values[1][1], rel=1e-9, abs=1e-6
    )


@KIND
def test_gradients_are_finite_differences(built, kind):
    density, size, _ = both_of(built(kind))
    rng = np.random.default_rng(4)
    flat = rng.normal(0, 0.5, size)
    gradient = density(flat)[1]
    for way in rng.normal(size=(3, size)):
        ends = [density(flat + sign * 1e-5 * way)[0] for sign in (1, -1)]
        assert gradient @ way == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-6, abs=1e-5)


# The loop over rows


def random_inputs(rng, size=1.0):
    """Inputs: 60 rows, 7 groups in 2 strata, 4 outcomes, 3 columns, 2 slopes that vary."""
    group = rng.integers(0, 7, 60)
    return [
        rng.normal(0, size, (2, 3, 3)), rng.normal(0, size, (7, 3)), rng.normal(size=(60, 3)),
        group, np.arange(7) % 2, rng.integers(0, 3, (60, 4)).astype(np.int32),
        rng.uniform(0.5, 2, 60), rng.normal(0, size, (7, 3, 2)), rng.normal(size=(60, 2)),
    ]  # fmt: skip


def in_blocks(inputs):
    """Inputs with the columns as the loop takes them."""
    slope, intercept, column, *rest = inputs
    return [slope, intercept, kernel.in_blocks(column), *rest]


def by_hand(slope, intercept, column, group, stratum, count, weight, varying, varies):
    """Weighted log-likelihood of each row, outcome by outcome."""
    found = np.zeros(len(column))
    for r, g in enumerate(group):
        logit = [0.0]
        for k in range(intercept.shape[1]):
            own = sum(slope[stratum[g], k] * column[r]) + sum(varying[g, k] * varies[r])
            logit.append(intercept[g, k] + own)
        highest = max(logit)
        total = highest + math.log(sum(math.exp(x - highest) for x in logit))
        found[r] = weight[r] * sum(n * (x - total) for n, x in zip(count[r], logit, strict=True))
    return found


@pytest.mark.parametrize("mode", ["FAST_COMPILE", "NUMBA"])
def test_the_loop_with_slopes_that_vary(mode):
    inputs = random_inputs(np.random.default_rng(5))
    variables = [pytensor.tensor.as_tensor_variable(value).type() for value in in_blocks(inputs)]
    outputs = likelihood.MultinomialLogit(3, varies=True).make_node(*variables).outputs
    of_row = np.random.default_rng(7).normal(size=60)
    weighted = pytensor.tensor.grad((outputs[0] * of_row).sum(), [variables[i] for i in (0, 1, 7)])
    run = pytensor.function(variables, [*outputs, *weighted], mode=mode)
    value, *scores = run(*in_blocks(inputs))
    np.testing.assert_allclose(value, by_hand(*inputs), rtol=1e-12, atol=1e-10)
    for by_row, found in ((np.ones(60), scores[:3]), (of_row, scores[3:])):
        for at, score in zip((0, 1, 7), found, strict=True):
            for where in np.ndindex(score.shape):
                ends = []
                for step in (1e-6, -1e-6):
                    moved = [v.copy() for v in inputs]
                    moved[at][where] += step
                    ends.append((by_hand(*moved) * by_row).sum())
                assert score[where] == pytest.approx((ends[0] - ends[1]) / 2e-6, abs=1e-4)


# Covariances over outcomes are one family whatever the reference


@pytest.mark.parametrize("slopes", ["correlated", "uncorrelated"])
def test_the_prior_is_the_same_for_every_reference(twin, slopes):
    options = {"formula": FORMULA, **KINDS["nested, slopes"], "slopes": slopes}
    one = STUDY.build(twin, **options)
    other = STUDY.build(twin, reference="migrated", **options)
    first, second = list(one.coords["outcome"]), list(other.coords["outcome"])
    against = np.array(
        [[float(o == k) - float(second[0] == k) for k in first[1:]] for o in second[1:]]
    )
    rng = np.random.default_rng(2)
    here = {"group_scale": np.array([0.4, 0.8]), "varying_scale": np.array([0.3, 0.6])}
    here["group_shape_diagonal"] = rng.uniform(1, 6, len(one.coords["factor"]))
    here["group_shape_below"] = rng.normal(size=len(one.coords["below"]))
    there = {name: value.copy() for name, value in here.items()}
    sizes = [6, 2] if slopes == "correlated" else [2, 2, 2, 2]
    alike = np.linalg.cholesky(np.eye(2) + 1)
    at, at_below, jacobian = 0, 0, {"here": 0.0, "there": 0.0}
    for size in sizes:
        pairs = [(i, j) for j in range(size) for i in range(j + 1, size)]
        root = np.diag(np.sqrt(here["group_shape_diagonal"][at : at + size]))
        for n, (i, j) in enumerate(pairs):
            root[i, j] = here["group_shape_below"][at_below + n]
        turn = np.kron(np.linalg.solve(alike, against @ alike), np.eye(size // 2))
        turned = np.linalg.cholesky(turn @ root @ root.T @ turn.T)
        there["group_shape_diagonal"][at : at + size] = np.diag(turned) ** 2
        for n, (i, j) in enumerate(pairs):
            there["group_shape_below"][at_below + n] = turned[i, j]
        for name, lower in (("here", root), ("there", turned)):
            # W = TT': |dW / dT| = 2^m prod t_i^(m - i), and t_i^2 is the variable
            jacobian[name] -= sum((size - i - 1) * math.log(lower[i, i]) for i in range(size))
        at, at_below = at + size, at_below + len(pairs)
    densities = []
    for model, point, name in ((one, here, "here"), (other, there, "there")):
        prior = evaluate.log_prior(model, point | _rest(model, point))
        names = ("group_scale", "varying_scale", "group_shape_diagonal", "group_shape_below")
        densities.append(sum(float(np.sum(prior[n])) for n in names) + jacobian[name])
    assert densities[0] == pytest.approx(densities[1], abs=1e-8)
    derived = [evaluate.derived(model, point) for model, point in ((one, here), (other, there))]
    for name in derived[0]:
        if name.endswith("covariance"):
            before = derived[0][name][..., 1:, 1:]
            np.testing.assert_allclose(
                derived[1][name][..., 1:, 1:], against @ before @ against.T, atol=1e-10
            )


def _rest(model, point):
    """Zeros for the other variables."""
    return {
        rv.name: np.ones([len(model.coords[d]) for d in model.named_vars_to_dims.get(rv.name, ())])
        for rv in model.free_RVs
        if rv.name not in point
    }


# The prior of the effects does not depend on the coordinates they are sampled in


@pytest.mark.parametrize("kind", ["nested, slopes", "crossed", "independent"])
def test_effects_have_the_stated_covariance_a_priori(built, kind):
    model = built(kind)
    values = evaluate.prior_draws(model, 400, seed=2)
    start = 0
    for at, level in enumerate(KINDS[kind]["group"]):
        groups = len(model.coords[f"member_{at + 1}"])
        effect = values["group_effect"][:, start : start + groups, 1:]
        root = np.linalg.cholesky(values["group_covariance"][:, at, 1:, 1:])
        effects, start = [(effect, root)], start + groups
        if level == "municipality" and "varying_covariance" in values:
            slope = values["group_slope"][..., 1:]
            whole = values["varying_covariance"][..., 1:, 1:]
            both = np.concatenate([effect[:, None], slope], axis=1)  # (draw, effect, group, 2)
            both = both.transpose(0, 2, 1, 3).reshape(400, groups, -1)
            size = both.shape[-1]
            whole = whole.transpose(0, 1, 3, 2, 4).reshape(400, size, size)
            effects = [(both, np.linalg.cholesky(whole))]
        for value, factor in effects:
            standard = np.linalg.solve(factor[:, None], value[..., None])[..., 0]
            standard = standard.reshape(-1, standard.shape[-1])
            assert abs(standard.mean()) < 4 / math.sqrt(standard.size)
            error = 5 / math.sqrt(len(standard))
            size = standard.shape[-1]
            np.testing.assert_allclose(np.cov(standard.T), np.eye(size), atol=error)
