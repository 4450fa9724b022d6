"""The example gallery: every script of `examples/` is run, and shown with what it printed and drew.

A page is made again where the script, the package or the versions of NumPy and SciPy have changed since.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import scipy

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "_generated" / "gallery"
FIGURES = (".png", ".svg")


def write_gallery() -> None:
    """Write a page per example into `docs/_generated/gallery`, and remove those of examples that are gone."""
    TARGET.mkdir(parents=True, exist_ok=True)
    scripts = sorted((ROOT / "examples").glob("*.py"))
    package = _digest(sorted((ROOT / "hermite_dual").rglob("*.py")), f"{np.__version__} {scipy.__version__}")
    for page in TARGET.glob("*.md"):
        if page.stem not in {script.stem for script in scripts}:
            page.unlink()
    # Two at a time: a script is rarely busy on more than one processor.
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda script: _write_page(script, _digest([script], package)), scripts))


def _digest(files: list[Path], more: str) -> str:
    found = hashlib.sha256(more.encode())
    for file in files:
        found.update(file.read_bytes())
    return found.hexdigest()


def _write_page(script: Path, key: str) -> None:
    page, mark = TARGET / f"{script.stem}.md", f"% {key}"
    if page.exists() and page.read_text(encoding="utf-8").startswith(mark):
        return
    with tempfile.TemporaryDirectory() as folder:
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        done = subprocess.run(
            [sys.executable, "-W", "error", script],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": path, "MPLBACKEND": "Agg", "NO_COLOR": "1", "COLUMNS": "100"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{script} ended with exit code {done.returncode}:\n{done.stderr}")
        figures = sorted(file for file in Path(folder).iterdir() if file.suffix in FIGURES)
        for figure in figures:
            shutil.copy(figure, TARGET / f"{script.stem}-{figure.name}")
    title = script.stem.replace("_", " ").capitalize()
    parts = [
        f"{mark}\n",
        f"# {title}\n",
        f"`examples/{script.name}`\n",
        f"```{{literalinclude}} ../../../examples/{script.name}\n:language: python\n```\n",
        f"It prints\n\n```text\n{done.stdout.rstrip()}\n```\n",
        *(f"![{figure.stem}]({script.stem}-{figure.name})\n" for figure in figures),
    ]
    page.write_text("\n".join(parts), encoding="utf-8")
