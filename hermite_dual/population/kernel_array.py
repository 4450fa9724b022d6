"""What a kernel in memory has of an array: shape, slices, products, and the file that it is saved to."""

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hermite_dual.float_state import own_float_state
from hermite_dual.notebook import Shown


@own_float_state
class KernelArray(Shown):
    """A kernel whose entries are the array `matrix`; NumPy takes it wherever it takes an array."""

    matrix: NDArray[Any]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Return the matrix, for NumPy."""
        if dtype is not None and np.dtype(dtype) != self.matrix.dtype:
            if copy is False:
                raise ValueError(f"the kernel is {self.matrix.dtype}: conversion to {np.dtype(dtype)} needs a copy")
            return self.matrix.astype(dtype)
        return self.matrix.copy() if copy else self.matrix

    @property
    def shape(self) -> tuple[int, int]:
        """Shape (n, n), of a block between n and p samples (n, p)."""
        return (self.matrix.shape[0], self.matrix.shape[1])

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the entries."""
        return self.matrix.dtype

    @property
    def ndim(self) -> int:
        """Number of dimensions, 2."""
        return self.matrix.ndim

    def __len__(self) -> int:
        return len(self.matrix)

    def __getitem__(self, key: Any) -> Any:
        """Return entries as `matrix[key]`, a read-only view where it is one."""
        return self.matrix[key]

    def __matmul__(self, other: ArrayLike) -> Any:
        return self.matrix @ np.asarray(other)

    def __rmatmul__(self, other: ArrayLike) -> Any:
        return np.asarray(other) @ self.matrix

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write entries, samples, model and estimated error to a file that `hermite_dual.load` reads.

        What is proven is not written: after `load` it is proven again when it is asked for, from the same entries.

        Args:
            path: ends in .npz; complete or absent.

        Returns:
            The path.

        Raises:
            InvalidInputError: the path ends otherwise, or the activation is a Python function.
            DataFileError: the file cannot be written.
        """
        from hermite_dual.population.kernel_file import save_kernel

        return save_kernel(self, path)
