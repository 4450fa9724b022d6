"""One layer's kernel matrix by neural-tangents, timed; runs in an environment of its own.

Usage: PEER_PYTHON benchmarks/peer_layer.py SAMPLES.npy RESULT.npy ACTIVATION REPEATS

PEER_PYTHON is an interpreter with `jax==0.4.30`, `numpy<2` and `neural-tangents==0.6.5`, the newest set that works
together. `benchmarks/peer.py` calls this file.
"""

import json
import sys
import time

import jax
import numpy as np

jax.config.update("jax_enable_x64", True)
import jax.numpy as jnp  # noqa: E402 (the precision is set first)
from neural_tangents import stax  # noqa: E402

LAYERS = {
    "tanh": lambda: stax.ElementwiseNumerical(jnp.tanh, deg=25),
    "softplus": lambda: stax.ElementwiseNumerical(jax.nn.softplus, deg=25),
    "erf": stax.Erf,
    "relu": stax.Relu,
    "gelu": stax.Gelu,
}


def main() -> None:
    """Write the matrix and print the seconds of every run after the first, which compiles."""
    samples, result, name, repeats = sys.argv[1:]
    X = jnp.asarray(np.load(samples))
    kernel = stax.serial(stax.Dense(1, W_std=1.0, b_std=None), LAYERS[name]())[2]
    compiled = jax.jit(lambda inputs: kernel(inputs, None, "nngp"))
    start = time.perf_counter()
    matrix = compiled(X).block_until_ready()
    first = time.perf_counter() - start
    seconds = []
    for _ in range(int(repeats)):
        start = time.perf_counter()
        matrix = compiled(X).block_until_ready()
        seconds.append(time.perf_counter() - start)
    np.save(result, np.asarray(matrix))
    print(json.dumps({"first": first, "seconds": seconds}))


if __name__ == "__main__":
    main()
