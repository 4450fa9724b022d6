"""The empirical neural tangent kernel of a network, and of one with untied weights.

Derivation: docs/theory/tangent_kernel.md, "Finitely many layers with shared weights", "Conventions of others".
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from hermite_dual.exact_numbers import freeze
from hermite_dual.namespaces import AnyArray
from hermite_dual.notebook import Shown

Parametrization = Literal["ntk", "standard"]


@dataclass(frozen=True, eq=False, repr=False)
class EmpiricalNTK(Shown):
    """The neural tangent kernel `Theta_ij = <d y_i, d y_j>` of a network of width m, outputs `y = a^T Z`.

    With the sensitivities G of shape (m, n), whose columns hold the derivatives of the outputs by the preactivations,
    and `Gamma = G^T G`, `K = Z^T Z / m`,

        Theta = K + Gamma o (sigma_w^2 K + sigma_u^2 X X^T / d + sigma_b^2)

    in the NTK parametrization (`W = sigma_w omega / sqrt(m)` and so on, derivatives by `omega`), and

        Theta = Z^T Z + Gamma o (Z^T Z + X X^T + 1)

    in the standard one, derivatives by the weights themselves. Terms of parameters that were left out are missing.

    Attributes:
        matrix: Theta, shape (n, n), symmetric.
        gram: K, shape (n, n).
        gamma: Gamma, shape (n, n), the factor that converges to `kdot / (1 - sigma_w^2 kdot)` with growing width.
    """

    matrix: AnyArray
    gram: AnyArray
    gamma: AnyArray

    def __post_init__(self) -> None:
        """Make the arrays read-only."""
        freeze(self.matrix, self.gram, self.gamma)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        """Return the matrix, for NumPy."""
        return np.asarray(self.matrix, dtype=dtype, copy=copy)


@dataclass(frozen=True)
class Scales:
    """Squared scales by which the terms of a neural tangent kernel are weighed, 0 for what is not trained.

    Attributes:
        a: of `Z^T Z`.
        W: of `Gamma o Z^T Z`.
        U: of `Gamma o X X^T`.
        b: of `Gamma`.
    """

    a: float
    W: float
    U: float
    b: float


def scales_of(
    sigmas: tuple[float, float, float],
    shape: tuple[int, int],
    parametrization: Parametrization,
    parameters: tuple[str, ...],
) -> Scales:
    """Return the squared scales of a parametrization.

    Args:
        sigmas: `sigma_w, sigma_u, sigma_b`.
        shape: width m and inputs d.
        parametrization: "ntk" or "standard".
        parameters: names of the trained parameters.
    """
    m, d = shape
    w, u, b = (
        (1.0, 1.0, 1.0) if parametrization == "standard" else (sigmas[0] ** 2 / m, sigmas[1] ** 2 / d, sigmas[2] ** 2)
    )
    values = {"a": 1.0 if parametrization == "standard" else 1.0 / m, "W": w, "U": u, "b": b}
    return Scales(**{name: value if name in parameters else 0.0 for name, value in values.items()})


def tied_ntk(Z: AnyArray, G: AnyArray, X: AnyArray, scales: Scales) -> EmpiricalNTK:
    """Assemble the kernel of a network at its equilibrium.

    Args:
        Z: states, shape (m, n).
        G: sensitivities, shape (m, n).
        X: samples, shape (n, d).
        scales: weights of the terms.
    """
    inner, gamma = Z.T @ Z, G.T @ G
    matrix = scales.a * inner + gamma * (scales.W * inner + scales.U * (X @ X.T) + scales.b)
    return EmpiricalNTK(matrix, inner / Z.shape[0], gamma)
