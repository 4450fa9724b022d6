"""Floats with counted roundings: what matrices of entries are computed with.

`counted_exponential`, `horner`, `float_panels`, `hermite_functions`, `inner_products`, `sliced_product`;
coefficients of many rows: `row_quadrature`, `row_coefficients`, `variance_table`; kernels on arrays: `entry_error`,
`homogeneous`, `nearly_parallel`, `power_series`, `pair_series`, `kink_integrals`, `curved_kink_integrals`,
`piecewise_quadratic`.
"""
