"""Only columns, operators, literals and documented transforms reach formulaic."""

import ast
import time

import formulaic
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bayesmig as bm
from bayesmig import formulas

HOSTILE = [
    "__import__('os').system('touch owned')",
    "I(__import__('os').system('touch owned'))",
    "{__import__('os').system('touch owned')}",
    "age + open('/etc/passwd').read()",
    "np.load('x')",
    "age.__class__.__mro__",
    "I(age.__class__)",
    "age.map(eval)",
    "I((lambda: 1)())",
    "I([x for x in (1).__class__.__bases__])",
    "C(age, contr.custom([1]))",
    "C(age, contr.__dict__)",
    "I(f'{age.values}')",
    "I(age if age else 0)",
    "I(age := 1)",
    "I(age, _context=1)",
    "log(*age)",
    "scale(**{'a': 1})",
    "Q.__globals__['__builtins__']",
    "`age`.values",
    "age[__import__('os')]",
    "[age ~ male]",
    "eval('1')",
    "I(exec('1'))",
    "I(9**9**9)",
    "I((age ** 9) ** (9 ** 9))",
    "I('x' * 1000000000)",
    "bs(age, df=1000000000)",
    "bs(age, df=1000 * 1000)",
    "hashed(age, levels=10 ** 9)",
    "(a + b + c + d + e + f + g + h + i + j) ** 9",
    "(a + b + c + d + e + f + g + h + i + j) ** (9)",
    "a * b * c * d * e * f * g * h * i * j * k * l",
    "(" * 200_000,
    "I(" * 500 + "age" + ")" * 500,
    "I(" + "-" * 4000 + "age)",
    "age + " * 200_000 + "age",
    "age\x00",
    "1e999",
    "",
]
FRIENDLY = {
    "male + age + I(age**2)": ["1", "male", "age", "I(age ** 2)"],
    "C(region, contr.treatment('north')) * male": None,
    "C(region, Treatment('north'))": None,
    "bs(age, df=5) + poly(age, 2)": None,
    "bs(age, knots=[30, 40])": None,
    "`log income` + log(`log income` + 30)": None,
    "{age + 1} + age:male + male/age": None,
    "(male + age) ** 2": ["1", "male", "age", "male:age"],
    "~ scale(age) + center(male)": None,
    "I(age / 10) - male + male": None,
    "Q('log income')": None,
    "age * region - age": None,
}


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "age": rng.uniform(18, 60, 50),
            "male": rng.integers(0, 2, 50),
            "region": rng.choice(["north", "south", "west"], 50),
            "log income": rng.normal(size=50),
        }
    )


@pytest.mark.parametrize("formula", HOSTILE, ids=[repr(f[:30]) for f in HOSTILE])
def test_a_hostile_formula_is_refused_at_once(formula, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    started = time.process_time()
    with pytest.raises(bm.StudyError, match="formula") as refused:
        formulas.parse(formula)
    assert time.process_time() - started < 2
    assert len(str(refused.value)) < 1500
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("formula", FRIENDLY)
def test_a_friendly_formula_makes_formulaic_s_own_columns(formula, table):
    parsed = formulas.parse(formula)
    if FRIENDLY[formula]:
        assert list(map(str, parsed)) == FRIENDLY[formula]
    ours = formulaic.model_matrix(parsed, table, context={})
    theirs = formulaic.model_matrix(formula, table, context={})
    pd.testing.assert_frame_equal(pd.DataFrame(ours), pd.DataFrame(theirs))


def test_a_column_of_many_levels_is_named(table):
    many = table.assign(region=[str(k) for k in range(50)])
    long = pd.concat([many.assign(region=many.region + f"-{k}") for k in range(40)])
    formulas.check_levels(formulas.parse("region"), many)
    with pytest.raises(bm.StudyError, match="'region' has 2000 levels"):
        formulas.check_levels(formulas.parse("age + region"), long)
    wide = pd.DataFrame({"age": np.arange(5000.0)})
    formulas.check_levels(formulas.parse("age"), wide)
    with pytest.raises(bm.StudyError, match="'age' has 5000 levels"):
        formulas.check_levels(formulas.parse("C(age)"), wide)


PIECES = st.sampled_from(
    [
        *("age", "male", "`log income`", "1", "2.5", "'x'", "(", ")", "{", "}", "[", "]", " "),
        *("+", "-", "*", "**", ":", "/", "%in%", "~", "|", ".", ",", "=", "^"),
        *("I(", "C(", "log(", "bs(", "contr.", "np.", "eval(", "__import__('os')", ".__class__"),
        *("lambda: ", "for x in ", "`", '"', "\\", "@", "None", "df=3", "é", "\u202e"),
    ]
)
ALLOWED = (
    *(ast.Expression, ast.Name, ast.Load, ast.Constant, ast.BinOp, ast.UnaryOp, ast.Call),
    *(ast.List, ast.Tuple, ast.keyword, ast.operator, ast.unaryop),
)


@settings(max_examples=600, deadline=None)
@given(st.one_of(st.lists(PIECES, max_size=12).map("".join), st.text(max_size=30)))
def test_what_passes_holds_nothing_that_is_not_listed(formula):
    try:
        parsed = formulas.parse(formula)
    except bm.StudyError:
        return
    for term in parsed:
        for factor in term.factors:
            if factor.eval_method is not factor.EvalMethod.PYTHON:
                continue
            tree = ast.parse(formulas.QUOTED.sub("column", factor.expr).strip(), mode="eval")
            for node in ast.walk(tree):
                if isinstance(node, ast.Attribute):
                    assert isinstance(node.value, ast.Name)
                    assert node.value.id == "contr"
                    continue
                assert isinstance(node, ALLOWED), ast.dump(node)
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                    assert node.func.id in formulas.TRANSFORMS
                if isinstance(node, ast.Name):
                    assert "__" not in node.id
