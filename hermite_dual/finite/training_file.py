"""Files of training certificates: what is proven, and the weights and data that it is about.

The JSON holds the statement and digests; nothing in it is believed, see `training_verification`.

Derivation: docs/theory/convergence.md, "The file".
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hermite_dual.activation import Activation, activation
from hermite_dual.data.atomic import atomic_path
from hermite_dual.data.json_files import write_json
from hermite_dual.data.store import digest_of_array
from hermite_dual.data.store_key import canonical, sha256
from hermite_dual.errors import HermiteDualError, InvalidInputError
from hermite_dual.outcome import Outcome

if TYPE_CHECKING:
    from hermite_dual.finite.training_certificate import TrainingCertificate

FORMAT = "hermite-dual training certificate 1"  # files of another are refused
ARRAYS = ("W", "U", "b", "a", "X", "y")  # of the weights and the data, in the .npz file
FIELDS = {"format", "activation", "parameters", "step", "radius", "rate", "arrays", "sha256"}


def save_certificate(certificate: "TrainingCertificate", path: Path) -> Path:
    """Write a PROVEN certificate as JSON and its arrays beside it; see `TrainingCertificate.save`."""
    if path.suffix != ".json":
        raise InvalidInputError(f"path={str(path)!r}: a certificate ends in .json; the weights go beside it in .npz")
    if certificate.outcome is not Outcome.PROVEN:
        raise InvalidInputError(f"nothing is proven, so there is nothing to write: {certificate.reason}")
    network, (X, y) = certificate.network, certificate.data
    given = (network.W, network.U, network.b, network.a, X, y)  # exactly float64 numbers, in whatever type
    arrays = {name: np.asarray(array, dtype=np.float64) for name, array in zip(ARRAYS, given, strict=True)}
    content: dict[str, Any] = {
        "format": FORMAT,
        "activation": _text(network.activation),
        "parameters": list(certificate.parameters),
        "step": certificate.step,
        "radius": certificate.radius,
        "rate": certificate.rate,
        "arrays": {name: digest_of_array(array) for name, array in arrays.items()},
    }
    with atomic_path(path.with_suffix(".npz")) as temporary, temporary.open("wb") as stream:
        np.savez(stream, allow_pickle=False, **arrays)
    write_json(path, content | {"sha256": content_digest(content)})
    return path


def _text(phi: Activation) -> str:
    """A name or a formula from which the same activation is read again."""
    candidates = (phi.name, str(phi.expr).replace(str(phi.symbol), "x"))
    for text in candidates:
        try:
            if activation(text).expr == phi.expr:
                return text
        except HermiteDualError:
            continue
    raise InvalidInputError(f"the activation {phi.name!r} has no formula that could be written and read again")


def content_digest(content: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical JSON of everything but the digest."""
    return sha256(canonical(content))
