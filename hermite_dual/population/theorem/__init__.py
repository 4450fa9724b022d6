"""Hypotheses of the convergence theorem, each proven, refuted or undecided.

`hypothesis_tests` (one each), `gaussian_norm` (spectral norms of random weights), `fixed_point_variance` (enclosed),
`convergence` (the theorem for one network, in scalars), `width` (what it would ask of random weights), then
`hypotheses`: all of them, and what follows.
"""
