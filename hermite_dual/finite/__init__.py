"""Deep equilibrium models of finite width: sampled weights, equilibria, empirical Gram matrices."""

from hermite_dual.finite.equilibrium import Equilibrium, solve_equilibrium
from hermite_dual.finite.network import FiniteDEQ
from hermite_dual.finite.sampling import sample_network

__all__ = ["Equilibrium", "FiniteDEQ", "sample_network", "solve_equilibrium"]
