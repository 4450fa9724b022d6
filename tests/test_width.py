"""The theorem at random weights: constants against mpmath and closed forms, bounds against networks that are drawn."""

import math
from dataclasses import fields, replace
from functools import lru_cache

import mpmath as mp
import numpy as np
import pytest

import hermite_dual as hd
from hermite_dual.population.theorem.convergence import balls_around, residual_threshold
from hermite_dual.population.theorem.gram_deviation import deviation, gram_distance
from hermite_dual.population.theorem.hypothesis_tests import slope_bound
from hermite_dual.population.theorem.limit_numbers import LimitNumbers, largest_eigenvalue, limit_numbers
from hermite_dual.population.theorem.width import (
    estimated_width,
    proven_rate,
    proven_width,
    random_start,
    small_steps_threshold,
)

P, U = hd.Outcome.PROVEN, hd.Outcome.UNDECIDED
NEAR = 1e-8  # what outward factors, and fourth roots to five digits in what is rare, may add to an exact constant


def made_up(n=3, **changes):
    """Numbers of no particular limit, with all that can be different different."""
    rng = np.random.default_rng(n)
    S = 1.0 + rng.uniform(0, 1, n)
    numbers = {
        "states": rng.uniform(0.5, 0.9, n),
        "variances": S,
        "least_variances": 0.999 * S,
        "covariances": S + rng.uniform(0, 1, n),
        "inputs": S - rng.uniform(0.1, 0.3, n),
        "least": 0.3,
        "largest": 1.1,
        "input_norm": 2.7,
        "samples": 37.0,
        "longest": 21.0,
        "sigma_w": 0.31,
        "lipschitz": 1.13,
        "curvature": 0.8,
        "at_zero": 0.2,
        "span": 1.7,
        "parameters": ("a", "W", "U"),
    }
    return LimitNumbers(**(numbers | changes))


def by_hand(limit, width, failure):  # noqa: PLR0915
    """The formulas of docs/theory/random_weights.md, in 40 digits."""
    with mp.workdps(40):
        m, L, sigma = mp.mpf(width), mp.mpf(limit.lipschitz), mp.mpf(limit.sigma_w)
        lists = ("states", "variances", "least_variances", "covariances", "inputs")
        K, S, low, rows, B = ([mp.mpf(float(v)) for v in getattr(limit, name)] for name in lists)
        zero, span, norm_B = mp.mpf(limit.at_zero), mp.mpf(limit.span), mp.mpf(limit.input_norm)
        top, least, n = mp.mpf(limit.largest), mp.mpf(limit.least), len(K)
        p = min(mp.mpf(2) ** -60, m**-6)
        omega = sigma * (2 + mp.sqrt(2 * mp.log(2 / p) / m))
        column = sigma * (1 + mp.sqrt(2 * mp.log(2 * m / p) / m))
        kappa = 1 - L * omega
        nu, zeta = L / kappa, mp.sqrt(1 + (L * column / kappa) ** 2)
        T = [sigma / kappa * (zero + mp.root(3, 4) * L * mp.sqrt(b)) + mp.sqrt(b) for b in B]
        Phi = [zero + mp.root(3, 4) * L * t for t in T]
        rho = [4 * mp.root(p, 4) * (zero + L * t) for t in T]
        alpha = sigma * zeta / mp.sqrt(m)
        beta = alpha + mp.sqrt(2) * sigma**2 * nu / mp.sqrt(m)
        second = mp.sqrt(6) * nu * alpha / mp.sqrt(1 - p)
        y, delta = [], []
        for i in range(n):
            both = [(second * (mp.sqrt(S[i]) + 2 * mp.root(p, 4) * T[i]), second)]
            both += [(alpha * span / mp.sqrt(1 - p), 0)] if mp.isfinite(span) else []
            pairs = []
            for first, slope in both:
                room = 1 - (sigma + beta) * L * (1 + slope)
                root = (alpha * zero + beta * K[i] + (sigma + beta) * (L * first + rho[i])) / room
                pairs += [(root, first + slope * root)] if room > 0 else []
            y.append(min(pair[0] for pair in pairs))
            delta.append(min(pair[1] for pair in pairs))
        g = [K[i] + L * (delta[i] + y[i]) + rho[i] for i in range(n)]
        y = [y[i] + 2 * mp.root(p, 4) * T[i] for i in range(n)]
        tau = sum(v**2 for v in g)
        speed = 4 * nu**2 / m
        tau2 = (tau**2 + speed * norm_B * tau) / (1 - speed * sigma**2)
        psi = mp.sqrt(speed * (sigma**2 * tau2 + sum(B) * tau))
        d = L * mp.sqrt(sum(v**2 for v in delta))
        mu = zeta / mp.sqrt(m) * mp.sqrt(sum((v + zero) ** 2 for v in g))
        t = L * mp.sqrt(sum(v**2 for v in y))
        xi1 = mp.sqrt(sum(y[i] ** 2 * rows[i] ** 2 / low[i] for i in range(n)))
        xi2 = sum(y[i] ** 2 / low[i] for i in range(n))
        theta, norm_S = sigma**2 * L**2, sigma**2 * top + norm_B
        c1 = 2 * (d + theta * mu)
        c0 = d**2 + theta * mu**2 + t * (2 * mp.sqrt(top) + t) + L**2 * (2 * xi1 + norm_S * xi2)
        c0 += 2 * mp.sqrt(p) * sum(Phi[i] ** 2 + L**2 * T[i] ** 2 for i in range(n))
        distance = mp.findroot(lambda E: psi + c0 + c1 * mp.sqrt(top + E) + theta * E - E, psi + c0 + 2 * c1)
        mean = c0 + c1 * mp.sqrt(top + distance) + theta * distance

        def ell(v):
            return nu / mp.sqrt(m) * mp.sqrt(sigma**2 * v**2 + norm_B)

        share = (failure - p) / 6
        tail = mp.sqrt(2 * mp.log(1 / share))
        middle = mp.sqrt(top + distance)
        Y = mp.findroot(lambda v: v - middle - ell(v) * tail, middle + ell(middle) * tail)
        base = Y + mp.sqrt(tau)
        trace = mp.findroot(lambda v: v - base - ell(v) * tail, base + ell(base) * tail) - Y
        spread = ell(middle)
        square = least - mean - spread**2
        bounds = [mp.mpf(0)]
        if square > 0:
            mu0 = mp.sqrt(square) - spread / 2
            for k in range(1, 31):
                points = mp.sqrt(2 * (n * mp.log(1 + 2 * mp.mpf(2) ** k) + mp.log(1 / share)))
                bounds.append(mu0 - ell(Y + mp.sqrt(least)) * points - Y / mp.mpf(2) ** k)
        readout = 1 + tail / mp.sqrt(m)
        inputs = mp.sqrt(m * Y**2 + mp.mpf(limit.samples))
        start = {
            "residual": mp.sqrt(trace**2 + n) + Y * tail,
            "least": mp.sqrt(m) * max(bounds),
            "least_states": mp.sqrt(m) * max(bounds),
            "largest": inputs * mp.sqrt(1 + (nu * readout) ** 2),
            "norm": omega,
            "column": column,
            "inputs": inputs,
            "input_column": mp.sqrt(m * Y**2 + mp.mpf(limit.longest)),
            "peak": (1 + column * nu) * mp.sqrt(2 * mp.log(2 * m * n / share) / m),
            "sensitivity": nu * readout,
            "resolvent": 1 / kappa,
            "slope_resolvent": nu,
            "readout": readout,
        }
        x = distance + 2 * top
        far = mp.sqrt(2 * mp.log(1 / (failure - p)))
        x = mp.findroot(lambda v: v - distance - 2 * mp.sqrt(top + v) * ell(mp.sqrt(top + v)) * far, x)
        known = {"mean": mean, "distance": distance, "trace": tau, "kappa": kappa, "rare": p}
        return start, known, x


CASES = {
    "bounded": ({}, 1e5),
    "unbounded": ({"span": math.inf}, 3e6),
    "both": ({"span": 5.0}, 1e7),
    "small p": ({}, 1e12),
    "nothing recurs": ({"sigma_w": 0.0}, 1e4),
    "no constant": ({"at_zero": 0.0}, 3e4),
    "small, where A fails seldom enough": ({"sigma_w": 0.05}, 60.0),
}


@pytest.mark.parametrize(("changes", "width"), CASES.values(), ids=CASES)
def test_constants_are_those_of_the_theory_and_rounded_outwards(changes, width):
    limit = made_up(**changes)
    start, known, distance = by_hand(limit, width, 0.01)
    bounds, claimed = random_start(limit, width, 0.01), deviation(limit, width)
    for name, exact in known.items():
        value = mp.mpf(float(getattr(claimed, name).mid()))
        assert abs(value - exact) <= NEAR * exact, name
    for name in ("mean", "distance", "trace"):
        assert getattr(claimed, name) >= float(known[name]) * (1 - 1e-15), name
    for name, exact in start.items():
        value = mp.mpf(getattr(bounds, name))
        assert abs(value - exact) <= NEAR * exact, name
        assert value <= exact if name.startswith("least") else value >= exact, name
    told = gram_distance(limit, width, 0.01)
    assert distance <= told <= distance * (1 + 2.0**-18)
    if width > 1e4:
        assert start["least"] > 0


@pytest.mark.slow
def test_the_numbers_of_the_limit_are_those_of_a_closed_form():
    """Of the sine, `E sin(u) sin(v) = exp(-(q1 + q2)/2) sinh(c)`: K by iteration in 30 digits."""
    n = 3
    X = np.random.default_rng(3).standard_normal((n, 6))
    gram = hd.DEQ("sin", 0.3, 1.2, 0.4).gram(X)
    numbers = limit_numbers(gram, X, gram.least_eigenvalue().lower, (1.0, 1.0))
    with mp.workdps(30):
        rows = mp.matrix(X.tolist())
        inner = rows * rows.T
        B = inner * (mp.mpf(1.2) ** 2 / 6) + mp.ones(n) * mp.mpf(0.4) ** 2
        K = mp.zeros(n)
        for _ in range(60):
            S = K * mp.mpf(0.3) ** 2 + B
            K = mp.matrix(n, n)
            for i in range(n):
                for j in range(n):
                    K[i, j] = mp.exp(-(S[i, i] + S[j, j]) / 2) * mp.sinh(S[i, j])
        ones = inner + mp.ones(n)
        above = {
            "states": [mp.sqrt(K[i, i]) for i in range(n)],
            "variances": [S[i, i] for i in range(n)],
            "covariances": [mp.norm(S[i, :]) for i in range(n)],
            "inputs": [B[i, i] for i in range(n)],
            "largest": [max(mp.eigsy(K, eigvals_only=True))],
            "input_norm": [max(mp.eigsy(B, eigvals_only=True))],
            "samples": [max(mp.eigsy(ones, eigvals_only=True))],
            "longest": [max(ones[i, i] for i in range(n))],
            "span": [mp.sqrt(2)],
        }
        below = {"least_variances": above["variances"], "least": [min(mp.eigsy(K, eigvals_only=True))]}
        for name, exact in above.items():
            for value, true in zip(np.atleast_1d(getattr(numbers, name)), exact, strict=True):
                assert true <= mp.mpf(float(value)) <= true * (1 + 3e-6), name
        for name, exact in below.items():
            for value, true in zip(np.atleast_1d(getattr(numbers, name)), exact, strict=True):
                assert true * (1 - 1e-8) <= mp.mpf(float(value)) <= true, name
    assert numbers.at_zero <= 1e-20
    assert numbers.parameters == ("a", "W", "U", "b")


def test_the_numbers_of_an_unbounded_activation_without_bias():
    X = hd.on_sphere(np.random.default_rng(3).standard_normal((4, 6)))
    gram = hd.DEQ("softplus", 0.3, 0.7).gram(X)
    numbers = limit_numbers(gram, X, 0.1, (1.0, 1.0))
    assert numbers.parameters == ("a", "W", "U")
    assert math.isinf(numbers.span)
    assert math.log(2) <= numbers.at_zero <= math.log(2) * (1 + 1e-15)
    largest = np.linalg.norm(X, 2) ** 2
    assert largest <= numbers.samples <= largest * (1 + 1e-5)
    assert numbers.input_norm == pytest.approx(0.49 * numbers.samples / 6, rel=1e-11)
    assert numbers.longest == pytest.approx(6.0, rel=1e-11)
    assert numbers.covariances == pytest.approx(np.linalg.norm(gram.preactivation, axis=1), rel=1e-11)


@pytest.mark.parametrize("n", [1, 2, 30])
@pytest.mark.parametrize("error", [0.0, 1e-3])
def test_largest_eigenvalues_are_bounded_from_above(n, error):
    root = np.random.default_rng(n).standard_normal((n, 40))
    for matrix in (np.eye(n), root @ root.T / 40, np.ones((n, n)), np.eye(n) - 0.9 * np.ones((n, n)) / n):
        worst = np.linalg.eigvalsh(matrix + error)[-1]
        bound = largest_eigenvalue(matrix, error)
        assert worst * (1 - 1e-14) <= bound <= np.linalg.eigvalsh(matrix)[-1] * (1 + 1e-5) + n * error
    # where there is no positive one, the longest row of moduli does
    assert 0.0 <= largest_eigenvalue(np.zeros((n, n)), error) <= n * error * (1 + 1e-9) + 1e-300
    assert largest_eigenvalue(-np.eye(n), error) >= -1.0 + error


SIZES = {"tanh": (0.3, 0.0), "sin": (0.25, 0.0), "erf": (0.2, 0.5), "gelu": (0.2, 0.0), "softplus": (0.3, 0.2)}
WIDTH, NETWORKS = 150, 40
ROWS = hd.on_sphere(np.random.default_rng(7).standard_normal((3, 4)))


@lru_cache
def drawn(phi):
    """Numbers of the limit, and networks with their states, the cavity of their first neuron, and its fields."""
    model = hd.DEQ(phi, SIZES[phi][0], 1.0, SIZES[phi][1])
    gram = model.gram(ROWS)
    slopes = slope_bound(model.activation, 1).upper, slope_bound(model.activation, 2).upper
    limit = limit_numbers(gram, ROWS, gram.least_eigenvalue().lower, slopes)
    networks = [model.sample(WIDTH, 4, seed) for seed in range(NETWORKS)]
    states, cavities, fields_there, before = [], [], [], []
    for net in networks:
        Z = np.asarray(net.equilibrium(ROWS).Z)
        kept = (np.arange(WIDTH) > 0).astype(float)
        cavity = replace(net, W=net.W * kept[:, None], U=net.U * kept[:, None], b=net.b * kept)
        Z0 = np.asarray(cavity.equilibrium(ROWS).Z)
        states.append(Z)
        cavities.append(Z0)
        drive = net.U[0] @ ROWS.T + net.b[0]
        before.append(net.W[0] @ Z0 + drive)
        fields_there.append(net.W[0] @ Z + drive)
    return limit, gram, networks, *(np.array(v) for v in (states, cavities, fields_there, before))


@pytest.mark.parametrize("phi", [p if p == "tanh" else pytest.param(p, marks=pytest.mark.slow) for p in SIZES])
def test_drawn_networks_keep_to_the_bounds(phi):
    limit, gram, networks, states, cavities, h, h0 = drawn(phi)
    known, start = deviation(limit, WIDTH), random_start(limit, WIDTH)
    L, nu, at_zero = limit.lipschitz, float(known.gain), limit.at_zero
    zeta = math.sqrt(1 + (nu * float(known.column)) ** 2)
    G = np.einsum("sij,sik->sjk", states, states) / WIDTH
    far = np.linalg.norm(G - gram.matrix, 2, axis=(1, 2))
    # the curve from the cavity to the network, and what the cavity's field says of its end
    moved = np.linalg.norm(states - cavities, axis=1)
    assert (moved <= zeta * np.abs(states[:, 0] - cavities[:, 0]) * (1 + 1e-6) + 1e-9).all()
    assert (moved <= nu * np.abs(h0) * (1 + 1e-6) + 1e-9).all()
    assert (np.abs(np.abs(cavities[:, 0]) - at_zero) <= 1e-9).all()
    # given the cavity, its field is normal with the covariance S of the cavity: a chi-square variable
    S0 = limit.sigma_w**2 * np.einsum("sij,sik->sjk", cavities, cavities) / WIDTH + _inputs(networks[0])
    squares = np.einsum("si,sij,sj->s", h0, np.linalg.inv(S0), h0)
    assert abs(squares.sum() - 3 * NETWORKS) <= 4 * math.sqrt(6 * NETWORKS)
    # means over networks
    assert far.mean() <= float(known.distance)
    assert np.linalg.norm(G.mean(axis=0) - gram.matrix, 2) <= float(known.mean) + 4 * far.std() / math.sqrt(NETWORKS)
    spread = np.linalg.norm(G - G.mean(axis=0), axis=(1, 2))
    psi = 2 * nu / math.sqrt(WIDTH) * math.sqrt(float(known.trace) * _trace(limit, float(known.trace)))
    assert math.sqrt((spread**2).mean()) <= psi
    assert np.trace(G, axis1=1, axis2=2).mean() <= float(known.trace)
    shift = math.sqrt(((h - h0) ** 2).mean(axis=0).max())
    assert shift <= limit.sigma_w * zeta / math.sqrt(WIDTH) * min(
        limit.span, math.sqrt(6) * nu * (math.sqrt(limit.variances.max()) + 1)
    )
    assert (far <= gram_distance(limit, WIDTH, 1.0 / NETWORKS)).sum() >= NETWORKS - 4
    # the start of training, for targets +-1
    for net, Z in zip(networks[:20], states, strict=False):
        D = net.activation.derivative()(net.W @ Z + net.U @ ROWS.T + net.b[:, None])
        N = [np.linalg.inv(np.eye(WIDTH) - net.W * D[:, i]) for i in range(3)]
        H = np.array([N[i].T @ net.a for i in range(3)])
        Y = np.vstack([Z, ROWS.T, np.ones((1, 3)) * ("b" in limit.parameters)])
        outputs = net.a @ Z
        assert np.linalg.norm(np.abs(outputs) + 1) <= start.residual
        assert np.linalg.norm(net.W, 2) <= start.norm
        assert np.linalg.norm(net.W, axis=0).max() <= start.column
        assert np.linalg.norm(Y, 2) <= start.inputs
        assert np.linalg.norm(Y, axis=0).max() <= start.input_column
        assert np.abs(H).max() <= start.peak
        assert np.linalg.norm(D.T * H, axis=1).max() <= start.sensitivity
        assert np.linalg.norm(net.a) <= start.readout
        assert np.linalg.svd(Z)[1][-1] >= start.least_states
        assert max(np.linalg.norm(one, 2) for one in N) <= start.resolvent
        assert max(np.linalg.norm(D[:, i, None] * N[i], 2) for i in range(3)) <= start.slope_resolvent * (1 + 1e-9)
        assert L * start.norm < 1


def _inputs(net):
    return net.sigma_u**2 * ROWS @ ROWS.T / 4 + net.sigma_b**2


def _trace(limit, trace):
    """tr S at a trace of K."""
    return limit.sigma_w**2 * trace * 1.5 + float(limit.inputs.sum())


def straight(eps, sigma_w, B):
    """The limit of `phi(x) = 1 + eps x` for one sample, in closed form: `K = 1 + eps^2 (sigma_w^2 K + B)`."""
    K = (1 + eps**2 * B) / (1 - eps**2 * sigma_w**2)
    S = np.array([sigma_w**2 * K + B])
    numbers = {
        "states": np.array([math.sqrt(K)]), "variances": S, "least_variances": S, "covariances": S,
        "inputs": np.array([B]), "least": K, "largest": K, "input_norm": B, "samples": 1.0, "longest": 1.0,
        "sigma_w": sigma_w, "lipschitz": eps, "curvature": 0.0, "at_zero": 1.0, "span": math.inf,
    }  # fmt: skip
    return LimitNumbers(**numbers, parameters=("a", "W", "U"))


def test_the_fluctuation_is_attained_where_states_are_almost_constant():
    """`phi = 1 + eps x` has `G = 1 + (2/m) sum eps h_k` to first order: normal, of variance `4 eps^2 S/m`."""
    eps, sigma, B, m = 1e-3, 40.0, 900.0, 400
    limit = straight(eps, sigma, B)
    rng = np.random.default_rng(1)
    far = []
    for _ in range(150):
        W = sigma / math.sqrt(m) * rng.standard_normal((m, m))
        v = math.sqrt(B) * rng.standard_normal(m)
        z = np.linalg.solve(np.eye(m) - eps * W, 1 + eps * v)
        far.append(float(z @ z) / m)
    spread, K = np.std(far), limit.largest
    assert spread == pytest.approx(2 * eps * math.sqrt(limit.variances[0] / m), rel=0.2)
    known = deviation(limit, m)
    psi = 2 * float(known.gain) * math.sqrt((sigma**2 * K**2 + B * K) / m)
    assert spread * 0.85 <= psi <= 1.35 * spread


def test_the_threshold_of_small_steps_is_the_integral_of_the_theorem():
    start = random_start(made_up(), 1e6)
    closed = small_steps_threshold(start)
    with mp.workdps(30):
        kappa = 1 - mp.mpf(start.lipschitz) * mp.mpf(start.norm)
        L, s, Y = (mp.mpf(v) for v in (start.lipschitz, start.least_states, start.inputs))
        end = mp.findroot(lambda t: s - Y * L * t / (kappa - L * t), kappa * s / (s + Y) / L * mp.mpf(0.99))
        exact = mp.quad(lambda t: s - Y * L * t / (kappa - L * t), [0, end])
        assert exact * (1 - 1e-14) <= closed <= exact
    in_balls = max(residual_threshold(start, ball, 0.0) for ball in balls_around(start))
    assert closed * 0.99 <= in_balls <= closed
    assert small_steps_threshold(replace(start, norm=1.001 / start.lipschitz)) == 0.0
    assert small_steps_threshold(replace(start, least_states=0.0)) == 0.0


def test_every_width_from_the_proven_one_on_does():
    for changes in ({}, {"span": math.inf}, {"sigma_w": 0.0, "at_zero": 0.0}):
        limit = made_up(**changes)
        least = proven_width(limit)
        assert least == math.floor(least)
        wide = [least * factor for factor in (1.0, 1.001, 1.3, 10.0, 1e4, 1e9)]
        starts = [random_start(limit, width) for width in wide]
        assert all(start.residual < small_steps_threshold(start) for start in starts)
        for name in ("residual", "norm", "column", "peak", "sensitivity", "readout", "resolvent"):
            values = [getattr(start, name) for start in starts]
            assert values == sorted(values, reverse=True), name
        scaled = [start.least_states / math.sqrt(width) for start, width in zip(starts, wide, strict=True)]
        assert scaled == sorted(scaled)
        below = random_start(limit, math.floor(least / 1.01))
        assert below is None or below.residual >= small_steps_threshold(below)
        # what is proven asks for more than the estimate, and a smaller chance of failure for more
        assert estimated_width(limit) < least < proven_width(limit, 1e-9)


def test_where_nothing_is_proven_it_is_said():
    steep = made_up(sigma_w=0.5 / 1.13)
    assert deviation(steep, 1e12) is None
    assert math.isinf(gram_distance(steep, 1e12, 0.01))
    assert proven_width(steep) == estimated_width(steep) == math.inf
    flat = made_up()
    assert random_start(flat, 1e6, 1e-40) is None
    assert math.isinf(gram_distance(flat, 1e6, 1e-40))
    assert math.isinf(gram_distance(flat, 2, 0.01))
    assert math.isinf(proven_width(made_up(least=1e-40)))
    assert math.isinf(estimated_width(made_up(least=0.0)))
    for field in fields(LimitNumbers):  # a bound that is not known bounds nothing
        if field.name in ("span", "curvature", "parameters", "least", "least_variances", "longest", "samples"):
            continue
        endless = np.full(3, math.inf) if isinstance(getattr(flat, field.name), np.ndarray) else math.inf
        with np.errstate(invalid="ignore"):
            assert math.isinf(proven_width(made_up(**{"span": math.inf, field.name: endless}))), field.name


def test_a_rate_is_proven_at_random_weights():
    rows = hd.on_sphere(np.random.default_rng(0).standard_normal((2, 20)))
    model = hd.DEQ.paper("tanh", 0.02)
    check = model.check(rows, width=10**6, step=1e-8)
    rate = check["linear rate at width 1000000 and step 1e-08"]
    assert rate.outcome is P
    assert 0.99 < rate.value < 1.0
    assert (
        "for targets in [-1, 1] chosen before the weights, with probability at least 0.99 over the weights"
        in rate.explanation
    )
    near = check["Z^T Z/m at width 1000000 is near K"]
    assert near.outcome is P
    assert 0.0 < near.value < 0.1
    large = model.check(rows, width=10**6, step=1.0)["linear rate at width 1000000 and step 1"]
    assert large.outcome is U
    assert "steps below" in large.explanation
    # the step that is named is proven, and one a percent above the largest is not
    gram = model.gram(rows)
    limit = limit_numbers(gram, rows, gram.least_eigenvalue().lower, (1.0, slope_bound(model.activation, 2).upper))
    start = random_start(limit, 1e6)
    largest = proven_rate(start, 1.0)[1]
    assert proven_rate(start, 0.999 * largest)[0] > 0.0
    assert proven_rate(start, 1.01 * largest)[0] == 0.0
    # the size of the readout keeps bounds from growing exponentially
    assert proven_rate(replace(start, readout=math.inf), 1.0)[1] < 0.5 * largest
    narrow = model.check(rows, width=100, step=1e-4)["linear rate at width 100 and step 0.0001"]
    assert f"small steps are proven from width {proven_width(limit):.0f} on" in narrow.explanation


@pytest.mark.parametrize(
    ("phi", "sigma_w", "near", "words"),
    [
        ("relu", 0.2, P, "leaves its constants open"),
        ("abs", 0.2, P, "without bounds of phi' and phi''"),
        ("tanh", 0.5, U, "2 sigma_w L < 1 is not proven, so that no width"),
        ("exp(x)", 0.2, U, "lambda_\\* > 0 is not proven"),
    ],
)
def test_what_is_not_covered_at_random_weights_is_said(phi, sigma_w, near, words):
    rows = np.array([[1.0, 0.5], [-0.3, 2.0]])
    check = hd.DEQ(phi, sigma_w).check(rows, width=10**7, step=1e-9)
    assert check.consequences[-2].outcome is near
    assert check.consequences[-1].outcome is U
    assert words.replace("\\", "") in check.consequences[-1].explanation
    small = hd.DEQ("tanh", 0.3).check(rows, width=20)
    assert "do not reach down to this width" in small.consequences[-1].explanation
