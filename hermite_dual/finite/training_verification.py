"""The statement of a training certificate's file, proven again from the weights and data.

The start is enclosed again and the statement decided with the step of the file, by the code that decided it first.

Derivation: docs/theory/convergence.md, "The file".
"""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hermite_dual.activation import activation
from hermite_dual.certified.second_proof.certificate import Verification
from hermite_dual.data.store import digest_of_array
from hermite_dual.errors import DataFileError, HermiteDualError
from hermite_dual.exact_numbers import is_float64
from hermite_dual.finite.network import FiniteDEQ
from hermite_dual.finite.training_file import ARRAYS, FIELDS, FORMAT, content_digest
from hermite_dual.finite.training_proof import certify_training
from hermite_dual.outcome import Outcome


def is_training_certificate(content: Any) -> bool:
    """Whether what a file holds calls itself a training certificate."""
    return isinstance(content, dict) and content.get("format") == FORMAT


def verify_training(content: Mapping[str, Any], data: Path) -> Verification:
    """Prove the statement of a file again.

    Args:
        content: of the JSON file.
        data: the .npz file of weights, samples and targets.

    Returns:
        PROVEN, REFUTED for altered files, UNDECIDED for other weights or data or if the proof does not go through.

    Raises:
        DataFileError: a file cannot be read or lacks something.
    """
    if set(content) != FIELDS:
        wrong = ", ".join(sorted(set(content) ^ FIELDS))
        raise DataFileError(f"the certificate is no {FORMAT!r}: missing or unknown are {wrong}")
    if content["sha256"] != content_digest({name: content[name] for name in content if name != "sha256"}):
        return Verification(Outcome.REFUTED, "the certificate was altered after it was written: its digest differs")
    if not all(is_float64(content[name]) for name in ("step", "radius", "rate")):
        raise DataFileError("the certificate's step, radius and rate are no finite numbers")
    arrays = _read_arrays(data)
    if {name: digest_of_array(array) for name, array in arrays.items()} != content["arrays"]:
        reason = "weights or data are not those of the certificate, digests differ: nothing was verified"
        return Verification(Outcome.UNDECIDED, reason)
    subject = f"{content['activation']}, width {len(arrays['a'])}, {len(arrays['y'])} samples, step {content['step']!r}"
    try:
        network = FiniteDEQ(activation(content["activation"]), 0.0, 0.0, 0.0, *(arrays[name] for name in "WUba"))
        again = certify_training(
            network, arrays["X"], arrays["y"], content["step"], parameters=tuple(content["parameters"])
        )
    except HermiteDualError as error:
        return Verification(Outcome.UNDECIDED, f"the file is intact, but nothing was proven: {error}", subject)
    if again.outcome is not Outcome.PROVEN:
        return Verification(Outcome.UNDECIDED, f"the file is intact, but nothing was proven: {again.reason}", subject)
    if again.radius > content["radius"] or again.rate < content["rate"]:
        reason = f"proven again with radius {again.radius!r} and rate {again.rate!r}, which is less than the file says"
        return Verification(Outcome.UNDECIDED, reason, subject)
    reason = f"zero loss within {again.radius!r}, and {again.rate!r} of the loss removed by every step, proven again"
    return Verification(Outcome.PROVEN, reason, subject)


def _read_arrays(path: Path) -> dict[str, Any]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: np.asarray(file[name], dtype=np.float64) for name in ARRAYS}
    except KeyError as error:
        raise DataFileError(f"{path} lacks {error}: give the .npz file that stands beside the certificate") from error
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise DataFileError(f"{path} is no .npz file of weights and data: {error}") from error
