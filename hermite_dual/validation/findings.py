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
        p_value: Two-sided, times the number of directions (Bonferroni), over the family's share; at most 1.
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
class ParameterRange:
    """What the test along a parameter means in the parameter: a value outside the range would have been told from it.

    Attributes:
        name: "sigma_w" or "sigma_u".
        value: Its value.
        below: Largest smaller value that the test finds with probability 0.95; None where no positive value is found.
        above: Least larger value; None where none within the bound of contraction, or below twice the value, is found.
    """

    name: str
    value: float
    below: float | None
    above: float | None


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
        p_value: Two-sided, times the number of entries, over the family's share; at most 1.
        detectable: Discrepancy that the test finds in any one entry with probability 0.95, whichever the entry.
        detectable_median: The same for the median entry.
        detectable_in_sigma_w: Relative change of sigma_w that, to first order, moves an entry by `detectable`; None
            where the Gram matrix does not depend on sigma_w. The direction `sigma_w` sees far less.
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
    detectable_in_sigma_w: float | None = None


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


@dataclass(frozen=True)
class ControlFindings:
    """What the control variates did, and the test of their known mean.

    Attributes:
        coefficients: Of each control variate, by name; chosen on pilot networks.
        noise_left: Median over the entries of the standard error with control over that without.
        neurons: Number of independent neurons whose Gram matrix was held against `model.gram(X, depth=1)`.
        directions: Its tests along the directions.
        entries: Its test of every entry.
    """

    coefficients: dict[str, float]
    noise_left: float
    neurons: int
    directions: tuple[DirectionTest, ...]
    entries: EntryTest

    @property
    def rejected(self) -> bool:
        """Whether the mean is not what the model says."""
        return bool(self.entries.rejected) or any(test.rejected for test in self.directions)


@dataclass(frozen=True)
class LeastEigenvalueFrequency:
    """How often `lambda_min(Z^T Z) >= m lambda_* / 2` in the networks of one width.

    Attributes:
        width: Number m of neurons.
        mean: Mean over the networks of `lambda_min(Z^T Z) / m`.
        held: Number of networks in which the inequality held.
        replicas: Number of networks.
        interval: Clopper and Pearson's confidence interval of the probability, at 95 %.
    """

    width: int
    mean: float
    held: int
    replicas: int
    interval: tuple[float, float]


@dataclass(frozen=True)
class LeastEigenvalues:
    """The theorem's condition `lambda_0 >= m lambda_* / 2` at random weights, `lambda_0 = lambda_min(Z^T Z)`.

    Theorem 2 of Ling et al. (arXiv 2205.13814) states it with probability `1 - t` for ReLU and
    `m = Omega((n^2 / lambda_*^2) log(n / (lambda_* t)))`; the constant in Omega is not stated.

    Attributes:
        population: `lambda_*`, the least eigenvalue of the matrix under test, in float64.
        theorem_width: `(n^2 / lambda_*^2) log(n / (lambda_* t))` with the constant 1 and t the error probability; None
            where `lambda_*` is not positive.
        by_width: The frequencies.
    """

    population: float
    theorem_width: float | None
    by_width: tuple[LeastEigenvalueFrequency, ...]


@dataclass(frozen=True)
class Comparison:
    """Two of closed form, numeric Gram matrix, given matrix and networks held against each other, entry by entry.

    Attributes:
        first: What is compared.
        second: With what.
        entries: Number of entries compared; 0 where nothing could be.
        difference: First minus second at the entry where it is largest against what is allowed.
        at: Row and column of that entry; None where nothing was compared.
        allowed: Largest difference there that is no disagreement: rounding, or the fluctuation of the networks.
        agree: Whether no entry exceeds it; None where nothing was compared.
        note: Why nothing was compared, or empty.
    """

    first: str
    second: str
    entries: int
    difference: float
    at: tuple[int, int] | None
    allowed: float
    agree: bool | None
    note: str = ""
