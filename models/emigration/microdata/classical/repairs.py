"""The three repairs, in the order and form of the text or of the program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bayesmig.models.emigration.microdata.classical.people import Variant

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

# What the repairs change, under the program's names for it before any repair.
RAW = {
    "emigration": "eerb",
    "mortality": "mo1",
    "internal_migration": "aim1",
    "non_follow_up": "anf",
}
STEPS = {"text": ("range", "shift"), "program": ("shift", "range")}  # then the rescaling
TIE = 1e-12  # differences below this are rounding: Stata's floats would make them 0, 1 or missing


def repair(people: pd.DataFrame, variant: Variant) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Apply the three repairs to persons' components.

    Parameters
    ----------
    people : DataFrame
        Foreign born: group, age (years), weight, followed (bool) and the unrepaired eerb,
        mo1, aim1, anf (probabilities a year).
    variant : {"text", "program"}

    Returns
    -------
    columns : DataFrame
        Index of ``people``; each component after each step and after all, named as in
        `Classical`.
    log : DataFrame
        Rows of `Classical.log`.
    """
    by_variant = _repair_text if variant == "text" else _repair_program
    adults = (people.age >= 15).to_numpy()
    columns, log = [], []
    # The program repairs adults (Appendix F) and children (Appendix G) one after the other.
    for part in (people[adults], people[~adults]):
        if len(part):
            repaired, rows = by_variant(part)
            columns.append(pd.DataFrame(repaired, index=part.index))
            log += rows
    place = np.argsort(np.r_[np.flatnonzero(adults), np.flatnonzero(~adults)])
    return pd.concat(columns).iloc[place], pd.concat(log, ignore_index=True)


def groups(people: pd.DataFrame, variant: Variant) -> Array:
    """Country, age and sex within which the repairs work: ``amale rpob agegrp`` of the program."""
    age, sex = people.age_group.astype(str), people.sex.astype(str)
    if variant == "program":
        fives = pd.cut(people.age, [-1, 4, 9, 14, 999], labels=["0-4", "5-9", "10-14", ""])
        age = age.where(people.age >= 15, fives.astype(str))
        sex = sex.where(people.age >= 15, "both")
    return (people.country.astype(str) + " | " + age + " | " + sex).to_numpy()


@dataclass(frozen=True)
class Group:
    """Persons by group: codes into ``labels``, weights, and who was not followed up."""

    code: Array
    labels: Array
    weight: Array
    lost: Array

    @classmethod
    def of(cls, people: pd.DataFrame) -> Group:
        """Return the groups of persons, by their column ``group``."""
        code, labels = pd.factorize(people.group, sort=True)
        weight = people.weight.to_numpy()
        return cls(code, np.asarray(labels), weight, ~people.followed.to_numpy(dtype=bool))

    def total(self, values: Array, on: Array | None = None) -> Array:
        """Sum by group; missing values count as nothing, as in Stata's ``total``."""
        values = np.where(np.isnan(values) | (False if on is None else ~on), 0.0, values)
        return np.bincount(self.code, values, len(self.labels))

    def extreme(self, values: Array, on: Array, high: bool) -> Array:
        """Largest or smallest value by group, missing values aside; NaN for nobody."""
        fill = -np.inf if high else np.inf
        out = np.full(len(self.labels), fill)
        seen = on & ~np.isnan(values)
        (np.maximum if high else np.minimum).at(out, self.code[seen], values[seen])
        return np.where(np.isinf(out), np.nan, out)

    def mean(self, values: Array, on: Array) -> Array:
        """Weighted mean by group; NaN without weight."""
        return over(self.total(values * self.weight, on), self.total(self.weight, on))


def over(a: Array, b: Array) -> Array:
    """Quotient that is missing (NaN) where the denominator is zero, as in Stata."""
    return np.where(b == 0, np.nan, a / np.where(b == 0, 1.0, b))


def _spread(values: Array, group: Group, on: Array) -> tuple[Array, Array]:
    """Mean x by group, and S = min[(1 - x) / (m - x), x / (x - n)].

    A quotient whose denominator is zero is missing, and S the other; NaN if both are.
    """
    mean = group.mean(values, on)
    up = group.extreme(values, on, high=True) - mean
    down = mean - group.extreme(values, on, high=False)
    tie = TIE * np.maximum(1, np.abs(mean))
    upper = over(1 - mean, np.where(up > tie, up, 0.0))
    lower = over(mean, np.where(down > tie, down, 0.0))
    return mean, np.fmin(upper, lower)


def _pull_in(values: Array, mean: Array, scale: Array, group: Group) -> Array:
    """x + (e - x) S.  An extreme that this sets to 0 or 1 is that, not a rounding error of it."""
    result = mean[group.code] + (values - mean[group.code]) * scale[group.code]
    return np.where(np.abs(result) < TIE, 0.0, np.where(np.abs(result - 1) < TIE, 1.0, result))


def _repair_text(people: pd.DataFrame) -> tuple[dict[str, Array], list[pd.DataFrame]]:
    """Range, shift and rescaling as in Consistency Checks and Adjustments."""
    group = Group.of(people)
    everyone = np.ones(len(people), dtype=bool)
    raw = {component: people[name].to_numpy() for component, name in RAW.items()}
    log = [_residual_rows(raw["non_follow_up"], group)]

    ranged = dict(raw)
    mean, scale = _spread(raw["emigration"], group, everyone)
    moved = _pull_in(raw["emigration"], mean, scale, group)
    ranged["emigration"] = np.where(np.isnan(moved), raw["emigration"], moved)
    rule = np.select(
        [np.isnan(mean), np.isnan(scale), mean < 0, mean > 1],
        ["no weight: left", "no spread: left", "mean below 0: kept", "mean above 1: kept"],
        "",
    )
    log.append(
        _rows(
            "range",
            "emigration",
            group,
            raw["emigration"],
            ranged["emigration"],
            everyone,
            scale=scale,
            rule=rule,
        )
    )
    shifted = {}
    for component, values in ranged.items():
        shifted[component], ratio, rule = _shift_text(values, group)
        log.append(
            _rows(
                "shift",
                component,
                group,
                values,
                shifted[component],
                everyone,
                ratio=ratio,
                rule=rule,
            )
        )
    final = _rescale(shifted, group.lost)
    log += [_rows("rescale", c, group, shifted[c], final[c], group.lost) for c in RAW]
    return _columns({"range": ranged, "shift": shifted}, final), log


def _shift_text(values: Array, group: Group) -> tuple[Array, Array, Array]:
    """Give those not followed up everything; where they have nothing to scale, it is lost."""
    whole = group.total(values * group.weight)
    theirs = group.total(values * group.weight, group.lost)
    nothing = theirs == 0
    ratio = np.where(nothing, np.where(whole == 0, 1.0, 0.0), over(whole, theirs))
    rule = np.where(nothing & (whole != 0), "nobody to shift it to: lost", "")
    return np.where(group.lost, values * ratio[group.code], 0.0), ratio, rule


def _repair_program(people: pd.DataFrame) -> tuple[dict[str, Array], list[pd.DataFrame]]:
    """``nmonly``, ``outrangenm`` and what follows them, of Appendix F or (children) G."""
    group = Group.of(people)
    everyone = np.ones(len(people), dtype=bool)
    children = bool((people.age < 15).all())
    raw = {component: people[name].to_numpy() for component, name in RAW.items()}
    log = [_residual_rows(raw["non_follow_up"], group)]
    shifted, ranged = {}, {}
    for component, values in raw.items():
        if children and component == "mortality":  # Appendix G leaves it out: it is zero
            shifted[component] = ranged[component] = np.zeros(len(people))
            continue
        shifted[component], ratio, rule = _shift_program(values, group)
        log.append(
            _rows(
                "shift",
                component,
                group,
                values,
                shifted[component],
                everyone,
                ratio=ratio,
                rule=rule,
            )
        )
        ranged[component], scale, national, rule = _range_program(shifted[component], group)
        log.append(
            _rows(
                "range",
                component,
                group,
                shifted[component],
                ranged[component],
                group.lost,
                scale=scale,
                ratio=np.full(len(group.labels), national),
                rule=rule,
            )
        )
    final = _rescale(ranged, group.lost & (ranged["emigration"] < 1))
    if children:
        final["mortality"] = np.zeros(len(people))
    log += [_rows("rescale", c, group, ranged[c], final[c], group.lost) for c in RAW]
    return _columns({"shift": shifted, "range": ranged}, final), log


def _shift_program(values: Array, group: Group) -> tuple[Array, Array, Array]:
    """``nmonly``: x m / mnm for those not followed up, missing where mnm is zero."""
    whole = group.total(values * group.weight)
    theirs = group.total(values * group.weight, group.lost)
    ratio = over(whole, theirs)
    rule = np.select(
        [group.total(group.lost * 1.0) == 0, theirs == 0],
        ["nobody to shift it to: lost", "nothing to scale: missing"],
        "",
    )
    return np.where(group.lost, values * ratio[group.code], 0.0), ratio, rule


def _range_program(values: Array, group: Group) -> tuple[Array, Array, float, Array]:
    """``outrangenm``, in which Stata's missing value (here NaN) is larger than any number."""
    on = group.lost
    mean, scale = _spread(values, group, on)
    adjusted = _pull_in(values, mean, scale, group)
    inside = (mean >= 0) & (mean <= 1)
    constant = np.where(mean < 0, 0.0, 1.0)  # also where the mean is missing
    adjusted = np.where(inside[group.code], adjusted, constant[group.code])
    adjusted = np.where(on, adjusted, 0.0)
    whole, now = np.nansum(values * group.weight), np.nansum(adjusted * group.weight)
    national = whole / now if now else np.nan
    result = np.clip(adjusted * national, 0.0, 1.0)
    missing = np.isnan(result)
    rule = np.select(
        [np.isnan(mean), mean < 0, mean > 1, group.total(missing * 1.0, on) > 0],
        [
            "no weight: set to 1",
            "mean below 0: set to 0",
            "mean above 1: set to 1",
            "no spread: missing, set to 1",
        ],
        "",
    )
    return np.where(missing, 1.0, result), scale, float(national), rule


def _rescale(values: dict[str, Array], on: Array) -> dict[str, Array]:
    """Make what is not emigration add up to 1 - e, for those not followed up (``on``).

    NaN where the three add up to zero.
    """
    others = [component for component in RAW if component != "emigration"]
    total = np.sum([values[component] for component in others], axis=0)
    left = 1 - values["emigration"]
    return {"emigration": values["emigration"]} | {
        component: np.where(on, over(values[component], total) * left, 0.0) for component in others
    }


def _columns(steps: dict[str, dict[str, Array]], final: dict[str, Array]) -> dict[str, Array]:
    named = {
        f"{component}_{step}": values
        for step, components in steps.items()
        for component, values in components.items()
    }
    return named | final


def _residual_rows(values: Array, group: Group) -> pd.DataFrame:
    everyone = np.ones(len(values), dtype=bool)
    rows = _rows("residual", "non_follow_up", group, values, values, everyone)
    return rows.assign(rule=np.where(rows.below > 0, "negative residuals enter emigration", ""))


def _rows(
    step: str,
    component: str,
    group: Group,
    before: Array,
    after: Array,
    on: Array,
    *,
    scale: Array | None = None,
    ratio: Array | None = None,
    rule: Array | None = None,
) -> pd.DataFrame:
    """One row of the log for each group with anybody of ``on``."""
    nothing = np.full(len(group.labels), np.nan)
    rows = pd.DataFrame(
        {
            "step": step,
            "component": component,
            "group": group.labels,
            "persons": group.total(on * 1.0).astype(int),
            "below": group.total((before < 0) * 1.0, on).astype(int),
            "above": group.total((before > 1) * 1.0, on).astype(int),
            "low_before": group.extreme(before, on, high=False),
            "high_before": group.extreme(before, on, high=True),
            "mean_before": group.mean(before, on),
            "low_after": group.extreme(after, on, high=False),
            "high_after": group.extreme(after, on, high=True),
            "mean_after": group.mean(after, on),
            "scale": nothing if scale is None else scale,
            "ratio": nothing if ratio is None else ratio,
            "rule": "" if rule is None else rule,
        }
    )
    return rows[rows.persons > 0]
