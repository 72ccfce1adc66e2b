"""A made-up MIG file: one respondent for each case, with what is expected of it.

``snapshot_mig.tsv`` was typed by hand: a row's first columns say whether it is kept, with
which sojourn and trips, or why it is left out.  `write` puts the answers into any format
that Python can write.  For SAS's own format, which it cannot,

    python tests/entry/snapshot_mig.py FOLDER && readstat FOLDER/mig161.sav FOLDER/mig161.sas7bdat

wrote ``snapshot_mig.sas7bdat`` (the program ``readstat`` is of the ReadStat library, 1.1.8).
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

ENTRY = Path(__file__).parent
CROSSINGS = 30


def expected():
    """Cases as typed: text, '' where there is nothing."""
    return pd.read_csv(ENTRY / "snapshot_mig.tsv", sep="\t", dtype=str, keep_default_na=False)


def answers():
    """The file's columns, upper case, as text; '' is blank."""
    cases = expected()
    names = "surveypl surveyyr usyrl usdurl usdocl usyr1 ustrips uscurtrp".split()
    columns = {"COMMUN": [str(1 + i // 10) for i in range(len(cases))]}
    columns |= {"HHNUM": [str(100 + i) for i in range(len(cases))]}
    columns |= {name.upper(): list(cases[name]) for name in names}
    years, made = [], []
    for text in cases.crossings:
        pairs = [pair.split(":") for pair in text.split()]
        pairs += [("8888", "8888")] * (CROSSINGS - len(pairs))
        years.append([year for year, _ in pairs])
        made.append([yes for _, yes in pairs])
    for i in range(CROSSINGS):
        columns[f"CRSYR{i + 1}"] = [row[i] for row in years]
        columns[f"CRSYES{i + 1}"] = [row[i] for row in made]
    return pd.DataFrame(columns)


def numbers(table):
    """The same as numbers, NaN where blank."""
    return table.replace({"": np.nan, ".": np.nan}).astype(float)


def write(table, path):
    """Write answers to a file of the format that its extension says."""
    import pyreadstat

    if path.suffix.lower() == ".csv":
        table.to_csv(path, index=False)
    elif path.suffix == ".dta":
        pyreadstat.write_dta(numbers(table), path)
    elif path.suffix in (".sav", ".zsav"):
        # 8888 and 9999 declared as missing, as SPSS users do
        declared = {name: [8888, 9999] for name in table}
        compressed = path.suffix == ".zsav"
        pyreadstat.write_sav(numbers(table), path, compress=compressed, missing_ranges=declared)
    elif path.suffix == ".por":
        pyreadstat.write_por(numbers(table), path)
    elif path.suffix == ".xpt":
        pyreadstat.write_xport(numbers(table), path, table_name="MIG", file_format_version=5)
    else:
        raise ValueError(path)
    return path


if __name__ == "__main__":
    write(answers(), Path(sys.argv[1]) / "mig161.sav")
