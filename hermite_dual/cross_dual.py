"""The kernel `E[phi(u) psi(v)]` of two activations as users hold it, of which a dual kernel is the case psi = phi.

Derivation: docs/theory/cross_kernels.md, "Two activations", "Derivatives".
"""

from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike

from hermite_dual import showing
from hermite_dual.activation import Activation
from hermite_dual.arrays import Array
from hermite_dual.errors import InvalidInputError
from hermite_dual.exact_numbers import float_array, float_bounds
from hermite_dual.float_state import own_float_state
from hermite_dual.namespaces import namespace_of
from hermite_dual.notebook import facts, shortened
from hermite_dual.numeric.cross_kernel import cross_kernel_with_error
from hermite_dual.numeric.gaussian import coefficients
from hermite_dual.numeric.kernel_derivatives import (
    covariance_derivative,
    second_covariance_derivative,
    variance_derivative,
)
from hermite_dual.numeric.mehler import EPS
from hermite_dual.shape.shape import Shape
from hermite_dual.symbolic.closed_forms import DualForm, derive_derivative_dual, differentiated
from hermite_dual.symbolic.printing import latex, latex_with_values
from hermite_dual.symbols import rho, x
from hermite_dual.verified_form import verified_dual

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_COUNT = 20_000
"""Most coefficients in float64: each costs a pass over all nodes."""
_RHO = rho
"""The symbol, where an argument has its name."""


@own_float_state
class CrossDual:
    """The kernel `k(q1, q2, c) = E[phi(u) psi(v)]` of two activations, `(u, v) ~ N(0, [[q1, c], [c, q2]])`.

    Made by `dual(phi, psi)`. Exchanging the activations exchanges the variances: the kernel of psi and phi at
    `(q2, q1, c)` is that of phi and psi at `(q1, q2, c)`. Calling it gives the kernel at unit variances as a function
    of the correlation.

    Attributes:
        first: phi, the activation of u.
        second: psi, the activation of v.

    >>> from hermite_dual import dual
    >>> dual("relu", "erf").closed_form_general
    c/(sqrt(pi)*sqrt(2*q2 + 1))
    """

    def __init__(self, first: Activation, second: Activation) -> None:
        self.first = first
        self.second = second

    @property
    def activation(self) -> Activation:
        """The activation, where phi and psi are one.

        Raises:
            InvalidInputError: they are two.
        """
        raise InvalidInputError(f"{self!r} is the kernel of two activations: name the one that is meant")

    def __repr__(self) -> str:
        """Return the call that makes it."""
        return f"dual({shortened(self.first.name)}, {shortened(self.second.name)})"

    def __eq__(self, other: object) -> bool:
        """Return whether both are the kernel of the same activations, in the same order."""
        if not isinstance(other, CrossDual):
            return NotImplemented
        return self.first == other.first and self.second == other.second

    def __hash__(self) -> int:
        """Return a hash that agrees with equality."""
        return hash((self.first, self.second))

    def _repr_latex_(self) -> str:
        """Return the formula for notebooks."""
        return f"$\\displaystyle {self.to_latex()}$"

    def _repr_html_(self) -> str:
        """Return the formula for notebooks, and where there is no closed form the reason below it."""
        formula, reason = self._repr_latex_(), self.no_closed_form_because
        return facts(repr(self), [("", formula)], reason if reason and self.closed_form is None else "")

    @property
    def closed_form(self) -> sp.Expr | None:
        """The kernel at unit variances as an expression in `hermite_dual.rho`, or None.

        Derived from the formulas, and compared with quadrature before it is returned; `no_closed_form_because` says
        why there is none.

        Raises:
            DerivationError: the derived form disagrees with quadrature and is withheld.
        """
        return self._forms.unit

    @property
    def closed_form_general(self) -> sp.Expr | None:
        """The kernel as an expression in `hermite_dual.q1`, `q2` and `c`, or None; as `closed_form` otherwise."""
        return self._forms.general

    @property
    def no_closed_form_because(self) -> str | None:
        """Why a closed form is None, a sentence that names what is outside the class; None where both exist."""
        return self._forms.reason

    @property
    def _forms(self) -> DualForm:
        return verified_dual(self.first, self.second)

    def derivative_closed_form(self, by: Literal["direct", "price"] = "direct", *, order: int = 1) -> DualForm:
        """Return the forms of `E[phi'(u) psi'(v)]`, from the derivatives directly or as `dk/dc` by Price's theorem.

        The two are equal. Where an activation jumps, both are the derivative of the kernel in the sense of
        distributions, and so is `d^2 k/dc^2`, the form of order 2, where one has a kink.

        Args:
            by: which way.
            order: how many times the kernel is differentiated, 1 or 2.

        Returns:
            `.general` in q1, q2, c and `.unit` in rho, either None with the `.reason`.

        >>> from hermite_dual import dual
        >>> dual("relu").derivative_closed_form(order=2).unit
        1/(2*pi*sqrt(1 - rho**2))
        """
        if order not in (1, 2):
            raise InvalidInputError(f"order = {order!r}: the first and the second derivative have forms here")
        if self.first.expr is None or self.second.expr is None:
            return self._forms
        form = derive_derivative_dual(self.first.shape, by, self.second.shape)
        return form if order == 1 else differentiated(form)

    def to_sympy(self) -> sp.Expr:
        """Return the closed form in rho, or the unevaluated expectation as a double integral where there is none.

        Raises:
            InvalidInputError: an activation is a Python function.
        """
        form = self.closed_form
        if form is not None:
            return form
        u, v = sp.symbols("u v", real=True)
        factors = [self._formula(phi).subs(x, name) for phi, name in ((self.first, u), (self.second, v))]
        density = sp.exp(-(u**2 - 2 * rho * u * v + v**2) / (2 * (1 - rho**2))) / (2 * sp.pi * sp.sqrt(1 - rho**2))
        return sp.Integral(factors[0] * factors[1] * density, (u, -sp.oo, sp.oo), (v, -sp.oo, sp.oo))

    def to_latex(self, *, general: bool = False) -> str:
        r"""Return `k(\rho) = ...`, or with `general` `k(q_1, q_2, c) = ...`, as LaTeX without dollar signs.

        Where there is no closed form the right side is the expectation that defines the kernel.
        """
        form = self.closed_form_general if general else self.closed_form
        left = r"k\left(q_{1}, q_{2}, c\right)" if general else r"k\left(\rho\right)"
        if form is not None:
            return f"{left} = {latex_with_values(form)}"
        formulas = [phi.expr for phi in (self.first, self.second)]
        if None in formulas:
            psi = r"\phi" if self.first == self.second else r"\psi"
            return rf"{left} = \mathbb{{E}}\left[\phi(u)\, {psi}(v)\right]"
        names = sp.symbols("u v", real=True)
        factors = [latex(sp.sympify(f).subs(x, name)) for f, name in zip(formulas, names, strict=True)]
        return rf"{left} = \mathbb{{E}}\left[{factors[0]} \cdot {factors[1]}\right]"

    def plot(self, axes: "Axes | None" = None) -> "Axes":
        """Draw the kernel at unit variances over the correlation; see `hermite_dual.plot_dual_kernel`.

        Args:
            axes: where to draw; by default on a new figure of Matplotlib.

        Returns:
            The Axes.
        """
        drawn: Axes = showing.plot(self, axes=axes)
        return drawn

    def ball(self, q1: Any, q2: Any, c: Any, digits: int = 30) -> Any:
        """Return a `flint.arb` that is proven to contain `k(q1, q2, c)`.

        Args:
            q1: variance of u, exact: an int, a float (its binary value), a fraction, a SymPy rational.
            q2: variance of v.
            c: covariance, `c^2 <= q1 q2`.
            digits: the radius is at most `10^-digits sqrt(E[phi(u)^2] E[psi(v)^2])`.

        Raises:
            AccuracyError: the accuracy cannot be reached.
        """
        from hermite_dual.certified.enclosures.kernel import kernel_ball

        return kernel_ball(self._shape(self.first), q1, q2, c, digits, self._shape(self.second))

    def products(self, n: int, q1: float = 1.0, q2: float = 1.0) -> Array:
        """Return the first n coefficients `a_r(q1) b_r(q2)` of the kernel as a power series in the correlation.

        Args:
            n: how many, degrees 0 to n - 1; at most 20,000.
            q1: variance of u, above 0.
            q2: variance of v, above 0.

        Returns:
            float64 array of shape (n,).
        """
        count = checked_count(n)
        first = coefficients(self.first, positive(q1, "q1"), count)
        return np.asarray(first * coefficients(self.second, positive(q2, "q2"), count))

    @overload
    def kernel(self, q1: ArrayLike, q2: ArrayLike, c: ArrayLike, *, return_error: Literal[False] = False) -> Any: ...

    @overload
    def kernel(self, q1: ArrayLike, q2: ArrayLike, c: ArrayLike, *, return_error: Literal[True]) -> tuple[Any, Any]: ...

    def kernel(self, q1: ArrayLike, q2: ArrayLike, c: ArrayLike, *, return_error: bool = False) -> Any:
        """Return `k(q1, q2, c)` in float64.

        Args:
            q1: variances of u, not negative.
            q2: variances of v, not negative; broadcast against q1 and c.
            c: covariances, `|c| <= sqrt(q1 q2)`.
            return_error: whether to return an estimate of each error as well.

        Returns:
            Values of the broadcast shape (a float for scalars), or the pair of values and error estimates.

        Raises:
            InvalidInputError: a variance is negative, `|c|` exceeds `sqrt(q1 q2)`, or a value is not finite.
            NotIntegrableError: an activation is not square-integrable at these variances.
            AccuracyError: an activation oscillates too fast for quadrature.
        """
        if self.first == self.second:
            from hermite_dual.population.entries.array_kernel import array_kernel

            return as_asked(*array_kernel(self.first, q1, q2, c), return_error)
        return as_asked(*cross_kernel_with_error(self.first, self.second, q1, q2, c), return_error)

    def derivative_in_covariance(
        self, q1: ArrayLike, q2: ArrayLike, c: ArrayLike, *, return_error: bool = False
    ) -> Any:
        """Return `dk/dc = E[phi'(u) psi'(v)]` in float64, point masses of the derivatives at jumps included.

        Arguments, values and errors are those of `kernel`, the variances positive; infinite at correlation 1 or -1
        where jumps of both meet.
        """
        return as_asked(*covariance_derivative(self.first, self.second, q1, q2, c), return_error)

    def derivative_in_variance(self, q1: ArrayLike, q2: ArrayLike, c: ArrayLike, *, return_error: bool = False) -> Any:
        """Return `dk/dq1 = E[phi''(u) psi(v)] / 2` in float64, which is `(E[u phi'(u) psi(v)] - c dk/dc) / (2 q1)`.

        The derivative in q2 is this of the kernel with both exchanged. Arguments, values and errors are those of
        `kernel`, the variances positive; no second derivative of phi is needed, and jumps are counted.

        >>> from hermite_dual import dual
        >>> bool(abs(dual("x**2").derivative_in_variance(2.0, 3.0, 1.0) - 3.0) < 1e-14)
        True
        """
        return as_asked(*variance_derivative(self.first, self.second, q1, q2, c), return_error)

    def second_derivative(self, q1: ArrayLike, q2: ArrayLike, c: ArrayLike, *, return_error: bool = False) -> Any:
        """Return `d^2 k/dc^2 = E[phi''(u) psi''(v)]` in float64, point masses of phi'' and psi'' at kinks included.

        With jumps `J_k` of phi' at `s_k` and `J'_l` of psi' at `t_l` the masses add `J_k J'_l p(s_k, t_l)`, p the joint
        density; where phi itself jumps phi'' has dipoles, which are counted as well. At correlation 1 or -1 the
        derivative is infinite where kinks of both meet, or jumps of both, and infinity is returned.

        Arguments are those of `kernel`, the variances positive.

        Raises:
            InvalidInputError: an activation jumps, and at correlation 1 or -1 no jump of the other meets it.
            NotIntegrableError: phi' is unbounded, or phi'' not square-integrable.

        >>> from hermite_dual import dual
        >>> bool(abs(dual("relu").second_derivative(1.0, 1.0, 0.0) - 1 / (2 * np.pi)) < 1e-15)
        True
        """
        return as_asked(*second_covariance_derivative(self.first, self.second, q1, q2, c), return_error)

    def __call__(self, rho: ArrayLike) -> Any:
        """Return the kernel at unit variances and correlation rho, elementwise.

        Args:
            rho: correlations. An array of JAX, PyTorch, CuPy or another library of the Python array API standard is
                evaluated by that library's own operations, on its device and in its precision, so that it can be
                differentiated, batched and compiled there; PyTorch needs `array-api-compat`. Gradients are finite
                inside (-1, 1).

        Returns:
            float64 values (a float for a scalar), or an array of the library of rho. In other libraries than NumPy
            values are not looked at: there NaN stands where a correlation lies outside [-1, 1].

        Raises:
            InvalidInputError: a correlation lies outside [-1, 1], or an array of another library is not real floating.
        """
        if isinstance(rho, sp.Expr) and not rho.is_number:
            return self.to_sympy().subs(_RHO, rho)
        xp = namespace_of(rho)
        if xp is not np:
            from hermite_dual.dual_on_arrays import dual_on_array

            return dual_on_array(self.first, self.second, rho, xp)
        correlation = float_array(rho, "rho")[0]
        if not (np.abs(correlation) <= 1.0 + 4.0 * EPS).all():
            bad = correlation[~(np.abs(correlation) <= 1.0 + 4.0 * EPS)].flat[0]
            raise InvalidInputError(f"correlation rho = {bad}: allowed is [-1, 1]; covariances go to kernel(q1, q2, c)")
        return self.kernel(1.0, 1.0, correlation)

    def derivative(self) -> "CrossDual":
        """Return the kernel of `phi'` and `psi'`; by Price's theorem it is `dk/dc`.

        Raises:
            InvalidInputError: an activation jumps, or is a Python function without a known derivative;
                `derivative_in_covariance` counts jumps.
        """
        return CrossDual(self.first.derivative(), self.second.derivative())

    @staticmethod
    def _formula(phi: Activation) -> sp.Expr:
        if phi.expr is None:
            raise InvalidInputError(
                f"{phi.name} is a Python function, known by its float64 values alone: pass an expression, "
                "a formula in a string or a catalogue name for exact and proven results"
            )
        return phi.expr

    @classmethod
    def _shape(cls, phi: Activation) -> Shape:
        cls._formula(phi)
        return phi.shape


def as_asked(value: Array, error: Array, return_error: bool) -> Any:
    """Return values, floats where there is one, with their errors where these are asked for."""
    if value.ndim == 0:
        return (float(value), float(error)) if return_error else float(value)
    return (value, error) if return_error else value


def positive(variance: float, name: str = "variance") -> float:
    """Return a variance as a float above 0."""
    value = float_bounds(variance, name, "allowed are finite numbers above 0")[0]
    if not value > 0.0:
        raise InvalidInputError(f"{name} = {variance}: allowed are finite numbers above 0")
    return value


def checked_count(n: int) -> int:
    """Return a number of coefficients."""
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or not 1 <= n <= MAX_COUNT:
        raise InvalidInputError(f"n = {n!r}: allowed are whole numbers from 1 to {MAX_COUNT}")
    return int(n)
