"""The three repairs, by hand, and what the report says of them."""

import numpy as np
import pandas as pd
import pytest
from studies.emigration_microdata.classical_people import VARIANTS, result

from bayesmig.models.emigration.microdata.classical import Classical, claims, repair


def raw(group="A", age=30, **columns):
    frame = pd.DataFrame({"weight": 1.0, **columns})
    frame["followed"] = frame.followed.astype(bool)
    return frame.assign(group=group, age=age)


def repaired(people, variant):
    """What the claims are checked on: the repaired persons without the logits before."""
    columns, log = repair(people, variant)
    people = people.assign(**columns, non_match=1.0 - people.followed)
    return Classical(people, pd.DataFrame(), log, variant)


# Two followed up, two not, equal weights.
TEXT = raw(
    followed=[1, 1, 0, 0],
    eerb=[-0.1, 0.1, 0.2, 0.2],
    mo1=[0.01, 0.01, 0.01, 0.01],
    aim1=[0.1, 0.1, 0.1, 0.1],
    anf=[0.1, 0.1, 0.1, 0.1],
)


def test_the_texts_repairs_by_hand():
    done = repaired(TEXT, "text")
    people, log = done.people, done.log.set_index(["step", "component"])
    # x = 0.1, m = 0.2, n = -0.1: S = min(0.9 / 0.1, 0.1 / 0.2) = 0.5
    np.testing.assert_allclose(people.emigration_range, [0, 0.1, 0.15, 0.15], atol=1e-15)
    # sums 0.4 and, of those not followed, 0.3: times 4/3; the others 0.04 / 0.02, 0.4 / 0.2
    np.testing.assert_allclose(people.emigration_shift, [0, 0, 0.2, 0.2], atol=1e-15)
    np.testing.assert_allclose(people.mortality_shift, [0, 0, 0.02, 0.02])
    np.testing.assert_allclose(people.internal_migration_shift, [0, 0, 0.2, 0.2])
    # 0.02 + 0.2 + 0.2 = 0.42 must be 0.8
    np.testing.assert_allclose(people.mortality, [0, 0, 0.016 / 0.42, 0.016 / 0.42])
    np.testing.assert_allclose(people.non_follow_up, [0, 0, 0.16 / 0.42, 0.16 / 0.42])
    assert log.loc[("range", "emigration"), "scale"] == pytest.approx(0.5)
    assert log.loc[("range", "emigration"), "below"] == 1
    assert log.loc[("range", "emigration"), "low_before"] == pytest.approx(-0.1)
    assert log.loc[("range", "emigration"), "low_after"] == 0
    assert log.loc[("range", "emigration"), "mean_after"] == pytest.approx(0.1)
    assert log.loc[("shift", "emigration"), "ratio"] == pytest.approx(4 / 3)
    found = claims(done).set_index("check")
    assert found.holds.all(), found.detail[~found.holds]


PROGRAM = raw(
    followed=[1, 1, 0, 0],
    eerb=[-0.1, 0.1, 0.1, 0.3],
    mo1=[0.01, 0.01, 0.01, 0.03],
    aim1=[0.1, 0.1, 0.1, 0.2],
    anf=[0.1, 0.1, 0.2, 0.1],
)


def test_the_programs_repairs_by_hand():
    people = repaired(PROGRAM, "program").people
    # Shift: 0.4 / 0.4, 0.06 / 0.04, 0.5 / 0.3, 0.5 / 0.3.
    np.testing.assert_allclose(people.emigration_shift, [0, 0, 0.1, 0.3])
    np.testing.assert_allclose(people.mortality_shift, [0, 0, 0.015, 0.045])
    np.testing.assert_allclose(people.internal_migration_shift, [0, 0, 1 / 6, 1 / 3])
    np.testing.assert_allclose(people.non_follow_up_shift, [0, 0, 1 / 3, 1 / 6])
    # Range, over those not followed up.  Emigration: mean 0.2, S = min(0.8 / 0.1, 0.2 / 0.1)
    # = 2, so that all were in range and are stretched.  The others likewise; ratio 1.
    np.testing.assert_allclose(people.emigration_range, [0, 0, 0, 0.4])
    np.testing.assert_allclose(people.mortality_range, [0, 0, 0, 0.06], atol=1e-15)
    np.testing.assert_allclose(people.internal_migration_range, [0, 0, 0, 0.5], atol=1e-15)
    np.testing.assert_allclose(people.non_follow_up_range, [0, 0, 0.5, 0], atol=1e-15)
    # Rescale: the third has 0.5 and must have 1; the fourth has 0.56 and must have 0.6.
    np.testing.assert_allclose(people.non_follow_up, [0, 0, 1, 0], atol=1e-15)
    np.testing.assert_allclose(people.mortality, [0, 0, 0, 0.06 / 0.56 * 0.6], atol=1e-15)
    np.testing.assert_allclose(people.internal_migration, [0, 0, 0, 0.5 / 0.56 * 0.6], atol=1e-15)


def test_one_national_ratio_moves_emigration_between_groups():
    # Group B has -0.15 and -0.05 among two not followed up: mean -0.1, set to 0.  The total
    # 0.4 - 0.2 = 0.2 is then restored from 0.4 by one ratio, 0.5, at the expense of A.
    other = PROGRAM.iloc[2:].assign(group="B", eerb=[-0.15, -0.05])
    done = repaired(pd.concat([PROGRAM, other], ignore_index=True), "program")
    np.testing.assert_allclose(done.people.emigration, [0, 0, 0, 0.2, 0, 0], atol=1e-15)
    log = done.log[(done.log.step == "range") & (done.log.component == "emigration")]
    assert dict(zip(log.group, log.rule, strict=True))["B"] == "mean below 0: set to 0"
    np.testing.assert_allclose(log.ratio, 0.5)
    found = claims(done).set_index("check")
    kept = found.loc["range keeps the group means of emigration"]
    # A: 0.1 to 0.05; B: -0.1 to 0
    assert (kept.holds, kept["where"], kept.detail) == (
        False,
        "B",
        "2 of 2 groups; largest +0.1000",
    )
    assert found.holds["mean emigration of all in the end is that before any repair"]
    assert found.holds["emigration >= 0"]


def test_in_the_text_a_group_with_a_negative_mean_stays_negative():
    # x = -0.1, n = -0.3, m = 0.1: S = min(1.1 / 0.2, -0.1 / 0.2) = -0.5, which mirrors.
    people = TEXT.assign(eerb=[-0.3, -0.1, -0.1, 0.1])
    done = repaired(people, "text")
    np.testing.assert_allclose(done.people.emigration_range, [0, -0.1, -0.1, -0.2], atol=1e-15)
    found = claims(done).set_index("check")
    assert found.holds["range keeps the group means of emigration"]
    broken = found.loc["emigration is between 0 and 1 after the range repair"]
    assert (broken.holds, broken.detail) == (False, "3 of 4 persons; largest -0.2000")
    # After the shift, -0.4 / -0.3 times: -0.1333 and -0.2667.
    assert found.loc["emigration >= 0", "detail"] == "2 of 4 persons; largest -0.2667"
    assert done.log.rule[done.log.step == "range"].item() == "mean below 0: kept"


def test_in_the_text_the_shift_can_exceed_one():
    # Mean 0.5, S = min(0.5 / 0.3, 0.5 / 0.3) stretches 0.2 and 0.8 to 0 and 1; the one not
    # followed up then carries 4 x 0.5 = 2, and the others must add up to -1.
    people = TEXT.assign(followed=[True, True, True, False], eerb=[0.2, 0.2, 0.8, 0.8])
    done = repaired(people, "text")
    np.testing.assert_allclose(done.people.emigration_range, [0, 0, 1, 1])
    np.testing.assert_allclose(done.people.emigration, [0, 0, 0, 2])
    found = claims(done).set_index("check")
    assert found.holds["shift keeps the group means of emigration"]
    broken = found.loc["emigration is between 0 and 1 in the end"]
    assert broken.detail == "1 of 4 persons; largest +1.0000"
    assert not found.holds["internal_migration is between 0 and 1 in the end"]
    assert found.holds["components add up to the non-match, by person"]


def test_emigration_of_those_pulled_in_to_zero_is_lost_by_the_texts_shift():
    # Stretched to 0 and 0.4; who is not followed up is the one at 0, and 0 cannot be scaled.
    people = TEXT.iloc[:2].assign(eerb=[0.3, 0.1], followed=[True, False])
    done = repaired(people, "text")
    np.testing.assert_allclose(done.people.emigration_range, [0.4, 0])
    assert (done.people.emigration == 0).all()
    kept = claims(done).set_index("check").loc["shift keeps the group means of emigration"]
    assert kept.detail == "1 of 1 groups; largest -0.2000"
    lost = done.log[(done.log.step == "shift") & (done.log.component == "emigration")]
    assert lost.rule.item() == "nobody to shift it to: lost"


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_group_of_which_all_are_followed_up_loses_its_emigration(variant):
    followed = TEXT.iloc[:2].assign(group="B", eerb=[0.1, 0.3])
    done = repaired(pd.concat([PROGRAM, followed], ignore_index=True), variant)
    assert (done.people.emigration[done.people.group == "B"] == 0).all()
    shift = claims(done).set_index("check").loc["shift keeps the group means of mortality"]
    assert (shift.holds, shift["where"]) == (False, "B")
    assert shift.detail == "1 of 2 groups; largest -0.0100"
    log = done.log[(done.log.step == "shift") & (done.log.group == "B")]
    assert set(log.rule) == {"nobody to shift it to: lost"}


def test_one_person_groups():
    one = TEXT.iloc[2:3]
    text = repaired(one, "text")
    assert text.people.emigration.item() == pytest.approx(0.2)
    assert text.log.rule[text.log.step == "range"].item() == "no spread: left"
    # Stata: 0.2 + 0 times missing is missing, and missing is larger than 1.
    people = pd.concat([PROGRAM, one.assign(group="B")], ignore_index=True)
    program = repaired(people, "program")
    np.testing.assert_allclose(program.people.emigration, [0, 0, 0, 0.6, 1], atol=1e-15)
    assert (
        list(program.people.loc[4, ["mortality", "internal_migration", "non_follow_up"]]) == [0] * 3
    )
    rules = program.log.rule[(program.log.step == "range") & (program.log.group == "B")]
    assert set(rules) == {"no spread: missing, set to 1"}
    # The others' 0.4 become 0.6, since the missing one is not in the sum that the ratio restores.
    change = claims(program).set_index("check").loc["range keeps the group means of emigration"]
    assert change.detail == "2 of 2 groups; largest +0.8000"


def test_groups_without_weight():
    nothing = TEXT.assign(group="B", weight=0.0)
    text = repaired(pd.concat([TEXT, nothing], ignore_index=True), "text")
    np.testing.assert_allclose(text.people.emigration[4:], [0, 0, 0.2, 0.2])  # as they were
    assert "no weight: left" in set(text.log.rule)
    found = claims(text).set_index("check")
    assert list(found.index[~found.holds]) == [
        "emigration is between 0 and 1 after the range repair"  # one of them had -0.1
    ]
    program = repaired(pd.concat([PROGRAM, nothing], ignore_index=True), "program")
    np.testing.assert_allclose(program.people.emigration[4:], [0, 0, 1, 1])
    np.testing.assert_allclose(program.people.emigration[:4], [0, 0, 0, 0.4])
    assert "no weight: set to 1" in set(program.log.rule)


def test_a_mean_at_an_extreme_leaves_one_bound():
    # 0.1 has no weight: the mean is the maximum 0.3, and S = 0.3 / (0.3 - 0.1) alone.
    people = TEXT.iloc[:2].assign(eerb=[0.1, 0.3], weight=[0.0, 1.0], followed=False)
    for variant in VARIANTS:
        ranged = repair(people, variant)[0].emigration_range
        np.testing.assert_allclose(ranged, [0, 0.3], atol=1e-15)


def test_who_emigrates_for_certain_has_nothing_to_rescale():
    # Of two not followed up one is pulled to emigration 1 and to 0 in all else.
    people = PROGRAM.iloc[2:].assign(
        eerb=[0.2, 0.8], mo1=[0.03, 0.01], aim1=[0.2, 0.1], anf=[0.2, 0.1]
    )
    done = repaired(people, "program").people
    np.testing.assert_allclose(done.emigration, [0, 1], atol=1e-15)
    assert (done[["mortality", "internal_migration", "non_follow_up"]].iloc[1] == 0).all()


def test_weights_enter_the_means_and_sums():
    # Weights 3, 1, 1, 1: x = (-0.3 + 0.1 + 0.2 + 0.2) / 6 = 1/30, S = (1/30) / (4/30) = 1/4
    people = TEXT.assign(weight=[3.0, 1, 1, 1])
    got = repair(people, "text")[0].emigration_range
    x = 1 / 30
    np.testing.assert_allclose(got, [0, *(x + (e - x) / 4 for e in (0.1, 0.2, 0.2))], atol=1e-15)


def test_children_and_adults_have_national_ratios_of_their_own():
    below = PROGRAM.iloc[2:].assign(group="B", eerb=[-0.15, -0.05])
    children = pd.concat([PROGRAM, below]).assign(age=7, mo1=0.0)
    children["group"] = children.group + ", young"
    people = pd.concat([PROGRAM, children], ignore_index=True)
    done = repaired(people.sample(frac=1, random_state=1), "program").people.sort_index()
    np.testing.assert_allclose(done.emigration[:4], [0, 0, 0, 0.4], atol=1e-15)
    np.testing.assert_allclose(done.emigration[4:8], [0, 0, 0, 0.2], atol=1e-15)
    assert (done.mortality[4:] == 0).all()


def test_negative_residuals_are_counted():
    log = repair(TEXT.assign(anf=[-0.1, 0.1, 0.1, -0.2]), "text")[1]
    row = log[log.step == "residual"].iloc[0]
    assert (row.below, row.persons, row.low_before) == (2, 4, -0.2)


def test_claims_that_fail_on_simulated_people():
    failing = {
        variant: set(claims(result(variant)).loc[lambda found: ~found.holds, "check"])
        for variant in VARIANTS
    }
    only_text = {
        "emigration >= 0",
        "emigration is between 0 and 1 after the range repair",
        "emigration is between 0 and 1 in the end",
    }
    assert only_text <= failing["text"]
    assert not only_text & failing["program"]
    assert "range keeps the group means of emigration" in failing["program"] - failing["text"]
    both = failing["text"] & failing["program"]
    assert "group means of emigration in the end are those before any repair" in both
    assert "residual non-follow-up >= 0 in eqs. 11 and 12" in both
    for variant in VARIANTS:
        assert "followed up: all components are 0" not in failing[variant]


def test_a_claim_counts_what_fails():
    done = repaired(TEXT, "text")
    spoilt = done.people.copy()
    spoilt.loc[0, "mortality"] = 0.25  # of somebody who was followed up
    found = claims(Classical(spoilt, done.models, done.log, "text")).set_index("check")
    assert found.loc["followed up: all components are 0", "detail"] == (
        "1 of 2 persons; largest +0.2500"
    )
    assert found.loc["components add up to the non-match, by person", "detail"] == (
        "1 of 4 persons; largest +0.2500"
    )
    assert found.loc["components add up to the non-match, by group", "detail"] == (
        "1 of 1 groups; largest +0.0625"
    )


def test_if_nobody_has_a_spread_the_program_makes_emigrants_of_all():
    # No adjusted value is known, so their sum is 0; 0 / 0 is missing, and missing becomes 1.
    done = repaired(TEXT.assign(eerb=0.1, followed=[True, True, True, False]), "program")
    assert (done.people.emigration == 1).all()
    found = claims(done).set_index("check")
    assert not found.holds["followed up: all components are 0"]
    assert not found.holds["components add up to the non-match, by person"]
