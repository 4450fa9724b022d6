"""Where the pieces of a `GradedTable` lie: 32 to an octave of `u = 1 - |x|`, numbered by the leading bits of u."""

DEGREE = 7
"""Eight coefficients are one cache line."""
SHIFT = 47
"""Bits of a double below the five that number the pieces of an octave."""
OCTAVES = 52
"""From u = 1/2 down to `2^-53`, below which the argument is +-1."""
PIECES = OCTAVES * (1 << (52 - SHIFT)) + 1
"""Pieces on each side: the point x = +-1 itself and the octaves."""
FIRST = ((1022 - OCTAVES) << (52 - SHIFT)) - 1
"""Number of the first piece among the leading bits of u."""
CENTRE = 0.5
"""Largest modulus of the arguments for which the polynomial in the centre stands."""
CENTRE_DEGREE = 29
