"""No import points up, none goes round, and the map of the house is true."""

import ast
import importlib
import re
from graphlib import TopologicalSorter
from itertools import pairwise

import pytest

from tests.import_graph import FILES, PACKAGE, imports

DOCS = PACKAGE.parent / "docs"
ROOMS = """
_version arrays errors notebook outcome precision_lock progress showing symbols versions
exact_numbers scale_names float_state cached_property certified.balls
data namespaces
certified.growth
expressions
shape
certified.suprema symbolic
activation
certified.enclosures
numeric identity kernel_series sphere_spectrum dual_constants activation_design shaping
verified_form certified.counted
certified.eigenvalues
certified.second_proof
population.entries
population.proof
population.theorem
dual_on_arrays cross_dual dual
mean_fields
population
finite
outofcore
validation
deq mlp
claims sweeps sklearn
report
atlases
commands
cli __main__
"""
"""From the ground up; what stands on a line may import what stands there or above, in this text."""
LEVEL = {room: i for i, line in enumerate(ROOMS.split("\n")) for room in line.split()}
PROOFS = ("certified.", "population.proof", "population.theorem")
MODULES = sorted(FILES.keys() - {"", "certified"})


def room_of(module):
    return next(".".join(module.split(".")[:k]) for k in (2, 1) if ".".join(module.split(".")[:k]) in LEVEL)


def test_no_file_imports_itself_over_others():
    graph = {module: imports(module) for module in MODULES}
    order = list(TopologicalSorter(graph).static_order())  # a circle is an error that names it
    assert set(order) >= set(MODULES)


@pytest.mark.parametrize("module", MODULES)
def test_no_import_points_up(module):
    up = {other for other in imports(module) if LEVEL[room_of(other)] > LEVEL[room_of(module)]}
    assert not up, f"{module} stands below {up}"


def test_rooms_on_one_line_do_not_go_round():
    rooms = {room: set() for room in LEVEL}
    for module in MODULES:
        rooms[room_of(module)] |= {room_of(other) for other in imports(module)} - {room_of(module)}
    assert set(TopologicalSorter(rooms).static_order()) == set(LEVEL)  # a circle is an error that names it


def test_only_one_door_hides_an_import():
    hidden = {
        m for m, file in FILES.items() if re.search(r"import_module\(f?.hermite_dual", file.read_text(encoding="utf-8"))
    }
    assert hidden == {"showing"}


@pytest.mark.parametrize(
    "wing", [m for m in FILES if m.startswith(("certified", "population")) and FILES[m].name == "__init__.py"]
)
def test_a_wing_names_its_files(wing):
    told = set(re.findall(r"`(\w+)`", ast.get_docstring(ast.parse(FILES[wing].read_text(encoding="utf-8")))))
    inside = {m.split(".")[-1] for m in FILES if m.rpartition(".")[0] == wing}
    assert inside <= told


def test_the_map_shows_the_rooms_from_the_ground_up():
    text = (DOCS / "house.md").read_text(encoding="utf-8")
    shown = re.findall(r"^\| `([\w., `]+)` \|", text, flags=re.MULTILINE)
    rows = [cell.replace("`", "").split(", ") for cell in shown]
    assert sorted(room for row in rows for room in row) == sorted(LEVEL)
    levels = [max(LEVEL[room] for room in row) for row in rows]
    assert all(low <= high for low, high in pairwise(levels))


def sections():
    """Each section of the theory with the code that it names."""
    for page in sorted((DOCS / "theory").glob("*.md")):
        for section in re.split(r"(?m)^(?=#{2,3} )", page.read_text(encoding="utf-8"))[1:]:
            yield page.name, re.match(r"#+ (.+)", section).group(1), section.split("\n*Code:*")


@pytest.mark.parametrize(("page", "title", "parts"), list(sections()))
def test_every_section_of_the_theory_ends_with_its_code(page, title, parts):
    assert len(parts) == 2, f"{page}, {title}: no line *Code:*"
    for module, name in re.findall(r"`([\w.]+)::([\w.]+)`", parts[1]):
        found = importlib.import_module(f"hermite_dual.{module}")
        for attribute in name.split("."):
            found = getattr(found, attribute)
        head = " ".join(importlib.import_module(f"hermite_dual.{module}").__doc__.split())
        assert re.search(rf'docs/theory/{page}, [^;]*"{re.escape(title)}"', head), f"{module} does not name {title}"


def test_every_module_that_names_a_section_is_named_there():
    told = {}
    for page, title, parts in sections():
        for module, _ in re.findall(r"`([\w.]+)::([\w.]+)`", parts[-1]):
            told.setdefault(module, set()).add((page, title))
    for module, file in FILES.items():
        head = " ".join((ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "").split())
        named = {
            (page, title)
            for page, titles in re.findall(r'docs/theory/(\w+\.md)((?:, "[^"]+")+)', head)
            for title in re.findall(r'"([^"]+)"', titles)
        }
        assert named == told.get(module, set()), module


def constants(module):
    """Constants of a module, and whether a reason stands beside or under each."""
    text = FILES[module].read_text(encoding="utf-8")
    lines, body = text.splitlines(), ast.parse(text).body
    for node, following in pairwise([*body, ast.Pass()]):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        names = [
            name.id
            for target in targets
            if target is not None
            for name in ast.walk(target)
            if isinstance(name, ast.Name)
        ]
        if isinstance(node, ast.Assign | ast.AnnAssign) and all(name == name.upper() for name in names):
            under = isinstance(following, ast.Expr) and isinstance(getattr(following.value, "value", None), str)
            beside = "#" in lines[node.end_lineno - 1] or lines[node.lineno - 2].startswith("#")
            yield names, under or beside


@pytest.mark.parametrize("module", [m for m in FILES if m.startswith(PROOFS)])
def test_every_constant_of_a_proof_has_a_reason(module):
    assert [names for names, reason in constants(module) if not reason] == []


PROPER = {
    "Gram",
    "Hermite",
    "None",
    "Theta",
    "Gamma",
    "Lipschitz",
    "Chebyshev",
    "Parseval",
    "Student",
    "Clopper",
    "Var",
}


@pytest.mark.parametrize("module", sorted(FILES))
def test_what_arguments_are_begins_in_lower_case(module):
    """One grammar of docstrings: `name: what it is, its shape.`, capitals for names of people and symbols."""
    capitals = []
    for node in ast.walk(ast.parse(FILES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            for section in re.split(r"\n(?=\S)", ast.get_docstring(node) or ""):
                if section.startswith(("Args:", "Attributes:")):
                    firsts = re.findall(r"^    \w+(?:, \w+)*: ([A-Z][a-z]+\b|A(?= [a-z]))", section, flags=re.M)
                    capitals += [word for word in firsts if word not in PROPER]
    assert capitals == []


MEANINGLESS = {"found", "own", "part", "rest"}
"""These say where a value comes from or what it is not, and nothing of what it is."""


@pytest.mark.parametrize("module", sorted(FILES))
def test_variables_say_what_is_in_them(module):
    nodes = list(ast.walk(ast.parse(FILES[module].read_text(encoding="utf-8"))))
    names = {(node.id, node.lineno) for node in nodes if isinstance(node, ast.Name)}
    names |= {(node.arg, node.lineno) for node in nodes if isinstance(node, ast.arg)}
    assert [(name, line) for name, line in sorted(names) if name in MEANINGLESS] == []


def test_array_types_have_one_name_each():
    names = {}
    for module, file in FILES.items():
        for name, kind in re.findall(r"^(\w+) = (NDArray\[np\.(?:float64|intp|bool_)\])", file.read_text(), flags=re.M):
            names.setdefault(kind, []).append((module, name))
    assert {kind: [name] for kind, (name,) in names.items()} == {
        "NDArray[np.float64]": [("arrays", "Array")],
        "NDArray[np.intp]": [("arrays", "Indices")],
        "NDArray[np.bool_]": [("arrays", "Mask")],
    }
    spelled = re.compile(r"NDArray\[np\.(?:float64|intp|bool_)\]")
    assert [module for module, file in FILES.items() if spelled.search(file.read_text(encoding="utf-8"))] == ["arrays"]
