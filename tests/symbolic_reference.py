"""An independent quadrature of dual kernels, to 30 digits and more, that shares nothing with the algebra under test."""

import itertools
import math
from collections.abc import Callable, Sequence
from functools import lru_cache

import flint
import sympy as sp

PRECISION = 150  # bits: 45 digits, 15 more than what is claimed
REACH = 14  # the Gaussian weight beyond 14 standard deviations is below 1e-42
NODES = 36  # Gauss-Legendre nodes in a panel of one standard deviation: error below 1e-35 for entire integrands


@lru_cache(maxsize=4)
def legendre(count: int) -> tuple[tuple[flint.arb, flint.arb], ...]:
    """Nodes and weights on [-1, 1]."""
    with flint.ctx.workprec(PRECISION):
        return tuple(flint.arb.legendre_p_root(count, index, weight=True) for index in range(count))


def panels(kinks: Sequence[flint.arb], step: flint.arb, reach: flint.arb) -> list[tuple[flint.arb, flint.arb]]:
    """Nodes and weights of a composite rule that is split at the kinks."""
    count = int(float((2 * reach / step).mid())) + 1
    edges = [-reach + 2 * reach * index / count for index in range(count + 1)]
    edges = sorted([*edges, *(kink for kink in kinks if abs(float(kink.mid())) < float(reach.mid()))], key=float)
    rule = []
    for low, high in itertools.pairwise(edges):
        middle, half = (low + high) / 2, (high - low) / 2
        rule += [((middle + half * node).mid(), (half * weight).mid()) for node, weight in legendre(NODES)]
    return rule


def by_width(rule: list[tuple[flint.arb, flint.arb]]) -> list[list[list[tuple[flint.arb, flint.arb]]]]:
    """The panels of a rule, those together that have their nodes at the same distances."""
    groups: dict[str, list] = {}
    for start in range(0, len(rule), NODES):
        panel = rule[start : start + NODES]
        groups.setdefault((panel[-1][0] - panel[0][0]).str(35, radius=False), []).append(panel)
    return list(groups.values())


def to_arb(expression: sp.Expr) -> flint.arb:
    """A ball around an exact SymPy number."""
    return flint.arb(str(sp.N(expression, 45)))


ARB_FUNCTIONS = {
    "exp": lambda z: z.exp(),
    "sin": lambda z: z.sin(),
    "cos": lambda z: z.cos(),
    "tanh": lambda z: z.tanh(),
    "sinh": lambda z: z.sinh(),
    "cosh": lambda z: z.cosh(),
    "erf": lambda z: z.erf(),
    "erfc": lambda z: z.erfc(),
    "sqrt": lambda z: z.sqrt(),
    "log": lambda z: z.log(),
}


def evaluator(expression: sp.Expr, symbol: sp.Symbol) -> Callable[[flint.arb], flint.arb]:
    """A function from arb to arb, written out by a tree walk; constants are converted once."""

    def compiled(node: sp.Expr) -> Callable:
        if not node.has(symbol):
            constant = node == sp.true if node in (sp.true, sp.false) else to_arb(node)
            return lambda z: constant
        if node == symbol:
            return lambda z: z
        if isinstance(node, sp.Piecewise):
            pairs = [tuple(map(compiled, pair.args)) for pair in node.args]
            return lambda z: next(value(z) for value, holds in pairs if holds(z))
        if node.is_Pow and node.exp.is_Integer:
            base, power = compiled(node.base), int(node.exp)
            return lambda z: base(z) ** power
        arguments = [compiled(argument) for argument in node.args]
        name = type(node).__name__
        function = BRANCHES.get(name, ARB_FUNCTIONS.get(name))
        return lambda z: function(*(argument(z) for argument in arguments))

    return compiled(expression)


def positive(z: flint.arb) -> bool:
    return float(z.mid()) > 0


BRANCHES = {
    "Add": lambda *z: sum(z[1:], z[0]),
    "Mul": lambda *z: math.prod(z[1:], start=z[0]),
    "Pow": lambda base, exponent: base**exponent,
    "Abs": lambda z: z if positive(z) else -z,
    "sign": lambda z: flint.arb(1 if positive(z) else -1),
    "Heaviside": lambda z, *_: flint.arb(1 if positive(z) else 0),
    "Max": lambda *z: max(z, key=float),
    "Min": lambda *z: min(z, key=float),
    "StrictGreaterThan": lambda a, b: positive(a - b),
    "GreaterThan": lambda a, b: positive(a - b),
    "StrictLessThan": lambda a, b: positive(b - a),
    "LessThan": lambda a, b: positive(b - a),
    "And": lambda *z: all(z),
    "Or": lambda *z: any(z),
}


def dual_by_quadrature(
    left: sp.Expr,
    symbol: sp.Symbol,
    kinks: Sequence[sp.Expr],
    q1: sp.Expr,
    q2: sp.Expr,
    c: sp.Expr,
    right: sp.Expr = None,
) -> sp.Float:
    """Integrate `left(u) right(v)` against the bivariate Gaussian density over a tensor grid."""
    right = left if right is None else right
    with flint.ctx.workprec(PRECISION):
        first, second, shared = to_arb(sp.sympify(q1)), to_arb(sp.sympify(q2)), to_arb(sp.sympify(c))
        gap = first * second - shared**2
        splits = [to_arb(sp.sympify(kink)) for kink in kinks]
        rules = []
        for variance, other, function in ((first, second, left), (second, first, right)):
            deviation = variance.sqrt()
            step = (gap / other).sqrt() if float(gap / other) < float(variance) else deviation
            value = evaluator(function, symbol)
            rule = panels(splits, step, REACH * deviation)
            rules.append([(z, (w * value(z) * (-(z**2) * other / (2 * gap)).exp()).mid()) for z, w in rule])
        slope = shared / gap
        total = flint.arb(0)
        for part in by_width(rules[1]):
            # exp(slope u v) = exp(slope u first) exp(slope u (v - first)), the last the same on panels of one width
            steps = [v - part[0][0][0] for v, _ in part[0]]
            weights = flint.arb_mat([[b for _, b in panel] for panel in part])
            growth = flint.arb_mat([[(slope * u * step).exp().mid() for u, _ in rules[0]] for step in steps])
            inner = weights * growth
            for row, panel in enumerate(part):
                start = slope * panel[0][0]
                total += sum(
                    (a * (start * u).exp() * inner[row, column] for column, (u, a) in enumerate(rules[0])), flint.arb(0)
                ).mid()
        total = total / (2 * flint.arb.pi() * gap.sqrt())
        return sp.Float(total.mid().str(45, radius=False), 45)
