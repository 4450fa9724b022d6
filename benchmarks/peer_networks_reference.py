"""Kernels of multilayer networks, grids of single layers and predictions by neural-tangents; in its own environment.

Usage: PEER_PYTHON benchmarks/peer_networks_reference.py INPUT.npz OUTPUT.npz

Reads what `peer_networks.py` wrote and leaves kernels and seconds (compilation left out) beside it.
"""

import json
import sys
import time

import jax

jax.config.update("jax_enable_x64", True)

import numpy as np  # noqa: E402
from neural_tangents import predict, stax  # noqa: E402

ACTIVATIONS = {
    "relu": stax.Relu,
    "erf": stax.Erf,
    "gelu": stax.Gelu,
    "sin": stax.Sin,
    "cos": stax.Cos,
    "abs": stax.Abs,
    "leaky_relu": lambda: stax.LeakyRelu(0.01),
    "exp": stax.Exp,
    "sign": stax.Sign,
    "tanh": lambda: stax.ElementwiseNumerical(jax.numpy.tanh, 25),
}


def network(case):
    """The network of a case: name, depth, sigma_w, sigma_b, residual."""
    name, depth, sigma_w, sigma_b, residual = case

    def dense(scale=1.0):
        return stax.Dense(1, W_std=scale * sigma_w, b_std=scale * sigma_b, parameterization="ntk")

    layers = [dense()]
    for _ in range(depth):
        if residual is None:
            layers += [ACTIVATIONS[name](), dense()]
        else:
            branch = stax.serial(ACTIVATIONS[name](), dense(residual))
            layers.append(stax.serial(stax.FanOut(2), stax.parallel(stax.Identity(), branch), stax.FanInSum()))
    return stax.serial(*layers)[2]


def compiled(case):
    """The tangent kernel as one compiled function."""
    kernel = network(case)
    return jax.jit(lambda samples: kernel(samples, None, "ntk"))


def main(source, target):
    """Compute everything that is asked for."""
    data = np.load(source)
    cases, timed, results = json.loads(str(data["cases"])), json.loads(str(data["timed"])), {}
    for number, case in enumerate(cases):
        kernel = network(case)
        for label, pair in (("square", (data["X"], None)), ("cross", (data["X"], data["Y"]))):
            got = kernel(*pair, ("nngp", "ntk")) if case[0] != "sign" else kernel(*pair, ("nngp",))
            results[f"{number}-{label}-nngp"] = np.asarray(got.nngp)
            if case[0] != "sign":
                results[f"{number}-{label}-ntk"] = np.asarray(got.ntk)
    seconds = []
    for case, count in timed:
        samples = jax.numpy.asarray(data[f"rows-{count}"])
        kernel = compiled(case)
        kernel(samples).block_until_ready()
        best = np.inf
        for _ in range(3):
            start = time.perf_counter()
            kernel(samples).block_until_ready()
            best = min(best, time.perf_counter() - start)
        seconds.append(best)
    results["seconds"] = np.array(seconds)
    kernel, X, Y, y = network(cases[0]), data["X"], data["Y"], data["y"]
    trained = predict.gradient_descent_mse_ensemble(kernel, X, y, learning_rate=1.0, diag_reg=0.0)
    for label, t in (("end", None), ("middle", float(data["t"]))):
        for get in ("nngp", "ntk"):
            mean, covariance = trained(t=t, x_test=Y, get=get, compute_cov=True)
            results[f"predict-{label}-{get}-mean"] = np.asarray(mean)
            results[f"predict-{label}-{get}-covariance"] = np.asarray(covariance)
    np.savez(target, **results)


if __name__ == "__main__":
    main(*sys.argv[1:])
