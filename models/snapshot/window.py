"""Years, sojourn classes and knots of the model, as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bayesmig.errors import StudyError

Knots = int | Sequence[int] | Literal["every"]


@dataclass(frozen=True)
class Window:
    """The model's years, counted from 0 in the arrays.

    Attributes
    ----------
    first_year, last_year : int
    single_years : int
        Sojourns of 1 to ``single_years`` years are classes of their own; longer ones,
        up to the number of years of the window, form one class.
    knots : tuple of int
        Years between which logit repeat probabilities (or mean trips) are linear.
    """

    first_year: int
    last_year: int
    single_years: int
    knots: tuple[int, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.single_years, Integral) or not 2 <= self.single_years < self.size:
            raise StudyError(
                f"single_years must be a whole number from 2 to {self.size - 1}, "
                f"got {self.single_years!r}"
            )
        inside = all(
            isinstance(k, Integral) and self.first_year + 1 < k <= self.last_year
            for k in self.knots
        )
        if not self.knots or not inside or list(self.knots) != sorted(set(self.knots)):
            raise StudyError(
                f"knots must be years that grow, from {self.first_year + 2} to "
                f"{self.last_year}, got {self.knots!r}"
            )
        if self.knots[-1] != self.last_year:
            raise StudyError(f"the last knot must be {self.last_year}, got {self.knots[-1]}")

    @classmethod
    def of(cls, attrs: Mapping[Any, Any], single_years: int, knots: Knots) -> Window:
        """Window of a data set's attributes.

        ``knots`` are years, a number of pieces of equal length, or "every" for each year.
        """
        first, last = attrs["first_year"], attrs["last_year"]
        return cls(first, last, single_years, _knot_years(knots, first, last))

    @property
    def size(self) -> int:
        """Number of years (tau)."""
        return self.last_year - self.first_year + 1

    @cached_property
    def years(self) -> NDArray[np.int64]:
        """Calendar years."""
        return np.arange(self.first_year, self.last_year + 1)

    @property
    def coords(self) -> dict[str, Any]:
        """Coordinates of the graph's dims."""
        return {
            "year": self.years,
            "departure": self.years,
            "trend": ["linear", "quadratic"],
            "year_step": self.years[1:],
            "sojourn_class": sojourn_classes(self.single_years, self.size),
            "sojourn_step": [str(j) for j in range(2, self.single_years + 1)],
            "leaving_step": [str(j) for j in range(3, self.single_years + 1)],
            "repeat_knot": [self.first_year + 1, *self.knots],
            "repeat_knot_step": self.knots,
            "trip_knot": self.knots,
        }

    @property
    def lag(self) -> NDArray[np.int64]:
        """Years since departure (year, departure); 0 before it."""
        index = np.arange(self.size)
        return np.maximum(index[:, None] - index[None], 0)

    @property
    def past(self) -> NDArray[np.float64]:
        """Whether a year is not before the departure, (year, departure)."""
        return np.tril(np.ones((self.size, self.size)))

    @property
    def class_of_year(self) -> NDArray[np.int64]:
        """Sojourn class of each length of stay, (year)."""
        return np.minimum(np.arange(self.size), self.single_years)

    @property
    def class_width(self) -> NDArray[np.float64]:
        """Years in each sojourn class."""
        return np.append(np.ones(self.single_years), float(self.size - self.single_years))

    @property
    def trend(self) -> NDArray[np.float64]:
        """Linear and quadratic trend over the years, (year, trend); each has mean zero."""
        x = np.linspace(-1, 1, self.size)
        return np.column_stack([x, x**2 - np.mean(x**2)])

    @property
    def log_steps(self) -> NDArray[np.float64]:
        """Distances between log lengths of stay, (sojourn_step)."""
        return np.diff(np.log(np.arange(1, self.single_years + 1)))

    @property
    def knot_steps(self) -> NDArray[np.float64]:
        """Distances between the knots of the repeat probability, in decades."""
        return np.diff([self.first_year + 1, *self.knots]) / 10

    def interpolation(self, first_knot: int) -> NDArray[np.float64]:
        """Weights (year, knot) of linear interpolation between the knots and a first one."""
        at = [first_knot, *self.knots]
        return np.column_stack([np.interp(self.years, at, row) for row in np.eye(len(at))])


def sojourn_classes(single_years: int, years: int) -> list[str]:
    """Labels of the classes of stays: single years, then all longer ones together."""
    return [*map(str, range(1, single_years + 1)), f"{single_years + 1}-{years}"]


def _knot_years(knots: Knots, first: int, last: int) -> tuple[int, ...]:
    if isinstance(knots, str):
        if knots == "every":
            return tuple(range(first + 2, last + 1))
    elif not isinstance(knots, int | np.integer):
        return tuple(knots)
    elif 1 <= int(knots) < (last - first) / 2:
        return tuple(np.linspace(first, last, int(knots) + 1).round().astype(int)[1:].tolist())
    raise StudyError(f"knots={knots!r}; valid: years, a number of pieces, or 'every'")
