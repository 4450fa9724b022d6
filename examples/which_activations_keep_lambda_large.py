"""Which activations keep lambda_* large? Proven least eigenvalues on 200 handwritten digits, and a figure of them.

At s^2 = 0.08 wide networks of every one of them contract: the last column is below 1. The figure goes to the path
given, as in `python which_activations_keep_lambda_large.py lambda.pdf`, or into the working directory.
"""

import sys

import numpy as np
from matplotlib.figure import Figure

import hermite_dual as hd

ACTIVATIONS = ("relu", "leaky_relu", "gelu", "silu", "softplus", "tanh", "erf", "sin")
SIGMA_W2 = 0.08

X = hd.on_sphere(hd.load_digits()[0][:200])
rows = []
for name in ACTIVATIONS:
    model = hd.DEQ.paper(name, sigma_w2=SIGMA_W2)
    G = model.gram(X)
    least = G.least_eigenvalue()
    assert least.outcome is hd.Outcome.PROVEN
    # A larger activation has larger eigenvalues: in units of the mean diagonal the comparison is fair.
    rows.append((least.lower / np.trace(G.matrix) * len(X), least.lower, least.upper, model))
rows.sort(key=lambda row: row[0], reverse=True)

print(f"{'activation':12} {'proven interval of lambda_*':^48} {'over mean diagonal':>18} {'2 sigma_w L':>12}")
for share, lower, upper, model in rows:
    phi = model.activation
    interval = f"[{lower!r}, {upper!r}]"
    print(f"{phi.name:12} {interval:48} {share:18.4e} {2 * model.sigma_w * phi.lipschitz:12.3f}")

axes = Figure(figsize=(5.6, 3.4), layout="constrained").add_subplot()
axes.barh([row[3].activation.name for row in rows], [row[0] for row in rows], color="#0072B2")
axes.invert_yaxis()
axes.set_xlabel(r"$\lambda_*$ over the mean diagonal, 200 digits")
hd.save_figure(axes, sys.argv[1] if len(sys.argv) > 1 else "lambda.svg")
