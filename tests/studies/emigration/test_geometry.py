"""The coordinates of the cells: where the print says they are.  That they change nothing of the
model is in the oracle's tests."""

import math

import numpy as np
import pytest
from oracle import emigration as oracle

from bayesmig.models.emigration import design as designs
from bayesmig.models.emigration.data import OBSERVED
from bayesmig.models.emigration.geometry import expected, geometry

OUTCOMES = list(oracle.OUTCOMES)


def near(data):
    return geometry(designs.observations(data), designs.design(data))


def test_percentages_are_those_of_the_report():
    logit = np.random.default_rng(1).normal([-3, -5, -2, -2, -4], 1, (6, 5))
    for row, found in zip(logit, expected(logit), strict=True):
        hazard = dict(zip(OUTCOMES, 1 / (1 + np.exp(-row)), strict=True))
        wanted = oracle.expected(hazard, "probability")
        np.testing.assert_allclose(found, [wanted[name] for name in OBSERVED], rtol=1e-12)


def test_where_a_cell_is_and_how_well_it_is_known(study):
    """Table 4, Total: returned 1.0 percent; an error of a percentage by that of a logit."""
    data = study.example(table=4)
    found, observed = near(data), designs.observations(data)
    k, p = OUTCOMES.index("returned"), data.estimate.sel(component="return_immigration").item()
    assert found.location[0, k] == pytest.approx(math.log(p / (100 - p)), abs=0.01)
    error = float(observed.standard_error[0, OBSERVED.index("return_immigration")])
    assert found.information[0, k] == pytest.approx((p * (1 - p / 100) / error) ** 2, rel=0.02)


def test_a_number_printed_as_zero_says_little(study):
    """Deaths of those aged 0-14 are printed 0.0 (0.0, 0.0): two origins, two sexes.

    All that is taken of them is that they are among those who were not matched.
    """
    data = study.example(table=(10, 11))
    found = near(data)
    died = found.information[:, OUTCOMES.index("died")]
    children = np.char.endswith(data.cell.values.astype(str), "0-14")
    assert children.sum() == 4
    assert 10 * died[children].max() < died[~children].min()


@pytest.mark.parametrize("table", [5, 13, 15, (8, 9)], ids=str)
def test_directions_of_a_factor_are_told_apart(study, table):
    """Its basis stays orthonormal, and the cells say of its directions nothing at once."""
    data = study.example(table=table)
    design, found = designs.design(data), near(data)
    scale = 0.2 if len(design.factors) > 1 else 0.0
    for k in range(5):
        turn = found.turn[..., k]
        np.testing.assert_allclose(turn.T @ turn, np.eye(len(turn)), atol=1e-12)
        weight = found.information[:, k] / (1 + scale**2 * found.information[:, k])
        basis = design.cell_contrast @ turn
        told = basis.T @ (weight[:, None] * basis)
        np.testing.assert_allclose(np.diag(told), found.contrast_information[:, k], rtol=1e-9)
        for factor in set(design.contrast_factor):
            own = np.flatnonzero(design.contrast_factor == factor)
            block = told[np.ix_(own, own)]
            np.testing.assert_allclose(block, np.diag(np.diag(block)), atol=1e-8 * block.max())


@pytest.mark.parametrize("value", [0.0, 0.05, 99.0])
def test_any_table_has_coordinates(study, value):
    data = study.example(table=7).copy(deep=True)
    for name in ("estimate", "ci_low", "ci_high"):
        data[name].loc[{"component": "mortality"}] = value
    data["ci_high"] = data["ci_high"] + 0.1
    found = near(data)
    for part in vars(found).values():
        assert np.isfinite(part).all()
