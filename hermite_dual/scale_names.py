"""Scales under names of other conventions: refused with what to write instead, the number worked out."""

import functools
import math
from collections.abc import Callable, Mapping
from typing import ParamSpec, TypeVar

from hermite_dual.errors import InvalidInputError
from hermite_dual.exact_numbers import scale_number

P = ParamSpec("P")
R = TypeVar("R")

_PAPERS = "sigma_w2 is s^2 of the papers, W ~ N(0, 2 s^2/m), U ~ N(0, 2/d)"
_ROOTS = {f"{scale}{ending}": scale for scale in ("sigma_u", "sigma_b") for ending in ("2", "_squared")}
"""Variances of the input weights and biases, and the scales that are their roots."""
_STANDARD_DEVIATIONS = {"W_std": "sigma_w", "b_std": "sigma_b"}
"""Names of neural-tangents, and the scales that mean the same."""


def translating(kind: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Answer scales that a function does not take by a sentence that says what to write.

    Args:
        kind: "DEQ", "DEQ.paper", "MLP" or "DualKernel".
    """

    def around(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def translated(*arguments: P.args, **options: P.kwargs) -> R:
            for name, value in options.items():
                if remedy := _remedy(kind, name, value, options):
                    raise InvalidInputError(f"{kind}({name}={value!r}): {remedy}")
            return function(*arguments, **options)

        return translated

    return around


def _remedy(kind: str, name: str, value: object, options: Mapping[str, object]) -> str:
    if kind == "DEQ.paper" and name == "sigma_w":
        half = scale_number(name, value) ** 2 / 2.0
        return (
            f"the papers' convention has sigma_w2 = s^2 = sigma_w^2/2: write sigma_w2={half:.6g}, or with this sigma_w "
            f"and the same inputs DEQ(phi, sigma_w={value!r}, sigma_u={math.sqrt(2.0):.6g})"
        )
    if kind == "DEQ.paper" and name in {"sigma_u", "sigma_b"}:
        given = options.get("sigma_w2")
        scale = "sqrt(2 sigma_w2)" if given is None else f"{math.sqrt(2.0 * scale_number('sigma_w2', given)):.6g}"
        inputs = f"sigma_u={math.sqrt(2.0):.6g}, " if name == "sigma_b" else ""
        return (
            f"the papers have U ~ N(0, 2/d) and no bias; for another {name} write "
            f"DEQ(phi, sigma_w={scale}, {inputs}{name}={value!r})"
        )
    if name == "sigma_w2" and kind != "DEQ.paper":
        scale = f"sigma_w={math.sqrt(2.0 * scale_number(name, value)):.6g}"
        if kind == "MLP":
            return (
                f"{_PAPERS}, of equilibrium models; here W ~ N(0, sigma_w^2/fan-in): write {scale}, or "
                f"sigma_w={math.sqrt(scale_number(name, value)):.6g} if a variance was meant"
            )
        if kind == "DualKernel":
            return f"{_PAPERS}: write {scale}, sigma_u={math.sqrt(2.0):.6g}"
        return (
            f"{_PAPERS}: write DEQ.paper(phi, sigma_w2={value!r}), which is DEQ(phi, {scale}, "
            f"sigma_u={math.sqrt(2.0):.6g})"
        )
    if kind == "MLP" and name == "sigma_u":
        return f"the input layer's scale is the first of sigma_w: write sigma_w=[{value!r}, ...], one for each layer"
    if name == "sigma_w_squared":
        return f"write sigma_w={math.sqrt(scale_number(name, value)):.6g}, its square root"
    if name in _ROOTS:
        return f"write {_ROOTS[name]}={math.sqrt(scale_number(name, value)):.6g}, its square root"
    if name in _STANDARD_DEVIATIONS:
        return f"write {_STANDARD_DEVIATIONS[name]}={value!r}, which means the same"
    return ""
