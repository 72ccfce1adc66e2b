"""What the manuscript's printed numbers say about each other, and about its prose: no model.

Every finding is computed from the files of ``published/``: ``coefficients.csv`` (Tables 1
and 2a-c), ``samples.csv`` and ``claims.csv``, which holds what the manuscript *says*, one
statement per row; whether a statement holds is decided here.  A check is a function in
`CHECKS` that yields findings: one for all that holds, one for each thing that does not.

The contrasts are A, aspires against no aspirations; B, migrated against aspires; C, migrated
against no aspirations.  Prose is read generously: an association or a difference that it
states needs the right sign and a two-sided p below 0.10, one that it denies a p of 0.05 or
more.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from bayesmig.models.social_capital import printed

STATED, DENIED = 0.10, 0.05  # two-sided p: see above
DAGGER = "†"
LEVELS = {"***": 0.001, "**": 0.01, "*": 0.05}  # the legend
UNDECLARED = {**LEVELS, DAGGER: 0.10}  # with the level that the printed daggers fit
TABLE = {"A": "2a", "B": "2b", "C": "2c"}  # of Tables 2a-c, by contrast
EVERYONE = "all"  # Table 1's stratum
KEY = ["term", "level", "contrast", "first", "second"]  # of a difference between strata
ALL_TABLES, STRATIFIED = "Tables 1 and 2a-c", "Tables 2a-c"

Claim = Mapping[str, str]  # a row of claims.csv
Verdict = tuple[bool, str]


class Finding(NamedTuple):
    """One row of the audit, less the name of its check."""

    where: str
    holds: bool
    detail: str


class Cell(NamedTuple):
    """A printed coefficient, log odds, and its standard error."""

    estimate: float
    se: float
    stars: str = ""

    @property
    def p(self) -> float:
        """Two-sided, normal."""
        return float(printed.two_sided(np.array(self.estimate / self.se)))

    def __str__(self) -> str:
        return f"{_figure(self.estimate)} ({_figure(self.se)}) {self.stars}".rstrip()


class Manuscript:
    """The published files, and what follows from them."""

    def __init__(self, tables: Mapping[str, pd.DataFrame]):
        self.tables = tables
        self.rows = printed.tidy(tables["coefficients"])
        self.cells = {
            (row.term, row.level, row.contrast, row.stratum): Cell(row.estimate, row.se, row.stars)
            for row in self.rows.itertuples(index=False)
        }

    def records(self, name: str) -> list[dict[str, str]]:
        """Rows of one file as text; an empty field is an empty text, however it was read."""
        table = self.tables[name].astype(object)
        lines = table.where(table.notna(), "").astype(str).itertuples(index=False)
        return [dict(zip(table.columns, line, strict=True)) for line in lines]

    @cached_property
    def claims(self) -> list[dict[str, str]]:
        """Rows of ``claims.csv``."""
        return self.records("claims")

    def said(self, kind: str) -> list[dict[str, str]]:
        """Claims of one kind."""
        return [claim for claim in self.claims if claim["kind"] == kind]

    @cached_property
    def contrasts(self) -> pd.DataFrame:
        """A, B, C and A + B side by side, with whether C is A + B, or B - A."""
        wide = printed.contrasts(self.rows).reset_index()
        allowed = printed.rounding(wide.A, wide.B, wide.C)
        return wide.assign(
            is_sum=(wide.A + wide.B - wide.C).abs() <= allowed,
            is_difference=(wide.B - wide.A - wide.C).abs() <= allowed,
        )

    @cached_property
    def differences(self) -> pd.DataFrame:
        """Differences between strata, with ``said``: whether the prose names them."""
        found = printed.strata_differences(self.rows)
        named = {_difference_key(claim) for claim in self.said("difference")}
        keys = found[KEY].itertuples(index=False, name=None)
        return found.assign(said=[key in named for key in keys])

    @cached_property
    def _by_key(self) -> pd.DataFrame:
        return self.differences.set_index(KEY)

    def cell(self, claim: Claim, contrast: str | None = None) -> Cell:
        """Return the cell that a claim is about, or the one of another contrast."""
        of = claim["contrast"] if contrast is None else contrast
        key = claim["term"], claim["level"], of, claim["stratum"]
        if key not in self.cells:
            raise KeyError(f"claims.csv, {claim['claim']}: no coefficient {', '.join(key)}")
        return self.cells[key]

    def difference(self, claim: Claim) -> Any:
        """Return the row of `differences` that a claim is about."""
        key = _difference_key(claim)
        if key not in self._by_key.index:
            raise KeyError(f"claims.csv, {claim['claim']}: no difference {', '.join(key)}")
        return self._by_key.loc[key]

    def implied(self, claim: Claim) -> tuple[float, float, float]:
        """C as A + B, and the least and the most that its standard error can be.

        The covariance of A and B, negative because they share 'aspires', is between
        -se(A) se(B) and 0, so that se(C) is between |se(B) - se(A)| and the root of the sum
        of squares.
        """
        a, b = self.cell(claim, "A"), self.cell(claim, "B")
        return a.estimate + b.estimate, abs(b.se - a.se), float(np.hypot(a.se, b.se))


def _figure(value: float) -> str:
    """A number with the digits of the tables."""
    decimals = max(0, round(-np.log10(2 * float(printed.half_unit(value)))))
    return f"{value:.{decimals}f}"


def _row(term: str, level: str) -> str:
    return f"{term.replace('_', ' ')} {level.replace('_', ' ')}".strip()


def _table(contrast: str, stratum: str) -> str:
    return "1" if stratum == EVERYONE else TABLE[contrast]


def _place(term: str, level: str, contrast: str, stratum: str) -> str:
    """Name a printed cell, as in 'Table 2a, children 3, extended'."""
    column = contrast if stratum == EVERYONE else stratum
    return f"Table {_table(contrast, stratum)}, {_row(term, level)}, {column}"


def _difference_key(claim: Claim) -> tuple[str, str, str, str, str]:
    first, second = claim["stratum"].split(" - ")
    return claim["term"], claim["level"], claim["contrast"], first, second


def _held(n: int, of: int, what: str, where: str = ALL_TABLES) -> Iterator[Finding]:
    """Say in one row what holds, if anything does."""
    if n:
        yield Finding(where, True, f"{n} of {of} {what}")


# Contrasts


def contrasts_add_up(report: Manuscript) -> Iterator[Finding]:
    """C is A + B, within rounding."""
    for where, rows in _by_table(report.contrasts):
        both = (rows.is_sum & rows.is_difference).sum()
        also = f"; in {both} of them B - A is the same within rounding" if both else ""
        yield from _held(int(rows.is_sum.sum()), len(rows), f"rows have C = A + B{also}", where)
        for row in rows[~rows.is_sum].itertuples(index=False):
            c = report.cells[row.term, row.level, "C", row.stratum]
            rule = "is B - A" if row.is_difference else "is neither A + B nor B - A"
            flips = ", of the other sign" if row.sum * row.C < 0 else ""
            yield Finding(
                _place(row.term, row.level, "C", row.stratum),
                False,
                f"printed {c} {rule}; A + B = {_figure(row.A)} + {_figure(row.B)} = "
                f"{_figure(row.sum)}{flips}",
            )


def _by_table(rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    first = rows.stratum == EVERYONE
    yield "Table 1", rows[first]
    yield STRATIFIED, rows[~first]


def labels_of_contrasts(report: Manuscript) -> Iterator[Finding]:
    """The heads of the columns, the text and the outcome's coding name the same contrasts."""
    meaning = {claim["contrast"]: claim["stated"] for claim in report.said("meaning")}
    base, *others = report.said("coding")[0]["stated"].split("|")
    coded = {f"{other} : {base}" for other in others}
    counts = {
        where: (int(rows.is_difference.sum()), len(rows))
        for where, rows in _by_table(report.contrasts)
    }
    right = []
    for claim in report.said("head"):
        head, contrast, place = claim["stated"], claim["contrast"], f"Table {claim['table']}"
        if head == meaning[contrast]:
            right.append(f"{place}, {contrast}")
            continue
        use = " as the outcome's coding in section 2.2 does" if head in coded else ""
        tally = "; ".join(f"{w}: {n} of {of} rows" for w, (n, of) in counts.items())
        baseline = report.cells["baseline_aspirations", "", contrast, EVERYONE]
        yield Finding(
            f"{place}, {contrast}",
            False,
            f"the head is {head!r}{use}, the text {meaning[contrast]!r}.  By the head, C would be "
            f"B - A ({tally}), and earlier aspirations, {baseline}, would make having none "
            "likelier; the text's reading is taken",
        )
    if right:
        yield Finding(", ".join(right), True, "head and text name the same contrast")


def covariance_left_out(report: Manuscript) -> Iterator[Finding]:
    """se(C) has the covariance of A and B, which share 'aspires'."""
    for where, rows in _by_table(report.contrasts):
        allowed = printed.rounding(rows.se_C) + np.hypot(
            printed.half_unit(rows.se_A), printed.half_unit(rows.se_B)
        )
        without = (np.hypot(rows.se_A, rows.se_B) - rows.se_C).abs() <= allowed
        yield from _held(int((~without).sum()), len(rows), "rows have another se(C)", where)
        if without.mean() > 0.5:  # a few may be so by chance: 0.001 is a wide rounding
            # with 'no aspirations' by far the commonest, A and C are nearly independent
            narrow = np.sqrt(np.maximum(rows.se_B**2 - rows.se_A**2, 0)) / rows.se_C
            median = narrow[without].median()
            yield Finding(
                where,
                False,
                f"se(C) is the root of se(A)^2 + se(B)^2 in {without.sum()} of {len(rows)} rows: "
                "the covariance of A and B is left out.  It is negative, so that se(C) is too "
                "large; if 'no aspirations' is by far the commonest outcome, se(C) is near the "
                f"root of se(B)^2 - se(A)^2, {median:.2f} of the printed (median)",
            )


# Stars


def possible_stars(cell: Cell, levels: Mapping[str, float], sides: int = 2) -> set[str]:
    """Return the stars that a coefficient may have, given that it and its se are rounded."""
    more, less = printed.half_unit(cell.estimate), printed.half_unit(cell.se)
    size = abs(cell.estimate)
    ends = [max(size - more, 0) / (cell.se + less), (size + more) / max(cell.se - less, 1e-12)]
    ps = printed.two_sided(np.array(ends)) * sides / 2
    marks = sorted(levels, key=levels.__getitem__)
    reached = [next((mark for mark in marks if p < levels[mark]), "") for p in ps]
    order = [*marks, ""]
    low, high = (order.index(mark) for mark in reversed(reached))
    return set(order[low : high + 1])


def stars(report: Manuscript) -> Iterator[Finding]:
    """Stars are those of two-sided tests at the legend's levels."""
    legends = {claim["table"]: _legend(claim) for claim in report.said("legend")}
    for contrast in printed.CONTRASTS:
        cells = {key: cell for key, cell in report.cells.items() if key[2] == contrast}
        fits: Counter[str] = Counter()
        wrong = []
        for key, cell in cells.items():
            legend = legends[_table(contrast, key[3])]
            two = cell.stars in possible_stars(cell, legend)
            fits["two"] += two
            fits["one"] += cell.stars in possible_stars(cell, UNDECLARED, sides=1)
            if not two:
                wrong.append((key, cell, legend))
        n = len(cells)
        where = f"Tables 1 and {TABLE[contrast]}, {contrast}"
        yield Finding(
            where,
            fits["two"] == n,
            f"stars of {fits['two']} of {n} coefficients are those of two-sided tests at the "
            f"legend's levels, within rounding; of one-sided tests with {DAGGER} at "
            f"{UNDECLARED[DAGGER]:.2f}: {fits['one']}",
        )
        for key, cell, legend in wrong:
            mark = " or ".join(repr(m) for m in sorted(possible_stars(cell, legend)))
            unknown = "" if not cell.stars or cell.stars in legend else ", not in the legend"
            yield Finding(
                _place(*key),
                False,
                f"printed {cell}{unknown}; two-sided p = {cell.p:.3f} would have {mark}, "
                f"one-sided it is {cell.p / 2:.3f}",
            )


def _legend(claim: Claim) -> dict[str, float]:
    pairs = (part.split() for part in claim["stated"].split("|"))
    return {mark: float(level) for mark, level in pairs}


# Sample sizes


def sample_sizes(report: Manuscript) -> Iterator[Finding]:
    """Strata add up to Table 1, columns agree, and so does the text."""
    sizes: dict[str, dict[tuple[str, str], int]] = defaultdict(dict)
    places: dict[str, set[int]] = defaultdict(set)
    for row in report.records("samples"):
        key = (row["contrast"], row["stratum"])
        sizes[row["table"]][key] = int(float(row["individuals"]))
        places[row["table"]].add(int(float(row["municipalities"])))
    columns = sizes["1"]
    yield Finding(
        "Table 1",
        len(set(columns.values())) == 1,
        f"people by contrast: {', '.join(f'{c} {n:,}' for (c, _), n in columns.items())}",
    )
    whole, said = min(sizes["1"].values()), min(sizes["text"].values())
    yield Finding(
        "section 2.1",
        said == whole,
        f"{said:,} people, Table 1 {whole:,}{_more(said - whole)}",
    )
    for table in TABLE.values():
        parts = _strata_sizes(sizes[table])
        figures = " + ".join(f"{n:,}" for n in parts)
        yield Finding(
            f"Table {table}",
            sum(parts) == whole,
            f"{figures} = {sum(parts):,} people, Table 1 {whole:,}{_more(sum(parts) - whole)}",
        )
    strata = {n for table in TABLE.values() for n in places[table]}
    yield Finding(
        ALL_TABLES,
        places["text"] == places["1"] and max(strata) <= min(places["1"]),
        f"municipalities: Table 1 {_listed(places['1'])}, text {_listed(places['text'])}, strata "
        f"{_listed(strata)}",
    )


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(numbers)))


def _strata_sizes(sizes: Mapping[tuple[str, str], int]) -> tuple[int, ...]:
    by_stratum = {stratum: n for (_, stratum), n in sizes.items()}
    return tuple(by_stratum[name] for name in printed.STRATA)


def _more(difference: int) -> str:
    return f": {difference:+,}" if difference else ""


# Strata and the whole


def strata_average(report: Manuscript) -> Iterator[Finding]:
    """Strata, averaged by the inverse of their variances, give about Table 1.

    The network itself is in Table 1 only.  Rows of a complete separation have no weight.
    """
    rows = report.rows[report.rows.stratum != EVERYONE]
    weight = 1 / rows.se**2
    sums = (
        pd.DataFrame({"wx": weight * rows.estimate, "w": weight})
        .groupby([rows.term, rows.level, rows.contrast])
        .sum()
    )
    average = (sums.wx / sums.w).unstack("contrast")
    error = (sums.w**-0.5).unstack("contrast")
    whole = report.contrasts[report.contrasts.stratum == EVERYONE].set_index(["term", "level"])
    whole = whole.loc[average.index]
    for contrast, column, name in (
        ("A", "A", "A"),
        ("B", "B", "B"),
        ("C", "C", "C as printed"),
        ("C", "sum", "C as A + B"),
    ):
        gap = average[contrast] - whole[column]
        distance = float(np.sqrt((gap**2).mean()))
        errors = float(np.sqrt(((gap / error[contrast]) ** 2).mean()))
        own = "; 2c is itself 2a + 2b" if column == "sum" else ""
        yield Finding(
            f"Tables 1 and {TABLE[contrast]}, {name}",
            errors <= 1,
            f"root-mean-square distance {distance:.2f} over {len(gap)} rows, {errors:.2f} "
            f"standard errors of the average{own}",
        )


def separation(report: Manuscript) -> Iterator[Finding]:
    """Estimates are finite: no complete separation."""
    apart = printed.separated(report.rows)
    yield from _held(
        int((~apart).sum()),
        len(report.rows),
        f"standard errors are {report.rows.se[~apart].max():.3f} or less",
    )
    for row in report.rows[apart].itertuples(index=False):
        cell = report.cells[row.term, row.level, row.contrast, row.stratum]
        why = (
            "A and B run off together and C is finite; its se too, with their covariance"
            if row.contrast == "C"
            else "one of the two outcomes is empty, and the likelihood has no maximum"
        )
        yield Finding(
            _place(row.term, row.level, row.contrast, row.stratum), False, f"printed {cell}; {why}"
        )


# Differences between strata


def differences_stated(report: Manuscript) -> Iterator[Finding]:
    """Differences between strata that the prose states, by its own footnote 3."""
    said = report.said("difference")
    verdicts = [(claim, report.difference(claim)) for claim in said]
    p = np.array([row.p for _, row in verdicts])
    way = np.array([_goes(row.estimate, claim["stated"]) for claim, row in verdicts])
    yield from _held(
        int((way & (p < STATED)).sum()),
        len(said),
        f"have the sign stated and two-sided p below {STATED:.2f}; below 0.05 "
        f"{(p < 0.05).sum()}; one-sided below {STATED:.2f} {(p / 2 < STATED).sum()}",
        STRATIFIED,
    )
    for claim, row in verdicts:
        if row.p >= STATED or not _goes(row.estimate, claim["stated"]):
            yield Finding(
                f"Table {claim['table']}, {_row(claim['term'], claim['level'])}, "
                f"{claim['stratum']}",
                False,
                f"said to be {claim['stated']}: {row.estimate:+.3f} (se {row.se:.3f}), two-sided "
                f"p = {row.p:.3f}",
            )


def differences_unstated(report: Manuscript) -> Iterator[Finding]:
    """No difference between strata is left out that is clearer than those stated."""
    found = report.differences
    clear = found[(found.p < DENIED) & ~found.said]
    n = int((found.p < DENIED).sum())
    yield from _held(
        n - len(clear),
        n,
        f"differences with two-sided p below {DENIED} are in the prose; of {len(found)} made, "
        f"{DENIED * len(found):.1f} would be so by chance",
        STRATIFIED,
    )
    for row in clear.itertuples(index=False):
        yield Finding(
            f"Table {TABLE[row.contrast]}, {_row(row.term, row.level)}, {row.first} - {row.second}",
            False,
            f"{row.estimate:+.3f} (se {row.se:.3f}), two-sided p = {row.p:.4f}, is not mentioned",
        )


def _goes(value: float, way: str) -> bool:
    """Tell whether a value goes the way that is stated."""
    return {
        "positive": value > 0,
        "higher": value > 0,
        "negative": value < 0,
        "lower": value < 0,
        "either": True,
    }[way]


# Prose: each kind of statement has a judge


class Evidence(NamedTuple):
    """What print says of one coefficient: C is A + B, its p known between bounds only."""

    value: float
    p_least: float
    p_most: float
    words: str


def _evidence(report: Manuscript, claim: Claim) -> Evidence:
    cell = report.cell(claim)
    if claim["contrast"] != "C":
        return Evidence(cell.estimate, cell.p, cell.p, f"{cell}, two-sided p = {cell.p:.3f}")
    value, least, most = report.implied(claim)
    p_least = Cell(value, least).p if least else 0.0
    p_most = Cell(value, most).p
    words = (
        f"printed {cell}; A + B = {value:+.3f}, its se between {least:.3f} and {most:.3f}, so "
        f"two-sided p between {p_least:.2g} and {p_most:.2g}"
    )
    return Evidence(value, p_least, p_most, words)


def _association(report: Manuscript, claim: Claim) -> Verdict:
    found = _evidence(report, claim)
    return found.p_least < STATED and _goes(found.value, claim["stated"]), found.words


def _no_association(report: Manuscript, claim: Claim) -> Verdict:
    found = _evidence(report, claim)
    return found.p_most >= DENIED, found.words


def _stronger(report: Manuscript, claim: Claim) -> Verdict:
    names = claim["contrast"].split(" > ")
    was = [report.cell(claim, name).estimate for name in names]
    now = [
        report.implied(claim)[0] if name == "C" else value
        for name, value in zip(names, was, strict=True)
    ]
    sign = -1 if claim["stated"] == "negative" else 1
    before = ", ".join(f"{n} {v:+.3f}" for n, v in zip(names, was, strict=True))
    after = ", ".join(f"{n} {v:+.3f}" for n, v in zip(names, now, strict=True))
    return sign * now[0] > sign * now[1], f"printed {before}; with C = A + B {after}"


def _how_many_differ(report: Manuscript, claim: Claim) -> Verdict:
    found = report.differences[report.differences.contrast == claim["contrast"]]
    two, one = (found.p < STATED).sum(), (found.p / 2 < STATED).sum()
    return int(two) == int(claim["stated"]), (
        f"of {len(found)} differences {two} have a two-sided p below {STATED:.2f}, {one} a "
        f"one-sided; the smallest two-sided is {found.p.min():.3f}"
    )


def _fewer_differ(report: Manuscript, claim: Claim) -> Verdict:
    found = report.differences[report.differences.p < STATED]
    counts = {name: int((found.contrast == name).sum()) for name in claim["contrast"].split(" < ")}
    first, second = counts.values()
    return first < second, f"two-sided p below {STATED:.2f}: {counts}"


def _example(report: Manuscript, claim: Claim) -> Verdict:
    strata = claim["stratum"].split(" - ")
    values = [report.cell({**claim, "stratum": name}).estimate for name in strata]
    stated = [float(number) for number in claim["stated"].split(" - ")]
    return values == stated, f"printed {' - '.join(map(_figure, values))}"


def _categories(report: Manuscript, claim: Claim) -> Verdict:
    levels = {key[1] for key in report.cells if key[0] == claim["term"]}
    own = sorted({key[0] for key in report.cells} & set(claim["stated"].split("|")))
    return not own, (
        f"printed beside the reference: {', '.join(sorted(levels))}; a row of its own: "
        f"{', '.join(own) or 'none'}"
    )


def _how_many(report: Manuscript, claim: Claim) -> Verdict:
    named = claim["term"].split("|")
    return len(named) == int(claim["stated"]), f"it names {len(named)}: {', '.join(named)}"


Judge = Callable[[Manuscript, Claim], Verdict]
KINDS: dict[str, Judge] = {
    "association": _association,
    "no_association": _no_association,
    "stronger": _stronger,
    "how_many_differ": _how_many_differ,
    "fewer_differ": _fewer_differ,
    "example": _example,
    "categories": _categories,
    "how_many": _how_many,
}
# Statements that other checks use; footnote 3's formula is that of `strata_differences`
FACTS = {"meaning", "head", "coding", "legend", "difference", "formula"}


def prose(report: Manuscript) -> Iterator[Finding]:
    """Compare what the text says of the tables with the tables, C being A + B."""
    verdicts: dict[str, list[bool]] = defaultdict(list)
    failed = []
    for claim in report.claims:
        if claim["kind"] in FACTS:
            continue
        holds, figures = KINDS[claim["kind"]](report, claim)
        verdicts[_section(claim)].append(holds)
        if not holds:
            failed.append(Finding(_claim_place(claim), False, f"{claim['quote']!r}: {figures}"))
    for section, held in verdicts.items():
        yield from _held(sum(held), len(held), "statements are not contradicted", section)
    yield from failed


def undecided(report: Manuscript) -> Iterator[Finding]:
    """Statements on C that its true standard error, which is not in print, would decide."""
    for kind, level in (("association", STATED), ("no_association", DENIED)):
        for claim in report.said(kind):
            found = _evidence(report, claim)
            stated = kind == "no_association" or _goes(found.value, claim["stated"])
            if stated and found.p_least < level <= found.p_most:
                detail = f"{claim['quote']!r}: {found.words}"
                yield Finding(_claim_place(claim), True, f"cannot be decided, {detail}")


def _section(claim: Claim) -> str:
    name = claim["section"]
    return f"section {name}" if name[0].isdigit() else name


def _claim_place(claim: Claim) -> str:
    place = f"Table {claim['table']}" if claim["table"] else _section(claim)
    row = "" if "|" in claim["term"] else _row(claim["term"], claim["level"])
    return ", ".join(filter(None, (place, row, claim["contrast"])))


Check = Callable[[Manuscript], Iterator[Finding]]
CHECKS: tuple[tuple[str, Check], ...] = (
    ("contrasts add up", contrasts_add_up),
    ("labels of the contrasts", labels_of_contrasts),
    ("standard errors", covariance_left_out),
    ("stars", stars),
    ("sample sizes", sample_sizes),
    ("strata average to Table 1", strata_average),
    ("complete separation", separation),
    ("differences between strata", differences_stated),
    ("differences left out", differences_unstated),
    ("prose", prose),
    ("prose, undecided", undecided),
)


def audit(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return what the printed numbers say about each other and about the prose.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        The files of ``published/`` by stem: ``coefficients``, ``samples`` and ``claims``.

    Returns
    -------
    DataFrame
        Columns ``check``, ``where``, ``holds`` and ``detail``.  What holds is one row per
        check, with a count; what does not is one row for each.

    Raises
    ------
    KeyError
        If a file is missing, or a claim names a coefficient that is not printed.
    DataError
        If ``coefficients`` lacks a column or a row, or has no number where one is needed.
    """
    report = Manuscript(tables)
    found = [(name, *finding) for name, check in CHECKS for finding in check(report)]
    return pd.DataFrame(found, columns=["check", *Finding._fields]).astype({"holds": bool})
