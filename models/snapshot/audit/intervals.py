"""The paper's own intervals and standard errors."""

from __future__ import annotations

from collections.abc import Iterator

from bayesmig.audit import Finding
from bayesmig.models.snapshot.audit.numbers import Paper, section, spread, words
from bayesmig.models.snapshot.paper import Z
from bayesmig.printed import EPS


def intervals(paper: Paper) -> Iterator[Finding]:
    """The paper's own intervals are estimate plus or minus the same, hence normal ones."""
    shown = []
    own = {row["quantity"]: row for row in paper.records("quantities")}
    for name, row in own.items():
        if not row["ci_low"]:
            continue
        low, high = paper(name, "ci_low"), paper(name, "ci_high")
        middle = spread(lambda a, b: (a + b) / 2, low, high)
        estimate = paper(name)
        apart = middle.low > estimate.high + EPS or middle.high < estimate.low - EPS
        if apart:
            text = f"{estimate.value:g}, middle of {low.value:g} to {high.value:g}"
            found = f"{words(name)}: {text} is {middle.value:.4g}"
            yield Finding(section(row), False, found)
        else:
            se = spread(lambda a, b: (b - a) / (2 * Z), low, high)
            shown.append(f"{words(name)} {se.value:.2g}")
    if shown:
        yield Finding(
            "Section 12",
            True,
            f"{len(shown)} intervals are symmetric; they imply standard errors of "
            f"{', '.join(shown)}",
        )
    for name, row in own.items():
        if row["se"]:
            mean, error = paper.value(name), paper.value(name, "se")
            least, most = mean - Z * error, mean + Z * error
            longest = paper.value("longest_sojourn")
            yield Finding(
                section(row),
                least >= 1 and most <= longest,
                f"{words(name)} {mean:g} with standard error {error:g}: 95 % interval "
                f"{least:.1f} to {most:.1f} years; 1 to {longest:.0f} are possible",
            )
