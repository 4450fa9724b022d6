"""What the tests of a validation found: plain records of numbers."""

from dataclasses import dataclass

from hermite_dual.notebook import Shown


@dataclass(frozen=True, repr=False)
class DirectionTest(Shown):
    """The test of one linear functional `<D, G_inf - K>`, its name and unit fixed before any network is drawn.

    Attributes:
        name: what the functional measures.
        unit: what a value of 1 means.
        discrepancy: networks extrapolated to infinite width, minus population.
        standard_error: of the discrepancy.
        statistic: Student's t.
        p_value: two-sided, times the number of directions (Bonferroni), over the family's share; at most 1.
        detectable: smallest discrepancy that the test finds with probability 0.95.
        rejected: whether the test says that networks and population differ.
    """

    name: str
    unit: str
    discrepancy: float
    standard_error: float
    statistic: float
    p_value: float
    detectable: float
    rejected: bool


@dataclass(frozen=True, repr=False)
class ParameterRange(Shown):
    """What the test along a parameter means in the parameter: a value outside the range would have been told from it.

    Attributes:
        name: "sigma_w" or "sigma_u".
        value: its value.
        below: largest smaller value that the test finds with probability 0.95; None where no positive value is found.
        above: least larger value; None where none within the bound of contraction, or below twice the value, is found.
    """

    name: str
    value: float
    below: float | None
    above: float | None


@dataclass(frozen=True, repr=False)
class EntryTest(Shown):
    """The simultaneous test of every entry of the Gram matrix.

    Attributes:
        tests: number of entries tested, n (n + 1) / 2.
        rejected: number of entries rejected.
        worst: row and column of the largest statistic.
        discrepancy: there, networks extrapolated to infinite width minus population.
        standard_error: there.
        statistic: Student's t there.
        p_value: two-sided, times the number of entries, over the family's share; at most 1.
        detectable: discrepancy that the test finds in any one entry with probability 0.95, whichever the entry.
        detectable_median: the same for the median entry.
        detectable_in_sigma_w: relative change of sigma_w that, to first order, moves an entry by `detectable`; None
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


@dataclass(frozen=True, repr=False)
class WidthError(Shown):
    """Relative errors of the networks of one width: Frobenius, `||G_m - K||_F / ||K||_F`, and normalized.

    Attributes:
        width: number m of neurons.
        mean: mean over the replicas.
        standard_error: of the mean.
        errors: the error of each replica, in order.
        normalized_mean: mean of the normalized errors `||R (G_m - K) R||_F / ||R K R||_F`, `R = (K + ridge)^(-1/2)`.
        normalized_standard_error: of that mean.
        normalized_errors: the normalized error of each replica, in order.
    """

    width: int
    mean: float
    standard_error: float
    errors: tuple[float, ...]
    normalized_mean: float
    normalized_standard_error: float
    normalized_errors: tuple[float, ...]


@dataclass(frozen=True, repr=False)
class ControlFindings(Shown):
    """What the control variates did, and the test of their known mean.

    Attributes:
        coefficients: of each control variate, by name; chosen on pilot networks.
        noise_left: median over the entries of the standard error with control over that without.
        neurons: number of independent neurons whose Gram matrix was held against `model.gram(X, depth=1)`.
        directions: its tests along the directions.
        entries: its test of every entry.
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


@dataclass(frozen=True, repr=False)
class ConfirmedTest(Shown):
    """A test that rejected on the first networks, made again on fresh ones.

    Attributes:
        family: "networks" or "neurons of the first layer".
        name: the functional, or the worst entry.
        first_p_value: of the first networks, adjusted for the number of tests.
        discrepancy: on the fresh ones, as all that follows.
        standard_error: of the discrepancy.
        statistic: Student's t.
        p_value: one-sided, in the direction that was found, times the number of tests that are made again; at most 1.
        rejected: whether it rejects again.
        another_seed: estimated probability that networks of another seed reject in both stages.
    """

    family: str
    name: str
    first_p_value: float
    discrepancy: float
    standard_error: float
    statistic: float
    p_value: float
    rejected: bool
    another_seed: float


@dataclass(frozen=True, repr=False)
class LeastEigenvalueFrequency(Shown):
    """How often `lambda_min(Z^T Z) >= m lambda_* / 2` in the networks of one width.

    Attributes:
        width: number m of neurons.
        mean: mean over the networks of `lambda_min(Z^T Z) / m`.
        held: number of networks in which the inequality held.
        replicas: number of networks.
        interval: Clopper and Pearson's confidence interval of the probability, at 95 %.
    """

    width: int
    mean: float
    held: int
    replicas: int
    interval: tuple[float, float]


@dataclass(frozen=True, repr=False)
class LeastEigenvalues(Shown):
    """The theorem's condition `lambda_0 >= m lambda_* / 2` at random weights, `lambda_0 = lambda_min(Z^T Z)`.

    Theorem 2 of Ling et al. (arXiv 2205.13814) states it with probability `1 - t` for ReLU and
    `m = Omega((n^2 / lambda_*^2) log(n / (lambda_* t)))`; the constant in Omega is not stated.

    Attributes:
        population: `lambda_*`, the least eigenvalue of the matrix under test, in float64.
        theorem_width: `(n^2 / lambda_*^2) log(n / (lambda_* t))` with the constant 1 and t the error probability; None
            where `lambda_*` is not positive.
        by_width: the frequencies.
    """

    population: float
    theorem_width: float | None
    by_width: tuple[LeastEigenvalueFrequency, ...]


@dataclass(frozen=True, repr=False)
class Comparison(Shown):
    """Two of closed form, numeric Gram matrix, given matrix and networks held against each other, entry by entry.

    Attributes:
        first: what is compared.
        second: with what.
        entries: number of entries compared; 0 where nothing could be.
        difference: first minus second at the entry where it is largest against what is allowed.
        at: row and column of that entry; None where nothing was compared.
        allowed: largest difference there that is no disagreement: rounding, or the fluctuation of the networks.
        agree: whether no entry exceeds it; None where nothing was compared.
        note: why nothing was compared, or empty.
    """

    first: str
    second: str
    entries: int
    difference: float
    at: tuple[int, int] | None
    allowed: float
    agree: bool | None
    note: str = ""
