"""Constants and spectra of activations as papers print them, and activations that have what one asks for."""

import sympy as sp

import hermite_dual as hd

print(hd.table(["relu", "gelu", "tanh", "erf"], ["name", "mu_0", "mu_1", "mu_star", "zeta", "eta"]))

print("\nEigenvalues on the sphere of R^10, each with a proven error and its multiplicity:")
for name in ("relu", "erf"):
    spectrum = hd.dual(name).sphere_eigenvalues(10, 4)
    for degree, (value, error, count) in enumerate(
        zip(spectrum.eigenvalues, spectrum.errors, spectrum.multiplicities, strict=True)
    ):
        print(f"{name:5} degree {degree}: {value:.10f} +/- {error:.0e}, {count} times")
    print(f"{name:5} {spectrum.remaining_trace / spectrum.trace:.1%} of the trace is in higher degrees")

design = hd.activation_from_ntk(hd.rho**4 + hd.rho)
print("\nIts tangent kernel with one hidden layer is rho^4 + rho:", sp.expand(design.activation.expr))

shaped = hd.deep_kernel_shaping("tanh", depth=100)
print("\ntanh for 100 layers, gamma (tanh(alpha x + beta) + delta):")
for key, value in {**shaped.parameters, **shaped.conditions}.items():
    print(f"{key:6} {value:.12f}")
