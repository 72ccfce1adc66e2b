"""The same verbs from a shell: list, audit, priors, fit, compare, report, calibrate, demo."""

from __future__ import annotations

import math
import sys
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bayesmig.errors import ConvergenceWarning, DataError, PriorError, StudyError

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
    """Run the command line; an error that bayesmig names ends in one line, not a traceback."""
    try:
        app()
    except (DataError, PriorError, StudyError, OSError) as error:
        print(f"bayesmig: {error}", file=sys.stderr)
        sys.exit(1)


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
) -> None:
    """Fit a study and save the draws."""
    for pair in option or []:
        name, _, value = pair.partition("=")
        if name in ("draws", "tune", "chains", "seed"):
            raise StudyError(f"{name} is no option of the graph: --{name} {value}")
    options = _options(study, option)
    fitted = _fit(
        study,
        _data(study, data, example, read),
        prior,
        draws=draws,
        tune=tune,
        chains=chains,
        seed=seed,
        **options,
    )
    from bayesmig.results import save_fit

    print(f"saved {save_fit(fitted, output)}; next: bayesmig compare {output}")


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
    from bayesmig.results import open_fit

    fitted = open_fit(path)
    if csv is not None:
        table = compare_fit(fitted, ci_prob, quantity)
        part = csv.with_name(f".{csv.name}.part")
        table.to_csv(part, index=False)
        part.replace(csv)
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
    from bayesmig.results import open_fit

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
    path: FitPath, output: Annotated[Path, typer.Option("--output", help="folder")] = Path("out")
) -> None:
    """Write report.html for a saved fit."""
    from bayesmig.reporting import report as write_report
    from bayesmig.results import open_fit

    print(f"wrote {write_report(open_fit(path), output)}")


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
    found = run(
        loaded,
        _data(study, data, example, read),
        prior,
        n=n,
        draws=draws,
        tune=draws,
        seed=seed,
        simulate=(lambda s: loaded.simulate(seed=s, **which)) if truth == "example" else None,
        **_options(study, option),
    )
    table = coverage(found)
    print(_markdown(table))
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
    console.print(f"\n2. The fit: {data.attrs['title']} ({kind}).", markup=False)
    fitted = _fit(loaded.name, data, None)

    from bayesmig.comparison import compare as compare_fit
    from bayesmig.comparison import headline, quantities
    from bayesmig.reporting import report as write_report
    from bayesmig.results import save_fit

    console.print("\n3. Posterior and print")
    shown = headline(fitted)
    _print_comparison(compare_fit(fitted, quantity=shown))
    page, saved = write_report(fitted, output), save_fit(fitted, output / "fit.nc")
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


def _fit(study: str, data: xr.Dataset, priors: Any, **settings: Any) -> xr.DataTree:
    """Fit with progress, and say what was warned of in one line each."""
    console = _console()
    with console.status("importing PyMC"):
        from bayesmig.fitting import fit as fit_study
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        fitted = fit_study(study, data, priors, **settings)
    for warning in caught:
        if issubclass(warning.category, ConvergenceWarning):
            console.print("not to be trusted as it is:", style="bold red", end=" ")
            console.print(str(warning.message), markup=False, highlight=False)
        else:
            warnings.warn_explicit(
                warning.message, warning.category, warning.filename, warning.lineno
            )
    a = fitted.attrs
    console.print(
        f"   priors {a['prior_set']}; {a['chains']} chains of {a['draws']} draws, seed "
        f"{a['seed']}, {a['sampler']}\n   seconds: graph {a['seconds_build']:.1f}, compilation "
        f"{a['seconds_compile']:.1f}, sampling {a['seconds_sample']:.1f}",
        highlight=False,
    )
    return fitted


def _data(
    study: str, path: Path | None, example: list[str] | None, read: list[str] | None
) -> xr.Dataset:
    from bayesmig.study import load_study

    loaded = load_study(study)
    if path is not None:
        if example:
            raise StudyError("give --data or --example, not both")
        return loaded.read(path, **_pairs(read, loaded, "read"))
    if read:
        raise StudyError("--read says how to read --data, which is not given")
    return loaded.example(**_pairs(example, loaded, "example"))


def _options(study: str, pairs: list[str] | None) -> dict[str, Any]:
    """Read options of the graph by their declared types."""
    from bayesmig.study import load_study

    return _pairs(pairs, load_study(study), "build") if pairs else {}


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
    grid = Table(title=Text(title), box=SIMPLE_HEAD, title_justify="left")
    for name in rows[0]:
        left = name in ("", "check", "where", "where, for one", "detail")
        grid.add_column(str(name), justify="left" if left else "right", no_wrap=name != "detail")
    for row in rows:
        grid.add_row(*map(Text, row.values()))  # not markup
    _console().print(grid, highlight=False)
