"""Hypotheses of the convergence theorem, each proven, refuted or undecided.

`hypothesis_tests` (one each), `gaussian_norm` (spectral norms of random weights), `fixed_point_variance` (enclosed),
`convergence` (the theorem for one network, in scalars), `limit_numbers`, `gram_deviation` (a network of random weights
and its limit), `width` (the theorem at random weights), `random_weights` (what is said of them), then `hypotheses`: all
of them, and what follows; `network_check` for multilayer networks.
"""
