"""What the report says of its repairs (Consistency Checks and Adjustments), tried on persons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bayesmig.models.emigration.microdata.classical.estimator import Classical
from bayesmig.models.emigration.microdata.classical.repairs import RAW, STEPS, TIE, Group

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]


def claims(classical: Classical) -> pd.DataFrame:
    """Check on the data at hand what the report says of its repairs.

    The text claims that each repair keeps the averages within country, age and sex, that
    probabilities end between 0 and 1, that emigration is never negative, that those followed
    up have zero of everything and that the components add up to the non-match (Summary,
    Consistency Checks and Adjustments).

    Parameters
    ----------
    classical : Classical

    Returns
    -------
    DataFrame
        Columns check, where (the worst group, "" if the claim holds), holds, detail (how
        many groups or persons fail, of how many, and the largest departure, as a
        probability).
    """
    people, steps = classical.people, STEPS[classical.variant]
    rows = []
    for k, step in enumerate(steps):
        for component in RAW:
            before = _step_column(component, steps, k - 1)
            after = _step_column(component, steps, k)
            if step == "range" and classical.variant == "text" and component != "emigration":
                continue  # the text pulls in emigration only
            rows.append(
                _kept(people, before, after, f"{step} keeps the group means of {component}")
            )
            if step == "range":
                name = f"{component} is between 0 and 1 after the range repair"
                rows.append(_bounded(people, after, name))
    final = "group means of emigration in the end are those before any repair"
    rows.append(_kept(people, RAW["emigration"], "emigration", final))
    final = "mean emigration of all in the end is that before any repair"
    rows.append(_kept(people.assign(group="all"), RAW["emigration"], "emigration", final))
    for component in RAW:
        rows.append(_bounded(people, component, f"{component} is between 0 and 1 in the end"))
    rows.append(_never(people, people.emigration < 0, people.emigration, "emigration >= 0"))
    rows.append(
        _never(people, people.anf < 0, people.anf, "residual non-follow-up >= 0 in eqs. 11 and 12")
    )
    followed = people[people.followed]
    largest = followed[list(RAW)].abs().max(axis=1, skipna=False)
    rows.append(_never(followed, ~(largest == 0), largest, "followed up: all components are 0"))
    gap = people[list(RAW)].sum(axis=1, skipna=False) - people.non_match
    rows.append(
        _never(people, ~(gap.abs() < 1e-9), gap, "components add up to the non-match, by person")
    )
    rows.append(
        _kept(
            people.assign(_sum=gap + people.non_match),
            "non_match",
            "_sum",
            "components add up to the non-match, by group",
        )
    )
    return pd.DataFrame(rows, columns=["check", "where", "holds", "detail"])


def _step_column(component: str, steps: tuple[str, ...], k: int) -> str:
    return RAW[component] if k < 0 else f"{component}_{steps[k]}"


def _kept(people: pd.DataFrame, before: str, after: str, check: str) -> tuple[Any, ...]:
    """Whether weighted group means of two columns agree, in groups that have any weight."""
    group = Group.of(people)
    everyone = np.ones(len(people), dtype=bool)
    old, new = (group.mean(people[name].to_numpy(), everyone) for name in (before, after))
    weighted = group.total(group.weight) > 0
    change = np.where(weighted, new - old, 0.0)
    bad = weighted & ~(np.abs(change) <= 1e-9)
    return _verdict(check, bad, change, group.labels, f"{weighted.sum()} groups")


def _bounded(people: pd.DataFrame, column: str, check: str) -> tuple[Any, ...]:
    """Whether a column is a probability; how far outside, if not."""
    values = people[column].to_numpy()
    outside = values - np.clip(values, 0, 1)
    return _verdict(
        check, ~(np.abs(outside) <= TIE), outside, people.group.to_numpy(), f"{len(people)} persons"
    )


def _never(people: pd.DataFrame, bad: pd.Series, size: pd.Series, check: str) -> tuple[Any, ...]:
    size = size.where(bad, 0.0)
    return _verdict(
        check, bad.to_numpy(), size.to_numpy(), people.group.to_numpy(), f"{len(people)} persons"
    )


def _verdict(
    check: str, bad: Array, size: Array, labels: Array, total: str
) -> tuple[str, str, bool, str]:
    if not bad.any():
        return check, "", True, f"0 of {total}"
    missing = np.isnan(size) & bad
    detail = f"{bad.sum()} of {total}"
    if missing.any():
        detail += f", of which {missing.sum()} missing"
    if (missing == bad).all():
        return check, str(labels[missing][0]), False, detail
    worst = int(np.nanargmax(np.where(bad, np.abs(size), np.nan)))
    return check, str(labels[worst]), False, f"{detail}; largest {size[worst]:+.4f}"
