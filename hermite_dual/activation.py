"""One object for every way to name an activation function."""

import functools
from collections.abc import Callable, Iterable
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike, NDArray

from hermite_dual.errors import HermiteDualError, InvalidInputError
from hermite_dual.expressions.catalogue import close_names, lookup, reason_against, string_functions
from hermite_dual.expressions.catalogue_entry import parameter
from hermite_dual.expressions.float_function import Array, FloatFunction, float_function
from hermite_dual.expressions.formula_functions import is_function
from hermite_dual.expressions.kinks import branch_at, find_kinks, removable_points
from hermite_dual.expressions.lipschitz import supremum_of_magnitude
from hermite_dual.expressions.parser import MAX_LENGTH, parse_activation
from hermite_dual.symbols import x

ActivationLike = Any
"""What names an activation: see `activation`."""

_PROBES = np.array([-300.0, -30.0, -7.3, -2.1, -0.6, -1e-3, 1e-3, 0.6, 2.1, 7.3, 30.0, 300.0])
"""Where a new activation is looked at: complex values and NaN show here."""
_MAX_PARITY_KINKS, _MAX_PARITY_OPERATIONS = 12, 40
"""Up to these sizes parity is proven by algebra; beyond, none is claimed, which costs speed and nothing else."""
_SYMPY_ERRORS = (TypeError, ValueError, ArithmeticError, AttributeError, LookupError, RuntimeError)
"""What SymPy and NumPy raise at a formula that makes no sense, such as a comparison of complex values."""
_PARITY_TOLERANCE = sp.Float("1e-20")
"""A mirror image further off than this at one point, of 30 digits, is none; closer ones go to algebra."""


class Activation:
    """An activation function `phi: R -> R`.

    Made by `activation`; the constructor takes what that function has read.

    Attributes:
        expr: the formula in `symbol`, or None for a plain Python function.
        symbol: the variable, the same for all activations.
        name: a short name for tables and file names.
        source: where the function comes from, for catalogue entries.
    """

    def __init__(
        self,
        expr: sp.Expr | None,
        function: FloatFunction,
        name: str,
        *,
        kinks: Iterable[sp.Expr] = (),
        source: str = "",
        lipschitz: sp.Expr | None = None,
        derivative: Callable[..., Any] | None = None,
    ) -> None:
        self.expr = expr
        self.symbol = x
        self.name = name
        self.source = source
        self._function = function
        self._kinks = tuple(kinks)
        self._exact_lipschitz = lipschitz
        self._derivative = derivative

    def __call__(self, values: ArrayLike) -> Array:
        """Return `phi(values)` elementwise, float64 of the same shape."""
        argument = np.asarray(values, dtype=np.float64)
        return self._function(argument)

    def __repr__(self) -> str:
        """Return the name and the formula."""
        return f"Activation({self.name})" if self.expr is None else f"Activation({self.name}: {self.expr})"

    def __eq__(self, other: object) -> bool:
        """Return whether both are the same formula, or the same Python function."""
        if not isinstance(other, Activation):
            return NotImplemented
        if self.expr is None or other.expr is None:
            return self._function is other._function
        return bool(self.expr == other.expr)

    def __hash__(self) -> int:
        """Return a hash that agrees with equality."""
        return hash(self.expr if self.expr is not None else id(self._function))

    def __reduce__(self) -> tuple[Callable[..., "Activation"], tuple[Any, ...]]:
        """Pickle the formula, or the Python function as pickle can, and compile again on the other side."""
        if self.expr is not None:
            return _formula_again, (self.expr, self.name, self._kinks, self.source, self._exact_lipschitz)
        function = getattr(self._function, "__wrapped__", self._function)
        return _function_again, (function, self.name, self._kinks, self._derivative)

    @property
    def kinks(self) -> tuple[sp.Expr, ...]:
        """The points where phi may fail to be analytic on the real line, in increasing order."""
        return self._kinks

    @property
    def parameters(self) -> frozenset[sp.Symbol]:
        """The symbols that stand for parameters; numbers need them to be substituted first."""
        return frozenset() if self.expr is None else frozenset(self.expr.free_symbols - {self.symbol})

    @cached_property
    def parity(self) -> str | None:
        """`"even"`, `"odd"`, or None; of a plain Python function as seen at 40 points."""
        if self.expr is not None:
            try:
                return _symbolic_parity(self.expr, self.symbol, self.kinks)
            except _SYMPY_ERRORS:
                return None  # no proof, no claim
        points = np.geomspace(1e-4, 30.0, 40)
        right, left = self(points), self(-points)
        for parity, sign in (("even", 1.0), ("odd", -1.0)):
            if np.array_equal(right, sign * left):
                return parity
        return None

    @cached_property
    def lipschitz(self) -> float:
        """The Lipschitz constant `sup |phi'|` over the real line, infinite where there is none.

        From the catalogue where it is elementary; otherwise a float64 maximization, which is an estimate, not a bound.
        """
        if self._exact_lipschitz is not None:
            return float(self._exact_lipschitz)
        if self.expr is not None:
            if self.jumps:
                return float("inf")
            slope = self.derivative()
            return supremum_of_magnitude(slope, [float(kink) for kink in self.kinks])
        if self._derivative is not None:
            return supremum_of_magnitude(self.derivative(), [])
        return supremum_of_magnitude(_divided_difference(self._function), [])

    @cached_property
    def jumps(self) -> tuple[sp.Expr, ...]:
        """The kinks at which phi is discontinuous."""
        steps = [(kink, 1e-9 * max(1.0, abs(float(kink)))) for kink in self.kinks]
        found = []
        for kink, step in steps:
            left, right = self(np.array([float(kink) - step, float(kink) + step]))
            near_left, near_right = self(np.array([float(kink) - step / 8, float(kink) + step / 8]))
            if abs(near_right - near_left) > 0.5 * abs(right - left) > 0.0:
                found.append(kink)
        return tuple(found)

    def derivative(self) -> "Activation":
        """Return `phi'`, almost everywhere.

        Raises:
            InvalidInputError: phi is a plain Python function given without `derivative=`, or phi jumps, so that
                `phi'` is a distribution.
        """
        if self.expr is None:
            if self._derivative is None:
                raise InvalidInputError(
                    f"the derivative of the Python function {self.name!r} is not known: "
                    "pass activation(f, derivative=df), or a SymPy expression"
                )
            return Activation(None, _checked_callable(self._derivative), f"{self.name}'", kinks=self._kinks)
        if not self.parameters and self.jumps:
            raise InvalidInputError(
                f"activation {self.expr} jumps at {', '.join(map(str, self.jumps))}: its derivative is a "
                "distribution, not a function with a float64 value; a continuous activation has one"
            )
        slope = sp.diff(self.expr, self.symbol).replace(sp.DiracDelta, lambda *_: sp.Integer(0))
        return _from_expression(slope, f"{self.name}'")


def activation(
    spec: ActivationLike,
    *,
    kinks: Iterable[float] | None = None,
    derivative: Callable[..., Any] | None = None,
    **parameters: object,
) -> Activation:
    """Return the activation that `spec` names.

    Args:
        spec: one of
            a SymPy function class of one argument, such as `sympy.tanh`;
            an expression in exactly one symbol;
            `sympy.Lambda(x, expr)`, whose other symbols are parameters;
            a catalogue name such as `"gelu"`, with its parameters as keywords;
            a formula in a string, such as `"x*erf(x)"`, read by a whitelist;
            a vectorised Python function of one float64 array (numeric only).
        kinks: for a Python function, the points where it is not smooth.
        derivative: for a Python function, its derivative.
        **parameters: parameters of a catalogue name, such as `alpha=0.2`, or of a formula in a string.

    Raises:
        InvalidInputError: `spec` names no real function of one variable.
        ParseError: a string is neither a name nor a formula.

    >>> import sympy as sp
    >>> activation("relu").kinks
    (0,)
    >>> activation(sp.tanh).parity
    'odd'
    >>> activation("x*erf(x)").expr
    x*erf(x)
    """
    if isinstance(spec, Activation):
        return spec
    if isinstance(spec, str):
        return _from_string(spec, parameters)
    if parameters:
        raise InvalidInputError(f"parameters {sorted(parameters)} go with a catalogue name, not with {spec!r}")
    if isinstance(spec, sp.Lambda):
        return _from_lambda(spec)
    if isinstance(spec, sp.Expr):
        return _from_free_expression(spec)
    if isinstance(spec, sp.FunctionClass):
        return _from_function_class(spec)
    if callable(spec):
        return _from_callable(spec, kinks or (), derivative)
    raise InvalidInputError(
        f"activation {spec!r} of type {type(spec).__name__}: give a name, a formula in a string, a SymPy function, "
        "expression or Lambda, or a Python function"
    )


def _from_string(text: str, parameters: dict[str, object]) -> Activation:
    entry = lookup(text)
    if entry is not None:
        values = entry.parameters(parameters)
        constant = entry.lipschitz(**values) if entry.lipschitz is not None else None
        label = ", ".join(f"{key}={value}" for key, value in values.items() if value != entry.defaults.get(key))
        name = f"{entry.name}({label})" if label else entry.name
        return _from_expression(entry.expression(**parameters), name, source=entry.source, lipschitz=constant)
    if len(text) <= MAX_LENGTH and (reason := reason_against(text)) is not None:
        raise InvalidInputError(f"{text.strip()} {reason}")
    functions = string_functions()
    if len(text) <= MAX_LENGTH and text.strip().isidentifier() and text.strip() != "x":
        raise InvalidInputError(f"unknown activation {text!r}: {_hint(text, functions)}")
    values = {key: parameter(key, value) for key, value in parameters.items()}
    label = ", ".join(f"{key}={value}" for key, value in values.items())
    name = f"{text.strip()} with {label}" if label else text.strip()
    return _from_expression(parse_activation(text, functions, values), name)


def _hint(text: str, functions: dict[str, Callable[..., sp.Expr]]) -> str:
    name = text.strip()
    if is_function(name, functions):
        return f"write '{name}(x)', with its further arguments if it has any"
    close = close_names(name)
    hint = f"did you mean {' or '.join(map(repr, close))}?" if close else "the names are in hermite_dual.catalogue()."
    return f"{hint} A formula is a string such as 'x*erf(x)'"


def _from_lambda(function: sp.Lambda) -> Activation:
    if len(function.variables) != 1:
        raise InvalidInputError(f"{function}: an activation has one variable, not {len(function.variables)}")
    expr = sp.sympify(function.expr).subs(function.variables[0], x)
    return _from_expression(expr, str(expr))


def _from_free_expression(expr: sp.Expr) -> Activation:
    symbols = sorted(expr.free_symbols, key=str)
    if len(symbols) > 1:
        raise InvalidInputError(
            f"expression {expr} has {len(symbols)} free symbols, {', '.join(map(str, symbols))}: which is the "
            f"variable? Pass sympy.Lambda({symbols[-1]}, expr), or substitute values for the others"
        )
    return _from_expression(expr.subs(symbols[0], x) if symbols else expr, str(expr))


def _from_function_class(function: Any) -> Activation:
    try:
        expr = function(x)
    except TypeError as error:
        raise InvalidInputError(f"{function} is no function of one argument: {error}") from None
    return _from_expression(expr, function.__name__)


def _from_expression(expr: sp.Expr, name: str, *, source: str = "", lipschitz: sp.Expr | None = None) -> Activation:
    if expr.has(sp.nan, sp.zoo, sp.oo, -sp.oo):
        raise InvalidInputError(f"activation {expr} is not finite: give a real function of one variable")
    if expr.has(sp.I):
        real, imaginary = expr.expand(complex=True).as_real_imag()
        if sp.simplify(imaginary) != 0:
            raise _complex_values(expr)
        expr = sp.simplify(real)
    try:
        if expr.free_symbols <= {x}:
            _check_values(expr)
        kinks, function = find_kinks(expr, x), _function_of(expr)
        found = Activation(expr, function, name, kinks=kinks, source=source, lipschitz=lipschitz)
    except _SYMPY_ERRORS as error:
        if isinstance(error, HermiteDualError):
            raise
        raise InvalidInputError(
            f"activation {name} cannot be evaluated on the real line ({error}): give a formula that is finite and real "
            "there, or a Python function"
        ) from error
    return found


def _formula_again(
    expr: sp.Expr, name: str, kinks: tuple[sp.Expr, ...], source: str, lipschitz: sp.Expr | None
) -> Activation:
    return Activation(expr, _function_of(expr), name, kinks=kinks, source=source, lipschitz=lipschitz)


def _function_again(
    function: Callable[..., Any], name: str, kinks: tuple[sp.Expr, ...], derivative: Callable[..., Any] | None
) -> Activation:
    return Activation(None, _checked_callable(function), name, kinks=kinks, derivative=derivative)


def _function_of(expr: sp.Expr) -> FloatFunction:
    parameters = sorted(map(str, expr.free_symbols - {x}))
    if not parameters:
        return float_function(expr, x, removable_points(expr, x))

    def refuse(values: Array) -> Array:
        raise InvalidInputError(
            f"activation {expr} has the parameter(s) {', '.join(parameters)} without a value: "
            "substitute numbers before asking for numbers"
        )

    return refuse


def _complex_values(expr: sp.Expr) -> InvalidInputError:
    return InvalidInputError(
        f"activation {expr} takes complex values on the real line: an activation is real; "
        "write sqrt(Abs(x)) for sqrt(x), log(1 + x**2) for log(x), or a Piecewise"
    )


def _check_values(expr: sp.Expr) -> None:
    if np.isnan(float_function(expr, x)(_PROBES)).any():
        raise _complex_values(expr)


def _from_callable(
    function: Callable[..., Any], kinks: Iterable[float], derivative: Callable[..., Any] | None
) -> Activation:
    name = getattr(function, "__name__", type(function).__name__)
    checked = _checked_callable(function)
    points = [sp.Float(float(kink), 17) for kink in sorted(kinks)]
    found = Activation(None, checked, name, kinks=points, derivative=derivative)
    if np.isnan(found(_PROBES)).any():
        raise InvalidInputError(f"the Python function {name!r} returns NaN at finite arguments: an activation is real")
    return found


def _checked_callable(function: Callable[..., Any]) -> FloatFunction:
    name = getattr(function, "__name__", repr(function))

    @functools.wraps(function, assigned=(), updated=())
    def evaluate(values: Array) -> Array:
        with np.errstate(all="ignore"):
            result: NDArray[Any] = np.asarray(function(values))
        if np.iscomplexobj(result):
            raise InvalidInputError(f"the Python function {name!r} returns complex values: an activation is real")
        if result.shape != values.shape:
            raise InvalidInputError(
                f"the Python function {name!r} maps shape {values.shape} to {result.shape}: it must act elementwise "
                "on float64 arrays; wrap a scalar function with numpy.vectorize"
            )
        return np.asarray(result, dtype=np.float64)

    return evaluate


def _symbolic_parity(expr: sp.Expr, symbol: sp.Symbol, kinks: tuple[sp.Expr, ...]) -> str | None:
    """Return the parity, proven by algebra on each interval between kinks; None where there is none or no proof."""
    mirrored = expr.subs(symbol, -symbol)
    for parity, sign in (("even", 1), ("odd", -1)):
        if mirrored == sign * expr:
            return parity
    if expr.free_symbols - {symbol}:
        return next((p for p, s in (("even", 1), ("odd", -1)) if sp.simplify(mirrored - s * expr) == 0), None)
    if len(kinks) > _MAX_PARITY_KINKS or expr.count_ops() > _MAX_PARITY_OPERATIONS:
        return None
    edges = sorted({abs(kink) for kink in kinks} | {sp.Integer(0)}, key=float)
    middles = [(a + b) / 2 for a, b in pairwise(edges)] + [edges[-1] + 1]
    for parity, sign in (("even", 1), ("odd", -1)):
        pairs = [(branch_at(expr, symbol, m), branch_at(expr, symbol, -m).subs(symbol, -symbol)) for m in middles]
        gaps = [right - sign * left for right, left in pairs]
        if all(abs(sp.N(gap.subs(symbol, m), 30)) < _PARITY_TOLERANCE for gap, m in zip(gaps, middles, strict=True)):
            return parity if all(sp.simplify(gap) == 0 for gap in gaps) else None
    return None


def _divided_difference(function: FloatFunction) -> FloatFunction:
    """Return central differences at the step that balances rounding and truncation."""

    def slope(values: Array) -> Array:
        step = 6e-6 * np.maximum(1.0, np.abs(values))
        return (function(values + step) - function(values - step)) / (2.0 * step)

    return slope
