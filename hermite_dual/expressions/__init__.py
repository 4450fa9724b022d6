"""Expressions in one variable: reading strings, named activations, kinks, float64 evaluation."""
