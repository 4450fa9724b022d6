"""What tells an activation from every other one in the key of a store, never its name alone, and how it is read again.

A formula is kept as `srepr` writes it, without loss. What is read is built of SymPy's own classes one by one: no text
of a file is evaluated.
"""

import ast
from typing import Any

import numpy as np
import sympy as sp

from hermite_dual.activation import Activation, activation
from hermite_dual.data.store import digest_of_array
from hermite_dual.errors import DataFileError, HermiteDualError, InvalidInputError
from hermite_dual.expressions.catalogue import catalogue
from hermite_dual.symbolic.bivariate_normal import BivariateNormalCDF
from hermite_dual.symbolic.normal import GaussianWeight, NormalCDF

_FAR = np.geomspace(16.0, 1e4, 200)
_PROBES = np.concatenate([-_FAR[::-1], np.linspace(-16.0, 16.0, 4097), _FAR])
"""Where a Python function is compared, in steps of 1/128 near 0."""
_OWN = {kind.__name__: kind for kind in (BivariateNormalCDF, GaussianWeight, NormalCDF)}
_SPELLED = ("Symbol", "Dummy", "Float", "Str")
"""Classes that are made of a text; any other would evaluate one."""


def identity(activation: Activation) -> dict[str, str]:
    """Give the formula as `srepr` writes it, without loss; of a Python function the digest of its values.

    Args:
        activation: phi.
    """
    phi = activation
    facts = {"activation": phi.name if phi.expr is None else str(phi.expr)}
    if phi.expr is not None:
        return facts | {"formula": sp.srepr(phi.expr)}
    with np.errstate(all="ignore"):
        values = np.asarray(phi(_PROBES), dtype=np.float64)
    return facts | {"values": digest_of_array(values), "kinks": sp.srepr(phi.kinks)}


def named_formula(phi: Activation) -> dict[str, str]:
    """Give name and formula of an activation, of which `named_activation` makes it again.

    Raises:
        InvalidInputError: it is a Python function, or its formula is not the same when it is read again.
    """
    if phi.expr is None:
        raise InvalidInputError(
            f"{phi.name} is a Python function, which no file of numbers holds: save the numbers alone with "
            "numpy.save(path, G.matrix), or pickle the matrix beside the module that defines the function"
        )
    text = sp.srepr(phi.expr)
    if sp.srepr(read_formula(text)) != text:
        raise InvalidInputError(f"the formula {phi.expr} changes when it is read again: pass it as SymPy simplifies it")
    return {"name": phi.name, "formula": text}


def named_activation(facts: dict[str, Any]) -> Activation:
    """Return the activation that a formula says, under its name; without one under that of the catalogue.

    Raises:
        DataFileError: it is no formula.
    """
    formula = read_formula(facts["formula"])
    entries = (entry.name for entry in catalogue() if entry.expression() == formula)
    name = facts["name"] if "name" in facts else next(entries, None)
    try:
        if name is not None:
            entry = activation(name)
            if entry.expr == formula:
                return entry
    except HermiteDualError:  # the name is of the user's own making
        pass
    phi = activation(sp.Lambda(sp.Symbol("x", real=True), formula))
    if name is not None:
        phi.name = str(name)
    return phi


def read_formula(text: str) -> sp.Expr:
    """Return the expression that `srepr` has written.

    Raises:
        DataFileError: the text is nothing of the kind.
    """
    try:
        value = _built(ast.parse(text, mode="eval").body)
    except (SyntaxError, TypeError, ValueError, AttributeError, RecursionError, MemoryError) as error:
        raise DataFileError(f"the formula {text[:80]!r} of the file cannot be read: {error}") from error
    if not isinstance(value, sp.Expr):
        raise DataFileError(f"{text[:80]!r} of the file is no formula")
    return value


def _built(node: ast.expr, spelled: bool = False) -> Any:
    """Build what a node says; texts are allowed only where they are names or digits."""
    match node:
        case ast.Constant(value=int() | bool() as value):
            return value
        case ast.Constant(value=str() as value) if spelled:
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() as value)):
            return -value
        case ast.Tuple(elts=items):
            return tuple(_built(item) for item in items)
        case ast.Name(id=name):
            constant = getattr(sp, name, None)
            if isinstance(constant, sp.Basic):
                return constant
        case ast.Call(func=ast.Name(id=name), args=items, keywords=options):
            kind = _OWN.get(name) or getattr(sp, name, None) or getattr(sp.functions, name, None)
            if name == "ExprCondPair":
                kind = sp.functions.elementary.piecewise.ExprCondPair
            if isinstance(kind, type) and issubclass(kind, sp.Basic):
                arguments = [_built(item, name in _SPELLED) for item in items]
                return kind(*arguments, **{str(one.arg): _built(one.value) for one in options})
    raise ValueError(f"{ast.unparse(node)[:80]} is none of SymPy's expressions")
