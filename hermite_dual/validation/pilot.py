"""Small networks drawn beside those of a validation, to choose the control and the tests before any of them is seen.

They have seeds of their own, so that what is chosen is fixed with respect to the networks that are tested: a poor
choice costs power, never validity.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hermite_dual.arrays import Array
from hermite_dual.finite import FiniteDEQ
from hermite_dual.validation.variates import Control
from hermite_dual.validation.wide_model import WideModel

# Enough networks for the covariance of about 30 functionals: their estimated optimum has 1 / (1 - 30/192) = 1.2 times
# the least variance. The width matters little, the variances being those of averages over neurons.
_NETWORKS, _WIDTH = 192, 64
# Plain steps from zero: the fluctuations are wanted to a percent, not the equilibrium.
_STEPS = 8
# Samples solved at once: products as small as these stay on one thread, where a second would cost more than it saves,
# and by far where other work runs beside them.
_COLUMNS = 64
# A state of this size, where phi contracts, has left every range of a plausible equilibrium.
_BLOW_UP = 1e6
# Singular values of the normal equations, relative to the largest, that count as zero.
_RANK = 1e-10
# A control that leaves less than this share of the fluctuations leaves rounding alone.
_ROUNDING = 1e-10


@dataclass(frozen=True, eq=False)
class Pilot:
    """What the pilot networks say.

    Attributes:
        coefficients: of the control variates.
        covariance: of the functionals of the controlled Gram matrix over pilot networks, shape (p, p); zero where
            the control leaves nothing but rounding.
    """

    coefficients: Array
    covariance: Array


def run_pilot(
    model: WideModel, X: Array, K: Array, control: Control, functionals: Callable[[Array], Array], seed: int
) -> Pilot:
    """Draw pilot networks; choose coefficients by least squares over all their entries.

    Args:
        model: the model of infinite width.
        X: samples, shape (n, d).
        K: its population Gram matrix, shape (n, n).
        control: the control variates.
        functionals: maps a symmetric matrix linearly to p numbers.
        seed: seed of the validation.

    Returns:
        The coefficients and the covariance.
    """
    count = len(control.names)
    normal, right = np.zeros((count, count)), np.zeros(count)
    read = []
    for index in range(_NETWORKS):
        stream = np.random.SeedSequence(seed, spawn_key=(0, 0, index))
        net = model.sample(width=_WIDTH, inputs=X.shape[1], seed=stream)
        with np.errstate(all="ignore"):
            gram = _gram(net, net.U @ X.T + net.b[:, None]) if isinstance(net, FiniteDEQ) else None
            if gram is None and isinstance(net, FiniteDEQ):
                continue
            G, variates = control.read(net, gram)
        if not (np.isfinite(variates).all() and np.isfinite(G).all()):
            continue
        flat = variates.reshape(count, -1)
        normal += flat @ flat.T
        right += flat @ (G - K).ravel()
        read.append(np.array([functionals(matrix) for matrix in (G, *variates)]))
    if len(read) < 2:
        return Pilot(np.ones(count), np.eye(len(functionals(K))))
    coefficients = np.asarray(np.linalg.lstsq(normal, right, rcond=_RANK)[0], dtype=np.float64)
    values = np.array(read)
    controlled: Array = values[:, 0] - np.einsum("k,jkp->jp", coefficients, values[:, 1:])
    covariance: Array = np.atleast_2d(np.cov(controlled.T))
    if controlled.std(axis=0).max() <= _ROUNDING * values[:, 0].std(axis=0).max():
        covariance[...] = 0.0
    return Pilot(coefficients, covariance)


def _gram(net: FiniteDEQ, drive: Array) -> Array | None:
    Z = np.empty_like(drive)
    for start in range(0, drive.shape[1], _COLUMNS):
        columns = slice(start, start + _COLUMNS)
        state = np.zeros_like(drive[:, columns])
        for _ in range(_STEPS):
            state = np.asarray(net.activation(net.W @ state + drive[:, columns]), dtype=np.float64)
        Z[:, columns] = state
    # NaN fails the comparison as well.
    if not float(np.abs(Z).max()) < _BLOW_UP:
        return None
    G: Array = Z.T @ Z / len(Z)
    return G
