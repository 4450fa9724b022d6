"""At which scales a deep network keeps variances, correlations and gradients: fixed points, edge of chaos, figure."""

import numpy as np

import hermite_dual as hd

(edge,) = hd.edge_of_chaos("tanh", sigma_b=0.2)
print(f"edge of chaos of tanh: sigma_w = {edge.sigma_w:.8f} at sigma_b = 0.2, variance {edge.q:.8f}")
print(f"there 1 - c_l ~ {edge.approach.constant:.4f} / l")
for sigma_w in (1.0, edge.sigma_w, 2.0):
    field = hd.mean_field("tanh", sigma_w, 0.2)
    print(f"sigma_w = {sigma_w:.4f}: {field.phase}, q* = {field.q_star:.6f}, c* = {field.c_star:.6f}")
for point in hd.doubly_critical("gelu"):
    print(f"GELU is doubly critical at C_W = {point.sigma_w2:.10f}, C_b = {point.sigma_b2:.10f}, K = {point.q:.8f}")

diagram = hd.phase_diagram("tanh", np.linspace(0.5, 3.0, 120), np.linspace(0.0, 1.0, 100))
hd.save_figure(diagram.plot(), "phase_diagram.png")
