"""Population Gram matrices of infinitely wide deep equilibrium models on real images, for several activations."""

import hermite_dual as hd

X = hd.on_sphere(hd.load_digits()[0][:200])
print(f"{'activation':12} {'K_ii':>10} {'least eigenvalue':>18}")
for name in ("relu", "tanh", "erf", "sin"):
    G = hd.DEQ.paper(name, sigma_w2=0.08).gram(X)
    print(f"{name:12} {G.matrix[0, 0]:10.6f} {G.least_eigenvalue().estimate:18.10f}")
