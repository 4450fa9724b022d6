"""From inner products to entries, in float64 with estimated errors.

`recursion` (what layers do), `gram_entries` (what a map offers), `inputs`, `variances`, `zero_rows`, `identical_rows`;
at one norm `cosine_map`, `equilibrium_map`, `one_norm`; at many norms `norm_surrogate`, `pair_entries`,
`unequal_norms`, `homogeneous_layers`; `kernel_entries` chooses, `layered_entries` and `layered_gram` go layer by layer,
`array_kernel` serves arrays, by `form_kernel` or `pair_table`; the dual of phi' `price_dual`, `kernel_slope`,
`slope_gram`, `layer_slopes`, `tangent_map`; V itself `variance_map`; series in the cosine `truncated_series`,
`cosine_coefficients`;
`narrow_values` (functions in float32); `trained` (names of parameters); `model`.
"""
