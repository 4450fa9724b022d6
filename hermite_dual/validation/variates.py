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

from dataclasses import dataclass
from typing import ClassVar, Protocol, cast

import numpy as np

from hermite_dual.activation import Activation
from hermite_dual.arrays import Array
from hermite_dual.finite import DrawnMatrix, FiniteDEQ, FiniteMLP
from hermite_dual.validation.layer_control import LayerControl
from hermite_dual.validation.wide_model import WideModel, layers_of

Weights = Array | DrawnMatrix


class Control(Protocol):
    """The control variates of a model's networks on samples."""

    @property
    def names(self) -> tuple[str, ...]:
        """What each variate is, in order."""

    def read(self, net: FiniteDEQ | FiniteMLP, gram: Array | None = None) -> tuple[Array, Array]:
        """Return the Gram matrix of a network, shape (n, n), and its variates, shape (number, n, n).

        Args:
            net: the network.
            gram: its Gram matrix, where that is known.
        """


@dataclass(frozen=True, eq=False)
class EquilibriumControl:
    """The control of a deep equilibrium model.

    Attributes:
        X: samples, shape (n, d).
        depth_one: `K(1)`, shape (n, n).
    """

    X: Array
    depth_one: Array
    names: ClassVar[tuple[str, ...]] = ("depth 1", "recurrence")

    def read(self, net: FiniteDEQ | FiniteMLP, gram: Array | None = None) -> tuple[Array, Array]:
        """Return the Gram matrix and the two variates of a network; see `Control`."""
        net = cast(FiniteDEQ, net)
        drive = net.U @ self.X.T + net.b[:, None]
        variates = control_variates(net.activation, net.W, drive, net.sigma_w, self.depth_one)
        return (np.asarray(net.gram(self.X)) if gram is None else gram), variates


def control_of(model: WideModel, X: Array, depth_one: Array) -> Control:
    """Return the control that belongs to a model.

    Args:
        model: the model of infinite width.
        X: samples, shape (n, d).
        depth_one: `K(1)`, shape (n, n).
    """
    layers = layers_of(model)
    return EquilibriumControl(X, depth_one) if layers is None else LayerControl(model, layers, X)


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
