"""Emigration of the foreign born from CPS person records (Van Hook & Bean, CPS Matching Method)."""

from bayesmig.study import Study

study = Study(
    name="emigration_microdata",
    title="Emigration of the foreign born from linked March supplements, person by person",
    citation=(
        "Van Hook, J. and Bean, F. D.  Methodology and detailed estimates of foreign-born "
        "emigration, return immigration, and net emigration, 1996-2005.  Deliverable 3.2 to the "
        "U.S. Census Bureau and Sabre Systems, Inc."
    ),
    package=__name__,
    people=("pattern", "native_pattern", "moved_pattern", "returned_pattern", "health_pattern"),
    sampling={"draws": 1000, "target_accept": 0.95},
)
