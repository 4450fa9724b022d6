"""How an expression grows towards infinity.

`monomials` (sums of `c t^p exp(b t + a t^2)` with balls), `expansion_arithmetic`, `expansion_exponentials`,
`expansion_functions` (what is done with them), `exact_rates` (dyadic exponents), then `tails`: the expansion of an
expression; `unbounded` proves that oscillations have no bound.
"""
