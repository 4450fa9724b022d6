"""Full-batch gradient descent on the quadratic loss, with implicit differentiation and warm starts.

With the residuals `r = a^T Z - y` and the sensitivities G (see `gradients`), the gradients of `1/2 |r|^2` are

    d/da = Z r,   d/dW = (G r) Z^T,   d/dU = (G r) X,   d/db = G r,

`G r` meaning the columns of G scaled by r. The Gauss-Newton step is the same with `Theta^-1 r` in the place of r, Theta
the standard tangent kernel: to first order the residuals become `(1 - step) r`. States and sensitivities, carried on
along the line through the last two epochs, start the iterations of the next.
"""

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import scipy.linalg
from numpy.typing import ArrayLike

from hermite_dual.arrays import Array
from hermite_dual.errors import ConvergenceError, InvalidInputError
from hermite_dual.exact_numbers import check_count
from hermite_dual.finite.equilibrium import solve_equilibrium
from hermite_dual.finite.fixed_point import TOLERANCE
from hermite_dual.finite.gradients import slope_function, solve_sensitivities
from hermite_dual.finite.ntk import scales_of, tied_ntk
from hermite_dual.finite.spectral_norm import norm_estimate
from hermite_dual.finite.training_input import check_step, checked_data, default_parameters
from hermite_dual.finite.training_run import TrainingRun
from hermite_dual.outcome import Outcome
from hermite_dual.population.entries.trained import check_parameters
from hermite_dual.progress import Progress

if TYPE_CHECKING:
    from hermite_dual.finite.network import FiniteDEQ
    from hermite_dual.finite.training_certificate import TrainingCertificate


Method = Literal["gradient", "gauss-newton"]
"""How a step is made: along the gradient, or to the zero of the linearised residuals."""
_USEFUL = 0.1  # times 1/lambda_max: no smaller step is worth the name after Gauss-Newton steps, which go on
_AFAR = 1.25  # times the threshold of a network far from it, where a proof is tried again
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
    method: Method = "gradient",
    certify: bool = False,
    require_contraction: bool = True,
    progress: Progress | None = None,
) -> TrainingRun:
    """Train a network; see `FiniteDEQ.train`."""
    samples, targets = checked_data(network, X, y)
    names = default_parameters(network) if parameters is None else check_parameters(parameters)
    check_step(step)
    check_count("epochs", epochs, 0, "the number of steps")
    if method not in ("gradient", "gauss-newton"):
        raise InvalidInputError(f"method={method!r}: allowed are 'gradient' and 'gauss-newton'.")
    descent = _Descent(network, samples, targets, float(step), names, method)
    watch = _Watch(descent) if certify else None
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
            if watch is not None and measured.norm < limit:
                watch.look(epoch, measured.loss)
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
        method=method,
        certificate=None if watch is None else watch.certificate,
        proven_from=None if watch is None else watch.proven_from,
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

    def __init__(
        self, network: "FiniteDEQ", X: Array, y: Array, step: float, names: tuple[str, ...], method: Method
    ) -> None:
        if not isinstance(network.W, np.ndarray):
            raise InvalidInputError(
                "the weights W of the network are not kept, and training changes them; draw it with "
                "model.sample(width, inputs, seed, memory=float('inf'))"
            )
        self._slope = slope_function(network.activation, np)
        self.lipschitz = float(network.activation.lipschitz)
        self.network = self.start = network
        self.X, self.y, self.names, self.step, self.method = X, y, names, step, method
        self._W: Array = network.W
        self._r = np.full(len(y), np.nan)
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
            self._r = net.a @ equilibrium.Z - self.y
            loss = 0.5 * float(self._r @ self._r)
        return _Epoch(loss, norm, _least_eigenvalue(equilibrium.Z), equilibrium.residual)

    def advance(self) -> None:
        """Take one step."""
        net, Z, r = self.network, self._states.last, self.step * self._r
        a, W, U, b = net.a, self._W, net.U, net.b
        G = np.zeros_like(Z)
        if self.names != ("a",):
            start = self._sensitivities.ahead()
            G = solve_sensitivities(self._slope(W @ Z + self._drive()), W, a, xp=np, start=start)
            self._sensitivities.add(G)
        if self.method == "gauss-newton":
            scales = scales_of((1.0, 1.0, 1.0), W.shape[:1] + U.shape[1:], "standard", self.names)
            r = scipy.linalg.solve(tied_ntk(Z, G, self.X, scales).matrix, r, assume_a="pos")
        if self.names != ("a",):
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
        return 0.5 * len(self.y) * (TOLERANCE * size * float(np.abs(self.network.a).sum())) ** 2

    def _drive(self) -> Array:
        drive: Array = self.network.U @ self.X.T
        drive += self.network.b[:, None]
        return drive


class _Watch:
    """Looks for the first epoch from which the rest of the run is proven.

    A proof tells below which residual it would go through, so the next one waits for that.

    Attributes:
        certificate: the last that was tried; None before the first.
        proven_from: the epoch of a PROVEN one; None if there is none.
    """

    def __init__(self, descent: "_Descent") -> None:
        self._descent = descent
        self._below = math.inf
        self.certificate: TrainingCertificate | None = None
        self.proven_from: int | None = None

    def look(self, epoch: int, loss: float) -> None:
        """Try a proof at an epoch where it may go through."""
        residual = math.sqrt(2.0 * loss)
        if self.proven_from is not None or not residual < self._below:
            return
        from hermite_dual.finite.training_proof import certify_training

        descent = self._descent
        step = descent.step if descent.method == "gradient" else None
        self.certificate = certify_training(descent.network, descent.X, descent.y, step, parameters=descent.names)
        # what is known from afar may be too strict here
        self._below = self.certificate.threshold * (_AFAR if self.certificate.shortfall > _AFAR**2 else 1.0)
        start = self.certificate.start
        if self.certificate.outcome is Outcome.PROVEN and start is not None:
            if descent.method == "gradient" or self.certificate.step * start.largest**2 >= _USEFUL:
                self.proven_from = epoch
            else:
                self._below = residual


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
