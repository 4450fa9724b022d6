"""Opens what `save` and `store_gram` have written, in a process that has neither model nor samples."""

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from hermite_dual.errors import DataFileError, InvalidInputError
from hermite_dual.float_state import own_float_state
from hermite_dual.identity import named_activation
from hermite_dual.outofcore.block_array import BlockArray
from hermite_dual.outofcore.gram_run import stored_gram
from hermite_dual.outofcore.manifest import known_key, known_samples
from hermite_dual.outofcore.samples import BlockSamples, Samples, SphereSamples, samples_of
from hermite_dual.outofcore.stored_gram import StoredGram
from hermite_dual.population.cross_gram import CrossGram
from hermite_dual.population.entries.model import Model
from hermite_dual.population.gram import Gram
from hermite_dual.population.kernel_file import layer_of, read_kernel
from hermite_dual.population.ntk import TangentGram
from hermite_dual.progress import Progress

_KINDS: dict[str, type[Gram] | type[CrossGram]] = {kind.__name__: kind for kind in (Gram, TangentGram, CrossGram)}


@own_float_state
def load(path: str | os.PathLike[str]) -> Gram | CrossGram | StoredGram:
    """Return a kernel that was saved, with its model, its samples and what can be proven of it.

    Args:
        path: the .npz file of `Gram.save` or `CrossGram.save`, or the folder of `DEQ.store_gram`.

    Raises:
        DataFileError: there is nothing of the kind, or it is damaged.

    >>> import tempfile, os, numpy as np, hermite_dual as hd
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     G = hd.DEQ("tanh", 0.3).gram(np.eye(3))
    ...     again = hd.load(G.save(os.path.join(folder, "K.npz")))
    >>> bool((again.matrix == G.matrix).all()), again.entry_error == G.entry_error
    (True, True)
    """
    if Path(path).is_dir():
        return open_gram(path)
    kind, fields = read_kernel(path, _KINDS)
    return _KINDS[kind](**fields)


@own_float_state
def open_gram(
    path: str | os.PathLike[str],
    X: ArrayLike | str | os.PathLike[str] | None = None,
    *,
    client: Any = None,
    memory: str | float | None = None,
    progress: Progress | None = None,
) -> StoredGram:
    """Open a Gram matrix on disk: `store_gram` without its model and, where the folder knows the samples, without them.

    The folder knows activation and scales, and keeps samples that were in memory; of others it knows the file. They are
    read once and compared with what the matrix was computed from. Nothing is computed.

    Args:
        path: the folder.
        X: the samples, where their file has moved: an array, or a path as `store_gram` takes it.
        client: as for `store_gram`, for proofs.
        memory: likewise.
        progress: likewise.

    Raises:
        DataFileError: it is no such folder, blocks are missing, or the samples are not there or have changed.
        InvalidInputError: the activation is a Python function, X are other samples, or another version of this package
            has written the matrix.
    """
    key = known_key(path)
    if key is None or "data_sha256" not in key:
        raise DataFileError(f"{os.fspath(path)!r} holds no Gram matrix: name the folder that store_gram has written")
    model = _model(key, str(path))
    samples = _samples(key, path) if X is None else samples_of(X)
    kind = np.float32 if key["dtype"] == "float32" else np.float64
    how = {"client": client, "memory": memory, "progress": progress}
    return stored_gram(model, samples, path, dtype=kind, block=key["block"], finished=True, **how)


def _model(key: dict[str, Any], path: str) -> Model:
    """The model that the key of a folder says."""
    layers = key.get("layers", [])
    scales = ("sigma_w", "sigma_u", "sigma_b", "depth")
    if not all("formula" in one for one in (key, *layers)) or not all(name in key for name in scales):
        raise InvalidInputError(
            f"{path!r}: what it says of its model, {key.get('activation')}, does not make it again: open it by the "
            "same call that wrote it, model.store_gram(X, path), which computes only what is missing"
        )
    w, u, b = (float(key[name]) for name in scales[:3])
    activation = named_activation({"formula": key["formula"]})
    rules = tuple(layer_of(named_activation({"formula": one["formula"]}), one["numbers"]) for one in layers)
    samples = np.zeros((0, key["samples"][1]))
    return Model(activation, samples, w, u, b, key["depth"], layers=rules or None)


def _samples(key: dict[str, Any], path: str | os.PathLike[str]) -> Samples:
    """The rows that a folder keeps, or whose file it knows."""
    where = known_samples(path)
    if where is None:
        raise DataFileError(f"{os.fspath(path)!r} does not say where its samples are: pass X as well")
    if where["file"] is None:
        n, d = key["samples"]
        return BlockSamples(BlockArray.create_or_open(path, "samples", (n, d), (key["block"], d), np.float64))
    if not Path(where["file"]).exists():
        raise DataFileError(f"the samples of {os.fspath(path)!r} were in {where['file']!r}: pass X, where they are now")
    samples = samples_of(where["file"])
    return SphereSamples(samples) if where["on_sphere"] else samples
