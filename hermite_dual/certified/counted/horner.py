"""One step of Horner's rule with a running bound of its rounding, for every counted series.

With `y` the variable and `s` the running sum, `fl(s y) = s y (1 + d)` and the sum with the term t rounds by at most
`u |fl(s y + t)|`. The error e of s, in units u, becomes `e |y| + |fl(s y)| + r + |fl(s y + t)|`, r the rounding of the
term itself: 0 for a stored number, its modulus for a product. Where `y = fl(x x)`, its rounding is one more unit of the
product. Bounds are sums of non-negative numbers; callers widen them by their own roundings, at most eight a step.

Derivation: docs/theory/entries.md, "Entries at a fixed point".
"""

from hermite_dual.numeric.jit import helper


@helper
def horner_step(total: float, bound: float, y: float, term: float, rounding: float, stride: int) -> tuple[float, float]:
    """The sum and its bound in units u after one more degree; stride 2 says that `y` is a rounded square."""
    product = total * y
    added = product + term
    return added, bound * abs(y) + (stride * abs(product) + rounding + abs(added))


@helper
def odd_step(total: float, bound: float, x: float) -> tuple[float, float]:
    """Multiply an even series by `x`: the odd one."""
    product = total * x
    return product, bound * abs(x) + abs(product)
