"""What the commands share: a fit with its draws kept, a user's words as arguments, tables out."""

from __future__ import annotations

import errno
import io
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bayesmig.errors import ConvergenceWarning, DataWarning, StudyError
from bayesmig.outputs import check as check_output
from bayesmig.outputs import shown as plain
from bayesmig.outputs import write
from bayesmig.waits import waiting

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from bayesmig.study import Study

STDOUT = Path("-")


def fit(study: str, data: xr.Dataset, priors: Any, output: Path, **settings: Any) -> xr.DataTree:
    """Fit with progress, draws kept beside the output, and say what was done."""
    from rich.console import Console

    out = Console()
    from bayesmig import keeping
    from bayesmig.fitting import fit as fit_study

    folder = keeping.beside(output)
    try:
        fitted = saying(lambda: fit_study(study, data, priors, keep=folder, **settings))
    except KeyboardInterrupt:
        if sum(keeping.counted(folder)):
            print(f"stopped; `bayesmig recover {output}` saves the draws that there are")
        elif folder.is_dir():
            keeping.discard(folder)
        raise
    a = fitted.attrs
    out.print(
        f"   priors {a['prior_set']}; {a['chains']} chains of {a['draws']} draws, seed "
        f"{a['seed']}, {a['sampler']}\n   seconds: graph {a['seconds_build']:.1f}, compilation "
        f"{a['seconds_compile']:.1f}, sampling {a['seconds_sample']:.1f}",
        highlight=False,
        markup=False,
    )
    return fitted


def save(
    fitted: xr.DataTree, output: Path, respondents: bool = True, every_bit: bool = False
) -> None:
    """Save a fit; the draws beside it are then of no use."""
    from bayesmig import keeping

    folder = keeping.beside(output)
    try:
        save_as(fitted, output, respondents, every_bit)
    except BaseException as error:
        error.add_note(f"the draws are in {folder}: `bayesmig recover {output}` saves them")
        raise
    keeping.discard(folder)


def save_as(fitted: xr.DataTree, output: Path, respondents: bool, every_bit: bool) -> None:
    """Save a fit, with as many digits as asked for."""
    from bayesmig.saving import KEPT, save_fit

    save_fit(fitted, output, respondents, digits=None if every_bit else KEPT)


def check_free(output: Path) -> None:
    """Raise, before anything long, if a fit could not be saved or would hide another run's."""
    from bayesmig import keeping

    check_output(output)
    keeping.refuse_leftover(keeping.beside(output))


def saying(work: Callable[[], xr.DataTree]) -> xr.DataTree:
    """Do something, and say what was warned of in one line each."""
    from rich.console import Console

    out = Console()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        warnings.simplefilter("always", DataWarning)
        done = work()
    for warning in caught:
        if issubclass(warning.category, ConvergenceWarning):
            out.print("not to be trusted as it is:", style="bold red", end=" ")
            out.print(plain(warning.message), markup=False, highlight=False)
        elif issubclass(warning.category, DataWarning):
            out.print(plain(warning.message), markup=False, highlight=False)
        else:
            warnings.warn_explicit(
                warning.message, warning.category, warning.filename, warning.lineno
            )
    return done


def data_and_options(
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
    options = arguments(option, loaded, "build")
    if path is None:
        if read:
            raise StudyError("--read says how to read --data, which is not given")
        return loaded.example(**arguments(example, loaded, "example")), options
    if example:
        raise StudyError("give --data or --example, not both")
    how = arguments(read, loaded, "read")
    valid = loaded.arguments("read") if options else {}
    data = loaded.read(path, **{**{n: v for n, v in options.items() if n in valid}, **how})
    brought = attrs.unpack(data.attrs, "options", dict) if "options" in data.attrs else {}
    return data, {**options, **brought}


def arguments(pairs: list[str] | None, study: Study, verb: str) -> dict[str, Any]:
    """Read name=value words as arguments of one of a study's verbs."""
    from bayesmig.options import parse

    if not pairs:
        return {}
    words = {"build": "option", "example": "argument of example", "read": "argument of read"}
    return parse(pairs, study.arguments(verb), words[verb])


def write_report(fitted: xr.DataTree, folder: Path, fewest: int = 5) -> Path:
    """Write a report, and say before how long that takes."""
    study = fitted.attrs["study"]
    with waiting(f"drawing from prior and posterior of {study}", f"report {study}"):
        from bayesmig.reporting import report

        return report(fitted, folder, fewest)


def check_folder(output: Path) -> None:
    """Raise, before anything long, if a table could not be written."""
    if output != STDOUT and not output.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "no such folder", str(output.parent))


def put(
    rows: pd.DataFrame | list[dict[str, str]],
    form: str,
    output: Path,
    text: Callable[[], str] = str,
) -> None:
    """Write a table in one of the formats to a file or to standard output."""
    check_folder(output)
    if form == "table":
        content = text()
    else:
        import pandas as pd

        from bayesmig import showing

        content = {"csv": showing.as_csv, "json": showing.as_json}[form](pd.DataFrame(rows))
    content = content.removesuffix("\n") + "\n"
    if output == STDOUT:
        sys.stdout.write(content)
        return
    write(output, content)
    print(f"wrote {output}: {len(rows)} rows")


def put_comparisons(found: list[pd.DataFrame], output: Path) -> None:
    """Print comparisons for people, or write what would be printed to a file."""
    from rich.console import Console

    from bayesmig.showing import print_comparison

    if output == STDOUT:
        for table in found:
            print_comparison(table, Console())
        return
    buffer = io.StringIO()
    for table in found:
        print_comparison(table, Console(file=buffer, width=200))
    write(output, buffer.getvalue())
    print(f"wrote {output}: {sum(map(len, found))} rows")
