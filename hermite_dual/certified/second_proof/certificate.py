"""Certificate files: a claim about a least eigenvalue that a colleague can prove again.

The file holds the claim, a digest of the data, the parameters, and a digest of all of that; nothing else, so that
whatever a reader sees in it is what was proven. Nothing in it is believed: `verify` proves the claim again from the
data with `rebuild`, and by a plain factorization whose residual is measured, which shares no code with what wrote the
file.

Derivation: docs/theory/certificates.md, "Certificates of claims".
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hermite_dual.arrays import Array
from hermite_dual.certified.second_proof.plain_bounds import plain_lower_bound, plain_upper_bound
from hermite_dual.data.atomic import atomic_path
from hermite_dual.data.json_files import read_json
from hermite_dual.errors import AccuracyError, DataFileError
from hermite_dual.exact_numbers import is_float64
from hermite_dual.notebook import Shown
from hermite_dual.outcome import Outcome

Rebuild = Callable[[Array, Mapping[str, Any]], tuple[Array, float]]
"""Data and parameters to a Gram matrix in float64 and a proven bound of its 2-norm error."""

FORMAT = "hermite-dual certificate 2"  # files of another are refused
_FIELDS = ("format", "claim", "data", "parameters")  # of a certificate, no others
_KEYS = {"claim": {"statement", "value", "outcome"}, "data": {"shape", "sha256"}}  # of its parts, no others
STATEMENTS = {"PROVEN": "lambda_min >= value", "REFUTED": "lambda_min < value"}
"""What a claim states, by its outcome."""


@dataclass(frozen=True, repr=False)
class Verification(Shown):
    """The answer to a certificate.

    Attributes:
        outcome: PROVEN if the claim was proven again, REFUTED if the file was altered, UNDECIDED if it is intact but
            the proof did not go through, or the data are others.
        reason: what was found.
        subject: the model and the data that were looked at.
    """

    outcome: Outcome
    reason: str
    subject: str = ""


def data_digest(data: Array) -> dict[str, Any]:
    """Shape and SHA-256 of the data as little-endian float64 in row order."""
    values = np.ascontiguousarray(data, dtype="<f8")
    return {"shape": list(values.shape), "sha256": hashlib.sha256(values.tobytes()).hexdigest()}


def _content_digest(certificate: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical JSON of every field but the digest itself."""
    content = {key: certificate[key] for key in _FIELDS}
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def make_certificate(claim: Mapping[str, Any], data: Array, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Assemble a certificate.

    Args:
        claim: `{"statement": "lambda_min >= value", "value": float, "outcome": "PROVEN"}`; floats are written so that
            they read back as the same float.
        data: X, shape (n, d).
        parameters: activation and scales, JSON types only.

    Returns:
        A dictionary of JSON types.
    """
    certificate: dict[str, Any] = {
        "format": FORMAT,
        "claim": dict(claim),
        "data": data_digest(data),
        "parameters": dict(parameters),
    }
    certificate["sha256"] = _content_digest(certificate)
    return certificate


def write(path: str | Path, certificate: Mapping[str, Any]) -> None:
    """Write a certificate as JSON: whole, or not at all, and into nothing but a regular file."""
    text = json.dumps(certificate, indent=2, sort_keys=True, allow_nan=False) + "\n"
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read(path: str | Path) -> dict[str, Any]:
    """Read a certificate and check its shape, not its truth."""
    return well_formed(read_json(path, "give the file that `hermite-dual check` wrote"), path)


def well_formed(certificate: Any, path: str | Path) -> dict[str, Any]:
    """Return what was read from a file if it has the shape of a certificate."""
    problem = _malformed(certificate)
    if problem is not None:
        raise DataFileError(f"{path} is no {FORMAT!r}: {problem}; give the file that `hermite-dual check` wrote")
    return dict(certificate)


def _malformed(certificate: Any) -> str | None:
    """What is missing or does not belong there, or None."""
    if not isinstance(certificate, dict):
        return "it is no JSON object"
    expected: dict[str, tuple[Any, set[str]]] = {"": (certificate, {*_FIELDS, "sha256"})}
    if certificate.get("format") != FORMAT:
        return f"its format is {certificate.get('format')!r}"
    expected |= {f"{name}.": (certificate.get(name), keys) for name, keys in _KEYS.items()}
    for prefix, (record, keys) in expected.items():
        if not isinstance(record, dict):
            return f"{prefix[:-1]} is no object"
        for word, names in (("missing", keys - record.keys()), ("unknown", record.keys() - keys)):
            if names:
                return f"{word}: {', '.join(prefix + name for name in sorted(names))}"
    if not isinstance(certificate["parameters"], dict):
        return "parameters is no object"
    return None


def tampered(certificate: Mapping[str, Any]) -> str | None:
    """What does not fit in the file itself, or None."""
    if certificate["sha256"] != _content_digest(certificate):
        return "the certificate was altered after it was written: its digest does not match its content"
    value = certificate["claim"].get("value")
    if not is_float64(value):
        return f"the claim's value {str(value)[:40]} is not a finite float64 number"
    if certificate["claim"].get("outcome") not in STATEMENTS:
        return f"the claim's outcome is {certificate['claim'].get('outcome')!r}; a certificate has PROVEN or REFUTED"
    if certificate["claim"].get("statement") != STATEMENTS[certificate["claim"]["outcome"]]:
        return "the claim's statement and outcome do not belong together"
    return None


def verify(certificate: Mapping[str, Any], data: Array, rebuild: Rebuild) -> Verification:
    """Prove a certificate's claim, `lambda_min >= value` or `lambda_min < value`, again.

    Args:
        certificate: from `read`.
        data: X, shape (n, d).
        rebuild: computes the Gram matrix and a bound of its error in the 2-norm from data and parameters, by other
            means than the ones that wrote the certificate.

    Returns:
        PROVEN, REFUTED for altered files, UNDECIDED for other data or if the proof does not go through.
    """
    problem = tampered(certificate)
    if problem is not None:
        return Verification(Outcome.REFUTED, problem)
    if certificate["data"] != data_digest(data):
        reason = "the data are not those of the certificate, shape or digest differ: nothing was verified"
        return Verification(Outcome.UNDECIDED, reason)
    return replace(_prove_again(certificate, data, rebuild), subject=_subject(certificate))


def _subject(certificate: Mapping[str, Any]) -> str:
    """The model and the data of a certificate in one line."""
    model = ", ".join(f"{name} = {value}" for name, value in sorted(certificate["parameters"].items()))
    rows, columns = certificate["data"]["shape"]
    return f"{model}; {rows} x {columns} samples, SHA-256 {certificate['data']['sha256']}"


def _prove_again(certificate: Mapping[str, Any], data: Array, rebuild: Rebuild) -> Verification:
    try:
        matrix, error = rebuild(data, certificate["parameters"])
    except AccuracyError as failure:
        return Verification(Outcome.UNDECIDED, f"the file is intact, but nothing was proven: {failure}")
    value = float(certificate["claim"]["value"])
    if certificate["claim"]["outcome"] == Outcome.REFUTED.value:
        return _verify_upper(matrix, error, value)
    proven = plain_lower_bound(matrix, value, error)
    if proven >= value:
        return Verification(Outcome.PROVEN, f"lambda_min >= {proven!r} was proven again, the claim is {value!r}")
    return Verification(
        Outcome.UNDECIDED, f"the file is intact, but {value!r} was not proven again; a smaller value may be"
    )


def _verify_upper(matrix: Array, error: float, value: float) -> Verification:
    """The answer for a claim `lambda_min < value`."""
    upper = plain_upper_bound(matrix, error)
    if upper < value:
        return Verification(Outcome.PROVEN, f"lambda_min <= {upper!r} was proven again, below {value!r} as claimed")
    return Verification(Outcome.UNDECIDED, f"the file is intact, but lambda_min < {value!r} was not proven again")


def refuse_other_files(path: str | Path) -> None:
    """Raise if a file is in the way that is no certificate."""
    if Path(path).exists():
        try:
            read(path)
        except DataFileError:
            raise DataFileError(f"{path} exists and is no certificate: name another file, or remove this one") from None
