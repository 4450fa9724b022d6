"""The convergence theorem: its constants against exact derivatives of small networks, and descents at its limits."""

import math
from dataclasses import replace

import mpmath as mp
import numpy as np
import pytest
import sympy as sp

import hermite_dual as hd
from hermite_dual.finite import FiniteDEQ
from hermite_dual.finite.ball_values import ball_values
from hermite_dual.finite.proven_start import NotProvenError, proven_start
from hermite_dual.finite.resolvent import resolvent_norms
from hermite_dual.population.theorem.convergence import (
    Start,
    balls_around,
    efficiency,
    largest_step,
    loss_rate,
    residual_threshold,
)

x = sp.Symbol("x", real=True)
SHORT = 1e-4  # a distance at which growth is linear to some thousandths
SLIGHT = 1.03  # resolvents are claimed one percent above their estimates, and enter squared


def neuron(phi, w, p, a, data=1.0):
    """A network of one neuron whose preactivation on the only sample is p."""
    z = float(hd.activation(phi)(np.array([p]))[0])
    u = (p - w * z) / data
    net = FiniteDEQ(hd.activation(phi), 0.0, 1.0, 0.0, *map(np.array, ([[w]], [[u]], [0.0], [a])))
    return net, np.array([[data]])


def start_of(net, X, parameters):
    y = net.a @ net.equilibrium(X).Z
    return proven_start(net, X, y, parameters)


def at(start, distance):
    """The ball next below a distance."""
    balls = balls_around(replace(start, residual=start.least * distance))
    return min(balls, key=lambda ball: abs(ball.radius - distance))


def slope_of_output(phi, w, u, a, data, directions):
    """Derivatives of the output of one neuron along a direction (da, dw, du), orders 1 and 2, in 40 digits."""
    with mp.workdps(40):
        f = sp.lambdify(x, hd.activation(phi).expr.xreplace({hd.activation(phi).symbol: x}), "mpmath")

        def output(t):
            da, dw, du = (mp.mpf(v) for v in directions)
            wt, ut = w + t * dw, u + t * du
            z = mp.findroot(lambda z: z - f(wt * z + ut * data), mp.mpf(float(f(0.0))))
            return (a + t * da) * z

        return [float(mp.diff(output, 0, order)) for order in (1, 2)]


TANH_STEEPEST = math.atanh(1 / math.sqrt(3))  # where |tanh''| = 4/(3 sqrt 3) is largest


@pytest.mark.parametrize(
    ("phi", "w", "p", "parameters", "direction"),
    [
        ("tanh", 0.3, TANH_STEEPEST, ("U",), (0, 0, 1)),  # M pi nu^2 |Y_i| ||Y||
        (x, 0.3, 0.9, ("W",), (0, 1, 0)),  # 2 gamma nu' ||Y||
        (x, 0.3, 0.9, ("a", "U"), (math.sqrt(0.5), 0, math.sqrt(0.5))),  # c
    ],
)
def test_the_lipschitz_constant_of_the_jacobian_is_attained(phi, w, p, parameters, direction):
    net, X = neuron(phi, w, p, 0.7)
    second = abs(slope_of_output(phi, w, net.U[0, 0], 0.7, 1.0, direction)[1])
    H = float(at(start_of(net, X, parameters), 1e-6).H)
    assert second * (1 - 1e-5) <= H <= second * SLIGHT


@pytest.mark.parametrize(
    ("phi", "w", "p", "parameters", "direction"),
    [
        (x, 0.5, 0.9, ("W",), (0, 1, 0)),  # resolvents, states and sensitivities by the way of W
        ("tanh", 0.5, -TANH_STEEPEST, ("U",), (0, 0, 1)),  # by the change of slopes, at the largest curvature
    ],
)
def test_what_the_constant_gains_on_the_way_is_attained(phi, w, p, parameters, direction):
    net, X = neuron(phi, w, p, 0.7)
    start = start_of(net, X, parameters)
    before, here = at(start, 1e-9), at(start, SHORT)
    moved = [0.7, w, net.U[0, 0]]
    moved = [v + here.radius * d for v, d in zip(moved, direction, strict=True)]
    changes = [abs(slope_of_output(phi, m[1], m[2], m[0], 1.0, direction)[1]) for m in ([0.7, w, net.U[0, 0]], moved)]
    growth = float(here.H - before.H)
    assert (changes[1] - changes[0]) * 0.98 <= growth <= 1.2 * (changes[1] - changes[0])


def test_resolvents_grow_with_the_way_of_the_weights():
    net, X = neuron(x, 0.5, 0.9, 0.7)
    start = replace(start_of(net, X, ("W",)), resolvent=2.0, slope_resolvent=2.0)
    for distance in (1e-3, 0.02):
        ball = at(start, distance)
        exact = 1 / (0.5 - ball.radius)
        for bound in (ball.resolvent, ball.slope_resolvent):
            assert exact * (1 - 1e-12) <= float(bound) <= 2 + SLIGHT * (exact - 2)


@pytest.mark.parametrize("radius", [1e-3, 0.02, 0.2])
def test_the_curvature_of_one_neuron_is_bounded_on_the_circle(radius):
    """`f = a tanh(u)`: the Hessian is `[[0, tanh'], [tanh', a tanh'']]`, at the steepest point of tanh'."""
    net, X = neuron("tanh", 0.0, -TANH_STEEPEST, 0.7)
    start = replace(start_of(net, X, ("a", "U")), resolvent=1.0, slope_resolvent=2 / 3 + 1e-12)
    ball = at(start, radius)
    norms = []
    for angle in np.linspace(0, 2 * np.pi, 721):
        a, u = 0.7 + ball.radius * np.cos(angle), -TANH_STEEPEST + ball.radius * np.sin(angle)
        slope = 1 - np.tanh(u) ** 2
        norms.append(np.linalg.norm([[0, slope], [slope, -2 * a * np.tanh(u) * slope]], 2))
    rest = norms[0] - np.linalg.norm([[0, 2 / 3], [2 / 3, 0.7 * start.curvature]], 2)
    assert max(norms) <= float(ball.H) * (1 + 1e-9)
    assert rest <= float(ball.H) - float(at(start, 1e-9).H) <= 3 * (max(norms) - norms[0] + rest)


def test_the_size_of_the_readout_bounds_the_sensitivities():
    """At its size itself nothing changes at the start; at a distance t the bound is attained where a has moved by t."""
    a, moved = 2.0, 0.9
    net, X = neuron("tanh", 0.0, TANH_STEEPEST, a)
    start = replace(start_of(net, X, ("a", "U")), readout=a)
    assert float(at(start, 1e-6).H) == pytest.approx(float(at(replace(start, readout=math.inf), 1e-6).H), rel=1e-5)
    ball = at(start, moved)
    p = TANH_STEEPEST
    slope, bend = 1 - math.tanh(p) ** 2, 2 * math.tanh(p) * (1 - math.tanh(p) ** 2)
    hessian = np.array([[0.0, slope], [slope, (a + ball.radius) * bend]])  # |tanh''| at its largest, after a moved
    exact = np.abs(np.linalg.eigvalsh(hessian)).max()
    assert exact <= float(ball.H) <= 1.2 * exact
    # g = L h, of which W's curvature 2 gamma nu' ||Y|| is made
    net, X = neuron(x, 0.3, 0.9, 0.7)
    start = replace(start_of(net, X, ("W",)), readout=0.7)
    second = abs(slope_of_output(x, 0.3, net.U[0, 0], 0.7, 1.0, (0, 1, 0))[1])
    assert second * (1 - 1e-5) <= float(at(start, 1e-6).H) <= second * SLIGHT
    # with a loop the preactivation's field is a/(1 - w)
    net, X = neuron(x, 0.6, 0.9, a)
    start = replace(start_of(net, X, ("U",)), readout=a)
    known = replace(start, peak=100.0, sensitivity=100.0, curvature=1.0)
    H = float(at(known, 1e-9).H)
    assert a / 0.4 * (1 / 0.4) ** 2 * X[0, 0] ** 2 * (1 - 1e-6) <= H <= 1.03 * a / 0.4 * (1 / 0.4) ** 2 * X[0, 0] ** 2


def test_a_linear_readout_has_no_curvature_and_no_limit():
    net, X = neuron("tanh", 0.3, 0.5, 0.7)
    start = replace(start_of(net, X, ("a",)), residual=1e6)
    balls = balls_around(start)
    assert max(float(ball.H) for ball in balls) == 0.0
    assert max(residual_threshold(start, ball, 0.5 / start.largest**2) for ball in balls) > 1e6


def direct(net, X, y, step, epochs):
    """Gradient descent by plain iteration and explicit inverses: losses, distances, and the norms of W."""
    f, df = net.activation, net.activation.derivative()
    a, W, U = (np.array(v) for v in (net.a, net.W, net.U))
    start = [a.copy(), W.copy(), U.copy()]
    Z = np.zeros((len(a), len(X)))
    losses, distances = [], []
    for _ in range(epochs + 1):
        for _ in range(2000):
            new = f(W @ Z + U @ X.T)
            gap, Z = np.abs(new - Z).max(), new
            if gap <= 4e-16 * max(1.0, np.abs(Z).max()):
                break
        r = a @ Z - y
        losses.append(0.5 * float(r @ r))
        distances.append(math.sqrt(sum(float(((p - q) ** 2).sum()) for p, q in zip((a, W, U), start, strict=True))))
        D = df(W @ Z + U @ X.T)
        G = np.stack([D[:, i] * np.linalg.solve(np.eye(len(a)) - W.T * D[:, i], a) for i in range(len(X))], axis=1)
        a, W, U = a - step * Z @ r, W - step * (G * r) @ Z.T, U - step * (G * r) @ X
    return np.array(losses), np.array(distances)


def network(rng, phi, m, n, norm, spread):
    """A network with `L ||W||_2 = norm`, on samples whose directions differ by about `spread`."""
    phi = hd.activation(phi)
    W = rng.standard_normal((m, m))
    W *= norm / (np.linalg.norm(W, 2) * phi.lipschitz)
    X = rng.standard_normal((1, 3)) + spread * rng.standard_normal((n, 3))
    U, a = rng.standard_normal((m, 3)) / math.sqrt(3), rng.standard_normal(m) / math.sqrt(m)
    return FiniteDEQ(phi, 0.0, 1.0, 0.0, W, U, np.zeros(m), a), X


@pytest.mark.parametrize("seed", [0, *(pytest.param(k, marks=pytest.mark.slow) for k in range(1, 25))])
@pytest.mark.parametrize("phi", ["tanh", "gelu", "softplus", "sin"])
@pytest.mark.parametrize(("norm", "spread"), [(0.3, 1.0), (0.95, 0.1)])
def test_descent_at_the_limits_of_the_theorem_keeps_to_it(phi, seed, norm, spread):
    rng = np.random.default_rng([seed, len(phi)])
    m, n = int(rng.integers(2, 12)), int(rng.integers(1, 4))
    n = min(m, n)
    net, X = network(rng, phi, m, n, norm, spread)
    f = net.a @ net.equilibrium(X).Z
    start = proven_start(net, X, f, ("a", "W", "U"))
    part = rng.choice([0.2, 1.0, 1.6])
    step = part / start.largest**2
    threshold = max(residual_threshold(start, ball, step) for ball in balls_around(start))
    # the direction in which the tangent kernel is least, or any
    D = net.activation.derivative()(net.W @ net.equilibrium(X).Z + net.U @ X.T)
    G = np.stack([D[:, i] * np.linalg.solve(np.eye(m) - net.W.T * D[:, i], net.a) for i in range(n)], axis=1)
    Z = net.equilibrium(X).Z
    theta = Z.T @ Z + (G.T @ G) * (Z.T @ Z + X @ X.T)
    direction = np.linalg.eigh(theta)[1][:, 0] if seed % 2 else rng.standard_normal(n)
    y = f + 0.99 * threshold * direction / np.linalg.norm(direction)
    certificate = net.certify_training(X, y, step)
    if certificate.rate == 0.0:  # at the very limit zero loss is proven, a rate may not be
        y = f + 0.9 * (y - f)
        certificate = net.certify_training(X, y, step)
    assert certificate.outcome is hd.Outcome.PROVEN, certificate
    losses, distances = direct(net, X, y, certificate.step, 40)
    bounds = losses[0] * (1 - certificate.rate) ** np.arange(len(losses))
    assert np.all(losses <= bounds * (1 + 1e-9) + 1e-28)
    assert distances.max() <= certificate.radius * (1 + 1e-12)


@pytest.mark.parametrize("phi", ["tanh", "gelu", "sin"])
@pytest.mark.parametrize(
    "parameters",
    [
        ("a", "W", "U"),
        *(pytest.param(tuple(names), marks=pytest.mark.slow) for names in ("aWUb", "aU", "W", "Ub", "ab")),
    ],
)
def test_every_constant_of_a_ball_holds_at_its_points(phi, parameters):
    rng = np.random.default_rng(5)
    net, X = network(rng, phi, 6, 3, 0.5, 1.0)
    net = replace(net, b=0.3 * rng.standard_normal(6))
    start = start_of(net, X, parameters)
    J0, _ = jacobian(net, X, parameters)
    balls = balls_around(replace(start, residual=start.least * 1e-3))
    for ball in balls[:: max(1, len(balls) // 8)]:
        for _ in range(10):
            step = {name: rng.standard_normal(getattr(net, name).shape) for name in parameters}
            if "W" in step and rng.random() < 0.7:  # concentrated on one neuron, where curvature is largest
                step["W"] *= (np.arange(6) == rng.integers(6))[:, None]
            length = ball.radius / math.sqrt(sum(float((v * v).sum()) for v in step.values()))
            other = replace(net, **{name: getattr(net, name) + length * v for name, v in step.items()})
            J, least = jacobian(other, X, parameters)
            D = other.activation.derivative()(other.W @ other.equilibrium(X).Z + other.U @ X.T + other.b[:, None])
            inverses = [np.linalg.inv(np.eye(6) - other.W * D[:, i]) for i in range(3)]
            assert max(np.linalg.norm(N, 2) for N in inverses) <= float(ball.resolvent)
            sloped = [np.linalg.norm(D[:, i, None] * N, 2) for i, N in enumerate(inverses)]
            assert max(sloped) <= float(ball.slope_resolvent)
            assert np.linalg.norm(J - J0, 2) <= float(ball.bend) * (1 + 1e-9)
            assert least >= float(ball.least) * (1 - 1e-9)
            assert np.linalg.norm(J, 2) <= float(ball.largest) * (1 + 1e-9)


def jacobian(net, X, parameters=("a", "W", "U")):
    """The Jacobian of the outputs, a row per sample, and its least singular value."""
    Z = net.equilibrium(X).Z
    D = net.activation.derivative()(net.W @ Z + net.U @ X.T + net.b[:, None])
    rows = []
    for i in range(len(X)):
        g = D[:, i] * np.linalg.solve(np.eye(len(net.a)) - net.W.T * D[:, i], net.a)
        parts = {"a": Z[:, i], "W": np.outer(g, Z[:, i]).ravel(), "U": np.outer(g, X[i]).ravel(), "b": g}
        rows.append(np.concatenate([parts[name] for name in parameters]))
    J = np.array(rows)
    return J, np.linalg.svd(J)[1][-1]


def test_the_start_is_enclosed_tightly():
    rng = np.random.default_rng(3)
    net, X = network(rng, "tanh", 8, 3, 0.6, 1.0)
    y = rng.standard_normal(3)
    start = proven_start(net, X, y, ("a", "W", "U"))
    J, least = jacobian(net, X)
    Z = net.equilibrium(X).Z
    Y = np.vstack([Z, X.T])
    D = 1 - np.tanh(net.W @ Z + net.U @ X.T) ** 2
    N = [np.linalg.inv(np.eye(8) - net.W * D[:, i]) for i in range(3)]
    h = np.stack([np.linalg.solve(np.eye(8) - net.W.T * D[:, i], net.a) for i in range(3)], axis=1)
    true = {
        "residual": np.linalg.norm(net.a @ Z - y),
        "largest": np.linalg.norm(J, 2),
        "norm": np.linalg.norm(net.W, 2),
        "column": np.linalg.norm(net.W, axis=0).max(),
        "inputs": np.linalg.norm(Y, 2),
        "input_column": np.linalg.norm(Y, axis=0).max(),
        "peak": np.abs(h).max(),
        "sensitivity": np.linalg.norm(D * h, axis=0).max(),
        "lipschitz": 1.0,
        "curvature": 4 / (3 * math.sqrt(3)),
    }
    for name, value in true.items():
        assert value * (1 - 1e-10) <= getattr(start, name) <= value * (1 + 1e-7), name
    for name, value in (("least", least), ("least_states", np.linalg.svd(Z)[1][-1])):
        assert value * (1 - 1e-6) <= getattr(start, name) <= value * (1 + 1e-12), name
    full, sloped = (max(np.linalg.norm(M, 2) for M in Ms) for Ms in (N, [D[:, i, None] * N[i] for i in range(3)]))
    assert full <= start.resolvent <= 1.02 * full
    assert sloped <= start.slope_resolvent <= 1.02 * sloped


@pytest.mark.parametrize("shift", [-1e-3, 1e-3])
def test_an_equilibrium_that_is_solved_loosely_is_covered(monkeypatch, shift):
    """The residual is a tenth of the distance: slope and weight make `1 - w phi'` about 0.1."""
    net, X = neuron("tanh", 0.9, 0.01, 0.7)
    z = math.tanh(0.01)
    solved = replace(net.equilibrium(X), Z=np.array([[z + shift]]))
    monkeypatch.setattr(FiniteDEQ, "equilibrium", lambda *_: solved)
    start = proven_start(net, X, np.array([0.3]), ("a", "W", "U"))
    slope = 1 - z * z
    h = 0.7 / (1 - 0.9 * slope)
    square = z * z + (slope * h) ** 2 * (z * z + 1)
    assert start.residual >= abs(0.7 * z - 0.3)
    assert start.inputs >= math.hypot(z, 1.0)
    assert start.input_column >= math.hypot(z, 1.0)
    assert start.least <= math.sqrt(square) <= start.largest
    assert start.least_states <= z
    assert start.peak >= h
    assert start.sensitivity >= slope * h


@pytest.mark.parametrize("m", [1, 2, 3, 4, 30, 70])
def test_resolvents_are_bounded_from_above_and_sharp(m):
    rng = np.random.default_rng(m)
    W = rng.standard_normal((m, m)) * 0.4 / math.sqrt(m)
    D = rng.uniform(-0.2, 1.0, (m, 5))
    full, sloped = resolvent_norms(W, D)
    inverses = [np.linalg.inv(np.eye(m) - W * D[:, i]) for i in range(5)]
    first = max(np.linalg.norm(N, 2) for N in inverses)
    second = max(np.linalg.norm(D[:, i, None] * N, 2) for i, N in enumerate(inverses))
    assert first <= full <= 1.02 * first
    assert second <= sloped <= 1.02 * second


def test_a_singular_resolvent_is_not_bounded():
    assert resolvent_norms(np.eye(2), np.ones((2, 1)))[0] == math.inf


@pytest.mark.parametrize("name", ["tanh", "gelu", "softplus", "sin", "erf", "elu", "arctan", "mish"])
@pytest.mark.parametrize("order", [0, 1])
def test_values_from_balls_hold_against_forty_digits(name, order):
    phi = hd.activation(name)
    points = np.array([-3.7, -0.5, -1e-9, 0.0, 1e-9, 0.5, 2.0, 30.0])
    values, errors = ball_values(phi.shape, points, order)
    derived = sp.diff(phi.expr, phi.symbol, order)
    with mp.workdps(40):
        for point, value, error in zip(points, values, errors, strict=True):
            side = sp.Float(point, 40) if point else sp.Float("1e-45", 45)
            exact = mp.mpf(sp.N(derived.subs(phi.symbol, side), 40))
            assert abs(exact - mp.mpf(value)) <= error + mp.mpf("1e-30")
        assert errors.max() <= 1e-14


def lines(residual=0.1, **changes):
    """A start with constants that are easy to follow."""
    numbers = {
        "least": 2.0, "least_states": 1.0, "largest": 4.0, "norm": 0.0, "column": 0.0, "inputs": 3.0,
        "input_column": 2.0, "peak": 0.0, "sensitivity": 0.0, "resolvent": 1.0, "slope_resolvent": 1.0,
        "lipschitz": 1.0, "curvature": 0.0,
    }  # fmt: skip
    return Start(residual=residual, **(numbers | changes), parameters=("a", "U"))


def test_without_curvature_all_is_in_closed_form():
    # H = c = 3 on the whole way: sigma = 2 - 3 t
    start = lines()
    balls = balls_around(start)
    for ball in balls[::40]:
        R = ball.radius
        assert float(ball.gain) == pytest.approx(2 * R - 1.5 * R * R, rel=1e-12)
        assert float(ball.least) == pytest.approx(2 - 3 * R, rel=1e-12)
        assert float(ball.bend) == pytest.approx(3 * R, rel=1e-12)
    assert balls[-1].radius == pytest.approx(2 / 3, rel=1e-2)


def test_the_efficiency_is_a_minimum_over_the_spectrum():
    start = lines()
    ball = balls_around(start)[0]
    for part in (0.1, 1.0, 1.5, 1.9):
        eta = part / float(ball.largest) ** 2
        chi = float(efficiency(start, ball, eta))
        sigma, j = start.least, float(ball.largest)
        angles = np.linspace(0, np.pi / 2, 4001)
        parts = np.stack([np.cos(angles), np.sin(angles)])
        eigenvalues = np.array([sigma**2, j**2])[:, None]
        squares = (eigenvalues * parts**2).sum(axis=0)
        values = ((eigenvalues * (1 - eta * eigenvalues / 2)) * parts**2).sum(axis=0) / np.sqrt(squares) / sigma
        assert chi <= values.min() * (1 + 1e-9)
        assert chi >= 0.93 * values.min()


@pytest.mark.parametrize("part", [0.0, 0.5, 1.0, 1.6])
def test_the_threshold_solves_the_condition_of_the_theorem(part):
    start = lines()
    for ball in balls_around(start)[20::60]:
        j, H, bend = (float(v) for v in (ball.largest, ball.H, ball.bend))
        step = part / j**2
        r = residual_threshold(start, ball, step)
        e = step * j
        needed = r * (1 + e / 2 * (bend + e * r * H))
        assert needed == pytest.approx(float(efficiency(start, ball, step) * ball.gain), rel=1e-9)


def test_threshold_step_and_rate_belong_together():
    start = lines()
    for ball in balls_around(start)[20::60]:
        step = largest_step(start, ball)
        if step == 0.0:
            assert start.residual >= residual_threshold(start, ball, 0.0) * (1 - 1e-9)
            continue
        assert start.residual < residual_threshold(start, ball, step)
        assert start.residual >= residual_threshold(start, ball, step * (1 + 1e-6))
        assert loss_rate(start, ball, 1.01 * step) == 0.0


@pytest.mark.parametrize(
    ("phi", "words"),
    [("relu", "kinks of phi are outside"), ("exp(x)", "REFUTED"), ("x^3", "REFUTED")],
)
def test_what_the_theorem_does_not_cover_is_said(phi, words):
    net = hd.DEQ(phi, 0.0).sample(8, 3, 0)
    with pytest.raises(NotProvenError, match=words):
        proven_start(net, np.eye(3), np.zeros(3), ("a", "U"))
