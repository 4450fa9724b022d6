"""Dual kernels of activations, Gram matrices of infinitely wide deep equilibrium models, least eigenvalues.

Six names to start with:

    dual("gelu")                        the dual kernel of an activation: closed form, series, values, proven digits
    DEQ("tanh", sigma_w=0.3)            an infinitely wide deep equilibrium model: gram, ntk, check, sample, validate
    MLP("relu", depth=2, sigma_w=1.4)   a multilayer or residual network, likewise
    mean_field("tanh", 1.5, 0.1)        fixed points, phases and depth scales of deep networks
    table(["relu", "erf"])              formulas and numbers of activations, for a paper
    least_eigenvalue(A)                 proven bounds of the least eigenvalue of a symmetric matrix

What needs SciPy, numba or python-flint is loaded when its name is first used: importing the package costs little more
than importing NumPy and SymPy.
"""

import importlib
from typing import TYPE_CHECKING, Any

from hermite_dual._version import __version__
from hermite_dual.activation import Activation, activation
from hermite_dual.cross_dual import CrossDual
from hermite_dual.dual import Dual, HermiteExpansion, dual
from hermite_dual.errors import (
    AccuracyError,
    ClusterError,
    ConvergenceError,
    DataFileError,
    DerivationError,
    ForkedProcessError,
    HermiteDualError,
    InvalidInputError,
    NotIntegrableError,
    ParseError,
)
from hermite_dual.expressions.catalogue import catalogue
from hermite_dual.expressions.catalogue_entry import CatalogueEntry
from hermite_dual.outcome import Outcome
from hermite_dual.symbolic.bivariate_normal import LAMBDIFY_MODULES, BivariateNormalCDF
from hermite_dual.symbolic.closed_forms import DualForm
from hermite_dual.symbolic.normal import GaussianWeight, NormalCDF
from hermite_dual.symbols import c as c
from hermite_dual.symbols import q1, q2, rho
from hermite_dual.symbols import x as x

if TYPE_CHECKING:
    from hermite_dual.activation_design import DesignedActivation, activation_from_dual, activation_from_ntk
    from hermite_dual.atlases.atlas import Atlas, AtlasRecord, atlas
    from hermite_dual.certified.eigenvalues.eigenvalues import (
        EigenvalueBounds,
        LowerBoundCheck,
        check_lower_bound,
        least_eigenvalue,
    )
    from hermite_dual.certified.eigenvalues.exact_proof import exact_proof
    from hermite_dual.certified.eigenvalues.spectrum import Spectrum, eigenvalues
    from hermite_dual.certified.eigenvalues.theory_bounds import TheoryBound
    from hermite_dual.data.digits import load_digits
    from hermite_dual.deq import DEQ
    from hermite_dual.dual_constants import DualConstants, ExplicitEquivalent
    from hermite_dual.finite import FiniteDEQ, FiniteMLP, TrainingCertificate, TrainingRun, UntiedNetwork
    from hermite_dual.kernel_series import KernelSeries
    from hermite_dual.mean_fields.edge import EdgePoint, doubly_critical, edge_of_chaos, gain
    from hermite_dual.mean_fields.mean_field import FixedPoint, MeanField, mean_field
    from hermite_dual.mean_fields.phase_diagram import PhaseDiagram, phase_diagram
    from hermite_dual.mlp import MLP
    from hermite_dual.outofcore.cost import GramCost
    from hermite_dual.outofcore.opened_gram import load, open_gram
    from hermite_dual.outofcore.stored_gram import StoredGram
    from hermite_dual.population.cross_gram import CrossGram
    from hermite_dual.population.entries.inputs import on_sphere
    from hermite_dual.population.gram import Gram
    from hermite_dual.population.prediction import Prediction
    from hermite_dual.population.theorem.hypotheses import TheoremCheck
    from hermite_dual.population.theorem.hypothesis_tests import Hypothesis
    from hermite_dual.report.plot import plot_coefficients, plot_dual_kernel, plot_error_by_width, plot_spectrum
    from hermite_dual.report.style import save_figure
    from hermite_dual.report.tables.table import Table, table
    from hermite_dual.shaping import ShapedActivation, deep_kernel_shaping, tailored_activation, tailored_leaky_relu
    from hermite_dual.sphere_spectrum import SphereSpectrum
    from hermite_dual.sweeps.result import SweepResult
    from hermite_dual.sweeps.sweep import sweep
    from hermite_dual.validation import ValidationReport, Verdict

_LOADED_ON_USE = {
    "Atlas": "atlases.atlas",
    "AtlasRecord": "atlases.atlas",
    "CrossGram": "population.cross_gram",
    "DEQ": "deq",
    "DesignedActivation": "activation_design",
    "DualConstants": "dual_constants",
    "EdgePoint": "mean_fields.edge",
    "EigenvalueBounds": "certified.eigenvalues.eigenvalues",
    "ExplicitEquivalent": "dual_constants",
    "FiniteDEQ": "finite",
    "FiniteMLP": "finite",
    "FixedPoint": "mean_fields.mean_field",
    "Gram": "population.gram",
    "GramCost": "outofcore.cost",
    "Hypothesis": "population.theorem.hypothesis_tests",
    "KernelSeries": "kernel_series",
    "LowerBoundCheck": "certified.eigenvalues.eigenvalues",
    "MLP": "mlp",
    "Prediction": "population.prediction",
    "ShapedActivation": "shaping",
    "MeanField": "mean_fields.mean_field",
    "PhaseDiagram": "mean_fields.phase_diagram",
    "Spectrum": "certified.eigenvalues.spectrum",
    "SphereSpectrum": "sphere_spectrum",
    "StoredGram": "outofcore.stored_gram",
    "SweepResult": "sweeps.result",
    "Table": "report.tables.table",
    "TheoremCheck": "population.theorem.hypotheses",
    "TheoryBound": "certified.eigenvalues.theory_bounds",
    "TrainingCertificate": "finite",
    "TrainingRun": "finite",
    "UntiedNetwork": "finite",
    "ValidationReport": "validation",
    "Verdict": "validation",
    "activation_from_dual": "activation_design",
    "activation_from_ntk": "activation_design",
    "atlas": "atlases.atlas",
    "check_lower_bound": "certified.eigenvalues.eigenvalues",
    "deep_kernel_shaping": "shaping",
    "doubly_critical": "mean_fields.edge",
    "edge_of_chaos": "mean_fields.edge",
    "eigenvalues": "certified.eigenvalues.spectrum",
    "exact_proof": "certified.eigenvalues.exact_proof",
    "gain": "mean_fields.edge",
    "least_eigenvalue": "certified.eigenvalues.eigenvalues",
    "load": "outofcore.opened_gram",
    "load_digits": "data.digits",
    "mean_field": "mean_fields.mean_field",
    "on_sphere": "population.entries.inputs",
    "open_gram": "outofcore.opened_gram",
    "phase_diagram": "mean_fields.phase_diagram",
    "plot_coefficients": "report.plot",
    "plot_dual_kernel": "report.plot",
    "plot_error_by_width": "report.plot",
    "plot_spectrum": "report.plot",
    "save_figure": "report.style",
    "sweep": "sweeps.sweep",
    "table": "report.tables.table",
    "tailored_activation": "shaping",
    "tailored_leaky_relu": "shaping",
}
"""Public names and the modules that hold them, where these modules need more than NumPy and SymPy."""

__all__ = [
    "DEQ",
    "LAMBDIFY_MODULES",
    "MLP",
    "AccuracyError",
    "Activation",
    "Atlas",
    "AtlasRecord",
    "BivariateNormalCDF",
    "CatalogueEntry",
    "ClusterError",
    "ConvergenceError",
    "CrossDual",
    "CrossGram",
    "DataFileError",
    "DerivationError",
    "DesignedActivation",
    "Dual",
    "DualConstants",
    "DualForm",
    "EdgePoint",
    "EigenvalueBounds",
    "ExplicitEquivalent",
    "FiniteDEQ",
    "FiniteMLP",
    "FixedPoint",
    "ForkedProcessError",
    "GaussianWeight",
    "Gram",
    "GramCost",
    "HermiteDualError",
    "HermiteExpansion",
    "Hypothesis",
    "InvalidInputError",
    "KernelSeries",
    "LowerBoundCheck",
    "MeanField",
    "NormalCDF",
    "NotIntegrableError",
    "Outcome",
    "ParseError",
    "PhaseDiagram",
    "Prediction",
    "ShapedActivation",
    "Spectrum",
    "SphereSpectrum",
    "StoredGram",
    "SweepResult",
    "Table",
    "TheoremCheck",
    "TheoryBound",
    "TrainingCertificate",
    "TrainingRun",
    "UntiedNetwork",
    "ValidationReport",
    "Verdict",
    "__version__",
    "activation",
    "activation_from_dual",
    "activation_from_ntk",
    "atlas",
    "catalogue",
    "check_lower_bound",
    "deep_kernel_shaping",
    "doubly_critical",
    "dual",
    "edge_of_chaos",
    "eigenvalues",
    "exact_proof",
    "gain",
    "least_eigenvalue",
    "load",
    "load_digits",
    "mean_field",
    "on_sphere",
    "open_gram",
    "phase_diagram",
    "plot_coefficients",
    "plot_dual_kernel",
    "plot_error_by_width",
    "plot_spectrum",
    "q1",
    "q2",
    "rho",
    "save_figure",
    "sweep",
    "table",
    "tailored_activation",
    "tailored_leaky_relu",
]
"""What `from hermite_dual import *` takes: all public names but `c` and `x`, which programs call their own."""
_PUBLIC = sorted({*__all__, "c", "x"})


def __getattr__(name: str) -> Any:
    """Load a public name on its first use."""
    if name not in _LOADED_ON_USE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_LOADED_ON_USE[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return _PUBLIC
