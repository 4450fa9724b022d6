"""Hermite polynomials, orthonormal under the standard normal law."""

from functools import lru_cache

import sympy as sp

from hermite_dual.errors import InvalidInputError


@lru_cache(maxsize=512)
def hermite_integers(degree: int) -> tuple[int, ...]:
    r"""Return the integer coefficients of `He_degree`, lowest power first.

    $$He_{r+1}(x) = x\,He_r(x) - r\,He_{r-1}(x).$$

    Args:
        degree: the degree r, a nonnegative integer.

    Returns:
        `degree + 1` integers.

    Raises:
        InvalidInputError: The degree is not a nonnegative integer.

    >>> hermite_integers(4)
    (3, 0, -6, 0, 1)
    """
    if isinstance(degree, bool) or not isinstance(degree, int) or degree < 0:
        raise InvalidInputError(f"degree must be a nonnegative integer, got {degree!r}; write 0 for the constant")
    previous: list[int] = []
    current = [1]
    for r in range(degree):
        shifted = [0, *current]
        for power, value in enumerate(previous):
            shifted[power] -= r * value
        previous, current = current, shifted
    return tuple(current)


def normalized_hermite(degree: int, argument: sp.Expr) -> sp.Expr:
    r"""Return the normalized Hermite polynomial `h_r = He_r / sqrt(r!)`.

    Orthonormal: $E[h_r(Z) h_s(Z)] = \delta_{rs}$ for $Z \sim N(0, 1)$.

    Args:
        degree: the degree r, a nonnegative integer.
        argument: where to evaluate; a symbol gives the polynomial.

    Returns:
        A SymPy expression.

    Raises:
        InvalidInputError: The degree is not a nonnegative integer.

    >>> z = sp.Symbol("z")
    >>> normalized_hermite(2, z)
    sqrt(2)*(z**2 - 1)/2
    >>> sp.expand(sp.diff(normalized_hermite(5, z), z) - sp.sqrt(5) * normalized_hermite(4, z))
    0
    """
    argument = sp.sympify(argument)
    polynomial = sp.Add(*(value * argument**power for power, value in enumerate(hermite_integers(degree))))
    return polynomial / sp.sqrt(sp.factorial(degree))
