"""The whitelist parser under random input: it reads, or it refuses; it never executes, hangs or crashes."""

import ast
import math
import operator
import time

import pytest
import sympy as sp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hermite_dual as hd
from hermite_dual.errors import ParseError
from hermite_dual.expressions.catalogue import string_functions
from hermite_dual.expressions.parser import parse_activation

LONGEST = 2.0
"""Seconds within which any string is answered."""
SIGNS = [
    "+",
    "-",
    "*",
    "/",
    "**",
    "^",
    "(",
    ")",
    ",",
    "<",
    ">",
    "=",
    "[",
    "]",
    "{",
    "}",
    ".",
    "__",
    "'",
    '"',
    ":",
    "#",
    ";",
    *"|√²⁹⁻·−π",
    "==",
]
CALLS = [
    "exp",
    "erf(",
    "max(",
    "tanh(",
    "sinh(",
    "relu(",
    "elu(",
    "hermite(",
    "Piecewise((",
    "where(",
    "clip(",
    "pow(",
    "eval(",
]
WORDS = ["x", "y", "1", "2", "0.5", "1e9", "10", "99", "pi", "**9", "**64", "n=", "1j", "True", "and", "or", "not"]
TOKENS = st.sampled_from([*SIGNS, *CALLS, *WORDS, "lambda", "import"])


def outcome(text: str) -> sp.Expr | None:
    start = time.perf_counter()
    try:
        return parse_activation(text, string_functions())
    except ParseError:
        return None
    finally:
        assert time.perf_counter() - start < LONGEST


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(TOKENS, max_size=14).map("".join))
def test_random_token_strings_are_read_or_refused(text):
    result = outcome(text)
    assert result is None or result.free_symbols <= {hd.x}


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40))
def test_random_text_is_read_or_refused(text):
    result = outcome(text)
    assert result is None or result.free_symbols <= {hd.x}


FORMULAS = st.recursive(
    st.sampled_from(["x", "1", "2.5", "pi", "(-3)"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*"]), inner).map(lambda t: f"({t[0]}{t[1]}{t[2]})"),
        st.tuples(st.sampled_from(["tanh", "erf", "sin", "abs", "atan"]), inner).map(lambda t: f"{t[0]}({t[1]})"),
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(FORMULAS)
def test_what_is_read_means_what_python_means_by_it(text):
    read = outcome(text)
    assert read is not None
    names = {"tanh": math.tanh, "erf": math.erf, "sin": math.sin, "abs": abs, "atan": math.atan, "pi": math.pi}
    for point in (-1.3, 0.4):
        # Python's own evaluator, on strings that this test has built, is the reference for the grammar.
        expected = _arithmetic(text, names | {"x": point})
        assert float(read.subs(hd.x, sp.Rational(str(point)))) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def _arithmetic(text: str, names: dict) -> float:
    operators = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul}

    def walk(node: ast.AST) -> float:
        match node:
            case ast.Constant():
                return node.value
            case ast.Name():
                return names[node.id]
            case ast.UnaryOp():
                return -walk(node.operand)
            case ast.BinOp():
                return operators[type(node.op)](walk(node.left), walk(node.right))
            case ast.Call():
                return names[node.func.id](walk(node.args[0]))
        raise AssertionError(node)

    return walk(ast.parse(text, mode="eval").body)


def test_decimals_are_read_exactly():
    assert parse_activation("0.1*x") == hd.x / 10
    assert parse_activation("1.5e-3 + x") == hd.x + sp.Rational(3, 2000)


@settings(max_examples=60, deadline=None)
@given(FORMULAS, st.sampled_from(["sqrt({})", "1/({})", "log({})", "max({}, x)", "sign({})", "({})**64", "{}"]))
def test_whole_activations_from_strings_are_made_or_refused(text, outer):
    start = time.perf_counter()
    try:
        made = hd.activation(outer.format(text))
    except (hd.InvalidInputError, hd.NotIntegrableError) as error:
        made = str(error)
    assert made
    assert time.perf_counter() - start < 5 * LONGEST
