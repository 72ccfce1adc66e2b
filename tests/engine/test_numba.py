"""How numba is made to compile functions: each once, with what it prints and raises."""

import re
from contextlib import suppress

import numpy as np
import pytest

from bayesmig._numba import compiling
from bayesmig.compiled import vectorised

FOUR = np.array([4.0])


def make():
    """A function that Python cannot call, and two that call it; it prints and raises an array."""
    import numba

    @numba.njit(no_cpython_wrapper=True, no_cfunc_wrapper=True)
    def root(x):
        if x[0] < 0:
            raise ValueError("no root of", x)
        print(x)
        return x[0] ** 0.5

    @numba.njit
    def one(x):
        return root(x) + 1

    @numba.njit
    def two(x):
        return root(x) + 2

    return root, one, two


functions = pytest.fixture(make)


def made(function):
    """Whether the machine code of a function is made."""
    (compiled,) = function.overloads.values()
    return compiled.library.made


def test_code_is_made_for_what_is_called_from_outside(functions):
    root, one, _ = functions
    with compiling():
        assert one(FOUR) == 3.0
    assert made(one)
    assert not made(root)


def test_outside_numba_works_as_usual(functions):
    root, one, _ = functions
    with compiling():
        pass
    assert one(FOUR) == 3.0
    assert made(one)
    assert made(root)


def test_functions_print_and_raise(functions, capsys):
    _, one, two = functions
    with compiling():
        assert one(FOUR) == 3.0
        assert two(FOUR) == 4.0
        with pytest.raises(ValueError, match=r"no root of.*-4"):
            one(-FOUR)
    assert capsys.readouterr().out == "[4.]\n[4.]\n"


def test_so_does_what_is_compiled_later(functions, capsys):
    _, one, two = functions
    with compiling():
        assert one(FOUR) == 3.0
    assert two(FOUR) == 4.0
    with pytest.raises(ValueError, match=r"no root of.*-4"):
        two(-FOUR)
    assert capsys.readouterr().out == "[4.]\n[4.]\n"


def test_errors_outlive_functions_of_the_same_errors():
    """The first function's environment is gone when the second raises."""
    for _ in range(5):
        _, one, _ = make()
        with compiling():
            assert one(FOUR) == 3.0
        with pytest.raises(ValueError, match=r"no root of.*-4"):
            one(-FOUR)


def test_what_is_marked_is_vectorised():
    """Of two functions that a third calls, the code of one takes several numbers at once."""
    numba = pytest.importorskip("numba")

    def make(mark):
        def product(x, out):
            for i in range(64):
                out[i] = x[i] * x[i] + 1.5

        product.__qualname__ = f"product_{mark.__name__}"
        return numba.njit(no_cpython_wrapper=True, no_cfunc_wrapper=True)(mark(product))

    def plain(function):
        return function

    vectors = {}
    for mark in (plain, vectorised):
        product = make(mark)

        @numba.njit
        def call(x, out, product=product):
            product(x, out)

        x, out = np.arange(64.0), np.zeros(64)
        with compiling():
            call(x, out)
        np.testing.assert_array_equal(out, x * x + 1.5)
        (code,) = (c.library.get_llvm_str() for c in product.overloads.values())
        vectors[mark.__name__] = bool(re.search(r"<\d+ x double>", code))
    assert vectors == {"plain": False, "vectorised": True}


def test_what_only_others_call_is_kept_without_machine_code(functions):
    """It is read again as it was written, and made at once where nothing waits."""
    root, one, _ = functions
    with compiling():
        one(FOUR)
        (inner,) = (compiled.library for compiled in root.overloads.values())
        (outer,) = (compiled.library for compiled in one.overloads.values())
        kept = inner.serialize_using_object_code()
        assert kept[1] == "bitcode"
        outer.enable_object_caching()
        again = inner.codegen.unserialize_library(kept)
        assert not again.made
    assert inner.codegen.unserialize_library(kept).made


def test_who_listens_hears_of_every_call_of_llvm(functions):
    event = pytest.importorskip("numba.core.event")
    heard = {}
    for kind in ("silence", "numba:llvm_lock"):
        _, one, _ = make()
        with event.install_recorder(kind) as record, compiling():
            one(FOUR)
        heard[kind] = len(record.buffer)
    assert heard["silence"] == 0 < heard["numba:llvm_lock"]


def test_numba_and_pytensor_are_left_as_they_were():
    from numba.core import event, postproc, targetconfig
    from pytensor.link.numba.dispatch import basic

    def members():
        return (
            event.start_event,
            event.install_timer,
            postproc.PostProcessor.run,
            targetconfig.TargetConfig.values,
            basic.numba_funcify_ensure_cache,
        )

    before = members()
    with suppress(KeyError), compiling():
        assert not set(members()) & set(before)
        raise KeyError
    assert members() == before


def test_objects_and_generators_work():
    """What lives where is asked for these as ever."""
    numba = pytest.importorskip("numba")

    @numba.njit
    def squares(n):
        for i in range(n):
            yield i * i

    @numba.njit
    def total(n):
        found = 0.0
        for i in range(3):
            if i > 0:
                with numba.objmode(number="float64"):
                    parts = [float(i), len("abc")]
                    number = parts[0] + parts[1]
                found += number
        for square in squares(n):
            found += square
        return found

    with compiling():
        assert total(4) == 4 + 5 + 0 + 1 + 4 + 9
