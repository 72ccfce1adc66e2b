"""What the report's printed numbers say about each other, and about the prose: no model.

Every finding is computed from the files of ``published/``.  ``claims.csv`` holds what the
report *says* (and what its program does, where that names a table), one statement per row;
whether a statement holds is decided here.  A check is a function in `CHECKS` that yields
findings: one for all that holds, one for each thing that does not.

Every figure in Tables 4-15 is rounded to one decimal, hence known to 0.05 (`HALF`); the
tolerances below follow from that.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from statistics import linear_regression, mean, median
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

PARTS = ("non_match", "internal_migration", "mortality", "non_follow_up")
COMPONENTS = (*PARTS, "emigration", "return_immigration", "net_emigration")
NON_NEGATIVE = COMPONENTS[:-1]  # net emigration is a difference and may be negative
HALF = 0.05
EPS = 1e-9  # for comparisons of decimals that are not exact in binary
ROUNDED = 2 * HALF + EPS  # two rounded figures may differ by that much
Z90, Z95 = 1.645, 1.960
REGIONS = (
    "Mexico",
    "Central America",
    "North America",
    "Caribbean",
    "Europe",
    "Asia",
    "Africa",
    "Other",
)
WITHIN = {
    "Caribbean": ("Cuba", "Dominican Republic", "Other Caribbean"),
    "Asia": ("China", "India", "Philippines", "Korea", "Other Asia"),
}
TERMS = {  # Table 3's terms as Appendix F names them
    "Intercept": "intercept",
    "Male": "male",
    "Mexican": "mexican",
    "Other Hispanic": "hispanic",
    "NH White": "white",
    "Black (Other)": "black",
    "18-24": "a1",
    "25-34": "a2",
    "35-44": "a3",
    "45-54": "a4",
    "55-64": "a5",
    "65-74 (75+)": "a6",
    "Excellent": "h1",
    "Very Good": "h2",
    "Good": "h3",
    "Fair (Poor)": "h4",
}

Key = tuple[int, str, str]  # table, panel, row
Claim = Mapping[str, str]  # a row of claims.csv
TOTAL: Key = (4, "", "Total")
MEXICO: Key = (13, "", "Mexico")
EVERYONE = "All Foreign-born"
ALL_TABLES = "Tables 4-15"


class Finding(NamedTuple):
    """One row of the audit, less the name of its check."""

    where: str
    holds: bool
    detail: str


class Cell(NamedTuple):
    """A printed estimate with its interval."""

    estimate: float
    low: float
    high: float

    @property
    def half(self) -> float:
        """Half the width of the interval; its two rounded ends leave it known to `HALF`."""
        return (self.high - self.low) / 2

    @property
    def ordered(self) -> bool:
        """Whether the estimate is within the interval."""
        return self.low <= self.estimate <= self.high

    def __str__(self) -> str:
        return f"{self.estimate:.1f} ({self.low:.1f} to {self.high:.1f})"


class Report:
    """The published files; of Tables 4-15, `rows` has the printed rows in printed order."""

    def __init__(self, tables: Mapping[str, pd.DataFrame]):
        self.tables = tables
        self.rows: dict[Key, dict[str, Cell]] = defaultdict(dict)
        for cell in self.records("cells"):
            key = (int(cell["table"]), str(cell["panel"]), str(cell["row"]))
            numbers = (float(cell[name]) for name in ("estimate", "ci_low", "ci_high"))
            self.rows[key][cell["component"]] = Cell(*numbers)
        self.rows = dict(self.rows)

    def records(self, name: str) -> list[dict[str, Any]]:
        """Rows of one file; an empty field is an empty text, however it was read."""
        table = self.tables[name].astype(object)
        lines = table.where(table.notna(), "").itertuples(index=False)
        return [dict(zip(table.columns, line, strict=True)) for line in lines]

    @cached_property
    def claims(self) -> list[dict[str, str]]:
        """Rows of ``claims.csv``, as text."""
        return [{k: str(v) for k, v in row.items()} for row in self.records("claims")]

    def said(self, kind: str) -> list[dict[str, str]]:
        """Claims of one kind."""
        return [claim for claim in self.claims if claim["kind"] == kind]

    def keys(self, table: int, panel: str = "", rows: Iterable[str] | None = None) -> list[Key]:
        """Keys of one panel; ``rows`` picks some of them."""
        wanted = None if rows is None else set(rows)
        keys = [key for key in self.rows if key[:2] == (table, panel)]
        return keys if wanted is None else [key for key in keys if key[2] in wanted]

    def panels(self, table: int) -> list[str]:
        """Panels of one table."""
        return list(dict.fromkeys(key[1] for key in self.rows if key[0] == table))

    def cell(self, claim: Claim, row: str | None = None) -> Cell:
        """Return the cell that a claim is about, or the one of another row of its panel."""
        key = (_table(claim), claim["panel"], claim["row"] if row is None else row)
        return self.rows[key][claim["component"]]

    def column(self, claim: Claim) -> dict[str, float]:
        """Estimates of the claim's component in its panel, by row."""
        keys = self.keys(_table(claim), claim["panel"])
        if not keys:
            raise KeyError(f"claims.csv: no Table {claim['table']}, panel {claim['panel']!r}")
        return {key[2]: self.rows[key][claim["component"]].estimate for key in keys}

    def matrix(self, keys: Iterable[Key]) -> np.ndarray:
        """Estimates of some rows: one line per component, one column per row."""
        return np.array([[self.rows[key][c].estimate for key in keys] for c in COMPONENTS])


def _place(key: Sequence[object]) -> str:
    """Name a printed row, as in 'Table 10, Mexican Females, 45-54'."""
    table, *rest = key
    return ", ".join([f"Table {table}", *(str(part) for part in rest if part)])


def _words(component: str) -> str:
    return component.replace("_", " ").replace("non ", "non-").replace("follow up", "follow-up")


def _numbers(text: str) -> list[int]:
    """Numbers of tables, or years: '4-6' and '4 5 6' are 4, 5, 6."""
    ends = [int(number) for number in re.findall(r"\d+", text)]
    return list(range(ends[0], ends[1] + 1)) if re.fullmatch(r"\d+-\d+", text) else ends


def _table(claim: Claim) -> int:
    return int(float(claim["table"]))


def _figures(column: Mapping[str, float], rows: Iterable[str] | None = None) -> str:
    return ", ".join(f"{row} {column[row]:.1f}" for row in (column if rows is None else rows))


def _held(n: int, of: int, what: str, where: str = ALL_TABLES) -> Iterator[Finding]:
    """Say in one row what holds, if anything does."""
    if n:
        yield Finding(where, True, f"{n} of {of} {what}")


# One row by itself


def rows_printed(report: Report) -> Iterator[Finding]:
    """Every printed row has its seven estimates within their intervals."""
    wrong = {
        key: [f"{_words(c)} {row[c]}" for c in COMPONENTS if not row[c].ordered]
        for key, row in report.rows.items()
    }
    n, alone = len(wrong), len(report.keys(4))
    yield from _held(
        sum(not names for names in wrong.values()),
        n,
        f"rows (Table 4's {alone}, and {n - alone} of Tables 5-15) have {len(COMPONENTS)} "
        "estimates, each within its interval",
    )
    for key, names in wrong.items():
        if names:
            yield Finding(_place(key), False, f"outside its interval: {', '.join(names)}")


def rounding_odds(terms: int, residual: int) -> float:
    """Probability of a residual, in units of the last digit, of an exact identity.

    Each of the ``terms`` is rounded on its own; the residual is then distributed as the
    density of a sum of ``terms`` uniforms on (-1/2, 1/2) at that integer (Irwin-Hall).
    """
    pieces = (
        (-1) ** k * math.comb(terms, k) * max(0.0, residual + terms / 2 - k) ** (terms - 1)
        for k in range(terms + 1)
    )
    return sum(pieces) / math.factorial(terms - 1)


def _identity(terms: int, gaps: Mapping[Key, tuple[float, str]]) -> Iterator[Finding]:
    """Compare an identity's residuals with 0.1, and with what rounding alone produces."""
    size = Counter({key: abs(round(10 * gap)) for key, (gap, _) in gaps.items()})
    seen = Counter(size.values())
    none, one = len(gaps) * rounding_odds(terms, 0), 2 * len(gaps) * rounding_odds(terms, 1)
    worst = math.floor(terms / 2 - EPS)
    yield from _held(
        seen[0] + seen[1],
        len(gaps),
        f"rows within 0.1: residual 0.0 in {seen[0]}, 0.1 in {seen[1]}; {terms} independent "
        f"roundings (together at most {terms * HALF:.2f}, so {worst / 10} in print) would give "
        f"{none:.1f} and {one:.1f}",
    )
    for key, (_, figures) in gaps.items():
        if size[key] > 1:
            yield Finding(
                _place(key),
                False,
                f"{figures}: off by {size[key] / 10}, which rounding alone "
                f"{'can' if size[key] <= worst else 'cannot'} give (beyond 0.1 in about "
                f"{len(gaps) - none - one:.1f} of {len(gaps)} rows)",
            )


def _implied(row: Mapping[str, Cell]) -> float:
    """Emigration as the paper defines it: non-match less the other three."""
    first, *others = (row[name].estimate for name in PARTS)
    return first - sum(others)


def components_add_up(report: Report) -> Iterator[Finding]:
    """Emigration is non-match less internal migration, mortality and non-follow-up."""
    gaps = {}
    for key, row in report.rows.items():
        terms = " - ".join(f"{row[name].estimate:.1f}" for name in PARTS)
        printed = row["emigration"].estimate
        figures = f"{terms} = {_implied(row):.1f}, printed {printed:.1f}"
        gaps[key] = _implied(row) - printed, figures
    yield from _identity(5, gaps)


def net_adds_up(report: Report) -> Iterator[Finding]:
    """Net emigration is emigration less return immigration."""
    gaps = {}
    for key, row in report.rows.items():
        gross, back, net = (row[name].estimate for name in COMPONENTS[4:])
        gaps[key] = gross - back - net, f"{gross:.1f} - {back:.1f}, printed {net:.1f}"
    yield from _identity(3, gaps)


# Intervals


def _cells(report: Report) -> Iterator[tuple[Key, str, Cell]]:
    for key, row in report.rows.items():
        for component, cell in row.items():
            yield key, component, cell


def interval_symmetric(report: Report) -> Iterator[Finding]:
    """Intervals are estimate plus or minus the same, hence normal ones."""
    cells = list(_cells(report))
    off = [c for c in cells if abs((c[2].low + c[2].high) / 2 - c[2].estimate) > HALF + EPS]
    yield from _held(
        len(cells) - len(off),
        len(cells),
        f"intervals have their middle within {HALF} of the estimate (three roundings could move "
        "it by 0.1)",
    )
    for key, component, cell in off:
        yield Finding(_place(key), False, f"{_words(component)} {cell}")


def interval_below_zero(report: Report) -> Iterator[Finding]:
    """Find intervals that reach below zero; only net emigration can be negative."""
    below = [found for found in _cells(report) if found[2].low < 0]
    count = Counter(component for _, component, _ in below)
    others = ", ".join(f"{_words(c)} {count[c]}" for c in NON_NEGATIVE if count[c]) or "none"
    yield Finding(
        ALL_TABLES,
        True,
        f"{count['net_emigration']} of the {len(below)} intervals that reach below zero are of "
        f"net emigration, which may; the others: {others}",
    )
    for key, component, cell in below:
        if component in NON_NEGATIVE:
            yield Finding(_place(key), False, f"{_words(component)} {cell} cannot be negative")


def _implied_half(row: Mapping[str, Cell], less: float = 0.0) -> float:
    """Half-width of a difference of four independent estimates, each narrowed by ``less``."""
    return math.hypot(*(max(row[name].half - less, 0) for name in PARTS))


def net_below_zero(report: Report) -> Iterator[Finding]:
    """Negative net emigration: the text names measurement and sampling error as its cause."""
    negative = {k: r for k, r in report.rows.items() if r["net_emigration"].estimate < 0}
    reaching = [key for key, row in negative.items() if row["net_emigration"].high >= 0]
    yield from _held(
        len(reaching),
        len(negative),
        "negative net rates have an interval that includes zero, so that sampling error suffices",
    )
    for key, row in negative.items():
        if key not in reaching:
            spread = math.hypot(_implied_half(row), row["return_immigration"].half)
            net = row["net_emigration"]
            yield Finding(
                _place(key),
                False,
                f"emigration {row['emigration']}, return immigration {row['return_immigration']}, "
                f"net {net}: sampling error as printed does not reach zero; as the components' "
                f"intervals imply it, +-{spread:.1f}, it does"
                f"{'' if spread >= -net.estimate else ' not either'}",
            )


def emigration_zero(report: Report) -> Iterator[Finding]:
    """Emigration printed as exactly 0.0, beside what its four components imply."""
    zero = {k: r for k, r in report.rows.items() if r["emigration"].estimate == 0}
    n = len(report.rows)
    yield from _held(n - len(zero), n, "rows print a positive emigration")
    for key, row in zero.items():
        yield Finding(
            _place(key),
            False,
            f"printed {row['emigration']}; its four components imply {abs(_implied(row)):.1f} "
            f"+-{_implied_half(row):.1f} by their own intervals; the interval's width is that of "
            f"an observed proportion of zero. Return immigration {row['return_immigration']}",
        )


def _worth(cell: Cell) -> float:
    """Persons that an interval is worth, if it is that of an observed proportion."""
    share, error = cell.estimate / 100, cell.half / (100 * Z90)
    return share * (1 - share) / error**2 if error and share > 0 else math.nan


def _relative_worth(report: Report, component: str) -> float:
    """Median over rows of a component's worth, that of non-match being 1."""
    ratios = (_worth(r[component]) / _worth(r["non_match"]) for r in report.rows.values())
    return median(ratio for ratio in ratios if not math.isnan(ratio))


def interval_of_emigration(report: Report) -> Iterator[Finding]:
    """The interval of a difference of four estimates, printed like that of a proportion."""

    def narrow(row: Mapping[str, Cell]) -> bool:
        # the printed one as wide, the implied one as narrow, as rounding allows
        return row["emigration"].half + HALF < _implied_half(row, HALF)

    for key in report.keys(4):
        row = report.rows[key]
        printed = row["emigration"]
        yield Finding(
            _place(key),
            not narrow(row),
            f"printed {printed}, +-{printed.half:.2f}; the four components' own intervals imply, "
            f"if independent, +-{_implied_half(row):.2f} (at least "
            f"{_implied_half(row, HALF):.2f} whatever the rounding)",
        )
    rows = report.rows.values()
    count = sum(map(narrow, rows))
    ratios = [_implied_half(r) / r["emigration"].half for r in rows if r["emigration"].half > 0]
    yield Finding(
        ALL_TABLES,
        count == 0,
        f"too narrow for a difference of independent estimates in {count} of {len(rows)} rows "
        f"whatever the rounding; implied over printed: median {median(ratios):.1f}, smallest "
        f"{min(ratios):.1f}. As an observed proportion the interval is worth "
        f"{_relative_worth(report, 'emigration'):.2f} (median) times the persons that the one of "
        "non-match is: emigration is treated as observed, and so is non-follow-up "
        f"({_relative_worth(report, 'non_follow_up'):.2f}), though it comes from the second "
        "generation",
    )


def interval_of_net(report: Report) -> Iterator[Finding]:
    """Net emigration's error is that of a difference of independent estimates, as noted."""
    off = []
    for key, row in report.rows.items():
        gross, back, net = (row[name].half for name in COMPONENTS[4:])
        low = math.hypot(max(gross - HALF, 0), max(back - HALF, 0)) - HALF - EPS
        high = math.hypot(gross + HALF, back + HALF) + HALF + EPS
        if not low <= net <= high:
            implied = math.hypot(gross, back)
            off.append(
                Finding(_place(key), False, f"+-{net:.2f}; from its two terms +-{implied:.2f}")
            )
    n = len(report.rows)
    yield from _held(
        n - len(off),
        n,
        "half-widths are the root of the sum of squares of those of emigration and return "
        "immigration, within rounding",
    )
    yield from off


def _multipliers(report: Report) -> Iterator[tuple[Key, str, float, float, float]]:
    """Each printed standard error, and the multipliers that its interval leaves possible."""
    for error in report.records("standard_errors"):
        key, se = (int(error["table"]), error["panel"], error["row"]), float(error["se"])
        half = report.rows[key][error["component"]].half
        least = max(half - HALF, 0) / (se + HALF)
        most = (half + HALF) / (se - HALF) if se > HALF + EPS else math.inf
        yield key, error["component"], se, least, most


def standard_errors(report: Report) -> Iterator[Finding]:
    """Table 4's standard errors times 1.645 are its half-widths."""
    every = list(_multipliers(report))
    off = [found for found in every if not found[3] - EPS <= Z90 <= found[4] + EPS]
    yield from _held(
        len(every) - len(off),
        len(every),
        f"standard errors times {Z90} give the interval, within rounding",
        "Table 4",
    )
    for key, component, se, _, _ in off:
        cell = report.rows[key][component]
        yield Finding(_place(key), False, f"{_words(component)} {cell}, standard error {se}")


# Nesting: a total is a weighted average of its parts


class Nest(NamedTuple):
    """Two sets of printed rows that divide the same people."""

    family: str
    parts: list[Key]
    whole: list[Key]


def _years(report: Report) -> Iterator[Nest]:
    yield Nest("years of Table 5 to Table 4", report.keys(5, EVERYONE), [TOTAL])
    yield Nest("Mexicans' years of Table 5 to Mexico", report.keys(5, "Mexican"), [MEXICO])


def _ages(report: Report) -> Iterator[Nest]:
    yield Nest("ages of Table 6 to Table 4", report.keys(6), [TOTAL])
    for key in report.keys(6):
        parts: list[Key] = [(table, "", key[2]) for table in (8, 9)]
        yield Nest("sexes of Tables 8 and 9 to Table 6", parts, [key])
    for table, sex in ((8, "Male"), (9, "Female")):
        yield Nest(f"ages of Table {table} to Table 7", report.keys(table), [(7, "All", sex)])
        for *_, ages in report.keys(10, f"Mexican {sex}s"):
            parts = [(10, f"Mexican {sex}s", ages), (11, f"Non-Mexican {sex}s", ages)]
            family = f"origins of Tables 10 and 11 to Table {table}"
            yield Nest(family, parts, _finer(report, table, ages))
    for table, origin in ((10, "Mexican"), (11, "Non-Mexican")):
        for sex in ("Male", "Female"):
            parts = report.keys(table, f"{origin} {sex}s")
            yield Nest(f"ages of Table {table} to Table 7", parts, [(7, origin, sex)])


def _finer(report: Report, table: int, ages: str) -> list[Key]:
    """Rows of ``table`` that lie within ``ages``: '15-19' and '20-24' within '15-24'."""
    first, last = _span(ages)
    spans = {key: _span(key[2]) for key in report.keys(table)}
    return [key for key, (low, high) in spans.items() if first <= low and high <= last]


def _span(ages: str) -> tuple[float, float]:
    low, *high = re.findall(r"\d+", ages)
    return int(low), int(high[0]) if high else math.inf


def _sexes(report: Report) -> Iterator[Nest]:
    yield Nest("sexes of Table 7 to Table 4", report.keys(7, "All"), [TOTAL])
    yield Nest("Mexicans' sexes of Table 7 to Mexico", report.keys(7, "Mexican"), [MEXICO])


def _durations(report: Report) -> Iterator[Nest]:
    yield Nest("durations of Table 12 to Table 4", report.keys(12, EVERYONE), [TOTAL])
    yield Nest("Mexicans' durations of Table 12 to Mexico", report.keys(12, "Mexican"), [MEXICO])


def _places(report: Report) -> Iterator[Nest]:
    yield Nest("regions of Table 13 to Table 4", report.keys(13, rows=REGIONS), [TOTAL])
    for region, countries in WITHIN.items():
        parts = report.keys(13, rows=countries)
        yield Nest("countries of Table 13 to their region", parts, [(13, "", region)])


def _origins(report: Report) -> Iterator[Nest]:
    for table in (5, 7, 12, 14):
        for key in report.keys(table, report.panels(table)[0]):
            parts: list[Key] = [(table, panel, key[2]) for panel in ("Mexican", "Non-Mexican")]
            if all(part in report.rows for part in parts):
                yield Nest(f"origins of Table {table} to its first panel", parts, [key])


def _statuses(report: Report) -> Iterator[Nest]:
    yield Nest("statuses of Table 14 to Table 4", report.keys(14, EVERYONE), [TOTAL])
    yield Nest("Mexicans' statuses of Table 14 to Mexico", report.keys(14, "Mexican"), [MEXICO])
    for origin in ("Mexican", "Non-Mexican"):
        periods = [panel for panel in report.panels(15) if panel.startswith(f"{origin}s,")]
        for key in report.keys(14, origin):
            parts: list[Key] = [(15, panel, key[2]) for panel in periods]
            yield Nest("periods of Table 15 to Table 14", parts, [key])


NESTS: dict[str, Callable[[Report], Iterator[Nest]]] = {
    "years": _years,
    "ages": _ages,
    "sexes": _sexes,
    "durations": _durations,
    "places of birth": _places,
    "origins": _origins,
    "statuses": _statuses,
}


def _gaps(report: Report, nests: Sequence[Nest]) -> np.ndarray:
    """Smallest largest residual over the seven components, for each nest by itself.

    Weights on either side are non-negative and add to 1.  The nests share no variable, so
    that one linear programme, minimising the sum of the gaps, solves them all.
    """
    from scipy.optimize import linprog
    from scipy.sparse import block_diag, coo_array

    upper, equal, cost = [], [], []
    for nest in nests:
        difference = np.hstack([report.matrix(nest.parts), -report.matrix(nest.whole)])
        gap = np.ones((len(COMPONENTS), 1))
        upper.append(coo_array(np.block([[difference, -gap], [-difference, -gap]])))
        n, k = len(nest.parts), len(nest.whole)
        equal.append(coo_array([[1.0] * n + [0.0] * (k + 1), [0.0] * n + [1.0] * k + [0.0]]))
        cost += [0.0] * (n + k) + [1.0]
    solved = linprog(
        cost,
        A_ub=block_diag(upper, format="csr"),
        b_ub=np.zeros(2 * len(COMPONENTS) * len(nests)),
        A_eq=block_diag(equal, format="csr"),
        b_eq=np.ones(2 * len(nests)),
    )
    return solved.x[np.array(cost) == 1]


def nesting(report: Report) -> Iterator[Finding]:
    """Is each total a weighted average of its parts, in all seven components at once?

    Both sides are rounded, so that a residual of 0.1 needs no explanation.
    """
    nests = [(subject, nest) for subject, of in NESTS.items() for nest in of(report)]
    fits: dict[str, dict[str, list[float]]] = {subject: defaultdict(list) for subject in NESTS}
    failed = []
    gaps = _gaps(report, [nest for _, nest in nests])
    for (subject, nest), gap in zip(nests, gaps, strict=True):
        if gap <= ROUNDED:
            fits[subject][nest.family].append(gap)
            continue
        whole = " and ".join(_place(key) for key in nest.whole)
        detail = (
            f"no weights make the {len(nest.parts)} rows average to {whole} in all seven "
            f"components: the best leave {gap:.2f}, rounding allows 0.1"
        )
        failed.append(Finding(nest.family, False, detail))
    for subject, families in fits.items():
        if families:
            figures = (f"{name}: {len(g)} fit, worst {max(g):.2f}" for name, g in families.items())
            yield Finding(subject, True, "; ".join(figures))
    yield from failed


def _joint_slack(report: Report, nests: Sequence[Nest]) -> float:
    """How far from one population that satisfies every nest, as a share of the total.

    Unknown: the size of each printed row's group, Table 4's being 1.  A nest asks that both
    sides have the same size and, within rounding, the same number in each component.
    """
    from scipy.optimize import linprog
    from scipy.sparse import csr_array

    keys = list(dict.fromkeys(key for nest in nests for key in (*nest.parts, *nest.whole)))
    column = {key: i for i, key in enumerate(keys)}
    sign = np.zeros((len(nests), len(keys)))
    for row, nest in enumerate(nests):
        sign[row, [column[key] for key in nest.parts]] = 1
        sign[row, [column[key] for key in nest.whole]] = -1
    numbers = (sign[:, None, :] * report.matrix(keys)).reshape(-1, len(keys))
    allowed = HALF * np.repeat(np.abs(sign), len(COMPONENTS), axis=0)
    slack = np.ones((len(numbers), 1))
    size = np.zeros(len(keys))
    size[column[TOTAL]] = 1
    solved = linprog(
        np.r_[np.zeros(len(keys)), 1],
        A_ub=csr_array(np.block([[numbers - allowed, -slack], [-numbers - allowed, -slack]])),
        b_ub=np.zeros(2 * len(numbers)),
        A_eq=csr_array(np.c_[np.vstack([sign, size]), np.zeros(len(nests) + 1)]),
        b_eq=np.r_[np.zeros(len(nests)), 1],
    )
    return float(solved.fun)


def nesting_jointly(report: Report) -> Iterator[Finding]:
    """Does one population fit all tables at once, with and without Tables 14 and 15?"""
    nests = [nest for of in NESTS.values() for nest in of(report)]
    early = [nest for nest in nests if all(key[0] < 14 for key in (*nest.parts, *nest.whole))]
    for where, some in (("Tables 4-13", early), (ALL_TABLES, nests)):
        slack = _joint_slack(report, some)
        fits = slack < 1e-6
        verdict = (
            "one population fits them all within rounding"
            if fits
            else f"no one population fits them all; the closest leaves {slack:.2f} per 100 of the "
            "foreign born"
        )
        yield Finding(where, fits, f"{len(some)} nests: {verdict}")


# The years behind a table


def _program_years(report: Report) -> dict[int, list[int]]:
    """Years of the program's data, by table."""
    return {
        table: _numbers(claim["stated"])
        for claim in report.said("program_years")
        for table in _numbers(claim["table"])
    }


def years_noted(report: Report) -> Iterator[Finding]:
    """Compare the pairs of files that the notes name with the files that the program combines."""
    program = _program_years(report)
    for claim in report.said("note_years"):
        noted, complete = _numbers(claim["stated"]), []
        for table in _numbers(claim["table"]):
            absent = [year for year in noted if year not in program.get(table, noted)]
            if not absent:
                complete.append(str(table))
                continue
            numbers = (
                "; ".join(_reading(report, (table, EVERYONE), noted, year) for year in absent)
                if EVERYONE in report.panels(table)
                else "for the numbers see its panels"
            )
            yield Finding(
                f"Table {table}",
                False,
                f"the notes name {len(noted)} years ({claim['stated']}), the program's file has "
                f"{len(noted) - len(absent)}, without {' and '.join(map(str, absent))}; {numbers}",
            )
        if complete:
            where = f"Tables {', '.join(complete)}"
            yield Finding(where, True, f"the notes' {len(noted)} years are the program's")


def years_labelled(report: Report) -> Iterator[Finding]:
    """A period in a panel's title against the program, and against the years of Table 5."""
    program = _program_years(report)
    for table, panel in dict.fromkeys(key[:2] for key in report.rows):
        period = re.search(r"\d{4}-\d{4}", panel)
        years = _numbers(period[0]) if period else []
        absent = [year for year in years if year not in program.get(table, years)]
        where = _place((table, panel))
        if years and not absent:
            yield Finding(where, True, "the program's file has all years of the title")
        for year in absent:
            reading = _reading(report, (table, panel), years, year)
            detail = f"{year} is in the title and not in the program's file; {reading}"
            yield Finding(where, False, detail)


def _reading(report: Report, place: tuple[int, str], years: list[int], year: int) -> str:
    """Say what the numbers know about a year that the program leaves out of a panel."""
    origin = re.sub(r"s, .*", "", place[1])
    single = report.keys(5, origin, map(str, years))
    share = _largest_share(report, report.keys(*place), single, (5, origin, str(year)))
    if share is None:
        return "no mixture of these years of Table 5 fits the rows within rounding"
    # weights of the years are not printed; half an equal share is less than any year has
    if share < 1 / (2 * len(years)):
        return (
            f"the rows fit a mixture of these years of Table 5 only if {year} has at most "
            f"{100 * share:.0f} % of it (an equal share is {100 / len(years):.0f} %), so the "
            "numbers too say that it is left out"
        )
    return (
        f"the numbers do not decide on {year}: the rows fit mixtures of these years of Table 5 "
        f"with up to {100 * share:.0f} % of it"
    )


def _largest_share(report: Report, parts: list[Key], years: list[Key], year: Key) -> float | None:
    """Largest weight of ``year`` among ``years`` whose mixture some mixture of parts equals."""
    from scipy.optimize import linprog

    difference = np.hstack([report.matrix(parts), -report.matrix(years)])
    n, k = len(parts), len(years)
    cost = np.zeros(n + k)
    cost[n + years.index(year)] = -1
    solved = linprog(
        cost,
        A_ub=np.vstack([difference, -difference]),
        b_ub=np.full(2 * len(COMPONENTS), 2 * HALF),
        A_eq=[[1] * n + [0] * k, [0] * n + [1] * k],
        b_eq=[1, 1],
    )
    return -float(solved.fun) if solved.status == 0 else None


# Coefficients and labels


def table_3_and_program(report: Report) -> Iterator[Finding]:
    """Table 3's coefficients are the program's (Appendix F), rounded to three decimals."""
    printed = {
        (row["generation"], row["term"]): float(row["estimate"])
        for row in report.records("coefficients")
        if row["table"] == 3
    }
    program = {
        (row["generation"], row["term"]): float(row["estimate"])
        for row in report.records("mortality_program")
    }
    pairs = {
        (people, term): (printed.get((people, term)), program.get((generation, name)))
        for people, generation in (("immigrants", "first"), ("natives", "second"))
        for term, name in TERMS.items()
    }
    off = {
        at: (a, b)
        for at, (a, b) in pairs.items()
        if a is None or b is None or abs(a - b) > 0.0005 + EPS
    }
    what = "coefficients of the program round to the printed ones"
    yield from _held(len(pairs) - len(off), len(pairs), what, "Table 3")
    for (people, term), (a, b) in off.items():
        yield Finding(f"Table 3, {people.title()}, {term}", False, f"printed {a}, Appendix F {b}")


def age_terms(report: Report) -> Iterator[Finding]:
    """Tables 1 and 2 name the same age dummies of adults alike."""
    ages: dict[int, list[str]] = {1: [], 2: []}
    for row in report.records("coefficients"):
        known = ages.get(row["table"])
        adult = row["group"] != "children" and row["term"].startswith("Age ")
        if known is not None and adult and row["term"] not in known:
            known.append(row["term"])
    both = [term for term in ages[1] if term in ages[2]]
    if both:
        yield Finding("Tables 1 and 2", True, f"alike: {', '.join(both)}")
    only = {n: [term for term in ages[n] if term not in both] for n in ages}
    if any(only.values()):
        figures = (f"Table {n} alone: {', '.join(terms) or 'none'}" for n, terms in only.items())
        yield Finding("Tables 1 and 2", False, "; ".join(figures))


def _printed_labels(report: Report, tables: list[int]) -> set[str]:
    terms = {r["term"] for r in report.records("coefficients") if r["table"] in tables}
    return terms | {key[2] for key in report.rows if key[0] in tables}


def program_labels(report: Report) -> Iterator[Finding]:
    """Compare printed labels with the groups that the program forms under them."""
    groups: dict[tuple[str, str], list[tuple[bool, str]]] = defaultdict(list)
    for claim in report.said("program_label"):
        tables = _numbers(claim["table"])
        label, meant = claim["row"], claim["stated"]
        if label in _printed_labels(report, tables):
            verdict = label == meant, f"printed {label!r}, the program's group is {meant!r}"
        else:
            verdict = False, f"{label!r} is not printed there"
        where = f"Table{'s' * (len(tables) > 1)} {claim['table']}"
        groups[where, claim["claim"]].append(verdict)
    for (where, about), verdicts in groups.items():
        holds = all(same for same, _ in verdicts)
        shown = [text for same, text in verdicts if holds or not same]
        yield Finding(where, holds, f"{about}: {'; '.join(shown)}")


def program_tables(report: Report) -> Iterator[Finding]:
    """Tables carry the numbers that the program's comments give them."""
    claims = report.said("program_table")
    given = {_table(claim): int(float(claim["stated"])) for claim in claims}
    same = [str(table) for table, number in given.items() if table == number]
    what = "tables have the number that the program gives them"
    yield from _held(len(same), len(given), what, f"Tables {', '.join(same)}")
    for table, number in given.items():
        if table != number:
            yield Finding(f"Table {table}", False, f"the program calls it Table {number}")


def repeated_statements(report: Report) -> Iterator[Finding]:
    """What the report states twice, it states alike."""
    groups: dict[tuple[str, str], list[Claim]] = defaultdict(list)
    for claim in report.said("repeated"):
        groups[claim["table"], claim["claim"]].append(claim)
    for (table, about), claims in groups.items():
        alike = len({claim["stated"] for claim in claims}) == 1
        said = "; ".join(f"{claim['section']}: {claim['stated']}" for claim in claims)
        yield Finding(f"Table {table}", alike, f"{about}: {said}")


# Prose: one function per kind of claim, each giving (holds, what the tables have)

Verdict = tuple[bool, str]
Judge = Callable[[Report, Claim], Verdict]


def _equal(stated: str, printed: float) -> bool:
    """Equal at the precision that the statement has."""
    decimals = len(stated.partition(".")[2])
    return abs(float(stated) - printed) <= 0.5 * 10**-decimals + EPS


def _falling(values: Iterable[float]) -> bool:
    return all(a > b for a, b in pairwise(values))


def _estimate(report: Report, claim: Claim) -> Verdict:
    stated, component = claim["stated"], claim["component"]
    row = report.rows[_table(claim), claim["panel"], claim["row"]]
    printed = row[component].estimate
    if _equal(stated, printed):
        return True, f"printed {printed:.1f}"
    fits = [_words(name) for name in COMPONENTS if _equal(stated, row[name].estimate)]
    elsewhere = f"; {stated} is the row's {' and '.join(fits)}" if fits else ""
    return False, f"stated {stated} of {_words(component)}, printed {printed:.1f}{elsewhere}"


def _bound(which: str) -> Judge:
    def judge(report: Report, claim: Claim) -> Verdict:
        printed = getattr(report.cell(claim), which)
        detail = f"stated {claim['stated']}, printed {printed:.2f}"
        return abs(float(claim["stated"]) - printed) <= HALF + EPS, detail

    return judge


def _se(report: Report, claim: Claim) -> Verdict:
    at = (_table(claim), claim["panel"], claim["row"]), claim["component"]
    printed = [se for key, component, se, *_ in _multipliers(report) if (key, component) == at]
    return printed == [float(claim["stated"])], f"stated {claim['stated']}, printed {printed}"


def _ci_prob(report: Report, claim: Claim) -> Verdict:
    cells = [cell for cell in report.records("cells") if cell["table"] == _table(claim)]
    printed = {round(100 * float(cell["ci_prob"]), 6) for cell in cells}
    ranges = [(least, most) for *_, least, most in _multipliers(report)]
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
    at = (_table(claim), claim["panel"], claim["row"], claim["component"])
    rows = report.records("coefficients")
    terms = [
        round(float(row["estimate"]))
        for row in rows
        if (row["table"], row["group"], row["generation"], row["term"]) == at
    ]
    detail = f"{' + '.join(map(str, terms))} = {sum(terms)}, stated {claim['stated']}"
    return sum(terms) == float(claim["stated"]), detail


def _models(report: Report, claim: Claim) -> Verdict:
    rows = [row for row in report.records("coefficients") if row["table"] == _table(claim)]
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
    return set(top) == set(named), f"highest {len(named)}: {_figures(column, top)}"


def _order(report: Report, claim: Claim) -> Verdict:
    column, named = report.column(claim), claim["row"].split(" > ")
    return _falling(column[row] for row in named), _figures(column, named)


def _order_apart(report: Report, claim: Claim) -> Verdict:
    cells = {row: report.cell(claim, row) for row in claim["row"].split(" > ")}
    apart = all(a.low > b.high for a, b in pairwise(cells.values()))
    figures = ", ".join(f"{row} {cell}" for row, cell in cells.items())
    return apart, f"intervals {'apart' if apart else 'overlap'}: {figures}"


def _panel_order(report: Report, claim: Claim) -> Verdict:
    panels = claim["panel"].split(" > ")
    column = {panel: report.cell({**claim, "panel": panel}).estimate for panel in panels}
    return _falling(column.values()), _figures(column)


def _gap_order(report: Report, claim: Claim) -> Verdict:
    first, second = claim["row"].split(" > ")
    gaps = {}
    for panel in claim["panel"].split(" > "):
        column = report.column({**claim, "panel": panel})
        gaps[panel] = column[first] - column[second]
    return _falling(gaps.values()), f"{first} less {second}: {_figures(gaps)}"


def _trend(sign: int) -> Judge:
    def judge(report: Report, claim: Claim) -> Verdict:
        column, (first, last) = report.column(claim), claim["row"].split("..")
        rows = list(column)
        values = [column[row] for row in rows[rows.index(first) : rows.index(last) + 1]]
        steps = [sign * round(b - a, 6) for a, b in pairwise(values)]
        along, against = sum(s > 0 for s in steps), sum(s < 0 for s in steps)
        return sum(steps) > 0 and along > against, (
            f"{_words(claim['component'])}, {first} to {last}: "
            f"{', '.join(f'{value:.1f}' for value in values)}; {along} of {len(steps)} steps go "
            f"that way, {against} the other"
        )

    return judge


def _range_list(report: Report, claim: Claim) -> Verdict:
    low, high = (float(end) for end in claim["stated"].split(".."))
    column, named = report.column(claim), claim["row"].split("|")
    inside = [row for row, value in column.items() if low - EPS <= value <= high + EPS]
    left_out = _figures(column, [row for row in inside if row not in named]) or "none"
    wrong = _figures(column, [row for row in named if row not in inside]) or "none"
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
        f"{_figures(column, named)}; the largest of all others is {against(others)}, of those "
        f"with emigration of {floor:.1f} or more {against(alike)}"
    )


def _above_row(report: Report, claim: Claim) -> Verdict:
    column, named, bar = report.column(claim), claim["row"].split("|"), claim["stated"]
    holds = all(column[row] > column[bar] for row in named)
    return holds, f"{_figures(column, [bar])}; {_figures(column, named)}"


def _pair(report: Report, claim: Claim) -> tuple[dict[str, float], dict[str, float]]:
    """Return the claim's column and the one it is compared with, 'Table 11, Non-Mexican Males'."""
    table, _, panel = claim["stated"].removeprefix("Table ").partition(", ")
    return report.column(claim), report.column({**claim, "table": table, "panel": panel})


def _against(mine: Mapping[str, float], other: Mapping[str, float], rows: Iterable[str]) -> str:
    return ", ".join(f"{row} ({mine[row]:.1f} against {other[row]:.1f})" for row in rows) or "none"


def _above_panel(report: Report, claim: Claim) -> Verdict:
    mine, other = _pair(report, claim)
    named = claim["row"].split("|")
    below = [row for row in named if mine[row] <= other[row]]
    above = [row for row in named if row not in below]
    return not below, (
        f"above {claim['stated']}: {_against(mine, other, above)}; not above: "
        f"{_against(mine, other, below)}"
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
    return added > before, (
        f"mean of the years added since the earlier estimates ({', '.join(named)}) {added:.2f}, "
        f"of the {len(column) - len(named)} before {before:.2f}; a straight line through all "
        f"{len(column)} rises by {slope:.2f} a year"
    )


def _everywhere(report: Report, claim: Claim) -> list[float]:
    """Estimates in all the claim's tables, of its row if it names one."""
    tables, component = _numbers(claim["table"]), claim["component"]
    keys = [k for k in report.rows if k[0] in tables and claim["row"] in ("", k[2])]
    return [report.rows[key][component].estimate for key in keys]


def _at_least(report: Report, claim: Claim) -> Verdict:
    values = _everywhere(report, claim)
    return min(values) >= float(claim["stated"]), f"smallest of {len(values)} is {min(values):.1f}"


def _constant(report: Report, claim: Claim) -> Verdict:
    values = _everywhere(report, claim)
    return set(values) == {float(claim["stated"])}, f"{len(values)} rows have {sorted(set(values))}"


def _moving_average(report: Report, claim: Claim) -> Verdict:
    keys, years = report.keys(_table(claim), claim["panel"]), int(float(claim["stated"]))
    single = sum(re.fullmatch(r"\d{4}", key[2]) is not None for key in keys)
    noted = _numbers(report.said("note_years")[0]["stated"])
    averages = len(noted) - years + 1
    # averages over several years share their persons, and count them more than once
    ours, theirs = (
        sum(_worth(report.rows[key]["non_match"]) for key in some)
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
            report.rows[_table(claim), panel, row] for panel in (claim["panel"], claim["stated"])
        )
        for name in NON_NEGATIVE:
            a, b = mine[name].estimate, other[name].estimate
            if abs(a - b) > ROUNDED:
                off.append(f"{row}, {_words(name)} {a:.1f} and {b:.1f}")
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
    rows, places = ({k[2] for k in report.rows if k[0] == t} for t in (_table(claim), like))
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
    verdicts: dict[str, list[bool]] = defaultdict(list)
    failed = []
    for claim in report.claims:
        if claim["kind"] in FACTS:
            continue
        holds, figures = KINDS[claim["kind"]](report, claim)
        verdicts[claim["section"]].append(holds)
        if not holds:
            failed.append(Finding(_claim_place(claim), False, f"{claim['quote']!r}: {figures}"))
    for section, held in verdicts.items():
        yield from _held(sum(held), len(held), "statements hold", section)
    yield from failed


def _claim_place(claim: Claim) -> str:
    if not claim["table"]:
        return claim["source"].rpartition(", on ")[2]
    tables = ", ".join(map(str, _numbers(claim["table"])))
    one_row = claim["kind"] != "sum" and not re.search(r"\||\.\.| > ", claim["row"])
    return _place((tables, claim["panel"], claim["row"] if one_row else ""))


Check = Callable[[Report], Iterator[Finding]]
CHECKS: tuple[tuple[str, Check], ...] = (
    ("rows printed", rows_printed),
    ("components add up", components_add_up),
    ("net emigration adds up", net_adds_up),
    ("interval symmetric", interval_symmetric),
    ("interval below zero", interval_below_zero),
    ("net emigration below zero", net_below_zero),
    ("emigration printed 0.0", emigration_zero),
    ("interval of emigration", interval_of_emigration),
    ("interval of net emigration", interval_of_net),
    ("standard errors", standard_errors),
    ("nesting", nesting),
    ("nesting, all at once", nesting_jointly),
    ("years behind a table", years_noted),
    ("years behind a table", years_labelled),
    ("Table 3 and the program", table_3_and_program),
    ("labels", age_terms),
    ("labels", program_labels),
    ("labels", program_tables),
    ("stated twice", repeated_statements),
    ("prose", prose),
)


def audit(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return what the printed numbers say about each other and about the prose.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        The files of ``published/`` by stem: ``cells``, ``standard_errors``,
        ``coefficients``, ``mortality_program``, ``native_rates`` and ``claims``.

    Returns
    -------
    DataFrame
        Columns ``check``, ``where``, ``holds`` and ``detail``.  What holds is one row per
        check, with a count; what does not is one row for each.

    Raises
    ------
    KeyError
        If a file, a printed row or a component is missing, or a claim names another.
    """
    report = Report(tables)
    found = [(name, *finding) for name, check in CHECKS for finding in check(report)]
    return pd.DataFrame(found, columns=["check", *Finding._fields]).astype({"holds": bool})
