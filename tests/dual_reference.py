"""Closed forms of dual kernels from the literature, in mpmath, for tests that must not rest on the code under test.

Each takes `q1, q2, c` and evaluates `E[phi(u) phi(v)]`, (u, v) ~ N(0, [[q1, c], [c, q2]]), at mpmath's precision.
Sources: Cho and Saul 2009 (arc-cosine kernels: ReLU and its powers, step), Williams 1997 (erf), Tsuchida et al. arXiv
2002.08517 (GELU, ELU), Daniely, Frostig and Singer arXiv 1602.05897, Han et al. arXiv 2209.04121.
"""

from collections.abc import Callable
from dataclasses import dataclass

from mpmath import mp, mpf


def _s(q1: mpf, q2: mpf, c: mpf) -> mpf:
    return mp.sqrt(max(q1 * q2 - c * c, mpf(0)))


def _t(q1: mpf, q2: mpf, c: mpf) -> mpf:
    return mp.atan2(_s(q1, q2, c), c)


def relu(q1, q2, c):
    return (_s(q1, q2, c) + (mp.pi - _t(q1, q2, c)) * c) / (2 * mp.pi)


def leaky_relu(q1, q2, c):
    a = mpf(1) / 10
    s, t = _s(q1, q2, c), _t(q1, q2, c)
    return (a - 1) ** 2 * (s - t * c) / (2 * mp.pi) + (a * a + 1) * c / 2


def absolute(q1, q2, c):
    return 2 / mp.pi * (_s(q1, q2, c) + c * (mp.pi / 2 - _t(q1, q2, c)))


def step(q1, q2, c):
    return (mp.pi - _t(q1, q2, c)) / (2 * mp.pi)


def sign(q1, q2, c):
    return 1 - 2 * _t(q1, q2, c) / mp.pi


def relu2(q1, q2, c):
    s, t = _s(q1, q2, c), _t(q1, q2, c)
    return (3 * c * s + (mp.pi - t) * (q1 * q2 + 2 * c * c)) / (2 * mp.pi)


def relu3(q1, q2, c):
    t = _t(q1, q2, c)
    sine, cosine = mp.sin(t), mp.cos(t)
    angular = 15 * sine - 11 * sine**3 + (mp.pi - t) * (9 * cosine + 6 * cosine**3)
    return (q1 * q2) ** mpf(1.5) * angular / (2 * mp.pi)


def erf(q1, q2, c):
    return 2 / mp.pi * mp.asin(2 * c / mp.sqrt((1 + 2 * q1) * (1 + 2 * q2)))


def probit(q1, q2, c):
    return mpf(1) / 4 + mp.asin(c / mp.sqrt((1 + q1) * (1 + q2))) / (2 * mp.pi)


def gelu(q1, q2, c):
    m, d = (1 + q1) * (1 + q2), (1 + q1) * (1 + q2) - c * c
    bracket = (c * c + q1 * q2 * d) / (m * mp.sqrt(d)) + c * mp.asin(c / mp.sqrt(m))
    return c / 4 + bracket / (2 * mp.pi)


def sine(q1, q2, c):
    return mp.exp(-(q1 + q2) / 2) * mp.sinh(c)


def cosine(q1, q2, c):
    return mp.exp(-(q1 + q2) / 2) * mp.cosh(c)


def exponential(q1, q2, c):
    b = mpf(7) / 10
    return mp.exp(b * b * (q1 + q2 + 2 * c) / 2)


def rbf(q1, q2, c):
    b = mpf(8) / 10
    return 1 / mp.sqrt((1 + 2 * b * q1) * (1 + 2 * b * q2) - 4 * b * b * c * c)


def gabor(q1, q2, c):
    s2 = q1 * q2 - c * c
    m, n = 1 + 2 * (q1 + q2) + 4 * s2, q1 + q2 + 4 * s2 + 2 * c
    return mp.exp(-n / (2 * m)) * (mp.exp(2 * c / m) - 1) / (2 * mp.sqrt(m))


def square(q1, q2, c):
    return q1 * q2 + 2 * c * c


def cube(q1, q2, c):
    return 9 * q1 * q2 * c + 6 * c**3


def fifth(q1, q2, c):
    p = q1 * q2
    return 225 * p * p * c + 600 * p * c**3 + 120 * c**5


@dataclass(frozen=True)
class Reference:
    """A row: how the package names the activation, its dual if known, and k(1.7, 0.6, 0.8)."""

    name: str
    dual: Callable[..., mpf] | None
    value: float
    smooth: bool


TABLE = (
    Reference("relu", relu, 0.414518335924329, False),
    Reference("leaky_relu(x, alpha=0.1)", leaky_relu, 0.415759852098707, False),
    Reference("abs", absolute, 0.858073343697317, False),
    Reference("step", step, 0.395510799925735, False),
    Reference("sign", sign, 0.582043199702941, False),
    Reference("relu^2", relu2, 1.14513811019017, False),
    Reference("relu^3", relu3, 5.21062031136566, False),
    Reference("erf", erf, 0.343866336113945, True),
    Reference("probit", probit, 0.312882065062592, True),
    Reference("gelu", gelu, 0.334684383332199, True),
    Reference("elu", None, 0.510762022791262, False),
    Reference("sin", sine, 0.281207009066100, True),
    Reference("cos", cosine, 0.423481080652614, True),
    Reference("exp(0.7*x)", exponential, 2.59997024309895, True),
    Reference("rbf(x, b=0.8)", rbf, 0.420598955610348, True),
    Reference("gabor", gabor, 0.0322686102638955, True),
    Reference("x^2", square, 2.3, True),
    Reference("x^3", cube, 10.416, True),
    Reference("x^5", fifth, 539.9376, True),
    Reference("tanh", None, 0.2949924143988578, True),
    Reference("sigmoid", None, 0.28349357258257, True),
    Reference("softplus", None, 0.8812642522858912, True),
    Reference("silu", None, 0.28052658242854095, True),
)

UNIT_VALUES = {
    "tanh": 0.18632441320344,
    "sigmoid": 0.27142832563170,
    "softplus": 0.78007816520694,
    "silu": 0.18316966308816,
}
"""k(1, 1, 0.5), to 14 digits."""
