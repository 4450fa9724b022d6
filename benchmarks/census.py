"""Call every public function and command with one wrong argument at a time, and see what answers.

Usage: python benchmarks/census.py

Each row of `calls` is a call that works; each of its arguments is of a kind, and for each kind `WRONG` holds values
that mean nothing there. A call must end within 20 seconds with an error of the package: any other exception is
*foreign*, a result is *accepted*, and both are printed. Commands must exit with 2 and print no traceback. Exit code 1
if anything is printed.
"""

import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import sympy as sp
from typer.testing import CliRunner

import hermite_dual as hd
from hermite_dual.cli import app

LIMIT = 20
X = hd.on_sphere(np.random.default_rng(0).standard_normal((6, 4)))
SQUARE = np.eye(3) + 0.1
RAGGED = [[1.0, 2.0], [3.0]]


class Strange:
    """An object that is nothing."""


def _broken() -> Any:
    raise RuntimeError


NOT_NUMBERS: dict[str, Any] = {
    "None": None,
    "text": "much",
    "empty text": "",
    "code": "__import__('os').getpid()",
    "bytes": b"1",
    "complex": 1 + 2j,
    "NaN": float("nan"),
    "list": [1.0, 2.0],
    "dict": {},
    "object": Strange(),
    "function": _broken,
    "symbol": sp.Symbol("y"),
    "class": int,
    "NaN of Decimal": Decimal("nan"),
    "date": np.datetime64("2020-01-01"),
}
NOT_FINITE: dict[str, Any] = {"infinite": float("inf"), "huge integer": 10**400, "sympy oo": sp.oo}
NEGATIVE: dict[str, Any] = {"negative": -1.0, "-inf": -float("inf")}
NOT_WHOLE: dict[str, Any] = {
    "half": 0.5,
    "whole float": 2.0,
    "minus": -1,
    "huge": 10**9,
    "huger": 10**400,
    "bool": True,
}
NOT_ARRAYS: dict[str, Any] = {
    "None": None,
    "text": "much",
    "number": 1.0,
    "empty": [],
    "one dimension": [1.0, 2.0],
    "three dimensions": np.zeros((2, 2, 2)),
    "no rows": np.zeros((0, 3)),
    "no columns": np.zeros((3, 0)),
    "ragged": RAGGED,
    "texts": [["a", "b"]],
    "objects": np.array([[Strange(), Strange()]], dtype=object),
    "complex": np.eye(3) + 1j,
    "NaN": np.full((3, 3), np.nan),
    "infinite": np.full((3, 3), np.inf),
    "masked": np.ma.masked_array(np.eye(3), np.eye(3)),
    "dates": np.array([["2020-01-01"]], dtype="datetime64[D]"),
    "dict": {"a": 1},
    "function": _broken,
    "object": Strange(),
    "structured": np.zeros(3, dtype=[("a", float), ("b", float)]),
}
NOT_PHI: dict[str, Any] = {
    "None": None,
    "empty": "",
    "number": 1.5,
    "unknown": "tanhh",
    "unbalanced": "tanh(x",
    "code": "__import__('os').getpid()",
    "attribute": "x.__class__",
    "two variables": "x*y",
    "complex": "sqrt(x)",
    "pole": "1/x",
    "grows": "exp(x^3)",
    "literal": "1e-99999999 + x",
    "tower": "9^9^9^9*x",
    "nested": "tanh(" * 60 + "x" + ")" * 60,
    "long": "+".join(["sin(x)"] * 3000),
    "list": ["tanh"],
    "bytes": b"tanh",
    "object": Strange(),
    "class": Strange,
    "broken": lambda u: _broken(),
    "wrong shape": lambda u: np.zeros(3),
    "NaN": lambda u: np.full_like(u, np.nan),
    "random": lambda u: np.random.default_rng().standard_normal(np.shape(u)),
    "texts": lambda u: "much",
    "array": np.eye(2),
    "positive symbol": sp.tanh(sp.Symbol("z", positive=True)),
}
NOT_SQUARE: dict[str, Any] = {
    **NOT_ARRAYS,
    "rectangle": np.ones((2, 3)),
    "unsymmetric": np.array([[1.0, 2.0], [0.0, 1.0]]),
}
WRONG: dict[str, dict[str, Any]] = {
    "phi": NOT_PHI,
    "samples": NOT_ARRAYS,
    "square": NOT_SQUARE,
    "number": {**NOT_NUMBERS, **NOT_FINITE},
    "scale": {**NOT_NUMBERS, **NOT_FINITE, **NEGATIVE},
    "count": {**NOT_NUMBERS, **NOT_FINITE, **NOT_WHOLE},
    "depth": {**{name: value for name, value in NOT_NUMBERS.items() if name != "None"}, **NOT_FINITE, **NOT_WHOLE},
    "seed": {**NOT_NUMBERS, "half": 0.5, "minus": -1, "bool": True},
    "widths": {
        "None": None,
        "number": 5,
        "one": [8],
        "texts": ["a", "b"],
        "halves": [8.5, 16],
        "zero": [0, 8],
        "huge": [8, 10**9],
    },
    "path": {
        "None": None,
        "number": 5,
        "folder": "/",
        "device": "/dev/null",
        "object": Strange(),
    },
    "targets": {name: value for name, value in NOT_ARRAYS.items() if name not in {"masked"}},
    "columns": {
        "number": 5,
        "unknown": ["much"],
        "numbers": [1, 2],
        "object": Strange(),
        "function": _broken,
        "text": "much",
    },
    "dtype": {"text": "much", "integers": np.int64, "half": np.float16, "complex": np.complex128, "number": 3},
}


def calls(folder: Path) -> Iterator[tuple[str, Callable[..., Any], dict[str, tuple[str, Any]]]]:
    """Calls that work: a name, a function, and for each argument its kind and a right value."""
    k, model = hd.dual("tanh"), hd.DEQ("tanh", 0.2)
    G = model.gram(X)
    net = model.sample(16, 4, seed=0)
    yield "activation", hd.activation, {"spec": ("phi", "tanh")}
    yield "dual", hd.dual, {"phi": ("phi", "tanh")}
    yield "Dual.kernel", k.kernel, {"q1": ("scale", 1.0), "q2": ("scale", 1.0), "c": ("number", 0.5)}
    yield "Dual.coefficient", k.coefficient, {"r": ("count", 1), "variance": ("scale", 1)}
    yield "Dual.coefficients", k.coefficients, {"n": ("count", 3), "variance": ("scale", 1.0)}
    yield (
        "Dual.coefficient_balls",
        k.coefficient_balls,
        {"n": ("count", 3), "variance": ("scale", 1), "digits": ("count", 10)},
    )
    yield "Dual.ball", k.ball, {"q1": ("scale", 1), "q2": ("scale", 1), "c": ("number", 0), "digits": ("count", 10)}
    yield (
        "DEQ",
        hd.DEQ,
        dict.fromkeys(("sigma_w", "sigma_u", "sigma_b"), ("scale", 0.2)) | {"phi": ("phi", "tanh")},
    )
    yield "DEQ.paper", hd.DEQ.paper, {"phi": ("phi", "tanh"), "sigma_w2": ("scale", 0.05)}
    yield "DEQ.gram", model.gram, {"X": ("samples", X), "depth": ("depth", 2), "dtype": ("dtype", np.float64)}
    yield "DEQ.gram out", model.gram, {"X": ("samples", X), "out": ("path", folder / "K.zarr"), "block": ("count", 3)}
    yield "DEQ.ntk", model.ntk, {"X": ("samples", X), "depth": ("depth", 2)}
    yield "DEQ.check", model.check, {"X": ("samples", X), "width": ("depth", 64)}
    yield "DEQ.sample", model.sample, {"width": ("count", 8), "inputs": ("count", 4), "seed": ("seed", 0)}
    yield (
        "DEQ.validate",
        model.validate,
        {"X": ("samples", X), "widths": ("widths", (8, 16)), "replicas": ("count", 2), "seed": ("seed", 0)},
    )
    yield "Gram.check_lower_bound", G.check_lower_bound, {"value": ("number", 1e-3)}
    yield "Gram.lower_bounds", G.lower_bounds, {"degrees": ("count", 16)}
    yield "Gram.least_eigenvalue", G.least_eigenvalue, {"rtol": ("scale", 1e-3)}
    yield (
        "least_eigenvalue",
        hd.least_eigenvalue,
        {"A": ("square", SQUARE), "entry_error": ("scale", 0.0), "rtol": ("scale", 1e-3)},
    )
    yield (
        "check_lower_bound",
        hd.check_lower_bound,
        {"A": ("square", SQUARE), "value": ("number", 0.5), "entry_error": ("scale", 0.0)},
    )
    yield "eigenvalues", hd.eigenvalues, {"A": ("square", SQUARE), "entry_error": ("scale", 0.0)}
    yield "on_sphere", hd.on_sphere, {"X": ("samples", X)}
    yield (
        "table",
        hd.table,
        {"activations": ("phi", ["relu"]), "columns": ("columns", ["name"]), "coefficients": ("count", 2)},
    )
    yield "net.gram", net.gram, {"X": ("samples", X)}
    yield "net.equilibrium", net.equilibrium, {"X": ("samples", X)}
    yield "DEQ.gram Y", model.gram, {"X": ("samples", X), "Y": ("samples", X[:2])}
    yield "DEQ.ntk Y", model.ntk, {"X": ("samples", X), "Y": ("samples", X[:2])}
    yield "DEQ.gram_cost", model.gram_cost, {"X": ("samples", X), "depth": ("depth", 2), "block": ("count", 3)}
    network: dict[str, tuple[str, Any]] = {"width": ("count", 8), "inputs": ("count", 4), "seed": ("seed", 0)}
    yield "DEQ.sample_contracting", model.sample_contracting, network
    yield "DEQ.sample_untied", model.sample_untied, network | {"depth": ("count", 2)}
    yield "net.ntk", net.ntk, {"X": ("samples", X)}
    yield "net.spectrum", net.spectrum, {"X": ("samples", X)}
    yield "net.stable_step", net.stable_step, {"X": ("samples", X)}
    yield (
        "sweep",
        hd.sweep,
        {
            "activations": ("columns", ["relu"]),
            "sigmas": ("targets", [0.1]),
            "widths": ("widths", (8, 16)),
            "X": ("samples", X),
            "replicas": ("count", 2),
            "coefficients": ("count", 2),
            "sigma_u": ("scale", 1.0),
            "seeds": ("widths", [0]),
            "out": ("path", folder / "S.zarr"),
        },
    )
    yield (
        "net.train",
        net.train,
        {"X": ("samples", X), "y": ("targets", np.ones(6)), "step": ("scale", 1e-3), "epochs": ("count", 1)},
    )


FINE = {
    ("gram", "--activation", "-1"),
    ("check", "--at-least", "-1"),
    ("validate", "--widths", "1,2"),
    ("train", "--widths", "1,2"),
    *(
        (name, key, "grows")
        for name in ("activation", "dual", "DEQ", "DEQ.paper", "table")
        for key in ("spec", "phi", "activations")
    ),
    *(("Dual.kernel", key, "list") for key in ("q1", "q2", "c")),
    ("Dual.coefficient", "variance", "huge integer"),
    ("DEQ.check", "width", "huge"),
    ("DEQ.gram out", "block", "None"),
    ("DEQ.gram out", "out", "None"),
    ("table", "activations", "list"),
    *(("DEQ.gram_cost", "block", what) for what in ("None", "huge", "huger", "huge integer")),
    *((f"DEQ.{what} Y", "Y", "None") for what in ("gram", "ntk")),
    *(("sweep", "seeds", what) for what in ("one", "zero", "huge")),
    ("sweep", "sigmas", "one dimension"),
}
"""What means something after all."""


@contextmanager
def limited(seconds: int) -> Iterator[None]:
    """Raise TimeoutError in a block that takes longer."""

    def stop(*_: Any) -> None:
        raise TimeoutError

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def functions(folder: Path, found: Counter[str]) -> Iterator[str]:
    """Call the functions and give a line for everything that is not an error of the package."""
    for name, function, arguments in calls(folder):
        right = {key: value for key, (_, value) in arguments.items()}
        function(**right)
        for key, (kind, _) in arguments.items():
            for what, value in WRONG[kind].items():
                found["calls"] += 1
                try:
                    with limited(LIMIT):
                        result = function(**(right | {key: value}))
                except hd.HermiteDualError:
                    found["refused"] += 1
                    continue
                except TimeoutError:
                    found["timeouts"] += 1
                    yield f"TIMEOUT {name}({key}={what})"
                except Exception as error:
                    found["foreign"] += 1
                    yield f"FOREIGN {name}({key}={what}): {type(error).__name__}: {str(error)[:90]}"
                else:
                    if (name, key, what) in FINE:
                        found["right after all"] += 1
                        continue
                    found["accepted"] += 1
                    yield f"ACCEPTED {name}({key}={what}) -> {str(result)[:60]!r}"


def commands(folder: Path, found: Counter[str]) -> Iterator[str]:
    """Run the commands with wrong options."""
    np.save(folder / "X.npy", X)
    data = str(folder / "X.npy")
    texts = ("", "much", "nan", "inf", "-1", "1e400", "0x10", "[]", "\x1b[2J", "1,2", "none.npy", "/dev/zero", "é")
    rows: list[tuple[list[str], list[str]]] = [
        (["show", "tanh"], ["--digits"]),
        (
            ["table", "relu", "--columns", "name"],
            ["--coefficients", "--digits", "--sigma-w2", "--data", "--columns", "--format"],
        ),
        (
            ["gram", data, "--out", str(folder / "K.npy"), "--force"],
            ["--activation", "--sigma-w", "--sigma-w2", "--sigma-u", "--sigma-b", "--depth", "--mlp", "--memory"],
        ),
        (["check", "tanh", data, "--sigma-w2", "0.08", "--at-least", "1e-4"], ["--at-least", "--sigma-w2"]),
        (["verify", str(folder / "none.json")], ["--data"]),
        (
            ["validate", "tanh", data, "--widths", "8,16", "--replicas", "2"],
            ["--widths", "--replicas", "--seed", "--sigma-w2", "--mlp"],
        ),
        (
            ["train", "relu", "--epochs", "1", "--samples", "4", "--widths", "16"],
            ["--widths", "--epochs", "--step", "--data"],
        ),
    ]
    for base, options in rows:
        for option in options:
            for text in texts:
                found["commands"] += 1
                try:
                    with limited(6 * LIMIT):
                        result = CliRunner().invoke(app, [*base, option, text])
                except TimeoutError:
                    yield f"TIMEOUT {base[0]} {option} {text!r}"
                    continue
                if result.exit_code == 2 and "Traceback" not in result.output:
                    found["commands refused"] += 1
                elif (base[0], option, text) in FINE:
                    found["right after all"] += 1
                elif result.exit_code not in {0, 1, 3} or "Traceback" in result.output:
                    yield f"COMMAND {base[0]} {option} {text!r}: exit {result.exit_code}: {result.output[-120:]!r}"
                else:
                    found["commands accepted"] += 1
                    yield f"ACCEPTED {base[0]} {option} {text!r}: exit {result.exit_code}"


def main() -> int:
    """Run the census."""
    found: Counter[str] = Counter()
    bad = 0
    with tempfile.TemporaryDirectory() as place:
        for count_in in (functions, commands):
            for line in count_in(Path(place), found):
                bad += 1
                print(line, flush=True)
    print("; ".join(f"{name}: {count}" for name, count in sorted(found.items())))
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
