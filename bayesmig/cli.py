"""The same verbs from a shell, from list to report."""

from __future__ import annotations

import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from bayesmig import shell
from bayesmig.errors import DataError, PriorError, StudyError
from bayesmig.outputs import check as check_output
from bayesmig.outputs import shown as plain
from bayesmig.shell import STDOUT
from bayesmig.signals import stopping
from bayesmig.waits import waiting

app = typer.Typer(
    no_args_is_help=True,
    help="Published migration models, each posterior beside the printed number.",
)


def _studies(incomplete: str) -> list[str]:
    from bayesmig.study import list_studies

    return [name for name in list_studies() if name.startswith(incomplete)]


def _version(wanted: bool) -> None:
    if wanted:
        from bayesmig import __version__

        print(f"bayesmig {__version__}")
        raise typer.Exit


StudyName = Annotated[
    str, typer.Argument(help="a study; `bayesmig list` names them", autocompletion=_studies)
]
Format = Annotated[
    Literal["table", "csv", "json"],
    typer.Option("--format", help="for people, spreadsheets or programs"),
]
To = Annotated[Path, typer.Option("--output", help="a file; - is standard output")]
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

Respondents = Annotated[
    bool,
    typer.Option(
        "--with-respondents/--without-respondents", help="whether the fit carries their data"
    ),
]
EveryBit = Annotated[
    bool,
    typer.Option("--every-bit", help="keep draws as they are, in more than twice the room"),
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


@app.callback()
def _before(
    version: Annotated[
        bool,
        typer.Option("--version", help="print the version", is_eager=True, callback=_version),
    ] = False,
) -> None:
    pass


@app.command("list")
def list_(form: Format = "table", output: To = STDOUT) -> None:
    """List the studies."""
    from bayesmig.study import list_studies, load_study

    rows = [{"name": name, "title": load_study(name).title} for name in list_studies()]
    shell.put(rows, form, output, lambda: "\n".join(f"{r['name']}: {r['title']}" for r in rows))


@app.command()
def audit(
    study: StudyName,
    everything: Annotated[bool, typer.Option("--all", help="also the checks that hold")] = False,
    form: Format = "table",
    output: To = STDOUT,
) -> None:
    """Check the printed numbers against each other and against the prose."""
    from bayesmig.showing import findings
    from bayesmig.study import load_study

    table = load_study(study).audit()
    shown = table if everything else table[~table.holds]
    shell.put(shown, form, output, lambda: findings(table, everything))


@app.command()
def priors(
    study: StudyName,
    which: Annotated[str | None, typer.Argument(help="a set or a TOML file; default: all")] = None,
    toml: Annotated[bool, typer.Option("--toml", help="as a TOML file to edit")] = False,
    form: Format = "table",
    output: To = STDOUT,
) -> None:
    """Print the prior sets of a study and in what they differ, or one of them."""
    from bayesmig.study import load_study

    loaded = load_study(study)
    chosen = [loaded.priors(name) for name in ([which] if which else loaded.prior_sets)]

    def text() -> str:
        parts = [found.to_toml() if toml else str(found) for found in chosen]
        usual, rest = loaded.priors(), [one for one in chosen if one.name != "default"]
        if rest and not which and not toml:
            width = max(len(one.name) for one in rest)
            parts.append(
                "\n".join(
                    ["In what they differ from the default:"]
                    + [f"  {o.name:<{width}}  {', '.join(o.differences(usual))}" for o in rest]
                )
            )
        return "\n\n".join(parts) + "\n"

    rows = [{"set": one.name, **row} for one in chosen for row in one.rows()]
    shell.put(rows, form, output, text)


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
    respondents: Respondents = True,
    every_bit: EveryBit = False,
) -> None:
    """Fit a study and save the draws."""
    for pair in option or []:
        name, _, value = pair.partition("=")
        if name in ("draws", "tune", "chains", "seed"):
            raise StudyError(f"{name} is no option of the graph: --{name} {value}")
    shell.check_free(output)
    chosen, options = shell.data_and_options(study, data, example, read, option)
    fitted = shell.fit(
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
    shell.save(fitted, output, respondents, every_bit)
    print(f"saved {output}; next: bayesmig compare {output}")


@app.command()
def recover(
    path: Annotated[Path, typer.Argument(help="the fit that was to be saved, or FIT.draws")],
    output: Annotated[Path | None, typer.Option("--output", help="where to save it")] = None,
    respondents: Respondents = True,
    every_bit: EveryBit = False,
) -> None:
    """Save a fit of what a run that was killed had finished."""
    from bayesmig import keeping
    from bayesmig.fitting import recover as recovered

    folder = keeping.found(path)
    if output is None:
        if folder.suffix != ".draws":
            raise StudyError(f"--output says where to save the fit of {folder}")
        output = folder.with_suffix("")
    check_output(output)
    fitted = shell.saying(lambda: recovered(folder))
    shell.save_as(fitted, output, respondents, every_bit)
    print(f"saved {output}; next: bayesmig compare {output}")
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
    csv: Annotated[Path | None, typer.Option(help="the same as --format csv --output")] = None,
    form: Format = "table",
    output: To = STDOUT,
) -> None:
    """Print the posterior beside the printed numbers."""
    from bayesmig.comparison import compare as compare_fit
    from bayesmig.comparison import headline
    from bayesmig.saving import open_fit

    if csv is not None:
        form, output = "csv", csv
    shell.check_folder(output)
    fitted = open_fit(path)
    if form == "table":
        parts = [[name] for name in quantity] if quantity else [headline(fitted)]
        shell.put_comparisons([compare_fit(fitted, ci_prob, names) for names in parts], output)
    else:
        shell.put(compare_fit(fitted, ci_prob, quantity), form, output)


@app.command()
def summary(
    path: FitPath,
    quantity: Annotated[list[str] | None, typer.Option("--quantity", "-q")] = None,
    ci_prob: Annotated[float | None, typer.Option(help="probability of the intervals")] = None,
    form: Format = "table",
    output: To = STDOUT,
) -> None:
    """Print every estimand, with print beside it where there is any."""
    from bayesmig.comparison import summary as summary_of
    from bayesmig.saving import open_fit

    shell.check_folder(output)
    table = summary_of(open_fit(path), ci_prob, quantity)
    if form == "table":
        shell.put_comparisons([table], output)
    else:
        shell.put(table, form, output)


@app.command()
def check(study: StudyName) -> None:
    """Try whether a study keeps the contract; a short fit is part of it."""
    from bayesmig.study import load_study
    from bayesmig.testing import check_study

    with waiting(f"trying {study}", f"check {study}"):
        check_study(load_study(study))
    print(f"{study} keeps the contract.")


@app.command()
def report(
    path: FitPath,
    output: Annotated[Path, typer.Option("--output", help="folder")] = Path("out"),
    fewest: Annotated[int, typer.Option(help="people of the smallest cell shown; 0: all")] = 5,
) -> None:
    """Write report.html for a saved fit."""
    from bayesmig.saving import open_fit

    check_output(output / "report.html")
    fitted = open_fit(path)
    print(f"wrote {shell.write_report(fitted, output, fewest)}")


@app.command()
def calibrate(
    study: StudyName,
    example: Which = None,
    data: DataFile = None,
    read: How = None,
    prior: PriorChoice = None,
    n: Annotated[int, typer.Option(help="simulated data sets")] = 200,
    draws: Annotated[int, typer.Option(help="draws of each chain, after as many for tuning")] = 600,
    chains: Annotated[int, typer.Option(help="chains of each refit")] = 1,
    truth: Annotated[
        str, typer.Option(help="prior, or example: the example's own estimates")
    ] = "prior",
    seed: Annotated[int, typer.Option()] = 1,
    workers: Annotated[int, typer.Option(help="refits at once")] = 2,
    scheduler: Annotated[
        str | None,
        typer.Option(help="of Dask, by address or file: its workers refit; local: processes here"),
    ] = None,
    keep: Annotated[
        Path, typer.Option(help="folder of results so far: a run that was killed goes on")
    ] = Path("out/calibrations"),
    option: Pairs = None,
    form: Format = "table",
    output: To = STDOUT,
) -> None:
    """Simulate data of known truth, refit each, and count how often the intervals hold it."""
    from bayesmig.calibration import calibrate as run
    from bayesmig.calibration import coverage
    from bayesmig.clusters import dask_executor
    from bayesmig.showing import markdown
    from bayesmig.study import load_study

    loaded = load_study(study)
    if truth not in ("prior", "example"):
        raise StudyError(f"truth={truth!r}; valid: prior, example")
    if truth == "example" and data is not None:
        raise StudyError("--truth example simulates the study's example, not --data")
    which = shell.arguments(example, loaded, "example") if truth == "example" else {}
    started = time.perf_counter()
    chosen, options = shell.data_and_options(study, data, example, read, option)
    key = f"calibrate {study}, {chains} x {draws} draws"
    on = dask_executor(scheduler, workers) if scheduler else nullcontext()
    with on as executor, waiting(f"refitting {n} simulated data sets of {study}", key, n) as wait:
        found = run(
            loaded,
            chosen,
            prior,
            n=n,
            draws=draws,
            tune=draws,
            chains=chains,
            seed=seed,
            simulate=(lambda s: loaded.simulate(seed=s, **which)) if truth == "example" else None,
            workers=workers,
            executor=executor,
            keep=keep,
            **options,
        )
        wait.whole = not found.attrs["interrupted"]
    table = coverage(found)
    lines = [markdown(table)]
    if table.attrs["interrupted"]:
        lines.append(f"{table.attrs['interrupted']}; the same words go on from there")
    lines.append(
        f"{table.attrs['n']} data sets, truth {table.attrs['truth']}, "
        f"{table.attrs['again']} refits made again, {table.attrs['divergences']} divergences, "
        f"{time.perf_counter() - started:.0f} s"
    )
    if form != "table":
        print(*lines[1:], sep="\n", file=sys.stderr)
    shell.put(table.reset_index(), form, output, lambda: "\n".join(lines))


@app.command()
def demo(
    study: Annotated[str | None, typer.Argument(help="a study; default: the first")] = None,
    output: Annotated[Path, typer.Option("--output", help="folder")] = Path("out"),
) -> None:
    """Audit, fit the example, compare with print, write a report."""
    from rich.console import Console

    from bayesmig.showing import print_comparison, print_rows
    from bayesmig.study import list_studies, load_study

    started = time.perf_counter()
    saved = output / "fit.nc"
    check_output(output / "report.html")
    shell.check_free(saved)
    loaded = load_study(study or list_studies()[0])
    console = Console()
    console.rule(f"[bold]{loaded.name}[/bold]: {loaded.title}")
    table = loaded.audit()
    failed = table[~table.holds]
    console.print(
        f"\n1. The printed numbers: {len(failed)} of {len(table)} checks do not hold.  "
        f"`bayesmig audit {loaded.name}` says which and why."
    )
    print_rows(
        [
            {"check": str(check), "fails": str(len(rows)), "where, for one": rows["where"].iloc[0]}
            for check, rows in failed.groupby("check", sort=False)
        ],
        "",
        console,
    )
    data = loaded.example()
    kind = "SYNTHETIC" if data.attrs["synthetic"] else "as printed"
    console.print(plain(f"\n2. The fit: {data.attrs['title']} ({kind})."), markup=False)
    fitted = shell.fit(loaded.name, data, None, saved)
    shell.save(fitted, saved)

    from bayesmig.comparison import compare as compare_fit
    from bayesmig.comparison import headline, quantities

    console.print("\n3. Posterior and print")
    shown = headline(fitted)
    print_comparison(compare_fit(fitted, quantity=shown), console)
    page = shell.write_report(fitted, output)
    console.print(
        f"\n4. Report: {page.resolve()} (open it in a browser); draws: {saved}", soft_wrap=True
    )
    rest = [name for name in quantities(fitted) if name not in shown]
    more = f"; `bayesmig compare {saved} -q {rest[0]}` compares the rest" if rest else ""
    notebook = Path("notebooks") / f"{loaded.name}.ipynb"
    shows = f"{notebook} plugs in another prior; " if notebook.is_file() else ""
    console.print(
        f"5. Next: {shows}`bayesmig priors {loaded.name}` shows those there are{more}.",
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
