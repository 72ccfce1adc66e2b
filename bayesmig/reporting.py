"""One static page on a fit: comparison, priors, checks, diagnostics, audit, model card."""

from __future__ import annotations

import base64
import datetime
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr

from bayesmig import attrs, contract, outputs, panels
from bayesmig.comparison import compare, headline, quantities
from bayesmig.diagnostics import problems
from bayesmig.drawing import svg
from bayesmig.errors import BayesmigError
from bayesmig.groups import Replicated, replicated
from bayesmig.misfits import PROB, misfit
from bayesmig.plots import forest
from bayesmig.printed import SAMPLE_DIMS
from bayesmig.showing import data_title, is_own, tables, title_of
from bayesmig.study import Study, load_study

if TYPE_CHECKING:
    import pandas as pd

MISSED = 10  # groups on the page
LETTERS = 24  # of a line of a label in a forest plot, so narrow that a phone shows them
COLUMNS = {
    "{kind}": "What {source}, with its interval at the probability in brackets, and what is to be "
    "known of it.",
    "posterior mean": "Mean of the draws, with an interval of equal tails at the probability of "
    "the {kind} one, or at that in brackets.",
    "sd": "Standard deviation of the draws.",
    "difference": "Posterior mean less the {kind} number, in {kind} standard errors, beyond 2 of "
    "which they disagree by more than the {kind} interval allows; and in the posterior's standard "
    "deviations, which is what counts where the {kind} error is too small.",
    "overlap": "What both intervals cover, as a share of what either covers: 1 if they are the "
    "same, 0 if they are apart.",
    "width ratio": "Width of the posterior interval over that of the {kind} one, at the same "
    "probability: above 1 the model is less certain.",
    "over prior sets": "The least and the greatest posterior mean over the study's prior sets: far "
    "apart, the prior decides.",
    "contraction": "The share of the prior's variance that the data have taken away: near 1 the "
    "data decide, near 0 the prior does.",
    "ESS": "Effective draws, the lower of bulk and tail: independent draws that would say as much. "
    "From 400 on an interval is to be trusted.",
    "R-hat": "Whether the chains agree: up to 1.01 they do.",
}
# of a card: a picture, and where a stored table begins and ends
PICTURE = re.compile(r"^!\[(?P<words>[^\]]*)\]\((?P<file>[^)]*)\)$", re.M)
MARK = re.compile(r"^<!-- .*? -->\n", re.M)


def report(fitted: xr.DataTree, folder: str | Path, fewest: int = 5) -> Path:
    """Write ``report.html`` into a folder; it opens without a network.

    The graph is built again to draw from the prior and to draw data from the posterior; of a
    fit that has not all that this needs, the page says so.

    Parameters
    ----------
    fitted : DataTree
        A fit, or one from a file.
    folder : str or Path
        Made if it is not there.
    fewest : int
        Cells of fewer people are not shown, where the estimands say of how many people each
        is (a coordinate ``people``), nor are groups of fewer in the pictures of data; 0 shows
        all.

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

    study = load_study(fitted.attrs["study"])
    whole = fitted
    fitted, hidden = without_few(fitted, fewest)
    here = Path(__file__).parent
    template, css, script = (
        (here / f"report.{kind}").read_text(encoding="utf-8") for kind in ("html", "css", "js")
    )
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    environment.filters["number"] = _number
    environment.filters["figures"] = _figures
    own = is_own(fitted.attrs)
    audit = study.audit()
    table = compare(fitted)
    parts = [_part(fitted, name, rows) for name, rows in tables(table).items()]
    priors, unused = _priors(fitted)
    again, unchecked = _again(whole) if quantities(fitted) else (None, "")
    checks = _checks(fitted, again, study, fewest)
    missed = _missed(whole, again, study, fewest)
    diagnostics = attrs.unpack(fitted.attrs, "diagnostics", dict)
    files = {part["file"]: _csv(part["table"]) for part in parts} | {
        "audit": _csv(audit),
        "priors": _csv_of(("parameter", "prior"), priors),
    }
    if missed:
        files["misfit"] = _csv(missed["table"])
    page = environment.from_string(template).render(
        study=study,
        heading=data_title(fitted.attrs) if own else study.title,
        own=own,
        kind=_kind(own),
        columns=_columns(own, *(any(part[k] for part in parts) for k in ("beside", "across"))),
        attrs=fitted.attrs,
        today=datetime.datetime.now(datetime.UTC).date().isoformat(),
        made=str(fitted.attrs.get("made", "")),
        hidden=hidden,
        fewest=fewest,
        left_out=fitted["data"].attrs.get("left_out", "") if "data" in fitted else "",
        problems=problems(fitted),
        clean="" if problems(fitted) else _clean(diagnostics),
        forests=_forests(fitted),
        comparison=parts,
        audit_failed=audit[~audit.holds].to_dict("records"),
        audit_rounded=audit[audit.holds & audit.rounding].to_dict("records"),
        audit_held=audit[audit.holds & ~audit.rounding].to_dict("records"),
        prior_about=str(fitted.attrs["priors"]).partition("\n")[0],
        priors=priors,
        unused=unused,
        options=attrs.unpack(fitted.attrs, "options", dict),
        checks=checks,
        unchecked=unchecked,
        missed=missed,
        diagnostics=diagnostics,
        versions=attrs.unpack(fitted.attrs, "versions", dict),
        card=_html(_model_of(study.card) if own else study.card),
        files=files,
        css=css,
        script=script,
        script_hash=_hash(script),
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


def _kind(own: bool) -> str:
    return "given" if own else "printed"


def _columns(own: bool, beside: bool, across: bool) -> dict[str, str]:
    """A sentence on each column of a comparison."""
    names = {"kind": _kind(own), "source": "the data give" if own else "the paper prints"}
    of_print = ("{kind}", "difference", "overlap", "width ratio")
    absent = {*(() if beside else of_print), *(() if across else ("over prior sets",))}
    return {
        name.format(**names): words.format(**names)
        for name, words in COLUMNS.items()
        if name not in absent
    }


def _part(fitted: xr.DataTree, name: str, rows: pd.DataFrame) -> dict[str, Any]:
    """One table of a comparison, as the page shows it."""
    first = fitted["estimands"].to_dataset()[rows.quantity.iloc[0]]
    dims = [str(dim).replace("_", " ") for dim in first.dims if dim not in SAMPLE_DIMS]
    return {
        "title": title_of(name, rows),
        "file": re.sub(r"\W+", "_", name),
        "what": ", ".join(dims) or "number",
        "beside": bool(rows.published.notna().any()),
        "across": "sets_low" in rows,
        "rows": rows.to_dict("records"),
        "table": rows.drop(columns=["label", "decimals"]),
    }


def _forests(fitted: xr.DataTree) -> list[dict[str, str]]:
    """Forest plots of the headline numbers, or of the first two quantities."""
    if not quantities(fitted):
        return []
    first = headline(fitted)
    groups = [first] if len(first) > 1 else [[name] for name in quantities(fitted)[:2]]
    found = []
    for k, names in enumerate(groups):
        table = compare(fitted, None, names)
        figure = forest(fitted, table, names, LETTERS)
        figure.suptitle("")  # the page has it
        known = table[table.overlap.notna()]
        words = f"{', '.join(name.replace('_', ' ') for name in names)}: "
        words += f"posterior means and intervals of {len(table)} numbers"
        alt = f"Forest plot of {words}"
        if len(known):
            kind = _kind(is_own(fitted.attrs))
            both = f"{int((known.overlap > 0).sum())} of {len(known)} intervals overlap"
            words += f", and the {kind} ones; {both}"
            alt += f" beside the {kind} ones; {both}"
        found.append({"svg": svg(figure, f"forest{k}"), "alt": f"{alt}.", "words": f"{words}."})
    return found


def _again(whole: xr.DataTree) -> tuple[Replicated | None, str]:
    """Draw from prior and posterior, and say what cannot be drawn."""
    try:
        again = replicated(whole)
    except (BayesmigError, NotImplementedError) as error:  # a distribution that cannot be drawn
        return None, f"Nothing was drawn from the prior, and no data from the posterior: {error}."
    if again.prior is None:
        return again, "The prior is not drawn: a factor of it (a potential) is in no draw."
    return again, ""


def _checks(
    shown: xr.DataTree, again: Replicated | None, study: Study, fewest: int
) -> list[tuple[str, dict[str, str]]]:
    """Pictures of draws, priors and data."""
    if not quantities(shown):
        return []
    found = [("Do the chains agree?", panels.ranks(shown))]
    if again is not None and again.prior is not None:
        prior = panels.prior_posterior(shown, again.prior)
        found.append(("What do the priors decide?", prior))
    if again is not None:
        for name, seen in again.observed.items():
            if not seen.size:
                continue
            panel = panels.predictive(seen.values, again.drawn[name], _of_people(study), fewest)
            title = f"Does the model draw data like these? {str(name).replace('_', ' ')}"
            found.append((title, panel))
    return [
        (title, {"svg": svg(panel.figure, f"check{k}"), "alt": panel.alt, "words": panel.words})
        for k, (title, panel) in enumerate(found)
    ]


def _of_people(study: Study) -> bool:
    return study.people is None or bool(study.people)


def _missed(
    whole: xr.DataTree, again: Replicated | None, study: Study, fewest: int
) -> dict[str, Any] | None:
    """Groups that the model misses most, those of few people left out."""
    if again is None or (study.people and study.ability(contract.Groups) is None):
        return None
    beside = whole.copy()
    beside["observed_data"] = xr.DataTree(again.observed)
    beside["posterior_predictive"] = xr.DataTree(again.drawn)
    table = misfit(beside)
    if _of_people(study):
        counted = [name for name, seen in again.observed.items() if seen.dtype.kind in "iu"]
        few = table.variable.isin(counted) & (table[["observed", "expected"]].min(axis=1) < fewest)
        table = table[~few]
    if table.empty:
        return None
    outside = ((table.observed < table.low) | (table.observed > table.high)).mean()
    names = ", ".join(dict.fromkeys(name.replace("_", " ") for name in table.by))
    words = (
        f"{len(table)} sums of what was observed (by {names}) beside what the posterior draws: "
        f"{outside:.0%} are beyond their {PROB:.0%} interval, where a model that is right has a "
        "tenth or fewer, for it has seen these data.  The farthest from it, in standard "
        "deviations of the draws:"
    )
    return {"words": words, "table": table, "rows": table.head(MISSED).to_dict("records")}


def _priors(fitted: xr.DataTree) -> tuple[list[tuple[str, str]], list[str]]:
    """Names and priors of the set that the graph has, and names of the others."""
    lines = re.findall(r"^  (\w+) +(.*(?:\n(?!  \w).*)*)", str(fitted.attrs["priors"]), flags=re.M)
    free = set(map(str, fitted["posterior"].data_vars))
    known = [(name, words.strip()) for name, words in lines if name in free]
    return known, [name for name, _ in lines if name not in free]


def _csv(table: pd.DataFrame) -> str:
    return str(table.map(outputs.cell).to_csv(index=False))


def _csv_of(columns: tuple[str, ...], rows: list[tuple[str, str]]) -> str:
    import pandas as pd

    return _csv(pd.DataFrame(rows, columns=list(columns)))


def _hash(script: str) -> str:
    """The source of scripts that the page's own policy allows: this one and no other."""
    digest = hashlib.sha256(script.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"


def _html(card: str) -> str:
    """Render a model card below the page's own headings, its tables as the page's are."""
    from markdown_it import MarkdownIt

    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    # a page loads nothing: what a card's pictures draw stands in the tables below them
    alone = PICTURE.sub(r"\g<words>: drawn in `\g<file>` beside the card.", MARK.sub("", card))
    tokens, heads, column = reader.parse(alone), [""], 0
    for at, token in enumerate(tokens):
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + 2)}"
        elif token.type == "table_open":
            token.attrSet("class", "rows")
            heads = []
        elif token.type == "tr_open":
            column = 0
        elif token.type == "th_open":
            token.attrSet("scope", "col")
            heads.append(tokens[at + 1].content)
        elif token.type == "td_open":
            token.attrSet("data-label", heads[column])
            column += 1
    return str(reader.renderer.render(tokens, reader.options, {}))


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


def _figures(value: float) -> str:
    """Print what may be of any size: four figures, or all before the point."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _number(value: float, digits: int, sign: str = "") -> str:
    """Print a number, or a dash where there is none."""
    return "–" if value != value else f"{value:{sign}.{digits}f}"
