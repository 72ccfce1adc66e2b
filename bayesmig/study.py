"""A study: one paper's numbers, data, graph and priors, behind one small surface."""

from __future__ import annotations

import functools
import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from bayesmig import attrs, cache, contract
from bayesmig.errors import DataError, PriorError, StudyError, unknown
from bayesmig.options import Option, arguments_of, keyword_only
from bayesmig.printed import read as read_printed
from bayesmig.priors import PriorSet, read_sets, resolve
from bayesmig.readers import as_frame
from bayesmig.threads import in_turn, one_thread
from bayesmig.truth import of as truth_of

if TYPE_CHECKING:
    import pandas as pd
    import pymc as pm
    import xarray as xr

GROUP = "bayesmig.studies"  # of entry points
_registered: dict[str, Study] = {}  # in this process, beside those that are installed


@dataclass(frozen=True, eq=False)
class Study:
    """One paper: a folder of modules, as `bayesmig.contract` has them.

    Its modules are imported when first used, so that listing and auditing wait for no
    PyMC.  A second graph of the same paper is a study in a subfolder.

    Attributes
    ----------
    name, title, citation : str
    package : str
        The folder's import path.
    sampling : mapping
        Settings of NUTS that this study's graph wants by default (``draws`` among them).
    simulating : mapping
        Options with which the graph draws data, where those with which it is fitted leave
        out what was not observed.  They do not change its parameters.
    people : sequence of str, or mapping of str to str, optional
        Dims of the data along which respondents lie: what is left out of a fit that is
        shared.  A mapping names for each dim the variable that counts the people of each
        cell, where cells are counted.  Empty if no respondent is in the data; not said, all
        of the data are taken for respondents.

    Examples
    --------
    >>> import bayesmig as bm
    >>> study = bm.load_study("emigration")
    >>> study.options["residual"]
    'probability'
    """

    name: str
    title: str
    citation: str
    package: str
    sampling: Mapping[str, Any] = field(default_factory=dict)
    simulating: Mapping[str, Any] = field(default_factory=dict)
    people: Sequence[str] | Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        for part in ("name", "title", "citation", "package"):
            value = getattr(self, part)
            if not isinstance(value, str) or not value.strip():
                raise StudyError(f"study {self.name!r}: {part} must be text, got {value!r}")

    def __repr__(self) -> str:
        return f"<study {self.name}: {self.title}>"

    def _repr_html_(self) -> str:
        sets = "".join(
            f"<li><code>{html.escape(name)}</code>: {html.escape(about)}</li>"
            for name, about in self.prior_sets.items()
        )
        return (
            f"<p><b>{html.escape(self.name)}</b>: {html.escape(self.title)}</p>"
            f"<p>{html.escape(self.citation)}</p><p>Sets of priors:</p><ul>{sets}</ul>"
        )

    @overload
    def part(self, module: Literal["data"]) -> contract.Data: ...
    @overload
    def part(self, module: Literal["simulate"]) -> contract.Simulator: ...
    @overload
    def part(self, module: Literal["graph"]) -> contract.Model: ...
    @overload
    def part(self, module: Literal["estimands"]) -> contract.Estimands: ...
    @overload
    def part(self, module: Literal["printed"]) -> contract.Printed: ...
    @overload
    def part(self, module: Literal["audit"]) -> contract.Audit: ...
    @overload
    def part(self, module: str) -> Any: ...
    def part(self, module: str) -> Any:
        """Return one of the study's modules, checked against its Protocol.

        Parameters
        ----------
        module : {"data", "simulate", "graph", "estimands", "printed", "audit"}

        Raises
        ------
        StudyError
            If it lacks what its Protocol has.
        """
        path = f"{self.package}.{module}"
        if find_spec(path) is None:
            raise StudyError(f"study {self.name!r} has no {module}.py")
        cache.prepare()
        found = import_module(path)
        if module == "graph":
            cache.guard()
        contract.check_part(self.name, module, found)
        return found

    def ability(self, protocol: Any) -> Any:
        """Return the study's ``prediction.py`` or ``checks.py`` if it has what a Protocol asks for.

        Parameters
        ----------
        protocol : Protocol
            One of `bayesmig.contract`: Predicts, Pointwise, HoldsOut or Groups.

        Returns
        -------
        module or None
        """
        for room in ("prediction", "checks"):
            path = f"{self.package}.{room}"
            if find_spec(path) is not None and isinstance(found := import_module(path), protocol):
                return found
        return None

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
        folders = [self.folder / "published", self.folder.parent / "published"]
        paths = sorted(next(f for f in folders if f.is_dir()).glob("*.csv"))
        return {path.stem: read_printed(path) for path in paths}

    @property
    def published(self) -> pd.DataFrame:
        """Every printed number, tidy.

        Columns: quantity, coordinates, estimate, se, ci_low, ci_high, ci_prob, source, note.
        """
        return self.part("printed").published()

    def audit(self) -> pd.DataFrame:
        """Return what the printed numbers say about each other, and about the prose.

        Columns: check, where, holds, detail.
        """
        from bayesmig.audit import run

        part = self.part("audit")
        return run(part.CHECKS, part.paper(self.tables))

    @cached_property
    def sets(self) -> Mapping[str, PriorSet]:
        """The named sets of priors."""
        return read_sets(self.folder / "priors.toml", self.name)

    @property
    def prior_sets(self) -> dict[str, str]:
        """Names of the prior sets, with one line each."""
        return {name: found.about for name, found in self.sets.items()}

    def priors(self, which: Any = None, **overrides: Any) -> PriorSet:
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
        return resolve(self.sets, which).override(**overrides)

    def example(self, **which: Any) -> xr.Dataset:
        """Return data that ship with the study; ``attrs["synthetic"]`` says what they are."""
        valid = self.arguments("example")
        for name in which:
            if name not in valid:
                raise StudyError(unknown("argument of example", name, valid))
        return self.part("data").example(**which)

    def read(self, path: str | Path, **how: Any) -> xr.Dataset:
        """Read a user's file; raise `DataError` naming file, row and column."""
        return self.part("data").read(path, **how)

    def simulate(self, truth: Any = None, *, seed: int = 0, **how: Any) -> xr.Dataset:
        """Simulate data of known truth, labelled synthetic."""
        return self.part("simulate").simulate(truth, seed=seed, **how)

    def truth(self, data: xr.Dataset) -> xr.Dataset:
        """Return the truth that simulated data carry: the graph's variables, its dims.

        Raises
        ------
        DataError
            If the data carry none.
        """
        return truth_of(data)

    def targets(self, data: xr.Dataset, estimands: xr.Dataset) -> pd.DataFrame:
        """Return the printed numbers that belong to data and estimands, one row each."""
        return self.part("printed").targets(data, estimands)

    def rebased(self, draws: xr.Dataset, reference: str) -> xr.Dataset:
        """Return the estimands against another reference, draw by draw.

        Raises
        ------
        StudyError
            If the study has no reference, or no such one.
        """
        part = self.part("estimands")
        if not isinstance(part, contract.Rebases):
            raise StudyError(f"study {self.name!r} has no reference to change")
        return part.rebase(draws, reference)

    def arguments(self, verb: str) -> dict[str, Option]:
        """Return the options of one of the study's verbs, with their types.

        Parameters
        ----------
        verb : {"build", "example", "read", "simulate"}
        """
        if verb == "build":
            return keyword_only(self.part("graph").build)
        module = "simulate" if verb == "simulate" else "data"
        return arguments_of(getattr(self.part(module), verb), but=("path", "truth", "seed"))

    @property
    def options(self) -> dict[str, Any]:
        """Options of the graph and their defaults; `arguments` has their types and choices."""
        return {name: option.default for name, option in self.arguments("build").items()}

    def resolve(
        self, priors: Any, options: Mapping[str, Any], data: xr.Dataset | None = None
    ) -> tuple[PriorSet, dict[str, Any]]:
        """Return the set of priors and all options of the graph, checked against each other.

        Data may bring options of their own (``attrs["options"]``); those given here win.

        Raises
        ------
        StudyError
            For an option that the graph does not have, or a value that it cannot have.
        PriorError
            For an option that contradicts the one that the set of priors presumes.
        """
        chosen, known = self.priors(priors), self.arguments("build")
        brought = data.attrs if data is not None and "options" in data.attrs else {}
        options = {**(attrs.unpack(brought, "options", dict) if brought else {}), **options}
        for name in (*options, *chosen.options):
            if name not in known:
                raise StudyError(unknown("option", name, known))
        for name, presumed in chosen.options.items():
            if options.get(name, presumed) != presumed:
                raise PriorError(
                    f"prior set {chosen.name!r} presumes {name}={presumed!r}, "
                    f"the option says {options[name]!r}"
                )
        complete = {**self.options, **chosen.options, **options}
        for name, value in complete.items():
            known[name].check(value)
        return chosen, complete

    def dataset(self, data: Any) -> xr.Dataset:
        """Return a DataFrame as the Dataset that the graph takes, and check any data.

        A table of another library (polars, pyarrow, ...) is one too, if narwhals reads it.

        Raises
        ------
        DataError
            If this study takes no DataFrame, or data lack an attribute.
        """
        frame = as_frame(data)
        if frame is not None:
            part = self.part("data")
            if not isinstance(part, contract.TakesFrames):
                raise DataError(
                    f"study {self.name!r} takes no DataFrame; study.read(path) makes a Dataset"
                )
            data = part.from_frame(frame)
        contract.check_data(self.name, data)
        checked: xr.Dataset = data
        return checked

    def used(self, data: xr.Dataset, complete: Mapping[str, Any]) -> xr.Dataset:
        """Return what of the data the graph observes with these options, the rest counted."""
        part = self.part("data")
        return part.used(data, complete) if isinstance(part, contract.Selects) else data

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
        data = self.dataset(data)
        chosen, complete = self.resolve(priors, options, data)
        return self.model(self.used(data, complete), chosen, complete)

    @in_turn
    def model(self, data: xr.Dataset, chosen: PriorSet, complete: Mapping[str, Any]) -> pm.Model:
        """Build the graph of data, priors and options that are complete and checked."""
        with one_thread():
            model = self.part("graph").build(data, chosen, **complete)
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
        **options
            Of the graph.

        Returns
        -------
        Dataset
            With the draw dims of what was given, if any; each variable has ``units``.
        """
        import xarray as xr

        from bayesmig import evaluate

        if isinstance(point, xr.DataTree):
            point, data = point["posterior"].to_dataset(), point["data"].to_dataset()
        if data is None:
            raise StudyError("estimands of a point need data=, which names its cells or people")
        if not isinstance(point, xr.Dataset):
            model = self.build(data, **options)
            shortcut = any(v.name in point for v in model.deterministics)
            values = {**point, **evaluate.derived(model, point, strict=not shortcut)}
            point = evaluate.dataset(model, values, evaluate.leading(model, values))
        found = self.part("estimands").estimands(point, data)
        contract.check_estimands(self.name, found)
        return found

    def log_likelihood(
        self, data: xr.Dataset, point: Mapping[str, Any], **options: Any
    ) -> xr.DataArray | xr.Dataset:
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
        DataArray or Dataset
            Dims of the observed variable, after those of the draws; a Dataset with a
            variable for each where the graph observes several.

        Raises
        ------
        StudyError
            Naming the variables that are needed too.
        """
        from bayesmig import evaluate

        model = self.build(data, **options)
        values = evaluate.log_likelihood(model, point)
        lead = evaluate.leading(model, {name: point[name] for name in point})
        found = evaluate.dataset(model, values, lead)
        if len(values) > 1:
            return found
        (name,) = values
        return found[name].rename("log_likelihood")


def list_studies() -> list[str]:
    """Return the names of the studies: those of this package, and of others installed.

    Examples
    --------
    >>> import bayesmig as bm
    >>> "emigration" in bm.list_studies()
    True
    """
    return sorted({*_packages(), *_registered})


def register_study(study: Study) -> Study:
    """Make a study that is not installed known by its name in this process.

    Parameters
    ----------
    study : Study

    Raises
    ------
    StudyError
        If an installed study has the name.

    Examples
    --------
    >>> import bayesmig as bm
    >>> bm.register_study(bm.load_study("emigration"))
    Traceback (most recent call last):
        ...
    bayesmig.errors.StudyError: study 'emigration': there is one of that name; choose another
    """
    if study.name in _packages():
        raise StudyError(f"study {study.name!r}: there is one of that name; choose another")
    _registered[study.name] = study
    return study


def _packages() -> dict[str, str]:
    """Return the packages of the studies by name: ``models/a`` is a, ``models/a/b`` is a_b.

    A study's folder is known by its ``priors.toml``, so that none is imported here; one with
    an underscore in front is no paper, but what `bayesmig new` copies.  A package elsewhere
    names its studies as entry points of the group ``bayesmig.studies``.
    """
    own = {}
    for root in map(Path, import_module("bayesmig.models").__path__):
        for path in sorted(root.rglob("priors.toml")):
            parts = path.parent.relative_to(root).parts
            if not any(part.startswith("_") for part in parts):
                own["_".join(parts)] = ".".join(("bayesmig.models", *parts))
    others = _installed()
    clash = sorted(set(own) & set(others))
    if clash:
        raise StudyError(f"entry point {clash[0]!r} of {GROUP} has the name of a study of bayesmig")
    return {**own, **others}


@functools.cache
def _installed() -> dict[str, str]:
    """Studies of other packages: reading what is installed takes a while, so once in a process."""
    return {point.name: point.value for point in entry_points(group=GROUP)}


def load_study(name: str) -> Study:
    """Return a study by name.

    Raises
    ------
    StudyError
        For an unknown name; lists the valid ones.

    Examples
    --------
    >>> import bayesmig as bm
    >>> bm.load_study("snapshot").name
    'snapshot'
    """
    if name in _registered:
        return _registered[name]
    packages = _packages()
    if name not in packages:
        raise StudyError(unknown("study", name, list_studies()))
    package, _, attribute = packages[name].partition(":")
    found = getattr(import_module(package), attribute or "study", None)
    if not isinstance(found, Study):
        raise StudyError(f"study {name!r}: {package} has no `study = Study(...)`")
    if found.name != name:
        raise StudyError(f"study {name!r} calls itself {found.name!r} in {package}")
    return found


def _words(options: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in options.items())
