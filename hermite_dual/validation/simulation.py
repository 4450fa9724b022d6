"""The networks of a validation, drawn and solved, or read from a store where they are there already."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from hermite_dual._version import __version__
from hermite_dual.arrays import Array, Indices
from hermite_dual.data.store import RecordStore, digest_of_array
from hermite_dual.identity import identity
from hermite_dual.progress import Progress
from hermite_dual.validation.variates import Control
from hermite_dual.validation.wide_model import WideModel, layers_of


@dataclass(frozen=True)
class Design:
    """Which networks a validation draws.

    Attributes:
        widths: widths.
        replicas: networks per width.
        seed: seed.
        first: number of the first replica.
    """

    widths: tuple[int, ...]
    replicas: int
    seed: int
    first: int = 0

    @property
    def fresh(self) -> "Design":
        """The same number of networks, the replicas that follow these."""
        return replace(self, first=self.first + self.replicas)

    @property
    def networks(self) -> int:
        """Number of networks."""
        return len(self.widths) * self.replicas

    @property
    def neurons(self) -> int:
        """Number of neurons of all networks."""
        return sum(self.widths) * self.replicas

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Give width and number of each network."""
        return ((m, r) for m in self.widths for r in range(self.first, self.first + self.replicas))


def replica_seed(seed: int, width: int, replica: int) -> np.random.SeedSequence:
    """Give the seed of one network of a validation; `model.sample(width, inputs, seed)` accepts it.

    Args:
        seed: seed of the validation.
        width: width of the network.
        replica: number of the network among those of its width, from 0.

    Returns:
        The seed.
    """
    return np.random.SeedSequence(seed, spawn_key=(width, replica))


def open_store(folder: str | os.PathLike[str], model: WideModel, X: Array, seed: int) -> RecordStore:
    """Open the store of a model's networks on samples; widths and replicas may grow from call to call.

    Args:
        folder: the folder.
        model: the model of infinite width.
        X: samples, shape (n, d).
        seed: seed of the validation.

    Raises:
        InvalidInputError: The folder holds networks of another model, other samples, another seed or another version.
        DataFileError: The folder cannot be used.
    """
    key = {
        "contents": "networks of a validation",
        "version": __version__,
        **identity(model.activation),
        "sigma_w": model.sigma_w,
        "sigma_u": model.sigma_u,
        "sigma_b": model.sigma_b,
        **({} if layers_of(model) is None else {"parameters": model.parameters()}),
        "samples": list(X.shape),
        "samples digest": digest_of_array(X),
        "seed": seed,
    }
    return RecordStore(folder, key)


def simulate(
    model: WideModel,
    X: Array,
    control: Control,
    coefficients: Array,
    design: Design,
    *,
    store: RecordStore | None = None,
    progress: Progress | None = None,
) -> Iterator[tuple[int, Array, Array]]:
    """Give width, Gram matrix and control of every network, in order.

    Args:
        model: the model of infinite width; its `sample` draws the networks.
        X: samples, shape (n, d).
        control: the control variates.
        coefficients: theirs.
        design: which networks.
        store: where finished networks are kept.
        progress: called after each network with "networks", or "fresh networks" of a second stage, and how many of how
            many are done.

    Yields:
        The width m, `Z^T Z / m` and the combination of the control variates, shapes (n, n).
    """
    upper = np.triu_indices(len(X))
    for done, (width, replica) in enumerate(design, 1):
        name = f"width-{width}-replica-{replica}"
        record = None if store is None else store.load(name)
        if record is None:
            net = model.sample(width=width, inputs=X.shape[1], seed=replica_seed(design.seed, width, replica))
            G, variates = control.read(net)
            record = {"gram": G[upper], "control": np.tensordot(coefficients, variates, axes=1)[upper]}
            if store is not None:
                store.save(name, record)
        yield width, _symmetric(record["gram"], upper), _symmetric(record["control"], upper)
        if progress is not None:
            progress("fresh networks" if design.first else "networks", done, design.networks)


def _symmetric(values: Array, upper: tuple[Indices, Indices]) -> Array:
    n = int(upper[1][-1]) + 1
    matrix = np.empty((n, n))
    matrix[upper] = values
    matrix.T[upper] = values
    return matrix
