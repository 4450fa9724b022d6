"""What the documentation shows of the command line is what the command line prints; the reference is complete.

Sessions of Python on the same pages are doctests: `pytest --doctest-glob='*.md' docs`.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import hermite_dual as hd

DOCS = Path(__file__).resolve().parent.parent / "docs"
CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?:e[+-]?\d+)?")
TOLERANCE = 0.5
"""What an error bound or a margin may change by, relatively: it depends on the order in which the processor adds."""

PAGES = [page for page in sorted(DOCS.rglob("*.md")) if CONSOLE.search(page.read_text(encoding="utf-8"))]


def _sessions(page: Path) -> list[tuple[str, str]]:
    """Commands with the output shown, in the order of the page."""
    found = []
    for block in CONSOLE.findall(page.read_text(encoding="utf-8")):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            found.append((command, output))
    return found


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An environment in which `python` and `hermite-dual` are those under test."""
    folder = tmp_path / "bin"
    folder.mkdir()
    programs = {"python": '"$@"', "hermite-dual": '-c "from hermite_dual.cli import main; main()" "$@"'}
    for name, arguments in programs.items():
        (folder / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments}\n', encoding="utf-8")
        (folder / name).chmod(0o755)
    return {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "NO_COLOR": "1", "COLUMNS": "100"}


def test_the_reference_has_every_public_name():
    text = (DOCS / "reference.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\.\. auto\w+:: (?:[\w.]+\.)?(\w+)$", text, re.MULTILINE))
    for block in re.findall(r"^\.\. data:: ((?:\w+\s+)+)", text, re.MULTILINE):
        documented.update(block.split())
    assert set(hd.__all__) - {"__version__"} <= documented


def test_the_pages_with_sessions_are_found():
    assert DOCS / "howto" / "prove_a_bound.md" in PAGES


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="the pages show a POSIX shell")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_print_what_the_page_shows(page, environment, tmp_path):
    for command, shown in _sessions(page):
        done = subprocess.run(
            command, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        printed = done.stdout + done.stderr
        assert NUMBER.sub("#", printed) == NUMBER.sub("#", shown), command
        for ours, theirs in zip(NUMBER.findall(printed), NUMBER.findall(shown), strict=True):
            assert float(ours) == pytest.approx(float(theirs), rel=TOLERANCE), command
