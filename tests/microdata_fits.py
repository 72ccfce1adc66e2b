"""Fits of person records without sampling: numbers in the place of draws."""

import json

import xarray as xr

import bayesmig as bm

STUDY = bm.load_study("emigration_microdata")


def as_fit(data, model, drawn, **options):
    """Make a fit of one chain; what is asked of it follows from these numbers (draw, ...)."""
    names = [f"{outcome}_effect" for outcome in model.coords["outcome"]]
    names += ["intercept", "mortality", "generation_gap", "native_rate_log_ratio", "cell_share"]
    posterior, coords = {}, {}
    for name in names:
        if name in drawn:
            dims = model.named_vars_to_dims.get(name, ())
            posterior[name] = (("chain", "draw", *dims), drawn[name][None])
            coords |= {dim: list(model.coords[dim]) for dim in dims}
    fitted = xr.DataTree.from_dict({"posterior": xr.Dataset(posterior, coords), "data": data})
    fitted.attrs.update(study=STUDY.name, options=json.dumps(dict(STUDY.options) | options))
    return fitted
