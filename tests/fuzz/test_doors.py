"""No file, however damaged, raises what is not ours; what is accepted is what is written."""

import pytest

from fuzz.doors import DOORS, run

SEEDS = range(12)


@pytest.mark.parametrize("name", DOORS)
def test_damaged_files(name, tmp_path):
    counts, failures = run(name, SEEDS, tmp_path)
    assert not failures, "\n".join(failures)
    assert sum(counts.values()) == len(SEEDS)
    assert counts["refused"]
