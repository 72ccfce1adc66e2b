"""The error of the share lost, level by level, against the oracle and against print."""

import csv
import math

import numpy as np
import pytest
from oracle import emigration as oracle

import bayesmig as bm
from bayesmig.models.emigration.design import observations

STUDY = bm.load_study("emigration")
LOST = 3  # in the order of `oracle.COMPONENTS`
TERM = {
    **{str(year): str(year) for year in range(1997, 2005)},
    **dict.fromkeys(("15-19", "20-24", "15-24"), "Age 15-24"),
    **dict.fromkeys(("25-29", "30-34", "25-34"), "Age 25-34"),
    **dict.fromkeys(("35-39", "40-44", "35-44"), "Age 35-44"),
    **dict.fromkeys(("45-49", "50-54", "55-59", "60-64", "45-54", "55-64"), "Age 45-64"),
    **dict.fromkeys(("Philippines", "Korea", "Other Asia"), "Other Asia"),
    **{name: name for name in ("Cuba", "China", "India", "Africa", "Europe")},
    "North America": "N America",
}
OMITTED = {"1996", "65+", "65-69", "70-74", "75+", "Central America", "Dominican Republic",
           "Other Caribbean", "Other"}  # fmt: skip


def from_print(tables, panel):
    """Cells of tables as the oracle wants them, from the file of printed numbers."""
    found = {}
    with (oracle.FOLDER / "published" / "cells.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            table, above, name = int(row["table"]), row["panel"], row["row"]
            if table not in tables or name in ("Asia", "Caribbean"):
                continue
            of_all = above.startswith("All")
            if of_all != (panel == "all") and table in (5, 7, 12, 14):
                continue
            cell = found.setdefault((table, above, name), {"level": name})
            number = float(row["estimate"]) / 100
            if row["component"] == "non_follow_up":
                cell["half"] = (float(row["ci_high"]) - float(row["ci_low"])) / 200
                cell["lost"] = number
            elif row["component"] in ("internal_migration", "mortality"):
                cell["moved" if row["component"][0] == "i" else "died"] = number
    for (table, above, name), cell in found.items():
        text = f"{above} {name}"
        mexican = name == "Mexico" or (above.startswith("Mexican"))
        one_origin = table == 13 or "Mexican" in above
        cell["origins"] = ["mexican" if mexican else "non_mexican"]
        if not one_origin:
            cell["origins"] = ["mexican", "non_mexican"]
        cell["sexes"] = ["men", "women"]
        if table in (8, 9) or "ale" in text:
            female = table == 9 or "Female" in text
            cell["sexes"] = ["women" if female else "men"]
    return list(found.values())


@pytest.mark.parametrize(
    ("table", "panel"),
    [
        (4, "exclusive"),
        (5, "exclusive"),
        (5, "all"),
        (6, "exclusive"),
        (7, "exclusive"),
        (7, "all"),
        ([8, 9], "exclusive"),
        (9, "exclusive"),
        ([10, 11], "exclusive"),
        (12, "exclusive"),
        (13, "exclusive"),
        (14, "all"),
        (15, "exclusive"),
    ],
)
def test_every_table_as_the_oracle(table, panel):
    data = STUDY.example(table=table, panel=panel)
    cells = from_print(table if isinstance(table, list) else [table], panel)
    expected = oracle.residual_errors(cells, TERM, OMITTED)
    np.testing.assert_allclose(data["residual_error"], expected, rtol=1e-9)


def test_africa_by_hand():
    """Table 2, men of the second generation: .577, no star; Table 13: 6.3 + 15.4 + 0.7 %."""
    own = float(STUDY.example(table=13)["residual_error"].sel(cell="Africa"))
    unmatched = 0.063 + 0.154 + 0.007
    of_men = 100 * unmatched * (1 - unmatched) * 0.577 / 1.959964  # at least, the reference known
    assert of_men == pytest.approx(5.1, abs=0.05)
    # men and women of one error each would give 5.1 / sqrt(2); the reference is not known exactly
    assert own == pytest.approx(of_men / math.sqrt(2), rel=0.05)


def test_mexicans_rest_on_fewer_people_than_others():
    """Foreign born for each of the second generation, Table 2: 2.6 of Mexicans, 1.3 of others."""
    data = STUDY.example(table=7)
    width = (data.ci_high - data.ci_low).sel(component="non_follow_up") / (2 * oracle.Z90)
    lost = data.estimate.sel(component="non_follow_up") / 100
    unmatched = lost + sum(
        data.estimate.sel(component=c) / 100 for c in ("internal_migration", "mortality")
    )
    as_lost = width * np.sqrt(unmatched * (1 - unmatched) / (lost * (1 - lost)))
    found = (data["residual_error"] / as_lost).to_series() ** 2
    sizes = {"Mexican, Male": (12_612 + 2_442 / 2) / 4_766,
             "Mexican, Female": (11_068 + 2_442 / 2) / 5_234,
             "Non-Mexican, Male": (22_592 + 2_763 / 2) / 18_334,
             "Non-Mexican, Female": (26_014 + 2_763 / 2) / 20_360}  # fmt: skip
    assert found.to_dict() == pytest.approx(sizes)


def test_a_number_asked_for_is_a_factor_on_the_printed_error():
    data = STUDY.example(table=13)
    width = (data.ci_high - data.ci_low).sel(component="non_follow_up").values / (2 * oracle.Z90)
    rounding = 0.1**2 / 12
    by_level = observations(data).standard_error[:, LOST]
    np.testing.assert_allclose(by_level**2, data["residual_error"] ** 2 + rounding)
    for factor in (1.0, 1.5):
        found = observations(data, factor).standard_error[:, LOST]
        np.testing.assert_allclose(found**2, (factor * width) ** 2 + rounding)


def test_cells_of_ones_own_have_the_ratio_of_the_samples(tmp_path):
    """Africa of a user's file is not the report's: its Table 2 says nothing of it."""
    rows = ["country,component,estimate,ci_low,ci_high,ci_prob"]
    for country in ("Africa", "Europe"):
        for component, number in zip(oracle.COMPONENTS, (34, 15, 2, 10, 3), strict=True):
            rows.append(f"{country},{component},{number},{number - 1},{number + 1},0.9")
    path = tmp_path / "own.csv"
    path.write_text("\n".join(rows))
    data = STUDY.read(path)
    assert "residual_error" not in data
    error = 1 / oracle.Z90 * math.sqrt(77_491 / 48_694)
    np.testing.assert_allclose(
        observations(data).standard_error[:, LOST], math.hypot(error, 0.1 / math.sqrt(12))
    )
    path.write_text("\n".join([rows[0].replace("country", "residual_error"), *rows[1:]]))
    with pytest.raises(bm.DataError, match="residual_error"):
        STUDY.read(path)


@pytest.mark.parametrize("wrong", [np.nan, 0.0, -1.0, np.inf])
def test_an_impossible_error_is_refused(wrong):
    data = STUDY.example(table=7)
    data["residual_error"][1] = wrong
    with pytest.raises(bm.DataError, match="residual_error must be a positive percentage"):
        STUDY.build(data)
