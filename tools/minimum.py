"""Run the tests with the lowest versions of the dependencies that pyproject.toml declares.

Usage: python3.11 tools/minimum.py [ARGUMENTS OF PYTEST]

The environment is made in a temporary folder, or in the folder that HERMITE_DUAL_VENV names, and kept there.
"""

import os
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TEST_TOOLS = ("pytest", "hypothesis", "array-api-strict", "scikit-learn")


def lowest() -> list[str]:
    """Return the run-time dependencies, and what the tests import, pinned to their lower bounds."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    tools = [item for item in project["optional-dependencies"]["test"] if re.split("[>=]", item)[0] in TEST_TOOLS]
    return [item.replace(">=", "==") for item in [*project["dependencies"], *tools]]


def main() -> int:
    """Make the environment and run the tests; return the exit code of pytest."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(os.environ.get("HERMITE_DUAL_VENV") or temporary)
        python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        pinned = lowest()
        print("installing", *pinned, flush=True)
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, *pinned, "--editable", ROOT], check=True)
        # Old releases meet new ones of what they need themselves, and hear that they are dated.
        command = [python, "-m", "pytest", "-W", "ignore::DeprecationWarning", *sys.argv[1:]]
        return subprocess.run(command, check=False, cwd=ROOT).returncode


if __name__ == "__main__":
    sys.exit(main())
