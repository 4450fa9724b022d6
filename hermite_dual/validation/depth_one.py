"""The mean of the first control variate held against independent neurons.

The control trusts K(1), the kernel after one step. An error of the kernel would be in K(1) and in K alike and would
cancel in part, so K(1) is tested by itself: its networks are iid neurons `phi(U x + b)`, cheap enough for many more of
them than the networks have.
"""

from collections.abc import Sequence

import numpy as np

from hermite_dual.arrays import Array
from hermite_dual.validation.directions import Direction
from hermite_dual.validation.regression import Extrapolation, Moments
from hermite_dual.validation.wide_model import WideModel

# Blocks of neurons, whose means are compared: as many replicas of a t test.
_BLOCKS = 64
# Neurons for each neuron of the networks: errors of about a fifth of theirs without the control.
_FACTOR = 8


def neurons_of(neurons: int) -> int:
    """Give the number of independent neurons for a number of neurons in networks, a multiple of the blocks."""
    return -(-_FACTOR * neurons // _BLOCKS) * _BLOCKS


def depth_one_fits(
    model: WideModel,
    X: Array,
    depth_one: Array,
    directions: Sequence[Direction],
    neurons: int,
    seed: int,
    stage: int = 1,
) -> tuple[Extrapolation, Extrapolation]:
    """Estimate `E[phi(u) phi(u')] - K(1)`, `u = U x + b`, from independent neurons.

    Args:
        model: the model of infinite width.
        X: samples, shape (n, d).
        depth_one: `K(1)`, shape (n, n).
        directions: functionals to estimate.
        neurons: number of neurons of the networks that are controlled.
        seed: seed of the validation.
        stage: 1, or 2 for neurons of which the first stage knows nothing.

    Returns:
        The mean and its standard error for the functionals and for the upper triangle.
    """
    generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(0, stage))))
    size = neurons_of(neurons) // _BLOCKS
    functionals, entries = Moments(), Moments()
    upper = np.triu_indices(len(X))
    for _ in range(_BLOCKS):
        drive = generator.standard_normal((size, X.shape[1])) @ (X.T * (model.sigma_u / np.sqrt(X.shape[1])))
        drive += model.sigma_b * generator.standard_normal((size, 1))
        p = np.asarray(model.activation(drive), dtype=np.float64)
        difference = p.T @ p / size - depth_one
        functionals.add(np.array([direction(difference) for direction in directions]))
        entries.add(difference[upper])
    return _mean(functionals), _mean(entries)


def _mean(moments: Moments) -> Extrapolation:
    degrees = moments.count - 1
    error = np.sqrt(moments.squares / degrees / moments.count)
    return Extrapolation(moments.mean, error, np.zeros_like(moments.mean), degrees)
