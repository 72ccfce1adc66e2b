"""Printed cells as they are in the file, and a user's file written from them."""

import csv

import pytest

import bayesmig as bm
from bayesmig.models.emigration.data import PUBLISHED

COMPONENTS = [
    "non_match",
    "internal_migration",
    "mortality",
    "non_follow_up",
    "return_immigration",
]
NUMBERS = ["estimate", "se", "ci_low", "ci_high", "ci_prob", "source", "note"]
Z90 = 1.6448536269514722


def printed(**where):
    """Rows of cells.csv as they are, those of a table, panel, row or component."""
    with (PUBLISHED / "cells.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [row for row in rows if all(row[key] == str(value) for key, value in where.items())]


def said(call, *arguments, **named):
    """What a DataError says."""
    with pytest.raises(bm.DataError) as caught:
        call(*arguments, **named)
    return str(caught.value)


def name(value):
    return f"table{value}".replace(" ", "") if isinstance(value, int | tuple) else None


HEADER = ["sex", "age", "component", "estimate", "ci_low", "ci_high", "ci_prob"]


def good():
    """The rows of a file that reads: Table 10's Mexicans aged 15-24 and 25-34."""
    rows = []
    for sex in ("Male", "Female"):
        for age in ("15-24", "25-34"):
            for component in COMPONENTS:
                where = {"panel": f"Mexican {sex}s", "row": age, "component": component}
                (row,) = printed(table=10, **where)
                rows.append([sex, age, *(row[column] for column in HEADER[2:])])
    assert len(rows) == 20
    return rows


def write(path, rows, header=None):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([HEADER if header is None else header, *rows])
    return path


SEXES = {"Males": "Male", "Females": "Female"}
