"""The report's own estimator on person records, as its text has it or as its program runs it.

Weighted logits give each foreign-born person two chances of not being matched and two of
moving, one with the coefficients of either generation; published coefficients give two
chances of dying.  What the first generation loses beyond the second is emigration (eq. 11;
eq. 12 for children), person by person.  Three repairs follow, and weighted means.

Text and program disagree, and the option ``variant`` chooses:

=====================  ==================================  ====================================
step                   ``text`` (Methodology)              ``program`` (Appendices A-G)
=====================  ==================================  ====================================
mortality              Table 3, ages 18-24 ... 65-74       Appendix F, ages 18-29 ... 70-79; who
                                                           is Mexican by birthplace
ages 15-17             the youngest group's coefficient    the same (``a1`` for 15-19)
parent's age           Table 2: 15-29, 30-39, 40-49,       Appendix C: to 29, 30-34, 35-44,
(children's logit)     50-59                               45-54, 55 and over
residual of a child    its parent's, either generation     its parent's; 0 if the parent is of
                                                           the second generation
groups of the repairs  country, age (Table 6), sex         country, five years of age, sex;
                                                           children not by sex
order                  range, shift, rescale               shift, range, rescale
range repair           emigration, over all persons of     all four components, over those not
                       a group                             followed; means below 0 become 0,
                                                           above 1 become 1, and one national
                                                           ratio restores the total
scale S                not capped at 1                     not capped at 1
groups without spread  left as they are                    Stata's missing value, which is
                                                           larger than 1 and so becomes 1
return immigration     returnees leave the denominator     they stay
=====================  ==================================  ====================================

Both take internal and return migration from the records of year t, since the panel has no
others, and both tabulate the observed non-match.  The covariates are the program's
(``$variables``, ``$kvariables``) in both: Tables 1 and 2 do not print coefficients for the
Caribbean and for other countries, which the program has.  The panel has one Africa where
the program's groups keep North Africa apart, and no children aged 0, whom the program
drops after the logits.
"""

from bayesmig.models.emigration.microdata.classical.cells import (
    B_HISPANIC,
    COMPONENTS,
    implied_base,
)
from bayesmig.models.emigration.microdata.classical.consistency import claims
from bayesmig.models.emigration.microdata.classical.estimator import Classical, estimate
from bayesmig.models.emigration.microdata.classical.layout import tables
from bayesmig.models.emigration.microdata.classical.logit import Logit, weighted_logit
from bayesmig.models.emigration.microdata.classical.people import ADULT_LEVELS, Variant
from bayesmig.models.emigration.microdata.classical.predict import (
    MORTALITY_TERMS,
    mortality_coefficients,
)
from bayesmig.models.emigration.microdata.classical.repairs import RAW, repair

__all__ = [
    "ADULT_LEVELS",
    "B_HISPANIC",
    "COMPONENTS",
    "MORTALITY_TERMS",
    "RAW",
    "Classical",
    "Logit",
    "Variant",
    "claims",
    "estimate",
    "implied_base",
    "mortality_coefficients",
    "repair",
    "tables",
    "weighted_logit",
]
