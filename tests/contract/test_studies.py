"""Every study that is listed passes the contract, its fit included."""

import pytest

import bayesmig as bm
from bayesmig.testing import check_study

SMALL = {  # data that compile and sample in seconds; a study that is not here is run as it is
    "emigration": {"table": 7},
    "emigration_microdata": {"persons": 1000},
    "snapshot": {"surveys": 20},
    "social_capital": {"n": 1500, "municipalities": 15},
    "transnationalism_respondents": {"n": 300},
}


AT_ONCE = ("emigration", "transnationalism")  # the others are compiled, or sampled, for longer
LATER = sorted(set(bm.list_studies()) - set(AT_ONCE))


# other files begin with the first of them: two workers had better not compile the same
@pytest.mark.parametrize("name", sorted(bm.list_studies(), reverse=True))
def test_the_study_passes(name):
    check_study(bm.load_study(name), fit=name in AT_ONCE, **SMALL.get(name, {}))


@pytest.mark.fits  # two minutes for the compiler
@pytest.mark.parametrize("name", LATER)
def test_the_study_passes_with_fits(name):
    check_study(bm.load_study(name), **SMALL.get(name, {}))


@pytest.mark.parametrize("name", bm.list_studies())
def test_every_prior_set_comes_back_from_what_a_fit_keeps_of_it(name, tmp_path):
    """Sets of other graphs have parameters that the default has not."""
    study = bm.load_study(name)
    for each in map(study.priors, study.prior_sets):
        (tmp_path / "kept.toml").write_text(each.to_toml(), encoding="utf-8")
        back = study.priors(tmp_path / "kept.toml")
        assert (back.name, back.about, back.given) == (each.name, each.about, each.given)
        assert dict(back.specs) == dict(each.specs)
        assert dict(back.options) == dict(each.options)
        assert dict(back.sampling) == dict(each.sampling)
