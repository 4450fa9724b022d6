"""Proven errors of entries, and what follows for eigenvalues.

`input_rows`, `certified_kernel`, `certified_slope`, `local_lipschitz`; then `limit_bounds`, `entry_bounds` and
`tangent_bounds` (entries), `variance_coefficients`, `matrix_free_bounds`, `gram_eigenvalues`, `gram_spectrum`,
`prediction_bounds`, `flow_bounds`; `cosine_balls` and `cosine_powers`.
"""
