"""From which epoch on convergence is proven, and whether the run keeps to what is proven.

Usage: python benchmarks/training_certificate.py [ACTIVATION ...] [--data sphere|digits] [--samples N] [--width M]
       [--sigma-w2 S2] [--epochs E] [--seed K]

Each network is trained by gradient descent at `1/lambda_max` of its tangent kernel, and by Gauss-Newton steps followed
by gradient descent at the proven step. Printed are the epoch from which the rest is proven, the residual there, the
radius, the largest proven step over `1/lambda_max`, the proven rate over `lambda_min/lambda_max`, the largest of loss
over proven bound in the epochs that follow, the largest distance from the certified weights over the radius, and the
time of the proof over that of an epoch.
"""

import argparse
import time
from collections.abc import Iterator

import numpy as np

import hermite_dual as hd
from hermite_dual.arrays import Array
from hermite_dual.finite.network import FiniteDEQ
from hermite_dual.finite.training_run import TrainingRun
from hermite_dual.validation.training_study import study_data

NAMES = ("a", "W", "U")
HEAD = ("phi", "method", "epoch", "|r|", "R", "step*lmax", "rate/ideal", "loss/bound", "distance/R", "proof/epoch")


def rows(name: str, X: Array, y: Array, options: argparse.Namespace) -> Iterator[tuple[str, ...]]:
    """The rows of the table of one activation."""
    model = hd.DEQ.paper(name, sigma_w2=options.sigma_w2)
    net = model.sample(options.width, X.shape[1], options.seed)
    start = net.certify_training(X, y)
    yield (name, "start", "0", f"{start.residual:.3g}", f"below {start.threshold:.3g}", *["-"] * 5)
    step = 0.5 * net.stable_step(X, NAMES)
    for method, size, epochs in (("gradient", step, options.epochs), ("gauss-newton", 1.0, 10)):
        begin = time.perf_counter()
        plain = net.train(X, y, size, 3, method=method, parameters=NAMES)
        epoch_time = (time.perf_counter() - begin) / max(1, plain.epochs + 1)
        run = net.train(X, y, size, epochs, method=method, certify=True, parameters=NAMES)
        if run.proven_from is None:
            yield (name, method, "none", f"{np.sqrt(2 * run.loss[-1]):.3g}", *["-"] * 6)
            continue
        yield name, method, *_proven(run, X, y, epoch_time)


def _proven(run: TrainingRun, X: Array, y: Array, epoch_time: float) -> tuple[str, ...]:
    certificate = run.certificate
    assert certificate is not None
    assert certificate.start is not None
    begin = time.perf_counter()
    certificate.network.certify_training(X, y, certificate.step, parameters=NAMES)
    cost = (time.perf_counter() - begin) / epoch_time
    ratio, distance = _after(certificate.network, X, y, certificate)
    ideal = (certificate.start.least / certificate.start.largest) ** 2
    return (
        str(run.proven_from),
        f"{certificate.residual:.3g}",
        f"{certificate.radius:.3g}",
        f"{certificate.largest_step * certificate.start.largest**2:.3g}",
        f"{certificate.rate / ideal:.3g}",
        f"{ratio:.4g}",
        f"{distance / certificate.radius:.3g}",
        f"{cost:.3g}",
    )


def _after(net: FiniteDEQ, X: Array, y: Array, certificate: hd.TrainingCertificate) -> tuple[float, float]:
    """The largest loss over its bound and the largest distance in the epochs after the certified one."""
    worst = distance = 0.0
    loss, current = 0.5 * certificate.residual**2, net
    for epoch in range(1, 200):
        run = current.train(X, y, certificate.step, 1, parameters=NAMES)
        current = run.network
        if run.epochs < 1 or run.loss[-1] < 1e-22:
            break
        worst = max(worst, run.loss[-1] / (loss * (1 - certificate.rate) ** epoch))
        moved = sum(float(np.sum((getattr(current, k) - getattr(net, k)) ** 2)) for k in NAMES)
        distance = max(distance, float(np.sqrt(moved)))
    return worst, distance


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("activations", nargs="*", default=["tanh", "gelu", "softplus", "sin", "erf"])
    parser.add_argument("--data", default="sphere")
    parser.add_argument("--samples", type=int, default=20)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--sigma-w2", type=float, default=0.08)
    parser.add_argument("--epochs", type=int, default=150)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    _, X, y = study_data(options.data, options.samples, options.samples, options.seed)
    print(f"{options.data}, n = {len(X)}, d = {X.shape[1]}, m = {options.width}, s^2 = {options.sigma_w2}")
    print("".join(f"{word:>13}" for word in HEAD))
    for name in options.activations:
        for row in rows(name, X, y, options):
            print("".join(f"{word:>13}" for word in row), flush=True)


if __name__ == "__main__":
    main()
