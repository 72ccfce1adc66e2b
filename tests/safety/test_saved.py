"""A fit from a file is what was written, or it is refused; nothing else is read or run."""

import dataclasses
import json
import warnings
from importlib.metadata import version

import h5py
import numpy as np
import pytest
import toy
import xarray as xr
from safety.small import fit

import bayesmig as bm
from bayesmig import saving
from bayesmig.models.social_capital.probabilities import probabilities
from bayesmig.reporting import without_few


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    """What a file of the fit holds."""
    path = tmp_path_factory.mktemp("saved") / "fit.nc"
    return bm.save_fit(fit(), path, digits=None).read_bytes()


@pytest.fixture
def saved(tmp_path, content):
    path = tmp_path / "fit.nc"
    path.write_bytes(content)
    return path


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A file without a checksum: what somebody may write who wants to be opened."""
    path = tmp_path_factory.mktemp("plain") / "fit.nc"
    fit().to_netcdf(path, engine="h5netcdf")
    return path


def refused(path, words):
    with pytest.raises(bm.StudyError, match=words) as found:
        bm.open_fit(path)
    assert str(path) in str(found.value)


def no_fit(tree, words):
    """A tree that is read from a file and is none of a fit."""
    with pytest.raises(bm.StudyError, match=words) as found:
        saving.check(tree, "fit.nc")
    assert str(found.value).startswith("fit.nc ")


def test_a_saved_fit_is_the_fit(tmp_path, saved):
    opened = bm.open_fit(saved)  # a warning would be an error
    assert opened.identical(fit())
    again = bm.open_fit(bm.save_fit(opened, saved, digits=None))
    assert again.identical(fit())


def test_five_digits_are_kept_where_nothing_is_said(tmp_path):
    opened = bm.open_fit(bm.save_fit(fit(), tmp_path / "fit.nc"))
    assert opened.attrs == {**fit().attrs, "digits": 5}
    again = bm.open_fit(bm.save_fit(opened, tmp_path / "fit.nc"))
    assert again.identical(opened)


@pytest.mark.parametrize("digits", [3, 4, 5, 7, 14])
def test_fewer_digits_of_draws(tmp_path, digits):
    """Neither of itself nor of its spread does a number move by more than is said; data stay."""
    opened = bm.open_fit(bm.save_fit(fit(), tmp_path / "fit.nc", digits=digits))
    assert opened.attrs["digits"] == digits
    for group in ("posterior", "estimands", "sample_stats"):
        for name, values in fit()[group].data_vars.items():
            found = opened[group][name]
            assert found.dtype == values.dtype
            if values.dtype != "float64":
                np.testing.assert_array_equal(found, values)
                continue
            moved = abs(found - values)
            assert (moved <= 10.0**-digits * abs(values)).all()
            low, high = (values.quantile(q, ("chain", "draw")) for q in (0.16, 0.84))
            assert (moved <= 5 * 10.0**-digits * (high - low) / 2).all()
            assert digits == 14 or (moved > 0).mean() > 0.9
    assert opened["data"].identical(fit()["data"])
    again = bm.open_fit(bm.save_fit(opened, tmp_path / "again.nc", digits=digits))
    assert again.identical(opened)
    finer = bm.open_fit(bm.save_fit(opened, tmp_path / "finer.nc", digits=min(digits + 1, 14)))
    assert finer.identical(opened)  # and says the digits that it has


@pytest.mark.parametrize("centre", [0.0, 2026.0, 1e12])
def test_what_is_learned_of_a_large_number_is_kept(tmp_path, centre):
    """Five digits of a year are a tenth of a year, of which draws may tell thousandths."""
    year = fit()
    drawn = centre + np.random.default_rng(3).normal(0, 0.01, year["posterior"]["gap"].shape)
    year["posterior"]["gap"][:] = drawn
    opened = bm.open_fit(bm.save_fit(year, tmp_path / "fit.nc"))["posterior"]["gap"].to_numpy()
    assert abs(opened - drawn).max() <= 5e-5 * 0.011
    assert (opened != drawn).any() or centre == 1e12  # a double there has no more to give away


def test_a_small_number_keeps_its_logarithm(tmp_path):
    """Of a probability that spreads over many powers of ten."""
    odd = fit()
    drawn = np.exp(np.random.default_rng(3).normal(0, 20, odd["posterior"]["gap"].shape))
    odd["posterior"]["gap"][:] = drawn
    opened = bm.open_fit(bm.save_fit(odd, tmp_path / "fit.nc"))["posterior"]["gap"].to_numpy()
    np.testing.assert_allclose(np.log(opened), np.log(drawn), rtol=0, atol=1.01e-5)


def test_what_is_no_number_stays_what_it_is(tmp_path):
    odd = fit()
    odd["posterior"]["gap"][0, :3] = [np.nan, np.inf, -np.inf]
    held = [np.finfo(float).max, 1e300, -1e-300, 5e-324, 0.0]  # no single can hold these
    odd["posterior"]["gap"][1, :5] = held
    odd["posterior"]["slope"][:] = 1 / 3  # of what does not vary, every bit
    opened = bm.open_fit(bm.save_fit(odd, tmp_path / "fit.nc", digits=3))["posterior"]
    np.testing.assert_array_equal(opened["gap"][0, :3], [np.nan, np.inf, -np.inf])
    np.testing.assert_allclose(opened["gap"][1, :5], held, rtol=0.001)
    assert (opened["slope"] == 1 / 3).all()


def test_fewer_draws(tmp_path, monkeypatch):
    monkeypatch.setattr(saving, "FEWEST_DRAWS", 10)
    opened = bm.open_fit(bm.save_fit(fit(), tmp_path / "fit.nc", digits=None, every=3))
    assert opened.attrs["kept_every"] == 3
    thin = fit()["posterior"].to_dataset().isel(draw=slice(None, None, 3))
    xr.testing.assert_identical(opened["posterior"].to_dataset(), thin)
    twice = bm.open_fit(bm.save_fit(opened, tmp_path / "fit.nc", digits=None, every=1))
    assert twice.identical(opened)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"digits": 2}, "digits must be 3 to 14, got 2"),
        ({"digits": 5.5}, "digits must be 3 to 14, got 5.5"),
        ({"every": 0}, "every must be a whole number, 1 or more, got 0"),
        ({"every": 2}, "every=2 leaves 20 draws a chain: at least 100"),
    ],
)
def test_too_few_digits_or_draws_are_refused(tmp_path, asked, words):
    with pytest.raises(bm.StudyError, match=words):
        bm.save_fit(fit(), tmp_path / "fit.nc", **asked)
    assert not list(tmp_path.iterdir())


def test_other_readers_open_it_too(saved):
    with xr.open_datatree(saved, engine="h5netcdf") as tree:
        np.testing.assert_array_equal(tree["posterior"]["slope"], fit()["posterior"]["slope"])


def test_one_without_a_checksum_warns(plain):
    with pytest.warns(bm.DataWarning, match="no checksum"):
        assert bm.open_fit(plain).identical(fit())


def test_no_damage_is_opened(saved, content):
    rng = np.random.default_rng(1)
    for k in range(200):
        changed = bytearray(content)
        if k % 4 == 0:
            changed = changed[: rng.integers(1, len(changed))]
        elif k % 4 == 1:
            at = rng.integers(0, len(changed) - 300)
            changed[at : at + 200] = bytes(200)
        else:
            for at in rng.integers(0, len(changed) - saving.DIGEST, rng.integers(1, 4)):
                changed[at] ^= 1 << int(rng.integers(8))
        if bytes(changed) == content:
            continue
        saved.write_bytes(changed)
        with pytest.raises(bm.StudyError):
            bm.open_fit(saved)


def test_a_checksum_that_is_cut_off_is_missed(saved, content):
    saved.write_bytes(content[: -saving.DIGEST - len(saving.SEAL)])
    refused(saved, "its checksum is gone")


def test_another_format_is_named(tmp_path):
    tree = fit()
    tree.attrs["format"] = 99
    refused(bm.save_fit(tree, tmp_path / "new.nc"), "format 99.*install a newer bayesmig")
    del tree.attrs["format"]
    refused(bm.save_fit(tree, tmp_path / "old.nc"), "format 1.*fit again")


def test_another_major_version_is_said(tmp_path):
    tree = fit()
    others = {"pymc": "5.25.1", "numpy": f"{version('numpy')}.9", "gone": "1.0"}
    tree.attrs["versions"] = json.dumps(others)
    path = bm.save_fit(tree, tmp_path / "old.nc", digits=None)
    with pytest.warns(bm.DataWarning) as caught:
        assert bm.open_fit(path).identical(tree)
    (warning,) = caught
    here = version("pymc")
    assert f"was made with pymc 5.25.1, here is {here}: numbers" in str(warning.message)


@pytest.mark.parametrize("group", ["posterior", "published", "sample_stats", "data"])
def test_a_missing_group_is_named(group):
    tree = fit()
    del tree[group]
    no_fit(tree, f"group '{group}' is missing")


@pytest.mark.parametrize(
    ("attribute", "value", "words"),
    [
        ("options", "[]", "options"),
        ("options", "{", "options"),
        ("diagnostics", 3, "diagnostics"),
        ("priors_toml", 3, "'priors_toml' is no text"),
        ("title", np.arange(3), "'title' is no text"),
        ("chains", "four", "'chains' is no whole number"),
        ("interrupted", 0, "'interrupted' is no text"),
    ],
)
def test_an_attribute_of_another_kind_is_named(attribute, value, words):
    tree = fit()
    tree.attrs[attribute] = value
    no_fit(tree, words)


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t["posterior"].to_dataset().rename(draw="sample"),
        lambda t: t["posterior"].to_dataset().assign(slope=("x", ["a"])),
    ],
)
def test_a_posterior_of_another_shape_is_named(change):
    tree = fit()
    tree["posterior"] = xr.DataTree(change(tree))
    no_fit(tree, "posterior/")


# What reaches out of the file


def external_link(file, secret):
    file["stolen"] = h5py.ExternalLink(str(secret), "/numbers")


def soft_link(file, secret):
    file["posterior"]["twin"] = h5py.SoftLink("/posterior/slope")


def external_storage(file, secret):
    file["data"].create_dataset("stolen", (8,), "u1", external=[(str(secret), 0, 8)])


def virtual(file, secret):
    layout = h5py.VirtualLayout((3,), "f8")
    layout[:] = h5py.VirtualSource(str(secret), "numbers", (3,))
    file["data"].create_virtual_dataset("stolen", layout)


def deep(file, secret):
    group = file
    for _ in range(50):
        group = group.create_group("deeper")


def circle(file, secret):
    file["posterior"]["again"] = file["/"]


def many(file, secret):
    for k in range(saving.OBJECTS + 1):
        file["data"].create_group(f"g{k}")


def huge(file, secret):
    file["data"].create_dataset("huge", (1 << 40,), "f8", chunks=(1 << 20,))


def bomb(file, secret):
    file["data"].create_dataset("bomb", data=np.zeros(10_000_000), compression="gzip", chunks=True)


def packed(file, secret):
    file["data"].create_dataset("packed", data=np.zeros(1000), compression="lzf")


@pytest.mark.parametrize(
    "crafted",
    [external_link, soft_link, external_storage, virtual, deep, circle, many, huge, bomb, packed],
)
def test_a_crafted_file_is_refused(tmp_path, monkeypatch, plain, crafted):
    monkeypatch.setattr(saving, "OBJECTS", 200)
    secret, path = tmp_path / "secret.h5", tmp_path / "fit.nc"
    path.write_bytes(plain.read_bytes())
    with h5py.File(secret, "w") as file:
        file["numbers"] = np.arange(3.0)
    with h5py.File(path, "a") as file:
        crafted(file, secret)
    refused(path, "is not a fit: ")


FORMULAS = [
    "__import__('os').system('touch owned')",
    "I(__import__('os').system('touch owned'))",
    "{open('owned', 'w')}",
    "np.save('owned', age)",
    "age.__class__",
]


@pytest.fixture(scope="module")
def respondents():
    return bm.load_study("social_capital").example(n=60, municipalities=4)


VERBS = {
    "refit": bm.refit,
    "add_groups": lambda crafted: bm.add_groups(crafted, ["prior"]),
    "sensitivity": bm.sensitivity,
    "probabilities": lambda crafted: probabilities(crafted, crafted["data"].to_dataset()),
}


@pytest.mark.parametrize(("verb", "formula"), [*zip(VERBS, FORMULAS, strict=False)])
def test_a_formula_in_a_fit_is_not_run(tmp_path, monkeypatch, respondents, verb, formula):
    """The options of a crafted fit reach the graph of the study that it names."""
    monkeypatch.chdir(tmp_path)
    study, crafted = bm.load_study("social_capital"), fit()
    crafted["data"] = xr.DataTree(respondents)
    crafted.attrs |= {
        "study": study.name,
        "options": json.dumps({**study.options, "formula": formula}),
        "priors_toml": study.priors().to_toml(),
    }
    with pytest.raises(bm.StudyError, match="formula"):
        VERBS[verb](crafted)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("formula", FORMULAS)
def test_a_formula_in_a_file_of_priors_is_not_run(tmp_path, monkeypatch, respondents, formula):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.toml").write_text(f"[options]\nformula = {json.dumps(formula)}\n")
    study = bm.load_study("social_capital")
    with pytest.raises(bm.StudyError, match="formula"):
        study.build(respondents, tmp_path / "p.toml")
    assert [p.name for p in tmp_path.iterdir()] == ["p.toml"]


def test_what_is_no_file_is_refused(tmp_path):
    refused(tmp_path, "no fit at")
    (tmp_path / "empty.nc").touch()
    refused(tmp_path / "empty.nc", "is not a saved fit")


# Respondents


def test_a_fit_without_respondents_carries_none(tmp_path):
    path = bm.save_fit(fit(), tmp_path / "fit.nc", respondents=False, digits=None)
    opened = bm.open_fit(path)
    assert not any("person" in node.dims for node in opened.subtree)
    assert "of_person" not in opened["posterior"]
    assert "observed_data" not in opened
    assert "constant_data" not in opened
    assert opened["data"].attrs["title"] == fit()["data"].attrs["title"]
    np.testing.assert_array_equal(opened["posterior"]["slope"], fit()["posterior"]["slope"])
    whole, shared = bm.compare(fit()), bm.compare(opened)
    assert whole.equals(shared)


@pytest.fixture
def counted():
    """The toy study as if its rows were cells, of whose people income says the number."""
    yield bm.register_study(dataclasses.replace(toy.study, people={"person": "income"}))
    bm.register_study(toy.study)


@pytest.mark.parametrize("fewest", [4, 5])
def test_counts_of_five_people_and_more_are_kept_and_refitted(counted, tmp_path, fewest):
    tree = fit()
    data = tree["data"].to_dataset()
    people = np.arange(data.sizes["person"]) % 3.0 + fewest
    tree["data"] = xr.DataTree(data.assign(income=("person", people)))
    shared = bm.open_fit(bm.save_fit(tree, tmp_path / "fit.nc", respondents=False))
    if fewest < 5:
        assert "person" not in shared["data"].dims
        return
    np.testing.assert_array_equal(shared["data"]["income"], people)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bm.ConvergenceWarning)
        mine = {"gap": {"dist": "LogNormal", "mu": -1, "sigma": 0.2}}
        again = bm.refit(shared, mine, draws=20, tune=20, chains=1, progress=False)
    assert again.attrs["prior_set"] == "default with gap"


@pytest.mark.parametrize("where", ["saved", "deleted"])
def test_what_needs_the_data_says_so(tmp_path, monkeypatch, where):
    if where == "saved":
        shared = bm.open_fit(bm.save_fit(fit(), tmp_path / "fit.nc", respondents=False))
        words = "saved without respondents"
    else:
        shared, words = fit(), "no group 'data'"
        del shared["data"]
    for verb in (bm.refit, lambda f: bm.add_groups(f, ["prior"])):
        with pytest.raises(bm.StudyError, match=words):
            verb(shared)
    monkeypatch.setattr(bm.Study, "rebased", lambda study, draws, reference: draws)
    with pytest.raises(bm.StudyError, match=words):
        bm.rebase(shared, "moved")


@pytest.mark.parametrize("fewest", [0, 5, 8])
def test_a_report_shows_no_cell_of_a_few_people(tmp_path, fewest):
    tree = fit()
    estimands = tree["estimands"].to_dataset()
    people = ("outcome", [4, 5, 6, 7, 8, 9, 10])
    tree["estimands"] = xr.DataTree(estimands.assign_coords(people=people))
    labels = list(estimands.outcome.values)
    published = tree["published"].to_dataset()
    wide = published.isel(row=[list(published.quantity.values).index("slope")] * len(labels))
    tree["published"] = xr.DataTree(wide.assign(outcome=("row", labels)))
    shown, hidden = without_few(tree, fewest)
    gone = {0: 0, 5: 1, 8: 4}[fewest]
    assert hidden == gone
    assert list(bm.compare(shown).coordinates) == labels[gone:]
    assert list(shown["estimands"].outcome.values) == labels[gone:]


def test_printed_cells_hold_no_respondents():
    tree = fit()
    tree.attrs["study"] = "emigration"
    assert saving.without_respondents(tree).identical(tree)
