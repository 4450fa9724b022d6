"""Which modules of the package import which."""

import ast
from functools import cache
from pathlib import Path

import hermite_dual

PACKAGE = Path(hermite_dual.__file__).parent


def _module_of(file):
    parts = file.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {_module_of(file): file for file in PACKAGE.rglob("*.py")}


@cache
def imports(module):
    """What a module imports of the package, inside functions too; for types alone does not count."""
    tree = ast.parse(FILES[module].read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            node.body = []
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("hermite_dual"):
            whole = node.module.removeprefix("hermite_dual").lstrip(".")
            for alias in node.names:
                one = f"{whole}.{alias.name}".lstrip(".")
                found.add(one if one in FILES else whole)
        elif isinstance(node, ast.Import):
            found |= {name.name.removeprefix("hermite_dual.") for name in node.names if "hermite_dual." in name.name}
    return frozenset(found - {module, ""})
