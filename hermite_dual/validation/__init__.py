"""Population Gram matrices held against simulated networks of finite width: statistics and verdict."""

from hermite_dual.validation.findings import DirectionTest, EntryTest, WidthError
from hermite_dual.validation.report import ValidationReport
from hermite_dual.validation.validate import replica_seed, validate
from hermite_dual.validation.verdict import Verdict

__all__ = [
    "DirectionTest",
    "EntryTest",
    "ValidationReport",
    "Verdict",
    "WidthError",
    "replica_seed",
    "validate",
]
