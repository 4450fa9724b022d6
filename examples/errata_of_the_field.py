"""Numbers in print or in public code that proofs contradict, each beside the proven one."""

import math

import numpy as np
import sympy as sp

import hermite_dual as hd

row = "{:<52}{:>14}  {}".format


def gamma(name):
    """Return the proven ball of `Var(phi(Z))^(-1/2)`, by which normalizer-free networks multiply."""
    return 1 / hd.dual(name).constants(1, 15).balls["eta"].sqrt()


print(row("what", "seen", "proven"))

# Normalizer-free networks, public code: estimated from samples.
for name, seen in (
    ("gelu", 1.7015043),
    ("silu", 1.7881293),
    ("tanh", 1.5939118),
    ("sigmoid", 4.8038354),
    ("softplus", 1.9203323),
):
    proven = gamma(name)
    print(row(f"gamma of {name}", seen, proven.str(9, radius=False)))
    assert not proven.contains(sp.Float(seen, 20))
    assert abs(float(proven.mid()) / seen - 1) < 1e-3

# Critical scales typed by hand.
edge = hd.edge_of_chaos("tanh", sigma_b=sp.Rational(1, 5), digits=12)[0].enclosure
print(row("tanh, edge at sigma_b^2 = .04: sigma_w^2", 1.722, edge.sigma_w2.str(10, radius=False)))
assert edge.sigma_w2 < 1.7008

swish = hd.doubly_critical("silu", digits=12)[-1].enclosure
print(row("SiLU, doubly critical: sigma_b^2", 0.055514317, swish.sigma_b2.str(10, radius=False)))
assert swish.sigma_b2 > 0.55514317

# NaN at the correlation 1.
value = hd.dual("relu^2").closed_form.subs(hd.rho, 1)
print(row("rectified square, k(1, 1, 1)", "nan", sp.sstr(value)))
assert value == sp.Rational(3, 2)

# The derivative of erf: 1 + 2 sqrt(q) in place of 1 + 2 q.
q = 4.0
seen = 4 / math.pi / math.sqrt((1 + 2 * math.sqrt(q)) ** 2 - 4 * 1.0**2)
right = hd.dual("erf").derivative().kernel(q, q, 1.0)
print(row("erf, E[phi'(u) phi'(v)] at (4, 4, 1)", f"{seen:.9f}", f"{right:.9f}"))
assert abs(right - 4 / math.pi / math.sqrt((1 + 2 * q) ** 2 - 4)) < 1e-15

# The second derivative of ReLU is a point mass, and its dual infinite where inputs coincide.
form = hd.dual("relu").derivative_closed_form(order=2).unit
print(row("ReLU, d^2 k/dc^2 at rho = 1", 0, sp.limit(form, hd.rho, 1, "-")))

# Activations fitted to a kernel, where the exact ones are elementary.
for kernel, degrees in ((hd.rho**3, (3,)), (hd.rho**4 + hd.rho, (1, 4))):
    exact = hd.activation_from_ntk(kernel).coefficients
    shown = " + ".join(f"{sp.sstr(exact[r])} h_{r}" for r in degrees)
    print(row(f"activation of the tangent kernel {sp.sstr(kernel)}", "1 to 11 % off", shown))

# What the wrong constants cost, in one number each.
wrong = hd.mean_field("tanh", math.sqrt(1.722), 0.2)
print(f"tanh at the critical scale 1.722: chi_1 = {wrong.chi_1:.6f}, correlations tend to {wrong.c_star:.6f}, not to 1")
slipped = hd.mean_field("silu", math.sqrt(1.9880046783), math.sqrt(0.055514317))
print(f"SiLU with the slipped digit: chi_1 = {np.round(slipped.chi_1, 4)}")
