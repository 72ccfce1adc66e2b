"""What several test files need: the study, its tables, and points of its graphs."""

import pytest
import toy

import bayesmig as bm


@pytest.fixture(scope="session", autouse=True)
def _toy_is_known():
    bm.register_study(toy.study)


@pytest.fixture(scope="session")
def study():
    return bm.load_study("emigration")


def pytest_collection_modifyitems(items):
    """Files that compile and sample for minutes first, so that no worker ends long after others."""
    items.sort(key=lambda item: item.path.name not in ("test_fit.py", "test_studies.py"))
