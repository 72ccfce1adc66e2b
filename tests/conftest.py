"""What several test files need: the study, its tables, and points of its graphs."""

import gc
import os

import pytest
import toy

import bayesmig as bm

# where each node of each graph was made, PyTensor keeps for its messages; a fifth of building
FLAGS = "traceback__limit=0"
os.environ["PYTENSOR_FLAGS"] = ",".join(filter(None, (os.environ.get("PYTENSOR_FLAGS"), FLAGS)))


def pytest_collection_finish():
    """Look for garbage less often: what was collected stays, and graphs are many objects."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


@pytest.fixture(scope="session", autouse=True)
def _toy_is_known():
    bm.register_study(toy.study)


@pytest.fixture(scope="session")
def study():
    return bm.load_study("emigration")
