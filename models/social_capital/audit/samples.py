"""Sample sizes: strata, columns and text."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from bayesmig.audit import Finding
from bayesmig.models.social_capital.audit.manuscript import ALL_TABLES, TABLE, Manuscript
from bayesmig.models.social_capital.paper import TIES


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
    return tuple(by_stratum[name] for name in TIES)


def _more(difference: int) -> str:
    return f": {difference:+,}" if difference else ""
