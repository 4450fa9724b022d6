"""Read an activation from a string by a whitelist, never by `eval` or `sympify`.

The string is parsed to Python's syntax tree; each node is rebuilt as SymPy by a rule of its own, and every node
without a rule is an error. Constant subexpressions are evaluated in floating point first, so that a tower such as
`9**9**9**9` is refused before SymPy sees it.
"""

import ast
import math
import warnings
from collections.abc import Callable, Mapping
from decimal import Decimal

import sympy as sp

from hermite_dual.errors import ParseError
from hermite_dual.expressions.coverage import uncovered, uncovered_text
from hermite_dual.expressions.formula_functions import ARITIES, CONSTANTS, FUNCTIONS, POLES, is_function
from hermite_dual.expressions.spelling import name_key, plain_formula, shown
from hermite_dual.expressions.variable_names import close_functions, is_variable, not_a_variable
from hermite_dual.symbols import x

MAX_LENGTH = 1000
"""Longest string read, in characters: longer ones are no activation that a person wrote."""
MAX_DEPTH = 40
"""Deepest nesting read."""
MAX_EXPONENT = 64
"""Largest magnitude of a constant exponent: larger powers overflow float64 within a few standard deviations."""
MAX_MAGNITUDE = 1e100
"""Largest magnitude of a constant, so that no product of a few of them overflows."""

_COMPARISONS: dict[type[ast.cmpop], Callable[..., sp.Basic]] = {
    ast.Lt: sp.Lt,
    ast.LtE: sp.Le,
    ast.Gt: sp.Gt,
    ast.GtE: sp.Ge,
    ast.Eq: sp.Eq,
    ast.NotEq: sp.Ne,
}
_RELATIONS = {"Lt": sp.Lt, "Le": sp.Le, "Gt": sp.Gt, "Ge": sp.Ge, "Eq": sp.Eq, "Ne": sp.Ne}
"""Relations as SymPy prints them."""


def parse_activation(
    text: str,
    named: Mapping[str, Callable[..., sp.Expr]] | None = None,
    parameters: Mapping[str, sp.Expr] | None = None,
) -> sp.Expr:
    """Return the expression in `x` that a string such as `"x*erf(x)"` spells.

    Read are numbers (decimals exactly, as fractions), one variable (a letter or the name of a Greek one), `+ - * / ^`,
    the signs of `plain_formula`, the usual functions, `Piecewise((value, condition), ...)` and those in `named`.

    Args:
        text: the string, at most `MAX_LENGTH` characters.
        named: further functions by `name_key`; the activation catalogue passes its own. They take keyword numbers.
        parameters: values of further names in the formula; each of them must occur.

    Raises:
        ParseError: the string holds anything else; nothing of it is executed.
    """
    if len(text) > MAX_LENGTH:
        raise ParseError(f"activation string of {len(text)} characters: at most {MAX_LENGTH} are read; pass SymPy")
    plain = plain_formula(text)
    try:
        with warnings.catch_warnings():  # Python's own of what it reads, such as 9and
            warnings.simplefilter("ignore", SyntaxWarning)
            tree = ast.parse(plain, mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise ParseError(
            f"activation {shown(text)} is not a formula: {getattr(error, 'msg', error)}; write it like 'x*erf(x)'"
        ) from None
    reader = _Reader(text, plain, named or {}, parameters or {})
    result = reader.read(tree.body, 0)
    reader.finish()
    if not isinstance(result, sp.Expr) or result.has(sp.nan, sp.zoo, sp.oo, -sp.oo):
        raise ParseError(f"activation {shown(text)} is not a finite real formula of one variable")
    return result


class _Reader:
    """Rebuild one syntax tree, holding the name of the variable once it is seen."""

    def __init__(
        self,
        text: str,
        plain: str,
        named: Mapping[str, Callable[..., sp.Expr]],
        parameters: Mapping[str, sp.Expr],
    ) -> None:
        self.text = text
        self.plain = plain
        self.named = named
        self.parameters = parameters
        self.used: set[str] = set()
        self.variable: str | None = None
        self.called_with_numbers: dict[str, str] = {}
        self.called_with_variable: set[str] = set()

    def fail(self, what: str) -> ParseError:
        return ParseError(f"activation {shown(self.text)}: {what}")

    def finish(self) -> None:
        """Refuse what only the whole formula shows: values that nothing takes, numbers in the variable's place."""
        unused = sorted(set(self.parameters) - self.used)
        if unused:
            raise self.fail(f"the formula has no parameter {unused[0]}")
        if self.used and self.variable is None:
            raise self.fail("every name has a value, and no variable is left")
        for key, message in self.called_with_numbers.items():
            if key not in self.called_with_variable:
                raise self.fail(message)

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
        literal = (ast.get_source_segment(self.plain, node) or repr(node.value)).replace("_", "")
        # a tiny literal is 0.0, and the fraction of one that is written with a large exponent has millions of digits
        zero = node.value == 0 and (isinstance(node.value, int) or not Decimal(literal))
        if not zero and not 1 / MAX_MAGNITUDE <= abs(node.value) <= MAX_MAGNITUDE:
            raise self.fail(f"a constant must have a magnitude between {1 / MAX_MAGNITUDE} and {MAX_MAGNITUDE}")
        if zero or isinstance(node.value, int):
            return sp.Integer(int(node.value))
        return sp.Rational(literal)

    def _name(self, name: str) -> sp.Expr:
        if name in self.parameters:
            self.used.add(name)
            value = self.parameters[name]
            if not value.free_symbols:
                self._check_constant(value)
            return value
        if name in CONSTANTS:
            return CONSTANTS[name]
        if is_function(name, self.named):
            raise self.fail(f"the function {name} needs an argument: write {name}(x)")
        if not is_variable(name):
            raise self.fail(not_a_variable(name, self.named))
        if self.variable not in (None, name):
            value = self.variable if name == "x" else name
            raise self.fail(
                f"two variables, {self.variable} and {name}: give one a value by keyword, as in "
                f"activation({shown(self.text)}, {value}=2), or pass sympy.Lambda, which names the variable and keeps "
                "the rest as parameters"
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
        key = name if name in FUNCTIONS else name_key(name)
        if key == "piecewise":
            return self._piecewise(node, depth)
        if key == "where":
            return self._where(node, depth)
        if key not in FUNCTIONS and key not in self.named:
            raise self.fail(self._unknown_function(name))
        arguments = [self._expression(argument, depth) for argument in node.args]
        if key in self.named and (node.keywords or key not in FUNCTIONS):
            return self._named(name, key, arguments, node.keywords, depth)
        low, high = ARITIES.get(key, (1, 1))
        if node.keywords or not low <= len(arguments) <= high:
            raise self.fail(f"{name} takes {low if low == high else f'{low} to {high}'} argument(s)")
        if all(not argument.free_symbols for argument in arguments):
            self._check_growth(key, arguments)
        if key == "pow":
            return self._power(*arguments)
        return FUNCTIONS[key](*arguments)

    def _unknown_function(self, name: str) -> str:
        if name in POLES:
            return f"the function {name} has poles at {POLES[name]}, next to which no Gaussian integral of phi^2 exists"
        if name in self.parameters or name in CONSTANTS or is_variable(name):
            return f"a product needs its sign: write {name}*(...)"
        close = close_functions(name, self.named)
        hint = f"did you mean {' or '.join(close)}?" if close else f"known are {', '.join(sorted(FUNCTIONS))}."
        return f"unknown function {name!r}: {hint} For anything else pass a SymPy expression"

    def _check_growth(self, name: str, arguments: list[sp.Expr]) -> None:
        """Refuse constants such as `exp(10**9)` before SymPy is asked to compare them."""
        limit = math.log(MAX_MAGNITUDE)
        if name in {"exp", "expm1", "sinh", "cosh"} and any(abs(float(argument)) > limit for argument in arguments):
            raise self.fail(f"{name} of a constant beyond {limit:.0f} overflows")

    def _named(self, name: str, key: str, arguments: list[sp.Expr], keywords: list[ast.keyword], depth: int) -> sp.Expr:
        options = {}
        for keyword in keywords:
            if keyword.arg is None:
                raise self.fail("** is not read")
            options[keyword.arg] = self._expression(keyword.value, depth)
        if not arguments:
            arguments = [self._name(self.variable or "x")]
        if any(x in parameter.free_symbols for parameter in [*arguments[1:], *options.values()]):
            raise self.fail(f"the parameters of {name} must be numbers")
        self._note_call(name, key, arguments, options)
        try:
            return self.named[key](*arguments, **options)
        except (TypeError, ValueError) as error:
            raise self.fail(str(error) if str(error).startswith(name) else f"{name}: {error}") from None

    def _note_call(self, name: str, key: str, arguments: list[sp.Expr], options: Mapping[str, sp.Expr]) -> None:
        """Remember whether the variable stands in a function with parameters, as `leaky_relu(0.2)` forgets it."""
        names = getattr(self.named[key], "parameter_names", ())
        if x in arguments[0].free_symbols:
            self.called_with_variable.add(key)
        elif names and not options and len(arguments) == 1:
            value = arguments[0]
            self.called_with_numbers[key] = (
                f"{name}({value}) has a number where the variable belongs: write {name}(x, {value}), "
                f"or activation({name!r}, {names[0]}={value})"
            )

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
            self._check_cover(pairs)
        # Where the conditions cover the line, the last one holds wherever the others do not.
        return sp.Piecewise(*pairs[:-1], (pairs[-1][0], True))

    def _check_cover(self, pairs: list[tuple[sp.Expr, sp.Basic]]) -> None:
        # The values do not matter here, and equal ones would be merged.
        probe = sp.Piecewise(*((sp.Symbol(f"v{i}"), condition) for i, (_, condition) in enumerate(pairs)))
        missing = uncovered(probe, x) if isinstance(probe, sp.Piecewise) else sp.S.Reals
        if missing is None:
            raise self.fail("whether the conditions of Piecewise cover the line is not decided: let the last be True")
        if missing is not sp.S.EmptySet:
            where = uncovered_text(missing, self.variable or "x")
            raise self.fail(
                f"Piecewise has a hole: no condition holds where {where}; give a value there, or end with (value, True)"
            )

    def _where(self, node: ast.Call, depth: int) -> sp.Expr:
        if node.keywords or len(node.args) != 3:
            raise self.fail("where takes a condition and two values: where(x > 0, x, 0)")
        condition, *values = node.args
        first, second = (self._expression(value, depth) for value in values)
        return sp.Piecewise((first, self._condition(condition, depth + 1)), (second, True))

    def _condition(self, node: ast.AST, depth: int) -> sp.Basic:
        if depth > MAX_DEPTH:
            raise self.fail(f"nested deeper than {MAX_DEPTH}")
        if isinstance(node, ast.Constant) and node.value is True:
            return sp.true
        if isinstance(node, ast.BoolOp):
            parts = [self._condition(value, depth + 1) for value in node.values]
            return sp.And(*parts) if isinstance(node.op, ast.And) else sp.Or(*parts)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitAnd | ast.BitOr):
            parts = [self._condition(value, depth + 1) for value in (node.left, node.right)]
            return sp.And(*parts) if isinstance(node.op, ast.BitAnd) else sp.Or(*parts)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _RELATIONS:
            if node.keywords or len(node.args) != 2:
                raise self.fail(f"{node.func.id} takes two arguments: {node.func.id}(x, 0)")
            return _RELATIONS[node.func.id](*(self._expression(term, depth) for term in node.args))
        if isinstance(node, ast.Compare):
            terms = [self._expression(term, depth) for term in (node.left, *node.comparators)]
            parts = []
            for operator, left, right in zip(node.ops, terms[:-1], terms[1:], strict=True):
                if type(operator) not in _COMPARISONS:
                    raise self.fail("conditions compare with <, <=, >, >=, == or !=")
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
