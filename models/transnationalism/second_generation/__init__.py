"""School leaving, early childbearing and prison by group, from rounded percentages (Portes)."""

from bayesmig.models.transnationalism import study as printed
from bayesmig.study import Study

study = Study(
    name="transnationalism_second_generation",
    title="Indicators of downward assimilation in the second generation, 2000",
    citation=printed.citation.replace(
        "Table 2; from Portes et al. 2002, Guarnizo et al. 2002, Itzigsohn and Saucedo 2002",
        "Tables 3 and 4; from Rumbaut 2005",
    ),
    package=__name__,
    sampling={"draws": 1000},
)
