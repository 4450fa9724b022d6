"""Kernels of infinitely wide deep equilibrium models.

`gram`, `ntk` and `cross_gram` are what users hold, and `prediction` what `Gram.predict` returns, by way of
`prediction_input`, `prior` and `kernel_solver`; `cosine_series` is what `Gram.series` returns; `kernel_diagonal` and
`gram_gradient` serve scikit-learn; `kernel_array` is what kernels have of arrays, `kernel_file` how they are
saved. Beneath them: `entries` (floats), `proof` (errors of entries, eigenvalues), `theorem` (hypotheses of the
convergence theorem).
"""
