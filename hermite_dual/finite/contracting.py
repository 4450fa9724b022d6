"""Networks drawn again until they contract, as the papers' initialization asks."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from hermite_dual.errors import ConvergenceError, InvalidInputError
from hermite_dual.exact_numbers import check_count
from hermite_dual.finite.network import FiniteDEQ
from hermite_dual.finite.sampling import STREAM_REDRAW, check_seed, child_seed, sample_network
from hermite_dual.notebook import Shown
from hermite_dual.outcome import Outcome
from hermite_dual.population.theorem.gaussian_norm import contraction_failure
from hermite_dual.population.theorem.hypothesis_tests import Hypothesis, slope_bound


@dataclass(frozen=True, eq=False, repr=False)
class ContractingDraw(Shown):
    """A network drawn again until it contracts.

    Attributes:
        network: the first network drawn with `L ||W||_2 < 1` proven.
        draws: number of networks drawn.
        contraction: the proof: its value is an upper bound of `L ||W||_2`.
        failure_probability: upper bound of the probability that one draw does not contract; 1 where none is known.
            The network follows the law of the weights, given that it contracts; no expectation of a quantity in
            [0, 1] moves by more than this.
    """

    network: FiniteDEQ
    draws: int
    contraction: Hypothesis
    failure_probability: float


def sample_contracting(
    activation: Any,
    *,
    sigma_w: float,
    sigma_u: float,
    sigma_b: float = 0.0,
    width: int,
    inputs: int,
    seed: int | np.random.SeedSequence,
    max_draws: int = 100,
) -> ContractingDraw:
    """Draw networks until `L ||W||_2 < 1` is proven of one.

    `P(||W||_2 >= sigma_w (2 + t)) <= exp(-m t^2 / 2)`, taken at `sigma_w (2 + t) L = 1`, bounds the probability that a
    draw fails where `2 sigma_w L < 1`.

    Args:
        activation: the activation phi, with a formula.
        sigma_w: scale of the recurrent weights, >= 0.
        sigma_u: scale of the input weights, >= 0.
        sigma_b: scale of the biases, >= 0.
        width: number m of neurons, >= 1.
        inputs: number d of input coordinates, >= 1.
        seed: as for `sample_network`, which draws the first network; the others have streams of their own.
        max_draws: largest number of networks drawn, >= 1.

    Raises:
        InvalidInputError: An argument lies outside what is stated above, or no Lipschitz constant of phi is proven.
        ConvergenceError: None of the networks contracts.
    """
    check_count("max_draws", max_draws, 1, "the largest number of networks drawn")
    root = check_seed(seed)
    least = math.inf
    for draw in range(1, max_draws + 1):
        network = sample_network(
            activation,
            sigma_w=sigma_w,
            sigma_u=sigma_u,
            sigma_b=sigma_b,
            width=width,
            inputs=inputs,
            seed=root if draw == 1 else child_seed(root, STREAM_REDRAW, draw),
            memory=math.inf,
        )
        bound = network.contraction()
        if bound.value is None:
            raise InvalidInputError(
                f"whether a network contracts cannot be decided: {bound.explanation}. Use sample(width, inputs, seed)."
            )
        if bound.outcome is Outcome.PROVEN:
            failure = contraction_failure(sigma_w, slope_bound(activation, 1).upper, width)[1]
            return ContractingDraw(network, draw, bound, failure)
        least = min(least, bound.value)
    raise ConvergenceError(
        f"none of max_draws={max_draws} networks of width {width} with sigma_w={sigma_w:.4g} contracts: the least "
        f"L ||W||_2 was {least:.4g}, and it tends to 2 sigma_w L with growing width. Remedy: pass a smaller sigma_w, "
        f"below {sigma_w / least:.4g}."
    )
