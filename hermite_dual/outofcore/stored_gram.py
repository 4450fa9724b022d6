"""A population Gram matrix in blocks on disk, and its least eigenvalue."""

import math
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hermite_dual.arrays import Array
from hermite_dual.cached_property import cached_property
from hermite_dual.certified.eigenvalues.eigenvalues import (
    EigenvalueBounds,
    LowerBoundCheck,
    check_rtol,
    compare_bounds,
    decide_claim,
    quick_proof,
    undecided_claim,
)
from hermite_dual.certified.eigenvalues.entry_norm import entry_norm
from hermite_dual.certified.eigenvalues.large_enclosure import large_enclosure
from hermite_dual.certified.eigenvalues.theory_bounds import (
    TheoryBound,
    check_degrees,
    coefficient_ranges,
    gershgorin_bound,
    ling_bound,
)
from hermite_dual.errors import AccuracyError, InvalidInputError, NotIntegrableError
from hermite_dual.float_state import own_float_state
from hermite_dual.notebook import Shown, facts
from hermite_dual.numeric.spans import spans
from hermite_dual.outcome import Outcome
from hermite_dual.outofcore.gram_tiles import GramJob, Tile, bound_tile, power_tile
from hermite_dual.outofcore.local_threads import LocalThreads
from hermite_dual.outofcore.memory import machine_memory
from hermite_dual.outofcore.stored_matrix import StoredMatrix, run_in_order
from hermite_dual.outofcore.tasks import Count, Runner, Task
from hermite_dual.population.entries.model import Model
from hermite_dual.population.gram import shown_scales
from hermite_dual.population.proof.entry_bounds import (
    EntrySums,
    ErrorTotal,
    contracting_lipschitz,
    unprovable,
)
from hermite_dual.population.proof.gram_eigenvalues import not_negative, not_negative_claim
from hermite_dual.population.proof.input_rows import InputRows
from hermite_dual.population.proof.limit_bounds import LimitBounds
from hermite_dual.population.proof.variance_coefficients import coefficients_within
from hermite_dual.progress import Progress, silent

_RTOL = 1e-6
_CHECKED_RTOL = 1e-8


@own_float_state
@dataclass(frozen=True, eq=False, repr=False)
class StoredGram(Shown):
    """A population Gram matrix K on disk; made by `DEQ.store_gram` and `MLP.store_gram`, opened by `open_gram`.

    The Zarr array `gram` of the group `path` holds the blocks on and above the diagonal, what is below reads as NaN
    there; `G[rows, columns]` fills it in.

    Attributes:
        path: the Zarr group.
        variances: diagonal `S_ii` of the preactivation covariance, shape (n,).
        estimated_error: estimated largest error of an entry, an estimate and not a bound.
        computed: blocks that the call computed; the others were there.
    """

    path: Path
    variances: Array
    estimated_error: float
    computed: int
    # what follows is no part of the public face: what tasks share, where they run, what a proof needs besides
    job: GramJob = field(repr=False)
    runner: Runner = field(repr=False)
    largest_correlation: float = field(repr=False)
    inputs: InputRows = field(repr=False)
    cache: float = field(repr=False)
    progress: Progress = field(repr=False)

    @property
    def shape(self) -> tuple[int, int]:
        """(n, n)."""
        n = self.job.gram.shape[0]
        return (n, n)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the entries on disk."""
        return np.dtype(self.job.gram.dtype)

    @property
    def block(self) -> int:
        """Rows of a block."""
        return self.job.gram.chunks[0]

    @property
    def depth(self) -> int | None:
        """Number of layers, or None for the limit."""
        return self.job.model.depth

    @property
    def model(self) -> Model:
        """Activation and scales; its samples are empty, the rows stay where they are."""
        return self.job.model

    def __repr__(self) -> str:
        """Return the path and the shape."""
        return f"StoredGram({str(self.path)!r}, shape={self.shape}, dtype={self.dtype}, block={self.block})"

    def _repr_html_(self) -> str:
        """Return a small table for notebooks."""
        model = self.model
        rows: list[tuple[str, object]] = [
            ("path", self.path),
            ("shape", f"{self.shape[0]} x {self.shape[1]}, {self.dtype} in blocks of {self.block}"),
            ("activation", model.name),
            shown_scales(model),
            ("depth", "limit" if self.depth is None else self.depth),
            ("estimated error of an entry", f"{self.estimated_error:.1e}"),
        ]
        return facts(type(self).__name__, rows)

    ndim: ClassVar[int] = 2

    @property
    def T(self) -> "StoredGram":
        """The transpose, which is the matrix itself."""
        return self

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Return the whole matrix for NumPy, where it takes no more than half of the memory.

        Raises:
            InvalidInputError: it is larger.
        """
        kind = self.dtype if dtype is None else np.dtype(dtype)
        size = self.shape[0] ** 2 * (self.dtype.itemsize + (kind.itemsize if kind != self.dtype else 0))
        if size > 0.5 * machine_memory():
            raise InvalidInputError(
                f"the matrix takes {size / 1e9:.1f} GB: read slices, G[rows, columns], such as G[:1000, :1000], or "
                "multiply it, G @ v"
            )
        if copy is False:
            raise ValueError("the matrix is on disk: an array of it is a copy")
        return self[:, :].astype(kind, copy=False)

    def __matmul__(self, other: ArrayLike) -> NDArray[Any]:
        """Return the product with an array of shape (n,) or (n, k), some rows of blocks at a time."""
        factor = np.asarray(other)
        return np.concatenate([self[rows] @ factor for rows in spans(self.shape[0], self.block)])

    def __rmatmul__(self, other: ArrayLike) -> NDArray[Any]:
        return (self @ np.asarray(other).T).T

    def __getstate__(self) -> dict[str, Any]:
        """Pickle the folder and what is known of it, for threads of the process that reads it."""
        return {**vars(self), "runner": LocalThreads(), "progress": silent}

    def __getitem__(self, key: tuple[slice, slice] | slice) -> NDArray[Any]:
        """Return some rows and columns, for instance `G[:100, 5000:]`; steps are 1.

        Args:
            key: one slice for rows, or two for rows and columns.
        """
        rows, columns = key if isinstance(key, tuple) else (key, slice(None))
        if not (isinstance(rows, slice) and isinstance(columns, slice)) or {rows.step, columns.step} - {None, 1}:
            raise InvalidInputError(f"G[{key!r}]: allowed are slices with step 1, G[rows, columns]")
        n = self.shape[0]
        (top, bottom, _), (left, right, _) = rows.indices(n), columns.indices(n)
        result = np.empty((max(0, bottom - top), max(0, right - left)), self.dtype)
        size = self.block
        for i in range(top // size, -(-bottom // size)):
            for j in range(left // size, -(-right // size)):
                block = self.job.read((i, j)) if i <= j else self.job.read((j, i)).T
                shown_rows = slice(max(top, i * size), min(bottom, (i + 1) * size))
                shown_columns = slice(max(left, j * size), min(right, (j + 1) * size))
                result[
                    shown_rows.start - top : shown_rows.stop - top,
                    shown_columns.start - left : shown_columns.stop - left,
                ] = block[
                    shown_rows.start - i * size : shown_rows.stop - i * size,
                    shown_columns.start - j * size : shown_columns.stop - j * size,
                ]
        return result

    def predict(self, *arguments: Any, **options: Any) -> NoReturn:
        """Refuse, and say how to predict: factors of the matrix are made in memory alone.

        Raises:
            InvalidInputError: always.
        """
        n = self.shape[0]
        raise InvalidInputError(
            f"predictions factor the kernel in memory, {12.0e-9 * n * n:.1f} GB for {n} rows: where that fits, use "
            "model.gram(X).predict(...), else fewer samples; G[rows, columns] reads blocks for a solver of your own"
        )

    def eigenvalues(self) -> NoReturn:
        """Refuse, and say what there is.

        Raises:
            InvalidInputError: always.
        """
        raise InvalidInputError(
            "all eigenvalues take the matrix in memory: least_eigenvalue() and lower_bounds() work on the blocks; "
            "where the matrix fits, hermite_dual.eigenvalues(numpy.asarray(G), G.entry_error) encloses all"
        )

    def save(self, path: str | os.PathLike[str]) -> NoReturn:
        """Refuse: the matrix is saved, and `hermite_dual.load` opens its folder.

        Raises:
            InvalidInputError: always.
        """
        raise InvalidInputError(
            f"the matrix is on disk already: hermite_dual.load({str(self.path)!r}) opens it in any process; to have it "
            f"at {os.fspath(path)!r}, copy the folder"
        )

    @property
    def diagonal(self) -> Array:
        """`K_ii` as they are on disk, shape (n,), in float64."""
        return self.job.entries.diagonal.astype(self.dtype).astype(np.float64)

    @property
    def entry_error(self) -> float:
        """Proven bound of every entry's distance to K in exact arithmetic; infinite where nothing is proven."""
        return self.entry_sums.largest

    @cached_property
    def entry_sums(self) -> EntrySums:
        """What is proven of the entries, with its reason, found block by block when it is first asked for."""
        model = self.model
        try:
            if obstacle := unprovable(model):
                raise AccuracyError(obstacle)
            bounds = self._bounds if self.depth is None else None
            if bounds is None:
                total = ErrorTotal(self.shape[0], {}, f"{self.depth} layers with their errors")
            else:
                total = ErrorTotal(self.shape[0], bounds.budget())
            job, shared = self.runner.share(self.job), self.runner.share(bounds)
            tasks = {tile: Task(bound_tile, (job, shared, tile)) for tile in self._matrix.tiles()}
            count = Count(self.progress, "bounds of entries", len(tasks))

            def add(tile: Tile, tile_sums: Any) -> None:
                total.add(self.job.span(tile[0]), self.job.span(tile[1]), tile_sums)
                count.one_more()

            run_in_order(tasks, self.runner, add)
            return total.result()
        except (AccuracyError, InvalidInputError, NotIntegrableError) as error:
            return EntrySums(None, math.inf, Outcome.UNDECIDED, str(error))

    @cached_property
    def _bounds(self) -> LimitBounds:
        model = self.model
        return LimitBounds(
            model.activation,
            model.sigma_w,
            contracting_lipschitz(model),
            self.inputs,
            self.diagonal,
            self.variances,
            self.largest_correlation,
        )

    @property
    def _matrix(self) -> StoredMatrix:
        return StoredMatrix(self.job.gram, self.diagonal, self.runner, self.path / "factor", self.cache, self.progress)

    def least_eigenvalue(self, *, rtol: float = _RTOL) -> EigenvalueBounds:
        """Return the least eigenvalue of K with proven bounds on both sides, every error of the entries included.

        Factors are kept beside the matrix while they are needed, and removed afterwards: up to as many bytes as the
        matrix takes in float64. An interrupted call goes on with the blocks that are whole.

        Args:
            rtol: the relative width that is enough; as `hermite_dual.least_eigenvalue`.

        Returns:
            Bounds that hold in exact arithmetic; infinite ones and UNDECIDED where the entries have no proven error or
            no factorization succeeded.
        """
        width = check_rtol(rtol)
        return self._least_eigenvalue if width == _RTOL else self._enclose(width)

    @cached_property
    def _least_eigenvalue(self) -> EigenvalueBounds:
        return self._enclose(_RTOL)

    def _enclose(self, rtol: float) -> EigenvalueBounds:
        proven = self.entry_sums
        if proven.error is None:
            return EigenvalueBounds(-math.inf, math.nan, math.inf, Outcome.UNDECIDED, proven.reason)
        matrix = self._matrix
        with np.errstate(all="ignore"):
            enclosure = large_enclosure(matrix, proven.error, rtol)
        matrix.clean()
        if enclosure is None:
            reason = "every factorization failed: the matrix is singular to rounding; remove parallel rows"
            return EigenvalueBounds(-math.inf, math.nan, math.inf, Outcome.UNDECIDED, reason)
        lower, upper, vector = enclosure
        estimate = min(max(upper - entry_norm(proven.error, len(vector)), lower), upper)
        reason = "float64 Cholesky in blocks and Rayleigh quotient with their error bounds"
        return not_negative(EigenvalueBounds(lower, estimate, upper, Outcome.PROVEN, reason, vector))

    def check_lower_bound(self, value: float) -> LowerBoundCheck:
        """Decide whether `lambda_min(K) >= value`: PROVEN, REFUTED or UNDECIDED.

        Args:
            value: the lower bound that is claimed.

        Raises:
            InvalidInputError: value is no finite number.
        """
        check = not_negative_claim(decide_claim(value, self._check_claim), value, self.entry_sums)
        return replace(check, bounds=self.least_eigenvalue)

    def _check_claim(self, value: float) -> LowerBoundCheck:
        proven = self.entry_sums
        if proven.error is None:
            return LowerBoundCheck(Outcome.UNDECIDED, None, 0.0, proven.reason)
        matrix = self._matrix
        quick = quick_proof(matrix, value, proven.error)
        matrix.clean()
        if quick is not None:
            return quick
        bounds = self._enclose(_CHECKED_RTOL)
        decided = compare_bounds(bounds.lower, bounds.upper, value, bounds.vector, bounds.reason)
        return decided or undecided_claim(bounds, value, entry_norm(proven.error, matrix.order))

    def lower_bounds(self, degrees: int = 128) -> tuple[TheoryBound, ...]:
        """Return the theory's lower bounds of `lambda_min(K)` that need no factorization, certified.

        Ling's and the Hermite-Gershgorin bound. They cost one pass over the blocks, `n^2 degrees` operations: ask for
        them before `least_eigenvalue`, which costs about `n^3/2`.

        Args:
            degrees: Hermite degrees to use, at most 1024.

        Raises:
            InvalidInputError: the Gram matrix is one of finite depth, or the number of degrees is out of range.
            AccuracyError: the entries have no proven error.
        """
        check_degrees(degrees)
        if self.depth is not None:
            raise InvalidInputError("the theory's bounds are those of the limit: leave out depth")
        proven = self.entry_sums
        if proven.error is None:
            raise AccuracyError(f"the theory's bounds need proven entries: {proven.reason}")
        bounds, n = self._bounds, self.shape[0]
        error = float(bounds.variance_errors.max())
        source = coefficients_within(self.model.activation, self.variances, error, bounds.lipschitz, degrees)
        lower, upper = coefficient_ranges(self.variances, source, degrees)
        job, shared = self.runner.share(self.job), self.runner.share(bounds)
        span: Callable[[int], slice] = self.job.span
        tasks = {
            tile: Task(
                power_tile, (job, shared, proven.largest, tile, (upper[:, span(tile[0])], upper[:, span(tile[1])]))
            )
            for tile in self._matrix.tiles()
        }
        sums, beta = np.zeros((degrees, n)), 0.0
        count = Count(self.progress, "theory's bounds", len(tasks))

        def add(tile: Tile, tile_sums: tuple[Array, Array, float]) -> None:
            nonlocal beta
            count.one_more()
            sums[:, span(tile[0])] += tile_sums[0]
            sums[:, span(tile[1])] += tile_sums[1]
            beta = max(beta, tile_sums[2])

        run_in_order(tasks, self.runner, add)
        return ling_bound(beta, lower), gershgorin_bound(sums, lower, upper)
