"""Named activations that are smooth or nearly so: sigmoids, gates, waves and bells."""

import sympy as sp

from hermite_dual.expressions.catalogue_entry import HALF, ONE, UNBOUNDED, CatalogueEntry, constant, nonzero


def _normal_cdf(z: sp.Expr) -> sp.Expr:
    return (1 + sp.erf(z / sp.sqrt(2))) / 2


def _sigmoid(z: sp.Expr) -> sp.Expr:
    return 1 / (1 + sp.exp(-z))


def _softplus(z: sp.Expr, beta: sp.Expr | int = 1) -> sp.Expr:
    return sp.log(1 + sp.exp(beta * z)) / nonzero("beta", beta)


SIGMOIDS: list[CatalogueEntry] = [
    CatalogueEntry("erf", sp.erf, source="Williams 1997", lipschitz=constant(2 / sp.sqrt(sp.pi))),
    CatalogueEntry(
        "probit",
        _normal_cdf,
        source="normal cumulative distribution function",
        lipschitz=constant(1 / sp.sqrt(2 * sp.pi)),
        aliases=("normal_cdf",),
    ),
    CatalogueEntry(
        "gelu",
        lambda z: z * _normal_cdf(z),
        source="Hendrycks and Gimpel 2016",
        lipschitz=constant((1 + sp.erf(1)) / 2 + sp.exp(-1) / sp.sqrt(sp.pi)),
        aliases=("gelu_exact", "gelu_erf", "gelu_none"),
        note="exact, x Phi(x), the default of PyTorch and Keras; JAX's default is the tanh approximation gelu_tanh",
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
        aliases=("gelu_new", "gelu_approximate", "approximate_gelu"),
        note="the tanh approximation, JAX's default; exact, as PyTorch and Keras have it by default, it is gelu",
    ),
    CatalogueEntry("sin", sp.sin, lipschitz=ONE, aliases=("sine",)),
    CatalogueEntry("cos", sp.cos, lipschitz=ONE, aliases=("cosine",)),
    CatalogueEntry(
        "snake",
        lambda z, a: z + sp.sin(a * z) ** 2 / nonzero("a", a),
        {"a": sp.Integer(1)},
        "Ziyin, Hartwig and Ueda 2020",
        lambda a: sp.Integer(2),
    ),
    CatalogueEntry("sinh", sp.sinh, lipschitz=UNBOUNDED),
    CatalogueEntry("cosh", sp.cosh, lipschitz=UNBOUNDED),
    CatalogueEntry(
        "exp", lambda z, b: sp.exp(b * z), {"b": sp.Integer(1)}, lipschitz=UNBOUNDED, aliases=("exponential",)
    ),
    CatalogueEntry(
        "gaussian",
        lambda z: sp.exp(-(z**2) / 2),
        lipschitz=constant(sp.exp(-HALF)),
        note="exp(-x^2/2); exp(-x^2), which some libraries call gaussian, is rbf",
    ),
    CatalogueEntry(
        "rbf",
        lambda z, b: sp.exp(-b * z**2),
        {"b": sp.Integer(1)},
        "radial basis function",
        lambda b: sp.sqrt(2 * b) * sp.exp(-HALF),
        note="exp(-b x^2) with b = 1; exp(-x^2/2) is gaussian; the activation whose kernel is Gaussian, "
        "called Rbf in Neural Tangents, is sqrt(2)*sin(sqrt(2*b)*x + pi/4)",
        synonyms={"gamma": "b"},
    ),
    CatalogueEntry("gabor", lambda z: sp.exp(-(z**2)) * sp.sin(z), source="Gabor 1946"),
    CatalogueEntry("laplace", lambda z: sp.exp(-sp.Abs(z)), lipschitz=ONE),
    CatalogueEntry("tanh", sp.tanh, lipschitz=ONE),
    CatalogueEntry("sigmoid", _sigmoid, lipschitz=constant(sp.Rational(1, 4)), aliases=("logistic", "expit")),
    CatalogueEntry("bipolar_sigmoid", lambda z: sp.tanh(z / 2), source="2 sigmoid(x) - 1", lipschitz=constant(HALF)),
    CatalogueEntry(
        "lecun_tanh",
        lambda z: sp.Rational("1.7159") * sp.tanh(2 * z / 3),
        source="LeCun, Bottou, Orr and Mueller 1998",
        lipschitz=constant(sp.Rational("1.7159") * 2 / 3),
        aliases=("scaled_tanh",),
    ),
    CatalogueEntry("tanh_shrink", lambda z: z - sp.tanh(z), lipschitz=ONE),
    CatalogueEntry("softplus", _softplus, {"beta": sp.Integer(1)}, "Dugas et al. 2001", ONE),
    CatalogueEntry("log_sigmoid", lambda z: -_softplus(-z), source="log sigmoid(x)", lipschitz=ONE),
    CatalogueEntry(
        "silu",
        lambda z, beta: z * _sigmoid(beta * z),
        {"beta": sp.Integer(1)},
        "Elfwing, Uchibe and Doya 2018; Ramachandran, Zoph and Le 2017",
        aliases=("swish",),
    ),
    CatalogueEntry("mish", lambda z: z * sp.tanh(_softplus(z)), source="Misra 2020"),
    CatalogueEntry("serf", lambda z: z * sp.erf(_softplus(z)), source="Nag and Bhattacharyya 2021"),
    CatalogueEntry("arctan", sp.atan, lipschitz=ONE, aliases=("atan",)),
    CatalogueEntry("softsign", lambda z: z / (1 + sp.Abs(z)), source="Bergstra et al. 2009", lipschitz=ONE),
    CatalogueEntry("log_cosh", lambda z: sp.log(sp.cosh(z)), lipschitz=ONE),
    CatalogueEntry("sech", lambda z: 1 / sp.cosh(z), lipschitz=constant(HALF)),
    CatalogueEntry(
        "squareplus",
        lambda z, b: (z + sp.sqrt(z**2 + b)) / 2,
        {"b": sp.Integer(4)},
        "Barron 2021",
        ONE,
    ),
    CatalogueEntry("asinh", sp.asinh, lipschitz=ONE, aliases=("arcsinh",)),
    CatalogueEntry(
        "bent_identity",
        # (sqrt(1 + z^2) - 1) / 2 without its cancellation at 0.
        lambda z: z + z**2 / (2 * (sp.sqrt(1 + z**2) + 1)),
        lipschitz=constant(sp.Rational(3, 2)),
        aliases=("bentid",),
    ),
]
"""In the order of the table."""
