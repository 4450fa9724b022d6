"""Run the main job; on a fresh machine, make the environment first. Arguments go to `hermite-dual demo`."""

import sys

from environment import prepare, run

if __name__ == "__main__":
    sys.exit(run([str(prepare()), "-m", "hermite_dual.cli", "demo", *sys.argv[1:]]))
