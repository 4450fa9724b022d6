"""Figures show the numbers that they are given, outside any global state."""

import sys

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import hermite_dual as hd
from hermite_dual.report.plot import plot_coefficients, plot_dual_kernel, plot_error_by_width, plot_spectrum
from hermite_dual.report.style import save_figure
from hermite_dual.validation import validate
from tests.reference_model import ErfModel, points

X = points()


@pytest.fixture(scope="module")
def report():
    return validate(ErfModel(), X, widths=(64, 16, 32), replicas=3, seed=0)


def line(axes, label):
    return next(item for item in axes.get_lines() if item.get_label() == label)


def texts(axes):
    return " ".join(text.get_text() for text in axes.get_legend().get_texts())


def test_dual_kernel_shows_the_kernel():
    k = hd.dual("erf")
    axes = plot_dual_kernel(k)
    rho, values = line(axes, r"$k(1, 1, \rho)$").get_data()
    assert (rho[0], rho[-1]) == (-1.0, 1.0)
    # Williams' arcsine kernel at unit variances.
    np.testing.assert_allclose(values, 2 / np.pi * np.arcsin(2 * rho / 3), rtol=0, atol=1e-12)
    assert "erf" in axes.get_title(loc="left")


@pytest.mark.slow
def test_spectrum_shows_every_eigenvalue_and_the_least():
    G = hd.DEQ("erf", sigma_w=0.4).gram(hd.on_sphere(X))
    axes = plot_spectrum(G)
    values = line(axes, "eigenvalues").get_ydata()
    np.testing.assert_allclose(values, np.linalg.eigvalsh(G.matrix)[::-1], rtol=1e-12)
    assert f"{values[-1]:.4g}" in texts(axes)
    assert axes.get_yscale() == "log"


def test_spectrum_of_a_singular_matrix_is_linear():
    class Least:
        estimate, outcome = -1e-17, hd.Outcome.UNDECIDED

    class Singular:
        matrix = np.diag([1.0, 0.0])

        def least_eigenvalue(self):
            return Least

    assert plot_spectrum(Singular()).get_yscale() == "linear"


def test_errors_by_width_show_means_and_the_expected_exponent(report):
    axes = plot_error_by_width(report)
    containers = {container.get_label(): container for container in axes.containers}
    assert len(containers) == 2
    means = next(item for label, item in containers.items() if label.startswith("Frobenius"))
    expected = {row.width: row.mean for row in report.errors_by_width}
    widths, shown = means.lines[0].get_data()
    assert list(widths) == [16, 32, 64]
    np.testing.assert_allclose(shown, [expected[int(m)] for m in widths])
    assert f"{report.slope:.3f}".replace("-", "−") in texts(axes)
    assert report.verdict.value in axes.get_title(loc="left")
    reference = [item for item in axes.get_lines() if item.get_linestyle() == "--" and len(item.get_xdata()) == 3]
    for item in reference:
        x, y = (np.log(data) for data in item.get_data())
        assert np.polyfit(x, y, 1)[0] == pytest.approx(-0.5)


def test_given_axes_are_used(report):
    axes = Figure().add_subplot()
    assert plot_error_by_width(report, axes) is axes
    assert plot_dual_kernel(hd.dual("relu"), axes) is axes


@pytest.mark.slow
def test_figures_can_be_saved_without_a_display(tmp_path, report):
    axes = plot_error_by_width(report)
    assert isinstance(axes, Axes)
    for suffix in ("png", "pdf", "svg"):
        axes.figure.savefig(tmp_path / f"figure.{suffix}")
        assert (tmp_path / f"figure.{suffix}").stat().st_size > 5000


def test_pyplot_is_not_imported():
    # Another test may have imported it: only the plotting module's own names are looked at.
    assert not any(
        getattr(value, "__name__", "") == "matplotlib.pyplot"
        for value in vars(sys.modules[plot_spectrum.__module__]).values()
    )


def test_several_kernels_differ_in_colour_and_dashes():
    duals = [hd.dual(name) for name in ("relu", "tanh", "erf")]
    axes = plot_dual_kernel(duals)
    lines = [line(axes, dual.activation.name) for dual in duals]
    assert len({item.get_color() for item in lines}) == len({str(item.get_linestyle()) for item in lines}) == 3
    np.testing.assert_array_equal(lines[1].get_ydata(), duals[1](lines[1].get_xdata()))
    with pytest.raises(hd.InvalidInputError, match="1 to 8 lines"):
        plot_dual_kernel([])


def test_coefficients_show_magnitudes_without_noise():
    dual = hd.dual("tanh")
    axes = plot_coefficients(dual, degrees=12)
    degrees, values = line(axes, "tanh").get_data()
    assert degrees.tolist() == [1, 3, 5, 7, 9, 11]
    np.testing.assert_array_equal(values, np.abs(dual.coefficients(12))[degrees])
    assert axes.get_yscale() == "log"


@pytest.mark.slow
def test_spectrum_shows_the_theory_bounds_asked_for():
    gram = hd.DEQ("erf", sigma_w=0.2).gram(hd.on_sphere(X))
    shown = texts(plot_spectrum(gram, theory=True))
    best = max(gram.lower_bounds(), key=lambda bound: bound.value)
    assert best.value > 0
    assert f"{best.name} bound" in shown


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["pdf", "svg", "png"])
def test_figures_are_saved_whole_and_the_same_each_time(tmp_path, suffix):
    contents = [
        save_figure(plot_dual_kernel(hd.dual("erf")), tmp_path / f"{k}.{suffix}").read_bytes() for k in range(2)
    ]
    assert contents[0] == contents[1]
    assert contents[0].startswith({"pdf": b"%PDF", "svg": b"<?xml", "png": b"\x89PNG"}[suffix])
    assert len(list(tmp_path.iterdir())) == 2


def test_other_endings_are_refused(tmp_path):
    with pytest.raises(hd.InvalidInputError, match=r"there are \.pdf, \.svg, \.png"):
        save_figure(plot_dual_kernel(hd.dual("erf")), tmp_path / "figure.docx")
