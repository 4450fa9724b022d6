"""The default validation on real images: right, wrong constant, wrong activation."""

import pytest

import hermite_dual as hd

X = hd.on_sphere(hd.load_digits()[0][:300])
MODEL = hd.DEQ.paper("tanh", sigma_w2=0.08)


@pytest.fixture(scope="module")
def report():
    return MODEL.validate(X)


@pytest.mark.slow
def test_the_model_agrees_and_approaches_with_the_exponent_one_half(report):
    assert report.verdict is hd.Verdict.AGREE
    assert abs(report.slope + 0.5) < 0.1
    # The stated tolerance is many standard errors wide.
    assert report.slope_error < 0.02
    assert report.entries.tests == 300 * 301 // 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "wrong",
    [MODEL.replace(sigma_w=1.5 * MODEL.sigma_w), hd.DEQ.paper("erf", sigma_w2=0.08)],
    ids=["sigma_w half as large again", "another activation"],
)
def test_a_wrong_gram_matrix_is_found(report, wrong):
    found = MODEL.validate(X, widths=(256, 512), population=wrong.gram(X).matrix)
    assert found.verdict is hd.Verdict.DISAGREE
    # The same networks, whatever they are held against.
    assert found.seed == report.seed


@pytest.mark.slow
@pytest.mark.parametrize(("right", "wrong"), [("relu", "gelu"), ("gelu", "relu")])
def test_similar_activations_are_told_apart(right, wrong):
    few = X[:100]
    population = hd.DEQ.paper(wrong, sigma_w2=0.08).gram(few).matrix
    found = hd.DEQ.paper(right, sigma_w2=0.08).validate(few, widths=(256, 512), population=population)
    assert found.verdict is hd.Verdict.DISAGREE
