"""Every bound of the proofs at a place where it is nearly attained: right there, and no larger than stated."""

import pytest

from tests.sharp_cases import CASES


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_bounds_hold_where_they_are_nearly_attained(case):
    claim, measured = case.both()
    assert measured <= claim * (1 + 1e-15)
    assert claim <= case.factor * measured
