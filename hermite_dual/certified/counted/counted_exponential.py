"""The exponential function in float64 with a proven error, so that no library's `exp` has to be trusted.

`x = n log(2) + r`, `|r| <= log(2)/2 + 2^-40`, and Taylor's polynomial of degree 13 in r. In units u = 2^-53:

- `n c_1` is exact, as c_1 has 42 bits and n at most 11; two subtractions round by u |r| each, the rest of log(2), its
  own rounding and its product by less than 0.01 u together: r errs by at most 0.71 u, `exp(r)` as much relatively;
- the remainder is at most `0.3466^14 exp(0.3466)/14! < 0.06 u`;
- in Horner's rule the term of degree k passes 2 k + 1 roundings and its coefficient one, the sum at most
  `(1 + sum_{k>=1} (2 k + 2) 0.3466^k/k!) u < 2.82 u`, which is 3.99 u relative to `exp(r) >= 2^(-1/2) (1 - 2^-40)`;
- the product with 2^n is exact, as it does not underflow.

Together less than 5 u. Fused operations round less often.

Derivation: docs/theory/entries.md, "Straight and quadratic pieces between kinks".
"""

import math

import numpy as np
from flint import arb

from hermite_dual.arrays import Array
from hermite_dual.certified.balls.precision import working_precision
from hermite_dual.numeric.jit import helper

EXPONENTIAL_UNITS = 5
"""Units roundoff within which `exponentials` is of the truth, relatively."""
LOWEST = -650.0
"""Arguments below it give zero; the truth is below 1e-282 then."""
HIGHEST = 650.0  # exp(-650) is below 1e-280, which counts as 0

_BITS = 42  # of the first part of log(2): its product with |n| < 1024 is exact
_INVERSE = 1.0 / math.log(2.0)
"""N is the nearest whole number to x / log(2); a rounding of it moves r by nothing that counts."""
_DEGREE = 13  # leaves 0.06 u, see the derivation


def _logarithm() -> tuple[float, float]:
    """Two floats that add up to log(2), the first of 42 bits."""
    with working_precision(256):
        two = arb(2).log()
        high = math.floor(float((two * 2**_BITS).mid())) * 2.0**-_BITS
        return high, float((two - arb(high)).mid())


_HIGH, _LOW = _logarithm()  # log(2) in two parts
_TAYLOR = np.array([1.0 / math.factorial(k) for k in range(_DEGREE + 1)])  # of exp
_OFFSET = 1023  # bias of the exponent of float64
_POWERS = np.array([0.0, *(2.0**n for n in range(1 - _OFFSET, _OFFSET))])
"""A table, so that no library's ldexp has to be trusted."""


@helper
def exponentials(x: Array, result: Array) -> None:
    """Write `exp(x)` to `result`, both one-dimensional; x are numbers of at most `HIGHEST`."""
    for k in range(x.size):
        clipped = max(x[k], LOWEST)
        n = np.rint(clipped * _INVERSE)
        r = (clipped - n * _HIGH) - n * _LOW
        total = _TAYLOR[13]
        total = total * r + _TAYLOR[12]
        total = total * r + _TAYLOR[11]
        total = total * r + _TAYLOR[10]
        total = total * r + _TAYLOR[9]
        total = total * r + _TAYLOR[8]
        total = total * r + _TAYLOR[7]
        total = total * r + _TAYLOR[6]
        total = total * r + _TAYLOR[5]
        total = total * r + _TAYLOR[4]
        total = total * r + _TAYLOR[3]
        total = total * r + _TAYLOR[2]
        total = total * r + 1.0
        total = total * r + 1.0
        result[k] = total * _POWERS[int(n) + _OFFSET] if x[k] >= LOWEST else 0.0
