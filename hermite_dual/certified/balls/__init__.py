"""Expressions on balls.

`rounding` (units in which roundings of floats are counted), `precision` (working precision, floats and balls),
`elementary` and `nonsmooth` (functions of a ball), `deflated` (quotients without 0/0), `cancellation` (sums without
it), then `ball_functions`: a whole expression as a function on balls, and constants.
"""
