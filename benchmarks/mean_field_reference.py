"""Mean field references by mpmath alone: direct quadrature at 40 digits, the secant method, nothing of the package.

Usage: python benchmarks/mean_field_reference.py

Prints the tables of `tests/mean_field_values.py`: fixed points with their susceptibilities, points of the edge of
chaos, doubly critical points.
"""

import mpmath as mp
import numpy as np

mp.mp.dps = 40
DIGITS = 30  # of the tables
REACH = 13  # standard deviations: exp(-13^2/2) = 2e-37
NODES = 44  # of a panel; poles are at least 0.8 of its width away


def _sigmoid(x):
    return 1 / (1 + mp.exp(-x))


def _normal(x):
    return mp.exp(-x * x / 2) / mp.sqrt(2 * mp.pi)


def _mish(x):
    return x * mp.tanh(mp.log1p(mp.exp(x)))


def _mish_slope(x):
    t = mp.tanh(mp.log1p(mp.exp(x)))
    return t + x * (1 - t * t) * _sigmoid(x)


ALPHA = mp.mpf("1.6732632423543772848170429916717")
LAMBDA = mp.mpf("1.0507009873554804934193349852946")
ACTIVATIONS = {
    "erf": (mp.erf, lambda x: 2 / mp.sqrt(mp.pi) * mp.exp(-x * x)),
    "tanh": (mp.tanh, lambda x: mp.sech(x) ** 2),
    "sin": (mp.sin, mp.cos),
    "gelu": (lambda x: x * mp.ncdf(x), lambda x: mp.ncdf(x) + x * _normal(x)),
    "silu": (lambda x: x * _sigmoid(x), lambda x: _sigmoid(x) * (1 + x * _sigmoid(-x))),
    "softplus": (lambda x: mp.log1p(mp.exp(x)), _sigmoid),
    "sigmoid": (_sigmoid, lambda x: _sigmoid(x) * _sigmoid(-x)),
    "mish": (_mish, _mish_slope),
    "elu": (lambda x: x if x > 0 else mp.expm1(x), lambda x: mp.mpf(1) if x > 0 else mp.exp(x)),
    "selu": (
        lambda x: LAMBDA * (x if x > 0 else ALPHA * mp.expm1(x)),
        lambda x: LAMBDA * (mp.mpf(1) if x > 0 else ALPHA * mp.exp(x)),
    ),
}
FIXED = [
    ("erf", "1.5", "0.1", "0.7"),
    ("erf", "3", "0.05", "1"),
    ("tanh", "1.5", "0.05", "0.4"),
    ("tanh", "1.21", "0", "0.1"),
    ("tanh", "2.5", "0.3", "1.5"),
    ("sin", "1.5", "0.1", "0.6"),
    ("gelu", "1.4", "0.3", "0.6"),
    ("gelu", "2.1025", "0.09", "0.36"),
    ("gelu", "2.1025", "0.09", "1.44"),
    ("silu", "1.5", "0.2", "0.4"),
    ("softplus", "0.5", "0.1", "0.6"),
    ("sigmoid", "3", "0.1", "1"),
    ("elu", "1.2", "0.1", "0.57"),
    ("selu", "1.1", "0.1", "1.5"),
]
EDGES = [
    ("tanh", "0.05", "0.57"),
    ("tanh", "0.04", "0.51"),
    ("erf", "0.1", "0.5"),
    ("gelu", "0.09", "1.4"),
    ("elu", "0.09", "2"),
]
CRITICAL = [("gelu", "3.56"), ("silu", "14.3"), ("mish", "1.67")]


def legendre(count):
    """Nodes and weights on [-1, 1]: float64's, and four steps of Newton's iteration."""
    rule = []
    for start in np.polynomial.legendre.leggauss(count)[0].tolist():
        x = mp.mpf(start)
        for _ in range(4):
            before, now = mp.mpf(1), x
            for k in range(2, count + 1):
                before, now = now, ((2 * k - 1) * x * now - (k - 1) * before) / k
            slope = count * (x * now - before) / (x * x - 1)
            x -= now / slope
        rule.append((x, 2 / ((1 - x * x) * slope * slope)))
    return rule


RULE = [
    (low + (1 + x) / 2, w / 2 * _normal(low + (1 + x) / 2)) for low in range(-REACH, REACH) for x, w in legendre(NODES)
]


def mean(function):
    """E[function(Z)], on panels of width 1: 0, where some activations have a kink, is an end of two."""
    return mp.fsum(weight * function(z) for z, weight in RULE)


def value(name, q):
    """V(q)."""
    return mean(lambda z: ACTIVATIONS[name][0](mp.sqrt(q) * z) ** 2)


def slope(name, q):
    """V'(q)."""
    phi, derivative = ACTIVATIONS[name]
    root = mp.sqrt(q)
    return mean(lambda z: z * phi(root * z) * derivative(root * z)) / root


def steep(name, q):
    """kdot(q, q, q)."""
    return mean(lambda z: ACTIVATIONS[name][1](mp.sqrt(q) * z) ** 2)


def solve(function, start):
    """A simple root by the secant method."""
    old, new = mp.mpf(start), mp.mpf(start) * mp.mpf("1.001")
    before, after = function(old), function(new)
    while abs(new - old) > mp.mpf(10) ** -(DIGITS + 4) * new:
        old, new, before = new, new - after * (new - old) / (after - before), after
        after = function(new)
    return new


def shown(*values):
    """Numbers to all digits of the tables."""
    return tuple(mp.nstr(number, DIGITS) for number in values)


def main():
    """Print the tables."""
    print("FIXED = [")
    for name, weight, bias, start in FIXED:
        w, b = mp.mpf(weight), mp.mpf(bias)
        q = solve(lambda q: w * value(name, q) + b - q, start)  # noqa: B023
        print(f"    {(name, weight, bias, *shown(q, w * slope(name, q), w * steep(name, q)))},", flush=True)
    print("]\nEDGES = [")
    for name, bias, start in EDGES:
        b = mp.mpf(bias)
        q = solve(lambda q: q - value(name, q) / steep(name, q) - b, start)  # noqa: B023
        print(f"    {(name, bias, *shown(q, 1 / steep(name, q), slope(name, q) / steep(name, q)))},", flush=True)
    print("]\nCRITICAL = [")
    for name, start in CRITICAL:
        q = solve(lambda q: slope(name, q) - steep(name, q), start)  # noqa: B023
        print(f"    {(name, *shown(q, 1 / steep(name, q), q - value(name, q) / steep(name, q)))},", flush=True)
    print("]")


if __name__ == "__main__":
    main()
