"""Hermite coefficients and dual kernel of an activation that is in no table."""

import hermite_dual as hd

k = hd.dual("x*erf(x)")
print("activation          ", k.activation.expr)
print("Hermite coefficients", k.coefficients(6).round(6))
for rho in (-1.0, 0.0, 0.5, 1.0):
    print(f"k({rho:+.1f})             {k(rho):.12f}")

# The derivative of the kernel in the correlation is the dual of the derivative of the activation.
step = 1e-5
difference = (k(0.5 + step) - k(0.5 - step)) / (2 * step)
print(f"dk/drho at 0.5       {k.derivative()(0.5):.9f}, by differences {difference:.9f}")
