"""How numba is made to compile functions: each once, and with its errors."""

import pytest

from bayesmig._numba import compiling


@pytest.fixture
def functions():
    """Two functions that call a third, which Python cannot call; it raises an error in words."""
    import numba

    @numba.njit(no_cpython_wrapper=True, no_cfunc_wrapper=True)
    def root(x):
        if x < 0:
            raise ValueError(f"no root of {x}")
        return x**0.5

    @numba.njit
    def one(x):
        return root(x) + 1

    @numba.njit
    def two(x):
        return root(x) + 2

    return root, one, two


def library(function):
    (compiled,) = function.overloads.values()
    return compiled.library


def test_code_is_made_for_what_is_called_from_outside(functions):
    root, one, _ = functions
    with compiling():
        assert one(4) == 3.0
    assert library(one).made
    assert not library(root).made


def test_outside_numba_works_as_usual(functions):
    root, one, _ = functions
    with compiling():
        pass
    assert one(4) == 3.0
    assert library(one).made
    assert library(root).made


def test_an_inner_function_s_error_has_its_words(functions):
    _, one, two = functions
    with compiling():
        with pytest.raises(ValueError, match="no root of -4"):
            one(-4)
        assert two(4) == 4.0
    with pytest.raises(ValueError, match="no root of -9"):
        two(-9)


def test_what_is_compiled_later_has_an_earlier_function_s_errors(functions):
    _, one, two = functions
    with compiling():
        assert one(4) == 3.0
    with pytest.raises(ValueError, match="no root of -9"):
        two(-9)
    with pytest.raises(ValueError, match="no root of -1"):
        one(-1)
