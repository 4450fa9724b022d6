"""The object users hold: an activation's dual kernel, with its Hermite coefficients."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike

from hermite_dual.activation import Activation, ActivationLike, activation
from hermite_dual.arrays import Array
from hermite_dual.cross_dual import CrossDual, as_asked, checked_count, positive
from hermite_dual.errors import AccuracyError, InvalidInputError
from hermite_dual.exact_numbers import freeze
from hermite_dual.float_state import own_float_state
from hermite_dual.notebook import Shown, shortened
from hermite_dual.numeric.gaussian import CHECK_ORDER, coefficients
from hermite_dual.numeric.mehler import EPS, hermite_series
from hermite_dual.symbolic.coefficient_formulas import coefficient_formula
from hermite_dual.symbolic.coefficients import MAX_DEGREE, exact_coefficient

if TYPE_CHECKING:
    from hermite_dual.dual_constants import DualConstants, ExplicitEquivalent
    from hermite_dual.kernel_series import KernelSeries
    from hermite_dual.sphere_spectrum import SphereSpectrum


@own_float_state
@dataclass(frozen=True, eq=False, repr=False)
class HermiteExpansion(Shown):
    """An activation's Hermite coefficients up to the degree that a tolerance asks for.

    Attributes:
        coefficients: `a_r(q) = E[phi(sqrt(q) Z) h_r(Z)]`, shape (N,).
        remainder: estimate of `E[phi(sqrt(q) Z)^2] - sum_{r<N} a_r(q)^2`, by Parseval the largest error of the kernel
            series cut after N terms, over all correlations, in the units of `phi^2`.
        variance: q.
    """

    coefficients: Array
    remainder: float
    variance: float

    def __post_init__(self) -> None:
        """Make the arrays read-only."""
        freeze(self.coefficients)


@own_float_state
class Dual(CrossDual):
    """The dual kernel `k(q1, q2, c) = E[phi(u) phi(v)]`, `(u, v) ~ N(0, [[q1, c], [c, q2]])`.

    Made by `dual`. Calling it gives the dual activation, the kernel at unit variances as a function of the correlation.

    >>> k = dual("erf")
    >>> bool(abs(k(0.5) - 2 / np.pi * np.arcsin(1 / 3)) < 1e-15)
    True
    """

    def __init__(self, phi: Activation) -> None:
        super().__init__(phi, phi)

    @property
    def activation(self) -> Activation:
        """The activation phi."""
        return self.first

    def __repr__(self) -> str:
        """Return the call that makes it."""
        return f"dual({shortened(self.activation.name)})"

    def coefficient(self, r: int, variance: sp.Expr | float = 1) -> sp.Expr:
        """Return the exact Hermite coefficient `a_r(q) = E[phi(sqrt(q) Z) h_r(Z)]`.

        Args:
            r: the degree, 0 to 300.
            variance: q, a positive number or an expression that is positive by its assumptions. Floats are read as the
                decimal fractions that they print as.

        Returns:
            A SymPy expression; an integral where nothing shorter is known, whose `evalf(n)` gives n digits.

        >>> dual("relu").coefficient(1)
        1/2
        """
        return exact_coefficient(self._shape(self.activation), r, variance)

    def coefficient_formula(self, variance: sp.Expr | float = 1) -> sp.Expr | None:
        """Return `a_r(q)` as an expression in a symbolic degree r, or None where none is derived.

        >>> formula = dual("exp").coefficient_formula()
        >>> bool(formula.subs(*formula.free_symbols, 3).equals(dual("exp").coefficient(3)))
        True
        """
        return coefficient_formula(self._shape(self.activation), variance)

    def series(self, n: int) -> "KernelSeries":
        """Return the first n terms of the dual activation's power series in rho, with a proven remainder.

        `k(rho) = sum_{r<n} a_r^2 rho^r + R`, `|R| <= sum_{r>=n} a_r^2` on [-1, 1]. The terms are exact where the
        coefficients are; otherwise they carry 30 digits, and the remainder covers what the digits leave out.

        Args:
            n: number of terms, 1 to 300.

        >>> dual("sin").series(4).polynomial
        rho**3*exp(-1)/6 + rho*exp(-1)
        """
        if not 1 <= checked_count(n) <= MAX_DEGREE:
            raise InvalidInputError(
                f"n = {n}: series have 1 to {MAX_DEGREE} terms; coefficients(n) has more in float64"
            )
        from hermite_dual.kernel_series import kernel_series

        return kernel_series(self._shape(self.activation), int(n))

    def coefficient_balls(self, n: int, variance: Any = 1, digits: int = 30) -> list[Any]:
        """Return proven enclosures of the first n Hermite coefficients, as `flint.arb`.

        Args:
            n: how many, at most 4,000.
            variance: q, exact: an int, a float (its binary value), a fraction, a SymPy rational.
            digits: each radius is at most `10^-digits` times the largest of the first coefficients.

        Raises:
            AccuracyError: the accuracy cannot be reached; no wider ball is returned in its place.
        """
        from hermite_dual.certified.enclosures.coefficients import coefficient_balls

        return coefficient_balls(self._shape(self.activation), checked_count(n), variance, digits)

    def coefficients(self, n: int, variance: float = 1.0) -> Array:
        """Return the first n Hermite coefficients `a_r(q) = E[phi(sqrt(q) Z) h_r(Z)]`, `h_r = He_r / sqrt(r!)`.

        Args:
            n: how many, degrees 0 to n - 1; at most 20,000.
            variance: q > 0.

        Returns:
            float64 array of shape (n,). Each is within a few eps of the norm `E[phi^2]^(1/2)`; those that vanish by
            parity are exactly 0. `coefficient_error` measures it.

        Raises:
            InvalidInputError: n or the variance is out of range.
            NotIntegrableError: phi is not square-integrable at this variance.
        """
        return coefficients(self.activation, positive(variance), checked_count(n))

    def coefficient_error(self, n: int, variance: float = 1.0) -> Array:
        """Return estimated errors of `coefficients(n, variance)`: the distance to a second rule, plus rounding."""
        q, count = positive(variance), checked_count(n)
        values = coefficients(self.activation, q, count)
        other = coefficients(self.activation, q, count, CHECK_ORDER)
        series = hermite_series(self.activation, q)
        return np.asarray(np.abs(values - other) + series.rounding * EPS * np.sqrt(series.second_moment))

    def expansion(self, tolerance: float = 1e-14, variance: float = 1.0) -> HermiteExpansion:
        """Return as many coefficients as bring the Parseval remainder below `tolerance * E[phi^2]`.

        Args:
            tolerance: relative to the second moment; not below 4e-15, which float64 cannot resolve.
            variance: q > 0.

        Raises:
            AccuracyError: more than 8,192 coefficients would be needed, as for kinked activations: their coefficients
                decay like a power of the degree. The kernel itself does not need them.
        """
        q = positive(variance)
        if not 4e-15 <= tolerance < 1.0:
            raise InvalidInputError(f"tolerance = {tolerance}: allowed are 4e-15 to 1, relative to E[phi^2]")
        series = hermite_series(self.activation, q)
        tails = series.second_moment - np.cumsum(series.coefficients**2)
        enough = np.flatnonzero(tails <= tolerance * series.second_moment)
        if not enough.size:
            raise AccuracyError(
                f"{self.activation!r} at variance {q:g}: {series.coefficients.size} coefficients leave a remainder of "
                f"{series.tail / series.second_moment:.1e}, not {tolerance:.1e}; ask for a larger tolerance, or call "
                "the kernel itself, which does not rest on the series"
            )
        used = int(enough[0]) + 1
        remainder = float(max(tails[used - 1], 0.0)) + 4.0 * EPS * series.second_moment
        return HermiteExpansion(series.coefficients[:used], remainder, q)

    def variance_map(self, q: ArrayLike, *, return_error: bool = False) -> Any:
        """Return `V(q) = k(q, q, q) = E[phi(sqrt(q) Z)^2]`, the variance map of a layer, in float64.

        Args:
            q: variances, not negative. Many different ones are interpolated in `log q`, which the errors count.
            return_error: whether to return an estimate of each error as well.

        Returns:
            Values of the shape of q (a float for a scalar), or the pair of values and error estimates.

        Raises:
            InvalidInputError: a variance is negative or not finite.
            NotIntegrableError: phi is not square-integrable at one of them.
            AccuracyError: phi oscillates too fast for quadrature, or its square overflows.
        """
        from hermite_dual.population.entries.variance_map import variance_map

        return as_asked(*variance_map(self.activation, q), return_error)

    def variance_map_derivative(self, q: ArrayLike, *, return_error: bool = False) -> Any:
        """Return `V'(q) = E[Z phi(sqrt(q) Z) phi'(sqrt(q) Z)] / sqrt(q) = E[phi'^2] + E[phi phi'']` in float64.

        Where phi jumps or phi' is not known, the equal `E[phi(sqrt(q) Z)^2 (Z^2 - 1)] / (2 q)` takes its place: V is
        smooth in q > 0 whatever phi is. Arguments, values and errors are those of `variance_map`, q positive; at q = 0
        the limit is returned where it is finite.

        >>> bool(abs(dual("x**2").variance_map_derivative(2.0) - 12.0) < 1e-13)
        True
        """
        from hermite_dual.population.entries.variance_map import variance_map_slope

        return as_asked(*variance_map_slope(self.activation, q), return_error)

    @overload
    def of_covariance(self, S: ArrayLike, *, return_error: Literal[False] = False) -> Array: ...

    @overload
    def of_covariance(self, S: ArrayLike, *, return_error: Literal[True]) -> tuple[Array, float]: ...

    def of_covariance(self, S: ArrayLike, *, return_error: bool = False) -> Any:
        """Return `K_ij = k(S_ii, S_jj, S_ij)`, one layer applied to a covariance matrix.

        Args:
            S: symmetric, shape (n, n), the variances on the diagonal; of the two triangles the upper one is read.
            return_error: whether to return an estimate of the largest error as well.

        Returns:
            float64 array of shape (n, n), or the pair of it and the error.

        Raises:
            InvalidInputError: S is no finite symmetric matrix, a variance is negative, or some
                `|S_ij| > sqrt(S_ii S_jj)`.
            NotIntegrableError: phi is not square-integrable at these variances.

        >>> dual("relu").of_covariance([[1.0, 0.0], [0.0, 4.0]]).round(6).tolist()
        [[0.5, 0.31831], [0.31831, 2.0]]
        """
        from hermite_dual.population.entries.layered_gram import checked_covariance, layer_gram

        values, error = layer_gram(self.activation, checked_covariance(S))
        return (values, error) if return_error else values

    def sphere_eigenvalues(self, d: int, degrees: int, variance: Any = 1, terms: int = 1024) -> "SphereSpectrum":
        """Return proven eigenvalues of `k(q, q, q <x, y>)` on the unit sphere of `R^d`, under its uniform law.

        `lambda_l = sum_r a_r(q)^2 tau_{r,l}`, the eigenvalue of the spherical harmonics of degree l; the closed form
        of `tau_{r,l}` and the bound of what is left out are derived in the theory's page on the sphere.

        Args:
            d: the dimension of the space, at least 2.
            degrees: how many degrees, from 0 on.
            variance: q > 0, of the rows; exact as in `coefficient_balls`.
            terms: at most how many terms of the series are summed, 1 to 4,000. Smooth activations need few; with kinks
                `SphereSpectrum.errors` says what they leave. Steep ones at large variances take minutes: pass fewer.

        Raises:
            InvalidInputError: an argument is out of range, or phi is a Python function.
            AccuracyError, NotIntegrableError: as `coefficient_balls`.

        >>> spectrum = dual("relu").sphere_eigenvalues(3, 3)
        >>> bool(abs(spectrum.eigenvalues[0] - 3 / 16) <= spectrum.errors[0] < 1e-8)
        True
        """
        from hermite_dual.sphere_spectrum import sphere_spectrum

        return sphere_spectrum(self._shape(self.activation), d, degrees, variance, terms)

    def constants(self, variance: Any = 1, digits: int = 15) -> "DualConstants":
        """Return `mu_0 = a_0`, `mu_1 = a_1`, `mu_star`, `zeta = mu_1 / mu_star` and `eta = Var phi`, with proven balls.

        `mu_star^2 = E[phi^2] - a_0^2 - a_1^2`, all at variance q.

        Args:
            variance: q > 0, exact as in `coefficient_balls`.
            digits: accuracy; `hermite_dual.dual_constants.dual_constants` says relative to what.

        Raises:
            InvalidInputError: an argument is out of range, or phi is a Python function.
            AccuracyError, NotIntegrableError: as `coefficient_balls`.

        >>> round(dual("relu").constants().zeta ** 2, 8)
        2.75193839
        """
        from hermite_dual.dual_constants import dual_constants

        return dual_constants(self._shape(self.activation), variance, digits)

    def explicit_equivalent(self, sigma_a2: Any, tau: Any = 1, digits: int = 15) -> "ExplicitEquivalent":
        """Return the coefficients of the explicit network equivalent to a deep equilibrium model, as in public code.

        Args:
            sigma_a2: `sigma_a^2`, the variance of the recurrent weights, between 0 and 1.
            tau: the standard deviation of the preactivations; phi is centred there.
            digits: the radii of the balls are at most `10^-digits`, relatively where a coefficient exceeds 1.

        Raises:
            InvalidInputError: an argument is out of range, or phi is a Python function.
            AccuracyError, NotIntegrableError: as `coefficient_balls`, for phi and for phi^2.

        >>> round(dual("relu").explicit_equivalent(0.2).alpha_4, 8)
        0.85852479
        """
        from hermite_dual.dual_constants import explicit_equivalent

        return explicit_equivalent(self._shape(self.activation), sigma_a2, tau, digits)

    def derivative(self) -> "Dual":
        """Return the dual of `phi'`; by Price's theorem it is `dk/dc`.

        Raises:
            InvalidInputError: phi jumps, or is a Python function without a known derivative.
        """
        return Dual(self.activation.derivative())


@overload
def dual(phi: ActivationLike, /, **parameters: Any) -> Dual: ...


@overload
def dual(phi: ActivationLike, psi: ActivationLike, /) -> CrossDual: ...


def dual(phi: ActivationLike, psi: ActivationLike | None = None, /, **parameters: Any) -> CrossDual:
    """Return the dual kernel of an activation, or the kernel `E[phi(u) psi(v)]` of two.

    Args:
        phi: whatever `hermite_dual.activation` reads: `sympy.tanh`, `"gelu"`, an expression, a `sympy.Lambda`, a
            formula in a string, a vectorised Python function.
        psi: a second activation, likewise. Of the same one twice the dual kernel is returned.
        **parameters: parameters of a catalogue name, such as `alpha=0.2` for `"leaky_relu"`. Of two activations they
            are given by `hermite_dual.activation("leaky_relu", alpha=0.2)`, which says whose they are.

    >>> dual("sin").kernel(1.0, 1.0, 0.0)
    0.0
    >>> dual("gelu", "x").closed_form
    rho/2
    """
    if psi is None:
        return Dual(activation(phi, **parameters))
    if parameters:
        name, value = next(iter(parameters.items()))
        raise InvalidInputError(
            f"{name} = {value!r} with two activations: give it to the one that has it, as "
            f"dual(activation(phi, {name}=...), psi)"
        )
    first, second = activation(phi), activation(psi)
    return Dual(first) if first == second else CrossDual(first, second)
