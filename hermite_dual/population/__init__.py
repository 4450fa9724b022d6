"""Infinite width: Gram matrices of the population."""
