"""Gaussian integrals in balls: Hermite coefficients and kernels.

`hermite_sums`, then the ways to a coefficient, `trapezoid` (analytic on a strip), `panels` (pieces between kinks) and
`piecewise_polynomial` (exact), which `coefficients` chooses from; `second_moment`, `series` (remainders), `ball_series`
(dual kernels of series), `proven_root`; at any correlation `lattice`, and `kink_lines`, `wedge_cells`, `wedges`, which
`kernel` chooses from.
"""
