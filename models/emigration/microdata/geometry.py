"""What the data know of effects and intercepts together: what makes the sampler's work easy.

Where most persons have one level of a factor (nobody is enrolled, say), the data know the logit
of these, the sum of the intercept and an effect, and neither alone.  These numbers only choose
coordinates: whatever they are, the model is the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bayesmig.models.emigration.microdata.counts.design import OUTCOMES, Design

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

# rows that tell of an outcome, and persons in them
TOLD = {
    "emigrated": (("pattern", "emigrated"), "people"),
    "returned": (("returned_pattern", "returned"), "returned_people"),
    "moved": (("moved_pattern", "moved"), "moved_people"),
    "moved_second": (("moved_pattern", "moved"), "moved_people"),
    "lost": (("native_pattern", "lost"), "native_people"),
}


def middle(data: xr.Dataset, design: Design, outcome: str) -> NDArray[np.float64]:
    """The mean of each contrast (contrast) over the persons that tell of an outcome."""
    (dim, looked_up), people = TOLD[outcome]
    index = design.index[dim, looked_up]
    own = index[:, 0] == OUTCOMES.index(outcome)
    basis = design.terms[outcome].level_contrast
    contrast = basis[index[own, 1:] - _start(design, outcome)].sum(axis=1)
    number = data[people].values[own]
    return number @ contrast / max(number.sum(), 1.0)


def _start(design: Design, outcome: str) -> int:
    """Where the levels of an outcome begin among the numbers that rows look up."""
    before = OUTCOMES[: OUTCOMES.index(outcome)]
    return len(OUTCOMES) + sum(len(design.terms[name].levels) for name in before)
