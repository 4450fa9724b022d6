"""Every real zero of a smooth function in an interval, as exact numbers or isolated by ball arithmetic.

Derivation: docs/theory/activations_in_balls.md, "The shape of an activation".
"""

from collections.abc import Callable

import sympy as sp

from hermite_dual.shape.isolation import isolated_zeros
from hermite_dual.shape.numbers import UndecidedError, compare, sign_of

Interval = tuple[sp.Expr, sp.Expr]

_POSITIVE = (sp.exp, sp.cosh, sp.sech)
_LIKE_ARGUMENT = (sp.erf, sp.erfi, sp.sinh, sp.csch, sp.tanh, sp.coth, sp.atan, sp.asinh, sp.asin, sp.atanh)
"""Functions that vanish, or change sign, where their argument does and nowhere else."""
_INVERSES: dict[type, Callable[[sp.Expr], sp.Expr]] = {
    sp.tanh: lambda y: sp.log((1 + y) / (1 - y)) / 2,
    sp.sinh: sp.asinh,
    sp.asinh: sp.sinh,
    sp.log: sp.exp,
}
"""Inverses of increasing functions; tanh has one for values inside (-1, 1) alone."""
QUOTIENTS = {
    sp.tan: lambda z: sp.sin(z) / sp.cos(z),
    sp.cot: lambda z: sp.cos(z) / sp.sin(z),
    sp.sec: lambda z: 1 / sp.cos(z),
    sp.csc: lambda z: 1 / sp.sin(z),
    sp.coth: lambda z: sp.cosh(z) / sp.sinh(z),
    sp.csch: lambda z: 1 / sp.sinh(z),
}
"""Quotients of entire functions."""
_MOST_ZEROS = 20_000
_MAX_DEGREE = 40
"""Polynomials of higher degree are isolated in balls: SymPy's exact roots take too long."""


class InfinitelyManyError(UndecidedError):
    """A function has infinitely many zeros in the interval, or may have."""


def zeros(function: sp.Expr, symbol: sp.Symbol, interval: Interval) -> list[sp.Expr]:
    """Return points that contain every zero and every pole of odd order of a smooth function inside an interval.

    Args:
        function: without `Abs`, `sign`, `Max` and their kin, not identically 0.
        symbol: its variable.
        interval: open; its ends may be infinite.

    Raises:
        InfinitelyManyError: there are, or may be, infinitely many.
        UndecidedError: the zeros are not understood.
    """
    return [point for point in _solve(function, symbol, interval) if _inside(point, interval)]


def as_quotients(function: sp.Expr) -> sp.Expr:
    """Return a formula with tan, cot, sec, csc, coth and csch as quotients of entire functions."""
    for kind, quotient in QUOTIENTS.items():
        function = function.replace(kind, quotient)
    return function


def _inside(point: sp.Expr, interval: Interval) -> bool:
    return compare(interval[0], point) < 0 and compare(point, interval[1]) < 0


def _solve(function: sp.Expr, symbol: sp.Symbol, interval: Interval) -> list[sp.Expr]:
    if not function.has(symbol):
        return []
    function = sp.factor_terms(function)
    if function.is_Mul:
        return [zero for factor in function.args for zero in _solve(factor, symbol, interval)]
    if function.is_Pow:
        base, exponent = function.args
        return _solve(base, symbol, interval) if not exponent.has(symbol) else []
    if isinstance(function, _POSITIVE):
        return []
    if isinstance(function, _LIKE_ARGUMENT):
        return _solve(function.args[0], symbol, interval)
    if isinstance(function, sp.log):
        return _solve(function.args[0] - 1, symbol, interval)
    if isinstance(function, sp.sec | sp.csc):
        return _solve((sp.cos if isinstance(function, sp.sec) else sp.sin)(*function.args), symbol, interval)
    if isinstance(function, sp.sin | sp.cos | sp.tan | sp.cot | sp.sinc):
        return _periodic(function, symbol, interval)
    if function.is_polynomial(symbol):
        roots = _polynomial(sp.Poly(function, symbol))
        return isolated_zeros(function, symbol, interval) if roots is None else roots
    return _sum(function, symbol, interval)


def _sum(function: sp.Expr, symbol: sp.Symbol, interval: Interval) -> list[sp.Expr]:
    """Zeros of a sum of functions."""
    if function.is_positive or function.is_negative:
        return []
    numerator, denominator = sp.fraction(sp.together(as_quotients(function)))
    if denominator.has(symbol):
        return _solve(numerator, symbol, interval) + _solve(denominator, symbol, interval)
    roots = _exponentials(function, symbol)
    if roots is None:
        roots = _inverted(function, symbol, interval)
    if roots is not None:
        return roots
    if function.free_symbols != {symbol}:
        raise UndecidedError(f"the sign changes of {function} are not known for all values of its parameters")
    try:
        return isolated_zeros(function, symbol, interval)
    except UndecidedError as error:
        unbounded = sp.oo in interval or -sp.oo in interval
        if unbounded and function.has(sp.sin, sp.cos, sp.tan, sp.cot, sp.sec, sp.csc, sp.sinc):
            raise InfinitelyManyError(f"{function} may vanish infinitely often") from error
        raise


def _periodic(function: sp.Expr, symbol: sp.Symbol, interval: Interval) -> list[sp.Expr]:
    """Zeros of sin, cos, tan, cot (with the poles of the last two) and sinc, whose argument is monotone or affine."""
    argument = function.args[0]
    if not argument.is_polynomial(symbol) or sp.degree(argument, symbol) != 1:
        return _arguments(function, argument, symbol, interval)
    slope, shift = sp.Poly(argument, symbol).all_coeffs()
    if sp.oo in interval or -sp.oo in interval:
        raise InfinitelyManyError(f"{function} vanishes infinitely often")
    if (slope + shift).free_symbols:
        raise UndecidedError(f"the zeros of {function} depend on its parameters")
    ends = sorted(sp.N(slope * end + shift, 30) for end in interval)
    return [(level - shift) / slope for level in _levels(function, ends[0], ends[1])]


def _levels(function: sp.Expr, low: sp.Expr, high: sp.Expr) -> list[sp.Expr]:
    """Arguments between two numbers at which the function vanishes or has a pole."""
    unit = sp.pi / 2 if isinstance(function, sp.tan | sp.cot) else sp.pi
    offset = sp.pi / 2 if isinstance(function, sp.cos) else sp.S.Zero
    first, last = sp.floor((low - offset) / unit), sp.ceiling((high - offset) / unit)
    if last - first > _MOST_ZEROS:
        raise InfinitelyManyError(f"{function} vanishes more than {_MOST_ZEROS} times between {low} and {high}")
    steps = range(int(first), int(last) + 1)
    return [k * unit + offset for k in steps if k or not isinstance(function, sp.sinc)]


def _arguments(function: sp.Expr, argument: sp.Expr, symbol: sp.Symbol, interval: Interval) -> list[sp.Expr]:
    """Zeros by the levels that the argument takes, which must be bounded on the interval."""
    from hermite_dual.shape.isolation import range_on

    span = range_on(argument, symbol, interval)
    if span is None:
        raise InfinitelyManyError(f"{function} may vanish infinitely often")
    return [zero for level in _levels(function, *span) for zero in _solve(argument - level, symbol, interval)]


def _polynomial(polynomial: sp.Poly) -> list[sp.Expr] | None:
    """Return the real roots of a polynomial, exactly; None where balls are asked."""
    if polynomial.degree() == 1:
        leading, constant = polynomial.all_coeffs()
        return [sp.cancel(-constant / leading)]
    domain = polynomial.get_domain()
    if domain.is_QQ or domain.is_ZZ:
        return list(dict.fromkeys(sp.real_roots(polynomial))) if polynomial.degree() <= _MAX_DEGREE else None
    if polynomial.degree() == 2:
        leading, linear, constant = polynomial.all_coeffs()
        discriminant = sp.factor(linear**2 - 4 * leading * constant)
        if (sign := sign_of(discriminant)) <= 0:
            return [] if sign < 0 else [-linear / (2 * leading)]
        width = sp.sqrt(discriminant)
        return [(-linear - width) / (2 * leading), (-linear + width) / (2 * leading)]
    if polynomial.as_expr().free_symbols != set(polynomial.gens):
        raise UndecidedError(f"the sign changes of {polynomial.as_expr()} are not known for all parameters")
    return None


def _exponentials(function: sp.Expr, symbol: sp.Symbol) -> list[sp.Expr] | None:
    """Zeros of a polynomial in one `exp(k x)`, or None if the function is none."""
    exponentials = [node for node in function.atoms(sp.exp) if node.has(symbol)]
    exponents = [sp.expand(node.args[0]) for node in exponentials]
    if not exponents or not all(e.is_polynomial(symbol) and sp.degree(e, symbol) == 1 for e in exponents):
        return None
    slopes = [sp.Poly(e, symbol).all_coeffs()[0] for e in exponents]
    ratios = [sp.cancel(slope / slopes[0]) for slope in slopes]
    if not all(ratio.is_Rational for ratio in ratios):
        return None
    common = sp.ilcm(*(ratio.q for ratio in ratios)) if len(ratios) > 1 else sp.Integer(ratios[0].q)
    y = sp.Dummy("y", positive=True)
    powers = {
        node: sp.exp(sp.expand(e - slope * symbol)) * y ** int(ratio * common)
        for node, e, slope, ratio in zip(exponentials, exponents, slopes, ratios, strict=True)
    }
    rational = sp.fraction(sp.together(function.xreplace(powers)))[0]
    if rational.has(symbol) or not rational.is_polynomial(y):
        return None
    roots = _polynomial(sp.Poly(rational, y))
    if roots is None:
        return None
    return [sp.log(root) * common / slopes[0] for root in roots if sign_of(root) > 0]


def _inverted(function: sp.Expr, symbol: sp.Symbol, interval: Interval) -> list[sp.Expr] | None:
    """Zeros of `a f(u) + b`, f invertible, or None if the function is none."""
    constant, dependent = function.as_independent(symbol, as_Add=True)
    factor, inner = dependent.as_independent(symbol, as_Add=False)
    inverse = _INVERSES.get(inner.func) if inner.args else None
    if inverse is None:
        return None
    level = sp.cancel(-constant / factor)
    if isinstance(inner, sp.tanh) and sign_of(1 - level**2) <= 0:
        return []
    return _solve(inner.args[0] - inverse(level), symbol, interval)
