"""Keyword-only arguments as options: their defaults, choices, and words from a shell as values."""

from __future__ import annotations

import inspect
import sys
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, Literal

from bayesmig.errors import StudyError, unknown

TRUE, FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")
NOTHING = "none"  # the word for None, where that is allowed
NUMBERS: dict[Any, Callable[[str], Any]] = {int: int, float: float}


@dataclass(frozen=True)
class Option:
    """One argument by name.

    Attributes
    ----------
    name : str
    default
        ``inspect.Parameter.empty`` if it has none.
    kind
        Its declared type; ``Any`` where it declares none.
    """

    name: str
    default: Any
    kind: Any

    @property
    def choices(self) -> tuple[Any, ...]:
        """The values that it may have, of a ``Literal``; empty of any other type."""
        return tuple(
            value
            for part in _parts(self.kind)
            if typing.get_origin(part) is Literal
            for value in typing.get_args(part)
        )

    def check(self, value: Any) -> None:
        """Refuse what is none of the choices.

        Raises
        ------
        StudyError
        """
        if self.choices and not any(value is c or _same(value, c) for c in self._allowed):
            others = [part for part in _parts(self.kind) if typing.get_origin(part) is not Literal]
            others = [part for part in others if part is not type(None)]
            if not any(_is(value, part) for part in others):
                valid = ", ".join(map(repr if others else str, self._allowed))
                valid += f", or {_words(others)}" if others else ""
                raise StudyError(f"{self.name}={value!r}; valid: {valid}")

    def parse(self, word: str) -> Any:
        """Read a word from a shell as a value of the declared type.

        Raises
        ------
        StudyError
            Saying what is expected.
        """
        kinds = _parts(self.kind)
        if self.choices:
            named = {str(choice): choice for choice in self._allowed}
            if word in named:
                return named[word]
            if len(kinds) == 1 or all(typing.get_origin(k) is Literal for k in kinds):
                raise StudyError(f"{self.name}={word!r}; valid: {', '.join(named)}")
        if type(None) in kinds and word.lower() == NOTHING:
            return None
        for read in (self._scalar, self._several):
            found = read(word, kinds)
            if found is not _UNREAD:
                return found
        raise StudyError(f"{self.name}={word!r}: must be {_words(kinds)}")

    @property
    def _allowed(self) -> tuple[Any, ...]:
        return (*self.choices, *((None,) if type(None) in _parts(self.kind) else ()))

    def _scalar(self, word: str, kinds: Sequence[Any]) -> Any:
        if bool in kinds and word.lower() in (*TRUE, *FALSE):
            return word.lower() in TRUE
        for kind in (int, float):
            if kind in kinds or Any in kinds:
                try:
                    return kind(word)
                except ValueError:
                    continue
        plural = any(_plural(kind) for kind in kinds)
        return word if str in kinds and not (plural and "," in word) else _UNREAD

    def _several(self, word: str, kinds: Sequence[Any]) -> Any:
        """A list at commas, of a plural type or of none that is declared."""
        items = [item.strip() for item in word.split(",")]
        for kind in (k for k in kinds if _plural(k)):
            inner = Option(self.name, None, (typing.get_args(kind) or (Any,))[0])
            return [inner.parse(item) for item in items]
        if Any not in kinds:
            return _UNREAD
        values = [_guess(item) for item in items]
        return values[0] if len(values) == 1 else values


_UNREAD = object()


def arguments_of(function: Callable[..., Any], *, but: Iterable[str] = ()) -> dict[str, Option]:
    """Return the named arguments of a function as options, in order.

    Parameters
    ----------
    function : callable
        A catch-all ``**how`` is left out.
    but : iterable of str
        Arguments that are no options.
    """
    kept = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {
        name: Option(name, parameter.default, _resolved(function, parameter.annotation))
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind in kept and name not in set(but)
    }


def keyword_only(function: Callable[..., Any]) -> dict[str, Option]:
    """Return the keyword-only arguments of a function as options."""
    parameters = inspect.signature(function).parameters.values()
    return arguments_of(function, but=[p.name for p in parameters if p.kind is not p.KEYWORD_ONLY])


def parse(pairs: Iterable[str], options: Mapping[str, Option], what: str) -> dict[str, Any]:
    """Read ``name=value`` words by the declared types.

    Raises
    ------
    StudyError
        For a word that is no pair, an unknown name, or a value of another type.
    """
    read: dict[str, Any] = {}
    for pair in pairs:
        name, equals, word = pair.partition("=")
        if not equals:
            raise StudyError(f"{pair!r} is not name=value")
        if name not in options:
            raise StudyError(unknown(what, name, options))
        read[name] = options[name].parse(word)
    return read


def _resolved(function: Callable[..., Any], annotation: Any) -> Any:
    """The type that an annotation names; ``Any`` if it names one that only checkers import."""
    if annotation is inspect.Parameter.empty:
        return Any
    if not isinstance(annotation, str):
        return annotation
    scope = vars(sys.modules[function.__module__]) if function.__module__ in sys.modules else {}
    try:
        # the annotation is source code of the study itself, which runs when it is imported
        return eval(annotation, {**vars(typing), **scope})
    except NameError:
        return Any


def _parts(kind: Any) -> tuple[Any, ...]:
    """The alternatives of a union, or the one type."""
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return tuple(part for alternative in typing.get_args(kind) for part in _parts(alternative))
    if isinstance(kind, typing.TypeAliasType):
        return _parts(kind.__value__)
    return (kind,)


def _plural(kind: Any) -> bool:
    origin = typing.get_origin(kind) or kind
    return inspect.isclass(origin) and origin is not str and issubclass(origin, Iterable)


def _is(value: Any, kind: Any) -> bool:
    """Whether a value is of a type, as type checkers see it: whole numbers are numbers."""
    if kind is Any:
        return True
    if kind in NUMBERS:
        number = Integral if kind is int else Real
        return isinstance(value, number) and not isinstance(value, bool)
    if _plural(kind):
        return isinstance(value, Iterable) and not isinstance(value, str)
    origin = typing.get_origin(kind) or kind
    return inspect.isclass(origin) and isinstance(value, origin)


def _same(value: Any, choice: Any) -> bool:
    return type(value) is type(choice) and value == choice


def _guess(word: str) -> Any:
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            continue
    return word


def _words(kinds: Sequence[Any]) -> str:
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "a word"}
    said = [names.get(k, "a list" if _plural(k) else str(k)) for k in kinds if k is not type(None)]
    return " or ".join(said)
