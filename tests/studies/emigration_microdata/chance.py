"""What tests of chances share."""

import math

import numpy as np
import pytest

FATES = ["emigrated", "died", "moved", "lost", "followed"]


def said(error, call, *arguments, **named):
    """What an error says."""
    with pytest.raises(error) as caught:
        call(*arguments, **named)
    return str(caught.value)


def expit(x):
    return 1 / (1 + math.exp(-x))


def zscore(events, probability):
    """How far a number of events is from what independent persons would have."""
    p = np.asarray(probability, float)
    return (np.sum(events) - p.sum()) / math.sqrt((p * (1 - p)).sum())
