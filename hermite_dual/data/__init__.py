"""The embedded real dataset, and the files that samples are read from."""

from hermite_dual.data.digits import load_digits
from hermite_dual.data.files import check_samples, read_samples

__all__ = ["check_samples", "load_digits", "read_samples"]
