"""Priors as data: specs, named sets, overrides, and the variables they become.

Nothing here imports PyMC before a graph is built, so that a table of priors
prints at once.
"""

from __future__ import annotations

import html
import inspect
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Real
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from bayesmig._upstream import default_transform, is_random
from bayesmig.errors import PriorError, unknown

if TYPE_CHECKING:
    import pandas as pd
    import pymc as pm

LONGEST = 1_000_000  # characters of a file of priors
MOVED = ("Normal", "StudentT", "Laplace", "Logistic")  # families whose mu is a location
RESERVED = ("dist", "dims", "centered")
SUPPORTS = {"real": (-np.inf, np.inf), "positive": (0.0, np.inf), "unit": (0.0, 1.0)}
POSITIVE_NUMBERS = ("sigma", "tau", "nu", "lam")
NOTHING: Mapping[str, Any] = MappingProxyType({})


@runtime_checkable
class VariableFactory(Protocol):
    """Somebody else's prior: anything with ``dims`` that makes its own variable."""

    dims: Any

    def create_variable(self, name: str, xdist: bool = False) -> Any:
        """Create the random variable inside the active model."""


@dataclass(frozen=True)
class Spec:
    """A prior as data.

    Parameters
    ----------
    dist : str
        The name of a distribution in PyMC.
    numbers : mapping of str to float, sequence or mapping
        Its parameters.  A mapping ``{"default": x, "by_label": {label: y}}`` gives
        one number to every label of the parameter's dims and others to those named.
    dims : tuple of str, optional
        Refused unless they are the graph's own; may be left out.
    centered : bool, float or mapping
        For the scale of a hierarchy: how its effects are written, from non-centred
        (0, false) to centred (1, true), perhaps by label.  The posterior is the same;
        only the sampler's geometry differs.  Graphs that find their coordinates in the data
        (``emigration``, ``social_capital``) do not ask for it.

    Examples
    --------
    >>> import bayesmig as bm
    >>> print(bm.Spec("Normal", {"mu": {"default": 0, "by_label": {"died": -5}}, "sigma": 1}))
    Normal(mu=0 (died -5), sigma=1)
    """

    dist: str
    numbers: Mapping[str, Any] = field(default_factory=dict)
    dims: tuple[str, ...] | None = None
    centered: Any = True

    @classmethod
    def from_dict(cls, name: str, table: Mapping[str, Any]) -> Spec:
        """Read a spec from a TOML table; raise `PriorError` naming ``name``."""
        if not isinstance(table.get("dist"), str):
            raise PriorError(
                f"prior of {name!r}: dist must name a PyMC distribution, got {dict(table)}"
            )
        dims = table.get("dims")
        if dims is not None and not all(isinstance(dim, str) for dim in _listed(dims)):
            raise PriorError(f"prior of {name!r}: dims are names, got {dims!r}")
        numbers = {key: value for key, value in table.items() if key not in RESERVED}
        dims = None if dims is None else _as_dims(dims)
        return cls(table["dist"], numbers, dims, table.get("centered", True))

    def to_dict(self) -> dict[str, Any]:
        """Return the TOML table that `from_dict` reads back."""
        table: dict[str, Any] = {"dist": self.dist, **_plain(self.numbers)}
        if self.dims is not None:
            table["dims"] = list(self.dims)
        if self.centered is not True:
            table["centered"] = _plain({"centered": self.centered})["centered"]
        return table

    def __str__(self) -> str:
        """Read like mathematics: ``Normal(mu=0, sigma=1)``."""
        numbers = ", ".join(f"{key}={_words(value)}" for key, value in self.numbers.items())
        return f"{self.dist}({numbers})"


@dataclass(frozen=True)
class PriorSet:
    """A named set of priors: one spec, or somebody else's object, per parameter.

    Attributes
    ----------
    name, about : str
        The set's name and one line on it.
    specs : mapping of str to Spec or VariableFactory
    options : mapping
        Build options that the set presumes (e.g. a parameter that only they bring in).
    given : frozenset of str
        Parameters that a user overrode: the graph must have them.
    sampling : mapping
        Settings of NUTS that these priors want, over the study's own.

    Examples
    --------
    >>> import bayesmig as bm
    >>> wide = bm.load_study("emigration").priors("wide")
    >>> mine = wide.override(generation_gap={"dist": "StudentT", "nu": 4, "mu": 0, "sigma": 0.1})
    >>> mine.name
    'wide with generation_gap'
    >>> print(mine.specs["generation_gap"])
    StudentT(nu=4, mu=0, sigma=0.1)
    """

    name: str
    about: str
    specs: Mapping[str, Any]
    options: Mapping[str, Any] = field(default_factory=dict)
    given: frozenset[str] = frozenset()
    sampling: Mapping[str, Any] = field(default_factory=dict)

    def override(self, **priors: Any) -> PriorSet:
        """Return the set with other priors for the named parameters.

        Each value is a `Spec`, a dict with ``dist``, a PreliZ distribution, or an
        object with ``dims`` and ``create_variable(name, xdist=False)``.

        Raises
        ------
        PriorError
            For a name that the set has not (valid ones are listed) or a value of
            another kind.
        """
        for name in priors:
            if name not in self.specs:
                raise PriorError(unknown("parameter", name, self.specs))
        changed = {name: as_spec(name, value) for name, value in priors.items()}
        if not changed:
            return self
        return replace(
            self,
            name=f"{self.name} with {', '.join(changed)}",
            specs={**self.specs, **changed},
            given=self.given | set(changed),
        )

    def to_toml(self) -> str:
        """Write the set as a TOML file that ``study.priors(path)`` reads back.

        Raises
        ------
        PriorError
            If the set holds somebody else's object, which TOML cannot carry.
        """
        import tomli_w

        foreign = [name for name, spec in self.specs.items() if not isinstance(spec, Spec)]
        if foreign:
            raise PriorError(
                f"priors of {foreign} are objects of other libraries and cannot be written as TOML"
            )
        return tomli_w.dumps(
            {
                "name": self.name,
                "about": self.about,
                "given": sorted(self.given),
                "options": dict(self.options),
                "sampling": dict(self.sampling),
                "priors": {name: spec.to_dict() for name, spec in self.specs.items()},
            }
        )

    def table(self) -> pd.DataFrame:
        """Return one row per parameter: its distribution, and whether a user gave it."""
        import pandas as pd

        rows = [
            {"parameter": name, "prior": str(spec), "given": name in self.given}
            for name, spec in self.specs.items()
        ]
        return pd.DataFrame(rows).set_index("parameter")

    def rows(self) -> list[dict[str, str]]:
        """Return ``kind`` (prior, graph or sampler), ``name`` and ``value`` of all in the set.

        Examples
        --------
        >>> import bayesmig as bm
        >>> bm.load_study("emigration").priors().rows()[-1]
        {'kind': 'prior', 'name': 'generation_gap', 'value': 'Normal(mu=0, sigma=0.1)'}
        """
        named = (("prior", self.specs), ("graph", self.options), ("sampler", self.sampling))
        return [
            {"kind": kind, "name": name, "value": str(value)}
            for kind, values in named
            for name, value in values.items()
        ]

    def differences(self, other: PriorSet) -> list[str]:
        """Name what is not the same in another set: parameters, and options with their values.

        Examples
        --------
        >>> import bayesmig as bm
        >>> study = bm.load_study("emigration")
        >>> study.priors("no_pooling").differences(study.priors())
        ['factor_scale', 'cell_scale', 'draws=4000', 'target_accept=0.95']
        """
        every = (*self.specs, *(name for name in other.specs if name not in self.specs))
        found = [n for n in every if self.specs.get(n) != other.specs.get(n)]
        for mine, theirs in ((self.options, other.options), (self.sampling, other.sampling)):
            found += [f"{n}={v!r}" for n, v in mine.items() if n not in theirs or theirs[n] != v]
            found += [f"no {n}" for n in theirs if n not in mine]
        return found

    def __str__(self) -> str:
        """Print as a table, with the options of graph and sampler that the set brings."""
        head = [f"{self.name}: {self.about}"]
        brought = [
            f"{what}: {', '.join(f'{n}={v!r}' for n, v in settings.items())}"
            for what, settings in (("graph", self.options), ("sampler", self.sampling))
            if settings
        ]
        head += [f"  ({'; '.join(brought)})"] if brought else []
        width = max(map(len, self.specs), default=0)
        return "\n".join([*head, *(f"  {n:<{width}}  {s}" for n, s in self.specs.items())])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head = f"<p><b>{html.escape(self.name)}</b>: {html.escape(self.about)}</p>"
        return head + str(self.table().to_html())

    def variable(
        self,
        name: str,
        *dims: str,
        support: str = "real",
        transform: Any = None,
        beside: Any = None,
    ) -> Any:
        """Create the parameter in the active PyMC model.

        The numbers enter as ``pm.Data`` of the parameter's own shape, so that another
        set of the same families is the same graph.

        Parameters
        ----------
        name : str
            The parameter.
        *dims : str
            Its dims in the graph.
        support : {"real", "positive", "unit", "simplex"}
            Where it lives; a wider prior is refused.
        transform : pymc Transform, optional
            Coordinates for the sampler if the prior is on the whole line; the prior stays
            what it is.  ``transform.data`` names the ``pm.Data`` that it reads.
        beside : optional
            What the data know only together with the parameter; must broadcast to ``dims``.  If
            the prior is of a family with a location (`MOVED`) the sampler's coordinate is
            their sum, ``NAME_sum``; the prior stays what it is.
        """
        import pymc as pm

        spec = self.specs[name]
        model = pm.modelcontext(None)
        stated = getattr(spec, "dims", None)
        if stated is not None and _as_dims(stated) != dims:
            raise PriorError(
                f"prior of {name!r} has dims {_as_dims(stated)}, the graph's are {dims}"
            )
        if isinstance(spec, Spec):
            variable = _create(spec, name, dims, model, transform, beside)
            if name in self.given:
                _check_numbers(name, spec, variable)
                _centering(name, spec, dims, model)
        else:
            if stated is None and dims:
                raise PriorError(f"prior of {name!r} must say dims={dims}")
            variable = spec.create_variable(name, xdist=False)
        _check_support(name, spec, variable, support)
        if variable.name != name:
            return pm.Deterministic(name, variable - beside, dims=dims)
        return variable

    def centering(self, name: str, *dims: str) -> Any:
        """Return how the effects that scale ``name`` governs are written, as ``pm.Data``.

        One number in [0, 1] for each element of ``dims``, from non-centred to centred.
        """
        import pymc as pm

        values = _centering(name, self.specs[name], dims, pm.modelcontext(None))
        return pm.Data(f"{name}_centered", values, dims=dims)


def read_sets(path: Path, study: str = "") -> dict[str, PriorSet]:
    """Read a study's ``priors.toml``: one table per named set, ``base`` naming another.

    Parameters
    ----------
    path : Path
    study : str
        Named in errors.

    Raises
    ------
    PriorError
        If there is no set ``default``, a set has no ``about``, or a ``base`` is unknown or
        leads back to itself.
    """
    where = f"study {study!r}, priors.toml" if study else str(path)
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    if "default" not in tables:
        raise PriorError(f"{where}: no set 'default'; it has {', '.join(tables) or 'none'}")
    sets: dict[str, PriorSet] = {}
    for name in tables:
        _read_set(name, tables, sets, (), where)
    return {name: sets[name] for name in tables}


def _read_set(
    name: str,
    tables: Mapping[str, Any],
    sets: dict[str, PriorSet],
    asking: tuple[str, ...],
    where: str,
) -> PriorSet:
    """Read one set, those that it builds on first; ``asking`` are those that build on it."""
    if name in sets:
        return sets[name]
    if name in asking:
        raise PriorError(f"{where}: base goes in a circle: {' -> '.join((*asking, name))}")
    table = tables[name]
    if not isinstance(table, Mapping) or not isinstance(table.get("about"), str):
        raise PriorError(f"{where}: set {name!r} has no about, one line of text on it")
    base = PriorSet(name, "", {})
    if "base" in table:
        if table["base"] not in tables:
            raise PriorError(f"{where}, set {name!r}: {unknown('base', table['base'], tables)}")
        base = _read_set(table["base"], tables, sets, (*asking, name), where)
    specs = {n: Spec.from_dict(n, t) for n, t in table.get("priors", {}).items()}
    sets[name] = PriorSet(
        name,
        table["about"],
        {**base.specs, **specs},
        {**base.options, **table.get("options", {})},
        sampling={**base.sampling, **table.get("sampling", {})},
    )
    return sets[name]


def resolve(sets: Mapping[str, PriorSet], priors: Any) -> PriorSet:
    """Turn what a user passes as ``priors`` into a set.

    Parameters
    ----------
    sets : mapping of str to PriorSet
        The study's named sets.
    priors : None, str, Path, mapping or PriorSet
        Nothing (the set ``default``), the name of a set, a TOML file, overrides of
        the default, or a set as it is.

    Raises
    ------
    PriorError
        Naming the set, file or parameter, and what is valid.
    """
    if priors is None:
        return sets["default"]
    if isinstance(priors, PriorSet):
        return priors
    if isinstance(priors, Mapping):
        return sets["default"].override(**_named(priors, "priors"))
    if isinstance(priors, str) and priors in sets:
        return sets[priors]
    if isinstance(priors, Path) or (isinstance(priors, str) and priors.endswith(".toml")):
        return read_file(Path(priors), sets)
    if isinstance(priors, str):
        raise PriorError(unknown("prior set", priors, sets))
    raise PriorError(
        "priors must be the name of a set, a path to a TOML file, a dict of overrides or a "
        f"PriorSet, got {type(priors).__name__}"
    )


def read_file(path: Path, sets: Mapping[str, PriorSet]) -> PriorSet:
    """Read a user's TOML file: ``base`` (a named set), ``about`` and ``[priors.NAME]`` tables."""
    try:
        if path.exists() and not path.is_file():
            raise PriorError(f"no prior file {path}: a folder, a pipe or a device")
        with path.open(encoding="utf-8-sig") as file:
            text = file.read(LONGEST + 1)
    except OSError as error:
        raise PriorError(f"no prior file {path}: {error.strerror}") from None
    except ValueError as error:
        if not isinstance(error, UnicodeDecodeError):
            raise
        raise PriorError(f"{path}: not TOML, not even text: {error.reason}") from None
    if len(text) > LONGEST:
        raise PriorError(f"{path}: longer than {LONGEST} characters, and no file of priors")
    return read_text(text, sets, str(path))


def read_text(text: str, sets: Mapping[str, PriorSet], where: str) -> PriorSet:
    """Read a set from TOML text; ``where`` is named in errors."""
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # nested, or a number, without end
        raise PriorError(f"{where}: not TOML: {str(error)[:300]}") from None
    allowed = ("name", "about", "base", "given", "options", "priors", "sampling")
    for key in table:
        if key not in allowed:
            raise PriorError(f"{where}: {unknown('key', key, allowed)}")
    changes = _named(table.get("priors", {}), f"{where}: priors")
    options = _named(table.get("options", {}), f"{where}: options")
    sampling = _named(table.get("sampling", {}), f"{where}: sampling")
    for key in ("name", "about", "base"):
        if not isinstance(table.get(key, ""), str):
            raise PriorError(f"{where}: {key} must be text, got {str(table[key])[:100]}")
    names = table.get("given", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise PriorError(f"{where}: given must be a list of names, got {str(names)[:100]}")
    base = table.get("base", "default")
    if base not in sets:
        raise PriorError(f"{where}: {unknown('base', base, sets)}")
    base = sets[base]
    known = {name: spec for one in sets.values() for name, spec in one.specs.items()}
    more = {name: known[name] for name in changes if name in known}  # of another graph
    changed = replace(base, specs={**more, **base.specs}).override(**changes)
    given = frozenset(table.get("given", changes))
    return replace(
        changed,
        name=table.get("name", Path(where).stem),
        about=table.get("about", f"from {where}"),
        options={**base.options, **options},
        given=given,
        sampling={**base.sampling, **sampling},
    )


def as_spec(name: str, value: Any) -> Any:
    """Turn one override into a `Spec`, or leave somebody else's object as it is."""
    if isinstance(value, Spec):
        return value
    if isinstance(value, Mapping):
        return Spec.from_dict(name, value)
    if type(value).__module__.startswith("preliz."):
        given = getattr(value, "params", None)
        if given is None:
            raise PriorError(f"prior of {name!r}: the PreliZ distribution {value} has no numbers")
        return Spec(
            type(value).__name__, dict(zip(value.param_names, map(float, given), strict=True))
        )
    if isinstance(value, VariableFactory):
        return _spec_of(value) or value
    raise PriorError(
        f"prior of {name!r}: give a dict with dist, a Spec, a PreliZ distribution, or an object "
        f"with dims and create_variable(name, xdist=False); got {type(value).__name__}"
    )


def _spec_of(prior: Any) -> Spec | None:
    """Return a prior of pymc-extras as a spec, if its numbers are plain ones."""
    if not type(prior).__module__.startswith("pymc_extras."):
        return None
    numbers = getattr(prior, "parameters", None)
    if not isinstance(numbers, Mapping) or getattr(prior, "transform", None) is not None:
        return None
    if not all(isinstance(v, Real | np.ndarray | list | tuple) for v in numbers.values()):
        return None
    dims = _as_dims(prior.dims) if prior.dims else None
    return Spec(str(prior.distribution), dict(numbers), dims)


def _create(
    spec: Spec,
    name: str,
    dims: tuple[str, ...],
    model: pm.Model,
    transform: Any = None,
    beside: Any = None,
) -> Any:
    import pymc as pm

    family: Any = getattr(pm, spec.dist, None)
    if not _is_family(family):
        families = [n for n, c in vars(pm).items() if _is_family(c)]
        raise PriorError(f"prior of {name!r}: {unknown('distribution', spec.dist, families)}")
    takes = [n for n in inspect.signature(family.dist).parameters if n not in ("args", "kwargs")]
    for key in spec.numbers:
        if key not in takes:
            raise PriorError(f"prior of {name!r}: {unknown(f'number of {spec.dist}', key, takes)}")
    labels = [list(model.coords[dim] or ()) for dim in dims]
    values = {key: _spread(name, key, number, labels) for key, number in spec.numbers.items()}
    try:
        family.dist(**{key: np.ones_like(value) for key, value in values.items()})
    except (TypeError, ValueError, NotImplementedError) as error:
        raise PriorError(f"prior of {name!r}: {spec}: {error}") from None
    numbers = {
        key: pm.Data(f"{name}_{key}", value, dims=dims or None) for key, value in values.items()
    }
    if beside is not None and spec.dist in MOVED:
        numbers["mu"] = numbers.get("mu", 0.0) + beside
        return family(f"{name}_sum", **numbers, dims=dims)
    if transform is None or _bounds(family.dist(**numbers)) != SUPPORTS["real"]:
        return family(name, **numbers, dims=dims or None)
    # PyMC takes into the density only what variables depend on, so that the data of the
    # transform must be among it; PyTensor drops the zero when it compiles
    nothing = sum(0.0 * data.sum() for data in transform.data)
    numbers = {key: number + nothing for key, number in numbers.items()}
    return family(name, **numbers, dims=dims or None, transform=transform)


def _is_family(candidate: object) -> bool:
    import pymc as pm

    return inspect.isclass(candidate) and issubclass(candidate, pm.Distribution)


def _centering(name: str, spec: Any, dims: tuple[str, ...], model: pm.Model) -> np.ndarray:
    """Spread the number over the labels of the dims."""
    how = getattr(spec, "centered", True)
    values = _spread(name, "centered", how, [list(model.coords[dim] or ()) for dim in dims])
    if np.any((values < 0) | (values > 1)):
        raise PriorError(f"prior of {name!r}, centered: must be in [0, 1], got {how!r}")
    return values


def _spread(name: str, key: str, number: Any, labels: list[list[Any]]) -> np.ndarray:
    """Spread one number, a list, or numbers by label over the labels of the dims."""
    where = f"prior of {name!r}, {key}"
    shape = tuple(map(len, labels))
    try:
        if isinstance(number, Mapping):
            if "default" not in number or set(number) - {"default", "by_label"}:
                raise PriorError(
                    f"{where}: numbers by label are {{default = x, by_label = {{...}}}}"
                )
            values = np.full(shape, float(number["default"]))
            for label, value in _named(number.get("by_label", {}), f"{where}: by_label").items():
                axis = next((i for i, ls in enumerate(labels) if label in map(str, ls)), None)
                if axis is None:
                    raise PriorError(f"{where}: {unknown('label', label, sum(labels, []))}")
                at = list(map(str, labels[axis])).index(label)
                values[(slice(None),) * axis + (at,)] = float(value)
        else:
            values = np.asarray(number, dtype=float)
            if values.shape not in ((), shape):
                raise PriorError(f"{where}: has shape {values.shape}, the parameter's is {shape}")
            values = np.broadcast_to(values, shape).copy()
    except (TypeError, ValueError) as error:
        if isinstance(error, PriorError):
            raise
        raise PriorError(f"{where}: not a number: {number!r}") from None
    if not np.all(np.isfinite(values)):
        raise PriorError(f"{where}: must be finite, got {number!r}")
    if key in POSITIVE_NUMBERS and np.any(values <= 0):
        raise PriorError(f"{where}: must be positive, got {number!r}")
    return values


def _check_support(name: str, spec: Any, variable: Any, support: str) -> None:
    """Refuse a prior that puts mass where the parameter cannot be."""
    if support == "simplex":
        if _transform_name(variable) != "simplex":
            raise PriorError(f"prior of {name!r}: {spec}: shares add up to 1; take a Dirichlet")
        return
    low, high = _bounds(variable)
    least, most = SUPPORTS[support]
    if low < least or high > most:
        raise PriorError(
            f"prior of {name!r}: {spec} lives on ({low:g}, {high:g}), "
            f"but the parameter lives on ({least:g}, {most:g})"
        )


def _transform_name(variable: Any) -> str | None:
    return getattr(default_transform(variable), "name", None)


def _bounds(variable: Any) -> tuple[float, float]:
    """Bounds of a continuous random variable, from the transform PyMC gives it."""
    if not is_random(variable):
        return SUPPORTS["real"]  # a Deterministic of somebody else's: theirs to bound
    if variable.type.dtype.startswith(("int", "bool", "uint")):
        raise PriorError(f"prior of {variable.name!r}: discrete, NUTS needs a continuous one")
    transform = default_transform(variable)
    kind = getattr(transform, "name", None)
    if kind == "log":
        return SUPPORTS["positive"]
    if kind == "logodds":
        return SUPPORTS["unit"]
    if kind == "interval":
        ends = transform.args_fn(*variable.owner.inputs)
        low = -np.inf if ends[0] is None else float(np.min(_values(ends[0])))
        high = np.inf if ends[1] is None else float(np.max(_values(ends[1])))
        return low, high
    return SUPPORTS["real"]


def _values(end: Any) -> Any:
    return end.eval(mode="FAST_COMPILE") if hasattr(end, "eval") else end


def _check_numbers(name: str, spec: Spec, variable: Any) -> None:
    """Refuse numbers outside the family's own domain (a negative shape, reversed bounds)."""
    import pymc as pm
    from pymc.distributions.distribution import support_point
    from pymc.logprob.utils import ParameterValueError

    try:
        density = pm.logp(variable, support_point(variable)).eval(mode="FAST_COMPILE")
    except ParameterValueError as error:
        raise PriorError(f"prior of {name!r}: {spec}: {error}") from None
    if not np.all(np.isfinite(density)):
        raise PriorError(f"prior of {name!r}: {spec} has no density anywhere")


def _as_dims(dims: str | Sequence[str]) -> tuple[str, ...]:
    return (dims,) if isinstance(dims, str) else tuple(dims)


def _listed(dims: Any) -> list[Any]:
    return list(dims) if isinstance(dims, str | list | tuple) else [dims]


def _named(table: Any, what: str) -> dict[str, Any]:
    """Return a table whose keys are names, or say that it is none."""
    if not isinstance(table, Mapping) or not all(isinstance(key, str) for key in table):
        raise PriorError(f"{what} must be a table of names, got {table!r}")
    return dict(table)


def _plain(numbers: Mapping[str, Any]) -> dict[str, Any]:
    """Turn numbers into what TOML writes: floats, lists, tables."""

    def plain(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: plain(v) for key, v in value.items()}
        return np.asarray(value, dtype=float).tolist()

    return {key: plain(value) for key, value in numbers.items()}


def _words(number: Any) -> str:
    """Print one number, or numbers by label; what is neither as it is, for the error to come."""
    try:
        if isinstance(number, Mapping):
            labels = ", ".join(f"{k} {v:g}" for k, v in number.get("by_label", {}).items())
            return f"{number['default']:g}" + (f" ({labels})" if labels else "")
        return f"{number:g}" if np.ndim(number) == 0 else str(np.asarray(number).tolist())
    except (TypeError, ValueError, KeyError, AttributeError):
        return repr(number)
