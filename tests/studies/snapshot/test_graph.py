"""The snapshot graph for every option and prior set: names, dims, densities, predictions.

Nothing is sampled; what the numbers should be is in ``tests/oracle``.
"""

import itertools
import math
from functools import cache

import numpy as np
import pytest
from lazily import lazily
from oracle import snapshot as oracle

import bayesmig as bm
from bayesmig import evaluate
from bayesmig.models.snapshot.data import too_few_repeaters
from bayesmig.models.snapshot.truth import as_truth
from bayesmig.models.snapshot.window import Window

az = lazily("arviz")
pm = lazily("pymc")
pytensor = lazily("pytensor")
stats = lazily("scipy.stats")

SURVEYS = {1987: 100, 1995: 400, 2005: 300, 2016: 200}
STUDY = bm.load_study("snapshot")

DEPARTURES = {
    "curve": {"_trend": ("trend",), "_step": None, "_noise": ("year_step",)},
    "dirichlet": {"": ("year",)},
}
LEAVING = {"_first_year": None, "_second_year": None, "_step": None, "_noise": ("leaving_step",)}
SOJOURNS = {
    "leaving": {
        "circular_leaving_slope": None,
        "solitary_leaving_slope_difference": None,
        **{
            f"{kind}_leaving{end}": dims
            for kind in ("solitary", "circular")
            for end, dims in LEAVING.items()
        },
    },
    "long_share": {
        f"{kind}_sojourn{end}": dims
        for kind in ("solitary", "circular")
        for end, dims in {
            "_long": None, "_slope": None, "_step": None, "_noise": ("sojourn_step",)
        }.items()
    },
    "dirichlet": {f"{kind}_sojourn": ("sojourn_class",) for kind in ("solitary", "circular")},
}  # fmt: skip
MOVES = {
    "flow": {"repeat_start": None, "repeat_step": None, "repeat_noise": ("repeat_knot_step",)},
    "paper": {"mean_trips_at_knots": ("trip_knot",)},
}
CIRCULAR = {"flow": "rookie_departures", "paper": "circular_departures"}
PRIORS = {  # a set that has the priors which the options need
    ("curve", "leaving"): "default",
    ("curve", "long_share"): "long_share",
    ("dirichlet", "dirichlet"): "per_class",
}
OPTIONS = [
    {"parametrization": p, "departures": d, "sojourns": s, "calibration": c, "crossings": t}
    for p, (d, s), c, t in itertools.product(
        ("flow", "paper"), PRIORS, ("exact", "paper"), (38.8, "prior")
    )
]


def plain():
    """Settings of a function that is evaluated as the graph is written."""
    mode = pytensor.compile.mode.Mode(linker="py", optimizer=None)
    return {"mode": mode, "on_unused_input": "ignore"}


def name(value):
    return "-".join(map(str, value.values())) if isinstance(value, dict) else str(value)


@pytest.fixture(scope="module")
def data():
    return STUDY.simulate(surveys=SURVEYS, seed=1)


@pytest.fixture(scope="module")
def built(data):
    """A model for a prior set and options, built once for all tests that only look at it."""
    models = {}

    def build(priors="default", **options):
        key = priors, *options.items()
        if key not in models:
            models[key] = STUDY.build(data, priors, **options)
        return models[key]

    return build


def of(built, options):
    return built(PRIORS[options["departures"], options["sojourns"]], **options)


def truth_of(data):
    """The parameters of the truth that data carry; the graph says what follows from them."""
    truth = STUDY.truth(data)
    return {key: truth[key].values for key in oracle.NAMES}


@cache
def functions(model):
    """Log density and its gradient by name, as they are written."""
    values, logp = model.value_vars, model.logp()
    both = pytensor.function(values, [logp, *pytensor.grad(logp, values)], **plain())

    def evaluate(point):
        density, *gradient = both(**point)
        return float(density), dict(zip([v.name for v in values], gradient, strict=True))

    return evaluate


# Names, dims, coordinates


@pytest.mark.parametrize("options", OPTIONS, ids=name)
def test_names_and_dims(built, options):
    model = of(built, options)
    form = options["parametrization"]
    drawn = {"solitary_share": None, "retirement_prob": None}
    derived = {
        "trips_at_home": ("year",),
        "total_crossings": None,
        "mean_trips": ("year",),
        "repeat_prob": ("year",),
        "rookie_departures": ("year",),
        "circular_departures": ("year",),
        "solitary_departures": ("year",),
        "solitary_sojourn": ("sojourn_class",),
        "circular_sojourn": ("sojourn_class",),
    }
    for stem in ("solitary_departures", CIRCULAR[form]):
        drawn |= {f"{stem}{end}": dims for end, dims in DEPARTURES[options["departures"]].items()}
    drawn |= SOJOURNS[options["sojourns"]]
    drawn |= MOVES[form]
    if options["crossings"] == "prior":
        drawn["scaled_crossings"] = None
    dims = {v: model.named_vars_to_dims.get(v) for v in model.named_vars}
    assert {v.name for v in model.free_RVs} == set(drawn)
    assert {v.name for v in model.deterministics} == set(derived) - set(drawn)
    for variable, wanted in {**derived, **drawn}.items():
        assert dims[variable] == wanted, variable
    assert {v.name: dims[v.name] for v in model.observed_RVs} == {
        "respondents": ("cell",),
        "sampled_mean_trips": ("survey",),
    }
    # the likelihood is none; the paper's parameters have a barrier in their prior
    assert [p.name for p in model.potentials] == (["barrier"] if form == "paper" else [])


KNOTS = {  # as given: as they are
    (1989, 1998, 2007, 2016): (1989, 1998, 2007, 2016),
    (2016,): (2016,),
    1: (2016,),
    4: (1989, 1998, 2007, 2016),
    6: (1986, 1992, 1998, 2004, 2010, 2016),
    "every": tuple(range(1982, 2017)),
}


@pytest.mark.parametrize("single", [2, 20, 36])
@pytest.mark.parametrize("knots", KNOTS, ids=str)
def test_coordinates(built, data, knots, single):
    coords = built(knots=knots, single_years=single).coords
    wanted = {
        "year": range(1980, 2017),
        "year_step": range(1981, 2017),
        "departure": range(1980, 2017),
        "trend": ["linear", "quadratic"],
        "sojourn_class": [*map(str, range(1, single + 1)), f"{single + 1}-37"],
        "sojourn_step": [*map(str, range(2, single + 1))],
        "repeat_knot": [1981, *KNOTS[knots]],
        "repeat_knot_step": KNOTS[knots],
        "trip_knot": KNOTS[knots],
        "survey": sorted(SURVEYS),
    }
    for dim, labels in wanted.items():
        assert list(coords[dim]) == list(labels), dim


@pytest.mark.parametrize("which", ["answered", "possible"])
def test_labels_of_cells(built, data, which):
    """Every respondent is in the cell whose label says what he answered."""
    model = built(cells=which)
    counts = dict(zip(model.coords["cell"], model["cell_count"].get_value(), strict=True))
    assert sum(counts.values()) == data.sizes["respondent"]
    for (i, j, t, repeat), count in oracle.counts(data).items():
        kind = "repeat" if repeat else "single"
        label = f"{1979 + t}: left {1980 + t - i}, stayed {j}, {kind} trip"
        assert counts.pop(label) == count
    assert set(counts.values()) == ({0} if which == "possible" else set())


def test_numbers_of_another_window():
    window = Window(1990, 2010, 5, (2000, 2010))
    assert window.size == 21
    np.testing.assert_array_equal(window.class_width, [1, 1, 1, 1, 1, 16])
    assert list(window.class_of_year) == [0, 1, 2, 3, 4] + 16 * [5]
    truth = {
        "solitary_share": 0.5,
        "retirement_prob": 0.4,
        "solitary_departures": np.full(21, 1 / 21),
        "rookie_departures": np.full(21, 1 / 21),
        "repeat_prob": np.append(0, np.full(20, 0.3)),
        "solitary_sojourn": np.full(6, 1 / 6),
        "circular_sojourn": np.full(6, 1 / 6),
    }
    years = {"first_year": 1990, "last_year": 2010}
    data = STUDY.simulate(truth, surveys={1998: 80, 2003: 80, 2010: 80}, seed=1, **years)
    model = STUDY.build(data, trips_of="everybody", knots=(2000, 2010), single_years=5)
    assert list(model.coords["year"]) == list(range(1990, 2011))
    assert list(model.coords["survey"]) == [1998, 2003, 2010]
    assert list(model.coords["sojourn_class"]) == ["1", "2", "3", "4", "5", "6-21"]
    density, gradient = functions(model)(model.initial_point())
    assert np.isfinite(density)
    assert all(np.isfinite(part).all() for part in gradient.values())


# Densities


@pytest.fixture(scope="module")
def densities(data):
    """Log density and gradient under a prior set; sets of one graph are compiled once."""
    compiled = {}

    def shared(model):
        return {v.name: v for v in model.data_vars}

    def under(priors, model):
        families = {n: str(spec.dist) for n, spec in STUDY.priors(priors).specs.items()}
        key = frozenset(families.items()), frozenset(shared(model))
        if key not in compiled:
            first = STUDY.build(data, priors)
            compiled[key] = first, functions(first)
        first, evaluate = compiled[key]
        for part, variable in shared(first).items():
            variable.set_value(shared(model)[part].get_value())
        return evaluate

    return under


@pytest.mark.parametrize("priors", STUDY.prior_sets)
def test_density_and_gradient_are_finite(built, densities, priors):
    """At the initial point, and beside it, where every parameter matters."""
    model = built(priors)
    evaluate = densities(priors, model)
    start = model.initial_point()
    rng = np.random.default_rng(2)
    for spread in (0.0, 0.5, 0.5):
        point = {key: start[key] + rng.normal(0, spread, np.shape(start[key])) for key in start}
        density, gradient = evaluate(point)
        assert np.isfinite(density)
        for key, part in gradient.items():
            assert np.isfinite(part).all(), key
            assert spread == 0 or (part != 0).all(), key


@pytest.mark.parametrize(
    "options",
    [o for o in OPTIONS if "paper" not in o["parametrization"] and o["calibration"] == "paper"][
        ::3
    ],
    ids=name,
)
def test_density_of_other_options_is_finite(built, options):
    model = of(built, options)
    density, gradient = functions(model)(model.initial_point())
    assert np.isfinite(density)
    assert all(np.isfinite(part).all() for part in gradient.values())


@pytest.mark.parametrize("priors", ["default", "per_class"])
def test_paper_s_parameters_start_where_histories_are_possible(built, priors):
    model = built(priors, parametrization="paper")
    density, gradient = functions(model)(model.initial_point())
    assert np.isfinite(density)
    assert all(np.isfinite(part).all() for part in gradient.values())


@pytest.mark.parametrize("priors", STUDY.prior_sets)
def test_numbers_of_priors_are_data(built, priors):
    model, chosen = built(priors), STUDY.priors(priors)
    shared = {v.name for v in model.data_vars}
    for parameter in set(chosen.specs) & {v.name for v in model.free_RVs}:
        for number in chosen.specs[parameter].numbers:
            assert f"{parameter}_{number}" in shared


def test_cells_that_nobody_is_in_change_nothing(built):
    """The posterior is the same whether the graph lists them or not."""
    densities = []
    for which in ("answered", "possible"):
        model = built(cells=which)
        logp = pytensor.function(model.value_vars, model.logp(), **plain())
        start = model.initial_point()
        moved = {key: value + 0.3 for key, value in start.items()}
        densities.append([float(logp(**start)), float(logp(**moved))])
    assert densities[1] == pytest.approx(densities[0], rel=1e-12)


# Parameters


def draws(model, n=20, seed=3, observed=False):
    return evaluate.prior_draws(model, n, seed, observed=observed)


def test_repeat_probabilities_are_linear_in_logits_between_knots(built):
    found = draws(built())
    knots = [1981, 1989, 1998, 2007, 2016]
    for i in range(20):
        walk = np.sqrt(np.diff(knots) / 10) * found["repeat_noise"][i]
        at_knots = found["repeat_start"][i] + found["repeat_step"][i] * np.append(
            0, np.cumsum(walk)
        )
        logits = np.interp(np.arange(1981, 2017), knots, at_knots)
        np.testing.assert_allclose(found["repeat_prob"][i, 1:], 1 / (1 + np.exp(-logits)))
        assert found["repeat_prob"][i, 0] == 0


@pytest.mark.parametrize("knots", [(1989, 1998, 2007, 2016), (2016,), "every"], ids=str)
def test_mean_trips_are_one_at_first_and_linear_between_knots(built, knots):
    found = draws(built(parametrization="paper", knots=knots))
    years = [1980, *(range(1982, 2017) if knots == "every" else knots)]
    for i in range(20):
        at_knots = [1, *found["mean_trips_at_knots"][i]]
        wanted = np.interp(np.arange(1980, 2017), years, at_knots)
        np.testing.assert_allclose(found["mean_trips"][i], wanted, rtol=1e-12)


@pytest.mark.parametrize("which", ["solitary_departures", "rookie_departures"])
def test_departures_are_log_quadratic_with_a_walk(built, which):
    found = draws(built())
    x = (np.arange(37) - 18) / 18
    for i in range(20):
        trend = found[f"{which}_trend"][i]
        walk = found[f"{which}_step"][i] * np.append(0, np.cumsum(found[f"{which}_noise"][i]))
        share = np.exp(trend[0] * x + trend[1] * x**2 + walk)  # constants do not matter
        np.testing.assert_allclose(found[which][i], share / share.sum(), rtol=1e-9)


@pytest.mark.parametrize("which", ["solitary_sojourn", "circular_sojourn"])
def test_sojourns_are_a_power_law_with_a_walk_and_a_long_class(built, which):
    found = draws(built("long_share"))
    for i in range(20):
        short = [1.0]
        for j in range(2, 21):
            slope = found[f"{which}_step"][i] * found[f"{which}_noise"][i, j - 2]
            slope -= found[f"{which}_slope"][i]
            short.append(short[-1] * (j / (j - 1)) ** slope)
        long = found[f"{which}_long"][i]
        wanted = np.append((1 - long) * np.array(short) / np.sum(short), long)
        np.testing.assert_allclose(found[which][i], wanted, rtol=1e-9)


@pytest.mark.parametrize("kind", ["solitary", "circular"])
def test_the_chance_to_leave_changes_slowly_after_the_first_year(built, kind):
    found = {
        key.removeprefix(f"{kind}_leaving_"): value
        for key, value in draws(built()).items()
        if key.startswith(f"{kind}_leaving_")
    }
    slope = draws(built())["circular_leaving_slope"]
    if kind == "solitary":
        slope = slope + draws(built())["solitary_leaving_slope_difference"]
    share = draws(built())[f"{kind}_sojourn"]
    for i in range(20):
        logits, walk = [found["first_year"][i], found["second_year"][i]], 0.0
        for j in range(3, 21):
            walk += math.sqrt(math.log(j / (j - 1))) * found["noise"][i, j - 3]
            trend = -slope[i] * math.log(j / 2)
            logits.append(found["second_year"][i] + trend + found["step"][i] * walk)
        still = 1.0
        for j, logit in enumerate(logits):
            chance = 1 / (1 + math.exp(-logit))
            assert share[i, j] == pytest.approx(still * chance, rel=1e-9)
            still *= 1 - chance
        assert share[i, 20] == pytest.approx(still, rel=1e-9)


@pytest.mark.parametrize("priors", STUDY.prior_sets)
def test_shares_add_up(built, priors):
    found = draws(built(priors), n=50)
    for variable, value in found.items():
        if variable.endswith(("_departures", "_sojourn")):
            np.testing.assert_allclose(value.sum(axis=1), 1, rtol=1e-9, err_msg=variable)
            assert (value >= 0).all()
    assert ((found["repeat_prob"] >= 0) & (found["repeat_prob"] <= 1)).all()
    assert (found["mean_trips"] >= 1 - 1e-12).all()
    assert (found["trips_at_home"] >= 1 - 1e-12).all()


def test_scale_of_crossings(built):
    """All crossings over those counted is what it is whatever the known total."""
    one, two = built(), built(crossings=77.6)
    point = truth_of(STUDY.simulate(surveys=20, seed=1))
    totals = [float(evaluate.derived(model, point)["total_crossings"]) for model in (one, two)]
    assert totals[1] == pytest.approx(2 * totals[0], rel=1e-12)
    drawn = draws(built(crossings="prior"), n=5)
    ratio = drawn["total_crossings"] / drawn["scaled_crossings"]
    assert (ratio >= 1).all()
    assert len(set(drawn["scaled_crossings"])) == 5


# Predictions


@pytest.fixture(scope="module")
def point(data):
    return truth_of(data)


def repeated(point, n):
    return {key: np.broadcast_to(value, (n, *np.shape(value))) for key, value in point.items()}


def by_survey(model, counts):
    """Respondents of each survey, (draw, survey)."""
    survey = model["cell_survey"].get_value()
    return np.stack([counts[..., survey == t].sum(axis=-1) for t in np.unique(survey)], axis=-1)


def test_surveys_that_are_drawn_have_their_size(built, point):
    model = built(cells="possible")
    size = list(SURVEYS.values())
    one = evaluate.predictive(model, point, seed=1)
    np.testing.assert_array_equal(by_survey(model, one["respondents"]), size)
    many = evaluate.predictive(model, repeated(point, 30), seed=1)
    assert many["respondents"].shape == (30, len(model.coords["cell"]))
    assert many["sampled_mean_trips"].shape == (30, 4)
    np.testing.assert_array_equal(by_survey(model, many["respondents"]), [size] * 30)
    prior = draws(model, n=30, observed=True)
    np.testing.assert_array_equal(by_survey(model, prior["respondents"]), [size] * 30)
    assert prior["respondents"].min() == 0


def test_draws_from_the_prior_by_pymc_itself(built, data):
    model = built(cells="possible")
    with model:
        mode = pytensor.compile.mode.Mode(linker="py", optimizer=None)
        drawn = pm.sample_prior_predictive(draws=5, random_seed=1, compile_kwargs={"mode": mode})
    counts = drawn["prior_predictive"]["respondents"]
    assert counts.dims == ("chain", "draw", "cell")
    size = list(SURVEYS.values())
    np.testing.assert_array_equal(by_survey(model, counts.values[0]), [size] * 5)
    assert drawn["prior_predictive"]["sampled_mean_trips"].dims == ("chain", "draw", "survey")


def test_draws_from_the_posterior_by_pymc_itself(built):
    """On all cells they are whole surveys; on those of the answers they are refused."""
    values = draws(built(cells="possible"), n=1)
    trace = az.from_dict({"posterior": {name: value[None] for name, value in values.items()}})
    mode = pytensor.compile.mode.Mode(linker="py", optimizer=None)
    how = {"random_seed": 1, "compile_kwargs": {"mode": mode}, "progressbar": False}
    how["freeze_vars"] = list(values)
    with built(cells="possible") as model:
        drawn = pm.sample_posterior_predictive(trace, **how)["posterior_predictive"]
    size = list(SURVEYS.values())
    np.testing.assert_array_equal(by_survey(model, drawn["respondents"].values[0]), [size])
    with built(), pytest.raises(bm.StudyError, match="answer otherwise: draw from study.build"):
        pm.sample_posterior_predictive(trace, **how)


def test_draws_differ_by_seed_and_by_draw(built, point):
    model = built(cells="possible")
    one, same, other = (evaluate.predictive(model, repeated(point, 2), seed=s) for s in (1, 1, 2))
    for observed in one:
        np.testing.assert_array_equal(one[observed], same[observed])
        assert (one[observed] != other[observed]).any()
        assert (one[observed][0] != one[observed][1]).any()


def test_a_graph_of_the_answers_alone_does_not_draw(built, data, point):
    """Of whole surveys it would lose those who answer otherwise."""
    words = "answer otherwise: draw from study.build"
    with pytest.raises(bm.StudyError, match=words):
        evaluate.predictive(built(), repeated(point, 2), seed=1)
    mode = pytensor.compile.mode.Mode(linker="py", optimizer=None)
    with built(), pytest.raises(bm.StudyError, match=words):
        pm.sample_prior_predictive(draws=2, random_seed=1, compile_kwargs={"mode": mode})


def test_predictive_counts_follow_the_probabilities(built, point):
    """Chi-squared of the sum of 300 sets, and of the spread between sets; level 1e-4 each."""
    model, n = built(cells="possible"), 300
    found = evaluate.predictive(model, repeated(point, n), seed=4)["respondents"]
    history = oracle.flow(**oracle.shipped_truth())
    survey, departure, sojourn, repeat = (
        model[f"cell_{part}"].get_value().astype(int).tolist()
        for part in ("survey", "departure", "sojourn", "repeat")
    )
    chance = np.array(
        [
            oracle.answer(history, t - d + 1, j + 1, t + 1, bool(r))
            for t, d, j, r in zip(survey, departure, sojourn, repeat, strict=True)
        ]
    )
    for year, size in SURVEYS.items():
        here = np.array(survey) == year - 1980
        expected = n * size * chance[here]
        assert expected.sum() == pytest.approx(n * size, rel=1e-8)
        often = expected >= 5
        observed = found[:, here].sum(axis=0)
        observed = np.append(observed[often], observed[~often].sum())
        expected = np.append(expected[often], expected[~often].sum())
        kept = expected > 0
        statistic = ((observed - expected)[kept] ** 2 / expected[kept]).sum()
        assert stats.chi2.sf(statistic, kept.sum() - 1) > 1e-4 / 4
        # one survey's count of its most likely answer is binomial
        cell, p = np.flatnonzero(here)[chance[here].argmax()], chance[here].max()
        spread = (n - 1) * found[:, cell].var(ddof=1) / (size * p * (1 - p))
        low, high = stats.chi2.ppf([1e-4 / 8, 1 - 1e-4 / 8], n - 1)
        assert low < spread < high


def test_predictive_mean_trips_are_normal_about_the_mean_at_home(built, data, point):
    model, n = built(cells="possible", trips_of="everybody"), 400
    found = evaluate.predictive(model, repeated(point, n), seed=5)["sampled_mean_trips"]
    history = oracle.flow(**oracle.shipped_truth())
    expected = oracle.exact_trips(history)
    for k, (t, (_, error)) in enumerate(oracle.pooled_means(data, "everybody").items()):
        z = (found[:, k] - expected[t]) / error
        assert stats.kstest(z, "norm").pvalue > 1e-4 / 4


def test_predictive_mean_trips_of_repeaters_follow_the_answers_that_are_drawn(built, data, point):
    model, n = built(cells="possible"), 400
    found = evaluate.predictive(model, repeated(point, n), seed=5)
    active = oracle.exact_active(oracle.flow(**oracle.shipped_truth()))
    survey, departure, repeat = (
        model[f"cell_{part}"].get_value().astype(int) for part in ("survey", "departure", "repeat")
    )
    expected = np.array(
        [1 + active[d] if r else 0.0 for d, r in zip(departure, repeat, strict=True)]
    )
    spread = []
    for k, (t, (_, error)) in enumerate(oracle.pooled_means(data).items()):
        here = (survey == t - 1) & (repeat == 1)
        count = found["respondents"][:, here]
        mean = count @ expected[here] / count.sum(axis=1)
        z = (found["sampled_mean_trips"][:, k] - mean) / error
        assert stats.kstest(z, "norm").pvalue > 1e-4 / 4
        spread.append(mean.std())
    assert min(spread) > 0


# What is refused


BAD = [
    ({"parametrization": "flows"}, ["parametrization='flows'", "flow, paper"]),
    ({"departures": "spline"}, ["departures='spline'", "curve, dirichlet"]),
    ({"sojourns": ""}, ["sojourns=''", "leaving, long_share, dirichlet"]),
    ({"trips_of": "all"}, ["trips_of='all'", "repeaters, everybody"]),
    ({"trips_error": "own"}, ["trips_error='own'", "pooled, sample"]),
    ({"calibration": "none"}, ["calibration='none'", "exact, paper"]),
    ({"cells": "all"}, ["cells='all'", "answered, possible"]),
    ({"knots": "some"}, ["knots='some'", "every"]),
    ({"knots": ()}, ["knots", "from 1982 to 2016"]),
    ({"knots": 2016}, ["knots=2016", "pieces"]),
    ({"knots": (1990, 1985, 2016)}, ["years that grow", "(1990, 1985, 2016)"]),
    ({"knots": (1990, 1990, 2016)}, ["years that grow"]),
    ({"knots": (1981, 2016)}, ["from 1982 to 2016", "1981"]),
    ({"knots": (1990.5, 2016)}, ["from 1982 to 2016", "1990.5"]),
    ({"knots": (1990, 2010)}, ["the last knot must be 2016", "2010"]),
    ({"single_years": 1}, ["whole number from 2 to 36", "1"]),
    ({"single_years": 37}, ["whole number from 2 to 36", "37"]),
    ({"single_years": 20.0}, ["whole number from 2 to 36", "20.0"]),
    ({"crossings": 0}, ["crossings", "'prior'", "0"]),
    ({"crossings": float("nan")}, ["crossings", "nan"]),
    ({"crossings": float("inf")}, ["crossings", "inf"]),
    ({"crossings": "fixed"}, ["crossings", "'prior'", "'fixed'"]),
    ({"crossings_since": 1979}, ["crossings_since", "1980-2016", "1979"]),
    ({"crossings_since": 1990.0}, ["crossings_since", "1990.0"]),
    ({"knot": (2016,)}, ["unknown option 'knot'", "did you mean 'knots'"]),
]


@pytest.mark.parametrize(("options", "words"), BAD, ids=lambda value: str(value)[:40])
def test_bad_options(data, options, words):
    with pytest.raises(bm.StudyError) as caught:
        STUDY.build(data, **options)
    for word in words:
        assert word in str(caught.value)


def test_bad_data_are_refused(data):
    with pytest.raises(bm.DataError, match="sojourn_years"):
        STUDY.build(data.drop_vars("sojourn_years"))


def test_option_that_a_prior_set_contradicts(data):
    with pytest.raises(bm.PriorError, match="presumes departures='dirichlet'"):
        STUDY.build(data, "per_class", departures="curve")


def test_prior_that_the_graph_does_not_have(data):
    normal = {"mean_trips_at_knots": {"dist": "LogNormal", "mu": 0, "sigma": 1}}
    with pytest.raises(bm.PriorError, match="mean_trips_at_knots"):
        STUDY.build(data, normal)
    STUDY.build(data, normal, parametrization="paper")


@pytest.mark.parametrize(
    ("parameter", "prior"),
    [
        ("solitary_share", {"dist": "Normal", "mu": 0, "sigma": 1}),
        ("retirement_prob", {"dist": "LogNormal", "mu": 0, "sigma": 1}),
        ("repeat_step", {"dist": "Normal", "mu": 0, "sigma": 1}),
        ("solitary_leaving_step", {"dist": "Normal", "mu": 0, "sigma": 1}),
    ],
)
def test_priors_wider_than_the_parameter(data, parameter, prior):
    with pytest.raises(bm.PriorError, match=parameter):
        STUDY.build(data, {parameter: prior})


@pytest.mark.parametrize("parameter", ["solitary_departures", "circular_sojourn"])
def test_shares_of_another_kind(data, parameter):
    chosen = STUDY.priors("per_class", **{parameter: {"dist": "Normal", "mu": 0, "sigma": 1}})
    with pytest.raises(bm.PriorError, match=parameter):
        STUDY.build(data, chosen)


def test_few_repeaters_are_said():
    """Of people who hardly ever leave again, and of as many as in the paper."""
    seldom = as_truth().assign(repeat_prob=0.05 * as_truth()["repeat_prob"])
    data = STUDY.simulate(seldom, surveys=SURVEYS, seed=1)
    with pytest.warns(bm.DataWarning, match=r"are on a repeat trip: .* fewer than 8% solitary"):
        STUDY.build(data)
    assert too_few_repeaters(data)
    assert not too_few_repeaters(STUDY.example())


def test_impossible_histories_are_no_part_of_the_prior(built):
    """With the barrier alone, without answers, the density is zero where a flow is negative."""
    model = built(parametrization="paper")
    start = model.initial_point()
    falls = {**start, "mean_trips_at_knots_log__": np.log([3.0, 2.0, 1.5, 1.2])}
    density = model.compile_fn(model.varlogp + model.potentiallogp, inputs=model.value_vars)
    assert np.isfinite(density(start))
    assert density(falls) == -np.inf
