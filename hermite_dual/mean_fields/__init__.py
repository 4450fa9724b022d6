"""Mean field theory of wide networks: fixed points, edges of chaos, phase diagrams.

In floats: `variance_map` (moments), `moment_table` (moments of many variances), `roots`, `fixed_points`, `correlation`,
`edge_equations` and `approach`, then what users hold, `mean_field` and `edge`. In balls: `proven` and
`proven_correlation` enclose their numbers, and `moment_taylor`, `variance_ends` and `completeness` prove that none is
missing. `angle_table` and `phase_diagram` are for many scales at once.
"""
