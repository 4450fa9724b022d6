"""Units in which roundings of float64 are counted.

Derivation: docs/theory/entries.md, "Entries of a Gram matrix".
"""

UNIT = 2.0**-53
"""Unit roundoff u of float64."""
TINY = 2.0**-1021
"""No single operation loses more than this to underflow, also where a library has let subnormal numbers become zero.

Results below 2^-1022 are then zero, and so are operands, each as if the operation that made it had lost as much.
"""
UP = 1.0 + 2.0**-40
"""Outward factor: covers the roundings of the up to 8,000 operations on non-negative terms that make a bound."""


def gamma(m: int) -> float:
    """`m u/(1 - m u)`, rounded up."""
    return m * UNIT / (1 - m * UNIT) * (1 + 8 * UNIT)
