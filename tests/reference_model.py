"""An infinitely wide model with the error function, from the arcsine kernel: independent of the package's kernels.

C. K. I. Williams, Computation with infinite neural networks, Neural Computation 10 (1998) 1203.
"""

from dataclasses import asdict, dataclass
from dataclasses import replace as dataclass_replace
from types import SimpleNamespace

import numpy as np
from scipy.special import erf

from hermite_dual.finite import sample_network


@dataclass(frozen=True)
class ErfModel:
    sigma_w: float = 0.4
    sigma_u: float = 1.2
    sigma_b: float = 0.2
    activation = staticmethod(erf)

    def gram(self, X, depth=None, factor=1.0):
        drive = self.sigma_u**2 * X @ X.T / X.shape[1] + self.sigma_b**2
        K = np.zeros_like(drive)
        for _ in range(80 if depth is None else depth):
            S = self.sigma_w**2 * K + drive
            q = np.diag(S)
            K = 2 / np.pi * np.arcsin(2 * S / np.sqrt(np.outer(1 + 2 * q, 1 + 2 * q)))
        return SimpleNamespace(matrix=factor * K, preactivation=S)

    def replace(self, **changes):
        return dataclass_replace(self, **changes)

    def parameters(self):
        return {"activation": "erf", **asdict(self)}

    def sample(self, width, inputs, seed):
        return sample_network(erf, **asdict(self), width=width, inputs=inputs, seed=seed)


def points(n=12, d=5):
    """Points of no particular norm."""
    return np.random.default_rng(2).standard_normal((n, d))
