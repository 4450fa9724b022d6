"""Figures of what `benchmarks/run.py --json` has measured; each is drawn where its rows are there."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from hermite_dual.report.style import BLACK, BLUE, GREEN, GREY, ORANGE, finish, looks, new_axes, save_figure

Rows = list[dict[str, Any]]
Benchmarks = dict[str, Rows]
_BAR = 0.27
"""Height of a bar and its gap, in inches."""
_APART = 1.6
"""Sizes with a label of their own: this many times the last."""


def write_figures(benchmarks: Benchmarks, folder: Path, machine: str) -> list[tuple[str, str]]:
    """Draw what the rows allow into the folder, and remove figures of rows that are gone.

    Args:
        benchmarks: Rows by the name of their benchmark.
        folder: Where the figures go.
        machine: The machine, which each figure names.

    Returns:
        Pairs of a file name and what the figure shows.
    """
    figures: dict[str, tuple[Callable[[Benchmarks], Axes | None], str]] = {
        "ratios": (draw_ratios, "Times over those of a yardstick that ran in turn with them"),
        "growth": (draw_growth, "Times by the number of samples, with fitted exponents"),
        "peer": (draw_peer, "One layer against neural-tangents"),
    }
    shown = []
    for name, (draw, caption) in figures.items():
        target = folder / f"benchmarks-{name}.svg"
        axes = draw(benchmarks)
        if axes is None:
            target.unlink(missing_ok=True)
            continue
        axes.set_xlabel(f"{axes.get_xlabel()}\n({machine})", fontsize=9)
        save_figure(axes, target)
        shown.append((target.name, caption))
    return shown


def draw_ratios(benchmarks: Benchmarks) -> Axes | None:
    """Draw a bar per row that is measured against a yardstick, or return None where there is none."""
    kinds = {
        "Gram matrix / X @ X.T": (BLUE, [(_kernel_label(row), row["ratio"]) for row in benchmarks.get("gram", [])]),
        "tangent kernel / X @ X.T": (GREEN, [(_kernel_label(row), row["ratio"]) for row in benchmarks.get("ntk", [])]),
        "proof of the least eigenvalue / Cholesky": (
            ORANGE,
            [
                (f"{row['matrix']}, n = {row['n']}", row["ratio"])
                for row in benchmarks.get("least_eigenvalue", [])
                if row["outcome"] == "PROVEN"
            ],
        ),
        "new process / importing what it needs": (
            GREY,
            [(row["what"], row["ratio"]) for row in benchmarks.get("startup", [])],
        ),
    }
    bars = [(label, ratio, kind) for kind, (_, rows) in kinds.items() for label, ratio in rows]
    if not bars:
        return None
    axes = _bar_axes(len(bars))
    for kind, (colour, rows) in kinds.items():
        places = [place for place, bar in enumerate(bars) if bar[2] == kind]
        if rows:
            axes.barh(places, [ratio for _, ratio in rows], height=0.7, color=colour, label=kind)
    for place, (_, ratio, _) in enumerate(bars):
        axes.text(ratio, place, f" {ratio:.2f}", va="center", fontsize=8)
    axes.axvline(1.0, color=BLACK, linewidth=0.8)
    axes.set_xlim(0.0, 1.12 * max(ratio for _, ratio, _ in bars))
    _name_bars(axes, [label for label, _, _ in bars])
    finish(axes, title="Ratios", x="time over that of the yardstick", y="")
    axes.get_legend().remove()
    axes.figure.legend(frameon=False, fontsize=8, loc="outside lower center", ncols=2)
    return axes


def draw_growth(benchmarks: Benchmarks) -> Axes | None:
    """Draw times by n with the exponent of each line, or return None where nothing was measured at two sizes."""
    lines: dict[str, list[tuple[int, float]]] = {}
    for row in benchmarks.get("growth", []):
        lines.setdefault(f"{row['kernel']} {row['activation']}", []).append((row["n"], row["seconds"]))
        if row["product_seconds"] is not None:
            lines.setdefault("X @ X.T", []).append((row["n"], row["product_seconds"]))
    for row in benchmarks.get("least_eigenvalue", []):
        lines.setdefault(f"proof, {row['matrix']}", []).append((row["n"], row["seconds"]))
    lines = {name: sorted(points) for name, points in lines.items() if len({n for n, _ in points}) > 1}
    if not lines:
        return None
    axes = new_axes()
    axes.figure.set_size_inches(7.6, 3.8)
    for (name, points), (colour, dashes) in zip(lines.items(), looks(), strict=False):
        n, seconds = np.array(points).T
        exponent = np.polyfit(np.log(n), np.log(seconds), 1)[0]
        label = f"{name}, exponent {exponent:.2f}"
        axes.plot(n, seconds, color=colour, linestyle=dashes, marker="o", markersize=4, linewidth=1.3, label=label)
    axes.set_xscale("log")
    axes.set_yscale("log")
    sizes: list[int] = []
    for n in sorted({n for points in lines.values() for n, _ in points}):
        if not sizes or n >= _APART * sizes[-1]:
            sizes.append(n)
    axes.set_xticks(sizes, [str(n) for n in sizes])
    axes.minorticks_off()
    return finish(axes, title="Growth", x="samples n", y="seconds")


def draw_peer(benchmarks: Benchmarks) -> Axes | None:
    """Draw how many times faster than the peer each activation is, or return None where no peer was measured."""
    rows = benchmarks.get("peer", [])
    if not rows:
        return None
    axes = _bar_axes(len(rows))
    ratios = [row["ratio"] for row in rows]
    axes.barh(range(len(rows)), ratios, height=0.7, color=BLUE)
    for place, row in enumerate(rows):
        text = f" {row['ratio']:.3g}, error {row['error']:.0e}, the peer's {row['peer_error']:.0e}"
        axes.text(row["ratio"], place, text, va="center", fontsize=8)
    axes.set_xscale("log")
    axes.set_xlim(min(0.5, 0.5 * min(ratios)), 60.0 * max(ratios))
    axes.axvline(1.0, color=BLACK, linewidth=0.8)
    _name_bars(axes, [f"{row['activation']}, n = {row['n']}" for row in rows])
    return finish(axes, title="One layer against neural-tangents", x="times as fast", y="")


def _kernel_label(row: dict[str, Any]) -> str:
    return f"{row['activation']}, {row['norms']} norms, n = {row['n']}, d = {row['d']}"


def _bar_axes(count: int) -> Axes:
    axes = new_axes()
    axes.figure.set_size_inches(7.2, 1.8 + _BAR * count)
    return axes


def _name_bars(axes: Axes, names: list[str]) -> None:
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.invert_yaxis()
