"""A virtual environment with the package installed, made when there is none and reused when nothing changed."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def prepare(extra: str = "") -> Path:
    """Make the environment, install the package with an extra where that has not been done, and return its Python.

    The environment is `.venv` in the checkout, or the folder that HERMITE_DUAL_VENV names.

    Args:
        extra: An extra of the package, such as "test".

    Returns:
        The Python of the environment.
    """
    if sys.version_info < (3, 11):  # noqa: UP036  (this file runs before anything is installed)
        sys.exit(
            f"Python {sys.version.split()[0]} is too old: hermite_dual needs 3.11 or newer. Run this with python3.11."
        )
    folder = Path(os.environ.get("HERMITE_DUAL_VENV") or ROOT / ".venv")
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    # A copied or half-made environment does not start; it is made again.
    if (
        not python.exists()
        or subprocess.run([python, "-m", "pip", "--version"], check=False, capture_output=True).returncode
    ):
        _say(f"making the virtual environment {folder}")
        if subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=False).returncode:
            sys.exit(
                "the virtual environment could not be made: install the venv module (Debian: apt install python3-venv)"
            )
    mark = folder / f".hermite-dual-{extra or 'plain'}"
    state = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest() + f" {ROOT}"
    if not mark.exists() or mark.read_text(encoding="utf-8") != state:
        target = f"{ROOT}[{extra}]" if extra else str(ROOT)
        _say("installing hermite_dual and what it needs (a few minutes the first time)")
        command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--editable", target]
        if subprocess.run(command, check=False).returncode:
            sys.exit("the installation failed: see the message above; a first installation needs the network")
        mark.write_text(state, encoding="utf-8")
    return python


def run(command: list[str]) -> int:
    """Run a command from the folder of the caller; return its exit code, 130 after Ctrl-C."""
    process = subprocess.Popen(command)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            # The command receives the same Ctrl-C and stops by itself.
            continue


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
