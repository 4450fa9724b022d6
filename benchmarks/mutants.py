"""Break the proofs on purpose, one constant, sign, comparison or term at a time, and see whether the tests notice.

Usage: python benchmarks/mutants.py [--quick] [--sample K] [--only PATTERN] [--jobs J]

Every mutation replaces one text in one file of a copy of the working tree, and runs the tests that belong to it there,
up to the first failure. It is *killed* where a test fails and *survives* where all pass. `--sample K` takes K of them,
spread evenly, `--quick` those that the sharp cases alone must notice. The exit code is 1 if one survives that is not in
`EQUIVALENT`, with the reason why it is none.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Queue

ROOT = Path(__file__).parents[1]
TIMEOUT = 1200  # seconds for one mutation; what hangs is noticed
SHARP, BALLS, GROWTH = "test_sharp_bounds", "test_certified_balls", "test_certified_growth"
COEFFICIENTS, ENTRIES, ROWS = "test_certified_coefficients", "test_certified_gram", "test_certified_rows"
TANGENT, EIGENVALUES = "test_certified_ntk", "test_certified_eigenvalues"
SECOND, READER, PIECES = "test_certified_second_proof", "test_certified_certificate", "test_piecewise_quadratic"
CHECK, SPECTRUM, EXACT, ZERO = "test_theorem_check", "test_spectrum", "test_exact_proof", "test_zero_rows"
TRAINING, PREDICTIONS, RANDOM, SPHERE = "test_convergence", "test_predictions", "test_width", "test_sphere"
MEAN, NETWORKS, CROSS = "test_mean_field", "test_mlp", "test_cross_kernels"
PROVEN_MEAN = "test_proven_mean_field"
COSINE, SERIES, CANCELLING = "test_cosine_series", "test_proven_series", "test_cancelling_sums"


@dataclass(frozen=True)
class Mutant:
    """One mutation.

    Attributes:
        file: below `hermite_dual`.
        old: the text, which occurs there once.
        new: what takes its place.
        tests: the files of tests that belong to it.
    """

    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    @property
    def name(self) -> str:
        """The file and what is changed there, on one line."""
        old, new = (" ".join(text.split()) for text in (self.old, self.new))
        return f"{self.file}: {old} -> {new}"


ROUNDING, ERROR = "certified/balls/rounding.py", "certified/counted/entry_error.py"
HORNER = "certified/counted/horner.py"
PRECISION, POWER = "certified/balls/precision.py", "certified/counted/power_series.py"
PAIR, ROW, PRODUCTS = (f"certified/counted/{name}.py" for name in ("pair_series", "row_coefficients", "inner_products"))
HERMITE, QUADRATURE = "certified/counted/hermite_functions.py", "certified/counted/row_quadrature.py"
PANELS, RULES = "certified/counted/float_panels.py", "certified/enclosures/panels.py"
KINKS, CURVED = "certified/counted/kink_integrals.py", "certified/counted/curved_kink_integrals.py"
STRIP, SUMS, KERNEL = (f"certified/enclosures/{name}.py" for name in ("trapezoid", "hermite_sums", "kernel"))
LATTICE, COEFFICIENT = "certified/enclosures/lattice.py", "certified/enclosures/coefficients.py"
WEDGES = "certified/enclosures/wedges.py"
ENVELOPE, SUPREMA, WAVES = (f"certified/suprema/{name}.py" for name in ("envelope", "constants", "oscillations"))
SLOPES, MONOMIALS = "certified/suprema/slope_regularity.py", "certified/growth/monomials.py"
CHOLESKY, BOUNDS = "certified/eigenvalues/float_cholesky.py", "certified/eigenvalues/cholesky_bounds.py"
RAYLEIGH, NORM = "certified/eigenvalues/rayleigh.py", "certified/eigenvalues/entry_norm.py"
WHOLE, THEORY, BALL = (f"certified/eigenvalues/{n}.py" for n in ("spectrum", "theory_bounds", "ball_eigenvalues"))
PREDICTION, FLOW = "population/proof/prediction_bounds.py", "population/proof/flow_bounds.py"
VALUES, INTEGERS = "certified/eigenvalues/eigenvalues.py", "certified/eigenvalues/exact_proof.py"
PLAIN, REBUILD, BENT = (f"certified/second_proof/{n}.py" for n in ("plain_bounds", "rebuild", "rebuild_kinks"))
AGAIN, FILES = "certified/second_proof/rebuild_rows.py", "certified/second_proof/certificate.py"
SLICED, JSON = "certified/counted/sliced_product.py", "data/json_files.py"
LIMIT, LAYERS, INPUTS, TANGENTS = (
    f"population/proof/{name}.py" for name in ("limit_bounds", "entry_bounds", "input_rows", "tangent_bounds")
)
WAY, START, RESOLVENT = "population/theorem/convergence.py", "finite/proven_start.py", "finite/resolvent.py"
HARMONICS = "sphere_spectrum.py"
POWERS, OF_COSINE = "population/proof/cosine_powers.py", "population/proof/cosine_balls.py"
COMPOSED = "certified/enclosures/ball_series.py"
CELL, ENDS, LISTED, TOWARDS = (
    f"mean_fields/{name}.py" for name in ("moment_taylor", "variance_ends", "completeness", "proven_correlation")
)
FIELD, SIGNS = "mean_fields/proven.py", "certified/enclosures/proven_root.py"
SLOPE, TESTS = "population/proof/certified_slope.py", "population/theorem/hypothesis_tests.py"
NUMBERS, DEVIATION, WIDTHS = (f"population/theorem/{name}.py" for name in ("limit_numbers", "gram_deviation", "width"))

MUTANTS = [
    # balls and units
    Mutant(ROUNDING, "UNIT = 2.0**-53", "UNIT = 2.0**-54", (SHARP,)),
    Mutant(ROUNDING, "UP = 1.0 + 2.0**-40", "UP = 1.0", (SHARP,)),
    Mutant(ROUNDING, "TINY = 2.0**-1021", "TINY = 0.0", (SHARP,)),
    Mutant(ROUNDING, "return m * UNIT /", "return 0.5 * m * UNIT /", (SHARP,)),
    Mutant("certified/balls/cancellation.py", "(1, ErrorTail(-g))", "(1, ErrorTail(g))", (CANCELLING,)),
    Mutant(PRECISION, "_neighbour(ball.upper(), upwards=True)", "float(ball.mid())", (SHARP, BALLS)),
    Mutant(PRECISION, "if upwards and arb(value) < ball:", "if not upwards and arb(value) < ball:", (SHARP, BALLS)),
    Mutant(PRECISION, "return value.abs_upper()", "return value.abs_lower()", (BALLS, COEFFICIENTS)),
    # growth and suprema
    Mutant(MONOMIALS, "for t in candidates if not t < start", "for t in candidates[:1] if not t < start", (SHARP,)),
    Mutant(MONOMIALS, "total += magnitude(value) * monomial_sup", "total += value.real * monomial_sup", (SHARP,)),
    Mutant(ENVELOPE, "* (root * cut - self.rate / (2 * root)).erfc()", "* (root * cut).erfc()", (SHARP,)),
    Mutant(
        ENVELOPE,
        "if value.is_finite():\n                    nearest",
        "if True:\n                    nearest",
        (GROWTH, COEFFICIENTS, BALLS),
    ),
    Mutant(ENVELOPE, "math.ceil(math.ldexp(mantissa", "math.floor(math.ldexp(mantissa", (BALLS,)),
    Mutant(SUPREMA, "top = top.min(ends)", "top = top.min(ends / 2)", (BALLS, GROWTH)),
    Mutant(SUPREMA, "upper = settled.max(arb(-heap[0][0])) if heap else settled", "upper = settled", (BALLS, GROWTH)),
    Mutant(SUPREMA, "obstacle = _jump(pieces, order)", "obstacle = None", (BALLS, GROWTH, CHECK)),
    Mutant(WAVES, "upper += square[1].sqrt()", "upper = upper.max(square[1].sqrt())", (GROWTH,)),
    Mutant(WAVES, "independent = len(phases) == 1", "independent = True", (GROWTH,)),
    Mutant(SLOPES, "total += abs(right - left)", "total += right - left", (TANGENT,)),
    Mutant(SLOPES, "ends = J * J * _ONE_OVER_2_PI", "ends = 0.5 * J * J * _ONE_OVER_2_PI", (SHARP, TANGENT)),
    # enclosures
    Mutant(RULES, "return 8 * half * size", "return 2 * half * size", (SHARP,)),
    Mutant(RULES, "parameter ** (1 - 2 * order)", "parameter ** (-1 - 2 * order)", (SHARP,)),
    Mutant(RULES, "error = (plan.error + truncation).upper()", "error = arb(0)", (COEFFICIENTS,)),
    Mutant(STRIP, "best = 2 * (h * h / 2 + h", "best = (h * h / 2 + h", (SHARP,)),
    Mutant(STRIP, "(self.constant(degrees) / ((2", "(self.constant(degrees) / 1000 / ((2", (SHARP,)),
    Mutant(STRIP, "return [total + arb(0, error) for total in sums]", "return sums", (COEFFICIENTS,)),
    Mutant(SUMS, "(-arb(degree) / 2 * t.log()", "(-arb(degree) / 4 * t.log()", (SHARP,)),
    Mutant(SUMS, "- x * x / (2 * (1 + t))", "- x * x / (2 * t)", (SHARP,)),
    Mutant(KERNEL, "(tails[0] * tails[1]).sqrt()).upper())", "(tails[0] * tails[1]).sqrt() / 2).upper())", (SHARP,)),
    Mutant(KERNEL, "parseval_tail(psi, q2, second)]", "parseval_tail(shape, q2, second)]", (SHARP,)),
    Mutant(KERNEL, "shapes[1].pieces.parity < 0:", "shapes[1].pieces.parity <= 0:", (CROSS,)),
    Mutant(KERNEL, "product = first * second.xreplace", "product = first * first.xreplace", (CROSS,)),
    Mutant(LATTICE, "((pieces, q1), (second, q2))", "((pieces, q1), (pieces, q2))", (CROSS,)),
    Mutant(WEDGES, "swap = both[0] == both[1] and", "swap = bool(both) and", (CROSS,)),
    Mutant(WEDGES, "both[1].parity > 0", "both[1].parity >= 0", (CROSS,)),
    Mutant(LATTICE, "error += 2 * (h * h / 2).exp()", "error += (h * h / 2).exp() / 1000", (SHARP, COEFFICIENTS)),
    Mutant(
        COEFFICIENT,
        "vanishes = parity and (degree % 2 == 0) != (parity > 0)",
        "vanishes = degree % 2 == 0 and parity",
        (COEFFICIENTS,),
    ),
    # counted roundings
    Mutant(PRODUCTS, "gamma(chunk + -(-d // chunk)) * UP", "0.02 * UNIT", (SHARP,)),
    Mutant(PRODUCTS, "((UNIT + 4 * gamma(d + 2) ** 2) * squares", "((0.5 * UNIT) * squares", (SHARP,)),
    Mutant(HORNER, "stride * abs(product) + rounding", "rounding", (SHARP,)),
    Mutant(HORNER, "stride * abs(product)", "abs(product)", (SHARP,)),
    Mutant(HORNER, "+ rounding + abs(added)", "+ abs(added)", (SHARP,)),
    Mutant(HORNER, "+ rounding + abs(added)", "+ rounding", (SHARP,)),
    Mutant(HORNER, "return product, bound * abs(x) + abs(product)", "return product, bound * abs(x)", (SHARP,)),
    Mutant(POWER, "errors[chosen] += power[done] * tail", "errors[chosen] += 0.5 * power[done] * tail", (SHARP,)),
    Mutant(POWER, "errors[start + j] = bound[j] * unit", "errors[start + j] = 0.0", (SHARP,)),
    Mutant(POWER, "return max(0.0, upper_float(arb(remainder.upper())))", "return 0.0", (SHARP,)),
    Mutant(PAIR, "remainder *= left_root[level, i] * right_root[level, k]", "remainder = 0.0", (SHARP,)),
    Mutant(PAIR, "coefficient_error = right_spread[k] * left_sum[level, i] +", "coefficient_error =", (SHARP,)),
    Mutant(PAIR, "errors[i, k] = bound[j] * unit + coefficient_error", "errors[i, k] = coefficient_error", (SHARP,)),
    Mutant(ROW, "lost = 2 * self.errors *", "lost = self.errors *", (SHARP,)),
    Mutant(
        ROW,
        "(remainder + self.moment_errors + lost + slack + rounding)",
        "(remainder + self.moment_errors + lost)",
        (SHARP,),
    ),
    Mutant(ROW, "errors = (coefficient + rule.coefficient_error) * UP", "errors = 0.0 * coefficient", (ROWS,)),
    Mutant(ROW, "error = right_error + left_error + 2 * moved", "error = 2 * moved", (SHARP, ROWS)),
    Mutant(HERMITE, "energy = (energy * np.sqrt(1 + 1 / (r - gap)) + fresh) * UP", "energy = fresh", (SHARP, ROWS)),
    Mutant(HERMITE, "fresh = 6 * unit", "fresh = 1e-3 * unit", (SHARP, ROWS)),
    Mutant(QUADRATURE, "upper_float(strip.error(step, degrees) + cut[1])", "upper_float(cut[1])", (SHARP, ROWS)),
    Mutant(PANELS, "return 4 * size * parameter**-degree", "return size * parameter**-degree", (SHARP,)),
    Mutant(PANELS, "rounding = sum((3 * k + 1) * abs(v)", "rounding = 0 * sum((3 * k + 1) * abs(v)", (SHARP,)),
    Mutant(KINKS, "ROUNDING = 60.0", "ROUNDING = 0.0", (PIECES,)),
    Mutant(
        KINKS,
        "integral_error = ROUNDING * UNIT * top[j] * damp",
        "integral_error = 0.02 * ROUNDING * UNIT * top[j] * damp",
        (SHARP, PIECES),
    ),
    Mutant(CURVED, "CURVED_ROUNDING = 126.0", "CURVED_ROUNDING = 0.0", (PIECES,)),
    Mutant(KINKS, "good = off[j] <= MISMATCH", "good = True", (PIECES,)),
    # entry errors
    Mutant(ERROR, "/ (1 - factor) * UP", "/ (1 - 0.5 * factor) * UP", (SHARP,)),
    Mutant(ERROR, "return e * (2 * np.sqrt(q) + e) * UP", "return e * (np.sqrt(q) + e) * UP", (SHARP,)),
    Mutant(
        ERROR,
        "roots = lipschitz * (e1 * (n2 + lipschitz * e2) + e2 * n1)",
        "roots = lipschitz * (e1 * n2 + e2 * n1)",
        (SHARP,),
    ),
    Mutant(ERROR, "slope = lipschitz**2 * (ec + (np.abs(c) + ec) * ratio)", "slope = lipschitz**2 * ec", (SHARP,)),
    Mutant(ERROR, "es * (gamma_size + gamma_change)", "es * gamma_change", (SHARP,)),
    Mutant(ERROR, "radii = _coefficient_error(a, da, rows, others)", "radii = 0.0", (SHARP, ENTRIES, ROWS)),
    Mutant(
        ERROR, "remainder = np.multiply.outer(roots[rows], roots[others]) * power", "remainder = 0.0 * power", (SHARP,)
    ),
    Mutant(LIMIT, "lipschitz * e * (2.0 * norms + lipschitz * e)", "lipschitz * e * norms", (SHARP,)),
    Mutant(LIMIT, "distance = np.abs(K - series.values) + series.errors", "distance = series.errors", (ENTRIES,)),
    Mutant(LIMIT, "slack = inner.errors + gamma(4", "slack = gamma(4", (ENTRIES,)),
    Mutant(LAYERS, "return added, (rule.weight * SCALES * dK +", "return added, (", (NETWORKS, ENTRIES)),
    Mutant(LAYERS, "+ rule.inputs * inner.errors + gamma", "+ gamma", (NETWORKS, ENTRIES)),
    Mutant(LAYERS, "(error + rule.carry * dS + gamma(4)", "(error + gamma(4)", (NETWORKS,)),
    Mutant(TANGENTS, "passed, size = passed + added_error, size", "passed, size = passed, size", (NETWORKS, TANGENT)),
    Mutant(TANGENTS, "dT = (passed * SCALES + rule.carry * dT * SCALES", "dT = (passed * SCALES", (NETWORKS,)),
    Mutant(TANGENTS, "passed = rule.weight * (np.abs(kdot) * dT +", "passed = rule.weight * (", (NETWORKS, TANGENT)),
    Mutant(
        LAYERS,
        "radius = radius + slope * layer.root_errors",
        "radius = radius + 0.5 * slope * layer.root_errors",
        (ZERO,),
    ),
    Mutant(INPUTS, "self.row_error * (2.0 + self.row_error)", "self.row_error", (SHARP,)),
    Mutant(SLOPE, "shifts = shift[rows] + shift[columns]", "shifts = 0.0 * shift[rows]", (SHARP, TANGENT)),
    # eigenvalues
    Mutant(CHOLESKY, "(gamma(rows + 2) + count * UNIT)", "(0.25 * gamma(rows + 2))", (SHARP,)),
    Mutant(CHOLESKY, "return (units * norm + diagonal_error + underflow) * UP", "return 0.0", (SHARP,)),
    Mutant(
        BOUNDS,
        "down(down(shift - factorization.error) - entry_norm(error, matrix.shape[0]))",
        "shift - factorization.error",
        (EIGENVALUES,),
    ),
    Mutant(RAYLEIGH, "(arb(hi) + arb(lo) + arb(0, loss))", "(arb(hi) + arb(lo))", (SHARP,)),
    Mutant(RAYLEIGH, "(form + entry_form(entry_error, x)) / square", "form / square", (EIGENVALUES,)),
    Mutant(NORM, "return float(np.max(error.sum(axis=1)))", "return float(np.max(error))", (SHARP,)),
    Mutant(NORM, "return arb(error) * total * total", "return arb(error) * total", (EIGENVALUES, SHARP)),
    Mutant(WHOLE, "/ math.sqrt(1 - gap)", "", (SHARP,)),
    Mutant(WHOLE, "if not gap < 0.5:", "if not gap < 5.0:", (SPECTRUM, SHARP)),
    Mutant(THEORY, "factor = 1 - (n - 1) * power", "factor = 1 - (n - 2) * power", (SHARP,)),
    Mutant(THEORY, "- upper[r] * total", "- 0.5 * upper[r] * total", (SHARP,)),
    Mutant(THEORY, "(np.abs(S) + error) / np.multiply", "np.abs(S) / np.multiply", (SHARP,)),
    Mutant(BALL, "if not total < _DOMINANCE:", "if not total < 2.0:", (EIGENVALUES,)),
    Mutant(BALL, "all((-1) ** (n - k) * c >= 0", "all((-1) ** (n - k) * c >= -(10**9)", (EIGENVALUES,)),
    Mutant(
        VALUES,
        "if lower >= value:\n        return LowerBoundCheck(Outcome.PROVEN, None, max",
        "if upper >= value:\n        return LowerBoundCheck(Outcome.PROVEN, None, max",
        (EIGENVALUES,),
    ),
    Mutant(INTEGERS, "2 * row[i] > sum(map(abs, row))", "3 * row[i] > sum(map(abs, row))", (EXACT,)),
    Mutant(INTEGERS, "row[i] -= claim.denominator * errors[i] + below", "row[i] -= below", (EXACT,)),
    # predictions
    Mutant(
        PREDICTION,
        "products = np.outer(norm_above(unanswered.T) / floor",
        "products = 0.0 * np.outer(norm_above(unanswered.T)",
        (SHARP,),
    ),
    Mutant(PREDICTION, "max(least, 0.0) + noise, 0.0)", "1.0 + noise, 0.0)", (SHARP,)),
    Mutant(PREDICTION, "responses, cross[0].T) + cross[1].T", "responses, cross[0].T)", (SHARP,)),
    Mutant(PREDICTION, "moved += (cross[1] + units", "moved += (0.0 * cross[1] + units", (SHARP, PREDICTIONS)),
    Mutant(
        PREDICTION, "moved += np.abs(responses).T @ missed", "moved += 0.0 * np.abs(responses).T @ missed", (SHARP,)
    ),
    Mutant(PREDICTION, "(errors + rounding) @ sizes", "rounding @ sizes", (SHARP, PREDICTIONS)),
    Mutant(PREDICTION, "- noise * solutions\n", "\n", (SHARP, PREDICTIONS)),
    Mutant(PREDICTION, "(1 - arb(size) * low).max(arb(size) * above - 1)", "1 - arb(size) * low", (SHARP,)),
    Mutant(PREDICTION, "elif arb(size) * below > 2:", "elif arb(size) * above > 1:", (PREDICTIONS,)),
    # spectra on the sphere
    Mutant(HARMONICS, "r = max(start, degree, turn)", "r = max(start, degree)", (SHARP,)),
    Mutant(HARMONICS, "return total + remainder.union(arb(0))", "return total", (SHARP,)),
    Mutant(HARMONICS, "(trace - mirrored) / 2", "(trace - mirrored) / 4", (SHARP,)),
    Mutant(HARMONICS, "shape.symbol) < len(squares)", "shape.symbol) <= len(squares)", (SHARP,)),
    Mutant(HARMONICS, "tails[degree % 2]", "tails[1 - degree % 2]", (SHARP, SPHERE)),
    Mutant(HARMONICS, "/ ((r - degree + 2) * (d + r + degree))", "/ ((r + 2) * (d + r))", (SPHERE,)),
    # series in the cosine
    Mutant(POWERS, "degree * error + _POWER", "error + _POWER", (COSINE,)),
    Mutant(POWERS, "ball.lower() for p, ball", "ball.mid() for p, ball", (SHARP,)),
    Mutant(POWERS, "remainder.lower().max(arb(0)) * arb(float(bounds[-1]))", "remainder.lower()", (SERIES,)),
    Mutant(COMPOSED, "arb((total * least).upper())", "arb((total * least).upper()) / 2", (SHARP,)),
    Mutant(COMPOSED, "share / place for share", "share for share", (SERIES,)),
    Mutant(COMPOSED, "inverse(1 - weight * slope.compose", "inverse(1 - slope.compose", (SERIES,)),
    Mutant(OF_COSINE, "Fraction(model.sigma_w) ** 2, ", "Fraction(model.sigma_w), ", (SERIES,)),
    # the second proof and its reader
    Mutant(PLAIN, "_below(shift, residual, error)", "_below(shift, 0.0, error)", (SECOND, READER, SHARP)),
    Mutant(PLAIN, "sums += product.rows * float(product.columns.sum())", "sums *= 0.5", (SHARP, SECOND)),
    Mutant(SLICED, "count = (d + 2) * _UNIT", "count = 1e-6 * (d + 2) * _UNIT", (SHARP, SECOND)),
    Mutant(
        REBUILD,
        "(eta + factor * np.abs(new - old)) / (1.0 - factor)",
        "(eta + factor * np.abs(new - old))",
        (SECOND, SHARP),
    ),
    Mutant(REBUILD, "+ spread + remainder\n", "+ spread\n", (SECOND, SHARP)),
    Mutant(REBUILD, "eta = kernel_error + lipschitz**2 * shift", "eta = kernel_error", (SECOND, SHARP)),
    Mutant(BENT, "_OWN = 68.0", "_OWN = 0.0", (SECOND, SHARP)),
    Mutant(AGAIN, "errors * _UP + quadrature_error + 1e-300", "0.0 * errors + 1e-300", (SECOND, ROWS)),
    Mutant(FILES, 'if certificate["sha256"] != _content_digest(certificate):', "if False:", (READER,)),
    Mutant(FILES, 'if certificate["data"] != data_digest(data):', "if False:", (READER,)),
    Mutant(FILES, "if upper < value:", "if upper < value + 1.0:", (READER, SECOND)),
    Mutant(JSON, "if twice is not None:", "if False:", (READER,)),
    # hypotheses
    Mutant(TESTS, "if high < 1.0:", "if low < 1.0:", (CHECK,)),
    Mutant(TESTS, "cosines = (np.abs(products) + errors)", "cosines = (np.abs(products) - errors)", (CHECK, SHARP)),
    # convergence of training
    Mutant(WAY, "T = M * way.peak * nu**2", "T = M * way.peak * nu", (TRAINING,)),
    Mutant(WAY, "T += 2 * way.sensitivity", "T += way.sensitivity", (TRAINING,)),
    Mutant(WAY, "H = _up(T / 2 + (T * T / 4 + cross * cross).sqrt())", "H = _up(T.max(cross / 2))", (TRAINING,)),
    Mutant(
        WAY, "change = way.resolvent * (L * hW + longest * M * shift)", "change = way.resolvent * L * hW", (TRAINING,)
    ),
    Mutant(WAY, "(L * hW + longest * M * shift)", "(longest * M * shift)", (TRAINING,)),
    Mutant(WAY, "sensitivity = slope_nu * turned + nu * M * shift * way.peak", "sensitivity = arb(0)", (TRAINING,)),
    Mutant(WAY, "inputs = way.inputs / (1 - slope_nu * hW)", "inputs = way.inputs", (TRAINING,)),
    Mutant(
        WAY, "way.tangent - H * h, way.states - c * h", "way.tangent - H * h / 2, way.states - c * h / 2", (TRAINING,)
    ),
    Mutant(WAY, "if recurrent or not readout:", "if True:", (TRAINING,)),
    Mutant(WAY, "square = 1 + reach * here.bend / 2, reach", "square = arb(1), 0 * reach", (TRAINING,)),
    Mutant(
        WAY,
        "(2 * (1 - low) / (k + 1 / k)).min(k * (2 - high) / (1 + k * k * ratio))",
        "2 * (1 - low) / (k + 1 / k)",
        (TRAINING,),
    ),
    Mutant(
        WAY,
        "return lower_float(removed * (2 - removed))",
        "return lower_float(removed * (4 - removed))",
        (TRAINING,),
    ),
    Mutant(
        WAY,
        "way.gain = way.gain + h * sides[0].max(sides[1])",
        "way.gain = way.gain + h * (sides[0] + sides[1])",
        (TRAINING,),
    ),
    Mutant(START, "moved = cross + cross.T", "moved = 0.0 * cross", (TRAINING,)),
    Mutant(START, "contraction_error(norm_above(gap.T) * UP, contraction)", "norm_above(gap.T)", (TRAINING,)),
    Mutant(
        START,
        "lost = size * (gamma(len(a)) * norm_above(states.values.T) + states.errors)",
        "lost = 0.0 * states.errors",
        (TRAINING,),
    ),
    Mutant(RESOLVENT, "claims[0] / math.sqrt(1 - error * claims[0] ** 2) * UP", "0.98 * claims[0]", (TRAINING,)),
    Mutant(RESOLVENT, "shift = (weights / claim) ** 2", "shift = (weights / claim) ** 2 / 1.1", (TRAINING,)),
    Mutant(WAY, "way.peak = _up((way.peak + turned +", "way.peak = _up((way.peak +", (TRAINING,)),
    Mutant(
        WAY, "(arb(start.readout) + (arb(end) if readout else 0)) / kappa", "arb(start.readout) / kappa", (TRAINING,)
    ),
    Mutant(WAY, "(arb(end) if readout else 0)) / kappa", "(arb(end) if readout else 0))", (TRAINING,)),
    Mutant(WAY, "sensitivity).min(L * longest_h)", "sensitivity).min(L * longest_h / 2)", (TRAINING,)),
    # random weights
    Mutant(NUMBERS, "samples=samples,", "samples=samples / 1.001,", (RANDOM,)),
    Mutant(NUMBERS, "ones = 1.0 if bias else 0.0", "ones = 0.0", (RANDOM,)),
    Mutant(NUMBERS, "(c + lost * UP -", "(c -", (RANDOM,)),
    Mutant(NUMBERS, "(space.ritz.value + space.ritz.residual)", "0.999 * space.ritz.value", (RANDOM,)),
    Mutant(NUMBERS, "((top - middle) ** 2 + (top + middle) ** 2)", "((top + middle) ** 2)", (RANDOM,)),
    Mutant(NUMBERS, "diagonal - S_error.diagonal() * UP, 0.0", "diagonal + S_error.diagonal() * UP, 0.0", (RANDOM,)),
    Mutant(DEVIATION, "_RARE_BITS, _RARE_POWER = 60, 6", "_RARE_BITS, _RARE_POWER = 60, 5", (RANDOM,)),
    Mutant(DEVIATION, "_RARE_BITS, _RARE_POWER = 60, 6", "_RARE_BITS, _RARE_POWER = 50, 6", (RANDOM,)),
    Mutant(DEVIATION, "_FOURTH = 1.31608", "_FOURTH = 1.0", (RANDOM,)),
    Mutant(DEVIATION, "norm = sigma * (2 +", "norm = sigma * (1 +", (RANDOM,)),
    Mutant(DEVIATION, "(2 * (2 / rare).log() / m)", "((2 / rare).log() / m)", (RANDOM,)),
    Mutant(DEVIATION, "(2 * (2 * m / rare).log() / m)", "(2 * (2 / rare).log() / m)", (RANDOM,)),
    Mutant(DEVIATION, "(1 + (L * column / kappa) ** 2).sqrt()", "(1 + (L * column) ** 2).sqrt()", (RANDOM,)),
    Mutant(DEVIATION, "extra = 4 * fourth_root", "extra = 2 * fourth_root", (RANDOM,)),
    Mutant(DEVIATION, "roots = (roots + 2 * fourth_root * moments) * UP", "roots = roots * UP", (RANDOM,)),
    Mutant(
        DEVIATION,
        "limit.states + limit.lipschitz * (roots + shifts)",
        "limit.states + limit.lipschitz * roots",
        (RANDOM,),
    ),
    Mutant(DEVIATION, "speed = 4 * gain**2 / m", "speed = 2 * gain**2 / m", (SHARP,)),
    Mutant(DEVIATION, "(sigma**2 * square + total * trace)", "(total * trace)", (RANDOM,)),
    Mutant(DEVIATION, "(trace**2 + speed * arb(limit.input_norm) * trace) / drained", "trace**2", (RANDOM,)),
    Mutant(DEVIATION, "constant = shift**2 + contraction * moved**2 +", "constant = shift**2 +", (RANDOM,)),
    Mutant(
        DEVIATION, "stretched * (2 * largest.sqrt() + stretched)", "stretched * (largest.sqrt() + stretched)", (RANDOM,)
    ),
    Mutant(DEVIATION, "(2 * turned + variance * weighted)", "(turned + variance * weighted)", (RANDOM,)),
    Mutant(DEVIATION, "(2 * turned + variance * weighted)", "(2 * turned)", (RANDOM,)),
    Mutant(DEVIATION, "2 * arb(root) * (arb(_total(values))", "arb(root) * (arb(_total(values))", (RANDOM,)),
    Mutant(DEVIATION, "linear = 2 * (shift + contraction * moved)", "linear = 2 * shift", (RANDOM,)),
    Mutant(DEVIATION, "kept = 1 - contraction", "kept = arb(1)", (RANDOM,)),
    Mutant(DEVIATION, "linear * y + contraction * distance", "linear * y", (RANDOM,)),
    Mutant(DEVIATION, "free = kept * largest + constant + spread", "free = kept * largest + constant", (SHARP,)),
    Mutant(DEVIATION, "noise + arb(2).sqrt() * sigma**2", "noise + sigma**2", (RANDOM,)),
    Mutant(DEVIATION, "arb(6).sqrt() * gain * noise", "arb(3).sqrt() * gain * noise", (RANDOM,)),
    Mutant(DEVIATION, "room = 1 - (sigma + b) * L * (1 + second)", "room = 1 - sigma * L * (1 + second)", (RANDOM,)),
    Mutant(DEVIATION, "(sigma + b) * L * (1 + second)", "(sigma + b) * L", (RANDOM,)),
    Mutant(DEVIATION, "(weight**2 + arb(self.limit.input_norm))", "arb(self.limit.input_norm)", (SHARP,)),
    Mutant(DEVIATION, "e = self.gain * (2 * (1 / failure).log()", "e = self.gain * ((1 / failure).log()", (RANDOM,)),
    Mutant(DEVIATION, "arb(self.limit.least) - self.mean - spread**2", "arb(self.limit.least) - self.mean", (RANDOM,)),
    Mutant(DEVIATION, "arb(self.limit.least) - self.mean - spread**2", "arb(self.limit.least) - spread**2", (RANDOM,)),
    Mutant(DEVIATION, "middle - spread / 2 -", "middle -", (RANDOM,)),
    Mutant(DEVIATION, "- arb(eta) * size)", ")", (RANDOM,)),
    Mutant(DEVIATION, "n * (1 + 2 / arb(eta)).log()", "n * (1 + 1 / arb(eta)).log()", (RANDOM,)),
    Mutant(DEVIATION, "2 * size * known.slope(size) * far", "size * known.slope(size) * far", (RANDOM,)),
    Mutant(WIDTHS, "_SHARES = 6", "_SHARES = 5", (RANDOM,)),
    Mutant(WIDTHS, "(trace**2 + n).sqrt() + size * tail", "(trace**2 + n).sqrt()", (SHARP,)),
    Mutant(WIDTHS, "(trace**2 + n).sqrt()", "trace", (RANDOM,)),
    Mutant(WIDTHS, "(2 * (2 * m * n / share).log() / m)", "(2 * (2 * m / share).log() / m)", (RANDOM,)),
    Mutant(WIDTHS, "(1 + known.column * known.gain) * highest", "highest", (RANDOM,)),
    Mutant(WIDTHS, "readout = 1 + tail / root", "readout = arb(1)", (RANDOM,)),
    Mutant(WIDTHS, "(s - Y * (1 + s / Y).log())", "(s - Y * (s / Y).log())", (SHARP,)),
    Mutant(WIDTHS, "kappa / L * (s - Y", "1 / L * (s - Y", (SHARP,)),
    # predictions before the end of training
    Mutant(FLOW, "np.outer(unanswered * gain, ", "0.5 * np.outer(unanswered * gain, ", (SHARP,)),
    Mutant(FLOW, "+ norm_above(defect.T) @ reach", "", (SHARP,)),
    Mutant(FLOW, "+ defect @ (bound[:, None] * np.abs(z)) * up", "", (SHARP,)),
    Mutant(FLOW, "arb(self.t).min(1 / least)", "arb(self.t).min(1 / (1 + least))", (SHARP,)),
    Mutant(FLOW, "whole.min(h / (1 - rate))", "whole.min(h)", (SHARP,)),
    Mutant(FLOW, "(np.abs(cross[0]) + cross[1]) @ (off * up)", "0", ("test_proven_flow",)),
    # mean fields
    Mutant(SIGNS, "radius = q * arb(10) ** -digits / 2", "radius = q * arb(10) ** -digits / 20", (SHARP,)),
    Mutant(SIGNS, "return low.union(high)", "return low", (MEAN,)),
    Mutant(
        SIGNS,
        "if (signs[0] < 0 and signs[1] > 0) or (signs[0] > 0 and signs[1] < 0):",
        "if signs[0].is_finite():",
        (MEAN,),
    ),
    Mutant(FIELD, "second / (arb(2).sqrt() * q)", "second / (2 * q)", (MEAN,)),
    Mutant(FIELD, "(slopes[0] ** 2 + slopes[1] ** 2) / 2", "slopes[0] ** 2", (MEAN,)),
    Mutant(FIELD, "bias / (1 - chi)", "bias / (1 + chi)", (MEAN,)),
    Mutant(
        FIELD,
        "return at * (slope / steep - 1) if bias is None",
        "return at * (slope / steep - 2) if bias is None",
        (MEAN,),
    ),
    Mutant(CELL, "x**n / (1 - x)", "x ** (n + 4) / (1 - x)", (SHARP,)),
    Mutant(CELL, "second_moment_ball(shape, end)", "second_moment_ball(shape, centre)", (SHARP,)),
    Mutant(CELL, "x ** (n - 1) *", "x ** (n + 4) *", (SHARP,)),
    Mutant(ENDS, "* arb(3).sqrt()", "* arb(2).sqrt()", (SHARP,)),
    Mutant(ENDS, "between_kinks=True) / 2 + sides", "between_kinks=True) / 4 + sides", (SHARP,)),
    Mutant(ENDS, "/ (4 * abs(place))", "/ (8 * abs(place))", (PROVEN_MEAN,)),
    Mutant(ENDS, "(at_zero + steep * start) ** 2", "arb(0)", (PROVEN_MEAN,)),
    Mutant(LISTED, "if interval is not None and sign != last:", "if interval is not None:", (PROVEN_MEAN,)),
    Mutant(LISTED, "+ slope * (u - middle)", "", (PROVEN_MEAN,)),
    Mutant(TOWARDS, "if not chi_1 > 1:", "if chi_1 < 1:", (PROVEN_MEAN,)),
]
EQUIVALENT = {
    f"{ENVELOPE}: if value.is_finite(): nearest -> if True: nearest": "the magnitude of a ball that is not finite is "
    "infinite, and an infinite bound is refused like none"
}
"""Mutations that change nothing a test could see, by their names, with the reason."""


def main() -> int:
    """Run the mutations and print what survives."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", type=int, default=len(MUTANTS), help="how many, spread evenly")
    parser.add_argument("--only", default="", help="part of the name")
    parser.add_argument("--quick", action="store_true", help="those that the sharp cases alone must notice")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    wanted = [one for one in MUTANTS if options.only in one.name and (one.tests == (SHARP,) or not options.quick)]
    step = max(1.0, len(wanted) / max(options.sample, 1))
    chosen = [wanted[int(k * step)] for k in range(min(options.sample, len(wanted)))]
    with tempfile.TemporaryDirectory() as folder:
        copies: Queue[Path] = Queue()
        for k in range(options.jobs):
            copies.put(_copy(Path(folder) / str(k)))
        with ThreadPoolExecutor(options.jobs) as pool:
            answers = list(pool.map(lambda one: _told(one, copies), chosen))
    survivors = [one for one, killed in zip(chosen, answers, strict=True) if not killed]
    unexplained = [one for one in survivors if one.name not in EQUIVALENT]
    print(f"{len(chosen)} mutations, {len(chosen) - len(survivors)} killed, {len(survivors)} survive")
    for one in survivors:
        print(f"  survives: {one.name}\n            {EQUIVALENT.get(one.name, 'no test notices it')}")
    return 1 if unexplained else 0


def _copy(target: Path) -> Path:
    """The package and its tests, as they are now."""
    for name in ("hermite_dual", "tests", "examples", "docs"):
        shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy2(ROOT / "pyproject.toml", target)
    return target


def _told(mutant: Mutant, copies: "Queue[Path]") -> bool:
    start = time.perf_counter()
    copy = copies.get()
    try:
        killed = _is_killed(mutant, copy)
    finally:
        copies.put(copy)
    word = "killed  " if killed else "SURVIVES"
    print(f"{word} {time.perf_counter() - start:6.1f} s  {mutant.name}", flush=True)
    return killed


def _is_killed(mutant: Mutant, copy: Path) -> bool:
    file = copy / "hermite_dual" / mutant.file
    text = file.read_text(encoding="utf-8")
    if text.count(mutant.old) != 1:
        raise SystemExit(f"{mutant.name}: the text occurs {text.count(mutant.old)} times")
    file.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")
    tests = [f"tests/{name}.py" for name in mutant.tests]
    with tempfile.TemporaryDirectory() as empty:
        # compiled kernels hold the constants of other files: none of an earlier mutation may serve
        cache = empty if "@kernel" in text or "@helper" in text or mutant.file == ROUNDING else str(copy / "cache")
        environment = os.environ | {"PYTHONPATH": str(copy), "NUMBA_CACHE_DIR": cache, "OPENBLAS_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
        try:
            found = subprocess.run(
                command, cwd=copy, env=environment, capture_output=True, timeout=TIMEOUT, check=False, text=True
            )
        except subprocess.TimeoutExpired:
            return True
        finally:
            file.write_text(text, encoding="utf-8")
    if found.returncode not in (0, 1):  # a mutation that cannot be imported is none
        raise SystemExit(f"{mutant.name}: pytest ends with {found.returncode}\n{found.stdout[-2000:]}")
    return found.returncode == 1


if __name__ == "__main__":
    sys.exit(main())
