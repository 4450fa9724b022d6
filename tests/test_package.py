"""The package's public list, and what importing it loads."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import hermite_dual as hd


def _modules_after(code: str) -> set[str]:
    program = f"{code}\nimport sys; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    return set(done.stdout.split())


def test_every_public_name_exists_and_is_listed():
    for name in hd.__all__:
        assert getattr(hd, name) is not None
        assert name in dir(hd)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = hd.nonsense


@pytest.mark.slow
@pytest.mark.parametrize("first", ["deq", "dual", "activation"])
def test_functions_are_not_hidden_by_modules_of_the_same_name(first):
    code = f"import hermite_dual.{first}, hermite_dual as hd; assert callable(hd.dual) and callable(hd.activation)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.slow
def test_importing_the_package_loads_no_compiler_and_no_plotting():
    loaded = _modules_after("import hermite_dual")
    assert {"numpy", "sympy"} <= loaded
    assert not loaded & {"scipy", "numba", "matplotlib", "rich", "typer", "tabulate"}


@pytest.mark.slow
def test_a_kernel_value_needs_no_compiler():
    assert "numba" not in _modules_after("import sympy, hermite_dual; hermite_dual.dual(sympy.tanh)(0.5)")


def test_the_citation_names_the_version():
    citation = Path(hd.__file__).resolve().parent.parent / "CITATION.cff"
    if not citation.exists():
        pytest.skip("an installed package has no CITATION.cff beside it")
    assert f"\nversion: {hd.__version__}\n" in citation.read_text(encoding="utf-8")


def test_every_public_name_has_an_entry_in_the_reference():
    page = Path(hd.__file__).resolve().parent.parent / "docs" / "reference.md"
    if not page.exists():
        pytest.skip("an installed package has no documentation beside it")
    text = page.read_text(encoding="utf-8")
    entries = set(re.findall(r"^\.\. (?:auto\w+|data):: (?:\S*\.)?(\w+)$|^          (\w+)$", text, re.MULTILINE))
    assert set(hd.__all__) - {name for pair in entries for name in pair} == {"__version__"}
