"""Hermite coefficients as formulas in the degree r.

Derivation: docs/theory/closed_forms.md, "Coefficients".
"""

from functools import lru_cache

import sympy as sp

from hermite_dual.shape.numbers import as_printed
from hermite_dual.shape.shape import Shape
from hermite_dual.symbolic.coefficients import exact_coefficient
from hermite_dual.symbolic.rewriting import to_terms
from hermite_dual.symbolic.terms import Gate, OutsideClassError, Term

DEGREE = sp.Symbol("r", integer=True, nonnegative=True)
"""The degree in the formulas that `coefficient_formula` returns."""
_MAX_POWER = 12


class _NoFormulaError(Exception):
    """The coefficient of a term is no short formula in the degree."""


@lru_cache(maxsize=256)
def coefficient_formula(phi: Shape, variance: sp.Expr | float = 1) -> sp.Expr | None:
    r"""Return `a_r(q)` as a formula in the degree, or None.

    Every factor x lowers to neighbouring degrees, $E[X f He_r] = \sqrt q (E[f He_{r+1}] + r E[f He_{r-1}])$ with
    $X = \sqrt q Z$; what remains are the coefficients of exponentials, Gaussians, steps and normal CDFs, read off their
    generating functions. The formula is compared with exact coefficients before it is returned.

    Args:
        phi: the activation, a formula.
        variance: q, a positive number or a symbol declared positive.

    Returns:
        An expression in `DEGREE`, or None where the class gives no short formula.

    >>> x = sp.Symbol("x", real=True)
    >>> coefficient_formula(Shape(sp.exp(x), x))
    exp(1/2)/sqrt(factorial(r))
    """
    q = as_printed(variance)
    try:
        terms = to_terms(phi.formula, phi.symbol)
        formula = _formula(terms, q)
    except (OutsideClassError, _NoFormulaError):
        return None
    # The formulas of powers and gates hold above the highest power; a polynomial has coefficients only up to there.
    highest = max((term.power for term in terms), default=0)
    special = {}
    for r in (*range(highest + 7), highest + 12, highest + 13):
        exact = exact_coefficient(phi, r, q)
        if not _agree(formula, exact, r):
            special[r] = exact
    if any(r > highest for r in special):
        return None
    if not special:
        return formula
    return sp.Piecewise(*((value, sp.Eq(DEGREE, r)) for r, value in special.items()), (formula, True))


def _agree(formula: sp.Expr, exact: sp.Expr, r: int) -> bool:
    """Compare formula and exact value at a point, to 20 digits."""
    try:
        value = formula.subs(DEGREE, r)
    except ValueError:  # the double factorial of a negative even number
        return False
    if value.has(sp.nan, sp.zoo, sp.oo):
        return False
    free = sorted(value.free_symbols | exact.free_symbols, key=sp.default_sort_key)
    point = {symbol: sp.Rational(7 + 2 * index, 23) for index, symbol in enumerate(free)}
    left, right = value.subs(point).evalf(30), exact.subs(point).evalf(30)
    return bool(left.is_number and abs(left - right) <= sp.Float(10) ** -20 * (1 + abs(right)))


def _formula(terms: tuple[Term, ...], q: sp.Expr) -> sp.Expr:
    """Add up the formulas of the terms, which hold from some degree on."""
    total = sp.S.Zero
    for term in terms:
        if term.gate is None and term.quadratic == 0 and term.linear == 0:
            continue
        if term.power > _MAX_POWER:
            raise _NoFormulaError
        total += _lowered(term, q)
    return sp.powsimp(sp.factor_terms(total / sp.sqrt(sp.factorial(DEGREE))))


def _lowered(term: Term, q: sp.Expr) -> sp.Expr:
    """Return `E[X^p f He_r]` by the coefficients of f at neighbouring degrees."""
    r = DEGREE
    weights: dict[int, sp.Expr] = {0: sp.S.One}
    for _ in range(term.power):
        shifted: dict[int, sp.Expr] = {}
        for step, weight in weights.items():
            shifted[step + 1] = shifted.get(step + 1, sp.S.Zero) + weight
            shifted[step - 1] = shifted.get(step - 1, sp.S.Zero) + weight * (r + step)
        weights = shifted
    lowest = min(weights)
    scale = sp.exp(term.constant) * q ** sp.Rational(term.power, 2)
    return scale * _combined(term, q, {step: sp.expand(weight) for step, weight in weights.items()}, lowest)


def _combined(term: Term, q: sp.Expr, weights: dict[int, sp.Expr], lowest: int) -> sp.Expr:
    """Sum weight(r) times the coefficient of the bare term at degree r + step."""
    if term.gate is not None:
        if term.quadratic != 0 or term.linear != 0:
            raise _NoFormulaError
        return term.coefficient * _gate_formula(term.gate, q, weights, lowest)
    if term.quadratic == 0:
        return _exponential_formula(term, q, weights)
    if term.linear != 0:
        raise _NoFormulaError
    return term.coefficient * _gaussian_formula(term.quadratic, q, weights, lowest)


def _exponential_formula(term: Term, q: sp.Expr, weights: dict[int, sp.Expr]) -> sp.Expr:
    """Return the real part of `E[exp(b X) He_n] = (b sqrt(q))^n exp(b^2 q / 2)`."""
    slope = term.linear
    size = sp.exp(slope**2 * q / 2)
    frequency = sp.im(slope)
    if frequency == 0:
        power = sp.factor(sp.Add(*(weight * (slope * sp.sqrt(q)) ** step for step, weight in weights.items())))
        return term.coefficient * power * size * (slope * sp.sqrt(q)) ** DEGREE
    if sp.re(slope) != 0:
        raise _NoFormulaError
    rate = abs(frequency) * sp.sqrt(q)
    turn = sp.sign(frequency)
    total = sp.S.Zero
    for step, weight in weights.items():
        angle = turn * sp.pi * (DEGREE + step) / 2
        wave = sp.re(term.coefficient) * sp.cos(angle) - sp.im(term.coefficient) * sp.sin(angle)
        total += weight * rate**step * wave
    return sp.factor_terms(total) * size * rate**DEGREE


def _gaussian_formula(quadratic: sp.Expr, q: sp.Expr, weights: dict[int, sp.Expr], lowest: int) -> sp.Expr:
    """Return `E[exp(a X^2) He_n] = D^(-1/2) (2 a q / D)^(n/2) (n-1)!!` for even n, with D = 1 - 2 a q."""
    determinant = 1 - 2 * quadratic * q
    ratio = 2 * quadratic * q / determinant
    factor = _double_factorials(weights, lowest, ratio)
    n = DEGREE + lowest
    if quadratic.is_negative:
        # (-1)^(n/2) for even n, 0 for odd n
        power = sp.cos(sp.pi * n / 2) * sp.factor(-ratio) ** (n / 2)
    else:
        power = (1 + (-1) ** n) / 2 * ratio ** (n / 2)
    return factor * power * sp.factorial2(n - 1) / sp.sqrt(determinant)


def _double_factorials(weights: dict[int, sp.Expr], lowest: int, ratio: sp.Expr) -> sp.Expr:
    """Return `sum weight ratio^(k) (n + 2 k - 1)!! / (n - 1)!!` over the steps lowest + 2 k."""
    total = sp.S.Zero
    for step, weight in weights.items():
        k = (step - lowest) // 2
        product = sp.Mul(*(DEGREE + lowest + 2 * j + 1 for j in range(k)))
        total += weight * ratio**k * product
    return sp.factor(total)


def _gate_formula(gate: Gate, q: sp.Expr, weights: dict[int, sp.Expr], lowest: int) -> sp.Expr:
    """Return `E[F(X) He_n] = side s^n phi(w) He_(n-1)(w)`, s = sqrt(q / (q + noise)), w = s threshold / sqrt(q)."""
    spread = q + gate.noise
    rate = sp.sqrt(q / spread)
    score = gate.threshold / sp.sqrt(spread)
    density = gate.side * sp.exp(-(score**2) / 2) / sp.sqrt(2 * sp.pi)
    n = DEGREE + lowest
    if score == 0:
        # He_m(0) = cos(pi m / 2) (m - 1)!!, and neighbours two degrees apart differ in sign.
        factor = _double_factorials_shifted(weights, lowest, rate)
        return density * rate**n * factor * sp.cos(sp.pi * (n - 1) / 2) * sp.factorial2(n - 2)
    total = sp.S.Zero
    for step, weight in weights.items():
        m = DEGREE + step - 1
        total += weight * rate ** (step - lowest) * sp.hermite(m, score / sp.sqrt(2)) / 2 ** (m / 2)
    return density * rate**n * total


def _double_factorials_shifted(weights: dict[int, sp.Expr], lowest: int, rate: sp.Expr) -> sp.Expr:
    """Return the sum of `weight rate^(2 k) (-1)^k (m + 2 k - 1)!! / (m - 1)!!` with m = r + lowest - 1."""
    total = sp.S.Zero
    for step, weight in weights.items():
        k = (step - lowest) // 2
        product = sp.Mul(*(DEGREE + lowest - 1 + 2 * j + 1 for j in range(k)))
        total += weight * rate ** (2 * k) * (-1) ** k * product
    return sp.factor(total)
