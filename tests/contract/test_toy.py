"""The toy study passes the contract, and the engine treats each kind of outcome rightly."""

import toy

from bayesmig.testing import check_study


def test_the_toy_study_passes():
    check_study(toy.study, people=30)
