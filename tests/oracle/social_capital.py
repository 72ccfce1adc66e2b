"""The random-intercept multinomial logit written out, person by person.

Nothing here uses the package: columns are made from the analysis file by hand, and the
likelihood is a loop over people and outcomes.
"""

import math

import numpy as np

OUTCOMES = ("no_aspirations", "aspires", "migrated")
COLUMNS = (
    ("network", "extended"),
    ("network", "close"),
    ("household_migrations", "1"),
    ("household_migrations", "2+"),
    ("baseline_aspirations", None),
    ("male", None),
    ("age", None),
    ("age_squared", None),
    ("married", None),
    ("children", "1"),
    ("children", "2"),
    ("children", "3"),
    ("children", "4+"),
    ("enrolled", None),
    ("education", "lower_secondary"),
    ("education", "upper_secondary"),
    ("employment", "wage"),
    ("employment", "self_employed"),
    ("log_expenditure", None),
    ("robbery", None),
    ("urban", None),
)


def columns(data, without=()):
    """Tables 1's columns of every person, in its order: (person, column)."""
    people = data.sizes["row"]
    wanted = [pair for pair in COLUMNS if pair[0] not in without]
    found = np.empty((people, len(wanted)))
    for i in range(people):
        for j, (name, level) in enumerate(wanted):
            if name == "age_squared":
                found[i, j] = float(data["age"].values[i]) ** 2
            elif level is None:
                found[i, j] = float(data[name].values[i])
            else:
                found[i, j] = 1.0 if str(data[name].values[i]) == level else 0.0
    return found


def log_likelihood(x, outcome, group, intercept, slope, effect, outcomes=OUTCOMES, weight=None):
    """Log-likelihood of each person.

    ``intercept`` (outcome) is at the means of the columns, ``slope`` (outcome, column) per
    unit, ``effect`` (group, outcome); ``group`` numbers the rows of ``effect``.
    """
    mean = x.mean(axis=0)
    found = []
    for i in range(len(x)):
        logits = []
        for k in range(len(outcomes)):
            logit = intercept[k] + effect[group[i]][k]
            for j in range(x.shape[1]):
                logit += slope[k][j] * (x[i, j] - mean[j])
            logits.append(logit)
        highest = max(logits)
        total = sum(math.exp(logit - highest) for logit in logits)
        value = logits[outcomes.index(outcome[i])] - highest - math.log(total)
        found.append(value if weight is None else weight[i] * value)
    return np.array(found)


def normal_log_density(x, mean, sd):
    return -0.5 * ((x - mean) / sd) ** 2 - math.log(sd) - 0.5 * math.log(2 * math.pi)


def log_normal_log_density(x, mean, sd):
    return normal_log_density(math.log(x), mean, sd) - math.log(x)
