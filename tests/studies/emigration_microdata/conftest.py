"""A panel made of records that a test writes."""

import pytest
from studies.emigration_microdata.extracts import OTHERS, WIDTHS, write

from bayesmig.models.emigration.microdata.ipums.extract import load
from bayesmig.models.emigration.microdata.ipums.linking import link


@pytest.fixture
def panel(tmp_path):
    """Return a function from records to their panel."""
    return maker(tmp_path)


def maker(folder):
    """Return a function from records to their panel, which writes the extract into a folder."""

    def make(*people, others=True, month=3, widths=WIDTHS, read=None, **rules):
        rows = [row for part in people for row in (part if isinstance(part, list) else [part])]
        rows += OTHERS if others else []
        path = write(folder / "cps_00001.dat", rows, widths)
        return link(load(path, month=month, **(read or {})), **rules)

    return make


@pytest.fixture(scope="module")
def shared_panel(tmp_path_factory):
    """Return `panel` for what several tests of a file look at."""
    return maker(tmp_path_factory.mktemp("extract"))
