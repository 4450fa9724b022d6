"""Kill runs and damage what they stored: the numbers are those of an undisturbed run, or a sentence says why not.

Usage: python benchmarks/store_damage.py [COUNT [SEED]]

COUNT runs that write a store (a Gram matrix in blocks, the networks of a validation, the records of a sweep, in turn)
are killed at a random moment by SIGKILL or SIGINT, some of them twice, and repeated. COUNT finished stores are damaged:
bytes flipped, files cut, emptied, lengthened, removed, exchanged within the store, taken from the store of another
model, keys of JSON changed; then they are opened by the same call, and of the Gram matrix also by a proof without
opening it anew. Every answer must be that of an undisturbed run to the last bit, or an exception of the package. The
exit code is 1 if anything else happened.
"""

import contextlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import hermite_dual as hd
from hermite_dual.errors import HermiteDualError

X = np.random.default_rng(5).standard_normal((60, 12))
X *= np.sqrt(12) / np.linalg.norm(X, axis=1, keepdims=True)
CLAIM = 0.004
PATIENCE = 120


def gram(folder: Path, activation: str = "tanh") -> Any:
    """A Gram matrix in blocks, its entries and a proof."""
    G = hd.DEQ.paper(activation, 0.05).store_gram(X, out=folder, block=6)
    return G[:, :].tobytes(), prove(G)


def prove(G: Any) -> Any:
    """The outcome of a claim and a proven bound."""
    return G.check_lower_bound(CLAIM).outcome.name, G.least_eigenvalue().lower


def validation(folder: Path, activation: str = "tanh") -> Any:
    """Networks of a validation and what is said of them."""
    found = hd.DEQ.paper(activation, 0.05).validate(X[:12], widths=(32, 64), replicas=4, seed=1, store=folder)
    held = found.to_dict()
    held.pop("notes", None)
    return json.dumps(held, sort_keys=True)


def sweep(folder: Path, activation: str = "tanh") -> Any:
    """Records of a sweep."""
    found = hd.sweep([activation, "erf"], [0.1, 0.2], (16, 32), (0,), X=X[:12], out=folder, replicas=2, paper=True)
    return repr(found.rows)


RUNS: dict[str, Callable[..., Any]] = {"gram": gram, "validation": validation, "sweep": sweep}


def apart(call: Callable[[], Any], answer: Path) -> int:
    """Run a call in a child process that writes its answer to a file; return its process number."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere), contextlib.redirect_stdout(nowhere):
            try:
                found = repr(call())
            except HermiteDualError as error:
                found = f"refused {type(error).__name__}: {error}"
            except KeyboardInterrupt:
                found = "interrupted"
            except BaseException as error:  # what must not happen is what is counted
                found = f"FOREIGN {type(error).__name__}: {error}"
        answer.write_text(found)
        code = 0
    finally:
        os._exit(code)


def answer_of(call: Callable[[], Any], answer: Path) -> str:
    """Return what a call answers in a process of its own."""
    answer.unlink(missing_ok=True)
    child = apart(call, answer)
    deadline = time.monotonic() + PATIENCE
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return "FOREIGN hang"
        time.sleep(0.002)
    return answer.read_text() if answer.exists() else "FOREIGN death"


def killed(run: Callable[..., Any], folder: Path, answer: Path, seconds: float, how: signal.Signals) -> None:
    """Start a run and end it after some seconds."""
    child = apart(lambda: run(folder), answer)
    time.sleep(seconds)
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, how)
    os.waitpid(child, 0)


def damage(folder: Path, other: Path, draw: random.Random) -> str:
    """Damage a store in one way; return which."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    file = draw.choice(files)
    kind = draw.choice(["flip", "cut", "empty", "longer", "remove", "exchange", "foreign", "json", "folder"])
    content = file.read_bytes()
    if kind == "flip" and content:
        place = draw.randrange(len(content))
        content = content[:place] + bytes([content[place] ^ draw.randrange(1, 256)]) + content[place + 1 :]
    elif kind == "cut":
        content = content[: draw.randrange(len(content) + 1)]
    elif kind == "empty":
        content = b""
    elif kind == "longer":
        content += draw.randbytes(draw.randrange(1, 50))
    elif kind == "exchange":
        twin = draw.choice([path for path in files if path.suffix == file.suffix])
        content, swapped = twin.read_bytes(), content
        twin.write_bytes(swapped)
    elif kind == "foreign":
        twin = other / file.relative_to(folder)
        content = twin.read_bytes() if twin.is_file() else draw.randbytes(64)
    elif kind == "json":
        content = _other_json(draw.choice([path for path in files if path.suffix == ".json"] or [file]), draw)
    if kind in ("remove", "folder"):
        file.unlink()
        if kind == "folder":
            file.mkdir()
    elif kind != "json":
        file.write_bytes(content)
    return kind


def _other_json(file: Path, draw: random.Random) -> bytes:
    """Change a value somewhere in a JSON file and write it."""
    try:
        held = json.loads(file.read_text())
    except ValueError:
        return b""
    place, spots = [held], []
    while place:
        node = place.pop()
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            spots.append((node, key))
            if isinstance(value, dict | list):
                place.append(value)
    if spots:
        node, key = draw.choice(spots)
        node[key] = draw.choice([0, -1, 1e9, "x", None, [], {}, True, node[key]])
    file.write_text(json.dumps(held))
    return b""


def main() -> int:
    """Kill and damage; print what happened."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    draw = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    seen: Counter[str] = Counter()
    refusals: Counter[str] = Counter()
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as base:
        room = Path(base)
        answer = room / "answer"
        expected, seconds = {}, {}
        for name, run in RUNS.items():
            start = time.monotonic()
            expected[name] = answer_of(lambda run=run, name=name: run(room / name), answer)
            seconds[name] = time.monotonic() - start
            answer_of(lambda run=run, name=name: run(room / f"{name} other", "softplus"), answer)
            print(f"{name}: {seconds[name]:.1f} s, {sum(p.is_file() for p in (room / name).rglob('*'))} files")
            if expected[name].startswith(("FOREIGN", "refused")):
                wrong.append(f"{name} undisturbed: {expected[name][:200]}")

        def judge(name: str, found: str, what: str) -> None:
            verdict = "same" if found == expected[name] else found.split(" ", maxsplit=1)[0]
            seen[f"{name}, {what.split(':', maxsplit=1)[0]}: {verdict}"] += 1
            if verdict not in ("same", "refused"):
                wrong.append(f"{name}, {what}: {found[:300]}")
            elif verdict == "refused":
                refusals[f"{name}, {what}: {found[8:140]}"] += 1

        for k in range(count):
            name = list(RUNS)[k % len(RUNS)]
            run, folder = RUNS[name], room / "store"
            for _ in range(draw.choice([1, 1, 2])):
                how = draw.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGINT])
                killed(run, folder, answer, draw.uniform(0.02, 1.0) * seconds[name], how)
            judge(name, answer_of(lambda run=run, folder=folder: run(folder), answer), "killed")
            shutil.rmtree(folder, ignore_errors=True)
        for k in range(count):
            name = list(RUNS)[k % len(RUNS)]
            run, folder = RUNS[name], room / "store"
            shutil.copytree(room / name, folder)
            case = draw.random()
            what = damage(folder, room / f"{name} other", random.Random(case))
            judge(name, answer_of(lambda run=run, folder=folder: run(folder), answer), f"damaged: {what}")
            shutil.rmtree(folder)
            if name == "gram":  # damaged between opening and proving
                shutil.copytree(room / name, folder)

                def late(folder: Path = folder, case: float = case) -> Any:
                    G = hd.DEQ.paper("tanh", 0.05).store_gram(X, out=folder)
                    damage(folder, room / "gram other", random.Random(case))
                    return G[:, :].tobytes(), prove(G)

                judge(name, answer_of(late, answer), f"damaged after opening: {what}")
                shutil.rmtree(folder)
    for line, number in sorted(seen.items()):
        print(f"{number:5} {line}")
    for line, number in sorted(refusals.items()):
        print(f"      {number} x {line}")
    print(f"wrong: {len(wrong)}", *wrong, sep="\n  ")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
