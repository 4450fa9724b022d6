"""Activations of which the dual kernel is known, where from, and Gram matrices of their models in 40 digits.

Nothing here rests on the code under test: `tests/test_problems.py` checks the table by itself.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import sympy as sp
from mpmath import mp, mpf

import hermite_dual as hd
from hermite_dual.symbols import c, q1, q2, x

DIGITS = 40
"""Of Gram matrices."""
POINT = (sp.Rational(17, 10), sp.Rational(3, 5), sp.Rational(4, 5))
"""q1, q2 and c of the printed values."""
R = sp.Rational
a, b = sp.symbols("a b", positive=True)
s, t = sp.symbols("s t", nonnegative=True)
"""`sqrt(q1 q2 - c^2)` and the angle `acos(c / sqrt(q1 q2))`, which need care at perfect correlation."""
ANGLE = {s: sp.sqrt(q1 * q2 - c**2), t: sp.acos(c / sp.sqrt(q1 * q2))}
M = (1 + q1) * (1 + q2)
G = 1 + 2 * (q1 + q2) + 4 * (q1 * q2 - c**2)


def normal(z: sp.Expr) -> sp.Expr:
    """The standard normal distribution function."""
    return (1 + sp.erf(z / sp.sqrt(2))) / 2


@dataclass(frozen=True, eq=False)
class Problem:
    """An activation and its dual kernel `E[phi(u) phi(v)]`, (u, v) ~ N(0, [[q1, c], [c, q2]]).

    Attributes:
        name: by which the package knows it.
        expr: phi(x), perhaps with parameters.
        form: the kernel in q1, q2, c, s, t and the parameters, if known.
        value: the kernel at POINT, 14 to 15 digits.
        source: of the form, or of the value where there is none.
        kinks: of phi.
        parameters: their values in `name`.
        slope: the kernel of phi', where it is used.
        at_half: the kernel at (1, 1, 1/2), 14 digits, where it is used.
    """

    name: str
    expr: sp.Expr
    form: sp.Expr | None
    value: float
    source: str
    kinks: tuple[int, ...] = ()
    parameters: dict[sp.Symbol, sp.Expr] = field(default_factory=dict)
    slope: sp.Expr | None = None
    at_half: float | None = None

    @property
    def smooth(self) -> bool:
        """Whether phi has no kinks and no jumps."""
        return not self.kinks

    @property
    def published(self) -> sp.Expr:
        """The kernel in q1, q2, c and the parameters."""
        return self.form.subs(ANGLE)

    @cached_property
    def dual(self) -> Callable[..., mpf]:
        """The kernel of q1, q2, c at mpmath's precision."""
        return self._in_mpmath(self.form)

    @cached_property
    def dual_of_slope(self) -> Callable[..., mpf]:
        """The kernel of phi' alike."""
        return self._in_mpmath(self.slope)

    def _in_mpmath(self, form: sp.Expr) -> Callable[..., mpf]:
        function = sp.lambdify((q1, q2, c, s, t), form.subs(self.parameters), "mpmath")

        def kernel(first: mpf, second: mpf, shared: mpf) -> mpf:
            gap = mp.sqrt(max(first * second - shared * shared, mpf(0)))
            return function(first, second, shared, gap, mp.atan2(gap, shared))

        return kernel


CHO, NT = "Cho and Saul 2009, arc-cosine kernels", "neural-tangents, elementwise.py"
WILLIAMS, TSUCHIDA = "Williams 1997", "Tsuchida et al., arXiv 2002.08517"
ISSERLIS = "Isserlis 1918"
QUADRATURE = "quadrature in 45 digits, tests/symbolic_reference.py"
PROBLEMS = (
    Problem(
        *("relu", sp.Max(x, 0), (s + (sp.pi - t) * c) / (2 * sp.pi), 0.414518335924329, CHO, (0,)),
        slope=(sp.pi - t) / (2 * sp.pi),
    ),
    Problem(
        *("leaky_relu(x, alpha=0.1)", a * sp.Min(x, 0) + b * sp.Max(x, 0)),
        (a - b) ** 2 * (s - t * c) / (2 * sp.pi) + (a**2 + b**2) * c / 2,
        *(0.415759852098707, NT, (0,), {a: R(1, 10), b: sp.S.One}),
    ),
    Problem("abs", sp.Abs(x), (2 / sp.pi) * (s + c * (sp.pi / 2 - t)), 0.858073343697317, NT, (0,)),
    Problem("step", sp.Heaviside(x), (sp.pi - t) / (2 * sp.pi), 0.395510799925735, CHO, (0,)),
    Problem("sign", sp.sign(x), 1 - 2 * t / sp.pi, 0.582043199702941, NT, (0,)),
    Problem(
        *("relu^2", sp.Max(x, 0) ** 2, (3 * c * s + (sp.pi - t) * (q1 * q2 + 2 * c**2)) / (2 * sp.pi)),
        *(1.14513811019017, CHO, (0,)),
    ),
    Problem(
        *("relu^3", sp.Max(x, 0) ** 3),
        (q1 * q2) ** R(3, 2)
        * (15 * sp.sin(t) - 11 * sp.sin(t) ** 3 + (sp.pi - t) * (9 * sp.cos(t) + 6 * sp.cos(t) ** 3))
        / (2 * sp.pi),
        *(5.21062031136566, NT, (0,)),
    ),
    Problem(
        *("erf", sp.erf(x), (2 / sp.pi) * sp.asin(2 * c / sp.sqrt((1 + 2 * q1) * (1 + 2 * q2)))),
        *(0.343866336113945, WILLIAMS),
        slope=4 / (sp.pi * sp.sqrt((1 + 2 * q1) * (1 + 2 * q2) - 4 * c**2)),
    ),
    Problem("probit", normal(x), R(1, 4) + sp.asin(c / sp.sqrt(M)) / (2 * sp.pi), 0.312882065062592, WILLIAMS),
    Problem(
        *("gelu", x * normal(x)),
        c / 4 + ((c**2 + q1 * q2 * (M - c**2)) / (M * sp.sqrt(M - c**2)) + c * sp.asin(c / sp.sqrt(M))) / (2 * sp.pi),
        *(0.334684383332199, TSUCHIDA),
    ),
    Problem("elu", sp.Piecewise((x, x > 0), (sp.exp(x) - 1, True)), None, 0.510762022791262, TSUCHIDA, (0,)),
    Problem(
        *("sin", sp.sin(x), sp.exp(-(q1 + q2) / 2) * sp.sinh(c), 0.281207009066100, NT),
        slope=sp.exp(-(q1 + q2) / 2) * sp.cosh(c),
    ),
    Problem("cos", sp.cos(x), sp.exp(-(q1 + q2) / 2) * sp.cosh(c), 0.423481080652614, NT),
    Problem(
        *("exp(0.7*x)", sp.exp(b * x), sp.exp(b**2 * (q1 + q2 + 2 * c) / 2), 2.59997024309895, NT, (), {b: R(7, 10)})
    ),
    Problem(
        *("rbf(x, b=0.8)", sp.exp(-b * x**2), ((1 + 2 * b * q1) * (1 + 2 * b * q2) - 4 * b**2 * c**2) ** -R(1, 2)),
        *(0.420598955610348, NT, (), {b: R(4, 5)}),
    ),
    Problem(
        *("gabor", sp.exp(-(x**2)) * sp.sin(x)),
        sp.exp(-(q1 + q2 + 4 * (q1 * q2 - c**2) + 2 * c) / (2 * G)) * (sp.exp(2 * c / G) - 1) / (2 * sp.sqrt(G)),
        *(0.0322686102638955, NT),
    ),
    Problem("x^2", x**2, q1 * q2 + 2 * c**2, 2.3, ISSERLIS),
    Problem("x^3", x**3, 9 * q1 * q2 * c + 6 * c**3, 10.416, ISSERLIS),
    Problem("x^5", x**5, 225 * (q1 * q2) ** 2 * c + 600 * q1 * q2 * c**3 + 120 * c**5, 539.9376, ISSERLIS),
    Problem("tanh", sp.tanh(x), None, 0.2949924143988578, QUADRATURE, at_half=0.18632441320344),
    Problem("sigmoid", 1 / (1 + sp.exp(-x)), None, 0.28349357258257, QUADRATURE, at_half=0.27142832563170),
    Problem("softplus", sp.log(1 + sp.exp(x)), None, 0.8812642522858912, QUADRATURE, at_half=0.78007816520694),
    Problem("silu", x / (1 + sp.exp(-x)), None, 0.28052658242854095, QUADRATURE, at_half=0.18316966308816),
)
NAMED = {problem.name: problem for problem in PROBLEMS}
SOLVED = {problem.name: problem for problem in PROBLEMS if problem.form is not None}


def samples(equal: bool, n: int = 4, d: int = 7, seed: int = 0) -> np.ndarray:
    """Rows of which two are close, of equal norms or not."""
    X = np.random.default_rng(seed).normal(size=(n, d))
    X[1] = X[0] + 0.05 * X[1]
    return hd.on_sphere(X) if equal else X * np.linspace(0.4, 2.0, n)[:, None]


def gram_truth(name: str, model, X: np.ndarray, depth: int | None, rows: list | None = None) -> list[list[mpf]]:
    """K at a depth, or its limit by iteration until nothing changes at 40 digits."""
    return _layers(NAMED[name], model, X, depth, rows, False)[0]


def tangent_truth(name: str, model, X: np.ndarray, depth: int | None) -> list[list[mpf]]:
    """Theta alike, by the recursion `Theta = K + kdot o (sigma_w^2 Theta + inputs)` over layers."""
    return _layers(NAMED[name], model, X, depth, None, True)[1]


def _layers(problem: Problem, model, X: np.ndarray, depth: int | None, rows: list | None, tangent: bool) -> tuple:
    with mp.workdps(DIGITS):
        n, d = X.shape
        w, u, bias = (mpf(scale) ** 2 for scale in (model.sigma_w, model.sigma_u, model.sigma_b))
        rows = rows or [[mpf(v) for v in row] for row in X.tolist()]
        inner = [[u * mp.fdot(left, right) / d + bias for right in rows] for left in rows]
        K, theta = ([[mpf(0)] * n for _ in range(n)] for _ in range(2))
        for _ in range(depth or 200):
            S = [[w * K[i][j] + inner[i][j] for j in range(n)] for i in range(n)]
            change = mpf(0)
            for i in range(n):
                for j in range(i + 1):
                    law = S[i][i], S[j][j], S[i][j]
                    kernel, entry = problem.dual(*law), mpf(0)
                    if tangent:
                        entry = kernel + problem.dual_of_slope(*law) * (w * theta[i][j] + inner[i][j])
                    change = max(change, abs(kernel - K[i][j]), abs(entry - theta[i][j]))
                    K[i][j] = K[j][i] = kernel
                    theta[i][j] = theta[j][i] = entry
            if change < mpf(10) ** (5 - DIGITS):
                break
        return K, theta


def covered(matrix: np.ndarray, errors: np.ndarray, exact: list[list[mpf]]) -> bool:
    """Whether no entry is further from the truth than its error."""
    with mp.workdps(DIGITS):
        places = [(i, j) for i in range(len(matrix)) for j in range(len(matrix))]
        return all(abs(mpf(float(matrix[i, j])) - exact[i][j]) <= mpf(float(errors[i, j])) for i, j in places)
