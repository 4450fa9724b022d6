"""Linear functionals `<D, G - K>` that a validation tests, fixed before any network of it is drawn.

Averages alone are weak: the networks' Gram matrices fluctuate mostly along a few common modes, which hide a wrong
constant. For a target direction T, such as `dK/d log sigma_w`, the functional in the span of a family F_1..F_p that
estimates the coefficient of T with the least variance is `D = sum_k w_k F_k`, `w` proportional to `C^-1 v`,
`v_k = <F_k, T>` and C the covariance of `<F_k, G>` over networks (Gauss-Markov). C is taken from pilot networks: an
inaccurate C costs power, never validity.
"""

import math
from dataclasses import dataclass

import numpy as np

from hermite_dual.arrays import Array
from hermite_dual.population.gram import Gram
from hermite_dual.validation.pilot import run_pilot
from hermite_dual.validation.variates import Control
from hermite_dual.validation.wide_model import WideModel

# Eigenvectors whose quadratic forms are tested, and those whose products span the family of the sharpened directions.
_TESTED_VECTORS, _FAMILY_VECTORS = 4, 6
# Relative step of sigma^2 in the one-sided difference; downwards, where the contraction still holds. The Gram matrix is
# known to 1e-12, so that a percent leaves ten digits, and a percent of curvature.
_STEP = 0.01
# Degrees whose weight in the kernel is tested one by one.
_DEGREES = 4
# Ridge of the covariance, scaled to unit diagonal: functionals that coincide for tiny n.
_RIDGE = 1e-8


@dataclass(frozen=True, eq=False)
class Direction:
    """A linear functional `<D, .>` on symmetric matrices.

    Attributes:
        name: what it measures.
        unit: what a value of 1 means.
        D: symmetric matrix, shape (n, n).
    """

    name: str
    unit: str
    D: Array

    def __call__(self, matrix: Array) -> float:
        """Evaluate `sum_ij D_ij matrix_ij`."""
        # Not np.vdot: for products this short, its threads cost more than they do where other work runs beside them.
        return float((self.D * matrix).sum())


@dataclass(frozen=True, eq=False)
class Plan:
    """What is fixed before the networks of a validation are drawn.

    Attributes:
        directions: the functionals to test.
        coefficients: of the control variates.
        slopes: `dK/d log sigma` for sigma_w and sigma_u, where K depends on them, shape (n, n) each.
    """

    directions: list[Direction]
    coefficients: Array
    slopes: dict[str, Array]


def make_plan(
    model: WideModel, X: Array, gram: Gram, control: Control, seed: int, population: Array | None = None
) -> Plan:
    """Choose the directions of a model on samples, and the coefficients of the control variates.

    The directions are the mean of the diagonal and off the diagonal; quadratic forms of the top eigenvectors relative
    to their eigenvalues, and that of the bottom eigenvector of the matrix under test; sharpened directions of the
    overall scale, of sigma_w, of sigma_u and of the low degrees, and of the difference between the population given
    and the model's own.

    Args:
        model: the model of infinite width.
        X: samples, shape (n, d).
        gram: `model.gram(X)`.
        control: the control variates.
        seed: seed of the validation.
        population: the matrix under test, where it is not the model's own.
    """
    K = np.asarray(gram.matrix, dtype=np.float64)
    eigenvalues, vectors = np.linalg.eigh(K)
    slopes = _slopes(model, X, K)
    targets = _targets(K, slopes, np.asarray(gram.preactivation, dtype=np.float64))
    if population is not None and np.linalg.norm(population - K) > _RIDGE * np.linalg.norm(K):
        targets.append(Direction("given minus model.gram(X)", "that difference", population - K))
    averages = _averages(len(K))
    matrices = [direction.D for direction in averages] + [target.D for target in targets]
    family = _Family(vectors[:, -_FAMILY_VECTORS:], matrices)
    pilot = run_pilot(model, X, K, control, family.read, seed)
    bottom = vectors[:, 0] if population is None else np.linalg.eigh(population)[1][:, 0]
    directions = [
        *averages,
        *_top_forms(eigenvalues, vectors),
        Direction("least eigenvalue", "1", np.outer(bottom, bottom)),
        *_sharpen(targets, family, pilot.covariance),
    ]
    return Plan(directions, pilot.coefficients, slopes)


def _top_forms(eigenvalues: Array, vectors: Array) -> list[Direction]:
    return [
        Direction(f"eigenvector {rank} from the top", "its eigenvalue", np.outer(v, v) / value)
        for rank, (value, v) in enumerate(zip(eigenvalues[::-1], vectors.T[::-1], strict=True), 1)
        if rank <= _TESTED_VECTORS and value > _RIDGE * eigenvalues[-1]
    ]


def _averages(n: int) -> list[Direction]:
    diagonal = Direction("mean of the diagonal", "1", np.eye(n) / n)
    if n == 1:
        return [diagonal]
    return [diagonal, Direction("mean off the diagonal", "1", (1.0 - np.eye(n)) / (n * (n - 1)))]


def _slopes(model: WideModel, X: Array, K: Array) -> dict[str, Array]:
    slopes = {}
    for name in ("sigma_w", "sigma_u"):
        sigma = float(getattr(model, name))
        if sigma == 0.0:
            continue
        below = model.replace(**{name: sigma * math.sqrt(1.0 - _STEP)}).gram(X).matrix
        # log sigma = log(sigma^2) / 2, hence the factor 2
        slope = (K - np.asarray(below, dtype=np.float64)) * (2.0 / _STEP)
        if np.linalg.norm(slope) > _RIDGE * np.linalg.norm(K):
            slopes[name] = slope
    return slopes


def _targets(K: Array, slopes: dict[str, Array], S: Array) -> list[Direction]:
    scale = Direction("overall scale", "relative change of K", K)
    sigmas = [Direction(name, f"relative change of {name}", slope) for name, slope in slopes.items()]
    return [target for target in (scale, *sigmas, *_degrees(K, S)) if np.any(target.D)]


def _degrees(K: Array, S: Array) -> list[Direction]:
    """Give the entrywise powers of the correlation matrix that carry the first Hermite coefficients in K.

    With the variances equal, `K = sum_r a_r^2 R^(or)`: a wrong coefficient moves K along one of them, a wrong remainder
    along the identity, which high powers approach.
    """
    deviations = np.sqrt(np.diag(S))
    size = float(np.abs(np.diag(K)).mean())
    if size == 0.0 or not np.all(deviations > 0.0):
        return []
    R = S / np.outer(deviations, deviations)
    unit = "mean of the diagonal"
    powers = [Direction(f"degree {r}", unit, size * R**r) for r in range(_DEGREES)]
    return [*powers, Direction("high degrees", unit, size * np.eye(len(K)))]


class _Family:
    """Symmetric matrices F_1..F_p: products of vectors, `(v_a v_b^T + v_b v_a^T) / 2` for `a <= b`, and others.

    Args:
        V: the vectors, shape (n, k).
        matrices: the others.
    """

    def __init__(self, V: Array, matrices: list[Array]) -> None:
        self._V, self._matrices = V, matrices
        self._rows, self._columns = np.triu_indices(V.shape[1])

    def read(self, matrix: Array) -> Array:
        """Give `<F_k, matrix>`, shape (p,)."""
        products = (self._V.T @ matrix @ self._V)[self._rows, self._columns]
        return np.concatenate([products, [float((F * matrix).sum()) for F in self._matrices]])

    def combine(self, weights: Array) -> Array:
        """Give `sum_k weights_k F_k`, shape (n, n)."""
        core = np.zeros((self._V.shape[1], self._V.shape[1]))
        core[self._rows, self._columns] = weights[: len(self._rows)]
        D: Array = self._V @ core @ self._V.T
        for weight, matrix in zip(weights[len(self._rows) :], self._matrices, strict=True):
            D += weight * matrix
        return (D + D.T) / 2.0


def _sharpen(targets: list[Direction], family: _Family, covariance: Array) -> list[Direction]:
    scale = np.sqrt(np.diagonal(covariance))
    kept = scale > 0.0
    if not kept.any():
        # Networks that do not fluctuate: every functional is exact.
        scale, kept, covariance = np.ones(len(scale)), np.ones(len(scale), dtype=bool), np.eye(len(scale))
    scale = scale[kept]
    C = covariance[np.ix_(kept, kept)] / np.outer(scale, scale) + _RIDGE * np.eye(len(scale))
    sharpened = []
    for target in targets:
        weights = np.zeros(len(kept))
        weights[kept] = np.linalg.solve(C, family.read(target.D)[kept] / scale) / scale
        D = family.combine(weights)
        response = float((D * target.D).sum())
        if response > 0.0:
            sharpened.append(Direction(target.name, target.unit, D / response))
    return sharpened
