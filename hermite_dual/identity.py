"""What tells an activation from every other one in the key of a store: never its name alone."""

import numpy as np
import sympy as sp

from hermite_dual.activation import Activation
from hermite_dual.data.store import digest_of_array

_FAR = np.geomspace(16.0, 1e4, 200)
_PROBES = np.concatenate([-_FAR[::-1], np.linspace(-16.0, 16.0, 4097), _FAR])
"""Where a Python function is compared, in steps of 1/128 near 0."""


def identity(activation: Activation) -> dict[str, str]:
    """Give the formula as `srepr` writes it, without loss; of a Python function the digest of its values.

    Args:
        activation: phi.
    """
    phi = activation
    facts = {"activation": phi.name if phi.expr is None else str(phi.expr)}
    if phi.expr is not None:
        return facts | {"formula": sp.srepr(phi.expr)}
    with np.errstate(all="ignore"):
        values = np.asarray(phi(_PROBES), dtype=np.float64)
    return facts | {"values": digest_of_array(values), "kinks": sp.srepr(phi.kinks)}
