"""What a validation asks of a model: its kernel in the limit of infinite width, and networks of finite width."""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from hermite_dual.activation import Activation
from hermite_dual.finite import FiniteDEQ, FiniteMLP
from hermite_dual.population.entries.recursion import LayerRule
from hermite_dual.population.gram import Gram


class WideModel(Protocol):
    """An infinitely wide model with Gaussian weights, such as `DEQ`; the scales are those of its first layer."""

    @property
    def activation(self) -> Activation:
        """The activation phi."""

    @property
    def sigma_w(self) -> float:
        """Scale of the weights above the first layer; 0 where no one number is."""

    @property
    def sigma_u(self) -> float:
        """Scale of the input weights."""

    @property
    def sigma_b(self) -> float:
        """Scale of the biases."""

    def gram(self, X: ArrayLike, Y: None = None, *, depth: int | None = None) -> Gram:
        """Return the population Gram matrix, or that of finitely many layers."""

    def sample(self, width: int, inputs: int, seed: int | np.random.SeedSequence) -> FiniteDEQ | FiniteMLP:
        """Draw a network."""

    def replace(self, **changes: Any) -> "WideModel":
        """Return the model with other parameters."""

    def parameters(self) -> dict[str, Any]:
        """Return the parameters, for reports."""


class HasWideModel(Protocol):
    """A model whose own names are others, such as `MLP`."""

    def wide_model(self) -> WideModel:
        """Return it as a `WideModel`."""


def wide_model(model: WideModel | HasWideModel) -> WideModel:
    """Return a model by the names of a `WideModel`."""
    convert: Callable[[], WideModel] | None = getattr(model, "wide_model", None)
    return model if convert is None else convert()  # type: ignore[return-value]


def layers_of(model: WideModel) -> tuple[LayerRule, ...] | None:
    """Return the layers of a multilayer network; None for a model whose one layer repeats."""
    layers: tuple[LayerRule, ...] | None = getattr(model, "layers", None)
    return layers
