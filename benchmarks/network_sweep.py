"""Proven entries of random networks against the recursion of their layers in mpmath: no bound may be exceeded.

Usage: python benchmarks/network_sweep.py [COUNT] [SEED]

Activations, depths, scales, biases, residual shares and rows are drawn; rows may be parallel, opposite, equal or zero.
Kernels of one layer are closed forms written here by hand, in 40 digits.
"""

import sys
import time

import mpmath
import numpy as np

import hermite_dual as hd

mpmath.mp.dps = 40


def relu(q1, q2, c):
    """Of Cho and Saul: the kernel and its derivative by c."""
    root = mpmath.sqrt(q1 * q2)
    rho = min(1, max(-1, c / root)) if root else mpmath.mpf(0)
    angle = mpmath.acos(rho)
    value = root * (mpmath.sin(angle) + (mpmath.pi - angle) * rho) / (2 * mpmath.pi)
    return value, (mpmath.pi - angle) / (2 * mpmath.pi)


def absolute(q1, q2, c):
    """|u| = relu(u) + relu(-u)."""
    (right, slope), (left, other) = relu(q1, q2, c), relu(q1, q2, -c)
    return 2 * (right + left), 2 * (slope - other)


def erf(q1, q2, c):
    """Of Williams."""
    product = (1 + 2 * q1) * (1 + 2 * q2)
    return 2 / mpmath.pi * mpmath.asin(2 * c / mpmath.sqrt(product)), 4 / mpmath.pi / mpmath.sqrt(product - 4 * c * c)


def sine(q1, q2, c):
    """From the characteristic function."""
    damping = mpmath.exp(-(q1 + q2) / 2)
    return damping * mpmath.sinh(c), damping * mpmath.cosh(c)


def cosine(q1, q2, c):
    """From the characteristic function."""
    damping = mpmath.exp(-(q1 + q2) / 2)
    return damping * mpmath.cosh(c), damping * mpmath.sinh(c)


def cube(q1, q2, c):
    """x^3/4, by Isserlis."""
    return (9 * q1 * q2 * c + 6 * c**3) / 16, (9 * q1 * q2 + 18 * c**2) / 16


LAYERS = {"relu": relu, "abs(x)": absolute, "erf": erf, "sin": sine, "cos": cosine, "x**3/4": cube}


def truth(network, names, x, y):
    """NNGP and NTK of a pair of rows."""
    d = len(x)
    rows = [[mpmath.mpf(float(value)) for value in row] for row in (x, y)]
    inner = [mpmath.fdot(rows[i], rows[j]) for i, j in ((0, 0), (1, 1), (0, 1))]
    w, b = [mpmath.mpf(s) ** 2 for s in network.sigma_w], [mpmath.mpf(s) ** 2 for s in network.sigma_b]
    S = [w[0] * value / d + b[0] for value in inner]
    T = S[2]
    alpha2 = mpmath.mpf(network.residual) ** 2 if network.residual is not None else 1
    for number, name in enumerate(names, 1):
        layer = LAYERS[name]
        kernels = [layer(S[0], S[0], S[0]), layer(S[1], S[1], S[1]), layer(*S)]
        branch = [alpha2 * (w[number] * k + b[number]) for k, _ in kernels]
        passed = branch[2] + alpha2 * w[number] * kernels[2][1] * T
        if network.residual is None:
            S, T = branch, passed
        else:
            S, T = [a + c for a, c in zip(S, branch, strict=True)], T + passed
    return S[2], T


def draw(generator):
    """A network and rows."""
    depth = int(generator.integers(1, 5))
    names = [str(name) for name in generator.choice(list(LAYERS), depth)]
    if generator.random() < 0.5:
        names = [names[0]] * depth
    scales = generator.uniform(0.3, 1.5, depth + 1)
    biases = generator.uniform(0.0, 0.8, depth + 1) * (generator.random() < 0.6)
    residual = float(generator.uniform(0.1, 1.0)) if generator.random() < 0.4 else None
    rows = generator.standard_normal((4, 3))
    kind = generator.integers(0, 5)
    if kind == 1:
        rows[1] = rows[0] * (1 + 2.0 ** -int(generator.integers(10, 50)))
    elif kind == 2:
        rows[1] = -rows[0]
    elif kind == 3:
        rows[3] = 0.0
    elif kind == 4:
        rows = np.asarray(hd.on_sphere(rows))
    return hd.MLP(names, sigma_w=scales, sigma_b=biases, residual=residual), names, rows


def main(count, seed):
    """Print what was exceeded, and how far bounds are from errors."""
    generator, start = np.random.default_rng(seed), time.perf_counter()
    missed = checked = undecided = 0
    widest = 0.0
    for number in range(count):
        network, names, rows = draw(generator)
        for kind in ("gram", "ntk"):
            kernel = getattr(network, kind)(rows)
            bounds = kernel.entry_bounds
            if bounds.errors is None:
                undecided += 1
                continue
            scale = float(np.abs(kernel.matrix).max()) or 1.0
            widest = max(widest, bounds.largest / scale)
            for i, j in ((0, 0), (0, 1), (1, 2), (2, 3), (3, 3)):
                value = truth(network, names, rows[i], rows[j])[kind == "ntk"]
                checked += 1
                if abs(value - mpmath.mpf(float(kernel.matrix[i, j]))) > bounds.errors[i, j]:
                    missed += 1
                    print("EXCEEDED", number, kind, (i, j), network, rows.tolist())
    seconds = time.perf_counter() - start
    print(
        f"{count} networks, {checked} entries, {missed} bounds exceeded, {undecided} kernels undecided, "
        f"largest bound {widest:.1e} of the largest entry, {seconds:.0f} s"
    )
    return missed


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 500, int(sys.argv[2]) if len(sys.argv) > 2 else 0) > 0)
