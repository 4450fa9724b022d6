"""Random weights of a finite deep equilibrium model.

Shapes and laws: `W` (m, m) iid N(0, sigma_w^2 / m), `U` (m, d) iid N(0, sigma_u^2 / d), `b` (m,) iid N(0, sigma_b^2),
`a` (m,) iid N(0, 1 / m).
"""

import math
import numbers
from typing import Any

import numpy as np

from hermite_dual.arrays import Array
from hermite_dual.errors import InvalidInputError
from hermite_dual.exact_numbers import check_count
from hermite_dual.finite.network import FiniteDEQ
from hermite_dual.finite.untied import UntiedNetwork
from hermite_dual.finite.weights import DrawnMatrix, default_memory

# One independent stream per parameter, so that the weights of one do not move when another's shape changes; the
# redraws and the layers of untied networks have streams of their own.
_STREAM_W, _STREAM_U, _STREAM_B, _STREAM_A, _STREAM_LAYER, STREAM_REDRAW = range(6)


def sample_network(
    activation: Any,
    *,
    sigma_w: float,
    sigma_u: float,
    sigma_b: float = 0.0,
    width: int,
    inputs: int,
    seed: int | np.random.SeedSequence,
    memory: float | None = None,
) -> FiniteDEQ:
    """Draw the weights of a network of finite width; the same seed gives the same numbers.

    Args:
        activation: the activation phi, a vectorised float64 function.
        sigma_w: scale of the recurrent weights, >= 0.
        sigma_u: scale of the input weights, >= 0.
        sigma_b: scale of the biases, >= 0.
        width: number m of neurons, >= 1.
        inputs: number d of input coordinates, >= 1.
        seed: a whole number >= 0 or a `numpy.random.SeedSequence`; `W`, `U`, `b` and `a` have independent streams of
            it.
        memory: bytes that `W` may take. A larger one is not kept but drawn again, in blocks of rows, for every
            product: the same numbers, at the cost of the drawing. By default half of the machine's memory.

    Returns:
        The network, its parameters read-only.

    Raises:
        InvalidInputError: An argument lies outside what is stated above.
    """
    m = check_count("width", width, 1, "the number of neurons")
    d = check_count("inputs", inputs, 1, "the number of columns of X")
    _check_scales(sigma_w, sigma_u, sigma_b)
    limit = _check_memory(memory)
    root = check_seed(seed)
    W = DrawnMatrix(child_seed(root, _STREAM_W), (m, m), sigma_w / math.sqrt(m))
    return FiniteDEQ(
        activation=activation,
        sigma_w=float(sigma_w),
        sigma_u=float(sigma_u),
        sigma_b=float(sigma_b),
        W=W.kept() if 8 * m * m <= limit else W,
        **_vectors(root, m, d, sigma_u, sigma_b),
    )


def sample_untied(
    activation: Any,
    *,
    sigma_w: float,
    sigma_u: float,
    sigma_b: float = 0.0,
    width: int,
    inputs: int,
    depth: int,
    seed: int | np.random.SeedSequence,
) -> UntiedNetwork:
    """Draw a network of finite depth whose layers have independent recurrent weights.

    Args:
        activation: the activation phi, a vectorised float64 function.
        sigma_w: scale of the recurrent weights, >= 0.
        sigma_u: scale of the input weights, >= 0.
        sigma_b: scale of the biases, >= 0.
        width: number m of neurons, >= 1.
        inputs: number d of input coordinates, >= 1.
        depth: number of layers, >= 1.
        seed: a whole number >= 0 or a `numpy.random.SeedSequence`; `U`, `b` and `a` are those of `sample_network`.

    Returns:
        The network; its recurrent weights are drawn, layer by layer, when they are used.

    Raises:
        InvalidInputError: An argument lies outside what is stated above.
    """
    m = check_count("width", width, 1, "the number of neurons")
    d = check_count("inputs", inputs, 1, "the number of columns of X")
    depth = check_count("depth", depth, 1, "the number of layers")
    _check_scales(sigma_w, sigma_u, sigma_b)
    root = check_seed(seed)
    # The first layer sees the state zero and needs no recurrent weights.
    layers = tuple(
        DrawnMatrix(child_seed(root, _STREAM_LAYER, layer), (m, m), sigma_w / math.sqrt(m)) for layer in range(1, depth)
    )
    return UntiedNetwork(
        activation=activation,
        sigma_w=float(sigma_w),
        sigma_u=float(sigma_u),
        sigma_b=float(sigma_b),
        recurrent=layers,
        **_vectors(root, m, d, sigma_u, sigma_b),
    )


def check_seed(seed: object) -> np.random.SeedSequence:
    """Return the seed as a `SeedSequence`, or raise an `InvalidInputError`."""
    if isinstance(seed, np.random.SeedSequence):
        return seed
    return np.random.SeedSequence(check_count("seed", seed, 0, "the seed", None))


def _check_scales(sigma_w: float, sigma_u: float, sigma_b: float) -> None:
    for name, value in (("sigma_w", sigma_w), ("sigma_u", sigma_u), ("sigma_b", sigma_b)):
        if not (math.isfinite(value) and value >= 0):
            raise InvalidInputError(f"{name}={value!r}: allowed are finite numbers >= 0. Pass a standard deviation.")


def _check_memory(memory: float | None) -> float:
    if memory is None:
        return default_memory()
    if not (isinstance(memory, numbers.Real) and memory >= 0):
        raise InvalidInputError(f"memory={memory!r}: allowed are numbers of bytes >= 0, or None. Pass 8e9 for 8 GB.")
    return float(memory)


def _vectors(root: np.random.SeedSequence, m: int, d: int, sigma_u: float, sigma_b: float) -> dict[str, Array]:
    """Draw U, b and a."""
    return {
        "U": DrawnMatrix(child_seed(root, _STREAM_U), (m, d), sigma_u / math.sqrt(d)).kept(),
        "b": DrawnMatrix(child_seed(root, _STREAM_B), (m, 1), sigma_b).kept()[:, 0],
        "a": DrawnMatrix(child_seed(root, _STREAM_A), (m, 1), 1.0 / math.sqrt(m)).kept()[:, 0],
    }


def child_seed(root: np.random.SeedSequence, *key: int) -> np.random.SeedSequence:
    """Return the independent seed of a key."""
    # SeedSequence.spawn counts its children; naming the child keeps a reused seed reproducible.
    return np.random.SeedSequence(root.entropy, spawn_key=(*root.spawn_key, *key), pool_size=root.pool_size)
