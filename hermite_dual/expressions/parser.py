"""Read an activation from a string by a whitelist, never by `eval` or `sympify`.

The string is parsed to Python's syntax tree; each node is rebuilt as SymPy by a rule of its own, and every node
without a rule is an error. Constant subexpressions are evaluated in floating point first, so that a tower such as
`9**9**9**9` is refused before SymPy sees it.
"""

import ast
import math
from collections.abc import Callable, Mapping

import sympy as sp

from hermite_dual.errors import ParseError
from hermite_dual.symbols import x

MAX_LENGTH = 1000
"""Longest string read, in characters: longer ones are no activation that a person wrote."""
MAX_DEPTH = 40
"""Deepest nesting read."""
MAX_EXPONENT = 64
"""Largest magnitude of a constant exponent: larger powers overflow float64 within a few standard deviations."""
MAX_MAGNITUDE = 1e100
"""Largest magnitude of a constant, so that no product of a few of them overflows."""

_CONSTANTS: dict[str, sp.Expr] = {"pi": sp.pi, "E": sp.E, "e": sp.E}


def _normal_cdf(z: sp.Expr) -> sp.Expr:
    return (1 + sp.erf(z / sp.sqrt(2))) / 2


_FUNCTIONS: dict[str, Callable[..., sp.Expr]] = {
    "exp": sp.exp,
    "log": sp.log,
    "ln": sp.log,
    "log1p": lambda z: sp.log(1 + z),
    "expm1": lambda z: sp.exp(z) - 1,
    "sqrt": sp.sqrt,
    "cbrt": lambda z: sp.sign(z) * sp.Abs(z) ** sp.Rational(1, 3),
    "sin": sp.sin,
    "cos": sp.cos,
    "tan": sp.tan,
    "sinc": sp.sinc,
    "sinh": sp.sinh,
    "cosh": sp.cosh,
    "tanh": sp.tanh,
    "sech": sp.sech,
    "atan": sp.atan,
    "arctan": sp.atan,
    "asinh": sp.asinh,
    "arcsinh": sp.asinh,
    "erf": sp.erf,
    "erfc": sp.erfc,
    "Phi": _normal_cdf,
    "normcdf": _normal_cdf,
    "Abs": sp.Abs,
    "abs": sp.Abs,
    "sign": sp.sign,
    "Heaviside": sp.Heaviside,
    "Max": sp.Max,
    "max": sp.Max,
    "Min": sp.Min,
    "min": sp.Min,
}

_ARITIES = {"Heaviside": (1, 2), "Max": (2, 8), "max": (2, 8), "Min": (2, 8), "min": (2, 8)}
_COMPARISONS: dict[type[ast.cmpop], Callable[..., sp.Basic]] = {
    ast.Lt: sp.Lt,
    ast.LtE: sp.Le,
    ast.Gt: sp.Gt,
    ast.GtE: sp.Ge,
}


def parse_activation(text: str, named: Mapping[str, Callable[..., sp.Expr]] | None = None) -> sp.Expr:
    """Return the expression in `x` that a string such as `"x*erf(x)"` spells.

    Read are numbers (decimals exactly, as fractions), one variable of any name, `+ - * / ** ^`, the usual functions,
    `Piecewise((value, condition), ...)` and the functions in `named`.

    Args:
        text: the string, at most `MAX_LENGTH` characters.
        named: further functions by name; the activation catalogue passes its own. They take keyword numbers.

    Raises:
        ParseError: the string holds anything else; nothing of it is executed.
    """
    if len(text) > MAX_LENGTH:
        raise ParseError(f"activation string of {len(text)} characters: at most {MAX_LENGTH} are read; pass SymPy")
    try:
        tree = ast.parse(text.replace("^", "**").strip(), mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise ParseError(
            f"activation {_shown(text)} is not a formula: {getattr(error, 'msg', error)}; write it like 'x*erf(x)'"
        ) from None
    result = _Reader(text, named or {}).read(tree.body, 0)
    if not isinstance(result, sp.Expr) or result.has(sp.nan, sp.zoo, sp.oo, -sp.oo):
        raise ParseError(f"activation {_shown(text)} is not a finite real formula of one variable")
    return result


def _shown(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "...")


class _Reader:
    """Rebuild one syntax tree, holding the name of the variable once it is seen."""

    def __init__(self, text: str, named: Mapping[str, Callable[..., sp.Expr]]) -> None:
        self.text = text
        self.named = named
        self.variable: str | None = None

    def fail(self, what: str) -> ParseError:
        return ParseError(
            f"activation {_shown(self.text)}: {what}. Allowed are numbers, one variable, + - * / **, Piecewise and "
            f"the functions {', '.join(sorted(_FUNCTIONS))}; for anything else pass a SymPy expression"
        )

    def read(self, node: ast.AST, depth: int) -> sp.Basic:
        if depth > MAX_DEPTH:
            raise self.fail(f"nested deeper than {MAX_DEPTH}")
        result = self._read(node, depth)
        if isinstance(result, sp.Expr) and not result.free_symbols and not isinstance(result, sp.Integer):
            self._check_constant(result)
        return result

    def _read(self, node: ast.AST, depth: int) -> sp.Basic:
        match node:
            case ast.Constant():
                return self._constant(node)
            case ast.Name():
                return self._name(node.id)
            case ast.UnaryOp(op=ast.USub()):
                return -self._expression(node.operand, depth)
            case ast.UnaryOp(op=ast.UAdd()):
                return self._expression(node.operand, depth)
            case ast.BinOp():
                return self._binary(node, depth)
            case ast.Call():
                return self._call(node, depth)
            case ast.Compare() | ast.BoolOp():
                return self._condition(node, depth)
        raise self.fail(f"{type(node).__name__} is not read")

    def _expression(self, node: ast.AST, depth: int) -> sp.Expr:
        result = self.read(node, depth + 1)
        if not isinstance(result, sp.Expr):
            raise self.fail("a condition stands where a value is needed")
        return result

    def _constant(self, node: ast.Constant) -> sp.Basic:
        if node.value is True:
            return sp.true
        if isinstance(node.value, bool) or not isinstance(node.value, int | float):
            raise self.fail(f"the constant {node.value!r} is no real number")
        if not abs(node.value) <= MAX_MAGNITUDE or 0 < abs(node.value) < 1 / MAX_MAGNITUDE:
            raise self.fail(f"a constant must have a magnitude between {1 / MAX_MAGNITUDE} and {MAX_MAGNITUDE}")
        if isinstance(node.value, int):
            return sp.Integer(node.value)
        literal = ast.get_source_segment(self.text.replace("^", "**").strip(), node)
        return sp.Rational((literal or repr(node.value)).replace("_", ""))

    def _name(self, name: str) -> sp.Expr:
        if name in _CONSTANTS and name != self.variable:
            return _CONSTANTS[name]
        if name in _FUNCTIONS or name in self.named:
            raise self.fail(f"the function {name} needs an argument: write {name}(x)")
        if self.variable not in (None, name):
            raise self.fail(
                f"two variables, {self.variable} and {name}: give the second a value, or pass "
                f"sympy.Lambda({self.variable}, ...), which names the variable and keeps the rest as parameters"
            )
        self.variable = name
        return x

    def _binary(self, node: ast.BinOp, depth: int) -> sp.Expr:
        left, right = self._expression(node.left, depth), self._expression(node.right, depth)
        match node.op:
            case ast.Add():
                return left + right
            case ast.Sub():
                return left - right
            case ast.Mult():
                return left * right
            case ast.Div():
                if right.is_zero:
                    raise self.fail("division by zero")
                return left / right
            case ast.Pow():
                return self._power(left, right)
        raise self.fail(f"the operator {type(node.op).__name__} is not read")

    def _power(self, base: sp.Expr, exponent: sp.Expr) -> sp.Expr:
        if not exponent.free_symbols and not abs(float(exponent)) <= MAX_EXPONENT:
            raise self.fail(f"constant exponents are read up to {MAX_EXPONENT}")
        if not base.free_symbols and not exponent.free_symbols:
            self._check_power(float(base), float(exponent))
        if exponent.free_symbols:
            if base.free_symbols or not base.is_positive:
                raise self.fail("a variable exponent needs a positive constant base")
            return sp.exp(exponent * sp.log(base))
        if base.is_zero and not (exponent.is_number and exponent.is_positive):
            raise self.fail("zero to a power that is not positive")
        return base**exponent

    def _check_power(self, base: float, exponent: float) -> None:
        if base != 0 and abs(exponent * math.log(abs(base))) > math.log(MAX_MAGNITUDE):
            raise self.fail(f"a constant power leaves the magnitudes up to {MAX_MAGNITUDE}")

    def _call(self, node: ast.Call, depth: int) -> sp.Expr:
        if not isinstance(node.func, ast.Name):
            raise self.fail("only named functions are called")
        name = node.func.id
        if name == "Piecewise":
            return self._piecewise(node, depth)
        arguments = [self._expression(argument, depth) for argument in node.args]
        if name in self.named and name not in _FUNCTIONS:
            return self._named(name, arguments, node.keywords, depth)
        if name not in _FUNCTIONS:
            raise self.fail(f"unknown function {name!r}")
        low, high = _ARITIES.get(name, (1, 1))
        if node.keywords or not low <= len(arguments) <= high:
            raise self.fail(f"{name} takes {low if low == high else f'{low} to {high}'} argument(s)")
        if all(not argument.free_symbols for argument in arguments):
            self._check_growth(name, arguments)
        return _FUNCTIONS[name](*arguments)

    def _check_growth(self, name: str, arguments: list[sp.Expr]) -> None:
        """Refuse constants such as `exp(10**9)` before SymPy is asked to compare them."""
        limit = math.log(MAX_MAGNITUDE)
        if name in {"exp", "expm1", "sinh", "cosh"} and any(abs(float(argument)) > limit for argument in arguments):
            raise self.fail(f"{name} of a constant beyond {limit:.0f} overflows")

    def _named(self, name: str, arguments: list[sp.Expr], keywords: list[ast.keyword], depth: int) -> sp.Expr:
        options = {}
        for keyword in keywords:
            if keyword.arg is None:
                raise self.fail("** is not read")
            options[keyword.arg] = self._expression(keyword.value, depth)
        if not arguments:
            arguments = [self._name(self.variable or "x")]
        parameters = [*arguments[1:], *options.values()]
        if any(parameter.free_symbols for parameter in parameters):
            raise self.fail(f"the parameters of {name} must be numbers")
        try:
            return self.named[name](*arguments, **options)
        except (TypeError, ValueError) as error:
            raise self.fail(f"{name}: {error}") from None

    def _piecewise(self, node: ast.Call, depth: int) -> sp.Expr:
        if node.keywords or not node.args:
            raise self.fail("Piecewise takes (value, condition) pairs")
        pairs = []
        for argument in node.args:
            if not isinstance(argument, ast.Tuple) or len(argument.elts) != 2:
                raise self.fail("Piecewise takes (value, condition) pairs")
            value, condition = argument.elts
            pairs.append((self._expression(value, depth), self._condition(condition, depth + 1)))
        if pairs[-1][1] != sp.true:
            raise self.fail("the last condition of Piecewise must be True, so that every x has a value")
        return sp.Piecewise(*pairs)

    def _condition(self, node: ast.AST, depth: int) -> sp.Basic:
        if depth > MAX_DEPTH:
            raise self.fail(f"nested deeper than {MAX_DEPTH}")
        if isinstance(node, ast.Constant) and node.value is True:
            return sp.true
        if isinstance(node, ast.BoolOp):
            parts = [self._condition(value, depth + 1) for value in node.values]
            return sp.And(*parts) if isinstance(node.op, ast.And) else sp.Or(*parts)
        if isinstance(node, ast.Compare):
            terms = [self._expression(term, depth) for term in (node.left, *node.comparators)]
            parts = []
            for operator, left, right in zip(node.ops, terms[:-1], terms[1:], strict=True):
                if type(operator) not in _COMPARISONS:
                    raise self.fail("conditions compare with <, <=, > or >=")
                parts.append(_COMPARISONS[type(operator)](left, right))
            return sp.And(*parts)
        raise self.fail("a condition is made of comparisons, 'and', 'or' and True")

    def _check_constant(self, value: sp.Expr) -> None:
        try:
            magnitude = abs(float(value))
        except (TypeError, OverflowError, ValueError):
            raise self.fail(f"the constant {value} is not real") from None
        if not magnitude <= MAX_MAGNITUDE or 0 < magnitude < 1 / MAX_MAGNITUDE:
            raise self.fail(f"constants must have a magnitude between {1 / MAX_MAGNITUDE} and {MAX_MAGNITUDE}")
