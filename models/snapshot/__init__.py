"""Snapshot models of undocumented immigration (Rodilitz & Kaplan, Mexican Migration Project)."""

from bayesmig.study import Study

study = Study(
    name="snapshot",
    title="Undocumented migration from Mexico seen through snapshot samples, 1980-2016",
    citation=(
        "Rodilitz, S. and Kaplan, E. H.  Snapshot models of undocumented immigration.  "
        "Yale School of Management, February 2020."
    ),
    package=__name__,
    people=("respondent",),
    sampling={"draws": 1500, "target_accept": 0.98, "adaptation": "low_rank"},
    simulating={"cells": "possible"},
)
