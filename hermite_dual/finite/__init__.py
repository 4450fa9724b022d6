"""Deep equilibrium models of finite width: weights, equilibria, Gram matrices, tangent kernels, training."""

from hermite_dual.finite.contracting import ContractingDraw, sample_contracting
from hermite_dual.finite.dense import FiniteMLP, sample_dense
from hermite_dual.finite.equilibrium import Equilibrium, solve_equilibrium
from hermite_dual.finite.network import FiniteDEQ
from hermite_dual.finite.ntk import EmpiricalNTK
from hermite_dual.finite.sampling import sample_network, sample_untied
from hermite_dual.finite.spectral_norm import NormBounds
from hermite_dual.finite.training_certificate import TrainingCertificate
from hermite_dual.finite.training_run import TrainingRun
from hermite_dual.finite.untied import UntiedNetwork
from hermite_dual.finite.weights import DrawnMatrix

__all__ = [
    "ContractingDraw",
    "DrawnMatrix",
    "EmpiricalNTK",
    "Equilibrium",
    "FiniteDEQ",
    "FiniteMLP",
    "NormBounds",
    "TrainingCertificate",
    "TrainingRun",
    "UntiedNetwork",
    "sample_contracting",
    "sample_dense",
    "sample_network",
    "sample_untied",
    "solve_equilibrium",
]
