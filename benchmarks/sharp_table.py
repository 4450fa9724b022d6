"""Print where the bounds of the proofs are nearly attained: bound, source, claim, measured, ratio.

Usage: python benchmarks/sharp_table.py

The cases are those of `tests/sharp_cases.py`; what is measured there comes from rational or multiprecision arithmetic.
"""

import sys
from pathlib import Path

from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.sharp_cases import table

HEADERS = ("bound", "source", "claim", "measured", "ratio", "at most")


def main() -> None:
    """Print the table."""
    print(tabulate(table(), HEADERS, floatfmt=("", "", ".3e", ".3e", ".4g", "g")))


if __name__ == "__main__":
    main()
