"""Numbers of papers and public code, computed again in a line each, with the agreement stated."""

import math

import numpy as np
import sympy as sp

import hermite_dual as hd


def compare(what, printed, computed, tolerance):
    """Print both, and fail where they differ by more than the given digits leave open."""
    difference = np.max(np.abs(np.subtract(printed, computed)))
    assert difference <= tolerance, what
    shown = np.array2string(np.asarray(computed), precision=10, max_line_width=100)
    print(f"{what}\n    there {printed}, here {shown}, difference {difference:.1e}")


edge = hd.edge_of_chaos("tanh", sigma_b=math.sqrt(0.05))[0]
compare("arXiv 1611.01232, tanh, edge of chaos at sigma_b^2 = .05: sigma_w^2", 1.76, edge.sigma_w2, 5e-3)

field = hd.mean_field("tanh", math.sqrt(1.05), math.sqrt(2.01e-5))
compare("arXiv 1806.05393, tanh at (1.05, 2.01e-5), said to be critical: chi_1", 1.0, field.chi_1, 1e-6)

for name, weights, biases in (("gelu", 1.98305826, 0.17292239), ("silu", 1.98800468, 0.55514317)):
    point = hd.doubly_critical(name)[-1]
    compare(f"arXiv 2106.10165, {name}, critical C_W, C_b", (weights, biases), (point.sigma_w2, point.sigma_b2), 1e-8)

for name, scale in (("gelu", 0.652), ("silu", 0.596)):
    compare(f"magnitude-preserving scale of {name}", scale, 1 / hd.gain(name), 5e-4)

selu = hd.dual("selu")
compare("SELU: mean 0 and second moment 1", (0.0, 1.0), (selu.coefficients(1)[0], selu.kernel(1.0, 1.0, 1.0)), 1e-13)

erf = hd.mean_field("erf", sp.sqrt(sp.Rational(3, 2)), sp.sqrt(sp.Rational(1, 10)))
compare("neural-tangents notebook, erf: q*, chi_1", (0.69110043383, 0.98435872532), (erf.q_star, erf.chi_1), 1e-11)

q = [1 / math.pi, 1 / 2, 1 / (2 * math.pi)]  # of 2 E[relu(u) relu(v)] = (sqrt(1 - t^2) + (pi - acos t) t)/pi
compare("arXiv 1602.05897, series of ReLU, halved", np.array(q) / 2, hd.dual("relu").coefficients(3) ** 2, 1e-15)

c = [0.0, 0.5, -0.5, 0.9]
model = hd.DEQ.paper("relu", sigma_w2=0.08)
rows = [math.sqrt(2.0) * np.array([[1.0, 0.0], [x, math.sqrt(1.0 - x * x)]]) for x in c]
values = [model.gram(pair).matrix[0, 1] for pair in rows]
printed = (0.360532106118268, 0.668646750679104, 0.137121086337382, 0.989391578220379)
compare("arXiv 2205.13814, equation (14) at s^2 = .08", printed, values, 1e-14)
