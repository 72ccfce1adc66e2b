"""Chances predicted with the coefficients of either generation, and eqs. 10-12."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.special import expit

from bayesmig.errors import DataError
from bayesmig.models.emigration.data import PUBLISHED
from bayesmig.models.emigration.microdata.classical.logit import CONSTANT, Logit, weighted_logit
from bayesmig.models.emigration.microdata.classical.people import (
    ADULT_LEVELS,
    ORIGIN_TERMS,
    Variant,
)
from bayesmig.printed import read

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

# First years of the age groups of Table 3 and of Appendix A's a1-a7; the last is the reference.
DEATH_AGES = {"text": (15, 25, 35, 45, 55, 65, 75), "program": (15, 30, 40, 50, 60, 70, 80)}
PARENT_AGES = {
    "text": ((15, 29), (30, 39), (40, 49), (50, 59)),
    "program": ((0, 29), (30, 34), (35, 44), (45, 54), (55, 999)),
}
MORTALITY_TERMS = (
    *("intercept", "male", "mexican", "hispanic", "white", "black"),
    *(f"a{k}" for k in range(1, 7)),
    *(f"h{k}" for k in range(1, 5)),
)


def mortality_coefficients(variant: Variant) -> pd.DataFrame:
    """Coefficients of dying within a year: Table 3 (text) or Appendix F (program).

    Parameters
    ----------
    variant : {"text", "program"}

    Returns
    -------
    DataFrame
        Columns generation (first: immigrants, second: natives), term, estimate (log odds).
        ``a1`` to ``a6`` are the age groups of the variant.  The two differ in rounding and
        in one number: Fair health of immigrants, -0.586 in print and -0.5822 in the program.
    """
    if variant == "program":
        return read(PUBLISHED / "mortality_program.csv")[["generation", "term", "estimate"]]
    printed = read(PUBLISHED / "coefficients.csv")
    printed = printed[(printed.table == 3) & (printed.term != "Number of person-years")]
    labels = printed.term.unique()  # the table's order is that of MORTALITY_TERMS
    return pd.DataFrame(
        {
            "generation": printed.generation.map({"immigrants": "first", "natives": "second"}),
            "term": printed.term.map(dict(zip(labels, MORTALITY_TERMS, strict=True))),
            "estimate": printed.estimate,
        }
    ).reset_index(drop=True)


def predictions(
    work: pd.DataFrame, parent: Array, variant: Variant, mortality: dict[str, pd.Series]
) -> tuple[dict[str, Array], dict[tuple[str, ...], Logit]]:
    """Predicted probabilities of all rows, eqs. 10-12, and the logits they come from."""
    years = np.unique(work.year)
    child = work.child.to_numpy()
    # Second-generation adults are predicted if they are parents: their children need it.
    needed = ((work.generation == "first").to_numpy() & ~child) | np.isin(
        np.arange(len(work)), parent[child]
    )
    p: dict[str, Array] = {
        name: np.full(len(work), np.nan) for name in ("nm1", "nm2", "im1", "im2", "mo1", "mo2")
    }
    logits: dict[tuple[str, ...], Logit] = {}
    _predict_adults(work, needed, years, p, logits)
    for name, generation in (("mo1", "first"), ("mo2", "second")):
        columns = _mortality_columns(work, variant)
        p[name] = np.where(child, 0.0, expit(columns @ mortality[generation].to_numpy()))
    anf = p["nm2"] - p["im2"] * (1 - p["mo2"]) - p["mo2"]
    if child.any():
        _predict_children(work, parent, years, variant, p, logits)
        theirs = anf[parent]
        if variant == "program":  # Appendix F computes it for the first generation only
            theirs = np.where((work.generation == "second").to_numpy()[parent], 0.0, theirs)
        anf = np.where(child, theirs, anf)
        p["im1"] = np.where(child, p["im1"][parent], p["im1"])
    m, d = p["im1"], p["mo1"]
    eerb = (p["nm1"] - m * (1 - d) - d - anf) / (1 - m)
    return {**p, "anf": anf, "eerb": eerb, "aim1": p["nm1"] - eerb - d - anf}, logits


def _predict_adults(
    work: pd.DataFrame,
    needed: Array,
    years: Array,
    p: dict[str, Array],
    logits: dict[tuple[str, ...], Logit],
) -> None:
    mexican = (work.origin == "Mexico").to_numpy()
    child = work.child.to_numpy()
    for model, name, outcome in (
        ("internal_migration", "im", "moved"),
        ("matching", "nm", "followed"),
    ):
        columns = _adult_columns(work, years, education=model == "matching")
        known = work[outcome].notna().to_numpy() & ~child
        for origin, of_origin in (("mexican", mexican), ("non_mexican", ~mexican)):
            for group, sex in (("men", "Male"), ("women", "Female")):
                sample = of_origin & (work.sex == sex).to_numpy()
                if not (wanted := sample & needed).any():
                    continue
                for k, generation in enumerate(("first", "second"), 1):
                    fit = sample & known & (work.generation == generation).to_numpy()
                    logit = _fit(columns, work, outcome, fit, (model, origin, group, generation))
                    logits[model, origin, group, generation] = logit
                    chance = logit.predict(columns[wanted])
                    p[f"{name}{k}"][wanted] = 1 - chance if name == "nm" else chance


def _predict_children(
    work: pd.DataFrame,
    parent: Array,
    years: Array,
    variant: Variant,
    p: dict[str, Array],
    logits: dict[tuple[str, ...], Logit],
) -> None:
    """Not matched, given whether the parent was; the sexes together."""
    child = work.child.to_numpy()
    parents = work.iloc[parent].set_axis(work.index)  # adults' "parent" is any row, never used
    columns = _child_columns(work, parents, years, variant)
    mexican = (work.origin == "Mexico").to_numpy()
    for origin, of_origin in (("mexican", mexican), ("non_mexican", ~mexican)):
        sample = child & of_origin
        if sample.any():
            key = ("matching", origin, "children", "first")
            logits[key] = _fit(columns, work, "followed", sample, key)
            p["nm1"][sample] = 1 - logits[key].predict(columns[sample])


def _fit(
    columns: pd.DataFrame, work: pd.DataFrame, outcome: str, rows: Array, key: tuple[str, ...]
) -> Logit:
    model, origin, group, generation = key
    name = f"{model}: {origin.replace('_', '-')} {group}, {generation} generation"
    y, w = work[outcome].to_numpy()[rows], work.weight.to_numpy()[rows]
    return weighted_logit(columns[rows], y, w, name)


def mortality_by_term(coefficients: pd.DataFrame) -> dict[str, pd.Series]:
    """Coefficients by generation, in the order of `MORTALITY_TERMS`; all must be there."""
    by_generation = {}
    for generation in ("first", "second"):
        rows = coefficients[coefficients.generation == generation].set_index("term").estimate
        if sorted(rows.index) != sorted(MORTALITY_TERMS) or not np.isfinite(rows).all():
            raise DataError(
                f"mortality, {generation} generation: terms {', '.join(rows.index)}; needed, "
                f"each once and finite: {', '.join(MORTALITY_TERMS)}"
            )
        by_generation[generation] = rows[list(MORTALITY_TERMS)]
    return by_generation


def _mortality_columns(work: pd.DataFrame, variant: Variant) -> Array:
    """Ones and zeros (person, term), in the order of `MORTALITY_TERMS`."""
    mexican, hispanic = work.race == "Mexican", work.race == "Hispanic"
    if variant == "program":  # Appendix B redefines both by origin before Appendix F uses them
        mexican = work.origin == "Mexico"
        hispanic = hispanic & ~mexican
    columns = [np.ones(len(work)), work.sex == "Male", mexican, hispanic]
    columns += [work.race == "White", work.race == "Black"]
    first_years = DEATH_AGES[variant]
    for low, end in zip(first_years[:-1], first_years[1:], strict=True):
        columns.append((work.age >= low) & (work.age < end))
    columns += [work.health == level for level in ADULT_LEVELS["health"][:4]]
    return np.column_stack(columns).astype(float)


def model_table(logits: dict[tuple[str, ...], Logit]) -> pd.DataFrame:
    """Coefficients of all logits, one row each; see `estimator.Classical`."""
    rows = [
        (*key, term, coefficient, logit.notes.get(term, ""), logit.persons)
        for key, logit in logits.items()
        for term, coefficient in logit.coefficients.items()
    ]
    names = ["model", "origin", "group", "generation", "term", "estimate", "dropped", "persons"]
    return pd.DataFrame(rows, columns=names)


def logit_rows(logits: dict[tuple[str, ...], Logit]) -> pd.DataFrame:
    """Rows of the log that say what a logit could not estimate."""
    rows = []
    for key, logit in logits.items():
        constant = [term for term, note in logit.notes.items() if note == CONSTANT]
        rules = [note for note in logit.notes.values() if note != CONSTANT]
        if constant:
            rules.append(f"{CONSTANT}, dropped: {', '.join(constant)}")
        if logit.determined:
            rules.append(f"{logit.determined} persons' outcomes are completely determined")
        rows += [
            {
                "step": "logit",
                "component": key[0],
                "group": logit.sample,
                "persons": logit.persons,
                "rule": rule,
            }
            for rule in rules
        ]
    return pd.DataFrame(rows, columns=["step", "component", "group", "persons", "rule"])


def _adult_columns(rows: pd.DataFrame, years: Array, education: bool) -> pd.DataFrame:
    """``$variables`` of Appendix B, under the labels of Tables 1 and 2."""
    columns = {"In oversample": rows.oversample, "Homeowner": rows.owner}
    columns |= {term: rows.origin == origin for origin, term in ORIGIN_TERMS.items()}
    columns["Male"] = rows.sex == "Male"
    for low, high in ((15, 24), (25, 34), (35, 44), (45, 64)):
        columns[f"Age {low}-{high}"] = rows.age.between(low, high)
    columns |= {f"{year}": rows.year == year for year in years[1:]}
    columns["Enrolled in HS"] = rows.enrolment == "High school"
    columns["Enrolled in College"] = rows.enrolment == "College"
    if education:
        columns |= _education(rows)
    return pd.DataFrame(columns).astype(float)


def _child_columns(
    rows: pd.DataFrame, parents: pd.DataFrame, years: Array, variant: Variant
) -> pd.DataFrame:
    """``$kvariables`` of Appendix B; ``parents`` are the parents of ``rows``, in their order."""
    columns = {"Parent was followed up": parents.followed}
    columns |= {"In oversample": rows.oversample, "Homeowner": rows.owner}
    columns["Male"] = rows.sex == "Male"
    columns |= {term: rows.origin == origin for origin, term in ORIGIN_TERMS.items()}
    columns |= {"Age 0-4": rows.age < 5, "Age 5-9": rows.age.between(5, 9)}
    for low, high in PARENT_AGES[variant]:
        columns[f"Parent Age {low}-{high}"] = parents.age.between(low, high)
    columns |= {f"{year}": rows.year == year for year in years[1:]}
    columns |= _education(parents)
    return pd.DataFrame(columns).astype(float)


def _education(rows: pd.DataFrame) -> dict[str, pd.Series]:
    return {
        "No HS degree": rows.education == "Less than high school",
        "HS diploma": rows.education == "High school",
        "Some college": rows.education == "Some college",
    }
