"""The table of known problems, checked by itself: forms, values, slopes and sources."""

import pytest
import sympy as sp
from mpmath import mp, mpf

import hermite_dual as hd
from hermite_dual.symbols import c, q1, q2, x
from tests.problems import NAMED, POINT, PROBLEMS, SOLVED, gram_truth, samples, tangent_truth
from tests.symbolic_reference import dual_by_quadrature
from tests.tolerances import PRINTED

HALF = (sp.S.One, sp.S.One, sp.S.Half)


def test_names_are_unique_and_every_problem_has_a_source():
    assert len(NAMED) == len(PROBLEMS)
    assert all(problem.source.strip() for problem in PROBLEMS)


@pytest.mark.parametrize("name", SOLVED)
def test_forms_agree_with_the_printed_values(name):
    with mp.workdps(30):
        law = [mpf(value.p) / value.q for value in POINT]
        assert float(SOLVED[name].dual(*law)) == pytest.approx(SOLVED[name].value, rel=PRINTED)
        published = SOLVED[name].published.subs(SOLVED[name].parameters)
        assert float(published.subs(dict(zip((q1, q2, c), POINT, strict=True)))) == pytest.approx(
            SOLVED[name].value, rel=PRINTED
        )


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMED)
def test_printed_values_are_those_of_quadrature(name):
    problem = NAMED[name]
    expr = problem.expr.subs(problem.parameters)
    assert float(dual_by_quadrature(expr, x, problem.kinks, *POINT)) == pytest.approx(problem.value, rel=PRINTED)
    if problem.at_half is not None:
        assert float(dual_by_quadrature(expr, x, problem.kinks, *HALF)) == pytest.approx(problem.at_half, rel=PRINTED)


@pytest.mark.parametrize("name", [name for name in SOLVED if SOLVED[name].slope is not None])
def test_slopes_are_derivatives_in_the_covariance(name):
    """Price's theorem: the kernel of phi' is the derivative of that of phi."""
    with mp.workdps(30):
        first, second, shared = (mpf(value.p) / value.q for value in POINT)
        derivative = mp.diff(lambda value: SOLVED[name].dual(first, second, value), shared)
        assert abs(derivative - SOLVED[name].dual_of_slope(first, second, shared)) < mpf(10) ** -12


def test_perfect_correlation_is_no_special_case():
    """E[phi(Z)^2] and E[phi(Z) phi(-Z)] by hand."""
    one = mpf(1)
    for name, even, odd in (("relu", 0.5, 0.0), ("abs", 1.0, 1.0), ("step", 0.5, 0.0), ("sign", 1.0, -1.0)):
        assert float(NAMED[name].dual(one, one, one)) == pytest.approx(even, abs=1e-15)
        assert float(NAMED[name].dual(one, one, -one)) == pytest.approx(odd, abs=1e-15)


@pytest.mark.parametrize("name", NAMED)
def test_the_package_means_the_same_by_its_name(name):
    problem = NAMED[name]
    found, expr = hd.activation(name), problem.expr.subs(problem.parameters)
    for point in (sp.Rational(-13, 10), sp.Rational(1, 3), sp.Integer(2)):
        ours = expr.subs(x, point).evalf(20)
        assert abs(found.expr.subs(found.symbol, point).evalf(20) - ours) < sp.Float(10) ** -15


def test_gram_matrices_solve_their_equations():
    """K = k(S) and Theta = K + kdot(S) (w Theta + inputs) in the limit, S = w K + inputs."""
    model, X = hd.DEQ("erf", sigma_w=0.45, sigma_u=1.2, sigma_b=0.3), samples(False)
    K, theta = gram_truth("erf", model, X, None), tangent_truth("erf", model, X, None)
    with mp.workdps(40):
        w, u, bias = (mpf(scale) ** 2 for scale in (0.45, 1.2, 0.3))
        rows = [[mpf(v) for v in row] for row in X.tolist()]
        for i in range(4):
            for j in range(4):
                inner = [u * mp.fdot(rows[k], rows[m]) / 7 + bias for k, m in ((i, i), (j, j), (i, j))]
                law = [w * K[k][m] + part for (k, m), part in zip(((i, i), (j, j), (i, j)), inner, strict=True)]
                assert abs(K[i][j] - NAMED["erf"].dual(*law)) < mpf(10) ** -33
                right = K[i][j] + NAMED["erf"].dual_of_slope(*law) * (w * theta[i][j] + inner[2])
                assert abs(theta[i][j] - right) < mpf(10) ** -33
