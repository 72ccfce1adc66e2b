"""Determinants of transnationalism from printed coefficients and their stars (Portes)."""

from bayesmig.study import Study

study = Study(
    name="transnationalism",
    title="Determinants of transnationalism, Latin American immigrants, 1998: print",
    citation=(
        "Portes, A.  Essay on migration and development (the copy read has no title page), "
        "Table 2; from Portes et al. 2002, Guarnizo et al. 2002, Itzigsohn and Saucedo 2002."
    ),
    package=__name__,
    sampling={"draws": 2000},
)
