"""Tolerances that have one meaning in many tests."""

PRINTED = 4e-14
"""Relative, of printed values of kernels: they have 14 to 15 digits, and agree with a second quadrature to 7e-14."""
FLOAT_KERNEL = 1e-12
"""Relative, of the float64 kernel of a smooth activation: what its documentation promises, also relative to k(1)."""
SHARP_ENTRY = 1e-12
"""What proven errors of entries near 1 stay below: they count some thousand roundings of 1e-16, and no series' rest."""
SHARP_EIGENVALUE = 1e-11
"""Width of the proven interval of a least eigenvalue: the entries' errors, times the order of a small matrix."""
REORDERED = 1e-13
"""Entries near 1 whose float64 sums are taken in another order: some hundred roundings."""
OTHER_PATH = 1e-9
"""Relative, of one number along two paths of float64: nine digits are more than a mistake would leave."""
