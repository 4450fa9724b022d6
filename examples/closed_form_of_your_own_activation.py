"""Derive the dual kernel of an activation that is in no table, or learn why it has none."""

import sympy as sp

import hermite_dual as hd

x = sp.Symbol("x")
normal_cdf = (1 + sp.erf(x / sp.sqrt(2))) / 2
mine = hd.dual(x * normal_cdf * sp.exp(-x))

print("k(rho) =", mine.closed_form)
print("LaTeX:", mine.to_latex())
print("at rho = 1/2:", mine.closed_form.subs(hd.rho, sp.Rational(1, 2)).evalf(30), "in float64:", mine(0.5))
print("a_3 =", mine.coefficient(3))

alpha = sp.Symbol("alpha", positive=True)
leaky = hd.dual(sp.Lambda(x, sp.Max(x, 0) + alpha * sp.Min(x, 0)))
print("leaky ReLU with any slope:", leaky.closed_form)

tanh = hd.dual(sp.tanh)
print("tanh:", tanh.no_closed_form_because)
series = tanh.series(8)
print("so a series:", sp.N(series.polynomial, 6), "with a remainder proven to be below", f"{series.remainder:.2e}")
