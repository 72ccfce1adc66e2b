"""Probabilities, comparisons and predictive densities against loops over people and draws."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from lazily import lazily
from oracle import social_capital as oracle
from said import said
from social_capital_fits import made, villagers

import bayesmig as bm
from bayesmig.models.social_capital import prediction

az = lazily("arviz")
interpolate = lazily("scipy.interpolate")

OUTCOMES = ("w", "x", "y")


@pytest.fixture(scope="module")
def people():
    return villagers()


@pytest.fixture(scope="module")
def fit(people):
    return made(people, "age + sex", draws=6)


def columns(people):
    return np.column_stack([people["age"], people["sex"] == "m"]).astype(float)


def chances(logit):
    """Probabilities of the outcomes from logits of all of them."""
    odds = [math.exp(value) for value in logit]
    return [value / sum(odds) for value in odds]


def at(fit, chain, draw):
    """What one draw says: slopes, intercepts, covariance and effects of groups, as arrays."""
    posterior = fit["posterior"].to_dataset()
    names = ("log_odds", "intercept", "group_covariance", "group_effect")
    return [posterior[name].values[chain, draw] for name in names]


def logits(slope, level, person, mean, shift=(0.0, 0.0, 0.0)):
    """Logits of one person (age, whether a man) at one draw."""
    return [
        level[k] + shift[k] + sum(slope[k][j] * (person[j] - mean[j]) for j in range(len(person)))
        for k in range(3)
    ]


def expected_of(fit, people, others, effect_of):
    """Probabilities (draw, person, outcome) by loops; ``effect_of`` a person's group's number."""
    mean, asked = columns(people).mean(0), columns(others)
    found = []
    sizes = fit["posterior"].sizes
    for chain, draw in itertools.product(range(sizes["chain"]), range(sizes["draw"])):
        slope, level, _, effect = at(fit, chain, draw)
        found.append(
            [chances(logits(slope, level, asked[i], mean, effect[effect_of[i]]))
             for i in range(len(others))]
        )  # fmt: skip
    return np.array(found)


def numbers_of_groups(fit, people):
    groups = list(fit["posterior"]["group"].values)
    return [groups.index(label) for label in people["village"]]


# Likelihood by person, and leaving one out

# draws that are no posterior's are nowhere near anybody's leave-one-out posterior
FAR = pytest.mark.filterwarnings("ignore:Estimated shape parameter")


@pytest.mark.parametrize("weights", [None, "sampled"])
def test_likelihood_of_each_person_whatever_was_counted_together(people, weights):
    fit = made(people, "age + sex", weights=weights)
    likelihood, cell = prediction.pointwise(fit)
    assert cell.sizes == {"person": len(people)}
    if weights is None:
        assert likelihood.sizes["cell"] < len(people)
    weight = people["sampled"] / people["sampled"].mean() if weights else None
    posterior = fit["posterior"]
    for chain, draw in ((0, 3), (1, 29)):
        at = {"chain": chain, "draw": draw}
        expected = oracle.log_likelihood(
            columns(people),
            people["fate"].to_numpy(),
            numbers_of_groups(fit, people),
            posterior["intercept"].isel(at).values,
            posterior["log_odds"].isel(at).values,
            posterior["group_effect"].isel(at).values,
            OUTCOMES,
            weight,
        )
        found = likelihood.isel(at).values[cell.values]
        np.testing.assert_allclose(found, expected, atol=1e-12)


@FAR
def test_leaving_one_out_is_the_same_counted_or_not(people):
    """People alike have the same density left out: each cell counts as many times as people."""
    together, apart = made(people, "age + sex"), made(people, "age + sex", collapse=False)
    one, other = bm.loo(together), bm.loo(apart)
    assert one.n_data_points == other.n_data_points == len(people)
    np.testing.assert_allclose(one.elpd_i.values, other.elpd_i.values, atol=1e-10)
    likelihood, cell = prediction.pointwise(apart)
    group = likelihood.isel(cell=cell).to_dataset(name="outcomes")
    apart["log_likelihood"] = type(apart)(group)
    arviz = az.loo(apart, pointwise=True, var_name="outcomes")
    for name in ("elpd", "se", "p"):
        assert getattr(one, name) == pytest.approx(getattr(arviz, name), rel=1e-9), name
    np.testing.assert_allclose(one.pareto_k.values, arviz.pareto_k.values, atol=1e-8)


@FAR
def test_rows_that_stand_for_several_people_are_these_people(people):
    number = np.array([1, 2, 3] * (len(people) // 3))
    counted = made(people.assign(number=number), "age + sex", counts="number")
    repeated = made(people.loc[people.index.repeat(number)].reset_index(drop=True), "age + sex")
    one, other = bm.loo(counted), bm.loo(repeated)
    assert one.n_data_points == number.sum()
    for name in ("elpd", "se", "p"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), rel=1e-9), name


@FAR
def test_two_formulas_compare_by_person(people):
    few, many = made(people, "sex"), made(people, "age + sex")
    table = az.compare({"few": bm.loo(few), "many": bm.loo(many)}, round_to="none")
    assert set(table.index) == {"few", "many"}
    difference = bm.loo(many).elpd_i.values - bm.loo(few).elpd_i.values
    worse = table.index[-1]
    sign = 1 if worse == "few" else -1
    assert abs(table.loc[worse, "elpd_diff"]) == pytest.approx(sign * difference.sum())
    assert table.loc[worse, "dse"] == pytest.approx(math.sqrt(len(people) * difference.var()))


def test_density_of_a_group_left_out(people):
    """Against an integral over the effects of a new group, node by node."""
    fit = made(people, "age + sex", draws=2)
    kept, left = prediction.split(fit, ["b"])
    assert kept.sizes["row"] + left.sizes["row"] == len(people)
    rows = people[people["village"] == "b"]
    assert len(rows) > 20
    points, weights = np.polynomial.hermite_e.hermegauss(24)
    weights = weights / weights.sum()
    mean, asked = columns(people).mean(0), columns(rows)
    total = 0.0
    for chain, draw in itertools.product(range(2), range(2)):
        slope, level, covariance, _ = at(fit, chain, draw)
        root = np.linalg.cholesky(covariance[1:, 1:])
        plain = [logits(slope, level, person, mean) for person in asked]
        for (a, u), (b, v) in itertools.product(zip(weights, points, strict=True), repeat=2):
            effect = [0.0, *(root @ [u, v])]
            density = 1.0
            for own, fate in zip(plain, rows["fate"], strict=True):
                shifted = [one + more for one, more in zip(own, effect, strict=True)]
                density *= chances(shifted)[OUTCOMES.index(fate)]
            total += a * b * density / 4
    drawn = [
        float(prediction.held_out(fit, left, draws=4, seed=seed).sel(group="b"))
        for seed in range(20)
    ]
    assert np.std(drawn) < 0.1
    assert abs(np.mean(np.exp(drawn)) - total) < 4 * np.std(np.exp(drawn)) / math.sqrt(20)


def test_a_group_left_out_counts_its_people(people):
    number = np.array([1, 2, 3] * (len(people) // 3))
    counted = made(people.assign(number=number), "age + sex", counts="number", draws=2)
    repeated = people.loc[people.index.repeat(number)].reset_index(drop=True)
    repeated = made(repeated, "age + sex", draws=2)
    ends = [
        prediction.held_out(fit, prediction.split(fit, ["b"])[1], draws=4, seed=1)
        for fit in (counted, repeated)
    ]
    np.testing.assert_allclose(ends[0].values, ends[1].values, atol=1e-9)


# Probabilities and what a change would change


def test_probabilities_in_ones_own_group(people, fit):
    others = people.head(7)
    found = bm.predict(fit, others, group="own", draws=60)
    expected = expected_of(fit, people, others, numbers_of_groups(fit, others))
    np.testing.assert_allclose(found.values, expected, atol=1e-12)
    assert found.attrs["units"] == "probability"
    one = bm.predict(fit, others, group="c", draws=60)
    groups = list(fit["posterior"]["group"].values)
    expected = expected_of(fit, people, others, [groups.index("c")] * 7)
    np.testing.assert_allclose(one.values, expected, atol=1e-12)


def test_drawn_outcomes_have_the_probabilities(people, fit):
    others = pd.concat([people.head(1)] * 4000, ignore_index=True)
    drawn = bm.predict(fit, others, kind="drawn", group="own", draws=3)
    chance = bm.predict(fit, others.head(1), group="own", draws=3)
    for k, outcome in enumerate(OUTCOMES):
        share = (drawn == outcome).mean("person").values
        right = chance.values[:, 0, k]
        assert (np.abs(share - right) < 4 * np.sqrt(right * (1 - right) / 4000)).all()


@pytest.mark.parametrize("comparison", ["difference", "ratio"])
def test_average_comparisons(people, fit, comparison):
    """Everybody a woman, then everybody a man, in their own village; averages within ages."""
    found = bm.comparisons(
        fit, "sex", average_by="age", comparison=comparison, group="own", draws=60
    )
    assert list(found["change"].values) == ["sex: f to m"]
    number = numbers_of_groups(fit, people)
    before, after = (expected_of(fit, people, people.assign(sex=s), number) for s in "fm")
    for label in found["at"].values:
        rows = people["age"].to_numpy() == float(label.removeprefix("age="))
        first, second = before[:, rows].mean(1), after[:, rows].mean(1)
        right = second - first if comparison == "difference" else second / first
        np.testing.assert_allclose(found.sel(at=label).values[:, 0], right, atol=1e-12)
    assert found.attrs["units"] == f"{comparison} of probability"


def test_comparisons_at_values(people, fit):
    found = bm.comparisons(fit, {"age": [20, 22, 24]}, {"sex": ["f", "m"]}, group="a", draws=60)
    assert list(found["change"].values) == ["age: 20 to 22", "age: 20 to 24"]
    assert list(found["at"].values) == ["sex=f", "sex=m"]
    groups = list(fit["posterior"]["group"].values)
    for s, sex in enumerate("fm"):
        ends = [
            expected_of(
                fit, people, pd.DataFrame({"age": [age], "sex": [sex]}), [groups.index("a")]
            )[:, 0]
            for age in (20.0, 24.0)
        ]
        np.testing.assert_allclose(found.values[:, 1, s], ends[1] - ends[0], atol=1e-12)


def test_weights_count_in_averages(people):
    fit = made(people, "age + sex", weights="sampled")
    found = bm.comparisons(fit, "sex", group="a", draws=60)
    apart = bm.comparisons(fit, "sex", {"age": [20, 21, 22, 23, 24]}, group="a", draws=60)
    share = people.groupby("age")["sampled"].sum().to_numpy()
    right = np.tensordot(apart.values, share / share.sum(), axes=([2], [0]))
    np.testing.assert_allclose(found.values[:, :, 0], right, atol=1e-12)


def test_typical_people_are_means_and_commonest_levels(people):
    own = people[["age", "sex"]].assign(sex=pd.Categorical(people["sex"]))
    fit = made(people, "age + sex")
    found = bm.comparisons(fit, "sex", {"age": [22]}, group="a", draws=60)
    both = pd.DataFrame({"age": [22.0, 22.0], "sex": ["f", "m"]})
    by_hand = bm.predict(fit, both, group="a", draws=60)
    np.testing.assert_allclose(found.values[:, 0, 0], by_hand[:, 1] - by_hand[:, 0], atol=1e-12)
    commonest = own["sex"].value_counts().index[0]
    found = bm.comparisons(fit, {"age": [20, 24]}, {}, group="a", draws=60)
    assert list(found["at"].values) == ["somebody typical"]
    ages = pd.DataFrame({"age": [20.0, 24.0], "sex": [commonest] * 2})
    by_hand = bm.predict(fit, ages, group="a", draws=60)
    np.testing.assert_allclose(found.values[:, 0, 0], by_hand[:, 1] - by_hand[:, 0], atol=1e-12)


def test_a_spline_stays_inside_its_range(people):
    fit = made(people, "bs(age, df=4) + sex")
    words = said(bm.DataError, bm.comparisons, fit, "age", group="a")
    oldest = int((people["age"] == 24).sum())
    assert words.startswith(f"age: {oldest} of 240 values are beyond the fit's 20 to 24, first 25")
    words = said(bm.DataError, bm.predict, fit, people.assign(age=31.0), group="a")
    assert words.startswith("age: 240 of 240 values are beyond the fit's 20 to 24")
    assert bm.comparisons(fit, {"age": [20, 24]}, group="a").sizes["change"] == 1


# Columns of every kind, made by hand


ODD = ("a, b=c", "[T.x]", " : d", "1.0")


@pytest.fixture(scope="module")
def plenty(people):
    rng = np.random.default_rng(8)
    return people.assign(
        flag=rng.random(len(people)) < 0.4,
        income=np.exp(rng.normal(3, 1, len(people))),
        kind=rng.choice(ODD, len(people)),
        year=rng.choice([2001, 2002, 2005], len(people)),
    ).rename(columns={"kind": "kind of (work)"})


def splines(value, own):
    """Cubic B-splines of four columns: one knot at the median, the first column left out."""
    low, middle, high = own.min(), np.median(own), own.max()
    knots = np.array([low] * 4 + [middle] + [high] * 4)
    return interpolate.BSpline.design_matrix(np.asarray(value, dtype=float), knots, 3).toarray()[
        :, 1:
    ]


def powers(value, own):
    """Orthonormal polynomials of degree one and two over one's own people."""
    basis = [np.ones(len(own))]
    found = [np.ones(len(value))]
    for degree in (1, 2):
        column, asked = own**degree, np.asarray(value, dtype=float) ** degree
        for before, there in zip(list(basis), list(found), strict=True):
            share = column @ before / (before @ before)
            column, asked = column - share * before, asked - share * there
        basis.append(column)
        found.append(asked)
    lengths = [math.sqrt(b @ b) for b in basis[1:]]
    return np.column_stack([f / n for f, n in zip(found[1:], lengths, strict=True)])


MADE = {  # formula: its columns of people, by hand, given one's own
    "log(income) + flag": lambda t, own: [np.log(t["income"]), t["flag"].astype(float)],
    "bs(income, df=4) + sex": lambda t, own: [
        *splines(t["income"], own["income"].to_numpy()).T,
        t["sex"] == "m",
    ],
    "poly(age, 2) * flag": lambda t, own: [
        *powers(t["age"], own["age"].to_numpy()).T,
        t["flag"],
        *(powers(t["age"], own["age"].to_numpy()) * t["flag"].to_numpy()[:, None]).T,
    ],
    "`kind of (work)` + C(year)": lambda t, own: [
        *[t["kind of (work)"] == level for level in sorted(ODD)[1:]],
        t["year"] == 2002,
        t["year"] == 2005,
    ],
    "C(year):income + I(age ** 2)": lambda t, own: [
        t["age"] ** 2,
        *[(t["year"] == y) * t["income"] for y in (2001, 2002, 2005)],
    ],
}


def by_hand(fit, formula, own, people, group):
    """Probabilities (draw, person, outcome) in one village, from columns made by hand."""
    make = MADE[formula]
    mean = np.column_stack(make(own, own)).astype(float).mean(0)
    column = np.column_stack(make(people, own)).astype(float) - mean
    posterior = fit["posterior"].to_dataset().stack(sample=("chain", "draw"), create_index=False)
    slope = posterior["log_odds"].transpose("sample", "outcome", "term").values
    level = posterior["intercept"].transpose("sample", "outcome").values
    effect = posterior["group_effect"].sel(group=group).transpose("sample", "outcome").values
    found = np.empty((len(slope), len(people), 3))
    for i in range(len(slope)):
        for j in range(len(people)):
            found[i, j] = chances(slope[i] @ column[j] + level[i] + effect[i])
    return found


@pytest.mark.parametrize("formula", MADE)
def test_columns_of_every_kind_for_other_people(plenty, formula):
    fit = made(plenty, formula, draws=3)
    assert fit["posterior"].sizes["term"] == len(MADE[formula](plenty, plenty))
    others = plenty.iloc[[5, 17, 3, 40]]
    found = bm.predict(fit, others, group="c", draws=6)
    np.testing.assert_allclose(found.values, by_hand(fit, formula, plenty, others, "c"), atol=1e-10)


@pytest.mark.parametrize(
    ("formula", "contrast", "values", "label"),
    [
        ("log(income) + flag", "flag", (False, True), "flag: False to True"),
        ("log(income) + flag", "income", None, "income + 1"),
        ("log(income) + flag", {"income": [5, 50]}, (5.0, 50.0), "income: 5 to 50"),
        ("poly(age, 2) * flag", "flag", (False, True), "flag: False to True"),
        ("poly(age, 2) * flag", {"age": [21, 24]}, (21.0, 24.0), "age: 21 to 24"),
        ("bs(income, df=4) + sex", {"income": [20, 30]}, (20.0, 30.0), "income: 20 to 30"),
        ("`kind of (work)` + C(year)", "year", (2001, 2005), "year: 2001 to 2005"),
        (
            "`kind of (work)` + C(year)",
            "kind of (work)",
            (" : d", "a, b=c"),
            "kind of (work):  : d to a, b=c",
        ),
        ("C(year):income + I(age ** 2)", "age", None, "age + 1"),
        ("C(year):income + I(age ** 2)", "year", (2001, 2002), "year: 2001 to 2002"),
    ],
)  # fmt: skip
def test_changes_of_every_kind_of_covariate(plenty, formula, contrast, values, label):
    """Averages over everybody, by sex, and at typical people; differences and ratios."""
    fit = made(plenty, formula, draws=3)
    name = contrast if isinstance(contrast, str) else next(iter(contrast))
    ends = (plenty[name], plenty[name] + 1) if values is None else values
    before, after = (
        by_hand(fit, formula, plenty, plenty.assign(**{name: end}), "c") for end in ends
    )
    how = {"group": "c", "draws": 6}
    found = bm.comparisons(fit, contrast, **how).sel(change=label, at="everybody")
    np.testing.assert_allclose(found.values, after.mean(1) - before.mean(1), atol=1e-10)
    found = bm.comparisons(fit, contrast, comparison="ratio", average_by="village", **how)
    here = plenty["village"].to_numpy() == "e"
    np.testing.assert_allclose(
        found.sel(change=label, at="village=e").values,
        after[:, here].mean(1) / before[:, here].mean(1),
        rtol=1e-10,
    )


def test_labels_that_look_alike_stay_apart(people):
    """Two combinations of levels that read the same, and numbers of many digits."""
    rng = np.random.default_rng(2)
    table = people.assign(
        a=rng.choice(["1, b=2", "1"], len(people)),
        b=rng.choice(["2", "2, b=2"], len(people)),
        income=rng.choice([1234567.25, 1234567.5], len(people)),
    )
    fit = made(table, "a + b + income", draws=2)
    found = bm.comparisons(fit, "a", average_by=["a", "b"], group="c", draws=4)
    assert found.sizes["at"] == len(table[["a", "b"]].drop_duplicates()) == 4
    assert len(set(found["at"].values)) == 4
    found = bm.comparisons(fit, "a", average_by="income", group="c", draws=4)
    assert sorted(found["at"].values) == ["income=1234567.25", "income=1234567.5"]


@pytest.mark.parametrize("group", ["average", "new"])
def test_groups_that_nobody_is_of(people, group):
    """Means over a new group's effects, against draws of them from their covariance."""
    fit, one = made(people, "age + sex"), people.head(1)
    found = bm.predict(fit, one, group=group, draws=60).values[:, 0]
    rng = np.random.default_rng(0)
    mean, asked = columns(people).mean(0), columns(one)[0]
    right, spread = np.zeros((60, 3)), np.zeros((60, 3))
    for i, (chain, draw) in enumerate(itertools.product(range(2), range(30))):
        slope, level, covariance, _ = at(fit, chain, draw)
        root = np.linalg.cholesky(covariance[1:, 1:])
        own = np.array(logits(slope, level, asked, mean))
        effects = [[0.0, *(root @ z)] for z in rng.standard_normal((400, 2))]
        drawn = np.array([chances(own + effect) for effect in effects])
        right[i], spread[i] = drawn.mean(0), drawn.std(0)
    if group == "average":
        assert (np.abs(found - right) < 4.5 * spread / math.sqrt(400) + 1e-4).all()
    else:
        assert (np.abs((found - right) / spread).mean(0) < 1.2).all()
        assert np.abs(((found - right) / spread).mean(0)).max() < 4 / math.sqrt(60)
        assert ((found - right) / spread).std() == pytest.approx(1, abs=0.25)


def test_strata_and_their_own_groups(plenty):
    """Slopes, intercepts and villages of each stratum's own."""
    fit = made_of_strata(plenty)
    rows = plenty.iloc[[0, 1, 2, 3, 4, 5]]
    found = bm.predict(fit, rows, group="own", draws=4)
    posterior = fit["posterior"].to_dataset()
    mean = plenty["age"].mean()
    for i, (_, row) in enumerate(rows.iterrows()):
        for j, (chain, draw) in enumerate(itertools.product(range(2), range(2))):
            here = posterior.isel(chain=chain, draw=draw).sel(stratum=row.sex)
            effect = here["group_effect"].sel(group=f"{row.sex}, {row.village}").values
            slope = here["log_odds"].sel(term="age").values
            right = chances(here["intercept"].values + slope * (row.age - mean) + effect)
            np.testing.assert_allclose(found.values[j, i], right, atol=1e-12)


def made_of_strata(table):
    """As `made`, by sex."""
    fit = made(table, "age", draws=2, strata="sex")
    posterior = fit["posterior"].to_dataset()
    rng = np.random.default_rng(4)
    free = posterior[["log_odds", "intercept", "group_covariance"]]
    wide = free.expand_dims(stratum=["f", "m"]).copy(deep=True)
    for name in ("log_odds", "intercept"):
        noise = wide[name].copy(data=rng.normal(0, 0.3, wide[name].shape))
        wide[name] = wide[name] + noise * (wide["outcome"] != "w")
    fit["posterior"] = type(fit)(wide.assign(group_effect=posterior["group_effect"]))
    return fit


def test_what_cannot_be_asked(people, fit):
    assert "unknown covariate 'salary'" in said(bm.StudyError, bm.comparisons, fit, "salary")
    words = said(bm.DataError, bm.comparisons, fit, {"sex": ["f", "q"]})
    assert "sex: unknown level 'q'; valid: f, m" in words
    words = said(bm.StudyError, bm.comparisons, fit, "sex", {"age": [22]}, "age")
    assert "not with conditional" in words
    words = said(bm.StudyError, bm.comparisons, fit, "sex", {"sex": ["f", "m"]})
    assert "'sex' is what the contrast changes" in words
    words = said(bm.DataError, bm.comparisons, fit, {"age": ["young", "old"]})
    assert words == "age: 'young' is no number"
    words = said(bm.DataError, bm.predict, fit, people.assign(age=pd.Categorical(people["sex"])))
    assert words.startswith("the fit's formula and these people: ")
    words = said(bm.StudyError, bm.predict, fit, draws=0)
    assert "draws must be a whole number from 1 on" in words
    words = said(bm.StudyError, bm.comparisons, fit, "sex", comparison="odds")
    assert "difference, ratio" in words
    words = said(bm.DataError, bm.predict, fit, people.assign(village="z"), group="own")
    assert "240 people are of groups that the fit has not, first 'z'" in words
    other = type(fit)()
    other.attrs["study"] = "transnationalism"
    assert "predicts nobody" in said(bm.StudyError, bm.predict, other)


def test_effects_are_drawn(fit):
    figure = bm.plot_effects(fit, "age", {"sex": ["f", "m"]}, group="a", draws=20)
    assert [axis.get_title() for axis in figure.axes] == list(OUTCOMES)
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert labels == ["sex=f", "sex=m"]
    line = figure.axes[1].get_lines()[0]
    women = pd.DataFrame({"age": [20.0, 24.0], "sex": ["f", "f"]})
    ends = bm.predict(fit, women, group="a", draws=20)
    middle = ends.quantile(0.5, "draw").values[:, 1]
    np.testing.assert_allclose(line.get_ydata()[[0, -1]], middle, atol=1e-12)
    some = bm.plot_effects(fit, {"age": [20.0, 22.0, 24.0]}, group="a", draws=20)
    assert some.axes[0].get_lines()[0].get_xdata().tolist() == [20.0, 22.0, 24.0]
    points = bm.plot_effects(fit, "sex", group="a", draws=20)
    assert [t.get_text() for t in points.axes[0].get_xticklabels()] == ["f", "m"]
