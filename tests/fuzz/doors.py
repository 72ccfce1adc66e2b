"""Every door that a file comes in by: a small file of each kind, and what is read of it."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyreadstat
import toy
from entry import snapshot_mig
from safety import small
from studies.emigration_microdata import extracts

import bayesmig as bm
from bayesmig.models.emigration.microdata.ipums.extract import load
from bayesmig.models.emigration.microdata.ipums.linking import link
from bayesmig.models.social_capital.paper import COLUMNS

PEOPLE = 30


@dataclass(frozen=True)
class Door:
    """A kind of file.

    Attributes
    ----------
    name : str
        Of the file that is mutated.
    write : callable
        Makes the file, and others that belong to it, in a folder.
    read : callable
        From a path to a table: one row for each record, indexed by the line of a text file.
    lines : bool
        Whether a record is a line, so that what was not touched must be read as before.
    """

    name: str
    write: Callable[[Path], Any]
    read: Callable[[Path], pd.DataFrame]
    lines: bool = False


def frame(data):
    """A Dataset of respondents as a table."""
    columns = {n: v.values for n, v in data.data_vars.items() if v.ndim == 1}
    return pd.DataFrame(columns)


def cells(path):
    data = bm.load_study("emigration").read(path)
    return data.estimate.to_dataframe().reset_index()


def write_cells(folder):
    rows = ["place,component,estimate,ci_low,ci_high,ci_prob"]
    shares = {"non_match": 30.5, "internal_migration": 13.25, "mortality": 0.7}
    shares |= {"non_follow_up": 12.5, "return_immigration": 0.75, "emigration": 3.5}
    for k, place in enumerate(("north", "south", "west")):
        for name, share in shares.items():
            rows.append(f"{place},{name},{share + k / 10},{share - 0.25},{share + 1},0.95")
    (folder / "cells.csv").write_text("\n".join(rows) + "\n")


def respondents(path):
    return frame(bm.load_study("snapshot").read(path))


def write_mig(name):
    return lambda folder: snapshot_mig.write(snapshot_mig.answers(), folder / name)


def people(path):
    return frame(bm.load_study("social_capital").read(path))


def analysis():
    """A table of the analysis file's columns."""
    data = bm.load_study("social_capital").example(n=PEOPLE, municipalities=3)
    table = data.to_dataframe().reset_index(drop=True)
    return table[list(COLUMNS)].astype(
        {n: str for n in COLUMNS if table[n].dtype.kind not in "iufb"}
    )


def write_people(name):
    def write(folder):
        table, path = analysis(), folder / name
        if name.endswith(".csv"):
            table.to_csv(path, index=False)
        elif name.endswith(".parquet"):
            table.to_parquet(path)
        elif name.endswith(".dta"):
            pyreadstat.write_dta(table, str(path))
        else:
            pyreadstat.write_sav(table, str(path))

    return write


def panel(path):
    made = link(load(path))
    return made.frame()


def write_extract(name):
    def write(folder):
        rows = []
        for k in range(12):
            rows += extracts.met(SERIAL=100 + k, AGE=20 + k)
            rows += extracts.met(**{**extracts.SECOND, "SERIAL": 300 + k, "AGE": 25 + k})
        extracts.write(folder / name, rows)

    return write


def fit(path):
    tree = bm.open_fit(path)
    return bm.compare(tree)


def priors(path):
    return bm.load_study("emigration").priors(path).table()


def write_priors(folder):
    text = bm.load_study("emigration").priors().to_toml()
    (folder / "priors.toml").write_text(text)


DOORS = {
    "cells csv": Door("cells.csv", write_cells, cells),
    "mig csv": Door("mig161.csv", write_mig("mig161.csv"), respondents),
    "mig dta": Door("mig161.dta", write_mig("mig161.dta"), respondents),
    "mig sav": Door("mig161.sav", write_mig("mig161.sav"), respondents),
    "mig xpt": Door("mig161.xpt", write_mig("mig161.xpt"), respondents),
    "people csv": Door("people.csv", write_people("people.csv"), people, lines=True),
    "people dta": Door("people.dta", write_people("people.dta"), people),
    "people sav": Door("people.sav", write_people("people.sav"), people),
    "people parquet": Door("people.parquet", write_people("people.parquet"), people),
    "cps csv": Door("cps.csv", write_extract("cps.csv"), panel),
    "cps dat": Door("cps.dat", write_extract("cps.dat"), panel),
    "cps ddi": Door("cps.xml", write_extract("cps.dat"), lambda p: panel(p.with_suffix(".dat"))),
    "cps gz": Door("cps.dat.gz", write_extract("cps.dat.gz"), panel),
    "fit": Door("fit.nc", lambda folder: bm.save_fit(small.fit(), folder / "fit.nc"), fit),
    "priors": Door("priors.toml", write_priors, priors),
}
NASTY = [
    *(b"1e308", b"-1", b"9999", b"8888", b"1_000", b"99999999999999999999", b"0x1F", b"nan"),
    *(b"inf", b".", b"NA", b"", b" ", b"1,5", b"=1+1", b"\x00", b"\xff\xfe", b"\xe9", b"1e400"),
    *("é".encode(), "\u202e".encode(), b'"', b"'", b";", b"\t", b"[" * 200, b"{" * 200),
    *(b"9" * 5000, b"2.0E+13", b"true", b"__import__('os')", b"\r", b"\n", b"-0", b"1 "),
]


def mutate(content, rng):
    """Change a file a little, in one or two places."""
    for _ in range(rng.integers(1, 3)):
        content = KINDS[rng.integers(len(KINDS))](content, rng)
    return content


def _place(content, rng):
    return int(rng.integers(0, max(len(content), 1)))


def flip(content, rng):
    if not content:
        return content
    at = _place(content, rng)
    return content[:at] + bytes([content[at] ^ (1 << int(rng.integers(8)))]) + content[at + 1 :]


def cut(content, rng):
    return content[: _place(content, rng)]


def lose(content, rng):
    at = _place(content, rng)
    return content[:at] + content[at + int(rng.integers(1, 20)) :]


def repeat(content, rng):
    at, more = _place(content, rng), int(rng.integers(1, 200))
    return content[: at + more] + content[at:]


def zero(content, rng):
    at, more = _place(content, rng), int(rng.integers(1, 64))
    return content[:at] + bytes(len(content[at : at + more])) + content[at + more :]


def put(content, rng):
    at = _place(content, rng)
    return content[:at] + NASTY[rng.integers(len(NASTY))] + content[at:]


def word(content, rng):
    """Put something nasty in the place of a word of a text."""
    at = _place(content, rng)
    begin = max(content.rfind(mark, 0, at) for mark in (b",", b"\n", b" ", b"=")) + 1
    ends = [e for e in (content.find(mark, at) for mark in (b",", b"\n", b" ", b"=")) if e >= 0]
    return content[:begin] + NASTY[rng.integers(len(NASTY))] + content[min(ends, default=at) :]


def line(content, rng):
    """Give a line twice, or to another place, or take it away."""
    lines = content.split(b"\n")
    at, to = rng.integers(len(lines), size=2)
    kind = rng.integers(3)
    if kind == 0:
        lines.insert(int(to), lines[at])
    elif kind == 1:
        lines.insert(int(to), lines.pop(int(at)))
    else:
        lines.pop(int(at))
    return b"\n".join(lines)


def twice(content, rng):
    return content + content


KINDS = [flip, cut, lose, repeat, zero, put, word, word, line, line, twice]


class Said(dict):
    """What became of files: refused, accepted as they were, accepted with other values, failed."""


def run(name, seeds, folder):
    """Mutate a file with each seed and try to read it.

    Returns
    -------
    counts : dict
        ``refused``, ``same`` and ``other``.
    failures : list of str
        Exceptions that are not bayesmig's, and records read otherwise than they are written.
    """
    door, bm_errors = DOORS[name], (bm.BayesmigError,)
    bm.register_study(toy.study)
    door.write(folder)
    path = folder / door.name
    content = path.read_bytes()
    counts, failures = {"refused": 0, "same": 0, "other": 0}, []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        usual = door.read(path)
        for seed in seeds:
            rng = np.random.default_rng([seed, *name.encode()])
            changed = mutate(content, rng)
            path.write_bytes(changed)
            try:
                found = door.read(path)
            except bm_errors as error:
                counts["refused"] += 1
                if len(str(error)) > 3000:
                    failures.append(f"{name}, seed {seed}: a message of {len(str(error))} letters")
                continue
            except Exception as error:
                failures.append(f"{name}, seed {seed}: {type(error).__name__}: {str(error)[:200]}")
                continue
            same = found.equals(usual)
            counts["same" if same else "other"] += 1
            if name == "fit" and not same:
                failures.append(f"{name}, seed {seed}: another fit")
            if door.lines and not same:
                failures += [
                    f"{name}, seed {seed}: {w}" for w in untouched(content, changed, usual, found)
                ]
    path.write_bytes(content)
    return counts, failures


def untouched(content, changed, usual, found):
    """Say which records of lines that are as they were are read otherwise."""
    before, after = content.split(b"\n"), changed.split(b"\n")
    if before[0] != after[0]:
        return
    records = {line.rstrip(b"\r"): row for line, row in zip(before[1:], rows(usual), strict=False)}
    full = [line.rstrip(b"\r") for line in after[1:] if line.strip()]
    if len(full) != len(found):  # a record over several lines
        return
    for text, row in zip(full, rows(found), strict=True):
        if text in records and records[text] != row:
            yield f"{text!r} is read as {row}"


def rows(table):
    return [tuple(map(str, row)) for row in table.to_numpy(dtype=object)]
