"""The closed list of verdicts on theory against simulation."""

from enum import Enum


class Verdict(Enum):
    """Whether finite networks and a population Gram matrix agree.

    DISAGREE: a test rejected at the stated error probability, and again on fresh networks. AGREE: no test rejected
    twice although a discrepancy of the stated tolerance would have been seen. INCONCLUSIVE: no test rejected twice, and
    none could have: too few or too small networks. INCONCLUSIVE is a result as well: nothing is claimed.
    """

    AGREE = "AGREE"
    DISAGREE = "DISAGREE"
    INCONCLUSIVE = "INCONCLUSIVE"
