"""A study's graph for one data set and set of priors: built, compiled, or made from a fit."""

from __future__ import annotations

import hashlib
import time
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmig import attrs, compiled, contract, evaluate, observed
from bayesmig.errors import DataWarning, PriorError, StudyError
from bayesmig.priors import PriorSet, read_text
from bayesmig.saving import data_of
from bayesmig.study import Study, load_study
from bayesmig.threads import in_turn

if TYPE_CHECKING:
    import pymc as pm
    import xarray as xr

PRIOR_DRAWS = 500  # for the estimands under the prior
KEPT, MOST = 4, 100_000_000  # draws that stay, of bytes each at most
_drawn: dict[tuple[Any, ...], xr.Dataset] = {}


@dataclass(frozen=True, eq=False)
class Built:
    """A study's graph for one data set and set of priors.

    Attributes
    ----------
    study : Study
    data : Dataset
    priors : PriorSet
    options : dict
        All options of the graph.
    model : pm.Model
    """

    study: Study
    data: xr.Dataset
    priors: PriorSet
    options: dict[str, Any]
    model: pm.Model

    @property
    def sampling(self) -> dict[str, Any]:
        """Settings of the sampler: the study's, those of this graph, those of the prior set."""
        graph = self.study.part("graph")
        own = graph.sampling(self.model) if isinstance(graph, contract.Tunes) else {}
        return {**self.study.sampling, **own, **self.priors.sampling}

    @property
    def potentials(self) -> str:
        """Names of the prior's factors that its draws ignore."""
        return ", ".join(str(potential.name) for potential in self.model.potentials)

    def prior_estimands(self, seed: int) -> xr.Dataset:
        """Draw the estimands from the prior: dims (chain, draw, ...), one chain.

        Draws ignore `potentials`.
        """
        return self.study.estimands(self._prior(seed), self.data)

    @in_turn
    def _prior(self, seed: int) -> xr.Dataset:
        """Draw the prior; the last few stay, for refits of the same data and priors."""
        key = self._key(seed)
        if key is not None and key in _drawn:
            return _drawn[key].copy(deep=True)
        values = evaluate.prior_draws(self.model, PRIOR_DRAWS, seed, observed=False)
        draws = {name: value[None] for name, value in values.items()}
        prior = evaluate.dataset(self.model, draws, ("chain", "draw"))
        if key is not None and prior.nbytes <= MOST:
            while len(_drawn) >= KEPT:
                del _drawn[next(iter(_drawn))]
            _drawn[key] = prior.copy(deep=True)
        return prior

    def _key(self, seed: int) -> tuple[Any, ...] | None:
        """What draws of the prior depend on; None with priors of another library."""
        try:
            priors = self.priors.to_toml()
        except PriorError:
            return None
        graph = self.study.part("graph")
        return (graph, fingerprint(self.data), priors, attrs.pack(self.options), seed)

    def simulating(self) -> pm.Model:
        """Build the graph that draws whole data sets; its parameters are the same."""
        options = {**self.options, **self.study.simulating}
        if options == self.options:
            return self.model
        return self.study.model(self.data, self.priors, options)


@dataclass(frozen=True, eq=False)
class Compiled(Built):
    """A built graph, compiled and ready to sample.

    Attributes
    ----------
    graph : compiled.CompiledGraph
    reused : bool
        Whether the graph had been compiled in this process before.
    seconds : dict
        What building and compiling took.
    """

    graph: compiled.CompiledGraph
    reused: bool
    seconds: dict[str, float]


def fingerprint(data: xr.Dataset) -> str:
    """SHA-256 of a data set's values, labels, dims and attributes."""
    attributes = sorted(f"{name}={value}" for name, value in data.attrs.items())
    digest = hashlib.sha256("; ".join(attributes).encode())
    for name in sorted(map(str, data.variables)):
        variable = data[name]
        digest.update(f"{name}{variable.dims}{variable.dtype.kind}{variable.shape}".encode())
        values = variable.values
        numeric = values.dtype.kind in "fiub"
        digest.update(
            np.ascontiguousarray(values).tobytes() if numeric else str(values.tolist()).encode()
        )
    return digest.hexdigest()


def build(study: Study | str, data: Any, priors: Any = None, **options: Any) -> Built:
    """Build a study's graph, its data, priors and options checked.

    Parameters
    ----------
    study : Study or str
    data : Dataset or DataFrame
    priors
        As for `bayesmig.fit`.
    **options
        Of the graph.

    Raises
    ------
    DataError, PriorError, StudyError
    """
    study = load_study(study) if isinstance(study, str) else study
    data = study.dataset(data)
    chosen, complete = study.resolve(priors, options, data)
    data = study.used(data, complete)
    return Built(study, data, chosen, complete, study.model(data, chosen, complete))


def compile(study: Study | str, data: Any, priors: Any = None, **options: Any) -> Compiled:
    """Build and compile a study's graph without sampling it.

    Parameters
    ----------
    study : Study or str
    data : Dataset or DataFrame
    priors
        As for `bayesmig.fit`.
    **options
        Of the graph.

    Returns
    -------
    Compiled
        `bayesmig.refit` samples it.

    Raises
    ------
    DataError, PriorError, StudyError

    Examples
    --------
    >>> import bayesmig as bm
    >>> study = bm.load_study("emigration")
    >>> ready = bm.compile(study, study.example(table=7))
    >>> [rv.name for rv in ready.model.observed_RVs]
    ['components']
    """
    started = time.perf_counter()
    built = build(study, data, priors, **options)
    return compile_built(built, time.perf_counter() - started)


def compile_built(built: Built, seconds: float = 0.0) -> Compiled:
    """Compile a graph that was built, in so many seconds."""
    started = time.perf_counter()
    graph, reused = compiled.compile_graph(built.model)
    took = {"build": seconds, "compile": time.perf_counter() - started}
    return Compiled(
        built.study, built.data, built.priors, built.options, built.model, graph, reused, took
    )


def built_from(fitted: xr.DataTree, **options: Any) -> Built:
    """Build a fit's graph again from what the fit says of itself, perhaps with other options.

    Raises
    ------
    StudyError
        If its priors were objects of another library, which a file cannot carry; if the graph
        is another one than that the fit is of.
    """
    with warnings.catch_warnings():
        if not options:  # what the data cannot tell was said when they were fitted
            warnings.simplefilter("ignore", DataWarning)
        said = {**attrs.unpack(fitted.attrs, "options", dict), **options}
        built = build(*_said(fitted), **said)
    if not options and "constant_data" in fitted:
        _as_it_was(built, fitted["constant_data"].to_dataset())
    return built


def _as_it_was(built: Built, then: xr.Dataset) -> None:
    """Give a graph the numbers that it had when it was sampled: draws are in their terms.

    Raises
    ------
    StudyError
        If it has others now.
    """
    seen = set(observed.data_names(built.model).values())
    data = {v.name: v for v in built.model.data_vars if v.name not in seen}
    other = {str(name) for name in then} ^ set(data)
    other |= {n for n in set(data) - other if data[n].get_value().shape != then[n].shape}
    if other:
        raise StudyError(
            f"the graph of {built.study.name!r} is another one than that of this fit "
            f"({', '.join(sorted(other))}): fit again, or with the version that made it"
        )
    for name, variable in data.items():
        variable.set_value(then[name].values.astype(variable.get_value().dtype))


def compiled_from(fitted: xr.DataTree) -> Compiled:
    """Compile a fit's graph again from what the fit says of itself."""
    return compile(*_said(fitted), **attrs.unpack(fitted.attrs, "options", dict))


def _said(fitted: xr.DataTree) -> tuple[Study, xr.Dataset, PriorSet]:
    """Study, data and priors of a fit."""
    study = load_study(fitted.attrs["study"])
    if not fitted.attrs["priors_toml"]:
        raise StudyError(
            "this fit has priors of another library, which a file cannot carry: "
            "refit from bm.compile(study, data, priors=...) instead"
        )
    priors = read_text(fitted.attrs["priors_toml"], study.sets, "the fit")
    return study, data_of(fitted, "building the graph again"), priors
