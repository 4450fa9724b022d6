"""The versions that numbers were computed with."""

import platform

from hermite_dual._version import __version__


def versions() -> dict[str, str]:
    """Give the versions of the package, of Python, NumPy and SciPy, by name."""
    import numpy as np
    import scipy

    return {
        "hermite-dual": __version__,
        "Python": platform.python_version(),
        "NumPy": np.__version__,
        "SciPy": scipy.__version__,
    }
