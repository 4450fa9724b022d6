"""Run the tests; on a fresh machine, make the environment first. Arguments go to pytest."""

import os
import sys

from environment import ROOT, prepare, run

if __name__ == "__main__":
    python = prepare("test")
    os.chdir(ROOT)
    sys.exit(run([str(python), "-m", "pytest", *sys.argv[1:]]))
