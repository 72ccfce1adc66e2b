"""What several test files on the multinomial logit need."""

import pytest
import social_capital_fits as fits


@pytest.fixture(scope="session")
def twin():
    return fits.twin()


@pytest.fixture(scope="session")
def fit():
    return fits.small()


@pytest.fixture(scope="session")
def few():
    """1,500 people in 15 municipalities."""
    return fits.STUDY.simulate(seed=3, n=1500, municipalities=15)
