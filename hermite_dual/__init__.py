"""Dual kernels of activations, Gram matrices of infinitely wide deep equilibrium models, least eigenvalues."""

from hermite_dual._version import __version__
from hermite_dual.activation import Activation, activation
from hermite_dual.data.digits import load_digits
from hermite_dual.deq import DEQ
from hermite_dual.dual import Dual, HermiteExpansion, dual
from hermite_dual.errors import (
    AccuracyError,
    ConvergenceError,
    DataFileError,
    DerivationError,
    HermiteDualError,
    InvalidInputError,
    NotIntegrableError,
    ParseError,
)
from hermite_dual.expressions.catalogue import CatalogueEntry, catalogue
from hermite_dual.finite import FiniteDEQ
from hermite_dual.outcome import Outcome
from hermite_dual.population.gram import EigenvalueBounds, Gram
from hermite_dual.population.inputs import on_sphere
from hermite_dual.symbolic.symbols import c, q1, q2, rho, x
from hermite_dual.validation import ValidationReport, Verdict

__all__ = [
    "DEQ",
    "AccuracyError",
    "Activation",
    "CatalogueEntry",
    "ConvergenceError",
    "DataFileError",
    "DerivationError",
    "Dual",
    "EigenvalueBounds",
    "FiniteDEQ",
    "Gram",
    "HermiteDualError",
    "HermiteExpansion",
    "InvalidInputError",
    "NotIntegrableError",
    "Outcome",
    "ParseError",
    "ValidationReport",
    "Verdict",
    "__version__",
    "activation",
    "c",
    "catalogue",
    "dual",
    "load_digits",
    "on_sphere",
    "q1",
    "q2",
    "rho",
    "x",
]
