"""The graph of linked supplements against a loop over persons."""

import csv
from functools import cache

import numpy as np
import pandas as pd
import pytest
from lazily import lazily
from microdata_fits import as_fit
from oracle import emigration_microdata as oracle

import bayesmig as bm
from bayesmig import evaluate
from bayesmig.models.emigration.data import PUBLISHED
from bayesmig.models.emigration.microdata import synthetic
from bayesmig.models.emigration.microdata.counts import clustering
from bayesmig.models.emigration.microdata.counts.collapse import collapse
from bayesmig.models.emigration.microdata.counts.design import MORTALITY_TERMS
from bayesmig.models.emigration.microdata.ipums.frames import panel_of_frame
from bayesmig.models.emigration.microdata.simulate import true_cells

graph = lazily("bayesmig.models.emigration.microdata.graph")

STUDY = bm.load_study("emigration_microdata")
RATES = PUBLISHED / "native_rates.csv"
AGES = "0-14 15-19 20-24 25-29 30-34 35-39 40-44 45-49 50-54 55-59 60-64 65-69 70-74 75+".split()
VARIANTS = {
    "as printed": {},
    "hazard": {"residual": "hazard"},
    "loosened": {"second_generation": "native_rates", "generation_gap": "prior"},
    "loosened hazard": {"residual": "hazard", "second_generation": "native_rates",
                        "generation_gap": "prior"},
}  # fmt: skip


@cache
def people():
    frame = synthetic.simulate_panel(persons=700, years=range(1996, 1999), seed=3)
    return frame, collapse(panel_of_frame(frame, frame.attrs))


@cache
def persons():
    frame = people()[0].astype(object)
    frame = frame.where(frame.notna(), None)
    return frame.to_dict("records")


@cache
def design_effect(observed):
    return oracle.design_effect(persons(), observed)


@cache
def rates():
    """Appendix F by the age groups of Table 6; children's the mean of three."""
    found = {}
    with open(RATES) as file:
        for row in csv.DictReader(file):
            group = max(int(row["age_group"]) - 2, 0)
            found.setdefault((row["sex"], AGES[group]), []).append(float(row["rate"]))
    return {key: sum(values) / len(values) for key, values in found.items()}


def random_point(model, seed):
    """A point of the prior, natural scale; intercepts near those of the report, effects small.

    (With any others the paper's identity u = e + d + m (1 - e - d) + r may exceed one.)
    """
    drawn = evaluate.prior_draws(model, 1, seed, observed=False)
    free = {v.name: drawn[v.name][0] for v in model.free_RVs}
    near = [-3.4, -4.6, -1.8, -1.9, -1.8]
    free["intercept_sum"] = near + np.random.default_rng(seed).normal(0, 0.3, 5)
    for name in free:
        if name.endswith("_raw"):
            free[name] = 0.3 * free[name]
    return {**free, **evaluate.derived(model, free, strict=True)}


def as_oracle(model, point):
    """Effects by outcome, factor and level; mortality by generation and term."""
    effects = {}
    for i, outcome in enumerate(model.coords["outcome"]):
        own = {"intercept": float(point["intercept"][i])}
        for factor in oracle.FACTORS[outcome]:
            own[factor] = {}
        for level, value in zip(
            model.coords[f"{outcome}_level"], point[f"{outcome}_effect"], strict=True
        ):
            factor, label = level.split(" ", 1)
            own[factor][label] = float(value)
        effects[outcome] = own
    mortality = {"first": {}, "second": {}}
    for term, value in zip(model.coords["mortality_term"], point["mortality"], strict=True):
        whose, name = term.split(" ", 1)
        mortality[whose][name] = float(value)
    return effects, mortality


def how(point):
    loosened = "native_rate_log_ratio" in point
    return {
        "gap": float(point.get("generation_gap", 0.0)),
        "rates": rates(),
        "factor": float(np.exp(point["native_rate_log_ratio"])) if loosened else 0.0,
    }


@pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS)
def test_log_likelihood_is_that_of_the_persons(options):
    _, data = people()
    model = STUDY.build(data, **options)
    for seed in range(3):
        point = random_point(model, seed)
        residual = options.get("residual", "probability")
        expected = oracle.log_likelihood(
            persons(), *as_oracle(model, point), residual, **how(point)
        )
        free = {v.name: point[v.name] for v in model.free_RVs}
        found = evaluate.log_likelihood(model, free)
        for name, value in expected.items():
            value /= design_effect(name)
            assert found[name].sum() == pytest.approx(value, rel=1e-8), (name, seed)


@pytest.mark.parametrize("together", [1, 2, 3])
def test_design_effects_of_households(together):
    """Sums by household; one coin for all of it makes them the mean size of one's household."""
    truth = synthetic.default_truth("probability")
    truth["survey"] |= {"adult_with_householder": 0.7, "child_with_parent": 0.7}
    frame = synthetic.simulate_panel(
        truth, persons=3000, years=[1996, 1997], adults_together=together, seed=5
    )
    found = collapse(panel_of_frame(frame)).design_effect
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    for name in ("followed", "native_followed", "moved", "returned"):
        value = oracle.design_effect(rows, name)
        assert float(found.sel(observed=name)) == pytest.approx(value, rel=1e-6)
    home = frame.year * 10_000 + frame.serial
    coin = np.random.default_rng(1).random(home.max() + 1) < 0.6
    found = collapse(panel_of_frame(frame.assign(followed=coin[home]))).design_effect
    size = home[frame.generation == "first"].value_counts()
    effect = float(found.sel(observed="followed"))
    assert effect == pytest.approx((size**2).sum() / size.sum(), rel=0.1)


def test_a_sample_of_households_tells_the_design_effect():
    truth = synthetic.default_truth("probability")
    truth["survey"]["adult_with_householder"] = 0.9
    frame = synthetic.simulate_panel(truth, persons=20_000, adults_together=3, seed=5)
    panel = panel_of_frame(frame)
    collapse(panel)
    some, every = (
        clustering.design_effects(panel.connection, weighted=False, persons=most)
        for most in (8_000, 200_000)
    )
    assert (some != every).any()
    np.testing.assert_allclose(some, every, rtol=0.2)


def test_households_count_by_design_effect_or_not_at_all():
    _, data = people()
    data = data.assign(design_effect=data.design_effect * 0 + [2.0, 1.5, 1.25, 1.0])
    alone, together = STUDY.build(data, clustering="none"), STUDY.build(data)
    point = random_point(alone, 3)
    free = {v.name: point[v.name] for v in alone.free_RVs}
    found = [evaluate.log_likelihood(model, free) for model in (alone, together)]
    for name in found[0]:
        effect = float(data.design_effect.sel(observed=name))
        np.testing.assert_allclose(found[1][name] * effect, found[0][name], rtol=1e-12)
    old = data.drop_vars(["design_effect", "observed"])
    with pytest.raises(bm.DataError, match="count them again, or clustering='none'"):
        STUDY.build(old)
    STUDY.build(old, clustering="none")


@pytest.mark.parametrize("effect", [1.0, 1.4, 2.0, 2.7])
def test_drawn_counts_have_the_mean_and_the_variance_of_clusters(effect):
    """Of rows alike, with one person or several: 4,000 draws, four standard errors."""
    rng = np.random.default_rng(1)
    n = np.array([1, 1, 1, 5, 1, 2, 1, 1, 9, 1] * 4)
    p = np.full(len(n), 0.3)
    drawn = graph.draw_events(np.tile(p, (4000, 1)), n, effect, rng)
    assert drawn.shape == (4000, len(n))
    assert ((drawn >= 0) & (drawn <= n)).all()
    total = drawn.sum(1)
    variance = effect * n.sum() * 0.21
    assert total.mean() == pytest.approx(0.3 * n.sum(), abs=4 * np.sqrt(variance / 4000))
    assert total.var() == pytest.approx(variance, rel=4 * np.sqrt(2.3 / 4000) + 0.03)


@pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS)
def test_cells_are_weighted_means_of_the_persons(options):
    _, data = people()
    model = STUDY.build(data, **options)
    point = random_point(model, 7)
    effects, mortality = as_oracle(model, point)
    cells = {
        "Table 4, Total": lambda p: True,
        "Table 5, Mexican, 1997": lambda p: p["country"] == "Mexico" and p["year"] == 1997,
        "Table 7, Non-Mexican, Male": lambda p: p["country"] != "Mexico" and p["sex"] == "Male",
        "Table 9, 30-34": lambda p: p["sex"] == "Female" and p["age_group"] == "30-34",
        "Table 10, Mexican Males, 25-34": lambda p: (
            p["country"] == "Mexico" and p["sex"] == "Male" and 25 <= p["age"] <= 34
        ),
        "Table 12, All Foreign-born, 0-4 yrs": lambda p: p["duration"] == "0-4 yrs",
        "Table 13, Asia": lambda p: p["country"] in (
            "China", "India", "Philippines", "Korea", "Other Asia"
        ),
    }  # fmt: skip
    names = list(model.coords["cell"])
    for cell, chosen in cells.items():
        expected = oracle.weighted_means(
            persons(), effects, mortality, options.get("residual", "probability"), chosen,
            **how(point),
        )  # fmt: skip
        share = point["cell_share"][names.index(cell)]
        for k, fate in enumerate(("emigrated", "died", "moved", "lost", "followed")):
            assert share[k] == pytest.approx(expected[fate], abs=1e-10), (cell, fate)
        returned = point["cell_return"][names.index(cell)]
        assert returned == pytest.approx(expected["returned"], abs=1e-10), cell


def test_the_true_cells_are_those_of_the_oracle():
    """What a simulation calls the truth is what the persons' probabilities average to."""
    truth = synthetic.default_truth("probability")
    frame = synthetic.simulate_panel(truth, persons=700, years=range(1996, 1999), seed=3)
    found = true_cells(frame, truth)
    share, returned = found["cell_share"], found["cell_return"]
    chance = synthetic.expected(frame, truth)
    at = (frame.generation == "first") & (frame.sex == "Male")
    one = np.average(chance.emigrated[at], weights=frame.weight[at])
    assert float(share.sel(cell="Table 7, All, Male", fate="emigrated")) == pytest.approx(one)
    back = chance.returned[at] * (1 - chance.emigrated[at] - chance.died[at])
    mean = np.average(back, weights=frame.weight[at])
    assert float(returned.sel(cell="Table 7, All, Male")) == pytest.approx(mean)


def stacked(points):
    return {name: np.stack([point[name] for point in points]) for name in points[0]}


def profile(person):
    """A person as a table has it: what moves and is lost with a child is its parent's."""
    home, child = oracle.household(person), person["age_group"] == "0-14"
    found = {name: str(person[name]) for name in (*oracle.OWN, "race")}
    found |= {name: oracle.words(person, name) for name in ("owner", "oversample")}
    found |= {name: home[name] for name in ("enrolment", "education")}
    found["health"] = person["health"] or "Not asked"
    for name in ("generation", "origin", "age_group", "sex"):
        found[f"parent_{name}"] = person[f"parent_{name}"] if child else "own"
    return found


@pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS)
def test_predictions_are_those_of_each_person(options):
    """Children with a parent of either generation, adults, and somebody like nobody counted."""
    _, data = people()
    model = STUDY.build(data, **options)
    points = [random_point(model, seed) for seed in (11, 12)]
    fitted = as_fit(data, model, stacked(points), **options)
    first = [p for p in persons() if p["generation"] == "first" and p["age"] >= 15][:40]
    first += [p for p in persons() if p["generation"] == "first" and p["parent_generation"]]
    new = {**first[0], "race": "Black", "health": "Poor", "country": "China", "origin": "China"}
    assert {p["parent_generation"] for p in first} >= {"first", "second"}
    everybody = [*first, new]
    found = bm.predict(fitted, pd.DataFrame(map(profile, everybody)), draws=2)
    names = {"emigrated": "emigration", "died": "mortality", "moved": "internal_migration",
             "lost": "non_follow_up"}  # fmt: skip
    for d, point in enumerate(points):
        effects, mortality = as_oracle(model, point)
        residual = options.get("residual", "probability")
        for i, person in enumerate(everybody):
            fates = oracle.fates(person, effects, mortality, residual, **how(point))
            for fate, outcome in names.items():
                value = float(found[d, i].sel(outcome=outcome))
                assert value == pytest.approx(100 * fates[fate], abs=1e-9), (i, fate)
            back = oracle.probability(person, "returned", effects)
            back *= 1 - fates["emigrated"] - fates["died"]
            value = float(found[d, i].sel(outcome="return_immigration"))
            assert value == pytest.approx(100 * back, abs=1e-9), i


@pytest.mark.parametrize("mortality", ["own", "marginal"])
def test_the_persons_of_a_fit_average_to_its_cells(mortality):
    data = collapse(panel_of_frame(people()[0], people()[0].attrs), mortality=mortality)
    model = STUDY.build(data)
    points = [random_point(model, seed) for seed in (1, 2, 3)]
    fitted = as_fit(data, model, stacked(points))
    found = bm.predict(fitted, draws=3).sel(outcome="emigration")
    weight = data["weight"].values
    share = [point["cell_share"][list(model.coords["cell"]).index("Table 4, Total")][0]
             for point in points]  # fmt: skip
    np.testing.assert_allclose(found.values @ weight / weight.sum(), 100 * np.array(share))


COARSE = {"covariates": ("owner", "duration"), "mortality": "marginal"}
FEW = {"emigrated": "mexican + age_group + sex + duration", "returned": "sex + duration",
       "moved": "mexican + age_group + owner", "lost": "mexican + sex:owner"}  # fmt: skip


def test_counting_persons_changes_neither_density_nor_gradient():
    """The graph of a panel with every person in a row of its own."""
    data = collapse(panel_of_frame(people()[0]), **COARSE)
    rows = expanded(data)
    assert rows.sizes["pattern"] == int(data.people.sum()) > 1.2 * data.sizes["pattern"]
    one, other = STUDY.build(data, **FEW), STUDY.build(rows, **FEW)
    points = [random_point_unconstrained(one, seed) for seed in range(3)]
    f, g = (model.compile_logp(mode="FAST_COMPILE") for model in (one, other))
    df, dg = (model.compile_dlogp(mode="FAST_COMPILE") for model in (one, other))
    for point in points:
        assert f(point) == pytest.approx(g(point), rel=1e-12)
        np.testing.assert_allclose(df(point), dg(point), rtol=1e-8, atol=1e-8)


def test_marginal_mortality_is_the_mean_over_race_and_health():
    data = collapse(panel_of_frame(people()[0]), **COARSE)
    model = STUDY.build(data, **FEW)
    point = random_point(model, 2)
    terms = zip(model.coords["mortality_term"], point["mortality"], strict=True)
    mortality = {"first": {}, "second": {}}
    for term, value in terms:
        whose, name = term.split(" ", 1)
        mortality[whose][name] = float(value)
    by_group, weight, total = {}, 0.0, 0.0
    women = [p for p in persons() if p["sex"] == "Female" and p["age_group"] == "70-74"
             and p["generation"] == "first"]  # fmt: skip
    for p in women:
        by_group.setdefault(p["origin"] == "Mexico", []).append(oracle.dying(p, "first", mortality))
    for p in women:
        group = by_group[p["origin"] == "Mexico"]
        total += p["weight"] * sum(group) / len(group)
        weight += p["weight"]
    at = list(model.coords["cell"]).index("Table 9, 70-74")
    assert point["cell_share"][at][1] == pytest.approx(total / weight, rel=1e-10)


def test_a_formula_can_have_only_what_was_kept():
    data = collapse(panel_of_frame(people()[0]), **COARSE)
    with pytest.raises(bm.StudyError, match="emigrated: no factor 'country' .*valid: mexican"):
        STUDY.build(data)


def random_point_unconstrained(model, seed):
    rng = np.random.default_rng(seed)
    start = model.initial_point()
    return {name: value + rng.normal(0, 0.3, np.shape(value)) for name, value in start.items()}


def expanded(data):
    """Every person a row: as many as a pattern has people, the first of them the events."""
    out = data
    for dim, people_, events in (
        ("pattern", "people", "followed"),
        ("native_pattern", "native_people", "native_followed"),
        ("moved_pattern", "moved_people", "moved"),
        ("returned_pattern", "returned_people", "returned"),
    ):
        counts = data[people_].values.astype(int)
        which = np.repeat(np.arange(len(counts)), counts)
        nth = np.concatenate([np.arange(c) for c in counts])
        happened = (nth < data[events].values[which]).astype(float)
        attrs = {name: out[name].attrs for name in out}
        out = out.isel({dim: which})
        out[events] = (dim, happened)
        out[people_] = (dim, np.ones(len(which)))
        if dim == "pattern":
            out["weight"] = (dim, (data["weight"].values / counts)[which])
        for name, kept in attrs.items():
            out[name].attrs = kept
    return out


def test_effective_weights_are_scaled_to_the_effective_sample():
    frame, _ = people()
    data = collapse(panel_of_frame(frame, frame.attrs), weights="effective")
    for generation, name in (("first", "people"), ("second", "native_people")):
        weight = frame.loc[frame.generation == generation, "weight"].to_numpy(float)
        assert float(data[name].sum()) == pytest.approx(weight.sum() ** 2 / (weight**2).sum())
    share = float(data["followed"].sum() / data["people"].sum())
    first = frame[frame.generation == "first"]
    assert share == pytest.approx(np.average(first.followed.astype(float), weights=first.weight))
    assert data.attrs["likelihood"].startswith("PSEUDO")


def test_gradient_is_that_of_finite_differences():
    model = STUDY.build(people()[1])
    point = random_point_unconstrained(model, 5)
    logp = model.compile_logp(mode="FAST_COMPILE")
    dlogp = model.compile_dlogp(mode="FAST_COMPILE")
    flat, step = np.concatenate([np.ravel(point[v.name]) for v in model.value_vars]), 1e-6
    gradient = dlogp(point)

    def at(x):
        shaped, start = {}, 0
        for v in model.value_vars:
            size = np.size(point[v.name])
            shaped[v.name] = x[start : start + size].reshape(np.shape(point[v.name]))
            start += size
        return logp(shaped)

    for k in np.random.default_rng(1).choice(len(flat), 12, replace=False):
        moved = np.eye(len(flat))[k] * step
        slope = (at(flat + moved) - at(flat - moved)) / (2 * step)
        assert gradient[k] == pytest.approx(slope, rel=1e-4, abs=1e-4)


def test_mortality_priors_are_print_and_its_stars():
    """Standard errors: what the stars allow, or twice an even spread of the printed deaths."""
    spec = STUDY.priors().specs["mortality"].numbers
    folder = RATES.parent
    program = pd.read_csv(folder / "mortality_program.csv")
    table = pd.read_csv(folder / "coefficients.csv", keep_default_na=False)
    table = table[(table.table == 3) & ~table.term.str.startswith("Number")]
    groups = [7, 2, *[5] * 4, *[7] * 6, *[5] * 4]
    largest = {"***": 3.2905, "**": 2.5758, "*": 1.96, "": 0.0}
    mu, sigma = [], []
    for whose, printed, deaths in (("first", "immigrants", 2480), ("second", "natives", 27652)):
        own = program[program.generation == whose].estimate.tolist()
        rows = table[table.generation == printed]
        for value, estimate, stars, k in zip(own, rows.estimate, rows.stars, groups, strict=True):
            mu.append(float(estimate) if abs(value - float(estimate)) > 0.001 else value)
            spread = 2 * np.sqrt(2 * k / deaths)
            z = largest[stars]
            sigma.append(min(spread, abs(float(estimate)) / z) if z else spread)
    np.testing.assert_allclose(list(spec["mu"]["by_label"].values()), mu, atol=1e-9)
    np.testing.assert_allclose(list(spec["sigma"]["by_label"].values()), sigma, atol=5.1e-5)
    assert list(spec["mu"]["by_label"]) == list(MORTALITY_TERMS) == list(spec["sigma"]["by_label"])
