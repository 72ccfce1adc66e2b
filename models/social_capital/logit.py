"""From logits to probabilities."""

from __future__ import annotations

import numpy as np


def probabilities(logit: np.ndarray) -> np.ndarray:
    """Probabilities (..., outcome), the reference first, of free logits (..., alternative)."""
    whole = np.concatenate([np.zeros((*logit.shape[:-1], 1)), logit], axis=-1)
    whole -= whole.max(-1, keepdims=True)
    np.exp(whole, out=whole)
    whole /= whole.sum(-1, keepdims=True)
    return whole
