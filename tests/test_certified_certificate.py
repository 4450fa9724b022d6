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
    return make_certificate(claim, X, {"activation": "x", "scale": 1.0})


def test_a_written_claim_is_proven_again(tmp_path):
    value = least_eigenvalue(*rebuild(X, {"scale": 1.0})).lower * (1 - 1e-9)
    write(tmp_path / "claim.json", certificate(value))
    assert verify(read(tmp_path / "claim.json"), X, rebuild).outcome is Outcome.PROVEN


def test_a_false_claim_is_not_proven():
    upper = least_eigenvalue(*rebuild(X, {"scale": 1.0})).upper
    assert verify(certificate(float(np.nextafter(upper, 9))), X, rebuild).outcome is Outcome.UNDECIDED


@pytest.mark.parametrize("field", ["claim", "parameters"])
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
    assert answer.outcome is Outcome.UNDECIDED
    assert "data are not those" in answer.reason


def test_no_certificate(tmp_path):
    with pytest.raises(DataFileError, match="cannot be read"):
        read(tmp_path / "missing.json")
    (tmp_path / "text.json").write_text("no")
    with pytest.raises(DataFileError, match="not JSON"):
        read(tmp_path / "text.json")
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(DataFileError, match="its format is None"):
        read(tmp_path / "other.json")


def test_plain_bound_never_exceeds_the_enclosure():
    rng = np.random.default_rng(1)
    for _ in range(20):
        B = rng.standard_normal((15, 15))
        A = B @ B.T
        bounds = least_eigenvalue(A)
        assert plain_lower_bound(A, bounds.lower * (1 - 1e-6), 0.0) <= bounds.upper
        assert plain_lower_bound(A, bounds.upper, 0.0) == -np.inf


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace('"value"', '"value": 9.0, "value"', 1), "'value' stands there twice"),
        (lambda text: text.replace('"value"', '"note": "lambda_min >= 1", "value"', 1), "unknown: claim.note"),
        (lambda text: text.replace('"format"', '"comment": "proven for all data", "format"', 1), "unknown: comment"),
        (lambda text: text.replace('"outcome": "PROVEN",', "", 1), "missing: claim.outcome"),
        (lambda text: text.replace("0.1", "NaN", 1), "NaN is no JSON number"),
        (lambda text: "[" * 200_000 + text, "is not JSON"),
        (lambda text: text + " " * 2**21, "longer than"),
        (lambda text: text.replace("certificate 2", "certificate 1"), "its format is"),
    ],
)
def test_files_that_say_more_or_less_than_a_certificate_are_refused(tmp_path, change, message):
    file = tmp_path / "claim.json"
    write(file, certificate(0.1))
    file.write_text(change(file.read_text()))
    with pytest.raises(DataFileError, match=message):
        read(file)


def test_a_device_is_refused_soon():
    with pytest.raises(DataFileError, match="longer than"):
        read("/dev/zero")


def test_a_certificate_is_written_whole_or_not_at_all(tmp_path):
    file = tmp_path / "claim.json"
    write(file, certificate(0.1))
    before = file.read_text()
    broken = certificate(0.2)
    broken["claim"]["value"] = float("nan")
    with pytest.raises(ValueError, match="JSON"):
        write(file, broken)
    assert file.read_text() == before
    assert [path.name for path in tmp_path.iterdir()] == ["claim.json"]
