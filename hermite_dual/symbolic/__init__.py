"""Symbolic layer: Hermite polynomials, the Gaussian-integral algebra, closed forms."""
