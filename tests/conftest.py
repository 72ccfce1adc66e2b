"""What several test files need: the study, its tables, and points of its graphs."""

import pytest

import bayesmig as bm


@pytest.fixture(scope="session")
def study():
    return bm.load_study("emigration")
