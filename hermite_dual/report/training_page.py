"""The pages of a training study and of one run: verdict, claims, curves, hypotheses, and what it all rests on."""

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Any

from hermite_dual.finite.training_run import TrainingClaim, TrainingRun
from hermite_dual.outcome import Outcome
from hermite_dual.population.theorem.hypotheses import TheoremCheck
from hermite_dual.population.theorem.hypothesis_tests import Hypothesis
from hermite_dual.report.page import (
    LING,
    Content,
    Markup,
    facts,
    figure,
    holds,
    listed,
    number,
    page,
    paragraph,
    section,
    table,
    verdict,
)
from hermite_dual.report.svg import inline_svg
from hermite_dual.report.training_plot import plot_run, plot_training
from hermite_dual.validation.training_study import StudyRun, TrainingStudy
from hermite_dual.versions import versions

_SOURCE = (
    f"<p>The claims are the conclusions of Theorem 1 of {LING} (ReLU, where L = 1), written with a general L. They "
    "are measured at every epoch in floating point; nothing is proven by a run. Ratio: the largest, over the epochs, "
    "of the side that must be smaller to the other.</p>"
)
_PROOFS = (
    "<p>A proof is about exact gradient descent from exactly the weights of that epoch; the curves are what was "
    "measured. It needs no claim above, and no claim above follows from it.</p>"
)
_CAPTION = (
    "Training loss with the bound of the linear rate (thin); the norm of W with the limit 1/L; the least eigenvalue of "
    "ZᵀZ over its start with the limit 1/2. Dashed grey: limits. Dotted: where a proof "
    "begins, and its bound of the loss."
)
_CLAIM_HEAD = ("loss(τ) ≤ (1 − ηλ₀/2)^τ loss(0)", "‖W(τ)‖₂ < 1/L", "λ_τ ≥ λ₀/2")
_OUTCOMES = {Outcome.PROVEN: True, Outcome.REFUTED: False, Outcome.UNDECIDED: None}


def study_page(study: TrainingStudy, checks: Sequence[TheoremCheck] = ()) -> str:
    """Return the page of a study; the same study gives the same text.

    Args:
        study: the study.
        checks: what is known of the hypotheses, an activation each.
    """
    return page("Training deep equilibrium models", _study(study, checks))


def study_content(study: TrainingStudy, checks: Sequence[TheoremCheck] = ()) -> dict[str, Any]:
    """Return every number of the study and of the hypotheses, for JSON.

    Args:
        study: the study.
        checks: what is known of the hypotheses, an activation each.
    """
    listed = [
        {
            "activation": check.activation,
            "theorem": check.theorem,
            "hypotheses": [_plain(item) for item in check.hypotheses],
            "consequences": [_plain(item) for item in check.consequences],
        }
        for check in checks
    ]
    return study.to_dict() | {"hypotheses": listed}


def run_page(run: TrainingRun) -> str:
    """Return the page of one run; the same run gives the same text.

    Args:
        run: the run.
    """
    return page("Training a deep equilibrium model", _run(run))


def _study(study: TrainingStudy, checks: Sequence[TheoremCheck]) -> Iterator[str]:
    yield "<h1>Training deep equilibrium models</h1>"
    yield (
        f'<p class="under">Gradient descent on {escape(study.data)}; {study.samples} samples in {study.inputs} '
        f"dimensions, {study.rows}; s² = {study.sigma_w2:g}; {study.epochs} epochs</p>"
    )
    yield _study_verdict(study)
    svg = inline_svg(plot_training(study)[0, 0], "training", f"Training curves. {_head(study)[1]}.")
    yield section("Curves", figure(svg, _CAPTION))
    runs = [(item, item.run) for item in study.runs]
    yield section(
        "Claims, run by run",
        _SOURCE,
        table(
            "Claims",
            ("activation", "width", *_CLAIM_HEAD, "epochs"),
            [(item.activation, item.width, *_claims(run), 0 if run is None else run.epochs) for item, run in runs],
        ),
        listed([end for item in study.runs if (end := _end(item))]),
    )
    proofs = [(item.activation, item.width, run.proof) for item, run in runs if run is not None and run.proof]
    if proofs:
        yield section("What is proven", _PROOFS, table("What is proven", ("activation", "width", "proof"), proofs))
    yield section("Numbers, from the first epoch to the last", _numbers((item.activation, run) for item, run in runs))
    for check in checks:
        yield section(f"Hypotheses for {check.activation}", _hypotheses(check), paragraph(check.theorem))
    yield section("Parameters, seeds, data, versions", _origin(study))


def _head(study: TrainingStudy) -> tuple[str, str]:
    if study.failed:
        return "bad", "A CLAIM FAILS"
    return ("good", "ALL CLAIMS HOLD") if study.holds else ("open", "NOT TESTED")


def _study_verdict(study: TrainingStudy) -> str:
    kind, word = _head(study)
    held = sum(item.holds for item in study.runs)
    reason = f"In {held} of {len(study.runs)} runs every claim of the convergence theorem held at every epoch."
    end = ["The study was interrupted; these are the runs done before."] if study.interrupted else []
    return verdict(kind, word, reason, *study.lessons, *end)


def _run(run: TrainingRun) -> Iterator[str]:
    name = _activation(run)
    yield "<h1>Training a deep equilibrium model</h1>"
    yield f'<p class="under">{escape(name)}; width {run.network.width}; {run.epochs} epochs at step {run.step:g}</p>'
    failed = not all(claim.holds for claim in run.claims)
    kind, word = (
        ("bad", "A CLAIM FAILS") if failed else (("good", "ALL CLAIMS HOLD") if run.holds else ("open", "NOT TESTED"))
    )
    reason = "; ".join(str(claim) for claim in run.claims) + "."
    yield verdict(kind, word, reason, *([] if run.stopped is None else [f"Stopped: {run.stopped}."]))
    yield section("Curves", figure(inline_svg(plot_run(run)[0], "run", f"Training curves. {word}."), _CAPTION))
    rows = [(one.name, answer) for one, answer in zip(run.claims, _claims(run), strict=True)]
    yield section("Claims", _SOURCE, table("Claims", ("claim", "answer"), rows))
    if run.proof:
        yield section("What is proven", _PROOFS, paragraph(f"{run.proof}."))
    yield section("Numbers, from the first epoch to the last", _numbers([(name, run)]))
    network = run.network
    yield section(
        "Parameters, versions",
        facts(
            [
                ("activation", name),
                ("sigma_w, sigma_u, sigma_b", f"{network.sigma_w!r}, {network.sigma_u!r}, {network.sigma_b!r}"),
                ("Lipschitz constant L", run.lipschitz),
                ("trained parameters", ", ".join(run.parameters)),
                ("inputs, d", network.inputs),
                *versions().items(),
            ]
        ),
    )


def _activation(run: TrainingRun) -> str:
    phi = run.network.activation
    return str(getattr(phi, "name", None) or getattr(phi, "__name__", "activation"))


def _claims(run: TrainingRun | None) -> list[Markup]:
    if run is None:
        return [holds(None)] * len(_CLAIM_HEAD)
    # Without a step all but the contraction compare the start with itself.
    return [_claim(claim) if run.epochs > 0 or claim.name.startswith("||W") else holds(None) for claim in run.claims]


def _claim(claim: TrainingClaim) -> Markup:
    answer = holds(claim.holds, no=f"fails at epoch {claim.first_failure}")
    return Markup(f"{answer.html}, ratio {number(claim.worst)}")


def _end(item: StudyRun) -> str:
    """Say why a run ended early; nothing of one that did not."""
    reason = item.error if item.run is None else item.run.stopped
    return "" if reason is None else f"{item.activation}, width {item.width}: {reason}"


def _numbers(runs: Iterable[tuple[str, TrainingRun | None]]) -> str:
    measured = ("loss", "to", "‖W‖₂", "to", "1/L", "λ_min(ZᵀZ)", "to")
    head = ("activation", "width", "step η", *measured)
    rows: list[Sequence[Content]] = []
    for name, run in runs:
        if run is not None:
            pairs = [(float(v[0]), float(v[-1])) for v in (run.loss, run.norm, run.least_eigenvalue)]
            limit = 1.0 / run.lipschitz if run.lipschitz > 0.0 else None
            rows.append((name, run.network.width, run.step, *pairs[0], *pairs[1], limit, *pairs[2]))
    return table("Numbers", head, rows)


def _hypotheses(check: TheoremCheck) -> str:
    items = [*check.hypotheses, *check.consequences]
    return table(
        f"Hypotheses for {check.activation}",
        ("statement", "answer", "number", "explanation"),
        [
            (
                item.name,
                holds(_OUTCOMES[item.outcome], yes="PROVEN", no="REFUTED", unknown="UNDECIDED"),
                item.value,
                item.explanation,
            )
            for item in items
        ],
    )


def _plain(item: Hypothesis) -> dict[str, Any]:
    return {
        "name": item.name,
        "outcome": item.outcome.value,
        "value": item.value,
        "explanation": item.explanation,
    }


def _origin(study: TrainingStudy) -> str:
    return facts(
        [
            ("data", study.data),
            ("samples, n", study.samples),
            ("inputs, d", study.inputs),
            ("rows", study.rows),
            ("s²", study.sigma_w2),
            ("epochs asked for", study.epochs),
            ("seed", study.seed),
            ("SHA-256 of the samples", Markup(f"<code>{escape(study.data_digest)}</code>")),
            ("SHA-256 of the targets", Markup(f"<code>{escape(study.targets_digest)}</code>")),
            *study.versions.items(),
        ]
    )
