"""Exact Hermite coefficients of activations.

Derivation: docs/theory/closed_forms.md, "Coefficients".
"""

from collections.abc import Iterator
from functools import lru_cache

import sympy as sp

from hermite_dual.errors import InvalidInputError
from hermite_dual.shape.numbers import as_printed
from hermite_dual.shape.shape import Shape, shape_of
from hermite_dual.symbolic.assembly import assemble
from hermite_dual.symbolic.closed_forms import numbers_of
from hermite_dual.symbolic.coefficient_integral import CoefficientIntegral
from hermite_dual.symbolic.gaussian_integrals import Summand, expect_product
from hermite_dual.symbolic.ground import Ground
from hermite_dual.symbolic.hermite import hermite_integers, normalized_hermite
from hermite_dual.symbolic.rewriting import split, to_terms
from hermite_dual.symbolic.terms import OutsideClassError, Term, group_terms

_MOST_OPERATIONS = 40
"""Operations up to which SymPy is asked whether an activation is symmetric about a point."""
MAX_DEGREE = 300
"""Coefficients of higher degree are left to the numeric layers."""


def exact_coefficient(phi: Shape, r: int, variance: sp.Expr | float = 1) -> sp.Expr:
    r"""Return the normalized Hermite coefficient `a_r(q) = E[phi(sqrt(q) Z) h_r(Z)]`.

    $a_r / \sqrt{r!}$ is the Taylor coefficient at t = 0 of the generating function $E[\phi(\sqrt q (Z + t))]$, since
    $e^{t z - t^2 / 2} = \sum_r h_r(z) t^r / \sqrt{r!}$. For an activation of the class it is computed exactly, from the
    moments of its terms; otherwise it is returned as an integral, whose `evalf(n)` gives n digits.

    Args:
        phi: the activation, a formula.
        r: the degree, a nonnegative integer.
        variance: q, a positive number or expression.

    Returns:
        A SymPy expression.

    Raises:
        InvalidInputError: The degree or the variance is not allowed.

    >>> x = sp.Symbol("x", real=True)
    >>> [exact_coefficient(Shape(sp.Max(x, 0), x), r) for r in range(5)]
    [sqrt(2)/(2*sqrt(pi)), 1/2, 1/(2*sqrt(pi)), 0, -sqrt(3)/(12*sqrt(pi))]
    >>> q = sp.Symbol("q", positive=True)
    >>> exact_coefficient(Shape(sp.sin(x), x), 3, q)
    -sqrt(6)*q**(3/2)*exp(-q/2)/6
    """
    if isinstance(r, bool) or not isinstance(r, (int, sp.Integer)) or not 0 <= r <= MAX_DEGREE:
        raise InvalidInputError(f"r must be an integer from 0 to {MAX_DEGREE}, got {r!r}")
    q = as_printed(variance)
    if q.is_positive is not True:
        raise InvalidInputError(f"variance must be a positive number or a symbol declared positive, got {variance!r}")
    return _coefficient(as_printed(phi.formula), phi.symbol, int(r), q)


@lru_cache(maxsize=4096)
def _coefficient(expr: sp.Expr, symbol: sp.Symbol, r: int, q: sp.Expr) -> sp.Expr:
    try:
        terms = to_terms(expr, symbol)
        if not _is_integrable(terms, q):
            return _integral(expr, symbol, r, q)
        return coefficient_of_terms(terms, r, q)
    except OutsideClassError:
        return _integral(expr, symbol, r, q)


def _is_integrable(terms: tuple[Term, ...], q: sp.Expr) -> bool:
    """Say whether no factor `exp(a x^2)` is known to outgrow the Gaussian weight."""
    return not any((2 * term.quadratic * q - 1).is_nonnegative for term in terms)


def coefficient_of_terms(terms: tuple[Term, ...], r: int, q: sp.Expr) -> sp.Expr:
    """Return the coefficient of a sum of terms: the expectation of each term times `He_r(x / sqrt(q)) / sqrt(r!)`."""
    ground = Ground([*numbers_of(terms), q], sp.S.One)
    one, zero, variance = ground.field.one, ground.field.zero, ground(q)
    # He_r(x / sqrt(q)) has whole powers of q after a factor sqrt(q)^(r mod 2), which goes under a root with r!.
    weights = {
        power: value * variance ** ((r - power) // 2) / variance ** (r // 2)
        for power, value in enumerate(hermite_integers(r))
        if value
    }
    scale = ground.field(int(sp.factorial(r))) * (variance if r % 2 else one)

    def summands() -> Iterator[Summand]:
        for group in group_terms(terms):
            for summand in expect_product(ground, group, (Term(sp.S.One),), (variance, zero, one), weights):
                outer, inner = ground.root(ground.field(summand.radicand) / scale)
                yield Summand(summand.coefficient * outer, inner, summand.exponent, summand.core)

    return assemble(ground, summands(), None)


def _integral(expr: sp.Expr, symbol: sp.Symbol, r: int, q: sp.Expr) -> sp.Expr:
    """Return the coefficient as integrals over the intervals between kinks."""
    z = sp.Symbol("z", real=True)
    real = sp.Symbol(symbol.name, real=True)
    activation = expr.xreplace({symbol: real})
    parity = shape_of(activation, real).parity
    if parity == (-1) ** (r + 1):
        return sp.S.Zero
    if (line := _affine_part(activation, real, r % 2)) is not None:
        return sp.S.Zero if r > 1 else line * sp.sqrt(q) if r else line
    weight = normalized_hermite(r, z) * sp.exp(-(z**2) / 2) / sp.sqrt(2 * sp.pi)
    try:
        pieces = split(activation, real)
    except OutsideClassError:
        return CoefficientIntegral(activation.subs(real, sp.sqrt(q) * z) * weight, (z, -sp.oo, sp.oo))
    if parity != 0 and not pieces.kinks:
        return 2 * CoefficientIntegral(activation.subs(real, sp.sqrt(q) * z) * weight, (z, 0, sp.oo))
    edges = [-sp.oo, *(point / sp.sqrt(q) for point in pieces.kinks), sp.oo]
    return sp.Add(
        *(
            CoefficientIntegral(piece.subs(real, sp.sqrt(q) * z) * weight, (z, low, high))
            for piece, low, high in zip(pieces.plain, edges, edges[1:], strict=False)
            if piece != 0
        )
    )


def _affine_part(expr: sp.Expr, symbol: sp.Symbol, odd: int) -> sp.Expr | None:
    """Return m where the even part of `expr` is the constant m, or, with `odd`, the odd part is `m x`; else None.

    `1/(1 + exp(-x))` is 1/2 and an odd function, `x/(1 + exp(-x))` and softplus are `x/2` and an even one.
    """
    mirrored = expr.subs(symbol, -symbol)
    total = expr - mirrored if odd else expr + mirrored
    if total.count_ops() > _MOST_OPERATIONS:
        return None
    if total.free_symbols <= {symbol}:  # simplifying is the costly part
        one, two = (total.subs(symbol, point).evalf(30) for point in (sp.S.One, sp.Integer(2)))
        if not (one.is_number and two.is_number and abs(two - (2 * one if odd else one)) <= sp.Float(10) ** -20):
            return None
    total = sp.simplify(total)
    if not odd and not total.has(symbol):
        return total / 2
    shape = shape_of(expr, symbol)
    if not shape.complete or shape.kinks:
        return None
    slope = sp.simplify(sp.diff(total, symbol))
    if slope.has(symbol) or (slope != 0 and not odd):
        return None
    return slope / 2 if odd else sp.simplify(total.subs(symbol, 0)) / 2
