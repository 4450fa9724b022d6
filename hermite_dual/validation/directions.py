"""Linear functionals `<D, G - K>` that a validation tests, fixed before any network is drawn.

Averages alone are weak: the networks' Gram matrices fluctuate mostly along a few common modes, which hide a wrong
constant. For a target direction T, such as `dK/d log sigma_w`, the functional in the span of a family F_1..F_p that
estimates the coefficient of T with the least variance is `D = sum_k w_k F_k`, `w` proportional to `C^-1 v`,
`v_k = <F_k, T>` and C the covariance of `z^T F_k z` over neurons z (Gauss-Markov). C is taken from neurons of the
infinitely wide model, `z = phi(u)`, `u ~ N(0, S)`, with a seed of their own: an inaccurate C costs
power, never validity.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Eigenvectors whose quadratic forms are tested, and those whose products span the family of the sharpened directions.
_TESTED_VECTORS, _FAMILY_VECTORS = 4, 6
# Neurons of the pilot: enough for a covariance of about 25 functionals.
_PILOT_NEURONS = 4096
# Relative step of sigma^2 in the one-sided difference; downwards, where the contraction still holds.
_STEP = 0.1
# Degrees whose weight in the kernel is tested one by one.
_DEGREES = 4
# Ridge of the covariance, scaled to unit diagonal: functionals that coincide for tiny n.
_RIDGE = 1e-8


@dataclass(frozen=True, eq=False)
class Direction:
    """A linear functional `<D, .>` on symmetric matrices.

    Attributes:
        name: What it measures.
        unit: What a value of 1 means.
        D: Symmetric matrix, shape (n, n).
    """

    name: str
    unit: str
    D: Floats

    def __call__(self, matrix: Floats) -> float:
        """Evaluate `sum_ij D_ij matrix_ij`."""
        # Not np.vdot: for products this short, its threads cost more than they do where other work runs beside them.
        return float((self.D * matrix).sum())


def family_of_directions(
    model: Any, X: Floats, seed: np.random.SeedSequence, population: Floats | None = None
) -> list[Direction]:
    """Build the directions of a model on samples.

    Args:
        model: The model of infinite width.
        X: Samples, shape (n, d).
        seed: Seed of the pilot neurons.
        population: The matrix under test, where it is not the model's own.

    Returns:
        Mean of the diagonal and off the diagonal; quadratic forms of the top eigenvectors relative to their
        eigenvalues; sharpened directions of the overall scale, of sigma_w, of sigma_u and of the low degrees; and of
        the difference between the population given and the model's own.
    """
    gram = model.gram(X)
    K = np.asarray(gram.matrix, dtype=np.float64)
    eigenvalues, vectors = np.linalg.eigh(K)
    averages = _averages(len(K))
    forms = [
        Direction(f"eigenvector {rank} from the top", "its eigenvalue", np.outer(v, v) / value)
        for rank, (value, v) in enumerate(zip(eigenvalues[::-1], vectors.T[::-1], strict=True), 1)
        if rank <= _TESTED_VECTORS and value > _RIDGE * eigenvalues[-1]
    ]
    S = np.asarray(gram.preactivation, dtype=np.float64)
    targets = [*_targets(model, X, K), *_degrees(K, S)]
    if population is not None and np.linalg.norm(population - K) > _RIDGE * np.linalg.norm(K):
        targets.append(Direction("given minus model.gram(X)", "that difference", population - K))
    family = [direction.D for direction in averages] + [target.D for target in targets]
    neurons = _pilot_neurons(model.activation, S, seed)
    return averages + forms + _sharpen(targets, family, vectors[:, -_FAMILY_VECTORS:], neurons)


def _averages(n: int) -> list[Direction]:
    diagonal = Direction("mean of the diagonal", "1", np.eye(n) / n)
    if n == 1:
        return [diagonal]
    return [diagonal, Direction("mean off the diagonal", "1", (1.0 - np.eye(n)) / (n * (n - 1)))]


def _targets(model: Any, X: Floats, K: Floats) -> list[Direction]:
    """Give `K` itself and `dK/d log sigma` for sigma_w and sigma_u, where K depends on them."""
    targets = [Direction("overall scale", "relative change of K", K)]
    for name in ("sigma_w", "sigma_u"):
        sigma = float(getattr(model, name))
        if sigma == 0.0:
            continue
        below = model.replace(**{name: sigma * math.sqrt(1.0 - _STEP)}).gram(X).matrix
        # log sigma = log(sigma^2) / 2, hence the factor 2
        slope = (K - np.asarray(below, dtype=np.float64)) * (2.0 / _STEP)
        if np.linalg.norm(slope) > _RIDGE * np.linalg.norm(K):
            targets.append(Direction(name, f"relative change of {name}", slope))
    return [target for target in targets if np.any(target.D)]


def _degrees(K: Floats, S: Floats) -> list[Direction]:
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


def _pilot_neurons(activation: Any, S: Floats, seed: np.random.SeedSequence) -> Floats:
    """Draw `z = phi(u)`, `u ~ N(0, S)`; shape (n, number of neurons)."""
    values, vectors = np.linalg.eigh(S)
    # S is positive semidefinite; its rounded eigenvalues may not be.
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    noise = np.random.Generator(np.random.PCG64(seed)).standard_normal((len(S), _PILOT_NEURONS))
    return np.asarray(activation(root @ noise), dtype=np.float64)


def _sharpen(targets: list[Direction], family: list[Floats], V: Floats, Z: Floats) -> list[Direction]:
    rows, columns = np.triu_indices(V.shape[1])
    P = V.T @ Z
    # notation: F[k] holds z^T F_k z of each pilot neuron, v[k] holds <F_k, T>
    F = np.concatenate([P[rows] * P[columns], [np.einsum("im,im->m", D @ Z, Z) for D in family]])
    scale = F.std(axis=1)
    kept = scale > 0.0
    F, scale = F[kept] / scale[kept, None], scale[kept]
    if not len(F):
        return []
    C = np.atleast_2d(np.cov(F)) + _RIDGE * np.eye(len(F))
    sharpened = []
    for target in targets:
        projected = V.T @ target.D @ V
        v = np.concatenate([projected[rows, columns], [np.vdot(D, target.D) for D in family]])[kept] / scale
        weights = np.zeros(len(kept))
        weights[kept] = np.linalg.solve(C, v) / scale
        D = _combine(weights, family, V, rows, columns)
        response = float(np.vdot(D, target.D))
        if response > 0.0:
            sharpened.append(Direction(target.name, target.unit, D / response))
    return sharpened


def _combine(
    weights: Floats, family: list[Floats], V: Floats, rows: NDArray[np.intp], columns: NDArray[np.intp]
) -> Floats:
    core = np.zeros((V.shape[1], V.shape[1]))
    core[rows, columns] = weights[: len(rows)]
    D: Floats = V @ ((core + core.T) / 2.0) @ V.T
    for weight, matrix in zip(weights[len(rows) :], family, strict=True):
        D += weight * matrix
    return D
