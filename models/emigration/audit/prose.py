"""The prose: one function per kind of claim, each giving (holds, what the tables have)."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import pairwise
from statistics import linear_regression, mean
from typing import Any

from bayesmig.audit import Claim, Finding, Verdict, judged
from bayesmig.models.emigration.audit.intervals import multipliers, net_half, worth
from bayesmig.models.emigration.audit.report import (
    COMPONENTS,
    HALF,
    NON_NEGATIVE,
    ROUNDED,
    Z90,
    Z95,
    Report,
    listed,
    numbers_of,
    place_of,
    table_of,
    words_of,
)
from bayesmig.printed import EPS

Judge = Callable[[Report, Claim], Verdict]


def _equal(stated: str, printed: float) -> bool:
    """Equal at the precision that the statement has."""
    decimals = len(stated.partition(".")[2])
    return abs(float(stated) - printed) <= 0.5 * 10**-decimals + EPS


def _falling(values: Iterable[float]) -> bool:
    return all(a > b for a, b in pairwise(values))


def _estimate(report: Report, claim: Claim) -> Verdict:
    stated, component = claim["stated"], claim["component"]
    row = report.rows[table_of(claim), claim["panel"], claim["row"]]
    printed = row[component].estimate
    if _equal(stated, printed):
        return True, f"printed {printed:.1f}"
    fits = [words_of(name) for name in COMPONENTS if _equal(stated, row[name].estimate)]
    elsewhere = f"; {stated} is the row's {' and '.join(fits)}" if fits else ""
    return False, f"stated {stated} of {words_of(component)}, printed {printed:.1f}{elsewhere}"


def _bound(which: str) -> Judge:
    def judge(report: Report, claim: Claim) -> Verdict:
        printed = getattr(report.cell(claim), which)
        detail = f"stated {claim['stated']}, printed {printed:.2f}"
        return abs(float(claim["stated"]) - printed) <= HALF + EPS, detail

    return judge


def _se(report: Report, claim: Claim) -> Verdict:
    at = (table_of(claim), claim["panel"], claim["row"]), claim["component"]
    printed = [se for key, component, se, *_ in multipliers(report) if (key, component) == at]
    return printed == [float(claim["stated"])], f"stated {claim['stated']}, printed {printed}"


def _ci_prob(report: Report, claim: Claim) -> Verdict:
    cells = [cell for cell in report.records("cells") if int(cell["table"]) == table_of(claim)]
    printed = {round(100 * float(cell["ci_prob"]), 6) for cell in cells}
    ranges = [(least, most) for *_, least, most in multipliers(report)]
    least, most = max(a for a, _ in ranges), min(b for _, b in ranges)
    fit = ", ".join(
        f"{z:.3f} ({level} %) {'fits' if least <= z <= most else 'does not'}"
        for level, z in ((90, Z90), (95, Z95))
    )
    return printed == {float(claim["stated"])}, (
        f"stated {claim['stated']} %, the table's head {', '.join(f'{p:.0f}' for p in printed)} %; "
        f"its standard errors and intervals leave multipliers from {least:.2f} to {most:.2f}: {fit}"
    )


def _thousand(report: Report, claim: Claim) -> Verdict:
    base = next(c["stated"] for c in report.said("population") if c["table"] == claim["table"])
    rate, printed = 100 * float(claim["stated"]) / float(base), report.cell(claim).estimate
    detail = f"{claim['stated']} of {base} thousand is {rate:.2f} %, printed {printed:.1f}"
    return abs(rate - printed) <= HALF + EPS, detail


def _sum(_: Report, claim: Claim) -> Verdict:
    total = sum(int(term) for term in re.findall(r"[-+]?\d+", claim["row"]))
    return total == float(claim["stated"]), f"{claim['row']} = {total}, not {claim['stated']}"


def _sample_size(report: Report, claim: Claim) -> Verdict:
    at = (table_of(claim), claim["panel"], claim["row"], claim["component"])
    rows = report.records("coefficients")
    terms = [
        round(float(row["estimate"]))
        for row in rows
        if (int(row["table"]), row["group"], row["generation"], row["term"]) == at
    ]
    detail = f"{' + '.join(map(str, terms))} = {sum(terms)}, stated {claim['stated']}"
    return sum(terms) == float(claim["stated"]), detail


def _models(report: Report, claim: Claim) -> Verdict:
    rows = [row for row in report.records("coefficients") if int(row["table"]) == table_of(claim)]
    models = {(row["origin"], row["group"], row["generation"]) for row in rows}
    return len(models) == float(claim["stated"]), f"{len(models)} columns"


def _extreme(pick: Callable[..., Any]) -> Judge:
    def judge(report: Report, claim: Claim) -> Verdict:
        column = report.column(claim)
        best = pick(column.values())
        rows = [row for row, value in column.items() if value == best]
        return claim["row"] in rows, f"{pick.__name__} is {best:.1f} at {' and '.join(rows)}"

    return judge


def _not_highest(report: Report, claim: Claim) -> Verdict:
    column = report.column(claim)
    best = max(column, key=column.__getitem__)
    return best not in claim["row"].split("|"), f"highest is {best} ({column[best]:.1f})"


def _top(report: Report, claim: Claim) -> Verdict:
    column, named = report.column(claim), claim["row"].split("|")
    top = sorted(column, key=column.__getitem__, reverse=True)[: len(named)]
    return set(top) == set(named), f"highest {len(named)}: {listed(column, top)}"


def _order(report: Report, claim: Claim) -> Verdict:
    column, named = report.column(claim), claim["row"].split(" > ")
    return _falling(column[row] for row in named), listed(column, named)


def _order_apart(report: Report, claim: Claim) -> Verdict:
    cells = {row: report.cell(claim, row) for row in claim["row"].split(" > ")}
    apart = all(a.low > b.high for a, b in pairwise(cells.values()))
    figures = ", ".join(f"{row} {cell}" for row, cell in cells.items())
    return apart, f"intervals {'apart' if apart else 'overlap'}: {figures}"


def _panel_order(report: Report, claim: Claim) -> Verdict:
    panels = claim["panel"].split(" > ")
    column = {panel: report.cell({**claim, "panel": panel}).estimate for panel in panels}
    return _falling(column.values()), listed(column)


def _gap_order(report: Report, claim: Claim) -> Verdict:
    first, second = claim["row"].split(" > ")
    gaps = {}
    for panel in claim["panel"].split(" > "):
        column = report.column({**claim, "panel": panel})
        gaps[panel] = column[first] - column[second]
    return _falling(gaps.values()), f"{first} less {second}: {listed(gaps)}"


def _trend(sign: int) -> Judge:
    def judge(report: Report, claim: Claim) -> Verdict:
        column, (first, last) = report.column(claim), claim["row"].split("..")
        rows = list(column)
        values = [column[row] for row in rows[rows.index(first) : rows.index(last) + 1]]
        steps = [sign * round(b - a, 6) for a, b in pairwise(values)]
        along, against = sum(s > 0 for s in steps), sum(s < 0 for s in steps)
        return sum(steps) > 0 and along >= against, (  # "tends to": not at every step
            f"{words_of(claim['component'])}, {first} to {last}: "
            f"{', '.join(f'{value:.1f}' for value in values)}; {along} of {len(steps)} steps go "
            f"that way, {against} the other"
        )

    return judge


def _range_list(report: Report, claim: Claim) -> Verdict:
    low, high = (float(end) for end in claim["stated"].split(".."))
    column, named = report.column(claim), claim["row"].split("|")
    inside = [row for row, value in column.items() if low - EPS <= value <= high + EPS]
    left_out = listed(column, [row for row in inside if row not in named]) or "none"
    wrong = listed(column, [row for row in named if row not in inside]) or "none"
    detail = f"{len(inside)} printed in the range; left out: {left_out}; named but outside: {wrong}"
    return set(inside) == set(named), detail


def _times_all_others(report: Report, claim: Claim) -> Verdict:
    column, named = report.column(claim), claim["row"].split("|")
    emigration = report.column({**claim, "component": "emigration"})
    floor = min(emigration[row] for row in named)
    others = {row: value for row, value in column.items() if row not in named}
    alike = {row: value for row, value in others.items() if emigration[row] >= floor}
    least = min(column[row] for row in named)

    def against(rivals: Mapping[str, float]) -> str:
        best = max(rivals, key=rivals.__getitem__)
        times = ", ".join(f"{row} {column[row] / rivals[best]:.2f} times" for row in named)
        return f"{best} {rivals[best]:.1f} ({times} that)"

    return least >= float(claim["stated"]) * max(others.values()), (
        f"{listed(column, named)}; the largest of all others is {against(others)}, of those "
        f"with emigration of {floor:.1f} or more {against(alike)}"
    )


def _above_row(report: Report, claim: Claim) -> Verdict:
    column, named, bar = report.column(claim), claim["row"].split("|"), claim["stated"]
    holds = all(column[row] > column[bar] for row in named)
    return holds, f"{listed(column, [bar])}; {listed(column, named)}"


def _pair(report: Report, claim: Claim) -> tuple[dict[str, float], dict[str, float]]:
    """Return the claim's column and the one it is compared with, 'Table 11, Non-Mexican Males'."""
    table, _, panel = claim["stated"].removeprefix("Table ").partition(", ")
    return report.column(claim), report.column({**claim, "table": table, "panel": panel})


def _against(mine: Mapping[str, float], other: Mapping[str, float], rows: Iterable[str]) -> str:
    return ", ".join(f"{row} ({mine[row]:.1f} against {other[row]:.1f})" for row in rows) or "none"


def _above_panel(report: Report, claim: Claim) -> Verdict:
    """On average over the rows, and below in none by more than the errors of the two."""
    mine, other = _pair(report, claim)
    table, _, panel = claim["stated"].removeprefix("Table ").partition(", ")
    named = claim["row"].split("|")
    below = [row for row in named if mine[row] <= other[row]]
    above = [row for row in named if row not in below]
    error = {
        row: math.hypot(
            net_half(report.rows[table_of(claim), claim["panel"], row]),
            net_half(report.rows[int(table), panel, row]),
        )
        for row in below
    }
    means = mean(mine[row] for row in named), mean(other[row] for row in named)
    beyond = [row for row in below if other[row] - mine[row] > error[row]]
    return means[0] > means[1] and not beyond, (
        f"above {claim['stated']}: {_against(mine, other, above)}; not above: "
        f"{_against(mine, other, below)}, where the components' intervals imply errors of "
        f"{', '.join(f'+-{error[row]:.1f}' for row in below) or 'none'}; on average "
        f"{means[0]:.1f} against {means[1]:.1f}"
    )


def _flatter(report: Report, claim: Claim) -> Verdict:
    mine, other = (max(c.values()) - min(c.values()) for c in _pair(report, claim))
    return mine < other, f"highest less lowest: {mine:.1f}, in {claim['stated']} {other:.1f}"


def _lower_in_most(report: Report, claim: Claim) -> Verdict:
    mine, other = _pair(report, claim)
    lower = sum(mine[row] < other[row] for row in mine)
    return 2 * lower > len(mine), f"lower in {lower} of {len(mine)} rows"


def _lower_except(report: Report, claim: Claim) -> Verdict:
    mine, other = _pair(report, claim)
    rows = [row for row in mine if mine[row] >= other[row]]
    return rows == claim["row"].split("|"), f"not lower: {_against(mine, other, rows)}"


def _mean_above_rest(report: Report, claim: Claim) -> Verdict:
    column, named = report.column(claim), claim["row"].split("|")
    added = mean(column[row] for row in named)
    before = mean(value for row, value in column.items() if row not in named)
    slope = linear_regression(range(len(column)), list(column.values())).slope
    rounding = added <= before < added + 2 * HALF and slope > 0
    detail = (
        f"mean of the years added since the earlier estimates ({', '.join(named)}) {added:.2f}, "
        f"of the {len(column) - len(named)} before {before:.2f}; a straight line through all "
        f"{len(column)} rises by {slope:.2f} a year"
    )
    return added > before or rounding, detail, rounding


def _everywhere(report: Report, claim: Claim) -> list[float]:
    """Estimates in all the claim's tables, of its row if it names one."""
    tables, component = numbers_of(claim["table"]), claim["component"]
    keys = [k for k in report.rows if k[0] in tables and claim["row"] in ("", k[2])]
    return [report.rows[key][component].estimate for key in keys]


def _at_least(report: Report, claim: Claim) -> Verdict:
    values = _everywhere(report, claim)
    return min(values) >= float(claim["stated"]), f"smallest of {len(values)} is {min(values):.1f}"


def _constant(report: Report, claim: Claim) -> Verdict:
    values = _everywhere(report, claim)
    return set(values) == {float(claim["stated"])}, f"{len(values)} rows have {sorted(set(values))}"


def _moving_average(report: Report, claim: Claim) -> Verdict:
    keys, years = report.keys(table_of(claim), claim["panel"]), int(float(claim["stated"]))
    single = sum(re.fullmatch(r"\d{4}", key[2]) is not None for key in keys)
    noted = numbers_of(report.said("note_years")[0]["stated"])
    averages = len(noted) - years + 1
    # averages over several years share their persons, and count them more than once
    ours, theirs = (
        sum(worth(report.rows[key]["non_match"]) for key in some)
        for some in (keys, report.keys(7, "All"))
    )
    return len(keys) == averages and ours / theirs > (1 + years) / 2, (
        f"{single} of {len(keys)} rows are labelled by one year; averages of {years} years over "
        f"{len(noted)} pairs of files would be {averages}. By their intervals the rows together "
        f"are worth {ours / theirs:.2f} times the persons of Table 7 (about {years} if they were "
        "such averages)"
    )


def _native_rate(report: Report, claim: Claim) -> Verdict:
    rates = [100 * float(row["rate"]) for row in report.records("native_rates")]
    return _equal(claim["stated"], mean(rates)), (
        f"the {len(rates)} rates by sex and age run from {min(rates):.3f} to {max(rates):.3f} %, "
        f"plain mean {mean(rates):.3f} %"
    )


def _same_as_panel(report: Report, claim: Claim) -> Verdict:
    off, least = [], 0.0
    for row in claim["row"].split("|"):
        mine, other = (
            report.rows[table_of(claim), panel, row] for panel in (claim["panel"], claim["stated"])
        )
        for name in NON_NEGATIVE:
            a, b = mine[name].estimate, other[name].estimate
            if abs(a - b) > ROUNDED:
                off.append(f"{row}, {words_of(name)} {a:.1f} and {b:.1f}")
                # the rest of the group pulls most if it has none, or nothing but, of a component
                room = (b if a < b else 100 - b) + HALF
                least = max(least, (abs(a - b) - 2 * HALF) / room)
    same = f"panels {claim['panel']} and {claim['stated']}"
    return not off, (
        f"{same} differ: {'; '.join(off)}; so the rest, said to be virtually none, is at least "
        f"{100 * least:.1f} % of the group"
        if off
        else f"{same} agree within rounding"
    )


def _column_head(report: Report, claim: Claim) -> Verdict:
    like = int(claim["stated"].removeprefix("Table "))
    rows, places = ({k[2] for k in report.rows if k[0] == t} for t in (table_of(claim), like))
    return bool(rows & places), (
        f"of its rows ({', '.join(sorted(rows))}) {len(rows & places)} are among Table {like}'s"
    )


KINDS: dict[str, Judge] = {
    "estimate": _estimate,
    "ci_low": _bound("low"),
    "ci_high": _bound("high"),
    "half_width": _bound("half"),
    "se": _se,
    "ci_prob": _ci_prob,
    "thousand": _thousand,
    "sum": _sum,
    "sample_size": _sample_size,
    "models": _models,
    "lowest": _extreme(min),
    "highest": _extreme(max),
    "not_highest": _not_highest,
    "top": _top,
    "order": _order,
    "order_apart": _order_apart,
    "panel_order": _panel_order,
    "gap_order": _gap_order,
    "rises": _trend(1),
    "falls": _trend(-1),
    "range_list": _range_list,
    "times_all_others": _times_all_others,
    "above_row": _above_row,
    "above_panel": _above_panel,
    "flatter": _flatter,
    "lower_in_most": _lower_in_most,
    "lower_except": _lower_except,
    "mean_above_rest": _mean_above_rest,
    "at_least": _at_least,
    "constant": _constant,
    "moving_average": _moving_average,
    "native_rate": _native_rate,
    "same_as_panel": _same_as_panel,
    "column_head": _column_head,
}
# Statements that other checks use, and that are right or wrong only together
FACTS = {"population", "note_years", "program_years", "program_label", "program_table", "repeated"}


def prose(report: Report) -> Iterator[Finding]:
    """Compare what the text says of the tables with the tables."""
    yield from judged(
        report,
        KINDS,
        section=lambda claim: claim["section"],
        place=_claim_place,
        what="statements hold",
        facts=FACTS,
    )


def _claim_place(claim: Claim) -> str:
    if not claim["table"]:
        return claim["source"].rpartition(", on ")[2]
    tables = ", ".join(map(str, numbers_of(claim["table"])))
    one_row = claim["kind"] != "sum" and not re.search(r"\||\.\.| > ", claim["row"])
    return place_of((tables, claim["panel"], claim["row"] if one_row else ""))
