"""The named activations: formula, parameters, source, Lipschitz constant.

Nothing here knows a dual kernel: those are derived from the formula.
"""

import difflib
import math
from collections.abc import Callable
from dataclasses import dataclass, field

import sympy as sp

from hermite_dual.errors import InvalidInputError
from hermite_dual.symbols import x

_HALF = sp.Rational(1, 2)
_MAX_DEGREE = 64


@dataclass(frozen=True)
class CatalogueEntry:
    """One named activation.

    Attributes:
        name: the catalogue name.
        formula: `formula(z, **parameters)`, an expression.
        defaults: parameter names with their usual values, in order.
        source: where the function comes from.
        lipschitz: `lipschitz(**parameters)`, the exact supremum of `|phi'|`; infinite where phi is not Lipschitz, None
            where no elementary expression is known (then it is found numerically).
        aliases: other names in use.
    """

    name: str
    formula: Callable[..., sp.Expr]
    defaults: dict[str, sp.Expr] = field(default_factory=dict)
    source: str = "elementary"
    lipschitz: Callable[..., sp.Expr] | None = None
    aliases: tuple[str, ...] = ()

    def expression(self, **parameters: object) -> sp.Expr:
        """Return the formula in `x` with the given parameters, defaults elsewhere."""
        return self.formula(x, **self.parameters(parameters))

    def parameters(self, given: dict[str, object]) -> dict[str, sp.Expr]:
        """Return all parameters as SymPy values, the given ones checked for their names."""
        unknown = sorted(set(given) - set(self.defaults))
        if unknown:
            allowed = ", ".join(self.defaults) or "none"
            raise InvalidInputError(f"{self.name} has no parameter {unknown[0]!r}; its parameters: {allowed}")
        return {name: _parameter(name, given.get(name, value)) for name, value in self.defaults.items()}


def _parameter(name: str, value: object) -> sp.Expr:
    if isinstance(value, sp.Expr):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InvalidInputError(f"parameter {name} = {value!r}: give a finite number or a SymPy expression")
    return sp.Rational(str(value))


def lookup(name: str) -> CatalogueEntry | None:
    """Return the entry of a name or alias (case, spaces and hyphens do not matter), or None."""
    return _BY_NAME.get(normalized_name(name))


def normalized_name(name: str) -> str:
    """Return the spelling under which a name is kept."""
    return name.strip().lower().replace("-", "_").replace(" ", "_")


def close_names(name: str) -> list[str]:
    """Return up to three catalogue names that resemble a misspelled one."""
    return difflib.get_close_matches(normalized_name(name), list(_BY_NAME), n=3)


def catalogue() -> tuple[CatalogueEntry, ...]:
    """Return every entry, in the order of the table."""
    return tuple(_ENTRIES)


def string_functions() -> dict[str, Callable[..., sp.Expr]]:
    """Return the entries as functions for the parser: `gelu(2*x)`, `elu(x, 2)`, `elu(x, alpha=2)`."""
    return {name: _string_function(entry) for name, entry in _BY_NAME.items()}


def _string_function(entry: CatalogueEntry) -> Callable[..., sp.Expr]:
    def build(argument: sp.Expr, *values: sp.Expr, **named: sp.Expr) -> sp.Expr:
        if len(values) > len(entry.defaults):
            raise InvalidInputError(f"{entry.name} has {len(entry.defaults)} parameter(s), received {len(values)}")
        given = dict(zip(entry.defaults, values, strict=False)) | named
        return entry.formula(argument, **entry.parameters(given))

    return build


def _relu(z: sp.Expr) -> sp.Expr:
    return sp.Max(z, 0)


def _clip(z: sp.Expr, low: sp.Expr | int, high: sp.Expr | int) -> sp.Expr:
    return sp.Min(sp.Max(z, low), high)


def _normal_cdf(z: sp.Expr) -> sp.Expr:
    return (1 + sp.erf(z / sp.sqrt(2))) / 2


def _sigmoid(z: sp.Expr) -> sp.Expr:
    return 1 / (1 + sp.exp(-z))


def _softplus(z: sp.Expr) -> sp.Expr:
    return sp.log(1 + sp.exp(z))


def _elu(z: sp.Expr, alpha: sp.Expr, scale: sp.Expr | int = 1, width: sp.Expr | int = 1) -> sp.Expr:
    return sp.Piecewise((scale * z, z > 0), (scale * alpha * (sp.exp(z / width) - 1), True))


def _degree(n: sp.Expr) -> int:
    if not (n.is_Integer and 0 <= int(n) <= _MAX_DEGREE):
        raise InvalidInputError(f"degree n = {n}: allowed are the integers 0 to {_MAX_DEGREE}")
    return int(n)


def _normalized_hermite(z: sp.Expr, n: sp.Expr) -> sp.Expr:
    degree = _degree(n)
    t = sp.Dummy()
    polynomial = sp.hermite_prob(degree, t) if hasattr(sp, "hermite_prob") else None
    return sp.expand(polynomial).subs(t, z) / sp.sqrt(sp.factorial(degree))


def _polynomial(z: sp.Expr, **coefficients: sp.Expr) -> sp.Expr:
    return sp.Add(*(value * z ** int(name[1:]) for name, value in coefficients.items()))


def _constant(value: object) -> Callable[..., sp.Expr]:
    return lambda **_: sp.sympify(value)


_ONE = _constant(1)
_UNBOUNDED = _constant(sp.oo)
_SELU_ALPHA = sp.Rational("1.6732632423543772848170429916717")
_SELU_SCALE = sp.Rational("1.0507009873554804934193349852946")

_ENTRIES: list[CatalogueEntry] = [
    CatalogueEntry("identity", lambda z: z, lipschitz=_ONE, aliases=("linear",)),
    *(
        CatalogueEntry(
            f"x^{p}", lambda z, p=p: z**p, lipschitz=_ONE if p == 1 else _UNBOUNDED, aliases=(f"monomial{p}",)
        )
        for p in range(1, 9)
    ),
    CatalogueEntry(
        "polynomial",
        _polynomial,
        {"c0": sp.Integer(0), "c1": sp.Integer(1), "c2": sp.Integer(0), "c3": sp.Integer(0), "c4": sp.Integer(0)},
        "c0 + c1 x + ... + c4 x^4; any other polynomial as an expression",
    ),
    CatalogueEntry("hermite", _normalized_hermite, {"n": sp.Integer(2)}, "h_n = He_n / sqrt(n!)", aliases=("h_n",)),
    CatalogueEntry("relu", _relu, source="Nair and Hinton 2010", lipschitz=_ONE),
    CatalogueEntry(
        "leaky_relu",
        lambda z, alpha: sp.Max(z, 0) + alpha * sp.Min(z, 0),
        {"alpha": sp.Rational(1, 100)},
        "Maas, Hannun and Ng 2013",
        lambda alpha: sp.Max(1, sp.Abs(alpha)),
    ),
    CatalogueEntry(
        "prelu",
        lambda z, alpha: sp.Max(z, 0) + alpha * sp.Min(z, 0),
        {"alpha": sp.Rational(1, 4)},
        "He, Zhang, Ren and Sun 2015",
        lambda alpha: sp.Max(1, sp.Abs(alpha)),
    ),
    *(
        CatalogueEntry(
            f"relu^{p}",
            lambda z, p=p: sp.Max(z, 0) ** p,
            source="arc-cosine kernel, Cho and Saul 2009",
            lipschitz=_UNBOUNDED,
            aliases=(f"relu{p}", f"relu_{p}"),
        )
        for p in range(2, 5)
    ),
    CatalogueEntry("abs", sp.Abs, lipschitz=_ONE),
    CatalogueEntry("sign", sp.sign, lipschitz=_UNBOUNDED),
    CatalogueEntry("step", sp.Heaviside, lipschitz=_UNBOUNDED, aliases=("heaviside",)),
    CatalogueEntry("relu6", lambda z: _clip(z, 0, 6), source="Krizhevsky 2010", lipschitz=_ONE, aliases=("relu_6",)),
    CatalogueEntry("hard_tanh", lambda z: _clip(z, -1, 1), source="Collobert 2004", lipschitz=_ONE),
    CatalogueEntry(
        "hard_sigmoid",
        lambda z: _clip(z / 6 + _HALF, 0, 1),
        source="Howard et al. 2019 (slope 1/6)",
        lipschitz=_constant(sp.Rational(1, 6)),
    ),
    CatalogueEntry(
        "hard_swish",
        lambda z: z * _clip(z / 6 + _HALF, 0, 1),
        source="Howard et al. 2019",
        lipschitz=_constant(sp.Rational(3, 2)),
    ),
    CatalogueEntry(
        "hard_shrink",
        lambda z, threshold: sp.Piecewise((0, sp.Abs(z) <= threshold), (z, True)),
        {"threshold": _HALF},
        "hard thresholding, Donoho and Johnstone 1994",
        _UNBOUNDED,
    ),
    CatalogueEntry(
        "soft_shrink",
        lambda z, threshold: sp.Max(z - threshold, 0) + sp.Min(z + threshold, 0),
        {"threshold": _HALF},
        "soft thresholding, Donoho and Johnstone 1994",
        _constant(1),
    ),
    CatalogueEntry(
        "threshold",
        lambda z, threshold, value: sp.Piecewise((z, z > threshold), (value, True)),
        {"threshold": sp.Integer(1), "value": sp.Integer(0)},
        "thresholded linear unit",
        lambda threshold, value: sp.Integer(1) if threshold == value else sp.oo,
    ),
    CatalogueEntry(
        "elu",
        _elu,
        {"alpha": sp.Integer(1)},
        "Clevert, Unterthiner and Hochreiter 2016",
        lambda alpha: sp.Max(1, sp.Abs(alpha)),
    ),
    CatalogueEntry(
        "selu",
        lambda z: _elu(z, _SELU_ALPHA, _SELU_SCALE),
        source="Klambauer, Unterthiner, Mayr and Hochreiter 2017",
        lipschitz=_constant(_SELU_ALPHA * _SELU_SCALE),
    ),
    CatalogueEntry(
        "celu",
        lambda z, alpha: _elu(z, alpha, 1, alpha),
        {"alpha": sp.Integer(1)},
        "Barron 2017",
        lambda alpha: sp.Integer(1),
    ),
    CatalogueEntry("erf", sp.erf, source="Williams 1997", lipschitz=_constant(2 / sp.sqrt(sp.pi))),
    CatalogueEntry(
        "probit",
        _normal_cdf,
        source="normal cumulative distribution function",
        lipschitz=_constant(1 / sp.sqrt(2 * sp.pi)),
        aliases=("normal_cdf",),
    ),
    CatalogueEntry(
        "gelu",
        lambda z: z * _normal_cdf(z),
        source="Hendrycks and Gimpel 2016",
        lipschitz=_constant((1 + sp.erf(1)) / 2 + sp.exp(-1) / sp.sqrt(sp.pi)),
    ),
    CatalogueEntry(
        "quick_gelu",
        lambda z: z * _sigmoid(sp.Rational("1.702") * z),
        source="Hendrycks and Gimpel 2016, logistic approximation",
    ),
    CatalogueEntry(
        "gelu_tanh",
        lambda z: z * (1 + sp.tanh(sp.sqrt(2 / sp.pi) * (z + sp.Rational("0.044715") * z**3))) / 2,
        source="Hendrycks and Gimpel 2016, tanh approximation",
    ),
    CatalogueEntry("sin", sp.sin, lipschitz=_ONE, aliases=("sine",)),
    CatalogueEntry("cos", sp.cos, lipschitz=_ONE, aliases=("cosine",)),
    CatalogueEntry(
        "snake",
        lambda z, a: z + sp.sin(a * z) ** 2 / a,
        {"a": sp.Integer(1)},
        "Ziyin, Hartwig and Ueda 2020",
        lambda a: sp.Integer(2),
    ),
    CatalogueEntry("sinh", sp.sinh, lipschitz=_UNBOUNDED),
    CatalogueEntry("cosh", sp.cosh, lipschitz=_UNBOUNDED),
    CatalogueEntry("exp", lambda z, b: sp.exp(b * z), {"b": sp.Integer(1)}, lipschitz=_UNBOUNDED),
    CatalogueEntry(
        "gaussian",
        lambda z: sp.exp(-(z**2) / 2),
        lipschitz=_constant(sp.exp(-_HALF)),
    ),
    CatalogueEntry(
        "rbf",
        lambda z, b: sp.exp(-b * z**2),
        {"b": sp.Integer(1)},
        "radial basis function",
        lambda b: sp.sqrt(2 * b) * sp.exp(-_HALF),
    ),
    CatalogueEntry("gabor", lambda z: sp.exp(-(z**2)) * sp.sin(z), source="Gabor 1946"),
    CatalogueEntry("laplace", lambda z: sp.exp(-sp.Abs(z)), lipschitz=_ONE),
    CatalogueEntry("triangular", lambda z: sp.Max(1 - sp.Abs(z), 0), lipschitz=_ONE),
    CatalogueEntry("tanh", sp.tanh, lipschitz=_ONE),
    CatalogueEntry("sigmoid", _sigmoid, lipschitz=_constant(sp.Rational(1, 4)), aliases=("logistic",)),
    CatalogueEntry("softplus", _softplus, source="Dugas et al. 2001", lipschitz=_ONE),
    CatalogueEntry(
        "silu",
        lambda z: z * _sigmoid(z),
        source="Elfwing, Uchibe and Doya 2018; Ramachandran, Zoph and Le 2017",
        aliases=("swish",),
    ),
    CatalogueEntry("mish", lambda z: z * sp.tanh(_softplus(z)), source="Misra 2020"),
    CatalogueEntry("arctan", sp.atan, lipschitz=_ONE, aliases=("atan",)),
    CatalogueEntry("softsign", lambda z: z / (1 + sp.Abs(z)), source="Bergstra et al. 2009", lipschitz=_ONE),
    CatalogueEntry("log_cosh", lambda z: sp.log(sp.cosh(z)), lipschitz=_ONE),
    CatalogueEntry("sech", lambda z: 1 / sp.cosh(z), lipschitz=_constant(_HALF)),
    CatalogueEntry(
        "squareplus",
        lambda z, b: (z + sp.sqrt(z**2 + b)) / 2,
        {"b": sp.Integer(4)},
        "Barron 2021",
        lambda b: sp.Integer(1),
    ),
    CatalogueEntry("asinh", sp.asinh, lipschitz=_ONE, aliases=("arcsinh",)),
]

_BY_NAME = {normalized_name(name): entry for entry in reversed(_ENTRIES) for name in (entry.name, *entry.aliases)}
