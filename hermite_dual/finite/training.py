"""Full-batch gradient descent on the quadratic loss, with implicit differentiation and warm starts.

With the residuals `r = a^T Z - y` and the sensitivities G (see `gradients`), the gradients of `1/2 |r|^2` are

    d/da = Z r,   d/dW = (G r) Z^T,   d/dU = (G r) X,   d/db = G r,

`G r` meaning the columns of G scaled by r. States and sensitivities, carried on along the line through the last two
epochs, start the iterations of the next.
"""

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import scipy.linalg
from numpy.typing import ArrayLike

from hermite_dual.arrays import Array
from hermite_dual.errors import ConvergenceError, InvalidInputError
from hermite_dual.exact_numbers import check_count, real_array, real_number
from hermite_dual.finite.equilibrium import solve_equilibrium
from hermite_dual.finite.fixed_point import TOLERANCE
from hermite_dual.finite.gradients import PARAMETERS, check_parameters, slope_function, solve_sensitivities
from hermite_dual.finite.spectral_norm import norm_estimate
from hermite_dual.finite.training_run import TrainingRun
from hermite_dual.finite.untied import check_columns
from hermite_dual.namespaces import check_array, namespace_of
from hermite_dual.progress import Progress

if TYPE_CHECKING:
    from hermite_dual.finite.network import FiniteDEQ


# A loss this many times the first has diverged: no run that the theory covers ever rises.
_DIVERGED = 1e3


@dataclass(frozen=True)
class _Epoch:
    """The numbers of one epoch; NaN where there was no equilibrium."""

    loss: float
    norm: float
    least: float
    residual: float


def train(
    network: "FiniteDEQ",
    X: ArrayLike,
    y: ArrayLike,
    step: float,
    epochs: int,
    *,
    parameters: tuple[str, ...] | None = None,
    require_contraction: bool = True,
    progress: Progress | None = None,
) -> TrainingRun:
    """Train a network; see `FiniteDEQ.train`."""
    samples, targets = checked_data(network, X, y)
    names = default_parameters(network) if parameters is None else check_parameters(parameters)
    check_step(step)
    check_count("epochs", epochs, 0, "the number of steps")
    descent = _Descent(network, samples, targets, float(step), names)
    limit = 1.0 / descent.lipschitz if require_contraction else math.inf
    records: list[_Epoch] = []
    trained, stopped, interrupted = network, None, False
    try:
        for epoch in range(epochs + 1):
            measured = descent.measure(limit)
            if records and measured.norm < limit and not measured.loss <= _DIVERGED * records[0].loss:
                raise _diverged(epoch, records[0].loss, measured.loss, descent)
            trained = descent.network
            records.append(measured)
            if progress is not None:
                progress(f"epochs, loss {measured.loss:.3g}", epoch, epochs)
            if measured.norm >= limit:
                stopped = _contraction_lost(epoch, measured.norm, descent)
            elif epoch < epochs and measured.loss <= descent.resolution():
                stopped = f"the loss reached rounding at epoch {epoch}"
            if stopped is not None or epoch == epochs:
                break
            descent.advance()
    except KeyboardInterrupt:
        if not records:
            raise
        stopped, interrupted = f"interrupted after epoch {len(records) - 1}", True
    return TrainingRun(
        network=trained,
        loss=np.array([record.loss for record in records]),
        norm=np.array([record.norm for record in records]),
        least_eigenvalue=np.array([record.least for record in records]),
        residual=np.array([record.residual for record in records]),
        step=float(step),
        parameters=names,
        lipschitz=descent.lipschitz,
        stopped=stopped,
        interrupted=interrupted,
    )


class _Trail:
    """The last two of a sequence of arrays that moves smoothly.

    Attributes:
        last: the last one; the one given at first.
    """

    def __init__(self, start: Array) -> None:
        self.last = start
        self._before: Array | None = None
        self._empty = True

    def add(self, values: Array) -> None:
        """Append an array."""
        self._before, self.last, self._empty = None if self._empty else self.last, values, False

    def ahead(self) -> Array:
        """Return the next one as a straight line through the last two would have it."""
        return self.last if self._before is None else 2.0 * self.last - self._before


class _Descent:
    """The moving parts of a run: parameters, and the states, sensitivities and top vector that start the next epoch.

    Attributes:
        network: the network as it is now.
        start: the network as it was given.
        X: samples, shape (n, d).
        names: names of the trained parameters.
        step: step size.
        lipschitz: Lipschitz constant of phi.
    """

    def __init__(self, network: "FiniteDEQ", X: Array, y: Array, step: float, names: tuple[str, ...]) -> None:
        if not isinstance(network.W, np.ndarray):
            raise InvalidInputError(
                "the weights W of the network are not kept, and training changes them; draw it with "
                "model.sample(width, inputs, seed, memory=float('inf'))"
            )
        self._slope = slope_function(network.activation, np)
        self.lipschitz = float(network.activation.lipschitz)
        self.network = self.start = network
        self.X, self.names, self.step = X, names, step
        self._W: Array = network.W
        self._y, self._r = y, np.full(len(y), np.nan)
        zero = np.zeros((network.width, len(y)))
        self._states, self._sensitivities = _Trail(zero), _Trail(zero)
        self._top: Array | None = None

    def measure(self, limit: float) -> _Epoch:
        """Solve the equilibrium and return the numbers of the epoch.

        Where there is none, and training is to blame or the norm reaches the limit, all but the norm are NaN.
        """
        net = self.network
        norm, self._top = norm_estimate(self._W, self._top)
        try:
            start = self._states.ahead()
            equilibrium = solve_equilibrium(net.activation, self._W, self._drive(), sigma_w=net.sigma_w, start=start)
        except ConvergenceError:
            if norm >= limit or net is not self.start:
                return _Epoch(math.nan, norm, math.nan, math.nan)
            raise
        self._states.add(equilibrium.Z)
        with np.errstate(over="ignore", invalid="ignore"):
            self._r = net.a @ equilibrium.Z - self._y
            loss = 0.5 * float(self._r @ self._r)
        return _Epoch(loss, norm, _least_eigenvalue(equilibrium.Z), equilibrium.residual)

    def advance(self) -> None:
        """Take one step."""
        net, Z, r = self.network, self._states.last, self.step * self._r
        a, W, U, b = net.a, self._W, net.U, net.b
        if self.names != ("a",):
            start = self._sensitivities.ahead()
            G = solve_sensitivities(self._slope(W @ Z + self._drive()), W, a, xp=np, start=start)
            self._sensitivities.add(G)
            scaled = G * r
            W = W - scaled @ Z.T if "W" in self.names else W
            U = U - scaled @ self.X if "U" in self.names else U
            b = b - scaled.sum(axis=1) if "b" in self.names else b
        a = a - Z @ r if "a" in self.names else a
        # One assignment, so that an interruption leaves the network of an epoch, not a half of the next.
        self._W, self.network = W, replace(net, a=a, W=W, U=U, b=b)

    def resolution(self) -> float:
        """The loss that the tolerance of the equilibria alone can leave."""
        size = max(1.0, float(np.abs(self._states.last).max()))
        return 0.5 * len(self._y) * (TOLERANCE * size * float(np.abs(self.network.a).sum())) ** 2

    def _drive(self) -> Array:
        drive: Array = self.network.U @ self.X.T
        drive += self.network.b[:, None]
        return drive


def _least_eigenvalue(Z: Array) -> float:
    """`lambda_min(Z^T Z)`, 0 where there are fewer neurons than samples."""
    m, n = Z.shape
    if m < n:
        return 0.0
    return float(scipy.linalg.eigvalsh(Z.T @ Z, subset_by_index=[0, 0])[0])


def _contraction_lost(epoch: int, norm: float, descent: _Descent) -> str:
    fact = f"L ||W||_2 = {descent.lipschitz * norm:.6g} >= 1 with L = {descent.lipschitz:.6g}"
    if epoch == 0:
        remedy = "draw the network with a smaller sigma_w, or pass require_contraction=False"
    else:
        remedy = f"the weights moved too far at step={descent.step!r}: {_stable(descent)}, or a larger width"
    return f"the contraction is lost at epoch {epoch}: {fact}; {remedy}"


def _diverged(epoch: int, first: float, loss: float, descent: _Descent) -> ConvergenceError:
    return ConvergenceError(
        f"step={descent.step!r}: the loss diverges, from {first:.4g} to {loss:.4g} at epoch {epoch}; "
        f"{_stable(descent)}."
    )


def _stable(descent: _Descent) -> str:
    stable = descent.start.stable_step(descent.X, descent.names)
    return (
        f"the linearised network is stable for steps below 2/lambda_max of its tangent kernel, here {stable:.4g}: "
        "pass half of that, or less"
    )


def default_parameters(network: "FiniteDEQ") -> tuple[str, ...]:
    """Return what is trained where nothing is said: all, without b where biases were not drawn."""
    return tuple(name for name in PARAMETERS if name != "b" or network.sigma_b > 0.0)


def checked_data(network: "FiniteDEQ", X: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
    """Return samples and targets that fit the network, or say what does not."""
    for name, values in (("X", X), ("y", y)):
        if namespace_of(values) is not np:
            raise InvalidInputError(
                f"{name} is an array of {type(values).__module__}; training runs in NumPy. Pass it as a NumPy array."
            )
    samples = check_columns(check_array(X, np, "X"), network.inputs)
    targets = real_array(y, "y")
    if targets.shape != (len(samples),) or targets.dtype.kind not in "biuf":
        raise InvalidInputError(
            f"y has the shape {targets.shape} and the type {targets.dtype}; allowed are real numbers of shape "
            f"({len(samples)},), one target per row of X, since the network has one output. Pass one column at a time."
        )
    if not np.all(np.isfinite(targets)):
        raise InvalidInputError(
            f"y holds {int((~np.isfinite(targets)).sum())} values that are not finite; allowed are finite numbers. "
            "Remove those samples."
        )
    return samples, targets.astype(np.float64)


def check_step(step: object) -> None:
    """Refuse what is no step size."""
    remedy = "pass a part of network.stable_step(X), such as a half"
    if real_number(step, "step", remedy) <= 0.0:
        raise InvalidInputError(f"step={step!r}: allowed are finite numbers > 0; {remedy}.")
