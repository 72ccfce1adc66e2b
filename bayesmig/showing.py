"""Tables as a terminal, a notebook, a spreadsheet and a program want them."""

from __future__ import annotations

import html
import io
import json
import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bayesmig.outputs import cell
from bayesmig.outputs import shown as plain

if TYPE_CHECKING:
    from rich.console import Console

Rows = Sequence[Mapping[str, str]]
MOST = 60  # rows of a table that shows itself
LEFT = ("", "check", "where", "where, for one", "detail", "about", "name", "title")


class Comparison(pd.DataFrame):  # type: ignore[misc]  # pandas has no types
    """A comparison that prints its numbers where they fit; a DataFrame in all else.

    What is taken out of it is a plain DataFrame.
    """

    full = False  # whether it prints every column

    def __repr__(self) -> str:
        if self.full or not len(self):
            return str(self.to_string(line_width=shutil.get_terminal_size().columns))
        return _text(lambda console: print_comparison(self, console, MOST))

    __str__ = __repr__

    def _repr_html_(self) -> str:
        if self.full or not len(self):
            return str(self.to_html())
        return "".join(
            f"<p><b>{html.escape(title)}</b></p>{_html(_cut(rows, MOST))}"
            for title, rows in comparison_rows(self).items()
        )


class Findings(pd.DataFrame):  # type: ignore[misc]  # pandas has no types
    """An audit that prints its words whole; a DataFrame in all else."""

    def __repr__(self) -> str:
        return findings(self)

    __str__ = __repr__

    def _repr_html_(self) -> str:
        failed = self[~self.holds]
        rows = failed[["check", "where", "detail"]].astype(str).to_dict("records")
        return f"<p>{_count(self)}</p>{_html(rows)}"


def findings(table: pd.DataFrame, everything: bool = False) -> str:
    """Say in words what does not hold of an audit, or all of it."""
    lines = []
    shown = table if everything else table[~table.holds]
    for check, rows in shown.groupby("check", sort=False):
        lines.append(f"\n{check}")
        for row in rows.itertuples():
            held = "within rounding" if row.rounding else "holds"
            lines.append(f"  {row.where}\n    {f'({held}) ' if row.holds else ''}{row.detail}")
    return "\n".join([*lines, "", _count(table)])


def _count(table: pd.DataFrame) -> str:
    rounded = int(table["rounding"].sum()) if "rounding" in table else 0
    within = f"; of those that do, {rounded} by rounding only" if rounded else ""
    return f"{(~table.holds.astype(bool)).sum()} of {len(table)} checks do not hold{within}."


def is_own(attrs: Mapping[Any, Any]) -> bool:
    """Whether data are a user's own, of which the paper says nothing."""
    return bool(attrs.get("own_data", 0))


def tables(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Cut a comparison into tables to show: numbers without coordinates together, then by quantity.

    Each has columns ``label``, the coordinates or, where there are none, the quantity with
    its units; and ``decimals``, the digits after the point with which the quantity is printed.
    """
    scalar = table.coordinates == ""
    words = table.quantity.str.replace("_", " ") + " (" + table.units + ")"
    digits = table.published.map(_decimals).where(table.published.notna(), table.sd.map(_digits))
    digits = digits.astype(int).groupby(table.quantity).transform("max")
    table = table.assign(label=table.coordinates.where(~scalar, words), decimals=digits)
    named = dict.fromkeys(table.quantity[~scalar])
    parts = {"headline numbers": table[scalar]} if scalar.any() else {}
    return parts | {n.replace("_", " "): table[~scalar & (table.quantity == n)] for n in named}


def title_of(name: str, table: pd.DataFrame) -> str:
    """Name one of the `tables` with its units, where its rows do not say them."""
    several = (table.coordinates == "").any()
    return name if several or not len(table) else f"{name}, {table.units.iloc[0]}"


def data_title(attrs: Mapping[Any, Any]) -> str:
    """Title of the data of a fit or a comparison, which says so if they are synthetic."""
    title = str(attrs["data_title"])
    plain = attrs["synthetic"] and not title.startswith("SYNTHETIC")
    return f"SYNTHETIC DATA: {title}" if plain else title


def _decimals(estimate: float) -> int:
    """Digits after the point with which a number is printed."""
    return 0 if np.isnan(estimate) else len(f"{estimate:.10f}".rstrip("0").partition(".")[2])


def _digits(sd: float) -> int:
    """Digits after the point that show two of a standard deviation."""
    return int(np.clip(1 - np.floor(np.log10(sd)), 0, 8)) if sd > 0 else 0


def comparison_rows(comparison: pd.DataFrame) -> dict[str, Rows]:
    """Cells of a comparison by title: a table a quantity, or one for all without coordinates."""
    kind = "given" if is_own(comparison.attrs) else "printed"
    found: dict[str, Rows] = {}
    for name, table in tables(pd.DataFrame(comparison)).items():
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
            if "sets_low" in table:
                ends = (f"{end:,.{row.decimals}f}" for end in (row.sets_low, row.sets_high))
                cells["prior sets"] = " to ".join(ends)
            elif beside:
                cells["wider by"] = _or_blank(row.width_ratio, 1)
            else:
                cells |= {"ESS": _or_blank(row.ess, 0), "R-hat": _or_blank(row.r_hat, 3)}
            if not row.coordinates:
                cells["contraction"] = _or_blank(row.contraction, 2)
            shown.append(cells)
        found[f"{data_title(comparison.attrs)}: {title_of(name, table)}"] = shown
    return found


def print_comparison(comparison: pd.DataFrame, console: Console, most: int | None = None) -> None:
    """Print `comparison_rows`, perhaps not more than some rows of each table."""
    for title, rows in comparison_rows(comparison).items():
        print_rows(_cut(rows, most), title, console)


def _cut(rows: Rows, most: int | None) -> Rows:
    """Leave out the middle of a long table, and say how much."""
    if most is None or len(rows) <= most:
        return rows
    left = dict.fromkeys(rows[0], "") | {"": f"... {len(rows) - most} rows more"}
    return [*rows[: most // 2], left, *rows[-(most // 2) :]]


def print_rows(rows: Rows, title: str, console: Console) -> None:
    """Print a table; nothing of it is markup, or obeyed by a terminal."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    if not rows:
        return
    grid = Table(title=Text(plain(title)), box=SIMPLE_HEAD, title_justify="left")
    for name in rows[0]:
        justify: Any = "left" if name in LEFT else "right"
        grid.add_column(str(name), justify=justify, no_wrap=name not in ("detail", "about"))
    for row in rows:
        grid.add_row(*(Text(plain(value)) for value in row.values()))
    console.print(grid, highlight=False)


def markdown(table: pd.DataFrame) -> str:
    """Write a table of numbers as Markdown, ready for a model card."""
    head = [table.index.name or "", *map(str, table.columns)]
    rows = [
        [str(name), *(f"{v:.3f}" for v in row)]
        for name, row in zip(table.index, table.to_numpy(), strict=True)
    ]
    lines = [head, ["---", *["---:"] * len(table.columns)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def as_csv(table: pd.DataFrame) -> str:
    """Write a table as CSV of which a spreadsheet runs nothing."""
    return str(table.map(cell).to_csv(index=False))


def as_json(table: pd.DataFrame) -> str:
    """Write a table as JSON, a record a row; null where there is no number.

    Examples
    --------
    >>> print(as_json(pd.DataFrame({"rate": [0.5, float("nan")]})))
    [
      {"rate": 0.5},
      {"rate": null}
    ]
    """
    records = table.astype(object).where(table.notna(), None).to_dict("records")
    lines = ",\n".join(f"  {json.dumps(row, ensure_ascii=False, default=_item)}" for row in records)
    return f"[\n{lines}\n]" if records else "[]"


def _item(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else str(value)


def _text(show: Callable[[Console], None]) -> str:
    """What a console would show, as text of the terminal's width."""
    from rich.console import Console

    width = shutil.get_terminal_size().columns
    console = Console(file=io.StringIO(), width=width, color_system=None)
    show(console)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]  # a StringIO
    return "\n".join(line.rstrip() for line in lines).strip("\n")


def _html(rows: Rows) -> str:
    if not rows:
        return ""
    head = "".join(f"<th>{html.escape(name)}</th>" for name in rows[0])
    body = "".join(
        f"<tr>{''.join(f'<td>{html.escape(value)}</td>' for value in row.values())}</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


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
