"""One object for every way to name an activation function."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike

from hermite_dual.arrays import Array
from hermite_dual.cached_property import cached_property
from hermite_dual.errors import HermiteDualError, InvalidInputError, NotIntegrableError
from hermite_dual.exact_numbers import float_bounds
from hermite_dual.expressions.catalogue import close_names, lookup, reason_against, string_functions
from hermite_dual.expressions.catalogue_entry import parameter
from hermite_dual.expressions.features import feature_probes
from hermite_dual.expressions.float_function import FloatFunction, float_function
from hermite_dual.expressions.formula_functions import is_function
from hermite_dual.expressions.lipschitz import supremum_of_magnitude
from hermite_dual.expressions.parser import MAX_LENGTH, parse_activation
from hermite_dual.expressions.python_function import (
    EPS,
    as_formula,
    checked,
    divided_difference,
    refuse_random,
    resolution,
    say_narrow,
)
from hermite_dual.float_state import own_float_state
from hermite_dual.notebook import MOST, Shown, Told, shortened
from hermite_dual.outcome import Outcome
from hermite_dual.shape.numbers import as_printed
from hermite_dual.shape.refusals import PROBES, SINGULAR, check_functions, check_real, check_values, complex_values
from hermite_dual.shape.shape import Shape, shape_of
from hermite_dual.symbols import x

ActivationLike = Any
"""What names an activation: see `activation`."""

_REACH = 1e3
"""Kinks this far out are known to the estimate of a Lipschitz constant."""
_SEEN = np.array([0.7, 1.9])
"""Where a formula is looked at before its parity is proven."""
_LONGEST = 200
"""Characters of a formula that is shown beside its name."""
_SYMPY_ERRORS = (TypeError, ValueError, ArithmeticError, AttributeError, LookupError, RuntimeError)
"""What SymPy and NumPy raise at a formula that makes no sense, such as a comparison of complex values."""
_ASSUMPTIONS = ("positive", "negative", "nonnegative", "nonpositive", "integer", "rational", "irrational", "nonzero")
"""What a variable must not be declared to be: SymPy simplifies with it."""
_PARITIES = {1: "even", -1: "odd", 0: None}


class Activation(Shown):
    """An activation function `phi: R -> R`.

    Made by `activation`; the constructor takes what that function has read.

    Attributes:
        expr: the formula in `symbol`, or None for a plain Python function.
        symbol: the variable, the same for all activations.
        name: a short name for tables and file names.
        source: where the function comes from, for catalogue entries.
        resolution: eps of the arithmetic that evaluates phi; float32's for Python functions that compute in it.
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
        resolution: float = EPS,
    ) -> None:
        self.expr = expr
        self.symbol = x
        self.name = name
        self.source = source
        self.resolution = resolution
        self._function = function
        self._kinks = tuple(kinks)
        self._exact_lipschitz = lipschitz
        self._derivative = derivative

    def __call__(self, values: ArrayLike) -> Any:
        """Return `phi(values)` elementwise, float64 of the same shape; of a SymPy expression the expression."""
        if isinstance(values, sp.Expr) and not values.is_number:
            if self.expr is None:
                raise InvalidInputError(f"{self.name} is a Python function and has no formula for {values}")
            return self.expr.subs(self.symbol, values)
        argument = np.asarray(values, dtype=np.float64)
        return self._function(argument)

    def __repr__(self) -> str:
        """Return the name and the formula."""
        formula = "" if self.expr is None else str(self.expr)
        shown = f"{self.name}: {formula}" if 0 < len(formula) <= _LONGEST else self.name
        return f"Activation({shortened(shown, MOST - len('Activation()'))})"

    def _told(self) -> Told:
        known = [("name", self.name), ("phi(x)", self.expr), ("source", self.source)]
        return [(name, value) for name, value in known if value]

    def _in_short(self) -> str:
        return shortened(self.name)

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
            return _formula_again, (self.expr, self.name, self.source, self._exact_lipschitz)
        function = getattr(self._function, "__wrapped__", self._function)
        return _function_again, (function, self.name, self._kinks, self._derivative, self.resolution)

    @cached_property
    def shape(self) -> Shape:
        """What all layers know of the formula, its kinks, pieces, jumps, parity and poles among it."""
        return Shape(None, self.symbol, self._kinks) if self.expr is None else shape_of(self.expr, self.symbol)

    @property
    def kinks(self) -> tuple[sp.Expr, ...]:
        """The points where phi is not analytic on the real line, increasing; of infinitely many those in [-64, 64]."""
        return self.shape.kinks

    def kinks_within(self, radius: float) -> Array:
        """Return the kinks in [-radius, radius] as float64, increasing, however many there are in all."""
        pieces = self.shape.within(radius)
        places = np.array([float(kink) for kink in self.kinks]) if pieces is None else pieces.places
        return places[np.abs(places) <= radius]

    @cached_property
    def probes(self) -> Array:
        """Points around the places where the formula may vary fast, at which quadrature looks."""
        return feature_probes(self.expr, self.symbol)

    @cached_property
    def with_moved_constants(self) -> FloatFunction | None:
        """The formula with its constants rounded another way, where they stand in a sum that may cancel; or None."""
        sums = () if self.expr is None or self.parameters else self.expr.atoms(sp.Add)
        if not any(sum(term.has(self.symbol) for term in node.args) > 1 for node in sums):
            return None
        return float_function(self.expr, self.symbol, repaired=False, moved=True)

    @property
    def coarseness(self) -> float:
        """How much coarser than float64 the arithmetic is that evaluates phi; 1 but for some Python functions."""
        return self.resolution / EPS

    @property
    def parameters(self) -> frozenset[sp.Symbol]:
        """The symbols that stand for parameters; numbers need them to be substituted first."""
        return frozenset() if self.expr is None else frozenset(self.expr.free_symbols - {self.symbol})

    @cached_property
    def parity(self) -> str | None:
        """`"even"`, `"odd"`, or None; of a plain Python function as seen at 40 points."""
        if self.expr is not None:
            return _PARITIES[self.shape.parity] if self.parameters or self._looks_symmetric() else None
        points = np.geomspace(1e-4, 30.0, 40)
        right, left = self(points), self(-points)
        for parity, sign in (("even", 1.0), ("odd", -1.0)):
            if np.array_equal(right, sign * left):
                return parity
        return None

    def _looks_symmetric(self) -> bool:
        """Whether values leave a parity possible; most formulas need no proof that they have none."""
        right, left = self(_SEEN), self(-_SEEN)
        size = 1e-6 * np.maximum(np.abs(right), np.abs(left))
        return any(not (np.abs(right - sign * left) > size).any() for sign in (1.0, -1.0))

    @cached_property
    def lipschitz(self) -> float:
        """The Lipschitz constant `sup |phi'|` over the real line, infinite where there is none.

        Of a formula the proven bound, rounded up; where none is proven, and for Python functions, a float64
        maximization, which is an estimate: features narrower than its samples can be missed.

        Raises:
            InvalidInputError: phi has parameters without a value.
        """
        if self._exact_lipschitz is not None:
            return _rounded_up(self._exact_lipschitz)
        if self.expr is None:
            slope = (
                self.derivative()
                if self._derivative is not None
                else divided_difference(self._function, self.resolution)
            )
            return supremum_of_magnitude(slope, [])
        from hermite_dual.certified.suprema.constants import derivative_bound

        bound = derivative_bound(self.shape)
        if bound.outcome is not Outcome.UNDECIDED:
            return bound.upper
        try:
            slope = self.derivative()
        except (InvalidInputError, NotIntegrableError):
            return float("inf")
        return max(bound.lower, supremum_of_magnitude(slope, self.kinks_within(_REACH).tolist()))

    @cached_property
    def jumps(self) -> tuple[sp.Expr, ...]:
        """The kinks at which phi is discontinuous; where that is not proven, as seen in float64."""
        seen = [kink for kink in self.shape.doubtful if self._seems_to_jump(float(kink))]
        return tuple(sorted((*self.shape.jumps, *seen), key=float))

    def _seems_to_jump(self, place: float) -> bool:
        step = 1e-9 * max(1.0, abs(place))
        left, right, near_left, near_right = self(place + step * np.array([-1.0, 1.0, -0.125, 0.125]))
        return bool(abs(near_right - near_left) > 0.5 * abs(right - left) > 0.0)

    def derivative(self) -> "Activation":
        """Return `phi'`, almost everywhere.

        Raises:
            InvalidInputError: phi is a plain Python function given without `derivative=`, or phi jumps, so that
                `phi'` is a distribution.
        """
        return self._slope

    @cached_property
    def _slope(self) -> "Activation":
        # compiled once: training and tangent kernels ask at every step
        if self.expr is None:
            if self._derivative is None:
                raise InvalidInputError(
                    f"the derivative of the Python function {self.name!r} is not known: "
                    "pass activation(f, derivative=df), or a SymPy expression"
                )
            slope, digits = checked(self._derivative), resolution(self._derivative, PROBES)
            return Activation(None, slope, f"{self.name}'", kinks=self._kinks, resolution=digits)
        if not self.parameters and self.jumps:
            raise InvalidInputError(
                f"activation {self.expr} jumps at {', '.join(map(str, self.jumps))}: its derivative is a "
                "distribution, not a function with a float64 value; a continuous activation has one"
            )
        slope = sp.diff(self.expr, self.symbol).replace(sp.DiracDelta, lambda *_: sp.Integer(0))
        return _from_expression(slope, f"{self.name}'")


@own_float_state
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
    if isinstance(getattr(spec, "activation", None), Activation):
        spec = spec.activation  # of a Dual or a model
    if isinstance(spec, Activation):
        return _with_nothing_else(spec, parameters, kinks, derivative)
    if isinstance(spec, str | sp.Lambda | sp.Expr | sp.FunctionClass) and (kinks is not None or derivative is not None):
        raise InvalidInputError(f"kinks= and derivative= go with a Python function: those of {spec!r} are derived")
    if isinstance(spec, str):
        return _from_string(spec, parameters)
    if isinstance(spec, sp.Lambda):
        return _from_lambda(spec, parameters)
    if isinstance(spec, sp.Expr):
        return _from_free_expression(spec, parameters)
    if isinstance(spec, sp.FunctionClass):
        return _from_function_class(_with_nothing_else(spec, parameters))
    if callable(spec):
        _with_nothing_else(spec, parameters)
        formula = as_formula(spec, x) if kinks is None and derivative is None else None
        if formula is not None:
            return _from_expression(formula, str(formula))
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


def _with_nothing_else(
    spec: Any,
    parameters: dict[str, object],
    kinks: Iterable[float] | None = None,
    derivative: Callable[..., Any] | None = None,
) -> Any:
    options = {"kinks": kinks, "derivative": derivative}
    given = [*parameters, *(name for name, value in options.items() if value is not None)]
    if given:
        raise InvalidInputError(f"{given[0]} = ... goes with a name, a formula or a Python function, not with {spec!r}")
    return spec


def _from_lambda(function: sp.Lambda, parameters: dict[str, object]) -> Activation:
    if len(function.variables) != 1:
        raise InvalidInputError(f"{function}: an activation has one variable, not {len(function.variables)}")
    expr = _substituted(sp.sympify(function.expr), parameters)
    return _in_x(expr, function.variables[0])


def _from_free_expression(expr: sp.Expr, parameters: dict[str, object]) -> Activation:
    expr = _substituted(expr, parameters)
    symbols = sorted(expr.free_symbols, key=str)
    if len(symbols) > 1:
        raise InvalidInputError(
            f"expression {expr} has {len(symbols)} free symbols, {', '.join(map(str, symbols))}: which is the "
            f"variable? Pass sympy.Lambda({symbols[-1]}, expr), or give the others values: "
            f"activation(expr, {symbols[0]}=2)"
        )
    return _in_x(expr, symbols[0] if symbols else x)


def _substituted(expr: sp.Expr, parameters: dict[str, object]) -> sp.Expr:
    """Give parameters, named by their symbols' names, their values."""
    symbols = {symbol.name: symbol for symbol in expr.free_symbols}
    for name, value in parameters.items():
        if name not in symbols:
            raise InvalidInputError(
                f"parameter {name} does not occur in {expr}: its symbols are {', '.join(sorted(symbols)) or 'none'}"
            )
        expr = expr.subs(symbols[name], parameter(name, value))
    return expr


def _in_x(expr: sp.Expr, symbol: sp.Symbol) -> Activation:
    """Write an expression in the one variable of all activations, which runs over the whole real line."""
    for assumption in _ASSUMPTIONS:
        if getattr(symbol, f"is_{assumption}") is True:
            raise InvalidInputError(
                f"the variable {symbol} of {expr} is declared {assumption}: SymPy has simplified with that, and an "
                f"activation runs over all real numbers; declare it Symbol({symbol.name!r}, real=True)"
            )
    return _from_expression(expr.subs(symbol, x), str(expr))


def _from_function_class(function: Any) -> Activation:
    try:
        expr = function(x)
    except TypeError as error:
        raise InvalidInputError(f"{function} is no function of one argument: {error}") from None
    return _from_expression(expr, function.__name__)


def _from_expression(expr: sp.Expr, name: str, *, source: str = "", lipschitz: sp.Expr | None = None) -> Activation:
    expr = as_printed(expr)
    if expr.has(sp.nan, sp.zoo, sp.oo, -sp.oo):
        raise InvalidInputError(f"activation {expr} is not finite: give a real function of one variable")
    if expr.has(sp.I):
        real, imaginary = expr.expand(complex=True).as_real_imag()
        if sp.simplify(imaginary) != 0:
            raise complex_values(name)
        expr = sp.simplify(real)
    try:
        check_functions(expr, name)
        if expr.free_symbols <= {x} and expr.has(*SINGULAR) and not expr.has(sp.Piecewise):
            # before a thousand zeros are isolated of what is refused anyway, such as sqrt(sin(x*abs(x)))
            check_real(float_function(expr, x), name)
        phi = Activation(expr, _function_of(expr), name, source=source, lipschitz=lipschitz)
        if expr.free_symbols <= {x}:
            check_values(phi.shape, phi, name)
    except _SYMPY_ERRORS as error:
        if isinstance(error, HermiteDualError):
            raise
        raise InvalidInputError(
            f"activation {name} cannot be evaluated on the real line ({error}): give a formula that is finite and real "
            "there, or a Python function"
        ) from error
    return phi


def _formula_again(expr: sp.Expr, name: str, source: str, lipschitz: sp.Expr | None) -> Activation:
    return Activation(expr, _function_of(expr), name, source=source, lipschitz=lipschitz)


def _function_again(
    function: Callable[..., Any],
    name: str,
    kinks: tuple[sp.Expr, ...],
    derivative: Callable[..., Any] | None,
    digits: float,
) -> Activation:
    return Activation(None, checked(function), name, kinks=kinks, derivative=derivative, resolution=digits)


def _function_of(expr: sp.Expr) -> FloatFunction:
    parameters = sorted(map(str, expr.free_symbols - {x}))
    if not parameters:
        return float_function(expr, x, shape_of(expr, x).removable if expr.has(*SINGULAR) else ())

    def refuse(values: Array) -> Array:
        raise InvalidInputError(
            f"activation {expr} has the parameter(s) {', '.join(parameters)} without a value: "
            "substitute numbers before asking for numbers"
        )

    return refuse


def _rounded_up(constant: sp.Expr) -> float:
    """The float64 number not below a constant of the catalogue."""
    if constant.is_Integer or constant in (sp.oo, sp.S.Half):
        return float(constant)
    if constant.is_infinite:
        return float("inf")
    from hermite_dual.certified.balls.ball_functions import constant_ball
    from hermite_dual.certified.balls.precision import upper_float, working_precision

    with working_precision(128):
        return upper_float(constant_ball(constant))


def _from_callable(
    function: Callable[..., Any], kinks: Iterable[float], derivative: Callable[..., Any] | None
) -> Activation:
    name = getattr(function, "__name__", type(function).__name__)
    evaluate = checked(function)
    refuse_random(evaluate, PROBES, name)
    places = [float_bounds(kink, "kinks", "give the points where it is not smooth")[0] for kink in kinks]
    points = [sp.Float(place, 17) for place in sorted(places)]
    digits = resolution(function, PROBES)
    if digits > EPS:
        say_narrow(name)
    return Activation(None, evaluate, name, kinks=points, derivative=derivative, resolution=digits)
