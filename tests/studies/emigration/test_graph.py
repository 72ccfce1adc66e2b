"""The emigration graph for every table and option: names, dims, coordinates, densities.

Nothing is sampled; what the numbers should be is in ``tests/oracle``.
"""

import itertools
import math

import numpy as np
import pytest
from lazily import lazily

import bayesmig as bm
from bayesmig import evaluate, ready
from bayesmig.compiled import CompiledGraph
from bayesmig.models.emigration import graph
from bayesmig.pieces import Plan

stats = lazily("scipy.stats")

OUTCOMES = ("emigrated", "died", "moved", "lost", "returned")
FATES = ("emigrated", "died", "moved", "lost", "followed")
COMPONENTS = (
    "non_match",
    "internal_migration",
    "mortality",
    "non_follow_up",
    "return_immigration",
)

# Tables 4-15, the pairs that go together, and the panels of all foreign born: their factors
FACTORS = {
    "4": (),
    "5": ("origin", "year"),
    "6": ("age",),
    "7": ("origin", "sex"),
    "8": ("age",),
    "9": ("age",),
    "10": ("sex", "age"),
    "11": ("sex", "age"),
    "12": ("origin", "duration"),
    "13": ("country",),
    "14": ("origin", "status"),
    "15": ("origin", "period", "status"),
    "10+11": ("origin", "sex", "age"),
    "8+9": ("sex", "age"),
    "5 all": ("year",),
    "7 all": ("sex",),
    "12 all": ("duration",),
    "14 all": ("status",),
}
OPTIONS = [
    {"residual": r, "second_generation": s, "generation_gap": g}
    for r, s, g in itertools.product(
        ("probability", "hazard"), ("zero", "native_rates"), ("zero", "prior")
    )
]
REPORT, LOOSENED = OPTIONS[0], OPTIONS[-1]  # between them, every value of every option


CASES = [
    *itertools.product(FACTORS, [REPORT, LOOSENED]),
    *itertools.product(["7"], OPTIONS[1:-1]),
]


def example(study, table):
    numbers, _, panel = table.partition(" ")
    which = [int(number) for number in numbers.split("+")]
    return study.example(table=which, panel=panel or "exclusive")


def name(value):
    return "-".join(value.values()) if isinstance(value, dict) else value


def shape(model, variable):
    """Shape of a variable by the labels of its dims."""
    return tuple(len(model.coords[dim]) for dim in model.named_vars_to_dims.get(variable) or ())


def at(point, i):
    return {key: value[i] for key, value in point.items()}


def free(model, values):
    return {rv.name: values[rv.name] for rv in model.free_RVs}


tables = pytest.mark.parametrize("table", FACTORS)
cases = pytest.mark.parametrize(("table", "options"), CASES, ids=name)


@pytest.fixture(scope="module")
def built(study):
    """A model for a table and options, built once for all tests that only look at it."""
    models = {}

    def build(table, options):
        key = table, *options.items()
        if key not in models:
            models[key] = study.build(example(study, table), **options)
        return models[key]

    return build


# Names, dims, coordinates


@cases
def test_names_and_dims(built, table, options):
    model = built(table, options)
    drawn = {"intercept": ("outcome",)}
    derived = {"share": ("cell", "fate"), "return_immigration": ("cell",)}
    if len(FACTORS[table]) > 0:
        drawn["factor_scale"] = ("factor", "outcome")
        drawn["effect_raw"] = ("contrast", "outcome")
        derived["level_effect"] = ("level", "outcome")
    if len(FACTORS[table]) > 1:
        drawn["cell_scale"] = ("outcome",)
        drawn["cell_logit_raw"] = ("cell", "outcome")
        derived["cell_logit"] = ("cell", "outcome")
    if options["second_generation"] == "native_rates":
        drawn["native_rate_log_ratio"] = None
        derived["second_generation_emigration"] = ("cell",)
    if options["generation_gap"] == "prior":
        drawn["generation_gap"] = None
    dims = {v: model.named_vars_to_dims.get(v) for v in model.named_vars}
    assert [v.name for v in model.free_RVs] == list(drawn)
    assert {v.name for v in model.deterministics} == set(derived)
    for variable, wanted in {**drawn, **derived}.items():
        assert dims[variable] == wanted
    assert [v.name for v in model.observed_RVs] == ["components"]
    assert dims["components"] == ("cell", "component")
    assert model.potentials == []


@tables
def test_coordinates(study, built, table):
    data, coords = example(study, table), built(table, REPORT).coords
    assert coords["outcome"] == OUTCOMES
    assert coords["fate"] == FATES
    assert coords["component"] == COMPONENTS
    assert list(coords["cell"]) == list(data.cell.values)
    if not FACTORS[table]:
        assert set(coords) == {"outcome", "fate", "component", "cell"}
        return
    assert coords["factor"] == FACTORS[table]
    levels = []
    for factor in FACTORS[table]:
        levels += dict.fromkeys(f"{factor} {value}" for value in data[factor].values)
    assert list(coords["level"]) == levels
    owners = [contrast.split(" ")[0] for contrast in coords["contrast"]]
    for factor in FACTORS[table]:
        count = sum(level.startswith(f"{factor} ") for level in levels)
        assert owners.count(factor) == count - 1


@tables
def test_numbers_of_priors_are_data(study, built, table):
    """Another set of the same families changes shared numbers and nothing else."""
    model = built(table, LOOSENED)
    data = {v.name: v.get_value() for v in model.data_vars}
    for parameter in set(study.priors().specs) & set(model.named_vars):
        for number in ("mu", "sigma"):
            assert data[f"{parameter}_{number}"].shape == shape(model, parameter)
    for observed in ("estimate", "standard_error", "printed_as_zero_below"):
        assert data[observed].shape == shape(model, "components")
    assert data["native_rate"].shape == shape(model, "return_immigration")


# Densities


@pytest.fixture(scope="module")
def densities(study):
    """Log density and gradient of a model; tables with as many kinds of terms share one."""
    compiled = {}

    def shared(model):
        parts = (*model.data_vars, *model.dim_lengths.values())
        return {part.name: part for part in parts if hasattr(part, "set_value")}

    def of(model, table, options):
        key = min(len(FACTORS[table]), 2), *options.values()
        if key not in compiled:
            first = study.build(example(study, table), **options)
            logp = first.compile_logp(mode="FAST_COMPILE")
            compiled[key] = first, logp, first.compile_dlogp(mode="FAST_COMPILE")
        first, logp, dlogp = compiled[key]
        assert set(shared(first)) == set(shared(model))
        for name_of_part, variable in shared(first).items():
            variable.set_value(shared(model)[name_of_part].get_value())
        return logp, dlogp

    return of


@cases
def test_density_and_gradient_are_finite(built, densities, table, options):
    """At the initial point, and beside it, where no two cells cancel: each parameter matters."""
    model = built(table, options)
    logp, dlogp = densities(model, table, options)
    point, rng = model.initial_point(), np.random.default_rng(1)
    beside = {key: value + rng.normal(0, 0.1, value.shape) for key, value in point.items()}
    assert np.isfinite(logp(point))
    assert np.isfinite(dlogp(point)).all()
    gradient = dlogp(beside)
    assert gradient.size == sum(value.size for value in point.values())
    assert np.isfinite(gradient).all()
    assert (gradient != 0).all()


@pytest.mark.parametrize("which", ["default", "no_pooling", "wide", "calibration"])
def test_every_prior_set_has_a_finite_density(study, which):
    model = study.build(example(study, "7"), which, **LOOSENED)
    assert np.isfinite(model.compile_logp(mode="FAST_COMPILE")(model.initial_point()))


# Options and priors that the graph has not


WRONG_OPTIONS = [
    ({"residual": "odds"}, ["residual='odds'", "valid: probability, hazard"]),
    ({"second_generation": "zeros"}, ["second_generation='zeros'", "zero, native_rates"]),
    ({"generation_gap": 0.1}, ["generation_gap=0.1", "valid: zero, prior"]),
    ({"residual_inflation": 0}, ["residual_inflation", "positive"]),
    ({"residual_inflation": -1.0}, ["residual_inflation", "positive"]),
    ({"residual_inflation": math.nan}, ["residual_inflation", "positive"]),
    ({"residual_inflation": "1.3"}, ["residual_inflation", "'1.3'"]),
    (
        {"residal": "hazard"},
        ["'residal' (did you mean 'residual'?)", "valid: residual, residual_inflation, second"],
    ),
]


@pytest.mark.parametrize(
    ("options", "words"), WRONG_OPTIONS, ids=[str(options) for options, _ in WRONG_OPTIONS]
)
def test_wrong_options(study, options, words):
    with pytest.raises(bm.StudyError) as caught:
        study.build(example(study, "7"), **options)
    for word in words:
        assert word in str(caught.value)


def test_options_are_listed_with_their_defaults(study):
    assert study.options == {
        **REPORT,
        "residual_inflation": "by_level",
    }


def test_unknown_study():
    with pytest.raises(bm.StudyError, match=r"'emigraton' \(did you mean 'emigration'\?\); valid:"):
        bm.load_study("emigraton")
    assert "emigration" in bm.list_studies()


NORMAL = {"dist": "Normal", "mu": 0, "sigma": 1}


@pytest.mark.parametrize(
    ("table", "priors", "options"),
    [
        ("7", {"generation_gap": NORMAL}, {"generation_gap": "zero"}),
        ("7", {"native_rate_log_ratio": NORMAL}, {}),
        ("13", {"cell_scale": {"dist": "HalfNormal", "sigma": 1}}, {}),
        ("4", {"factor_scale": {"dist": "HalfNormal", "sigma": 1}}, {}),
    ],
    ids=["no gap", "no second generation", "one factor", "no factor"],
)
def test_a_prior_of_no_parameter_is_refused(study, table, priors, options):
    (parameter,) = priors
    with pytest.raises(bm.PriorError) as caught:
        study.build(example(study, table), priors, **options)
    assert f"priors given for {parameter}, which this graph does not have" in str(caught.value)
    assert "it has intercept" in str(caught.value)
    assert "generation_gap='zero'" in str(caught.value)


def test_a_set_and_an_option_that_contradict_it(study):
    with pytest.raises(bm.PriorError) as caught:
        study.build(example(study, "7"), "native_rates", second_generation="zero")
    assert "'native_rates' presumes second_generation='native_rates'" in str(caught.value)
    assert "the option says 'zero'" in str(caught.value)


# The same graph


@pytest.fixture(scope="module")
def compiled(study):
    return CompiledGraph(study.build(example(study, "10+11")), (), Plan(0, (), (), ()), 0.0)


@pytest.mark.parametrize("table", ["5", "7", "12", "14", "15", "8+9", "10"])
def test_tables_of_several_factors_are_one_graph(study, compiled, table):
    assert compiled.differences(study.build(example(study, table))) == ""


@pytest.mark.parametrize("table", ["13", "4"])
def test_fewer_factors_are_another_graph(study, compiled, table):
    assert "cell_scale" in compiled.differences(study.build(example(study, table)))


@pytest.mark.parametrize("which", ["wide", "no_pooling", "calibration"])
def test_other_numbers_are_the_same_graph(study, compiled, which):
    assert compiled.differences(study.build(example(study, "5"), which)) == ""


@pytest.mark.parametrize(
    "options",
    [{"residual": "hazard"}, {"second_generation": "native_rates"}, {"generation_gap": "prior"}],
    ids=name,
)
def test_other_options_are_another_graph(study, compiled, options):
    assert compiled.differences(study.build(example(study, "5"), **options))


@pytest.mark.parametrize(
    ("parameter", "prior"),
    [
        ("intercept", {"dist": "StudentT", "nu": 4, "mu": 0, "sigma": 1}),
        ("intercept", {"dist": "Laplace", "mu": 0, "b": 1}),
        ("intercept", {"dist": "Moyal", "mu": 0, "sigma": 1}),  # the numbers' names are the same
        ("factor_scale", {"dist": "HalfNormal", "sigma": 1}),
        ("cell_scale", {"dist": "Gamma", "mu": 1, "sigma": 1}),
    ],
    ids=lambda value: value["dist"] if isinstance(value, dict) else value,
)
def test_another_family_is_another_graph_and_says_which(study, compiled, parameter, prior):
    said = compiled.differences(study.build(example(study, "5"), {parameter: prior}))
    assert parameter in said
    others = {"intercept", "factor_scale", "cell_scale"} - {parameter}
    assert not [other for other in others if other in said]


# Values of the graph's parts


@pytest.mark.parametrize("table", ["10+11", "13", "4"])
def test_prior_draws(study, table):
    model = study.build(example(study, table), **LOOSENED)
    draws = evaluate.prior_draws(model, draws=30, seed=1)
    named = [*model.free_RVs, *model.deterministics, *model.observed_RVs]
    assert {key: value.shape for key, value in draws.items()} == {
        v.name: (30, *shape(model, v.name)) for v in named
    }
    np.testing.assert_allclose(draws["share"].sum(axis=-1), 1, rtol=1e-12)
    np.testing.assert_array_equal(
        evaluate.prior_draws(model, draws=30, seed=1)["intercept"], draws["intercept"]
    )
    assert not np.array_equal(
        evaluate.prior_draws(model, draws=30, seed=2)["intercept"], draws["intercept"]
    )


@pytest.mark.parametrize("draws", [1, 2])
def test_prior_draws_have_a_draw_dim(built, draws):
    found = evaluate.prior_draws(built("4", REPORT), draws=draws, seed=1)
    assert found["intercept"].shape == (draws, 5)


def test_prior_draws_follow_the_priors(study):
    """intercept ~ Normal(-2, 0.5) for all: mean within 4 standard errors, as for its spread."""
    prior = {"dist": "Normal", "mu": -2, "sigma": 0.5}
    model = study.build(example(study, "4"), {"intercept": prior})
    draws = evaluate.prior_draws(model, draws=2000, seed=3)["intercept"]
    assert np.abs(draws.mean(axis=0) + 2).max() < 4 * 0.5 / math.sqrt(2000)
    assert np.abs(draws.std(axis=0) / 0.5 - 1).max() < 4 / math.sqrt(2 * 2000)


def test_derived_are_those_that_follow_from_what_is_given(study):
    model = study.build(example(study, "10+11"))
    draws = evaluate.prior_draws(model, draws=3, seed=1)
    given = {key: draws[key] for key in ("intercept", "factor_scale", "effect_raw")}
    found = evaluate.derived(model, given)
    assert set(found) == {"level_effect"}
    for key, value in found.items():
        np.testing.assert_allclose(value, draws[key], rtol=1e-12)


def test_predictive_of_one_cell(study):
    """Table 4 at stated hazards: means by hand, spread from the printed intervals."""
    data = example(study, "4")
    e, d, m, lost, returned = 0.05, 0.02, 0.15, 0.2, 0.012
    point = np.log([p / (1 - p) for p in (e, d, m, lost, returned)])
    model = study.build(data)
    found = evaluate.predictive(model, {"intercept": np.tile(point, (4000, 1))}, seed=4)
    draws = found["components"]
    assert draws.shape == (4000, 1, 5)
    there = (1 - e) * (1 - d)
    means = [
        1 - there * (1 - m) * (1 - lost),
        there * m,
        (1 - e) * d,
        there * (1 - m) * lost,
        returned,
    ]
    widths = [34.6 - 33.8, 15.1 - 14.5, 0.9 - 0.7, (14.7 - 14.0), 1.1 - 0.9]  # Table 4
    errors = [width / (2 * 1.6448536269514722) for width in widths]
    errors[3] = float(data.residual_error[0])  # see test_residual
    for k in range(5):
        error = math.hypot(errors[k], 0.1 / math.sqrt(12))
        sample = draws[:, 0, k]
        assert abs(sample.mean() - 100 * means[k]) < 4 * error / math.sqrt(4000)
        assert abs(sample.std() / error - 1) < 4 / math.sqrt(2 * 4000)


def test_predictive_is_reproducible_and_one_draw_a_point(study):
    model = study.build(example(study, "7"))
    point = free(model, evaluate.prior_draws(model, 20, 5))
    first = evaluate.predictive(model, point, seed=6)["components"]
    assert first.shape == (20, 4, 5)
    np.testing.assert_array_equal(first, evaluate.predictive(model, point, seed=6)["components"])
    assert not np.array_equal(first, evaluate.predictive(model, point, seed=7)["components"])
    chains = {key: value.reshape(2, 10, *value.shape[1:]) for key, value in point.items()}
    assert evaluate.predictive(model, chains, seed=6)["components"].shape == (2, 10, 4, 5)


def test_predictive_of_censored_cells_is_the_bound_or_above(study):
    """Printed 0.0 (0.0, 0.0) says "below 0.05": what would be less is reported as 0.05."""
    data = example(study, "10+11")
    model = study.build(data)
    point = free(model, evaluate.prior_draws(model, 200, 8))
    draws = evaluate.predictive(model, point, seed=9)["components"]
    parts = data.sel(component=list(COMPONENTS)).transpose("cell", "component")
    zero = ((parts.estimate == 0) & (parts.ci_low == 0) & (parts.ci_high == 0)).values
    assert zero.sum() == 4  # mortality of children aged 0-14: two origins, two sexes
    assert draws[:, zero].min() == pytest.approx(0.05, abs=1e-12)
    assert draws[:, ~zero].min() < 0.04


# log_prior


CHOSEN = {
    "intercept": {"dist": "StudentT", "nu": 4, "mu": -3, "sigma": [1, 2, 3, 4, 5]},
    "factor_scale": {
        "dist": "HalfNormal",
        "sigma": {"default": 1, "by_label": {"sex": 2}},
    },
    "cell_scale": {"dist": "Gamma", "alpha": 2, "beta": 3},
    "native_rate_log_ratio": {"dist": "Laplace", "mu": 1, "b": 2},
    "generation_gap": {"dist": "Uniform", "lower": -2, "upper": 2},
}


def test_log_prior_against_scipy(study):
    data = example(study, "7")
    model = study.build(data, CHOSEN, **LOOSENED)
    point = free(model, evaluate.prior_draws(model, 6, 10))
    found = evaluate.log_prior(model, point)
    assert list(found) == [rv.name for rv in model.free_RVs]
    wanted = {
        "intercept": stats.t.logpdf(point["intercept"], 4, -3, [1, 2, 3, 4, 5]),
        "factor_scale": stats.halfnorm.logpdf(point["factor_scale"], scale=[[1], [2]]),
        "cell_scale": stats.gamma.logpdf(point["cell_scale"], 2, scale=1 / 3),
        "native_rate_log_ratio": stats.laplace.logpdf(point["native_rate_log_ratio"], 1, 2),
        "generation_gap": np.full(6, -math.log(4)),
    }
    for key, value in wanted.items():
        np.testing.assert_allclose(found[key], value, rtol=1e-9, err_msg=key)


# Points that do not determine what is asked


def test_a_point_that_lacks_a_parameter(study):
    data = example(study, "7")
    model = study.build(data)
    given = free(model, evaluate.prior_draws(model, 2, 1))
    del given["cell_scale"]
    with pytest.raises(bm.StudyError, match="values of cell_scale are needed too"):
        study.log_likelihood(data, given)
    with pytest.raises(bm.StudyError, match="cell_scale"):
        study.estimands(given, data)
    with pytest.raises(bm.StudyError, match="data="):
        study.estimands(given)


@pytest.mark.parametrize(
    ("intercept", "words"),
    [
        (np.zeros((2, 3, 5)), "unequal numbers of draw dims"),
        (np.zeros((2, 4)), "intercept"),
        (np.zeros((3, 5)), "intercept"),
    ],
    ids=["draw dims", "shape", "draws"],
)
def test_a_point_of_the_wrong_shape(study, intercept, words):
    data = example(study, "7")
    model = study.build(data)
    given = free(model, evaluate.prior_draws(model, 2, 1)) | {"intercept": intercept}
    with pytest.raises(bm.StudyError, match=words):
        study.log_likelihood(data, given)


def test_a_point_of_another_graph(study):
    data = example(study, "4")
    point = {"intercept": np.zeros(5), "slope": 1.0}
    with pytest.raises(bm.StudyError, match=r"no variable 'slope'; it has .*intercept"):
        study.log_likelihood(data, point)


@pytest.mark.parametrize("residual", ["probability", "hazard"])
def test_a_gap_of_the_generations_asks_for_more_draws(study, residual):
    """Whoever asks for it by option, too; a prior set's own settings win."""
    data = example(study, "7")
    assert graph.sampling(study.build(data, residual=residual)) == {}
    own = ready.build(study, data, residual=residual, generation_gap="prior").sampling
    assert own == {"draws": 4000, "target_accept": 0.95}
    small = ready.build(study, data, "generation_gap", residual=residual).sampling
    assert small == {"draws": 4000, "target_accept": 0.9}
