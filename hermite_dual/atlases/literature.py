"""The activations of the atlas that are not in the catalogue, and where closed forms were published first."""

from dataclasses import dataclass

from hermite_dual.expressions.catalogue import catalogue


@dataclass(frozen=True)
class Subject:
    """An activation of the atlas.

    Attributes:
        name: the name in the atlas.
        formula: what `hermite_dual.activation` reads: a catalogue name or a formula in x.
        source: where the function comes from.
        origin: `"catalogue"` or `"literature"`.
    """

    name: str
    formula: str
    source: str
    origin: str


_GAUSS = "exp(-x**2/2)"
_RAMACHANDRAN = "Ramachandran, Zoph and Le 2017"
_LITERATURE = (
    ("isru", "x/sqrt(1 + x**2)", "Carlile et al. 2017"),
    ("isrlu", "Piecewise((x, x > 0), (x/sqrt(1 + x**2), True))", "Carlile et al. 2017"),
    ("elish", "Piecewise((x*sigmoid(x), x > 0), ((exp(x) - 1)*sigmoid(x), True))", "Basirat and Roth 2018"),
    (
        "hard_elish",
        "Piecewise((x, x > 1), (x*(x + 1)/2, x > 0), ((exp(x) - 1)*(x + 1)/2, x > -1), (0, True))",
        "Basirat and Roth 2018",
    ),
    ("lisht", "x*tanh(x)", "Roy et al. 2019"),
    ("tanhexp", "x*tanh(exp(x))", "Liu and Di 2020"),
    ("logish", "x*log(1 + sigmoid(x))", "Zhu et al. 2021"),
    ("dsilu", "sigmoid(x)*(1 + x*(1 - sigmoid(x)))", "Elfwing, Uchibe and Doya 2018"),
    ("sgelu", "x*erf(x/sqrt(2))", "Yu and Su 2019"),
    ("pflu", "x*(1 + x/sqrt(1 + x**2))/2", "Zhu et al. 2021"),
    ("erf_act", "x*erf(3*exp(3*x/4)/4)", "Biswas et al. 2021, both parameters 3/4"),
    ("nlrelu", "log(1 + Max(x, 0))", "Liu et al. 2019"),
    ("sqnl", "Piecewise((1, x > 2), (x - x**2/4, x > 0), (x + x**2/4, x > -2), (-1, True))", "Wuraola and Patel 2018"),
    ("hard_mish", "x*Min(2, Max(0, x + 2))/2", "timm, public code"),
    ("growing_cosine", "x*cos(x)", "Noel et al. 2021"),
    ("siren", "sin(30*x)", "Sitzmann et al. 2020, omega_0 = 30"),
    ("x_plus_sin", "x + sin(x)", "compared in Ziyin, Hartwig and Ueda 2020"),
    ("cos_minus_x", "cos(x) - x", _RAMACHANDRAN),
    ("min_x_sin", "Piecewise((sin(x), x > 0), (x, True))", f"{_RAMACHANDRAN}: min(x, sin x)"),
    ("max_x_tanh", "Piecewise((x, x > 0), (tanh(x), True))", f"{_RAMACHANDRAN}: max(x, tanh x)"),
    ("atan_squared_minus_x", "atan(x)**2 - x", _RAMACHANDRAN),
    ("x_asinh_squared", "x*asinh(x)**2", _RAMACHANDRAN),
    ("rbf_feature", "sqrt(2)*sin(sqrt(2)*x + pi/4)", "`Rbf` of neural-tangents: its kernel is Gaussian"),
    ("shifted_softplus", "log(1/2 + exp(x)/2)", "Schuett et al. 2017"),
    ("elliott", "x/(2*(1 + Abs(x))) + 1/2", "Elliott 1993"),
    ("cloglog", "1 - exp(-exp(x))", "complementary log-log link"),
    ("loglog", "exp(-exp(-x))", "log-log link"),
    ("multiquadric", "sqrt(1 + x**2)", "Hardy 1971"),
    ("inverse_multiquadric", "1/sqrt(1 + x**2)", "Hardy 1971"),
    ("cauchy", "1/(1 + x**2)", "Cauchy density, up to scale"),
    ("mexican_hat", f"(1 - x**2)*{_GAUSS}", "wavelet: minus the second derivative of a Gaussian"),
    ("gaussian_slope", f"x*{_GAUSS}", "wavelet: minus the derivative of a Gaussian"),
    ("gudermannian", "2*atan(tanh(x/2))", "Gudermann's function"),
    ("morlet", f"cos(5*x)*{_GAUSS}", "Morlet wavelet at frequency 5, real part"),
)

_NEURAL_TANGENTS = "neural-tangents, `elementwise.py`"
_TSUCHIDA = "Tsuchida et al., arXiv 2002.08517"
_ARC_COSINE = "Cho and Saul 2009, the arc-cosine kernel of degree"
PUBLISHED: dict[str, str] = {
    "relu": f"{_ARC_COSINE} 1",
    "step": f"{_ARC_COSINE} 0",
    "relu^2": f"{_ARC_COSINE} 2",
    "relu^3": f"{_ARC_COSINE} 3",
    "relu^4": f"{_ARC_COSINE} 4",
    "erf": "Williams 1997",
    "gelu": _TSUCHIDA,
    "elu": _TSUCHIDA,
    "gaussian": "Han et al., arXiv 2209.04121",
    **dict.fromkeys(
        ("leaky_relu", "prelu", "abs", "sign", "sin", "cos", "exp", "rbf", "gabor", "rbf_feature", "identity"),
        _NEURAL_TANGENTS,
    ),
    **{f"x^{p}": _NEURAL_TANGENTS for p in range(1, 9)},
    **{f"hermite{n}": "Mehler's formula" for n in range(2, 5)},
}
"""The earliest source of a closed dual among those that were read for this atlas; others may be earlier."""


def subjects() -> tuple[Subject, ...]:
    """Return the activations of the atlas: the catalogue's, then the others."""
    named = [Subject(entry.name, entry.name, entry.source, "catalogue") for entry in catalogue()]
    return (*named, *(Subject(name, formula, source, "literature") for name, formula, source in _LITERATURE))
