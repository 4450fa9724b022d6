"""LaTeX of formulas: as papers print it, and the same numbers."""

import math
import re
from fractions import Fraction
from pathlib import Path

import pytest
import scipy.stats
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import hermite_dual as hd
from hermite_dual.symbolic.printing import _in_one_root, latex, latex_with_values, lettered

x, rho = sp.Symbol("x", real=True), hd.rho
ROOT = re.compile(r"\\sqrt\{(.*)\}")
CONSTANTS = {r"\pi": sp.pi, "e": sp.E}


def _read_back(expr: sp.Expr) -> sp.Expr:
    """Replace the roots that are symbols by the numbers that their names say."""
    values = {
        symbol: sp.sqrt(sp.Mul(*(CONSTANTS.get(word) or sp.Integer(word) for word in match[1].split())))
        for symbol in expr.free_symbols
        if (match := ROOT.fullmatch(symbol.name))
    }
    return expr.subs(values)


_TOKEN = re.compile(r"\\[a-zA-Z]+_2|\\[a-zA-Z]+|\d+\.\d+|\d+|[a-z]|[-+^_{}();,]")
_SILENT = {r"\left", r"\right", r"\bigl", r"\bigr", r"\cdot"}
_FUNCTIONS = {
    r"\arccos": math.acos,
    r"\arcsin": math.asin,
    r"\sinh": math.sinh,
    r"\cosh": math.cosh,
    r"\exp": math.exp,
    r"\Phi": lambda h: float(scipy.stats.norm.cdf(h)),
    r"\Phi_2": lambda h, k, r: float(scipy.stats.multivariate_normal.cdf([h, k], cov=[[1, r], [r, 1]])),
}


class _Reader:
    """Evaluates the LaTeX of closed forms: sums, products side by side, fractions, roots, powers, functions."""

    def __init__(self, latex: str, values: dict[str, float]) -> None:
        self.tokens = [token for token in _TOKEN.findall(latex) if token not in _SILENT]
        self.values = values | {r"\pi": math.pi, "e": math.e}

    def evaluate(self) -> float:
        value = self.sum()
        assert not self.tokens
        return value

    def sum(self) -> float:
        total = 0.0
        while self.tokens and self.tokens[0] not in "});,":
            sign = 1.0
            while self.tokens[0] in "+-":
                sign = -sign if self.tokens.pop(0) == "-" else sign
            product = sign
            while self.tokens and self.tokens[0] not in "+-});,":
                product *= self.power()
            total += product
        return total

    def power(self) -> float:
        base = self.atom()
        if self.tokens and self.tokens[0] == "^":
            self.tokens.pop(0)
            base **= self.atom()
        return base

    def group(self) -> list[float]:
        self.tokens.pop(0)
        inside = [self.sum()]
        while self.tokens.pop(0) in ";,":
            inside.append(self.sum())
        return inside

    def atom(self) -> float:
        if self.tokens[0] in "{(":
            return self.group()[0]
        token = self.tokens.pop(0)
        if token == r"\frac":
            return self.group()[0] / self.group()[0]
        if token == r"\sqrt":
            return math.sqrt(self.group()[0])
        if token in _FUNCTIONS:
            if self.tokens[0] == "{":
                return _FUNCTIONS[token](self.group()[0])
            return _FUNCTIONS[token](*self.group())
        return float(token) if token[0].isdigit() else self.values[token]


@pytest.mark.parametrize("phi", ["relu", "erf", "gelu", "sin", "elu", "leaky_relu", "step", "x*Phi(x)*exp(-x)", "selu"])
def test_the_printed_formula_is_the_kernel(phi):
    k = hd.dual(phi)
    letters: dict[str, Fraction] = {}
    printed = latex(k.closed_form, letters)
    values = {latex(sp.Symbol(name)): float(value) for name, value in letters.items()}
    for correlation in (-0.6, 0.3, 0.8):
        read = _Reader(printed, values | {r"\rho": correlation}).evaluate()
        assert read == pytest.approx(k(correlation), rel=1e-6)


def test_the_readme_shows_the_formula_that_its_lines_make():
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    assert readme.split("$$")[1].strip() == hd.dual("x*Phi(x)*exp(-x)").to_latex()


def test_rho_is_met_by_its_name():
    form = hd.dual("relu").closed_form
    assert form.subs("rho", 1) == sp.S.Half
    assert sp.N(form.diff("rho").subs("rho", 0), 12) == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("expr", "printed"),
    [
        (1 / sp.sqrt(2 * sp.pi), r"\frac{1}{\sqrt{2 \pi}}"),
        (sp.sqrt(2) / (2 * sp.sqrt(sp.pi)), r"\frac{1}{\sqrt{2 \pi}}"),
        (sp.exp(sp.S.Half), r"\sqrt{e}"),
        (-sp.exp(-sp.S.Half) * sp.sqrt(2) / sp.sqrt(sp.pi) / 6, r"- \frac{1}{3 \sqrt{2 \pi e}}"),
        (2 * sp.asin(2 * rho / 3) / sp.pi, r"\frac{2 \arcsin{\left(\frac{2 \rho}{3} \right)}}{\pi}"),
        (sp.Rational("0.044715") * x**3, r"0.044715 x^{3}"),
        (sp.Rational(7, 3) * x, r"\frac{7 x}{3}"),
        (sp.Heaviside(x), r"\mathbf{1}_{x > 0}"),
    ],
)
def test_formulas_are_printed_as_in_papers(expr, printed):
    assert latex(expr) == printed


@settings(max_examples=60, deadline=None)
@given(
    st.fractions(min_value=-20, max_value=20, max_denominator=60).filter(bool),
    st.lists(st.tuples(st.integers(2, 40), st.sampled_from([-1, 1])), max_size=2),
    st.sampled_from([-1, 0, 1]),
    st.sampled_from([-1, 0, 1]),
)
def test_roots_are_collected_without_a_change_of_value(factor, integers, of_pi, of_e):
    product = sp.Rational(factor.numerator, factor.denominator) * sp.acos(rho)
    for number, sign in integers:
        product *= sp.Integer(number) ** sp.Rational(sign, 2)
    product *= sp.pi ** sp.Rational(of_pi, 2) * sp.exp(sp.Rational(of_e, 2))
    ratio = _read_back(_in_one_root(product)) / product
    assert abs(complex(ratio.subs(rho, 0.3).evalf(20)) - 1) < 1e-15


@pytest.mark.parametrize("name", ["selu", "elu", "hard_tanh", "star_relu", "1.23456789*max(x, 0) + 0.987654321*sin(x)"])
def test_letters_stand_for_their_numbers(name):
    k = hd.dual(name)
    for expr in (hd.activation(name).expr, k.closed_form, k.closed_form_general):
        letters: dict[str, Fraction] = {}
        shown = lettered(expr, letters)
        values = {sp.Symbol(key, positive=True): sp.Rational(v.numerator, v.denominator) for key, v in letters.items()}
        point = dict.fromkeys(expr.free_symbols, sp.Rational(3, 10))
        assert abs((shown.subs(values).subs(point) - expr.subs(point)).evalf(30)) < 1e-24
        assert not any(max(abs(n.p), n.q) > 10**6 for n in shown.atoms(sp.Rational))


def test_selu_is_written_in_its_two_constants():
    printed = hd.dual("selu").to_latex()
    assert printed.endswith(r", \quad \alpha = 1.673263242354377\dots, \quad \lambda = 1.05070098735548\dots")
    assert r"\Phi_2\left(-1, \rho; - \rho\right)" in printed
    assert not re.search(r"\d{7,}", printed.partition(r", \quad")[0])
    assert latex_with_values(x) == "x"


def test_symmetric_activations_have_exact_zeros_and_halves():
    for name in ("silu", "softplus", "squareplus", "quick_gelu"):
        assert [hd.dual(name).coefficient(r) for r in (1, 3, 5)] == [sp.S.Half, 0, 0]
    assert [hd.dual("sigmoid").coefficient(r) for r in (0, 2)] == [sp.S.Half, 0]
    assert hd.dual("silu").coefficient(1, sp.Rational(1, 4)) == sp.Rational(1, 4)


def test_tables_say_what_letters_and_functions_are():
    source = hd.table(["selu", "tanh"], ["name", "dual"]).to_latex()
    assert r"$\alpha = 1.673263242354377\dots$, $\lambda = 1.05070098735548\dots$" in source
    assert r"$\Phi_2\left(h, k; r\right)$ is the probability" in source
    assert r"$\tanh{\left(x \right)}$ is not a finite sum of $x^{p} F{\left(x \right)} e^{a x^{2} + b x + g}$" in source
