"""Certificate files and their second proof."""

import json

import numpy as np
import pytest

from hermite_dual.certified.certificate import make_certificate, read, verify, write
from hermite_dual.certified.eigenvalues import least_eigenvalue
from hermite_dual.certified.plain_bounds import plain_lower_bound
from hermite_dual.errors import DataFileError
from hermite_dual.outcome import Outcome

X = np.random.default_rng(0).standard_normal((12, 40))


def rebuild(data, parameters):
    matrix = data @ data.T / data.shape[1] * parameters["scale"]
    return (matrix + matrix.T) / 2, 1e-12


def certificate(value):
    claim = {"statement": "lambda_min >= value", "value": value, "outcome": "PROVEN"}
    return make_certificate(claim, X, {"activation": "x", "scale": 1.0}, {"entries": 1e-12})


def test_a_written_claim_is_proven_again(tmp_path):
    value = least_eigenvalue(*rebuild(X, {"scale": 1.0})).lower * (1 - 1e-9)
    write(tmp_path / "claim.json", certificate(value))
    assert verify(read(tmp_path / "claim.json"), X, rebuild).outcome is Outcome.PROVEN


def test_a_false_claim_is_not_proven():
    upper = least_eigenvalue(*rebuild(X, {"scale": 1.0})).upper
    assert verify(certificate(float(np.nextafter(upper, 9))), X, rebuild).outcome is Outcome.UNDECIDED


@pytest.mark.parametrize("field", ["claim", "parameters", "error_budget"])
def test_alterations_are_refused(field):
    altered = json.loads(json.dumps(certificate(0.1)))
    altered[field]["value"] = 0.05
    answer = verify(altered, X, rebuild)
    assert answer.outcome is Outcome.REFUTED
    assert "altered" in answer.reason


def test_other_data_are_refused():
    other = X.copy()
    other[3, 4] = np.nextafter(other[3, 4], 9)
    answer = verify(certificate(0.1), other, rebuild)
    assert answer.outcome is Outcome.REFUTED
    assert "data" in answer.reason


def test_no_certificate(tmp_path):
    with pytest.raises(DataFileError, match="cannot be read"):
        read(tmp_path / "missing.json")
    (tmp_path / "text.json").write_text("no")
    with pytest.raises(DataFileError, match="not JSON"):
        read(tmp_path / "text.json")
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(DataFileError, match="missing or wrong"):
        read(tmp_path / "other.json")


def test_plain_bound_never_exceeds_the_enclosure():
    rng = np.random.default_rng(1)
    for _ in range(20):
        B = rng.standard_normal((15, 15))
        A = B @ B.T
        bounds = least_eigenvalue(A)
        assert plain_lower_bound(A, bounds.lower * (1 - 1e-6), 0.0) <= bounds.upper
        assert plain_lower_bound(A, bounds.upper, 0.0) == -np.inf
