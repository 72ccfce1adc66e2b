"""The truth that simulated data carry: variables of the graph, as ``true_NAME`` of the data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bayesmig.errors import DataError

if TYPE_CHECKING:
    import xarray as xr

PREFIX = "true_"


def attach(data: xr.Dataset, truth: xr.Dataset) -> xr.Dataset:
    """Return data that carry a truth, labelled synthetic.

    Parameters
    ----------
    data : Dataset
    truth : Dataset
        Values of the graph's variables on their natural scale, with the graph's dims.  A
        dim that the data have too, with the same labels, is shared.

    Examples
    --------
    >>> import xarray as xr
    >>> data = xr.Dataset({"returned": ("group", [21])}, {"group": ["a"]})
    >>> data = attach(data, xr.Dataset({"rate": ("group", [0.2])}, {"group": ["a"]}))
    >>> list(data), data.attrs
    (['returned', 'true_rate'], {'synthetic': 1})
    >>> list(of(data))
    ['rate']
    """
    own = {
        dim: f"{PREFIX}{dim}"
        for dim in truth.dims
        if dim not in data.dims
        or dim not in data.coords
        or dim not in truth.coords
        or not data[dim].to_index().equals(truth[dim].to_index())
    }
    renamed = truth.rename({**own, **{name: f"{PREFIX}{name}" for name in truth.data_vars}})
    return data.assign(renamed.data_vars).assign_coords(
        {name: renamed[name] for name in own.values() if name in renamed.coords}
    ).assign_attrs(synthetic=1)  # fmt: skip


def of(data: xr.Dataset) -> xr.Dataset:
    """Return the truth that data carry, named as in the graph.

    Raises
    ------
    DataError
        If they carry none: they were not simulated.
    """
    names = [name for name in data.data_vars if str(name).startswith(PREFIX)]
    if not names:
        raise DataError("these data carry no truth: they were not simulated")
    found = data[names]
    used = {dim for name in names for dim in data[name].dims}
    found = found.drop_vars([name for name in found.coords if name not in used])
    found.attrs = {}
    return found.rename(
        {n: str(n).removeprefix(PREFIX) for n in (*names, *used) if str(n).startswith(PREFIX)}
    )
