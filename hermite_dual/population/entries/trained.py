"""Names of the parameters of a network, some of which are trained."""

from typing import Any

from hermite_dual.errors import InvalidInputError

# The trainable parameters, in the order in which they are named.
PARAMETERS = ("a", "W", "U", "b")


def check_parameters(parameters: Any) -> tuple[str, ...]:
    """Return names of parameters in the order of `PARAMETERS`, or say which are allowed."""
    names = (parameters,) if isinstance(parameters, str) else tuple(parameters)
    if not names or len(set(names)) != len(names) or not set(names) <= set(PARAMETERS):
        raise InvalidInputError(
            f"parameters={parameters!r}: allowed are some of {', '.join(map(repr, PARAMETERS))}, each once. "
            "Pass ('a', 'W', 'U') for the papers' setting."
        )
    return tuple(name for name in PARAMETERS if name in names)
