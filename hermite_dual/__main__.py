"""`python -m hermite_dual` is the command `hermite-dual`."""

from hermite_dual.cli import main

main()
