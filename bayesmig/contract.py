"""What a study offers, declared: a folder of modules, each of which is one of these Protocols.

``bayesmig.testing.check_study`` runs the contract; ``bayesmig new`` writes a folder that
passes it.

=================  ==============  ============================================================
module             Protocol        room
=================  ==============  ============================================================
``data.py``        `Data`          the embedded example, users' files and tables
``simulate.py``    `Simulator`     data of known truth
``graph.py``       `Model`         the paper's model section as a PyMC graph
``estimands.py``   `Estimands`     from the graph's variables to what the paper prints
``printed.py``     `Printed`       the printed numbers, and which of them belong to a fit
``audit.py``       `Audit`         what the printed numbers say of each other
=================  ==============  ============================================================

Beside them ``priors.toml`` (named sets, ``default`` among them), ``published/*.csv`` and
``CARD.md``.  Optional abilities are Protocols of their own, found by ``isinstance``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from bayesmig.errors import DataError, StudyError

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    import pymc as pm
    import xarray as xr

    from bayesmig.audit import Check, Tables
    from bayesmig.priors import PriorSet

PARTS = ("data", "simulate", "graph", "estimands", "printed", "audit")
ATTRIBUTES = ("title", "synthetic", "left_out")  # of data, required
CARD = (  # headings of a model card, in this order; others may stand between them
    "The paper",
    "The data",
    "The model",
    "Priors",
    "What comes out",
    "Calibration",
    "What is wrong in print",
)


@runtime_checkable
class Data(Protocol):
    """``data.py``: where data come from.

    Every Dataset has the attributes ``title`` (text), ``synthetic`` (0 or 1: whether these
    are nobody's answers) and ``left_out`` (text: who or what was left out, and how many;
    empty if nothing); ``own_data`` is 1 for a user's data of which the paper says nothing, so
    that its title and audit stay away from them; ``options`` (`bayesmig.attrs.pack`) are options
    of the graph that go with the data, if no others are given.  Attributes are text, numbers,
    or lists of either; labels are text, or numbers that increase (years, lengths of time).
    """

    def example(self, **which: Any) -> xr.Dataset:
        """Return data that ship with the study."""

    def read(self, path: str | Path, **how: Any) -> xr.Dataset:
        """Read a user's file; raise `bayesmig.DataError` naming file, row and column."""


@runtime_checkable
class Simulator(Protocol):
    """``simulate.py``: data of known truth.

    What it returns carries its truth (`bayesmig.truth.attach`): the graph's variables that
    determine the estimands.
    """

    def simulate(self, truth: Any = None, *, seed: int = 0, **how: Any) -> xr.Dataset:
        """Simulate data; ``truth`` is a Dataset as data carry it, or a scenario's name."""


@runtime_checkable
class Model(Protocol):
    """``graph.py``: options are keyword-only, choices are ``Literal``.

    Parameters are made with ``priors.variable(name, *dims, support=...)``, hierarchical
    effects with ``priors.centering`` and `bayesmig.coordinates.effects`; data, and everything
    that may change between fits, enter as ``pm.Data``; the likelihood is observed
    distributions.  Nothing reads a file.
    """

    def build(self, data: xr.Dataset, priors: PriorSet, **options: Any) -> pm.Model:
        """Build the graph with coords and dims."""


@runtime_checkable
class Estimands(Protocol):
    """``estimands.py``: every variable has ``attrs["units"]``."""

    def estimands(self, draws: xr.Dataset, data: xr.Dataset) -> xr.Dataset:
        """Return what the paper prints, with the draw dims of ``draws`` in front."""


@runtime_checkable
class Printed(Protocol):
    """``printed.py``: the printed numbers, from ``published/``."""

    def published(self) -> pd.DataFrame:
        """Return every printed number: the columns of `bayesmig.printed.COLUMNS`."""

    def targets(self, data: xr.Dataset, estimands: xr.Dataset) -> pd.DataFrame:
        """Return the printed numbers that belong to these data and estimands.

        Columns: quantity (a variable of the estimands), one for each dim of the estimands
        that labels a row (empty where a quantity has no such dim), and
        `bayesmig.printed.MEASURES`.  The headline quantity comes first.
        """


@runtime_checkable
class Audit(Protocol):
    """``audit.py`` or ``audit/``: the checks, which the engine runs."""

    CHECKS: Sequence[Check]

    def paper(self, tables: Tables) -> Any:
        """Return what the checks ask, from the files of ``published/``: a `Print` as a rule."""


@runtime_checkable
class TakesFrames(Protocol):
    """Of ``data.py``, optional: a DataFrame as data."""

    def from_frame(self, table: pd.DataFrame) -> xr.Dataset:
        """Return the Dataset that the graph takes."""


@runtime_checkable
class Selects(Protocol):
    """Of ``data.py``, optional: what of the data is observed depends on the graph's options."""

    def used(self, data: xr.Dataset, options: Mapping[str, Any]) -> xr.Dataset:
        """Return that part; ``left_out`` counts the rest.  Of what it returns it returns all."""


@runtime_checkable
class Tunes(Protocol):
    """Of ``graph.py``, optional: how a graph is best sampled depends on what is in it."""

    def sampling(self, model: pm.Model) -> Mapping[str, Any]:
        """Return settings, as of `Study.sampling`; those of priors and users win over them."""


@runtime_checkable
class Rebases(Protocol):
    """Of ``estimands.py``, optional: another reference after fitting."""

    def rebase(self, draws: xr.Dataset, reference: str) -> xr.Dataset:
        """Return the estimands against another reference, draw by draw."""


@runtime_checkable
class Predicts(Protocol):
    """Of ``prediction.py``, optional: what the model says of people who may be others."""

    def people(self, fitted: xr.DataTree) -> tuple[pd.DataFrame, np.ndarray]:
        """Return covariates of the fit's own people, and what each of them counts.

        Labels are categories, answers yes or no are bool, all else is numbers.
        """

    def bounds(self, fitted: xr.DataTree) -> dict[str, tuple[float, float]]:
        """Return the range of each covariate of which nothing is known beyond it: of splines."""

    def expected(
        self, fitted: xr.DataTree, table: pd.DataFrame, *, group: str, draws: int, seed: int
    ) -> xr.DataArray:
        """Return expectations (draw, person, outcome), with units.

        ``group`` is "average" (over the population of groups), "new" (one drawn from it for
        each draw), "own" (each one's, from the table) or the label of a group of the fit.
        """

    def drawn(
        self, fitted: xr.DataTree, table: pd.DataFrame, *, group: str, draws: int, seed: int
    ) -> xr.DataArray:
        """Return one outcome drawn for each draw and person (draw, person).

        Where a person has several outcomes at once, one of each: (draw, person, outcome).
        """


@runtime_checkable
class Pointwise(Protocol):
    """Of ``prediction.py``, optional: the likelihood of each unit, where a graph counts units."""

    def pointwise(self, fitted: xr.DataTree) -> tuple[xr.DataArray, xr.DataArray]:
        """Return log-likelihood (chain, draw, cell), and the cell of each unit, along one dim.

        Units of one cell are alike in all that the likelihood knows of.  The name of the
        first is that of the observed variable; the dim is one of the study's ``people``.
        """


@runtime_checkable
class HoldsOut(Protocol):
    """Of ``prediction.py``, optional: groups left out, and predicted from the others."""

    def groups(self, fitted: xr.DataTree) -> Sequence[str]:
        """Return the labels of the groups that can be left out."""

    def split(self, fitted: xr.DataTree, groups: Sequence[str]) -> tuple[xr.Dataset, xr.Dataset]:
        """Return the fit's data without the people of some groups, and these people."""

    def held_out(
        self, fitted: xr.DataTree, data: xr.Dataset, *, draws: int, seed: int
    ) -> xr.DataArray:
        """Return the log predictive density (group) of other data: all people of each at once.

        The groups are none of the fit's: their effects are drawn from the population's.
        """


@runtime_checkable
class Groups(Protocol):
    """Of ``checks.py``, optional: by what observations are summed to see where a model misses."""

    def groupings(self, fitted: xr.DataTree) -> Mapping[str, pd.DataFrame]:
        """Return for each observed variable a column of labels (row) for each grouping.

        Rows are those of the variable's first dim, as predictive draws have it.
        """


PROTOCOLS = dict(zip(PARTS, (Data, Simulator, Model, Estimands, Printed, Audit), strict=True))


def check_part(study: str, name: str, part: object) -> None:
    """Raise `bayesmig.StudyError` unless a module has the functions of its Protocol."""
    protocol = PROTOCOLS[name]
    if not isinstance(part, protocol):
        wanted = [n for n in _members(protocol) if not hasattr(part, n)]
        raise StudyError(
            f"study {study!r}: {name}.py lacks {', '.join(wanted)}, as "
            f"bayesmig.contract.{protocol.__name__} has it"
        )


def check_data(study: str, data: Any) -> None:
    """Check data at the door of a fit.

    Raises
    ------
    DataError
        Naming the study, the attribute or label, and what is expected.
    """
    import xarray as xr

    where = f"study {study!r}, data"
    if not isinstance(data, xr.Dataset):
        raise DataError(f"{where}: must be a Dataset, got {type(data).__name__}")
    lacking = [f"attrs[{name!r}]" for name in ATTRIBUTES if name not in data.attrs]
    if lacking:
        raise DataError(
            f"{where}: {', '.join(lacking)} is missing: title (text), synthetic (0, or 1 for "
            "simulated data) and left_out (text, empty if nothing was) are required"
        )
    for name in ("title", "left_out"):
        if not isinstance(data.attrs[name], str):
            raise DataError(f"{where}: attrs[{name!r}] must be text, got {data.attrs[name]!r}")
    if not data.attrs["title"].strip():
        raise DataError(f"{where}: attrs['title'] is empty: say what the data are")
    if data.attrs["synthetic"] not in (0, 1):
        raise DataError(
            f"{where}: attrs['synthetic'] must be 0 or 1, got {data.attrs['synthetic']!r}"
        )
    check_storable(where, data)


def check_estimands(study: str, estimands: xr.Dataset) -> None:
    """Check that every estimand has units and labels that a file keeps.

    Raises
    ------
    StudyError
        Naming the study, the estimand and what is expected.
    """
    where = f"study {study!r}, estimands"
    for name, array in estimands.data_vars.items():
        units = array.attrs.get("units")
        if not isinstance(units, str) or not units.strip():
            raise StudyError(
                f"{where}: {name} has no units: set attrs['units'] (text, e.g. 'percent a year')"
            )
    try:
        check_storable(where, estimands)
    except DataError as error:
        raise StudyError(str(error)) from None


def check_storable(where: str, data: xr.Dataset) -> None:
    """Raise `bayesmig.DataError` for what a NetCDF file does not give back as it was."""
    attributes: list[tuple[str, Mapping[Any, Any]]] = [("", data.attrs)]
    attributes += [(f"{name}.", array.attrs) for name, array in data.variables.items()]
    for owner, attrs in attributes:
        for name, value in attrs.items():
            if not isinstance(name, str) or not _storable(value):
                raise DataError(
                    f"{where}: {owner}attrs[{name!r}] is {_shown(value)}: attributes are text, "
                    "numbers or lists of either, which a file keeps"
                )
    for dim in data.dims:
        if dim in data.coords and not _labels(np.asarray(data[dim].values)):
            raise DataError(
                f"{where}: the labels of {dim!r} must be text, or numbers that increase; got "
                f"{_shown(data[dim].values[:3].tolist())}"
            )


def _members(protocol: Any) -> list[str]:
    return sorted(protocol.__protocol_attrs__)


def _shown(value: Any) -> str:
    words = repr(value)
    words = words if len(words) < 60 else words[:57] + "..."
    return f"{words} ({type(value).__name__})"


def _storable(value: Any) -> bool:
    if isinstance(value, bool | np.bool_):
        return False
    if isinstance(value, str | Integral | Real):
        return True
    if isinstance(value, list | tuple):
        kinds = {str if isinstance(v, str) else float for v in value if _storable(v)}
        return (
            len(value) > 0
            and all(_storable(v) and np.ndim(v) == 0 for v in value)
            and len(kinds) == 1
        )
    return isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype.kind in "iufU"


def _labels(values: np.ndarray) -> bool:
    if values.dtype.kind in "iuf":
        return bool(np.all(np.diff(values) > 0)) and bool(np.all(np.isfinite(values)))
    if values.dtype.kind == "U":
        return True
    return values.dtype.kind in "OT" and all(isinstance(value, str) for value in values.ravel())
