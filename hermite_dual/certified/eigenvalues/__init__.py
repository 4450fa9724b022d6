"""Proven bounds of eigenvalues of symmetric matrices.

`symmetric_input`, `entry_norm` (what errors of entries do), `float_cholesky` and `cholesky_bounds` (from below),
`rayleigh` (from above), `bottom_vector`, `ball_eigenvalues`, `small_enclosure`, `large_matrix`, `large_enclosure`; then
`eigenvalues`, `spectrum` and `exact_proof`, which users call. `theory_bounds` has the bounds of the theory.
"""
