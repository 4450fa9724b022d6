"""The 1,797 handwritten digits of the UCI Optical Recognition data, embedded.

E. Alpaydin and C. Kaynak, *Optical Recognition of Handwritten Digits*, UCI Machine Learning Repository, 1998,
https://doi.org/10.24432/C50P49, CC BY 4.0; see `digits.LICENSE` beside this file.
"""

from importlib import resources

import numpy as np
from numpy.typing import NDArray

from hermite_dual.arrays import Array


def load_digits() -> tuple[Array, NDArray[np.int64]]:
    """Load the embedded 8 x 8 images of handwritten digits.

    Returns:
        `X` of shape (1797, 64), the pixels of an image per row, whole numbers from 0 to 16 as float64; and the
        labels 0 to 9 of shape (1797,), int64. Both are fresh arrays.

    Example:
        >>> X, labels = load_digits()
        >>> X.shape, float(X.min()), float(X.max()), sorted(set(labels.tolist()))
        ((1797, 64), 0.0, 16.0, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    """
    archive = resources.files("hermite_dual.data").joinpath("digits.npz")
    with archive.open("rb") as stream, np.load(stream, allow_pickle=False) as table:
        return table["images"].astype(np.float64), table["labels"].astype(np.int64)
