"""What is decided of a multilayer network and its data: hypotheses of positive kernels, and what follows.

Derivation: docs/theory/layers.md, "Facts".
"""

from typing import TYPE_CHECKING

from hermite_dual.arrays import Array
from hermite_dual.errors import HermiteDualError
from hermite_dual.population.theorem.hypotheses import TheoremCheck, positive, undecided_eigenvalue
from hermite_dual.population.theorem.hypothesis_tests import (
    Hypothesis,
    bounded_derivative,
    no_parallel_rows,
    no_polynomial,
    slope_bound,
)

if TYPE_CHECKING:
    from hermite_dual.mlp import MLP

_THEOREM = (
    "Gradient flow on the limit's tangent kernel converges at the rate of its least eigenvalue; how wide a network has "
    "to be to follow it is not decided here."
)
"""What the theorem of finite networks would have to say."""


def check_network(network: "MLP", X: Array, step: float | None) -> TheoremCheck:
    """Decide what is known of the kernels of a network on samples of shape (n, d).

    Args:
        network: of infinite width.
        X: checked samples.
        step: step size of gradient descent on `1/2 sum (f - y)^2`.
    """
    hypotheses = []
    for phi in dict.fromkeys(network.activations):
        slopes = (slope_bound(phi, 1), slope_bound(phi, 2))
        hypotheses += [bounded_derivative(slopes[0], 1), bounded_derivative(slopes[1], 2), no_polynomial(phi, slopes)]
    hypotheses.append(no_parallel_rows(X, network.first_layer()))
    consequences = []
    least = undecided_eigenvalue("no kernel was computed")
    for name, make in (("NNGP", network.gram), ("NTK", network.ntk)):
        try:
            kernel = make(X)
            least = kernel.least_eigenvalue()
        except HermiteDualError as error:
            least = undecided_eigenvalue(str(error))
            consequences.append(positive(least, f"lambda_min({name}) > 0"))
            continue
        consequences.append(positive(least, f"lambda_min({name}) > 0"))
        if name == "NTK":
            rate = kernel.training_rate(step)
            told = f"at the step {rate.step:.6g}, of at most {rate.largest_step:.6g}: {rate.reason}"
            consequences.append(Hypothesis("gradient descent on the NTK converges", rate.outcome, rate.rate, told))
    names = ", ".join(dict.fromkeys(phi.name for phi in network.activations))
    return TheoremCheck(names, tuple(hypotheses), tuple(consequences), least, _THEOREM)
