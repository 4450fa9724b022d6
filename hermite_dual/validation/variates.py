r"""Control variates of an empirical Gram matrix: matrices of the same network whose mean is known exactly.

With `u = U x + b`, `p = phi(u)` (the network after one step from zero) and `g = W p`:

1. *Depth one*: `C - K(1)`, `C = p^T p / m`. The rows of p are iid, so the mean of C is K(1) at every width.
2. *Recurrence*: `t^T t / m - E[t^T t / m | U, b]` for the second-order expansion in g,
   `t = p + s g + e (g^2 - sigma_w^2 C_ii)`, s and e the first and half the second central difference of phi at u. Given
   U and b, the rows of g are iid `N(0, sigma_w^2 C)`, so that (Isserlis)
   `E[t_i t_j | U, b] = p_i p_j + sigma_w^2 C_ij s_i s_j + 2 sigma_w^4 C_ij^2 e_i e_j`, whatever the functions s and e.

Both are unbiased for every width, activation and data. Neither knows the kernel of the fixed point; the first knows
K(1).
"""

import numpy as np

from hermite_dual.activation import Activation
from hermite_dual.arrays import Array
from hermite_dual.finite import DrawnMatrix, FiniteDEQ, FiniteMLP

Weights = Array | DrawnMatrix

NAMES = ("depth 1", "recurrence")


def network_variates(net: FiniteDEQ | FiniteMLP, X: Array, depth_one: Array) -> Array:
    """Compute the control variates of a network on samples X, shape (2, n, n); without recurrence the second is 0.

    Args:
        net: the network.
        X: samples, shape (n, d).
        depth_one: `K(1)`, shape (n, n).
    """
    if isinstance(net, FiniteDEQ):
        return control_variates(net.activation, net.W, net.U @ X.T + net.b[:, None], net.sigma_w, depth_one)
    values = np.asarray(net.first_values(X), dtype=np.float64)
    return np.stack([values.T @ values / len(values) - depth_one, np.zeros_like(depth_one)])


def control_variates(activation: Activation, W: Weights, drive: Array, sigma_w: float, depth_one: Array) -> Array:
    """Compute the control variates of one network.

    Args:
        activation: the activation phi, a vectorised float64 function.
        W: recurrent weights, shape (m, m).
        drive: `U X^T + b`, shape (m, n).
        sigma_w: scale of the recurrent weights.
        depth_one: `K(1)`, shape (n, n).

    Returns:
        Shape (2, n, n), symmetric, mean zero.
    """
    m = len(drive)
    p = np.asarray(activation(drive), dtype=np.float64)
    C = p.T @ p / m
    recurrence = _recurrence(activation, W, drive, sigma_w, p, C) if sigma_w > 0.0 else np.zeros_like(C)
    return np.stack([C - depth_one, recurrence])


def _recurrence(activation: Activation, W: Weights, drive: Array, sigma_w: float, p: Array, C: Array) -> Array:
    m = len(drive)
    variances = sigma_w**2 * np.diagonal(C)
    # The step of the differences is the size of g, over which they are to follow phi: a kink is smoothed alike.
    step = np.where(variances > 0.0, np.sqrt(variances), 1.0)
    above = np.asarray(activation(drive + step), dtype=np.float64)
    below = np.asarray(activation(drive - step), dtype=np.float64)
    s = (above - below) / (2.0 * step)
    e = (above + below - 2.0 * p) / (2.0 * step**2)
    g = W @ p
    t = p + s * g + e * (g**2 - variances)
    covariance = sigma_w**2 * C
    expected = C + covariance * (s.T @ s) / m + 2.0 * covariance**2 * (e.T @ e) / m
    recurrence: Array = t.T @ t / m - expected
    return recurrence
