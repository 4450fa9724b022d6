"""Kernels in `.npz` files: entries, samples, model and estimated error, with a digest of all that."""

import dataclasses
import hashlib
import json
import os
import zipfile
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from hermite_dual.activation import Activation
from hermite_dual.arrays import Array
from hermite_dual.data.atomic import atomic_path
from hermite_dual.errors import DataFileError, InvalidInputError
from hermite_dual.identity import named_activation, named_formula
from hermite_dual.population.entries.model import Model
from hermite_dual.population.entries.recursion import LayerRule

_FORMAT = "hermite-dual kernel 1"
_ARRAYS = ("matrix", "variances", "other_variances")
"""Fields of a kernel that are arrays, as far as it has them."""
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, RuntimeError, zipfile.BadZipFile)
"""What NumPy, zipfile and json raise at a file of something else."""


def save_kernel(kernel: Any, path: str | os.PathLike[str]) -> Path:
    """Write a kernel; see `KernelArray.save`."""
    target = Path(path)
    if target.suffix != ".npz":
        raise InvalidInputError(
            f"file {str(path)!r}: a kernel with its samples and model is saved as .npz; numpy.save(path, G.matrix) "
            "writes the entries alone"
        )
    arrays = {name: getattr(kernel, name) for name in _ARRAYS if hasattr(kernel, name)}
    arrays["samples"] = kernel.model.samples
    about: dict[str, Any] = {
        "format": _FORMAT,
        "kind": type(kernel).__name__,
        "estimated_error": kernel.estimated_error,
        "model": _model_facts(kernel.model),
        "digests": {name: _digest(array) for name, array in arrays.items()},
    }
    if any(one.name == "tangent" for one in dataclasses.fields(kernel)):
        about["tangent"] = kernel.tangent
    about["sha256"] = _digest_of_text(about)
    with atomic_path(target) as temporary:
        np.savez(temporary, about=np.array(json.dumps(about)), **arrays)
    return target


def read_kernel(path: str | os.PathLike[str], kinds: Iterable[str]) -> tuple[str, dict[str, Any]]:
    """Read what `save_kernel` has written.

    Args:
        path: the file.
        kinds: names of the classes that there are.

    Returns:
        The name of the kernel's class, and its fields.

    Raises:
        DataFileError: the file is missing, damaged or something else.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            about = json.loads(str(archive["about"]))
            arrays = {name: archive[name] for name in archive.files if name != "about"}
        digest = about.pop("sha256")
        if about["format"] != _FORMAT or digest != _digest_of_text(about):
            raise ValueError("its description is of another format, or was altered")
        if about["kind"] not in kinds:
            raise ValueError(f"{about['kind']!r} is no kind of kernel")
        if about["digests"] != {name: _digest(array) for name, array in arrays.items()}:
            raise ValueError("its numbers were altered")
        model = _model(about["model"], arrays.pop("samples"))
        _check_shapes(about["kind"], arrays, len(model.samples))
        fields = {"estimated_error": about["estimated_error"], "depth": model.depth, "model": model}
        if "tangent" in about:
            fields["tangent"] = about["tangent"]
        return about["kind"], arrays | fields
    except DataFileError:
        raise
    except _UNREADABLE as error:
        reason = getattr(error, "strerror", None) or error
        raise DataFileError(
            f"file {os.fspath(path)!r} is no kernel that can be read: {reason}. Give the .npz file that G.save(path) "
            "has written, or the folder of store_gram"
        ) from error


def _check_shapes(kind: str, arrays: dict[str, Array], rows: int) -> None:
    matrix, other = arrays["matrix"], arrays.get("other_variances")
    n = len(arrays["variances"])
    columns = n if other is None else len(other)
    if matrix.shape != (n, columns) or rows != n + (0 if other is None else columns):
        raise ValueError(f"{n} variances, {rows} samples and entries of shape {matrix.shape} do not belong together")
    if kind != "CrossGram" and not np.array_equal(matrix, matrix.T):
        raise ValueError("its matrix is not symmetric")


def _digest_of_text(about: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()


def _digest(array: Array) -> str:
    kind = f"{array.dtype.str}{array.shape}".encode()
    return hashlib.sha256(kind + np.ascontiguousarray(array).tobytes()).hexdigest()


def _model_facts(model: Model) -> dict[str, Any]:
    numbers = ("sigma_w", "sigma_u", "sigma_b", "depth", "trained", "row_error")
    layers = (
        None
        if model.layers is None
        else [layer_numbers(layer) | {"activation": named_formula(layer.activation)} for layer in model.layers]
    )
    activation = named_formula(model.activation)
    facts = {"activation": activation, "layers": layers, **{name: getattr(model, name) for name in numbers}}
    return facts | {"trained": list(model.trained)}


def layer_numbers(layer: LayerRule) -> dict[str, Any]:
    """Return what a layer is beside its activation, as JSON holds it."""
    numbers = {one.name: getattr(layer, one.name) for one in dataclasses.fields(layer) if one.name != "activation"}
    return numbers | {"squares": None if layer.squares is None else list(map(str, layer.squares))}


def layer_of(activation: Activation, numbers: dict[str, Any]) -> LayerRule:
    """Return the layer of an activation and what `layer_numbers` said."""
    squares = numbers["squares"]
    exact = None if squares is None else (Fraction(squares[0]), Fraction(squares[1]))
    return LayerRule(activation, **(numbers | {"squares": exact}))


def _model(facts: dict[str, Any], samples: Array) -> Model:
    layers = facts.pop("layers")
    rules = (
        None
        if layers is None
        else tuple(layer_of(named_activation(layer.pop("activation")), layer) for layer in layers)
    )
    facts["trained"] = tuple(facts["trained"])
    return Model(samples=samples, layers=rules, **_with_activation(facts))


def _with_activation(facts: dict[str, Any]) -> dict[str, Any]:
    return facts | {"activation": named_activation(facts["activation"])}
