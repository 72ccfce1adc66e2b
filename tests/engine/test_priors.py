"""Priors as data: named sets, overrides of every kind, and what each mistake is told."""

import json

import numpy as np
import pytest
import toy
from lazily import lazily

import bayesmig as bm
from bayesmig import contract
from bayesmig.priors import read_text

pz = lazily("preliz")
pm = lazily("pymc")
stats = lazily("scipy.stats")

OUTCOMES = ["emigrated", "died", "moved", "lost", "returned"]
PARAMETERS = ["intercept", "factor_scale", "cell_scale", "native_rate_log_ratio", "generation_gap"]


@pytest.fixture(scope="module")
def cells(study):
    return study.example(table=7)  # two factors of two levels: the smallest with every parameter


def said(call, *arguments, **named):
    """What a PriorError says."""
    with pytest.raises(bm.PriorError) as caught:
        call(*arguments, **named)
    return str(caught.value)


def number(model, name):
    """A number of a prior as the graph holds it."""
    assert name in [v.name for v in model.data_vars]
    return model[name].get_value()


class Foreign:
    """Somebody else's prior: dims, and a variable of its own making."""

    def __init__(self, dims, sigma=2.0):
        self.dims, self.sigma = dims, sigma

    def create_variable(self, name, xdist=False):
        assert xdist is False
        dims = (self.dims,) if isinstance(self.dims, str) else self.dims
        return pm.Normal(name, 0, self.sigma, dims=dims)


# Named sets


def test_named_sets(study):
    assert list(study.prior_sets) == [
        "default",
        "no_pooling",
        "wide",
        "native_rates",
        "generation_gap",
        "calibration",
    ]
    assert all(study.prior_sets.values())  # one line on each
    for name in study.prior_sets:
        assert study.priors(name).name == name
        assert list(study.priors(name).specs) == PARAMETERS
        assert study.priors(name).given == frozenset()


def test_default_is_the_set_without_a_name(study):
    assert study.priors() == study.priors("default") == study.priors(None)


def test_wide_doubles_every_standard_deviation_of_the_intercepts(study):
    default, wide = (study.priors(n).specs["intercept"].numbers for n in ("default", "wide"))
    assert wide["mu"] == default["mu"]
    assert wide["sigma"]["default"] == 2 * default["sigma"]["default"]
    assert wide["sigma"]["by_label"] == {
        label: 2 * sigma for label, sigma in default["sigma"]["by_label"].items()
    }


@pytest.mark.parametrize(
    ("name", "options", "parameter"),
    [
        ("native_rates", {"second_generation": "native_rates"}, "native_rate_log_ratio"),
        ("generation_gap", {"generation_gap": "prior"}, "generation_gap"),
    ],
)
def test_sets_bring_the_options_they_presume(study, cells, name, options, parameter):
    assert study.priors(name).options == options
    assert study.priors(name).specs == study.priors("default").specs
    assert parameter in study.build(cells, name).named_vars
    assert parameter not in study.build(cells).named_vars


def test_options_of_a_set_survive_an_override(study, cells):
    chosen = study.priors("native_rates", intercept={"dist": "Normal", "mu": 0, "sigma": 9})
    model = study.build(cells, chosen)
    assert "native_rate_log_ratio" in model.named_vars
    assert (number(model, "intercept_sigma") == 9).all()


# The table of priors


def test_prints_one_line_a_parameter(study):
    lines = str(study.priors()).splitlines()
    assert lines[0].startswith("default: weakly informative")
    assert [line.split()[0] for line in lines[1:]] == PARAMETERS
    assert repr(study.priors()) == str(study.priors())


def test_prints_numbers_by_label(study):
    given = {"mu": {"default": -3.5, "by_label": {"died": -5, "lost": 0.25}}, "sigma": 1.0}
    spec = study.priors(intercept={"dist": "Normal", **given}).specs["intercept"]
    assert str(spec) == "Normal(mu=-3.5 (died -5, lost 0.25), sigma=1)"


def test_prints_lists(study):
    spec = study.priors(intercept=bm.Spec("Normal", {"mu": np.arange(5.0)})).specs["intercept"]
    assert str(spec) == "Normal(mu=[0.0, 1.0, 2.0, 3.0, 4.0])"


def test_table_says_what_the_user_gave(study):
    chosen = study.priors(cell_scale={"dist": "HalfNormal", "sigma": 0.5})
    table = chosen.table()
    assert list(table.index) == PARAMETERS
    assert list(table.index[table.given]) == ["cell_scale"]
    assert table.prior["cell_scale"] == "HalfNormal(sigma=0.5)"
    assert chosen.name == "default with cell_scale"
    assert "HalfNormal(sigma=0.5)" in chosen._repr_html_()


@pytest.mark.parametrize(
    "mu",
    ["abc", {"by_label": {"lost": 1}}, {"default": "abc"}],
    ids=["word", "no default", "word by default"],
)
def test_a_set_with_a_faulty_number_still_prints(study, mu):
    """The notebook shows the set before the graph refuses it: no error of another kind."""
    try:
        text = str(study.priors(intercept={"dist": "Normal", "mu": mu, "sigma": 1}))
    except bm.PriorError as error:
        text = str(error)
    assert "intercept" in text


# Overrides


TOML = """
about = "mine"
[priors.cell_scale]
dist = "HalfNormal"
sigma = 0.25
centered = 1.0
"""
QUARTER = {"dist": "HalfNormal", "sigma": 0.25, "centered": 1.0}


@pytest.fixture(
    params=["spec", "dict", "preliz", "overrides of the default", "path", "text path", "prior set"]
)
def half_normal(request, study, tmp_path):
    """cell_scale ~ HalfNormal(0.25), given in every way there is."""
    (tmp_path / "mine.toml").write_text(TOML, encoding="utf-8")
    return {
        "spec": lambda: study.priors(cell_scale=bm.Spec("HalfNormal", {"sigma": 0.25})),
        "dict": lambda: study.priors(cell_scale=QUARTER),
        "preliz": lambda: study.priors(cell_scale=pz.HalfNormal(0.25)),
        "overrides of the default": lambda: {"cell_scale": QUARTER},
        "path": lambda: tmp_path / "mine.toml",
        "text path": lambda: str(tmp_path / "mine.toml"),
        "prior set": lambda: study.priors().override(cell_scale=QUARTER),
    }[request.param]()


def test_every_kind_of_override_reaches_the_graph(study, cells, half_normal):
    model = study.build(cells, half_normal)
    assert type(model["cell_scale"].owner.op).__name__ == "HalfNormalRV"
    np.testing.assert_array_equal(number(model, "cell_scale_sigma"), np.full(5, 0.25))
    mu = number(model, "intercept_mu")  # the others stay the default's: priors.toml
    np.testing.assert_array_equal(mu, [-3.4, -5.0, -1.8, -1.6, -4.6])
    assert study.priors(half_normal).given == {"cell_scale"}


def test_overrides_leave_the_set_as_it_was(study):
    before = study.priors()
    before.override(cell_scale=QUARTER)
    assert before.specs["cell_scale"].dist == "LogNormal"
    assert study.priors() == before


@pytest.mark.parametrize("dims", ["outcome", ("outcome",), ["outcome"]], ids=str)
def test_somebody_elses_object(study, cells, dims):
    model = study.build(cells, {"intercept": Foreign(dims)})
    assert model.named_vars_to_dims["intercept"] == ("outcome",)
    assert "intercept_sigma" not in model.named_vars  # its numbers are its own


@pytest.mark.parametrize(
    ("prior", "dist", "numbers"),
    [
        (lambda: pz.Normal(-3, 2), "Normal", {"mu": -3, "sigma": 2}),
        (lambda: pz.StudentT(4, 0, 1), "StudentT", {"nu": 4, "mu": 0, "sigma": 1}),
        (lambda: pz.Gamma(mu=2, sigma=1), "Gamma", {"mu": 2, "sigma": 1}),
    ],
    ids=["Normal", "StudentT", "Gamma by its mean"],
)
def test_preliz_becomes_a_spec(study, prior, dist, numbers):
    spec = study.priors(intercept=prior()).specs["intercept"]
    assert (spec.dist, dict(spec.numbers)) == (dist, numbers)


# Numbers by label


def test_numbers_by_label_over_outcomes(study, cells):
    mu = {"default": -3, "by_label": {"died": -6, "returned": -4}}
    model = study.build(cells, {"intercept": {"dist": "Normal", "mu": mu, "sigma": 1}})
    assert list(model.coords["outcome"]) == OUTCOMES
    np.testing.assert_array_equal(number(model, "intercept_mu"), [-3, -6, -3, -3, -4])


def test_numbers_by_label_over_factors_and_outcomes(study, cells):
    """A label of either dim; the later one wins where they meet."""
    sigma = {"default": 1, "by_label": {"sex": 2, "lost": 3}}
    model = study.build(cells, {"factor_scale": {"dist": "HalfNormal", "sigma": sigma}})
    assert list(model.coords["factor"]) == ["origin", "sex"]
    wanted = [[1, 1, 1, 3, 1], [2, 2, 2, 3, 2]]
    np.testing.assert_array_equal(number(model, "factor_scale_sigma"), wanted)


def test_a_list_in_the_order_of_the_labels(study, cells):
    spec = {"dist": "Normal", "mu": [1, 2, 3, 4, 5], "sigma": 1}
    model = study.build(cells, {"intercept": spec})
    np.testing.assert_array_equal(number(model, "intercept_mu"), [1, 2, 3, 4, 5])


def test_centering_by_label(study):
    centered = {"default": 1, "by_label": {"moved": 0, "lost": 0.5}}
    spec = {"dist": "HalfNormal", "sigma": 1, "centered": centered}
    with pm.Model(coords={"outcome": OUTCOMES}):
        found = study.priors({"cell_scale": spec}).centering("cell_scale", "outcome")
    assert list(found.get_value()) == [1, 1, 0, 0.5, 1]


def test_centering_by_factor(study):
    """A scale has the labels of its own dims, factors among them, in all its numbers."""
    spec = {"dist": "HalfNormal", "sigma": 1, "centered": {"default": 1, "by_label": {"sex": 0}}}
    with pm.Model(coords={"factor": ["origin", "sex"], "outcome": OUTCOMES}):
        found = study.priors({"factor_scale": spec}).centering("factor_scale", "factor", "outcome")
    assert found.get_value().tolist() == [[1] * 5, [0] * 5]


@pytest.mark.parametrize("dims", ["outcome", ["outcome"], ("outcome",)], ids=repr)
def test_stated_dims_may_be_one_name_or_several(study, cells, dims):
    spec = {"dist": "Normal", "mu": 0, "sigma": 1, "dims": dims}
    assert study.build(cells, {"intercept": spec}).named_vars_to_dims["intercept"] == ("outcome",)


# TOML there and back


MINE = {
    "intercept": {"dist": "StudentT", "nu": 4, "mu": [0, 1, 2, 3, 4], "sigma": 1.5},
    "factor_scale": {
        "dist": "HalfNormal",
        "sigma": {"default": 1, "by_label": {"sex": 2}},
        "centered": {"default": 0.5, "by_label": {"lost": 1}},
    },
    "cell_scale": {"dist": "Gamma", "alpha": 2, "beta": 3, "dims": ["outcome"], "centered": False},
}


@pytest.mark.parametrize(
    "name", ["default", "no_pooling", "wide", "native_rates", "calibration", "mine"]
)
def test_toml_round_trip(study, name):
    mine = {**MINE, "generation_gap": pz.Normal(0, 0.25)}
    chosen = study.priors("wide", **mine) if name == "mine" else study.priors(name)
    again = read_text(chosen.to_toml(), study.sets, "elsewhere.toml")
    assert again == chosen
    assert again.specs["factor_scale"].centered == chosen.specs["factor_scale"].centered
    assert again.options == chosen.options


def test_toml_of_a_user_starts_from_another_set(study, tmp_path):
    (tmp_path / "mine.toml").write_text('base = "wide"\n' + TOML, encoding="utf-8")
    chosen = study.priors(tmp_path / "mine.toml")
    assert (chosen.name, chosen.about) == ("mine", "mine")
    assert chosen.specs["intercept"] == study.priors("wide").specs["intercept"]
    assert chosen.given == {"cell_scale"}


def test_foreign_objects_do_not_go_into_toml(study):
    assert "intercept" in said(study.priors(intercept=Foreign("outcome")).to_toml)


class Prior:
    """As pymc-extras has it."""

    def __init__(self, distribution, dims=(), transform=None, **parameters):
        self.distribution, self.dims, self.transform = distribution, dims, transform
        self.parameters = parameters

    def create_variable(self, name, xdist=False):
        raise AssertionError("never called")


Prior.__module__ = "pymc_extras.prior"


def test_a_plain_prior_of_pymc_extras_is_a_spec(study):
    chosen = study.priors(
        generation_gap=Prior("Normal", mu=0, sigma=0.2),
        intercept=Prior("Normal", ("outcome",), mu=np.zeros(5), sigma=1.5),
    )
    assert chosen.specs["generation_gap"] == bm.Spec("Normal", {"mu": 0, "sigma": 0.2})
    assert chosen.specs["intercept"].dims == ("outcome",)
    assert "sigma = 0.2" in chosen.to_toml()  # what a fit is built again from


@pytest.mark.parametrize(
    "prior",
    [
        Prior("Normal", mu=0, sigma=Prior("HalfNormal", sigma=1)),
        Prior("Normal", mu=0, sigma=1, transform="exp"),
    ],
)
def test_another_prior_of_pymc_extras_stays_what_it_is(study, prior):
    assert study.priors(intercept=prior).specs["intercept"] is prior


# Mistakes


NORMAL = {"dist": "Normal", "mu": 0, "sigma": 1}
EVERY_OUTCOME = ", ".join(OUTCOMES)


class NoDims:
    def create_variable(self, name, xdist=False):
        raise AssertionError("never called")


class NothingStated(Foreign):
    def __init__(self):
        super().__init__(None)


# name: (parameter, prior, words that the error must have)
WRONG = {
    "unknown distribution": (
        "intercept",
        {**NORMAL, "dist": "Norml"},
        ["'Norml'", "did you mean 'Normal'?", "valid:", "HalfNormal"],
    ),
    "no distribution": ("intercept", {"mu": 0}, ["dist"]),
    "Normal on a scale": ("factor_scale", NORMAL, ["Normal(mu=0, sigma=1)", "(0, inf)"]),
    "interval below zero on a scale": (
        "cell_scale",
        {"dist": "Uniform", "lower": -1, "upper": 1},
        ["(-1, 1)", "(0, inf)"],
    ),
    "interval below zero for one label": (
        "cell_scale",
        {"dist": "Uniform", "lower": {"default": 0, "by_label": {"lost": -1}}, "upper": 1},
        ["(0, inf)"],
    ),
    "upper bound alone on a scale": (
        "cell_scale",
        {"dist": "TruncatedNormal", "mu": 0, "sigma": 1, "upper": 3},
        ["(-inf, 3)", "(0, inf)"],
    ),
    "list too short": ("intercept", {**NORMAL, "mu": [1, 2]}, ["mu", "(2,)", "(5,)"]),
    "unknown label": (
        "intercept",
        {**NORMAL, "mu": {"default": 0, "by_label": {"emigrate": 1}}},
        ["mu", "'emigrate'", "did you mean 'emigrated'?", EVERY_OUTCOME],
    ),
    "unknown label of two dims": (
        "factor_scale",
        {"dist": "HalfNormal", "sigma": {"default": 1, "by_label": {"year": 2}}},
        ["sigma", "'year'", "origin, sex", EVERY_OUTCOME],
    ),
    "labels without default": (
        "intercept",
        {**NORMAL, "mu": {"by_label": {"lost": 1}}},
        ["mu", "default", "by_label"],
    ),
    "labels that are no table": (
        "intercept",
        {**NORMAL, "mu": {"default": 0, "by_label": 3}},
        ["mu", "by_label"],
    ),
    "a word for a number": ("intercept", {**NORMAL, "mu": "low"}, ["mu", "'low'"]),
    "sigma zero": ("intercept", {**NORMAL, "sigma": 0}, ["sigma", "positive"]),
    "sigma negative for one label": (
        "intercept",
        {**NORMAL, "sigma": {"default": 1, "by_label": {"lost": -1}}},
        ["sigma", "positive"],
    ),
    "shape negative": ("cell_scale", {"dist": "Gamma", "alpha": -1, "beta": 1}, ["alpha"]),
    "bounds reversed": ("cell_scale", {"dist": "Uniform", "lower": 2, "upper": 1}, ["lower"]),
    "NaN": ("intercept", {**NORMAL, "mu": float("nan")}, ["mu", "finite"]),
    "infinite": ("intercept", {**NORMAL, "mu": float("inf")}, ["mu", "finite"]),
    "wrong dims": (
        "intercept",
        {**NORMAL, "dims": ["factor"]},
        ["('factor',)", "('outcome',)"],
    ),
    "dims that are no name": ("intercept", {**NORMAL, "dims": 3}, ["dims"]),
    "discrete": ("intercept", {"dist": "Poisson", "mu": 3}, ["discrete", "continuous"]),
    "unknown keyword": ("intercept", {"dist": "Normal", "mean": 5, "sigma": 1}, ["mean", "mu"]),
    "keyword of no distribution": ("intercept", {**NORMAL, "spread": 1}, ["spread", "sigma"]),
    "two names for one number": ("intercept", {**NORMAL, "tau": 1}, ["tau", "sigma"]),
    "centered outside 0-1": ("cell_scale", {**QUARTER, "centered": 2}, ["centered", "[0, 1]"]),
    "a number": ("intercept", 3, ["dist", "PreliZ", "create_variable", "int"]),
    "object without dims": ("intercept", NoDims(), ["dims", "create_variable", "NoDims"]),
    "object whose dims are None": ("intercept", NothingStated(), ["dims=('outcome',)"]),
    "object of other dims": ("intercept", Foreign("factor"), ["('factor',)", "('outcome',)"]),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_prior_is_refused(study, cells, case):
    parameter, prior, words = WRONG[case]
    message = said(study.build, cells, {parameter: prior})
    for word in [f"prior of {parameter!r}", *words]:
        assert word in message


def test_a_preliz_distribution_without_numbers_is_refused(study, cells):
    message = said(study.build, cells, {"intercept": pz.Normal()})
    assert "prior of 'intercept'" in message
    assert "Normal" in message


def test_unknown_parameter(study, cells):
    for call in (
        lambda: study.priors(intercpt=NORMAL),
        lambda: study.build(cells, {"intercpt": NORMAL}),
        lambda: study.priors().override(intercpt=NORMAL),
    ):
        message = said(call)
        assert "unknown parameter 'intercpt' (did you mean 'intercept'?)" in message
        assert ", ".join(PARAMETERS) in message


def test_a_parameter_that_is_no_word(study, cells):
    assert "3" in said(study.build, cells, {3: NORMAL})


def test_unknown_set(study, cells):
    for call in (study.priors, lambda name: study.build(cells, name)):
        message = said(call, "defualt")
        assert "unknown prior set 'defualt' (did you mean 'default'?)" in message
        assert ", ".join(study.prior_sets) in message


def test_priors_of_no_kind(study, cells):
    message = said(study.build, cells, 3)
    for word in ("name of a set", "TOML", "dict of overrides", "PriorSet", "int"):
        assert word in message


# name: (text of the file, words that the error must have)
WRONG_FILES = {
    "does not parse": ("intercept = = 1", ["mine.toml", "not TOML", "line 1"]),
    "not text": (b"\xff\xfe\x00\x01", ["mine.toml", "not TOML"]),
    "unknown key": (
        "[prior.intercept]\n",
        ["mine.toml", "unknown key 'prior' (did you mean 'priors'?)", "base", "options"],
    ),
    "unknown base": ('base = "wid"', ["mine.toml: unknown base 'wid'", "wide"]),
    "unknown parameter": ("[priors.intercpt]\n", ["'intercpt'", "intercept"]),
    "priors that are no table": ("priors = 3", ["mine.toml", "priors"]),
    "options that are no table": ("options = 3", ["mine.toml", "options"]),
    "sampling that is no table": ("sampling = 3", ["mine.toml", "sampling"]),
    "a prior without dist": ("[priors.intercept]\nmu = 1\n", ["'intercept'", "dist"]),
}


@pytest.mark.parametrize("case", WRONG_FILES)
def test_a_wrong_file_is_refused(study, tmp_path, case):
    text, words = WRONG_FILES[case]
    path = tmp_path / "mine.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    message = said(study.priors, path)
    for word in words:
        assert word in message


@pytest.mark.parametrize("kind", [str, lambda path: path], ids=["text", "path"])
def test_missing_file(study, tmp_path, kind):
    path = tmp_path / "nowhere.toml"
    assert str(path) in said(study.priors, kind(path))


def test_a_graph_may_say_how_it_is_best_sampled(monkeypatch, tmp_path):
    """Of `contract.Tunes`: over the study's settings, under the set's and the call's."""
    study, data = toy.study, toy.study.example()
    graph, seen = study.part("graph"), []

    def sampling(model):
        seen.append(model["slope"].name)
        return {"target_accept": 0.93, "maxdepth": 7, "draws": 15}

    monkeypatch.setattr(graph, "sampling", sampling, raising=False)
    assert isinstance(graph, contract.Tunes)
    found = bm.compile(study, data).sampling
    assert found == {**study.sampling, "target_accept": 0.93, "maxdepth": 7, "draws": 15}
    assert seen == ["slope"]
    path = tmp_path / "mine.toml"
    path.write_text("[sampling]\ntarget_accept = 0.91\n", encoding="utf-8")
    with pytest.warns(bm.ConvergenceWarning):
        fitted = bm.fit(
            study, data, path, tune=30, chains=2, progress=False, sampling={"maxdepth": 6}
        )
    said = json.loads(fitted.attrs["sampler_settings"])
    assert said == {"target_accept": 0.91, "maxdepth": 6}
    assert fitted["posterior"].sizes["draw"] == 15


def test_options_of_a_file_are_checked(study, cells, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('[options]\nresidul = "hazard"\n', encoding="utf-8")
    with pytest.raises(bm.StudyError, match="unknown option 'residul'.*'residual'.*valid"):
        study.build(cells, path)


def test_a_set_s_sampler_settings_are_used_and_survive_a_file(tmp_path):
    study, data = toy.study, toy.study.example()
    path = tmp_path / "mine.toml"
    path.write_text("[sampling]\ntarget_accept = 0.91\ndraws = 25\n", encoding="utf-8")
    mine = study.priors(path)
    assert mine.sampling == {"target_accept": 0.91, "draws": 25}
    assert study.priors("default").sampling == {}
    (tmp_path / "again.toml").write_text(mine.to_toml(), encoding="utf-8")
    again = study.priors(tmp_path / "again.toml")
    assert again.sampling == mine.sampling
    assert again.override(slope=NORMAL).sampling == mine.sampling
    with pytest.warns(bm.ConvergenceWarning):
        fitted = bm.fit(study, data, mine, tune=30, chains=2, progress=False)
    assert json.loads(fitted.attrs["sampler_settings"])["target_accept"] == 0.91
    assert fitted["posterior"].sizes["draw"] == 25
    with pytest.warns(bm.ConvergenceWarning):  # what is said in the call goes first
        fitted = bm.fit(study, data, mine, tune=30, draws=20, chains=2, progress=False)
    assert fitted["posterior"].sizes["draw"] == 20


# Coordinates


def beside(spec):
    """A model with slopes, and levels that the data know together with them."""
    chosen = bm.PriorSet("of a test", "", {"level": None}).override(level=spec)
    with pm.Model(coords={"group": ["a", "b"]}) as model:
        slope = pm.Normal("slope", np.zeros(2), np.full(2, 2.0), dims="group")
        chosen.variable("level", "group", beside=3 * slope)
    return model


@pytest.mark.parametrize(
    ("spec", "numbers", "coordinate"),
    [
        ({"dist": "Normal", "mu": [1.0, 2.0], "sigma": 0.5}, ([1, 2], 0.5), "level_sum"),
        ({"dist": "StudentT", "mu": 1.0, "sigma": 2.0, "nu": 4.0}, (4, 1, 2), "level_sum"),
        ({"dist": "Laplace", "mu": 1.0, "b": 2.0}, (1, 2), "level_sum"),
        ({"dist": "Logistic", "mu": 1.0, "s": 2.0}, (1, 2), "level_sum"),
        ({"dist": "Cauchy", "alpha": 1.0, "beta": 2.0}, (1, 2), "level"),  # no `mu`
    ],
    ids=lambda given: given["dist"] if isinstance(given, dict) else "",
)
def test_a_prior_is_the_same_in_coordinates_that_suit_the_data(spec, numbers, coordinate):
    names = {"Normal": "norm", "StudentT": "t"}
    of = getattr(stats, names.get(spec["dist"], spec["dist"].lower()))(*numbers)
    model = beside(spec)
    assert [v.name for v in model.free_RVs] == ["slope", coordinate]
    slope, level = np.array([0.7, -0.2]), np.array([1.3, 0.4])
    there = level + 3 * slope if coordinate == "level_sum" else level
    found = model.compile_logp()({"slope": slope, coordinate: there})
    expected = of.logpdf(level).sum() + stats.norm(0, 2).logpdf(slope).sum()
    assert found == pytest.approx(expected, rel=1e-12)
    drawn = np.quantile(pm.draw(model["level"], 4000, random_seed=1), [0.25, 0.5, 0.75], axis=0)
    expected = np.array([of.ppf([q, q]) for q in (0.25, 0.5, 0.75)])
    assert np.abs(drawn - expected).max() < 0.1 * np.ptp(expected, axis=0).max()


def test_a_prior_that_is_beside_others_is_checked_as_any():
    with pytest.raises(bm.PriorError, match="prior of .level., sigma: must be positive"):
        beside({"dist": "Normal", "mu": 0.0, "sigma": -1.0})
