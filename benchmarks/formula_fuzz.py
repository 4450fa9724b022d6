"""Read random formulas: each must be read or refused within 3 seconds, and none may run code.

Usage: python benchmarks/formula_fuzz.py [COUNT [SEED]]

Half are drawn from a grammar with hard literals and deep nests, half are catalogue formulas with characters changed,
repeated or removed; one in twenty holds Python that would leave a trace in the environment. Exit code 1 if a formula
takes longer, ends in another exception than `InvalidInputError` and its kin, or leaves the trace.
"""

import os
import random
import signal
import sys
import time
from collections import Counter
from typing import Any

import hermite_dual as hd
from hermite_dual.expressions.catalogue import string_functions

SECONDS = 3
TRACE = "HERMITE_DUAL_FUZZ"
CODE = (
    f"__import__('os').environ.setdefault('{TRACE}', '1')",
    f"eval(\"__import__('os').putenv('{TRACE}', '1')\")",
    f"[c for c in ().__class__.__base__.__subclasses__()][0]('{TRACE}')",
    f"(lambda: __import__('os').environ.update({TRACE}='1'))()",
    "x.__class__.__mro__",
    "sympify('x')",
    "exec('1')",
    "x if x else 1",
    "{x: x}",
    "f'{x}'",
)
NUMBERS = (
    "0",
    "1",
    "2",
    "1/3",
    "0.1",
    "1e300",
    "1e-300",
    "1e999",
    "0e99999999",
    "1e-9999999",
    "9" * 60,
    ".5",
    "-0",
    "1_000",
)
NAMES = (*string_functions(), "x", "pi", "e", "E", "oo", "nan", "I", "a", "xx", "ax", "Φ", "σ", "x²", "zeta", "gamma")
FORMULAS = tuple(str(hd.activation(entry.name).expr) for entry in hd.catalogue() if not entry.required)
OPERATORS = ("+", "-", "*", "/", "^", "**", "<", ">", "==", "|", "&", " ", ",", "!", "%", "//", "@")


def formula(draw: random.Random, depth: int) -> str:
    """Draw a formula from a grammar that is wider than the parser's."""
    kind = draw.random()
    if depth == 0 or kind < 0.25:
        return draw.choice(NUMBERS) if draw.random() < 0.4 else "x"
    if kind < 0.6:
        return f"{formula(draw, depth - 1)}{draw.choice(OPERATORS)}{formula(draw, depth - 1)}"
    if kind < 0.9:
        count = draw.choice((1, 1, 1, 2, 3))
        inside = draw.choice((", ", ",")).join(formula(draw, depth - 1) for _ in range(count))
        return f"{draw.choice(NAMES)}({inside})"
    return f"({formula(draw, depth - 1)})" if draw.random() < 0.7 else f"|{formula(draw, depth - 1)}|"


def changed(draw: random.Random) -> str:
    """Draw a catalogue formula and spoil it."""
    text = draw.choice(FORMULAS)
    for _ in range(draw.randint(1, 4)):
        at = draw.randrange(len(text) + 1)
        piece = text[at : at + draw.randint(1, 12)]
        text = draw.choice(
            (
                text[:at] + draw.choice("()x*^+-/,.0 9e|") + text[at:],
                text[:at] + text[at + len(piece) :],
                text[:at] + piece * draw.choice((2, 3, 50)) + text[at:],
                f"{draw.choice(NAMES)}({text})",
            )
        )
    return text


def drawn(seed: int, index: int) -> str:
    """Give formula number `index` of a seed."""
    draw = random.Random(f"{seed} {index}")
    if index % 20 == 0:
        return draw.choice(("", "x + ", "tanh(", "x*")) + draw.choice(CODE) + draw.choice(("", ")"))
    return formula(draw, draw.choice((2, 3, 4, 6))) if index % 2 else changed(draw)


def main() -> int:
    """Read the formulas."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    found: Counter[str] = Counter()
    slowest = 0.0

    def stop(*_: Any) -> None:
        raise TimeoutError

    signal.signal(signal.SIGALRM, stop)
    for index in range(count):
        text = drawn(seed, index)
        begin = time.monotonic()
        signal.alarm(SECONDS)
        try:
            hd.activation(text)
            found["read"] += 1
        except hd.HermiteDualError:
            found["refused"] += 1
        except TimeoutError:
            found["timeout"] += 1
            print(f"TIMEOUT {index} {text!r}", flush=True)
        except Exception as error:
            found["foreign"] += 1
            print(f"FOREIGN {index} {text!r}: {type(error).__name__}: {str(error)[:90]}", flush=True)
        finally:
            signal.alarm(0)
        slowest = max(slowest, time.monotonic() - begin)
        if TRACE in os.environ:
            found["executed"] += 1
            del os.environ[TRACE]
            print(f"EXECUTED {index} {text!r}", flush=True)
    print(
        f"seed {seed}: "
        + ", ".join(f"{what} {many}" for what, many in sorted(found.items()))
        + f"; {slowest:.1f} s at most"
    )
    return int(any(found[what] for what in ("timeout", "foreign", "executed")))


if __name__ == "__main__":
    sys.exit(main())
