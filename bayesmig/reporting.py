"""One static page on a fit: comparison, priors, diagnostics, audit, model card."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import xarray as xr

from bayesmig import attrs, outputs
from bayesmig.comparison import (
    compare,
    data_title,
    headline,
    is_own,
    quantities,
    tables,
    title_of,
)
from bayesmig.diagnostics import problems
from bayesmig.plots import plot_compare
from bayesmig.study import load_study


def report(fitted: xr.DataTree, folder: str | Path, fewest: int = 5) -> Path:
    """Write ``report.html`` into a folder; it opens without a network.

    Parameters
    ----------
    fitted : DataTree
        A fit, or one from a file.
    folder : str or Path
        Made if it is not there.
    fewest : int
        Cells of fewer people are not shown, where the estimands say of how many people each
        is (a coordinate ``people``); 0 shows all.

    Returns
    -------
    Path
        Of the page, written whole or not at all.

    Examples
    --------
    >>> import bayesmig as bm
    >>> bm.report(fit, "out").as_posix()
    'out/report.html'
    """
    import jinja2
    from markdown_it import MarkdownIt

    study = load_study(fitted.attrs["study"])
    fitted, hidden = without_few(fitted, fewest)
    template = (Path(__file__).parent / "report.html").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    own = is_own(fitted.attrs)
    audit = study.audit()
    diagnostics = attrs.unpack(fitted.attrs, "diagnostics", dict)
    table = compare(fitted).assign(given=lambda t: t.published.notna())
    environment.filters["number"] = _number
    card = _model_of(study.card) if own else study.card
    page = environment.from_string(template).render(
        study=study,
        heading=data_title(fitted.attrs) if own else study.title,
        own=own,
        kind="given" if own else "printed",
        attrs=fitted.attrs,
        hidden=hidden,
        fewest=fewest,
        left_out=fitted["data"].attrs.get("left_out", "") if "data" in fitted else "",
        problems=problems(fitted),
        clean="" if problems(fitted) else _clean(diagnostics),
        plot=_png(fitted) if quantities(fitted) else "",
        comparison={title_of(n, t): t.to_dict("records") for n, t in tables(table).items()},
        audit_failed=audit[~audit.holds].to_dict("records"),
        audit_held=audit[audit.holds].to_dict("records"),
        options=attrs.unpack(fitted.attrs, "options", dict),
        diagnostics=diagnostics,
        versions=attrs.unpack(fitted.attrs, "versions", dict),
        card=MarkdownIt("commonmark", {"html": False}).enable("table").render(card),
    )
    return outputs.write(Path(folder) / "report.html", page)


def without_few(fitted: xr.DataTree, fewest: int) -> tuple[xr.DataTree, int]:
    """Return a fit without the estimands of fewer people, and the number of cells left out.

    Parameters
    ----------
    fitted : DataTree
        Its estimands may have a coordinate ``people`` along the dim that labels cells.
    fewest : int
    """
    estimands = fitted["estimands"].to_dataset()
    if "people" not in estimands.coords:
        return fitted, 0
    people = estimands["people"]
    (dim,) = people.dims
    few = people.values < fewest
    if not few.any():
        return fitted, 0
    kept = estimands.isel({dim: ~few})
    published = fitted["published"].to_dataset()
    if str(dim) in published:
        gone = set(map(str, estimands[dim].values[few]))
        published = published.isel(row=[str(v) not in gone for v in published[str(dim)].values])
    shown = fitted.copy()
    shown["estimands"], shown["published"] = xr.DataTree(kept), xr.DataTree(published)
    return shown, int(few.sum())


def _model_of(card: str) -> str:
    """Return of a model card what is true of other data than the paper's too."""
    parts = re.split(r"^(?=## )", card, flags=re.M)
    return "".join(part for part in parts if part.startswith(("## The model", "## Priors")))


def _clean(diagnostics: Mapping[str, Any]) -> str:
    worst = {
        name: diagnostics[name]["worst"]
        for name in ("rhat", "ess_bulk", "ess_tail")
        if name in diagnostics
    }
    return (
        f"No divergences; worst R-hat {worst.get('rhat', float('nan')):.4f}, "
        f"bulk ESS {worst['ess_bulk']:.0f}, tail ESS {worst['ess_tail']:.0f} "
        "over all parameters and quantities."
    )


def _number(value: float, digits: int, sign: str = "") -> str:
    """Print a number, or a dash where there is none."""
    return "–" if value != value else f"{value:{sign}.{digits}f}"


def _png(fitted: xr.DataTree) -> str:
    buffer = io.BytesIO()
    first = headline(fitted)
    shown = first if len(first) > 1 else quantities(fitted)[:2]
    plot_compare(fitted, shown).savefig(buffer, format="png", dpi=130)
    return base64.b64encode(buffer.getvalue()).decode("ascii")
