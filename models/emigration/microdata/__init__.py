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
    people={
        "pattern": "people",
        "native_pattern": "native_people",
        "moved_pattern": "moved_people",
        "returned_pattern": "returned_people",
        "health_pattern": "health_people",
    },
    sampling={"draws": 1000, "target_accept": 0.95},
)
