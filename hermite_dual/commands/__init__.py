"""Commands of the command line, a file each; packages are imported inside them, so that `--help` answers at once."""
