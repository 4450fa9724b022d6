"""A second computation of a Gram matrix from a certificate's data and parameters, to prove its claim again.

It shares the ball evaluation of phi and its derivative's bound with the first, and no more where it can: coefficients
come from Gauss-Legendre panels, variances from a fixed point in balls (of many rows: from a residual), inner products
from exact norms and one float product, entries from Newton's method in NumPy, and the error from plain a-priori counts.

Derivation: docs/theory/certificates.md, "Certificates of claims".
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from flint import arb, fmpq

from hermite_dual.activation import activation
from hermite_dual.arrays import Array, Indices
from hermite_dual.certified.balls.precision import upper_float, working_precision
from hermite_dual.certified.counted.nearly_parallel import HomogeneousKernel, homogeneous_kernel_of
from hermite_dual.certified.counted.sliced_product import sliced_product
from hermite_dual.certified.enclosures.coefficients import coefficient_balls
from hermite_dual.certified.enclosures.panels import panel_coefficients
from hermite_dual.certified.second_proof.rebuild_kinks import BentLine, BentRows, bent_line_of, bent_rows
from hermite_dual.certified.second_proof.rebuild_rows import Moments, float_fixed_points, row_moments, supported
from hermite_dual.certified.suprema.constants import derivative_bound
from hermite_dual.errors import AccuracyError, DataFileError, HermiteDualError
from hermite_dual.exact_numbers import is_float64
from hermite_dual.outcome import Outcome
from hermite_dual.shape.shape import Shape, shape_of

_UNIT = 2.0**-53  # u, of its own: the second proof shares no constant with the first
_BITS, _ACCURACY = 256, 24  # of balls, and the digits asked of coefficients
_COUNTS = (32, 64, 128, 256, 512)  # degrees at one norm, tried in turn
_NEGLIGIBLE = 1e-18  # of the second moment: a hundredth of a rounding
_PASSES = 12  # of Newton's iteration for the fixed points, before the residual is measured
_BLOCK = 32  # rows that are worked on together
_ROOT_STEPS = 400  # of a contraction; what they leave open is counted
_FEW_VARIANCES = 24
"""Distinct variances up to which each has a set of panels of its own."""
_ROW_COUNTS = (32, 64, 128, 256, 512, 1024, 2048)  # degrees at many norms, tried in turn
_STALLED = 8.0  # a remainder of so many of its own errors is as small as float64 shows


@dataclass(frozen=True, eq=False)
class Table:
    """Coefficients of n rows in floats.

    Attributes:
        values: `a_r(q_i)`, shape (n, N).
        errors: bounds of their errors in the 2-norm, shape (n,), or how far phi moves in L2 where there are no values.
        norms: upper bounds of `E[phi(sqrt(q_i) Z)^2]^(1/2)`, shape (n,).
        tails: upper bounds of the Parseval remainders' square roots, shape (n,).
        moments: floats close to `E[phi^2]` and, second row, bounds of their errors, shape (2, n).
        roots: floats close to `sqrt(q_i)`, shape (n,).
        stretch: bounds of `|root - sqrt(q_i)|/root` but for two roundings, shape (n,).
    """

    values: Array
    errors: Array
    norms: Array
    tails: Array
    moments: Array
    roots: Array
    stretch: Array


SCALED_ROWS = "scaled to norm sqrt(d)"  # how a certificate says that rows were scaled
_SCALES = {"sigma_w", "sigma_w2"}  # the two ways to give the recurrent scale, one at a time
_PARAMETERS = {"activation", "sigma_u_squared", "sigma_b", "rows"}
"""What a certificate holds besides one of the scales."""


def parameters_of(activation_text: str, sigma_w2: float | None, sigma_w: float | None, sphere: bool) -> dict[str, Any]:
    """The parameters as a certificate holds them: `sigma_w^2 = 2 s^2` where `sigma_w2` is given, `sigma_u^2 = 2`."""
    scale = {"sigma_w2": sigma_w2} if sigma_w is None else {"sigma_w": sigma_w}
    rows = SCALED_ROWS if sphere else "as given"
    return {"activation": activation_text, **scale, "sigma_u_squared": 2, "sigma_b": 0, "rows": rows}


def rebuild(data: Array, parameters: Mapping[str, Any]) -> tuple[Array, float]:
    """Compute the limit Gram matrix and a bound of its error in the 2-norm.

    Args:
        data: the samples as they lie in the file, shape (n, d).
        parameters: as `parameters_of` writes them.

    Raises:
        DataFileError: the parameters are not of that form.
        AccuracyError: nothing can be proven for them.
    """
    phi, weight, sphere = _read(parameters)
    zero = np.logical_not(data.any(axis=1))
    if zero.any() and not zero.all() and not sphere and phi.expr.subs(phi.symbol, 0).is_zero:
        # K_0j = phi(0) E[phi(v_j)] in the first layer, and the limit's one solution, are 0
        matrix = np.zeros((len(data), len(data)))
        matrix[np.ix_(~zero, ~zero)], error = rebuild(data[~zero], parameters)
        return matrix, error
    slope = derivative_bound(phi.shape, 1)
    lipschitz = slope.upper
    factor = upper_float(weight * arb(lipschitz) * arb(lipschitz))
    if slope.outcome is not Outcome.PROVEN or not factor < 1.0:
        raise AccuracyError("sigma_w L < 1 is not proven, so the limit is not known to exist")
    inputs, inputs_error, squares = _inputs(data, sphere)
    distinct = sorted(set(squares))
    places = {t: k for k, t in enumerate(distinct)}
    index = np.array([places[t] for t in squares])
    largest = _largest_cosine(inputs)
    pieces = phi.shape.pieces
    line, bent = bent_line_of(pieces, phi.symbol), None
    sharp = homogeneous_kernel_of(pieces, phi.symbol)
    if line is not None and sharp is None and len(distinct) > 1:
        table, bent = _table_of_bent_rows(line, weight, distinct, lipschitz, index)
    elif len(distinct) <= _FEW_VARIANCES:
        table = _table(phi, [_variance(phi, weight, t, lipschitz) for t in distinct], largest, lipschitz, index)
    elif supported(phi.shape):
        table = _table_of_rows(phi, weight, distinct, largest, lipschitz, index)
    else:
        raise AccuracyError(
            f"{len(distinct)} rows have different norms, and the second proof takes {_FEW_VARIANCES} at most for an "
            f"activation with kinks elsewhere than at 0 that is not linear between them: scale the rows to the "
            "sphere, or verify with hermite_dual.DEQ(...).gram(X).check_lower_bound(value)"
        )
    return _entries(table, inputs, inputs_error, upper_float(weight), lipschitz, factor, sharp, bent)


def _read(parameters: Mapping[str, Any]) -> tuple[Any, arb, bool]:
    """The activation, a ball of `sigma_w^2` and whether rows are scaled, from a file that may say anything."""
    try:
        (name,) = parameters.keys() - _PARAMETERS
        known = name in _SCALES and parameters.keys() >= _PARAMETERS and isinstance(parameters["activation"], str)
        if not (known and all(is_float64(parameters[key]) for key in (name, "sigma_u_squared", "sigma_b"))):
            raise ValueError
        phi = activation(parameters["activation"])
        number = float(parameters[name])
        exact = Fraction(repr(number))  # the decimal number that was written
        rows = {SCALED_ROWS: True, "as given": False}[parameters["rows"]]
        if parameters["sigma_u_squared"] != 2 or parameters["sigma_b"] != 0 or exact < 0:
            raise ValueError
    except HermiteDualError:
        raise
    except (KeyError, TypeError, ValueError):
        raise DataFileError("the certificate's parameters are not those that `hermite-dual check` writes") from None
    if phi.parameters:
        raise DataFileError(f"the certificate's activation {phi.expr} has parameters without a value")
    square = exact * exact if name == "sigma_w" else 2 * exact
    with working_precision(_BITS):
        return phi, arb(fmpq(square.numerator, square.denominator)), rows


def _inputs(data: Array, sphere: bool) -> tuple[Array, Array, list[Fraction]]:
    """`2 x_i.x_j/d`, a bound of its error, and the exact diagonal."""
    n, d = data.shape
    exact = [sum((Fraction(v) ** 2 for v in row), Fraction(0)) for row in data.tolist()]
    if any(s == 0 for s in exact):
        raise AccuracyError("a row of the data is zero, which this proof takes only where phi(0) = 0: remove it")
    product = sliced_product(data, data.T)
    gram = product.high + product.low
    gram = np.triu(gram) + np.triu(gram, 1).T
    with working_precision(_BITS):
        norms = np.array([float(arb(fmpq(s.numerator, s.denominator)).sqrt()) for s in exact])
    if not (norms.min() > 1e-120 and norms.max() < 1e120):
        raise AccuracyError("the rows' norms lie outside 1e-120 to 1e120: rescale the data")
    lengths = np.multiply.outer(norms, norms)
    # one rounding of the sum; below, both norms, their product and the quotient, or the factor and the product
    wrong = 8 * _UNIT * np.abs(gram) + np.multiply.outer(product.rows, product.columns) * (1 + 1e-9)
    if sphere:
        return gram / lengths * 2.0, wrong / lengths * (2.0 + 1e-9), [Fraction(2)] * n
    scale = 2.0 / d
    return gram * scale, wrong * (scale * (1 + 1e-9)), [2 * s / d for s in exact]


def _largest_cosine(inputs: Array) -> float:
    """A rough largest cosine off the diagonal; it steers the number of degrees alone."""
    roots = np.sqrt(np.diagonal(inputs))
    cosines = np.abs(inputs) / np.multiply.outer(roots, roots)
    np.fill_diagonal(cosines, 0.0)
    return float(min(cosines.max(), 1.0))


def _variance(phi: Any, weight: arb, t: Fraction, lipschitz: float) -> tuple[arb, arb]:
    """`sqrt(q)` where `q = sigma_w^2 E[phi(sqrt(q) Z)^2] + t`: an exact number and a bound of its error.

    `u -> sqrt(sigma_w^2 E[phi(u Z)^2] + t)` contracts by `sigma_w L`.
    """
    with working_precision(_BITS):
        exact = arb(fmpq(t.numerator, t.denominator))
        factor = weight.sqrt() * arb(lipschitz)
        root = exact.sqrt().mid()
        steps = 1 if weight.is_zero() else math.ceil(_ACCURACY * math.log(10) / -math.log(float(factor) + 1e-9)) + 2
        for _ in range(min(steps, _ROOT_STEPS)):
            following = (weight * _moment(phi, root * root) + exact).sqrt()
            gap = abs(following - root).upper()
            if gap < arb(10) ** -_ACCURACY * root:
                break
            root = following.mid()
        following = (weight * _moment(phi, root * root) + exact).sqrt()
        return root, (abs(following - root) / (1 - factor)).upper()


def _panels(shape: Shape, q: arb, count: int) -> list[arb]:
    """Coefficients by panels; the accuracy aimed at is absolute, relative to a variance's own scale."""
    pieces = shape.pieces
    if len(pieces.expressions) == 1 and pieces.expressions[0].is_polynomial(shape.symbol):
        return coefficient_balls(shape, count, q, _ACCURACY)
    balls = panel_coefficients(pieces, q, count, arb(10) ** -_ACCURACY * (q.sqrt() + 1))
    if balls is None:
        raise AccuracyError(f"the coefficients of {shape.expr} are out of reach of panels")
    parity = pieces.parity
    return [arb(0) if parity and (r % 2 == 0) != (parity > 0) else ball for r, ball in enumerate(balls)]


def _moment(phi: Any, q: arb) -> arb:
    """`E[phi(sqrt(q) Z)^2]`."""
    return _panels(shape_of(phi.expr**2, phi.symbol), q, 1)[0]


def _table(phi: Any, roots: list[tuple[arb, arb]], largest: float, lipschitz: float, index: Indices) -> Table:
    """Coefficients at every distinct variance, as many as the largest cosine asks for."""
    count = 0
    with working_precision(_BITS):
        top = max((root for root, _ in roots), key=float)
        reference = _moment(phi, top * top)
        for count in _COUNTS:
            squares = sum((a * a for a in _panels(phi.shape, top * top, count)), arb(0))
            # correlations of preactivations may exceed the inputs' a little; this steers the count alone
            squared_tail = max(float((reference - squares).upper()), 0.0) * (1.0 - 0.8 * (1.0 - largest)) ** count
            if squared_tail <= _NEGLIGIBLE * float(reference):
                break
        rows = [_row(phi, root, error, count, lipschitz) for root, error in roots]
    columns = [np.array(column)[index] for column in zip(*rows, strict=True)]
    values, errors, norms, tails, moments, floats = columns
    return Table(values, errors, norms, tails, moments.T, floats, np.zeros(len(index)))


def _table_of_rows(
    phi: Any, weight: arb, squares: list[Fraction], largest: float, lipschitz: float, index: Indices
) -> Table:
    """The same for many variances: roots from floats, proven by the residual of their fixed-point equation."""
    factor = upper_float(weight.sqrt() * arb(lipschitz))
    roots = float_fixed_points(phi, np.array([float(t) for t in squares]), float(weight), _steps(factor))
    second = row_moments(shape_of(phi.expr**2, phi.symbol), roots, 1)
    coefficients = _as_many_as_wanted(phi, roots, second, largest)
    rows = []
    with working_precision(_BITS):
        for k, (root, t) in enumerate(zip(roots.tolist(), squares, strict=True)):
            moment = arb(float(second.values[k, 0]), float(second.errors[k, 0]))
            error = _root_distance(root, moment, weight, t, factor)
            moved = arb(lipschitz) * error
            norm = moment.sqrt() + arb(0, moved)
            balls = [
                arb(v, e) for v, e in zip(coefficients.values[k].tolist(), coefficients.errors[k].tolist(), strict=True)
            ]
            # a square's enclosure must not reach below zero: magnitudes
            squared_tail = moment - sum((arb(b.abs_lower()) ** 2 for b in balls), arb(0))
            tail = arb(squared_tail.upper()).max(arb(0)).sqrt() + moved
            spread = sum((arb(e) ** 2 for e in coefficients.errors[k].tolist()), arb(0)).sqrt() + moved
            exact = norm * norm
            middle = float(exact.mid())
            gap = upper_float(abs(exact - arb(middle)))
            stretch = upper_float(error / (arb(root) - error))
            rows.append((upper_float(spread), upper_float(norm), upper_float(tail), middle, gap, stretch))
    errors, norms, tails, middles, gaps, stretch = np.array(rows)[index].T
    values = coefficients.values[index]
    return Table(values, errors, norms, tails, np.array([middles, gaps]), roots[index], stretch)


def _table_of_bent_rows(
    line: BentLine, weight: arb, squares: list[Fraction], lipschitz: float, index: Indices
) -> tuple[Table, BentRows]:
    """Rows of a piecewise linear activation, which needs no coefficients."""
    factor = upper_float(weight.sqrt() * arb(lipschitz))
    roots = np.array([_bent_root(line, weight, t, _steps(factor)) for t in squares])
    bent, moments = bent_rows(line, roots)
    rows = []
    with working_precision(_BITS):
        for root, moment, t in zip(roots.tolist(), moments, squares, strict=True):
            error = _root_distance(root, moment, weight, t, factor)
            moved = arb(lipschitz) * error
            norm = moment.sqrt() + arb(0, moved)
            middle = float((norm * norm).mid())
            gap = upper_float(abs(norm * norm - arb(middle)))
            stretch = upper_float(error / (arb(root) - error))
            rows.append((upper_float(moved), upper_float(norm), middle, gap, stretch))
    errors, norms, middles, gaps, stretch = np.array(rows)[index].T
    empty = np.zeros((len(index), 0))
    table = Table(empty, errors, norms, np.zeros(len(index)), np.array([middles, gaps]), roots[index], stretch)
    return table, bent.of(index)


def _bent_root(line: BentLine, weight: arb, t: Fraction, steps: int) -> float:
    """About `sqrt(q)`, `q = sigma_w^2 E[phi(sqrt(q) Z)^2] + t`; nothing rests on it."""
    root = math.sqrt(t)
    with working_precision(_BITS):
        exact = arb(fmpq(t.numerator, t.denominator))
        for _ in range(steps):
            following = float((weight * line.averages(arb(root))[2] + exact).sqrt().mid())
            if abs(following - root) <= 2 * _UNIT * root:
                break
            root = following
    return root


def _steps(factor: float) -> int:
    """Steps after which an iteration that contracts by the factor has converged to rounding."""
    return min(_ROOT_STEPS, 4 + math.ceil(40 / -math.log(min(factor, 0.999) + 1e-9)))


def _root_distance(root: float, moment: arb, weight: arb, t: Fraction, factor: float) -> arb:
    """Bound of `|root - sqrt(q)|` from the residual of `u = sqrt(sigma_w^2 E[phi(u Z)^2] + t)`, a contraction."""
    following = (weight * moment + arb(fmpq(t.numerator, t.denominator))).sqrt()
    return (abs(following - arb(root)) / (1 - arb(factor))).upper()


def _as_many_as_wanted(phi: Any, roots: Array, second: Moments, largest: float) -> Moments:
    """Coefficients of all rows, as many as the largest cosine asks for or float64 can tell."""
    top = int(np.argmax(roots))
    moment = float(second.values[top, 0])
    count = 0
    for count in _ROW_COUNTS:
        row = row_moments(phi.shape, roots[[top]], count)
        squared_tail = moment - float(np.sum(row.values**2))
        floor = float(second.errors[top, 0]) + 2 * float(np.sum(np.abs(row.values) * row.errors))
        if (
            squared_tail <= _STALLED * floor
            or squared_tail * (1.0 - 0.8 * (1.0 - largest)) ** count <= _NEGLIGIBLE * moment
        ):
            break
    return row_moments(phi.shape, roots, count)


def _row(phi: Any, root: arb, error: arb, count: int, lipschitz: float) -> tuple[Any, ...]:
    """One variance's row: `||phi(t Z) - phi(t' Z)|| <= L |t - t'|` moves the coefficients as a vector."""
    balls = _panels(phi.shape, root * root, count)
    moved = arb(lipschitz) * error
    floats = [float(b.mid()) for b in balls]
    # magnitudes first: the ball of a square may reach below zero
    gaps = [abs(b - arb(v)).upper() for b, v in zip(balls, floats, strict=True)]
    distance = sum((gap * gap for gap in gaps), arb(0)).sqrt() + moved
    norm = _moment(phi, root * root).sqrt() + arb(0, moved)
    tail = (norm * norm - sum((b * b for b in balls), arb(0))).upper()
    tail = arb(tail).max(arb(0)).sqrt() + moved
    moment = norm * norm
    middle = float(moment.mid())
    gap = upper_float(abs(moment - arb(middle)))
    return floats, upper_float(distance), upper_float(norm), upper_float(tail), (middle, gap), float(root)


def _entries(
    table: Table,
    inputs: Array,
    inputs_error: Array,
    weight: float,
    lipschitz: float,
    factor: float,
    sharp: HomogeneousKernel | None,
    bent: BentRows | None,
) -> tuple[Array, float]:
    """Newton's method for every entry, then one evaluation whose distance to the fixed point is bounded."""
    n, degrees = table.values.shape
    matrix, errors = np.empty((n, n)), np.empty((n, n))
    first, weights = _first_degree(table.values), _rounding_weights(table.values)
    for start in range(0, n, _BLOCK):
        rows, columns = slice(start, min(start + _BLOCK, n)), slice(start, n)
        t, dt = inputs[rows, columns], inputs_error[rows, columns]
        lengths = np.multiply.outer(table.roots[rows], table.roots[columns])
        norms = np.multiply.outer(table.norms[rows], table.norms[columns])
        spread = np.multiply.outer(table.errors[rows], table.norms[columns])
        spread = spread + np.multiply.outer(table.norms[rows], table.errors[columns]) * 2.0
        if bent is not None:
            old, rho, new, kernel_error = bent.solve(rows, columns, t, lengths, weight)
            kernel_error, modulus = kernel_error + spread, np.abs(rho)
        else:
            old, new, rho = _solve(table, rows, columns, t, lengths, weight)
            modulus = np.abs(rho)
            power = np.minimum(modulus**degrees * (1 + 1e-12) + 1e-300, 1.0)
            remainder = power * np.multiply.outer(table.tails[rows], table.tails[columns])
            kernel_error = np.multiply.outer(weights[rows], weights[columns])
            kernel_error = kernel_error * np.minimum(modulus**first * (1 + 1e-12) + 1e-300, 1.0) + spread + remainder
            close = remainder > _NEGLIGIBLE * norms
        if bent is None and sharp is not None and close.any():
            solved = sharp.solve(t[close], lengths[close], weight, old[close])
            old[close], rho[close], new[close], kernel_error[close] = solved
            modulus = np.abs(rho)
        # the covariance at `old` and the one that rho stands for: sigma_w^2 and its product, then, relative to their
        # result, the sum, the quotient, two roots of two roundings each and their product; inputs have their own
        shift = dt + _UNIT * (2.1 * weight * np.abs(old) + 7.1 * lengths * modulus)
        stretch = np.add.outer(table.stretch[rows], table.stretch[columns])
        shift = shift + lengths * modulus * stretch * (1.0 + stretch) * (1 + 1e-9)
        eta = kernel_error + lipschitz**2 * shift
        matrix[rows, columns] = new
        errors[rows, columns] = (eta + factor * np.abs(new - old)) / (1.0 - factor) * (1 + 1e-9)
    matrix, errors = np.triu(matrix, 1), np.triu(errors, 1)
    matrix, errors = matrix + matrix.T, errors + errors.T
    np.fill_diagonal(matrix, table.moments[0])
    np.fill_diagonal(errors, table.moments[1])
    return matrix, float(errors.sum(axis=1).max()) * (1 + 1e-9) + 1e-300


def _rounding_weights(values: Array) -> Array:
    """Numbers `w_i` with the rounding of Horner's rule at most `w_i w_j |rho|^(r_0)`, r_0 the lowest degree.

    The term of degree r passes through `2 r + 2` roundings: its product, the sum, and a product and a sum a degree. By
    Cauchy-Schwarz `sum_r (2 r + 2) |a_ir a_jr| <= w_i w_j / u` with `w_i^2 = u sum_r (2 r + 2) a_ir^2`.
    """
    degrees = values.shape[1]
    counts = 2.0 * np.arange(degrees) + 2.0
    most = (2 * degrees + 2) * _UNIT
    return np.sqrt(_UNIT / (1.0 - most) * (values * values @ counts)) * (1 + 1e-9)


def _first_degree(values: Array) -> int:
    """The lowest degree with a coefficient that is not zero."""
    present = np.flatnonzero(values.any(axis=0))
    return int(present[0]) if present.size else 0


def _solve(
    table: Table, rows: slice, columns: slice, t: Array, lengths: Array, weight: float
) -> tuple[Array, Array, Array]:
    """The last two iterates and the correlation between them: `new` is the series at rho, rho belongs to `old`."""
    old = np.zeros_like(t)
    for turn in range(_PASSES):
        rho = np.clip((weight * old + t) / lengths, -1.0, 1.0)
        new, slope = _horner(table.values[rows], table.values[columns], rho)
        change = float(np.abs(new - old).max())
        if turn == _PASSES - 1 or change <= 8 * _UNIT * float(lengths.max()):
            break
        # Newton for K - k(sigma_w^2 K + t); the slope is below 1
        derivative = 1.0 - np.clip(weight * slope / lengths, -1.0, 0.95)
        old = old + (new - old) / derivative
    return old, new, rho


def _horner(left: Array, right: Array, rho: Array) -> tuple[Array, Array]:
    """`sum_r a_ir a_jr rho^r` and its derivative in rho."""
    value, slope = np.zeros_like(rho), np.zeros_like(rho)
    same = bool((left == left[0]).all() and (right == left[0]).all())
    for r in range(left.shape[1] - 1, -1, -1):
        slope *= rho
        slope += value
        value *= rho
        if same:
            value += left[0, r] * left[0, r]
        elif left[:, r].any():
            value += np.multiply.outer(left[:, r], right[:, r])
    return value, slope
