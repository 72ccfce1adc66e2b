"""The same verbs from a shell: list, audit, priors, fit, compare, report, calibrate, demo, new."""

from __future__ import annotations

import errno
import math
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bayesmig.errors import ConvergenceWarning, DataError, DataWarning, PriorError, StudyError
from bayesmig.outputs import cell, write
from bayesmig.outputs import check as check_output
from bayesmig.outputs import shown as plain
from bayesmig.signals import stopping

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from rich.console import Console

    from bayesmig.study import Study

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Published migration models, each posterior beside the printed number.",
)
StudyName = Annotated[str, typer.Argument(help="a study; `bayesmig list` names them")]
FitPath = Annotated[Path, typer.Argument(help="a saved fit (.nc)")]
Pairs = Annotated[
    list[str] | None, typer.Option("--option", "-o", help="option of the graph, name=value")
]
Which = Annotated[
    list[str] | None,
    typer.Option("--example", "-e", help="which example, name=value (e.g. table=5 or table=10,11)"),
]
DataFile = Annotated[
    Path | None, typer.Option("--data", help="your own file instead of the example")
]
How = Annotated[
    list[str] | None,
    typer.Option("--read", "-r", help="how to read --data, name=value (e.g. missing=casewise)"),
]
PriorChoice = Annotated[
    str | None, typer.Option("--priors", "-p", help="a named set or a TOML file")
]


def main() -> None:
    """Run the command line; an error that bayesmig names ends in one line, not a traceback.

    The exit status is 0 if all was done, 1 after an error, 2 for words that the command line
    does not have, and 128 and the number of the signal (130 after Ctrl-C) if it was stopped,
    also where what was finished has been saved.
    """
    with stopping() as came:
        try:
            app()
            status: Any = 0
        except SystemExit as end:
            status = end.code
        except (DataError, PriorError, StudyError, OSError) as error:
            for line in (f"bayesmig: {error}", *getattr(error, "__notes__", ())):
                print(plain(line), file=sys.stderr)
            status = 1
    sys.exit(128 + came[0] if came else status)


@app.command("list")
def list_() -> None:
    """List the studies."""
    from bayesmig.study import list_studies, load_study

    for name in list_studies():
        print(f"{name}: {load_study(name).title}")


@app.command()
def audit(
    study: StudyName,
    everything: Annotated[bool, typer.Option("--all", help="also the checks that hold")] = False,
) -> None:
    """Check the printed numbers against each other and against the prose."""
    from bayesmig.study import load_study

    table = load_study(study).audit()
    shown = table if everything else table[~table.holds]
    for check, rows in shown.groupby("check", sort=False):
        print(f"\n{check}")
        for row in rows.itertuples():
            print(f"  {row.where}\n    {'' if not row.holds else '(holds) '}{row.detail}")
    print()
    print(f"{(~table.holds).sum()} of {len(table)} checks do not hold.")


@app.command()
def priors(
    study: StudyName,
    which: Annotated[str | None, typer.Argument(help="a set or a TOML file; default: all")] = None,
    toml: Annotated[bool, typer.Option("--toml", help="as a TOML file to edit")] = False,
) -> None:
    """Print the prior sets of a study, or one of them."""
    from bayesmig.study import load_study

    loaded = load_study(study)
    names = [which] if which else list(loaded.prior_sets)
    for name in names:
        chosen = loaded.priors(name)
        print(chosen.to_toml() if toml else chosen, end="\n\n")


@app.command()
def fit(
    study: StudyName,
    output: Annotated[Path, typer.Option("--output", help="where to save the fit (.nc)")],
    data: DataFile = None,
    example: Which = None,
    read: How = None,
    prior: PriorChoice = None,
    option: Pairs = None,
    draws: Annotated[int | None, typer.Option(help="draws of each chain")] = None,
    tune: Annotated[int | None, typer.Option(help="tuning draws of each chain")] = None,
    chains: Annotated[int, typer.Option(help="chains")] = 4,
    seed: Annotated[int, typer.Option(help="the same seed gives the same draws")] = 1,
    respondents: Annotated[
        bool,
        typer.Option(
            "--with-respondents/--without-respondents", help="whether the fit carries their data"
        ),
    ] = True,
) -> None:
    """Fit a study and save the draws."""
    for pair in option or []:
        name, _, value = pair.partition("=")
        if name in ("draws", "tune", "chains", "seed"):
            raise StudyError(f"{name} is no option of the graph: --{name} {value}")
    _check_free(output)
    chosen, options = _data(study, data, example, read, option)
    fitted = _fit(
        study,
        chosen,
        prior,
        output,
        draws=draws,
        tune=tune,
        chains=chains,
        seed=seed,
        **options,
    )
    print(f"saved {_save(fitted, output, respondents)}; next: bayesmig compare {output}")


@app.command()
def recover(
    path: Annotated[Path, typer.Argument(help="the fit that was to be saved, or FIT.draws")],
    output: Annotated[Path | None, typer.Option("--output", help="where to save it")] = None,
    respondents: Annotated[bool, typer.Option("--with-respondents/--without-respondents")] = True,
) -> None:
    """Save a fit of what a run that was killed had finished."""
    from bayesmig import keeping
    from bayesmig.fitting import recover as recovered
    from bayesmig.saving import save_fit

    folder = keeping.found(path)
    if output is None:
        if folder.suffix != ".draws":
            raise StudyError(f"--output says where to save the fit of {folder}")
        output = folder.with_suffix("")
    check_output(output)
    fitted = _saying(lambda: recovered(folder))
    print(f"saved {save_fit(fitted, output, respondents)}; next: bayesmig compare {output}")
    keeping.discard(folder)


@app.command()
def discard(
    path: Annotated[Path, typer.Argument(help="the fit that was to be saved, or FIT.draws")],
) -> None:
    """Throw away the draws of a run that was killed."""
    from bayesmig import keeping

    folder = keeping.found(path)
    counts = ", ".join(map(str, keeping.counted(folder))) or "no"
    keeping.discard(folder)
    print(f"removed {folder}: {counts} draws")


@app.command()
def compare(
    path: FitPath,
    quantity: Annotated[list[str] | None, typer.Option("--quantity", "-q")] = None,
    ci_prob: Annotated[float | None, typer.Option(help="probability of the intervals")] = None,
    csv: Annotated[Path | None, typer.Option(help="write the whole table to a CSV file")] = None,
) -> None:
    """Print the posterior beside the printed numbers."""
    from bayesmig.comparison import compare as compare_fit
    from bayesmig.comparison import headline
    from bayesmig.saving import open_fit

    if csv is not None and not csv.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "no such folder", str(csv.parent))
    fitted = open_fit(path)
    if csv is not None:
        table = compare_fit(fitted, ci_prob, quantity)
        write(csv, table.map(cell).to_csv(index=False))
        print(f"wrote {csv}: {len(table)} rows")
        return
    for names in [[name] for name in quantity] if quantity else [headline(fitted)]:
        _print_comparison(compare_fit(fitted, ci_prob, names))


@app.command()
def summary(
    path: FitPath,
    quantity: Annotated[list[str] | None, typer.Option("--quantity", "-q")] = None,
    ci_prob: Annotated[float | None, typer.Option(help="probability of the intervals")] = None,
) -> None:
    """Print every estimand, with print beside it where there is any."""
    from bayesmig.comparison import summary as summary_of
    from bayesmig.saving import open_fit

    _print_comparison(summary_of(open_fit(path), ci_prob, quantity))


@app.command()
def check(study: StudyName) -> None:
    """Try whether a study keeps the contract; a short fit is part of it."""
    from bayesmig.study import load_study
    from bayesmig.testing import check_study

    check_study(load_study(study))
    print(f"{study} keeps the contract.")


@app.command()
def report(
    path: FitPath,
    output: Annotated[Path, typer.Option("--output", help="folder")] = Path("out"),
    fewest: Annotated[int, typer.Option(help="people of the smallest cell shown; 0: all")] = 5,
) -> None:
    """Write report.html for a saved fit."""
    from bayesmig.reporting import report as write_report
    from bayesmig.saving import open_fit

    print(f"wrote {write_report(open_fit(path), output, fewest)}")


@app.command()
def calibrate(
    study: StudyName,
    example: Which = None,
    data: DataFile = None,
    read: How = None,
    prior: PriorChoice = None,
    n: Annotated[int, typer.Option(help="simulated data sets")] = 200,
    draws: Annotated[int, typer.Option(help="draws of each refit, after as many for tuning")] = 600,
    truth: Annotated[
        str, typer.Option(help="prior, or example: the example's own estimates")
    ] = "prior",
    seed: Annotated[int, typer.Option()] = 1,
    workers: Annotated[int, typer.Option(help="refits at once")] = 2,
    keep: Annotated[
        Path, typer.Option(help="folder of results so far: a run that was killed goes on")
    ] = Path("out/calibrations"),
    option: Pairs = None,
) -> None:
    """Simulate data of known truth, refit each, and count how often the intervals hold it."""
    from bayesmig.calibration import calibrate as run
    from bayesmig.calibration import coverage
    from bayesmig.study import load_study

    loaded = load_study(study)
    if truth not in ("prior", "example"):
        raise StudyError(f"truth={truth!r}; valid: prior, example")
    if truth == "example" and data is not None:
        raise StudyError("--truth example simulates the study's example, not --data")
    which = _pairs(example, loaded, "example") if truth == "example" else {}
    started = time.perf_counter()
    chosen, options = _data(study, data, example, read, option)
    found = run(
        loaded,
        chosen,
        prior,
        n=n,
        draws=draws,
        tune=draws,
        seed=seed,
        simulate=(lambda s: loaded.simulate(seed=s, **which)) if truth == "example" else None,
        workers=workers,
        keep=keep,
        **options,
    )
    table = coverage(found)
    print(_markdown(table))
    if table.attrs["interrupted"]:
        print(f"{table.attrs['interrupted']}; the same words go on from there")
    print(
        f"{table.attrs['n']} data sets, truth {table.attrs['truth']}, "
        f"{table.attrs['divergences']} divergences, {time.perf_counter() - started:.0f} s"
    )


@app.command()
def demo(
    study: Annotated[str | None, typer.Argument(help="a study; default: the first")] = None,
    output: Annotated[Path, typer.Option("--output", help="folder")] = Path("out"),
) -> None:
    """Audit, fit the example, compare with print, write a report."""
    from bayesmig.study import list_studies, load_study

    started = time.perf_counter()
    saved = output / "fit.nc"
    check_output(output / "report.html")
    _check_free(saved)
    loaded = load_study(study or list_studies()[0])
    console = _console()
    console.rule(f"[bold]{loaded.name}[/bold]: {loaded.title}")
    table = loaded.audit()
    failed = table[~table.holds]
    console.print(
        f"\n1. The printed numbers: {len(failed)} of {len(table)} checks do not hold.  "
        f"`bayesmig audit {loaded.name}` says which and why."
    )
    _print_rows(
        [
            {"check": str(check), "fails": str(len(rows)), "where, for one": rows["where"].iloc[0]}
            for check, rows in failed.groupby("check", sort=False)
        ],
        "",
    )
    data = loaded.example()
    kind = "SYNTHETIC" if data.attrs["synthetic"] else "as printed"
    console.print(plain(f"\n2. The fit: {data.attrs['title']} ({kind})."), markup=False)
    fitted = _fit(loaded.name, data, None, saved)
    _save(fitted, saved)

    from bayesmig.comparison import compare as compare_fit
    from bayesmig.comparison import headline, quantities
    from bayesmig.reporting import report as write_report

    console.print("\n3. Posterior and print")
    shown = headline(fitted)
    _print_comparison(compare_fit(fitted, quantity=shown))
    page = write_report(fitted, output)
    console.print(
        f"\n4. Report: {page.resolve()} (open it in a browser); draws: {saved}", soft_wrap=True
    )
    rest = [name for name in quantities(fitted) if name not in shown]
    more = f"; `bayesmig compare {saved} -q {rest[0]}` compares the rest" if rest else ""
    console.print(
        f"5. Next: notebooks/{loaded.name}.ipynb plugs in another prior; "
        f"`bayesmig priors {loaded.name}` shows those there are{more}.",
        soft_wrap=True,
    )
    console.print(f"({time.perf_counter() - started:.0f} s in all)")


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="of the study: lower-case letters, digits and _")],
    into: Annotated[
        Path | None,
        typer.Option(help="a folder for a package of its own; default: models/ of this checkout"),
    ] = None,
) -> None:
    """Write the folder of a new study: a small model of a toy paper, to be made the paper's."""
    from bayesmig.scaffold import new_study

    print(f"wrote {new_study(name, into)}; CONTRIBUTING.md says how it becomes the paper's")
    if into is not None:
        print(f"next: pip install --editable {into / name}; bayesmig audit {name}")
    else:
        print(f"next: bayesmig audit {name}")


def _fit(study: str, data: xr.Dataset, priors: Any, output: Path, **settings: Any) -> xr.DataTree:
    """Fit with progress, draws kept beside the output, and say what was done."""
    console = _console()
    with console.status("importing PyMC"):
        from bayesmig import keeping
        from bayesmig.fitting import fit as fit_study
    folder = keeping.beside(output)
    try:
        fitted = _saying(lambda: fit_study(study, data, priors, keep=folder, **settings))
    except KeyboardInterrupt:
        if sum(keeping.counted(folder)):
            print(f"stopped; `bayesmig recover {output}` saves the draws that there are")
        elif folder.is_dir():
            keeping.discard(folder)
        raise
    a = fitted.attrs
    console.print(
        f"   priors {a['prior_set']}; {a['chains']} chains of {a['draws']} draws, seed "
        f"{a['seed']}, {a['sampler']}\n   seconds: graph {a['seconds_build']:.1f}, compilation "
        f"{a['seconds_compile']:.1f}, sampling {a['seconds_sample']:.1f}",
        highlight=False,
        markup=False,
    )
    return fitted


def _save(fitted: xr.DataTree, output: Path, respondents: bool = True) -> Path:
    """Save a fit; the draws beside it are then of no use."""
    from bayesmig import keeping
    from bayesmig.saving import save_fit

    folder = keeping.beside(output)
    try:
        save_fit(fitted, output, respondents)
    except BaseException as error:
        error.add_note(f"the draws are in {folder}: `bayesmig recover {output}` saves them")
        raise
    keeping.discard(folder)
    return output


def _check_free(output: Path) -> None:
    """Raise, before anything long, if a fit could not be saved or would hide another run's."""
    from bayesmig import keeping

    check_output(output)
    keeping.refuse_leftover(keeping.beside(output))


def _saying(work: Callable[[], xr.DataTree]) -> xr.DataTree:
    """Do something, and say what was warned of in one line each."""
    console = _console()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        warnings.simplefilter("always", DataWarning)
        done = work()
    for warning in caught:
        if issubclass(warning.category, ConvergenceWarning):
            console.print("not to be trusted as it is:", style="bold red", end=" ")
            console.print(plain(warning.message), markup=False, highlight=False)
        elif issubclass(warning.category, DataWarning):
            console.print(plain(warning.message), markup=False, highlight=False)
        else:
            warnings.warn_explicit(
                warning.message, warning.category, warning.filename, warning.lineno
            )
    return done


def _data(
    study: str,
    path: Path | None,
    example: list[str] | None,
    read: list[str] | None,
    option: list[str] | None,
) -> tuple[xr.Dataset, dict[str, Any]]:
    """Return data and options of the graph; those that say how a file is read say it too."""
    from bayesmig import attrs
    from bayesmig.study import load_study

    loaded = load_study(study)
    options = _pairs(option, loaded, "build")
    if path is None:
        if read:
            raise StudyError("--read says how to read --data, which is not given")
        return loaded.example(**_pairs(example, loaded, "example")), options
    if example:
        raise StudyError("give --data or --example, not both")
    how = _pairs(read, loaded, "read")
    valid = loaded.arguments("read") if options else {}
    data = loaded.read(path, **{**{n: v for n, v in options.items() if n in valid}, **how})
    brought = attrs.unpack(data.attrs, "options", dict) if "options" in data.attrs else {}
    return data, {**options, **brought}


def _pairs(pairs: list[str] | None, study: Study, verb: str) -> dict[str, Any]:
    """Read name=value words as arguments of one of a study's verbs."""
    from bayesmig.options import parse

    if not pairs:
        return {}
    words = {"build": "option", "example": "argument of example", "read": "argument of read"}
    return parse(pairs, study.arguments(verb), words[verb])


def _markdown(table: pd.DataFrame) -> str:
    """Print a table of numbers as Markdown, ready for a model card."""
    head = [table.index.name or "", *map(str, table.columns)]
    rows = [
        [str(name), *(f"{v:.3f}" for v in row)]
        for name, row in zip(table.index, table.to_numpy(), strict=True)
    ]
    lines = [head, ["---", *["---:"] * len(table.columns)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _console() -> Console:
    from rich.console import Console

    return Console()


def _print_comparison(comparison: pd.DataFrame) -> None:
    """Print a comparison, a table for each quantity or one for all that have no coordinates."""
    from bayesmig.comparison import data_title, is_own, tables, title_of

    kind = "given" if is_own(comparison.attrs) else "printed"
    for name, table in tables(comparison).items():
        beside = table.published.notna().any()
        given = f"{kind}{_percent(table.published_prob)}"
        shown = []
        for _, row in table.iterrows():
            cells = {"": row.label}
            if beside:
                cells[given] = _with_interval(
                    row.published, row.published_low, row.published_high, row.decimals
                )
            cells[f"posterior{_percent(table.ci_prob)}"] = _with_interval(
                row["mean"], row.low, row.high, row.decimals
            )
            if beside:
                cells["wider by"] = _or_blank(row.width_ratio, 1)
            else:
                cells |= {"ESS": _or_blank(row.ess, 0), "R-hat": _or_blank(row.r_hat, 3)}
            if not row.coordinates:
                cells["contraction"] = _or_blank(row.contraction, 2)
            shown.append(cells)
        title = f"{data_title(comparison.attrs)}: {title_of(name, table)}"
        _print_rows(shown, title)


def _percent(probability: pd.Series) -> str:
    """Say the probability of a table's intervals, if they have one in common."""
    known = probability.dropna().unique()
    return f" ({known[0]:.0%})" if len(known) == 1 else ""


def _or_blank(value: float, digits: int) -> str:
    return "" if math.isnan(value) else f"{value:.{digits}f}"


def _with_interval(value: float, low: float, high: float, digits: int) -> str:
    if math.isnan(value):
        return ""
    interval = "" if math.isnan(low) else f" ({low:4.{digits}f}, {high:4.{digits}f})"
    return f"{value:4.{digits}f}{interval}"


def _print_rows(rows: list[dict[Any, str]], title: str) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    if not rows:
        return
    grid = Table(title=Text(plain(title)), box=SIMPLE_HEAD, title_justify="left")
    for name in rows[0]:
        left = name in ("", "check", "where", "where, for one", "detail")
        grid.add_column(str(name), justify="left" if left else "right", no_wrap=name != "detail")
    for row in rows:
        grid.add_row(*(Text(plain(value)) for value in row.values()))  # no markup, no escapes
    _console().print(grid, highlight=False)
