"""An activation or its derivative at many floats, each value with a bound of its error, by balls.

Derivation: docs/theory/convergence.md, "The start".
"""

import numpy as np
import sympy as sp
from flint import arb

from hermite_dual.arrays import Array
from hermite_dual.certified.balls.ball_functions import BallFunction, constant_ball
from hermite_dual.certified.balls.precision import rounded, working_precision
from hermite_dual.errors import AccuracyError
from hermite_dual.shape.pieces import HOLE
from hermite_dual.shape.shape import Shape

_BITS = 80  # a dozen operations lose a few bits of the 27 beyond float64


def ball_values(shape: Shape, points: Array, order: int) -> tuple[Array, Array]:
    """`phi^(order)` at floats, and bounds of the errors, both of the shape of `points`.

    Args:
        shape: that of phi, whose derivatives below and of the order have no jump.
        points: finite floats.
        order: 0 or 1.

    Raises:
        AccuracyError: a value could not be enclosed.
    """
    reach = float(np.abs(points).max(initial=0.0)) + 1.0
    pieces = shape.pieces if shape.complete else shape.within(reach)
    if pieces is None or HOLE in pieces.expressions:
        raise AccuracyError(f"{shape.expr} is not known on all of [{-reach:.6g}, {reach:.6g}]")
    balls = []
    with working_precision(_BITS):
        functions = [
            BallFunction(sp.diff(expression, pieces.symbol, order), pieces.symbol) for expression in pieces.expressions
        ]
        # both sides agree at a kink, so which of them a point next to its float belongs to is a matter of the error:
        # a point between a kink and its float lies within the kink's radius, where the union of both is taken
        kinks = [constant_ball(kink) for kink in pieces.kinks]
        for point in points.ravel().tolist():
            balls.append(_value(functions, kinks, arb(point)))
            if not balls[-1].is_finite():
                raise AccuracyError(f"{shape.expr}: derivative {order} has no enclosure at {point!r}")
        values, errors = rounded(balls)
    return values.reshape(points.shape), errors.reshape(points.shape)


def _value(functions: list[BallFunction], kinks: list[arb], point: arb) -> arb:
    """The ball of the piece that holds the point, of both pieces where that is not decided."""
    first = sum(1 for kink in kinks if kink < point)
    last = sum(1 for kink in kinks if not kink > point)
    ball = functions[first](point)
    for function in functions[first + 1 : last + 1]:
        ball = ball.union(function(point))
    return ball
