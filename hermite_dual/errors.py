"""The errors of the package: one small hierarchy under `HermiteDualError`.

Each message names the argument, the value received, what is allowed and the remedy.
"""


class HermiteDualError(Exception):
    """Base class of every error that the package raises on purpose."""


class InvalidInputError(HermiteDualError, ValueError):
    """An argument lies outside what the formula allows."""


class ParseError(InvalidInputError):
    """A string is not an activation that the whitelist parser reads."""


class NotIntegrableError(HermiteDualError, ArithmeticError):
    """The activation has no finite second moment under the Gaussian in question."""


class AccuracyError(HermiteDualError, ArithmeticError):
    """The accuracy asked for cannot be reached; no number is returned in its place."""


class ConvergenceError(HermiteDualError, ArithmeticError):
    """An iteration did not reach its tolerance."""


class DerivationError(HermiteDualError, ArithmeticError):
    """A derived formula disagrees with an independent evaluation and is withheld."""


class DataFileError(HermiteDualError, OSError):
    """A file is missing, unreadable, empty or not of the format that its name promises."""


class ClusterError(HermiteDualError, ConnectionError):
    """The machines that a run was given stopped answering; what they finished is kept."""


class ForkedProcessError(HermiteDualError, RuntimeError):
    """This process was forked after threads had started, and cannot compute."""
