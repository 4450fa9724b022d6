"""Certificate files: a claim about a least eigenvalue that a colleague can prove again.

The file holds the claim, a digest of the data, the parameters and the error budget, and a digest of all of that.
Nothing in it is believed: `verify` proves the claim again from the data with `rebuild`, and by a plain factorization
whose residual is measured, which shares no code with what wrote the file.
"""

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hermite_dual.certified.plain_bounds import plain_lower_bound, plain_upper_bound
from hermite_dual.errors import AccuracyError, DataFileError
from hermite_dual.outcome import Outcome

Matrix = NDArray[np.float64]
Rebuild = Callable[[Matrix, Mapping[str, Any]], tuple[Matrix, float]]
"""Data and parameters to a Gram matrix in float64 and a proven bound of its 2-norm error."""

FORMAT = "hermite-dual certificate 1"
_FIELDS = ("format", "claim", "data", "parameters", "error_budget")
STATEMENTS = {"PROVEN": "lambda_min >= value", "REFUTED": "lambda_min < value"}
"""What a claim states, by its outcome."""


@dataclass(frozen=True)
class Verification:
    """The answer to a certificate.

    Attributes:
        outcome: PROVEN if the claim was proven again, REFUTED if the file does not belong to the data or was altered,
            UNDECIDED if it is intact but the proof did not go through.
        reason: what was found.
    """

    outcome: Outcome
    reason: str


def data_digest(data: Matrix) -> dict[str, Any]:
    """Shape and SHA-256 of the data as little-endian float64 in row order."""
    values = np.ascontiguousarray(data, dtype="<f8")
    return {"shape": list(values.shape), "sha256": hashlib.sha256(values.tobytes()).hexdigest()}


def _content_digest(certificate: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical JSON of every field but the digest itself."""
    content = {key: certificate[key] for key in _FIELDS}
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def make_certificate(
    claim: Mapping[str, Any], data: Matrix, parameters: Mapping[str, Any], error_budget: Mapping[str, float]
) -> dict[str, Any]:
    """Assemble a certificate.

    Args:
        claim: `{"statement": "lambda_min >= value", "value": float, "outcome": "PROVEN"}`; floats are written so that
            they read back as the same float.
        data: X, shape (n, d).
        parameters: activation and scales, JSON types only.
        error_budget: named contributions to the distance between what was factored and the truth.

    Returns:
        A dictionary of JSON types.
    """
    certificate: dict[str, Any] = {
        "format": FORMAT,
        "claim": dict(claim),
        "data": data_digest(data),
        "parameters": dict(parameters),
        "error_budget": {key: float(value) for key, value in error_budget.items()},
    }
    certificate["sha256"] = _content_digest(certificate)
    return certificate


def write(path: str | Path, certificate: Mapping[str, Any]) -> None:
    """Write a certificate as JSON."""
    try:
        Path(path).write_text(json.dumps(certificate, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    except OSError as error:
        raise DataFileError(f"the certificate cannot be written to {path}: {error.strerror}") from error


def read(path: str | Path) -> dict[str, Any]:
    """Read a certificate and check its shape, not its truth."""
    try:
        certificate = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise DataFileError(f"the certificate {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise DataFileError(f"{path} is not JSON: {error}; give the file that `hermite-dual check` wrote") from error
    missing = [key for key in (*_FIELDS, "sha256") if not isinstance(certificate, dict) or key not in certificate]
    if missing or certificate["format"] != FORMAT:
        raise DataFileError(f"{path} is no {FORMAT!r}; missing or wrong: {', '.join(missing) or 'format'}")
    return dict(certificate)


def tampered(certificate: Mapping[str, Any], data: Matrix) -> str | None:
    """What does not fit, or None: the file against itself and the data against the file."""
    if certificate["sha256"] != _content_digest(certificate):
        return "the certificate was altered after it was written: its digest does not match its content"
    if certificate["data"] != data_digest(data):
        return "the data are not those of the certificate: shape or digest differ"
    value = certificate["claim"].get("value")
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not math.isfinite(value):
        return f"the claim's value {value!r} is not a finite number"
    if certificate["claim"].get("outcome") not in STATEMENTS:
        return f"the claim's outcome is {certificate['claim'].get('outcome')!r}; a certificate has PROVEN or REFUTED"
    if certificate["claim"].get("statement") != STATEMENTS[certificate["claim"]["outcome"]]:
        return "the claim's statement and outcome do not belong together"
    return None


def verify(certificate: Mapping[str, Any], data: Matrix, rebuild: Rebuild) -> Verification:
    """Prove a certificate's claim, `lambda_min >= value` or `lambda_min < value`, again.

    Args:
        certificate: from `read`.
        data: X, shape (n, d).
        rebuild: computes the Gram matrix and a bound of its error in the 2-norm from data and parameters, by other
            means than the ones that wrote the certificate.

    Returns:
        PROVEN, REFUTED for altered files or other data, UNDECIDED if the proof does not go through.
    """
    problem = tampered(certificate, data)
    if problem is not None:
        return Verification(Outcome.REFUTED, problem)
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


def _verify_upper(matrix: Matrix, error: float, value: float) -> Verification:
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
