"""Train a network that is proven to contract, and hold the theorem's claims against the run."""

import numpy as np

import hermite_dual as hd

X = hd.on_sphere(hd.load_digits()[0][:100])
y = np.where(hd.load_digits()[1][:100] % 2 == 0, 1.0, -1.0)
draw = hd.DEQ.paper("tanh", sigma_w2=0.08).sample_contracting(width=400, inputs=64, seed=0)
print(f"draws: {draw.draws}, L ||W||_2 <= {draw.contraction.value:.6f}, P(failure) <= {draw.failure_probability:.1e}")
print(draw.network.train(X, y, step=0.5 * draw.network.stable_step(X), epochs=50))
