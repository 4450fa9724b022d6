"""Named activations that are polynomials between their kinks, and those that bend only one half line."""

import sympy as sp

from hermite_dual.expressions.catalogue_entry import HALF, ONE, UNBOUNDED, CatalogueEntry, constant, degree, nonzero

_POWER_NAMES = {2: ("square", "quadratic"), 3: ("cube", "cubic")}
_RECTIFIED_NAMES = {2: ("squared_relu", "relu_squared", "sqr_relu"), 3: ("cubed_relu",)}
SELU_ALPHA = sp.Rational("1.6732632423543772848170429916717")
SELU_SCALE = sp.Rational("1.0507009873554804934193349852946")


def _relu(z: sp.Expr) -> sp.Expr:
    return sp.Max(z, 0)


def _clip(z: sp.Expr, low: sp.Expr | int, high: sp.Expr | int) -> sp.Expr:
    return sp.Min(sp.Max(z, low), high)


def _elu(z: sp.Expr, alpha: sp.Expr, scale: sp.Expr | int = 1, width: sp.Expr | int = 1) -> sp.Expr:
    return sp.Piecewise((scale * z, z > 0), (scale * alpha * (sp.exp(z / width) - 1), True))


def _celu(z: sp.Expr, alpha: sp.Expr) -> sp.Expr:
    return _elu(z, alpha, 1, nonzero("alpha", alpha))


def _smelu(z: sp.Expr, beta: sp.Expr) -> sp.Expr:
    parabola = (z + beta) ** 2 / (4 * nonzero("beta", beta))
    return sp.Piecewise((0, z <= -beta), (parabola, z < beta), (z, True))


def _polynomial(z: sp.Expr, **coefficients: sp.Expr) -> sp.Expr:
    return sp.Add(*(value * z ** int(name[1:]) for name, value in coefficients.items()))


def normalized_hermite(z: sp.Expr, n: sp.Expr) -> sp.Expr:
    """Return `h_n(z) = He_n(z) / sqrt(n!)`."""
    order, t = degree(n), sp.Dummy()
    return sp.expand(sp.hermite_prob(order, t)).subs(t, z) / sp.sqrt(sp.factorial(order))


RECTIFIERS: list[CatalogueEntry] = [
    CatalogueEntry("identity", lambda z: z, lipschitz=ONE, aliases=("linear",)),
    *(
        CatalogueEntry(
            f"x^{p}",
            lambda z, p=p: z**p,
            lipschitz=ONE if p == 1 else UNBOUNDED,
            aliases=(f"monomial{p}", *_POWER_NAMES.get(p, ())),
        )
        for p in range(1, 9)
    ),
    CatalogueEntry(
        "polynomial",
        _polynomial,
        {"c0": sp.Integer(0), "c1": sp.Integer(1), "c2": sp.Integer(0), "c3": sp.Integer(0), "c4": sp.Integer(0)},
        "c0 + c1 x + ... + c4 x^4; any other polynomial as an expression",
    ),
    *(
        CatalogueEntry(
            f"hermite{n}",
            lambda z, n=n: normalized_hermite(z, sp.Integer(n)),
            source="h_n = He_n / sqrt(n!)",
            lipschitz=UNBOUNDED,
        )
        for n in range(2, 5)
    ),
    CatalogueEntry("relu", _relu, source="Nair and Hinton 2010", lipschitz=ONE, aliases=("ramp",)),
    CatalogueEntry(
        "leaky_relu",
        lambda z, alpha: sp.Max(z, 0) + alpha * sp.Min(z, 0),
        {"alpha": sp.Rational(1, 100)},
        "Maas, Hannun and Ng 2013",
        lambda alpha: sp.Max(1, sp.Abs(alpha)),
        note="alpha = 0.01 as in PyTorch and JAX; in Keras it is 0.2 (function) or 0.3 (layer): give it by alpha=",
        synonyms={"negative_slope": "alpha"},
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
            lipschitz=UNBOUNDED,
            aliases=(f"relu{p}", *_RECTIFIED_NAMES.get(p, ())),
        )
        for p in range(2, 5)
    ),
    CatalogueEntry("abs", sp.Abs, lipschitz=ONE),
    CatalogueEntry("sign", sp.sign, lipschitz=UNBOUNDED, aliases=("sgn", "bipolar_step")),
    CatalogueEntry(
        "step",
        sp.Heaviside,
        lipschitz=UNBOUNDED,
        aliases=("heaviside", "binary_step", "unit_step"),
        note="1/2 at 0; Heaviside(x, 0) and Heaviside(x, 1) take the other values there",
    ),
    CatalogueEntry("relu6", lambda z: _clip(z, 0, 6), source="Krizhevsky 2010", lipschitz=ONE),
    CatalogueEntry("hard_tanh", lambda z: _clip(z, -1, 1), source="Collobert 2004", lipschitz=ONE),
    CatalogueEntry(
        "hard_sigmoid",
        lambda z: _clip(z / 6 + HALF, 0, 1),
        source="Howard et al. 2019 (slope 1/6)",
        lipschitz=constant(sp.Rational(1, 6)),
        note="slope 1/6 as in PyTorch, JAX and Keras 3; with the slope 1/5 of Keras 2 it is hard_sigmoid_keras2",
    ),
    CatalogueEntry(
        "hard_sigmoid_keras2",
        lambda z: _clip(z / 5 + HALF, 0, 1),
        source="Keras 2 (slope 1/5)",
        lipschitz=constant(sp.Rational(1, 5)),
        note="slope 1/5 as in Keras 2; with the slope 1/6 of PyTorch, JAX and Keras 3 it is hard_sigmoid",
    ),
    CatalogueEntry(
        "sparse_sigmoid",
        lambda z: _clip(z / 2 + HALF, 0, 1),
        source="JAX; the derivative of sparse_plus",
        lipschitz=constant(HALF),
    ),
    CatalogueEntry(
        "hard_swish",
        lambda z: z * _clip(z / 6 + HALF, 0, 1),
        source="Howard et al. 2019",
        lipschitz=constant(sp.Rational(3, 2)),
        aliases=("hard_silu",),
    ),
    CatalogueEntry(
        "hard_shrink",
        lambda z, threshold: sp.Piecewise((0, sp.Abs(z) <= threshold), (z, True)),
        {"threshold": HALF},
        "hard thresholding, Donoho and Johnstone 1994",
        UNBOUNDED,
        synonyms={"lambd": "threshold"},
    ),
    CatalogueEntry(
        "soft_shrink",
        lambda z, threshold: sp.Max(z - threshold, 0) + sp.Min(z + threshold, 0),
        {"threshold": HALF},
        "soft thresholding, Donoho and Johnstone 1994",
        ONE,
        synonyms={"lambd": "threshold"},
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
        lambda z: _elu(z, SELU_ALPHA, SELU_SCALE),
        source="Klambauer, Unterthiner, Mayr and Hochreiter 2017",
        lipschitz=constant(SELU_ALPHA * SELU_SCALE),
    ),
    CatalogueEntry(
        "celu",
        _celu,
        {"alpha": sp.Integer(1)},
        "Barron 2017",
        ONE,
    ),
    CatalogueEntry(
        "smelu",
        _smelu,
        {"beta": sp.Integer(1)},
        "Shamir, Lin and Coviello 2020",
        ONE,
        aliases=("sparse_plus",),
    ),
    CatalogueEntry(
        "star_relu",
        lambda z, scale, bias: scale * _relu(z) ** 2 + bias,
        {"scale": sp.Rational("0.8944"), "bias": sp.Rational("-0.4472")},
        "Yu et al. 2022",
        UNBOUNDED,
    ),
    CatalogueEntry(
        "penalized_tanh",
        lambda z, alpha: sp.Max(sp.tanh(z), 0) + alpha * sp.Min(sp.tanh(z), 0),
        {"alpha": sp.Rational(1, 4)},
        "Xu, Huang and Li 2016",
        lambda alpha: sp.Max(1, sp.Abs(alpha)),
    ),
    CatalogueEntry("triangular", lambda z: sp.Max(1 - sp.Abs(z), 0), lipschitz=ONE),
]
"""In the order of the table."""

FAMILIES: list[CatalogueEntry] = [
    CatalogueEntry(
        "hermite",
        normalized_hermite,
        source="h_n = He_n / sqrt(n!)",
        lipschitz=lambda n: sp.oo if n > 1 else n,
        aliases=("h_n",),
        required={"n": 3},
    ),
    CatalogueEntry(
        "monomial",
        lambda z, n: z ** degree(n),
        lipschitz=lambda n: sp.oo if n > 1 else n,
        aliases=("power", "x^"),
        required={"n": 3},
    ),
    CatalogueEntry(
        "rectified_monomial",
        lambda z, n: _relu(z) ** degree(n, 1),
        source="arc-cosine kernel, Cho and Saul 2009",
        lipschitz=lambda n: sp.oo if n > 1 else n,
        aliases=("relu^", "relu_power", "repu"),
        required={"n": 2},
    ),
]
"""Names that mean nothing without a degree."""
