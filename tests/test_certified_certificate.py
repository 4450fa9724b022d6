"""Certificate files and their second proof."""

import contextlib
import json
import random

import numpy as np
import pytest

import hermite_dual as hd
from hermite_dual.certified.eigenvalues.eigenvalues import least_eigenvalue
from hermite_dual.certified.second_proof.certificate import _content_digest, make_certificate, read, verify, write
from hermite_dual.certified.second_proof.plain_bounds import plain_lower_bound
from hermite_dual.claims import check_claim, rebuild_beside_floats
from hermite_dual.errors import DataFileError, HermiteDualError
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


def _paths(value, path=()):
    """All places in a JSON value."""
    yield path
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inside:
        yield from _paths(part, (*path, key))


def _mutated(value, draw):
    """Something else of the same or of another type."""
    if isinstance(value, dict):
        changed = dict(value)
        key = draw.choice(sorted(changed))
        kept = changed.pop(key)
        if draw.random() < 0.6:
            changed[draw.choice([f"{key} ", key.upper(), "note", "sigma_w", "depth"])] = kept
        return changed
    if isinstance(value, str):
        others = ["", value + " ", value.upper(), "x", "2*tanh(x)", "tanh(x)", "lambda_min > value", "PROVEN", 1, None]
        return draw.choice(others)
    if isinstance(value, list):
        return draw.choice([value[::-1], value[:1], [*value, 1], {}, "12"])
    others = [-value, 2 * value, value * (1 + 1e-9), value / 2, str(value), True, None, [value], 10**400, 0]
    return draw.choice(others)


@pytest.mark.slow
def test_no_mutated_certificate_is_accepted_that_says_anything_false(tmp_path):
    """300 changes with the digest computed again: refused, not proven, or true of what `verify` prints."""
    data = np.random.default_rng(5).standard_normal((4, 6))
    honest = check_claim("tanh", data, 1e-3, sigma_w2=0.08, sigma_w=None, sphere=True).certificate
    places, answers, draw = list(_paths(honest))[1:], {}, random.Random(0)
    known = {}  # most changes leave the parameters, and what is computed from them

    def rebuilt(data, parameters):
        key = json.dumps(parameters, sort_keys=True)
        if key not in known:
            known[key] = rebuild_beside_floats(data, parameters)
        return known[key]

    for _ in range(300):
        content = json.loads(json.dumps(honest))
        *above, last = draw.choice(places)
        inside = content
        for key in above:
            inside = inside[key]
        inside[last] = _mutated(inside[last], draw)
        with contextlib.suppress(KeyError):
            content["sha256"] = _content_digest(content)
        file = tmp_path / "mutated.json"
        file.write_text(json.dumps(content))
        try:
            found = verify(read(file), data, rebuilt)
        except HermiteDualError as error:
            answers.setdefault(type(error).__name__, []).append(content)
            continue
        answers.setdefault(found.outcome.value, []).append(content)
        if found.outcome is Outcome.PROVEN:
            _assert_true(content, data)
            assert str(content["parameters"]["activation"]) in found.subject
    assert {len(some) > 0 for some in answers.values()} == {True}
    assert sum(map(len, answers.values())) == 300
    assert {"DataFileError", "REFUTED", "PROVEN", "UNDECIDED"} <= answers.keys()


def _assert_true(content, data):
    """By the float64 layer alone, far from the proofs' widths."""
    parameters, claim = content["parameters"], content["claim"]
    rows = hd.on_sphere(data) if parameters["rows"].startswith("scaled") else data
    weight = parameters["sigma_w"] if "sigma_w" in parameters else np.sqrt(2 * parameters["sigma_w2"])
    model = hd.DEQ(parameters["activation"], weight, np.sqrt(2))
    least = float(np.linalg.eigvalsh(model.gram(rows).matrix)[0])
    assert claim["statement"] == "lambda_min >= value"
    assert claim["value"] <= least + 1e-12
