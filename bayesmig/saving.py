"""Fits in files: sealed when written, looked through before they are believed."""

from __future__ import annotations

import hashlib
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from bayesmig import attrs, outputs
from bayesmig._upstream import without_dask
from bayesmig.errors import DataError, DataWarning, StudyError, warn
from bayesmig.study import load_study

if TYPE_CHECKING:
    import h5py

FORMAT = 2  # of a fit in a file; a fit says it in ``attrs["format"]``
SEAL, DIGEST = b"bayesmig", 32  # after the end of HDF5's own bytes: the mark and their SHA-256
BLOCK = 1 << 20
DIGITS = 3, 14  # that may be kept of draws: a double has 15
KEPT = 5  # of them where nothing is said
WITHIN_ONE_SD = 0.16, 0.84  # of a normal: the spread of draws, whatever their tails are
FEWEST_DRAWS = 100  # of a chain, when some are left out
FEWEST = 5  # people of a cell that may be shared
DEPTH, OBJECTS = 3, 5000  # of groups in groups, and of groups and variables in all
PACKED = {"zlib": True, "complevel": 4, "shuffle": True}
GROWTH, SPARE = 20, 64 << 20  # bytes of numbers for each byte of the file, and beside them
FILTERS = {1, 2, 3}  # of HDF5: deflate, shuffle and checksums
GROUPS = ("posterior", "estimands", "published", "sample_stats", "data")
TEXTS = ("study", "title", "citation", "data_title", "priors", "prior_set", "priors_toml")
TABLES = ("options", "diagnostics", "versions")
OF_ROWS = (
    *("observed_data", "constant_data", "log_likelihood"),
    *("posterior_predictive", "prior_predictive"),
)
NUMBERS = ("synthetic", "seed", "draws", "tune", "chains")
SHORTER = ("digits", "kept_every")  # said by fits of which not all is kept


def save_fit(
    fitted: xr.DataTree,
    path: str | Path,
    respondents: bool = True,
    *,
    digits: int | None = KEPT,
    every: int = 1,
) -> Path:
    """Write a fit to a NetCDF file, whole or not at all.

    The file ends in a checksum that `open_fit` compares; other readers of NetCDF see none
    of it.

    Parameters
    ----------
    fitted : DataTree
    path : str or Path
        Its folder is made if it is not there; a link is followed.
    respondents : bool
        Whether the file carries the data of the people that the fit is of; see
        `without_respondents`.
    digits : int or None
        How many digits that count are kept of what was drawn, 3 to 14: no number moves by more
        than ``10**-digits`` of itself, nor by ``5 * 10**-digits`` of its quantity's standard
        deviation.  The mean of 4,000 independent draws is known to 0.016 of it: five digits keep
        all that draws can tell, in two fifths of the room.  None: every bit.
    every : int
        Keep one draw in so many of each chain.

    Returns
    -------
    Path

    Raises
    ------
    StudyError
        For other digits; if fewer than `FEWEST_DRAWS` draws a chain would be left.
    OSError
        Naming the path; a file that was there is as it was.

    Examples
    --------
    >>> import bayesmig as bm
    >>> bm.save_fit(fit, "fit.nc").name
    'fit.nc'
    """
    kept = fitted if respondents else without_respondents(fitted)
    return outputs.write(path, sealed(_smaller(kept, digits, every)))


def _smaller(fitted: xr.DataTree, digits: int | None, every: int) -> xr.DataTree:
    """Return a fit with fewer draws, or digits, of what it drew; it says so in its attributes."""
    least, most = DIGITS
    if digits is not None and not (isinstance(digits, Integral) and least <= digits <= most):
        raise StudyError(f"digits must be {least} to {most}, got {digits!r}")
    if not isinstance(every, Integral) or every < 1:
        raise StudyError(f"every must be a whole number, 1 or more, got {every!r}")
    if every > 1 and fitted["posterior"].sizes["draw"] // every < FEWEST_DRAWS:
        raise StudyError(
            f"every={every} leaves {fitted['posterior'].sizes['draw'] // every} draws a chain: "
            f"at least {FEWEST_DRAWS}"
        )
    before = fitted.attrs.get("digits")
    if digits is not None and before is not None and before <= digits:
        digits = None
    if digits is None and every == 1:
        return fitted
    groups = {}
    for name, group in fitted.children.items():
        found = group.to_dataset()
        if {"chain", "draw"} <= set(found.dims):
            found = found.isel(draw=slice(None, None, int(every)))
            if digits is not None:
                found = found.map(_rounded, keep_attrs=True, digits=int(digits))
        groups[name] = found
    smaller = xr.DataTree.from_dict(groups)
    smaller.attrs = dict(fitted.attrs)
    if every > 1:
        smaller.attrs["kept_every"] = int(every) * int(fitted.attrs.get("kept_every", 1))
    if digits is not None:
        smaller.attrs["digits"] = int(digits)
    return smaller


def _rounded(values: xr.DataArray, digits: int) -> xr.DataArray:
    """Let the last bits of each number's fraction be zero: these take no room in a file.

    Numbers are rounded to a power of two that is small beside the number (or the logarithm of a
    small probability would be another) and beside the spread of its draws (or a quantity that is
    large beside its error, such as a year, would lose what was learned of it).
    """
    if values.dtype != "float64" or values.dims[:2] != ("chain", "draw"):
        return values
    drawn = values.values
    known = np.isfinite(drawn)
    low, high = np.quantile(np.where(known, drawn, 0.0), WITHIN_ONE_SD, axis=(0, 1))
    spread = (high - low) / 2
    of_number = np.frexp(drawn)[1] - 1 - (math.ceil(digits * math.log2(10)) - 1)
    of_spread = np.frexp(spread)[1] - 1 - math.ceil((digits - 1) * math.log2(10))
    power = np.minimum(of_number, of_spread)
    with np.errstate(over="ignore"):  # of the largest double there is
        rounded = np.ldexp(np.rint(np.ldexp(drawn, -power)), power)
    better = known & np.isfinite(rounded) & (spread > 0)  # what does not vary takes no room
    return values.copy(data=np.where(better, rounded, drawn))


def without_respondents(fitted: xr.DataTree) -> xr.DataTree:
    """Return a fit without what it holds of single people.

    Parameters
    ----------
    fitted : DataTree

    Returns
    -------
    DataTree
        Compares, plots and reports as the fit does.  The data keep their attributes and what
        has none of the dims of the study's ``people``; what was observed, what entered the
        graph and what was computed or drawn for each row are left out, so that `rebase`,
        `refit` and `add_groups` refuse it.  All is left as it is where the data hold no
        respondents, or only counts of five people and more: that can be refitted.

    Examples
    --------
    >>> without_respondents(fit).identical(fit)  # printed cells hold no respondent
    True
    """
    people = load_study(fitted.attrs["study"]).people
    data = fitted["data"].to_dataset() if "data" in fitted else xr.Dataset()
    if people is not None and not set(people) & set(data.dims) - set(_counted(people, data)):
        return fitted
    along = set(data.dims if people is None else people)
    rows = along | set(fitted["observed_data"].dims if "observed_data" in fitted else ())
    kept = {
        name: group.to_dataset()
        for name, group in fitted.children.items()
        if name not in (*OF_ROWS, "data")
    }
    posterior, estimands = kept["posterior"], kept["estimands"]
    rows -= set(estimands.dims) | {"chain", "draw"}
    kept["posterior"] = posterior.drop_dims(rows & set(posterior.dims))
    kept["data"] = data.drop_dims(along & set(data.dims))
    shared = xr.DataTree.from_dict(kept)
    shared.attrs = {**fitted.attrs, "respondents": "left out"}
    return shared


def _counted(people: Sequence[str] | Mapping[str, str], data: xr.Dataset) -> Iterator[str]:
    """Yield the dims whose cells are all of `FEWEST` people and more."""
    if isinstance(people, Mapping):
        for dim, count in people.items():
            if count in data and data.sizes[dim] and float(data[count].min()) >= FEWEST:
                yield dim


def data_of(fitted: xr.DataTree, what: str) -> xr.Dataset:
    """Return the data of a fit; ``what`` needs them.

    Raises
    ------
    StudyError
        If the fit has none, or was saved without respondents.
    """
    if fitted.attrs.get("respondents") == "left out":
        raise StudyError(f"{what} needs the data, and this fit was saved without respondents")
    if "data" not in fitted:
        raise StudyError(f"{what} needs the data, and this fit has no group 'data'")
    return fitted["data"].to_dataset()


def open_fit(path: str | Path) -> xr.DataTree:
    """Open a saved fit; it compares and plots without its model.

    Nothing in the file is run, and nothing outside of it is read.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    DataTree

    Raises
    ------
    StudyError
        If there is no such file, it is not a fit, it is of another format, or it is not what
        was written.

    Warns
    -----
    DataWarning
        If the file has no checksum, as those that ``fit.to_netcdf`` writes; if it was made
        with another major version of a library.

    Examples
    --------
    >>> import bayesmig as bm
    >>> bm.open_fit("nowhere.nc")
    Traceback (most recent call last):
        ...
    bayesmig.errors.StudyError: no fit at nowhere.nc
    """
    fitted, whole = _read(path)
    check(fitted, str(path))
    if not whole:
        warn(f"{path} has no checksum: bm.save_fit writes one", DataWarning)
    others = _other_versions(attrs.unpack(fitted.attrs, "versions", dict))
    if others:
        warn(f"{path} was made with {', '.join(others)}: numbers may differ", DataWarning)
    return fitted


@cache
def installed(library: str) -> str | None:
    """Return the version of an installed library, None without it."""
    try:
        return version(library)
    except PackageNotFoundError:
        return None


def _other_versions(made: Mapping[str, Any]) -> list[str]:
    """Say which libraries have another major version here than a fit was made with."""
    found = []
    for name, its in made.items():
        here = installed(name)
        if here and str(its).partition(".")[0] != here.partition(".")[0]:
            found.append(f"{name} {its}, here is {here}")
    return found


def opened(path: str | Path) -> xr.DataTree:
    """Read a file that `sealed` made, its layout checked.

    Raises
    ------
    StudyError
    """
    tree, whole = _read(path)
    if not whole:
        raise StudyError(f"{path} is damaged: it has no checksum")
    return tree


def _read(path: str | Path) -> tuple[xr.DataTree, bool]:
    """Read a file as a tree, its layout checked; and whether its checksum is there."""
    path = Path(path)
    if not path.is_file():
        raise StudyError(f"no fit at {path}")
    try:
        whole = _is_whole(path)
        _check_layout(path)
        with without_dask(), xr.open_datatree(path, engine="h5netcdf") as tree:
            fitted = tree.load()
    except StudyError as error:
        raise StudyError(f"{path} {error}") from None
    except Exception as error:  # what HDF5 and xarray raise of damaged files is of any kind
        words = str(error).strip().split("\n")[0]
        raise StudyError(f"{path} is not a saved fit: {words}") from None
    if not whole and "sealed" in fitted.attrs:
        raise StudyError(f"{path} is damaged: its checksum is gone")
    fitted.attrs.pop("sealed", None)
    return fitted, whole


def sealed(tree: xr.DataTree) -> bytes:
    """Return a tree as the bytes of a NetCDF file with a checksum behind them."""
    marked = tree.copy()
    marked.attrs = {**tree.attrs, "sealed": 1}
    buffer = io.BytesIO()
    with without_dask():  # memory first: HDF5 dies of a full disk
        marked.to_netcdf(buffer, engine="h5netcdf", encoding=_packed(marked))
    content = buffer.getvalue()
    return content + SEAL + hashlib.sha256(content).digest()


def _packed(tree: xr.DataTree) -> dict[str, dict[str, dict[str, Any]]]:
    """Say which arrays are compressed: what was drawn."""
    return {
        group.path: {
            str(name): PACKED
            for name, values in group.data_vars.items()
            if values.dtype.kind == "f" and {"chain", "draw"} <= set(values.dims)
        }
        for group in tree.subtree
    }


def check(fitted: xr.DataTree, where: str) -> None:
    """Raise `StudyError` unless a tree has what a fit has."""
    if "study" not in fitted.attrs or "estimands" not in fitted:
        raise StudyError(f"{where} is not a fit of bayesmig: it has groups {list(fitted.children)}")
    made = fitted.attrs.get("format")
    if made != FORMAT:
        newer = made is not None and hasattr(made, "__index__") and int(made) > FORMAT
        raise StudyError(
            f"{where} has format {1 if made is None else made}, this version reads {FORMAT}: "
            + ("install a newer bayesmig" if newer else "fit again")
            + ", or open it with the version that made it "
            f"({fitted.attrs.get('versions', 'unknown')})"
        )
    for words in _lacks(fitted):
        raise StudyError(f"{where} is not a whole fit: {words}")


def _lacks(fitted: xr.DataTree) -> Iterator[str]:
    """Say what a fit lacks, or has of another kind."""
    said: Mapping[Any, Any] = fitted.attrs
    for name in (*TEXTS, "interrupted"):
        if not isinstance(said.get(name), str):
            yield f"attribute {name!r} is no text"
    for name in (*NUMBERS, *(n for n in SHORTER if n in said)):
        if not hasattr(said.get(name), "__index__"):
            yield f"attribute {name!r} is no whole number"
    for name in TABLES:
        try:
            attrs.unpack(said, name, dict)
        except DataError as error:
            yield str(error)
    for group in GROUPS:
        if group not in fitted:
            yield f"group {group!r} is missing"
    for group in ("posterior", "estimands", "sample_stats"):
        for variable, values in fitted[group].data_vars.items():
            if values.dims[:2] != ("chain", "draw") or values.dtype.kind not in "fiub":
                yield f"{group}/{variable} is no array of numbers (chain, draw, ...)"
    for name in ("diverging", "energy"):
        if name not in fitted["sample_stats"]:
            yield f"sample_stats/{name} is missing"
    for variable, values in fitted["estimands"].data_vars.items():
        if not isinstance(values.attrs.get("units"), str):
            yield f"estimands/{variable} has no units"
    for variable, values in fitted["published"].data_vars.items():
        if values.dims != ("row",):
            yield f"published/{variable} is no column of rows"


def _is_whole(path: Path) -> bool:
    """Whether a file has a checksum; raise if it is another one's."""
    size = path.stat().st_size - len(SEAL) - DIGEST
    if size <= 0:
        return False
    digest = hashlib.sha256()
    with path.open("rb") as file:
        left = size
        while left:
            block = file.read(min(BLOCK, left))
            digest.update(block)
            left -= len(block)
        end = file.read()
    if not end.startswith(SEAL):
        return False
    if end[len(SEAL) :] != digest.digest():
        raise StudyError("is damaged: it is not what was written there")
    return True


def _check_layout(path: Path) -> None:
    """Refuse what reaches out of a file, is nested deep, or grows when it is read."""
    import h5py

    total, objects = 0, 0
    with h5py.File(path, "r") as file:
        for name, found in _walk(file, DEPTH):
            objects += 1
            if objects > OBJECTS:
                raise StudyError(f"is not a fit: it has more than {OBJECTS} groups and variables")
            if isinstance(found, h5py.Dataset):
                _check_variable(name, found)
                total += found.size * found.dtype.itemsize
    if total > GROWTH * path.stat().st_size + SPARE:
        raise StudyError(f"is not a fit: {total} bytes of numbers are said to be in it")


def _walk(group: h5py.Group, depth: int) -> Iterator[tuple[str, Any]]:
    """Yield what is in a group, links that are not names of it refused."""
    import h5py

    for name in group:
        link = group.get(name, getlink=True)
        if not isinstance(link, h5py.HardLink):
            raise StudyError(f"is not a fit: {group.name}/{name} is a link to elsewhere")
        found = group[name]
        yield f"{group.name}/{name}", found
        if isinstance(found, h5py.Group):
            if depth == 0:
                raise StudyError(f"is not a fit: {group.name}/{name} is nested too deep")
            yield from _walk(found, depth - 1)


def _check_variable(name: str, variable: h5py.Dataset) -> None:
    if variable.external or variable.is_virtual:
        raise StudyError(f"is not a fit: the numbers of {name} are in another file")
    made = variable.id.get_create_plist()
    filters = {made.get_filter(i)[0] for i in range(made.get_nfilters())}
    if filters - FILTERS:
        raise StudyError(f"is not a fit: {name} is packed by filters {sorted(filters - FILTERS)}")
