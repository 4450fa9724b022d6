"""Figures of dual kernels, of coefficients, of a spectrum and of errors by width.

Each function draws on the `Axes` that it is given, or on those of a new `Figure` outside any global state, and returns
them: `save_figure(plot_spectrum(gram), "spectrum.pdf")`.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter
from numpy.typing import ArrayLike

from hermite_dual.activation import ActivationLike
from hermite_dual.arrays import Array
from hermite_dual.certified.eigenvalues.eigenvalues import least_eigenvalue
from hermite_dual.cross_dual import CrossDual
from hermite_dual.dual import Dual, dual
from hermite_dual.errors import InvalidInputError
from hermite_dual.outcome import Outcome
from hermite_dual.outofcore.stored_gram import StoredGram
from hermite_dual.population.gram import Gram
from hermite_dual.report.style import BLACK, BLUE, GREEN, GREY, MOST_LINES, ORANGE, finish, literal, looks, new_axes
from hermite_dual.validation.report import ValidationReport

# Points of the curve of a kernel: smooth on the page.
_POINTS = 401
_MARKERS = "osD^v<>P"
_NOISE = 1e-15


def plot_dual_kernel(duals: CrossDual | ActivationLike | Sequence[Any], axes: Axes | None = None) -> Axes:
    """Draw dual activations `k(1, 1, rho)` on [-1, 1]; of a single one also the first two terms of its series.

    Args:
        duals: a dual, or what names an activation, such as `"relu"` or an expression; or several.
        axes: where to draw; by default on a new figure.

    Returns:
        The Axes.
    """
    axes = axes or new_axes()
    rho = np.linspace(-1.0, 1.0, _POINTS)
    axes.axhline(0.0, color=BLACK, linewidth=0.6)
    kernels = _read(duals)
    if _is_one(duals):
        (kernel,) = kernels
        constant, slope = kernel.products(2)
        axes.plot(rho, kernel(rho), color=BLUE, linewidth=2.0, label=r"$k(1, 1, \rho)$")
        label = r"$a_0^2 + a_1^2 \rho$" if isinstance(kernel, Dual) else r"$a_0 b_0 + a_1 b_1 \rho$"
        axes.plot(rho, constant + slope * rho, color=GREY, linewidth=1.2, linestyle="--", label=label)
        return finish(axes, title=f"Dual kernel of {_name(kernel)}", x=r"correlation $\rho$", y="kernel")
    for kernel, (colour, dashes) in zip(kernels, looks(), strict=False):
        axes.plot(rho, kernel(rho), color=colour, linestyle=dashes, linewidth=1.6, label=_name(kernel))
    return finish(axes, title="Dual kernels", x=r"correlation $\rho$", y=r"$k(1, 1, \rho)$")


def plot_coefficients(
    duals: Dual | ActivationLike | Sequence[Any], degrees: int = 40, axes: Axes | None = None
) -> Axes:
    """Draw the magnitudes of Hermite coefficients at variance 1 against their degree, on a logarithmic scale.

    Coefficients below 1e-15 of the largest are left out: float64 knows no more of them.

    Args:
        duals: the dual of one activation, or what names one; or several.
        degrees: how many coefficients, at least 2.
        axes: where to draw; by default on a new figure.

    Returns:
        The Axes.
    """
    axes = axes or new_axes()
    for kernel, (colour, _), marker in zip(_read(duals), looks(), _MARKERS, strict=False):
        values = np.abs(dual(kernel.activation).coefficients(degrees))
        shown = np.flatnonzero(values > _NOISE * values.max())
        axes.plot(shown, values[shown], color=colour, marker=marker, markersize=3.5, linewidth=0.7, label=_name(kernel))
    axes.set_yscale("log")
    return finish(axes, title="Hermite coefficients", x="degree r", y=r"$|a_r|$")


def _is_one(duals: Any) -> bool:
    return isinstance(duals, str) or not isinstance(duals, Iterable)


def _read(duals: Any) -> list[CrossDual]:
    """Return the duals of what was given, one or several."""
    several = [duals] if _is_one(duals) else list(duals)
    if not 1 <= len(several) <= MOST_LINES:
        raise InvalidInputError(
            f"{len(several)} duals: a figure tells 1 to {MOST_LINES} lines apart; draw others on axes of their own"
        )
    return [one if isinstance(one, CrossDual) else dual(one) for one in several]


def _name(kernel: CrossDual) -> str:
    return literal(", ".join(dict.fromkeys((kernel.first.name, kernel.second.name))))


def plot_spectrum(gram: Gram | StoredGram | ArrayLike, axes: Axes | None = None, *, theory: bool = False) -> Axes:
    """Draw the eigenvalues of a Gram matrix, the largest first, and its least eigenvalue.

    Args:
        gram: a population Gram matrix; or any symmetric matrix, shape (n, n), whose entries are then taken as exact.
        axes: where to draw; by default on a new figure.
        theory: draw the theory's lower bounds that are above 0 as well.

    Returns:
        The Axes.

    Raises:
        InvalidInputError: it is no symmetric matrix, or theory is asked for of an array, of which it knows nothing.
    """
    axes = axes or new_axes()
    known_kernel: Any = gram if hasattr(gram, "least_eigenvalue") else None
    if theory and known_kernel is None:
        raise InvalidInputError("theory=True needs a Gram matrix of DEQ.gram: of an array no theory knows anything")
    matrix = np.asarray(getattr(gram, "matrix", gram), dtype=np.float64)
    least = least_eigenvalue(matrix) if known_kernel is None else known_kernel.least_eigenvalue()
    values = np.linalg.eigvalsh(matrix)[::-1]
    rank = np.arange(1, len(values) + 1)
    axes.plot(rank, values, color=BLUE, marker="o", markersize=2.5, linewidth=0.8, label="eigenvalues")
    known = "certified" if least.outcome is Outcome.PROVEN else "an estimate"
    label = rf"$\lambda_{{\min}} \approx$ {least.estimate:.4g} ({known})"
    axes.axhline(least.estimate, color=ORANGE, linestyle="--", linewidth=1.2, label=label)
    if theory and known_kernel is not None:
        for bound, dashes in zip(known_kernel.lower_bounds(), (":", "-.", (0, (5, 1))), strict=True):
            if bound.value > 0.0:
                name = f"{bound.name} bound {bound.value:.3g}"
                axes.axhline(bound.value, color=GREEN, linestyle=dashes, linewidth=1.2, label=name)
    # Rounding can make the eigenvalues of a singular matrix negative; a logarithm cannot show them.
    if values[-1] > 0.0:
        axes.set_yscale("log")
    title = "Spectrum of the matrix" if known_kernel is None else "Spectrum of the population Gram matrix"
    return finish(axes, title=title, x="rank", y="eigenvalue")


def plot_error_by_width(report: ValidationReport, axes: Axes | None = None) -> Axes:
    """Draw the relative errors of finite networks against their width, with lines of the exponent -1/2.

    Error bars are two standard errors of the mean; each thin mark is a network.

    Args:
        report: the report of a validation.
        axes: where to draw; by default on a new figure.

    Returns:
        The Axes.
    """
    axes = axes or new_axes()
    rows = sorted(report.errors_by_width, key=lambda row: row.width)
    widths = np.array([float(row.width) for row in rows])
    normalized = [(row.normalized_mean, row.normalized_standard_error, row.normalized_errors) for row in rows]
    frobenius = [(row.mean, row.standard_error, row.errors) for row in rows]
    _errors(
        axes, widths, normalized, colour=BLUE, marker="o", label=_label("normalized", report.slope, report.slope_error)
    )
    label = _label("Frobenius", report.frobenius_slope, report.frobenius_slope_error)
    _errors(axes, widths, frobenius, colour=GREEN, marker="s", label=label)
    axes.plot([], [], color=ORANGE, linestyle="--", linewidth=1.2, label="exponent −1/2")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(widths, [f"{width:g}" for width in widths])
    axes.xaxis.set_minor_formatter(NullFormatter())
    title = f"Finite networks against the population: {report.verdict.value}"
    return finish(axes, title=title, x="width m", y="relative error of the Gram matrix")


def _label(name: str, slope: float, error: float) -> str:
    return f"{name}, exponent {slope:.3f} ± {error:.3f}".replace("-", "−")


def _errors(
    axes: Axes,
    widths: Array,
    rows: list[tuple[float, float, tuple[float, ...]]],
    *,
    colour: str,
    marker: str,
    label: str,
) -> None:
    means = np.array([row[0] for row in rows])
    bars = 2.0 * np.array([row[1] for row in rows])
    for width, row in zip(widths, rows, strict=True):
        axes.plot(np.full(len(row[2]), width), row[2], color=colour, marker="_", linestyle="", alpha=0.35)
    axes.errorbar(widths, means, yerr=bars, color=colour, marker=marker, linestyle="", capsize=3, label=label)
    if np.all(means > 0.0):
        # The line through the geometric mean of the points.
        level = np.exp(np.mean(np.log(means) + 0.5 * np.log(widths)))
        axes.plot(widths, level / np.sqrt(widths), color=ORANGE, linestyle="--", linewidth=1.2)
