"""Numeric layer: quadrature, coefficients, surrogates, numba kernels, eigenvalues, in float64."""
