"""The page of a validation: verdict, what could have been seen, figures, every test, and what it all rests on."""

from collections.abc import Iterator
from html import escape

from hermite_dual.report.page import (
    LING,
    Content,
    Markup,
    facts,
    figure,
    holds,
    listed,
    page,
    paragraph,
    section,
    table,
    verdict,
)
from hermite_dual.report.plot import plot_error_by_width
from hermite_dual.report.svg import inline_svg
from hermite_dual.report.tests_plot import plot_tests
from hermite_dual.validation.findings import DirectionTest, EntryTest
from hermite_dual.validation.regression import CONFIDENCE
from hermite_dual.validation.report import ValidationReport
from hermite_dual.validation.testing import CONTROL_SHARE, NETWORK_SHARE
from hermite_dual.validation.verdict import Verdict

_KINDS = {Verdict.AGREE: "good", Verdict.DISAGREE: "bad", Verdict.INCONCLUSIVE: "open"}
_TEST_HEAD = ("functional", "answer", "discrepancy", "standard error", "t", "p, adjusted", "would be seen")


def validation_page(report: ValidationReport) -> str:
    """Return the page of a report; the same report gives the same text.

    Args:
        report: the report.
    """
    parameters = report.parameters
    depth = f", {parameters['depth']} layers" if "depth" in parameters else ""
    activation = str(parameters.get("activation", "a model")) + depth
    title = f"Finite networks against theory: {activation}"
    return page(title, _body(report, activation))


def _body(report: ValidationReport, activation: str) -> Iterator[str]:
    widths = ", ".join(map(str, report.widths))
    yield "<h1>Finite networks against theory</h1>"
    yield (
        f'<p class="under">{escape(activation)}; {report.samples} samples in {report.inputs} dimensions; '
        f"{report.replicas} networks at each of the widths {widths}</p>"
    )
    yield verdict(
        _KINDS[report.verdict],
        report.verdict.value,
        _sentence(report.reason),
        f"The probability of DISAGREE for a correct population is at most {report.error_probability**2:g}: "
        f"{report.error_probability:g} in each of two stages on independent networks.",
    )
    for note in report.notes:
        yield paragraph(f"Note: {note}.")
    yield section("Smallest discrepancy that would have been seen", *_visible(report))
    yield section("Figures", *_figures(report))
    yield section(
        "Tests of the networks",
        paragraph("Networks extrapolated to infinite width, minus the matrix under test; units as in the first table."),
        _tests("Tests of the networks", report.directions, report.entries),
    )
    if report.confirmation:
        yield section("Confirmation", *_confirmation(report))
    yield section(
        "Tests of the control's mean",
        paragraph(
            f"The Gram matrix of {report.control.neurons} independent neurons of the first layer, minus its kernel, "
            "which the control variates trust."
        ),
        _tests("Tests of the control's mean", report.control.directions, report.control.entries),
    )
    yield section("Errors by width", *_errors(report))
    reasons = dict.fromkeys(f"{pair.first}: {pair.note}" for pair in report.comparisons if pair.note)
    yield section("Sources, pairwise", _comparisons(report), listed(list(reasons)))
    yield section("Least eigenvalues", *_least(report))
    yield section("Budget", *_budget(report))
    yield section("Parameters, seeds, data, versions", _origin(report))


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


def _visible(report: ValidationReport) -> Iterator[str]:
    entries = report.entries
    yield paragraph("With probability 0.95, had it been there:")
    rows: list[tuple[Content, ...]] = [
        ("any one entry", entries.detectable, "1"),
        ("half of the entries, each", entries.detectable_median, "1"),
    ]
    rows += [(test.name, test.detectable, test.unit) for test in report.directions]
    yield table("Smallest discrepancies", ("discrepancy in", "least size", "in units of"), rows)
    ranges = [(one.name, one.value, one.below, one.above) for one in report.parameter_ranges]
    if ranges:
        yield paragraph("A model with another value of a parameter would have been told from this one:")
        yield table("Parameters", ("parameter", "value", "from this value down", "from this value up"), ranges)
    if entries.detectable_in_sigma_w is not None:
        yield paragraph(
            f"To move an entry as far, sigma_w would have to change by {entries.detectable_in_sigma_w:.3g} times its "
            "value (to first order)."
        )


def _figures(report: ValidationReport) -> Iterator[str]:
    words = f"Verdict {report.verdict.value}."
    yield figure(
        inline_svg(plot_tests(report), "tests", f"Discrepancy of each test over the least that would be seen. {words}"),
        "Each test: the discrepancy, with two standard errors, over the least discrepancy that is found with "
        "probability 0.95.",
    )
    described = f"Relative errors of the networks against their width, exponent {report.slope:.3f}. {words}"
    yield figure(
        inline_svg(plot_error_by_width(report), "errors", described),
        "Relative errors of the networks by width, with two standard errors of the mean; each thin mark is a network.",
    )


def _tests(name: str, directions: tuple[DirectionTest, ...], entries: EntryTest) -> str:
    rows = [_test(test.name, test, rejected=test.rejected) for test in directions]
    worst = f"worst of {entries.tests} entries, {entries.worst}"
    return table(name, _TEST_HEAD, [*rows, _test(worst, entries, rejected=entries.rejected > 0)])


def _test(name: str, test: DirectionTest | EntryTest, *, rejected: bool) -> tuple[Content | Markup, ...]:
    answer = holds(not rejected, yes="not rejected", no="rejected")
    numbers = (test.discrepancy, test.standard_error, test.statistic, test.p_value, test.detectable)
    return name, answer, *numbers


def _confirmation(report: ValidationReport) -> Iterator[str]:
    yield paragraph("What the first networks rejected, tested again on fresh ones; DISAGREE takes both.")
    yield table(
        "Confirmation",
        (
            *("functional", "of", "answer", "p, first networks", "discrepancy", "standard error", "t"),
            *("p, adjusted", "another seed says so too, probability"),
        ),
        [
            (
                *(test.name, test.family, holds(not test.rejected, yes="not rejected", no="rejected again")),
                *(test.first_p_value, test.discrepancy, test.standard_error, test.statistic, test.p_value),
                test.another_seed,
            )
            for test in report.confirmation
        ],
    )


def _errors(report: ValidationReport) -> Iterator[str]:
    yield table(
        "Errors by width",
        ("width", "normalized error", "standard error", "Frobenius error", "standard error"),
        [
            (row.width, row.normalized_mean, row.normalized_standard_error, row.mean, row.standard_error)
            for row in sorted(report.errors_by_width, key=lambda row: row.width)
        ],
    )
    exponents = (
        ("normalized", report.slope, report.slope_error, report.slope_interval),
        ("Frobenius", report.frobenius_slope, report.frobenius_slope_error, report.frobenius_slope_interval),
    )
    yield paragraph("Exponent of the error in the width; -1/2 is expected of a correct population.")
    head = ("error", "exponent", "standard error", f"from, at {CONFIDENCE:.0%}", f"to, at {CONFIDENCE:.0%}")
    yield table("Exponents", head, [(name, slope, error, *interval) for name, slope, error, interval in exponents])
    left = report.control.noise_left
    yield paragraph(f"Control variates left {left:.1%} of the standard error of an entry.")


def _comparisons(report: ValidationReport) -> str:
    return table(
        "Sources, pairwise",
        ("first", "second", "answer", "entries", "first minus second", "at", "allowed"),
        [
            (
                pair.first,
                pair.second,
                holds(pair.agree, yes="agree", no="differ", unknown="not compared"),
                pair.entries,
                None if pair.agree is None else pair.difference,
                None if pair.at is None else str(pair.at),
                None if pair.agree is None else pair.allowed,
            )
            for pair in report.comparisons
        ],
    )


def _least(report: ValidationReport) -> Iterator[str]:
    least = report.least_eigenvalues
    yield paragraph("How often λ_min(ZᵀZ) ≥ m λ_*/2 held at random weights, with the 95 % interval of its probability.")
    yield table(
        "Least eigenvalues",
        ("width m", "held", "of", "from", "to", "mean of λ_min(ZᵀZ)/m"),
        [(row.width, row.held, row.replicas, *row.interval, row.mean) for row in least.by_width],
    )
    rows: list[tuple[str, Content | Markup]] = [("λ_*, of the matrix under test", least.population)]
    if least.theorem_width is not None:
        rows.append(("width in the theorem, its constant taken as 1", least.theorem_width))
    rows.append(("theorem", Markup(f"Theorem 2 of {LING} (ReLU)")))
    yield facts(rows)


def _budget(report: ValidationReport) -> Iterator[str]:
    alpha = report.error_probability
    networks, control = alpha * NETWORK_SHARE, alpha * CONTROL_SHARE
    families = (
        ("networks, functionals", len(report.directions), networks),
        ("networks, entries", report.entries.tests, networks),
        ("control, functionals", len(report.control.directions), control),
        ("control, entries", report.control.entries.tests, control),
    )
    yield paragraph(
        f"How the error probability {alpha:g} of the first stage is shared; each family divides its share equally "
        "(Bonferroni). The second stage divides as much among what the first rejected."
    )
    yield table(
        "Error probability",
        ("family", "tests", "error probability", "of one test"),
        [(name, tests, share, share / tests if tests else None) for name, tests, share in families],
    )
    neurons = sum(report.widths) * report.replicas
    weights = sum(width * (width + report.inputs) for width in report.widths) * report.replicas
    yield facts(
        [
            ("networks", len(report.widths) * report.replicas),
            ("neurons in them", neurons),
            ("weights in them", weights),
            ("independent neurons", report.control.neurons),
            ("networks per width for AGREE, with probability 0.9", report.replicas_needed),
            ("AGREE needs: error seen in the scale", report.scale_tolerance),
            ("AGREE needs: error seen in a typical entry", report.entry_tolerance),
        ]
    )


def _origin(report: ValidationReport) -> str:
    rows: list[tuple[str, Content | Markup]] = [
        (name, value if isinstance(value, str | int | float) else str(value))
        for name, value in report.parameters.items()
    ]
    rows += [
        ("matrix under test", report.population),
        ("seed", report.seed),
        ("samples, n", report.samples),
        ("inputs, d", report.inputs),
        ("rows", report.rows),
        ("SHA-256 of the samples", Markup(f"<code>{escape(report.data_digest)}</code>")),
        *((f"coefficient of control “{name}”", value) for name, value in report.control.coefficients.items()),
        *report.versions.items(),
    ]
    return facts(rows)
