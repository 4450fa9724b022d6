"""What the tests of a validation found: plain records of numbers."""

from dataclasses import dataclass


@dataclass(frozen=True)
class DirectionTest:
    """The test of one linear functional `<D, G_inf - K>`, its name and unit fixed before any network is drawn.

    Attributes:
        name: What the functional measures.
        unit: What a value of 1 means.
        discrepancy: Networks extrapolated to infinite width, minus population.
        standard_error: Of the discrepancy.
        statistic: Student's t.
        p_value: Two-sided, times the number of directions (Bonferroni), times two for the two families; at most 1.
        detectable: Smallest discrepancy that the test finds with probability 0.95.
        rejected: Whether the test says that networks and population differ.
    """

    name: str
    unit: str
    discrepancy: float
    standard_error: float
    statistic: float
    p_value: float
    detectable: float
    rejected: bool


@dataclass(frozen=True)
class EntryTest:
    """The simultaneous test of every entry of the Gram matrix.

    Attributes:
        tests: Number of entries tested, n (n + 1) / 2.
        rejected: Number of entries rejected.
        worst: Row and column of the largest statistic.
        discrepancy: There, networks extrapolated to infinite width minus population.
        standard_error: There.
        statistic: Student's t there.
        p_value: Two-sided, times the number of entries, times two for the two families; at most 1.
        detectable: Discrepancy that the test finds in any one entry with probability 0.95, whichever the entry.
        detectable_median: The same for the median entry.
    """

    tests: int
    rejected: int
    worst: tuple[int, int]
    discrepancy: float
    standard_error: float
    statistic: float
    p_value: float
    detectable: float
    detectable_median: float


@dataclass(frozen=True)
class WidthError:
    """Relative errors of the networks of one width: Frobenius, `||G_m - K||_F / ||K||_F`, and normalized.

    Attributes:
        width: Number m of neurons.
        mean: Mean over the replicas.
        standard_error: Of the mean.
        errors: The error of each replica, in order.
        normalized_mean: Mean of the normalized errors `||R (G_m - K) R||_F / ||R K R||_F`, `R = (K + ridge)^(-1/2)`.
        normalized_standard_error: Of that mean.
        normalized_errors: The normalized error of each replica, in order.
    """

    width: int
    mean: float
    standard_error: float
    errors: tuple[float, ...]
    normalized_mean: float
    normalized_standard_error: float
    normalized_errors: tuple[float, ...]
