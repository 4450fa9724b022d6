"""How often a validation says no where it must not, and finds a discrepancy of the size that its report states.

For each seed the default networks are simulated once, for tanh at s^2 = 0.08 on digits, and held against the right
population and against planted ones:

- one entry moved by `entries.detectable`, anywhere, up or down;
- the population of a wrong sigma_w or sigma_u, at an end of the range that the report states.

What is planted is what the report of the seed before stated: a discrepancy of that size is to be found by other
networks, which is harder than by the same. A sixth of the neurons is then to find a series of the kernel that is cut
after degree 1 and, in GELU networks, the population of ReLU.

    python benchmarks/validation_power.py --seeds 200 --planted 100 [--first 0] [--samples 40] [--lines FILE]

Sections of seeds may run in parallel into files of lines; `--summarise FILE...` adds them up.
"""

import argparse
import json
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import hermite_dual as hd

Floats = NDArray[np.float64]

MODEL = hd.DEQ.paper("tanh", sigma_w2=0.08)
GELU, RELU = hd.DEQ.paper("gelu", sigma_w2=0.08), hd.DEQ.paper("relu", sigma_w2=0.08)

# Fewer networks than the default, 2,304 neurons in place of 14,336.
FEW: dict[str, Any] = {"widths": (128, 256), "replicas": 6}


def stated_by(report: hd.ValidationReport) -> dict[str, list[float]]:
    """Give what a report says would have been seen: changes of an entry, and values of the parameters."""
    size = report.entries.detectable
    ranges = {found.name: [found.below, found.above] for found in report.parameter_ranges}
    return {"entry": [-size, size]} | ranges


def planted(X: Floats, what: str, ends: list[float], generator: np.random.Generator) -> Floats:
    """Give a population that is off by a change, or by the value of a parameter, at either end."""
    end = generator.choice(ends)
    if what != "entry":
        return MODEL.replace(**{what: end}).gram(X).matrix
    K = MODEL.gram(X).matrix.copy()
    i, j = generator.integers(len(X), size=2)
    K[i, j] += end
    K[j, i] = K[i, j]
    return K


def cut_after_degree_one(X: Floats) -> Floats:
    """Give the terms of degree 0 and 1 of `K = sum_r a_r^2 R^(or)`, at equal norms."""
    gram = MODEL.gram(X)
    variance = float(gram.variances[0])
    a = hd.dual("tanh").coefficients(2, variance=variance)
    return np.asarray(a[0] ** 2 + a[1] ** 2 * gram.preactivation / variance)


def one_seed(X: Floats, seed: int, before: dict[str, list[float]] | None) -> dict[str, Any]:
    """Validate with one seed; give what was stated, and what of that stated before was found."""
    folder = tempfile.mkdtemp()
    try:
        report = MODEL.validate(X, seed=seed, store=folder)
        line: dict[str, Any] = {"seed": seed, "verdict": report.verdict.value, "stated": stated_by(report), "found": {}}
        line["statistics"] = {test.name: test.statistic for test in report.directions}
        line |= {"worst entry": report.entries.p_value, "noise left": report.control.noise_left}
        generator = np.random.default_rng(seed)
        for what, ends in (before or {}).items():
            wrong = MODEL.validate(X, seed=seed, store=folder, population=planted(X, what, ends, generator))
            line["found"][what] = wrong.verdict is hd.Verdict.DISAGREE
        if before:
            cut = MODEL.validate(X, seed=seed, store=folder, population=cut_after_degree_one(X), **FEW)
            line["found"]["cut after degree 1"] = cut.verdict is hd.Verdict.DISAGREE
            relu = GELU.validate(X, seed=seed, population=RELU.gram(X), **FEW)
            line["found"]["ReLU for GELU"] = relu.verdict is hd.Verdict.DISAGREE
        return line
    finally:
        shutil.rmtree(folder)


def summarise(lines: list[dict[str, Any]]) -> str:
    """Count over all seeds."""
    verdicts = Counter(line["verdict"] for line in lines)
    text = [f"{len(lines)} validations of the right population: {dict(verdicts)}"]
    for what in lines[0]["stated"]:
        low, high = np.median([line["stated"][what] for line in lines], axis=0)
        text.append(f"stated, {what}: median {low:.5f} and {high:.5f}")
    for name in lines[0]["statistics"]:
        values = [line["statistics"][name] for line in lines]
        text.append(f"t, {name}: mean {np.mean(values):+.2f}, standard deviation {np.std(values, ddof=1):.2f}")
    for name in dict.fromkeys(name for line in lines for name in line["found"]):
        found = [line["found"][name] for line in lines if name in line["found"]]
        text.append(f"found, {name}: {sum(found)} of {len(found)}")
    return "\n".join(text)


def main() -> None:
    """Run the seeds, or add up what was run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=200, help="number of seeds, after a first that only states sizes")
    parser.add_argument("--planted", type=int, default=100, help="seeds with planted discrepancies")
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--samples", type=int, default=40, help="digits")
    parser.add_argument("--lines", type=Path, help="file of a line of JSON per seed; a run goes on after its last")
    parser.add_argument("--summarise", type=Path, nargs="+", help="files of lines to add up")
    options = parser.parse_args()
    if options.summarise:
        lines = [json.loads(line) for path in options.summarise for line in path.read_text().splitlines()]
        print(summarise(sorted(lines, key=lambda line: line["seed"])))
        return
    X = hd.on_sphere(hd.load_digits()[0][: options.samples])
    lines = []
    if options.lines and options.lines.exists():
        lines = [json.loads(line) for line in options.lines.read_text().splitlines()]
    # One more seed, before the first, so that there is something stated to plant.
    for seed in range(options.first + len(lines), options.first + options.seeds + 1):
        planting = 0 < seed - options.first <= options.planted
        lines.append(one_seed(X, seed, lines[-1]["stated"] if planting else None))
        if options.lines:
            with options.lines.open("a") as stream:
                stream.write(json.dumps(lines[-1]) + "\n")
    print(summarise(lines))


if __name__ == "__main__":
    main()
