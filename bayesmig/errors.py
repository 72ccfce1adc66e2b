"""The errors and warnings that bayesmig raises by name."""

import difflib
import re
import warnings
from collections.abc import Iterable
from pathlib import Path

_PACKAGE = str(Path(__file__).parent)
_WORD, _MESSAGE = 400, 3000  # letters: a file may have a value of any length


class BayesmigError(ValueError):
    """What bayesmig raises by name: one sentence on what is wrong, and what is valid.

    Examples
    --------
    >>> import bayesmig as bm
    >>> try:
    ...     bm.load_study("emmigration").audit()
    ... except bm.BayesmigError as error:
    ...     print(error)  # doctest: +ELLIPSIS
    unknown study 'emmigration' (did you mean 'emigration'?); valid: emigration, ...
    """

    def __init__(self, words: object = ""):
        text = re.sub(rf"\S{{{_WORD},}}", lambda word: _shortened(word[0], _WORD), str(words))
        super().__init__(_shortened(text, _MESSAGE))


class DataError(BayesmigError):
    """Data that a study cannot take: says which file, column, row or variable.

    Examples
    --------
    >>> import bayesmig as bm
    >>> bm.load_study("emigration").read("my_cells.csv")
    Traceback (most recent call last):
        ...
    bayesmig.errors.DataError: my_cells.csv: no such file
    """


class PriorError(BayesmigError):
    """A prior that the graph cannot take: says which parameter, and what is valid.

    Examples
    --------
    >>> import bayesmig as bm
    >>> bm.load_study("emigration").priors("narrow")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    bayesmig.errors.PriorError: unknown prior set 'narrow'; valid: default, ...
    """


class StudyError(BayesmigError):
    """A study, option or quantity that does not exist: lists those that do.

    Examples
    --------
    >>> import bayesmig as bm
    >>> study = bm.load_study("emigration")
    >>> study.build(study.example(table=7), residual="share")
    Traceback (most recent call last):
        ...
    bayesmig.errors.StudyError: residual='share'; valid: probability, hazard
    """


class DataWarning(UserWarning):
    """Data that do not say all that is asked of them: says which, and what is made of it."""


class CacheWarning(UserWarning):
    """The cache of compiled code is damaged or cannot be written: says where, and what to set."""


class ConvergenceWarning(UserWarning):
    """The draws are not to be trusted as they are: names the variables and the figures."""


class PriorWarning(UserWarning):
    """What a prior decides is not seen where it is looked for: names the parameters."""


class RecompiledWarning(UserWarning):
    """A refit had to compile a new graph: says what differs from the compiled one."""


def warn(words: str, category: type[Warning]) -> None:
    """Warn at the line, outside of this package, that called it."""
    warnings.warn(words, category, skip_file_prefixes=(_PACKAGE,))


def _shortened(text: str, most: int) -> str:
    """Cut the middle out of a text that is longer than most."""
    if len(text) <= most:
        return text
    return f"{text[: most // 2]}[{len(text)} letters]{text[-most // 4 :]}"


def check_option(option: str, value: object, valid: tuple[str, ...]) -> None:
    """Raise `StudyError` unless an option has one of its values; names all of them."""
    if value not in valid:
        raise StudyError(f"{option}={value!r}; valid: {', '.join(valid)}")


def unknown(kind: str, name: object, valid: Iterable[str]) -> str:
    """Say that a name does not exist, what was perhaps meant, and what is valid."""
    valid = list(valid)
    close = difflib.get_close_matches(str(name), valid, n=1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    return f"unknown {kind} {name!r}{hint}; valid: {', '.join(map(str, valid))}"
