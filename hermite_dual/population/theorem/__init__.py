"""Hypotheses of the convergence theorem, each proven, refuted or undecided.

`hypothesis_tests` (one each), `gaussian_norm` (spectral norms of random weights), `fixed_point_variance` (enclosed),
then `hypotheses`: all of them, and what follows.
"""
