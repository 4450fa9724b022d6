"""Bounds of phi and its derivatives on the line and on strips.

`oscillations` (sines at infinity), `constants` (`sup |phi^(k)|`, two-sided), `slope_regularity` (phi' between and at
kinks), `envelope` (bounds on a strip around the line and their Gaussian integrals).
"""
