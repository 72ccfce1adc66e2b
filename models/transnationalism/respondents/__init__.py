"""Determinants of transnationalism from respondents: three regressions as one graph (Portes)."""

from bayesmig.models.transnationalism import study as printed
from bayesmig.study import Study

study = Study(
    name="transnationalism_respondents",
    title="Determinants of transnationalism, Latin American immigrants, 1998: respondents",
    citation=printed.citation,
    package=__name__,
    sampling={"draws": 1000},
)
