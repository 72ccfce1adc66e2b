"""At the truth the score of the likelihood has mean zero and the variance of its information.

A likelihood that counts something twice, or takes errors for smaller than they are, has a score
that varies more than its curvature says.  Surveys are simulated by following migrants, which
shares no formula with the graph.
"""

import numpy as np
import pytest
from lazily import lazily

import bayesmig as bm
from bayesmig.models.snapshot.truth import NAMES
from bayesmig.models.snapshot.truths import TRUTHS

pm = lazily("pymc")
pytensor = lazily("pytensor")

STUDY = bm.load_study("snapshot")
SETS = 100


def tilted(shares, towards):
    """Shares with more where ``towards`` is higher, to first order in it."""
    more = shares * np.exp(towards)
    return more / more.sum()


def likelier(chance, by):
    return np.where(chance > 0, 1 / (1 + (1 / np.maximum(chance, 1e-9) - 1) * np.exp(-by)), 0)


YEARS, STAYS = np.linspace(-1, 1, 37), np.arange(21)
DIRECTIONS = {  # of a truth: the name, how far, and what it becomes
    "q": ("retirement_prob", 0.002, lambda q, h: q + h),
    "phi": ("solitary_share", 0.002, lambda phi, h: phi + h),
    "rho": ("repeat_prob", 0.01, likelier),
    "first trips earlier": ("rookie_departures", 0.01, lambda g, h: tilted(g, -h * YEARS)),
    "solitary trips earlier": ("solitary_departures", 0.01, lambda f, h: tilted(f, -h * YEARS)),
    "circular stays of a year": ("circular_sojourn", 0.01, lambda a, h: tilted(a, h * (STAYS < 1))),
    "circular stays of five": ("circular_sojourn", 0.01, lambda a, h: tilted(a, h * (STAYS < 5))),
    "solitary stays of a year": ("solitary_sojourn", 0.01, lambda a, h: tilted(a, h * (STAYS < 1))),
}


class Likelihood:
    """Log-likelihood of survey sets as a function of the truth that the graph is given."""

    def __init__(self, at):
        self.at = at
        self.model = pm.do(STUDY.build(STUDY.simulate(seed=0)), at)
        self.value = pytensor.function([], self.model.observedlogp)

    def observe(self, data):
        for held in pm.do(STUDY.build(data), self.at).data_vars:
            self.model[held.name].set_value(held.get_value())

    def __call__(self, **moved):
        for name, value in {**self.at, **moved}.items():
            self.model[name].set_value(value)
        return float(self.value())


@pytest.mark.slow  # a minute or two
@pytest.mark.parametrize("name", ["paper", "capps"])
def test_the_score_has_mean_zero_and_the_variance_of_its_information(name):
    truth = TRUTHS[name]()
    at = {each: np.asarray(truth[each].values, dtype=float) for each in NAMES}
    likelihood = Likelihood(at)
    scores, information = (np.empty((SETS, len(DIRECTIONS))) for _ in range(2))
    for i in range(SETS):
        likelihood.observe(STUDY.simulate(truth, seed=1000 + i))
        middle = likelihood()
        for j, (which, h, moved) in enumerate(DIRECTIONS.values()):
            up, down = (likelihood(**{which: moved(at[which], step)}) for step in (h, -h))
            scores[i, j] = (up - down) / (2 * h)
            information[i, j] = (2 * middle - up - down) / h**2
    z = scores / np.sqrt(information.mean(axis=0))
    print(dict(zip(DIRECTIONS, z.var(axis=0, ddof=1).round(2), strict=True)))
    assert (abs(z.mean(axis=0)) < 3.5 / np.sqrt(SETS)).all()
    assert (abs(z.var(axis=0, ddof=1) - 1) < 3.5 * np.sqrt(2 / SETS)).all()
