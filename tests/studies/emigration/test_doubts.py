"""Cells of one's own that are perhaps not what they are meant to be."""

import warnings

import numpy as np
import pandas as pd
import pytest
from studies.emigration.printed_cells import HEADER, good, printed, write

import bayesmig as bm
from bayesmig.models.emigration.data import factor_names
from bayesmig.models.emigration.doubts import doubts

TABLES = (4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, (10, 11), (8, 9))


def warned(study, path):
    """What reading a file warns of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        data = study.read(path)
    assert all(issubclass(w.category, bm.DataWarning) for w in caught)
    return data, [str(w.message) for w in caught]


def test_good_cells_are_a_user_s_own_and_raise_no_doubt(study, tmp_path):
    data, words = warned(study, write(tmp_path / "mine.csv", good()))
    assert not words
    assert data.attrs["own_data"] == 1
    assert "own_data" not in study.example(table=7).attrs


@pytest.mark.parametrize("table", TABLES, ids=str)
def test_the_report_s_exclusive_rows_raise_no_doubt(study, table):
    data = study.example(table=table)
    assert list(doubts(data, factor_names(data))) == []


def test_proportions(study, tmp_path):
    rows = [[*row[:3], *(float(v) / 100 for v in row[3:6]), row[6]] for row in good()]
    _, words = warned(study, write(tmp_path / "mine.csv", rows))
    assert len(words) == 1
    assert "no estimate exceeds one (the highest is 0." in words[0]
    assert words[0].endswith("percentages are expected, 30.7 and not 0.307")


def with_total(rows, level, weights):
    """The rows and, for each sex, the mean of its ages with the interval of their sum."""
    frame = pd.DataFrame(rows, columns=HEADER)
    numbers = frame[["estimate", "ci_low", "ci_high"]].astype(float)
    frame = frame.assign(**numbers, half=(numbers.ci_high - numbers.ci_low) / 2)
    more = []
    for (sex, component), part in frame.groupby(["sex", "component"], sort=False):
        estimate = np.average(part.estimate, weights=weights)
        half = np.sqrt(np.sum((np.array(weights) * part.half) ** 2)) / np.sum(weights)
        more.append([sex, level, component, estimate, estimate - half, estimate + half, 0.9])
    return [*rows, *more]


def sampled(people):
    """Rows of two sexes and three ages whose intervals are those of so many people."""
    rng = np.random.default_rng(1)
    rows = []
    for sex in ("Male", "Female"):
        for age, many in people.items():
            moved, died, lost, back = rng.uniform([10, 0.5, 10, 0.5], [18, 2, 16, 2])
            shares = {
                "non_match": moved + died + lost + rng.uniform(2, 8),
                "internal_migration": moved,
                "mortality": died,
                "non_follow_up": lost,
                "return_immigration": back,
            }
            for component, p in shares.items():
                half = 1.6448536 * np.sqrt(p * (100 - p) / many)
                rows.append([sex, age, component, p, p - half, p + half, 0.9])
    return rows


@pytest.mark.parametrize("level", ["15 and over", "Total"])
def test_a_level_that_is_a_total_of_others(study, tmp_path, level):
    people = {"15-24": 2000, "25-44": 5000, "45+": 3000}
    _, words = warned(study, write(tmp_path / "parts.csv", sampled(people)))
    assert not words
    rows = with_total(sampled(people), level, list(people.values()))
    _, words = warned(study, write(tmp_path / "mine.csv", rows))
    assert len(words) == 1
    assert f"age {level!r} looks like a total of other levels" in words[0]


def test_totals_among_printed_countries(study):
    """The report's Table 13 prints the Caribbean and Asia above the countries they hold."""
    rows = pd.DataFrame(printed(table=13))
    cells = list(dict.fromkeys(rows.row))
    exclusive = study.example(table=13)
    numbers = ["estimate", "ci_low", "ci_high"]
    wide = rows.assign(**rows[numbers].astype(float)).pivot(
        index="row", columns="component", values=numbers
    )
    data = exclusive.reindex(cell=cells).assign_coords(country=("cell", cells))
    for name in numbers:
        data[name] = data[name].copy(
            data=wide[name].reindex(cells)[list(data.component.values)].to_numpy()
        )
    said = list(doubts(data, ["country"]))
    assert [words.split(" looks")[0] for words in said] == ["country 'Caribbean'", "country 'Asia'"]


def test_parts_above_the_whole(study, tmp_path):
    rows = good()
    whole = next(row for row in rows if row[2] == "non_match")
    whole[3:6] = [3.0, 2.9, 3.1]
    _, words = warned(study, write(tmp_path / "mine.csv", rows))
    assert len(words) == 1
    assert "are more than all who were not matched, by up to" in words[0]
    assert words[0].endswith("by more than their intervals allow: Male, 15-24")


def test_parts_above_the_whole_within_their_error(study, tmp_path):
    rows = good()
    parts = [row for row in rows if row[:2] == ["Male", "15-24"]]
    whole, inside = parts[0], sum(float(row[3]) for row in parts[1:4])
    whole[3:6] = [inside - 0.5, inside - 3, inside + 3]
    _, words = warned(study, write(tmp_path / "mine.csv", rows))
    assert not words
