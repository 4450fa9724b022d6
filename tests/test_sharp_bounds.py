"""Every bound of the proofs at a place where it is nearly attained: right there, and no larger than stated."""

import pytest

from tests.sharp_cases import CASES

LONG = (
    "running bound of Horner's rule",
    "roundings of a curved integral over a kink, counted by balls",
    "errors of rows' coefficients",
)
MARKED = [pytest.param(case, id=case.name, marks=[pytest.mark.slow] * case.name.startswith(LONG)) for case in CASES]


@pytest.mark.parametrize("case", MARKED)
def test_bounds_hold_where_they_are_nearly_attained(case):
    claim, measured = case.both()
    assert measured <= claim * (1 + 1e-15)
    assert claim <= case.factor * measured
