"""Emigration of the foreign born from panel attrition (Van Hook & Bean, CPS Matching Method)."""

from bayesmig.study import Study

study = Study(
    name="emigration",
    title="Foreign-born emigration, return immigration and net emigration, 1996-2005",
    citation=(
        "Van Hook, J. and Bean, F. D.  Methodology and detailed estimates of foreign-born "
        "emigration, return immigration, and net emigration, 1996-2005.  Deliverable 3.2 to the "
        "U.S. Census Bureau and Sabre Systems, Inc."
    ),
    package=__name__,
    people=(),
    sampling={"draws": 1000, "target_accept": 0.9},
)
