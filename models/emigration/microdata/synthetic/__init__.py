"""SYNTHETIC persons who emigrate, die, move, return and are lost, with known probabilities.

The truth is a table of effects on the logit scale.  From it come a panel of persons
(`simulate_panel`), a survey of addresses written as an IPUMS CPS extract
(`write_extract`), and what an estimate should find (`expected`, `true_cells`).
Nothing here is a survey record; every file, table and codebook says so.
"""

from bayesmig.models.emigration.microdata.synthetic.chances import expected, true_cells
from bayesmig.models.emigration.microdata.synthetic.ipums import write_extract
from bayesmig.models.emigration.microdata.synthetic.panel import simulate_panel
from bayesmig.models.emigration.microdata.synthetic.truth import default_truth, scenario

__all__ = [
    "default_truth",
    "expected",
    "scenario",
    "simulate_panel",
    "true_cells",
    "write_extract",
]
