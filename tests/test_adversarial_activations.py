"""A sample of benchmarks/adversarial_activations.py, and that its questions see what is wrong."""

import importlib
import pathlib

import numpy as np
import pytest

BENCHMARKS = pathlib.Path(__file__).parents[1] / "benchmarks"
pytestmark = pytest.mark.skipif(not BENCHMARKS.is_dir(), reason="benchmarks/ is not part of this copy")

SAMPLE = (
    "x*sign(max(x, 0))",
    "Heaviside(max(x, 0))",
    "sign(x)^2",
    "max(tanh(x), x/2)",
    "abs(exp(x)-3)/(1+exp(x))",
    "max(x, 1-x, 3*x-4)",
    "sign(sec(x))",
    "(1-cos(x))/x^2",
    "log(1+x^2)/x^2",
    "Piecewise((7, x == 0), (abs(x), True))",
    "x*log(abs(x))",
    "acot(x)",
    "exp(-1e6*(abs(x)-2.71)^2)",
    "exp(x^2/5)",
    "erf(0.3*x+0.1)",
    "atan2(x, -1)",
    "atan(tan(x))",
)
REFUSED = ("tan(x)", "gamma(x)", "1/(exp(x)-2)", "abs(csc(x)+3)", "abs(x)^(-1/2)")


@pytest.fixture(scope="module")
def adversary():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        return importlib.import_module("adversarial_activations")


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLE)
def test_no_answer_is_wrong(adversary, name):
    problems = {question: adversary.ask(adversary.CASES[name], question)[0] for question in adversary.QUESTIONS}
    assert not any(problem for problem in problems.values() if problem and problem != "slow"), problems


@pytest.mark.parametrize("name", REFUSED)
def test_poles_are_refused(adversary, name):
    assert adversary.ask(adversary.CASES[name], "values")[0] is None


def test_the_questions_see_wrong_values_and_false_proofs(adversary):
    shifted = adversary.Case("tanh(x)", lambda z: np.tanh(z) * (1 + 1e-9))
    for question in ("values", "coefficients", "kernel", "ball", "gram"):
        assert adversary.ask(shifted, question)[0].startswith("wrong")
    assert adversary.ask(adversary.Case("erf(x)", np.tanh), "closed_form")[0].startswith("wrong")
    for hand in (lambda z: np.tanh(1.001 * z), lambda z: np.tanh(z) + 1e-6 * np.sign(z - 0.3)):
        assert adversary.ask(adversary.Case("tanh(x)", hand, (0.3,)), "lipschitz")[0].startswith("false")
        assert adversary.ask(adversary.Case("tanh(x)", hand, (0.3,)), "curvature")[0].startswith("false")
    assert adversary.ask(adversary.Case("tanh(x)", np.tanh, polynomial=True), "check")[0].startswith("false")
    assert adversary.ask(adversary.Case("tanh(x)", refused="pole"), "values")[0].startswith("wrong")


def test_there_are_more_than_a_hundred(adversary):
    assert len(adversary.CASES) == len(adversary.LISTED) >= 109
