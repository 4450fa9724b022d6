"""The closed list of answers that a mathematical question can get."""

from enum import Enum


class Outcome(Enum):
    """What is known of a statement about real numbers.

    PROVEN and REFUTED hold in exact real arithmetic for the floats given, rounding included.
    UNDECIDED is a result as well: nothing is claimed.
    """

    PROVEN = "PROVEN"
    REFUTED = "REFUTED"
    UNDECIDED = "UNDECIDED"
