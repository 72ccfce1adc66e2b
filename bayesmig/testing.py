"""The contract, run: `check_study` tries whether a study is what the engine takes it for."""

from __future__ import annotations

import builtins
import inspect
import io
import re
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np
import xarray as xr

from bayesmig import audit, contract, evaluate, observed, printed
from bayesmig.comparison import compare
from bayesmig.errors import BayesmigError, ConvergenceWarning, DataError, DataWarning, StudyError
from bayesmig.fitting import refit
from bayesmig.misfits import misfit
from bayesmig.ready import Compiled, build, compile
from bayesmig.saving import open_fit, save_fit
from bayesmig.study import Study

if TYPE_CHECKING:
    import pandas as pd

SHORT: dict[str, Any] = {
    "draws": 20,
    "tune": 60,
    "chains": 2,
    "progress": False,
    "sampling": {"maxdepth": 4},  # its shape is looked at, not its numbers
}
SIGNATURES = {  # arguments by position, then by name
    ("simulate", "simulate"): (("truth",), ("seed",)),
    ("graph", "build"): (("data", "priors"), ()),
    ("estimands", "estimands"): (("draws", "data"), ()),
    ("printed", "targets"): (("data", "estimands"), ()),
}
DRAWS = ("chain", "draw")


def check_study(study: Study, *, fit: bool = True, **simulating: Any) -> None:
    """Run the contract of `bayesmig.contract` on a study.

    Parameters
    ----------
    study : Study
    fit : bool
        Whether to compile and sample it, shortly, too.
    **simulating
        Arguments of its ``simulate`` for small data.

    Raises
    ------
    StudyError, DataError, PriorError
        One sentence on the first thing that is not as it should be: the study, the part
        and what is expected.

    Examples
    --------
    >>> import bayesmig as bm
    >>> from bayesmig.testing import check_study
    >>> check_study(bm.load_study("emigration"), fit=False)
    """
    for check in CHECKS:
        check(study)
    with warnings.catch_warnings():  # small data and short fits are nobody's results
        warnings.simplefilter("ignore", DataWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)
        data = study.simulate(seed=1, **simulating)
        check_simulated(study, data, simulating)
        check_graph(study, data)
        check_estimands(study, data)
        if fit:
            check_fit(study, data, study.simulate(seed=2, **simulating))


def check_parts(study: Study) -> None:
    """Every module is there, with the functions and the signatures of its Protocol."""
    for name in contract.PARTS:
        study.part(name)
    for (module, function), (positional, named) in SIGNATURES.items():
        _check_signature(study, module, function, positional, named)
    parameters = inspect.signature(study.part("graph").build).parameters.values()
    for parameter in list(parameters)[2:]:
        where = f"study {study.name!r}, graph.py: option {parameter.name!r} of build"
        if parameter.kind is not parameter.KEYWORD_ONLY:
            raise StudyError(f"{where} must be keyword-only: put it after the *")
        if parameter.default is parameter.empty:
            raise StudyError(f"{where} must have a default")
    for name in study.simulating:
        if name not in study.options:
            raise StudyError(f"study {study.name!r}, simulating: build has no option {name!r}")


def check_priors(study: Study) -> None:
    """There is a set ``default``; every set's options are the graph's."""
    for name in study.sets:
        study.resolve(name, {})


def check_printed(study: Study) -> None:
    """The printed numbers have their columns, and each says where it is printed."""
    table = study.published
    where = f"study {study.name!r}, printed.py: published()"
    lacking = [name for name in printed.COLUMNS if name not in table]
    if lacking:
        raise StudyError(f"{where} lacks the columns {', '.join(lacking)}")
    if not len(table):
        raise StudyError(f"{where} has no row")
    for name in ("estimate", "se", "ci_low", "ci_high", "ci_prob"):
        if table[name].dtype.kind not in "fi":
            raise StudyError(f"{where}: column {name!r} must be numbers, NaN where none is printed")
    placeless = table.source.fillna("").astype(str).str.strip() == ""
    if placeless.any():
        row = table[placeless].iloc[0]
        raise StudyError(
            f"{where}: {row.quantity} {row.coordinates} has no source: say the table or page "
            f"({placeless.sum()} such rows)"
        )


def check_audit(study: Study) -> None:
    """Every check of the audit runs, and can fail."""
    part, where = study.part("audit"), f"study {study.name!r}, audit: CHECKS"
    if not part.CHECKS:
        raise StudyError(f"{where} is empty")
    for check in part.CHECKS:
        if not isinstance(check, audit.Check):
            raise StudyError(f"{where} must hold bayesmig.audit.Check, got {check!r}")
    found = study.audit()
    if not len(found):
        raise StudyError(f"{where} find nothing: say what holds too")
    left = [c for c in part.CHECKS if not _speaks(c, list(c.find(part.paper(study.tables))), None)]
    known = {id(c): list(c.find(part.paper(study.tables))) for c in left}
    for tables in _mutations(study.tables):
        left = [c for c in left if not _fails(c, part, tables, known[id(c)])]
        if not left:
            return
    left = [
        c
        for c in left
        if c.breaks is None or not _fails(c, part, c.breaks(dict(study.tables)), known[id(c)])
    ]
    if left:
        raise StudyError(
            f"{where}: {left[0].name!r} ({_name(left[0].find)}) never fails, whatever is printed: "
            "give Check(breaks=...) a change under which it must"
        )


def check_card(study: Study) -> None:
    """The model card has its headings, in their order."""
    headings = re.findall(r"^## (.+?)\s*$", study.card, flags=re.M)
    own = [heading for heading in headings if heading in contract.CARD]
    if own != list(contract.CARD):
        lacking = [heading for heading in contract.CARD if heading not in own]
        what = f"lacks {', '.join(map(repr, lacking))}" if lacking else "are in another order"
        raise StudyError(
            f"study {study.name!r}, CARD.md: headings (##) {what}; expected: "
            f"{', '.join(contract.CARD)}"
        )


def check_example(study: Study) -> None:
    """The example has its attributes, and a file gives it back."""
    data = study.example()
    contract.check_data(study.name, data)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.nc"
        try:
            data.to_netcdf(path, engine="h5netcdf")
        except (TypeError, ValueError) as error:
            raise DataError(f"study {study.name!r}, example: no file keeps it: {error}") from None
        with xr.open_dataset(path, engine="h5netcdf") as again:
            if not data.equals(again.load()):
                raise DataError(f"study {study.name!r}, example: a file gives other data back")


CHECKS: tuple[Callable[[Study], None], ...] = (
    check_parts,
    check_priors,
    check_printed,
    check_audit,
    check_card,
    check_example,
)


def check_simulated(study: Study, data: xr.Dataset, simulating: Mapping[str, Any]) -> None:
    """Simulated data say so, carry their truth, and are the seed's."""
    where = f"study {study.name!r}, simulate.py"
    contract.check_data(study.name, data)
    if data.attrs["synthetic"] != 1:
        raise DataError(f"{where}: simulated data must have attrs['synthetic'] = 1")
    study.truth(data)
    if not data.identical(study.simulate(seed=1, **simulating)):
        raise StudyError(f"{where}: the same seed gives other data")
    if data.equals(study.simulate(seed=2, **simulating)):
        raise StudyError(f"{where}: another seed gives the same data")


def check_graph(study: Study, data: xr.Dataset) -> None:
    """The graph is built without a file, has a density, and its observed data can be replaced."""
    import pytensor
    from pytensor.compile.mode import Mode
    from pytensor.graph.rewriting.db import RewriteDatabaseQuery

    where = f"study {study.name!r}, graph.py"
    model = build(study, data).model
    with _no_file_of(study):
        study.build(data)
    observed.data_names(model)
    point, logp = model.initial_point(random_seed=1), model.logp()
    # stable as the sampler's own, where 0 times log 0 is no number; not with sums of more terms
    # than Python takes at once
    stable = RewriteDatabaseQuery(
        include=["canonicalize", "stabilize"], exclude=["local_add_canonizer"]
    )
    gradients: list[Any] = pytensor.grad(logp, model.value_vars)  # type: ignore[assignment]  # a list for a list
    both = pytensor.function(
        model.value_vars,
        [logp, *gradients],
        mode=Mode(linker="py", optimizer=stable),
        on_unused_input="ignore",
    )
    density, *gradient = both(**point)
    for what, values in (("density", [density]), ("gradient", gradient)):
        if not all(np.all(np.isfinite(value)) for value in values):
            raise StudyError(f"{where}: the {what} is not finite where sampling starts")


def check_estimands(study: Study, data: xr.Dataset) -> None:
    """Prior draws and the truth have estimands; printed numbers name them."""
    built, where = build(study, data), f"study {study.name!r}"
    found = built.prior_estimands(seed=1)
    for name, array in found.data_vars.items():
        if array.dims[:2] != DRAWS:
            raise StudyError(
                f"{where}, estimands.py: {name} has dims {array.dims}: those of the draws come "
                "first"
            )
    truth = study.estimands(study.truth(data), data)
    absent = [str(name) for name in truth.data_vars if name not in found]
    if absent or not len(truth):
        raise StudyError(f"{where}, simulate.py: the truth has no estimands of the draws: {absent}")
    _check_targets(study, data, found)
    example = study.example()
    _check_targets(study, example, build(study, example).prior_estimands(seed=1))


def check_fit(study: Study, data: xr.Dataset, other: xr.Dataset) -> None:
    """A short fit: other data change the density, groups are there, a file compares the same."""
    where = f"study {study.name!r}"
    ready = compile(study, data)
    _check_replaceable(ready)
    fitted = refit(ready, groups=("log_likelihood", "posterior_predictive"), **SHORT)
    refit(ready, data=other, **SHORT)
    for rv in ready.model.observed_RVs:
        for group in ("observed_data", "log_likelihood", "posterior_predictive"):
            if rv.name not in fitted[group]:
                raise StudyError(f"{where}: group {group} of a fit lacks {rv.name}")
    for rv in ready.model.observed_RVs:
        drawn, seen = (fitted[g][rv.name] for g in ("posterior_predictive", "observed_data"))
        if drawn.dims[2:] != seen.dims or drawn.shape[2:] != seen.shape:
            raise StudyError(
                f"{where}: {rv.name} is observed with dims {dict(seen.sizes)} and drawn with "
                f"{dict(drawn.sizes)}"
            )
        _check_totals(where, str(rv.name), drawn.values, seen.values)
        _check_drawable(where, fitted, str(rv.name))
    _check_groupings(study, fitted)
    with tempfile.TemporaryDirectory() as folder:
        again = open_fit(save_fit(fitted, Path(folder) / "fit.nc", digits=None))
    if not compare(again).equals(compare(fitted)):
        raise StudyError(f"{where}: a saved fit compares otherwise than before it was saved")


def _check_groupings(study: Study, fitted: xr.DataTree) -> None:
    """Groupings label the rows of what is observed."""
    part = study.ability(contract.Groups)
    if part is None:
        return
    for name, labels in part.groupings(fitted).items():
        rows = fitted["posterior_predictive"][name].shape[2]
        if len(labels) != rows:
            raise StudyError(
                f"study {study.name!r}, checks.py: {len(labels)} labels for the {rows} rows of "
                f"{name}"
            )
    misfit(fitted)


def _check_totals(where: str, name: str, drawn: np.ndarray, seen: np.ndarray) -> None:
    """Counts of people whose number is given are drawn of as many people as were observed."""
    if seen.dtype.kind not in "iu":
        return
    totals = np.unique(drawn.reshape(*drawn.shape[:2], -1).sum(-1))
    if len(totals) == 1 and totals[0] != seen.sum():
        raise StudyError(
            f"{where}: {name} counts {seen.sum()} in all, and every predictive draw {totals[0]}"
        )


def _check_drawable(where: str, fitted: xr.DataTree, name: str) -> None:
    """Observed and drawn data go into ArviZ's predictive checks, and draws are not all alike."""
    import arviz as az

    drawn = fitted["posterior_predictive"][name]
    if bool((drawn == drawn.isel(chain=0, draw=0)).all()):
        raise StudyError(f"{where}: every predictive draw of {name} is the same")
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Variables .* look ")  # discrete
            # one draw of what is rare: it happened to nobody
            warnings.filterwarnings("ignore", message="Your data appears to have a single value")
            az.plot_ppc_dist(fitted, var_names=[name], num_samples=10, backend="none")
    except Exception as error:  # ArviZ promises no kind of its own
        raise StudyError(f"{where}: az.plot_ppc_dist does not draw {name}: {error}") from error


def _check_signature(
    study: Study, module: str, function: str, positional: tuple[str, ...], named: tuple[str, ...]
) -> None:
    parameters = list(inspect.signature(getattr(study.part(module), function)).parameters.values())
    first = tuple(p.name for p in parameters[: len(positional)])
    absent = [n for n in named if n not in {p.name for p in parameters}]
    if first != positional or absent:
        expected = ", ".join([*positional, *(["*", *named] if named else [])])
        raise StudyError(
            f"study {study.name!r}, {module}.py: {function} must take ({expected}), got "
            f"({', '.join(p.name for p in parameters)})"
        )


def _check_targets(study: Study, data: xr.Dataset, estimands: xr.Dataset) -> None:
    where = f"study {study.name!r}, printed.py: targets()"
    table = study.targets(data, estimands)
    lacking = [name for name in ("quantity", *printed.MEASURES) if name not in table]
    if lacking:
        raise StudyError(f"{where} lacks the columns {', '.join(lacking)}")
    there = printed.matching(table, estimands)
    if len(there) < len(table):
        row = table[~table.index.isin(there.index)].iloc[0]
        labels = ", ".join(str(row[name]) for name in printed.label_columns(table))
        raise StudyError(
            f"{where}: {row.quantity} {labels} is no number of the estimands "
            f"({len(table) - len(there)} such rows)"
        )


def _check_replaceable(ready: Compiled) -> None:
    """Data drawn from the prior change the density of every observed variable."""
    model = ready.simulating()  # the graph that draws whole data sets
    own = ready.graph.bind(model, seed=1)
    start = np.concatenate([point.ravel() for point in own.points])
    start = start + 0.1 * np.random.default_rng(1).normal(size=start.size)  # off any symmetry
    here = own(start)[0]
    drawn = evaluate.prior_draws(model, 5, seed=1)
    for rv, data in observed.data_names(model).items():
        others = [ready.graph.bind(model, 1, {data: value})(start)[0] for value in drawn[rv]]
        if all(other == here for other in others):
            raise StudyError(
                f"study {ready.study.name!r}, graph.py: other data in {data!r} do not change the "
                f"density of {rv}"
            )


def _mutations(tables: Mapping[str, pd.DataFrame]) -> Iterator[dict[str, pd.DataFrame]]:
    """Tables with one column changed: numbers moved and turned, texts one row down."""
    for name, table in tables.items():
        for column in table:
            values = table[column]
            if values.dtype.kind in "fi":
                changes = [-1.37 * values.astype(float) + 0.21, 1.9 * values.astype(float)]
            else:
                changes = [values.map(_moved), np.roll(values.to_numpy(dtype=object), 1)]
            for change in changes:
                yield {**tables, name: table.assign(**{str(column): change})}
        yield {**tables, name: table.iloc[: len(table) // 2]}
        yield {**tables, name: table.iloc[::-1].reset_index(drop=True)}


def _moved(value: Any) -> Any:
    """Move a number that stands as text, by one in its first digit."""
    match = re.search(r"\d", str(value))
    if match is None:
        return value
    i = match.start()
    return f"{value[:i]}{(int(value[i]) + 1) % 10}{value[i + 1 :]}"


def _fails(
    check: audit.Check, part: Any, tables: Mapping[str, pd.DataFrame], before: list[audit.Finding]
) -> bool:
    try:
        found = list(check.find(part.paper(tables)))
    except (BayesmigError, LookupError, ValueError, TypeError, ArithmeticError):
        return False  # the change made tables that are none: it shows nothing
    return _speaks(check, found, before)


def _speaks(
    check: audit.Check, found: list[audit.Finding], before: list[audit.Finding] | None
) -> bool:
    if check.notes:
        return bool(before is not None and found != before)
    return any(not finding.holds for finding in found)


@contextmanager
def _no_file_of(study: Study) -> Iterator[None]:
    """Refuse to open a file of the study's folder."""
    real, folder = builtins.open, study.folder.resolve()

    def guarded(file: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(file, str | Path) and folder in Path(file).resolve().parents:
            raise StudyError(
                f"study {study.name!r}, graph.py: build reads {Path(file).name}; read files when "
                "data are made"
            )
        return real(file, *args, **kwargs)

    with patch.object(builtins, "open", guarded), patch.object(io, "open", guarded):
        yield


def _name(function: Any) -> str:
    return str(getattr(function, "__name__", function))
