"""Quotients `f(x) / (x - c)^m` of a function with a zero of order m at c: analytic at c, evaluated without 0/0.

Derivation: docs/theory/activations_in_balls.md, "The shape of an activation".
"""

import math
from typing import Any

import sympy as sp

_TERMS = 3
"""Taylor terms; the next one is bounded on the whole ball."""
_FAR = 0.25
"""Distance from c beyond which the quotient itself is precise enough."""


class Deflated(sp.Function):
    """The k-th derivative of `f(x) / (x - c)^m`, f analytic with a zero of order at least m at c, continued to c.

    Args:
        f: an expression in x.
        x: the variable, or what has been put in its place.
        c: a real constant.
        m: an integer, at least 1.
        k: an integer, 0 for the quotient itself.
    """

    nargs = 5

    @property
    def is_real(self) -> bool:
        """Real on the real line."""
        return True

    def _eval_derivative(self, symbol: sp.Symbol) -> sp.Expr:
        f, x, c, m, k = self.args
        return Deflated(f, x, c, m, k + 1) if x == symbol else sp.diff(self.plain(), symbol)

    def plain(self) -> sp.Expr:
        """Return the quotient as a formula, which is 0/0 at c."""
        f, x, c, m, k = self.args
        if k == 0:
            return f / (x - c) ** m
        if x.is_Symbol:
            return sp.diff(f / (x - c) ** m, x, k)
        # something else stands in the place of x: differentiated before it is put there, which needs f in a symbol
        raise ValueError(f"a derivative of {f} over ({x} - {c})**{m} has no formula in {x}")

    def ball_maps(self, symbol: sp.Symbol) -> tuple[Any, Any]:
        r"""Return the real and the complex map of a quotient, or of its derivative.

        Away from c Leibniz' rule gives it. Around c, with $g = f/(x-c)^m$,
        $g^{(k)}(x) = \frac{1}{(m-1)!} \int_0^1 (1-t)^{m-1} t^k f^{(m+k)}(c + t(x-c)) dt$, so that Taylor's terms of
        $f^{(m+k)}$ contribute $\frac{(k+i)!}{i!\,(m+k+i)!} f^{(m+k+i)}(c) (x-c)^i$, and the remainder the same with the
        convex hull of the values between c and x. The narrower of both is taken.
        """
        import flint
        from flint import acb, arb

        from hermite_dual.certified.balls.ball_functions import BallFunction, constant_ball

        f, x, c = self.args[:3]
        m, k = int(self.args[3]), int(self.args[4])
        if x != symbol:
            whole = BallFunction(self.plain(), symbol)
            return whole, whole
        derivatives: list[Any] = [BallFunction(f, symbol)]
        known: dict[int, list[Any]] = {}

        def derivative(order: int) -> Any:
            while len(derivatives) <= order:
                derivatives.append(BallFunction(_shorter(sp.diff(derivatives[-1].expr, symbol)), symbol))
            return derivatives[order]

        def factor(i: int) -> Any:
            return arb(math.factorial(k + i)) / (math.factorial(i) * math.factorial(m + k + i))

        def coefficients() -> list[Any]:
            """c, and the Taylor coefficients there, once per precision."""
            bits = int(flint.ctx.prec)
            if bits not in known:
                place = constant_ball(c)
                known[bits] = [place, *(derivative(m + k + i)(place) * factor(i) for i in range(_TERMS))]
            return known[bits]

        def leibniz(z: Any, offset: Any, *analytic: bool) -> Any:
            total = z * 0
            for j in range(k + 1):
                rising = math.factorial(m + k - j - 1) // math.factorial(m - 1)
                term = derivative(j)(z, *analytic) * (math.comb(k, j) * rising * (-1) ** (k - j))
                total = total + term / offset ** (m + k - j)
            return total

        def evaluate(z: Any, *analytic: bool) -> Any:
            place, *terms = coefficients()
            offset = z - place
            direct = None if offset.contains(0) else leibniz(z, offset, *analytic)
            if direct is not None and offset.abs_lower() > _FAR:
                return direct
            around = z.union(place) if isinstance(z, arb) else z.union(acb(place))
            total = derivative(m + k + _TERMS)(around, *analytic) * factor(_TERMS)
            for term in reversed(terms):
                total = total * offset + term
            return total if direct is None or (total.is_finite() and total.rad() < direct.rad()) else direct

        return evaluate, evaluate


def _shorter(expr: sp.Expr) -> sp.Expr:
    """Return a derivative with its like terms collected, unless that multiplies its denominators out."""
    if any(power.exp.is_negative and power.base.is_Add for power in expr.atoms(sp.Pow)):
        return sp.factor_terms(expr)
    return sp.expand(expr)


def plain(expr: sp.Expr) -> sp.Expr:
    """Return an expression with its quotients written out."""
    while expr.has(Deflated):
        expr = expr.replace(Deflated, lambda *args: Deflated(*args).plain())
    return expr
