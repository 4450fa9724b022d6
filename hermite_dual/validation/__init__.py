"""Population Gram matrices held against simulated networks of finite width: statistics and verdict."""

from hermite_dual.validation.findings import (
    Comparison,
    ConfirmedTest,
    ControlFindings,
    DirectionTest,
    EntryTest,
    LeastEigenvalueFrequency,
    LeastEigenvalues,
    ParameterRange,
    WidthError,
)
from hermite_dual.validation.report import ValidationReport
from hermite_dual.validation.simulation import replica_seed
from hermite_dual.validation.validate import validate
from hermite_dual.validation.verdict import Verdict

__all__ = [
    "Comparison",
    "ConfirmedTest",
    "ControlFindings",
    "DirectionTest",
    "EntryTest",
    "LeastEigenvalueFrequency",
    "LeastEigenvalues",
    "ParameterRange",
    "ValidationReport",
    "Verdict",
    "WidthError",
    "replica_seed",
    "validate",
]
