"""A study: one paper's numbers, data, graph and priors, behind one small surface."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from bayesmig import priors as _priors
from bayesmig.errors import DataError, PriorError, StudyError

if TYPE_CHECKING:
    import pandas as pd
    import pymc as pm
    import xarray as xr


@dataclass(frozen=True, eq=False)
class Study:
    """One paper, by convention of its folder.

    The folder holds ``data.py`` (example, read, simulate, published, comparable),
    ``graph.py`` (build), ``estimands.py`` (estimands), ``audit.py`` (audit),
    ``priors.toml``, ``published/*.csv`` and ``CARD.md``.  Its modules are imported when
    first used, so that listing and auditing wait for no PyMC.  A second graph of the same
    paper is a study in a subfolder.

    Attributes
    ----------
    name, title, citation : str
    package : str
        The folder's import path.
    unit : str
        Unit of the estimands.
    sampling : mapping
        Settings of NUTS that this study's graph wants by default (``draws`` among them).
    simulating : mapping
        Options with which the graph draws data, where those with which it is fitted leave
        out what was not observed.  They do not change its parameters.
    """

    name: str
    title: str
    citation: str
    package: str
    unit: str
    sampling: Mapping[str, Any] = field(default_factory=dict)
    simulating: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"<study {self.name}: {self.title}>"

    def _part(self, module: str) -> ModuleType:
        return import_module(f"{self.package}.{module}")

    @property
    def folder(self) -> Path:
        """Where the study's files are."""
        return Path(str(import_module(self.package).__file__)).parent

    @property
    def card(self) -> str:
        """The model card, Markdown."""
        return (self.folder / "CARD.md").read_text(encoding="utf-8")

    @cached_property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The files of ``published/``, by name, as they are.

        A second study of a paper, in a subfolder of the first, has the first one's.
        """
        import pandas as pd

        folders = [self.folder / "published", self.folder.parent / "published"]
        paths = sorted(next(f for f in folders if f.is_dir()).glob("*.csv"))
        return {path.stem: pd.read_csv(path, keep_default_na=False) for path in paths}

    @property
    def published(self) -> pd.DataFrame:
        """Every printed number, tidy.

        Columns: quantity, coordinates, estimate, se, ci_low, ci_high, ci_prob, source, note.
        """
        return self._part("data").published()

    def audit(self) -> pd.DataFrame:
        """Return what the printed numbers say about each other, and about the prose.

        Columns: check, where, holds, detail.
        """
        return self._part("audit").audit(self.tables)

    @cached_property
    def _sets(self) -> dict[str, _priors.PriorSet]:
        return _priors.read_sets(self.folder / "priors.toml")

    @property
    def prior_sets(self) -> dict[str, str]:
        """Names of the prior sets, with one line each."""
        return {name: priors.about for name, priors in self._sets.items()}

    def priors(self, which: Any = None, **overrides: Any) -> _priors.PriorSet:
        """Return a set of priors: a named one, a TOML file's, or the default; with overrides.

        Parameters
        ----------
        which : None, str, Path, mapping or PriorSet
            See `bayesmig.priors.resolve`.
        **overrides
            Priors of single parameters: a dict with ``dist``, a PreliZ distribution, or
            an object with ``dims`` and ``create_variable(name, xdist=False)``.

        Raises
        ------
        PriorError
        """
        return _priors.resolve(self._sets, which).override(**overrides)

    def example(self, **which: Any) -> xr.Dataset:
        """Return data that ship with the study; ``attrs["synthetic"]`` says what they are."""
        load = self._part("data").example
        valid = inspect.signature(load).parameters
        for name in which:
            if name not in valid:
                raise StudyError(_priors.unknown("argument of example", name, valid))
        return load(**which)

    def read(self, path: str | Path, **how: Any) -> xr.Dataset:
        """Read a user's file; raise `DataError` naming file, row and column."""
        return self._part("data").read(path, **how)

    def simulate(self, truth: Any = None, *, seed: int = 0, **how: Any) -> xr.Dataset:
        """Simulate data of known truth, labelled synthetic."""
        return self._part("data").simulate(truth, seed=seed, **how)

    @property
    def options(self) -> dict[str, Any]:
        """Options of the graph and their defaults."""
        signature = inspect.signature(self._part("graph").build)
        return {
            name: parameter.default
            for name, parameter in signature.parameters.items()
            if parameter.kind is parameter.KEYWORD_ONLY
        }

    def resolve(self, priors: Any, options: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Return the set of priors and all options of the graph, checked against each other.

        Raises
        ------
        StudyError
            For an option that the graph does not have.
        PriorError
            For an option that contradicts the one that the set of priors presumes.
        """
        chosen = self.priors(priors)
        defaults = self.options
        for name in (*options, *chosen.options):
            if name not in defaults:
                raise StudyError(_priors.unknown("option", name, defaults))
        for name, presumed in chosen.options.items():
            if options.get(name, presumed) != presumed:
                raise PriorError(
                    f"prior set {chosen.name!r} presumes {name}={presumed!r}, "
                    f"the option says {options[name]!r}"
                )
        return chosen, {**defaults, **chosen.options, **options}

    def dataset(self, data: Any) -> Any:
        """Return a DataFrame as the Dataset that the graph takes; anything else as it is.

        Raises
        ------
        DataError
            If this study takes no DataFrame.
        """
        import pandas as pd

        if not isinstance(data, pd.DataFrame):
            return data
        convert = getattr(self._part("data"), "from_frame", None)
        if convert is None:
            raise DataError(
                f"study {self.name!r} takes no DataFrame; study.read(path) makes a Dataset"
            )
        return convert(data)

    def build(self, data: Any, priors: Any = None, **options: Any) -> pm.Model:
        """Build the graph: a PyMC model with coords, dims and observed distributions.

        Parameters
        ----------
        data : Dataset or DataFrame
            From `example`, `read` or `simulate`; a DataFrame where the study takes one.
        priors
            As for `priors`.
        **options
            Of the graph; `options` lists them.

        Raises
        ------
        DataError, PriorError, StudyError
        """
        chosen, complete = self.resolve(priors, options)
        model = self._part("graph").build(self.dataset(data), chosen, **complete)
        ignored = sorted(name for name in chosen.given if name not in model.named_vars)
        if ignored:
            raise PriorError(
                f"priors given for {', '.join(ignored)}, which this graph does not have with "
                f"{_words(complete)}; it has {', '.join(v.name for v in model.free_RVs)}"
            )
        return model

    def estimands(self, point: Any, data: xr.Dataset | None = None, **options: Any) -> xr.Dataset:
        """Return the quantities that the paper prints, named as in `published`.

        Parameters
        ----------
        point : DataTree, Dataset or mapping
            A fit, draws, or values of the graph's variables on their natural scale:
            its parameters, or the derived variables that the estimands are made of.
        data : Dataset, optional
            What the values belong to; a fit carries its own.

        Returns
        -------
        Dataset
            With the draw dims of what was given, if any.
        """
        import xarray as xr

        from bayesmig import graph

        part = self._part("estimands")
        if isinstance(point, xr.DataTree):
            return part.estimands(point["posterior"].to_dataset(), point["data"].to_dataset())
        if data is None:
            raise StudyError("estimands of a point need data=, which names its cells or people")
        if isinstance(point, xr.Dataset):
            return part.estimands(point, data)
        model = self.build(data, **options)
        shortcut = any(v.name in point for v in model.deterministics)
        values = {**point, **graph.derived(model, point, strict=not shortcut)}
        lead = graph.leading(model, values)
        return part.estimands(graph.dataset(model, values, lead), data)

    def log_likelihood(
        self, data: xr.Dataset, point: Mapping[str, Any], **options: Any
    ) -> xr.DataArray:
        """Return the graph's own pointwise log-likelihood at given values.

        Parameters
        ----------
        data : Dataset
        point : mapping of str to array
            Values on the natural scale of parameters, or of derived variables, that
            determine the likelihood; leading draw dims are allowed.
        **options
            Of the graph.

        Returns
        -------
        DataArray
            Dims of the observed variable, after those of the draws.

        Raises
        ------
        StudyError
            Naming the variables that are needed too.
        """
        from bayesmig import graph

        model = self.build(data, **options)
        values = graph.log_likelihood(model, point)
        if len(values) != 1:
            raise StudyError(f"the graph observes {list(values)}; this is for one")
        given = {name: point[name] for name in point}
        lead = graph.leading(model, given)
        (name,) = values
        return graph.dataset(model, values, lead)[name].rename("log_likelihood")


def list_studies() -> list[str]:
    """Return the names of the studies."""
    return sorted(_packages())


def _packages() -> dict[str, str]:
    """Return the packages of the studies by name: ``models/a`` is a, ``models/a/b`` is a_b."""
    models = import_module("bayesmig.models")
    prefix = f"{models.__name__}."
    found = (m.name for m in pkgutil.walk_packages(models.__path__, prefix) if m.ispkg)
    return {name.removeprefix(prefix).replace(".", "_"): name for name in found}


def load_study(name: str) -> Study:
    """Return a study by name.

    Raises
    ------
    StudyError
        For an unknown name; lists the valid ones.
    """
    packages = _packages()
    if name not in packages:
        raise StudyError(_priors.unknown("study", name, sorted(packages)))
    return import_module(packages[name]).study


def _words(options: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in options.items())
