"""People as a Dataset and as a DataFrame."""

import numpy as np
import pandas as pd
import xarray as xr
from said import said

import bayesmig as bm
from bayesmig.models.social_capital import people
from bayesmig.models.social_capital.design import design

STUDY = bm.load_study("social_capital")


def test_levels_keep_their_order():
    frame = pd.DataFrame(
        {
            "choice": ["c", "a", "b", "a"],
            "size": pd.Categorical(["s", "l", "m", "s"], categories=["s", "m", "l"]),
            "open": [True, False, True, True],
            "many": [1, 2, 3, 4],
            "place": ["x", "x", "y", "y"],
        }
    )
    back = people.frame(people.from_frame(frame))
    assert list(back["size"].cat.categories) == ["s", "m", "l"]
    assert list(back["choice"].cat.categories) == ["a", "b", "c"]
    assert list(back["open"]) == [1.0, 0.0, 1.0, 1.0]
    assert list(back["many"]) == [1.0, 2.0, 3.0, 4.0]


def test_numbers_will_do_for_labels(few):
    """Codes of outcomes and groups have no decimals, and the reference may be a number."""
    frame = people.frame(few)
    coded = frame.assign(outcome=frame.outcome.cat.codes, town=frame.municipality.cat.codes + 0.0)
    coded["town"] = coded.town.astype("category")
    found = design(people.from_frame(coded), reference=2, group="town", formula="male")
    assert found.outcomes == ("2", "0", "1")
    assert found.groups == tuple(map(str, range(15)))
    same = design(few, reference="migrated", formula="male")
    np.testing.assert_array_equal(found.count, same.count)
    np.testing.assert_array_equal(found.group, same.group)


def test_text_of_a_dataset_of_ones_own_is_categories():
    text = {"fate": ("row", ["x", "y", "x"]), "place": ("row", ["a", "b", "b"])}
    frame = people.frame(xr.Dataset(text))
    assert list(frame.fate.cat.categories) == ["x", "y"]


def test_what_is_no_data():
    for wrong in (None, [1]):
        assert "data: must be a Dataset, got" in said(bm.DataError, STUDY.build, wrong)
    assert "attrs['title'], attrs['synthetic']" in said(bm.DataError, STUDY.build, xr.Dataset())
    nobody = xr.Dataset(attrs={"title": "nobody", "synthetic": 0, "left_out": ""})
    words = said(bm.DataError, STUDY.build, nobody)
    assert words.startswith("data must be a DataFrame of people or a Dataset")
    assert "no rows" in said(bm.DataError, STUDY.build, pd.DataFrame({"a": []}))
