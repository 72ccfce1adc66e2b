"""Parameters and data from a prior that no generator knows."""

from types import SimpleNamespace

import numpy as np
from lazily import lazily

from bayesmig.replicates import replicates

pm = lazily("pymc")


def half_as_wide():
    """x is N(0, 1) times exp(-1.5 x^2): N(0, 1/4); y of three is about x."""
    with pm.Model(coords={"of": range(3)}) as model:
        x = pm.Normal("x", initval=0.7)
        pm.Deterministic("twice", 2 * x)
        pm.Potential("narrower", -1.5 * x**2)
        pm.Normal("y", x, 0.1, observed=[40.0, 50.0, 60.0], dims="of")
    return SimpleNamespace(model=model, potentials="narrower", sampling={"target_accept": 0.9})


def test_a_potential_is_part_of_the_prior_and_the_data_are_not():
    built = half_as_wide()
    drawn = replicates(built, 1998, seed=3)
    assert {name: value.shape for name, value in drawn.items()} == {
        "x": (1998,),
        "twice": (1998,),
        "y": (1998, 3),
    }
    error = 1 / np.sqrt(1998)
    assert abs(drawn["x"].mean()) < 4 * 0.5 * error
    assert abs(drawn["x"].std() - 0.5) < 4 * 0.5 * error / np.sqrt(2)
    np.testing.assert_array_equal(drawn["twice"], 2 * drawn["x"])
    noise = drawn["y"] - drawn["x"][:, None]
    assert abs(noise.std() - 0.1) < 4 * 0.1 / np.sqrt(2 * noise.size)
    assert abs(np.corrcoef(drawn["x"][:-1], drawn["x"][1:])[0, 1]) < 4 * error
    assert built.model.rvs_to_initial_values[built.model["x"]] == 0.7


def test_the_same_seed_draws_the_same():
    one, same, other = (replicates(half_as_wide(), 5, seed) for seed in (1, 1, 2))
    for name, value in one.items():
        np.testing.assert_array_equal(value, same[name])
        assert not np.array_equal(value, other[name])
