r"""Finite networks held against a population Gram matrix.

For every width m, R networks are drawn and solved; `G_m = Z^T Z / m`. Control variates of known mean are subtracted.
With `G(m) = G_inf + B / m + noise`, the noise of variance proportional to `1/m`, the intercept `G_inf` is estimated by
weighted least squares and compared with the population Gram matrix K by t tests: along a family of directions fixed in
advance, and in every entry. Two further families test the mean of the control. Each family has its share of the error
probability, shared equally within it (Bonferroni), so that a correct K is rejected with at most the stated
probability, up to terms `1/m^2` of the bias and the departure of averages over neurons from the normal law. What is
rejected is tested once more on fresh networks, at the same level; DISAGREE takes both.
"""

import os
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from hermite_dual.arrays import Array
from hermite_dual.data.files import check_samples
from hermite_dual.data.store import RecordStore, digest_of_array
from hermite_dual.exact_numbers import check_count
from hermite_dual.population.entries.inputs import rows_text
from hermite_dual.progress import Progress
from hermite_dual.validation.comparison import CLOSED_FORM, GIVEN, NUMERIC, compare
from hermite_dual.validation.confirmation import NETWORKS, NEURONS, Family, confirm
from hermite_dual.validation.depth_one import depth_one_fits, neurons_of
from hermite_dual.validation.directions import Direction, Plan, make_plan
from hermite_dual.validation.findings import ControlFindings
from hermite_dual.validation.inputs import check_population, check_probability, check_tolerance, check_widths
from hermite_dual.validation.judgement import judge
from hermite_dual.validation.least_eigenvalues import least_eigenvalues
from hermite_dual.validation.networks import NetworkStatistics
from hermite_dual.validation.parameter_range import parameter_ranges
from hermite_dual.validation.power import replicas_needed
from hermite_dual.validation.regression import extrapolate, interval
from hermite_dual.validation.report import ValidationReport
from hermite_dual.validation.simulation import Design, open_store, simulate
from hermite_dual.validation.testing import CONTROL_SHARE, NETWORK_SHARE, direction_tests, entry_tests
from hermite_dual.validation.variates import control_of
from hermite_dual.validation.wide_model import HasWideModel, WideModel, wide_model
from hermite_dual.versions import versions


def validate(
    model: WideModel | HasWideModel,
    X: ArrayLike,
    widths: Sequence[int] = (256, 512, 1024),
    replicas: int = 8,
    seed: int = 0,
    population: ArrayLike | None = None,
    *,
    error_probability: float = 0.01,
    scale_tolerance: float = 0.05,
    entry_tolerance: float = 0.1,
    store: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> ValidationReport:
    """Hold the population Gram matrix against simulated networks.

    Args:
        model: the model of infinite width; its `sample` draws the networks.
        X: samples, shape (n, d), a sample per row.
        widths: at least two different widths of the networks.
        replicas: networks per width, at least 2.
        seed: a whole number; the same seed gives the same numbers. Replica r of width m has the seed
            `replica_seed(seed, m, r)`, whatever else is run.
        population: a symmetric (n, n) matrix to hold against the networks in place of `gram(X).matrix`.
        error_probability: of each of two stages on independent networks, both of which must reject: where population
            and networks do agree, DISAGREE has at most the square of it as its probability.
        scale_tolerance: AGREE is said only if a relative error of this size in the scale would have been seen.
        entry_tolerance: AGREE is said only if an error of this size in a typical entry, in units of the mean diagonal,
            would have been seen.
        store: a folder that keeps every finished network, so that an interrupted run goes on where it stopped; widths
            and replicas may grow, and other populations may be tested, in the same folder.
        progress: called after each network with "networks", then "fresh networks" where a test rejected, and how
            many of how many are done.

    Returns:
        The report, its verdict first.

    Raises:
        InvalidInputError: an argument lies outside what is stated above, or the store belongs to something else.
        DataFileError: the store cannot be read or written, for instance because the disk is full.
        ConvergenceError: a network has no equilibrium that the iteration finds; reduce sigma_w.
    """
    model = wide_model(model)
    samples = check_samples(X, "X")
    widths = check_widths(widths)
    replicas = check_count("replicas", replicas, 2, "the number of networks per width")
    seed = check_count("seed", seed, 0, "the seed", None)
    alpha = check_probability("error_probability", error_probability)
    tolerances = (
        check_tolerance("scale_tolerance", scale_tolerance),
        check_tolerance("entry_tolerance", entry_tolerance),
    )
    design = Design(widths, replicas, seed)
    gram = model.gram(samples)
    computed = np.asarray(gram.matrix, dtype=np.float64)
    given = None if population is None else check_population(population, len(samples))
    K = computed if given is None else given
    records = None if store is None else open_store(store, model, samples, seed)
    depth_one = np.asarray(model.gram(samples, depth=1).matrix, dtype=np.float64)
    variates = control_of(model, samples, depth_one)
    plan = make_plan(model, samples, gram, variates, seed, given)

    def drawn(chosen: Design, directions: list[Direction]) -> NetworkStatistics:
        statistics = NetworkStatistics(K, directions)
        for network in simulate(model, samples, variates, plan.coefficients, chosen, store=records, progress=progress):
            statistics.add(*network)
        return statistics

    networks = drawn(design, plan.directions)
    fit, raw = extrapolate(networks.entries), extrapolate(networks.raw_entries)
    tests = direction_tests(extrapolate(networks.functionals), plan.directions, K, alpha, NETWORK_SHARE)
    entries = entry_tests(fit, K, alpha, NETWORK_SHARE, plan.slopes.get("sigma_w"))
    noise_left = _noise_left(fit.standard_error, raw.standard_error)
    control = _control(model, samples, depth_one, variates.names, plan, design, alpha, noise_left)
    comparisons = compare(model, samples, computed, given, fit, alpha)
    # The networks judge the matrix under test by their own tests, above.
    binding = tuple(pair for pair in comparisons if {pair.first, pair.second} == {CLOSED_FORM, NUMERIC})
    confirmed = confirm(
        [
            Family(
                NETWORKS,
                plan.directions,
                tests,
                entries,
                NETWORK_SHARE,
                lambda chosen: extrapolate(drawn(design.fresh, chosen).functionals),
            ),
            Family(
                NEURONS,
                plan.directions,
                control.directions,
                control.entries,
                CONTROL_SHARE,
                lambda chosen: depth_one_fits(model, samples, depth_one, chosen, design.neurons, seed, stage=2)[0],
            ),
        ],
        K,
        alpha,
    )
    needed = replicas_needed(tests, entries, K, tolerances, alpha, design)
    verdict, reason = judge(tests, entries, confirmed, binding, K, tolerances, needed)
    slope, slope_error = networks.slope("normalized")
    frobenius_slope, frobenius_slope_error = networks.slope("frobenius")
    degrees = design.networks - 2
    return ValidationReport(
        verdict=verdict,
        reason=reason,
        directions=tests,
        entries=entries,
        parameter_ranges=parameter_ranges(model, samples, computed, plan.directions, tests),
        control=control,
        confirmation=confirmed,
        replicas_needed=needed,
        comparisons=comparisons,
        least_eigenvalues=least_eigenvalues(K, networks.least, alpha),
        errors_by_width=networks.errors_by_width(),
        slope=slope,
        slope_error=slope_error,
        slope_interval=interval(slope, slope_error, degrees),
        frobenius_slope=frobenius_slope,
        frobenius_slope_error=frobenius_slope_error,
        frobenius_slope_interval=interval(frobenius_slope, frobenius_slope_error, degrees),
        error_probability=alpha,
        scale_tolerance=tolerances[0],
        entry_tolerance=tolerances[1],
        widths=widths,
        replicas=replicas,
        seed=seed,
        samples=samples.shape[0],
        inputs=samples.shape[1],
        rows=rows_text(samples),
        population=NUMERIC if given is None else GIVEN,
        parameters=dict(model.parameters()),
        data_digest=digest_of_array(samples),
        versions=versions(),
        notes=_notes(records),
    )


def _control(
    model: WideModel,
    X: Array,
    depth_one: Array,
    names: tuple[str, ...],
    plan: Plan,
    design: Design,
    alpha: float,
    noise_left: float,
) -> ControlFindings:
    functionals, entries = depth_one_fits(model, X, depth_one, plan.directions, design.neurons, design.seed)
    return ControlFindings(
        coefficients=dict(zip(names, map(float, plan.coefficients), strict=True)),
        noise_left=noise_left,
        neurons=neurons_of(design.neurons),
        directions=direction_tests(functionals, plan.directions, depth_one, alpha, CONTROL_SHARE),
        entries=entry_tests(entries, depth_one, alpha, CONTROL_SHARE),
    )


def _noise_left(controlled: Array, raw: Array) -> float:
    """Median of the ratio, over the entries that fluctuate."""
    moving = raw > 0.0
    return float(np.median(controlled[moving] / raw[moving])) if moving.any() else 0.0


def _notes(records: RecordStore | None) -> tuple[str, ...]:
    damaged = [] if records is None else records.damaged
    return tuple(f"{name} in the store was damaged and has been computed again" for name in damaged)
