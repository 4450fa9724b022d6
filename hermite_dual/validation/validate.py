"""Finite networks held against a population Gram matrix.

For every width m, R networks are drawn and solved; `G_m = Z^T Z / m`. With `G(m) = G_inf + B / m + noise`, the noise of
variance proportional to `1/m`, the intercept `G_inf` is estimated by weighted least squares and compared with the
population Gram matrix K by t tests: along a family of directions fixed in advance, and in every entry. Half the error
probability goes to either family, shared equally within it (Bonferroni), so that a correct K is rejected with at most
the stated probability, up to terms `1/m^2` of the bias and the departure of averages over neurons from the normal law.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hermite_dual.data.files import check_samples
from hermite_dual.finite.sampling import check_count
from hermite_dual.validation.directions import family_of_directions
from hermite_dual.validation.inputs import check_population, check_probability, check_tolerance, check_widths
from hermite_dual.validation.networks import NetworkStatistics
from hermite_dual.validation.regression import extrapolate
from hermite_dual.validation.report import ValidationReport
from hermite_dual.validation.testing import direction_tests, entry_tests, judge

Floats = NDArray[np.float64]


def validate(
    model: Any,
    X: Floats,
    *,
    widths: Sequence[int] = (256, 512, 1024),
    replicas: int = 8,
    seed: int = 0,
    population: Any = None,
    error_probability: float = 0.01,
    scale_tolerance: float = 0.1,
    entry_tolerance: float = 0.5,
    progress: Callable[[int, int], None] | None = None,
) -> ValidationReport:
    """Hold networks of finite width against the Gram matrix of infinite width.

    Args:
        model: The model of infinite width; its `sample` draws the networks.
        X: Samples, shape (n, d), one per row.
        widths: At least two different widths.
        replicas: Networks per width, >= 2.
        seed: Whole number >= 0. Replica r of width m has the seed `replica_seed(seed, m, r)`, whatever else is run.
        population: Matrix of shape (n, n) to hold against the networks; by default `model.gram(X)`.
        error_probability: Largest probability of DISAGREE for a correct population.
        scale_tolerance: AGREE is said only if a relative error of this size in the scale of K would have been seen.
        entry_tolerance: AGREE is said only if a discrepancy of this size in the median entry, relative to the mean
            of the diagonal, would have been seen.
        progress: Called after each network with the numbers of networks done and in all.

    Returns:
        The report, its verdict first.

    Raises:
        InvalidInputError: An argument lies outside what is stated above.
        ConvergenceError: A network has no equilibrium that the iteration finds.
    """
    samples = check_samples(np.asarray(X), "X")
    widths = check_widths(widths)
    replicas = check_count("replicas", replicas, 2, "the number of networks per width")
    seed = check_count("seed", seed, 0, "the seed")
    alpha = check_probability("error_probability", error_probability)
    tolerances = (
        check_tolerance("scale_tolerance", scale_tolerance),
        check_tolerance("entry_tolerance", entry_tolerance),
    )
    given = population is not None
    K = check_population(population if given else model.gram(samples).matrix, len(samples))
    directions = family_of_directions(
        model, samples, np.random.SeedSequence(seed, spawn_key=(0,)), K if given else None
    )
    networks = NetworkStatistics(K, directions)
    for done, (width, replica) in enumerate(((m, r) for m in widths for r in range(replicas)), 1):
        net = model.sample(width=width, inputs=samples.shape[1], seed=replica_seed(seed, width, replica))
        networks.add(width, net.gram(samples))
        if progress is not None:
            progress(done, len(widths) * replicas)
    tests = direction_tests(extrapolate(networks.functionals), directions, K, alpha / 2)
    entries = entry_tests(extrapolate(networks.entries), K, alpha / 2)
    verdict, reason = judge(tests, entries, K, *tolerances)
    slope, slope_error = networks.slope("normalized")
    frobenius_slope, frobenius_slope_error = networks.slope("frobenius")
    return ValidationReport(
        verdict=verdict,
        reason=reason,
        directions=tests,
        entries=entries,
        errors_by_width=networks.errors_by_width(),
        slope=slope,
        slope_error=slope_error,
        frobenius_slope=frobenius_slope,
        frobenius_slope_error=frobenius_slope_error,
        error_probability=alpha,
        scale_tolerance=tolerances[0],
        entry_tolerance=tolerances[1],
        widths=widths,
        replicas=replicas,
        seed=seed,
        samples=samples.shape[0],
        inputs=samples.shape[1],
        population="given" if given else "model.gram(X)",
        parameters=dict(model.parameters()),
    )


def replica_seed(seed: int, width: int, replica: int) -> np.random.SeedSequence:
    """Give the seed of one network of a validation; `model.sample(width, inputs, seed)` accepts it.

    Args:
        seed: Seed of the validation.
        width: Width of the network.
        replica: Number of the network among those of its width, from 0.

    Returns:
        The seed.
    """
    return np.random.SeedSequence(seed, spawn_key=(width, replica))
