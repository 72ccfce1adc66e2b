"""Several columns of groups, and slopes that vary: doors, answers to questions, the twin."""

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from lazily import lazily
from said import said
from social_capital_fits import STUDY

import bayesmig as bm
from bayesmig import attrs, evaluate
from bayesmig.contract import Predicts
from bayesmig.models.social_capital import estimands, population, prediction, probabilities
from bayesmig.models.social_capital.design import design, of_fit
from bayesmig.models.social_capital.logit import probabilities as softmax
from bayesmig.saving import without_respondents

graph = lazily("bayesmig.models.social_capital.graph")

ASKED = {"formula": "age + sex", "outcome": "fate", "reference": "w"}
BOTH = ["home", "village"]
TOGETHER = {"intercepts": "correlated", "slopes": "correlated"}
SLOPES = {"group": BOTH, "varying": "age + sex | village", **TOGETHER}


def villagers(n=160, seed=3):
    """People in 60 homes of 5 villages; three outcomes."""
    rng = np.random.default_rng(seed)
    home = np.sort(rng.integers(0, 60, n))
    return pd.DataFrame(
        {
            "fate": rng.choice(["w", "x", "y"], n, p=[0.5, 0.2, 0.3]),
            "age": rng.normal(40, 9, n).round(),
            "sex": rng.choice(["f", "m"], n),
            "home": [f"h{h}" for h in home],
            "village": [f"v{h % 5}" for h in home],
            "sampled": rng.uniform(0.5, 2, n),
        }
    )


TABLE = villagers()


def arranged(table=TABLE, **options):
    chosen = {**ASKED, **options}
    return design(STUDY.dataset(table), **chosen)


@pytest.fixture(scope="module")
def made():
    """Trees that look like fits, of draws from the prior, by options; each made once."""
    known = {}

    def make(**options):
        key = repr(options)
        if key not in known:
            chosen = {**STUDY.options, **ASKED, **options}
            data = STUDY.used(STUDY.dataset(TABLE), chosen)
            model = STUDY.build(TABLE, **ASKED, **options)
            values = evaluate.prior_draws(model, 6, seed=1, observed=False)
            posterior = evaluate.dataset(
                model, {n: v.reshape(2, 3, *v.shape[1:]) for n, v in values.items()},
                ("chain", "draw"),
            )  # fmt: skip
            tree = xr.DataTree.from_dict({"posterior": posterior, "data": data})
            tree.attrs = {
                "study": STUDY.name, "options": attrs.pack(chosen), "synthetic": 0,
                "data_title": data.attrs["title"],
            }  # fmt: skip
            known[key] = tree
        return known[key]

    return make


# Columns of groups


def test_cells_are_the_combinations_and_levels_their_groups():
    found = arranged(group=BOTH)
    assert [level.name for level in found.levels] == BOTH
    home, village = found.levels
    assert (len(home.groups), len(village.groups), len(found.groups)) == (
        TABLE.home.nunique(), 5, TABLE.home.nunique()
    )  # fmt: skip
    of_row = home.of_cell[found.group]
    assert [home.groups[g] for g in of_row[found.row_of]] == list(TABLE.home)
    of_row = village.of_cell[found.group]
    assert [village.groups[g] for g in of_row[found.row_of]] == list(TABLE.village)


def warned(table, **options):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        STUDY.build(table, **ASKED, **options)
    return [str(w.message) for w in caught if "crossed" in str(w.message)]


def test_labels_that_repeat_in_other_groups_are_said_with_counts():
    numbered = TABLE.assign(home=[f"{int(h[1:]) // 5}" for h in TABLE.home])
    assert warned(TABLE, group=BOTH) == []
    (words,) = warned(numbered, group=BOTH)
    places = numbered.groupby("home").village.nunique()
    repeated = int((places > 1).sum())
    assert (
        f"{repeated} of {len(places)} labels of 'home' are in several groups of 'village'" in words
    )
    assert "table['home'] = table['village'].astype(str) + '-' + table['home'].astype(str)" in words
    joined = numbered.assign(home=numbered.village + "-" + numbered.home)  # as the words say
    assert warned(joined, group=BOTH) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"group": ["home", "home"]}, "'home' is there twice"),
        ({"group": ["home", "place"]}, "unknown column 'place'"),
        ({"group": BOTH, "strata": "sex"}, "strata have one column of groups"),
        ({"group": "village", "varying": "age", "strata": "sex"}, "no slopes that vary"),
        ({"group": BOTH, "varying": "age"}, "varying='age | home'"),
        ({"group": BOTH, "varying": "age | sex"}, "valid: home, village"),
        ({"group": "village", "varying": "sampled"}, "what varies has a mean"),
        ({"group": "village", "varying": "sex:age"}, "what varies has a mean"),
        ({"group": "village", "varying": "1"}, "name a column whose slope varies"),
        ({"group": list("abcde")}, "unknown column 'a'"),
    ],
)
def test_what_nobody_can_mean_is_refused(options, words):
    assert words in said(bm.StudyError, arranged, **options)


def test_more_columns_of_groups_than_the_study_leaves_out_are_refused():
    table = TABLE.assign(**{f"g{i}": TABLE.village + str(i) for i in range(5)})
    assert "at most 4 columns, got 5" in said(
        bm.StudyError, arranged, table, group=[f"g{i}" for i in range(5)]
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"varying": "age", "slopes": "correlated"}, "intercepts='correlated', or slopes="),
        ({"varying": "age", "intercepts": "shared"}, "one factor of intercepts"),
        ({"varying": "age + age_squared"}, "slopes='correlated'"),
        ({"varying": "age_squared"}, "'age_squared' is the square of 'age', which must vary"),
    ],
)
def test_slopes_that_nobody_has_written_down(options, words):
    table = TABLE.assign(age_squared=TABLE.age**2)
    asked = {**ASKED, "formula": "age + age_squared + sex", "group": "village"}
    assert words in said(bm.StudyError, STUDY.build, table, **asked, **options)


def test_the_same_groups_twice_and_people_who_are_groups():
    twice = TABLE.assign(again=TABLE.village.str.upper())
    words = said(bm.DataError, arranged, twice, group=["village", "again"])
    assert "'village' and 'again' are the same groups" in words
    alone = TABLE.assign(person=[f"p{i}" for i in range(len(TABLE))])
    words = said(bm.DataError, arranged, alone, group=["village", "person"])
    assert "each of the 160 groups of 'person' is one person" in words


def test_one_column_named_in_a_list_is_the_column():
    one, other = arranged(group="village"), arranged(group=["village"])
    assert one.plain
    assert other.plain
    assert one.groups == other.groups


# Estimands


def test_estimands_by_hand(made):
    fit = made(**SLOPES)
    draws = fit["posterior"].to_dataset()
    found = estimands.estimands(draws, None)
    assert list(found.grouping.values) == BOTH
    assert list(found.slope.values) == ["age", "sex: m"]
    one = draws.isel(chain=1, draw=2)
    here = found.isel(chain=1, draw=2)
    for i, (k, j) in enumerate(((1, 0), (2, 1), (2, 0))):  # x:w, y:x, y:w
        contrast = np.zeros(3)
        contrast[k] += 1
        contrast[j] -= 1
        spread = {
            g: contrast @ one["group_covariance"].sel(grouping=g).values @ contrast for g in BOTH
        }
        total = sum(spread.values()) + np.pi**2 / 3
        for g in BOTH:
            at = {"grouping": g}
            assert here["group_sd"].sel(at)[i] == pytest.approx(np.sqrt(spread[g]))
            assert here["variance_share"].sel(at)[i] == pytest.approx(spread[g] / total)
        whole = one["varying_covariance"].values
        of = {(a, b): contrast @ whole[a, b] @ contrast for a in range(3) for b in range(3)}
        assert of[0, 0] == pytest.approx(spread["village"])
        np.testing.assert_allclose(
            here["slope_sd"][:, i], [np.sqrt(of[1, 1]), np.sqrt(of[2, 2])], rtol=1e-10
        )
        pairs = [(0, 1), (0, 2), (1, 2)]
        np.testing.assert_allclose(
            here["slope_correlation"][:, i],
            [of[a, b] / np.sqrt(of[a, a] * of[b, b]) for a, b in pairs], rtol=1e-10,
        )  # fmt: skip
    assert found["slope_correlation"].attrs["units"] == "correlation"


def test_estimands_against_another_reference_are_the_same_numbers(made):
    draws = made(**SLOPES)["posterior"].to_dataset()
    one, other = estimands.estimands(draws, None), estimands.rebase(draws, "y")
    for name, sign in (("group_sd", 1), ("slope_sd", 1), ("slope_correlation", 1)):
        for here, there in (("x:w", "x:w"), ("y:x", "x:y"), ("y:w", "w:y")):
            if there in other.contrast:
                np.testing.assert_allclose(
                    one[name].sel(contrast=here), sign * other[name].sel(contrast=there), rtol=1e-9
                )


# Questions


def logit_of(fit, row, i):
    """Free logits of one person in draw i without groups, and multipliers of the groups."""
    draws = fit["posterior"].to_dataset().stack(sample=("chain", "draw"), create_index=False)
    one = draws.isel(sample=i)
    x = pd.Series({"age": float(row.age), "sex: m": float(row.sex == "m")})
    mean = pd.Series({"age": TABLE.age.mean(), "sex: m": (TABLE.sex == "m").mean()})
    away = x - mean
    free = one["intercept"].values[1:] + one["log_odds"].sel(term=list(x.index)).values[1:] @ away
    return one, free, away


def of_group(one, level, label, away, slopes):
    """What a known group adds to the free logits."""
    added = one["group_effect"].sel(member=f"{level}, {label}").values[1:]
    if slopes and level == "village":
        slope = one["group_slope"].sel(member_2=label)
        for term in slope.slope.values:
            added = added + slope.sel(slope=term).values[1:] * away[term]
    return added


@pytest.mark.parametrize("options", [{"group": BOTH}, SLOPES], ids=["groups", "slopes"])
def test_everybodys_own_groups(made, options):
    fit = made(**options)
    found = bm.predict(fit, TABLE, group="own", draws=6)
    for r in (0, 17, 99):
        row = TABLE.iloc[r]
        for i in (0, 4):
            one, free, away = logit_of(fit, row, i)
            for level in BOTH:
                free = free + of_group(one, level, row[level], away, "varying" in options)
            np.testing.assert_allclose(found[i, r], softmax(free), atol=1e-10)


def test_likelihood_of_each_person_is_that_of_their_own_groups(made):
    """Used by leave-one-out: against predictions, which are against sums by hand above."""
    fit = made(**SLOPES)
    cells, of_person = prediction.pointwise(fit)
    chance = bm.predict(fit, TABLE, group="own", draws=6)
    column = [list(chance.outcome.values).index(fate) for fate in TABLE.fate]
    own = np.log(chance.values[:, np.arange(len(TABLE)), column])
    every = cells.values.reshape(6, -1)[:, of_person.values]
    np.testing.assert_allclose(every, own, atol=1e-9)


def covariance_of(one, levels, away, slopes):
    """Covariance over the free logits of what unknown groups add to one person."""
    found = np.zeros((2, 2))
    for level in levels:
        if slopes and level == "village":
            whole = one["varying_covariance"].values[..., 1:, 1:]
            z = np.array([1.0, away["age"], away["sex: m"]])
            found += np.einsum("a,b,abkl->kl", z, z, whole)
        else:
            found += one["group_covariance"].sel(grouping=level).values[1:, 1:]
    return found


@pytest.mark.parametrize("options", [{"group": BOTH}, SLOPES], ids=["groups", "slopes"])
@pytest.mark.parametrize("group", ["average", "v3", "village, v3"])
def test_unknown_groups_are_averaged_over(made, options, group):
    """Against 400,000 draws of what they add."""
    fit = made(**options)
    found = bm.predict(fit, TABLE.head(20), group=group, draws=6)
    rng = np.random.default_rng(0)
    for r, i in ((3, 0), (11, 5)):
        one, free, away = logit_of(fit, TABLE.iloc[r], i)
        slopes, unknown = "varying" in options, BOTH
        if group != "average":
            free, unknown = free + of_group(one, "village", "v3", away, slopes), ["home"]
        covariance = covariance_of(one, unknown, away, slopes)
        effects = rng.multivariate_normal(np.zeros(2), covariance, 400_000)
        chance = softmax(free + effects)
        error = chance.std(0) / np.sqrt(len(chance))
        assert (np.abs(found[i, r] - chance.mean(0)) < 5 * error + 2e-3).all()


def test_new_groups_have_the_covariances_of_the_draw(made):
    fit = made(**SLOPES)
    table = of_fit(fit)
    logits = probabilities.Logits(fit, table, 6)
    columns = table.columns_of(TABLE.head(3))
    rng = np.random.default_rng(1)
    many = np.array([logits.population.new(2, columns, rng)[1] for _ in range(20_000)])
    one, _, away = logit_of(fit, TABLE.iloc[1], 2)
    expected = covariance_of(one, BOTH, away, True)
    np.testing.assert_allclose(np.cov(many.T), expected, rtol=0.08, atol=0.03)


@pytest.mark.parametrize(
    ("group", "table", "kind", "words"),
    [
        ("own", TABLE.drop(columns="home"), bm.DataError, "needs the column 'home'"),
        ("own", TABLE.assign(home="elsewhere"), bm.DataError, "160 people are of groups that"),
        ("h999", TABLE, bm.StudyError, "unknown group 'h999'"),
    ],
)
def test_groups_that_the_fit_does_not_know(made, group, table, kind, words):
    assert words in said(kind, bm.predict, made(group=BOTH), table, group=group)


def test_a_label_of_two_columns_must_say_which(made):
    fit = made(group=BOTH)
    table = of_fit(fit)
    village = table.levels[1]
    twin = replace(village, groups=("h1", *village.groups[1:]))
    both = replace(table, levels=(table.levels[0], twin))
    words = said(bm.StudyError, population.named, both, "h1", 3)
    assert "group='home, h1'" in words


def test_comparisons_and_everybodys_columns(made):
    fit = made(**SLOPES)
    own, _ = STUDY.ability(Predicts).people(fit)
    assert {"home", "village"} <= set(own)
    found = bm.comparisons(fit, "sex", group="average", draws=3)
    assert found.sizes["change"] == 1
    np.testing.assert_allclose(found.sum("outcome"), 0, atol=1e-9)


def test_groups_are_not_left_out_of_such_fits(made):
    assert "fit with group= one column" in said(bm.StudyError, prediction.groups, made(group=BOTH))


def test_nothing_of_single_groups_is_shared_with_others(made):
    fit = made(**SLOPES).copy()
    fit["estimands"] = xr.DataTree(estimands.estimands(fit["posterior"].to_dataset(), None))
    shared = without_respondents(fit)["posterior"].to_dataset()
    assert "group_covariance" in shared
    assert "group_effect" not in shared
    assert not any(dim.startswith("member") for dim in shared.dims)
    text = " ".join(str(v) for c in shared.coords.values() for v in np.ravel(c.values))
    assert "h1" not in text


# The twin


def test_households_of_the_twin_share_effects_only_if_asked():
    plain = STUDY.simulate(seed=6, n=900, municipalities=9)
    none = STUDY.simulate(seed=6, n=900, municipalities=9, household_sd=0.0)
    xr.testing.assert_identical(plain, none)
    some = STUDY.simulate(seed=6, n=900, municipalities=9, household_sd=3.0)
    truth = STUDY.truth(some)
    spread = truth["group_covariance"].sel(grouping="household")
    np.testing.assert_allclose(spread, np.diag([0, 9, 9]))
    effect = truth["group_effect"].sel(
        member=[m for m in truth.member.values if m.startswith("household")]
    )
    assert effect.sel(outcome="migrated").std() == pytest.approx(3.0, rel=0.15)

    # people of one household end alike: migrants' partners are migrants more often
    def alike(data):
        frame = data[["outcome", "household"]].to_dataframe()
        migrated = (frame.outcome == "migrated").groupby(frame.household)
        pairs = migrated.sum() * (migrated.sum() - 1)
        return pairs.sum()

    assert alike(some) > 2 * alike(plain)
    assert "household_sd must be a number" in said(bm.DataError, STUDY.simulate, household_sd=-1.0)
    assert "without strata" in said(bm.DataError, STUDY.simulate, household_sd=1.0, tables=2)


# How it is sampled


@pytest.mark.parametrize(
    ("group", "crowded"),
    [("village", False), ("home", True), (BOTH, True)],
    ids=["5 villages", "60 homes", "both"],
)
def test_more_draws_where_groups_have_more_effects_than_people_tell_apart(group, crowded):
    """Of 160 people: 15 effects of villages, 180 of homes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bm.DataWarning)
        model = STUDY.build(STUDY.dataset(villagers()), group=group, **ASKED)
    assert graph.sampling(model) == ({"draws": 4000} if crowded else {})


# A whole fit


@pytest.mark.slow  # compiles two graphs of its own
@pytest.mark.parametrize(
    "options",
    [
        {"group": ["household", "municipality"]},
        {"group": ["household", "municipality"], "varying": "male | municipality"},
    ],
    ids=["households", "a slope"],
)
def test_a_fit_finds_the_truth_and_comes_back_from_a_file(tmp_path, options):
    formula = "network + baseline_aspirations + male + urban"
    data = STUDY.simulate(seed=2, n=1500, municipalities=25, household_sd=1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bm.ConvergenceWarning)  # few draws
        warnings.simplefilter("ignore", bm.DataWarning)
        fit = bm.fit(
            STUDY, data, formula=formula, draws=300, tune=400, chains=2, progress=False, **options
        )
    assert int(fit["sample_stats"]["diverging"].sum()) == 0
    found = fit["estimands"].to_dataset()
    truth = estimands.estimands(STUDY.truth(data), data)
    sd = found["group_sd"]
    error = (sd.mean(("chain", "draw")) - truth["group_sd"]) / sd.std(("chain", "draw"))
    assert (abs(error) < 3.5).all()
    assert {"household", "municipality"} == set(sd.grouping.values)
    table = bm.summary(fit)
    assert {"group_sd", "variance_share"} <= set(table["quantity"])
    path = bm.save_fit(fit, tmp_path / "fit.nc")
    again = bm.open_fit(path)
    own = bm.predict(again, group="own", draws=5)
    np.testing.assert_allclose(own.sum("outcome"), 1, atol=1e-9)
    with pytest.warns(UserWarning, match="Pareto"):  # households of one or two people
        assert bm.loo(again).n_data_points == 1500
    shared = bm.open_fit(bm.save_fit(fit, tmp_path / "shared.nc", respondents=False))
    assert "group_effect" not in shared["posterior"]
