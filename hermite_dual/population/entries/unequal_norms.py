"""Gram entries at unequal norms: a surrogate in norms and cosine, and the kernel itself where none reaches.

Derivation: docs/theory/numerics.md, "Gram matrices".
"""

from dataclasses import dataclass, field

import numpy as np

from hermite_dual.activation import Activation
from hermite_dual.arrays import Array, Indices, Mask
from hermite_dual.errors import ConvergenceError
from hermite_dual.numeric.kernel import integrated_kernel
from hermite_dual.numeric.mehler import EPS
from hermite_dual.population.entries.kernel_slope import largest_slope
from hermite_dual.population.entries.norm_surrogate import NormSurrogate, norm_surrogate
from hermite_dual.population.entries.pair_entries import PairEntries, pair_entries
from hermite_dual.population.entries.price_dual import slope_of
from hermite_dual.population.entries.recursion import Recursion
from hermite_dual.population.entries.variances import diagonal_of, grid_range, row_variances

_BOUNDS = (0.125, 0.25, 0.5, 0.75, 0.875, 0.9375, 0.96875, 0.984375, 0.9921875, 0.99609375, 1.0)
_FEW = 128
"""Up to this many rows each has a series of its own."""
_SERIES = 16.0 * EPS
"""Rounding of a series, relative to the diagonal."""
_MAX_STEPS = 200
Pairs = tuple[Indices, Indices]
"""Rows and columns."""


@dataclass(eq=False)
class UnequalNorms:
    """The map from inner products to Gram entries, or those of the tangent kernel, for rows of given norms.

    Attributes:
        variances: `S_ii`, shape (n,).
        diagonal: `K_ii`, shape (n,).
        error: estimated error of an entry; what is integrated one by one adds to it as it is computed.
    """

    recursion: Recursion
    inputs: Array
    rounding: float
    layers: list[Array]
    tangent: bool = False
    variances: Array = field(init=False)
    diagonal: Array = field(init=False)
    error: float = field(init=False)

    def __post_init__(self) -> None:
        self.variances = self.layers[-1]
        self.diagonal, relative = diagonal_of(self.recursion, self.layers, self.inputs, self.tangent)
        self.error = self._slack = relative * float(self.diagonal.max())
        self._factors = 1.0 / np.sqrt(self.inputs)

    def apply_symmetric(self, matrix: Array, shift: float) -> None:
        """Turn the upper triangle of inner products into the Gram matrix, in place."""
        from hermite_dual.numeric.jit import threads_for

        with threads_for(matrix.size):
            self._apply_symmetric(matrix, shift)

    def _apply_symmetric(self, matrix: Array, shift: float) -> None:
        from hermite_dual.numeric.gram_kernels import mirror
        from hermite_dual.numeric.separable_kernels import apply_separable, largest_cosines

        largest = largest_cosines(matrix, self._factors, shift)
        surrogate = self._surrogate(float(largest.max()))
        beyond = _beyond(matrix, self._factors, shift, largest, -1.0 if surrogate is None else surrogate.bound)
        if surrogate is not None:
            left, right, factor = self._coefficients(surrogate)
            factors = (self._factors, self._factors * factor)
            apply_separable(matrix, shift, factors, left, right, surrogate.ranks, surrogate.parity, True)
        if beyond[0].size:
            matrix[beyond[0], beyond[1]] = self._one_by_one(*beyond)
        mirror(matrix)

    def apply_block(self, block: Array, rows: slice, columns: slice, shift: float) -> None:
        """Turn inner products of some rows with others into Gram entries, in place."""
        from hermite_dual.numeric.separable_kernels import apply_separable

        cosines = np.abs(block + shift) * self._factors[rows, None] * self._factors[columns]
        surrogate = self._surrogate(1.0)
        beyond = np.nonzero(cosines > (-1.0 if surrogate is None else surrogate.bound))
        t = block[beyond] + shift
        if surrogate is not None:
            left, right, factor = self._coefficients(surrogate)
            factors = (self._factors[rows], self._factors[columns] * factor)
            right_factors = np.ascontiguousarray(right[:, columns])
            apply_separable(block, shift, factors, left[rows], right_factors, surrogate.ranks, surrogate.parity, False)
        if t.size:
            numbers = np.arange(len(self.inputs))
            block[beyond] = self._one_by_one(numbers[rows][beyond[0]], numbers[columns][beyond[1]], t)

    def at_pairs(self, rows: Indices, columns: Indices, t: Array) -> Array:
        """Return the entries at the inner products t of some rows with others, shape (m,)."""
        from hermite_dual.numeric.separable_kernels import separable_pairs

        cosines = t * self._factors[rows] * self._factors[columns]
        surrogate = self._surrogate(float(np.abs(cosines).max()))
        if surrogate is None:
            return self._one_by_one(rows, columns, t)
        at = surrogate.at(np.log(self.inputs))
        at *= np.sqrt(self.diagonal)[:, None]
        bounded = np.clip(cosines / surrogate.bound, -1.0, 1.0)
        values = separable_pairs(bounded, rows, columns, at, surrogate.signs, surrogate.ranks, surrogate.parity)
        beyond = np.flatnonzero(np.abs(cosines) > surrogate.bound)
        if beyond.size:
            values[beyond] = self._one_by_one(rows[beyond], columns[beyond], t[beyond])
        return np.asarray(values)

    def _surrogate(self, largest: float) -> NormSurrogate | None:
        """Return the surrogate for the smallest bound above the largest cosine, or for the largest bound there is."""
        if len(self.inputs) <= _FEW:
            return None
        surrogate = widest_surrogate(self.recursion, self.inputs, largest, self.tangent)
        if surrogate is not None:
            rounding = surrogate.slope * (self.rounding + 4.0 * EPS)
            error = float(self.diagonal.max()) * (surrogate.error + rounding)
            self.error = max(self.error, error + self._slack)
        return surrogate

    def _coefficients(self, surrogate: NormSurrogate) -> tuple[Array, Array, float]:
        """Return coefficients by row and by column, and the factor of the cosine."""
        at = surrogate.at(np.log(self.inputs))
        at *= np.sqrt(self.diagonal)[:, None]
        right = np.ascontiguousarray(at.T)
        right *= surrogate.signs[:, None]
        return at, right, 1.0 / surrogate.bound

    def _one_by_one(self, rows: Indices, columns: Indices, t: Array) -> Array:
        """Return entries from the series, and from quadrature where it is not resolved."""
        used, index = np.unique(np.concatenate([rows, columns]), return_inverse=True)
        layers = [layer[used] for layer in self.layers]
        few = pair_entries(self.recursion, self.inputs[used], layers, self.diagonal[used], self.tangent)
        pairs = index[: rows.size], index[rows.size :]
        values, resolved, _ = few.at(*pairs, t)
        error = 0.0
        if not resolved.all():
            left = np.flatnonzero(~resolved)
            values[left], error = self._integrated(rows[left], columns[left], t[left], values[left])
        if self.tangent:
            error += self._tangent_passed(few, pairs, (rows, columns), t, values, resolved)
        else:
            error += self._passed()
        self.error = max(self.error, error + self._slack)
        return values

    def _passed(self) -> float:
        """What inner products' errors and the roundings of series make of an entry."""
        slope = self._slope()
        room = max(1.0 - self.recursion.weight * slope, EPS)
        return (slope * self.rounding * float(self.inputs.max()) + _SERIES * float(self.diagonal.max())) / room

    def _tangent_passed(
        self, few: PairEntries, at: Pairs, pairs: Pairs, t: Array, values: Array, resolved: Mask
    ) -> float:
        """The same of the tangent kernel, whose slope is infinite at perfect correlation where phi has kinks.

        The change under such an error is taken at the pair that is closest to it, and at the closest unresolved one.
        """
        cosines = np.abs(t) * self._factors[pairs[0]] * self._factors[pairs[1]]
        near = t - np.copysign((self.rounding + 4.0 * EPS) * np.sqrt(self.inputs[pairs[0]] * self.inputs[pairs[1]]), t)
        changed = 0.0
        for some in (resolved, ~resolved):
            if not some.any():
                continue
            k = np.flatnonzero(some)[[np.argmax(cosines[some])]]
            moved = few.at(at[0][k], at[1][k], near[k])[0]
            if not resolved[k[0]]:
                moved = self._integrated(pairs[0][k], pairs[1][k], near[k], moved)[0]
            changed = max(changed, float(abs(moved[0] - values[k[0]])))
        return changed + _SERIES * float(self.diagonal.max())

    def _slope(self) -> float:
        """How much of an error of an inner product arrives in an entry: L^2 in the limit, where there is such an L."""
        if self.recursion.limit:
            return float(self.recursion.last.lipschitz**2)
        growth = 1.0
        for rule, layer in zip(self.recursion.layers, self.layers, strict=True):
            growth = rule.inputs + growth * (rule.carry + rule.weight * largest_slope(rule.activation, layer))
        return growth

    def _integrated(self, rows: Indices, columns: Indices, t: Array, near: Array) -> tuple[Array, float]:
        """Return entries from quadrature and an estimate of their error; `near` are values close to them."""
        pairs = [(layer[rows], layer[columns]) for layer in self.layers]
        if self.recursion.limit:
            phi, weight = self.recursion.last, self.recursion.weight
            growth = weight * self._slope()
            solved = [
                _fixed_point(phi, weight, growth, float(q1), float(q2), float(at), float(start))
                for q1, q2, at, start in zip(*pairs[0], t, near, strict=True)
            ]
            if self.tangent:
                solved = [
                    _tangent_limit(phi, weight, float(q1), float(q2), float(at), *entry)
                    for q1, q2, at, entry in zip(*pairs[0], t, solved, strict=True)
                ]
        else:
            solved = [
                _layers(self.recursion, variances, float(at), self.tangent)
                for variances, at in zip(np.moveaxis(np.array(pairs), -1, 0), t, strict=True)
            ]
        values, errors = np.array(solved).T
        return values, float(errors.max())


def widest_surrogate(recursion: Recursion, inputs: Array, cosine: float, tangent: bool = False) -> NormSurrogate | None:
    """Return the surrogate for the smallest bound above a cosine, or for the largest bound there is; None without any.

    Args:
        recursion: the layers.
        inputs: the inputs' parts of variances, of which the least and the largest count.
        cosine: the largest modulus of a cosine.
        tangent: whether the entries are those of the tangent kernel.
    """
    low, high = grid_range(np.log(inputs))
    wanted = next((k for k, bound in enumerate(_BOUNDS) if bound >= cosine), len(_BOUNDS) - 1)
    for bound in _BOUNDS[wanted::-1]:
        surrogate = norm_surrogate(recursion, low, high, bound, tangent)
        if surrogate is not None:
            return surrogate
    return None


def unequal_norms(recursion: Recursion, inputs: Array, rounding: float, tangent: bool = False) -> UnequalNorms:
    """Return the entries' map for rows of given norms.

    Args:
        recursion: the layers.
        inputs: inputs' parts t_ii of the variances, positive, shape (n,).
        rounding: relative error of the inner products.
        tangent: whether the entries are those of the tangent kernel.
    """
    return UnequalNorms(recursion, inputs, rounding, row_variances(recursion, inputs), tangent)


def _beyond(
    matrix: Array, factors: Array, shift: float, largest: Array, bound: float
) -> tuple[Indices, Indices, Array]:
    """Return rows, columns and inner products of the upper triangle whose cosine exceeds the bound."""
    pairs = []
    for i in np.flatnonzero(largest > bound):
        row = matrix[i, i + 1 :] + shift
        columns = np.flatnonzero(np.abs(row) * factors[i + 1 :] * factors[i] > bound)
        pairs.append((np.full(columns.size, i), columns + i + 1, row[columns]))
    if not pairs:
        empty = np.zeros(0, dtype=np.intp)
        return empty, empty, np.zeros(0)
    rows, columns, t = zip(*pairs, strict=True)
    return np.concatenate(rows), np.concatenate(columns), np.concatenate(t)


def _fixed_point(
    activation: Activation, weight: float, growth: float, q1: float, q2: float, t: float, near: float
) -> tuple[float, float]:
    """Return `k(q1, q2, c)` at the solution of `c = weight k(q1, q2, c) + t`, and an estimate of its error, by secants.

    Args:
        activation: phi.
        weight: sigma_w^2.
        growth: `weight L^2 < 1`, a bound of the slope of the right side.
        q1: variance of the first row.
        q2: variance of the second row.
        t: inputs' part of the covariance.
        near: a value close to the result.
    """
    limit = float(np.sqrt(q1) * np.sqrt(q2))
    c = min(limit, max(-limit, weight * near + t))
    value, error = integrated_kernel(activation, q1, q2, c)
    slope = 0.0
    for _ in range(_MAX_STEPS):
        residual = weight * value + t - c
        if abs(residual) <= 4.0 * activation.resolution * limit:
            return value, (error + abs(residual)) / max(1.0 - growth, EPS)
        step = min(limit, max(-limit, c + residual / (1.0 - weight * slope)))
        if step == c:
            return value, (error + abs(residual)) / max(1.0 - growth, EPS)
        following, error = integrated_kernel(activation, q1, q2, step)
        slope = min(max((following - value) / (step - c), -growth / weight), growth / weight) if weight else 0.0
        c, value = step, following
    raise ConvergenceError(
        f"an off-diagonal fixed point is not found to rounding in {_MAX_STEPS} steps (contraction {growth:.6f}): "
        "reduce sigma_w, or ask for a finite depth"
    )


def _tangent_limit(
    activation: Activation, weight: float, q1: float, q2: float, t: float, value: float, error: float
) -> tuple[float, float]:
    """Return the tangent kernel's entry of the limit and its error, from those of the kernel."""
    limit = float(np.sqrt(q1) * np.sqrt(q2))
    covariance = min(limit, max(-limit, weight * value + t))
    slope, slope_error = integrated_kernel(slope_of(activation), q1, q2, covariance)
    room = max(1.0 - weight * slope, EPS)
    return value + covariance * slope / room, error / room + abs(covariance) * slope_error / room**2


def _layers(recursion: Recursion, pairs: Array, t: float, tangent: bool) -> tuple[float, float]:
    """Return the entry after all layers, of which `pairs` are the variances, shape (layers, 2), and its error."""
    covariance, error = t, 0.0
    entry, entry_error = t, 0.0
    for layer, (q1, q2) in zip(recursion.layers, pairs.tolist(), strict=True):
        limit = float(np.sqrt(q1) * np.sqrt(q2))
        covariance = min(limit, max(-limit, covariance))
        value, added = integrated_kernel(layer.activation, q1, q2, covariance)
        slope = largest_slope(layer.activation, np.array([q1, q2])) if error else 0.0
        error = layer.weight * added + (layer.carry + layer.weight * slope) * error
        if tangent:
            slope, added = integrated_kernel(slope_of(layer.activation), q1, q2, covariance)
            passed = layer.weight * (added * abs(entry) + abs(slope) * entry_error)
            entry_error = passed + layer.carry * entry_error + error
            entry = layer.tangent_above(entry, slope, value, t)
        covariance = layer.above(covariance, value, t)
    return (entry, entry_error) if tangent else (covariance, error)
