"""The points of a sweep: what each is, and how its numbers are computed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hermite_dual.activation import ActivationLike, activation
from hermite_dual.deq import DEQ
from hermite_dual.dual import Dual
from hermite_dual.errors import HermiteDualError
from hermite_dual.identity import identity
from hermite_dual.outofcore.compute_lock import compute_lock
from hermite_dual.sweeps.records import Record, Records
from hermite_dual.sweeps.samples import Samples
from hermite_dual.validation import ValidationReport


@dataclass(frozen=True)
class Scales:
    """What all points of a sweep have in common.

    Attributes:
        paper: whether the sweep's sigmas are the papers' `s^2`.
        sigma_u: input scale.
        sigma_b: bias scale.
        coefficients: number of Hermite coefficients.
        replicas: networks per width.
        error_probability: of a false DISAGREE.
    """

    paper: bool
    sigma_u: float
    sigma_b: float
    coefficients: int
    replicas: int
    error_probability: float

    def model(self, phi: ActivationLike, sigma: float) -> DEQ:
        """Give the model of a point."""
        return DEQ.paper(phi, sigma) if self.paper else DEQ(phi, sigma, self.sigma_u, self.sigma_b)


@dataclass(frozen=True)
class Point:
    """An activation and a scale; with a seed, what networks say about them, without, what theory says.

    Attributes:
        phi: the activation as the user gave it.
        sigma: the recurrent scale as the user gave it.
        widths: widths of the networks, empty without.
        seed: seed of the networks, None without.
        identity: what tells the point from others: the same content has the same identity, wherever it stands.
    """

    phi: ActivationLike
    sigma: float
    widths: tuple[int, ...]
    seed: int | None
    identity: Record


def points_of(
    phi: ActivationLike, sigmas: Sequence[float], widths: tuple[int, ...], seeds: Sequence[int]
) -> Iterator[Point]:
    """Give the points of an activation: each scale, then its seeds.

    Args:
        phi: the activation.
        sigmas: recurrent scales.
        widths: widths of the networks.
        seeds: seeds of the networks.
    """
    named = activation(phi)
    of_activation: Record = {"name": named.name, **identity(named)}
    for sigma in sigmas:
        yield Point(phi, sigma, (), None, of_activation | {"sigma": sigma})
        for seed in seeds:
            yield Point(
                phi, sigma, widths, seed, of_activation | {"sigma": sigma, "widths": list(widths), "seed": seed}
            )


def compute_point(point: Point, scales: Scales, samples: Samples, records: Records) -> Record:
    """Compute the numbers of a point and keep them.

    Args:
        point: the point.
        scales: what all points have in common.
        samples: the samples.
        records: where the numbers are kept.

    Returns:
        The numbers by column; or, where the formulas do not apply, `error` alone, with the reason.
    """
    X = samples.read()
    with compute_lock():
        try:
            model = scales.model(point.phi, point.sigma)
            numbers = _theory(model, X, scales) if point.seed is None else _networks(model, X, scales, point)
        except (HermiteDualError, ArithmeticError, np.linalg.LinAlgError) as error:
            if isinstance(error, OSError):  # a disk or a connection: nothing that belongs to the point
                raise
            numbers = {"error": f"{type(error).__name__}: {error}"}
    return records.save(point.identity, numbers)


def _theory(model: DEQ, X: Any, scales: Scales) -> Record:
    gram = model.gram(X)
    least = gram.least_eigenvalue()
    lipschitz = model.activation.lipschitz
    values = Dual(model.activation).coefficients(scales.coefficients)
    return {
        "contraction": model.sigma_w * lipschitz,
        "variance_least": float(gram.variances.min()),
        "variance_largest": float(gram.variances.max()),
        "lambda_lower": float(least.lower),
        "lambda_estimate": float(least.estimate),
        "lambda_upper": float(least.upper),
        "lambda_outcome": least.outcome.value,
        **{f"a_{degree}": float(value) for degree, value in enumerate(values)},
    }


def _networks(model: DEQ, X: Any, scales: Scales, point: Point) -> Record:
    report = model.validate(
        X,
        widths=point.widths,
        replicas=scales.replicas,
        seed=0 if point.seed is None else point.seed,
        error_probability=scales.error_probability,
    )
    return _of_report(report)


def _of_report(report: ValidationReport) -> Record:
    direction = min(report.directions, key=lambda test: test.p_value)
    record: Record = {
        "verdict": report.verdict.value,
        "reason": report.reason,
        "direction": direction.name,
        "direction_t": direction.statistic,
        "direction_p": direction.p_value,
        "entry_t": report.entries.statistic,
        "entry_p": report.entries.p_value,
        "entries_rejected": report.entries.rejected,
        "detectable": report.entries.detectable,
        "detectable_median": report.entries.detectable_median,
        "noise_left": report.control.noise_left,
        "slope": report.slope,
        "slope_error": report.slope_error,
        "frobenius_slope": report.frobenius_slope,
        "frobenius_slope_error": report.frobenius_slope_error,
    }
    for width in report.errors_by_width:
        record |= {
            f"error_{width.width}": width.mean,
            f"error_{width.width}_error": width.standard_error,
            f"normalized_error_{width.width}": width.normalized_mean,
            f"normalized_error_{width.width}_error": width.normalized_standard_error,
        }
    return record
