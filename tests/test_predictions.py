"""Predictions of kernels, against matrix functions in 40 digits, simulated training, and scikit-learn."""

import math

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from sklearn.gaussian_process import GaussianProcessRegressor

import hermite_dual as hd
from hermite_dual.errors import AccuracyError, InvalidInputError
from hermite_dual.outcome import Outcome
from hermite_dual.population import kernel_solver
from hermite_dual.population.kernel_solver import Training
from hermite_dual.population.proof.prediction_bounds import regression_bounds
from hermite_dual.sklearn import DualKernel
from tests.tolerances import OTHER_PATH

RNG = np.random.default_rng(7)
X, Y = hd.on_sphere(RNG.standard_normal((6, 4))), hd.on_sphere(RNG.standard_normal((3, 4)))
ALL = np.concatenate([X, Y])
TARGETS = RNG.standard_normal((6, 2))
MODEL = hd.DEQ("tanh", 0.4, 1.2, 0.3)
ROUNDED = 1e-12
"""Relative, of predictions from six samples whose kernels have condition numbers below 1e3."""
NOISES = [0.0, 0.05]
TRAININGS = [
    {},
    {"t": 0.3},
    {"t": 8.0},
    {"steps": 0, "step": 0.1},
    {"steps": 1, "step": 0.1},
    {"steps": 40, "step": 0.3},
]


def kernels(kind):
    make = getattr(MODEL, kind)
    return make(X), make(Y, X)


def mp_matrix(A):
    return mp.matrix(np.asarray(A).tolist())


def mp_response(M, options):
    """`g(M)` in 40 digits, by exponentials and powers of matrices: no eigenvalues."""
    one = mp.eye(M.rows)
    if "steps" in options:
        return M**-1 * (one - (one - mp.mpf(options["step"]) * M) ** options["steps"])
    if "t" in options:
        return M**-1 * (one - mp.expm(-mp.mpf(options["t"]) * M))
    return M**-1


def close(values, expected, tolerance=ROUNDED):
    expected = np.array(expected.tolist(), dtype=float) if isinstance(expected, mp.matrix) else np.asarray(expected)
    scale = max(1.0, np.abs(expected).max())
    np.testing.assert_allclose(values, expected.reshape(np.shape(values)), rtol=0, atol=tolerance * scale)


def joint(kind):
    """The kernel of all samples, its Cholesky factor as features, and the Gram matrix of all samples."""
    theta = getattr(MODEL, kind)(ALL).matrix
    return np.linalg.cholesky(theta), MODEL.gram(ALL).matrix


@pytest.mark.parametrize("kind", ["gram", "ntk"])
@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("options", TRAININGS, ids=str)
def test_mean_and_covariance_are_functions_of_the_matrix(kind, noise, options):
    kernel, cross = kernels(kind)
    if options.get("step") == 0.3:
        options = options | {"step": 1.9 / float(kernel.eigenvalues().upper[-1] + noise)}  # 1 - step lambda < 0 as well
    found = kernel.predict(TARGETS, cross, noise=noise, **options)
    with mp.workdps(40):
        M = mp_matrix(kernel) + noise * mp.eye(6)
        B = mp_response(M, options) * mp_matrix(cross).T
        mean = B.T * mp_matrix(TARGETS)
        P = M if kind == "gram" else mp_matrix(MODEL.gram(X))
        mixed = mp_matrix(MODEL.gram(Y, X)) * B
        covariance = mp_matrix(MODEL.gram(Y)) + B.T * P * B - mixed - mixed.T
    close(found.mean, mean)
    close(found.covariance, covariance)
    close(found.variance, np.diag(np.array(covariance.tolist(), dtype=float)))
    assert np.abs(found.mean - np.array(mean.tolist(), dtype=float)).max() <= found.estimated_error.max() + 1e-16
    close(cross.matrix @ found.weights, found.mean)


@pytest.mark.parametrize("kind", ["gram", "ntk"])
@pytest.mark.parametrize("noise", NOISES)
def test_gradient_flow_of_a_linear_model(kind, noise):
    features, _ = joint(kind)
    kernel, cross = kernels(kind)
    y, t = TARGETS[:, 0], 2.5

    def velocity(_, w):
        return -features[:6].T @ (features[:6] @ w - y) - noise * w

    w = solve_ivp(velocity, (0.0, t), np.zeros(9), rtol=1e-11, atol=1e-12, method="DOP853").y[:, -1]
    close(kernel.predict(y, cross, t=t, noise=noise).mean, features[6:] @ w, OTHER_PATH)
    close(kernel.predict(y, t=t, noise=noise).mean, features[:6] @ w, OTHER_PATH)


@pytest.mark.parametrize("kind", ["gram", "ntk"])
@pytest.mark.parametrize(("steps", "step"), [(1, 0.2), (7, 0.2), (200, 0.05)])
def test_gradient_descent_step_by_step_from_random_outputs(kind, steps, step):
    features, gram = joint(kind)
    kernel, cross = kernels(kind)

    def trained(start, y):
        w = np.zeros(9)
        for _ in range(steps):
            w = w - step * features[:6].T @ (features[:6] @ w + start[:6] - y)
        return (start + features @ w)[6:]

    found = kernel.predict(TARGETS[:, 1], cross, steps=steps, step=step)
    close(found.mean, trained(np.zeros(9), TARGETS[:, 1]), REGROUPED)
    answers = np.stack([trained(unit, np.zeros(6)) for unit in np.eye(9)], axis=1)
    close(found.covariance, answers @ gram @ answers.T, REGROUPED)


REGROUPED = 1e-11
"""Some hundred steps of sums in another order."""


@pytest.mark.parametrize("noise", [1e-6, 0.05])
def test_the_posterior_is_that_of_scikit_learn(noise):
    kernel = DualKernel("tanh", 0.4, 1.2, 0.3)
    process = GaussianProcessRegressor(kernel, alpha=noise, optimizer=None).fit(X, TARGETS[:, 0])
    mean, covariance = process.predict(Y, return_cov=True)
    found = MODEL.gram(X).predict(TARGETS[:, 0], MODEL.gram(Y, X), noise=noise)
    close(found.mean, mean, OTHER_PATH)
    close(found.covariance, covariance, OTHER_PATH)


@pytest.mark.parametrize("kind", ["gram", "ntk"])
def test_limits_in_time(kind):
    kernel, cross = kernels(kind)
    start, end = kernel.predict(TARGETS, cross, t=0.0), kernel.predict(TARGETS, cross)
    assert not start.mean.any()
    np.testing.assert_array_equal(start.covariance, MODEL.gram(Y).matrix)
    for t in (1e6, 1e300):
        late = kernel.predict(TARGETS, cross, t=t)
        close(late.mean, end.mean)
        close(late.covariance, end.covariance)
    close(kernel.predict(TARGETS).mean, TARGETS)
    assert np.abs(kernel.predict(TARGETS).covariance).max() < 1e-13
    steps = kernel.predict(TARGETS, cross, steps=10**12, step=0.01)
    close(steps.mean, end.mean)


def test_small_steps_are_gradient_flow():
    kernel, cross = kernels("ntk")
    flow = kernel.predict(TARGETS, cross, t=1.0)
    close(kernel.predict(TARGETS, cross, steps=10**9, step=1e-9).mean, flow.mean, 1e-8)


def test_the_units_of_neural_tangents():
    """d f/dt = -eta/N Theta (f - y), N = y.size, the gradient of a mean over all outputs: 1/(2 N) sum (f - y)^2."""
    kernel, cross = kernels("ntk")
    eta, T, N = 0.7, 9.0, TARGETS.size

    def velocity(_, f):
        f = f.reshape(9, 2)
        return (-eta / N * np.concatenate([kernel.matrix, cross.matrix]) @ (f[:6] - TARGETS)).ravel()

    f = solve_ivp(velocity, (0.0, T), np.zeros(18), rtol=1e-11, atol=1e-12, method="DOP853").y[:, -1].reshape(9, 2)
    close(kernel.predict(TARGETS, cross, t=eta * T / N).mean, f[6:], OTHER_PATH)


@pytest.mark.parametrize("options", [{}, {"t": 1.0}], ids=str)
def test_outputs_do_not_see_one_another(options):
    kernel, cross = kernels("ntk")
    both = kernel.predict(TARGETS, cross, **options)
    for column in range(2):
        one = kernel.predict(TARGETS[:, column], cross, **options)
        assert one.mean.shape == (3,)
        close(one.mean, both.mean[:, column])
        close(one.estimated_error, both.estimated_error[:, column])
        close(one.variance, both.variance)


@pytest.mark.parametrize("kind", ["gram", "ntk"])
def test_arrays_serve_as_cross_kernels(kind):
    kernel, cross = kernels(kind)
    known = kernel.predict(TARGETS, cross, t=2.0)
    options = {"test_covariance": MODEL.gram(Y), "gram_cross": MODEL.gram(Y, X)}
    given = kernel.predict(TARGETS, np.asarray(cross), t=2.0, **options)
    np.testing.assert_array_equal(given.mean, known.mean)
    np.testing.assert_array_equal(given.covariance, known.covariance)
    diagonal = kernel.predict(
        TARGETS, np.asarray(cross), t=2.0, **options | {"test_covariance": MODEL.gram(Y).matrix.diagonal()}
    )
    close(diagonal.variance, known.variance)
    with pytest.raises(InvalidInputError, match=r"test_covariance = model\.gram\(Y\)"):
        _ = diagonal.covariance
    assert kernel.predict(TARGETS, np.asarray(cross)).mean_bounds.outcome is Outcome.UNDECIDED


def test_parts_of_the_parameters_have_the_covariance_of_all_outputs():
    theta, cross = MODEL.ntk(X, parameters=("a",)), MODEL.ntk(Y, X, parameters=("a",))
    close(theta.matrix, MODEL.gram(X).matrix)
    gram = MODEL.gram(X).predict(TARGETS, MODEL.gram(Y, X), t=3.0)
    close(theta.predict(TARGETS, cross, t=3.0).covariance, gram.covariance)


@settings(max_examples=25, deadline=None)
@given(n=st.integers(1, 9), p=st.integers(1, 4), outputs=st.one_of(st.none(), st.integers(1, 3)), end=st.booleans())
def test_shapes(n, p, outputs, end):
    rng = np.random.default_rng(n + 10 * p)
    samples, tests = hd.on_sphere(rng.standard_normal((n, 3))), hd.on_sphere(rng.standard_normal((p, 3)))
    y = rng.standard_normal(n if outputs is None else (n, outputs))
    found = MODEL.gram(samples).predict(y, MODEL.gram(tests, samples), t=math.inf if end else 1.0, noise=0.1)
    shape = (p,) if outputs is None else (p, outputs)
    assert found.mean.shape == found.estimated_error.shape == shape
    assert found.weights.shape == y.shape
    assert found.covariance.shape == (p, p)
    assert found.variance.shape == (p,)
    assert (found.variance >= 0).all()
    close(found.variance, found.covariance.diagonal())
    assert np.linalg.eigvalsh(MODEL.gram(tests).matrix - found.covariance).min() > -1e-12  # targets only inform


def test_what_a_prediction_is_can_be_read():
    kernel, cross = kernels("ntk")
    assert repr(kernel.predict(TARGETS, cross)) == "Prediction((3, 2), tangent kernel of 6 samples, t = infinity)"
    early = kernels("gram")[0].predict(TARGETS[:, 0], steps=3, step=0.1, noise=0.5)
    assert repr(early) == "Prediction((6,), Gram matrix of 6 samples, 3 steps of 0.1, noise 0.5)"


def test_many_tiles_of_the_factor():
    rng = np.random.default_rng(3)
    samples, y = hd.on_sphere(rng.standard_normal((200, 12))), rng.standard_normal((200, 3))
    kernel = MODEL.gram(samples)
    found = kernel.predict(y, noise=0.01)
    solved = np.linalg.solve(kernel.matrix + 0.01 * np.eye(200), y)
    close(found.weights, solved)
    late = kernel.predict(y, t=1e9, noise=0.01)
    close(late.weights, solved)


def test_one_factorization_serves_many_predictions(monkeypatch):
    kernel, cross = kernels("ntk")
    counts = {"decompose": 0, "shifted_cholesky": 0}
    for name in counts:
        whole = getattr(kernel_solver, name)

        def counted(*arguments, _whole=whole, _name=name):
            counts[_name] += 1
            return _whole(*arguments)

        monkeypatch.setattr(kernel_solver, name, counted)
    for t, noise in ((1.0, 0.0), (2.0, 0.0), (2.0, 0.1)):
        _ = kernel.predict(TARGETS, cross, t=t, noise=noise).covariance
    kernel.predict(TARGETS, cross, steps=3, step=0.1)
    vectors = kernel.eigenvalues().vectors
    assert counts == {"decompose": 1, "shifted_cholesky": 0}
    assert vectors is kernel.eigenvalues().vectors
    for y in (TARGETS, TARGETS[:, 0]):
        _ = kernel.predict(y, cross).covariance
    assert counts == {"decompose": 1, "shifted_cholesky": 1}


def test_results_are_kept_from_later_changes():
    kernel, cross = kernels("gram")
    y, block = TARGETS.copy(), cross.matrix.copy()
    found = kernel.predict(y, block, test_covariance=MODEL.gram(Y))
    expected = kernel.predict(TARGETS, cross)
    y[:], block[:] = 0.0, 0.0
    np.testing.assert_array_equal(found.covariance, expected.covariance)
    np.testing.assert_array_equal(found.targets, TARGETS)
    with pytest.raises(ValueError, match="read-only"):
        found.mean[0] = 0.0


def test_float32_kernels():
    kernel = MODEL.gram(X, dtype=np.float32)
    found, exact = kernel.predict(TARGETS, MODEL.gram(Y, X)), MODEL.gram(X).predict(TARGETS, MODEL.gram(Y, X))
    difference = np.abs(found.mean - exact.mean)
    assert difference.max() > 0
    assert (difference <= found.mean_bounds.errors + exact.mean_bounds.errors).all()
    assert (difference <= found.estimated_error).all()


# What is proven


def sine(rows, others):
    """K(1) of `sin` with sigma_u = 1 and no bias in exact arithmetic, `exp(-(q1 + q2)/2) sinh(c)`."""
    d = rows.shape[1]
    squares = [[mp.fsum(mp.mpf(v) ** 2 for v in row) / d for row in block.tolist()] for block in (rows, others)]
    K = mp.matrix(len(rows), len(others))
    for i, a in enumerate(rows.tolist()):
        for j, b in enumerate(others.tolist()):
            c = mp.fsum(mp.mpf(v) * mp.mpf(w) for v, w in zip(a, b, strict=True)) / d
            K[i, j] = mp.exp(-(squares[0][i] + squares[1][j]) / 2) * mp.sinh(c)
    return K


@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_proven_means_cover_the_exact_ones(noise):
    model = hd.DEQ("sin", 0.0)
    kernel, cross = model.gram(X, depth=1), model.gram(Y, X, depth=1)
    found = kernel.predict(TARGETS, cross, noise=noise)
    with mp.workdps(60):
        exact = sine(Y, X) * (sine(X, X) + noise * mp.eye(6)) ** -1 * mp_matrix(TARGETS)
        wrong = np.array((mp_matrix(found.mean) - exact).tolist(), dtype=float)
    bounds = found.mean_bounds
    assert bounds.outcome is Outcome.PROVEN
    assert (np.abs(wrong) <= bounds.errors).all()
    assert bounds.largest < 1e-9
    assert (np.abs(wrong) <= found.estimated_error).all()


def test_bounds_hold_for_all_kernels_within_the_errors():
    kernel, cross = kernels("gram")
    K, C = kernel.matrix, cross.matrix
    rng = np.random.default_rng(0)
    for size in (1e-12, 1e-6, 1e-3):
        E, F = size * rng.uniform(0, 1, K.shape), size * rng.uniform(0, 1, C.shape)
        E = E + E.T
        least = float(np.linalg.eigvalsh(K)[0]) - E.sum(axis=1).max()
        a, B = np.linalg.solve(K, TARGETS), np.linalg.solve(K, C.T)
        bounds = regression_bounds((K, E), (C, F), 0.0, least, (TARGETS, a, B), C @ a)
        reached = np.zeros((3, 2))
        for _ in range(30):
            signs = np.triu(rng.choice([-1.0, 1.0], K.shape))
            moved = K + E * (signs + np.triu(signs, 1).T)
            other = (C + F * rng.choice([-1.0, 1.0], C.shape)) @ np.linalg.solve(moved, TARGETS)
            reached = np.maximum(reached, np.abs(other - C @ a))
        assert (reached <= bounds.errors).all()
        assert (bounds.errors <= 20 * reached + 1e-12).all()


def test_what_is_not_proven_says_why():
    model = hd.DEQ(np.tanh, 0.3)
    unproven = model.gram(X).predict(TARGETS, model.gram(Y, X)).mean_bounds
    assert (unproven.outcome, unproven.errors, unproven.largest) == (Outcome.UNDECIDED, None, math.inf)
    assert "Python function" in unproven.reason
    rate = model.gram(X).training_rate(0.1)
    assert (rate.outcome, rate.rate, rate.largest_step) == (Outcome.UNDECIDED, math.inf, 0.0)
    assert "Python function" in rate.reason
    no_least = regression_bounds(
        (np.eye(1), np.zeros((1, 1))), (np.eye(1), np.zeros((1, 1))), 0.0, 0.0, (np.eye(1),) * 3, np.eye(1)
    )
    assert no_least.outcome is Outcome.UNDECIDED
    assert "noise" in no_least.reason


@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_rates_cover_those_of_the_exact_kernel(noise):
    kernel = hd.DEQ("sin", 0.0).gram(X, depth=1)
    with mp.workdps(40):
        values = [float(v) for v in mp.eigsy(sine(X, X) + mp.mpf(noise) * mp.eye(6), eigvals_only=True)]
    least, largest = min(values), max(values)
    best = kernel.training_rate(noise=noise)
    assert best.least <= least
    assert least - best.least < 1e-12
    assert largest <= best.largest
    assert 2 / largest - 1e-10 < best.largest_step < 2 / largest
    assert best.outcome is Outcome.PROVEN
    assert best.rate == pytest.approx((largest - least) / (largest + least), abs=1e-10)
    for step in (0.1, best.step, 0.999 * best.largest_step):
        rate = kernel.training_rate(step, noise=noise)
        exact = max(abs(1 - step * v) for v in values)
        assert exact <= rate.rate <= exact + 1e-10
        assert rate.outcome is Outcome.PROVEN
    beyond = kernel.training_rate(2.001 / largest, noise=noise)
    assert beyond.outcome is Outcome.REFUTED
    assert beyond.rate > 1


def test_residuals_shrink_at_the_proven_rate():
    kernel, _ = kernels("ntk")
    rate = kernel.training_rate()
    y = TARGETS[:, 0]
    for steps in (1, 5, 50):
        left = np.linalg.norm(y - kernel.predict(y, steps=steps, step=rate.step).mean)
        assert left <= rate.rate**steps * np.linalg.norm(y) * (1 + 1e-12)
    left = np.linalg.norm(y - kernel.predict(y, t=3.0).mean)
    assert left <= math.exp(-3.0 * rate.least) * np.linalg.norm(y) * (1 + 1e-12)


# Where kernels end


def test_repeated_rows_are_refused_at_the_end_and_fine_before():
    rows = X[[0, 0, 1, 2]]
    y = np.array([1.0, 3.0, 0.0, 0.0])
    for kind in ("gram", "ntk"):
        kernel = getattr(MODEL, kind)(rows)
        with pytest.raises(InvalidInputError, match=r"singular to working precision.*noise"):
            kernel.predict(y)
        assert kernel.training_rate().outcome is Outcome.UNDECIDED
        late = kernel.predict(y, t=1e4).mean
        np.testing.assert_allclose(late, [2.0, 2.0, 0.0, 0.0], atol=1e-7)  # the mean of both targets
        np.testing.assert_allclose(kernel.predict(y, noise=1e-9).mean, late, atol=1e-6)


def test_a_kernel_of_zeros_learns_nothing():
    kernel = MODEL.gram(X, depth=0)
    found = kernel.predict(TARGETS, t=1e10)
    assert not found.mean.any()
    assert not found.variance.any()
    with pytest.raises(InvalidInputError, match="singular"):
        kernel.predict(TARGETS)


@pytest.mark.parametrize("z", [0.0, 1e-300, 1e-12, 0.3, 1.0, 1.7, 2.0 - 1e-9, 2.0])
@pytest.mark.parametrize("steps", [0, 1, 2, 7, 10**9])
def test_responses_of_steps_keep_their_digits(z, steps):
    with mp.workdps(350):
        exact = mp.mpf(steps) * mp.mpf("0.5") if z == 0 else (1 - (1 - mp.mpf(z) / 2) ** steps) / mp.mpf(z)
        found = Training(steps=steps, step=0.5).response(np.array([z]))[0]
        assert abs(found - exact) <= 1e-13 * abs(exact)


@pytest.mark.parametrize("z", [0.0, 1e-300, 1e-12, 0.3, 40.0, 1e300])
@pytest.mark.parametrize("t", [0.0, 1e-9, 1.0, 1e9])
def test_responses_of_time_keep_their_digits(z, t):
    with mp.workdps(60):
        exact = mp.mpf(t) if z == 0 else -mp.expm1(-mp.mpf(t) * mp.mpf(z)) / mp.mpf(z)
        assert abs(Training(t).response(np.array([z]))[0] - exact) <= 1e-14 * abs(exact)


WRONG = {
    "noise = -1": {"noise": -1},
    "noise = nan": {"noise": math.nan},
    "t = -0.5": {"t": -0.5},
    "t = nan": {"t": math.nan},
    "steps = 3 without step": {"steps": 3},
    "step = 0.1 without steps": {"step": 0.1},
    "step = 0.0: allowed are positive": {"steps": 3, "step": 0.0},
    "steps=-1": {"steps": -1, "step": 0.1},
    "steps=1.5": {"steps": 1.5, "step": 0.1},
    "gradient flow has a time": {"t": 1.0, "steps": 3, "step": 0.1},
    "beyond 2/lambda_max": {"steps": 3, "step": 100.0},
}


@pytest.mark.parametrize("message", sorted(WRONG))
def test_bad_lengths_of_training_are_named(message):
    with pytest.raises(InvalidInputError, match=message):
        kernels("gram")[0].predict(TARGETS, **WRONG[message])


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (TARGETS[:5], r"y has the shape \(5, 2\); allowed are \(6,\) and \(6, outputs\)"),
        (TARGETS.T, r"\(2, 6\)"),
        (np.ones((6, 2, 1)), r"\(6, 2, 1\)"),
        (np.ones((6, 0)), r"\(6, 0\)"),
        (np.where(TARGETS > 0, np.nan, TARGETS), r"y\[\d, \d\] = nan is not finite"),
        (TARGETS + 1j, "complex"),
    ],
)
def test_bad_targets_are_named(y, message):
    with pytest.raises(InvalidInputError, match=message):
        kernels("gram")[0].predict(y)


@pytest.mark.parametrize(
    ("cross", "message"),
    [
        (lambda: MODEL.gram(X, Y), r"turned round: pass model\.gram\(Y, X\)"),
        (lambda: MODEL.gram(Y, X[::-1]), "not the 6 training samples in their order"),
        (lambda: MODEL.ntk(Y, X), "a block of a tangent kernel"),
        (lambda: MODEL.replace(sigma_w=0.3).gram(Y, X), "its sigma_w is 0.3, that of y's 0.4"),
        (lambda: MODEL.replace(activation="gelu").gram(Y, X), "another kernel: its activation"),
        (lambda: MODEL.gram(Y, X, depth=2), "another kernel: its depth"),
        (lambda: np.ones((6, 3)), "Pass its transpose"),
        (lambda: np.ones(6), r"\(6,\); allowed is \(p, 6\)"),
        (lambda: np.ones((0, 6)), r"\(0, 6\)"),
        (lambda: np.full((2, 6), np.inf), "cross.0, 0. = inf"),
    ],
)
def test_bad_cross_kernels_are_named(cross, message):
    with pytest.raises(InvalidInputError, match=message):
        kernels("gram")[0].predict(TARGETS, cross(), t=1.0)


def test_missing_and_misshapen_covariances_are_named():
    theta, cross = kernels("ntk")
    block = np.asarray(cross)
    with pytest.raises(InvalidInputError, match=r"gram_cross is missing"):
        _ = theta.predict(TARGETS, block, test_covariance=MODEL.gram(Y)).covariance
    with pytest.raises(InvalidInputError, match=r"the variance needs K .* or its diagonal"):
        _ = theta.predict(TARGETS, block, gram_cross=MODEL.gram(Y, X)).variance
    with pytest.raises(InvalidInputError, match=r"test_covariance has the shape \(6, 6\); allowed are \(3, 3\)"):
        theta.predict(TARGETS, block, test_covariance=MODEL.gram(X))
    with pytest.raises(InvalidInputError, match=r"gram_cross has the shape \(6, 3\); allowed is \(3, 6\)"):
        theta.predict(TARGETS, block, gram_cross=MODEL.gram(X, Y))
    with pytest.raises(AccuracyError, match="scale the targets"):
        theta.predict(np.full(6, 1e308), block * 1e4)


def test_matrices_on_disk_say_how_to_predict(tmp_path):
    stored = MODEL.store_gram(X, tmp_path / "K.zarr")
    with pytest.raises(InvalidInputError, match=r"model\.gram\(X\)\.predict"):
        stored.predict(TARGETS)


# Beside networks


@pytest.mark.slow
def test_an_ensemble_of_networks_whose_readout_is_trained():
    """60 networks of width 400: the mean within 4.5 standard errors, the variance by its chi-square law at 1e-4."""
    from scipy.stats import chi2

    count, y = 60, TARGETS[:, 0]
    kernel, cross = kernels("gram")
    found = kernel.predict(y, cross, t=20.0)
    answers = []
    for seed in range(count):
        Z = MODEL.sample(width=400, inputs=4, seed=seed).equilibrium(ALL).Z / math.sqrt(400)
        start = np.random.default_rng([seed, 1]).standard_normal(400) @ Z
        values, vectors = np.linalg.eigh(Z[:, :6].T @ Z[:, :6])
        weights = vectors @ (-np.expm1(-20.0 * values) / values * (vectors.T @ (y - start[:6])))
        answers.append(start[6:] + Z[:, 6:].T @ Z[:, :6] @ weights)
    answers = np.array(answers)
    assert (np.abs(answers.mean(axis=0) - found.mean) < 4.5 * answers.std(axis=0, ddof=1) / math.sqrt(count)).all()
    ratio = answers.var(axis=0, ddof=1) / found.variance * (count - 1)
    assert (chi2.ppf(1e-4, count - 1) < ratio).all()
    assert (ratio < chi2.ppf(1 - 1e-4, count - 1)).all()
